import { stat } from 'node:fs/promises'
import { z } from 'zod'
import { runProgram } from './programs.ts'
import type { StartRequest } from './requests.ts'
import type { MediaLimits } from './settings.ts'
import type { Tools } from './tools.ts'

/** What a file is, whatever its name says. `format` is a MediaFormat, or undefined for one that Transcribe does not take. */
export type Media = { format: string | undefined; sampleRateHz: number; channels: number }

/** The documented reasons (service model, TranscriptionJob.FailureReason), with those about duration in their words. */
export const failureReasons = {
  unsupported: 'Unsupported media format',
  mismatch: 'The media format provided does not match the detected media format',
  rate: 'Invalid sample rate for audio file',
  rateMismatch: 'The sample rate provided does not match the detected sample rate',
  tooLarge: 'Invalid file size: file size too large',
  channels: 'Invalid number of channels: number of channels too large',
} as const

export const tooLong = ({ durationSMax }: MediaLimits): string =>
  `${failureReasons.tooLarge}. Maximum audio duration is ${durationSMax} seconds. Check the length of the file and try your request again.`

export const tooShort = ({ durationSMin }: MediaLimits): string =>
  `Invalid file size: file size too small. Minimum audio duration is ${durationSMin} seconds. Check the length of the file and try your request again.`

/** Why Transcribe does not take this file; undefined if it does. Pure. */
export function mediaRefusal(
  media: Media | undefined,
  request: Pick<StartRequest, 'MediaFormat' | 'MediaSampleRateHertz'>,
  limits: MediaLimits,
): string | undefined {
  if (media?.format === undefined) return failureReasons.unsupported
  const { MediaFormat, MediaSampleRateHertz } = request
  if (MediaFormat !== undefined && familyOf(MediaFormat) !== familyOf(media.format))
    return failureReasons.mismatch
  if (media.sampleRateHz < limits.sampleRateHzMin || media.sampleRateHz > limits.sampleRateHzMax)
    return failureReasons.rate
  if (MediaSampleRateHertz !== undefined && MediaSampleRateHertz !== media.sampleRateHz)
    return failureReasons.rateMismatch
  if (media.channels > limits.channelsMax) return failureReasons.channels
  return undefined
}

/** One container, two names. */
const familyOf = (format: string): string => (format === 'm4a' ? 'mp4' : format)

/**
 * Demuxers that read one file and nothing else, so that a playlist in disguise opens no other; those of the formats that
 * Transcribe takes, so every other format is one that cannot be read.
 */
const guard = [
  '-protocol_whitelist',
  'file',
  '-format_whitelist',
  'mov,mp4,matroska,webm,mp3,wav,flac,ogg,amr',
  '-max_alloc',
  String(1024 ** 3),
]

const probeTimeoutMs = 60_000

/** What ffprobe finds in a file; undefined when that is no audio in any format that Transcribe takes. */
export async function probeMedia(
  path: string,
  { tools, signal }: { tools: Tools; signal: AbortSignal },
): Promise<Media | undefined> {
  const show = ['-of', 'json', '-show_format', '-show_streams']
  const end = await runProgram(tools.ffprobe, ['-v', 'error', ...guard, ...show, `file:${path}`], {
    env: tools.env,
    signal,
    timeoutMs: probeTimeoutMs,
  })
  signal.throwIfAborted()
  return end.exitCode === 0 ? parseProbe(end.stdout) : undefined
}

const probeSchema = z.object({
  format: z.object({ format_name: z.string(), tags: z.record(z.string(), z.unknown()).default({}) }),
  streams: z.array(
    z.object({
      codec_type: z.string().optional(),
      codec_name: z.string().optional(),
      sample_rate: z.string().optional(),
      channels: z.number().optional(),
    }),
  ),
})

/** Pure part: the JSON of ffprobe, read. */
export function parseProbe(json: string): Media | undefined {
  const said = probeSchema.safeParse(parseJson(json)).data
  const audio = said?.streams.find(({ codec_type }) => codec_type === 'audio')
  if (said === undefined || audio === undefined) return undefined
  const brand = String(said.format.tags.major_brand ?? '').trim()
  return {
    format: formatOf(said.format.format_name, brand, audio.codec_name ?? ''),
    sampleRateHz: Number(audio.sample_rate ?? 0),
    channels: audio.channels ?? 0,
  }
}

function formatOf(name: string, brand: string, codec: string): string | undefined {
  const names = name.split(',')
  // QuickTime is read by the same demuxer and is not in the list of formats.
  if (names.includes('mp4')) return brand === 'qt' ? undefined : brand === 'M4A' ? 'm4a' : 'mp4'
  // Of Matroska only WebM, of both that and Ogg only Opus (developer guide, "Data input and output").
  if (names.includes('webm')) return codec === 'opus' ? 'webm' : undefined
  if (names.includes('ogg')) return codec === 'opus' ? 'ogg' : undefined
  return ['mp3', 'wav', 'flac', 'amr'].find((format) => names.includes(format))
}

const wavRate = 16_000
const wavHeaderBytes = 44
const wavBytesPerS = wavRate * 2

/**
 * Makes the audio that a recogniser gets: WAV, 16 kHz, one channel, 16 bit. A little more than `durationSMax` at most.
 * @returns its duration; undefined when the file cannot be decoded
 */
export async function makeWav(
  path: string,
  wavPath: string,
  {
    tools,
    signal,
    durationSMax,
    timeoutMs,
  }: { tools: Tools; signal: AbortSignal; durationSMax: number; timeoutMs: number },
): Promise<number | undefined> {
  const input = ['-v', 'error', '-nostdin', ...guard, '-i', `file:${path}`, '-map', '0:a:0', '-vn']
  const output = ['-ac', '1', '-ar', String(wavRate), '-c:a', 'pcm_s16le', '-map_metadata', '-1', '-bitexact']
  const cut = ['-t', String(durationSMax + 1), '-f', 'wav', '-y', wavPath]
  const end = await runProgram(tools.ffmpeg, [...input, ...output, ...cut], {
    env: tools.env,
    signal,
    timeoutMs,
  })
  signal.throwIfAborted()
  if (end.exitCode !== 0) return undefined
  const { size } = await stat(wavPath)
  return Math.max(0, size - wavHeaderBytes) / wavBytesPerS
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
