import { z } from 'zod'
import { WorkerError } from '../errors.ts'
import type { MediaTools } from '../ffmpeg.ts'
import { diagnose } from './diagnose.ts'
import { farLook, type InputLimits, inputGuard, probeTimeoutMs, stallMs } from './limits.ts'
import { runFfprobe } from './run-ffprobe.ts'

export type Ratio = { num: number; den: number }

export type VideoStream = {
  index: number
  codec: string
  pixelFormat: string
  codedWidth: number
  codedHeight: number
  rotationDegrees: number
  sampleAspectRatio: Ratio
  /** As seen: turned upright, with square pixels. */
  width: number
  height: number
  averageRate: Ratio
  /** The lowest rate that can hold every time stamp of the file (ffprobe documentation, r_frame_rate). */
  nominalRate: Ratio
  variableFrameRate: boolean
  interlaced: boolean
  hdr: 'none' | 'pq' | 'hlg'
  /** In the words of ffmpeg; unknown where the file says nothing. */
  color: { primaries: string; transfer: string; matrix: string; range: string }
  /** When its last frame ends, from the start of the file. */
  endS: number | undefined
}

export type AudioStream = {
  index: number
  codec: string
  channels: number
  sampleRateHz: number
  /** When its first sample is heard, from the start of the file. */
  startS: number
  endS: number | undefined
}

export type StreamSummary = {
  index: number
  type: string
  codec: string
  language?: string
  durationS?: number
}

export type Probe = {
  container: string
  bytes: number
  durationS: number | undefined
  video: VideoStream | undefined
  /** The first sound track; undefined where nothing can be heard of it. */
  audio: AudioStream | undefined
  /** Where that is of no use: the first one that is. */
  laterAudio?: AudioStream | undefined
  /** ffmpeg finds the later one only with a `farLook`. */
  isFar?: boolean
  streams: StreamSummary[]
}

export type ProbeOptions = {
  tools: MediaTools
  limits: InputLimits
  signal: AbortSignal
}
type AskOptions = Pick<ProbeOptions, 'tools' | 'signal'> & { stallMs?: number }

/**
 * What is in a file, by ffprobe behind the guard.
 * @param path absolute
 * @throws WorkerError INPUT_UNREADABLE and others of `diagnose`; STALLED
 */
export const probe = (path: string, options: ProbeOptions): Promise<Probe> =>
  probeInput({ url: `file:${path}`, guard: inputGuard(options.limits.pixels) }, options)

/** Type of a sound track that nothing was ever written to. */
export const emptyAudio = 'empty audio'

/** An input of ffmpeg, and what must stand before it. */
export type MediaInput = { url: string; guard: readonly string[] }

/** The same for what is not a file. */
export const probeInput = async (input: MediaInput, options: ProbeOptions): Promise<Probe> => {
  const answer = parseAnswer(await askFfprobe(input, showAll, options))
  const said = describe(answer)
  const isCrowded = said.streams.length > options.limits.streams
  // Whoever asked refuses it, so nothing more is asked of each of its thousand tracks.
  if (isCrowded) return said
  const sounds = said.streams.filter(({ type }) => type === 'audio')
  // A sound that is alone in its file needs no looking for: without it there is nothing.
  const isAlone = said.video === undefined && sounds.length < 2
  if (isAlone && said.audio === undefined) return said
  const found = isAlone ? said : await listen(answer, said, input, options)
  return { ...found, durationS: found.durationS ?? (await shownForS(input, options)) }
}

const showAll = ['-of', 'json', '-show_format', '-show_streams']

/** Pure part: the JSON of ffprobe, read. */
export const parseProbe = (json: string): Probe => describe(parseAnswer(json))

const parseAnswer = (json: string): FfprobeAnswer => {
  const said = ffprobeSchema.safeParse(parseJson(json))
  if (!said.success) throw new WorkerError('INPUT_UNREADABLE', 'nothing could be found out about it')
  return said.data
}

