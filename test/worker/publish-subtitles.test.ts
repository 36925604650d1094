import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { parse } from '@plussub/srt-vtt-parser'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebVTTParser } from 'webvtt-parser'
import { publishSubtitlesResultSchema } from '../../schemas/kinds/publish-subtitles.ts'
import { manifestSchema } from '../../schemas/manifest.ts'
import { WorkerError } from '../../worker/errors.ts'
import { publishSubtitles } from '../../worker/kinds/publish-subtitles.ts'
import { masterPlaylist } from '../../worker/media/playlist.ts'
import {
  fileOf,
  firstVariant,
  subtitlePlaylist,
  trackFolder,
  withFiles,
  withSubtitles,
} from '../../worker/text/hls-subtitles.ts'
import { npmMediaTools } from '../support/clips.ts'
import { awsTranscript, longTalk, type Said } from '../support/transcripts.ts'
import { type Handling, openHandling } from './handling.ts'

let handling: Handling
beforeAll(async () => {
  handling = await openHandling()
})
afterAll(() => handling.close())

const said: Said[] = [
  { who: 'spk_0', text: 'Is the old harbour wall still standing?' },
  { who: 'spk_1', text: 'Yes, and the boats are safe.', pauseS: 1.5 },
]
let transcripts = 0
const publish = async (
  spoken: readonly Said[] | string,
  params: Record<string, unknown> = {},
  output?: string,
) => {
  transcripts += 1
  const text = typeof spoken === 'string' ? spoken : awsTranscript(spoken).text
  const transcript = await handling.putOutput(`work/${transcripts}/transcript.json`, text)
  const done = await handling.handle(publishSubtitles, {
    ...(output === undefined ? {} : { output }),
    params: { transcript, name: 'talk.one', ...params },
  })
  return { ...done, result: publishSubtitlesResultSchema.parse(done.result) }
}
const textAt = async (key: string) => (await handling.workshop.output(key)).content.toString()

describe('subtitles', () => {
  test('are named after the input, in both formats, with what they are in the manifest', async () => {
    const { files, output, result } = await publish(said)
    expect(result).toEqual({
      manifest: `${output}manifest.json`,
      srt: `${output}talk.one.srt`,
      vtt: `${output}talk.one.vtt`,
      language: 'en-US',
      cues: 2,
      words: 13,
      speakers: 2,
    })
    expect(files.map(({ key, role, contentType }) => [key, role, contentType])).toEqual([
      [`${output}talk.one.srt`, 'subtitles', 'application/x-subrip'],
      [`${output}talk.one.vtt`, 'subtitles', 'text/vtt; charset=utf-8'],
    ])
    const { entries } = parse(await textAt(`${output}talk.one.srt`))
    expect(entries.map(({ text }: { text: string }) => text)).toEqual([
      'Is the old harbour wall still standing?',
      '- Yes, and the boats are safe.',
    ])
    const { cues, errors } = new WebVTTParser().parse(await textAt(`${output}talk.one.vtt`), 'subtitles')
    expect([cues.length, errors]).toEqual([2, []])
  })

  test('only in the format that was asked for', async () => {
    const { files, result } = await publish(said, { formats: ['vtt'] })
    expect(files).toHaveLength(1)
    expect(result.srt).toBeUndefined()
  })

  test('in the language that was given, whatever was heard', async () => {
    expect((await publish(said, { language: 'en-GB' })).result.language).toBe('en-GB')
  })

  test('of nobody speaking are empty and valid, and the result says so', async () => {
    const { output, result } = await publish([])
    expect(result).toMatchObject({ cues: 0, words: 0, speakers: 0 })
    expect((await textAt(`${output}talk.one.srt`)).trim()).toBe('')
    expect(await textAt(`${output}talk.one.vtt`)).toBe('WEBVTT\n')
  })

  test('of two uploads at once are not mixed up', async () => {
    const one = [{ text: 'This is the first one.' }]
    const two = [{ text: 'This is the second one.' }]
    const [first, second] = await Promise.all([publish(one), publish(two)])
    expect(await textAt(first.result.srt ?? '')).toContain('first')
    expect(await textAt(second.result.srt ?? '')).toContain('second')
  })

  test('may have a name that would be an odd one on a disk', async () => {
    const { result } = await publish(said, { name: '-rf ~ café *' })
    expect(await textAt(result.srt ?? '')).toContain('harbour')
  })

  test.each([['a/b'], ['..'], [''], ['two\nlines']])('may not be named %j', async (name) => {
    await expect(publish(said, { name })).rejects.toMatchObject({
      code: 'RECORD_INVALID',
      message: expect.stringContaining('settings.params.name'),
    })
  })

  test('of something that is no transcript: 65', async () => {
    await expect(publish('<html>')).rejects.toMatchObject({ code: 'TRANSCRIPT_INVALID', exitCode: 65 })
  })

  test('of a transcript that is gone: 66', async () => {
    await expect(
      publish(said, { transcript: { bucket: handling.outputs, key: 'work/never/transcript.json' } }),
    ).rejects.toMatchObject({ code: 'INPUT_MISSING', exitCode: 66 })
  })
})

