import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { npmMediaTools } from '../support/clips.ts'
import { type Handling, openHandling } from './handling.ts'
import { allMediaTools } from './media.ts'
import {
  type Counted,
  countedClip,
  decodedFrames,
  download,
  metadataIn,
  numbersIn,
  shardParams,
  timingOf,
  transcodeSharded,
  transcodeWhole,
} from './sharding.ts'

// What comes out of shards against what comes out of one run, picture by picture and packet by packet.

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const folder = mkdtempSync(join(tmpdir(), 'shards-'))
const everyTools = await allMediaTools(folder)
const npm = await npmMediaTools(folder)
let handling: Handling
beforeAll(async () => {
  handling = await openHandling()
})
afterAll(async () => {
  await handling.close()
  rmSync(folder, { recursive: true, force: true })
})

const seconds = 11
const sources: [what: string, clip: Counted, shards: number][] = [
  ['25 frames a second', { name: '25.mp4', rate: '25', seconds }, 3],
  ['30 frames a second', { name: '30.mp4', rate: '30', seconds }, 3],
  [
    '29.97, MPEG-TS: its time does not begin at 0, and sound comes first',
    { name: '2997.ts', rate: '30000/1001', seconds },
    3,
  ],
  ['23.976, times in milliseconds', { name: '23976.mkv', rate: '24000/1001', seconds }, 3],
  ['60, which stays 60', { name: '60.mp4', rate: '60', seconds }, 3],
  [
    '7.3, of which no number of frames takes whole milliseconds',
    { name: '73.mp4', rate: '73/10', seconds },
    3,
  ],
  ['59.94', { name: '5994.mp4', rate: '60000/1001', seconds }, 3],
  [
    'pictures that come 1.2 s after the sound',
    { name: 'late-video.mkv', rate: '25', seconds, more: ['-vf', 'setpts=PTS+1.2/TB'] },
    3,
  ],
  [
    'sound that comes 0.7 s after the pictures',
    { name: 'late-sound.mp4', rate: '25', seconds, sound: ['-itsoffset', '0.7'] },
    3,
  ],
  [
    'MPEG-TS with sound that comes 0.7 s after the pictures',
    { name: 'late-sound.ts', rate: '25', seconds, sound: ['-itsoffset', '0.7'] },
    3,
  ],
  [
    'MPEG-TS with sound that comes after ffmpeg has stopped looking for it',
    { name: 'very-late-sound.ts', rate: '25', seconds, sound: ['-itsoffset', '9'] },
    3,
  ],
  [
    'HEVC, whose pictures after a seek lack some before it',
    {
      ...{ name: 'hevc.ts', rate: '25', seconds },
      more: ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'open-gop=1:log-level=none'],
    },
    3,
  ],
  [
    'a sound track that nothing was ever written to, before one with sound',
    {
      ...{ name: 'second-sound.mkv', rate: '25', seconds, warnings: 1 },
      more: ['-map', '0:v', '-map', '1:a', '-map', '1:a', '-filter:a:0', 'aselect=0'],
    },
    3,
  ],
  ['no sound', { name: 'mute.mp4', rate: '25', seconds, sound: null }, 3],
  [
    'a recording that was begun hours ago, with few key frames',
    { name: 'begun.ts', rate: '25', seconds, more: ['-output_ts_offset', '20000', '-g', '120'] },
    3,
  ],
  ['turned by 90 degrees', { name: 'turned.mp4', rate: '25', seconds, isTurned: true }, 3],
]

/** Where time does not begin at 0 versions of ffmpeg differ; what they do with an ordinary file is the same. */
const rows = everyTools.flatMap(([version, tools], index) =>
  sources
    .filter(([, { name }]) => index === 0 || /\.(ts|mkv)$/.test(name))
    .map(([what, clip, shards]) => ({ version, tools, what, clip, shards })),
)