const describe = ({ format, streams }: FfprobeAnswer): Probe => {
  const startS = numberOf(format.start_time) ?? 0
  const saidS = numberOf(format.duration)
  const isUnclear = /matroska|flv/.test(format.format_name) && !isSameFromZero(startS, saidS ?? 0)
  const durationS = isUnclear ? undefined : saidS
  const video = streams.find((stream) => stream.codec_type === 'video' && !isCover(stream))
  const audio = streams.find((stream) => stream.codec_type === 'audio')
  return {
    container: format.format_name,
    bytes: numberOf(format.size) ?? 0,
    durationS: durationS !== undefined && durationS > 0 ? durationS : undefined,
    video: video && videoStream(video, startS),
    audio: audio && audioStream(audio, startS),
    streams: streams.map((stream) => {
      const streamS = numberOf(stream.duration)
      const language = stream.tags?.language
      return {
        index: stream.index,
        type: isCover(stream) ? 'cover' : (stream.codec_type ?? 'unknown'),
        codec: stream.codec_name ?? 'unknown',
        ...(language === undefined ? {} : { language: String(language).slice(0, 32) }),
        ...(streamS !== undefined && streamS >= 0 ? { durationS: streamS } : {}),
      }
    }),
  }
}

const ffprobeStreamSchema = z.object({
  index: z.number(),
  codec_type: z.string().optional(),
  codec_name: z.string().optional(),
  pix_fmt: z.string().optional(),
  width: z.number().optional(),
  height: z.number().optional(),
  sample_aspect_ratio: z.string().optional(),
  r_frame_rate: z.string().optional(),
  avg_frame_rate: z.string().optional(),
  field_order: z.string().optional(),
  color_transfer: z.string().optional(),
  color_primaries: z.string().optional(),
  color_space: z.string().optional(),
  color_range: z.string().optional(),
  start_time: z.string().optional(),
  duration: z.string().optional(),
  nb_frames: z.string().optional(),
  channels: z.number().optional(),
  sample_rate: z.string().optional(),
  disposition: z.object({ attached_pic: z.number().optional() }).optional(),
  tags: z.record(z.string(), z.unknown()).optional(),
  side_data_list: z.array(z.object({ rotation: z.number().optional() })).optional(),
})
type FfprobeStream = z.infer<typeof ffprobeStreamSchema>

const ffprobeSchema = z.object({
  format: z.object({
    format_name: z.string(),
    duration: z.string().optional(),
    start_time: z.string().optional(),
    size: z.string().optional(),
  }),
  streams: z.array(ffprobeStreamSchema),
})

type FfprobeAnswer = z.infer<typeof ffprobeSchema>

/** Cover art is a video stream of one picture. */
const isCover = (stream: FfprobeStream): boolean => stream.disposition?.attached_pic === 1

const interlacedOrders = ['tt', 'bb', 'tb', 'bt']
const hdrTransfers: Record<string, 'pq' | 'hlg'> = { smpte2084: 'pq', 'arib-std-b67': 'hlg' }

const videoStream = (stream: FfprobeStream, startS: number): VideoStream => {
  const [codedWidth, codedHeight] = [stream.width ?? 0, stream.height ?? 0]
  const rotationDegrees = stream.side_data_list?.find((data) => data.rotation !== undefined)?.rotation ?? 0
  const sampleAspectRatio = ratioOf(stream.sample_aspect_ratio) ?? { num: 1, den: 1 }
  const seenWidth = Math.round((codedWidth * sampleAspectRatio.num) / sampleAspectRatio.den)
  const turned = Math.abs(Math.round(rotationDegrees)) % 180 === 90
  const nominalRate = ratioOf(stream.r_frame_rate) ?? { num: 25, den: 1 }
  // One picture has no average, and a nominal rate of 90000.
  const averageRate = ratioOf(stream.avg_frame_rate) ?? { num: 25, den: 1 }
  const deviation = Math.abs(quotient(nominalRate) / quotient(averageRate) - 1)
  return {
    index: stream.index,
    codec: stream.codec_name ?? 'unknown',
    pixelFormat: stream.pix_fmt ?? 'unknown',
    codedWidth,
    codedHeight,
    rotationDegrees,
    sampleAspectRatio,
    width: turned ? codedHeight : seenWidth,
    height: turned ? seenWidth : codedHeight,
    averageRate,
    nominalRate,
    // Rounding of time stamps and an odd last frame stay below 2 %.
    variableFrameRate: deviation > 0.02,
    interlaced: interlacedOrders.includes(stream.field_order ?? ''),
    hdr: hdrTransfers[stream.color_transfer ?? ''] ?? 'none',
    color: {
      primaries: stream.color_primaries ?? 'unknown',
      transfer: stream.color_transfer ?? 'unknown',
      matrix: stream.color_space ?? 'unknown',
      range: stream.color_range ?? 'unknown',
    },
    endS: endOf(stream, startS),
  }
}

