import type { Warning } from '../../schemas/object-address.ts'
import { WorkerError } from '../errors.ts'
import type { Guard } from '../net/guard.ts'
import { type GuardedAnswer, guardedFetch, shownUrl } from '../net/guarded-fetch.ts'

/** An address that does not answer by then will hardly be liked by clients either. */
const timeoutMs = 10_000

export type SeedToCheck = { url: string; bytes: number }

/**
 * Asks each web seed for one byte, as a client will. What is wrong is a warning and no failure: a CDN is often set up, or filled, after the
 * torrent was made.
 */
export const checkWebSeeds = async (
  seeds: readonly SeedToCheck[],
  { guard, signal }: { guard: Guard; signal: AbortSignal },
): Promise<Warning[]> => {
  const found = await Promise.all(seeds.map((seed) => check(seed, guard, signal)))
  return found.filter((warning) => warning !== undefined)
}

const check = async (
  { url, bytes }: SeedToCheck,
  guard: Guard,
  signal: AbortSignal,
): Promise<Warning | undefined> => {
  try {
    const answer = await guardedFetch(url, {
      method: 'GET',
      headers: { range: 'bytes=0-0' },
      guard,
      signal,
      timeoutMs,
      maxBytes: 1,
    })
    const message = whatIsWrong(answer, bytes)
    return message === undefined
      ? undefined
      : { code: 'WebSeedUnusable', message: `${shownUrl(url)} ${message}` }
  } catch (thrown) {
    signal.throwIfAborted()
    if (!(thrown instanceof WorkerError)) throw thrown
    return { code: 'WebSeedUnusable', message: `${shownUrl(url)}: ${thrown.message}` }
  }
}

/** Clients ask for pieces by range, and compare what comes with the pieces. */
const whatIsWrong = ({ status, headers }: GuardedAnswer, bytes: number): string | undefined => {
  if (status === 200) return 'does not know ranges: clients would have to read it whole'
  if (status !== 206) return `answers ${status}; it has to be readable by everybody`
  const whole = /\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1]
  return whole === undefined || Number(whole) === bytes
    ? undefined
    : `has ${whole} bytes, and the torrent ${bytes}`
}
