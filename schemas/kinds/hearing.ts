import { z } from 'zod'
import type { ObjectAddress } from '../object-address.ts'
import type { ChildWish, Step, StepInput } from '../pipeline.ts'
import { workPrefix } from '../resources.ts'
import type { Settings } from '../spec.ts'
import { containerParamsSchema } from './container.ts'
import { extractAudioResultSchema } from './extract-audio.ts'
import { hearingParams, transcriptKey } from './transcription.ts'

/** Parameters of every kind that wants to know what is said. */
export const transcriptParams = {
  ...hearingParams,
  engine: z
    .enum(['transcribe', 'container'])
    .default('transcribe')
    .describe('Who listens: Amazon Transcribe, or a container of yours.'),
  transcriber: containerParamsSchema
    .optional()
    .describe(
      'Of engine container: what to run. It finds MEDIA_BUCKET, MEDIA_KEY, MEDIA_FORMAT and LANGUAGE in its environment, and writes JSON as Amazon Transcribe does to TRANSCRIPT_BUCKET and TRANSCRIPT_KEY.',
    ),
}

export const needsTranscriber = (params: { engine: string; transcriber?: unknown }): boolean =>
  (params.engine === 'container') === (params.transcriber !== undefined)
export const transcriberRule = {
  error: 'must have transcriber if engine is container, and only then',
  path: ['transcriber'],
}

const paramsSchema = z.object(transcriptParams)

/** Where a step puts what only later steps want. */
export const stepPrefix = (settings: Settings, step: string): string => `${settings.output}steps/${step}/`

type Life = Pick<StepInput, 'jobId' | 'uid' | 'generation'>

/** Of one generation: what is deleted late at the end of one must not be what the next one has made. */
const temporaryPrefix = ({ jobId, uid, generation }: Life): string =>
  `${workPrefix}${jobId}/${uid}/${generation}/`

/** Audio that was made for the transcript; which of these it became is known to nobody who was stopped half-way. */
export const temporaryAudio = (of: Life): string[] =>
  ['m4a', 'mp3', 'ogg', 'flac', 'webm', 'mp4', 'wav'].map((suffix) => `${temporaryPrefix(of)}audio.${suffix}`)

/** @param withoutAudio what becomes of an input that has none */
export const audioChild = (of: StepInput, withoutAudio: 'fail' | 'succeed'): ChildWish => ({
  kind: 'extract-audio',
  ...(of.settings.input ? { input: of.settings.input } : {}),
  output: stepPrefix(of.settings, 'audio'),
  params: { temporaryPrefix: temporaryPrefix(of), withoutAudio },
})

/** Whether a child of step `audio` made audio that is deleted at the end. */
export const isTemporaryAudio = (result: Record<string, unknown>): boolean =>
  extractAudioResultSchema.safeParse(result).data?.isTemporary === true

/** The audio that the first child of step `audio` found. @throws when it returned something else */
const audioOf = ({ results }: StepInput) => extractAudioResultSchema.parse(results.audio?.[0])

/** One child that listens; none where there is nothing to hear. */
export const transcriptStep: Step = {
  name: 'transcript',
  children(of) {
    const { media, durationS } = audioOf(of)
    if (media === null) return []
    const { language, maxSpeakers, engine, transcriber } = paramsSchema.parse(of.settings.params)
    const output = stepPrefix(of.settings, 'transcript')
    if (engine === 'transcribe')
      return [
        {
          kind: 'transcription',
          output,
          params: { media, durationS, language, ...(maxSpeakers === undefined ? {} : { maxSpeakers }) },
        },
      ]
    const environment = {
      ...transcriber?.environment,
      MEDIA_BUCKET: media.bucket,
      MEDIA_KEY: media.key,
      MEDIA_FORMAT: media.format,
      LANGUAGE: language,
      TRANSCRIPT_BUCKET: of.outputsBucket,
      TRANSCRIPT_KEY: transcriptKey(output),
    }
    return [{ kind: 'container', output, params: { ...transcriber, environment } }]
  },
}

/** Where the transcript is; undefined: there was nothing to hear. */
export const transcriptOf = (of: StepInput): ObjectAddress | undefined =>
  audioOf(of).media === null
    ? undefined
    : { bucket: of.outputsBucket, key: transcriptKey(stepPrefix(of.settings, 'transcript')) }

/** `talk.one` of `a/b/talk.one.MP4`; whatever follows the last dot is a suffix, unless it begins with it. */
export function baseName(key: string): string {
  const name = key.split('/').at(-1) ?? ''
  const stem = name.replace(/(?<!^)\.[\p{L}\p{N}]{1,8}$/u, '')
  const safe = stem.replace(/\p{Cc}/gu, '_').slice(0, 200)
  // Cut in the middle of a pair, the rest is no character, and no key may have it.
  return /^\.{0,2}$/.test(safe) ? 'input' : safe.replace(/\p{Cs}$/u, '')
}

/** Suffixes of what has something to hear, or to see. */
export const mediaSuffixes = [
  '.mp4',
  '.mov',
  '.m4v',
  '.mkv',
  '.webm',
  '.mp3',
  '.m4a',
  '.wav',
  '.flac',
  '.ogg',
  '.aac',
] as const
