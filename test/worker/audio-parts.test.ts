import { describe, expect, test } from 'vitest'
import { type AudioParams, audioParamsSchema } from '../../schemas/kinds/audio.ts'
import {
  analyseArguments,
  makeArguments,
  measureArguments,
  pictureArguments,
  previewArguments,
} from '../../worker/audio/command.ts'
import { judgeLength, loudnessWarnings } from '../../worker/audio/convert.ts'
import { parseEbur128 } from '../../worker/audio/ebur128.ts'
import { formats } from '../../worker/audio/formats.ts'
import { parseFirstPass, parseSecondPass, secondPassFilter } from '../../worker/audio/loudnorm.ts'
import { peakCounter, samplesPerPoint, waveformJson } from '../../worker/audio/peaks.ts'
import { drawWaveform } from '../../worker/audio/picture.ts'
import {
  type Analysis,
  type AudioSource,
  diskBytes,
  needsAnalysis,
  planAudio,
  planPreview,
  requireAudio,
  type Track,
} from '../../worker/audio/plan.ts'
import { audioStages, stagedProgress, stageWeights } from '../../worker/audio/progress.ts'
import { id3Bytes, isPipedWav, meantShare, tagsBetween, tellsDuration } from '../../worker/audio/promise.ts'
import { planTrim, silenceReader, type Trim, trimFilters, trimmedS } from '../../worker/audio/silence.ts'
import { parseTags, tagsArguments } from '../../worker/audio/tags.ts'
import { madeArguments, madeSchema, problemOf } from '../../worker/audio/verify.ts'
import { inputLimits } from '../../worker/media/limits.ts'
import { emptyAudio, type Probe, parseProbe } from '../../worker/media/probe.ts'

// The parts of kind audio that compute: what ffmpeg says, what it is told, and what is decided in between.

const summary = (integrated: string, range: string, peak: string, n = 0) => `
[Parsed_ebur128_${n} @ 0x7f0f90001e40] Summary:

  Integrated loudness:
    I:         ${integrated} LUFS
    Threshold: -31.8 LUFS

  Loudness range:
    LRA:         ${range} LU
    Threshold: -41.8 LUFS
    LRA low:   -21.8 LUFS
    LRA high:  -21.8 LUFS

  True peak:
    Peak:      ${peak} dBFS
[out#0/null @ 0x555c68b8b5c0] video:0KiB audio:345KiB subtitle:0KiB other streams:0KiB`

describe('what ebur128 says', () => {
  test.each([
    ['-21.8', '0.0', '-18.1', { integratedLufs: -21.8, rangeLu: 0, truePeakDbtp: -18.1 }],
    ['-69.9', '3.2', '0.4', { integratedLufs: -69.9, rangeLu: 3.2, truePeakDbtp: 0.4 }],
    ['-70.0', '0.0', '-inf', { integratedLufs: null, rangeLu: 0, truePeakDbtp: null }],
    ['-70.0', '0.0', '-3.0', { integratedLufs: null, rangeLu: 0, truePeakDbtp: -3 }],
    ['nan', 'nan', 'nan', { integratedLufs: null, rangeLu: 0, truePeakDbtp: null }],
  ])('%s LUFS, %s LU, %s dBFS', (integrated, range, peak, expected) => {
    expect(parseEbur128(`Input #0, wav\n${summary(integrated, range, peak)}`, 4)).toEqual([expected])
  })

  test.each([
    [3.3, 0],
    [3.49, 0],
    [3.5, 20],
  ])('what lasts %s s has a range of %s LU: of less than 3.5 s it is made up', (durationS, rangeLu) => {
    expect(parseEbur128(summary('-21.8', '20.0', '-18.1'), durationS)).toMatchObject([{ rangeLu }])
  })

  test('several in their order; what is not whole is none', () => {
    const both = summary('-20.0', '1.0', '-1.0') + summary('-30.0', '2.0', '-2.0', 3)
    expect(parseEbur128(both, 4).map(({ integratedLufs }) => integratedLufs)).toEqual([-20, -30])
    expect(parseEbur128(summary('-20.0', '1.0', '-1.0').slice(0, 150), 4)).toEqual([])
    expect(parseEbur128('title: I: -5.0 LUFS', 4)).toEqual([])
  })
})

const loudnormJson = (values: Record<string, string>) => `
[Parsed_loudnorm_3 @ 0x7fd3e00020c0]
${JSON.stringify(values, null, '\t').replaceAll('": "', '" : "')}
[out#0/null @ 0x55eeba57d5c0] video:0KiB {not} size=N/A`
const said = {
  input_i: '-21.75',
  input_tp: '-18.06',
  input_lra: '0.50',
  input_thresh: '-31.75',
  output_i: '-15.95',
  normalization_type: 'dynamic',
  target_offset: '-0.05',
}

