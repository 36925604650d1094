import { z } from 'zod'
import { runChild } from '../children.ts'
import { WorkerError } from '../errors.ts'
import type { MediaTools } from '../ffmpeg.ts'
import { ownPlaylistGuard, probeTimeoutMs } from './limits.ts'

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
const answerSchema = z.object({ streams: z.array(streamSchema) })

export type OwnStream = z.infer<typeof streamSchema> & { packets: number; startS: number }

/** Arguments of ffprobe for a file or playlist that we made: nothing is decoded, everything is read. Pure. */
export const ownProbeArguments = (path: string): string[] => [
  ...['-v', 'error', ...ownPlaylistGuard, '-count_packets'],
  ...['-show_entries', `stream=${Object.keys(streamSchema.shape).join(',')}`],
  ...['-of', 'json', `file:${path}`],
]

/**
 * What is in a file or playlist that we made.
 * @param path absolute
 * @throws WorkerError OUTPUT_INVALID if it cannot be read back or a stream has nothing in it
 */
export const probeOwn = async (path: string, { tools, signal }: VerifyOptions): Promise<OwnStream[]> => {
  let answer = ''
  const end = await runChild(tools.ffprobe.path, ownProbeArguments(path), {
    env: tools.env,
    signal: AbortSignal.any([signal, AbortSignal.timeout(probeTimeoutMs * 10)]),
    onStdoutLine: (line) => {
      answer += line
    },
  })
  signal.throwIfAborted()
  const name = path.split('/').slice(-2).join('/')
  const said = end.exitCode === 0 ? answerSchema.safeParse(JSON.parse(answer)) : undefined
  if (!said?.success || said.data.streams.length === 0)
    throw new WorkerError('OUTPUT_INVALID', `${name} cannot be read back: ${end.stderr.trim().slice(-200)}`)
  return said.data.streams.map((stream) => {
    const packets = Number(stream.nb_read_packets)
    if (!(packets > 0)) throw new WorkerError('OUTPUT_INVALID', `${name} has no ${stream.codec_type} in it`)
    const startS = Number(stream.start_time)
    return { ...stream, packets, startS: Number.isFinite(startS) ? startS : 0 }
  })
}
