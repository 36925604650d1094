import { describe, expect, test } from 'vitest'
import { type Shown, whyOf } from '../../controller/http/why.ts'
import { clock, duration, inTime } from '../../controller/http/words.ts'
import { readStored } from '../../controller/store/stored.ts'
import { type Attempt, type Job, type Phase, phases, stopReasons } from '../../schemas/job.ts'
import type { Status } from '../../schemas/status.ts'
import { acceptedJob, statusAt } from '../support/http.ts'

const nowMs = Date.parse('2026-11-22T10:00:00Z')
const at = (s: number): string => new Date(nowMs + s * 1000).toISOString()
const hour = 3600
const deadline = at(-60 + 7 * 24 * hour)

/** Accepted a minute ago. */
const job = (overrides: Parameters<typeof acceptedJob>[0] = {}): Shown => ({
  is: 'accepted',
  job: acceptedJob({ jobId: 'film', ...overrides }, nowMs - 60_000),
  item: {},
})

const attempt = (overrides: Partial<Attempt> = {}): Attempt => ({
  n: 1,
  launches: 1,
  runner: 'ecs',
  capacity: 'on-demand',
  taskDefinition: 'worker:1',
  cpu: 2048,
  memory: 4096,
  launchedAt: at(-30),
  ...overrides,
})

const launching = (
  overrides: Partial<NonNullable<Job['launching']>> = {},
): NonNullable<Job['launching']> => ({
  attempt: 1,
  launch: 1,
  clientToken: 'token',
  request: {},
  launchedAt: at(-3),
  ...overrides,
})

const arn = 'arn:aws:ecs:us-east-1:0:task/jobs/1'
const live = (phase: Phase, overrides: Parameters<typeof acceptedJob>[0] = {}): Shown =>
  job({
    phase,
    fence: 'uid/1/1',
    launching: launching(),
    taskArn: arn,
    lastAttempt: 1,
    attempts: [attempt({ startedAt: at(-20) })],
    ...overrides,
  })
const claimed = { claim: { taskArn: arn, at: at(-19) } }

const queued = (waitingFor: string, more: Partial<Status['queues'][number]> = {}): Partial<Status> => ({
  limits: { running: 10, maxRunning: 10, vcpu: 5, maxVcpu: 6 },
  queues: [{ name: 'default', running: 2, vcpu: 4, waitingFor, ...more }],
})

const input = { bucket: 'uploads', key: 'film.mp4' }
const restBy = (time: string): string => `it has until ${clock(time, nowMs)}`
const deadlineWords = 'its deadline is 2026-11-29 09:59:00 UTC.'
const graceMs = 360_000
/** In a moment: somebody looks again within a second. */
const soon = at(1)

