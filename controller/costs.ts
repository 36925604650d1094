import type { Attempt, Job } from '../schemas/job.ts'
import { roundUsd } from '../schemas/prices.ts'
import { costLimits, type DayCost } from '../schemas/status.ts'

export type Costs = ReturnType<typeof createCosts>

/** The daily scan, as the costs see it: it shows every record once, says which it reaped, and ends. */
export type Recount = {
  show(job: Job, isReaped: boolean): void
  /** Only what was read to its end counts. */
  end(isWhole: boolean): void
}

type Sum = { attempts: number; costUsd: number }
/** `kept`: of records that are there. `reaped`: of records that no scan finds again. */
type Entry = { day: string; queue: string; kept: Sum; reaped: Sum }

const dayMs = 24 * 60 * 60_000
const othersQueue = '~others'
// The clock of a leader that ended just before may have been a little ahead.
const overlapMs = 60_000

/**
 * What attempts cost, by the UTC day on which they ended and by queue. The ledgers are the truth: the daily scan adds them
 * up anew, and what is settled in between is added here. It is lost with the leader only since its last published status,
 * and until the next scan.
 * @param before what the leader before published
 */
export function createCosts(nowMs: () => number, before: readonly DayCost[] = []) {
  let entries = new Map<string, Entry>()
  let recount: { shown: Set<string>; later: Map<string, Entry> } | undefined
  for (const { day, queue, attempts, costUsd, reaped = nothing } of before) {
    const kept = { attempts: attempts - reaped.attempts, costUsd: costUsd - reaped.costUsd }
    merge(entries, { day, queue, kept, reaped })
  }

  /** An attempt has ended just now. */
  function settled(job: Job, ended: Attempt): void {
    const entry = entryOf(job, ended)
    if (!entry) return
    merge(entries, entry)
    const key = keyOf(job, ended)
    if (recount && !recount.shown.has(key)) recount.later.set(key, entry)
  }

  /** A scan begins. What is settled until it is done counts once, whether it saw that or not. */
  function begin(): Recount {
    const startedMs = nowMs()
    const counted = new Map<string, Entry>()
    const mine = { shown: new Set<string>(), later: new Map<string, Entry>() }
    recount = mine
    return {
      show(job, isReaped) {
        const changedMs = Date.parse(job.history.at(-1)?.at ?? '')
        for (const attempt of job.attempts) {
          const entry = entryOf(job, attempt)
          if (!entry) continue
          // Of what is reaped nothing else is left: it counts even if the scan is broken off.
          if (isReaped) bury(entries, entry)
          else merge(counted, entry)
          const key = keyOf(job, attempt)
          mine.later.delete(key)
          // The news of its end may still be on the way.
          if (!(changedMs < startedMs - overlapMs)) mine.shown.add(key)
        }
      },
      end(isWhole) {
        if (recount !== mine) return
        recount = undefined
        if (!isWhole) return
        for (const entry of mine.later.values()) merge(counted, entry)
        for (const { day, queue, reaped } of entries.values())
          if (reaped.attempts > 0) merge(counted, { day, queue, kept: nothing, reaped })
        entries = counted
      },
    }
  }

  /** Newest first; of each day the queues that cost most, and the others together. */
  function list(): DayCost[] {
    const firstDay = dayOf(nowMs() - (costLimits.days - 1) * dayMs)
    // A little ahead is another clock, far ahead is a record that somebody edited.
    const lastDay = dayOf(nowMs() + dayMs)
    for (const [key, { day }] of entries) if (day < firstDay || day > lastDay) entries.delete(key)
    const byDay = new Map<string, DayCost[]>()
    for (const { day, queue, kept, reaped } of entries.values()) {
      const sum = plus(kept, reaped)
      if (sum.attempts <= 0) continue
      const cost = { day, queue, ...sum, ...(reaped.attempts > 0 ? { reaped } : {}) }
      byDay.set(day, [...(byDay.get(day) ?? []), cost])
    }
    return [...byDay]
      .sort(([a], [b]) => (a < b ? 1 : -1))
      .slice(0, costLimits.days)
      .flatMap(([, costs]) => bounded(costs.sort((a, b) => b.costUsd - a.costUsd)))
  }

  return { settled, begin, list }
}

const nothing: Sum = { attempts: 0, costUsd: 0 }
const plus = (a: Sum, b: Sum): Sum => ({
  attempts: a.attempts + b.attempts,
  costUsd: roundUsd(a.costUsd + b.costUsd),
})

function merge(entries: Map<string, Entry>, { day, queue, kept, reaped }: Entry): void {
  const key = `${day} ${queue}`
  const known = entries.get(key)
  entries.set(key, {
    day,
    queue,
    kept: plus(known?.kept ?? nothing, kept),
    reaped: plus(known?.reaped ?? nothing, reaped),
  })
}

/** What counted as kept, if it did, counts as reaped from now on. */
function bury(entries: Map<string, Entry>, { day, queue, kept }: Entry): void {
  const known = entries.get(`${day} ${queue}`)?.kept ?? nothing
  const less = {
    attempts: -Math.min(known.attempts, kept.attempts),
    costUsd: -Math.min(known.costUsd, kept.costUsd),
  }
  merge(entries, { day, queue, kept: less, reaped: kept })
}

/** Undefined: it is under way, or cost nothing. A lost task has no stop time; then the day it ran on stands in. */
function entryOf(job: Job, attempt: Attempt): Entry | undefined {
  const { costUsd = 0, stoppedAt, startedAt, launchedAt } = attempt
  const endedMs = Date.parse(stoppedAt ?? startedAt ?? launchedAt)
  if (attempt.outcome === undefined || !(costUsd > 0) || Number.isNaN(endedMs)) return undefined
  return { day: dayOf(endedMs), queue: job.settings.queue, kept: { attempts: 1, costUsd }, reaped: nothing }
}

const keyOf = ({ uid }: Job, { n }: Attempt): string => `${uid}/${n}`

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

function bounded(costs: readonly DayCost[]): DayCost[] {
  if (costs.length <= costLimits.queues) return [...costs]
  const shown = costs.slice(0, costLimits.queues - 1)
  const others = costs.slice(costLimits.queues - 1)
  const reaped = others.map((cost) => cost.reaped ?? nothing).reduce(plus)
  return [
    ...shown,
    {
      day: others[0]?.day ?? '',
      queue: othersQueue,
      ...others.map(({ attempts, costUsd }) => ({ attempts, costUsd })).reduce(plus),
      ...(reaped.attempts > 0 ? { reaped } : {}),
    },
  ]
}
