import { analyze } from './analyze.ts'
import { audio } from './audio.ts'
import { container } from './container.ts'
import { encodeShard } from './encode-shard.ts'
import { encodeSound } from './encode-sound.ts'
import { extractAudio } from './extract-audio.ts'
import { findScenes } from './find-scenes.ts'
import type { Kind, TaskGroup } from './kind.ts'
import { publishSubtitles } from './publish-subtitles.ts'
import { record } from './record.ts'
import { seed } from './seed.ts'
import { stitch } from './stitch.ts'
import { subtitles } from './subtitles.ts'
import { summarize } from './summarize.ts'
import { torrent } from './torrent.ts'
import { transcode } from './transcode.ts'
import { transcodeLong } from './transcode-long.ts'
import { transcription } from './transcription.ts'

export type { Kind, TaskGroup } from './kind.ts'

export const kinds = {
  transcode: { ...transcode, splits: transcodeLong },
  subtitles,
  audio,
  analyze,
  record,
  torrent,
  seed,
  container,
  // Steps of pipelines.
  'extract-audio': extractAudio,
  transcription,
  'publish-subtitles': publishSubtitles,
  'find-scenes': findScenes,
  summarize,
  'encode-shard': encodeShard,
  'encode-sound': encodeSound,
  stitch,
} as const satisfies Record<string, Kind>

export type KindName = keyof typeof kinds

export const kindNames = Object.keys(kinds) as [KindName, ...KindName[]]

/** What a user may ask for: steps of pipelines are asked for by their pipeline. */
export const userKinds: readonly KindName[] = kindNames.filter((name) => !('isStep' in kinds[name]))

/** What an upload may become. */
export const uploadKinds: readonly KindName[] = userKinds.filter((name) => kinds[name].input === 'object')

export const isUploadKind = (name: string): name is KindName => uploadKinds.some((kind) => kind === name)

export const isKindName = (name: string): name is KindName => Object.hasOwn(kinds, name)

/** Whether attempts of a kind are jobs of Amazon Transcribe. */
export const isTranscribed = (kind: string): boolean =>
  isKindName(kind) && kinds[kind].runner === 'transcribe'

/** Where the tasks of a kind run. A kind that we do not know fails at acceptance; until it does, it gets the least. */
export const groupOf = (kind: string): TaskGroup => (isKindName(kind) ? kinds[kind].group : 'media')
