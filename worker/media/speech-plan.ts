import type { mediaFormats } from '../../schemas/kinds/extract-audio.ts'
import { WorkerError } from '../errors.ts'
import { nothingElse, runArguments } from './arguments.ts'
import { farLook } from './limits.ts'
import type { AudioStream, Probe } from './probe.ts'

export type MediaFormat = (typeof mediaFormats)[number]

/** What is done with the audio of an input so that Amazon Transcribe takes it. */
export type SpeechPlan =
  /** The input goes straight in. */
  | { way: 'as-is'; format: MediaFormat }
  /** Its audio in a file of its own, untouched. */
  | { way: 'copied'; format: 'm4a' | 'mp3' | 'ogg' | 'flac'; later?: LaterSound }
  /** FLAC, 16 kHz, mono. */
  | { way: 'converted'; format: 'flac'; later?: LaterSound; afterPictures?: true }
  | { way: 'none' }

/** Sound that ffmpeg would not take, or not find, by itself. */
type LaterSound = { index: number; isFar: boolean }

/** What Transcribe takes (its quotas page); beyond it the input is refused, or its audio made smaller. */
export const transcribeLimits = {
  bytes: 2 * 1024 ** 3,
  durationS: 4 * 3600,
  shortestS: 0.5,
  channels: 2,
  lowestRateHz: 8000,
  highestRateHz: 48_000,
} as const

/** Sound that begins later would be heard too early by whoever takes it out of its file: it gets silence before it. */
const latestStartS = 0.2

export type SpeechSource = Pick<
  Probe,
  'container' | 'bytes' | 'durationS' | 'streams' | 'laterAudio' | 'isFar'
> & {
  audio: AudioStream | undefined
  /** The first bytes: containers that ffprobe calls by one name are told apart by them. */
  head: Buffer
}

/**
 * What is done with an input. The format is what ffprobe and the first bytes say, never what the name says. Pure.
 * @throws WorkerError INPUT_UNREADABLE, INPUT_TOO_LARGE, AUDIO_TOO_SHORT
 */
export const planSpeech = (source: SpeechSource): SpeechPlan => {
  const { streams, bytes, laterAudio, isFar = false } = source
  const audio = source.audio ?? laterAudio
  if (!streams.some(({ type }) => type === 'audio')) return { way: 'none' }
  if (audio === undefined)
    throw new WorkerError('INPUT_UNREADABLE', 'its audio is of a format that ffmpeg does not know')
  const durationS = requireDuration({ ...source, audio })
  const later = source.audio === undefined ? { later: { index: audio.index, isFar } } : {}
  if (audio.startS > latestStartS && streams.some(({ type }) => type === 'video'))
    return { way: 'converted', format: 'flac', ...later, afterPictures: true }
  if (!fitsAsAudio(audio) || audio.startS > latestStartS)
    return { way: 'converted', format: 'flac', ...later }
  const format = asIsFormat(source, audio)
  const isAlone = audio !== laterAudio && streams.filter(({ type }) => type === 'audio').length === 1
  if (format !== undefined && isAlone && bytes <= transcribeLimits.bytes) return { way: 'as-is', format }
  const copied = copyFormats[audio.codec]
  return copied !== undefined && fitsWhenCopied(audio, durationS)
    ? { way: 'copied', format: copied, ...later }
    : { way: 'converted', format: 'flac', ...later }
}

const requireDuration = ({ audio, durationS }: SpeechSource): number => {
  // A short sound in a long video is padded by nobody.
  const seconds = audio?.endS ?? durationS
  if (seconds === undefined)
    throw new WorkerError('INPUT_UNREADABLE', 'it says nothing about its duration and has no time stamps')
  if (seconds > transcribeLimits.durationS)
    throw new WorkerError(
      'INPUT_TOO_LARGE',
      `${Math.round(seconds)} seconds of audio, at most ${transcribeLimits.durationS} are accepted. Cut it into parts`,
    )
  if (seconds < transcribeLimits.shortestS)
    throw new WorkerError(
      'AUDIO_TOO_SHORT',
      `${seconds.toFixed(2)} s, at least ${transcribeLimits.shortestS} s are needed`,
    )
  return seconds
}

const fitsAsAudio = ({ channels, sampleRateHz }: AudioStream): boolean =>
  channels <= transcribeLimits.channels &&
  sampleRateHz >= transcribeLimits.lowestRateHz &&
  sampleRateHz <= transcribeLimits.highestRateHz

