import { mkdtempSync, rmSync } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { transcodeMetadataSchema } from '../../schemas/metadata.ts'
import { parseMediaPlaylist } from '../../worker/media/playlist.ts'
import type { ClipName } from '../support/clips.ts'
import { allMediaTools, look, openStudio } from './media.ts'

let studio: Awaited<ReturnType<typeof openStudio>>
beforeAll(async () => {
  studio = await openStudio()
})
afterAll(() => studio.remove())

const scratch = mkdtempSync(join(tmpdir(), 'tools-'))
const everyTools = await allMediaTools(scratch)
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

describe.each(everyTools)('an ordinary video with %s', (_, tools) => {
  const shares: number[] = []
  let made: Awaited<ReturnType<typeof studio.transcodeClip>>
  beforeAll(async () => {
    const onProgress = (stage: string, share: number) => stage === 'transcode' && shares.push(share)
    made = await studio.transcodeClip('plain.mp4', {}, { tools, onProgress })
  })

  test('becomes a ladder with master playlist, poster and metadata', async () => {
    const { files, metadata, folder } = made
    const roles = files.map((file) => file.role)
    expect(roles.filter((role) => role === 'segment').length).toBeGreaterThanOrEqual(6)
    expect(roles.filter((role) => role === 'playlist')).toHaveLength(3)
    expect(roles.filter((role) => role === 'init')).toHaveLength(3)
    expect(roles.slice(-3)).toEqual(['playlist', 'metadata', 'master'])
    for (const file of files) expect((await stat(file.path)).size, file.name).toBeGreaterThan(0)

    const written: unknown = JSON.parse(await readFile(join(folder, 'metadata.json'), 'utf8'))
    expect(transcodeMetadataSchema.parse(written)).toEqual(metadata)
    expect(metadata).toMatchObject({
      durationS: expect.closeTo(4, 1),
      video: { codec: 'h264', width: 640, height: 360, frameRate: 25, variableFrameRate: false, hdr: 'none' },
      audio: { codec: 'aac', channels: 1 },
      warnings: [],
      renditions: [
        { name: '360p', width: 640, height: 360, frames: 100, segments: 2 },
        { name: '180p', width: 320, height: 180, frames: 100, segments: 2 },
      ],
    })
  })

  test('tells a share of the work that grows and stays below 1', () => {
    expect(shares.length).toBeGreaterThan(0)
    expect(shares).toEqual(shares.toSorted((a, b) => a - b))
    expect(shares.at(-1)).toBeLessThanOrEqual(0.99)
  })

  test('has a master playlist whose numbers are those of the files', async () => {
    const { metadata, folder } = made
    const master = await readFile(join(folder, 'master.m3u8'), 'utf8')
    const audio = metadata.audioRendition
    for (const { playlist, codecs, width, height, ...rates } of metadata.renditions) {
      const path = join(folder, playlist)
      const { segments } = parseMediaPlaylist(await readFile(path, 'utf8'))
      const measured = await Promise.all(
        segments.map(
          async ({ uri, durationS }) => ((await stat(join(path, '..', uri))).size * 8) / durationS,
        ),
      )
      expect(rates.peakBitsPerSecond).toBe(Math.ceil(Math.max(...measured)))
      expect(master).toContain(
        `BANDWIDTH=${rates.peakBitsPerSecond + (audio?.peakBitsPerSecond ?? 0)},` +
          `AVERAGE-BANDWIDTH=${rates.averageBitsPerSecond + (audio?.averageBitsPerSecond ?? 0)},` +
          `RESOLUTION=${width}x${height},FRAME-RATE=25.000,CODECS="${codecs},mp4a.40.2",AUDIO="audio"\n${playlist}\n`,
      )
    }
  })

  test('has the same key frame times in every rendition, two seconds apart', () => {
    const { metadata, folder } = made
    const times = metadata.renditions.map(({ playlist }) =>
      look(studio.npm, join(folder, playlist), 'packet=pts_time,flags')
        .split('\n')
        .filter((line) => line.includes('|K'))
        .map((line) => Number(line.split('|')[0])),
    )
    const [first = [], second] = times
    expect(first).toHaveLength(2)
    expect((first[1] ?? 0) - (first[0] ?? 0)).toBeCloseTo(2, 3)
    expect(second).toEqual(first)
  })
})

