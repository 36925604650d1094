import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import WaveformData from 'waveform-data'
import { audioParamsSchema } from '../../schemas/kinds/audio.ts'
import { type ConvertOptions, convertAudio } from '../../worker/audio/convert.ts'
import { requireAudio } from '../../worker/audio/plan.ts'
import { WorkerError } from '../../worker/errors.ts'
import { audio } from '../../worker/kinds/audio.ts'
import { inputGuard, inputLimits } from '../../worker/media/limits.ts'
import { probe } from '../../worker/media/probe.ts'
import { playlistOf } from '../support/clips.ts'
import { openAudioStudio, quiet, type Recipe, rms, secondsOf } from './audio-studio.ts'

// What is uploaded as audio: odd, broken, hostile, or not audio at all.

vi.setConfig({ testTimeout: 60_000 })

let studio: Awaited<ReturnType<typeof openAudioStudio>>
beforeAll(async () => {
  studio = await openAudioStudio()
})
afterAll(() => studio.close())

const wavOnly = { formats: ['wav'], waveform: false }

describe('what sounds', () => {
  test.each<[Recipe, number]>([
    ['m4a', 4],
    ['flac', 4],
    ['ogg', 4],
    ['mp3', 4],
    ['webm', 4],
    ['video', 4],
    ['with a cover', 4],
    ['rf64', 4],
    ['short', 0.1],
    ['mp3 that does not say how long it is', 8],
    ['bare aac', 8],
  ])('%s: all of it, and no more', async (recipe, seconds) => {
    const job = await studio.convert('heard.bin', recipe, { params: { formats: ['wav', 'mp3'] } })
    expect(job.metadata.resultS).toBeGreaterThan(seconds - 0.03)
    // A frame of an encoder, or two, that cannot be told from what was meant.
    expect(job.metadata.resultS).toBeLessThan(seconds + 0.08)
    expect(job.metadata.warnings).toEqual([])
    expect(job.names).toEqual([
      ...['heard.wav', 'heard.mp3', 'heard.peaks.json', 'heard.waveform.png', 'metadata.json'],
    ])
  })

  /** Two files behind one another, as radio stations and people who join files make them. */
  test.each<[Recipe, Recipe, number, string]>([
    ['mp3 of few bits', 'mp3', 12, 'fail'],
    ['mp3', 'mp3 of few bits', 12, 'keep'],
    ['mp3', 'bare mp3', 8, 'fail'],
    ['ogg', 'longer ogg', 12, 'fail'],
    ['longer ogg', 'ogg', 12, 'keep'],
  ])('%s and %s behind one another: both of them', async (first, second, seconds, onDamage) => {
    const joined = Buffer.concat([await studio.content(first), await studio.content(second)])
    const job = await studio.convert('joined.bin', joined, { params: { ...wavOnly, onDamage } })
    expect(secondsOf(await studio.samplesOf(job, 'joined.wav'))).toBeCloseTo(seconds, 0)
    // The second says what it is where sound is expected; that is no damage.
    expect(job.metadata.warnings).toEqual([])
  })

  test.each([
    ['in the first', 20_000],
    ['in the last', 150_000],
  ])(
    'of three mp3s behind one another, damage %s is told, and the tags between them are not',
    async (_, at) => {
      const parts: Recipe[] = ['mp3 of few bits', 'mp3', 'mp3 of few bits']
      const joined = Buffer.concat(await Promise.all(parts.map(studio.content)))
      joined.fill(0xa5, at, at + 2000)
      const job = await studio.convert('joined.bin', joined, { params: wavOnly })
      expect(job.metadata.warnings.map(({ code }) => code)).toEqual(['DAMAGED_FRAMES'])
    },
  )

  test.each([
    ['SoX', 0x7fff_f000],
    ['arecord', 0x8000_0000],
    ['ffmpeg', 0xffff_ffff],
  ])('a wav that %s wrote to a pipe, with a size that it did not know, is whole', async (_, size) => {
    const wav = Buffer.from(await studio.content('tone'))
    wav.writeUInt32LE(Math.min(0xffff_ffff, size + 36), 4)
    wav.writeUInt32LE(size, wav.indexOf('data') + 4)
    const job = await studio.convert('piped.wav', wav, { params: wavOnly })
    expect(job.metadata.resultS).toBeCloseTo(4, 2)
    expect(job.metadata.warnings).toEqual([])
  })

  test('an mp3 with more behind its sound than in it is neither cut off nor damaged', async () => {
    const cover = Buffer.concat([await studio.content('mp3'), Buffer.alloc(200_000, 0x55)])
    const job = await studio.convert('cover.mp3', cover, { params: wavOnly })
    expect(job.metadata.resultS).toBeCloseTo(4, 0)
  })

  test.each<[Recipe, number, Record<string, unknown>]>([
    ['late sound', 1.5, {}],
    ['late sound of MPEG-TS', 1.5, {}],
    ['late sound of MPEG-TS', 1.5, { loudness: {} }],
    ['late sound of MPEG-PS', 1.5, {}],
    ['late sound of Ogg', 1.5, {}],
    ['sound after 10 s of MPEG-TS', 10, {}],
    ['sound after 10 s of MPEG-TS', 10, { loudness: {} }],
    ['sound after 10 s of MPEG-PS', 10, {}],
  ])(
    'sound that begins late in a video begins as late in the output: %s (%s s), %j',
    async (recipe, lateS, more) => {
      const job = await studio.convert('late.bin', recipe, { params: { ...wavOnly, ...more } })
      const samples = await studio.samplesOf(job, 'late.wav')
      expect(secondsOf(samples)).toBeCloseTo(lateS + 2, 1)
      expect(rms(samples, 0, lateS - 0.05)).toBe(0)
      expect(rms(samples, lateS + 0.1, lateS + 1.9)).toBeGreaterThan(1000)
      expect(job.metadata.audio.startS).toBeCloseTo(lateS, 1)
      expect(job.metadata.warnings).toEqual([])
    },
  )

  test('a hole in the time stamps is silence in the output', async () => {
    const job = await studio.convert('hole.mkv', 'sound with a hole', { params: wavOnly })
    const samples = await studio.samplesOf(job, 'hole.wav')
    expect(secondsOf(samples)).toBeCloseTo(4, 1)
    expect(rms(samples, 0.1, 0.9)).toBeGreaterThan(1000)
    expect(rms(samples, 1.2, 2.3)).toBe(0)
    expect(rms(samples, 2.7, 3.9)).toBeGreaterThan(1000)
  })

  test('six loud channels become two that are not louder than full scale', async () => {
    const job = await studio.convert('surround.mp4', 'surround', { params: wavOnly })
    const [output] = job.metadata.outputs
    expect(output?.channels).toBe(2)
    const samples = await studio.samplesOf(job, 'surround.wav')
    expect(samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0)).toBeLessThan(32_767)
    expect(rms(samples, 1, 3)).toBeGreaterThan(5000)
  })

  test.each([
    ['mono', 1],
    ['stereo', 2],
  ])('%s on request', async (channels, count) => {
    const job = await studio.convert('mixed.wav', channels === 'mono' ? 'stereo' : 'tone', {
      params: { formats: ['flac'], waveform: false, channels },
    })
    expect(job.metadata.outputs[0]?.channels).toBe(count)
  })

  test('24 bits on request, and bit rates that were asked for', async () => {
    const job = await studio.convert('rates.wav', '96 kHz', {
      params: {
        formats: ['wav', 'flac', 'mp3', 'opus'],
        bitsPerSample: 24,
        bitrateKbps: { mp3: 192, opus: 32 },
        waveform: false,
      },
    })
    const look = JSON.parse(await studio.look(job, 'rates.flac')) as { streams: Record<string, string>[] }
    expect(look.streams[0]?.bits_per_raw_sample).toBe('24')
    expect(job.metadata.outputs[0]?.codec).toBe('pcm_s24le')
    expect(job.metadata.outputs[2]?.bitsPerSecond).toBeGreaterThan(185_000)
    expect(job.metadata.outputs[2]?.bitsPerSecond).toBeLessThan(205_000)
    expect(job.metadata.outputs[3]?.bitsPerSecond).toBeLessThan(40_000)
  })

  test('only the first of several tracks is used, which is said', async () => {
    const job = await studio.convert('tracks.mp4', 'two tracks', { params: quiet })
    expect(job.metadata.warnings.map(({ code }) => code)).toEqual(['AUDIO_STREAMS_LEFT_OUT'])
  })

  test.each<[Recipe, Record<string, unknown>, string]>([
    ['second microphone', {}, 'AUDIO_EMPTY'],
    ['second microphone', { loudness: {} }, 'AUDIO_EMPTY'],
    ['second microphone without pictures', {}, 'AUDIO_EMPTY'],
    ['second microphone of MPEG-TS', {}, 'AUDIO_STREAMS_LEFT_OUT'],
  ])(
    'the first track with sound in it is used, not an empty one before it: %s, %j',
    async (recipe, more, code) => {
      const job = await studio.convert('microphone.bin', recipe, { params: { ...wavOnly, ...more } })
      const samples = await studio.samplesOf(job, 'microphone.wav')
      expect(secondsOf(samples)).toBeCloseTo(4, 1)
      expect(rms(samples, 0.1, 3.9)).toBeGreaterThan(1000)
      expect(job.metadata.warnings.map((warning) => warning.code)).toEqual([code])
      expect(job.metadata.tags).toEqual(recipe.endsWith('MPEG-TS') ? {} : { artist: 'Somebody' })
    },
  )

  test('a track of a format that nobody knows leaves the place to the next one, which is said', async () => {
    const known = await studio.content('two languages')
    const unknown = Buffer.from(known.toString('latin1').replaceAll('sowt', 'zzzz'), 'latin1')
    const job = await studio.convert('languages.mov', unknown, { params: wavOnly })
    expect(rms(await studio.samplesOf(job, 'languages.wav'), 0.1, 3.9)).toBeGreaterThan(1000)
    expect(job.metadata.audio.codec).toBe('aac')
    expect(job.metadata.warnings).toEqual([
      {
        code: 'AUDIO_STREAMS_LEFT_OUT',
        message: 'Only the first readable one of several audio streams was used.',
      },
    ])
  })

  test('titles are kept; where it was recorded, comments, pictures and chapters are not', async () => {
    const job = await studio.convert('tagged.m4a', 'with a cover', {
      params: { formats: ['mp3', 'aac', 'opus', 'flac'], waveform: false, preview: { lengthS: 1 } },
    })
    expect(job.metadata.tags).toEqual({ title: 'A = B; "C"\\', artist: 'Ünï' })
    for (const name of job.names.filter((name) => name !== 'metadata.json')) {
      const said = await studio.look(job, name)
      expect(said, name).toContain('A = B; \\"C\\"')
      expect(said, name).toContain('Ünï')
      expect(said, name).not.toMatch(/secret|52\.52|"video"/)
    }
  })

  test('an Ogg file has its title at the stream', async () => {
    const job = await studio.convert('ogg.opus', 'ogg', { params: quiet })
    expect(job.metadata.tags).toEqual({ title: 'Ogg' })
  })

  test('names that no file system takes become keys', async () => {
    const job = await studio.convert(`x/${'長'.repeat(150)}.wav`, 'short', { params: wavOnly })
    expect(job.names[0]).toBe(`${'長'.repeat(150)}.wav`)
  })

  test('a job that asks for nothing measures', async () => {
    const job = await studio.convert('measured.wav', 'tone', { params: quiet })
    expect(job.names).toEqual(['metadata.json'])
    expect(job.metadata).toMatchObject({
      loudness: { integratedLufs: -21.8, rangeLu: 0, truePeakDbtp: -18.1 },
      outputs: [],
      durationS: 4,
    })
  })
})

