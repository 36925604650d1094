/** Numbers that look random and are the same for the same seed: a failure can be replayed. */
export type Random = {
  /** 0 inclusive to 1 exclusive. */
  next(): number
  /** A whole number from 0 to `below` - 1. */
  below(below: number): number
  pick<T>(from: readonly T[]): T
  /** True in one of `in` cases. */
  once(inCases: number): boolean
}

/** Mulberry32, a generator of 32 bits by Tommy Ettinger, in the public domain. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    next,
    below,
    pick<T>(from: readonly T[]): T {
      const picked = from[below(from.length)]
      if (picked === undefined && from.length === 0) throw new Error('Nothing to pick from')
      return picked as T
    },
    once: (inCases) => below(inCases) === 0,
  }
}