const audioStream = (stream: FfprobeStream, startS: number): AudioStream | undefined => {
  const sampleRateHz = numberOf(stream.sample_rate) ?? 0
  const channels = stream.channels ?? 0
  if (stream.codec_name === undefined || channels === 0 || sampleRateHz === 0) return undefined
  return {
    index: stream.index,
    codec: stream.codec_name,
    channels,
    sampleRateHz,
    startS: Math.max(0, (numberOf(stream.start_time) ?? startS) - startS),
    endS: endOf(stream, startS),
  }
}

/** When the last frame ends, from the start of the file. */
const endOf = (stream: FfprobeStream, startS: number): number | undefined => {
  const durationS = numberOf(stream.duration)
  if (durationS === undefined) {
    const endS = taggedEndS(stream)
    return endS !== undefined && isSameFromZero(startS, endS) ? endS : undefined
  }
  return (numberOf(stream.start_time) ?? startS) - startS + durationS
}

/** Matroska has no durations of streams but a tag for when each ends, like 00:00:04.000000000. */
const taggedEndS = (stream: FfprobeStream): number | undefined => {
  const tag = /^(\d+):(\d\d):(\d\d(?:\.\d+)?)$/.exec(String(stream.tags?.DURATION ?? ''))
  return tag ? Number(tag[1]) * 3600 + Number(tag[2]) * 60 + Number(tag[3]) : undefined
}

/**
 * Matroska and Flash video that do not begin at 0 count their duration from there or from 0, as their writers like. Where
 * the difference is less than half of what an output may be shorter or longer, it does not matter; else it has to be measured.
 */
const isSameFromZero = (startS: number, saidS: number): boolean => startS <= Math.max(0.25, saidS * 0.01)

export const quotient = ({ num, den }: Ratio): number => num / den

const ratioOf = (text: string | undefined): Ratio | undefined => {
  const match = /^(\d+)[/:](\d+)$/.exec(text ?? '')
  const [num, den] = [Number(match?.[1]), Number(match?.[2])]
  return num > 0 && den > 0 ? { num, den } : undefined
}

