import { describe, expect, test } from 'vitest'
import type { Stop } from '../../controller/reconcile/seen.ts'
import { backoffMs, endOfLaunch, finish, fold, settle } from '../../controller/reconcile/settle.ts'
import { makeUid } from '../../schemas/ids.ts'
import { type Attempt, acceptedJobSchema, type Job } from '../../schemas/job.ts'
import { fargatePricesSchema, roundUsd, totalUsd } from '../../schemas/prices.ts'
import {
  acceptedMs,
  arn,
  at,
  attempt,
  backingOff,
  claim,
  job,
  jobId,
  launching,
  minuteMs,
  queueRank,
  report,
  running,
  secondMs,
  settings,
  started,
  starting,
  stop,
  stopping,
  taskArn,
} from '../support/job.ts'

const nowMs = acceptedMs + 3 * minuteMs
const failure: Partial<Stop> = { exitCode: 1 }
const spot: Partial<Stop> = { stopCode: 'SpotInterruption', exitCode: undefined }

/** The record after the write, as the table has it. */
const settledAs = (before: Job, how: Stop | undefined): Job =>
  applied(before, settle(before, how, nowMs).change)

const applied = (before: Job, { set, remove }: { set: object; remove: readonly string[] }): Job => {
  const kept = Object.entries(before).filter(([name]) => !remove.includes(name) || Object.hasOwn(set, name))
  return { ...(Object.fromEntries(kept) as Job), ...set }
}

describe('where a job goes', () => {
  type Row = [name: string, job: Job, stop: Stop | undefined, phase: string, reason: string]
  const done = { report: report() }
  const limits = (more: Partial<Job['settings']['limits']>) => ({ settings: settings({ limits: more }) })
  const rows: Row[] = [
    ['success', running(done), stop(), 'Succeeded', 'Done'],
    ['cancel', stopping('Cancel'), stop(), 'Cancelled', 'Cancelled'],
    ['suspend', stopping('Suspend'), stop({ stopCode: 'UserInitiated' }), 'Pending', 'Suspended'],
    [
      'deadline',
      stopping('DeadlineExceeded'),
      stop({ stopCode: 'UserInitiated' }),
      'Failed',
      'DeadlineExceeded',
    ],
    ['bad input', running(), stop({ exitCode: 65 }), 'Failed', 'PermanentFailure'],
    ['the first failure of three', running(), stop(failure), 'Pending', 'Backoff'],
    [
      'the second failure of three',
      running({ counts: { failed: 1, infra: 0 } }),
      stop(failure),
      'Pending',
      'Backoff',
    ],
    [
      'the third failure of three',
      running({ counts: { failed: 2, infra: 0 } }),
      stop(failure),
      'Failed',
      'AttemptsExhausted',
    ],
    [
      'the only failure of one',
      running(limits({ attempts: 1 })),
      stop(failure),
      'Failed',
      'AttemptsExhausted',
    ],
    [
      'success at the last attempt',
      running({ ...done, counts: { failed: 2, infra: 10 } }),
      stop(),
      'Succeeded',
      'Done',
    ],
    ['the tenth loss of ten', running({ counts: { failed: 0, infra: 9 } }), stop(spot), 'Pending', 'Backoff'],
    [
      'the eleventh loss of ten',
      running({ counts: { failed: 0, infra: 10 } }),
      stop(spot),
      'Failed',
      'InfrastructureAttemptsExhausted',
    ],
    [
      'the first loss of none',
      running(limits({ infrastructureAttempts: 0 })),
      stop(spot),
      'Failed',
      'InfrastructureAttemptsExhausted',
    ],
    [
      'a loss does not take from the attempts',
      running({ counts: { failed: 2, infra: 0 } }),
      stop(spot),
      'Pending',
      'Backoff',
    ],
    [
      'a failure does not take from the losses',
      running({ counts: { failed: 0, infra: 10 } }),
      stop(failure),
      'Pending',
      'Backoff',
    ],
    [
      'suspend is not counted',
      stopping('Suspend', { counts: { failed: 2, infra: 10 } }),
      stop({ stopCode: 'UserInitiated' }),
      'Pending',
      'Suspended',
    ],
    ['a lost task', running(), undefined, 'Pending', 'Backoff'],
  ]
  test.for(rows)('%s', ([, before, how, phase, reason]) => {
    const settled = settledAs(before, how)
    expect([settled.phase, settled.reason]).toEqual([phase, reason])
    expect(settled.history.at(-1)).toMatchObject({ phase, reason, at: new Date(nowMs).toISOString() })
    expect(acceptedJobSchema.safeParse(settled).success).toBe(true)
  })
})