describe('what loudnorm says', () => {
  const found = {
    integratedLufs: -21.75,
    truePeakDbtp: -18.06,
    rangeLu: 0.5,
    thresholdLufs: -31.75,
    offsetLu: -0.05,
  }
  test.each<[string, string, unknown]>([
    ['a programme', loudnormJson(said), found],
    ['one with a title that looks like it', `title: {"input_i": "-1"}${loudnormJson(said)}`, found],
    ['silence', loudnormJson({ ...said, input_i: '-inf', target_offset: 'inf' }), undefined],
    ['nearly silence', loudnormJson({ ...said, input_i: '-70.00' }), undefined],
    ['nothing', 'Conversion failed!', undefined],
    ['half of it', loudnormJson(said).slice(0, 90), undefined],
  ])('first pass: %s', (_, stderr, expected) => {
    expect(parseFirstPass(stderr)).toEqual(expected)
  })

  test.each([
    [loudnormJson(said), 'dynamic'],
    [loudnormJson({ ...said, normalization_type: 'linear' }), 'linear'],
    ['', undefined],
  ])('second pass: which way it went', (stderr, expected) => {
    expect(parseSecondPass(stderr)).toBe(expected)
  })

  test('the second pass is told what the first one found, within the bounds of its options', () => {
    const target = { targetLufs: -16, truePeakDbtp: -1.5, rangeLu: 11 }
    expect(secondPassFilter(target, found, { channels: 2, sampleRateHz: 44_100 })).toBe(
      'loudnorm=I=-16:TP=-1.5:LRA=11:measured_I=-21.75:measured_TP=-18.06:measured_LRA=0.5:measured_thresh=-31.75:offset=-0.05:linear=true:print_format=json,aresample=44100,aformat=channel_layouts=stereo',
    )
    const loud = { ...found, integratedLufs: 1.2, thresholdLufs: 0.3 }
    expect(secondPassFilter(target, loud, { channels: 1, sampleRateHz: 8000 })).toMatch(
      /measured_I=0:.*measured_thresh=0:.*aresample=8000,aformat=channel_layouts=mono$/,
    )
  })

  test('a range of 0, which loudnorm takes for one that nobody has measured, is told as a hundredth', () => {
    const target = { targetLufs: -23, truePeakDbtp: -1.5, rangeLu: 11 }
    const steady = { ...found, rangeLu: 0 }
    expect(secondPassFilter(target, steady, { channels: 2, sampleRateHz: 44_100 })).toContain(
      ':measured_LRA=0.01:',
    )
  })
})

describe('silence', () => {
  test('is read from the lines of metadata, between those of progress', () => {
    const reader = silenceReader()
    for (const line of [
      'frame:5    pts:20480   pts_time:0.464399',
      'lavfi.silence_start=0',
      'out_time_us=500000',
      'lavfi.silence_end=1.021678',
      'lavfi.silence_duration=1.021678',
      'lavfi.silence_end=1.5',
      'lavfi.silence_start=-0.01',
      'lavfi.silence_end=2e-05',
      'lavfi.silence_start=4.017052',
    ])
      reader.read(line)
    expect(reader.all(6)).toEqual([
      { startS: 0, endS: 1.021678 },
      { startS: 0, endS: 0.00002 },
      { startS: 4.017052, endS: 6 },
    ])
    expect(reader.all(4)).toHaveLength(2)
  })

  const trim = (silences: [number, number][], inner: boolean, keepS = 0.1): Trim =>
    planTrim(
      silences.map(([startS, endS]) => ({ startS, endS })),
      10,
      { inner, keepS },
    )
  const nothing = { startS: 0, endS: 0, innerS: 0, pauses: 0, pausesLeft: 0 }
  test.each<[string, Trim, Trim]>([
    ['none', trim([], true), { ...nothing, kept: [{ startS: 0 }] }],
    ['at the beginning', trim([[0, 2]], false), { ...nothing, startS: 1.9, kept: [{ startS: 1.9 }] }],
    ['at the end', trim([[7, 10]], false), { ...nothing, endS: 2.9, kept: [{ startS: 0, endS: 7.1 }] }],
    ['in the middle, which stays', trim([[4, 5]], false), { ...nothing, kept: [{ startS: 0 }] }],
    [
      'in the middle',
      trim([[4, 5]], true),
      { ...nothing, innerS: 0.8, pauses: 1, kept: [{ startS: 0, endS: 4.1 }, { startS: 4.9 }] },
    ],
    [
      'everywhere',
      trim(
        [
          [0, 1],
          [3, 4],
          [6, 7],
          [9, 10],
        ],
        true,
        0.25,
      ),
      {
        ...{ startS: 0.75, endS: 0.75, innerS: 1, pauses: 2, pausesLeft: 0 },
        kept: [
          { startS: 0.75, endS: 3.25 },
          { startS: 3.75, endS: 6.25 },
          { startS: 6.75, endS: 9.25 },
        ],
      },
    ],
    [
      'shorter than what is kept',
      trim(
        [
          [0, 0.5],
          [4, 4.9],
        ],
        true,
        0.5,
      ),
      { ...nothing, kept: [{ startS: 0 }] },
    ],
    ['all of it', trim([[0, 10]], true), { ...nothing, kept: [{ startS: 0 }] }],
    [
      'nearly at the edges',
      trim(
        [
          [0.05, 2],
          [7, 9.96],
        ],
        false,
        0,
      ),
      { ...nothing, startS: 2, endS: 3, kept: [{ startS: 2, endS: 7 }] },
    ],
    [
      'a little away from the edges',
      trim(
        [
          [0.06, 2],
          [7, 9.94],
        ],
        false,
        0,
      ),
      { ...nothing, kept: [{ startS: 0 }] },
    ],
  ])('%s', (_, planned, expected) => {
    expect(planned).toEqual(expected)
    const keptS = planned.kept.reduce((sum, { startS, endS = 10 }) => sum + endS - startS, 0)
    expect(trimmedS(10, planned)).toBeCloseTo(keptS, 6)
  })

  test('of very many pauses the longest are shortened', () => {
    const silences = Array.from({ length: 2500 }, (_, index) => ({
      startS: index * 4 + 1,
      endS: index * 4 + (index < 500 ? 1.5 : 2),
    }))
    const planned = planTrim(silences, 10_000, { inner: true, keepS: 0.1 })
    expect(planned).toMatchObject({ pauses: 2000, pausesLeft: 500, innerS: 1600 })
    const [samples, select = '', stamps] = trimFilters(planned, 48_000)
    expect([samples, stamps]).toEqual(['asetnsamples=n=480:p=0', 'asetpts=N/SR/TB'])
    // The kernel takes no argument of more than 128 KiB.
    expect(select.length).toBeLessThan(120_000)
    // It asks for halves: no frame is compared with every span.
    const depth = [...select].reduce(
      ({ now, most }, letter) => {
        const next = now + (letter === '(' ? 1 : letter === ')' ? -1 : 0)
        return { now: next, most: Math.max(most, next) }
      },
      { now: 0, most: 0 },
    ).most
    expect(depth).toBeLessThan(20)
  })

  test.each<[string, Trim['kept'], string[]]>([
    ['everything', [{ startS: 0 }], []],
    ['an end', [{ startS: 1.5 }], ['atrim=start=1.5', 'asetpts=PTS-STARTPTS']],
    ['a piece', [{ startS: 0, endS: 2 }], ['atrim=start=0:end=2', 'asetpts=PTS-STARTPTS']],
    [
      'two pieces',
      [{ startS: 0, endS: 2 }, { startS: 3 }],
      ['asetnsamples=n=80:p=0', "aselect='if(lt(t,3),gte(t,0)*lt(t,2),gte(t,3))'", 'asetpts=N/SR/TB'],
    ],
  ])('filters that keep %s', (_, kept, expected) => {
    expect(trimFilters({ kept }, 8000)).toEqual(expected)
  })
})

