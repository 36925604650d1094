import { describe, expect, test } from 'vitest'
import { inputGuard } from '../../worker/media/limits.ts'
import { parseProbe } from '../../worker/media/probe.ts'
import {
  planSpeech,
  type SpeechPlan,
  speechArguments,
  speechBytes,
  transcribeLimits,
} from '../../worker/media/speech-plan.ts'

/** First bytes of real files, as far as they are looked at. */
const heads = {
  mp4: Buffer.from('\0\0\0\x18ftypisom\0\0\x02\0', 'latin1'),
  m4a: Buffer.from('\0\0\0\x1cftypM4A \0\0\x02\0', 'latin1'),
  quicktime: Buffer.from('\0\0\0\x14ftypqt  \0\0\x02\0', 'latin1'),
  threeGp: Buffer.from('\0\0\0\x14ftyp3gp5\0\0\x02\0', 'latin1'),
  webm: Buffer.from(
    '\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webmB\x87',
    'latin1',
  ),
  matroska: Buffer.from(
    '\x1aE\xdf\xa3\xa3B\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x88matroska',
    'latin1',
  ),
  other: Buffer.from('whatever'),
}

type Row = {
  container?: string
  head?: keyof typeof heads
  durationS?: number
  bytes?: number
  audio?: Record<string, unknown>[]
  video?: boolean
}

const mp4 = 'mov,mp4,m4a,3gp,3g2,mj2'
const mkv = 'matroska,webm'

/** The answer of ffprobe in its own form: an ordinary MP4 of a minute, but for what a row says. */
const sourceOf = ({
  container = mp4,
  head = 'mp4',
  durationS = 60,
  bytes = 5e6,
  audio = [{}],
  video = true,
}: Row) => {
  const streams = [
    ...(video ? [{ codec_type: 'video', codec_name: 'h264', width: 640, height: 360 }] : []),
    ...audio.map((one) => ({
      codec_type: 'audio',
      codec_name: 'aac',
      channels: 2,
      sample_rate: '44100',
      ...one,
    })),
  ]
  const probe = parseProbe(
    JSON.stringify({
      format: { format_name: container, duration: String(durationS), start_time: '0.0', size: String(bytes) },
      streams: streams.map((stream, index) => ({ index, ...stream })),
    }),
  )
  return { ...probe, head: heads[head] }
}

const asIs = (format: string) => ({ way: 'as-is', format })
const copied = (format: string) => ({ way: 'copied', format })
const converted = { way: 'converted', format: 'flac' }

// What an input is called is not even asked: `a.b.MP4`, no suffix and a wrong one are rows of the handler's test.
describe('what is done with an input', () => {
  test.each<[string, Row, object]>([
    ['MP4 with AAC', {}, asIs('mp4')],
    ['M4A', { head: 'm4a', video: false }, asIs('m4a')],
    ['MP3', { container: 'mp3', head: 'other', video: false, audio: [{ codec_name: 'mp3' }] }, asIs('mp3')],
    [
      'FLAC',
      { container: 'flac', head: 'other', video: false, audio: [{ codec_name: 'flac' }] },
      asIs('flac'),
    ],
    [
      'WAV of 16 bits',
      { container: 'wav', head: 'other', video: false, audio: [{ codec_name: 'pcm_s16le' }] },
      asIs('wav'),
    ],
    [
      'WAV of 24 bits',
      { container: 'wav', head: 'other', video: false, audio: [{ codec_name: 'pcm_s24le' }] },
      converted,
    ],
    [
      'Ogg with Opus',
      {
        container: 'ogg',
        head: 'other',
        video: false,
        audio: [{ codec_name: 'opus', sample_rate: '48000' }],
      },
      asIs('ogg'),
    ],
    [
      'Ogg with Vorbis',
      { container: 'ogg', head: 'other', video: false, audio: [{ codec_name: 'vorbis' }] },
      converted,
    ],
    [
      'WebM with Opus',
      { container: mkv, head: 'webm', audio: [{ codec_name: 'opus', sample_rate: '48000' }] },
      asIs('webm'),
    ],
    ['WebM with Vorbis', { container: mkv, head: 'webm', audio: [{ codec_name: 'vorbis' }] }, converted],
    [
      'Matroska with Opus, which ffprobe calls the same',
      { container: mkv, head: 'matroska', audio: [{ codec_name: 'opus', sample_rate: '48000' }] },
      copied('ogg'),
    ],
    ['Matroska with AAC', { container: mkv, head: 'matroska' }, copied('m4a')],
    [
      'Matroska with FLAC',
      { container: mkv, head: 'matroska', audio: [{ codec_name: 'flac' }] },
      copied('flac'),
    ],
    [
      'Matroska with FLAC that might be beyond 2 GB',
      {
        container: mkv,
        head: 'matroska',
        durationS: 14_000,
        audio: [{ codec_name: 'flac', sample_rate: '48000' }],
      },
      converted,
    ],
    ['QuickTime, which ffprobe calls the same as MP4', { head: 'quicktime' }, copied('m4a')],
    ['QuickTime with PCM', { head: 'quicktime', audio: [{ codec_name: 'pcm_s16le' }] }, converted],
    [
      '3GP with AMR',
      { head: 'threeGp', audio: [{ codec_name: 'amr_nb', sample_rate: '8000', channels: 1 }] },
      converted,
    ],
    ['MP4 with MP3', { audio: [{ codec_name: 'mp3' }] }, copied('mp3')],
    ['MP4 with ALAC', { audio: [{ codec_name: 'alac' }] }, converted],
    ['MP4 with AC-3', { audio: [{ codec_name: 'ac3' }] }, converted],
    ['transport stream with AAC', { container: 'mpegts', head: 'other' }, copied('m4a')],
    ['two audio tracks: the first', { audio: [{}, {}] }, copied('m4a')],
    ['six channels', { audio: [{ channels: 6 }] }, converted],
    ['192 kHz', { audio: [{ sample_rate: '192000' }] }, converted],
    ['48 kHz', { audio: [{ sample_rate: '48000' }] }, asIs('mp4')],
    ['48.001 kHz', { audio: [{ sample_rate: '48001' }] }, converted],
    ['8 kHz', { audio: [{ sample_rate: '8000' }] }, asIs('mp4')],
    ['7.35 kHz', { audio: [{ sample_rate: '7350' }] }, converted],
    ['2 GB', { bytes: transcribeLimits.bytes }, asIs('mp4')],
    ['a byte more than 2 GB', { bytes: transcribeLimits.bytes + 1 }, copied('m4a')],
    ['sound that begins 0.2 s late', { audio: [{ start_time: '0.2' }] }, asIs('mp4')],
    [
      'sound that begins 5 s after the pictures: with silence before it, so they are read as well',
      { audio: [{ start_time: '5.0' }] },
      { ...converted, afterPictures: true },
    ],
    ['four hours', { durationS: 14_400 }, asIs('mp4')],
    ['half a second', { durationS: 0.5 }, asIs('mp4')],
    ['no audio', { audio: [] }, { way: 'none' }],
  ])('%s', (_, row, plan) => {
    expect(planSpeech(sourceOf(row))).toEqual(plan)
  })

  test.each<[string, Row, string, RegExp]>([
    [
      'four hours and a second',
      { durationS: 14_401 },
      'INPUT_TOO_LARGE',
      /14401 seconds of audio, at most 14400/,
    ],
    ['less than half a second', { durationS: 0.49 }, 'AUDIO_TOO_SHORT', /0\.49 s, at least 0\.5 s/],
    ['a short sound in a long video', { audio: [{ duration: '0.3' }] }, 'AUDIO_TOO_SHORT', /0\.30 s/],
    [
      'a codec that nobody knows',
      { audio: [{ codec_name: undefined }] },
      'INPUT_UNREADABLE',
      /does not know/,
    ],
    ['no duration', { durationS: 0 }, 'INPUT_UNREADABLE', /duration/],
  ])('%s: 65 and why', (_, row, code, message) => {
    expect(() => planSpeech(sourceOf(row))).toThrow(expect.objectContaining({ code, exitCode: 65 }))
    expect(() => planSpeech(sourceOf(row))).toThrow(message)
  })
})