describe('silence', () => {
  test('is not made loud, and says so', async () => {
    const job = await studio.convert('silence.wav', 'silence', {
      params: { formats: ['flac', 'mp3'], loudness: {}, trimSilence: { inner: true } },
    })
    expect(job.metadata.normalization).toMatchObject({ targetLufs: -16, type: 'none' })
    expect(job.metadata.warnings).toEqual([
      { code: 'SILENT', message: 'The input is silent, so its loudness was left as it is.' },
    ])
    expect(job.metadata).toMatchObject({
      loudness: { integratedLufs: null, truePeakDbtp: null },
      // An empty file helps nobody.
      trimmed: { startS: 0, endS: 0, innerS: 0 },
      resultS: 4,
    })
    const samples = await studio.samplesOf(job, 'silence.flac')
    expect(secondsOf(samples)).toBeCloseTo(4, 1)
    expect(rms(samples, 0, 4)).toBe(0)
  })

  test('what is loud but too short to say how loud is not called silent', async () => {
    const job = await studio.convert('jingle.wav', 'short and loud', {
      params: { ...wavOnly, loudness: {} },
    })
    expect(job.metadata.loudness).toEqual({
      integratedLufs: null,
      rangeLu: 0,
      truePeakDbtp: expect.closeTo(-0.9, 0),
    })
    expect(job.metadata.normalization).toMatchObject({ type: 'none' })
    expect(job.metadata.warnings).toEqual([
      {
        code: 'TOO_SHORT',
        message: 'The input has too little sound to say how loud it is (0.3 s), so it was left as it is.',
      },
    ])
  })

  test('a steady tone of three seconds has no range', async () => {
    const job = await studio.convert('steady.wav', 'three seconds', { params: wavOnly })
    expect(job.metadata).toMatchObject({
      loudness: { integratedLufs: -21.8, rangeLu: 0 },
      outputs: [{ loudness: { rangeLu: 0 } }],
    })
  })

  test('loudness is brought up in what is too short for a range of it', async () => {
    const job = await studio.convert('brief.wav', 'brief', {
      params: { formats: ['wav'], waveform: false, loudness: { targetLufs: -18 } },
    })
    expect(job.metadata.outputs[0]?.loudness.integratedLufs).toBeCloseTo(-18, 0)
  })

  test('a target that peaks leave no room for is missed, and that is said', async () => {
    const job = await studio.convert('knocks.wav', 'knocks', {
      params: { formats: ['flac'], waveform: false, loudness: { targetLufs: -9, truePeakDbtp: -3 } },
    })
    expect(job.metadata.warnings.map(({ code }) => code)).toEqual(['LOUDNESS_MISSED'])
    expect(job.metadata.outputs[0]?.loudness.truePeakDbtp).toBeLessThan(-2)
  })
})