describe('how long an input says that it is', () => {
  /** The first frame of an MP3; the numbers are those that stand behind the mark. */
  const frame = (mark: string, ...numbers: number[]) => {
    const first = Buffer.alloc(200)
    first.write(mark, 36, 'latin1')
    for (const [index, number] of numbers.entries()) first.writeUInt32BE(number, 40 + index * 4)
    return first
  }
  /** It has a version, a delay and a quality of two bytes each before them. */
  const vbri = (said: number) => {
    const first = frame('VBRI')
    first.writeUInt32BE(said, 46)
    return first
  }
  const framesAlone = 1
  const bytesAlone = 2
  const both = 3
  test.each<[string, string, Buffer, number, boolean]>([
    ['bare AAC', 'aac', frame('Info', both, 100, 5000), 5000, false],
    ['Ogg, where one stream may follow another', 'ogg', frame(''), 5000, false],
    ['FLAC', 'flac', frame(''), 5000, true],
    ['MP3 of a changing bit rate', 'mp3', frame('Xing', both, 100, 5000), 5000, true],
    ['MP3 of a constant bit rate', 'mp3', frame('Info', both, 100, 5000), 5000, true],
    ['MP3 that says only how many frames it has', 'mp3', frame('Xing', framesAlone, 100), 5000, true],
    ['MP3 that does not say how many frames it has', 'mp3', frame('Xing', bytesAlone, 5000), 5000, false],
    ['MP3 that was cut off', 'mp3', frame('Xing', both, 100, 5000), 2500, true],
    ['MP3 a little longer than it says', 'mp3', frame('Xing', both, 100, 20_000), 20_128, true],
    ['MP3 with another one or a picture behind it', 'mp3', frame('Xing', both, 100, 5000), 5200, false],
    ['MP3 of another encoder', 'mp3', vbri(5000), 5000, true],
    ['the same with something behind it', 'mp3', vbri(5000), 5200, false],
    ['MP3 with nothing of it', 'mp3', frame(''), 5000, false],
    ['MP3 that ends in its first number', 'mp3', frame('Xing', both).subarray(0, 42), 42, false],
    [
      'MP3 with such a word far behind',
      'mp3',
      Buffer.concat([Buffer.alloc(600), frame('Xing', both, 100, 5000)]),
      5000,
      false,
    ],
  ])('%s', (_, container, first, bytes, expected) => {
    expect(tellsDuration({ container }, first, bytes)).toBe(expected)
  })

  test.each([
    [Buffer.from('ID3\x03\0\0\0\0\x02\x01', 'latin1'), 10 + 257],
    [Buffer.from('ID3\x04\0\0\x7f\x7f\x7f\x7f', 'latin1'), 10 + 2 ** 28 - 1],
    [Buffer.from('ID3'), 0],
    [Buffer.from('RIFF000000000'), 0],
  ])('tags before the audio', (head, expected) => {
    expect(id3Bytes(head)).toBe(expected)
  })

  const tag = Buffer.from('ID3\x03\0\0\0\0\0\x14....................', 'latin1')
  const part = (bytes: number, says = bytes) => {
    const whole = Buffer.alloc(bytes)
    frame('Info', both, 100, says).copy(whole)
    whole.set([0xff, 0xfb])
    return whole
  }
  const silent = Buffer.concat([Buffer.from([0xff, 0xfb]), Buffer.alloc(400)])
  test.each<[string, Buffer[], number]>([
    ['none where there is one', [part(1000)], 0],
    ['none where there is none', [part(1000), part(1000)], 0],
    ['one', [part(1000), tag, part(2000)], 1],
    ['one behind one without it', [part(1000), part(500), tag, part(2000)], 1],
    ['one where two stand together', [part(1000), tag, tag, part(1000)], 1],
    ['two', [part(1000), tag, part(2000), tag, part(700)], 2],
    [
      'one before what does not say how long it is, and none behind it',
      [part(900), tag, silent, tag, part(900)],
      1,
    ],
    ['none where the tag is the end', [part(1000), tag], 0],
    ['none where no frame follows', [part(1000), tag, Buffer.alloc(900)], 0],
    ['none where it stands elsewhere', [part(1000, 900), tag, part(1000)], 0],
    ['none where nothing says where it ends', [part(1000, 0), tag, part(1000)], 0],
    ['as many as are looked for', Array.from({ length: 300 }, () => [part(300), tag]).flat(), 99],
  ])('tags between MP3s that were joined: %s', async (_, parts, expected) => {
    const file = Buffer.concat(parts)
    const reads: number[] = []
    const readAt = async (offset: number) => {
      reads.push(offset)
      return file.subarray(offset, offset + 512)
    }
    expect(await tagsBetween(readAt, 0)).toBe(expected)
    expect(reads.length).toBeLessThanOrEqual(200)
  })

  const riff = (size: number, what = 'WAVE') => {
    const head = Buffer.from(`RIFF....${what}fmt `, 'latin1')
    head.writeUInt32LE(size, 4)
    return head
  }
  const rf64 = (size: number, samples: number) => {
    const head = Buffer.alloc(60)
    head.write('RF64\xff\xff\xff\xffWAVEds64\x1c', 'latin1')
    head.writeBigUInt64LE(BigInt(size), 20)
    head.writeBigUInt64LE(BigInt(samples), 36)
    return head
  }
  test.each([
    ['whole', riff(992), 1000, 1],
    ['cut in the middle', riff(992), 500, 2],
    ['longer than it says', riff(992), 1010, 1],
    ['written to a pipe', riff(0xffff_ffff), 500, 1],
    ['written to a pipe, with zero', riff(0), 500, 1],
    ['written to a pipe by SoX', riff(0x7fff_f024), 500, 1],
    ['written to a pipe by arecord', riff(0x8000_0024), 500, 1],
    ['of almost 2 GiB, cut in the middle', riff(0x7fff_eff8), 0x3fff_f800, 2],
    ['of more than 2 GiB, cut in the middle', riff(0x8000_0ff8), 0x4000_0800, 2],
    ['not WAV', riff(992, 'AVI '), 500, 1],
    ['too short', Buffer.from('RIFF'), 4, 1],
    ['above 4 GiB, cut in the middle', rf64(9992, 0), 5000, 2],
    ['above 4 GiB with its samples counted, which ffprobe goes by', rf64(9992, 70), 5000, 1],
    ['above 4 GiB, too short', rf64(9992, 0).subarray(0, 30), 30, 1],
  ])('WAV: %s', (does, head, bytes, expected) => {
    expect(meantShare(head, bytes)).toBe(expected)
    expect(isPipedWav(head)).toBe(does.startsWith('written to a pipe'))
  })
})

