import type { SourceAddress } from './source.ts'
import type { StreamPlan } from './streams.ts'

/** Demuxers that a stream may turn out to be; those of playlists that read files (concat, dash) are not among them. */
const webFormats = 'hls,mpegts,mov,mp4,aac,mp3,ogg,flac,flv,matroska,webm'
const formats = { http: webFormats, rtmp: 'flv,live_flv', rtsp: 'rtsp' } as const
/**
 * Plain protocols only: TLS and names are the business of our proxy and our relays. Not `httpproxy`, by which a playlist could go
 * around the proxy, and not `data`, by which it could bring another one past it.
 */
const protocols = { http: 'http,tcp,crypto', rtmp: 'rtmp,tcp', rtsp: 'tcp' } as const

const inputGuard = ({ kind }: SourceAddress): string[] => [
  '-protocol_whitelist',
  protocols[kind],
  '-format_whitelist',
  formats[kind],
  '-max_alloc',
  String(1024 ** 3),
]

const inputOptions = (source: SourceAddress): string[] => {
  switch (source.kind) {
    case 'http':
      return []
    case 'rtmp':
      return ['-rtmp_live', 'live', '-rtmp_tcurl', source.tcUrl]
    case 'rtsp':
      return ['-rtsp_transport', 'tcp']
    default:
      throw source satisfies never
  }
}

/** Pure. @param hlsOptions of a source that is known to be HLS; ffprobe takes them for no other */
export const probeArguments = (source: SourceAddress, hlsOptions: readonly string[] = []): string[] => [
  '-v',
  'error',
  ...inputGuard(source),
  ...inputOptions(source),
  ...hlsOptions,
  '-of',
  'json',
  '-show_format',
  '-show_streams',
  '-show_programs',
  source.url,
]

/** How long a segment of ours is. Pure. */
export const lengthArguments = (path: string): string[] =>
  '-v error -f mpegts -show_entries format=duration -of csv=p=0'.split(' ').concat(path)

export type RecordCommand = {
  source: SourceAddress
  plan: StreamPlan
  /** What this version of ffmpeg needs for HLS. */
  hlsOptions: readonly string[]
  /** At most so much is recorded. */
  lengthS: number
  /** Where to begin in a source that has an end. */
  fromS: number
  /** With which of its segments a live playlist begins, from its end if negative; undefined: as players do. */
  liveStartIndex: number | undefined
  segmentSeconds: number
  /** How long a segment of the source may keep us waiting. */
  segmentWaitUs: number
  folder: string
}

export const segmentListName = 'segments.csv'
/** As `%06d.ts` is written by ffmpeg. */
export const segmentFile = (index: number): string => `${String(index).padStart(6, '0')}.ts`

/** Pure: one source into segments of a transport stream, which keep what they have however the run ends. */
export const recordArguments = (command: RecordCommand): string[] => {
  const { source, plan, hlsOptions, lengthS, fromS, liveStartIndex, segmentSeconds, segmentWaitUs, folder } =
    command
  const isLive = plan.durationS === undefined
  return [
    // Without -nostdin, by which 7.0 would not hear a signal; standard input is empty anyway.
    ...['-y', '-hide_banner', '-v', 'warning', '-nostats', '-stats_period', '0.5'],
    ...['-progress', 'pipe:1'],
    ...inputGuard(source),
    ...inputOptions(source),
    // How long a playlist may bring nothing new is for us to judge.
    ...(plan.isHls ? [...hlsOptions, '-max_reload', '100000', '-http_multiple', '0'] : []),
    // A segment that hangs is left out; a stream that hangs is ended by our watchdog, which knows what that means.
    ...(plan.isHls ? ['-rw_timeout', String(segmentWaitUs)] : []),
    ...(plan.isHls && isLive && liveStartIndex !== undefined
      ? ['-live_start_index', String(liveStartIndex)]
      : []),
    ...(!isLive && fromS > 0 ? ['-ss', fromS.toFixed(3)] : []),
    ...['-i', source.url],
    ...['-t', lengthS.toFixed(3)],
    ...(plan.video === undefined ? [] : ['-map', `0:${plan.video}`, '-c:v', 'copy']),
    ...(plan.audio === undefined ? [] : ['-map', `0:${plan.audio.index}`, ...audioCodec(plan.audio.codec)]),
    // A seek goes back to a key frame. So times count from where it was meant to go, and tell where in the source each segment ends.
    ...(isLive ? [] : ['-avoid_negative_ts', 'disabled']),
    ...['-map_metadata', '-1', '-max_muxing_queue_size', '4096'],
    ...['-f', 'segment', '-segment_format', 'mpegts', '-segment_time', String(segmentSeconds)],
    // One muxer for all of them: counters of the transport stream go on from segment to segment, as players expect.
    ...['-individual_header_trailer', '0'],
    ...['-segment_list', `${folder}/${segmentListName}`, '-segment_list_type', 'csv'],
    ...['-segment_list_flags', 'live', '-segment_list_size', '0'],
    `${folder}/%06d.ts`,
  ]
}

const audioCodec = (codec: 'copy' | 'aac'): string[] =>
  codec === 'copy' ? ['-c:a', 'copy'] : ['-c:a', 'aac', '-b:a', '128k', '-ac', '2']

export type ListedSegment = {
  file: string
  durationS: number
  /** Seconds from where the run was told to begin. */
  endS: number
}

/** Segments that are finished, in their order; a line that is not whole is not one yet. Pure. */
export const parseSegmentList = (csv: string): ListedSegment[] =>
  csv
    .slice(0, csv.lastIndexOf('\n') + 1)
    .split('\n')
    .flatMap((line) => {
      const match = /^(\d+\.ts),([\d.]+),([\d.]+)\s*$/.exec(line)
      const [, file, start, end] = match ?? []
      return file === undefined
        ? []
        : [{ file, durationS: Math.max(0, Number(end) - Number(start)), endS: Number(end) }]
    })