describe('a waveform', () => {
  test('is read by the library that players use, and can be resampled', async () => {
    const job = await studio.convert('wave.wav', 'talk', { params: { formats: [] } })
    const peaks = WaveformData.create(JSON.parse((await studio.bytesOf(job, 'wave.peaks.json')).toString()))
    expect(peaks).toMatchObject({ channels: 1, sample_rate: 8000, scale: 160, bits: 8, length: 300 })
    expect(peaks.duration).toBeCloseTo(6, 1)
    const channel = peaks.channel(0)
    // 50 points a second: silence, then a tone of 0.3.
    expect(channel.max_array().slice(5, 45)).toEqual(Array.from({ length: 40 }, () => 0))
    for (const value of channel.max_array().slice(55, 120)) expect(value).toBeCloseTo(0.3 * 128, -1)
    for (const value of channel.min_array().slice(55, 120)) expect(value).toBeCloseTo(-0.3 * 128, -1)
    const resampled = peaks.resample({ width: 60 })
    expect(resampled.length).toBe(60)
    expect(resampled.channel(0).max_sample(15)).toBeGreaterThan(30)
    expect(job.metadata.waveform).toMatchObject({ points: 300, samplesPerPoint: 160 })
  })

  test('shows what the channels have, not what is left of it when they are added', async () => {
    const job = await studio.convert('wide.wav', 'opposite channels', { params: { formats: [] } })
    const peaks = WaveformData.create(JSON.parse((await studio.bytesOf(job, 'wide.peaks.json')).toString()))
    expect(peaks).toMatchObject({ channels: 1, sample_rate: 8000, scale: 160, length: 200 })
    for (const value of peaks.channel(0).max_array().slice(5, 195)) expect(value).toBeCloseTo(64, -1)
    for (const value of peaks.channel(0).min_array().slice(5, 195)) expect(value).toBeCloseTo(-64, -1)
    expect(job.metadata.resultS).toBeCloseTo(4, 2)
  })

  test('has not more points than were asked for, and a picture of the size that was asked for', async () => {
    const job = await studio.convert('few.wav', 'talk', {
      params: { formats: [], waveform: { points: 100, width: 300, height: 64, background: '#000000' } },
    })
    const peaks = WaveformData.create(JSON.parse((await studio.bytesOf(job, 'few.peaks.json')).toString()))
    expect(peaks.length).toBe(100)
    expect(peaks.duration).toBeCloseTo(6, 1)
    const png = await readFile(await studio.local(job, 'few.waveform.png'))
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([300, 64])
  })
})

