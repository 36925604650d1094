import { join } from 'node:path'
import { findProgram } from './command.ts'
import { runFfmpeg, succeed } from './demo-video.ts'
import type { Stage } from './demos/demo.ts'

/** What is said in the demonstration, by two voices in turn. */
const lines = [
  ['en-us', 'Welcome to the weekly meeting. Today we look at the video pipeline and at what it costs.'],
  ['en-gb', 'The pipeline turns every upload into subtitles. It also writes a summary of each recording.'],
  ['en-us', 'Last week two jobs were lost when a machine was taken away. The controller started them again.'],
  ['en-gb', 'So nobody had to do anything by hand. The summary of that week is in the bucket for outputs.'],
  ['en-us', 'Next week we look at the costs again. Thank you, and see you on Monday.'],
] as const

const pictures = ['testsrc2', 'smptehdbars', 'mandelbrot'] as const

/**
 * A short talk: three scenes, and speech where espeak-ng is installed, else sounds with pauses as speech has them.
 * @returns who speaks, in a few words
 */
export async function makeTalk(ffmpeg: string, path: string, scratch: string): Promise<string> {
  const speaker = findProgram('espeak-ng')
  const sound =
    speaker === undefined ? await makeSounds(ffmpeg, scratch) : await speak(speaker, ffmpeg, scratch)
  const sceneS = 10
  const inputs = pictures.flatMap((name) => [
    '-f',
    'lavfi',
    '-t',
    String(sceneS),
    '-i',
    `${name}=size=640x360:rate=25`,
  ])
  const joined = pictures.map((_, index) => `[${index}:v]setsar=1,format=yuv420p[v${index}]`).join(';')
  const concat = `${pictures.map((_, index) => `[v${index}]`).join('')}concat=n=${pictures.length}:v=1:a=0[v]`
  await runFfmpeg(ffmpeg, [
    ...inputs,
    ...['-i', sound, '-filter_complex', `${joined};${concat}`, '-map', '[v]', '-map', `${pictures.length}:a`],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac', '-b:a', '96k', '-shortest'],
    ...['-movflags', '+faststart', path],
  ])
  return speaker === undefined
    ? 'sounds with pauses, since espeak-ng is not installed'
    : 'two voices of espeak-ng'
}

async function speak(program: string, ffmpeg: string, scratch: string): Promise<string> {
  const parts = lines.map((_, index) => join(scratch, `line-${index}.wav`))
  for (const [index, [voice, text]] of lines.entries())
    await succeed(program, ['-v', voice, '-s', '150', '-w', parts[index] ?? '', text])
  const out = join(scratch, 'talk.wav')
  const padded = parts.map((_, index) => `[${index}:a]apad=pad_dur=0.7[a${index}]`).join(';')
  const concat = `${parts.map((_, index) => `[a${index}]`).join('')}concat=n=${parts.length}:v=0:a=1[a]`
  await runFfmpeg(ffmpeg, [
    ...parts.flatMap((part) => ['-i', part]),
    ...['-filter_complex', `${padded};${concat}`, '-map', '[a]', '-ar', '48000', out],
  ])
  return out
}

/** Bursts of a tone, two seconds on and one off: what a detector of voices takes for somebody who speaks. */
async function makeSounds(ffmpeg: string, scratch: string): Promise<string> {
  const out = join(scratch, 'talk.wav')
  const burst = 'aevalsrc=0.4*sin(2*PI*220*t)*lt(mod(t\\,3)\\,2):s=48000:d=30'
  await runFfmpeg(ffmpeg, ['-f', 'lavfi', '-i', burst, out])
  return out
}

/** A talk becomes a job, of what was named on the command line or of what is made here. @returns the id of the job */
export async function uploadTalk(
  { file, scratch, tools, say, upload }: Stage,
  kind: string,
): Promise<string> {
  if (file !== undefined) return upload(file, kind)
  const path = join(scratch, 'demo.mp4')
  const speakers = await makeTalk(tools.ffmpeg.path, path, scratch)
  say(`made a 30 s talk: ${speakers}`)
  return upload(path, kind)
}