const rows: readonly [
  name: string,
  stored: Shown,
  why: string,
  until?: string | undefined,
  status?: Partial<Status>,
][] = [
  [
    'Submitted, just now',
    readStored({ jobId: 'film', phase: 'Submitted', createdAt: at(-10) }) as Shown,
    'Waits for the controller to look at it, which takes a moment.',
    soon,
  ],
  [
    'Submitted, for long, while a leader is there',
    readStored({ jobId: 'film', phase: 'Submitted', createdAt: at(-11) }) as Shown,
    'Waits for the controller to look at it, for 11 s already.',
    soon,
  ],
  [
    'Submitted, for long, and the leader is silent',
    readStored({ jobId: 'film', phase: 'Submitted', createdAt: at(-600) }) as Shown,
    'Waits for the controller to look at it, for 10 min already; no controller has reported for 5 min.',
    undefined,
    { at: at(-300) },
  ],
  [
    'Submitted by a record without a phase, which only the scan finds',
    readStored({ jobId: 'film', createdAt: at(-600) }) as Shown,
    'It has no phase that an index could show, so it waits for the daily scan.',
  ],
  [
    'Submitted without createdAt, likewise',
    readStored({ jobId: 'film', phase: 'Submitted' }) as Shown,
    'It has no createdAt that an index could show, so it waits for the daily scan.',
  ],
  [
    'Submitted, without a time that can be read',
    readStored({ jobId: 'film', phase: 'Submitted', createdAt: 'yesterday' }) as Shown,
    'Waits for the controller to look at it, which takes a moment.',
    soon,
  ],
  [
    'a damaged record',
    readStored({ ...acceptedJob({ jobId: 'film' }), attempts: 7 }) as Shown,
    'The record is damaged, so its task is stopped and it fails: attempts: 7 is not allowed: must be a list.',
  ],
  [
    'Pending/Queued, nothing known of its queue',
    job(),
    `Waits in queue default to be admitted; ${deadlineWords}`,
    deadline,
  ],
  [
    'Pending/Queued while the leader is silent',
    job(),
    `Waits in queue default to be admitted; its deadline is 2026-11-29 09:59:00 UTC; no controller has reported for 31 s.`,
    deadline,
    { at: at(-31) },
  ],
  [
    'Pending/Queued, the head of its queue waits for a place of all',
    job(),
    `Waits in queue default for a place: 10 of 10 tasks run; ${deadlineWords}`,
    deadline,
    queued('QueueLimit'),
  ],
  [
    'Pending/Queued, the head of its queue waits for a place of the queue',
    job(),
    `Waits in queue default for a place: 2 of 2 tasks of the queue run; ${deadlineWords}`,
    deadline,
    queued('QueueLimit', { maxRunning: 2 }),
  ],
  [
    'Pending/Queued, the head of its queue waits for vCPUs of all',
    job(),
    `Waits in queue default for 2 vCPU: 5 of 6 are taken; ${deadlineWords}`,
    deadline,
    queued('VcpuLimit'),
  ],
  [
    'Pending/Queued, the head of its queue waits for vCPUs of the queue',
    job(),
    `Waits in queue default for 2 vCPU: 4 of 4 of the queue are taken; ${deadlineWords}`,
    deadline,
    queued('VcpuLimit', { maxVcpu: 4 }),
  ],
  [
    'Pending/Queued, the head of its queue waits for a launch token',
    job(),
    `Waits in queue default for its turn: ECS starts only so many tasks in a second; ${deadlineWords}`,
    deadline,
    queued('LaunchRate'),
  ],
  [
    'Pending/Queued, its queue moves',
    job(),
    `Waits in queue default to be admitted; ${deadlineWords}`,
    deadline,
    { queues: [{ name: 'default', running: 2, vcpu: 4 }] },
  ],
  [
    'Pending/Backoff',
    job({
      reason: 'Backoff',
      notBefore: at(14),
      counts: { failed: 1, infra: 0 },
      message: 'Exit code 70',
    }),
    'Backs off until 10:00:14 UTC (in 14 s), 1 of 3 attempts failed: Exit code 70.',
    at(14),
  ],
  [
    'Pending/Backoff after losses',
    job({ reason: 'Backoff', notBefore: at(14), counts: { failed: 0, infra: 2 }, message: 'Spot.' }),
    'Backs off until 10:00:14 UTC (in 14 s), 0 of 3 attempts failed, 2 lost to the infrastructure: Spot.',
    at(14),
  ],
  [
    'Pending/Backoff whose time has come',
    job({ reason: 'Backoff', notBefore: at(0) }),
    'Its back-off is over; gets back into its line in a moment.',
    soon,
  ],
  [
    'Pending/Capacity',
    job({ reason: 'Capacity', notBefore: at(300), message: 'RESOURCE:CPU' }),
    'AWS had no capacity for it; waits until 10:05:00 UTC (in 5 min) before it asks again: RESOURCE:CPU.',
    at(300),
  ],
  [
    'Pending/Capacity whose time has come',
    job({ reason: 'Capacity', notBefore: at(-1) }),
    'AWS had no capacity for it; checks for a hidden task, then asks again.',
    soon,
  ],
  [
    'Pending/Capacity, Spot for the second time',
    job({
      reason: 'Capacity',
      notBefore: at(300),
      settings: { resources: { cpu: 2048, memory: 4096, capacity: 'spot-then-on-demand' } },
      attempts: [attempt({ capacity: 'spot', spotRefusals: 2 })],
    }),
    'Spot had no capacity for it; waits until 10:05:00 UTC (in 5 min) before it asks for On-Demand.',
    at(300),
  ],
  [
    'Pending/Queued, AWS has no capacity for the head of its queue',
    job(),
    `Waits in queue default for AWS to have capacity again: one job tries about every minute; ${deadlineWords}`,
    deadline,
    queued('Capacity'),
  ],
  [
    'Pending/Queued in a queue that is gone',
    job(),
    `Waits in queue default, which is no longer configured: add it to QUEUES, or edit spec.queue; ${deadlineWords}`,
    deadline,
    { queues: [{ name: 'batch', running: 0, vcpu: 0 }] },
  ],
  [
    'Pending/Queued, and it will never fit',
    job(),
    `Waits in queue default for 2 vCPU, and there are never more than 1: raise MAX_VCPU, or edit spec.resources; ${deadlineWords}`,
    deadline,
    queued('VcpuLimit', { maxVcpu: 1 }),
  ],
  [
    'Pending, its deadline has passed',
    job({ settings: { limits: { ...acceptedJob().settings.limits, deadline: 60 } } }),
    'Its deadline was 10:00:00 UTC, so it fails in a moment.',
    soon,
  ],
  [
    'Pending/Suspended',
    job({ reason: 'Suspended', spec: { input, suspend: true } }),
    'Suspended: waits for somebody to resume it, until its deadline at 2026-11-29 09:59:00 UTC.',
    deadline,
  ],
  [
    'Pending/Suspended, just resumed',
    job({ reason: 'Suspended' }),
    'Resumed: gets back into its line in a moment.',
    soon,
  ],
  [
    'Pending, to be cancelled',
    job({ spec: { input, cancel: true, suspend: true } }),
    'It is to be cancelled, and will be in a moment.',
    soon,
  ],
  [
    'Pending with a fence',
    job({ fence: 'uid/1/1' }),
    'Its phase was changed by hand and is put right.',
    soon,
  ],
  [
    'Submitted over a live job',
    job({ phase: 'Submitted', fence: 'uid/1/1' }),
    'Its phase was changed by hand and is put right.',
    soon,
  ],
  [
    'Starting, RunTask not answered yet',
    job({ phase: 'Starting', launching: launching() }),
    'Asks ECS for a task.',
    // Sent at 0, 1, 3, 7 s: the next one is about then.
    at(4),
  ],
  [
    'Starting, RunTask not answered for long',
    job({ phase: 'Starting', launching: launching({ launchedAt: at(-44 * 60) }) }),
    'Asks ECS for a task, for 44 min already, until there is an answer.',
    // 63 s and every 60 s from then on: 2,643 s after the launch.
    at(3),
  ],
  [
    'Starting, RunTask never answered',
    job({ phase: 'Starting', launching: launching({ launchedAt: at(-45 * 60) }) }),
    'ECS never answered; looks for a task that may have started nonetheless, then launches anew.',
    at(300),
  ],
  [
    'Starting, RunTask never answered, and the time of the listing has come',
    job({ phase: 'Starting', launching: launching({ launchedAt: at(-50 * 60) }) }),
    'ECS never answered; looks for a task that may have started nonetheless, then launches anew.',
    soon,
  ],
  [
    'Starting, RunTask refused',
    job({
      phase: 'Starting',
      launching: launching({ refused: { kind: 'permanent', reason: 'No such subnet', at: at(-60) } }),
    }),
    'ECS refused to start its task; a listing at 10:05:00 UTC (in 5 min) makes sure that none runs: No such subnet.',
    at(300),
  ],
  [
    'Starting, RunTask refused, and the time of the listing has come',
    job({
      phase: 'Starting',
      launching: launching({ refused: { kind: 'permanent', reason: 'No such subnet', at: at(-360) } }),
    }),
    'ECS refused to start its task; a listing makes sure that none runs: No such subnet.',
    soon,
  ],
  [
    'Starting, no capacity, a kind that claims',
    job({
      phase: 'Starting',
      launching: launching({ refused: { kind: 'capacity', reason: 'RESOURCE:FARGATE', at: at(-1) } }),
    }),
    'AWS had no capacity for its task; gives its place back: RESOURCE:FARGATE.',
    soon,
  ],
  [
    'Starting, no capacity, a kind that does not claim',
    job({
      kind: 'container',
      spec: { params: { taskDefinition: 'shell' } },
      phase: 'Starting',
      launching: launching({ refused: { kind: 'capacity', reason: 'RESOURCE:FARGATE', at: at(-60) } }),
    }),
    'ECS refused to start its task; a listing at 10:05:00 UTC (in 5 min) makes sure that none runs: RESOURCE:FARGATE.',
    at(300),
  ],
  [
    'Starting, refused, to be suspended',
    job({
      phase: 'Starting',
      launching: launching({ refused: { kind: 'permanent', reason: 'No such subnet', at: at(-60) } }),
      spec: { input, suspend: true },
    }),
    'It is to be suspended, once it is sure whether a task runs.',
    at(300),
  ],
  [
    'Starting, to be cancelled before ECS answered',
    job({ phase: 'Starting', launching: launching(), spec: { input, cancel: true } }),
    'It is to be cancelled, once it is sure whether a task runs.',
    at(4),
  ],
  [
    'Starting, its task is known',
    job({ phase: 'Starting', launching: launching(), taskArn: arn }),
    'Its task starts; it has until 10:09:57 UTC (in 9 min 57 s).',
    at(597),
  ],
  [
    'Starting, its task is known for longer than the record would allow',
    job({ phase: 'Starting', launching: launching({ launchedAt: at(-660) }), taskArn: arn }),
    'Its task starts, for 11 min already.',
    soon,
  ],
  [
    'Starting, its task is known, to be cancelled',
    job({ phase: 'Starting', launching: launching(), taskArn: arn, spec: { input, cancel: true } }),
    'It is to be cancelled; its task is about to be stopped.',
    soon,
  ],
  [
    'Starting without a launch',
    job({ phase: 'Starting' }),
    'Its record is damaged: Starting without a launch.',
    soon,
  ],
  [
    'Running, not claimed',
    live('Running'),
    'Its task runs, but its worker has not claimed attempt 1 yet.',
    at(-20 + 300),
  ],
  [
    'Running, claimed',
    live('Running', claimed),
    `Attempt 1 runs; ${restBy(at(-20 + 48 * hour))}.`,
    at(-20 + 48 * hour),
  ],
  [
    'Running with progress',
    live('Running', {
      ...claimed,
      progress: { beat: 3, percent: 43.9, stage: 'encode', etaS: 130, at: at(-2) },
    }),
    `Attempt 1 runs: encode, 43 %, about 2 min 10 s left; ${restBy(at(-20 + 48 * hour))}.`,
    at(-20 + 48 * hour),
  ],
  [
    'Running, at half of the heartbeat time',
    live('Running', { ...claimed, progress: { beat: 3, at: at(-60) } }),
    `Attempt 1 runs; ${restBy(at(-20 + 48 * hour))}.`,
    at(-20 + 48 * hour),
  ],
  [
    'Running, silent for more than half of the heartbeat time',
    live('Running', { ...claimed, progress: { beat: 3, at: at(-61) } }),
    'Attempt 1 runs, but its worker has been silent for 1 min 1 s; it is stopped after 2 min.',
    at(-61 + 120),
  ],
  [
    'Running, silent since its claim',
    live('Running', { claim: { taskArn: arn, at: at(-119) } }),
    'Attempt 1 runs, but its worker has been silent for 1 min 59 s; it is stopped after 2 min.',
    at(1),
  ],
  [
    'Running, reported',
    live('Running', {
      ...claimed,
      report: { fence: 'uid/1/1', outcome: 'done', exitCode: 0, at: at(-1) },
    }),
    'Attempt 1 has reported done; waits for its task to end.',
    at(-19 + 120),
  ],
  [
    'Running, interrupted on Spot',
    live('Running', {
      ...claimed,
      attempts: [attempt({ startedAt: at(-20), capacity: 'spot' })],
      report: { fence: 'uid/1/1', outcome: 'interrupted', exitCode: 143, at: at(-1) },
    }),
    'Attempt 1 has reported interrupted, probably because Spot takes its capacity back; waits for its task to end.',
    at(-19 + 120),
  ],
  [
    'Running, its time is over',
    live('Running', {
      ...claimed,
      settings: { limits: { ...acceptedJob().settings.limits, attemptTimeout: 20 } },
    }),
    'Attempt 1 had until 10:00:00 UTC; its task is about to be stopped.',
    soon,
  ],
  [
    'Running while the leader is silent',
    live('Running', claimed),
    `Attempt 1 runs; ${restBy(at(-20 + 48 * hour))}; no controller has reported for 5 min.`,
    at(-20 + 48 * hour),
    { at: at(-300) },
  ],
  [
    'Running, the deadline comes before the end of the attempt',
    live('Running', {
      ...claimed,
      settings: { limits: { ...acceptedJob().settings.limits, deadline: 120 } },
    }),
    `Attempt 1 runs; ${restBy(at(60))}.`,
    at(60),
  ],
  [
    'Running, a container that does not claim',
    live('Running', { kind: 'container', spec: { params: { taskDefinition: 'shell' } } }),
    `Attempt 1 runs; ${restBy(at(-20 + 6 * hour))}.`,
    at(-20 + 6 * hour),
  ],
  [
    'Running, to be suspended',
    live('Running', { ...claimed, spec: { input, suspend: true } }),
    'It is to be suspended; its task is about to be stopped.',
    soon,
  ],
  ...(
    [
      ['Cancel', 'it was cancelled'],
      ['Suspend', 'it was suspended'],
      ['DeadlineExceeded', 'its deadline has passed'],
      ['AttemptTimeout', 'the attempt took too long'],
      ['StartTimeout', 'it did not start in time'],
      ['ClaimTimeout', 'its worker did not claim it in time'],
      ['HeartbeatLost', 'its worker fell silent'],
    ] as const
  ).map(([reason, words]): [string, Shown, string, string] => [
    `Stopping/${reason}`,
    live('Stopping', { stopping: { reason, at: at(-1) } }),
    `Its task is being stopped, because ${words}; StopTask is sent again at 10:00:29 UTC if need be.`,
    at(29),
  ]),
  [
    'Stopping, for long',
    live('Stopping', { stopping: { reason: 'Cancel', at: at(-90) } }),
    'Its task is being stopped, for 1 min 30 s already, because it was cancelled; StopTask is sent again at 10:00:30 UTC if need be.',
    at(30),
  ],
  ['Stopping without a reason', live('Stopping'), 'Its record is damaged: Stopping without a reason.', soon],
  ['Succeeded', job({ phase: 'Succeeded', reason: 'Done', lastAttempt: 1 }), 'Succeeded.'],
  [
    'Succeeded, and its input was to go',
    job({ phase: 'Succeeded', reason: 'Done', lastAttempt: 1, source: 'notAllowed' }),
    'Succeeded; its input was not deleted, because the controller may not (s3:DeleteObject).',
  ],
  ['Succeeded later', job({ phase: 'Succeeded', reason: 'Done', lastAttempt: 3 }), 'Succeeded in attempt 3.'],
  ['Cancelled', job({ phase: 'Cancelled', reason: 'Cancelled' }), 'Cancelled by the user.'],
  [
    'Failed/InvalidSpec',
    job({ phase: 'Failed', reason: 'InvalidSpec', message: 'spec.priority: 12 is not allowed' }),
    'Its spec is not valid: spec.priority: 12 is not allowed.',
  ],
  [
    'Failed/TooBig',
    job({ phase: 'Failed', reason: 'TooBig', message: 'it needs 16 vCPU' }),
    'It can never fit into the limits: it needs 16 vCPU.',
  ],
  [
    'Failed/PermanentFailure',
    job({ phase: 'Failed', reason: 'PermanentFailure', message: 'The input has no video.' }),
    'Failed in a way that another attempt would not mend: The input has no video.',
  ],
  [
    'Failed/AttemptsExhausted',
    job({
      phase: 'Failed',
      reason: 'AttemptsExhausted',
      message: 'Exit code 70',
      counts: { failed: 3, infra: 0 },
    }),
    'Failed 3 times, and 3 attempts are allowed: Exit code 70.',
  ],
  ...(['AttemptsExhausted', 'InfrastructureAttemptsExhausted'] as const).map(
    (reason): [string, Shown, string] => [
      `Failed/${reason} of a child, whose attempts the pipeline did not count`,
      job({
        kind: 'analyze',
        phase: 'Failed',
        reason,
        message: 'Step summary, film-summarize-1: The model gave no answer',
        counts: { failed: 0, infra: 0 },
        pipeline: { steps: [] },
      }),
      'Step summary, film-summarize-1: The model gave no answer.',
    ],
  ),
  [
    'Failed/InfrastructureAttemptsExhausted',
    job({
      phase: 'Failed',
      reason: 'InfrastructureAttemptsExhausted',
      message: 'Spot',
      counts: { failed: 0, infra: 11 },
    }),
    'Lost to the infrastructure 11 times, more than allowed: Spot.',
  ],
  ...(
    [
      'InputMissing',
      'DeadlineExceeded',
      'TaskDefinitionInvalid',
      'ImageMissing',
      'OverridesTooLong',
      'BrokenRecord',
    ] as const
  ).map((reason): [string, Shown, string] => [
    `Failed/${reason}`,
    job({ phase: 'Failed', reason, message: 'What happened. And more.' }),
    'What happened.',
  ]),
  ['Failed, nobody said why', job({ phase: 'Failed', reason: 'Strange' }), 'Failed: Strange.'],
  [
    'a finished phase with a fence',
    job({ phase: 'Succeeded', reason: 'Done', fence: 'uid/1/1' }),
    'Its phase was changed by hand and is put right.',
    soon,
  ],
]

