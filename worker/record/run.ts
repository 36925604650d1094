import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ChildEnd, runChild } from '../children.ts'
import type { MediaTools } from '../ffmpeg.ts'
import { type ListedSegment, parseSegmentList, segmentFile, segmentListName } from './command.ts'

export type RunOptions = {
  tools: MediaTools
  env: Record<string, string>
  folder: string
  /** Ends it in order: what was recorded is kept. */
  stop: AbortSignal
  /** Ends everything at once. */
  signal: AbortSignal
  /** Ends the input. */
  cut: () => void
  /** So long without anything new is silence. */
  stallMs: number
  nowMs: () => number
  /** Called once for each finished segment, in their order, one at a time. */
  onSegment: (path: string, segment: ListedSegment, index: number) => Promise<void>
  /** How large the segment is that is being written. */
  onOpen: (bytes: number) => void
  /** Something new came. */
  onMedia: (seconds: number) => void
}

export type RunResult = ChildEnd & {
  stalled: boolean
  /** How long it took after the end to hand over what was left. */
  uploadMs: number
}

const lookEveryMs = 200
/** Before the first packet, versions of ffmpeg say nothing, 0, or the least number there is. */
const noTimeUs = Number.MIN_SAFE_INTEGER
/** A run that is asked to end may be waiting for its input; then the input ends. Asked again it would end too, but not its segment. */
const cutAfterMs = 1500
const askAgainAfterMs = 6000

/** One run of ffmpeg over a source, until one of them ends; its segments are handed over while it runs. */
export const runRecorder = async (args: readonly string[], options: RunOptions): Promise<RunResult> => {
  const { tools, env, folder, stop, signal, stallMs, onMedia, nowMs } = options
  const broken = new AbortController()
  const stalled = new AbortController()
  const watchdog = setTimeout(() => stalled.abort(), stallMs)
  let bestUs = noTimeUs
  let endedMs = 0
  const ended = new AbortController()
  const asked = AbortSignal.any([stop, signal, stalled.signal, broken.signal])
  const onAsked = () =>
    void sleep(cutAfterMs, undefined, { signal: ended.signal }).then(options.cut, () => undefined)
  asked.addEventListener('abort', onAsked, { once: true })
  const child = runChild(tools.ffmpeg.path, args, {
    env: { ...tools.env, ...env },
    signal: asked,
    askAgainAfterMs,
    onStdoutLine: (line) => {
      // After a seek it begins before where it was meant to go, and a slow source takes its time for that.
      const us = Number(/^out_time_us=(-?\d+)$/.exec(line)?.[1] ?? 0)
      if (us === 0 || us <= bestUs) return
      bestUs = us
      watchdog.refresh()
      onMedia(Math.max(0, bestUs / 1e6))
    },
  }).finally(() => {
    // What is still to be uploaded may take longer than a source may be silent.
    clearTimeout(watchdog)
    endedMs = nowMs()
    ended.abort()
  })
  // It is awaited below, but may break before that.
  child.catch(() => undefined)
  try {
    const handOver = handingOver(join(folder, segmentListName), folder, options)
    while (!ended.signal.aborted) {
      await sleep(lookEveryMs, undefined, { signal: ended.signal }).catch(() => undefined)
      await handOver()
    }
    const end = await child
    signal.throwIfAborted()
    await handOver()
    return { ...end, stalled: stalled.signal.aborted, uploadMs: nowMs() - endedMs }
  } catch (thrown) {
    broken.abort()
    await child.catch(() => undefined)
    throw thrown
  }
}

/** Whatever the list has that was not handed over yet; and what is not in it yet is looked at. */
const handingOver = (
  list: string,
  folder: string,
  { onSegment, onOpen, signal }: Pick<RunOptions, 'onSegment' | 'onOpen' | 'signal'>,
): (() => Promise<void>) => {
  let done = 0
  return async () => {
    const listed = parseSegmentList(await readFile(list, 'utf8').catch(() => ''))
    for (; done < listed.length; done += 1) {
      const segment = listed[done]
      signal.throwIfAborted()
      if (segment !== undefined) await onSegment(join(folder, segment.file), segment, done)
    }
    // A stream whose key frames are far apart, or that has one only, would have no bound otherwise.
    const open = await stat(join(folder, segmentFile(done))).catch(() => undefined)
    if (open !== undefined) onOpen(open.size)
  }
}
