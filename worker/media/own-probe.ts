import { z } from 'zod'
import { WorkerError } from '../errors.ts'
import type { MediaTools } from '../ffmpeg.ts'
import { ownPlaylistGuard, stallMs } from './limits.ts'
import { runFfprobe } from './run-ffprobe.ts'

export type VerifyOptions = { tools: MediaTools; signal: AbortSignal }

const streamSchema = z.object({
  codec_type: z.string(),
  codec_name: z.string(),
  profile: z.string().optional(),
  width: z.number().optional(),
  height: z.number().optional(),
  pix_fmt: z.string().optional(),
  color_range: z.string().optional(),
  color_space: z.string().optional(),
  color_transfer: z.string().optional(),
  color_primaries: z.string().optional(),
  channels: z.number().optional(),
  sample_rate: z.string().optional(),
  start_time: z.string().optional(),
  duration: z.string().optional(),
  nb_read_packets: z.string().optional(),
})
const answerSchema = z.object({ streams: z.array(streamSchema).min(1) })

export type OwnStream = z.infer<typeof streamSchema> & { packets: number; startS: number }

/** Arguments of ffprobe for a file or playlist that we made: nothing is decoded, everything is read. Pure. */
export const ownProbeArguments = (path: string): string[] => [
  ...['-v', 'error', ...ownPlaylistGuard],
  ...['-count_packets', '-show_entries', `${eachPacket}:stream=${Object.keys(streamSchema.shape).join(',')}`],
  ...['-of', 'json', `file:${path}`],
]

/**
 * What is in a file or playlist that we made.
 * @param path absolute
 * @throws WorkerError OUTPUT_INVALID if it cannot be read back or a stream has nothing in it; STALLED
 */
export const probeOwn = async (path: string, options: VerifyOptions): Promise<OwnStream[]> => {
  const { said, complaint } = await askOwn(ownProbeArguments(path), answerSchema, options)
  const name = path.split('/').slice(-2).join('/')
  if (said === undefined) throw new WorkerError('OUTPUT_INVALID', `${name} cannot be read back: ${complaint}`)
  return said.streams.map((stream) => {
    const packets = Number(stream.nb_read_packets)
    if (!(packets > 0)) throw new WorkerError('OUTPUT_INVALID', `${name} has no ${stream.codec_type} in it`)
    const startS = Number(stream.start_time)
    return { ...stream, packets, startS: Number.isFinite(startS) ? startS : 0 }
  })
}

/** What ffprobe is told to show besides what is asked for: counting alone, it would say nothing for as long as a large file takes. */
export const eachPacket = 'packet=stream_index'

/**
 * Asks ffprobe about a file of ours, which may take as long as it comes forward.
 * @param args with `-of json`, and with `eachPacket` where all of the file is read
 * @returns what it said, if it is what was expected; else its complaint
 * @throws WorkerError STALLED
 */
export const askOwn = async <T>(
  args: readonly string[],
  schema: z.ZodType<T>,
  { tools, signal }: VerifyOptions,
): Promise<{ said: T | undefined; complaint: string }> => {
  let answer = ''
  const isWanted = outsideOfPackets()
  const end = await runFfprobe(args, {
    ...{ tools, signal, stallMs },
    onLine: (line) => {
      if (isWanted(line)) answer += line
    },
  })
  const said = end.exitCode === 0 ? schema.safeParse(parsed(answer)) : undefined
  return { said: said?.data, complaint: end.stderr.trim().slice(-200) }
}

/** The packets of a day are too many to be kept. Pure but for what it has seen. */
const outsideOfPackets = (): ((line: string) => boolean) => {
  let isInside = false
  return (line) => {
    const wasInside = isInside
    isInside = isInside ? !/^ {4}\]/.test(line) : /^ {4}"packets": \[$/.test(line)
    return !wasInside && !isInside
  }
}

const parsed = (json: string): unknown => {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