test('counts: a failure, a loss, and neither', () => {
  const counts = { failed: 1, infra: 1 }
  expect(settledAs(running({ counts }), stop(failure)).counts).toEqual({ failed: 2, infra: 1 })
  expect(settledAs(running({ counts }), stop(spot)).counts).toEqual({ failed: 1, infra: 2 })
  expect(settledAs(running({ counts, report: report() }), stop()).counts).toEqual(counts)
})

const stoppingCancel = { stopping: { reason: 'Cancel' as const, at: at(0) } }

describe('what goes and what stays', () => {
  const before = running({
    report: report({ result: { renditions: 4 } }),
    progress: { beat: 7, at: at(minuteMs) },
    message: 'old',
    notBefore: at(0),
  })

  test.each(['fence', 'claim', 'launching', 'taskArn', 'stopping'])(
    '%s goes, whatever the outcome',
    (name) => {
      const all = { ...before, stopping: { reason: 'Suspend' as const, at: at(0) } }
      for (const how of [stop(), stop(failure), stop(spot), stop({ stopCode: 'UserInitiated' }), undefined])
        expect(settledAs(all, how)).not.toHaveProperty(name)
    },
  )

  const splitInto = (split: unknown, more: Partial<Job> = {}): Job =>
    running({ kind: 'transcode', report: report({ result: { split } }), ...more })

  test('what its task found too long for one task goes on as a pipeline, its attempt a success', () => {
    const told = { progress: { beat: 7, percent: 0, stage: 'look', at: at(minuteMs) } }
    const job = settledAs(splitInto({ shards: [] }, told), stop())
    expect(job).toMatchObject({
      phase: 'Running',
      reason: 'Split',
      pipeline: { steps: [], split: { shards: [] } },
      attempts: [{ outcome: { class: 'success' } }],
    })
    for (const name of ['fence', 'finishedAt', 'result', 'backlogQueue', 'progress', 'report'])
      expect(job).not.toHaveProperty(name)
  })

  test.each<[string, Job, string]>([
    ['of a kind that is never split', splitInto({}, { kind: 'container' }), 'Succeeded'],
    ['a split that is a text', splitInto('in two'), 'Succeeded'],
    ['a split that is a list', splitInto([]), 'Succeeded'],
    ['cancelled meanwhile', { ...stopping('Cancel'), ...splitInto({}), ...stoppingCancel }, 'Cancelled'],
  ])('no pipeline: %s', (_name, job, phase) => {
    const after = settledAs(job, stop())
    expect(after.phase).toBe(phase)
    expect(after).not.toHaveProperty('pipeline')
  })

  test('the input of a job that wants it deleted is marked for it by success alone', () => {
    const wanted = { settings: settings({ afterSuccess: 'delete' }) }
    expect(settledAs(running({ ...wanted, report: report() }), stop()).source).toBe('deleting')
    expect(settledAs(running({ report: report() }), stop())).not.toHaveProperty('source')
    for (const how of [stop({ exitCode: 65 }), stop(failure), stop(spot)])
      expect(settledAs(running(wanted), how)).not.toHaveProperty('source')
  })

  test('the result of the report becomes the result of the job', () => {
    expect(settledAs(before, stop())).toMatchObject({
      result: { renditions: 4 },
      finishedAt: new Date(nowMs).toISOString(),
    })
  })

  test('a finished job stands in no line, has no time to wait for and no message of old', () => {
    const settled = settledAs(before, stop())
    for (const name of ['backlogQueue', 'rank', 'notBefore', 'message'])
      expect(settled).not.toHaveProperty(name)
  })

  test('a failed job says why', () => {
    expect(settledAs(running(), stop({ exitCode: 65 })).message).toBe('Exit code 65')
  })

  test('a job that is to wait stands in the line of those that wait for a time, at that time', () => {
    const settled = settledAs(running(), stop(failure))
    expect(settled.backlogQueue).toBe('~due')
    expect(settled.rank).toBe(Date.parse(settled.notBefore ?? ''))
    expect(settled).not.toHaveProperty('finishedAt')
    expect(settled.queueRank).toBe(queueRank)
  })

  test('a suspended job stands in no line and has no time to wait for', () => {
    const settled = settledAs(stopping('Suspend', { notBefore: at(0) }), stop({ stopCode: 'UserInitiated' }))
    for (const name of ['backlogQueue', 'rank', 'notBefore', 'finishedAt'])
      expect(settled).not.toHaveProperty(name)
  })

  test('what is the user’s, and what was decided at acceptance, is not touched', () => {
    const { set, remove } = settle(running(), stop(failure), nowMs).change
    for (const name of [
      'jobId',
      'kind',
      'spec',
      'createdAt',
      'uid',
      'generation',
      'settings',
      'specHash',
      'acceptedAt',
      'queueRank',
      'lastAttempt',
      'lastLaunch',
    ]) {
      expect(set).not.toHaveProperty(name)
      expect(remove).not.toContain(name)
    }
  })
})