describe('a preview', () => {
  test('that begins after the end is moved to the front of it', async () => {
    const job = await studio.convert('moved.wav', 'talk', {
      params: { ...quiet, preview: { startS: 500, lengthS: 2, fadeInS: 0, fadeOutS: 0 } },
    })
    expect(job.metadata.preview).toMatchObject({ startS: 4, durationS: 2 })
    expect(rms(await studio.samplesOf(job, 'moved.preview.mp3'), 0.1, 1.9)).toBeLessThan(5)
  })

  test('of what is shorter has the length of that, and shorter fades', async () => {
    const job = await studio.convert('shorter.wav', 'short', {
      params: { ...quiet, preview: { fadeInS: 1, fadeOutS: 3 } },
    })
    expect(job.metadata.preview).toMatchObject({ startS: 0, durationS: 0.1, fadeInS: 0.025, fadeOutS: 0.075 })
  })
})

describe('what cannot be worked on ends with 65 and a sentence that says why', () => {
  const zeros = Buffer.alloc(50_000)
  const riff = Buffer.from('RIFF\xff\xff\xff\xffWAVEfmt ', 'latin1')
  test.each<[string, Recipe | Buffer, string, RegExp]>([
    ['only pictures', 'only pictures', 'NO_AUDIO_STREAM', /it has only video/],
    ['nothing', Buffer.alloc(0), 'INPUT_EMPTY', /empty file/],
    ['zeros', zeros, 'INPUT_UNREADABLE', /only zeros/],
    ['a text', Buffer.from('Dear editor,\nthe talk is attached.\n'), 'INPUT_UNREADABLE', /it is a text/],
    ['a playlist', Buffer.from(playlistOf('http://127.0.0.1:9/x.ts')), 'INPUT_FORMAT_REFUSED', /a playlist/],
    [
      'a list of files',
      Buffer.from('ffconcat version 1.0\nfile /etc/hostname\n'),
      'INPUT_FORMAT_REFUSED',
      /list/,
    ],
    ['a header and no audio', Buffer.concat([riff, zeros]), 'INPUT_UNREADABLE', /./],
    [
      'ID3 and nothing behind it',
      Buffer.concat([Buffer.from('ID3\x03\0\0\0\0\x1f\x76', 'latin1'), zeros]),
      'INPUT_UNREADABLE',
      /./,
    ],
    ['sixteen channels', 'sixteen channels', 'INPUT_TOO_LARGE', /16 channels, at most 8 are accepted/],
  ])('%s', async (_, from, code, message) => {
    await expect(studio.convert('bad.mp3', from, { params: {} })).rejects.toMatchObject({
      code,
      exitCode: 65,
      message: expect.stringMatching(message),
    })
  })

  test.each<[Recipe, Record<string, unknown>]>([
    ['one sample', { formats: ['wav'] }],
    ['one sample', { formats: ['mp3'], loudness: {} }],
    ['click', { formats: ['aac'], trimSilence: { keepS: 0, inner: true } }],
  ])('hardly any sound: %s, with %j', async (recipe, params) => {
    await expect(studio.convert('tick.wav', recipe, { params })).rejects.toMatchObject({
      code: 'INPUT_UNREADABLE',
      exitCode: 65,
    })
  })

  test.each<[string, Recipe, number, Record<string, unknown>]>([
    ['m4a', 'm4a', 0.6, {}],
    ['flac', 'flac', 0.5, {}],
    ['mp3 that says how long it is', 'mp3', 0.5, {}],
    ['mp3, in a job of two passes', 'mp3', 0.5, { trimSilence: {} }],
    ['wav', 'tone', 0.5, {}],
    ['wav of the form for more than 4 GiB', 'rf64', 0.5, {}],
  ])('cut off: %s, or it is kept with a warning', async (_, recipe, share, params) => {
    const whole = await studio.content(recipe)
    const cut = whole.subarray(0, Math.floor(whole.length * share))
    await expect(studio.convert('cut.bin', cut, { params: { ...quiet, ...params } })).rejects.toMatchObject({
      code: 'INPUT_TRUNCATED',
      exitCode: 65,
      message: expect.stringMatching(/it promises 4\.\d s, and [12]\.\d s of audio could be read/),
    })
    const kept = await studio.convert('cut.bin', cut, {
      params: { formats: ['mp3'], onDamage: 'keep', preview: { startS: 1, lengthS: 2 }, ...params },
    })
    expect(kept.metadata.warnings.map(({ code }) => code)).toContain('INPUT_TRUNCATED')
    expect(kept.metadata.resultS).toBeLessThan(3)
    expect(kept.metadata.preview?.durationS).toBeGreaterThan(0.5)
  })

  test('what an MP3 says of its length is found behind long tags, as pictures of albums make them', async () => {
    const tags = Buffer.alloc(20_000)
    // ID3v2.3 with 19990 bytes of padding: 1 x 16384 + 28 x 128 + 22.
    Buffer.from('ID3\x03\0\0\0\x01\x1c\x16', 'latin1').copy(tags)
    const mp3 = await studio.content('bare mp3')
    const whole = await studio.convert('tagged.mp3', Buffer.concat([tags, mp3]), { params: quiet })
    expect(whole.metadata.warnings).toEqual([])
    expect(new Set(whole.stages)).not.toContain('analyse')
    const cut = Buffer.concat([tags, mp3.subarray(0, mp3.length / 2)])
    await expect(studio.convert('tagged.mp3', cut, { params: quiet })).rejects.toMatchObject({
      code: 'INPUT_TRUNCATED',
    })
  })

  test('damage in the middle is counted, and the rest is kept', async () => {
    const damaged = Buffer.from(await studio.content('mp3'))
    damaged.fill(0xa5, 20_000, 22_000)
    const job = await studio.convert('damaged.mp3', damaged, { params: wavOnly })
    expect(job.metadata.warnings.map(({ code }) => code)).toEqual(['DAMAGED_FRAMES'])
    expect(job.metadata.resultS).toBeCloseTo(4, 0)
  })

  test.each([
    [{ formats: ['mp3', 'mp3'] }, /formats.*must not name a format twice/],
    [{ loudness: { targetLufs: -5 } }, /loudness\.targetLufs/],
    [{ waveform: true }, /waveform.*must be false or an object/],
    [{ waveform: { color: 'red' } }, /waveform/],
    [{ preview: { lengthS: 0 } }, /preview\.lengthS/],
    [{ bitrateKbps: { mp3: 1000 } }, /bitrateKbps\.mp3/],
  ])('parameters %j are refused by name', async (params, message) => {
    await expect(studio.convert('x.wav', 'short', { params })).rejects.toMatchObject({
      code: 'RECORD_INVALID',
      message: expect.stringMatching(message),
    })
  })
})

