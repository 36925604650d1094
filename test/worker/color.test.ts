import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { colorMarks, hdrColor, isRgb, outputColor } from '../../worker/media/color.ts'
import { parseProbe, type VideoStream } from '../../worker/media/probe.ts'
import type { ClipName } from '../support/clips.ts'
import { colorIn, look, looksLike, openStudio } from './media.ts'

let studio: Awaited<ReturnType<typeof openStudio>>
beforeAll(async () => {
  studio = await openStudio()
})
afterAll(() => studio.remove())

const video = (said: Record<string, unknown>): VideoStream => {
  const stream = { index: 0, codec_type: 'video', codec_name: 'h264', width: 1920, height: 1080, ...said }
  const found = parseProbe(JSON.stringify({ format: { format_name: 'mov' }, streams: [stream] })).video
  if (found === undefined) throw new Error('no video')
  return found
}

test.each([
  ['says nothing', {}, 'bt2020/bt2020nc/tv'],
  [
    'says it all',
    { color_primaries: 'smpte432', color_space: 'ictcp', color_range: 'pc' },
    'smpte432/ictcp/pc',
  ],
  ['has a matrix that no zscale can undo', { color_space: 'bt2020c' }, 'bt2020/bt2020nc/tv'],
  ['has one that not every zscale knows', { color_space: 'smpte240m' }, 'bt2020/bt2020nc/tv'],
])('an HDR picture that %s is taken for %s', (_, said, words) => {
  const { primaries, matrix, range } = hdrColor(video(said).color)
  expect(`${primaries}/${matrix}/${range}`).toBe(words)
})

describe('what renditions are marked with', () => {
  const sd = { width: 720, height: 576 }
  const marked = (primaries: string, transfer: string, matrix: string) => ({
    color_primaries: primaries,
    color_transfer: transfer,
    color_space: matrix,
  })
  test.each<[string, Record<string, unknown>, boolean, string]>([
    ['a large picture that says nothing', {}, false, 'bt709/bt709/bt709'],
    ['a small picture that says nothing', sd, false, 'smpte170m/smpte170m/smpte170m'],
    ['720p, upright', { width: 720, height: 1280 }, false, 'bt709/bt709/bt709'],
    [
      'what a file says stays',
      { ...sd, ...marked('bt470bg', 'bt709', 'bt470bg') },
      false,
      'bt470bg/bt709/bt470bg',
    ],
    [
      'what it leaves out is filled in',
      { ...marked('unknown', 'unknown', 'smpte170m') },
      false,
      'bt709/bt709/smpte170m',
    ],
    ['words that H.264 has not', marked('ebu3213', 'smpte428', 'ictcp'), false, 'bt709/bt709/bt709'],
    ['HDR that was mapped', marked('bt2020', 'smpte2084', 'bt2020nc'), true, 'bt709/bt709/bt709'],
    [
      'HDR that could not be mapped',
      marked('bt2020', 'arib-std-b67', 'bt2020nc'),
      false,
      'bt2020/arib-std-b67/bt2020nc',
    ],
    ['red, green and blue', { ...sd, pix_fmt: 'gbrp', color_space: 'gbr' }, false, 'bt709/bt709/bt709'],
  ])('%s', (_, said, toneMapped, words) => {
    const { primaries, transfer, matrix } = outputColor(video(said), toneMapped)
    expect(`${primaries}/${transfer}/${matrix}`).toBe(words)
  })

  test.each([
    ['gbrp', true],
    ['rgb24', true],
    ['bgra', true],
    ['pal8', true],
    ['yuv420p', false],
    ['gray', false],
    ['unknown', false],
  ])('%s has red, green and blue: %s', (pixelFormat, rgb) => {
    expect(isRgb(video({ pix_fmt: pixelFormat }))).toBe(rgb)
  })

  test('is put onto every frame', () => {
    expect(colorMarks({ primaries: 'bt470bg', transfer: 'bt709', matrix: 'smpte170m' })).toBe(
      'setparams=range=tv:color_primaries=bt470bg:color_trc=bt709:colorspace=smpte170m',
    )
  })
})

