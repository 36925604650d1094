import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type StitchParams, stitchParamsSchema } from '../../schemas/kinds/stitch.ts'
import type { Input } from '../../schemas/spec.ts'
import { encodeShard } from '../../worker/kinds/encode-shard.ts'
import { encodeSound } from '../../worker/kinds/encode-sound.ts'
import { stitch, stitchTeller } from '../../worker/kinds/stitch.ts'
import { transcode } from '../../worker/kinds/transcode.ts'
import { type ClipName, clipMaker, npmMediaTools } from '../support/clips.ts'
import { until } from '../support/wait.ts'
import { type Handling, openHandling } from './handling.ts'
import { countedClip, type Sharded, shardParams, splitOf, transcodeSharded } from './sharding.ts'

// What is refused on the way, and what is not split at all.

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const folder = mkdtempSync(join(tmpdir(), 'stitch-'))
const tools = await npmMediaTools(folder)
const clip = clipMaker(folder, tools)
const params = shardParams({ preset: 'ultrafast' })
let handling: Handling
let input: Input
let good: Sharded
beforeAll(async () => {
  handling = await openHandling()
  const path = await countedClip(folder, tools, { name: 'eight.mp4', rate: '25', seconds: 8 })
  input = await handling.workshop.upload('eight.mp4', await readFile(path))
  good = await transcodeSharded(handling, input, params, tools, 'good')
})
afterAll(async () => {
  await handling.close()
  rmSync(folder, { recursive: true, force: true })
})

const piece = (name: string): string => `work/good/abcdefghij0123456789/1/${name}`

test('how far the joining is, and how long the rest will take', () => {
  let nowMs = 0
  const told: unknown[] = []
  const tell = stitchTeller({ tell: (status) => told.push(status), nowMs: () => nowMs })
  tell('download', 0.5)
  nowMs = 45_000
  tell('join', 1)
  tell('upload', 2)
  expect(told).toEqual([
    { stage: 'download', percent: 13 },
    { stage: 'join', percent: 45, etaS: 55 },
    { stage: 'upload', percent: 99, etaS: 0 },
  ])
})

describe('joining', () => {
  const join = (change: Partial<StitchParams>) =>
    handling.handle(stitch, {
      input,
      params: { ...stitchParamsSchema.parse(good.stitchWish.params), ...change },
      tools,
      output: 'results/refused/',
    })
  const pieces = () => stitchParamsSchema.parse(good.stitchWish.params)

  test('what fits becomes the outputs of a transcode; metadata say of how many shards', async () => {
    const { files, result, leftovers } = await join({})
    expect(new Set(files.map(({ role }) => role))).toEqual(new Set(good.files.map(({ role }) => role)))
    expect(result).toMatchObject({ renditions: ['180p', '144p'], warnings: 0 })
    expect(leftovers).not.toContain('pieces')
  })

  test('a checksum that differs is refused, and nothing is published', async () => {
    const [first, ...rest] = pieces().shards
    const shards = [{ bytes: first?.bytes ?? 1, sha256: 'a'.repeat(64) }, ...rest]
    const before = await handling.workshop.outputs('results/refused/')
    await expect(join({ shards })).rejects.toMatchObject({
      code: 'PIECES_INVALID',
      exitCode: 75,
      message: expect.stringMatching(/shard-000\/video.mp4 is not what/),
    })
    expect(await handling.workshop.outputs('results/refused/')).toEqual(before)
  })

  test('a size that differs is refused', async () => {
    const [first, second] = pieces().shards
    const shards = [{ bytes: 5, sha256: first?.sha256 ?? '' }, second ?? { bytes: 1, sha256: '' }]
    await expect(join({ shards })).rejects.toMatchObject({ code: 'PIECES_INVALID' })
  })

  test('frames that do not add up are refused, with the shard and the numbers', async () => {
    await expect(join({ frames: 201 })).rejects.toMatchObject({
      code: 'PIECES_INVALID',
      message: expect.stringMatching(/shard 2 of 2: 180p has 100 frames, not 101/),
    })
    await expect(join({ frames: 150, shardFrames: 50 })).rejects.toMatchObject({
      message: expect.stringMatching(/shard 1 of 2: 180p has 100 frames, not 50/),
    })
  })

  test('one shard in the place of another is refused by its checksum', async () => {
    await expect(join({ shards: pieces().shards.toReversed() })).rejects.toMatchObject({
      code: 'PIECES_INVALID',
    })
  })

  test('shards of another encoder are refused', async () => {
    const start = good.split.shards[1]
    const other = shardParams({ preset: 'medium' })
    const made = await handling.handle(encodeShard, {
      input,
      params: { transcode: other, rate: good.split.rate, start, frames: 100, isLast: true },
      tools,
      output: 'work/mixed/shard-001/',
    })
    const first = await handling.workshop.output(piece('shard-000/video.mp4'))
    await handling.putOutput('work/mixed/shard-000/video.mp4', first.content)
    const sound = await handling.workshop.output(piece('sound/sound.mp4'))
    await handling.putOutput('work/mixed/sound/sound.mp4', sound.content)
    const [shard] = pieces().shards
    const { bytes, sha256 } = made.result as { bytes: number; sha256: string }
    await expect(
      join({
        temporaryPrefix: 'work/mixed/',
        shards: [shard ?? { bytes, sha256 }, { bytes, sha256 }],
      }),
    ).rejects.toMatchObject({ code: 'PIECES_INVALID', message: expect.stringMatching(/another ffmpeg/) })
  })

  test('a piece that is gone is missing input', async () => {
    await expect(join({ temporaryPrefix: 'work/nowhere/' })).rejects.toMatchObject({ code: 'INPUT_MISSING' })
  })

  test('parameters about another input are refused', async () => {
    await expect(join({ rate: { num: 30, den: 1 } })).rejects.toMatchObject({ code: 'RECORD_INVALID' })
    await expect(join({ sound: null })).rejects.toMatchObject({ code: 'RECORD_INVALID' })
  })
})

