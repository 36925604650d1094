import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { emfOf, emptySnapshot, type Snapshot } from '../../controller/emf.ts'
import { writeEmf } from '../../controller/emf-writer.ts'
import { createJournal } from '../../controller/journal.ts'
import { createMetrics } from '../../controller/metrics.ts'
import { cloudWatch } from '../../schemas/metrics.ts'
import { acceptedMs, attempt, running } from '../support/job.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const leading = (more: Partial<Snapshot> = {}): Snapshot => ({ ...emptySnapshot, leads: true, ...more })
const counted = (more: Partial<Snapshot['counters']>): Snapshot =>
  leading({ counters: { ...emptySnapshot.counters, ...more } })
const between = (before: Snapshot, now: Snapshot) => emfOf(before, now, 'prod', 1_700_000_000_000)

/** What CloudWatch would take for metrics: the names in the directive, with the values beside it. */
const metricsIn = (line: Record<string, unknown>) => {
  const { CloudWatchMetrics: directives } = line._aws as {
    CloudWatchMetrics: { Metrics: { Name: string; Unit: string }[] }[]
  }
  return directives
    .flatMap(({ Metrics }) => Metrics)
    .map(({ Name, Unit }) => ({ Name, Unit, value: line[Name] }))
}

describe('a line', () => {
  test('of a leader has every metric that schemas/metrics.ts names, with its unit, its one dimension and its time', () => {
    const line = between(leading(), leading({ durationsS: [1] }))
    expect(line).toMatchObject({
      _aws: {
        Timestamp: 1_700_000_000_000,
        CloudWatchMetrics: [{ Namespace: 'EcsJobOperator', Dimensions: [['Installation']] }],
      },
      Installation: 'prod',
    })
    const named = metricsIn(line).map(({ Name, Unit }) => [Name, Unit])
    const wanted = Object.entries(cloudWatch.metrics).map(([name, { unit }]) => [name, unit])
    expect(new Map(named as [string, string][])).toEqual(new Map(wanted as [string, string][]))
  })

  test('has a value for every name in its directive, and no other members', () => {
    const line = between(leading(), leading({ durationsS: [1] }))
    expect(metricsIn(line).filter(({ value }) => value === undefined)).toEqual([])
    expect(Object.keys(line)).toEqual(['_aws', 'Installation', ...metricsIn(line).map(({ Name }) => Name)])
  })

  test('of a controller that stands by says only that it does not lead', () => {
    const now = { ...counted({ Throttles: 3 }), leads: false, durationsS: [1] }
    expect(metricsIn(between(emptySnapshot, now))).toEqual([{ Name: 'Leader', Unit: 'None', value: 0 }])
  })

  test('of one that has ceased to lead has what happened until then, and no state', () => {
    const now = { ...counted({ Launches: 5 }), leads: false, durationsS: [7] }
    const line = between(counted({ Launches: 3 }), now)
    expect(line).toMatchObject({ Leader: 0, Launches: 2, JobDuration: [7] })
    expect(line).not.toHaveProperty('UsedVcpu')
  })

  test('of one that has begun to lead has everything', () => {
    expect(between(emptySnapshot, counted({ Launches: 2 }))).toMatchObject({
      Leader: 1,
      Launches: 2,
      UsedVcpu: 0,
    })
  })

  test('counts what grew, and shows what is as it is', () => {
    const state = (UsedVcpu: number) => ({ ...emptySnapshot.gauges, UsedVcpu })
    const before = { ...counted({ Launches: 10, JobErrors: 4 }), gauges: state(8) }
    const now = { ...counted({ Launches: 13, JobErrors: 4 }), gauges: state(2) }
    expect(between(before, now)).toMatchObject({ Launches: 3, JobErrors: 0, UsedVcpu: 2 })
  })
})

