import type { Clock } from '../clock.ts'

export type Pacer = {
  /** Takes a token if one is there. */
  tryTake(): boolean
  /** Waits for a token. */
  take(): Promise<void>
  /** Whole tokens there now. */
  available(): number
}

/**
 * A token bucket that keeps us under an AWS rate. It starts empty: what a former leader sent a moment ago still counts
 * in the account's own bucket.
 * @param perSecond tokens that come in a second
 * @param kept how many are kept at the most. The rest of AWS's own burst is what takes up the jitter between a token and
 *   the arrival of its call; at full pace it never fills up again
 */
export function createPacer(perSecond: number, clock: Clock, kept = perSecond): Pacer {
  let tokens = 0
  let atMs = clock.monotonicMs()
  let line: Promise<void> = Promise.resolve()

  const refill = (): void => {
    const nowMs = clock.monotonicMs()
    tokens = Math.min(kept, tokens + ((nowMs - atMs) / 1000) * perSecond)
    atMs = nowMs
  }
  const tryTake = (): boolean => {
    refill()
    if (tokens < 1) return false
    tokens -= 1
    return true
  }
  const takeInTurn = async (): Promise<void> => {
    while (!tryTake()) await clock.sleep(Math.ceil(((1 - tokens) / perSecond) * 1000))
  }

  return {
    tryTake,
    take() {
      line = line.then(takeInTurn)
      return line
    },
    available() {
      refill()
      return Math.floor(tokens)
    },
  }
}
