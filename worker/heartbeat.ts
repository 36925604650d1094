import { setTimeout as sleep } from 'node:timers/promises'
import { asWorkerError, type WorkerError } from './errors.ts'
import type { Progress } from './job-record.ts'

export type Status = { stage: string; percent?: number; etaS?: number }

export type Heartbeat<Answer = void> = {
  /** What the next beat says. Free of cost, so call it as often as you like. Percent never falls. */
  tell: (status: Status) => void
  /**
   * One beat now, for what may only be done by the task that still holds the job. Without a status it says the last one.
   * @throws WorkerError FENCED_OUT; TABLE_UNAVAILABLE when nobody can say
   */
  confirm: (status?: Status) => Promise<Answer>
  /** No more beats; the one under way is awaited. */
  stop: () => Promise<void>
}

export type HeartbeatOptions<Answer = void> = {
  /** One write, not repeated. */
  write: (progress: Progress) => Promise<void>
  /** The same, with patience. */
  writePatiently: (progress: Progress) => Promise<Answer>
  /** Another task holds the job now: stop everything. */
  onRefused: (error: WorkerError) => void
  /** The write failed in another way; work goes on. */
  onMissed: (error: WorkerError) => void
  nowMs: () => number
  firstMs: number
  everyMs: number
  atLeastEveryMs: number
}

/** Starts right after the claim, so the first beat waits: the claim has just said that we live. */
export const heartbeatTimes = { firstMs: 1000, everyMs: 5000, atLeastEveryMs: 10_000 } as const

/** Keeps the `progress` of the record fresh until it is stopped. Never two writes at the same time. */
export const startHeartbeat = <Answer>(options: HeartbeatOptions<Answer>): Heartbeat<Answer> => {
  const { nowMs, everyMs, atLeastEveryMs } = options
  const stopping = new AbortController()
  let status: Status = { stage: 'start', percent: 0 }
  let told = true
  let beat = 0
  let lastMs = nowMs()
  let writing: Promise<unknown> = Promise.resolve()

  const tell = (next: Status): void => {
    const percent = Math.max(next.percent ?? 0, status.percent ?? 0)
    told ||= next.stage !== status.stage || percent !== status.percent
    status = { ...next, percent }
  }
  const write = <T>(how: (progress: Progress) => Promise<T>): Promise<T> => {
    const next = writing.then(() => {
      beat += 1
      told = false
      lastMs = nowMs()
      return how({ beat, ...status, at: new Date(lastMs).toISOString() })
    })
    writing = next.catch(() => undefined)
    return next
  }
  const loop = async (): Promise<void> => {
    let waitMs = options.firstMs
    while (await slept(waitMs, stopping.signal)) {
      waitMs = everyMs
      if (!told && nowMs() - lastMs < atLeastEveryMs) continue
      try {
        await write(options.write)
      } catch (thrown) {
        const error = asWorkerError(thrown)
        if (error.code !== 'FENCED_OUT') options.onMissed(error)
        else {
          options.onRefused(error)
          return
        }
      }
    }
  }
  const looping = loop()

  return {
    tell,
    confirm: async (next) => {
      tell(next ?? status)
      return write(options.writePatiently)
    },
    stop: async () => {
      stopping.abort()
      await looping
      await writing
    },
  }
}

/** Whether the time has passed; false when it was cut short. */
const slept = (ms: number, signal: AbortSignal): Promise<boolean> =>
  sleep(ms, true, { signal }).catch(() => false)
