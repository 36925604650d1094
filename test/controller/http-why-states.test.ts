import assert from 'node:assert/strict'
import { describe, expect, test } from 'vitest'
import { type Shown, whyOf } from '../../controller/http/why.ts'
import { type Job, stopReasons } from '../../schemas/job.ts'
import type { Status } from '../../schemas/status.ts'
import { statusAt } from '../support/http.ts'
import {
  acceptedMs,
  arn,
  at,
  attempt,
  backingOff,
  claim,
  finished,
  hourMs,
  job,
  launching,
  minuteMs,
  refused,
  report,
  running,
  secondMs,
  settings,
  started,
  starting,
  stopping,
} from '../support/job.ts'

// Every record that the steps lead to, with every wish, at several times and under every status: there is a sentence, one,
// short enough to stand in a list, and a time that is a time.

const graceMs = 6 * minuteMs
const twoSentences =
  'Capacity is unavailable at this time. Please try again later or in a different availability zone'
const refusal = (kind: 'capacity' | 'permanent') =>
  launching({ refused: { kind, reason: twoSentences, at: at(2 * secondMs) } })
const spotThenOnDemand = settings({ resources: { capacity: 'spot-then-on-demand' } })
const container = { kind: 'container' }

const records: Job[] = [
  ...[{}, { reason: 'Suspended' }, { settings: settings({ queue: 'batch' }) }].map(job),
  ...['Exit code 70', 'x'.repeat(500), 'First. Second! Third', ''].map((message) =>
    backingOff(2 * minuteMs, { message, counts: { failed: 1, infra: 2 } }),
  ),
  refused(7 * minuteMs),
  refused(7 * minuteMs, { reason: 'Suspended' }),
  refused(7 * minuteMs, { message: twoSentences }),
  refused(7 * minuteMs, {
    settings: spotThenOnDemand,
    attempts: [attempt({ capacity: 'spot', spotRefusals: 2 })],
  }),
  starting(),
  ...(['capacity', 'permanent'] as const).flatMap((kind) => [
    starting({ launching: refusal(kind) }),
    starting({ ...container, launching: refusal(kind) }),
  ]),
  started(),
  started({ claim: claim() }),
  running({ claim: undefined }),
  running({ claim: undefined, attempts: [attempt({ startedAt: at(20 * secondMs) })] }),
  running({ ...container, claim: undefined }),
  running(),
  running({
    progress: { beat: 3, percent: 43.9, stage: 's'.repeat(64), etaS: 1e9, at: at(40 * secondMs) },
  }),
  ...(['done', 'failed', 'interrupted'] as const).map((outcome) => running({ report: report({ outcome }) })),
  running({ report: report({ outcome: 'interrupted' }), attempts: [attempt({ capacity: 'spot' })] }),
  ...stopReasons.flatMap((reason) => [stopping(reason), stopping(reason, { report: report() })]),
  finished(),
  finished('Succeeded', { lastAttempt: 3 }),
  finished('Cancelled'),
  ...[
    'InvalidSpec',
    'TooBig',
    'InputMissing',
    'PermanentFailure',
    'AttemptsExhausted',
    'InfrastructureAttemptsExhausted',
    'DeadlineExceeded',
    'TaskDefinitionInvalid',
    'ImageMissing',
    'OverridesTooLong',
    'BrokenRecord',
  ].flatMap((reason) =>
    [undefined, twoSentences, 'y'.repeat(1000), '...'].map((message) =>
      finished('Failed', { reason, counts: { failed: 3, infra: 11 }, ...(message ? { message } : {}) }),
    ),
  ),
]

const wishes = [{}, { cancel: true }, { suspend: true }, { cancel: true, suspend: true }]

const timesMs = [0, 5 * secondMs, minuteMs, 7 * minuteMs, 46 * minuteMs, hourMs, 24 * hourMs, 9000 * hourMs]

