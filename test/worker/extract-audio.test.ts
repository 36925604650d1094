import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { extractAudioResultSchema } from '../../schemas/kinds/extract-audio.ts'
import { WorkerError } from '../../worker/errors.ts'
import { extractAudio } from '../../worker/kinds/extract-audio.ts'
import { inputLimits } from '../../worker/media/limits.ts'
import { probe } from '../../worker/media/probe.ts'
import { clipMaker, npmMediaTools } from '../support/clips.ts'
import { type HandleOptions, type Handling, openHandling } from './handling.ts'
import { allMediaTools } from './media.ts'

const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'extract-audio-'))
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

const tone = (seconds: number, more = '') => [
  '-f',
  'lavfi',
  '-i',
  `sine=frequency=440:duration=${seconds}${more}`,
]
const picture = [
  '-f',
  'lavfi',
  '-i',
  'testsrc2=size=160x90:rate=10:duration=2',
  '-c:v',
  'libx264',
  '-preset',
  'ultrafast',
  '-pix_fmt',
  'yuv420p',
]

/** What is uploaded, by what ffmpeg has to be told, and how. */
const recipes: Record<string, string[]> = {
  mp4: [...tone(2), ...picture, '-c:a', 'aac', '-f', 'mp4'],
  'second track': [
    ...[...tone(2), ...picture, '-map', '1:v', '-map', '0:a', '-map', '0:a', '-c:a', 'aac'],
    ...['-filter:a:0', 'aselect=0', '-f', 'matroska'],
  ],
  'short second track': [
    ...['-f', 'lavfi', '-i', 'color=size=160x90:rate=10:duration=12', ...tone(2)],
    ...['-map', '0:v', '-map', '1:a', '-map', '1:a', '-filter:a:0', 'aselect=0'],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac', '-f', 'matroska'],
  ],
  'sound after 10 s': [
    ...['-f', 'lavfi', '-i', 'color=size=160x90:rate=10:duration=12', '-itsoffset', '10', ...tone(2)],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac', '-f', 'mpegts'],
  ],
  'two tracks': [
    ...tone(2),
    ...tone(2, ':sample_rate=48000'),
    '-map',
    '0',
    '-map',
    '1',
    '-c:a',
    'aac',
    '-f',
    'mp4',
  ],
  surround: [...tone(2, ',aformat=channel_layouts=5.1'), '-c:a', 'aac', '-f', 'mp4'],
  '192 kHz': [...tone(2, ':sample_rate=192000'), '-c:a', 'pcm_s16le', '-f', 'wav'],
  webm: [...tone(2), '-c:a', 'libopus', '-f', 'webm'],
  'matroska with opus': [...tone(2), '-c:a', 'libopus', '-f', 'matroska'],
  'matroska with aac': [...tone(2), ...picture, '-c:a', 'aac', '-f', 'matroska'],
  'transport stream': [...tone(2), ...picture, '-c:a', 'aac', '-f', 'mpegts'],
  'track without sound': [...tone(2), ...picture, '-c:a', 'aac', '-af', 'aselect=0', '-f', 'matroska'],
  'bare aac': [...tone(2), '-c:a', 'aac', '-f', 'adts'],
  'late sound': ['-itsoffset', '1', ...tone(1), ...picture, '-c:a', 'aac', '-f', 'mp4'],
  'late sound of MPEG-TS': ['-itsoffset', '1', ...tone(1), ...picture, '-c:a', 'aac', '-f', 'mpegts'],
  mp3: [...tone(2), '-c:a', 'libmp3lame', '-f', 'mp3'],
  wav: [...tone(2), '-c:a', 'pcm_s16le', '-f', 'wav'],
  flac: [...tone(2), '-c:a', 'flac', '-f', 'flac'],
  ogg: [...tone(2), '-c:a', 'libopus', '-f', 'ogg'],
  'too short': [...tone(0.3), '-c:a', 'pcm_s16le', '-f', 'wav'],
  'no audio': [...picture, '-f', 'mp4'],
}

