/** Time as the local ECS sees it: real in production, stepped or sped up in tests. */
export type Clock = {
  nowMs(): number
  /** Calls `fn` once after `ms`; the returned function cancels it. */
  setTimer(ms: number, fn: () => void): () => void
}

export const systemClock: Clock = {
  nowMs: Date.now,
  setTimer: (ms, fn) => {
    // A longer timeout would fire at once; whoever sets one looks at the clock and sets it again.
    const timer = setTimeout(fn, Math.min(ms, 2 ** 31 - 1))
    return () => clearTimeout(timer)
  },
}
