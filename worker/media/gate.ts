import { open } from 'node:fs/promises'
import { WorkerError } from '../errors.ts'
import type { Rung } from './ladder.ts'
import type { InputLimits } from './limits.ts'
import { type Probe, type ProbeOptions, probe, quotient, type VideoStream } from './probe.ts'
import { recognise, recognisedBytes } from './recognise.ts'

/** An input that may be worked on: it has a picture and a duration, and is within the limits. Its `audio` is the first that can be heard. */
export type Source = Probe & { video: VideoStream; durationS: number }

/**
 * Everything that is looked at before ffmpeg may decode a file.
 * @param path absolute; a name of our own, never one that a user chose
 * @throws WorkerError with exit code 65 and the reason
 */
export const admitInput = async (path: string, options: ProbeOptions): Promise<Source> => {
  const { head, bytes } = await readHead(path)
  if (bytes === 0) throw new WorkerError('INPUT_EMPTY')
  const recognised = recognise(head)
  if (recognised.is === 'refused') throw new WorkerError('INPUT_FORMAT_REFUSED', `it is ${recognised.what}`)
  if (recognised.is === 'unreadable') throw new WorkerError('INPUT_UNREADABLE', recognised.what)
  return requireSource({ ...(await probe(path, options)), bytes }, options.limits)
}

const readHead = async (path: string): Promise<{ head: Buffer; bytes: number }> => {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(recognisedBytes), 0, recognisedBytes, 0)
    return { head: buffer.subarray(0, bytesRead), bytes: (await file.stat()).size }
  } finally {
    await file.close()
  }
}

/** Pure part: what was probed, if it is a picture within the limits. */
export const requireSource = (found: Probe, limits: InputLimits): Source => {
  const { video, durationS, streams } = found
  if (streams.length > limits.streams) throw tooLarge('streams', streams.length, limits.streams)
  if (video === undefined) throw new WorkerError('NO_VIDEO_STREAM', withoutVideo(streams))
  if (video.codec === 'unknown' || video.codedWidth === 0 || video.codedHeight === 0)
    throw new WorkerError('INPUT_UNREADABLE', 'its video is of a format that ffmpeg does not know')
  const pixels = Math.max(video.codedWidth * video.codedHeight, video.width * video.height)
  if (pixels > limits.pixels)
    throw tooLarge('pixels per picture', `${pixels} (${video.width} x ${video.height})`, limits.pixels)
  const framesPerSecond = quotient(video.averageRate)
  if (framesPerSecond > limits.framesPerSecond)
    throw tooLarge('frames per second', Math.round(framesPerSecond), limits.framesPerSecond)
  if (durationS === undefined || durationS === 0)
    throw new WorkerError('INPUT_UNREADABLE', 'it says nothing about its duration and has no time stamps')
  if (durationS > limits.durationS) throw tooLarge('seconds', Math.round(durationS), limits.durationS)
  return { ...found, video, durationS, audio: found.audio ?? found.laterAudio }
}

/** Pixels, the longest side that H.264 encoders make. */
const longestSide = 16_384

/**
 * Pictures of an extreme shape have few pixels, and renditions that are wider or higher than any encoder makes them. Pure.
 * @throws WorkerError INPUT_TOO_LARGE
 */
export const requireSides = (rungs: readonly Rung[]): void => {
  for (const { name, width, height } of rungs)
    if (Math.max(width, height) > longestSide)
      throw tooLarge(`pixels on the longer side of ${name}`, Math.max(width, height), longestSide)
}

/** What it has instead, and who takes that. */
const withoutVideo = (streams: Probe['streams']): string => {
  const types = [...new Set(streams.map((stream) => stream.type))]
  if (types.length === 0) return 'it has no streams at all'
  const has = `it has only ${new Intl.ListFormat('en').format(types)}`
  return types.includes('audio') ? `${has}. Submit it as a job of kind audio` : has
}

const tooLarge = (what: string, value: number | string, limit: number): WorkerError =>
  new WorkerError('INPUT_TOO_LARGE', `${value} ${what}, at most ${limit} are accepted`)
