import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { transcodeParamsSchema } from '../../schemas/kinds/transcode.ts'
import { problemsOf, sentenceOf } from '../../schemas/problems.ts'
import { mp4Arguments, mp4Offsets, mp4Rungs } from '../../worker/media/mp4.ts'
import type { ClipName } from '../support/clips.ts'
import { fastParams, look, openStudio } from './media.ts'

let studio: Awaited<ReturnType<typeof openStudio>>
beforeAll(async () => {
  studio = await openStudio()
})
afterAll(() => studio.remove())

describe('which renditions become MP4 files', () => {
  const rungs = [
    { name: '720p', width: 1280, height: 720, maxBitrateKbps: 2800 },
    { name: '360p', width: 640, height: 360, maxBitrateKbps: 800 },
  ]
  const renditions = [1080, 720, 360].map((height) => ({ height, maxBitrateKbps: 800 }))
  test.each([
    ['none, by default', undefined, []],
    ['none', 'none', []],
    ['all', 'all', ['720p', '360p']],
    ['those of a list, as far as the source is high enough', [1080, 360], ['360p']],
  ] as const)('%s', (_, mp4, names) => {
    const params = transcodeParamsSchema.parse({ renditions, mp4 })
    expect(mp4Rungs({ rungs, params }).map(({ name }) => name)).toEqual(names)
  })

  test.each([
    [[480], 'params.mp4[0]: 480 is not allowed: must be a height of renditions'],
    ['some', 'params.mp4: "some" is not allowed: must be "none", "all", or a list of heights'],
    [[], 'params.mp4: [] is not allowed: must name a height, or be "none"'],
  ])('%j is refused with a sentence', (mp4, sentence) => {
    const params = { renditions, mp4 }
    const { error } = transcodeParamsSchema.safeParse(params)
    if (error === undefined) throw new Error('it was accepted')
    expect(problemsOf(error, params, ['params']).map(sentenceOf)).toEqual([sentence])
  })
})

describe('where pictures and sound stand in the file', () => {
  const aac = { sampleRateHz: 48_000 }
  test.each([
    ['together, with the first samples of the encoder before zero', 0.08, 0.058667, 0, -0.021333],
    ['sound that begins later begins later', 0.08, 1.058667, 0, 0.978667],
    ['pictures that begin later begin later, and the sound is whole', 1.08, 0.058667, 1, -0.021333],
  ])('%s', (_, videoStartS, audioStartS, videoS, audioS) => {
    const offsets = mp4Offsets(videoStartS, { ...aac, startS: audioStartS })
    expect(offsets.videoS).toBeCloseTo(videoS, 5)
    expect(offsets.audioS).toBeCloseTo(audioS, 5)
  })
})

describe('the arguments of ffmpeg', () => {
  const always = [
    ...['-y', '-nostdin', '-hide_banner', '-v', 'warning', '-nostats'],
    ...['-stats_period', '0.5', '-progress', 'pipe:1', '-timelimit', '604'],
  ]
  const guard = ['-protocol_whitelist', 'file,crypto,data', '-format_whitelist', 'hls,mov,mp4']
  const input = [...guard, '-allowed_extensions', 'ALL', '-i']
  const end = ['-map_metadata', '-1', '-movflags', '+faststart', '-f', 'mp4', 'file:/out/download/360p.mp4']
  const video = { path: '/out/360p/index.m3u8', startS: 0.08 }

  test('copy a rendition and its sound, each behind the guard, in step', () => {
    const audio = { path: '/out/audio/index.m3u8', startS: 0.058667, sampleRateHz: 48_000 }
    expect(mp4Arguments({ video, audio, file: '/out/download/360p.mp4' }, 604)).toEqual([
      ...[...always, ...input, 'file:/out/360p/index.m3u8'],
      ...['-itsoffset', '-0.021333', ...input, 'file:/out/audio/index.m3u8'],
      ...['-map', '0:v:0', '-map', '1:a:0', '-c', 'copy', ...end],
    ])
  })

  test('without audio there is one input', () => {
    expect(mp4Arguments({ video, audio: null, file: '/out/download/360p.mp4' }, 604)).toEqual([
      ...[...always, ...input, 'file:/out/360p/index.m3u8', '-map', '0:v:0', '-c', 'copy', ...end],
    ])
  })
})

