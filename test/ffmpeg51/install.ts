import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { installPackages } from '../support/debian.ts'

const run = promisify(execFile)

const remedy =
  'On Debian 12, as root: apt-get install --no-install-recommends ffmpeg; or set FFMPEG_PATH and FFPROBE_PATH to an ffmpeg 5.1 and its ffprobe.'

type Programs = { ffmpeg: string; ffprobe: string }

/** Those that the variables name, or else those that the Debian package brings. */
const programs: Programs = {
  ffmpeg: process.env.FFMPEG_PATH ?? '/usr/bin/ffmpeg',
  ffprobe: process.env.FFPROBE_PATH ?? '/usr/bin/ffprobe',
}

const versionOf = (program: string): Promise<string | undefined> =>
  run(program, ['-version'], { env: { PATH: '/usr/bin' } }).then(
    ({ stdout }) => /version (\S+)/.exec(stdout)?.[1],
    () => undefined,
  )

/**
 * Finds ffmpeg 5.1, or installs it by apt, and tells the tests where it is. Without it nothing is skipped: the run fails.
 */
export default async function findFfmpeg51(): Promise<void> {
  const isNamed = process.env.FFMPEG_PATH !== undefined
  if (!isNamed && (await versionOf(programs.ffmpeg)) === undefined) await installPackages(['ffmpeg'])
  for (const program of Object.values(programs)) {
    const version = await versionOf(program)
    if (version === undefined) throw new Error(`${program} does not run. ${remedy}`)
    if (!version.startsWith('5.1'))
      throw new Error(`${program} is ${version}, and 5.1 is to be tested. ${remedy}`)
  }
  process.env.TESTED_FFMPEG_PATH = programs.ffmpeg
  process.env.TESTED_FFPROBE_PATH = programs.ffprobe
}