describe('a shard', () => {
  const encode = (change: Record<string, unknown>) =>
    handling.handle(encodeShard, {
      input,
      params: {
        transcode: params,
        rate: good.split.rate,
        start: good.split.shards[1],
        frames: 100,
        isLast: true,
        ...change,
      },
      tools,
      output: 'work/one/',
    })

  test('returns what it made, counted, and leaves nothing behind', async () => {
    const { result, files, leftovers } = await encode({})
    expect(result).toMatchObject({ frames: 100, damage: 0, sha256: files[0]?.sha256, bytes: files[0]?.bytes })
    expect(files).toMatchObject([{ key: 'work/one/video.mp4', role: 'segment', contentType: 'video/mp4' }])
    expect(leftovers).toEqual(['video.mp4'])
  })

  test('that cannot have all its frames is no shard', async () => {
    await expect(encode({ frames: 101 })).rejects.toMatchObject({
      code: 'OUTPUT_INVALID',
      message: expect.stringMatching(/180p has 100 frames, not 101/),
    })
  })

  test('that was read from behind its beginning is no shard', async () => {
    const start = { frame: 100, stampS: 2, seekS: 3.9, repeats: 0 }
    await expect(encode({ start })).rejects.toMatchObject({
      code: 'OUTPUT_INVALID',
      message: expect.stringMatching(/pictures are missing where this shard begins.*shardThreshold/),
    })
  })

  test('of another frame rate than the input is refused', async () => {
    await expect(encode({ rate: { num: 30, den: 1 } })).rejects.toMatchObject({
      code: 'RECORD_INVALID',
      message: expect.stringMatching(/30\/1.*25\/1/),
    })
  })

  test('of an input that changed meanwhile fails as such', async () => {
    const changed = { ...input, etag: 'another' }
    await expect(
      handling.handle(encodeShard, {
        input: changed,
        params: {
          transcode: params,
          rate: good.split.rate,
          start: good.split.shards[0],
          frames: 100,
          isLast: false,
        },
        tools,
      }),
    ).rejects.toMatchObject({ code: 'INPUT_CHANGED' })
  })

  test.each(['silent.mp4', 'without-microphone.mkv'] as const)(
    'sound of an input without any is refused: %s',
    async (name) => {
      const mute = await handling.workshop.upload(`mute-${name}`, await readFile(await clip(name)))
      await expect(
        handling.handle(encodeSound, { input: mute, params: { transcode: params }, tools }),
      ).rejects.toMatchObject({ code: 'NO_AUDIO_STREAM' })
    },
  )
})