const probed = (
  audio: Record<string, unknown> | null = {},
  { video, format = {} }: { video?: Record<string, unknown>; format?: Record<string, unknown> } = {},
): Probe =>
  parseProbe(
    JSON.stringify({
      format: { format_name: 'wav', duration: '60', start_time: '0', size: '1000', ...format },
      streams: [
        ...(video === undefined ? [] : [{ index: 0, codec_type: 'video', codec_name: 'h264', ...video }]),
        ...(audio === null
          ? []
          : [
              {
                index: 1,
                codec_type: 'audio',
                codec_name: 'aac',
                channels: 2,
                sample_rate: '44100',
                ...audio,
              },
            ]),
      ],
    }),
  )
const options = { tells: true, meant: 1, harmless: 0, tags: {}, limits: inputLimits }
const probedAs = (container: string, startS: string) =>
  probed({ start_time: startS }, { video: {}, format: { format_name: container } })
const first = { index: 1, codec: 'aac', channels: 2, sampleRateHz: 44_100, startS: 0, endS: 60 }
const second = { ...first, index: 2 }
const twoTracks = (firstType: string): Probe['streams'] =>
  ['video', firstType, 'audio'].map((type, index) => ({ index, type, codec: 'any' }))
const sourceOf = (...args: Parameters<typeof probed>): AudioSource => requireAudio(probed(...args), options)

describe('what may be worked on', () => {
  test.each<[string, Probe, Partial<typeof options>, Partial<AudioSource>]>([
    ['audio', probed({ duration: '59.5' }), {}, { expectedS: 59.5, promisedS: 59.5, isGuess: false }],
    ['audio of a container that knows only the whole', probed(), {}, { expectedS: 60, promisedS: 60 }],
    [
      'the same with a video, where sound may end early',
      probed({}, { video: {} }),
      {},
      { expectedS: 60, promisedS: undefined },
    ],
    ['a guess', probed(), { tells: false }, { expectedS: 60, promisedS: undefined, isGuess: true }],
    ['half a file', probed({ duration: '30' }), { meant: 2 }, { expectedS: 30, promisedS: 60 }],
    ['a guess that is too long', probed({ duration: '100000' }), { tells: false }, { isGuess: true }],
  ])('%s', (_, probe, more, expected) => {
    expect(requireAudio(probe, { ...options, ...more })).toMatchObject(expected)
  })

  const video = { video: {} }
  test.each<[string, Probe, Track]>([
    ['at the start', probed(), { index: 1, isFar: false, lateS: undefined }],
    ['at the start of MPEG-TS', probedAs('mpegts', '0'), { index: 1, isFar: false, lateS: undefined }],
    ['late in MPEG-TS', probedAs('mpegts', '1.5'), { index: 1, isFar: false, lateS: 1.5 }],
    ['late in MPEG-PS', probedAs('mpeg', '1.5'), { index: 1, isFar: false, lateS: 1.5 }],
    ['late in Ogg', probedAs('ogg', '1.5'), { index: 1, isFar: false, lateS: 1.5 }],
    ['late in Matroska', probedAs('matroska,webm', '1.5'), { index: 1, isFar: false, lateS: undefined }],
    ['far in MPEG-TS', { ...probedAs('mpegts', '10'), isFar: true }, { index: 1, isFar: true, lateS: 10 }],
    [
      'in the second track',
      { ...probed(null, video), streams: twoTracks('audio'), laterAudio: second },
      { index: 2, isFar: false, lateS: undefined },
    ],
  ])('where ffmpeg finds sound %s', (_, probe, track) => {
    expect(requireAudio(probe, options).track).toEqual(track)
  })

  test.each<[string, Partial<Probe>, Record<string, string>]>([
    ['the first of two', { audio: first }, { AUDIO_STREAMS_LEFT_OUT: 'Only the first of several' }],
    [
      'the second, of a format that is known',
      { laterAudio: second },
      { AUDIO_STREAMS_LEFT_OUT: 'Only the first readable one of several' },
    ],
    [
      'the second, with something in it',
      { laterAudio: second, streams: twoTracks(emptyAudio) },
      { AUDIO_EMPTY: 'the first that has some was used' },
    ],
  ])('which track is used is told: %s', (_, found, expected) => {
    const { warnings } = requireAudio(
      { ...probed(null, video), streams: twoTracks('audio'), ...found },
      options,
    )
    expect(Object.fromEntries(warnings.map(({ code, message }) => [code, message]))).toEqual(
      Object.fromEntries(
        Object.entries(expected).map(([code, part]) => [code, expect.stringContaining(part)]),
      ),
    )
  })

  test.each<[string, Probe, string, RegExp]>([
    ['no streams', probed(null), 'NO_AUDIO_STREAM', /no streams at all/],
    ['only video', probed(null, { video: {} }), 'NO_AUDIO_STREAM', /only video/],
    [
      'a track that is empty, and no other',
      { ...probed(null, video), streams: twoTracks(emptyAudio).slice(0, 2) },
      'NO_AUDIO_STREAM',
      /only video, empty audio/,
    ],
    [
      'an unknown codec',
      probed({ codec_name: undefined }),
      'INPUT_UNREADABLE',
      /format that ffmpeg does not know/,
    ],
    [
      'no duration',
      probed({}, { format: { duration: undefined } }),
      'INPUT_UNREADABLE',
      /nothing about its duration/,
    ],
    [
      'more than a day',
      probed({ duration: '86401' }),
      'INPUT_TOO_LARGE',
      /86401 seconds of audio, at most 86400/,
    ],
    ['nine channels', probed({ channels: 9 }), 'INPUT_TOO_LARGE', /9 channels, at most 8/],
    ['a wild rate', probed({ sample_rate: '1000000' }), 'INPUT_TOO_LARGE', /1000000 samples per second/],
    ['a low rate', probed({ sample_rate: '999' }), 'INPUT_UNREADABLE', /only 999 samples/],
  ])('%s is refused', (_, probe, code, message) => {
    expect(() => requireAudio(probe, options)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    )
  })

  test.each<[string, Partial<AudioParams>, boolean, boolean]>([
    ['conversion', {}, false, false],
    ['conversion of what does not say how long it is', {}, true, true],
    ['loudness', { loudness: { targetLufs: -16, truePeakDbtp: -1, rangeLu: 11 } }, false, true],
    ['trimming', audioParamsSchema.parse({ trimSilence: {} }), false, true],
  ])('one pass or two: %s', (_, params, isGuess, expected) => {
    expect(needsAnalysis({ ...sourceOf(), isGuess }, { ...audioParamsSchema.parse({}), ...params })).toBe(
      expected,
    )
  })
})

