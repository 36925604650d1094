import { z } from 'zod'
import { runChild } from '../children.ts'
import { WorkerError } from '../errors.ts'
import type { MediaTools } from '../ffmpeg.ts'
import { diagnose } from './diagnose.ts'
import { type InputLimits, inputGuard, probeTimeoutMs } from './limits.ts'

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
  audio: AudioStream | undefined
  streams: StreamSummary[]
}

export type ProbeOptions = {
  tools: MediaTools
  limits: InputLimits
  signal: AbortSignal
}

/**
 * What is in a file, by ffprobe behind the guard.
 * @param path absolute
 * @throws WorkerError INPUT_UNREADABLE and others of `diagnose`
 */
export const probe = (path: string, options: ProbeOptions): Promise<Probe> =>
  probeInput({ url: `file:${path}`, guard: inputGuard(options.limits.pixels) }, options)

/** An input of ffmpeg, and what must stand before it. */
export type MediaInput = { url: string; guard: readonly string[] }

/** The same for what is not a file. */
export const probeInput = async (input: MediaInput, options: ProbeOptions): Promise<Probe> => {
  const show = ['-of', 'json', '-show_format', '-show_streams']
  const parsed = parseProbe(await askFfprobe(input, show, options))
  if (parsed.durationS !== undefined || (parsed.video ?? parsed.audio) === undefined) return parsed
  // Recorders that write to a pipe cannot go back to fill in the duration; the last time stamp tells it.
  const durationS = await lastTimestampS(input, parsed.video === undefined ? 'a:0' : 'V:0', options)
  return { ...parsed, durationS }
}

/** Pure part: the JSON of ffprobe, read. */
export const parseProbe = (json: string): Probe => {
  const said = ffprobeSchema.safeParse(parseJson(json))
  if (!said.success) throw new WorkerError('INPUT_UNREADABLE', 'nothing could be found out about it')
  const { format, streams } = said.data
  const startS = numberOf(format.start_time) ?? 0
  const durationS = numberOf(format.duration)
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
  if (durationS === undefined) return taggedEndS(stream)
  return (numberOf(stream.start_time) ?? startS) - startS + durationS
}

/** Matroska has no durations of streams but a tag for when each ends, like 00:00:04.000000000. */
const taggedEndS = (stream: FfprobeStream): number | undefined => {
  const tag = /^(\d+):(\d\d):(\d\d(?:\.\d+)?)$/.exec(String(stream.tags?.DURATION ?? ''))
  return tag ? Number(tag[1]) * 3600 + Number(tag[2]) * 60 + Number(tag[3]) : undefined
}

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

const lastTimestampS = async (
  input: MediaInput,
  stream: 'V:0' | 'a:0',
  options: ProbeOptions,
): Promise<number | undefined> => {
  let lastS: number | undefined
  const show = ['-select_streams', stream, '-show_entries', 'packet=pts_time', '-of', 'csv=p=0']
  await askFfprobe(input, show, options, (line) => {
    const timeS = numberOf(line.split(',')[0])
    if (timeS !== undefined) lastS = Math.max(lastS ?? 0, timeS)
  })
  return lastS
}

/** Arguments of ffprobe for what users gave us. Pure. */
export const probeArguments = ({ url, guard }: MediaInput, show: readonly string[]): string[] => [
  ...['-v', 'error', ...guard, ...show, url],
]

const answerCharacters = 4 * 1024 * 1024

const askFfprobe = async (
  input: MediaInput,
  show: readonly string[],
  { tools, signal }: ProbeOptions,
  onLine?: (line: string) => void,
): Promise<string> => {
  const timeout = AbortSignal.timeout(probeTimeoutMs)
  let answer = ''
  const end = await runChild(tools.ffprobe.path, probeArguments(input, show), {
    env: tools.env,
    signal: AbortSignal.any([signal, timeout]),
    onStdoutLine:
      onLine ??
      ((line) => {
        if (answer.length < answerCharacters) answer += `${line}\n`
      }),
  })
  signal.throwIfAborted()
  if (timeout.aborted)
    throw new WorkerError('INPUT_UNREADABLE', `looking at it took more than ${probeTimeoutMs / 1000} s`)
  if (end.exitCode !== 0) throw diagnose(end, { doing: 'probe' })
  return answer
}
