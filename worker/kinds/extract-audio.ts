import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type ExtractAudioResult, extractAudioParamsSchema } from '../../schemas/kinds/extract-audio.ts'
import type { Warning } from '../../schemas/object-address.ts'
import { heardOf, trackWarnings } from '../audio/plan.ts'
import { WorkerError } from '../errors.ts'
import { freeBytesAt, requireDisk } from '../media/disk.ts'
import { inputLimits, stallMs } from '../media/limits.ts'
import { type Probe, probe } from '../media/probe.ts'
import { runFfmpeg } from '../media/run.ts'
import {
  planSpeech,
  type SpeechPlan,
  speechArguments,
  speechBytes,
  speechCpuLimitS,
  transcribeLimits,
} from '../media/speech-plan.ts'
import { judgeDuration } from '../media/verify.ts'
import type { KindHandler, Work } from './handler.ts'
import { type OpenedMedia, parseParams, stageTeller, withMedia } from './parts.ts'

/** The audio of an upload in a form that Amazon Transcribe takes: the upload itself, where that will do. */
export const extractAudio: KindHandler = async (work) => {
  const params = parseParams(extractAudioParamsSchema, work.settings.params)
  const result = await withMedia<ExtractAudioResult>(work, async (media) => {
    const { probed, served } = media
    const plan = planSpeech({ ...probed, head: served.head })
    const durationS = heardOf(probed)?.endS ?? probed.durationS ?? 0
    work.log.info({ plan, durationS, container: probed.container }, 'audio planned')
    if (plan.way === 'none') {
      if (params.withoutAudio === 'succeed') return { ...nothing, durationS: probed.durationS ?? 0 }
      throw new WorkerError('NO_AUDIO_STREAM', whatIsInIt(probed))
    }
    if (plan.way === 'as-is') return asIs(work, plan, probed)
    return inFile(work, plan, media, durationS, params.temporaryPrefix)
  })
  // Nothing here is an output: the input is the user's, and the copy is removed after it was read.
  return { files: [], result }
}

const nothing = {
  media: null,
  way: 'none' as const,
  isTemporary: false,
  channels: 0,
  sampleRateHz: 0,
  warnings: [],
} satisfies Partial<ExtractAudioResult>

const whatIsInIt = ({ streams }: Probe): string => {
  const types = [...new Set(streams.map(({ type }) => type))]
  return types.length === 0 ? 'it has no streams at all' : `it has only ${types.join(', ')}`
}

const asIs = (
  { settings: { input } }: Work,
  { format }: Extract<SpeechPlan, { way: 'as-is' }>,
  { audio, durationS }: Probe,
): ExtractAudioResult => {
  if (input?.bucket === undefined || input.key === undefined)
    throw new WorkerError('RECORD_INVALID', 'settings.input must have bucket and key for this kind')
  return {
    media: { bucket: input.bucket, key: input.key, format },
    way: 'as-is',
    isTemporary: false,
    durationS: audio?.endS ?? durationS ?? 0,
    channels: audio?.channels ?? 0,
    sampleRateHz: audio?.sampleRateHz ?? 0,
    warnings: [],
  }
}

const inFile = async (
  work: Work,
  plan: Extract<SpeechPlan, { way: 'copied' | 'converted' }>,
  { served, probed, tools }: OpenedMedia,
  durationS: number,
  prefix: string,
): Promise<ExtractAudioResult> => {
  const { scratch, signal, nowMs, storage, environment } = work
  requireDisk(speechBytes(plan, durationS), await freeBytesAt(scratch), 0)
  const name = `audio.${plan.format}`
  const output = join(scratch, name)
  const { damage } = await runFfmpeg(speechArguments(plan, { input: served, output, durationS }), {
    tools,
    durationS,
    cpuLimitS: speechCpuLimitS(durationS),
    // It may have to wait for S3, which is asked again for a minute.
    stallMs: stallMs * 2,
    signal,
    nowMs,
    onProgress: stageTeller(work, 'extract', 90),
  })
  const failure = served.failure()
  if (failure !== undefined) throw failure
  const made = await verify(output, { tools, signal })
  work.tell({ stage: 'upload', percent: 90 })
  await storage.upload(output, `${prefix}${name}`, 'audio', signal)
  return {
    media: { bucket: environment.OUTPUTS_BUCKET, key: `${prefix}${name}`, format: plan.format },
    way: plan.way,
    isTemporary: true,
    durationS: made.durationS,
    channels: made.channels,
    sampleRateHz: made.sampleRateHz,
    warnings: warningsFor(probed, durationS, made.durationS, damage),
  }
}

/** Exit code 0 is no proof. @throws WorkerError OUTPUT_INVALID */
const verify = async (
  path: string,
  { tools, signal }: Pick<OpenedMedia, 'tools'> & { signal: AbortSignal },
) => {
  const bytes = await stat(path).then(
    ({ size }) => size,
    () => 0,
  )
  if (bytes === 0) throw new WorkerError('INPUT_UNREADABLE', 'its audio ends before it begins')
  if (bytes > transcribeLimits.bytes)
    throw new WorkerError(
      'OUTPUT_INVALID',
      `the audio has ${bytes} bytes, Transcribe takes ${transcribeLimits.bytes}`,
    )
  const { audio, durationS } = await probe(path, { tools, limits: inputLimits, signal })
  if (audio === undefined || durationS === undefined)
    throw new WorkerError('OUTPUT_INVALID', 'the audio cannot be read back')
  if (durationS > transcribeLimits.durationS)
    throw new WorkerError(
      'INPUT_TOO_LARGE',
      `more than ${transcribeLimits.durationS} seconds of audio. Cut it into parts`,
    )
  return { durationS, channels: audio.channels, sampleRateHz: audio.sampleRateHz }
}

const warningsFor = (probed: Probe, promisedS: number, madeS: number, damage: number): Warning[] => [
  ...trackWarnings(probed),
  ...(judgeDuration(madeS, promisedS) === 'fits'
    ? []
    : [
        {
          code: 'INPUT_TRUNCATED',
          message: `The input promises ${promisedS.toFixed(1)} s of audio, and ${madeS.toFixed(1)} s could be read.`,
        },
      ]),
  ...(damage === 0
    ? []
    : [{ code: 'DAMAGED_FRAMES', message: 'Parts of the input are damaged and may have been left out.' }]),
]
