import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { transcodeParamsSchema } from '../../schemas/kinds/transcode.ts'
import type { ChildEnd } from '../../worker/children.ts'
import { diagnose, tellsOfDamage } from '../../worker/media/diagnose.ts'
import { requireSource } from '../../worker/media/gate.ts'
import { judgeOutput } from '../../worker/media/judge.ts'
import { inputLimits } from '../../worker/media/limits.ts'
import { parseProbe } from '../../worker/media/probe.ts'
import { overallPercent, progressReader, remainingS, transcodeTeller } from '../../worker/media/progress.ts'
import { recognise } from '../../worker/media/recognise.ts'
import { judgeDuration } from '../../worker/media/verify.ts'

describe('the first bytes of a file', () => {
  const head = (hex: string, length = 800) => Buffer.concat([Buffer.from(hex, 'hex'), randomBytes(length)])
  const transport = Buffer.alloc(800, 1)
  for (const at of [0, 188, 376]) transport[at] = 0x47
  const camcorder = Buffer.alloc(800, 1)
  for (const at of [4, 196, 388]) camcorder[at] = 0x47
  test.each<[string, Buffer, string, RegExp?]>([
    ['MP4', head('000000206674797069736f6d'), 'media'],
    ['old QuickTime', head('00000008776964650000'), 'media'],
    ['Matroska', head('1a45dfa3'), 'media'],
    ['AVI', Buffer.from('RIFF....AVI LIST'), 'media'],
    ['WAV', Buffer.from('RIFF....WAVEfmt '), 'media'],
    ['WAV above 4 GiB', Buffer.from('RF64\xff\xff\xff\xffWAVEds64', 'latin1'), 'media'],
    ['MPEG transport stream', transport, 'media'],
    ['the same from a camcorder', camcorder, 'media'],
    ['MPEG program stream', head('000001ba'), 'media'],
    ['FLV', head('464c5601'), 'media'],
    ['PNG', head('89504e470d0a1a0a'), 'refused', /picture/],
    ['JPEG', head('ffd8ffe0'), 'refused', /picture/],
    ['HEIC', head('000000246674797068656963'), 'refused', /picture/],
    ['SVG', Buffer.from('<?xml version="1.0"?><svg xmlns="x"></svg>'), 'refused', /picture/],
    ['HLS playlist', Buffer.from('#EXTM3U\nfile:///etc/passwd\n'), 'refused', /playlist/],
    ['the same behind a byte order mark and lines', Buffer.from('\uFEFF\n#EXTM3U\n'), 'refused', /playlist/],
    ['list of files', Buffer.from("ffconcat version 1.0\nfile '/etc/passwd'"), 'refused', /list of files/],
    ['DASH', Buffer.from('<?xml version="1.0"?>\n<MPD type="static"></MPD>'), 'refused', /DASH/],
    ['text', Buffer.from('Dear editor,\nthe video is attached.\n'), 'unreadable', /text/],
    ['zeros', Buffer.alloc(800), 'unreadable', /zeros/],
    ['noise', Buffer.from([3, 1, 200, 9, 77, 0, 5, 250, 17]), 'unreadable', /no format/],
    ['PDF', head('255044462d312e37'), 'unreadable', /no format/],
  ])('of %s', (_, bytes, is, what = /^$/) => {
    const recognised = recognise(bytes)
    expect(recognised.is).toBe(is)
    if (recognised.is !== 'media') expect(recognised.what).toMatch(what)
  })
})