const variant = {
  uri: '360p/index.m3u8',
  width: 640,
  height: 360,
  frameRate: 25,
  codecs: 'avc1.64001e',
  peakBitsPerSecond: 900,
  averageBitsPerSecond: 800,
}
const audio = {
  uri: 'audio/index.m3u8',
  codecs: 'mp4a.40.2',
  channels: 2,
  peakBitsPerSecond: 100,
  averageBitsPerSecond: 90,
}
const master = masterPlaylist([variant, { ...variant, uri: '180p/index.m3u8' }], audio)
const track = { language: 'en-US', uri: 'subtitles/en-US/index.m3u8' }

describe('a master playlist', () => {
  const linesOf = (text: string | undefined, start: string) =>
    (text ?? '').split('\n').filter((line) => line.startsWith(start))

  test('is given a track, and every rendition names its group', () => {
    const edited = withSubtitles(master, track)
    expect(linesOf(edited, '#EXT-X-MEDIA:TYPE=SUBTITLES')).toEqual([
      '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subtitles",NAME="American English",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,LANGUAGE="en-US",URI="subtitles/en-US/index.m3u8"',
    ])
    const streams = linesOf(edited, '#EXT-X-STREAM-INF')
    expect(streams).toHaveLength(2)
    for (const stream of streams) expect(stream).toMatch(/,AUDIO="audio",SUBTITLES="subtitles"$/)
    // Nothing else is touched.
    expect(
      (edited ?? '').replace(/#EXT-X-MEDIA:TYPE=SUBTITLES.*\n/, '').replaceAll(',SUBTITLES="subtitles"', ''),
    ).toBe(master)
  })

  test('that has the track already is the same afterwards', () => {
    const once = withSubtitles(master, track) ?? ''
    expect(withSubtitles(once, track)).toBe(once)
  })

  test('keeps a track of another language, with a name of its own', () => {
    const first = withSubtitles(master, track) ?? ''
    const both = withSubtitles(first, { language: undefined, uri: 'subtitles/und/index.m3u8' }) ?? ''
    const three = withSubtitles(both, { language: 'en-US', uri: 'subtitles/other/index.m3u8' }) ?? ''
    expect(
      linesOf(three, '#EXT-X-MEDIA:TYPE=SUBTITLES').map((line) => /NAME="([^"]+)"/.exec(line)?.[1]),
    ).toEqual(['American English', 'Subtitles', 'American English 2'])
    expect(
      linesOf(three, '#EXT-X-MEDIA:TYPE=SUBTITLES').filter((line) => line.includes('AUTOSELECT=YES')),
    ).toHaveLength(1)
  })

  test.each([
    ['a media playlist', '#EXTM3U\n#EXTINF:6,\na.ts\n'],
    ['a text', 'hello'],
    ['nothing', ''],
  ])('%s is none', (_, text) => {
    expect(withSubtitles(text, track)).toBeUndefined()
  })

  test('names its first rendition', () => {
    expect(firstVariant(master)).toBe('360p/index.m3u8')
    expect(firstVariant('#EXTM3U\n')).toBeUndefined()
  })
})

test.each([
  ['en-US', 'subtitles/en-US/'],
  [undefined, 'subtitles/und/'],
])('a track in %s lies in %s', (language, folder) => {
  expect(trackFolder(language)).toBe(folder)
})

