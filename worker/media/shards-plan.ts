import { shardsMax } from '../../schemas/kinds/stitch.ts'
import type { TranscodeSplit } from '../../schemas/kinds/transcode-long.ts'
import type { Plan } from './command.ts'
import type { Source } from './gate.ts'
import { keyFrameInterval } from './ladder.ts'
import { quotient, type Ratio } from './probe.ts'
import type { Timeline } from './shards-timeline.ts'
import { judgeDuration } from './verify.ts'

/** How an input is cut, or why it is transcoded by one task although it is long. */
export type SplitVerdict = { is: 'split'; split: TranscodeSplit } | { is: 'alone'; why: string }

const alone = (why: string): SplitVerdict => ({ is: 'alone', why })

/** Why an input cannot be cut, as far as one look at it tells; undefined: its time stamps decide. Pure. */
export const whyWhole = (
  { video }: Pick<Source, 'video'>,
  { rate }: Pick<Plan, 'rate'>,
): string | undefined => {
  if (video.interlaced) return 'it is interlaced'
  if (video.variableFrameRate) return unevenly
  if (quotient(rate) !== quotient(video.nominalRate)) return 'its frame rate has to be changed'
  return undefined
}

const unevenly = 'its pictures do not come at equal distances'

/**
 * How a long video is cut into shards: on the grid of the key frames that the renditions will have, by the number of the
 * frame. It is cut only if one run over the whole would show every picture of the source exactly once, because only then
 * is it known which of them each shard has to begin with. Pure.
 */
export const planShards = (
  source: Pick<Source, 'audio'>,
  { rate, promised, audio, params }: Pick<Plan, 'rate' | 'promised' | 'audio' | 'params'>,
  timeline: Timeline,
): SplitVerdict => {
  const { startS, shownS, keys, fault, beginsWithKey } = timeline
  const [firstS] = shownS
  if (fault !== undefined) return alone(fault)
  if (firstS === undefined) return alone('it has no pictures')
  if (!beginsWithKey) return alone('it does not begin with a whole picture')
  const soundS = source.audio?.startS ?? firstS
  // From the first of picture and sound on counts one run; where something else comes first, ffmpegs differ.
  if (Math.min(firstS, soundS) > togetherS) return alone('something in it begins before picture and sound')
  const lead = Math.round(firstS * quotient(rate))
  if (!isEven(shownS, rate, lead)) return alone(unevenly)
  const frames = lead + shownS.length
  if (promised.videoS !== undefined && judgeDuration(frames / quotient(rate), promised.videoS) !== 'fits')
    return alone('it is shorter or longer than it says')
  const shardFrames = shardFramesOf(frames, rate, params.shardSeconds)
  if (lead >= shardFrames) return alone('its first picture comes too late')
  const starts = Array.from({ length: shardCount(frames, shardFrames) }, (_, index) => {
    const frame = index === 0 ? 0 : index * shardFrames - lead
    const atS = shownS[frame] ?? 0
    return {
      frame,
      stampS: microseconds(startS + atS),
      seekS: index === 0 ? 0 : seekBefore(atS, firstS, keys),
      repeats: index === 0 ? lead : 0,
    }
  })
  return { is: 'split', split: { rate, frames, shardFrames, shards: starts, sound: audio !== undefined } }
}

/** Streams that begin together may differ by this much. */
const togetherS = 0.002

/** How far a picture may be from where it belongs, in frames: rounded time stamps are not further off. */
const unevenMax = 0.25
/**
 * ffmpeg repeats a picture that comes later than half a frame, and drops one that comes two frames too early (-fps_mode
 * cfr). Near these edges nobody can say what it does.
 */
const [earliest, latest] = [-0.47, 0.47]

/** Whether one run over the whole shows each picture once, after the first one was repeated `lead` times. Pure. */
const isEven = (shownS: readonly number[], rate: Ratio, lead: number): boolean => {
  const framesPerSecond = quotient(rate)
  const offset = (shownS[0] ?? 0) * framesPerSecond - lead
  return shownS.every((timeS, index) => {
    const late = timeS * framesPerSecond - (lead + index)
    return late > earliest && late < latest && Math.abs(late - offset) <= unevenMax
  })
}

/** Frames of every shard but the last, a multiple of the distance of key frames. Pure. */
export const shardFramesOf = (frames: number, rate: Ratio, shardSeconds: number): number => {
  const interval = keyFrameInterval(rate)
  const wanted = Math.max(shardSeconds * quotient(rate), frames / shardsMax)
  const intervals = Math.max(1, Math.round(wanted / interval))
  return shardCount(frames, intervals * interval) > shardsMax
    ? (intervals + 1) * interval
    : intervals * interval
}

/** How many shards there are; what is left over joins the last one if it is less than half a shard. Pure. */
export const shardCount = (frames: number, shardFrames: number): number =>
  Math.max(1, Math.round(frames / shardFrames))

/** Time stamps in a container may be rounded, and a seek goes by the one or by the other. */
const seekMarginS = 0.2

/**
 * From where to read so that the key frame before a picture comes first. MPEG-TS is sought by the place in the file, so
 * what comes first then may be anything, and the margin makes it the end of what came before that key frame; in containers
 * with an index it costs one more group of pictures. 0: from the beginning, without seeking. Pure.
 */
const seekBefore = (atS: number, firstS: number, keys: Timeline['keys']): number => {
  const key = keys.findLast(({ shownS }) => shownS <= atS)
  const fromS = (key?.storedS ?? 0) - seekMarginS
  return fromS > firstS + seekMarginS ? microseconds(fromS) : 0
}

const microseconds = (timeS: number): number => Math.round(timeS * 1e6) / 1e6