describe('what ffprobe says', () => {
  const said = (streams: Record<string, unknown>[], format: Record<string, unknown> = {}) =>
    parseProbe(
      JSON.stringify({
        format: { format_name: 'mov,mp4', duration: '10.0', start_time: '0.0', size: '1', ...format },
        streams: streams.map((stream, index) => ({ index, ...stream })),
      }),
    )
  const video = {
    codec_type: 'video',
    codec_name: 'h264',
    width: 640,
    height: 360,
    r_frame_rate: '25/1',
    avg_frame_rate: '25/1',
  }

  test('an album cover is no video', () => {
    const probe = said([
      { ...video, disposition: { attached_pic: 1 } },
      { codec_type: 'audio', codec_name: 'aac' },
    ])
    expect(probe.video).toBeUndefined()
    expect(() => requireSource(probe, inputLimits)).toThrow(
      expect.objectContaining({
        code: 'NO_VIDEO_STREAM',
        message: 'The input has no video: it has only cover and audio. Submit it as a job of kind audio.',
      }),
    )
  })

  test('streams end where they end, not where the file ends', () => {
    const probe = said(
      [
        { ...video, duration: '4.0', start_time: '1.5' },
        {
          codec_type: 'audio',
          codec_name: 'aac',
          channels: 2,
          sample_rate: '48000',
          tags: { DURATION: '00:01:09.500000000' },
        },
      ],
      { start_time: '0.5' },
    )
    expect(probe.video?.endS).toBe(5)
    expect(probe.audio?.endS).toBe(69.5)
  })

  test.each([
    ['matroska,webm', '100.0', undefined],
    ['flv', '100.0', undefined],
    ['matroska,webm', '0.2', 10],
    ['mpegts', '100.0', 10],
  ])(
    '%s that begins at %s s tells a duration of %s: some count it from 0',
    (format_name, start_time, told) => {
      const probe = said([{ ...video, tags: { DURATION: '00:00:10.000000000' } }], {
        format_name,
        start_time,
      })
      expect(probe.durationS).toBe(told)
      if (format_name.startsWith('matroska')) expect(probe.video?.endS).toBe(told)
    },
  )

  test.each<[string, Record<string, unknown>, boolean]>([
    ['the same rates', {}, false],
    ['an odd last frame', { avg_frame_rate: '2480/99' }, false],
    ['an average far below', { avg_frame_rate: '575/49' }, true],
  ])('frame rate varies: %s', (_, rates, varies) => {
    expect(said([{ ...video, ...rates }]).video?.variableFrameRate).toBe(varies)
  })

  test.each<[string, Record<string, unknown>, Record<string, unknown>, RegExp]>([
    ['pixels', { width: 30_000, height: 20_000 }, {}, /600000000 \(30000 x 20000\) pixels.*at most 35389440/],
    ['frames per second', { avg_frame_rate: '1000/1' }, {}, /1000 frames per second, at most 240/],
    ['duration', {}, { duration: '90000' }, /90000 seconds, at most 86400/],
  ])('too much: %s', (_, stream, format, message) => {
    expect(() => requireSource(said([{ ...video, ...stream }], format), inputLimits)).toThrow(
      expect.objectContaining({
        code: 'INPUT_TOO_LARGE',
        exitCode: 65,
        message: expect.stringMatching(message),
      }),
    )
  })

  test('too much: streams', () => {
    expect(() => requireSource(said(Array.from({ length: 17 }, () => video)), inputLimits)).toThrow(
      /17 streams, at most 16/,
    )
    expect(() => requireSource(said(Array.from({ length: 16 }, () => video)), inputLimits)).not.toThrow()
  })

  test('audio that nothing can decode counts as none', () => {
    expect(said([video, { codec_type: 'audio' }]).audio).toBeUndefined()
  })

  test('nonsense is refused', () => {
    expect(() => parseProbe('{"programs":[')).toThrow(expect.objectContaining({ code: 'INPUT_UNREADABLE' }))
  })
})

describe('the progress of ffmpeg', () => {
  const shares = (...lines: string[]) => {
    const read = progressReader(10)
    return lines.map(read)
  }
  test.each<[string, string[], (number | undefined)[]]>([
    ['is a share of the duration', ['out_time_us=2500000'], [0.25]],
    [
      'never falls',
      ['out_time_us=5000000', 'out_time_us=4000000', 'out_time_us=6000000'],
      [0.5, undefined, 0.6],
    ],
    ['stops at 99 %', ['out_time_us=10000000', 'out_time_us=90000000'], [0.99, undefined]],
    ['ignores N/A and negative values', ['out_time_us=N/A', 'out_time_us=-100'], [undefined, undefined]],
    ['ignores out_time_ms, which is in microseconds too', ['out_time_ms=5000000'], [undefined]],
    ['ignores everything else', ['frame=12', 'progress=end', ''], [undefined, undefined, undefined]],
  ])('%s', (_, lines, want) => {
    expect(shares(...lines)).toEqual(want)
  })

  test.each([
    ['download', 0, 0],
    ['download', 1, 5],
    ['transcode', 0.5, 45.5],
    ['transcode', 2, 86],
    ['verify', 1, 88],
    ['pictures', 1, 90],
    ['loudness', 1, 92],
    ['mp4', 1, 93],
    ['upload', 1, 99],
  ] as const)('%s at %d is %d %% of the whole', (stage, share, percent) => {
    expect(overallPercent(stage, share)).toBe(percent)
  })

  test('no stage begins before the one before it has ended', () => {
    const stages = ['download', 'transcode', 'verify', 'pictures', 'loudness', 'mp4', 'upload'] as const
    const edges = stages.flatMap((stage) => [overallPercent(stage, 0), overallPercent(stage, 1)])
    expect(edges).toEqual(edges.toSorted((a, b) => a - b))
    expect(new Set(edges).size).toBe(stages.length + 1)
  })

  test('the seconds that are left count from the end of the download, over all other stages', () => {
    let nowMs = 0
    const told: unknown[] = []
    const tell = transcodeTeller(
      (status) => told.push(status),
      () => nowMs,
    )
    nowMs = 500_000
    tell('download', 1)
    tell('transcode', 0)
    nowMs += 40_500
    tell('transcode', 0.5)
    nowMs += 40_500
    tell('verify', 0)
    tell('upload', 1)
    expect(told).toEqual([
      { stage: 'download', percent: 5 },
      { stage: 'transcode', percent: 5 },
      { stage: 'transcode', percent: 45.5, etaS: 54 },
      { stage: 'verify', percent: 86, etaS: 13 },
      { stage: 'upload', percent: 99, etaS: 0 },
    ])
  })

  test('what remains is told after a second, by the pace so far', () => {
    expect(remainingS(0.25, 10_000)).toBe(30)
    expect(remainingS(0, 10_000)).toBeUndefined()
    expect(remainingS(0.5, 999)).toBeUndefined()
  })
})