test('more pauses than one command can hold: the longest are shortened, and that is said', async () => {
  const job = await studio.convert('stutter.wav', 'stutter', {
    params: { formats: ['flac'], waveform: false, trimSilence: { inner: true, shortestS: 0.1, keepS: 0 } },
  })
  expect(job.metadata.trimmed?.pauses).toBe(2000)
  expect(job.metadata.warnings.map(({ code }) => code)).toEqual(['PAUSES_LEFT'])
  const { innerS = 0, startS = 0, endS = 0 } = job.metadata.trimmed ?? {}
  expect(innerS).toBeGreaterThan(220)
  // Frames of 10 ms are kept or left as a whole, so a cut may be off by one of them.
  expect(Math.abs(job.metadata.resultS - (440 - innerS - startS - endS))).toBeLessThan(20)
  expect(secondsOf(await studio.samplesOf(job, 'stutter.flac'))).toBeCloseTo(job.metadata.resultS, 1)
})

describe('one conversion by itself', () => {
  const convertTone = async (more: Partial<ConvertOptions>) => {
    const folder = await mkdtemp(join(studio.folder, 'alone-'))
    const { tools } = studio
    const path = join(folder, 'input.wav')
    await writeFile(path, await studio.content('tone'))
    const signal = new AbortController().signal
    const probed = await probe(path, { tools, limits: inputLimits, signal })
    const source = requireAudio(probed, {
      ...{ tells: true, meant: 1, harmless: 0, tags: {}, limits: inputLimits },
    })
    const input = { url: `file:${path}`, guard: inputGuard(inputLimits.pixels) }
    const converting = convertAudio(input, source, audioParamsSchema.parse({ formats: ['wav'] }), {
      ...{ tools, base: 'x', folder, stallMs: 10_000, longestS: 100, signal, nowMs: Date.now },
      onProgress: () => undefined,
      freeBytes: async () => 1e12,
      inputFailure: () => undefined,
      ...more,
    })
    return { converting, folder }
  }

  test('a disk that is too small is found out before anything is written, with the size to ask for', async () => {
    const { converting, folder } = await convertTone({ freeBytes: async () => 200_100_000 })
    await expect(converting).rejects.toMatchObject({
      code: 'DISK_FULL',
      message: expect.stringMatching(/ephemeralStorage/),
    })
    expect(await readdir(folder)).toEqual(['input.wav'])
  })

  test('an input that could not be read on is not whole, even if ffmpeg was content with it', async () => {
    const { converting } = await convertTone({
      inputFailure: () => new WorkerError('STORAGE_UNAVAILABLE'),
    })
    await expect(converting).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  })
})

