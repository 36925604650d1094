import { stat } from 'node:fs/promises'
import { z } from 'zod'
import { runChild } from '../children.ts'
import { WorkerError } from '../errors.ts'
import type { MediaTools } from '../ffmpeg.ts'
import { inputGuard, inputLimits, probeTimeoutMs } from '../media/limits.ts'
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
 * @throws WorkerError OUTPUT_INVALID
 */
export const lookAtAudio = async (
  path: string,
  { tools, signal }: { tools: MediaTools; signal: AbortSignal },
): Promise<MadeAudio> => {
  const bytes = await stat(path).then(
    ({ size }) => size,
    () => 0,
  )
  if (bytes === 0) throw invalid(`${nameOf(path)} is empty`)
  let answer = ''
  const entries = 'stream=codec_name,channels,sample_rate,nb_read_packets:format=duration'
  const end = await runChild(
    tools.ffprobe.path,
    [
      ...['-v', 'error', ...inputGuard(inputLimits.pixels), '-count_packets'],
      ...['-show_entries', entries, '-of', 'json', `file:${path}`],
    ],
    {
      env: tools.env,
      signal: AbortSignal.any([signal, AbortSignal.timeout(probeTimeoutMs * 10)]),
      onStdoutLine: (line) => {
        answer += line
      },
    },
  )
  signal.throwIfAborted()
  const made = end.exitCode === 0 ? parseMade(answer) : undefined
  if (made === undefined)
    throw invalid(`${nameOf(path)} cannot be read back: ${end.stderr.trim().slice(-200)}`)
  return { ...made, bytes }
}

const madeSchema = z.object({
  streams: z
    .array(
      z.object({
        codec_name: z.string(),
        channels: z.number(),
        sample_rate: z.coerce.number(),
        nb_read_packets: z.coerce.number(),
      }),
    )
    .length(1),
  format: z.object({ duration: z.coerce.number() }),
})

/** Pure. */
export const parseMade = (json: string): Omit<MadeAudio, 'bytes'> | undefined => {
  const said = madeSchema.safeParse(parsed(json))
  const [stream] = said.data?.streams ?? []
  if (!said.success || stream === undefined) return undefined
  return {
    codec: stream.codec_name,
    channels: stream.channels,
    sampleRateHz: stream.sample_rate,
    packets: stream.nb_read_packets,
    durationS: said.data.format.duration,
  }
}

const parsed = (json: string): unknown => {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

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
