import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { z } from 'zod'
import type { ObjectAddress } from '../../schemas/object-address.ts'
import { problemsOf, summaryOf } from '../../schemas/problems.ts'
import type { Input } from '../../schemas/spec.ts'
import { WorkerError } from '../errors.ts'
import { findMediaTools, type MediaTools } from '../ffmpeg.ts'
import { inputLimits } from '../media/limits.ts'
import { type Probe, probeInput } from '../media/probe.ts'
import { remainingS } from '../media/progress.ts'
import { recognise } from '../media/recognise.ts'
import { type ServedInput, serveInput } from '../media/serve-input.ts'
import type { Work } from './handler.ts'

/** What handlers share. */

/** @throws WorkerError RECORD_INVALID, naming the parameter */
export const parseParams = <T>(schema: z.ZodType<T>, params: unknown): T => {
  const parsed = schema.safeParse(params)
  if (parsed.success) return parsed.data
  throw new WorkerError('RECORD_INVALID', summaryOf(problemsOf(parsed.error, params, ['settings', 'params'])))
}

/** A text that an earlier step has made is held in memory whole, so it may not be of any size. */
const textBytes = 100 * 1024 * 1024

/** @throws WorkerError INPUT_TOO_LARGE and those of `Storage.download` */
export const readObject = async (work: Work, { bucket, key }: ObjectAddress): Promise<string> => {
  const path = join(work.scratch, 'text')
  await work.storage.download({ bucket, key }, path, {
    signal: work.signal,
    admit: async (bytes) => {
      if (bytes > textBytes)
        throw new WorkerError(
          'INPUT_TOO_LARGE',
          `${key} has ${bytes} bytes, at most ${textBytes} are accepted`,
        )
    },
    onBytes: () => undefined,
  })
  const text = await readFile(path, 'utf8')
  await rm(path)
  return text
}

/**
 * Tells how far a stage is that ends at so many percent of the whole, and how long the whole will still take at its pace. Pure
 * but for its clock, which starts here.
 */
export const stageTeller = (
  { tell, nowMs }: Pick<Work, 'tell' | 'nowMs'>,
  stage: string,
  toPercent: number,
): ((share: number) => void) => {
  const startMs = nowMs()
  return (share) => {
    const percent = Math.round(share * toPercent)
    const etaS = remainingS((share * toPercent) / 100, nowMs() - startMs)
    tell({ stage, percent, ...(etaS === undefined ? {} : { etaS }) })
  }
}

/** ffmpeg and ffprobe, as they are found by what stands in the environment. @throws WorkerError of `findMediaTools` */
export const toolsOf = ({
  environment,
  scratch,
  signal,
}: Pick<Work, 'environment' | 'scratch' | 'signal'>): Promise<MediaTools> =>
  findMediaTools({
    ffmpegPath: environment.FFMPEG_PATH,
    ffprobePath: environment.FFPROBE_PATH,
    path: environment.PATH,
    scratch,
    signal,
  })

export type OpenedMedia = { served: ServedInput; probed: Probe; tools: MediaTools }

/**
 * The input of a job, behind the gate and ready for ffmpeg, which reads it from S3 piece by piece. It is closed when `use`
 * has ended; where S3 was the reason for a failure, that is what is thrown.
 * @param found tools that were looked for before
 */
export const withMedia = async <T>(
  work: Work,
  use: (media: OpenedMedia) => Promise<T>,
  found?: MediaTools,
): Promise<T> => {
  const { settings, signal, storage } = work
  const tools = found ?? (await toolsOf(work))
  const served = await serveInput(requireInput(settings.input), {
    storage,
    pixels: inputLimits.pixels,
    signal,
  })
  try {
    requireMedia(served)
    const probed = await probeInput(served, { tools, limits: inputLimits, signal })
    if (probed.streams.length > inputLimits.streams)
      throw new WorkerError(
        'INPUT_TOO_LARGE',
        `${probed.streams.length} streams, at most ${inputLimits.streams} are accepted`,
      )
    return await use({ served, probed: { ...probed, bytes: served.bytes }, tools })
  } catch (thrown) {
    signal.throwIfAborted()
    throw served.failure() ?? thrown
  } finally {
    await served.close()
  }
}

const requireInput = (input: Input | undefined): Input => {
  if (input === undefined) throw new WorkerError('RECORD_INVALID', 'settings.input is missing')
  return input
}

const requireMedia = ({ bytes, head }: ServedInput): void => {
  if (bytes > inputLimits.bytes)
    throw new WorkerError('INPUT_TOO_LARGE', `${bytes} bytes, at most ${inputLimits.bytes} are accepted`)
  const recognised = recognise(head)
  if (recognised.is === 'refused') throw new WorkerError('INPUT_FORMAT_REFUSED', `it is ${recognised.what}`)
  if (recognised.is === 'unreadable') throw new WorkerError('INPUT_UNREADABLE', recognised.what)
}
