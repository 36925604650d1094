import { spawn } from 'node:child_process'

/** A short real video: a moving test picture with a running clock, and a tone. Nothing is downloaded. */
export async function makeVideo(ffmpeg: string, path: string, seconds: number): Promise<void> {
  const args = [
    ...['-y', '-nostdin', '-v', 'error'],
    ...['-f', 'lavfi', '-i', `testsrc2=size=1280x720:rate=30:duration=${seconds}`],
    ...['-f', 'lavfi', '-i', `sine=frequency=440:beep_factor=4:sample_rate=48000:duration=${seconds}`],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-b:a', '128k'],
    ...['-movflags', '+faststart', path],
  ]
  const child = spawn(ffmpeg, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (code !== 0) throw new Error(`ffmpeg could not make the video: ${said.trim()}`)
}