describe.each(rows)('$what, with $version', ({ tools, clip, shards }) => {
  test('is the same in shards as in one run: pictures, times, playlists, metadata', async () => {
    const path = await countedClip(folder, npm, clip)
    const input = await handling.workshop.upload(clip.name, await readFile(path))
    const params = shardParams({ onDamage: 'strict' })
    const whole = await transcodeWhole(handling, input, params, tools)
    const sharded = await transcodeSharded(handling, input, params, tools, clip.name.replace('.', '-'))
    expect(sharded.split.shards).toHaveLength(shards)

    const [one, many] = [join(folder, `${clip.name}-one`), join(folder, `${clip.name}-many`)]
    await download(handling, whole, 'results/whole/', one)
    await download(handling, sharded, sharded.of.settings.output, many)
    const metadata = await metadataIn(one)
    expect(metadata.audioRendition === null).toBe(clip.sound === null)
    const playlists = [...metadata.renditions, metadata.audioRendition].flatMap(
      (made) => made?.playlist ?? [],
    )
    for (const playlist of playlists) {
      const [before, after] = [join(one, playlist), join(many, playlist)]
      expect(await readFile(after, 'utf8'), playlist).toBe(await readFile(before, 'utf8'))
      expect(await timingOf(tools, after), playlist).toEqual(await timingOf(tools, before))
    }
    for (const { playlist } of metadata.renditions) {
      const numbers = await numbersIn(tools, join(many, playlist), clip.isTurned)
      expect(numbers, playlist).toEqual(await numbersIn(tools, join(one, playlist), clip.isTurned))
      expect(await decodedFrames(tools, join(many, playlist))).toBe(sharded.split.frames)
      // Every picture of the source once, in their order; only the first may stand for longer.
      expect([...new Set(numbers)]).toEqual(Array.from({ length: (numbers.at(-1) ?? 0) + 1 }, (__, n) => n))
    }
    expect(withoutSizes(await metadataIn(many))).toEqual({ ...withoutSizes(metadata), shards })
    expect(sharded.result).toMatchObject({ durationS: whole.result.durationS, warnings: clip.warnings ?? 0 })
  })
})

test.each(everyTools)(
  'pictures that change their size in the middle, for which ffmpeg begins anew with its filters, with %s',
  async (version, tools) => {
    const halves = ['320x180', '480x270'].map((size) => ({
      ...{ name: `${size}.ts`, rate: '25', seconds: 3, sound: null },
      more: ['-vf', `scale=${size}:flags=neighbor`],
    }))
    for (const half of halves) await countedClip(folder, npm, half)
    const list = join(folder, 'sizes.txt')
    await writeFile(list, halves.map(({ name }) => `file ${name}\n`).join(''))
    const path = join(folder, 'sizes.ts')
    await promisify(execFile)(
      npm.ffmpeg.path,
      ['-y', '-v', 'error', '-f', 'concat', '-i', list, '-c', 'copy', path],
      { env: npm.env },
    )
    const input = await handling.workshop.upload('sizes.ts', await readFile(path))
    const params = shardParams({ shardThreshold: 3, shardSeconds: 2 })
    const whole = await transcodeWhole(handling, input, params, tools)
    const sharded = await transcodeSharded(handling, input, params, tools, 'sizes')
    const [one, many] = [join(folder, `sizes-one-${version}`), join(folder, `sizes-many-${version}`)]
    await download(handling, whole, 'results/whole/', one)
    await download(handling, sharded, sharded.of.settings.output, many)
    expect(sharded.split.shards).toHaveLength(3)
    for (const { playlist } of (await metadataIn(one)).renditions) {
      const numbers = await numbersIn(tools, join(many, playlist))
      expect(numbers).toEqual(Array.from({ length: 150 }, (_, frame) => frame % 75))
      expect(numbers).toEqual(await numbersIn(tools, join(one, playlist)))
      expect(await timingOf(tools, join(many, playlist))).toEqual(await timingOf(tools, join(one, playlist)))
    }
  },
)

/** An encoder that begins anew makes other bytes, which is all that may differ. */
const withoutSizes = (metadata: Awaited<ReturnType<typeof metadataIn>>) => ({
  ...metadata,
  renditions: metadata.renditions.map(({ bytes, peakBitsPerSecond, averageBitsPerSecond, ...same }) => same),
})