describe('the ledger', () => {
  test('the attempt is closed with its task, times and outcome', () => {
    const before = running({ attempts: [attempt({ logStream: 'task/worker/' })] })
    expect(settledAs(before, stop({ exitCode: 1 })).attempts).toEqual([
      {
        ...attempt(),
        taskArn: arn,
        logStream: `task/worker/${arn.split('/').at(-1)}`,
        startedAt: at(20 * secondMs),
        stoppedAt: at(2 * minuteMs),
        outcome: {
          class: 'failed',
          exitCode: 1,
          stopCode: 'EssentialContainerExited',
          reason: 'Exit code 1',
        },
        // From its start, 20 s in, to its stop at two minutes: nobody saw the pull of the image.
        costUsd: roundUsd(((0.04048 + 2 * 0.004445) * 100) / 3600),
      },
    ])
  })

  test('of a lost task it has no stop time', () => {
    const [closed] = settledAs(started(), undefined).attempts
    expect(closed).toMatchObject({ taskArn: arn, outcome: { class: 'lost' } })
    expect(closed).not.toHaveProperty('stoppedAt')
  })

  test('the claim names the task, before what RunTask answered', () => {
    const [closed] = settledAs(started({ claim: claim(taskArn('9')) }), stop()).attempts
    expect(closed?.taskArn).toBe(taskArn('9'))
  })

  test('earlier attempts are not touched', () => {
    const first = attempt({ outcome: { class: 'failed', exitCode: 1, reason: 'Exit code 1' } })
    const before = running({
      attempts: [first, attempt({ n: 2 })],
      lastAttempt: 2,
      launching: launching({ attempt: 2, request: undefined }),
    })
    const settled = settledAs(before, stop(failure))
    expect(settled.attempts[0]).toEqual(first)
    expect(settled.attempts[1]).toMatchObject({ n: 2, outcome: { class: 'failed' } })
  })

  const closed = (n: number, more: Partial<Attempt> = {}): Attempt =>
    attempt({ n, outcome: { class: 'spot', reason: 'Spot' }, ...more })

  test('keeps the last fifty; the older ones are added up by how they ended', () => {
    const fifty = Array.from({ length: 50 }, (_, index) => closed(index + 1))
    expect(fold(fifty, undefined)).toEqual({ attempts: fifty })
    const folded = fold([...fifty, closed(51), closed(52)], {
      count: 3,
      costUsd: 0.5,
      byClass: { failed: 3, spot: 1 },
    })
    expect(folded.attempts.map(({ n }) => n)).toEqual(Array.from({ length: 50 }, (_, index) => index + 3))
    expect(folded.rollup).toEqual({ count: 5, costUsd: 0.5, byClass: { failed: 3, spot: 3 } })
  })

  test('costs are added up, so that the sum over ledger and rollup stays the same', () => {
    const attempts = Array.from({ length: 60 }, (_, index) => closed(index + 1, { costUsd: 0.25 }))
    const { attempts: kept, rollup } = fold(attempts, { count: 1, costUsd: 1, byClass: { spot: 1 } })
    const sum = (rollup?.costUsd ?? 0) + kept.reduce((total, { costUsd }) => total + (costUsd ?? 0), 0)
    expect(sum).toBeCloseTo(60 * 0.25 + 1, 10)
    expect(kept.length + (rollup?.count ?? 0)).toBe(61)
  })

  test('settle folds, too', () => {
    const attempts = [...Array.from({ length: 50 }, (_, index) => closed(index + 1)), attempt({ n: 51 })]
    const before = running({
      attempts,
      lastAttempt: 51,
      launching: launching({ attempt: 51, request: undefined }),
    })
    const settled = settledAs(before, stop(failure))
    expect(settled.attempts).toHaveLength(50)
    expect(settled.attempts.at(-1)).toMatchObject({ n: 51, outcome: { class: 'failed' } })
    expect(settled.rollup).toEqual({ count: 1, costUsd: 0, byClass: { spot: 1 } })
  })

  test('history keeps the last twenty', () => {
    const history = Array.from({ length: 20 }, (_, index) => ({
      at: at(index),
      phase: 'Pending' as const,
      reason: `R${index}`,
    }))
    const settled = settledAs(running({ history }), stop(failure))
    expect(settled.history).toHaveLength(20)
    expect(settled.history[0]?.reason).toBe('R1')
    expect(settled.history.at(-1)?.reason).toBe('Backoff')
  })
})