describe('why a job is where it is', () => {
  test.for(rows)('%s', ([, stored, why, until, status]) => {
    expect(whyOf(stored, statusAt(nowMs, status), nowMs, graceMs)).toEqual({
      why,
      ...(until === undefined ? {} : { until }),
    })
  })

  test('without a status, the sentence says that no controller has reported', () => {
    const stored = readStored({ jobId: 'film', phase: 'Submitted', createdAt: at(-60) }) as Shown
    expect(whyOf(stored, undefined, nowMs, graceMs)).toEqual({
      why: 'Waits for the controller to look at it, for 1 min already; no controller has reported yet.',
    })
    expect(whyOf(job(), undefined, nowMs, graceMs).why).toBe(
      `Waits in queue default to be admitted; ${deadlineWords}`,
    )
  })

  test('every phase and every stop reason has its row', () => {
    const names = rows.map(([name]) => name)
    for (const phase of phases)
      expect(names.filter((name) => name.startsWith(phase)).length).toBeGreaterThan(0)
    for (const reason of stopReasons) expect(names).toContain(`Stopping/${reason}`)
  })

  test('numbers that nobody can have meant still give a sentence', () => {
    const limits = { ...acceptedJob().settings.limits, deadline: 1e300, attemptTimeout: -1e300 }
    for (const phase of phases) {
      const { why } = whyOf(live(phase, { settings: { limits } }), undefined, nowMs, graceMs)
      expect(why).toMatch(/\.$/)
    }
  })
})

describe('times in words', () => {
  test.for([
    [0, '0 s'],
    [999, '0 s'],
    [1000, '1 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [75_000, '1 min 15 s'],
    [3_600_000, '1 h'],
    [3_601_000, '1 h'],
    [5_400_000, '1 h 30 min'],
    [90_000_000, '1 d 1 h'],
    [86_400_000, '1 d'],
    [-5, '0 s'],
  ] as const)('%i ms are %s', ([ms, words]) => {
    expect(duration(ms)).toBe(words)
  })

  test('a time of today has no date', () => {
    expect(clock('2026-11-22T23:59:59.999Z', nowMs)).toBe('23:59:59 UTC')
    expect(clock('2026-11-23T00:00:00Z', nowMs)).toBe('2026-11-23 00:00:00 UTC')
  })

  test('a time that has passed is now', () => {
    expect(inTime(at(0), nowMs)).toBe('now')
    expect(inTime(at(14), nowMs)).toBe('in 14 s')
  })
})
