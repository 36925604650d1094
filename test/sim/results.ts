import { isKindName, kinds } from '../../schemas/kinds/index.ts'
import { transcodeSplitSchema } from '../../schemas/kinds/transcode-long.ts'
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
  { outputsBucket, maySplit }: { outputsBucket: string; maySplit: boolean },
  random: Random,
): Work | undefined {
  if (kind === 'transcode') return maySplit && random.once(3) ? splitWork(random) : undefined
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
    case 'encode-shard':
      return { result: { ...piece, frames: 90, damage: 0 }, temporaryKey: `${output}video.mp4` }
    case 'encode-sound':
      return { result: { ...piece, damage: 0 }, temporaryKey: `${output}sound.mp4` }
    case 'stitch':
      return plain({ manifest, master: `${output}master.m3u8` })
    case 'summarize': {
      const counts = { durationS: 9, language: null, speakers: 0, words: 3, scenes: 1, chapters: 1 }
      return plain({ manifest, summary: `${output}summary.json`, page: `${output}summary.md`, ...counts })
    }
    default:
      return undefined
  }
}

const piece = { bytes: 1, sha256: '0'.repeat(64) }

/** What the task of a long video returns. */
function splitWork(random: Random): Work {
  const shards = [0, 1, 2].slice(0, 2 + random.below(2)).map((index) => ({
    frame: 90 * index,
    stampS: 3 * index,
    seekS: 3 * index,
    repeats: 0,
  }))
  const split = {
    rate: { num: 30, den: 1 },
    frames: 90 * shards.length,
    shardFrames: 90,
    shards,
    sound: random.once(2),
  }
  return { result: { split: transcodeSplitSchema.parse(split) }, temporaryKey: undefined }
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
