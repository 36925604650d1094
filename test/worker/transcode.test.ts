import { mkdtempSync, rmSync } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { transcodeMetadataSchema } from '../../schemas/metadata.ts'
import { parseMediaPlaylist } from '../../worker/media/playlist.ts'
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

describe('ffmpeg that misbehaves', () => {
  /** An ffmpeg of its own making in place of the real one. */
  const impostor = async (script: string) => {
    const path = join(studio.folder, `impostor-${script.length}`)
    await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    return {
      ...studio.tools,
      env: { PATH: process.env.PATH ?? '' },
      ffmpeg: { ...studio.tools.ffmpeg, path },
    }
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

  test('is stopped when the work is', async () => {
    const tools = await impostor('exec sleep 60')
    const ending = new AbortController()
    setTimeout(() => ending.abort(new Error('enough')), 300)
    await expect(studio.transcodeClip('short.mp4', {}, { tools, signal: ending.signal })).rejects.toThrow(
      'enough',
    )
  })
})
