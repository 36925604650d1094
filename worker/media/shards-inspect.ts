import { z } from 'zod'
import { WorkerError } from '../errors.ts'
import type { Plan } from './command.ts'
import { askOwn, eachPacket, type VerifyOptions } from './own-probe.ts'

/** What one stream of a piece is. */
export type PieceStream = {
  codec: string
  width: number | undefined
  height: number | undefined
  /** Packets that are there, or that the index of the file tells of: it is written last. */
  packets: number
  startS: number
  /** Checksum of what a decoder has to know before the first picture. */
  header: string
}

const answerSchema = z.object({
  streams: z
    .array(
      z.object({
        codec_name: z.string(),
        width: z.number().optional(),
        height: z.number().optional(),
        start_time: z.string().optional(),
        nb_frames: z.string().optional(),
        nb_read_packets: z.string().optional(),
        extradata_hash: z.string().optional(),
      }),
    )
    .min(1),
})

/**
 * What is in a piece that we made.
 * @param path absolute
 * @param counted whether every packet is read and counted
 * @throws WorkerError PIECES_INVALID if it cannot be read back; STALLED
 */
export const inspectPiece = async (
  path: string,
  counted: boolean,
  options: VerifyOptions,
): Promise<PieceStream[]> => {
  const { said, complaint } = await askOwn(inspectArguments(path, counted), answerSchema, options)
  if (said === undefined) throw new WorkerError('PIECES_INVALID', `one cannot be read back: ${complaint}`)
  return said.streams.map((stream) => ({
    codec: stream.codec_name,
    width: stream.width,
    height: stream.height,
    packets: Number(counted ? stream.nb_read_packets : stream.nb_frames) || 0,
    startS: Number(stream.start_time) || 0,
    header: stream.extradata_hash ?? '',
  }))
}

/** Arguments of ffprobe. Pure. */
export const inspectArguments = (path: string, counted: boolean): string[] => [
  ...['-v', 'error', '-protocol_whitelist', 'file', '-format_whitelist', 'mov,mp4'],
  ...(counted ? ['-count_packets'] : []),
  ...['-show_data_hash', 'sha256', '-show_entries', `${counted ? `${eachPacket}:` : ''}${streamEntries}`],
  ...['-of', 'json', `file:${path}`],
]

const streamEntries = 'stream=codec_name,width,height,start_time,nb_frames,nb_read_packets,extradata_hash'

/** What is wrong with the file of a shard; undefined: nothing. Pure. @param frames that each stream must have */
export const shardProblem = (
  streams: readonly PieceStream[],
  rungs: Plan['rungs'],
  frames: number,
): string | undefined => {
  if (streams.length !== rungs.length) return `it has ${streams.length} streams, not ${rungs.length}`
  for (const [index, { name, width, height }] of rungs.entries()) {
    const stream = streams[index]
    if (stream?.codec !== 'h264') return `${name} is not H.264`
    if (stream.width !== width || stream.height !== height)
      return `${name} is ${stream.width} x ${stream.height}, not ${width} x ${height}`
    if (stream.startS !== 0) return `${name} begins at ${stream.startS} s, not at 0`
    if (stream.packets !== frames) return `${name} has ${stream.packets} frames, not ${frames}`
  }
  return undefined
}
