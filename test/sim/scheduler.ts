import type { Clock } from '../../controller/clock.ts'
import type { TrueTime } from './aws/ports.ts'

/** One process of the simulation: it has a clock of its own, and can be killed or stopped and woken. */
export type SimProcess = {
  readonly name: string
  readonly clock: Clock
  readonly state: 'running' | 'paused' | 'dead'
  /** Gives something to the process: at once, when it wakes up, or never. */
  deliver(call: () => void): void
  pause(): void
  wake(): void
  kill(): void
}

export type Scheduler = TrueTime & {
  /** @param skewMs how far the process's time of day is off; its monotonic clock begins anywhere */
  spawn(name: string, skewMs: number): SimProcess
  /** Lets time pass until `isOver` or the end: whatever falls due happens in its order, and all that follows from it. */
  run(untilMs: number, isOver?: () => boolean): Promise<void>
  /** Timers that have fired: a measure of the work of a run. */
  fired(): number
}

type Timer = { dueMs: number; order: number; call: () => void; cancelled: boolean }

/**
 * Virtual time. Nothing here is asynchronous but promises, and those are run dry between two timers, so the same seed
 * gives the same run.
 */
export function createScheduler(startMs: number): Scheduler {
  const timers = createHeap()
  let nowMs = startMs
  let order = 0
  let fired = 0

  const after: TrueTime['after'] = (ms, call) => {
    order += 1
    const timer: Timer = { dueMs: nowMs + Math.max(ms, 0), order, call, cancelled: false }
    timers.push(timer)
    return () => {
      timer.cancelled = true
    }
  }

  function spawn(name: string, skewMs: number): SimProcess {
    const bornMs = nowMs
    let state: SimProcess['state'] = 'running'
    let late: (() => void)[] = []
    const deliver = (call: () => void): void => {
      if (state === 'running') call()
      else if (state === 'paused') late.push(call)
    }
    const clock: Clock = {
      nowMs: () => nowMs + skewMs,
      monotonicMs: () => nowMs - bornMs + 1_000_000,
      after: (ms, call) => after(ms, () => deliver(call)),
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted) return resolve()
          const over = (): void => {
            cancel()
            signal?.removeEventListener('abort', over)
            resolve()
          }
          const cancel = clock.after(ms, over)
          signal?.addEventListener('abort', over)
        }),
    }
    return {
      name,
      clock,
      get state() {
        return state
      },
      deliver,
      pause() {
        if (state === 'running') state = 'paused'
      },
      wake() {
        if (state !== 'paused') return
        state = 'running'
        const calls = late
        late = []
        for (const call of calls) after(0, () => deliver(call))
      },
      kill() {
        state = 'dead'
        late = []
      },
    }
  }

  async function run(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    await promisesRunDry(0)
    for (;;) {
      const next = timers.peek()
      if (next === undefined || next.dueMs > untilMs || isOver()) break
      timers.pop()
      if (next.cancelled) continue
      nowMs = Math.max(nowMs, next.dueMs)
      fired += 1
      next.call()
      await promisesRunDry(fired)
    }
    if (!isOver()) nowMs = Math.max(nowMs, Math.min(untilMs, Number.MAX_SAFE_INTEGER))
  }

  return { nowMs: () => nowMs, after, spawn, run, fired: () => fired }
}

/**
 * Node calls back the next tick only when no promise has anything left to do (Node guide, the event loop). Now and then the
 * whole event loop has its turn, so that what is printed gets out.
 */
const promisesRunDry = (fired: number): Promise<void> =>
  new Promise((resolve) => {
    if (fired % 4096 === 0) setImmediate(resolve)
    else process.nextTick(resolve)
  })

/** A binary heap: a run has hundreds of thousands of timers. */
function createHeap() {
  const heap: Timer[] = []
  const isBefore = (a: Timer, b: Timer): boolean =>
    a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order)
  const at = (index: number): Timer => heap[index] as Timer

  return {
    peek: (): Timer | undefined => heap[0],
    push(timer: Timer): void {
      let index = heap.push(timer) - 1
      while (index > 0) {
        const parent = (index - 1) >> 1
        if (!isBefore(timer, at(parent))) break
        heap[index] = at(parent)
        index = parent
      }
      heap[index] = timer
    },
    pop(): void {
      const last = heap.pop()
      if (last === undefined || heap.length === 0) return
      let index = 0
      for (;;) {
        let child = 2 * index + 1
        if (child >= heap.length) break
        if (child + 1 < heap.length && isBefore(at(child + 1), at(child))) child += 1
        if (!isBefore(at(child), last)) break
        heap[index] = at(child)
        index = child
      }
      heap[index] = last
    },
  }
}
