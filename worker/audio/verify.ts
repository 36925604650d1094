import { stat } from 'node:fs/promises'
import { z } from 'zod'
import { WorkerError } from '../errors.ts'
import { inputGuard, inputLimits } from '../media/limits.ts'
import { askOwn, eachPacket, type VerifyOptions } from '../media/own-probe.ts'
import { judgeDuration } from '../media/verify.ts'
import type { Shape } from './formats.ts'

export type MadeAudio = {
  codec: string
  channels: number
  sampleRateHz: number
  durationS: number
  packets: number
  bytes: number
}

/** What an output has to be. */
export type Expected = { codecs: readonly string[]; shape: Shape; durationS: number }

/**
 * What is in a file that we made, because exit code 0 is no proof.
 * @throws WorkerError OUTPUT_INVALID, STALLED
 */
export const lookAtAudio = async (path: string, options: VerifyOptions): Promise<MadeAudio> => {
  const bytes = await stat(path).then(
    ({ size }) => size,
    () => 0,
  )
  if (bytes === 0) throw invalid(`${nameOf(path)} is empty`)
  const { said, complaint } = await askOwn(madeArguments(path), madeSchema, options)
  if (said === undefined) throw invalid(`${nameOf(path)} cannot be read back: ${complaint}`)
  return { ...said, bytes }
}

/** Arguments of ffprobe. Pure. */
export const madeArguments = (path: string): string[] => [
  ...['-v', 'error', ...inputGuard(inputLimits.pixels)],
  ...['-count_packets', '-show_entries', `${eachPacket}:${madeEntries}`],
  ...['-of', 'json', `file:${path}`],
]

const madeEntries = 'stream=codec_name,channels,sample_rate,nb_read_packets:format=duration'

/** What ffprobe says of it, read: one stream, and how long it is. */
export const madeSchema = z
  .object({
    streams: z.tuple([
      z.object({
        codec_name: z.string(),
        channels: z.number(),
        sample_rate: z.coerce.number(),
        nb_read_packets: z.coerce.number(),
      }),
    ]),
    format: z.object({ duration: z.coerce.number() }),
  })
  .transform(
    ({ streams: [stream], format }): Omit<MadeAudio, 'bytes'> => ({
      codec: stream.codec_name,
      channels: stream.channels,
      sampleRateHz: stream.sample_rate,
      packets: stream.nb_read_packets,
      durationS: format.duration,
    }),
  )

/** What is wrong with an output; undefined: nothing. Pure. */
export const problemOf = (made: MadeAudio, { codecs, shape, durationS }: Expected): string | undefined => {
  if (!codecs.includes(made.codec)) return `it is ${made.codec}, not ${codecs.join(' or ')}`
  if (made.channels !== shape.channels) return `it has ${made.channels} channels, not ${shape.channels}`
  if (made.sampleRateHz !== shape.sampleRateHz)
    return `it has ${made.sampleRateHz} samples per second, not ${shape.sampleRateHz}`
  if (!(made.packets > 0)) return 'it has no packets'
  return judgeDuration(made.durationS, durationS) === 'fits'
    ? undefined
    : `it lasts ${made.durationS.toFixed(2)} s, not ${durationS.toFixed(2)} s`
}

/** @throws WorkerError OUTPUT_INVALID, naming the file and what is wrong with it */
export const requireMade = (path: string, made: MadeAudio, expected: Expected): void => {
  const problem = problemOf(made, expected)
  if (problem !== undefined) throw invalid(`${nameOf(path)}: ${problem}`)
}

const nameOf = (path: string): string => path.split('/').at(-1) ?? path

const invalid = (detail: string): WorkerError => new WorkerError('OUTPUT_INVALID', detail)