test('a manifest knows of files that were added and replaced', () => {
  const file = (key: string, text: string) => fileOf(key, text, { contentType: 'text/plain', role: 'master' })
  const manifest = {
    schemaVersion: 1,
    jobId: 'j',
    kind: 'transcode',
    fence: 'u/1/1',
    finishedAt: '2026-11-22T10:00:00.000Z',
    files: [file('a', 'old'), file('b', 'b')],
  }
  const edited = manifestSchema.parse(
    JSON.parse(withFiles(JSON.stringify(manifest), [file('c', 'c'), file('a', 'new')], 'other') ?? ''),
  )
  // What was there stays the file of its job, whoever has changed it.
  const added = { ...file('c', 'c'), by: 'other' }
  expect(edited).toEqual({ ...manifest, files: [file('b', 'b'), added, file('a', 'new')] })
  const again = manifestSchema.parse(
    JSON.parse(withFiles(JSON.stringify(edited), [file('c', 'newer'), file('a', 'newer')], 'other') ?? ''),
  )
  expect(again.files).toEqual([file('b', 'b'), { ...file('c', 'newer'), by: 'other' }, file('a', 'newer')])
  expect(withFiles('{}', [], 'other')).toBeUndefined()
  expect(withFiles('no JSON', [], 'other')).toBeUndefined()
})

describe('subtitles in the HLS output of a transcode', () => {
  let outputs = 0
  const putHls = async (over: Record<string, string> = {}) => {
    outputs += 1
    const prefix = `results/hls-${outputs}/`
    const media =
      '#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6.0,\na.m4s\n#EXTINF:4.5,\nb.m4s\n#EXT-X-ENDLIST\n'
    const texts = { 'master.m3u8': master, '360p/index.m3u8': media, ...over }
    const manifest = {
      schemaVersion: 1,
      jobId: 'transcode-1',
      kind: 'transcode',
      fence: 'u/1/1',
      finishedAt: '2026-11-22T10:00:00.000Z',
      files: [
        fileOf(`${prefix}master.m3u8`, texts['master.m3u8'], {
          contentType: 'application/vnd.apple.mpegurl',
          role: 'master',
        }),
      ],
    }
    for (const [name, text] of Object.entries({ 'manifest.json': JSON.stringify(manifest), ...texts }))
      await handling.putOutput(`${prefix}${name}`, text)
    return prefix
  }

  test('are as long as the pictures, named by the master playlist and vouched for by the manifest', async () => {
    const prefix = await putHls()
    const { result } = await publish(said, { hlsPrefix: prefix })
    expect(result.master).toBe(`${prefix}master.m3u8`)
    expect(await textAt(`${prefix}subtitles/en-US/index.m3u8`)).toBe(subtitlePlaylist('subtitles.vtt', 10.5))
    expect(await textAt(`${prefix}subtitles/en-US/subtitles.vtt`)).toMatch(
      /^WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n00:00/,
    )
    const { files } = manifestSchema.parse(JSON.parse(await textAt(`${prefix}manifest.json`)))
    expect(files.map(({ key }) => key.slice(prefix.length))).toEqual([
      'subtitles/en-US/subtitles.vtt',
      'subtitles/en-US/index.m3u8',
      'master.m3u8',
    ])
    for (const { key, sha256, contentType, role } of files)
      expect(fileOf(key, await textAt(key), { contentType, role }).sha256).toBe(sha256)
  })

  test('once more change nothing', async () => {
    const prefix = await putHls()
    await publish(said, { hlsPrefix: prefix })
    const before = await textAt(`${prefix}master.m3u8`)
    await publish(said, { hlsPrefix: prefix })
    expect(await textAt(`${prefix}master.m3u8`)).toBe(before)
    expect(manifestSchema.parse(JSON.parse(await textAt(`${prefix}manifest.json`))).files).toHaveLength(3)
  })

  test('are left as they are by a task that was replaced meanwhile', async () => {
    const prefix = await putHls()
    const names = ['master.m3u8', 'manifest.json']
    const before = await Promise.all(names.map((name) => textAt(`${prefix}${name}`)))
    const transcript = await handling.putOutput('work/replaced/transcript.json', awsTranscript(said).text)
    await expect(
      handling.handle(publishSubtitles, {
        params: { transcript, name: 'talk.one', hlsPrefix: prefix },
        confirm: () => Promise.reject(new WorkerError('FENCED_OUT')),
      }),
    ).rejects.toMatchObject({ code: 'FENCED_OUT', exitCode: 76 })
    expect(await Promise.all(names.map((name) => textAt(`${prefix}${name}`)))).toEqual(before)
  })

  test('in many languages at the same time: none is lost', async () => {
    const prefix = await putHls()
    const languages = ['en-US', 'de-DE', 'fr-FR', 'ja-JP']
    await Promise.all(languages.map((language) => publish(said, { hlsPrefix: prefix, language })))
    const text = await textAt(`${prefix}master.m3u8`)
    for (const language of languages) expect(text).toContain(`LANGUAGE="${language}"`)
    const { files } = manifestSchema.parse(JSON.parse(await textAt(`${prefix}manifest.json`)))
    expect(files).toHaveLength(9)
    expect(files.find(({ role }) => role === 'master')?.bytes).toBe(Buffer.byteLength(text))
  })

  test.each<[string, Record<string, string>, RegExp]>([
    ['a master playlist that is none', { 'master.m3u8': 'hello' }, /master\.m3u8: it names no rendition/],
    [
      'a rendition elsewhere',
      { 'master.m3u8': master.replace('360p/index.m3u8', '../other/index.m3u8') },
      /no rendition of its own/,
    ],
    [
      'a rendition without an end',
      { '360p/index.m3u8': '#EXTM3U\n#EXTINF:6,\na.m4s\n' },
      /360p\/index\.m3u8: it has no end/,
    ],
    ['a manifest that is none', { 'manifest.json': '[]' }, /manifest\.json: it is no manifest/],
  ])('%s: 65 and which file', async (_, over, message) => {
    await expect(publish(said, { hlsPrefix: await putHls(over) })).rejects.toMatchObject({
      code: 'PLAYLIST_INVALID',
      exitCode: 65,
      message: expect.stringMatching(message),
    })
  })

  test('no output there: 66', async () => {
    await expect(publish(said, { hlsPrefix: 'results/nothing/' })).rejects.toMatchObject({
      code: 'INPUT_MISSING',
    })
  })
})