describe('back-off', () => {
  const of = (failures: number, backoff = { initial: 10, max: 600 }, more: { uid?: string } = {}) =>
    backoffMs({ jobId, uid: 'u', ...more, settings: settings({ limits: { backoff } }) }, failures)

  test.each([
    [1, 10],
    [2, 20],
    [3, 40],
    [6, 320],
    [7, 600],
    [8, 600],
    [50, 600],
  ])('before attempt %i + 1: %i s, give or take a tenth', (failures, seconds) => {
    for (let index = 0; index < 200; index += 1) {
      const waitMs = of(failures, undefined, { uid: makeUid(jobId, `${index}abcdefghijkl`) })
      expect(waitMs).toBeGreaterThanOrEqual(seconds * 900)
      expect(waitMs).toBeLessThanOrEqual(seconds * 1100)
    }
  })

  test('the same job, the same wait', () => {
    expect(of(3)).toBe(of(3))
  })

  test('jobs that failed together do not come back together', () => {
    const waits = Array.from({ length: 100 }, (_, index) => of(7, undefined, { uid: `job-${index}` }))
    expect(new Set(waits).size).toBeGreaterThan(95)
    expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(100 * secondMs)
  })

  test('none, if none was asked for', () => {
    expect(of(1, { initial: 0, max: 0 })).toBe(0)
    expect(of(9, { initial: 0, max: 600 })).toBe(0)
  })

  test('a limit below the first wait counts', () => {
    expect(of(1, { initial: 3600, max: 3600 })).toBeLessThanOrEqual(3960 * secondMs)
  })

  test('counts from the stop of the task, however late that is seen', () => {
    const late = settle(running(), stop(failure), nowMs + 60 * minuteMs).change.set
    const fresh = settle(running(), stop(failure), nowMs).change.set
    expect(late.notBefore).toBe(fresh.notBefore)
    const waitMs = Date.parse(fresh.notBefore ?? '') - (acceptedMs + 2 * minuteMs)
    expect(waitMs).toBe(backoffMs(running(), 1))
  })

  test('of a lost task, whose stop nobody saw, it counts from now', () => {
    const { notBefore } = settle(running(), undefined, nowMs).change.set
    expect(Date.parse(notBefore ?? '')).toBe(nowMs + backoffMs(running(), 1))
  })

  test('failures and losses are doubled apart', () => {
    const before = running({ counts: { failed: 1, infra: 4 } })
    const waitOf = (how: Stop) =>
      Date.parse(settle(before, how, nowMs).change.set.notBefore ?? '') - (acceptedMs + 2 * minuteMs)
    expect(waitOf(stop(failure))).toBe(backoffMs(before, 2))
    expect(waitOf(stop(spot))).toBe(backoffMs(before, 5))
  })
})