describe('durations', () => {
  const durationsOf = (durationsS: number[]) => between(leading(), leading({ durationsS })).JobDuration

  test('are left out when no job ended: a metric without a value is none', () => {
    expect(metricsIn(between(leading(), leading())).map(({ Name }) => Name)).not.toContain('JobDuration')
  })

  test.each([1, 2, 99, 100])('%i jobs: each has its value', (count) => {
    const values = Array.from({ length: count }, (_, index) => index * 3)
    expect(durationsOf(values)).toEqual(values)
  })

  test.each([101, 150, 1200])('%i jobs: a hundred values, spread like all of them', (count) => {
    const values = Array.from({ length: count }, (_, index) => (index * 7919) % count)
    const taken = durationsOf(values) as number[]
    expect(taken).toHaveLength(100)
    expect([taken[0], taken.at(-1)]).toEqual([0, count - 1])
    const mean = taken.reduce((sum, value) => sum + value, 0) / 100
    expect(Math.abs(mean - (count - 1) / 2)).toBeLessThan(1)
  })
})

describe('the writer', () => {
  const started = () => {
    const lines: string[] = []
    const clock = createVirtualClock()
    const metrics = createMetrics()
    const journal = createJournal(pino({ level: 'silent' }), metrics, {
      ...clock,
      nowMs: () => acceptedMs + 90_000,
    })
    const stop = writeEmf({ metrics, installation: 'prod', clock, write: (line) => lines.push(line) })
    const read = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    return { lines, read, clock, metrics, journal, stop }
  }

  test('writes one line a minute, and nothing but the object in it', async () => {
    const { lines, clock, stop } = started()
    await clock.pass(59_999)
    expect(lines).toEqual([])
    await clock.pass(1)
    await clock.pass(60_000)
    expect(lines).toHaveLength(2)
    for (const line of lines) expect(line).toMatch(/^\{[^\n]*\}\n$/)
    await stop()
  })

  test('tells what the metrics of /metrics say, each thing once', async () => {
    const { read, clock, metrics, journal, stop } = started()
    metrics.leads.set(1)
    journal.launched('a', { is: 'task', arn: 'arn' })
    journal.launched('b', { is: 'refused', kind: 'capacity', reason: 'none left' })
    journal.launched('c', { is: 'refused', kind: 'permanent', reason: 'no such role' })
    journal.launched('d', { is: 'unknown', reason: 'timeout' })
    journal.reconcileFailed('e', new Error('broken'), 1)
    journal.settled(running({ attempts: [attempt()] }), 'Succeeded', 'success', undefined)
    journal.settled(running({ attempts: [attempt()] }), 'Failed', 'failed', undefined)
    journal.settled(running({ attempts: [attempt()] }), 'Cancelled', 'cancelled', undefined)
    journal.accepted({
      ...{ jobId: 'f', kind: 'transcode', from: undefined, phase: 'Failed' },
      ...{ reason: 'InvalidSpec', message: 'wrong' },
    })
    metrics.throttles.inc({ service: 'ecs' })
    metrics.throttles.inc({ service: 'sqs' })
    metrics.oldestPendingSeconds.set(42)
    metrics.jobs.set({ phase: 'Pending' }, 7)
    metrics.jobs.set({ phase: 'Running' }, 3)
    metrics.liveTasks.set(4)
    metrics.usedVcpu.set(2.5)
    metrics.workqueueLagSeconds.set(0.25)
    await clock.pass(60_000)
    await clock.pass(60_000)
    await stop()
    const [first, second] = read()
    expect(first).toMatchObject({
      ...{ Launches: 1, FailedLaunches: 2, Throttles: 2, JobErrors: 1, JobsSucceeded: 1, JobsFailed: 2 },
      ...{ JobDuration: [90, 90, 90], OldestPending: 42, ReconcileLag: 0.25, Leader: 1 },
      ...{ PendingJobs: 7, RunningJobs: 4, UsedVcpu: 2.5 },
    })
    expect(second).toMatchObject({ Launches: 0, JobErrors: 0, JobsFailed: 0, PendingJobs: 7 })
    expect(second).not.toHaveProperty('JobDuration')
  })

  test('ends with a line for what happened since the one before', async () => {
    const { read, clock, metrics, journal, stop } = started()
    metrics.leads.set(1)
    await clock.pass(60_000)
    journal.launched('a', { is: 'task', arn: 'arn' })
    metrics.leads.set(0)
    await stop()
    expect(read()).toHaveLength(2)
    expect(read().at(-1)).toMatchObject({ Leader: 0, Launches: 1 })
    expect(clock.waiting()).toBe(0)
  })
})
