import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebVTTParser } from 'webvtt-parser'
import { planStills, sheetArguments, smallEnough, stillsArguments } from '../../worker/media/stills.ts'
import {
  everyKeyFrames,
  sheetCount,
  sheetName,
  storyboardVtt,
  tileSize,
} from '../../worker/media/storyboard.ts'
import type { ClipName } from '../support/clips.ts'
import { colorIn, fastParams, look, looksLike, openStudio } from './media.ts'

let studio: Awaited<ReturnType<typeof openStudio>>
beforeAll(async () => {
  studio = await openStudio()
})
afterAll(() => studio.remove())

describe('which key frames become pictures', () => {
  test.each([
    ['every one, where pictures are wanted as often as there are key frames', 60, 2, 2, 500, 1],
    ['also where key frames come a little early', 60, 1.984, 2, 500, 1],
    ['every second one of 29.97 frames a second', 60, 2.002, 4, 500, 2],
    ['the next further one, where the distance is no multiple', 60, 2, 5, 500, 3],
    ['as few as fit into the most, of a long video', 7200, 2, 2, 500, 8],
    ['of a video with a few more key frames than that: half of them', 1010, 2, 2, 500, 2],
    ['also of thumbnails', 404, 2, 2, 200, 2],
    ['of the longest video: 500', 86_400, 2, 2, 500, 87],
    ['the first one only, of a video that is shorter than the distance', 0.04, 2, 10, 200, 5],
  ])('%s', (_, durationS, spacingS, apartS, most, every) => {
    expect(everyKeyFrames({ durationS, spacingS }, { apartS, most })).toBe(every)
    expect(Math.ceil(durationS / (every * spacingS))).toBeLessThanOrEqual(most)
  })

  test('are those of the smallest rendition that is large enough for a thumbnail, or else of the largest', () => {
    const [large, small, tiny] = [
      { width: 1280, height: 720 },
      { width: 360, height: 640 },
      { width: 256, height: 144 },
    ]
    expect(smallEnough([large, small, tiny])).toBe(small)
    expect(smallEnough([tiny])).toBe(tiny)
    expect(() => smallEnough([])).toThrow(/no renditions/)
  })

  test('none are made that nobody wants', () => {
    const rendition = { width: 640, height: 360, durationS: 60 }
    const rate = { num: 25, den: 1 }
    expect(
      planStills({ params: fastParams({ thumbnailSeconds: 0, storyboard: false }), rate }, rendition, '/out'),
    ).toEqual({ thumbnails: undefined, tiles: undefined })
    expect(planStills({ params: fastParams({ thumbnailSeconds: 10 }), rate }, rendition, '/out')).toEqual({
      thumbnails: { every: 5, folder: '/out/thumbnails' },
      tiles: { every: 1, folder: '/out/tiles', size: { width: 160, height: 90 } },
    })
  })
})

describe('the size of a tile', () => {
  test.each([
    ['16:9', 640, 360, 160, 90],
    ['portrait', 360, 640, 90, 160],
    ['an odd shape gets even sides', 854, 480, 160, 90],
    ['a very wide picture keeps two lines', 4000, 2, 160, 2],
  ])('of %s', (_, width, height, tileWidth, tileHeight) => {
    expect(tileSize({ width, height })).toEqual({ width: tileWidth, height: tileHeight })
  })
})

