import { fargateEphemeralStorage } from './fargate.ts'
import type { AudioParams } from './kinds/audio.ts'
import type { StitchParams } from './kinds/stitch.ts'
import type { TranscodeParams } from './kinds/transcode.ts'
import type { Problem } from './problems.ts'
import type { Settings } from './spec.ts'

/**
 * How large a task has to be for an input of so many bytes: one rule per kind. Everything here is known before anything is
 * read, so it is a bound; a task whose disk is too small all the same says DISK_FULL and gets more (`nextLargerStorage`).
 */

const gibibyte = 1024 ** 3
/** What image, runtime and small files take of the disk of a task. */
const ownGiB = 4

/**
 * The largest object that our workers read whole. It is what leaves a quarter of the largest disk to image and outputs;
 * the worker refuses the same (`worker/media/limits.ts`), after a launch that somebody would have paid for.
 */
export const mediaBytesMax = 150 * gibibyte

/** What is known of the work at acceptance. `params` are those that the kind has parsed. */
export type Asked = { bytes: number | undefined; params: Readonly<Record<string, unknown>> }

type Rule = {
  /** A larger input is refused. */
  mostBytes: number
  /** What lies on the disk for certain: with less than this, it cannot end well. */
  leastBytes: (bytes: number) => number
  /** What is asked for, up to the largest disk there is. */
  likelyBytes: (asked: Asked) => number
  /** Sizes of the task from so many bytes on, smallest first; below the first one the kind's own applies. */
  tiers?: readonly Tier[]
}

type Tier = { fromBytes: number } & Pick<Settings['resources'], 'cpu' | 'memory'>

/** So large is 4K, or a codec for editing: both take more memory and more to decode, all of it or a part. */
const pictureTiers: readonly Tier[] = [{ fromBytes: 8 * gibibyte, cpu: 4096, memory: 8192 }]

/** Read piece by piece: what is made of it is small, and bounded by other limits. */
const ranged: Rule = { mostBytes: mediaBytesMax, leastBytes: () => 0, likelyBytes: () => 0 }

const rules: Readonly<Record<string, Rule>> = {
  transcode: {
    mostBytes: mediaBytesMax,
    leastBytes: (bytes) => bytes,
    likelyBytes: transcodeBytes,
    tiers: pictureTiers,
  },
  stitch: { ...ranged, likelyBytes: stitchBytes },
  audio: { ...ranged, likelyBytes: audioBytes },
  'encode-shard': { ...ranged, tiers: pictureTiers },
  'encode-sound': ranged,
  'extract-audio': ranged,
  'find-scenes': ranged,
  // Nothing runs for these but their steps; what no step can take is refused before the first of them.
  subtitles: ranged,
  analyze: ranged,
}

/**
 * The source lies there from beginning to end, and beside it until they go up the renditions, and their MP4 files. Nobody can
 * compare their rates with that of the source before it is opened: a ladder that is never larger than what it is made of is
 * the first bound, and what its rates can make of an input that is not cut into shards the second. Of a source with a very
 * low rate that is cut into none they can be more; then the disk is found too small, and the next attempt has a larger one.
 */
function transcodeBytes({ bytes = 0, params }: Asked): number {
  const { renditions = [], mp4 = 'none', shardThreshold = 0 } = params as Partial<TranscodeParams>
  const copies = mp4 === 'none' || mp4.length === 0 ? 1 : 2
  const kbps = renditions.reduce((sum, { maxBitrateKbps }) => sum + maxBitrateKbps, 0)
  const ratedBytes = (kbps * 1000 * Math.min(shardThreshold, wholeAtMostS) * 1.2) / 8
  return bytes + copies * Math.max(bytes, ratedBytes)
}

/** How long an input may be by default that one task transcodes. */
const wholeAtMostS = 600

/** The pieces, and what they are joined to; how large they are is known. The worker asks for no more (`worker/kinds/stitch.ts`). */
function stitchBytes({ params }: Asked): number {
  const { shards = [], sound = null } = params as Partial<StitchParams>
  return 3 * shards.reduce((sum, { bytes }) => sum + bytes, sound?.bytes ?? 0)
}

/**
 * What sound of at most 128 kbit/s grows to, and at most what a day of it takes: of stereo with 48,000 samples a second, or at
 * the highest bit rate. Of a film, whose sound is a small part of it, the day is the bound.
 */
