import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import WaveformData from 'waveform-data'
import { openAudioStudio, quiet, type Recipe, rms, secondsOf } from './audio-studio.ts'

vi.setConfig({ testTimeout: 60_000 })

const run = promisify(execFile)
let studio: Awaited<ReturnType<typeof openAudioStudio>>
beforeAll(async () => {
  studio = await openAudioStudio()
})
afterAll(() => studio.close())

describe('one upload', () => {
  test('one upload becomes all five formats, named after it, of the same length', async () => {
    const job = await studio.convert('a/Talk one.WAV', 'stereo', {
      params: { formats: ['mp3', 'aac', 'opus', 'flac', 'wav'] },
    })
    expect(job.names).toEqual([
      ...['Talk one.mp3', 'Talk one.m4a', 'Talk one.opus', 'Talk one.flac', 'Talk one.wav'],
      ...['Talk one.peaks.json', 'Talk one.waveform.png', 'metadata.json'],
    ])
    expect(job.files.map(({ role }) => role)).toEqual([
      ...Array.from({ length: 5 }, () => 'audio'),
      ...['peaks', 'waveform', 'metadata'],
    ])
    expect(job.files.map(({ contentType }) => contentType)).toEqual([
      ...['audio/mpeg', 'audio/mp4', 'audio/ogg', 'audio/flac', 'audio/wav'],
      ...['application/json', 'image/png', 'application/json'],
    ])
    for (const name of job.names.slice(0, 5)) {
      const seconds = secondsOf(await studio.samplesOf(job, name))
      // A frame of an encoder is at most 2048 samples.
      expect(seconds, name).toBeGreaterThan(3.99)
      expect(seconds, name).toBeLessThan(4.06)
    }
    expect(
      job.metadata.outputs.map(({ codec, channels, sampleRateHz }) => [codec, channels, sampleRateHz]),
    ).toEqual([
      ['mp3', 2, 44_100],
      ['aac', 2, 44_100],
      ['opus', 2, 48_000],
      ['flac', 2, 44_100],
      ['pcm_s16le', 2, 44_100],
    ])
    expect(job.metadata).toMatchObject({ normalization: null, trimmed: null, preview: null, warnings: [] })
    expect(job.result).toMatchObject({ formats: ['mp3', 'aac', 'opus', 'flac', 'wav'], durationS: 4 })
  })

  test('lossless formats carry exactly the samples of the input', async () => {
    const job = await studio.convert('exact.wav', 'stereo', {
      params: { formats: ['flac', 'wav'], waveform: false },
    })
    const input = (await studio.content('stereo')).subarray(44)
    const output = await studio.bytesOf(job, 'exact.wav')
    expect(output.subarray(output.length - 4000).equals(input.subarray(input.length - 4000))).toBe(true)
    const { ffmpeg, env } = studio.npm
    const path = await studio.local(job, 'exact.flac')
    const { stdout } = await run(ffmpeg.path, ['-v', 'error', '-i', path, '-f', 's16le', '-'], {
      env,
      encoding: 'buffer',
      maxBuffer: 64 * 1024 ** 2,
    })
    expect(stdout.equals(input.subarray(input.length - stdout.length))).toBe(true)
    expect(stdout.length).toBe(4 * 44_100 * 4)
  })

  test.each([
    ['podcast', { targetLufs: -16, truePeakDbtp: -1.5 }, 'dynamic'],
    ['broadcast', { targetLufs: -23, truePeakDbtp: -1 }, 'linear'],
  ])('brought to a loudness, the result has it: %s', async (name, loudness, type) => {
    const job = await studio.convert(`${name}.wav`, 'speech', {
      params: { formats: ['flac', 'aac'], loudness, waveform: false },
    })
    for (const { name, loudness: told } of job.metadata.outputs) {
      const { integrated, peak } = await studio.loudnessOf(job, name)
      expect(Math.abs(integrated - loudness.targetLufs), `${name}: ${integrated} LUFS`).toBeLessThan(1)
      expect(Math.abs((told.integratedLufs ?? 0) - integrated)).toBeLessThan(0.5)
      expect(peak, name).toBeLessThan(loudness.truePeakDbtp + 1)
    }
    expect(job.metadata.normalization).toEqual({ ...loudness, rangeLu: 11, type })
    expect(job.metadata.loudness.integratedLufs).toBeLessThan(-25)
    expect(job.metadata.outputs.map(({ sampleRateHz }) => sampleRateHz)).toEqual([44_100, 44_100])
    expect(job.metadata.warnings).toEqual([])
  })

  test('what is equally loud all along gets one gain, where its peaks leave room', async () => {
    const job = await studio.convert('steady.wav', 'tone', {
      params: { formats: ['flac'], loudness: { targetLufs: -23 }, waveform: false },
    })
    expect(job.metadata.normalization?.type).toBe('linear')
    const { integrated } = await studio.loudnessOf(job, 'steady.flac')
    expect(Math.abs(integrated + 23), `${integrated} LUFS`).toBeLessThan(0.2)
    expect(job.metadata.warnings).toEqual([])
  })

  test('silence at both ends is cut off, and all that is made is of the rest', async () => {
    const job = await studio.convert('talk.wav', 'talk', {
      params: { formats: ['wav', 'mp3'], trimSilence: {}, preview: { lengthS: 60 } },
    })
    // A tenth of a second is left beside what is heard.
    expect(job.metadata.trimmed).toMatchObject({ startS: expect.closeTo(0.9, 1), innerS: 0, pauses: 0 })
    expect(job.metadata.trimmed?.endS).toBeCloseTo(1.9, 1)
    expect(job.metadata).toMatchObject({ durationS: 6, resultS: expect.closeTo(3.2, 1) })
    const samples = await studio.samplesOf(job, 'talk.wav')
    expect(secondsOf(samples)).toBeCloseTo(3.2, 1)
    expect(rms(samples, 0, 0.08)).toBe(0)
    expect(rms(samples, 0.15, 1.5)).toBeGreaterThan(3000)
    expect(rms(samples, 1.7, 2.6)).toBe(0)
    const peaks = WaveformData.create(JSON.parse((await studio.bytesOf(job, 'talk.peaks.json')).toString()))
    expect(peaks.duration).toBeCloseTo(3.2, 1)
    expect(secondsOf(await studio.samplesOf(job, 'talk.preview.mp3'))).toBeCloseTo(3.2, 1)
  })

  test('pauses are shortened on request', async () => {
    const job = await studio.convert('pauses.wav', 'talk', {
      params: { formats: ['flac'], waveform: false, trimSilence: { inner: true, keepS: 0.2 } },
    })
    expect(job.metadata.trimmed).toMatchObject({
      startS: expect.closeTo(0.8, 1),
      endS: expect.closeTo(1.8, 1),
      innerS: expect.closeTo(0.8, 1),
      pauses: 1,
    })
    const samples = await studio.samplesOf(job, 'pauses.flac')
    expect(secondsOf(samples)).toBeCloseTo(2.6, 1)
    // 0.2 s, sound, 0.4 s of what was the pause, sound, 0.2 s.
    expect(rms(samples, 0.25, 1.65)).toBeGreaterThan(3000)
    expect(rms(samples, 1.75, 2.05)).toBe(0)
    expect(rms(samples, 2.15, 2.35)).toBeGreaterThan(3000)
    expect(rms(samples, 2.45, 2.55)).toBe(0)
  })

  test('a preview begins softly and ends softly', async () => {
    const job = await studio.convert('fades.wav', 'tone', {
      params: {
        ...quiet,
        preview: { startS: 1, lengthS: 2, fadeInS: 0.5, fadeOutS: 0.5, format: 'aac' },
      },
    })
    expect(job.names).toEqual(['fades.preview.m4a', 'metadata.json'])
    expect(job.files[0]).toMatchObject({ role: 'preview', contentType: 'audio/mp4' })
    expect(job.metadata.preview).toMatchObject({ startS: 1, durationS: 2, fadeInS: 0.5, fadeOutS: 0.5 })
    const samples = await studio.samplesOf(job, 'fades.preview.m4a')
    expect(secondsOf(samples)).toBeCloseTo(2, 1)
    const middle = rms(samples, 0.8, 1.2)
    expect(middle).toBeGreaterThan(1000)
    expect(rms(samples, 0, 0.1)).toBeLessThan(middle / 3)
    expect(rms(samples, 1.9, 2)).toBeLessThan(middle / 3)
  })

  test.each<[Recipe, number, number, number]>([
    ['8 kHz', 1, 8000, 8000],
    ['96 kHz', 1, 48_000, 96_000],
    ['44056 Hz', 1, 44_100, 44_056],
    ['surround', 2, 44_100, 44_100],
  ])('%s: mp3 gets a rate that it has, flac that of the input', async (recipe, channels, mp3Hz, flacHz) => {
    const job = await studio.convert('odd.bin', recipe, {
      params: { formats: ['mp3', 'aac', 'opus', 'flac'], bitrateKbps: { mp3: 320, aac: 320, opus: 256 } },
    })
    expect(
      job.metadata.outputs.map((output) => [output.format, output.channels, output.sampleRateHz]),
    ).toEqual([
      ['mp3', channels, mp3Hz],
      ['aac', channels, mp3Hz],
      ['opus', channels, 48_000],
      ['flac', channels, flacHz],
    ])
    expect(job.metadata.warnings).toEqual([])
  })
})
