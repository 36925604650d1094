import { setMaxListeners } from 'node:events'
import type { Clock } from '../ecs/index.ts'
import type { Publisher } from './events.ts'
import type { JobRecord } from './records.ts'
import type { TranscribeSettings } from './settings.ts'
import type { Store } from './store.ts'
import type { Outcome } from './work.ts'
import type { Log } from './world.ts'

export type Runtime = {
  /** Goes on with a job that is on disk, whatever its state. */
  take(job: JobRecord): void
  /** Lets queued jobs in, as far as there is room. */
  admitQueued(): void
  /** Breaks off what is under way. Its jobs stay as they are on disk, and begin again with the next start. */
  close(): Promise<void>
}

export type RuntimeOptions = {
  settings: TranscribeSettings
  clock: Clock
  store: Store
  publisher: Publisher
  /** How many jobs are about to start IN_PROGRESS and are not in the store yet. */
  startingCount: () => number
  work: (job: JobRecord, signal: AbortSignal) => Promise<Outcome>
  log: Log
}

/**
 * What moves jobs: QUEUED until there is room, IN_PROGRESS until the work is done and its least time is over, then COMPLETED
 * or FAILED. Nobody has to ask for it. A few jobs are worked on at one time; the others are IN_PROGRESS and wait.
 */
export function createRuntime(options: RuntimeOptions): Runtime {
  const { settings, clock, store, publisher, log } = options
  const stopping = new AbortController()
  const { signal } = stopping
  // One listener for every job under way; that is no leak.
  setMaxListeners(0, signal)
  const slots = createSlots(settings.workers)
  const underWay = new Set<Promise<void>>()

  const track = (promise: Promise<void>) => {
    const tracked = promise
      .catch((error: unknown) => {
        if (!signal.aborted) log.error({ err: error }, 'transcription job is stuck until the next start')
      })
      .finally(() => underWay.delete(tracked))
    underWay.add(tracked)
  }

  const doWork = async (job: JobRecord): Promise<Outcome> => {
    const release = await slots.take()
    try {
      signal.throwIfAborted()
      return await options.work(job, signal)
    } catch (error) {
      signal.throwIfAborted()
      log.error({ err: error, job: job.name }, 'transcription failed')
      const message = error instanceof Error ? error.message : String(error)
      return { kind: 'failed', reason: `Internal failure: ${message}`, findings: {} }
    } finally {
      release()
    }
  }

  const run = async (job: JobRecord): Promise<void> => {
    const leastMs = (job.startedMs ?? 0) + settings.processingMs + (job.slowMs ?? 0)
    const [outcome] = await Promise.all([doWork(job), waitUntil(clock, leastMs, signal)])
    await settle(job, outcome)
  }

  const settle = async (job: JobRecord, outcome: Outcome): Promise<void> => {
    const ended = { ...job, findings: outcome.findings, completedMs: clock.nowMs() }
    const settled: JobRecord =
      outcome.kind === 'completed'
        ? { ...ended, status: 'COMPLETED' }
        : { ...ended, status: 'FAILED', failureReason: outcome.reason }
    await store.put(settled)
    publisher.publish(settled)
    admitQueued()
  }

  const begin = async (job: JobRecord): Promise<void> => {
    const begun: JobRecord = { ...job, status: 'IN_PROGRESS', startedMs: clock.nowMs() }
    await store.put(begun)
    await run(begun)
  }

  const admitQueued = () => {
    if (signal.aborted) return
    const jobs = store.list()
    const busy = jobs.filter(({ status }) => status === 'IN_PROGRESS').length + options.startingCount()
    const room = roomForQueued(settings) - busy
    const queued = jobs.filter(({ status }) => status === 'QUEUED')
    // `begin` marks its job at once, so the next look counts it.
    for (const job of queued.slice(0, Math.max(0, room))) track(begin(job))
  }

  return {
    take: (job) => {
      if (job.status === 'IN_PROGRESS') track(run(job))
      else admitQueued()
    },
    admitQueued,
    close: async () => {
      stopping.abort()
      slots.open()
      await Promise.all(underWay)
    },
  }
}

/** Queued jobs leave a part of the quota to those that cannot wait. */
export const roomForQueued = ({ concurrentJobs, deferredShare }: TranscribeSettings): number =>
  Math.max(1, Math.floor(concurrentJobs * deferredShare))

function waitUntil(clock: Clock, atMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const leftMs = atMs - clock.nowMs()
      if (leftMs <= 0) {
        signal.removeEventListener('abort', abort)
        resolve()
      } else cancel = clock.setTimer(leftMs, look)
    }
    const abort = () => {
      cancel()
      reject(signal.reason)
    }
    let cancel = () => {}
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    return look()
  })
}

/** First come, first served: who ends hands its place to the one that waits longest. */
function createSlots(count: number): { take(): Promise<() => void>; open(): void } {
  let free = count
  let waiting: (() => void)[] = []
  const release = () => {
    const [next, ...others] = waiting
    waiting = others
    if (next === undefined) free += 1
    else next()
  }
  return {
    take: async () => {
      if (free > 0) free -= 1
      else await new Promise<void>((resolve) => waiting.push(resolve))
      return release
    },
    /** Nobody waits any longer: there is nothing to wait for. */
    open: () => {
      for (const resolve of waiting) resolve()
      waiting = []
    },
  }
}
