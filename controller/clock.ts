import { setTimeout as sleep } from 'node:timers/promises'

/** Time as a parameter: the real one here, a virtual one in the simulation. */
export type Clock = {
  /** Milliseconds since 1970: what records and AWS speak of. */
  nowMs(): number
  /** Milliseconds that never jump: what waits and time-outs of this process are measured with. */
  monotonicMs(): number
  /** Resolves after the time, or at once (without an error) when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls back once; the returned function takes it back. */
  after(ms: number, callback: () => void): () => void
}

// Node turns longer timers into 1 ms.
const longestTimerMs = 2 ** 31 - 1

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    sleep(Math.min(Math.max(ms, 0), longestTimerMs), undefined, signal ? { signal } : {}).catch(
      () => undefined,
    ),
  after(ms, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(ms, 0), longestTimerMs))
    return () => clearTimeout(timer)
  },
}