describe('special videos', () => {
  const shape = async (name: ClipName) => {
    const { metadata, folder } = await studio.transcodeClip(name)
    const [largest] = metadata.renditions
    if (largest === undefined) throw new Error('no renditions')
    return { metadata, folder, largest, size: `${largest.width}x${largest.height}` }
  }

  test('portrait by rotation is upright, and its ladder goes by the short side', async () => {
    const { metadata } = await shape('portrait.mp4')
    expect(metadata.video).toMatchObject({ codedWidth: 640, codedHeight: 360, width: 360, height: 640 })
    expect(metadata.renditions.map(({ name, width, height }) => [name, width, height])).toEqual([
      ['360p', 360, 640],
      ['180p', 180, 320],
    ])
  })

  test('odd sizes and yuv444 become even sizes and yuv420p', async () => {
    const { size, folder, largest } = await shape('odd.mkv')
    expect(size).toBe('240x180')
    expect(look(studio.npm, join(folder, largest.playlist), 'stream=pix_fmt')).toContain('yuv420p')
  })

  test('smaller than every rung: one rendition, not scaled up', async () => {
    const { metadata } = await studio.transcodeClip('short.mp4', {
      renditions: [{ height: 720, maxBitrateKbps: 2000 }],
    })
    expect(metadata.renditions.map(({ name, width, height }) => [name, width, height])).toEqual([
      ['180p', 320, 180],
    ])
  })

  test('pixels that are not square are made square', async () => {
    const { size, metadata } = await shape('anamorphic.mp4')
    expect(metadata.video).toMatchObject({ width: 512, height: 288, sampleAspectRatio: '64:45' })
    expect(size).toBe('320x180')
  })

  test('a varying frame rate becomes constant, in sync', async () => {
    const { metadata, largest } = await shape('varying.mp4')
    expect(metadata.video.variableFrameRate).toBe(true)
    expect(largest.frameRate).toBe(25)
    expect(Math.abs(largest.durationS - 4)).toBeLessThan(0.3)
  })

  test('no audio: a ladder without audio group', async () => {
    const { metadata, folder } = await shape('silent.mp4')
    expect(metadata).toMatchObject({ audio: null, audioRendition: null })
    expect(await readFile(join(folder, 'master.m3u8'), 'utf8')).not.toMatch(/AUDIO|mp4a/)
  })

  test('5.1 becomes stereo', async () => {
    const { metadata } = await shape('surround.mp4')
    expect(metadata.audio).toMatchObject({ channels: 6 })
    expect(metadata.audioRendition).toMatchObject({ channels: 2, sampleRateHz: 48_000 })
  })

  test('interlaced: one frame per field', async () => {
    const { metadata, largest } = await shape('interlaced.mp4')
    expect(metadata.video.interlaced).toBe(true)
    expect(largest.frameRate).toBe(50)
  })

  test('HDR is mapped to bt709', async () => {
    const { metadata, folder, largest } = await shape('hdr.mp4')
    expect(metadata.video.hdr).toBe('pq')
    expect(look(studio.npm, join(folder, largest.playlist), 'stream=color_transfer')).toContain('bt709')
  })

  test('HDR without zscale is done with a warning', async () => {
    const { metadata } = await studio.transcodeClip(
      'hdr.mp4',
      {},
      { tools: { ...studio.npm, toneMaps: false } },
    )
    expect(metadata.warnings).toEqual([expect.objectContaining({ code: 'HDR_NOT_TONE_MAPPED' })])
  })

  test('full-range pictures of a camera get the range of video', async () => {
    const { folder, largest } = await shape('fullrange.avi')
    const seen = look(studio.npm, join(folder, largest.playlist), 'stream=pix_fmt,color_range')
    expect(seen).toContain('yuv420p')
    expect(seen).not.toContain('pc')
  })

  test('a single picture, all that is left of a video, has a poster too', async () => {
    const { largest } = await shape('one-picture.avi')
    expect(largest.frames).toBeLessThanOrEqual(2)
  })

  test('a recording of a browser that says nothing about its duration', async () => {
    const { metadata, largest } = await shape('recorded.webm')
    expect(metadata.durationS).toBeCloseTo(1.96, 1)
    expect(largest.frames).toBeGreaterThanOrEqual(49)
  })

  test.each(['stream.ts', 'program.mpg', 'stream.flv', 'late-video.mkv'] as const)('%s', async (name) => {
    const { metadata, largest } = await shape(name)
    expect(largest.frames).toBeGreaterThanOrEqual(49)
    expect(metadata.audioRendition?.durationS).toBeGreaterThan(1.9)
  })
})