describe('how ffmpeg ended', () => {
  const end = (
    stderr: string,
    exitCode: number | null = 1,
    signal: NodeJS.Signals | null = null,
  ): ChildEnd => ({
    exitCode,
    signal,
    stderr,
  })
  test.each<[string, ChildEnd, string, number]>([
    ['disk full', end('av_interleaved_write_frame(): No space left on device'), 'DISK_FULL', 75],
    ['format not on the list', end("[hls] Format not on whitelist 'mov'"), 'INPUT_FORMAT_REFUSED', 65],
    ['too many pixels', end('picture size 9x9 exceeds specified max pixel count 4'), 'INPUT_TOO_LARGE', 65],
    ['index missing', end('[mov] moov atom not found\nInvalid data found'), 'INPUT_UNREADABLE', 65],
    [
      'nothing to decode',
      end('Cannot determine format of input stream 0:0 after EOF'),
      'INPUT_UNREADABLE',
      65,
    ],
    ['nonsense', end('Invalid data found when processing input'), 'INPUT_UNREADABLE', 65],
    ['killed', end('', null, 'SIGKILL'), 'OUT_OF_MEMORY', 137],
    ['killed over a damaged input', end('Invalid data found', null, 'SIGKILL'), 'OUT_OF_MEMORY', 137],
    ['killed behind a wrapper', end('', 137), 'OUT_OF_MEMORY', 137],
    ['stopped by somebody else', end('Exiting normally, received signal 15.', 255), 'INTERRUPTED', 143],
    ['crashed', end('', null, 'SIGSEGV'), 'FFMPEG_FAILED', 70],
    ['a mistake of ours', end("Unrecognized option 'fps_mode'"), 'FFMPEG_FAILED', 70],
  ])('%s', (_, how, code, exitCode) => {
    expect(diagnose(how, { doing: 'transcode' })).toMatchObject({ code, exitCode })
  })

  test('killed after it had all the processor time it may have: that was the limit, not memory', () => {
    const error = diagnose(end('', null, 'SIGKILL'), { doing: 'transcode', cpuLimitReached: true })
    expect(error).toMatchObject({ code: 'CPU_LIMIT', exitCode: 65 })
  })

  test('an unknown complaint of ffprobe is about the input, a crash of it is not', () => {
    expect(diagnose(end('strange'), { doing: 'probe' })).toMatchObject({ code: 'INPUT_UNREADABLE' })
    expect(diagnose(end('', null, 'SIGSEGV'), { doing: 'probe' })).toMatchObject({ code: 'FFMPEG_FAILED' })
  })

  test.each([
    ['[h264 @ 0x1] corrupt decoded frame in stream 0', true],
    ['Error while decoding stream #0:0: Invalid data found', true],
    ['[vist#0:0/h264 @ 0x1] Error submitting packet to decoder: Invalid data', true],
    ['[h264 @ 0x1] concealing 920 DC, 920 AC, 920 MV errors in P frame', true],
    ['[mjpeg @ 0x1] error count: 64', true],
    ['[mjpeg @ 0x1] error y=8 x=17', true],
    ['lost.ts: corrupt input packet in stream 0', true],
    ['[in#0/mpegts @ 0x1] corrupt input packet in stream 0', true],
    ['[hevc @ 0x1] Could not find ref with POC 12', true],
    ['[swscaler @ 0x1] deprecated pixel format used', false],
  ])('%s', (line, damage) => {
    expect(tellsOfDamage(line)).toBe(damage)
  })

  test.each([
    ['[hevc @ 0x1] Could not find ref with POC 12', false],
    ['[in#0/mpegts @ 0x1] corrupt input packet in stream 0', false],
    ['[h264 @ 0x1] corrupt decoded frame in stream 0', true],
    ['[mjpeg @ 0x1] error y=8 x=17', true],
  ])('where the decoder begins in the middle, what came before is not damage: %s', (line, damage) => {
    expect(tellsOfDamage(line, true)).toBe(damage)
  })
})

