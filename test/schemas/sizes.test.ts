import { describe, expect, test } from 'vitest'
import { isFargateSize } from '../../schemas/fargate.ts'
import { kindNames } from '../../schemas/kinds/index.ts'
import { transcodeParamsSchema } from '../../schemas/kinds/transcode.ts'
import { sentenceOf } from '../../schemas/problems.ts'
import {
  isSizedByInput,
  mediaBytesMax,
  nextLargerStorage,
  type SizedFor,
  sizeFor,
  storageAskedFor,
  tooLargeFor,
  tooSmallDiskFor,
} from '../../schemas/sizes.ts'
import { requireDisk } from '../../worker/media/disk.ts'
import { inputLimits } from '../../worker/media/limits.ts'

const GiB = 1024 ** 3

const transcode = transcodeParamsSchema.parse({})
const huge = transcodeParamsSchema.parse({
  renditions: [1080, 1440, 2160].map((height) => ({ height, maxBitrateKbps: 50_000 })),
})
const piece = { bytes: 5 * GiB, sha256: '' }

describe('the size of a task', () => {
  test.each<[string, number | undefined, object, SizedFor]>([
    ['transcode', undefined, transcode, {}],
    ['transcode', 0, transcode, {}],
    ['transcode', 2e6, transcode, {}],
    // Twice the source and 4 GiB of one's own: 20 GiB are enough up to here.
    ['transcode', 8 * GiB - 1, transcode, {}],
    ['transcode', 8 * GiB, transcode, { cpu: 4096, memory: 8192 }],
    ['transcode', 8 * GiB + 1, transcode, { cpu: 4096, memory: 8192, ephemeralStorage: 21 }],
    ['transcode', 60e9, transcode, { cpu: 4096, memory: 8192, ephemeralStorage: 116 }],
    ['transcode', 98 * GiB, transcode, { cpu: 4096, memory: 8192, ephemeralStorage: 200 }],
    ['transcode', 150 * GiB, transcode, { cpu: 4096, memory: 8192, ephemeralStorage: 200 }],
    // The renditions once more, as MP4.
    ['transcode', 7 * GiB, { ...transcode, mp4: 'all' }, { ephemeralStorage: 25 }],
    ['transcode', 7 * GiB, { ...transcode, mp4: [1080] }, { ephemeralStorage: 25 }],
    ['transcode', 7 * GiB, { ...transcode, mp4: [] }, {}],
    // 150 Mbit/s for 10 minutes, and a fifth more: whatever the source is, the ladder may be larger.
    ['transcode', 10e6, huge, {}],
    ['transcode', 10e6, { ...huge, mp4: 'all' }, { ephemeralStorage: 30 }],
    ['transcode', undefined, { ...huge, mp4: 'all' }, { ephemeralStorage: 30 }],
    ['transcode', 10e6, { ...huge, mp4: 'all', shardThreshold: 60 }, {}],
    ['transcode', 10e6, { ...huge, mp4: 'all', shardThreshold: 86_400 }, { ephemeralStorage: 30 }],
    ['stitch', 60e9, { shards: [piece, piece], sound: null }, { ephemeralStorage: 34 }],
    ['stitch', undefined, { shards: [piece, piece], sound: piece }, { ephemeralStorage: 49 }],
    ['stitch', 60e9, { shards: [{ ...piece, bytes: 5e6 }], sound: null }, {}],
    ['audio', 60e9, { formats: ['mp3', 'aac', 'opus'] }, {}],
    ['audio', 60e9, { formats: ['wav', 'flac'] }, { ephemeralStorage: 35 }],
    ['audio', 1e9, { formats: ['mp3'] }, {}],
    ['audio', 1e9, { formats: ['wav', 'flac'] }, { ephemeralStorage: 23 }],
    ['audio', undefined, { formats: ['wav'] }, {}],
    // What is read piece by piece needs no disk for it.
    ['extract-audio', 60e9, {}, {}],
    ['find-scenes', 60e9, {}, {}],
    // Its pictures are those of the whole, so the task that encodes some of them is as large as the one that looks at all.
    ['encode-shard', 8 * GiB - 1, {}, {}],
    ['encode-shard', 8 * GiB, {}, { cpu: 4096, memory: 8192 }],
    ['encode-shard', undefined, {}, {}],
    ['encode-sound', 60e9, {}, {}],
    ['subtitles', 60e9, {}, {}],
    ['analyze', 60e9, {}, {}],
    ['container', 60e9, {}, {}],
    ['toString', 60e9, {}, {}],
  ])('%s of %d bytes, with %j', (kind, bytes, params, want) => {
    expect(sizeFor(kind, { bytes, params: { ...params } })).toEqual(want)
  })

  test('is one that Fargate has, grows with the input, and never leaves less than the input takes', () => {
    for (const kind of kindNames.filter(isSizedByInput)) {
      let last = 0
      for (let bytes = 0; bytes <= mediaBytesMax; bytes += GiB / 2) {
        const { cpu, memory, ephemeralStorage = 20 } = sizeFor(kind, { bytes, params: {} })
        if (cpu !== undefined && memory !== undefined) expect(isFargateSize(cpu, memory)).toBe(true)
        expect(ephemeralStorage).toBeGreaterThanOrEqual(last)
        expect(ephemeralStorage).toBeLessThanOrEqual(200)
        expect(tooSmallDiskFor(kind, bytes, ephemeralStorage)).toBeUndefined()
        last = ephemeralStorage
      }
    }
  })
})