describe('an input that ends early', () => {
  test.each([
    [undefined, 1, undefined],
    [4, 3.6, undefined],
    [4, 3.4, 'INPUT_TRUNCATED'],
    [4, 4.6, 'INPUT_CORRUPT'],
    [1000, 981, undefined],
    [1000, 979, 'INPUT_TRUNCATED'],
  ])('promised %s, decoded %s', (promisedS, decodedS, code) => {
    const judge = (onDamage: 'fail' | 'keep') => () => judgeLength({ promisedS }, decodedS, { onDamage })
    expect(judge('keep')().map((warning) => warning.code)).toEqual(code === undefined ? [] : [code])
    if (code === undefined) expect(judge('fail')()).toEqual([])
    else expect(judge('fail')).toThrow(expect.objectContaining({ code }))
  })
})

const input = { url: 'file:/in', guard: ['-guard'] }
const shape = { channels: 2, sampleRateHz: 44_100 }
const paths = { folder: '/out', peaks: '/out/peaks.pcm', clip: '/out/clip.wav' }
const planned = (params: Record<string, unknown>, found: Partial<Analysis> = {}) => {
  const parsed = audioParamsSchema.parse(params)
  const source = { ...sourceOf({ duration: '60' }), tags: { title: 'A=B' } }
  const analysis: Analysis = {
    decodedS: 60,
    loudness: { integratedLufs: -20, rangeLu: 3, truePeakDbtp: -3 },
    firstPass: parsed.loudness && {
      integratedLufs: -20,
      truePeakDbtp: -3,
      rangeLu: 3,
      thresholdLufs: -30,
      offsetLu: 0.1,
    },
    silences: [],
    ...found,
  }
  const isAnalysed = needsAnalysis(source, parsed)
  const trim = parsed.trimSilence && planTrim(analysis.silences, 60, parsed.trimSilence)
  return planAudio(source, parsed, 'talk', { analysis: isAnalysed ? analysis : undefined, trim })
}
const argsOf = (...args: Parameters<typeof planned>): string =>
  makeArguments(planned(...args), { input, paths }).join(' ')
const prepared =
  '[0:1]aresample=async=1:first_pts=0:rematrix_maxval=1.0,aformat=sample_fmts=fltp:channel_layouts=stereo:sample_rates=44100'
const start = '-y -nostdin -hide_banner -v info -nostats -stats_period 0.5 -progress pipe:1'