const made = new Map<string, Promise<Buffer>>()
const content = (recipe: string): Promise<Buffer> => {
  const begun = made.get(recipe) ?? make(recipe)
  made.set(recipe, begun)
  return begun
}
const make = async (recipe: string): Promise<Buffer> => {
  const path = join(folder, recipe)
  await run(npm.ffmpeg.path, ['-y', '-nostdin', '-v', 'error', ...(recipes[recipe] ?? []), path], {
    env: npm.env,
  })
  return readFile(path)
}

const extract = async (key: string, from: string | Buffer, options: HandleOptions = {}) => {
  const input = await handling.workshop.upload(key, typeof from === 'string' ? await content(from) : from)
  const done = await handling.handle(extractAudio, {
    input,
    ...options,
    params: { temporaryPrefix: `work/${encodeURIComponent(key)}/`, ...options.params },
  })
  return { ...done, result: extractAudioResultSchema.parse(done.result) }
}

/** The audio that was made, looked into. */
const look = async (key: string) => {
  const path = join(folder, 'made')
  await handling.storage.download({ bucket: handling.outputs, key }, path, {
    signal: new AbortController().signal,
    admit: async () => undefined,
    onBytes: () => undefined,
  })
  return probe(path, { tools: npm, limits: inputLimits, signal: new AbortController().signal })
}

describe.each(everyTools)('with %s', (_, tools) => {
  test.each<[string, string, string]>([
    ['a.b.MP4', 'mp4', 'mp4'],
    ['no-extension', 'mp4', 'mp4'],
    ['wrong-extension.wav', 'mp4', 'mp4'],
    ['music.mp3', 'mp3', 'mp3'],
    ['speech.mp4', 'wav', 'wav'],
    ['speech.flac', 'flac', 'flac'],
    ['speech.ogg', 'ogg', 'ogg'],
    ['browser recording.webm', 'webm', 'webm'],
  ])('%s, in truth %s: goes straight in as %s', async (key, recipe, format) => {
    const { result, files } = await extract(key, recipe, { tools })
    expect(result).toMatchObject({
      media: { bucket: handling.uploads, key, format },
      way: 'as-is',
      isTemporary: false,
      durationS: expect.closeTo(2, 1),
      warnings: [],
    })
    expect(files).toEqual([])
    expect(await handling.workshop.outputs(`work/${encodeURIComponent(key)}/`)).toEqual([])
  })

  test.each<[string, 'copied' | 'converted', string, string]>([
    ['matroska with aac', 'copied', 'm4a', 'aac'],
    ['matroska with opus', 'copied', 'ogg', 'opus'],
    ['transport stream', 'copied', 'm4a', 'aac'],
    ['bare aac', 'copied', 'm4a', 'aac'],
    ['two tracks', 'copied', 'm4a', 'aac'],
    ['second track', 'copied', 'm4a', 'aac'],
    ['surround', 'converted', 'flac', 'flac'],
    ['192 kHz', 'converted', 'flac', 'flac'],
  ])('%s: %s into a temporary %s', async (recipe, way, format, codec) => {
    const { result, files, stages } = await extract(recipe, recipe, { tools })
    const key = `work/${encodeURIComponent(recipe)}/audio.${format}`
    expect(result).toMatchObject({ media: { bucket: handling.outputs, key, format }, way, isTemporary: true })
    // What is removed afterwards is no output.
    expect(files).toEqual([])
    expect(stages).toContain('extract')
    const { audio, durationS, streams } = await look(key)
    expect(streams.map(({ type }) => type)).toEqual(['audio'])
    expect(audio).toMatchObject(
      way === 'converted' ? { codec, channels: 1, sampleRateHz: 16_000 } : { codec, channels: 1 },
    )
    expect(durationS).toBeCloseTo(2, 0)
    expect(result.durationS).toBeCloseTo(2, 0)
    if (recipe === 'two tracks') expect(result.warnings[0]?.code).toBe('AUDIO_STREAMS_LEFT_OUT')
  })

  test.each([
    ['late.mp4', 'late sound'],
    ['late.ts', 'late sound of MPEG-TS'],
  ])('sound that begins late is heard as late as it was: %s', async (name, recipe) => {
    const { result } = await extract(name, recipe, { tools })
    expect(result.way).toBe('converted')
    const path = join(folder, 'made')
    await look(result.media?.key ?? '')
    const { stderr } = await run(
      tools.ffmpeg.path,
      ['-nostdin', '-hide_banner', '-i', path, '-af', 'silencedetect=n=-35dB:d=0.3', '-f', 'null', '-'],
      { env: tools.env },
    )
    expect(Number(/silence_end: ([\d.]+)/.exec(stderr)?.[1])).toBeCloseTo(1, 1)
  })
})

