import { setTimeout as sleep } from 'node:timers/promises'

export type Patience = {
  /** After this long the last error is thrown. */
  forMs: number
  /** Whether another try may help. */
  worthwhile: (error: unknown) => boolean
  onRetry?: (error: unknown, waitMs: number) => void
  signal: AbortSignal
  nowMs: () => number
  /** 0 to 1, spreads out tries of many tasks that lost the same service. */
  random: () => number
}

const firstWaitMs = 200
const longestWaitMs = 5000

/**
 * Tries until it works, with waits that double from 0.2 s to 5 s. Patience counts from the first failure.
 * @param attempt gets a function that says it came forward, after which patience begins anew
 * @throws the last error when it is not worthwhile to try again or time is up; the reason of the signal when that is given
 */
export const withPatience = async <T>(
  attempt: (cameForward: () => void) => Promise<T>,
  { forMs, worthwhile, onRetry, signal, nowMs, random }: Patience,
): Promise<T> => {
  let failures = 0
  let untilMs = 0
  for (;;) {
    signal.throwIfAborted()
    try {
      return await attempt(() => {
        failures = 0
      })
    } catch (error) {
      signal.throwIfAborted()
      if (failures === 0) untilMs = nowMs() + forMs
      const waitMs = Math.min(longestWaitMs, firstWaitMs * 2 ** failures) * (0.5 + random() / 2)
      failures += 1
      if (!worthwhile(error) || nowMs() + waitMs > untilMs) throw error
      onRetry?.(error, waitMs)
      await sleep(waitMs, undefined, { signal }).catch(() => undefined)
    }
  }
}
