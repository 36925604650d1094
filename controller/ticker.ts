import type { Clock } from './clock.ts'

export type Ticker = {
  /** Run now instead of at the end of the interval; during a run: once more right after it. */
  nudge(): void
  /** Resolves when a run that is under way has ended. */
  stop(): Promise<void>
}

/**
 * Runs `work` again and again, never twice at once, `intervalMs()` apart. An error is reported and changes nothing: the
 * next run comes in its time.
 */
export function createTicker(
  work: () => Promise<void>,
  intervalMs: () => number,
  clock: Clock,
  onError: (error: unknown) => void,
): Ticker {
  let nudged = false
  let stopped = false
  let wakeUp: () => void = () => undefined

  const sleep = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const cancel = clock.after(ms, resolve)
      wakeUp = () => {
        cancel()
        resolve()
      }
    })

  const loop = async (): Promise<void> => {
    while (!stopped) {
      // Cleared before the run, so that a nudge during it skips the next sleep.
      nudged = false
      const startedMs = clock.monotonicMs()
      await work().catch(onError)
      if (nudged || stopped) continue
      await sleep(intervalMs() - (clock.monotonicMs() - startedMs))
    }
  }
  const ended = loop()

  return {
    nudge() {
      nudged = true
      wakeUp()
    },
    stop() {
      stopped = true
      wakeUp()
      return ended
    },
  }
}