describe('whether a job is split', () => {
  const look = async (of: Input, change: Parameters<typeof shardParams>[0]) =>
    handling.handle(transcode, {
      input: of,
      params: shardParams({ preset: 'ultrafast', ...change }),
      tools,
      output: 'results/looked/',
    })
  const warningsOf = async () =>
    JSON.parse((await handling.workshop.output('results/looked/metadata.json')).content.toString()).warnings

  test('longer than the threshold: nothing is made but the plan', async () => {
    const { files, result, split, stages } = await look(input, {})
    expect(split).toMatchObject({ frames: 200, shardFrames: 100, sound: true })
    expect({ files, result, stages }).toEqual({ files: [], result: {}, stages: ['look'] })
  })

  test('the same look twice gives the same plan', async () => {
    expect(await splitOf(handling, input, params, tools)).toEqual(good.split)
  })

  test('as long as the threshold: one task, and nothing to be said of it', async () => {
    const { split, files } = await look(input, { shardThreshold: 8 })
    expect(split).toBeUndefined()
    expect(files.length).toBeGreaterThan(5)
    expect(await warningsOf()).toEqual([])
  })

  test('one shard would be all of it: one task, and nothing to be said of it', async () => {
    expect((await look(input, { shardSeconds: 6 })).split).toBeUndefined()
    expect(await warningsOf()).toEqual([])
  })

  test('it cannot be cut: one task, with a warning that says why', async () => {
    const varying = await handling.workshop.upload('varying.mp4', await readFile(await clip('varying.mp4')))
    const { split, result } = await look(varying, { shardThreshold: 0, shardSeconds: 2 })
    expect(split).toBeUndefined()
    expect(result.warnings).toBe(1)
    expect(await warningsOf()).toEqual([
      {
        code: 'NOT_SPLIT',
        message:
          'The input is longer than 0 s but was encoded in one piece: its pictures do not come at equal distances.',
      },
    ])
  })

  test.each<[ClipName, string]>([
    ['text.mp4', 'INPUT_UNREADABLE'],
    ['random.mp4', 'INPUT_UNREADABLE'],
    ['cut-moov-last.mp4', 'INPUT_UNREADABLE'],
    ['playlist.mp4', 'INPUT_FORMAT_REFUSED'],
    ['sound.m4a', 'NO_VIDEO_STREAM'],
    ['crowded.mkv', 'INPUT_TOO_LARGE'],
  ])('an input that is refused is not downloaded for it: %s', async (name, code) => {
    const refused = await handling.workshop.upload(name, await readFile(await clip(name)))
    const stages: string[] = []
    await expect(
      handling.handle(transcode, {
        ...{ input: refused, params, tools },
        tell: ({ stage }) => stages.push(stage),
      }),
    ).rejects.toMatchObject({ code, exitCode: 65 })
    expect(stages).toEqual(['look'])
  })

  test('an input that takes long to look at from afar is looked at once more on the disk', async () => {
    const slow = await handling.workshop.upload('slow.mp4', await readFile(await clip('short.mp4')))
    const path = join(folder, 'slow-from-afar')
    const hangs = `${path}.hangs`
    await writeFile(
      path,
      `#!/bin/sh\ncase "$*" in *http://*) : > ${hangs}; exec /bin/sleep 60;; -version) echo asked >> ${path}.versions;; esac\nexec ${tools.ffprobe.path} "$@"\n`,
      { mode: 0o755 },
    )
    const stages: string[] = []
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const transcoded = handling.handle(transcode, {
        ...{ input: slow, params: shardParams({ preset: 'ultrafast', shardThreshold: 0 }) },
        tools: { ...tools, ffprobe: { ...tools.ffprobe, path } },
        tell: ({ stage }) => stages.push(stage),
      })
      await Promise.race([until('ffprobe to hang', () => existsSync(hangs)), transcoded])
      vi.advanceTimersByTime(30_000)
      const { files, split } = await transcoded
      expect(split).toBeUndefined()
      expect(files.length).toBeGreaterThan(5)
      expect(stages.slice(0, 2)).toEqual(['look', 'download'])
      // For both looks the programs are found, and asked what they can, once.
      expect(await readFile(`${path}.versions`, 'utf8')).toBe('asked\n')
    } finally {
      vi.useRealTimers()
    }
  })

  test('an input that is cut off is not split: the one task says so', async () => {
    const cut = await handling.workshop.upload('cut.mp4', await readFile(await clip('cut-moov-first.mp4')))
    await expect(look(cut, { shardThreshold: 0, shardSeconds: 2 })).rejects.toMatchObject({
      code: 'INPUT_TRUNCATED',
    })
  })
})