describe('damage', () => {
  test('frames that cannot be decoded: done, with their number as a warning', async () => {
    const { metadata } = await studio.transcodeClip('damaged.mp4')
    expect(metadata.warnings).toEqual([
      expect.objectContaining({ code: 'DAMAGED_FRAMES', count: expect.any(Number) }),
    ])
  })

  test('an end that is missing fails by default, and is a warning with onDamage keep', async () => {
    await expect(studio.transcodeClip('cut-moov-first.mp4')).rejects.toMatchObject({
      code: 'INPUT_TRUNCATED',
      exitCode: 65,
    })
    const { metadata } = await studio.transcodeClip('cut-moov-first.mp4', { onDamage: 'keep' })
    expect(metadata.warnings).toContainEqual(expect.objectContaining({ code: 'INPUT_TRUNCATED' }))
  })
})

describe('ffmpeg that misbehaves', () => {
  /** An ffmpeg of its own making in place of the real one. */
  const impostor = async (script: string) => {
    const path = join(studio.folder, `impostor-${script.length}`)
    await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    return { ...studio.npm, env: { PATH: process.env.PATH ?? '' }, ffmpeg: { ...studio.npm.ffmpeg, path } }
  }

  test('without progress it is stopped and the job tried again', async () => {
    const tools = await impostor('exec sleep 60')
    const startMs = Date.now()
    await expect(studio.transcodeClip('short.mp4', {}, { tools, stallMs: 300 })).rejects.toMatchObject({
      code: 'STALLED',
      exitCode: 75,
    })
    expect(Date.now() - startMs).toBeLessThan(5000)
  })

  test('exit code 0 without files is not success', async () => {
    const tools = await impostor('exit 0')
    await expect(studio.transcodeClip('short.mp4', {}, { tools })).rejects.toMatchObject({
      code: 'OUTPUT_INVALID',
      exitCode: 70,
    })
  })

  test('exit code 0 with emptied files and no room left is a full disk', async () => {
    // Does the work, then leaves what a full disk leaves: empty segments and exit code 0.
    const tools = await impostor(
      `"${studio.npm.ffmpeg.path}" "$@" || exit\nfor last; do :; done\nfind "$(dirname "$(dirname "$last")")" -name '*.m4s' -exec truncate -s 0 {} +`,
    )
    const room = [1e12, 1e6]
    const freeBytes = async () => room.shift() ?? 0
    await expect(studio.transcodeClip('short.mp4', {}, { tools, freeBytes })).rejects.toMatchObject({
      code: 'DISK_FULL',
      exitCode: 75,
    })
  })

  test('is stopped when the work is', async () => {
    const tools = await impostor('exec sleep 60')
    const ending = new AbortController()
    setTimeout(() => ending.abort(new Error('enough')), 300)
    await expect(studio.transcodeClip('short.mp4', {}, { tools, signal: ending.signal })).rejects.toThrow(
      'enough',
    )
  })

  test('finds a disk that is too small before it starts', async () => {
    await expect(studio.transcodeClip('plain.mp4', {}, { freeBytes: async () => 1e8 })).rejects.toMatchObject(
      {
        code: 'DISK_FULL',
      },
    )
  })
})