const queue = (more: Partial<Status['queues'][number]>): Partial<Status> => ({
  limits: { running: 10, maxRunning: 10, vcpu: 5.5, maxVcpu: 6 },
  queues: [{ name: 'default', running: 2, vcpu: 4, ...more }],
})
const statuses: (Partial<Status> | undefined)[] = [
  undefined,
  {},
  { at: at(-hourMs) },
  ...['QueueLimit', 'VcpuLimit', 'LaunchRate', 'Capacity', 'SomethingNew'].flatMap((waitingFor) => [
    queue({ waitingFor }),
    queue({ waitingFor, maxRunning: 2, maxVcpu: 4 }),
  ]),
  queue({ maxVcpu: 0.5 }),
]

test('every state has one sentence, and a time that lies ahead where it has one', () => {
  let states = 0
  for (const record of records)
    for (const wish of wishes)
      for (const timeMs of timesMs)
        for (const overrides of statuses) {
          const nowMs = acceptedMs + timeMs
          const shown: Shown = { is: 'accepted', job: { ...record, spec: wish }, item: {} }
          const status = overrides && statusAt(nowMs, overrides)
          const { why, until } = whyOf(shown, status, nowMs, graceMs)
          const told = `${record.phase}/${record.reason} +${timeMs} ${JSON.stringify({ wish, overrides, why, until })}`
          assert.match(why, /^[^\s:].*\.$/, told)
          assert.ok(why.length <= 300, told)
          assert.doesNotMatch(
            why,
            /[.!?] \p{Lu}|undefined|\bNaN\b|Invalid Date|null|\[object|\.\.$|: \.$/u,
            told,
          )
          if (until !== undefined) assert.ok(Date.parse(until) > nowMs, told)
          states += 1
        }
  expect(states).toBe(records.length * wishes.length * timesMs.length * statuses.length)
})

describe('where somebody looks again, there is a time', () => {
  const live = records.filter(({ phase }) => !['Succeeded', 'Failed', 'Cancelled'].includes(phase))
  test.each(timesMs)('%i ms after acceptance, while a leader reports', (timeMs) => {
    const nowMs = acceptedMs + timeMs
    for (const record of live) {
      const { until } = whyOf({ is: 'accepted', job: record, item: {} }, statusAt(nowMs), nowMs, graceMs)
      assert.ok(until !== undefined, `${record.phase}/${record.reason} ${JSON.stringify(record)}`)
    }
  })

  test('nothing is promised in a moment while nobody reports', () => {
    const nowMs = acceptedMs + hourMs
    const cancelled: Shown = { is: 'accepted', job: job({ spec: { cancel: true } }), item: {} }
    expect(whyOf(cancelled, statusAt(nowMs - hourMs), nowMs, graceMs)).toEqual({
      why: 'It is to be cancelled, and will be in a moment; no controller has reported for 1 h.',
    })
  })

  test('a finished job is looked at no more', () => {
    const nowMs = acceptedMs + hourMs
    for (const record of records.filter((one) => !live.includes(one)))
      expect(whyOf({ is: 'accepted', job: record, item: {} }, undefined, nowMs, graceMs)).not.toHaveProperty(
        'until',
      )
  })
})

test('the words of others are cut, ours are not', () => {
  const nowMs = acceptedMs + minuteMs
  const failed = finished('Failed', { reason: 'PermanentFailure', message: 'z'.repeat(400) })
  const { why } = whyOf({ is: 'accepted', job: failed, item: {} }, undefined, nowMs, graceMs)
  expect(why).toMatch(/^Failed in a way that another attempt would not mend: z+…\.$/)
  expect(why).toHaveLength(300)
})

test('a task that is known by its ARN is not named in the sentence', () => {
  const { why } = whyOf({ is: 'accepted', job: started(), item: {} }, undefined, acceptedMs, graceMs)
  expect(why).not.toContain(arn)
})