test('a second track that is shorter than the pictures is not held to their length', async () => {
  const { result } = await extract('short-second.mkv', 'short second track')
  expect(result).toMatchObject({ way: 'copied', warnings: [{ code: 'AUDIO_EMPTY' }] })
  expect(result.warnings).toHaveLength(1)
  expect(result.durationS).toBeCloseTo(2, 0)
})

test('which of several tracks was used is said as it is', async () => {
  const known = await readFile(await clipMaker(folder, npm)('two-languages.mov'), 'latin1')
  const first = await extract('known.mov', Buffer.from(known, 'latin1'))
  const second = await extract('unknown-first.mov', Buffer.from(known.replace('sowt', 'zzzz'), 'latin1'))
  expect([first, second].map(({ result }) => result.warnings.map(({ message }) => message))).toEqual([
    ['Only the first of several audio streams was used.'],
    ['Only the first readable one of several audio streams was used.'],
  ])
})

test('sound that begins after ffmpeg has stopped looking for it is heard all the same', async () => {
  const { result } = await extract('very-late.ts', 'sound after 10 s')
  expect(result).toMatchObject({ way: 'converted', warnings: [] })
  expect(result.durationS).toBeCloseTo(12, 0)
})

describe('no audio', () => {
  test('65, and what is in it instead', async () => {
    await expect(extract('silent.mp4', 'no audio')).rejects.toMatchObject({
      code: 'NO_AUDIO_STREAM',
      exitCode: 65,
      message: expect.stringContaining('it has only video'),
    })
  })

  test('a sound track that nothing was ever written to is none', async () => {
    await expect(extract('quiet.mkv', 'track without sound')).rejects.toMatchObject({
      code: 'NO_AUDIO_STREAM',
      exitCode: 65,
      message: expect.stringMatching(/it has only (video, empty audio|empty audio, video)/),
    })
  })

  test('succeeds with nothing where that is asked for', async () => {
    const { result } = await extract('silent.mp4', 'no audio', { params: { withoutAudio: 'succeed' } })
    expect(result).toMatchObject({
      media: null,
      way: 'none',
      isTemporary: false,
      durationS: expect.closeTo(2, 1),
    })
  })
})

