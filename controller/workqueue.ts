import type { Clock } from './clock.ts'

export type Workqueue = {
  /** Work on this key after `delayMs`; a key that is waiting already keeps the earlier time. */
  add(key: string, delayMs?: number): void
  /** Work on this key next, before all that only wait to be looked at. */
  addFirst(key: string): void
  /** Keys waiting or under way, and how late the oldest ready one is. */
  depth(): { waiting: number; ready: number; running: number; lagMs: number; dropped: number }
  /** No new work; resolves when what is under way has ended. */
  stop(): Promise<void>
}

export type WorkqueueOptions = {
  work: (key: string) => Promise<void>
  onError: (key: string, error: unknown, failures: number) => void
  clock: Clock
  concurrency: number
  /** More keys than this are dropped and counted: the polls find them again. */
  maxKeys: number
}

type Entry = { readyAtMs: number; cancel: () => void }

const retryFirstMs = 200
const retryMaxMs = 30_000

/**
 * A keyed work queue: a key is never worked on twice at once, is there at most once however often it is added, and comes
 * back with back-off when its work fails. A key added while it is under way is worked on once more afterwards.
 */
export function createWorkqueue({ work, onError, clock, concurrency, maxKeys }: WorkqueueOptions): Workqueue {
  const delayed = new Map<string, Entry>()
  const ready = new Map<string, number>()
  const running = new Set<string>()
  const again = new Map<string, number>()
  // Keys that go before all others: a launch that has its token must not wait behind a flood of new records: tokens sent late arrive in a bunch.
  const first = new Set<string>()
  const failures = new Map<string, { count: number; retryAtMs: number }>()
  let dropped = 0
  let stopping: (() => void) | undefined

  const add = (key: string, delayMs = 0): void => {
    if (stopping || !Number.isFinite(delayMs)) return
    // Whoever wakes a key that fails, it does not come back before its retry is due.
    const nowMs = clock.monotonicMs()
    const dueMs = Math.max(nowMs + Math.max(0, delayMs), failures.get(key)?.retryAtMs ?? 0)
    if (running.has(key)) {
      again.set(key, Math.min(again.get(key) ?? Number.POSITIVE_INFINITY, dueMs))
      return
    }
    if (ready.has(key)) return
    const waiting = delayed.get(key)
    if (waiting && waiting.readyAtMs <= dueMs) return
    if (!waiting && delayed.size + ready.size >= maxKeys) {
      dropped += 1
      first.delete(key)
      return
    }
    waiting?.cancel()
    delayed.delete(key)
    if (dueMs <= nowMs) {
      ready.set(key, dueMs)
      pump()
      return
    }
    const cancel = clock.after(dueMs - nowMs, () => {
      delayed.delete(key)
      ready.set(key, dueMs)
      pump()
    })
    delayed.set(key, { readyAtMs: dueMs, cancel })
  }

  const pump = (): void => {
    for (const key of first) if (ready.has(key) && hasRoom()) start(key)
    for (const key of ready.keys()) {
      if (!hasRoom()) return
      start(key)
    }
  }

  const hasRoom = (): boolean => running.size < concurrency && !stopping

  const start = (key: string): void => {
    first.delete(key)
    ready.delete(key)
    running.add(key)
    void run(key)
  }

  const run = async (key: string): Promise<void> => {
    try {
      await work(key)
      failures.delete(key)
    } catch (error) {
      const count = (failures.get(key)?.count ?? 0) + 1
      const retryMs = Math.min(retryFirstMs * 2 ** (count - 1), retryMaxMs)
      failures.set(key, { count, retryAtMs: clock.monotonicMs() + retryMs })
      onError(key, error, count)
    }
    running.delete(key)
    const againAtMs = again.get(key) ?? (failures.has(key) ? 0 : undefined)
    again.delete(key)
    if (againAtMs !== undefined) add(key, againAtMs - clock.monotonicMs())
    if (running.size === 0) stopping?.()
    pump()
  }

  return {
    add,
    addFirst(key) {
      first.add(key)
      add(key)
    },
    depth() {
      const [oldestMs] = ready.values()
      return {
        waiting: delayed.size,
        ready: ready.size,
        running: running.size,
        lagMs: oldestMs === undefined ? 0 : Math.max(0, clock.monotonicMs() - oldestMs),
        dropped,
      }
    },
    stop() {
      for (const { cancel } of delayed.values()) cancel()
      delayed.clear()
      ready.clear()
      return new Promise((resolve) => {
        stopping = resolve
        if (running.size === 0) resolve()
      })
    },
  }
}
