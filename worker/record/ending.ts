import type { RecordParams } from '../../schemas/kinds/record.ts'
import type { RecordingEnd } from '../../schemas/recording.ts'
import type { ErrorCode } from '../errors.ts'
import type { SeenHttp } from '../net/http-proxy.ts'

/** How one run of ffmpeg came to its end, when nobody but the source was the reason. */
export type RunFacts = {
  exitCode: number | null
  /** We ended it, because nothing new came for too long. */
  stalled: boolean
  stderr: string
  /** What the proxy saw; undefined: the source is not HTTP. */
  seen: SeenHttp | undefined
  /** Why nobody could be reached, in words; of any protocol. */
  failure: string | undefined
  /** It has an end, and that was reached. */
  isAll: boolean
  /** Its streams are none that can be recorded. */
  isUnfit: boolean
  /** Whether anything at all came out of it. */
  brought: boolean
}

/**
 * complete: the source said that this was all. changed: it goes on in a way that takes a new run. missing, forbidden: it says that there is nothing for us. stalled: it is there,
 * and silent. unsupported: what it brings is no stream. lost: the line broke, or nobody answers.
 */
export type SourceEnd = 'complete' | 'changed' | 'missing' | 'forbidden' | 'unsupported' | 'stalled' | 'lost'

/** Pure; the first that fits. */
export const howItEnded = (facts: RunFacts): SourceEnd => {
  const { exitCode, stalled, stderr, seen, failure, isAll, isUnfit, brought } = facts
  if (stalled) return 'stalled'
  if (isUnfit) return 'unsupported'
  if (exitCode === 0 && seen?.initChanged === true) return 'changed'
  // A body is often left before its end, since all of it that counts was read.
  if (exitCode === 0 && isAll) return 'complete'
  if (exitCode === 0 && seen?.playlistEnded === true) return 'complete'
  if (exitCode === 0 && seen?.playlistEnded === undefined && seen?.isWhole === true && brought)
    return 'complete'
  // A playlist that is served on and on, and has nothing new in it.
  if (exitCode === 0 && seen?.playlistEnded === false && seen.failure === undefined) return 'stalled'
  if ([404, 410].includes(seen?.status ?? 0)) return 'missing'
  if ([401, 403].includes(seen?.status ?? 0)) return 'forbidden'
  // What ffmpeg says about HTTP may be about any segment: there, the last answer counts.
  const said = seen === undefined ? stderr : ''
  if (/\b404 (Stream )?Not Found|StreamNotFound|NetStream\.Play\.Failed/i.test(said)) return 'missing'
  if (/\b40[13] (Unauthorized|Forbidden)/i.test(said)) return 'forbidden'
  const isNonsense = /Invalid data found|not on whitelist|could not find codec parameters/i.test(stderr)
  if (exitCode !== 0 && isNonsense && !brought && failure === undefined) return 'unsupported'
  return 'lost'
}

export type Standing = {
  /** Of all attempts. */
  recordedS: number
  /** Of this attempt. */
  broughtNow: boolean
  /** Since something new came, or the attempt began. */
  silentMs: number
  /** How often it was tried again since then. */
  tries: number
  /** maxDuration has passed, gaps included. */
  isOver: boolean
}

export type Next =
  | { do: 'again'; waitMs: number }
  | { do: 'finish'; end: RecordingEnd }
  | { do: 'fail'; code: ErrorCode }

/**
 * What follows from the end of a run. Pure. A source that comes back within `giveUpAfter` is gone on with. One that says its end
 * is a success, and so is one that was there and now says that there is nothing (404): the stream is over. Silence is never a
 * success, also where nothing could be recorded any more, and a line that stays broken only if the job says so. One that let us in
 * before and now refuses us may do so for a moment.
 */
export const whatNext = (
  end: SourceEnd,
  { recordedS, broughtNow, silentMs, tries, isOver }: Standing,
  { giveUpAfter, onSourceLost }: Pick<RecordParams, 'giveUpAfter' | 'onSourceLost'>,
): Next => {
  const hasSome = recordedS > 0
  switch (end) {
    case 'complete':
      return hasSome ? { do: 'finish', end: 'ended' } : { do: 'fail', code: 'SOURCE_UNSUPPORTED' }
    case 'forbidden':
      if (!hasSome) return { do: 'fail', code: 'SOURCE_FORBIDDEN' }
      break
    case 'unsupported':
      if (!broughtNow) return { do: 'fail', code: 'SOURCE_UNSUPPORTED' }
      break
    case 'changed':
      if (tries === 0) return { do: 'again', waitMs: 0 }
      break
    case 'missing':
    case 'stalled':
    case 'lost':
      break
    default:
      throw end satisfies never
  }
  if (end === 'stalled' && isOver) return { do: 'fail', code: 'SOURCE_STALLED' }
  if (silentMs < giveUpAfter * 1000) return { do: 'again', waitMs: Math.min(5000, 500 * 2 ** tries) }
  if (end === 'stalled') return { do: 'fail', code: 'SOURCE_STALLED' }
  if (end === 'forbidden') return { do: 'fail', code: 'SOURCE_FORBIDDEN' }
  if (end === 'missing' && hasSome) return { do: 'finish', end: 'gone' }
  if (end === 'missing') return { do: 'fail', code: 'SOURCE_MISSING' }
  if (onSourceLost === 'finish' && hasSome) return { do: 'finish', end: 'gone' }
  return { do: 'fail', code: broughtNow ? 'SOURCE_LOST' : 'SOURCE_UNREACHABLE' }
}