describe('what ffmpeg is told', () => {
  test('the defaults: one decode for a file, peaks, and the measurement', () => {
    expect(argsOf({})).toBe(
      `${start} -timelimit 900 -guard -i file:/in -filter_complex ${prepared},asplit=3[f0][p][unmeasured];[unmeasured]ebur128=peak=true:framelog=verbose[m]` +
        ' -map [f0] -t 126 -ar 44100 -c:a libmp3lame -b:a 128k -map_metadata -1 -map_chapters -1 -fflags +bitexact -metadata title=A=B -f mp3 -id3v2_version 3 file:/out/result.mp3' +
        ' -map [p] -t 126 -ar 8000 -c:a pcm_s16le -f s16le file:/out/peaks.pcm' +
        ' -map [m] -t 126 -f null -',
    )
  })

  test('every format, with its own options', () => {
    const args = argsOf({ formats: ['mp3', 'aac', 'opus', 'flac', 'wav'], bitrateKbps: { mp3: 320 } })
    for (const part of [
      'asplit=7[f0][f1][f2][f3][f4][p][unmeasured]',
      '-ar 44100 -c:a libmp3lame -b:a 320k',
      '-ar 44100 -c:a aac -b:a 128k',
      '-f ipod -movflags +faststart file:/out/result.m4a',
      '-ar 48000 -c:a libopus -b:a 96k -vbr constrained',
      '-f opus file:/out/result.opus',
      '-ar 44100 -c:a flac -sample_fmt s16',
      '-f flac file:/out/result.flac',
      '-c:a pcm_s16le',
      '-f wav -rf64 auto file:/out/result.wav',
    ])
      expect(args).toContain(part)
    expect(args.match(/-map_metadata -1 -map_chapters -1/g)).toHaveLength(5)
    expect(args.match(/ -i /g)).toHaveLength(1)
  })

  test('24 bits', () => {
    const args = argsOf({ formats: ['flac', 'wav'], bitsPerSample: 24 })
    expect(args).toContain('-c:a flac -sample_fmt s32 -bits_per_raw_sample 24')
    expect(args).toContain('-c:a pcm_s24le')
  })

  test('after a first pass: cut, then made loud, and measured no more', () => {
    const args = argsOf(
      { loudness: {}, trimSilence: {}, formats: [] },
      {
        silences: [
          { startS: 0, endS: 2 },
          { startS: 50, endS: 60 },
        ],
      },
    )
    expect(args).toContain(
      `${prepared},atrim=start=1.9:end=50.1,asetpts=PTS-STARTPTS,loudnorm=I=-16:TP=-1.5:LRA=11:measured_I=-20:measured_TP=-3:measured_LRA=3:measured_thresh=-30:offset=0.1:linear=true:print_format=json,aresample=44100,aformat=channel_layouts=stereo,asplit=1[p] -map [p]`,
    )
    expect(args).not.toContain('ebur128')
  })

  test('silence is not made loud', () => {
    expect(argsOf({ loudness: {} }, { firstPass: undefined })).not.toContain('loudnorm')
  })

  test('the piece for a preview ends where the preview ends', () => {
    const args = argsOf({ formats: [], preview: { startS: 10.5, lengthS: 20 } })
    expect(args).toContain('asplit=3[p][c][unmeasured]')
    expect(args).toContain('-map [c] -t 31 -c:a pcm_s16le -f wav -rf64 auto file:/out/clip.wav')
  })

  test.each<[Partial<AudioParams>, string]>([
    [audioParamsSchema.parse({}), `${prepared},ebur128=peak=true:framelog=verbose[heard]`],
    [
      audioParamsSchema.parse({
        loudness: { targetLufs: -23 },
        trimSilence: { thresholdDb: -40, shortestS: 1 },
      }),
      `${prepared},asetnsamples=n=441:p=0,silencedetect=n=-40dB:d=1,ametadata=mode=print:key=lavfi.silence_start:file=-:direct=1,ametadata=mode=print:key=lavfi.silence_end:file=-:direct=1,ebur128=peak=true:framelog=verbose,loudnorm=I=-23:TP=-1.5:LRA=11:print_format=json[heard]`,
    ],
  ])('the pass that only listens', (params, graph) => {
    expect(analyseArguments(params, { input, track: sourceOf().track, shape, capS: 100 }).join(' ')).toBe(
      `${start} -timelimit 1100 -guard -i file:/in -filter_complex ${graph} -map [heard] -t 100 -f null -`,
    )
  })

  const far = '-analyzeduration 120000000 -probesize 100000000'
  test.each<[string, Track, string]>([
    [
      'of several tracks',
      { index: 2, isFar: false, lateS: undefined },
      '-i file:/in -filter_complex [0:2]aresample',
    ],
    [
      'begins late in MPEG',
      { index: 1, isFar: false, lateS: 1.5 },
      '-i file:/in -filter_complex [0:1]asetpts=PTS-STARTPTS+1.500000/TB,aresample',
    ],
    [
      'is far',
      { index: 1, isFar: true, lateS: 10 },
      `${far} -i file:/in -filter_complex [0:1]asetpts=PTS-STARTPTS+10.000000/TB,aresample`,
    ],
  ])('both passes take the same sound to the same time: it %s', (_, track, expected) => {
    const params = audioParamsSchema.parse({})
    const heard = analyseArguments(params, { input, track, shape, capS: 100 }).join(' ')
    const made = makeArguments({ ...planned({}), track }, { input, paths }).join(' ')
    for (const args of [heard, made]) {
      expect(args).toContain(` -guard ${expected}=async=1:first_pts=0:`)
      expect(args).not.toContain('0:a')
    }
  })

  test('ffprobe is asked behind the guard for the tags of the track that is used', () => {
    expect(tagsArguments(input, 2).join(' ')).toBe(
      '-v error -guard -select_streams 2 -show_entries format_tags:stream_tags -of json file:/in',
    )
  })

  test('a preview: sought in the piece, faded, encoded', () => {
    const args = previewArguments(
      { startS: 10.5, durationS: 20, fadeInS: 0.5, fadeOutS: 1 },
      { format: 'aac', bitrateKbps: 64 },
      { clip: '/out/clip.wav', shape, tags: {}, output: '/out/preview.m4a' },
    ).join(' ')
    expect(args).toMatch(/-timelimit 700 -ss 10\.5 -protocol_whitelist file,crypto,data /)
    expect(args).toMatch(
      /-i file:\/out\/clip\.wav -map 0:a:0 -t 20 -af afade=t=in:st=0:d=0\.5,afade=t=out:st=19:d=1 -ar 44100 -c:a aac -b:a 64k .* file:\/out\/preview\.m4a$/,
    )
  })

  test('a preview without fades has no filter', () => {
    const args = previewArguments(
      { startS: 0, durationS: 5, fadeInS: 0, fadeOutS: 0 },
      { format: 'mp3', bitrateKbps: 64 },
      { clip: '/c', shape, tags: {}, output: '/p' },
    )
    expect(args).not.toContain('-af')
  })

  test('a file is measured behind the guard; a picture comes from pixels', () => {
    expect(measureArguments('/out/result.mp3', 60).join(' ')).toMatch(
      /-protocol_whitelist file,crypto,data .* -i file:\/out\/result\.mp3 -map 0:a:0 -af ebur128=peak=true:framelog=verbose -f null -$/,
    )
    expect(pictureArguments('/out/x.rgba', { width: 3, height: 2 }, '/out/x.png').join(' ')).toContain(
      '-protocol_whitelist file -f rawvideo -pixel_format rgba -video_size 3x2 -i file:/out/x.rgba -frames:v 1 -update 1',
    )
  })

  test.each<['mp3' | 'aac' | 'opus' | 'flac', number, number]>([
    ['mp3', 8000, 8000],
    ['mp3', 44_056, 44_100],
    ['aac', 44_101, 48_000],
    ['mp3', 192_000, 48_000],
    ['opus', 8000, 48_000],
    ['flac', 44_056, 44_056],
    ['flac', 4000, 8000],
    ['flac', 384_000, 192_000],
  ])('%s of %s Hz has %s', (format, from, to) => {
    expect(formats[format].sampleRateHz(from)).toBe(to)
  })
})

