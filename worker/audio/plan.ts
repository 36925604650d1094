import type { AudioMetadata, AudioTags } from '../../schemas/audio-metadata.ts'
import type { AudioFormat, AudioParams } from '../../schemas/kinds/audio.ts'
import { WorkerError } from '../errors.ts'
import type { InputLimits } from '../media/limits.ts'
import { type AudioStream, emptyAudio, type Probe } from '../media/probe.ts'
import { formats, type Shape } from './formats.ts'
import type { FirstPass } from './loudnorm.ts'
import { peaksBytesPerSecond } from './peaks.ts'
import { type Span, type Trim, trimmedS } from './silence.ts'

/** An input with audio that may be worked on. */
export type AudioSource = {
  container: string
  bytes: number
  audio: AudioStream
  track: Track
  /** How long it should be, as far as anybody knows before it is decoded. */
  expectedS: number
  /** How long it says that it is; undefined: it says nothing that it could be held to. */
  promisedS: number | undefined
  /** The expectation is a guess from the first bit rates. */
  isGuess: boolean
  /** How often ffmpeg will complain although nothing is damaged. */
  harmless: number
  tags: AudioTags
  warnings: AudioMetadata['warnings']
}

/** Where ffmpeg finds the sound. */
export type Track = {
  /** Among all streams of the input. */
  index: number
  /** It begins so late that ffmpeg has to be told to look for it. */
  isFar: boolean
  /** How late it begins, where ffmpeg would lose that. */
  lateS: number | undefined
}

const audioLimits = {
  /** Beyond it, ffmpeg knows no way to mix. */
  channels: 8,
  lowestRateHz: 1000,
  highestRateHz: 768_000,
} as const

/** The first sound track that can be heard. Pure. */
export const heardOf = ({
  audio,
  laterAudio,
}: Pick<Probe, 'audio' | 'laterAudio'>): AudioStream | undefined => audio ?? laterAudio

/**
 * What was probed, if it is audio within the limits. Pure.
 * @param tells whether it says how long it is
 * @param meant how much larger it was meant to be
 * @param harmless how often ffmpeg will complain although nothing is damaged
 * @throws WorkerError NO_AUDIO_STREAM, INPUT_UNREADABLE, INPUT_TOO_LARGE
 */
export const requireAudio = (
  probed: Probe,
  {
    tells,
    meant,
    harmless,
    tags,
    limits,
  }: { tells: boolean; meant: number; harmless: number; tags: AudioTags; limits: InputLimits },
): AudioSource => {
  const { container, bytes, video, durationS, streams } = probed
  const audio = heardOf(probed)
  if (!streams.some(({ type }) => type === 'audio')) {
    const types = [...new Set(streams.map(({ type }) => type))].join(', ')
    throw new WorkerError(
      'NO_AUDIO_STREAM',
      types === '' ? 'it has no streams at all' : `it has only ${types}`,
    )
  }
  if (audio === undefined)
    throw new WorkerError(
      'INPUT_UNREADABLE',
      'its audio is of a format that ffmpeg does not know, or nothing of it is found in the first two minutes',
    )
  const expectedS = audio.endS ?? durationS
  if (expectedS === undefined || !(expectedS > 0))
    throw new WorkerError('INPUT_UNREADABLE', 'it says nothing about its duration and has no time stamps')
  if (expectedS > limits.durationS && tells)
    throw tooMuch('seconds of audio', Math.round(expectedS), limits.durationS)
  if (audio.channels > audioLimits.channels) throw tooMuch('channels', audio.channels, audioLimits.channels)
  if (audio.sampleRateHz > audioLimits.highestRateHz)
    throw tooMuch('samples per second', audio.sampleRateHz, audioLimits.highestRateHz)
  if (audio.sampleRateHz < audioLimits.lowestRateHz)
    throw new WorkerError('INPUT_UNREADABLE', `it has only ${audio.sampleRateHz} samples per second`)
  const promisedS = audio.endS ?? (video === undefined ? durationS : undefined)
  return {
    container,
    bytes,
    audio,
    track: trackOf(probed, audio),
    expectedS,
    // Some containers know only how long the whole is, and the sound of a video may end before its pictures.
    promisedS: tells && promisedS !== undefined ? promisedS * meant : undefined,
    isGuess: !tells,
    harmless,
    tags,
    warnings: trackWarnings(probed),
  }
}

/** Of what may jump in time ffmpeg counts from the first that it reads, and it reads nothing but the sound. */
const countedFromSound = ['mpegts', 'mpeg', 'ogg']

const trackOf = ({ container, isFar = false }: Probe, { index, startS }: AudioStream): Track => ({
  index,
  isFar,
  lateS: startS > 0 && countedFromSound.includes(container) ? startS : undefined,
})