function audioBytes({ bytes = 0, params }: Asked): number {
  const { formats = [] } = params as Partial<AudioParams>
  return formats.reduce((sum, format) => {
    const { growth, bytesPerSecond } = audioGrowth[format]
    return sum + Math.min(bytes * growth, 24 * 3600 * bytesPerSecond)
  }, 0)
}
const lossy = { growth: 3, bytesPerSecond: 40_000 }
const audioGrowth: Readonly<
  Record<AudioParams['formats'][number], { growth: number; bytesPerSecond: number }>
> = {
  wav: { growth: 12, bytesPerSecond: 192_000 },
  flac: { growth: 8, bytesPerSecond: 192_000 },
  ...{ mp3: lossy, aac: lossy, opus: lossy },
}

/** Whether the size of the task comes from that of its input. */
export const isSizedByInput = (kind: string): boolean => Object.hasOwn(rules, kind)

const ruleOf = (kind: string): Rule | undefined => (Object.hasOwn(rules, kind) ? rules[kind] : undefined)

/** What the kind's own size becomes for an input of so many bytes; empty: it is enough. */
export type SizedFor = Partial<Pick<Settings['resources'], 'cpu' | 'memory' | 'ephemeralStorage'>>

/** Pure. */
export function sizeFor(kind: string, asked: Asked): SizedFor {
  const rule = ruleOf(kind)
  if (rule === undefined) return {}
  const tier = rule.tiers?.findLast(({ fromBytes }) => (asked.bytes ?? 0) >= fromBytes)
  const disk = Math.min(diskGiB(rule.likelyBytes(asked)), fargateEphemeralStorage.maxGiB)
  return {
    ...(tier === undefined ? {} : { cpu: tier.cpu, memory: tier.memory }),
    ...(disk <= fargateEphemeralStorage.defaultGiB ? {} : { ephemeralStorage: disk }),
  }
}

const diskGiB = (bytes: number): number => Math.ceil(bytes / gibibyte) + ownGiB

/** Why no task can carry out this kind on an input of so many bytes; undefined: one can. */
export function tooLargeFor(kind: string, bytes: number | undefined): Problem | undefined {
  const rule = ruleOf(kind)
  if (rule === undefined || bytes === undefined || bytes <= rule.mostBytes) return undefined
  return {
    field: 'spec.input',
    value: inGiB(bytes),
    rule: `kind ${kind} takes at most ${inGiB(rule.mostBytes)}, because a Fargate task has at most ${fargateEphemeralStorage.maxGiB} GiB of disk, outputs included; cut it into parts, or compress it first`,
  }
}

/** Why a disk that somebody asked for cannot be enough; undefined: it may be. */
export function tooSmallDiskFor(
  kind: string,
  bytes: number | undefined,
  storageGiB: number | undefined,
): Problem | undefined {
  const rule = ruleOf(kind)
  if (rule === undefined || bytes === undefined || storageGiB === undefined) return undefined
  const least = diskGiB(rule.leastBytes(bytes))
  if (storageGiB >= least) return undefined
  return {
    field: 'spec.resources.ephemeralStorage',
    value: String(storageGiB),
    rule: `the input has ${inGiB(bytes)}, which kind ${kind} keeps on the disk; ask for ${least} or more, or leave it out`,
  }
}

const inGiB = (bytes: number): string => `${Number((bytes / gibibyte).toFixed(1))} GiB`

/** What a worker says whose disk is too small; `storageAskedFor` reads it. */
export const askForStorage = (storageGiB: number): string =>
  `Set resources.ephemeralStorage to ${storageGiB} or more`

/** The disk that a worker has asked for in its report, where it has. */
export function storageAskedFor(message: string): number | undefined {
  const [, gib] = /Set resources\.ephemeralStorage to (\d{1,4}) or more/.exec(message) ?? []
  return gib === undefined ? undefined : Number(gib)
}

/**
 * The next disk for a task whose disk was too small: twice as large, or what its worker has asked for, up to the largest there
 * is.
 */
export const nextLargerStorage = (storageGiB: number, askedGiB = 0): number =>
  Math.min(Math.max(2 * storageGiB, askedGiB), fargateEphemeralStorage.maxGiB)