describe('what the disk must hold', () => {
  test.each<[string, Record<string, unknown>, number]>([
    ['peaks alone', { formats: [] }, 60 * 32_000 * 1.1],
    ['a wav', { formats: ['wav'] }, 60 * (32_000 + 176_400) * 1.1],
    ['an mp3', { bitrateKbps: { mp3: 100 } }, 60 * (32_000 + 14_250) * 1.1],
    ['a piece for a preview', { formats: [], preview: { lengthS: 30 } }, (60 * 32_000 + 30 * 176_400) * 1.1],
    [
      'a preview from far behind the end',
      { formats: [], preview: { startS: 5000 } },
      60 * (32_000 + 176_400) * 1.1,
    ],
  ])('%s', (_, params, bytes) => {
    expect(diskBytes(planned(params))).toBe(Math.ceil(bytes))
  })
})

describe('where a preview lies', () => {
  const wish = { startS: 10, lengthS: 30, fadeInS: 1, fadeOutS: 2 }
  test.each([
    [60, { startS: 10, durationS: 30, fadeInS: 1, fadeOutS: 2 }],
    [40, { startS: 10, durationS: 30, fadeInS: 1, fadeOutS: 2 }],
    [39, { startS: 9, durationS: 30, fadeInS: 1, fadeOutS: 2 }],
    [20, { startS: 0, durationS: 20, fadeInS: 1, fadeOutS: 2 }],
    [1.5, { startS: 0, durationS: 1.5, fadeInS: 0.5, fadeOutS: 1 }],
  ])('in %s s', (resultS, expected) => {
    expect(planPreview(wish, resultS)).toEqual(expected)
  })
})

describe('peaks', () => {
  test('are the lowest and highest of each stretch, the last of which may be short', () => {
    const counter = peakCounter(3)
    for (const sample of [1, -5, 3, 7, 8, 9, -2]) counter.add(sample)
    expect(counter.end()).toEqual({ samplesPerPoint: 3, values: [-5, 3, 7, 9, -2, -2] })
    expect(peakCounter(3).end().values).toEqual([])
  })

  test.each([
    [800, 10_000, 160],
    [1_600_000, 10_000, 160],
    [1_600_001, 10_000, 161],
    [8000 * 86_400, 10_000, 69_120],
    [8000 * 60, 100, 4800],
  ])('%s samples in at most %s points: %s samples each', (samples, points, expected) => {
    expect(samplesPerPoint(samples, points)).toBe(expected)
    expect(Math.ceil(samples / expected)).toBeLessThanOrEqual(points)
  })

  test('as JSON have eight bits', () => {
    expect(JSON.parse(waveformJson({ samplesPerPoint: 160, values: [-32_768, 32_767, -1, 255] }))).toEqual({
      version: 2,
      channels: 1,
      sample_rate: 8000,
      samples_per_pixel: 160,
      bits: 8,
      length: 2,
      data: [-128, 127, -1, 0],
    })
  })
})

describe('a picture of a waveform', () => {
  const style = { width: 4, height: 10, color: '#336699' }
  const drawn = (values: number[], more: { background?: string } = {}) => {
    const pixels = drawWaveform({ samplesPerPoint: 1, values }, { ...style, ...more })
    return (x: number, y: number) => [...pixels.subarray((y * 4 + x) * 4, (y * 4 + x) * 4 + 4)]
  }

  test('fills the height with its loudest peak, and is transparent beside it', () => {
    const at = drawn([-8000, 8000, 0, 8000, 0, 0, -4000, 4000])
    expect(at(0, 5)).toEqual([0x33, 0x66, 0x99, 255])
    expect(at(0, 1)[3]).toBe(255)
    expect(at(0, 0)[3]).toBe(191) // 95 %: three quarters of a pixel.
    expect(at(1, 1)[3]).toBe(255)
    expect(at(1, 6)[3]).toBe(0)
    expect([at(2, 3)[3], at(2, 4)[3], at(2, 5)[3], at(2, 6)[3]]).toEqual([0, 128, 128, 0])
    expect([at(3, 1)[3], at(3, 3)[3]]).toEqual([0, 255])
  })

  test('does not make noise a talk: the gain has an end', () => {
    const at = drawn([-327, 327])
    expect(at(0, 5)[3]).toBeGreaterThan(0)
    expect(at(0, 2)[3]).toBe(0)
  })

  test('has a background on request, and fewer points than columns are wide', () => {
    const at = drawn([-32_000, 32_000, 0, 0], { background: '#000000' })
    expect(at(1, 5)).toEqual([0x33, 0x66, 0x99, 255])
    expect(at(3, 0)).toEqual([0, 0, 0, 255])
    expect(at(2, 4)).toEqual([0x1a, 0x33, 0x4d, 255])
  })

  test('of nothing is a line', () => {
    expect(drawn([])(0, 4)[3]).toBe(128)
  })
})

