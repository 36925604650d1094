import type { Input } from '../../schemas/spec.ts'
import { isPassing } from '../aws.ts'
import { WorkerError } from '../errors.ts'
import { withPatience } from '../patience.ts'
import type { Storage } from '../storage.ts'

/** A connection that brings nothing for so long is given up and taken up again. */
const idleMs = 30_000
/** For how long nothing may come before that is the outcome. */
const patienceMs = 60_000

export type Reading = {
  signal: AbortSignal
  nowMs: () => number
  /** Called for every piece of it, in order, each byte once. */
  onChunk: (chunk: Buffer) => void
}

/**
 * Streams an object of a size that is known, without keeping anything of it. A connection that breaks is taken up at the byte where it broke, by
 * range and with the same etag.
 * @throws WorkerError like `Storage.openRange`
 */
export const readWhole = async (
  storage: Pick<Storage, 'openRange'>,
  input: Input,
  bytes: number,
  { signal, nowMs, onChunk }: Reading,
): Promise<void> => {
  let at = 0
  const attempt = async (cameForward: () => void): Promise<void> => {
    if (at === bytes) return
    const idle = new AbortController()
    const body = await storage.openRange(
      input,
      { start: at, end: bytes - 1 },
      AbortSignal.any([signal, idle.signal]),
    )
    const watchdog = setTimeout(() => {
      idle.abort()
      body.destroy(new Error(`S3 sent nothing for ${idleMs / 1000} s`))
    }, idleMs)
    const stop = () => body.destroy(signal.reason instanceof Error ? signal.reason : undefined)
    signal.addEventListener('abort', stop, { once: true })
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        watchdog.refresh()
        cameForward()
        at += chunk.length
        onChunk(chunk)
      }
    } finally {
      clearTimeout(watchdog)
      signal.removeEventListener('abort', stop)
    }
    if (at !== bytes) throw new WorkerError('INPUT_INCOMPLETE', `${at} of ${bytes} bytes arrived`)
  }
  try {
    await withPatience(attempt, { forMs: patienceMs, signal, nowMs, random: Math.random, worthwhile })
  } catch (thrown) {
    signal.throwIfAborted()
    if (thrown instanceof WorkerError) throw thrown
    throw new WorkerError(
      'STORAGE_UNAVAILABLE',
      thrown instanceof Error ? thrown.message : String(thrown),
      thrown,
    )
  }
}

/** What S3 says of the object stands; what the connection says does not. */
const worthwhile = (thrown: unknown): boolean =>
  thrown instanceof WorkerError ? thrown.code === 'INPUT_INCOMPLETE' : isPassing(thrown)
