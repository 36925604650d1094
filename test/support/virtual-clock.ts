import { setImmediate as afterEverythingDue } from 'node:timers/promises'
import type { Clock } from '../../controller/clock.ts'
import { acceptedMs } from './job.ts'

/** A clock that stands still until it is told to go on. */
export type VirtualClock = Clock & {
  /** Lets time pass: whatever falls due meanwhile happens in its order, and what follows from it as well. */
  pass(ms: number): Promise<void>
  /** What is due by now, and what follows from it. */
  settle(): Promise<void>
  /** How many wait for a time. */
  waiting(): number
}

/** @param monotonicMs where the clock that never jumps begins: far from the other one, so that they are not mixed up */
export function createVirtualClock(wallMs = acceptedMs, monotonicMs = 5_000_000): VirtualClock {
  let passedMs = 0
  let timers: { dueMs: number; call: () => void }[] = []

  const after: Clock['after'] = (ms, call) => {
    const timer = { dueMs: passedMs + Math.max(ms, 0), call }
    timers.push(timer)
    return () => {
      timers = timers.filter((other) => other !== timer)
    }
  }

  const pass = async (ms: number): Promise<void> => {
    const endMs = passedMs + ms
    for (;;) {
      await afterEverythingDue()
      const next = [...timers].sort((a, b) => a.dueMs - b.dueMs).find(({ dueMs }) => dueMs <= endMs)
      if (next === undefined) break
      timers = timers.filter((timer) => timer !== next)
      passedMs = Math.max(passedMs, next.dueMs)
      next.call()
    }
    passedMs = endMs
  }

  return {
    nowMs: () => wallMs + passedMs,
    monotonicMs: () => monotonicMs + passedMs,
    after,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve()
        const cancel = after(ms, resolve)
        signal?.addEventListener('abort', () => {
          cancel()
          resolve()
        })
      }),
    pass,
    settle: () => pass(0),
    waiting: () => timers.length,
  }
}
