import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { installPackages } from '../support/debian.ts'
import { python } from './rtsp.ts'

const run = promisify(execFile)

const packages = [
  'python3-gi',
  'gir1.2-gst-rtsp-server-1.0',
  'gstreamer1.0-plugins-base',
  'gstreamer1.0-plugins-good',
  'gstreamer1.0-plugins-ugly',
]

const isThere = (): Promise<boolean> =>
  run(python, [
    '-c',
    'import gi; gi.require_version("GstRtspServer", "1.0"); from gi.repository import Gst; Gst.init(None); assert Gst.ElementFactory.find("x264enc") and Gst.ElementFactory.find("rtph264pay")',
  ]).then(
    () => true,
    () => false,
  )

/** Installs an RTSP server by apt, unless there is one. Without it nothing is skipped: the run fails. */
export default async function install(): Promise<void> {
  if (await isThere()) return
  await installPackages(packages)
  if (!(await isThere())) throw new Error('The packages did not bring an RTSP server.')
}