describe('again and again', () => {
  test('a repeated run makes the same names and the same bytes', async () => {
    const options = {
      params: {
        formats: ['flac', 'wav', 'mp3', 'aac', 'opus'],
        loudness: {},
        trimSilence: { inner: true },
        preview: { lengthS: 2 },
      },
    }
    const first = await studio.convert('again.wav', 'talk', options)
    const second = await studio.convert('again.wav', 'talk', options)
    const sums = (job: typeof first) => job.files.map(({ sha256 }, index) => `${job.names[index]} ${sha256}`)
    expect(sums(second)).toEqual(sums(first))
  })

  test('progress goes through every stage and never falls, and no copy of the input is made', async () => {
    const job = await studio.convert('stages.wav', 'talk', { params: { loudness: {}, preview: {} } })
    expect([...new Set(job.stages)]).toEqual(['analyse', 'convert', 'check', 'upload'])
    expect(job.leftovers).toEqual(['output'])
  })

  test.each(['fail', 'keep'])(
    'S3 that breaks off for good is what is told, even where damage is kept: %s',
    async (onDamage) => {
      const { handling, tools } = studio
      const input = await handling.workshop.upload('away.wav', await studio.content('speech'))
      let ranges = 0
      const storage = {
        ...handling.storage,
        openRange: async (...args: Parameters<typeof handling.storage.openRange>) => {
          ranges += 1
          // It is looked at, and its tags are; then comes the work, and half of what it wants.
          if (ranges > 3) throw new WorkerError('STORAGE_UNAVAILABLE', 'for good')
          const part = await handling.storage.openRange(...args)
          return ranges < 3 ? part : brokenAfter(part, 600_000)
        },
      }
      const params = { ...quiet, onDamage }
      await expect(handling.handle(audio, { input, storage, tools, params })).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
        exitCode: 69,
      })
      expect(ranges).toBeGreaterThan(3)
    },
  )

  test('the end of the work ends ffmpeg', async () => {
    const signal = AbortSignal.abort(new WorkerError('INTERRUPTED'))
    await expect(studio.convert('ended.wav', 'tone', { signal })).rejects.toMatchObject({
      code: 'INTERRUPTED',
    })
  })
})

const brokenAfter = (part: Readable, bytes: number): Readable => {
  let passed = 0
  const breaking = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      passed += chunk.length
      if (passed <= bytes) done(null, chunk)
      else setTimeout(() => breaking.destroy(new Error('connection reset')), 50)
    },
  })
  return part.pipe(breaking)
}