describe('what no task can take', () => {
  test.each<[string, number | undefined, boolean]>([
    ['transcode', undefined, false],
    ['transcode', mediaBytesMax, false],
    ['transcode', mediaBytesMax + 1, true],
    ['subtitles', mediaBytesMax + 1, true],
    ['analyze', mediaBytesMax + 1, true],
    ['extract-audio', mediaBytesMax + 1, true],
    ['container', mediaBytesMax + 1, false],
  ])('%s of %d bytes: %s', (kind, bytes, want) => {
    expect(tooLargeFor(kind, bytes) !== undefined).toBe(want)
  })

  test('is what the worker refuses, too', () => {
    expect(inputLimits.bytes).toBe(mediaBytesMax)
  })

  test('is said with size, limit and what to do', () => {
    const problem = tooLargeFor('transcode', 161.5 * GiB)
    expect(problem && sentenceOf(problem)).toBe(
      'spec.input: 161.5 GiB is not allowed: kind transcode takes at most 150 GiB, because a Fargate task has at most 200 GiB of disk, outputs included; cut it into parts, or compress it first',
    )
  })
})

describe('a disk that somebody asked for', () => {
  test.each<[string, string, number | undefined, number | undefined, boolean]>([
    ['none', 'transcode', 60e9, undefined, false],
    ['of an input whose size nobody knows', 'transcode', undefined, 21, false],
    ['that the input alone fills', 'transcode', 60e9, 59, true],
    ['that has room for the input', 'transcode', 60e9, 60, false],
    ['of a kind that keeps nothing on it', 'extract-audio', 60e9, 21, false],
    ['of a kind that is not sized by its input', 'container', 60e9, 21, false],
  ])('%s', (_name, kind, bytes, storageGiB, want) => {
    expect(tooSmallDiskFor(kind, bytes, storageGiB) !== undefined).toBe(want)
  })

  test('that is too small is refused with what to ask for', () => {
    const problem = tooSmallDiskFor('transcode', 60e9, 21)
    expect(problem && sentenceOf(problem)).toBe(
      'spec.resources.ephemeralStorage: 21 is not allowed: the input has 55.9 GiB, which kind transcode keeps on the disk; ask for 60 or more, or leave it out',
    )
  })
})

test.each<[number, number | undefined, number]>([
  [20, undefined, 40],
  [21, undefined, 42],
  [100, undefined, 200],
  [101, undefined, 200],
  [200, undefined, 200],
  [20, 41, 41],
  [20, 39, 40],
  [20, 500, 200],
])(
  'after a disk of %d GiB that was too small, where %s were asked for, comes one of %d',
  (had, asked, want) => {
    expect(nextLargerStorage(had, asked)).toBe(want)
  },
)

describe('the disk that a worker asks for', () => {
  const said = (thrown: () => void): string => {
    try {
      thrown()
    } catch (error) {
      return error instanceof Error ? error.message : ''
    }
    return ''
  }

  test('is read out of what it says', () => {
    const message = said(() => requireDisk(70 * GiB, 10 * GiB, 0))
    expect(message).toMatch(/^The disk of the task is too small: /)
    expect(storageAskedFor(message)).toBe(74)
  })

  test.each(['', 'The disk of the task is too small.', 'Set resources.ephemeralStorage to 99999 or more'])(
    '%j asks for none',
    (message) => {
      expect(storageAskedFor(message)).toBeUndefined()
    },
  )
})