/** Which of the sound tracks was used, and why not another. Pure. */
export const trackWarnings = (probed: Probe): AudioSource['warnings'] => {
  const { streams } = probed
  const warnings: AudioSource['warnings'] = []
  const [first, ...others] = streams.filter(({ type }) => type === 'audio')
  if (streams.some(({ type }) => type === emptyAudio))
    warnings.push({
      code: 'AUDIO_EMPTY',
      message: 'The input names a sound track without any sound in it: the first that has some was used.',
    })
  if (others.length > 0) {
    const used = heardOf(probed)?.index === first?.index ? 'the first' : 'the first readable one'
    const message = `Only ${used} of several audio streams was used.`
    warnings.push({ code: 'AUDIO_STREAMS_LEFT_OUT', message })
  }
  return warnings
}

const tooMuch = (what: string, value: number, limit: number): WorkerError =>
  new WorkerError('INPUT_TOO_LARGE', `${value} ${what}, at most ${limit} are accepted`)

/** What a first pass over the whole input has found. */
export type Analysis = {
  decodedS: number
  loudness: AudioMetadata['loudness']
  firstPass: FirstPass | undefined
  silences: Span[]
}

/** Whether the input is read twice: what is to be done depends on all of it, or nobody knows how long it is. Pure. */
export const needsAnalysis = (source: AudioSource, params: AudioParams): boolean =>
  params.loudness !== undefined || params.trimSilence !== undefined || source.isGuess

/** What the run does that writes the outputs. */
export type AudioPlan = {
  params: AudioParams
  track: Track
  /** Of everything between the mix and the encoders. */
  shape: Shape
  /** Of each output. */
  files: { format: AudioFormat; name: string; shape: Shape }[]
  tags: AudioTags
  trim: Trim | undefined
  firstPass: FirstPass | undefined
  /** Loudness is measured on the way, since no first pass has done it. */
  measures: boolean
  /** How long the result should be. */
  resultS: number
  /** Nothing may become longer: a jump in the time stamps would otherwise be filled with silence for days. */
  capS: number
  cpuLimitS: number
}

/** Pure. @param base what the outputs are named after */
export const planAudio = (
  source: AudioSource,
  params: AudioParams,
  base: string,
  { analysis, trim }: { analysis: Analysis | undefined; trim: Trim | undefined },
): AudioPlan => {
  const shape = shapeFor(source, params)
  const wholeS = analysis?.decodedS ?? source.expectedS
  return {
    params,
    track: source.track,
    shape,
    files: params.formats.map((format) => ({
      format,
      name: `${base}.${formats[format].suffix}`,
      shape: { ...shape, sampleRateHz: formats[format].sampleRateHz(shape.sampleRateHz) },
    })),
    tags: source.tags,
    trim,
    firstPass: params.loudness === undefined ? undefined : analysis?.firstPass,
    measures: analysis === undefined,
    resultS: trim === undefined ? wholeS : trimmedS(wholeS, trim),
    capS: capFor(wholeS),
    cpuLimitS: audioCpuLimitS(wholeS),
  }
}

/** Pure. */
export const shapeFor = (
  { audio }: Pick<AudioSource, 'audio'>,
  { channels }: Pick<AudioParams, 'channels'>,
): Shape => ({
  channels: channels === 'mono' || (channels === 'source' && audio.channels === 1) ? 1 : 2,
  sampleRateHz: formats.flac.sampleRateHz(audio.sampleRateHz),
})

export const capFor = (seconds: number): number => Math.ceil(seconds * 1.1 + 60)

/** CPU seconds; ordinary inputs take a tenth of their duration, all formats and loudness together a quarter. */
export const audioCpuLimitS = (seconds: number): number => Math.ceil(600 + seconds * 5)

/** The preview is cut out of the beginning of the result, kept without loss until then. Pure. */
export const clipS = ({ params: { preview } }: Pick<AudioPlan, 'params'>): number | undefined =>
  preview === undefined ? undefined : Math.ceil(preview.startS + preview.lengthS)

/** Bytes that everything can take on the disk, with a tenth for the unforeseen. Pure. */
export const diskBytes = (plan: AudioPlan): number => {
  const { params, shape, resultS } = plan
  const perSecond = plan.files.reduce(
    (sum, file) => sum + formats[file.format].bytesPerSecond(params, file.shape),
    peaksBytesPerSecond(shape.channels),
  )
  const clip =
    Math.min(resultS, clipS(plan) ?? 0) * formats.flac.bytesPerSecond({ ...params, bitsPerSample: 16 }, shape)
  return Math.ceil((perSecond * resultS + clip) * 1.1)
}

export type PreviewPlan = { startS: number; durationS: number; fadeInS: number; fadeOutS: number }

/** A preview that fits into the result: moved to the front, or shortened, and its fades with it. Pure. */
export const planPreview = (
  { startS, lengthS, fadeInS, fadeOutS }: Omit<NonNullable<AudioParams['preview']>, 'format' | 'bitrateKbps'>,
  resultS: number,
): PreviewPlan => {
  const durationS = Math.min(lengthS, resultS)
  const squeeze = Math.min(1, durationS / Math.max(fadeInS + fadeOutS, 1e-9))
  return {
    startS: rounded(Math.max(0, Math.min(startS, resultS - durationS))),
    durationS: rounded(durationS),
    fadeInS: rounded(fadeInS * squeeze),
    fadeOutS: rounded(fadeOutS * squeeze),
  }
}

const rounded = (value: number): number => Math.round(value * 1000) / 1000