describe('tags', () => {
  test.each<[string, unknown, Record<string, string>]>([
    [
      'of the file',
      {
        format: {
          tags: { title: ' A ', ARTIST: 'B', comment: 'C', 'com.apple.quicktime.location.ISO6709': '+5' },
        },
      },
      { title: 'A', artist: 'B' },
    ],
    ['of the stream', { streams: [{ tags: { TITLE: 'A', DATE: '2026' } }] }, { title: 'A', date: '2026' }],
    ['of both', { streams: [{ tags: { title: 'A' } }], format: { tags: { title: 'B' } } }, { title: 'B' }],
    ['with line ends', { format: { tags: { title: 'A\r\nB\u0000' } } }, { title: 'A B' }],
    ['too long', { format: { tags: { title: `${'x'.repeat(499)}😀` } } }, { title: 'x'.repeat(499) }],
    ['of odd types', { format: { tags: { title: 5, artist: null } } }, {}],
    ['none', {}, {}],
    ['nonsense', [], {}],
  ])('%s', (_, json, expected) => {
    expect(parseTags(JSON.stringify(json))).toEqual(expected)
  })

  test('what is no JSON has none', () => {
    expect(parseTags('')).toEqual({})
  })
})

describe('an output is looked at', () => {
  const made = {
    codec: 'mp3',
    channels: 2,
    sampleRateHz: 44_100,
    durationS: 4.02,
    packets: 154,
    bytes: 64_000,
  }
  const expected = { codecs: ['mp3'], shape, durationS: 4 }
  test.each([
    [{}, undefined],
    [{ codec: 'aac' }, /aac, not mp3/],
    [{ channels: 1 }, /1 channels, not 2/],
    [{ sampleRateHz: 48_000 }, /48000 samples/],
    [{ packets: 0 }, /no packets/],
    [{ durationS: 3.4 }, /lasts 3\.40 s, not 4\.00 s/],
    [{ durationS: 4.6 }, /lasts 4\.60 s/],
  ])('%j', (more, problem) => {
    const found = problemOf({ ...made, ...more }, expected)
    if (problem === undefined) expect(found).toBeUndefined()
    else expect(found).toMatch(problem)
  })

  test('by what ffprobe says', () => {
    const stream = { codec_name: 'mp3', channels: 2, sample_rate: '44100', nb_read_packets: '154' }
    const { bytes: _, ...rest } = made
    const format = { duration: '4.02' }
    expect(madeSchema.parse({ streams: [stream], format })).toEqual(rest)
    expect(madeSchema.safeParse({ streams: [], format }).success).toBe(false)
    expect(madeSchema.safeParse({ streams: [stream, stream], format }).success).toBe(false)
    expect(madeSchema.safeParse({ streams: [stream], format: {} }).success).toBe(false)
  })

  test('behind the same guard as what users gave us, packet by packet', () => {
    expect(madeArguments('/out/a.mp3').join(' ')).toBe(
      [
        '-v error -protocol_whitelist file,crypto,data',
        '-format_whitelist mov,mp4,matroska,webm,mpegts,mpeg,avi,flv,mp3,aac,wav,flac,ogg',
        '-max_pixels 35389440 -max_alloc 1073741824 -count_packets -show_entries',
        'packet=stream_index:stream=codec_name,channels,sample_rate,nb_read_packets:format=duration',
        '-of json file:/out/a.mp3',
      ].join(' '),
    )
  })

  const output = (integratedLufs: number | null, truePeakDbtp: number | null) => ({
    ...{ name: 'x.mp3', format: 'mp3' as const, codec: 'mp3', channels: 2, sampleRateHz: 44_100 },
    ...{ bitsPerSecond: 1, durationS: 1, bytes: 1, loudness: { integratedLufs, rangeLu: 1, truePeakDbtp } },
  })
  const target = { targetLufs: -16, truePeakDbtp: -1.5, rangeLu: 11 }
  test.each<[number | null, number | null, 'linear' | 'none', string[]]>([
    [-16, -1.5, 'linear', []],
    [-15, -0.5, 'linear', []],
    [-14.9, -1.5, 'linear', ['LOUDNESS_MISSED']],
    [-17.1, -1.5, 'linear', ['LOUDNESS_MISSED']],
    [-16, -0.4, 'linear', ['TRUE_PEAK_EXCEEDED']],
    [null, null, 'linear', []],
    [-40, 0, 'none', []],
  ])('%s LUFS and %s dBTP, when -16 and -1.5 were asked for', (integrated, peak, type, codes) => {
    expect(loudnessWarnings({ ...target, type }, [output(integrated, peak)]).map(({ code }) => code)).toEqual(
      codes,
    )
  })
})

describe('progress', () => {
  test('covers every stage by what it takes, never falls, and ends below 100', () => {
    let nowMs = 0
    const told: { stage: string; percent?: number; etaS?: number }[] = []
    const tell = stagedProgress(stageWeights({ analyses: true, normalizes: true, formats: 2 }), {
      tell: (status) => told.push(status),
      nowMs: () => nowMs,
    })
    for (const stage of audioStages)
      for (const share of [0, 0.5, 0.2, 1]) {
        nowMs += 1000
        tell(stage, share)
      }
    const percents = told.map(({ percent = 0 }) => percent)
    expect(percents).toEqual(percents.toSorted((a, b) => a - b))
    expect(percents[0]).toBe(0)
    expect(percents.at(-1)).toBe(99)
    expect(told[3]).toMatchObject({ stage: 'analyse', percent: 21.4 })
    // 4 s for a fifth: 15 more.
    expect(told[3]?.etaS).toBe(15)
  })

  test('a job of one pass begins with the conversion', () => {
    const told: number[] = []
    const tell = stagedProgress(stageWeights({ analyses: false, normalizes: false, formats: 0 }), {
      tell: ({ percent = 0 }) => told.push(percent),
      nowMs: () => 0,
    })
    tell('convert', 0)
    tell('convert', 1)
    expect(told[0]).toBe(0)
    expect(told[1]).toBeGreaterThan(60)
  })
})
