import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createCosts } from '../../controller/costs.ts'
import { createMemory } from '../../controller/reconcile/memory.ts'
import type { JobStore } from '../../controller/store/jobs.ts'
import { type SweepPorts, scan } from '../../controller/sweep.ts'
import { makeUid } from '../../schemas/ids.ts'
import type { Attempt, Job } from '../../schemas/job.ts'
import { costLimits, type DayCost, statusSchema } from '../../schemas/status.ts'
import { statusAt } from '../support/http.ts'
import { acceptedMs, at, attempt, finished, hourMs, running, settings } from '../support/job.ts'
import { startTestTable, type TestTable } from '../support/table.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const dayMs = 24 * hourMs
const nowMs = acceptedMs + hourMs
const today = '2026-11-22'
const yesterday = '2026-11-21'

const ended = (n: number, costUsd: number, more: Partial<Attempt> = {}): Attempt =>
  attempt({ n, costUsd, stoppedAt: at(0), outcome: { class: 'failed', reason: 'x' }, ...more })

/** A finished job with its ledger. */
const jobOf = (jobId: string, attempts: Attempt[], more: Partial<Job> = {}): Job =>
  finished('Succeeded', {
    jobId,
    uid: makeUid(jobId, 'abcdefghijkl'),
    attempts,
    history: [{ at: at(0), phase: 'Succeeded', reason: 'Done' }],
    ...more,
  })
const inQueue = (queue: string): Partial<Job> => ({ settings: settings({ queue }) })

const costs = (before?: readonly DayCost[]) => createCosts(() => nowMs, before)
const cost = (day: string, queue: string, attempts: number, costUsd: number): DayCost => ({
  day,
  queue,
  attempts,
  costUsd,
})

describe('as attempts end', () => {
  test('they are added up by day and queue, newest first, the dearest queue first', () => {
    const sums = costs()
    const batch = jobOf('b', [], inQueue('batch'))
    sums.settled(jobOf('a', []), ended(1, 0.1))
    sums.settled(jobOf('a', []), ended(2, 0.2))
    sums.settled(batch, ended(1, 1))
    sums.settled(batch, ended(2, 5, { stoppedAt: at(-dayMs) }))
    expect(sums.list()).toEqual([
      cost(today, 'batch', 1, 1),
      cost(today, 'default', 2, 0.3),
      cost(yesterday, 'batch', 1, 5),
    ])
  })

  test('what cost nothing, and what is under way, is none of them', () => {
    const sums = costs()
    sums.settled(jobOf('a', []), ended(1, 0))
    sums.settled(running(), attempt())
    expect(sums.list()).toEqual([])
  })

  test('a lost task counts on the day it ran', () => {
    const sums = costs()
    const { stoppedAt: _stoppedAt, ...lost } = ended(1, 0.5, { startedAt: at(-dayMs) })
    sums.settled(jobOf('a', []), lost)
    expect(sums.list()).toEqual([cost(yesterday, 'default', 1, 0.5)])
  })

  test('the next leader goes on from what was published', () => {
    const before = costs()
    before.settled(jobOf('a', []), ended(1, 0.1))
    const after = costs(before.list())
    after.settled(jobOf('b', []), ended(1, 0.2))
    expect(after.list()).toEqual([cost(today, 'default', 2, 0.3)])
  })

  test('days that are over, or far ahead, are not kept', () => {
    const sums = costs()
    for (const days of [-31, -30, 0, 1, 2])
      sums.settled(jobOf('a', []), ended(1, 1, { stoppedAt: at(days * dayMs) }))
    expect(sums.list().map(({ day }) => day)).toEqual(['2026-11-23', today, '2026-10-23'])
  })

  test('of very many queues the dearest are shown, the others together: the status stays small', () => {
    const sums = costs()
    for (let queue = 0; queue < 100; queue += 1)
      for (let day = 0; day < 40; day += 1)
        sums.settled(
          jobOf('a', [], inQueue(`a-queue-with-quite-a-long-name-${queue}`)),
          ended(1, queue + 1, { stoppedAt: at(-day * dayMs) }),
        )
    const list = sums.list()
    expect(list).toHaveLength(costLimits.days * costLimits.queues)
    const first = list.slice(0, costLimits.queues)
    expect(first.at(-1)).toEqual(cost(today, '~others', 81, (81 * 82) / 2))
    expect(first.reduce((sum, { costUsd }) => sum + costUsd, 0)).toBe(5050)
    expect(JSON.stringify(list).length).toBeLessThan(100_000)
  })

  test('the status takes them, and a status from before has none', () => {
    const sums = costs()
    sums.settled(jobOf('a', []), ended(1, 0.1))
    expect(statusSchema.parse(statusAt(nowMs, { costs: sums.list() })).costs).toEqual(sums.list())
    const { costs: _costs, ...old } = statusAt(nowMs)
    expect(statusSchema.parse(old).costs).toEqual([])
  })
})