const ascii = (head: Buffer, start: number, end: number): string =>
  head.subarray(start, end).toString('latin1')

/** The name under which Transcribe takes the input as it is, if it does. */
const asIsFormat = (
  { container, head, streams }: SpeechSource,
  { codec }: AudioStream,
): MediaFormat | undefined => {
  const names = container.split(',')
  if (names.includes('mp4') && codec === 'aac' && isMp4(head))
    return streams.some(({ type }) => type === 'video') ? 'mp4' : 'm4a'
  if (names.includes('webm') && codec === 'opus' && isWebm(head)) return 'webm'
  if (names.includes('mp3') && codec === 'mp3') return 'mp3'
  if (names.includes('flac') && codec === 'flac') return 'flac'
  if (names.includes('ogg') && codec === 'opus') return 'ogg'
  if (names.includes('wav') && codec === 'pcm_s16le') return 'wav'
  return undefined
}

/** QuickTime and 3GP are called mp4 by ffprobe, too. */
const isMp4 = (head: Buffer): boolean =>
  ascii(head, 4, 8) === 'ftyp' &&
  /^(isom|iso[2-9]|mp4[12]|M4A |M4V |avc1|dash|MSNV|XAVC)/.test(ascii(head, 8, 12))

/** The document type (element 4282) stands near the start of the header; Matroska has another one. */
const isWebm = (head: Buffer): boolean => ascii(head, 0, 64).includes('\x42\x82\x84webm')

const copyFormats: Record<string, 'm4a' | 'mp3' | 'ogg' | 'flac' | undefined> = {
  aac: 'm4a',
  mp3: 'mp3',
  opus: 'ogg',
  flac: 'flac',
}

/** Compressed audio of four hours always fits; of FLAC nobody knows before, so it is taken for uncompressed. */
const fitsWhenCopied = ({ codec, channels, sampleRateHz }: AudioStream, durationS: number): boolean =>
  codec !== 'flac' || durationS * channels * sampleRateHz * 3 <= transcribeLimits.bytes

/** Bytes that the audio can take at most on the disk. Pure. */
export const speechBytes = (plan: SpeechPlan, durationS: number): number => {
  switch (plan.way) {
    case 'none':
    case 'as-is':
      return 0
    case 'copied':
      return plan.format === 'flac' ? transcribeLimits.bytes : Math.ceil(durationS * 64_000)
    case 'converted':
      return Math.ceil(durationS * 35_200)
  }
}

/**
 * Arguments of the ffmpeg run that makes the audio. Pure.
 * @param output absolute path
 */
export const speechArguments = (
  plan: Extract<SpeechPlan, { way: 'copied' | 'converted' }>,
  {
    input,
    output,
    durationS,
  }: { input: { url: string; guard: readonly string[] }; output: string; durationS: number },
): string[] => [
  ...runArguments(speechCpuLimitS(durationS)),
  ...input.guard,
  ...(plan.later?.isFar === true ? farLook : []),
  ...['-i', input.url],
  ...[
    '-map',
    plan.later === undefined ? '0:a:0' : `0:${plan.later.index}`,
    '-vn',
    '-sn',
    '-dn',
    ...nothingElse,
  ],
  ...(plan.way === 'copied'
    ? ['-c:a', 'copy']
    : [
        // FLAC knows no times: what comes late, or after a gap, must come after silence.
        ...['-af', 'aresample=async=1:first_pts=0', '-ac', '1', '-ar', '16000'],
        // Without the sample format it would silently be 24 bits.
        ...['-sample_fmt', 's16', '-c:a', 'flac'],
      ]),
  // A jump in the time stamps would otherwise be filled with silence for days. What was probed may be an estimate.
  ...['-t', String(transcribeLimits.durationS + 60)],
  ...['-f', muxers[plan.format], `file:${output}`],
  // In MPEG streams ffmpeg counts from the first of what it reads, and would lose how late the sound is.
  ...(plan.way === 'converted' && plan.afterPictures
    ? ['-map', '0:V:0', '-c:v', 'copy', '-f', 'null', '-']
    : []),
]

/** CPU seconds; ordinary inputs take a hundredth of their duration. */
export const speechCpuLimitS = (durationS: number): number => Math.ceil(300 + durationS)

const muxers = { m4a: 'ipod', mp3: 'mp3', ogg: 'ogg', flac: 'flac' } as const