describe('what cannot be done', () => {
  test('too short: 65', async () => {
    await expect(extract('short.wav', 'too short')).rejects.toMatchObject({
      code: 'AUDIO_TOO_SHORT',
      exitCode: 65,
    })
  })

  test.each<[string, Buffer, string, RegExp]>([
    ['empty', Buffer.alloc(0), 'INPUT_EMPTY', /empty/],
    ['zeros', Buffer.alloc(50_000), 'INPUT_UNREADABLE', /only zeros/],
    ['a text', Buffer.from('Dear editor,'), 'INPUT_UNREADABLE', /a text/],
    [
      'a playlist',
      Buffer.from('#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n'),
      'INPUT_FORMAT_REFUSED',
      /a playlist/,
    ],
  ])('%s: 65', async (_, bytes, code, message) => {
    await expect(extract('hostile.mp4', bytes)).rejects.toMatchObject({
      code,
      exitCode: 65,
      message: expect.stringMatching(message),
    })
  })

  test('an upload that was cut off: 65', async () => {
    const whole = await readFile(await clipMaker(folder, npm)('moov-last.mp4'))
    await expect(extract('cut.mp4', whole.subarray(0, whole.length / 2))).rejects.toMatchObject({
      code: 'INPUT_UNREADABLE',
      exitCode: 65,
    })
  })

  test('an upload that was replaced meanwhile: 66', async () => {
    const first = await handling.workshop.upload('replaced.mkv', await content('matroska with aac'))
    await handling.workshop.upload('replaced.mkv', await content('mp3'))
    await expect(
      handling.handle(extractAudio, { input: first, params: { temporaryPrefix: 'work/r/' } }),
    ).rejects.toMatchObject({ code: 'INPUT_CHANGED', exitCode: 66 })
  })

  test('an upload that is gone: 66', async () => {
    const input = { bucket: handling.uploads, key: 'never-there.mp4' }
    await expect(
      handling.handle(extractAudio, { input, params: { temporaryPrefix: 'work/r/' } }),
    ).rejects.toMatchObject({ code: 'INPUT_MISSING', exitCode: 66 })
  })

  test('parameters that are wrong are named', async () => {
    await expect(extract('x.mp4', 'mp4', { params: { temporaryPrefix: '/slash' } })).rejects.toMatchObject({
      code: 'RECORD_INVALID',
      message: expect.stringContaining('settings.params.temporaryPrefix'),
    })
  })

  test('S3 that breaks in the middle is the reason, not what ffmpeg makes of it', async () => {
    const input = await handling.workshop.upload('breaks.mkv', await content('matroska with aac'))
    let ranges = 0
    const storage = {
      ...handling.storage,
      openRange: (...args: Parameters<typeof handling.storage.openRange>) => {
        ranges += 1
        // The probe reads; the work does not.
        if (ranges > 1) throw new WorkerError('STORAGE_UNAVAILABLE', 'broken for the test')
        return handling.storage.openRange(...args)
      },
    }
    await expect(
      handling.handle(extractAudio, { input, storage, params: { temporaryPrefix: 'work/b/' } }),
    ).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', exitCode: 69 })
  })

  test.each<[string, (part: Readable) => Readable]>([
    ['is out of order for a moment', () => throwing(new WorkerError('STORAGE_UNAVAILABLE', 'for a moment'))],
    ['breaks off in the middle of an answer', (part) => brokenAfter(part, 5000)],
  ])('S3 that %s is asked again, and nothing is lost', async (what, damage) => {
    const input = await handling.workshop.upload('shaky.mkv', await content('matroska with aac'))
    let ranges = 0
    const storage = {
      ...handling.storage,
      openRange: async (...args: Parameters<typeof handling.storage.openRange>) => {
        ranges += 1
        const part = await handling.storage.openRange(...args)
        // The probe reads; then comes the work.
        return ranges === 2 ? damage(part) : part
      },
    }
    const params = { temporaryPrefix: `work/${what.length}/` }
    const { result } = await handling.handle(extractAudio, { input, storage, params })
    expect(ranges).toBeGreaterThan(2)
    expect(extractAudioResultSchema.parse(result)).toMatchObject({
      durationS: expect.closeTo(2, 1),
      warnings: [],
    })
  })

  test('the end of the work ends ffmpeg', async () => {
    const input = await handling.workshop.upload('ended.mkv', await content('matroska with aac'))
    const signal = AbortSignal.abort(new WorkerError('INTERRUPTED'))
    await expect(
      handling.handle(extractAudio, { input, signal, params: { temporaryPrefix: 'work/e/' } }),
    ).rejects.toMatchObject({ code: 'INTERRUPTED' })
  })
})

const throwing = (error: Error): never => {
  throw error
}

const brokenAfter = (part: Readable, bytes: number): Readable => {
  let passed = 0
  const breaking = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      passed += chunk.length
      if (passed <= bytes) done(null, chunk)
      else {
        breaking.push(chunk.subarray(0, chunk.length - (passed - bytes)))
        setTimeout(() => breaking.destroy(new Error('connection reset')), 50)
      }
    },
  })
  return part.pipe(breaking)
}

test('no copy of the input is made on the disk', async () => {
  const { leftovers } = await extract('disk.mkv', 'matroska with aac')
  expect(leftovers).toEqual(['audio.m4a'])
})
