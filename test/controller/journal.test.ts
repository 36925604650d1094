import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { createJournal } from '../../controller/journal.ts'
import { createMetrics } from '../../controller/metrics.ts'
import { settle } from '../../controller/reconcile/settle.ts'
import type { DayCost } from '../../schemas/status.ts'
import { acceptedMs, attempt, hourMs, running, settings, stop } from '../support/job.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const nowMs = acceptedMs + hourMs
const journalOf = (before?: readonly DayCost[]) => {
  const metrics = createMetrics()
  const clock = { ...createVirtualClock(), nowMs: () => nowMs }
  return { metrics, journal: createJournal(pino({ level: 'silent' }), metrics, clock, before) }
}

describe('what an attempt cost', () => {
  const onSpot = running({
    attempts: [attempt({ capacity: 'spot' })],
    settings: settings({ queue: 'batch', resources: { capacity: 'spot' } }),
  })

  test('is counted by queue and capacity, and stands in the sums of its day', async () => {
    const { metrics, journal } = journalOf()
    const { phase, judgement, ended } = settle(onSpot, stop({ exitCode: 1 }), nowMs)
    journal.settled(onSpot, phase, judgement.outcome.class, ended)
    journal.settled(onSpot, phase, judgement.outcome.class, ended)
    const costUsd = ended?.costUsd ?? Number.NaN
    expect((await metrics.costUsd.get()).values).toEqual([
      { labels: { queue: 'batch', capacity: 'spot' }, value: 2 * costUsd },
    ])
    expect(journal.costs.list()).toMatchObject([{ day: '2026-11-22', queue: 'batch', attempts: 2 }])
  })

  test('a job that ended without one costs nothing', async () => {
    const { metrics, journal } = journalOf()
    journal.settled(onSpot, 'Cancelled', 'none', undefined)
    expect((await metrics.costUsd.get()).values).toEqual([])
    expect(journal.costs.list()).toEqual([])
  })

  test('goes on from what the leader before published', () => {
    const before = [{ day: '2026-11-22', queue: 'batch', attempts: 3, costUsd: 1 }]
    const { journal } = journalOf(before)
    expect(journal.costs.list()).toEqual(before)
  })
})
