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

const retryFirstMs = 200
const retryMaxMs = 30_000
// Every alarm looks at all keys that wait, so they keep a distance.
const alarmEveryMs = 20

/**
 * A keyed work queue: a key is never worked on twice at once, is there at most once however often it is added, and comes
 * back with back-off when its work fails. A key added while it is under way is worked on once more afterwards.
 */
export function createWorkqueue({ work, onError, clock, concurrency, maxKeys }: WorkqueueOptions): Workqueue {
  // Every live job waits here for its next look: a number each, and one timer for all of them.
  const delayed = new Map<string, number>()
  let alarm: { atMs: number; cancel: () => void } | undefined
  let rangAtMs = Number.NEGATIVE_INFINITY
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
    const waitingForMs = delayed.get(key)
    if (waitingForMs !== undefined && waitingForMs <= dueMs) return
    if (waitingForMs === undefined && delayed.size + ready.size >= maxKeys) {
      dropped += 1
      first.delete(key)
      return
    }
    if (dueMs <= nowMs) {
      delayed.delete(key)
      ready.set(key, dueMs)
      pump()
      return
    }
    delayed.set(key, dueMs)
    setAlarm(dueMs)
  }

  const setAlarm = (dueMs: number): void => {
    const atMs = Math.max(dueMs, rangAtMs + alarmEveryMs)
    if (alarm && alarm.atMs <= atMs) return
    alarm?.cancel()
    alarm = { atMs, cancel: clock.after(Math.max(0, atMs - clock.monotonicMs()), ring) }
  }

  const ring = (): void => {
    alarm = undefined
    rangAtMs = clock.monotonicMs()
    const due: [key: string, dueMs: number][] = []
    let nextMs = Number.POSITIVE_INFINITY
    delayed.forEach((dueMs, key) => {
      if (dueMs <= rangAtMs) due.push([key, dueMs])
      else nextMs = Math.min(nextMs, dueMs)
    })
    for (const [key, dueMs] of due.sort(([, a], [, b]) => a - b)) {
      delayed.delete(key)
      ready.set(key, dueMs)
    }
    if (Number.isFinite(nextMs)) setAlarm(nextMs)
    pump()
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
      alarm?.cancel()
      delayed.clear()
      ready.clear()
      return new Promise((resolve) => {
        stopping = resolve
        if (running.size === 0) resolve()
      })
    },
  }
}
