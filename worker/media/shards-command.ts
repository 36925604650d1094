import type { EncodeShardParams } from '../../schemas/kinds/encode-shard.ts'
import { nothingElse, runArguments } from './arguments.ts'
import {
  audioArguments,
  hlsArguments,
  inputFilters,
  type Plan,
  rungFilters,
  soundMap,
  videoArguments,
} from './command.ts'
import { cpuLimitS, farLook } from './limits.ts'
import { type MediaInput, quotient, type Ratio } from './probe.ts'

/** Command lines of a transcode in shards. They share what makes the pictures and sounds with that in one run. */

export type Shard = Pick<EncodeShardParams, 'start' | 'frames'>

/**
 * Arguments of the ffmpeg run that makes every rendition of one shard, into one file. Pure.
 * @param output absolute path
 */
export const shardArguments = (
  plan: Plan,
  shard: Shard,
  { input, output }: { input: MediaInput; output: string },
): string[] => [
  ...runArguments(shardCpuLimitS(plan, shard)),
  ...seeking(shard),
  ...input.guard,
  ...['-i', input.url],
  ...['-filter_complex', shardFilters(plan, shard)],
  ...plan.rungs.flatMap((_, index) => ['-map', `[v${index}]`]),
  ...videoArguments(plan),
  ...['-frames:v', String(shard.frames), ...nothingElse],
  // In the usual milliseconds the end of a shard would be rounded, and the next one begin too early or too late.
  ...['-movie_timescale', String(plan.rate.num), '-f', 'mp4', `file:${output}`],
]

/**
 * Time stamps stay those of the file: from where ffmpeg counts after a seek is another matter with every version, where a
 * stream that begins first is not used.
 */
const seeking = ({ start: { seekS, repeats } }: Shard): string[] => [
  ...(repeats > 0 ? [] : ['-copyts']),
  ...(seekS > 0 ? ['-noaccurate_seek', '-ss', seekS.toFixed(6)] : []),
]

const shardFilters = (plan: Plan, shard: Shard): string => {
  const { rungs } = plan
  const prepared = [...cut(plan, shard), ...inputFilters(plan), `split=${rungs.length}`].join(',')
  const branches = rungs.map((_, index) => `[s${index}]`).join('')
  const scaled = rungs.map((rung, index) => `[s${index}]${rungFilters(plan, rung)}[v${index}]`)
  return [`[0:V:0]${prepared}${branches}`, ...scaled].join(';')
}

/**
 * Lets the first picture of the shard be the first one, at 0. That of the whole is repeated as often as in one run. Pictures
 * are known by their time, not by their number: where their size changes ffmpeg begins anew with its filters, and they count
 * from zero again.
 */
const cut = ({ rate }: Pick<Plan, 'rate'>, { start }: Shard): string[] => {
  const { stampS, repeats } = start
  const perSecond = `${rate.num}/${rate.den}`
  if (repeats > 0)
    return [`setpts=PTS-STARTPTS+${repeats}/(${perSecond})/TB`, `fps=${perSecond}:start_time=0`]
  return [
    // Half a frame early: time stamps are rounded.
    `trim=start=${(stampS - 0.5 / quotient(rate)).toFixed(6)}`,
    `setpts=PTS-(${stampS.toFixed(6)})/TB`,
  ]
}

/** CPU seconds. What lies between the key frame and the shard is decoded as well, and may be long. */
export const shardCpuLimitS = ({ rate, rungs }: Pick<Plan, 'rate' | 'rungs'>, { frames }: Shard): number =>
  cpuLimitS(frames / quotient(rate) + 60, rungs.length)

/**
 * Arguments of the ffmpeg run that makes the whole sound. The pictures are read as well and thrown away undecoded, because
 * the time from which ffmpeg counts depends on the streams that are used. Pure.
 * @param output absolute path
 */
export const soundArguments = (
  plan: Plan,
  { input, output }: { input: MediaInput; output: string },
): string[] => [
  ...runArguments(soundCpuLimitS(plan)),
  ...input.guard,
  ...(plan.isFar ? farLook : []),
  ...['-i', input.url],
  ...[...soundMap(plan), ...audioArguments(plan), ...nothingElse, '-t', String(plan.longestS)],
  ...['-movie_timescale', '48000', '-f', 'mp4', `file:${output}`],
  ...['-map', '0:V:0', '-c:v', 'copy', '-t', String(plan.longestS), '-f', 'null', '-'],
]

/** CPU seconds; ordinary inputs take a fiftieth of their duration. */
export const soundCpuLimitS = ({ longestS }: Pick<Plan, 'longestS'>): number => Math.ceil(600 + longestS)

/**
 * The shards, for the concat demuxer. That their lengths are told makes it exact: what a file says of itself is rounded.
 * @param names next to the list. Pure.
 */
export const shardList = (names: readonly string[], shardFrames: number, rate: Ratio): string =>
  [
    'ffconcat version 1.0',
    ...names.flatMap((name) => [
      `file ${name}`,
      `duration ${((shardFrames * rate.den) / rate.num).toFixed(6)}`,
    ]),
    '',
  ].join('\n')

/**
 * Arguments of the ffmpeg run that joins the pieces into the files that one run would have written. Pure.
 * @param list absolute path of a `shardList`
 * @param sound its file, and when it begins: ffmpeg would let every input begin at 0
 * @param folder absolute path of an existing folder; one folder for each rendition is made in it
 */
export const stitchArguments = (
  plan: Pick<Plan, 'rungs' | 'audio' | 'params'>,
  { list, sound, folder }: { list: string; sound: { path: string; startS: number } | null; folder: string },
): string[] => [
  ...runArguments(undefined),
  ...['-protocol_whitelist', 'file', '-format_whitelist', 'concat,mov,mp4'],
  ...['-f', 'concat', '-safe', '1', '-i', `file:${list}`],
  ...(sound === null
    ? []
    : [
        ...['-protocol_whitelist', 'file', '-format_whitelist', 'mov,mp4'],
        ...['-itsoffset', sound.startS.toFixed(6), '-i', `file:${sound.path}`],
      ]),
  ...plan.rungs.flatMap((_, index) => ['-map', `0:v:${index}`]),
  ...(sound === null ? [] : ['-map', '1:a:0']),
  ...['-c', 'copy', ...nothingElse],
  ...hlsArguments(plan, folder),
]
