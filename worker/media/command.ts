import type { TranscodeParams } from '../../schemas/kinds/transcode.ts'
import { nothingElse, runArguments } from './arguments.ts'
import { bt709, type Color, colorMarks, hdrColor, isRgb, outputColor } from './color.ts'
import { requireSides, type Source } from './gate.ts'
import { keyFrameInterval, ladder, outputRate, type Rung } from './ladder.ts'
import { cpuLimitS, farLook, inputGuard } from './limits.ts'
import { type AudioStream, quotient, type Ratio, type VideoStream } from './probe.ts'

/** Everything that was decided about one transcode before ffmpeg starts. */
export type Plan = {
  rungs: Rung[]
  rate: Ratio
  /** Pictures have to be repeated or left out to come at this rate. */
  unsteady: boolean
  /** The sound track that is used. */
  audio: Pick<AudioStream, 'index' | 'channels'> | undefined
  /** It begins so late that ffmpeg has to be told to look for it. */
  isFar: boolean
  deinterlace: boolean
  toneMap: (VideoStream['color'] & { transfer: 'smpte2084' | 'arib-std-b67' }) | undefined
  /** What every rendition is marked with. */
  color: Color
  /** The source is red, green and blue; its matrix is chosen here. */
  rgb: boolean
  params: TranscodeParams
  /** Seconds that the file says its pictures and sounds have; undefined where it says so only of the whole. */
  promised: { videoS: number | undefined; audioS: number | undefined; wholeS: number }
  /** Seconds at which the output is cut off. */
  longestS: number
  cpuLimitS: number
}

export const playlistName = 'index.m3u8'
export const audioFolder = 'audio'

/**
 * What will be made of a source. Pure.
 * @throws WorkerError INPUT_TOO_LARGE if a rendition would be wider or higher than an encoder makes it
 */
export const planTranscode = (source: Source, params: TranscodeParams, toneMaps: boolean): Plan => {
  const { video, audio, durationS } = source
  const rungs = ladder(video, params.renditions)
  requireSides(rungs)
  const transfer = video.hdr === 'pq' ? 'smpte2084' : 'arib-std-b67'
  const toneMapped = video.hdr !== 'none' && toneMaps
  const rate = outputRate(video)
  const decodedPerSecond = quotient(video.nominalRate) * (video.interlaced ? 2 : 1)
  return {
    rungs,
    rate,
    unsteady: video.variableFrameRate || quotient(rate) !== decodedPerSecond,
    audio,
    isFar: source.isFar === true,
    deinterlace: video.interlaced,
    toneMap: toneMapped ? { ...video.color, transfer } : undefined,
    color: outputColor(video, toneMapped),
    rgb: isRgb(video),
    params,
    promised: { videoS: video.endS, audioS: audio?.endS, wholeS: durationS },
    // A jump in the time stamps would otherwise be filled with repeated frames for hours.
    longestS: Math.ceil(durationS * 1.5 + 10),
    cpuLimitS: cpuLimitS(durationS, rungs.length),
  }
}

/**
 * Arguments of the one ffmpeg run that decodes the source once and makes every rendition. Pure.
 * @param input absolute path
 * @param folder absolute path of an existing folder; one folder for each rendition is made in it
 */
export const transcodeArguments = (
  plan: Plan,
  { input, folder, pixels }: { input: string; folder: string; pixels: number },
): string[] => [
  ...runArguments(plan.cpuLimitS),
  ...inputGuard(pixels),
  ...(plan.isFar ? farLook : []),
  ...['-i', `file:${input}`],
  ...['-filter_complex', filterGraph(plan)],
  ...plan.rungs.flatMap((_, index) => ['-map', `[v${index}]`]),
  ...soundMap(plan),
  ...videoArguments(plan),
  ...(plan.audio === undefined ? [] : audioArguments(plan)),
  ...[...nothingElse, '-t', String(plan.longestS)],
  ...hlsArguments(plan, folder),
]

/**
 * Arguments for a still picture out of a piece of a finished rendition: the most typical of a few frames, since a single
 * one may be black or blurred. Pure.
 * @param piece initialisation and one segment, in one file
 * @param atS seconds into the piece
 */
export const posterArguments = (piece: string, atS: number, picture: string): string[] => [
  ...['-y', '-nostdin', '-hide_banner', '-v', 'error'],
  ...['-protocol_whitelist', 'file', '-format_whitelist', 'mov,mp4', '-i', `file:${piece}`],
  ...['-map', '0:V:0', '-vf', `select='gte(t,${atS.toFixed(3)})',thumbnail=n=12,${jpegFilters}`],
  ...['-frames:v', '1', '-q:v', '3', '-update', '1', `file:${picture}`],
]

/**
 * The end of a chain of filters that makes a JPEG picture, which knows one meaning of its numbers only: the matrix of
 * standard definition, in full range. By way of red, green and blue: from one matrix to another directly, ffmpeg 7.0 leaves
 * the numbers as they are, and red becomes (230, 0, 0).
 */
export const jpegFilters = 'format=gbrp,scale=out_color_matrix=bt601:out_range=pc,format=yuvj420p'