const seenIn = async (name: ClipName) => {
  const { metadata, folder } = await studio.transcodeClip(name)
  const playlist = join(folder, metadata.renditions[0]?.playlist ?? '')
  const entries = 'stream=pix_fmt,color_range,color_space,color_transfer,color_primaries'
  return { metadata, playlist, marks: look(studio.npm, playlist, entries).split('\n')[0] }
}

describe('real videos', () => {
  test.each<[ClipName, 'pq' | 'hlg', string]>([
    ['hdr-red.mp4', 'pq', 'smpte2084'],
    ['hlg-red.mp4', 'hlg', 'arib-std-b67'],
  ])('%s becomes SDR of eight bits, marked as such, and red stays red', async (name, hdr, transfer) => {
    const { metadata, playlist, marks } = await seenIn(name)
    expect(metadata.video).toMatchObject({
      hdr,
      pixelFormat: 'yuv420p10le',
      color: { primaries: 'bt2020', transfer, matrix: 'bt2020nc', range: 'tv' },
    })
    expect(marks).toBe('yuv420p|tv|bt709|bt709|bt709')
    expect(metadata.renditions[0]?.color).toEqual({
      primaries: 'bt709',
      transfer: 'bt709',
      matrix: 'bt709',
      range: 'tv',
    })
    const [red, green, blue] = colorIn(studio.npm, playlist)
    expect(red).toBeGreaterThan(150)
    expect(Math.max(green, blue)).toBeLessThan(60)
  })

  test('a recorded screen keeps its colors', async () => {
    const { metadata, playlist, marks } = await seenIn('screen.mkv')
    expect(metadata.video.color.matrix).toBe('gbr')
    expect(marks).toBe('yuv420p|tv|bt709|bt709|bt709')
    expect(looksLike(colorIn(studio.npm, playlist), [0, 255, 0])).toBe(true)
  })

  test('a video that says what it is keeps its colors', async () => {
    const { playlist, marks } = await seenIn('colors.mp4')
    expect(marks).toBe('yuv420p|tv|bt709|bt709|bt709')
    expect(looksLike(colorIn(studio.npm, playlist), [255, 0, 0])).toBe(true)
  })

  test('a small video that says nothing is marked as players would have taken it', async () => {
    const { marks } = await seenIn('short.mp4')
    expect(marks).toBe('yuv420p|tv|smpte170m|smpte170m|smpte170m')
  })

  test('a rendition that ffmpeg marks otherwise is not published', async () => {
    const path = join(studio.folder, 'impostor')
    await writeFile(
      path,
      [
        '#!/bin/sh',
        'left=$#',
        'while [ "$left" -gt 0 ]; do',
        '  argument=$1; shift; left=$((left - 1))',
        `  case "$argument" in *setparams=*) argument=$(printf %s "$argument" | sed s/color_trc=bt709/color_trc=smpte2084/);; esac`,
        '  set -- "$@" "$argument"',
        'done',
        `exec "${studio.tools.ffmpeg.path}" "$@"`,
        '',
      ].join('\n'),
      { mode: 0o755 },
    )
    const tools = {
      ...studio.tools,
      env: { ...studio.tools.env, PATH: process.env.PATH ?? '' },
      ffmpeg: { ...studio.tools.ffmpeg, path },
    }
    await expect(studio.transcodeClip('colors.mp4', {}, { tools })).rejects.toMatchObject({
      code: 'OUTPUT_INVALID',
      message: expect.stringContaining(
        '180p is marked with the colors bt709/smpte2084/bt709, not bt709/bt709/bt709',
      ),
    })
  })

  test('full-range pictures of a camera come out in the range of video', async () => {
    const { marks } = await seenIn('fullrange.avi')
    expect(marks).toMatch(/^yuv420p\|tv\|/)
  })
})