describe('jobs without a task', () => {
  test('cancelled while it waited: out of its line, and finished', () => {
    const ended = applied(job(), finish(job(), 'Cancelled', 'Cancelled', undefined, nowMs))
    expect(ended).toMatchObject({
      phase: 'Cancelled',
      reason: 'Cancelled',
      finishedAt: new Date(nowMs).toISOString(),
    })
    for (const name of ['backlogQueue', 'rank', 'notBefore', 'message'])
      expect(ended).not.toHaveProperty(name)
  })

  test('an attempt that was still open is closed: the ledger of a finished job is complete', () => {
    const open = backingOff(minuteMs, { attempts: [attempt()] })
    const ended = applied(open, finish(open, 'Failed', 'DeadlineExceeded', 'Too late', nowMs))
    expect(ended.attempts[0]?.outcome).toMatchObject({ class: 'infrastructure', reason: 'Too late' })
    expect(ended.message).toBe('Too late')
  })

  test('a refused launch goes back to Pending with its attempt open, and counts for nothing', () => {
    const before = starting()
    const change = endOfLaunch(
      before,
      { phase: 'Pending', reason: 'Capacity', notBeforeMs: nowMs, message: 'none there' },
      nowMs,
    )
    const released = applied(before, change)
    expect(released).toMatchObject({
      phase: 'Pending',
      reason: 'Capacity',
      message: 'none there',
      notBefore: new Date(nowMs).toISOString(),
      backlogQueue: '~due',
      rank: nowMs,
      counts: { failed: 0, infra: 0 },
    })
    expect(released.attempts[0]).not.toHaveProperty('outcome')
    for (const name of ['fence', 'launching', 'taskArn', 'claim']) expect(released).not.toHaveProperty(name)
  })

  test('given back without a time to wait for, it stands in its queue again, at its old place', () => {
    const released = applied(
      starting(),
      endOfLaunch(starting(), { phase: 'Pending', reason: 'Queued' }, nowMs),
    )
    expect(released).toMatchObject({ backlogQueue: 'default', rank: queueRank })
    expect(released).not.toHaveProperty('notBefore')
  })
})

describe('history says which rule decided', () => {
  const ruleOf = (before: Job, how: Stop | undefined) => settledAs(before, how).history.at(-1)?.rule

  test('one of ours by its name', () => {
    expect(ruleOf(running(), stop(failure))).toBe('exitCode')
    expect(ruleOf(running(), undefined)).toBe('unknown')
    expect(ruleOf(running({ report: report() }), stop())).toBe('report')
  })

  test('one of the user’s by its place, and what it says', () => {
    const failurePolicy = [
      { exitCodes: [7], action: 'retry' as const },
      { reason: 'exit code*', action: 'fail' as const },
    ]
    const settled = settledAs(running({ settings: settings({ failurePolicy }) }), stop(failure))
    expect(settled.history.at(-1)).toEqual({
      at: new Date(nowMs).toISOString(),
      phase: 'Failed',
      reason: 'PermanentFailure',
      message: 'Exit code 1',
      rule: 'failurePolicy[1]: fail',
    })
  })

  test('a job that ends without a task was judged by none', () => {
    const ended = applied(job(), finish(job(), 'Cancelled', 'Cancelled', undefined, nowMs))
    expect(ended.history.at(-1)).not.toHaveProperty('rule')
  })
})