const filterGraph = (plan: Plan): string => {
  const { rungs } = plan
  const prepared = [...inputFilters(plan), ...steadying(plan), `split=${rungs.length}`].join(',')
  const branches = rungs.map((_, index) => `[s${index}]`).join('')
  const scaled = rungs.map((rung, index) => `[s${index}]${rungFilters(plan, rung)}[v${index}]`)
  return [`[0:V:0]${prepared}${branches}`, ...scaled].join(';')
}

/**
 * Repeats and leaves out pictures before the encoder would do it. That leaves one out only when it comes more than a frame too
 * early, so that all of them are late; and not every version of it lets the last picture stand as long as it lasts (5.1), nor
 * ends with one that stands shorter than a frame of the source (7.0).
 */
const steadying = ({ unsteady, rate }: Plan): string[] =>
  unsteady ? [`fps=${rate.num}/${rate.den}:start_time=0`] : []

/** What is done to the decoded picture once, before it is split. Pure. */
export const inputFilters = ({ deinterlace, toneMap }: Pick<Plan, 'deinterlace' | 'toneMap'>): string[] => [
  ...(deinterlace ? ['bwdif=mode=send_field:deint=interlaced'] : []),
  ...(toneMap === undefined ? [] : [toneMapping(toneMap)]),
]

/** What makes the picture of one rung. The target size is that of square pixels, so one scaling corrects their shape too. Pure. */
export const rungFilters = ({ color, rgb }: Pick<Plan, 'color' | 'rgb'>, { width, height }: Rung): string => {
  const matrix = rgb ? `:out_color_matrix=${bt709.matrix}` : ''
  return `scale=${width}:${height}:out_range=tv${matrix},setsar=1,format=yuv420p,${colorMarks(color)}`
}

/** All of the color is told: zscale refuses to guess. */
const toneMapping = ({ transfer, ...color }: NonNullable<Plan['toneMap']>): string => {
  const { primaries, matrix, range } = hdrColor({ transfer, ...color })
  const from = `tin=${transfer}:pin=${primaries}:min=${matrix}:rin=${range}`
  return [
    `zscale=${from}:t=linear:npl=100`,
    'format=gbrpf32le',
    'zscale=p=bt709',
    'tonemap=tonemap=hable:desat=0',
    'zscale=t=bt709:m=bt709:r=tv',
    'format=yuv420p',
  ].join(',')
}

export const videoArguments = ({
  rungs,
  rate,
  params,
}: Pick<Plan, 'rungs' | 'rate' | 'params'>): string[] => {
  const interval = String(keyFrameInterval(rate))
  return [
    ...['-c:v', 'libx264', '-preset', params.preset, '-profile:v', 'high', '-pix_fmt', 'yuv420p'],
    ...['-fps_mode', 'cfr', '-r', `${rate.num}/${rate.den}`],
    ...['-g', interval, '-keyint_min', interval, '-sc_threshold', '0', '-crf', String(params.crf)],
    ...rungs.flatMap(({ maxBitrateKbps }, index) => [
      ...[`-maxrate:v:${index}`, `${maxBitrateKbps}k`],
      ...[`-bufsize:v:${index}`, `${maxBitrateKbps}k`],
    ]),
  ]
}

/** Takes the sound of the source by its place among all streams: not always is it the first one. */
export const soundMap = ({ audio }: Pick<Plan, 'audio'>): string[] =>
  audio === undefined ? [] : ['-map', `0:${audio.index}`]

/** Sound that begins late, or has a gap, gets silence there: all playlists of an output share one timeline from zero. */
export const audioArguments = ({ params, audio }: Pick<Plan, 'params' | 'audio'>): string[] => [
  ...['-af', [...fewerChannels(audio?.channels ?? 0), 'aresample=async=1:first_pts=0'].join(',')],
  ...['-c:a', 'aac', '-b:a', `${params.audioBitrateKbps}k`, '-ac', '2', '-ar', '48000'],
]

/** Not every ffmpeg can mix more than eight channels (5.1). The first eight are taken as if there were no others. */
const fewerChannels = (channels: number): string[] =>
  channels > 8
    ? [`pan=7.1|${[0, 1, 2, 3, 4, 5, 6, 7].map((channel) => `c${channel}=c${channel}`).join('|')}`]
    : []

export const hlsArguments = (
  { rungs, audio, params }: Pick<Plan, 'rungs' | 'audio' | 'params'>,
  folder: string,
): string[] => {
  const group = audio === undefined ? '' : ',agroup:audio'
  const streams = [
    ...rungs.map(({ name }, index) => `v:${index}${group},name:${name}`),
    ...(audio === undefined ? [] : [`a:0${group},name:${audioFolder},default:yes`]),
  ]
  return [
    ...['-f', 'hls', '-hls_time', String(params.segmentSeconds), '-hls_playlist_type', 'vod'],
    ...['-hls_segment_type', 'fmp4', '-hls_flags', 'independent_segments+temp_file'],
    ...['-var_stream_map', streams.join(' ')],
    ...['-hls_segment_filename', `${folder}/%v/segment_%05d.m4s`],
    `${folder}/%v/${playlistName}`,
  ]
}