describe('the storyboard file', () => {
  const size = { width: 160, height: 90 }

  test('says for each picture from when to when it stands and where it is', () => {
    expect(storyboardVtt([0, 2002, 4004], size, 5.005)).toBe(
      [
        'WEBVTT\n',
        '00:00:00.000 --> 00:00:02.002\nstoryboard_001.jpg#xywh=0,0,160,90\n',
        '00:00:02.002 --> 00:00:04.004\nstoryboard_001.jpg#xywh=160,0,160,90\n',
        '00:00:04.004 --> 00:00:05.005\nstoryboard_001.jpg#xywh=320,0,160,90\n',
      ].join('\n'),
    )
  })

  test('goes on in the next line after five, and on the next sheet after twenty-five', () => {
    const cues = storyboardVtt(
      Array.from({ length: 26 }, (_, index) => index * 2000),
      size,
      52,
    ).split('\n\n')
    expect(cues[6]).toContain('storyboard_001.jpg#xywh=0,90,160,90')
    expect(cues[25]).toContain('storyboard_001.jpg#xywh=640,360,160,90')
    expect(cues[26]).toContain('storyboard_002.jpg#xywh=0,0,160,90')
    expect([sheetCount(25), sheetCount(26), sheetName(1)]).toEqual([1, 2, 'storyboard_002.jpg'])
  })

  test('counts hours, and never ends a cue before it begins', () => {
    expect(storyboardVtt([0, 360_000_000], size, 10)).toContain('100:00:00.000 --> 100:00:00.001')
  })

  test('begins at zero, whatever the time of the first picture', () => {
    expect(storyboardVtt([40, 2040], size, 4)).toContain('00:00:00.000 --> 00:00:02.040')
  })
})

describe('the arguments of ffmpeg', () => {
  const thumbnails = { every: 5, folder: '/out/thumbnails' }
  const tiles = { every: 1, folder: '/out/tiles', size: { width: 160, height: 90 } }

  test('decode key frames only, behind the guard, into both kinds of pictures', () => {
    expect(stillsArguments('/out/360p/index.m3u8', { thumbnails, tiles }, 700)).toEqual([
      ...['-y', '-nostdin', '-hide_banner', '-v', 'warning', '-nostats'],
      ...['-stats_period', '0.5', '-progress', 'pipe:1', '-timelimit', '700', '-skip_frame', 'nokey'],
      ...['-protocol_whitelist', 'file,crypto,data', '-format_whitelist', 'hls,mov,mp4'],
      ...['-allowed_extensions', 'ALL', '-i', 'file:/out/360p/index.m3u8', '-filter_complex'],
      '[0:V:0]split=2[thumbnails_in][tiles_in];' +
        "[thumbnails_in]select='not(mod(n\\,5))',null,format=gbrp,scale=out_color_matrix=bt601:out_range=pc,format=yuvj420p[thumbnails];" +
        "[tiles_in]select='not(mod(n\\,1))',scale=160:90,format=gbrp,scale=out_color_matrix=bt601:out_range=pc,format=yuvj420p[tiles]",
      ...['-map', '[thumbnails]', '-fps_mode', 'passthrough', '-enc_time_base', '1:1000', '-q:v', '3'],
      ...['-f', 'image2', '-frame_pts', '1', 'file:/out/thumbnails/thumbnail_%08d.jpg'],
      ...['-map', '[tiles]', '-fps_mode', 'passthrough', '-enc_time_base', '1:1000', '-q:v', '2'],
      ...['-f', 'image2', '-frame_pts', '1', 'file:/out/tiles/%08d.jpg'],
    ])
  })

  test.each([
    ['thumbnails only', { thumbnails, tiles: undefined }, '[thumbnails]'],
    ['a storyboard only', { thumbnails: undefined, tiles }, '[tiles]'],
  ])('make %s', (_, plan, label) => {
    const args = stillsArguments('/out/360p/index.m3u8', plan, 700)
    expect(args.filter((_, index) => args[index - 1] === '-map')).toEqual([label])
    expect(args[args.indexOf('-filter_complex') + 1]).toContain('split=1[')
  })

  test('put five by five pictures on a sheet', () => {
    expect(sheetArguments('/out/tiles', '/out')).toEqual([
      ...['-y', '-nostdin', '-hide_banner', '-v', 'warning', '-nostats'],
      ...['-stats_period', '0.5', '-progress', 'pipe:1', '-protocol_whitelist', 'file'],
      ...['-format_whitelist', 'image2', '-f', 'image2', '-framerate', '1'],
      ...['-i', 'file:/out/tiles/tile_%05d.jpg', '-vf', 'tile=5x5', '-fps_mode', 'passthrough'],
      ...['-q:v', '4', '-f', 'image2', 'file:/out/storyboard_%03d.jpg'],
    ])
  })
})

