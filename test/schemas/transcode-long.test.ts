import { describe, expect, test } from 'vitest'
import { encodeShardParamsSchema } from '../../schemas/kinds/encode-shard.ts'
import { encodeSoundParamsSchema } from '../../schemas/kinds/encode-sound.ts'
import { kinds } from '../../schemas/kinds/index.ts'
import { stitchParamsSchema } from '../../schemas/kinds/stitch.ts'
import { transcodeParamsSchema } from '../../schemas/kinds/transcode.ts'
import { type TranscodeSplit, transcodeLong } from '../../schemas/kinds/transcode-long.ts'
import { specBounds } from '../../schemas/limits.ts'
import type { StepInput } from '../../schemas/pipeline.ts'
import { childrenMax } from '../../schemas/pipeline.ts'
import { settings } from '../support/job.ts'

// What a transcode job that was split is made of, without anybody who does it.

const split = (count = 3, more: Partial<TranscodeSplit> = {}): TranscodeSplit => ({
  rate: { num: 30_000, den: 1001 },
  frames: count * 8970 - 10,
  shardFrames: 8970,
  sound: true,
  shards: Array.from({ length: count }, (_, index) => ({
    frame: index * 8970,
    stampS: 100_000.123456 + index * 299.299,
    seekS: index === 0 ? 0 : index * 299.299,
    repeats: 0,
  })),
  ...more,
})

const input = { bucket: 'uploads', key: 'a.mp4', etag: 'x' }

const stepInput = (of: TranscodeSplit, more: Partial<StepInput> = {}): StepInput => ({
  jobId: 'film',
  uid: 'abcdefghij0123456789',
  generation: 2,
  settings: settings({ input, output: 'results/film/', params: transcodeParamsSchema.parse({}) }),
  outputsBucket: 'outputs',
  split: of,
  results: {},
  ...more,
})

const [encode, stitch] = transcodeLong.steps
const shardResult = { bytes: 123_456_789, sha256: 'a'.repeat(64), frames: 8970, damage: 1 }
const soundResult = { bytes: 1_234_567, sha256: 'b'.repeat(64), damage: 2 }
const encoded = (count: number, sound = true) => ({
  encode: [...Array.from({ length: count }, () => shardResult), ...(sound ? [soundResult] : [])],
})

test('a transcode job may go on as these steps', () => {
  expect(kinds.transcode.splits).toBe(transcodeLong)
  expect(transcodeLong.steps.map(({ name }) => name)).toEqual(['encode', 'stitch'])
})

describe('encode', () => {
  test('a child for each shard and one for the sound, which all read the input of the job', () => {
    const children = encode.children(stepInput(split()))
    expect(children.map(({ kind, output }) => [kind, output])).toEqual([
      ['encode-shard', 'work/film/abcdefghij0123456789/2/shard-000/'],
      ['encode-shard', 'work/film/abcdefghij0123456789/2/shard-001/'],
      ['encode-shard', 'work/film/abcdefghij0123456789/2/shard-002/'],
      ['encode-sound', 'work/film/abcdefghij0123456789/2/sound/'],
    ])
    expect(children.every((child) => child.input === input)).toBe(true)
    const shards = children.slice(0, 3).map(({ params }) => encodeShardParamsSchema.parse(params))
    expect(shards.map(({ start, frames, isLast }) => [start.frame, frames, isLast])).toEqual([
      [0, 8970, false],
      [8970, 8970, false],
      [17_940, 8960, true],
    ])
    expect(encodeSoundParamsSchema.safeParse(children[3]?.params).success).toBe(true)
  })

  test('without sound there is no child for it', () => {
    expect(encode.children(stepInput(split(2, { sound: false })))).toHaveLength(2)
  })

  test('what it returns is temporary: a retry makes it again', () => {
    expect(encode.isTemporary?.(shardResult)).toBe(true)
  })

  test.each([undefined, {}, { ...split(), shards: [] }])(
    'a split that nobody can read gives no children',
    (of) => {
      expect(() => encode.children({ ...stepInput(split()), split: of })).toThrow(/./)
    },
  )
})

describe('stitch', () => {
  test('one child with the outputs of the job, which is told what every piece is', () => {
    const children = stitch?.children(stepInput(split(), { results: encoded(3) })) ?? []
    expect(children).toMatchObject([{ kind: 'stitch', input, output: 'results/film/' }])
    expect(stitchParamsSchema.parse(children[0]?.params)).toMatchObject({
      temporaryPrefix: 'work/film/abcdefghij0123456789/2/',
      frames: 26_900,
      shardFrames: 8970,
      damage: 5,
      shards: [shardResult, shardResult, shardResult].map(({ bytes, sha256 }) => ({ bytes, sha256 })),
      sound: { bytes: soundResult.bytes, sha256: soundResult.sha256 },
    })
  })

  test.each([
    ['a shard that returned nothing', { encode: [shardResult, undefined, shardResult, soundResult] }],
    ['sound that returned nothing', { encode: [shardResult, shardResult, shardResult] }],
    ['nothing at all', {}],
  ])('is impossible with %s', (_, results) => {
    expect(() => stitch?.children(stepInput(split(), { results }))).toThrow(/./)
  })

  test('its result is that of the job', () => {
    expect(transcodeLong.result(stepInput(split(), { results: { stitch: [{ files: 7 }] } }))).toEqual({
      files: 7,
    })
  })
})

test('the most shards, the most renditions: everything fits into records', () => {
  const renditions = Array.from({ length: 8 }, (_, index) => ({
    height: 1000 + index * 2,
    maxBitrateKbps: 50_000,
  }))
  const params = transcodeParamsSchema.parse({ renditions, mp4: renditions.map(({ height }) => height) })
  const of = stepInput(split(120), {
    jobId: 'j'.repeat(64),
    settings: settings({ input, output: `${'o'.repeat(511)}/`, params }),
    results: encoded(120),
  })
  const children = [...encode.children(of), ...(stitch?.children(of) ?? [])]
  expect(children.length).toBeLessThanOrEqual(childrenMax)
  for (const child of children)
    expect(JSON.stringify(child.params).length).toBeLessThanOrEqual(specBounds.paramsBytes)
  expect(JSON.stringify(of.results).length).toBeLessThan(50_000)
  expect(JSON.stringify(of.split).length).toBeLessThan(16_000)
})

describe('what is deleted at the end', () => {
  test('is every file that a child can have written below the work of this generation', () => {
    const of = stepInput(split(2))
    const written = encode
      .children(of)
      .flatMap(({ output, kind }) => [
        `${output}${kind === 'encode-sound' ? 'sound.mp4' : 'video.mp4'}`,
        `${output}manifest.json`,
      ])
    expect(new Set(transcodeLong.temporaryKeys(of))).toEqual(new Set(written))
  })

  test.each([undefined, { shards: 3 }])('is nothing where the split was edited away', (of) => {
    expect(transcodeLong.temporaryKeys({ ...stepInput(split()), split: of })).toEqual([])
  })
})