describe('the scan counts anew', () => {
  const wrong = [cost(today, 'default', 9, 99), cost(yesterday, 'batch', 9, 99)]
  const ledger = jobOf('a', [ended(1, 0.1), ended(2, 0.2, { stoppedAt: at(-dayMs) }), attempt({ n: 3 })])

  test('and what it finds replaces what was there', () => {
    const sums = costs(wrong)
    const recount = sums.begin()
    recount.show(ledger, false)
    recount.show(jobOf('b', [ended(1, 0.4)]), false)
    recount.end(true)
    expect(sums.list()).toEqual([cost(today, 'default', 2, 0.5), cost(yesterday, 'default', 1, 0.2)])
  })

  test('unless it was broken off', () => {
    const sums = costs(wrong)
    const recount = sums.begin()
    recount.show(ledger, false)
    recount.end(false)
    expect(sums.list()).toEqual(wrong)
  })

  test('what ends meanwhile counts once: seen, not yet seen, or seen before the news of it', () => {
    const sums = costs()
    const recount = sums.begin()
    const early = jobOf('early', [ended(1, 1)])
    sums.settled(early, ended(1, 1))
    recount.show(early, false)
    const late = jobOf('late', [])
    recount.show(late, false)
    sums.settled(late, ended(1, 10))
    const news = jobOf('news', [ended(1, 100)], {
      history: [{ at: new Date(nowMs).toISOString(), phase: 'Pending', reason: 'Backoff' }],
    })
    recount.show(news, false)
    sums.settled(news, ended(1, 100))
    recount.end(true)
    expect(sums.list()).toEqual([cost(today, 'default', 3, 111)])
  })

  test('what was reaped stays counted, in the next scan and under the next leader', () => {
    const sums = costs()
    const first = sums.begin()
    first.show(jobOf('a', [ended(1, 1)]), true)
    first.show(jobOf('b', [ended(1, 2)]), false)
    first.end(true)
    const heir = costs(sums.list())
    const second = heir.begin()
    second.show(jobOf('b', [ended(1, 2)]), false)
    second.end(true)
    expect(heir.list()).toEqual([{ ...cost(today, 'default', 2, 3), reaped: { attempts: 1, costUsd: 1 } }])
  })
})

test('a scan that is broken off forgets nothing of what it reaped', () => {
  const sums = costs([cost(today, 'default', 2, 3)])
  const broken = sums.begin()
  broken.show(jobOf('a', [ended(1, 1)]), true)
  broken.end(false)
  const known = [{ ...cost(today, 'default', 2, 3), reaped: { attempts: 1, costUsd: 1 } }]
  expect(sums.list()).toEqual(known)
  const whole = sums.begin()
  whole.show(jobOf('b', [ended(1, 2)]), false)
  whole.end(true)
  expect(sums.list()).toEqual(known)
})

describe('the scan of a real table', () => {
  let table: TestTable
  beforeAll(async () => {
    table = await startTestTable()
  })
  afterAll(() => table.close())
  let errors: unknown[]
  beforeEach(() => {
    errors = []
  })

  const ports = (sums: ReturnType<typeof costs>, jobs: JobStore = table.jobs): SweepPorts => {
    const clock = { ...createVirtualClock(), nowMs: () => nowMs }
    return {
      jobs,
      memory: createMemory(clock, 1000),
      clock,
      costs: sums,
      wake: () => undefined,
      onError: (error: unknown) => errors.push(error),
      installation: 'test',
    } as unknown as SweepPorts
  }
  const signal = new AbortController().signal

  test('equals the sum over the ledgers, before and after it reaps', async () => {
    const short = settings({ ttlAfterFinished: 0, queue: 'batch' })
    await table.put(jobOf('one', [ended(1, 0.1), ended(2, 0.2)]))
    await table.put(jobOf('two', [ended(1, 0.3)], { settings: short, finishedAt: at(0) }))
    await table.put({ ...jobOf('again', [ended(1, 0.4)]), phase: 'Submitted' })
    await table.put({ jobId: 'rubbish', uid: 7, attempts: 'many' })
    const sums = costs()
    const want = [
      cost(today, 'default', 3, 0.7),
      { ...cost(today, 'batch', 1, 0.3), reaped: { attempts: 1, costUsd: 0.3 } },
    ]
    await scan(ports(sums), signal)
    expect(await table.read('two')).not.toHaveProperty('attempts')
    expect(sums.list()).toEqual(want)
    await scan(ports(sums), signal)
    expect(sums.list()).toEqual(want)
    expect(errors).toEqual([])
  })

  test('one that is broken off half-way leaves what was known', async () => {
    const known = [cost(today, 'default', 9, 99)]
    const sums = costs(known)
    const ending = new AbortController()
    const endless = {
      ...table.jobs,
      scan: async () => {
        ending.abort()
        return { items: [jobOf('one', [ended(1, 0.1)])], next: { jobId: 'one' } }
      },
    }
    const paced = ports(sums, endless)
    await scan({ ...paced, clock: { ...paced.clock, sleep: async () => undefined } }, ending.signal)
    expect(sums.list()).toEqual(known)
  })

  test('one that fails leaves what was known', async () => {
    const known = [cost(today, 'default', 9, 99)]
    const sums = costs(known)
    const failing = { ...table.jobs, scan: () => Promise.reject(new Error('no answer')) }
    await expect(scan(ports(sums, failing), signal)).rejects.toThrow('no answer')
    expect(sums.list()).toEqual(known)
    const [late] = [ended(7, 1)]
    sums.settled(jobOf('a', []), late)
    expect(sums.list()).toEqual([cost(today, 'default', 10, 100)])
  })
})
