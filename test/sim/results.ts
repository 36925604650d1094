import { isKindName, kinds } from '../../schemas/kinds/index.ts'
import type { Random } from '../support/random.ts'

// What workers of the steps of pipelines return, and what they leave behind on the way.

/** What a worker has of its record, once it has claimed. */
export type Assigned = {
  kind?: unknown
  settings?: { input?: { bucket?: string; key?: string }; output?: string; params?: unknown }
}

export type Work = {
  /** What is reported with `done`, and fits the schema of the kind. */
  result: Record<string, unknown>
  /** A key in the outputs bucket that the worker writes as soon as it has begun: whoever asked for it removes it. */
  temporaryKey: string | undefined
}

/** Undefined for kinds that are no step: they return nothing here. */
export function workOf(
  { kind, settings }: Assigned,
  outputsBucket: string,
  random: Random,
): Work | undefined {
  const work = drawWork(String(kind), settings, outputsBucket, random)
  if (work === undefined || !isKindName(String(kind))) return undefined
  kinds[String(kind) as keyof typeof kinds].result?.parse(work.result)
  return work
}

function drawWork(
  kind: string,
  settings: Assigned['settings'],
  outputsBucket: string,
  random: Random,
): Work | undefined {
  const output = settings?.output ?? ''
  const manifest = `${output}manifest.json`
  const plain = (result: Record<string, unknown>): Work => ({ result, temporaryKey: undefined })
  switch (kind) {
    case 'extract-audio':
      return audioWork(settings, outputsBucket, random)
    case 'publish-subtitles':
      return plain({ manifest, srt: `${output}a.srt`, language: null, cues: 1, words: 3, speakers: 0 })
    case 'find-scenes':
      return plain({
        manifest,
        scenes: { bucket: outputsBucket, key: `${output}scenes.json` },
        count: 1,
        durationS: 9,
      })
    case 'summarize': {
      const counts = { durationS: 9, language: null, speakers: 0, words: 3, scenes: 1, chapters: 1 }
      return plain({ manifest, summary: `${output}summary.json`, page: `${output}summary.md`, ...counts })
    }
    default:
      return undefined
  }
}

/** Half of the inputs are heard as they are, of the others the audio is made; a few of those that may have none have none. */
function audioWork(settings: Assigned['settings'], outputsBucket: string, random: Random): Work {
  const { temporaryPrefix = '', withoutAudio } = (settings?.params ?? {}) as {
    temporaryPrefix?: string
    withoutAudio?: string
  }
  const of = (media: object | null, way: string, temporaryKey?: string): Work => ({
    result: {
      media,
      way,
      isTemporary: temporaryKey !== undefined,
      durationS: 9,
      channels: media === null ? 0 : 1,
      sampleRateHz: media === null ? 0 : 16_000,
      warnings: [],
    },
    temporaryKey,
  })
  if (withoutAudio === 'succeed' && random.once(4)) return of(null, 'none')
  const { bucket = '', key = '' } = settings?.input ?? {}
  if (random.once(2)) return of({ bucket, key, format: 'mp4' }, 'as-is')
  const temporaryKey = `${temporaryPrefix}audio.flac`
  return of({ bucket: outputsBucket, key: temporaryKey, format: 'flac' }, 'converted', temporaryKey)
}