/** When the first sound louder than a fifth is heard, in seconds, as a player decodes the file. */
const clickIn = (path: string): number => {
  const { ffmpeg, env } = studio.npm
  const raw = execFileSync(
    ffmpeg.path,
    [
      '-nostdin',
      '-v',
      'error',
      '-i',
      path,
      '-af',
      'aresample=async=1:first_pts=0',
      '-ac',
      '1',
      '-f',
      'f32le',
      'pipe:1',
    ],
    { env, maxBuffer: 1e8 },
  )
  const samples = new Float32Array(new Uint8Array(raw).buffer)
  return samples.findIndex((sample) => Math.abs(sample) > 0.2) / 48_000
}

/** When the first white picture is shown, in seconds. */
const flashIn = (path: string): number => {
  const { ffmpeg, env } = studio.npm
  const said = execFileSync(
    ffmpeg.path,
    [
      ...['-nostdin', '-v', 'error', '-i', path, '-an'],
      ...['-vf', 'signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-', '-f', 'null', '-'],
    ],
    { env, encoding: 'utf8' },
  )
  const [, timeS] = /pts_time:(\S+)\nlavfi\.signalstats\.YAVG=(?:1\d\d|2\d\d)/.exec(said) ?? []
  return Number(timeS)
}

describe('an MP4 file', () => {
  test('is made of every rendition, small ones too, and is whole: pictures, sound, index first', async () => {
    const { metadata, files, folder } = await studio.transcodeClip('plain.mp4', { mp4: 'all' })
    expect(metadata.downloads).toEqual([
      expect.objectContaining({ rendition: '360p', file: 'download/360p.mp4', width: 640, height: 360 }),
      expect.objectContaining({ rendition: '180p', file: 'download/180p.mp4', width: 320, height: 180 }),
    ])
    expect(files.filter(({ role }) => role === 'download').map(({ name }) => name)).toEqual(
      metadata.downloads.map(({ file }) => file),
    )
    const path = join(folder, 'download/360p.mp4')
    expect(look(studio.npm, path, 'stream=codec_name,start_time,nb_frames').split('\n')).toEqual([
      'h264|0.000000|100',
      expect.stringMatching(/^aac\|0\.000000\|/),
    ])
    expect(metadata.downloads[0]?.durationS).toBeCloseTo(4, 1)
    const content = await readFile(path)
    expect(metadata.downloads[0]?.bytes).toBe(content.length)
    expect(content.indexOf('moov')).toBeLessThan(content.indexOf('mdat'))
  })

  test.each<[ClipName, string]>([
    ['flash.mkv', 'sound and pictures from the start'],
    ['late-sound.mkv', 'sound that begins a second later'],
    ['late-picture.mkv', 'pictures that begin a second later'],
  ])('%s: %s stay in step to a few milliseconds', async (name) => {
    const { folder } = await studio.transcodeClip(name, { mp4: [180] })
    const path = join(folder, 'download/180p.mp4')
    expect(flashIn(path)).toBeCloseTo(2, 2)
    expect(Math.abs(clickIn(path) - flashIn(path))).toBeLessThan(0.003)
  })

  test('is silent where the video is', async () => {
    const { folder } = await studio.transcodeClip('silent.mp4', { mp4: 'all' })
    expect(look(studio.npm, join(folder, 'download/180p.mp4'), 'stream=codec_name')).toBe('h264')
  })

  test('of a height that the source does not have is left out with a warning', async () => {
    const { metadata } = await studio.transcodeClip('short.mp4', { mp4: [360, 180] })
    expect(metadata.downloads.map(({ rendition }) => rendition)).toEqual(['180p'])
    expect(metadata.warnings).toEqual([
      { code: 'MP4_LEFT_OUT', message: expect.stringContaining('smaller than 360') },
    ])
  })

  test('that ffmpeg has cut short is found', async () => {
    // Does the work, but of the MP4 file only a second.
    const path = join(studio.folder, 'impostor-mp4')
    const real = studio.tools.ffmpeg.path
    await writeFile(
      path,
      `#!/bin/sh\ncase "$*" in *faststart*) exec "${real}" -t 1 "$@";; esac\nexec "${real}" "$@"\n`,
      { mode: 0o755 },
    )
    const tools = {
      ...studio.tools,
      env: { ...studio.tools.env, PATH: process.env.PATH ?? '' },
      ffmpeg: { ...studio.tools.ffmpeg, path },
    }
    await expect(
      studio.transcodeClip('plain.mp4', fastParams({ mp4: [180] }), { tools }),
    ).rejects.toMatchObject({
      code: 'OUTPUT_INVALID',
      message: expect.stringMatching(/180p\.mp4 has \d+ frames/),
    })
  })
})