/** The cues of a storyboard, read by a parser of others. */
const readStoryboard = async (path: string) => {
  const { cues, errors } = new WebVTTParser().parse(await readFile(path, 'utf8'), 'metadata')
  expect(errors).toEqual([])
  return cues.map(({ startTime, endTime, text }: { startTime: number; endTime: number; text: string }) => {
    const [, sheet = '', ...numbers] = /^(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)$/.exec(text) ?? []
    const [x = 0, y = 0, width = 0, height = 0] = numbers.map(Number)
    return { startTime, endTime, sheet, part: { x, y, width, height } }
  })
}

describe('pictures of a real video', () => {
  test.each<[ClipName, number, number]>([
    ['colors.mp4', 6, 2],
    ['colors-ntsc.mp4', 3, 2.002],
    ['turning.mp4', 28, 2],
  ])('%s: every tile shows what the video shows at the time of its cue', async (name, tiles, spacingS) => {
    const { metadata, files, folder } = await studio.transcodeClip(name)
    expect(metadata.storyboard).toMatchObject({ tiles, tileWidth: 160, tileHeight: 90 })
    const sheets = files.filter(({ role }) => role === 'storyboard').map((file) => file.name)
    expect(sheets).toEqual([
      ...Array.from({ length: Math.ceil(tiles / 25) }, (_, index) => `storyboard_00${index + 1}.jpg`),
      'storyboard.vtt',
    ])
    const cues = await readStoryboard(join(folder, 'storyboard.vtt'))
    expect(cues).toHaveLength(tiles)
    const source = await studio.clip(name)
    for (const [index, { startTime, endTime, sheet, part }] of cues.entries()) {
      expect(startTime).toBeCloseTo(index * spacingS, 3)
      expect(endTime).toBeCloseTo(Math.min((index + 1) * spacingS, metadata.durationS), 1)
      const shown = colorIn(studio.npm, join(folder, sheet), { part })
      const wanted = colorIn(studio.npm, source, { atS: startTime })
      expect(looksLike(shown, wanted), `${name} at ${startTime} s: ${shown}, not ${wanted}`).toBe(true)
    }
  })

  test('thumbnails stand where they say, in the distance that was asked for', async () => {
    const { metadata, files, folder } = await studio.transcodeClip('colors.mp4', { thumbnailSeconds: 4 })
    expect(metadata.thumbnails).toEqual([
      { file: 'thumbnails/thumbnail_00000000.jpg', atS: 0 },
      { file: 'thumbnails/thumbnail_00004000.jpg', atS: 4 },
      { file: 'thumbnails/thumbnail_00008000.jpg', atS: 8 },
    ])
    expect(files.filter(({ role }) => role === 'thumbnail').map(({ name }) => name)).toEqual(
      metadata.thumbnails.map(({ file }) => file),
    )
    const colors = metadata.thumbnails.map(({ file }) => colorIn(studio.npm, join(folder, file)))
    expect(
      colors.map((color, index) =>
        looksLike(
          color,
          (
            [
              [255, 0, 0],
              [0, 0, 255],
              [0, 255, 255],
            ] as const
          )[index] ?? [0, 0, 0],
        ),
      ),
    ).toEqual([true, true, true])
    expect(look(studio.npm, join(folder, 'thumbnails/thumbnail_00000000.jpg'), 'stream=width,height')).toBe(
      '320|180',
    )
  })

  test('the poster has the colors of the video', async () => {
    const { folder } = await studio.transcodeClip('colors.mp4')
    expect(looksLike(colorIn(studio.npm, join(folder, 'poster.jpg')), [255, 0, 0])).toBe(true)
  })

  test('neither thumbnails nor storyboard, where nobody wants them', async () => {
    const { metadata, files } = await studio.transcodeClip('short.mp4', {
      thumbnailSeconds: 0,
      storyboard: false,
    })
    expect(metadata).toMatchObject({ thumbnails: [], storyboard: null, poster: 'poster.jpg' })
    expect(files.filter(({ role }) => role === 'thumbnail' || role === 'storyboard')).toEqual([])
  })

  test('portrait pictures stand upright on their sheet', async () => {
    const { metadata } = await studio.transcodeClip('portrait.mp4')
    expect(metadata.storyboard).toMatchObject({ tileWidth: 90, tileHeight: 160 })
  })
})
