import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** The one that Debian's packages are for, whatever else is on the path. */
export const python = '/usr/bin/python3'

const server = `
import gi
gi.require_version('Gst', '1.0'); gi.require_version('GstRtspServer', '1.0')
from gi.repository import Gst, GstRtspServer, GLib
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address('127.0.0.1')
server.set_service('0')
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch('( videotestsrc is-live=true ! video/x-raw,width=160,height=90,framerate=10/1 '
  '! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph264pay name=pay0 pt=96 '
  'audiotestsrc is-live=true ! alawenc ! rtppcmapay name=pay1 pt=8 )')
factory.set_shared(True)
server.get_mount_points().add_factory('/cam', factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
`

/** A camera: RTSP by GStreamer, with sound in G.711. */
export const openCamera = async () => {
  const child = spawn(python, ['-c', server], { stdio: ['ignore', 'pipe', 'inherit'] })
  const port = await new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) => resolve(Number(line)))
    child.once('close', () => reject(new Error('the camera did not start')))
  })
  return {
    port,
    url: `rtsp://127.0.0.1:${port}/cam`,
    close: async () => {
      child.kill('SIGKILL')
    },
  }
}
