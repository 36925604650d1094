import { ask } from './command.ts'

/** Runs a program to its end. @throws Error with what it said, when it fails */
export async function succeed(program: string, args: readonly string[]): Promise<void> {
  const { code, complained } = await ask({ program, args })
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${complained.trim().slice(-500)}`)
}

/** Runs ffmpeg with the arguments that every run of it here has. */
export const runFfmpeg = (ffmpeg: string, args: readonly string[]): Promise<void> =>
  succeed(ffmpeg, ['-y', '-nostdin', '-v', 'error', ...args])

/** A short real video: a moving test picture with a running clock, and a tone. Nothing is downloaded. */
export const makeVideo = (ffmpeg: string, path: string, seconds: number): Promise<void> =>
  runFfmpeg(ffmpeg, [
    ...['-f', 'lavfi', '-i', `testsrc2=size=1280x720:rate=30:duration=${seconds}`],
    ...['-f', 'lavfi', '-i', `sine=frequency=440:beep_factor=4:sample_rate=48000:duration=${seconds}`],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-b:a', '128k'],
    ...['-movflags', '+faststart', path],
  ])