test('ffmpeg still plays the pictures, and reads every subtitle out of the track', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hls-subtitles-'))
  try {
    const tools = await npmMediaTools(folder)
    const run = promisify(execFile)
    const path = (name: string) => join(folder, name)
    await mkdir(path('360p'))
    await run(
      tools.ffmpeg.path,
      [
        '-v',
        'error',
        '-f',
        'lavfi',
        '-i',
        'testsrc2=size=320x180:rate=25:duration=12',
        '-c:v',
        'libx264',
        '-preset',
        'ultrafast',
        '-pix_fmt',
        'yuv420p',
        '-f',
        'hls',
        '-hls_playlist_type',
        'vod',
        '-hls_segment_type',
        'fmp4',
        path('360p/index.m3u8'),
      ],
      { env: tools.env },
    )
    const prefix = 'results/played/'
    const plain = masterPlaylist([{ ...variant, width: 320, height: 180 }], null)
    await handling.putOutput(`${prefix}master.m3u8`, plain)
    await handling.putOutput(`${prefix}360p/index.m3u8`, await readFile(path('360p/index.m3u8')))
    await handling.putOutput(
      `${prefix}manifest.json`,
      JSON.stringify({
        schemaVersion: 1,
        jobId: 'j',
        kind: 'transcode',
        fence: 'u/1/1',
        finishedAt: '2026-11-22T10:00:00.000Z',
        files: [],
      }),
    )
    const { result } = await publish(longTalk(5), { hlsPrefix: prefix })
    for (const name of ['master.m3u8', 'subtitles/en-US/index.m3u8', 'subtitles/en-US/subtitles.vtt']) {
      await mkdir(dirname(path(name)), { recursive: true })
      await writeFile(path(name), await textAt(`${prefix}${name}`))
    }
    const packetsOf = async (name: string) => {
      const show = ['-count_packets', '-show_entries', 'stream=codec_name,nb_read_packets', '-of', 'json']
      const lists = name.endsWith('.m3u8') ? ['-allowed_extensions', 'ALL'] : []
      const { stdout } = await run(tools.ffprobe.path, ['-v', 'error', ...lists, ...show, path(name)], {
        env: tools.env,
      })
      return (JSON.parse(stdout) as { streams: unknown }).streams
    }
    // ffmpeg leaves subtitles of a master playlist alone; the pictures must still be played.
    expect(await packetsOf('master.m3u8')).toEqual([{ codec_name: 'h264', nb_read_packets: '300' }])
    expect(await packetsOf('subtitles/en-US/subtitles.vtt')).toEqual([
      { codec_name: 'webvtt', nb_read_packets: String(result.cues) },
    ])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