describe('the arguments of ffmpeg', () => {
  type Made = Extract<SpeechPlan, { way: 'copied' | 'converted' }>
  const input = { url: 'http://127.0.0.1:1/x', guard: inputGuard(1000, 'http,tcp') }
  const argumentsFor = (plan: Made) =>
    speechArguments(plan, { input, output: '/scratch/audio', durationS: 60 })

  test.each<[string, Made, string]>([
    ['copied to M4A', { way: 'copied', format: 'm4a' }, '-c:a copy -t 14460 -f ipod file:/scratch/audio'],
    ['copied to Ogg', { way: 'copied', format: 'ogg' }, '-c:a copy -t 14460 -f ogg file:/scratch/audio'],
    ['copied to MP3', { way: 'copied', format: 'mp3' }, '-c:a copy -t 14460 -f mp3 file:/scratch/audio'],
    ['copied to FLAC', { way: 'copied', format: 'flac' }, '-c:a copy -t 14460 -f flac file:/scratch/audio'],
    [
      'converted: FLAC of 16 bits, 16 kHz, mono, with silence where the input has gaps',
      { way: 'converted', format: 'flac' },
      '-af aresample=async=1:first_pts=0 -ac 1 -ar 16000 -sample_fmt s16 -c:a flac -t 14460 -f flac file:/scratch/audio',
    ],
  ])('%s', (_, plan, end) => {
    const text = argumentsFor(plan).join(' ')
    expect(text).toContain('-map 0:a:0 -vn -sn -dn -map_metadata -1 -map_chapters -1')
    expect(text.endsWith(end)).toBe(true)
  })

  test('the guard stands before the one input, without a way to files of ours', () => {
    const args = argumentsFor({ way: 'converted', format: 'flac' })
    const at = args.indexOf('-i')
    expect(args.filter((arg) => arg === '-i')).toHaveLength(1)
    for (const option of ['-protocol_whitelist', '-format_whitelist', '-max_alloc', '-timelimit'])
      expect(args.indexOf(option), option).toBeLessThan(at)
    expect(args[args.indexOf('-protocol_whitelist') + 1]).toBe('http,tcp')
  })

  test('of an hour there is at most so much on the disk', () => {
    expect(speechBytes({ way: 'as-is', format: 'mp4' }, 3600)).toBe(0)
    // 16,000 samples of two bytes each second, and a tenth.
    expect(speechBytes({ way: 'converted', format: 'flac' }, 3600)).toBe(126_720_000)
    // 512 kbit/s, more than any of the formats has.
    expect(speechBytes({ way: 'copied', format: 'm4a' }, 3600)).toBe(230_400_000)
  })
})