const numberOf = (text: string | undefined): number | undefined => {
  const value = Number(text)
  return text !== undefined && text !== '' && Number.isFinite(value) ? value : undefined
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * From the first time stamp of all pictures and sounds to the end of what ends last: recorders that write to a pipe cannot
 * go back to fill in the duration.
 */
const shownForS = async (input: MediaInput, options: ProbeOptions): Promise<number | undefined> => {
  let firstS = Number.POSITIVE_INFINITY
  let lastS = Number.NEGATIVE_INFINITY
  const show = ['-show_entries', 'packet=codec_type,pts_time,duration_time', '-of', 'csv=p=0']
  const onLine = (line: string) => {
    const [type = '', at, lasts] = line.split(',')
    const timeS = numberOf(at)
    if (timeS === undefined || !['video', 'audio'].includes(type)) return
    firstS = Math.min(firstS, timeS)
    lastS = Math.max(lastS, timeS + (numberOf(lasts) ?? 0))
  }
  // All of it is read, and S3 is asked again for a minute.
  await askFfprobe(input, show, { ...options, stallMs: stallMs * 2 }, onLine)
  return lastS > firstS ? Math.round((lastS - firstS) * 1e6) / 1e6 : undefined
}

/** Finds the first sound track with sound in it. One before it that nothing was written to is no longer taken for sound. */
const listen = async (
  { format, streams }: FfprobeAnswer,
  said: Probe,
  input: MediaInput,
  options: ProbeOptions,
): Promise<Probe> => {
  const empty = new Set<number>()
  let heard: AudioStream | undefined
  for (const stream of streams.filter(({ codec_type }) => codec_type === 'audio')) {
    const audio = audioStream(stream, numberOf(format.start_time) ?? 0)
    if (audio === undefined) continue
    if (!(await isEmpty(stream, format, input, options))) {
      heard = audio
      break
    }
    empty.add(stream.index)
  }
  const isFar = heard === undefined && streams.some(isUnheard)
  if (isFar) heard = await listenFar(input, options)
  const isFirst = heard?.index === said.audio?.index
  return {
    ...said,
    isFar: isFar && heard !== undefined,
    audio: isFirst ? heard : undefined,
    laterAudio: isFirst ? undefined : heard,
    streams: said.streams.map((stream) =>
      empty.has(stream.index) ? { ...stream, type: emptyAudio } : stream,
    ),
  }
}

/** ffprobe knows what would be heard, and has heard nothing of it. */
const isUnheard = ({ codec_type, codec_name, channels }: FfprobeStream): boolean =>
  codec_type === 'audio' && codec_name !== undefined && (channels ?? 0) === 0

/** The first sound track of which something is heard in the first two minutes. */
const listenFar = async (input: MediaInput, options: ProbeOptions): Promise<AudioStream | undefined> => {
  const far = { ...input, guard: [...input.guard, ...farLook] }
  const answer = await askFfprobe(far, showAll, options).catch((thrown: unknown) => {
    options.signal.throwIfAborted()
    // The pictures are there all the same.
    if (thrown instanceof WorkerError && thrown.code === 'INPUT_UNREADABLE') return undefined
    throw thrown
  })
  if (answer === undefined) return undefined
  const { format, streams } = parseAnswer(answer)
  const sounds = streams.filter(({ codec_type }) => codec_type === 'audio')
  return sounds
    .map((stream) => audioStream(stream, numberOf(format.start_time) ?? 0))
    .find((audio) => audio !== undefined)
}

/**
 * Whether nothing was ever written to a sound track, as by recorders without a microphone. What an ordinary file says
 * answers it. Else ffprobe looks for the first sound, which it finds after a few packets where there is one.
 */
const isEmpty = async (
  stream: FfprobeStream,
  format: FfprobeAnswer['format'],
  input: MediaInput,
  options: ProbeOptions,
): Promise<boolean> => {
  // ffprobe gives a stream of which it has seen nothing the times of the whole.
  const isUnseen = isNear(stream.start_time, format.start_time) && isNear(stream.duration, format.duration)
  if (!isUnseen || Number(stream.nb_frames) > 0) return false
  if (taggedEndS(stream) === 0) return true
  let isThere = false
  const select = ['-select_streams', String(stream.index), '-read_intervals', '%+#1']
  const show = [...select, '-show_entries', 'packet=pts_time', '-of', 'csv=p=0']
  const onLine = (line: string) => {
    isThere ||= line.length > 0
  }
  await askFfprobe(input, show, options, onLine).catch(() => {
    options.signal.throwIfAborted()
    // Damage, an input that is slow to read, or sound that begins very late, is for those to judge who decode it.
    isThere = true
  })
  return !isThere
}

const isNear = (one: string | undefined, other: string | undefined): boolean =>
  one === other || Math.abs(Number(one) - Number(other)) < 0.002

/** Arguments of ffprobe for what users gave us. Pure. */
export const probeArguments = ({ url, guard }: MediaInput, show: readonly string[]): string[] => [
  ...['-v', 'error', ...guard, ...show, url],
]

const answerCharacters = 4 * 1024 * 1024

const askFfprobe = async (
  input: MediaInput,
  show: readonly string[],
  { tools, signal, stallMs = probeTimeoutMs }: AskOptions,
  onLine?: (line: string) => void,
): Promise<string> => {
  let answer = ''
  const end = await runFfprobe(probeArguments(input, show), {
    ...{ tools, signal, stallMs },
    onLine:
      onLine ??
      ((line) => {
        if (answer.length < answerCharacters) answer += `${line}\n`
      }),
  })
  if (end.exitCode !== 0) throw diagnose(end, { doing: 'probe' })
  return answer
}