describe('the length of the output', () => {
  test.each([
    [10, 9.5, 'fits'],
    [10, 9.49, 'short'],
    [10, 10.5, 'fits'],
    [10, 10.51, 'long'],
    [100, 98, 'fits'],
    [100, 97.99, 'short'],
    [0.3, 0.04, 'fits'],
  ] as const)('promised %d s, made %d s: %s', (promisedS, outputS, verdict) => {
    expect(judgeDuration(outputS, promisedS)).toBe(verdict)
  })

  type Promised = { videoS: number | undefined; audioS: number | undefined; wholeS: number }
  const judge = (
    promised: Partial<Promised>,
    videoS: number,
    audioS?: number,
    onDamage: 'fail' | 'keep' = 'fail',
  ) =>
    judgeOutput(
      {
        promised: { videoS: undefined, audioS: undefined, wholeS: 4, ...promised },
        params: transcodeParamsSchema.parse({ onDamage }),
        longestS: 16,
      },
      {
        renditions: [{ durationS: videoS }],
        audio: audioS === undefined ? null : { durationS: audioS },
      },
    )

  test('too short fails the job with both numbers', () => {
    expect(() => judge({ videoS: 4 }, 1.6)).toThrow(
      expect.objectContaining({
        code: 'INPUT_TRUNCATED',
        message: expect.stringContaining('it promises 4.0 s, and 1.6 s of pictures could be read'),
      }),
    )
  })

  test('with onDamage keep it is a warning', () => {
    expect(judge({ videoS: 4 }, 1.6, undefined, 'keep')).toEqual([
      expect.objectContaining({ code: 'INPUT_TRUNCATED' }),
    ])
  })

  test('too long is damage as well', () => {
    expect(() => judge({ videoS: 4 }, 6)).toThrow(expect.objectContaining({ code: 'INPUT_CORRUPT' }))
  })

  test.each([
    [16, undefined],
    [15, 4],
    [4, 15.98],
  ])(
    'pictures of %d s and sound of %s that had to be cut off fail, whatever is asked for',
    (videoS, audioS) => {
      expect(() => judge({ videoS: 4 }, videoS, audioS, 'keep')).toThrow(
        expect.objectContaining({
          code: 'INPUT_CORRUPT',
          exitCode: 65,
          message: expect.stringContaining(
            'it goes on after 16 s although it promises 4.0 s; remux it first',
          ),
        }),
      )
    },
  )

  test('with onDamage keep longer is a warning, up to where it is cut off', () => {
    expect(judge({ videoS: 4 }, 14.9, undefined, 'keep')).toEqual([
      expect.objectContaining({ code: 'INPUT_CORRUPT' }),
    ])
  })

  test('sound is judged like pictures', () => {
    expect(() => judge({ videoS: 4, audioS: 4 }, 4, 2)).toThrow(/2\.0 s of sound/)
  })

  test.each<[string, Partial<Promised>, number, number | undefined]>([
    ['right is right', { videoS: 4 }, 4.04, undefined],
    ['pictures that are meant to be shorter than the sound', { videoS: 2, audioS: 4 }, 2, 4],
    ['where only the whole is known, one part may be shorter', { wholeS: 4 }, 2, 4],
    ['where one part is known, the other is not guessed at', { videoS: 4 }, 4, 2],
  ])('%s', (_, promised, videoS, audioS) => {
    expect(judge(promised, videoS, audioS)).toEqual([])
  })

  test('where only the whole is known, all parts short means cut off', () => {
    expect(() => judge({ wholeS: 4 }, 2, 3)).toThrow(/promises 4\.0 s, and 3\.0 s of sound/)
  })
})