describe('cost', () => {
  const hourUsd = 0.04048 + 2 * 0.004445
  const seconds = (s: number): number => roundUsd((hourUsd * s) / 3600)
  const costOf = (before: Job, how: Stop | undefined) => settledAs(before, how).attempts.at(-1)?.costUsd

  test('of the attempt, from the pull of its image to its stop', () => {
    const pulled = stop({ pullStartedAtMs: acceptedMs + 10 * secondMs })
    expect(costOf(running(), pulled)).toBe(seconds(110))
  })

  test('with the prices that are configured', () => {
    const prices = fargatePricesSchema.parse({ x86_64: { vcpuHour: 36, gbHour: 0 } })
    expect(settle(running(), stop(), nowMs, prices).change.set.costUsd).toBe(1)
  })

  test('of a wasted attempt counts like any other', () => {
    expect(costOf(running(), stop(spot))).toBeGreaterThan(0)
    expect(costOf(stopping('Cancel'), stop())).toBeGreaterThan(0)
  })

  test('a launch that was refused, and one that nothing came of, cost nothing', () => {
    const refused = { kind: 'permanent' as const, reason: 'no', at: at(0) }
    expect(costOf(starting({ launching: launching({ refused }) }), undefined)).toBe(0)
    expect(costOf(starting(), undefined)).toBe(0)
  })

  test('a task that never came to the pull of its image costs nothing', () => {
    const unpulled = { stopCode: 'TaskFailedToStart', exitCode: undefined, startedAtMs: undefined }
    expect(costOf(started(), stop({ ...unpulled, createdAtMs: acceptedMs }))).toBe(0)
  })

  test('of a lost task: to the last word of its worker', () => {
    // Launched at 1 s.
    const heard = running({ progress: { beat: 3, at: at(61 * secondMs) } })
    expect(costOf(heard, undefined)).toBe(seconds(60))
    expect(
      costOf(
        running({ report: report({ outcome: 'failed', exitCode: 1, at: at(121 * secondMs) }) }),
        undefined,
      ),
    ).toBe(seconds(120))
  })

  test('of a lost task that never said a word: to now', () => {
    expect(costOf(started(), undefined)).toBe(seconds(179))
  })

  test('words from the future do not count', () => {
    expect(costOf(running({ progress: { beat: 3, at: at(9e9) } }), undefined)).toBe(seconds(179))
  })

  test('of the job: the sum over ledger and rollup, added up anew each time', () => {
    const before = running({
      attempts: [attempt({ outcome: { class: 'spot', reason: 'Spot' }, costUsd: 0.1 }), attempt({ n: 2 })],
      rollup: { count: 3, costUsd: 0.2, byClass: { spot: 3 } },
      launching: launching({ attempt: 2, request: undefined }),
      costUsd: 77,
    })
    const settled = settledAs(before, stop())
    expect(settled.costUsd).toBe(roundUsd(0.3 + (settled.attempts[1]?.costUsd ?? Number.NaN)))
  })

  test('stays the sum when the ledger folds', () => {
    const attempts = Array.from({ length: 50 }, (_, index) =>
      attempt({ n: index + 1, outcome: { class: 'spot', reason: 'Spot' }, costUsd: 0.000001 }),
    )
    const before = running({
      attempts: [...attempts, attempt({ n: 51 })],
      launching: launching({ attempt: 51, request: undefined }),
    })
    const { costUsd, attempts: kept, rollup } = settledAs(before, stop())
    expect(kept).toHaveLength(50)
    expect(costUsd).toBe(totalUsd(kept, rollup))
    expect(rollup?.costUsd).toBe(0.000001)
  })

  test('of a job that ends with a refused launch: what was there before', () => {
    const open = backingOff(minuteMs, {
      attempts: [
        attempt({ outcome: { class: 'spot', reason: 'Spot' }, costUsd: 0.25 }),
        attempt({ n: 2, launches: 3 }),
      ],
    })
    const ended = applied(open, finish(open, 'Failed', 'DeadlineExceeded', 'Too late', nowMs))
    expect(ended.costUsd).toBe(0.25)
    expect(ended.attempts[1]?.costUsd).toBe(0)
  })
})

describe('a launch that was refused for want of Spot capacity', () => {
  const refusedWith = (more: Partial<Attempt>, kind: 'capacity' | 'permanent' = 'capacity') => {
    const before = starting({
      attempts: [attempt({ n: 1, capacity: 'spot', ...more })],
      launching: launching({ refused: { kind, reason: 'RESOURCE:FARGATE', at: at(0) } }),
    })
    return applied(
      before,
      endOfLaunch(before, { phase: 'Pending', reason: 'Capacity', notBeforeMs: nowMs }, nowMs),
    )
  }

  test('is remembered by its attempt, which stays open', () => {
    const once = refusedWith({}).attempts[0]
    expect(once).toMatchObject({ n: 1, spotRefusals: 1 })
    expect(once).not.toHaveProperty('outcome')
    expect(refusedWith({ spotRefusals: 1 }).attempts[0]?.spotRefusals).toBe(2)
    expect(acceptedJobSchema.safeParse(refusedWith({})).success).toBe(true)
  })

  test('is none on demand, and none if it was refused for good', () => {
    expect(refusedWith({ capacity: 'on-demand' }).attempts[0]).not.toHaveProperty('spotRefusals')
    expect(refusedWith({}, 'permanent').attempts[0]).not.toHaveProperty('spotRefusals')
  })

  test('is none where nothing was refused', () => {
    const before = starting({ attempts: [attempt({ capacity: 'spot' })] })
    const { set } = endOfLaunch(before, { phase: 'Pending', reason: 'Queued' }, nowMs)
    expect(set).not.toHaveProperty('attempts')
  })
})

test('the same launch settled twice is the same write', () => {
  expect(settle(running(), stop(failure), nowMs)).toEqual(settle(running(), stop(failure), nowMs))
})
