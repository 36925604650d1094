import { type RecordingState, recordedUntilMs, totalsOf } from './playlist.ts'
import type { StreamPlan } from './streams.ts'

/** How far behind its own time a live stream may be when it arrives: a player of HLS begins three segments before the end. */
const delayS = 20
/** Key frames are seldom further apart. */
const keyFramesS = 10
/** Pictures and sound are not cut at the same place. */
const apartS = 1
/** Lengths of segments are rounded in playlists. */
const roundedS = 0.5

/**
 * The second of a source with an end from which it is to be recorded; 0 of a live one, which is taken as it comes. What was live
 * when it was recorded, and has an end now, is gone on with as long before that end as the clock says: so nothing is lost, and
 * what stands twice is at most what lies between the end of the source and now, and a little. Pure.
 */
export const positionIn = (
  { segments, position }: RecordingState,
  { durationS }: StreamPlan,
  nowMs: number,
): number => {
  if (durationS === undefined || segments.length === 0) return 0
  if (position !== 'live') return position ?? totalsOf(segments).recordedS
  const missedS = (nowMs - (recordedUntilMs(segments) ?? nowMs)) / 1000
  return Math.max(0, durationS - Math.max(0, missedS) - delayS)
}

/** Where ffmpeg is told to begin for that, in whole milliseconds: never later, since nothing may be left out. Pure. */
export const seekFor = (positionS: number, plan: StreamPlan): number =>
  Math.max(0, Math.floor((positionS - earlierS(plan)) * 1000) / 1000)

const earlierS = ({ seeksAnywhere, video, audio }: StreamPlan): number => {
  if (seeksAnywhere) return keyFramesS
  return video === undefined || audio === undefined ? 0 : apartS
}

/** Whether all of it was recorded before. ffmpeg would begin an HLS source anew that is asked for more than it has. Pure. */
export const hasNoMore = (positionS: number, { isHls, durationS }: StreamPlan): boolean =>
  isHls && durationS !== undefined && positionS > 0 && positionS >= durationS - roundedS

/** Whether a run came so near to the end that it announced that there is no more; lengths in headers are not exact. Pure. */
export const isAtEnd = ({ position }: RecordingState, plan: StreamPlan | undefined): boolean =>
  typeof position === 'number' && plan?.durationS !== undefined && position >= plan.durationS - 1
