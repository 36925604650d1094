import { describe, expect, test } from 'vitest'
import { type Judgement, judge } from '../../controller/reconcile/outcome.ts'
import type { Stop } from '../../controller/reconcile/seen.ts'
import { exitCodes } from '../../schemas/exit-codes.ts'
import type { Job, StopReason } from '../../schemas/job.ts'
import type { PolicyRule } from '../../schemas/spec.ts'
import {
  at,
  attempt,
  launching,
  report,
  running,
  settings,
  started,
  starting,
  stop,
  stopping,
  uid,
} from '../support/job.ts'

// Settle, in the order of the design: cancel, report, our stop, the platform's, start failures, memory, exit code, unknown.
// There is a row for every rule, and one for every pair of neighbours that could both apply.

type Verdict = `${Judgement['outcome']['class']} -> ${Judgement['next']}, ${Judgement['counted']}`
type Row = [name: string, job: Job, stop: Stop | undefined, want: Verdict]

const verdict = (job: Job, how: Stop | undefined): string => {
  const { outcome, next, counted } = judge(job, how)
  return `${outcome.class} -> ${next}, ${counted}`
}

const table = (name: string, rows: readonly Row[]) =>
  describe(name, () => {
    test.for(rows)('%s', ([, job, how, want]) => {
      expect(verdict(job, how)).toBe(want)
    })
  })

const container = { kind: 'container', claim: undefined }
const done = { report: report() }
const failedReport = (exitCode: number, message?: string) => ({
  report: report({ outcome: 'failed' as const, exitCode, ...(message === undefined ? {} : { message }) }),
})
const ours: Partial<Stop> = { stopCode: 'UserInitiated', reason: 'Stopped by us', exitCode: 143 }
const spot: Partial<Stop> = { stopCode: 'SpotInterruption', reason: 'Your Spot Task was interrupted.' }
const outOfMemory: Partial<Stop> = {
  exitCode: 137,
  reason: 'Essential container in task exited: OutOfMemoryError: container killed due to memory usage',
}
const refused = (kind: 'capacity' | 'permanent') =>
  starting({ launching: launching({ refused: { kind, reason: 'AccessDeniedException: no', at: at(2000) } }) })

table('1: a recorded cancel wins over everything', [
  ['over a report of success', stopping('Cancel', done), stop(), 'cancelled -> cancel, none'],
  ['over exit code 0', stopping('Cancel', container), stop(), 'cancelled -> cancel, none'],
  ['over a failure', stopping('Cancel'), stop({ exitCode: 1 }), 'cancelled -> cancel, none'],
  ['over Spot', stopping('Cancel'), stop(spot), 'cancelled -> cancel, none'],
  ['over a lost task', stopping('Cancel'), undefined, 'cancelled -> cancel, none'],
  [
    'a wish that nobody recorded does not count',
    running({ spec: { cancel: true }, ...done }),
    stop(),
    'success -> succeed, none',
  ],
])

table('2: a report of success is believed, whatever stopped the task', [
  ['over exit code 1', running(done), stop({ exitCode: 1 }), 'success -> succeed, none'],
  ['over Spot', running(done), stop(spot), 'success -> succeed, none'],
  ['over out of memory', running(done), stop(outOfMemory), 'success -> succeed, none'],
  ['over our own stop', stopping('AttemptTimeout', done), stop(ours), 'success -> succeed, none'],
  ['over suspend', stopping('Suspend', done), stop(ours), 'success -> succeed, none'],
  ['over the deadline', stopping('DeadlineExceeded', done), stop(ours), 'success -> succeed, none'],
  ['over a lost task', running(done), undefined, 'success -> succeed, none'],
  [
    'of another launch it is not believed',
    running({ report: report({ fence: `${uid}/1/2` }) }),
    stop(),
    'infrastructure -> retry, infra',
  ],
])

const own: [StopReason, Verdict][] = [
  ['Suspend', 'suspended -> suspend, none'],
  ['DeadlineExceeded', 'timeout -> deadline, failed'],
  ['AttemptTimeout', 'timeout -> retry, failed'],
  ['StartTimeout', 'infrastructure -> retry, infra'],
  ['ClaimTimeout', 'infrastructure -> retry, infra'],
  ['HeartbeatLost', 'infrastructure -> retry, infra'],
]
table(
  '3: our stop intent explains a stop by user, or without a code',
  own.flatMap(([reason, want]): Row[] => [
    [`${reason}: stopped by us`, stopping(reason), stop(ours), want],
    [`${reason}: stopped by us, exit code 0`, stopping(reason), stop({ ...ours, exitCode: 0 }), want],
    [`${reason}: no stop code`, stopping(reason), stop({ stopCode: undefined, exitCode: undefined }), want],
    [`${reason}: lost`, stopping(reason), undefined, want],
    [
      `${reason}: a failed report does not stand in the way`,
      stopping(reason, failedReport(65)),
      stop(ours),
      want,
    ],
    [`${reason}: Spot was faster`, stopping(reason), stop(spot), 'spot -> retry, infra'],
    [
      `${reason}: the task had ended by itself`,
      stopping(reason),
      stop({ exitCode: 1 }),
      'failed -> retry, failed',
    ],
    [
      `${reason}: a container had ended by itself, well`,
      stopping(reason, container),
      stop(),
      'success -> succeed, none',
    ],
  ]),
)

table('4: the platform ended it', [
  ['Spot took its capacity back', running(), stop(spot), 'spot -> retry, infra'],
  [
    'Spot, and a graceful exit 0 of a container: why comes before the exit code',
    running(container),
    stop({ ...spot, exitCode: 0 }),
    'spot -> retry, infra',
  ],
  [
    'Spot, and a failed report',
    running(failedReport(65)),
    stop({ ...spot, exitCode: 65 }),
    'spot -> retry, infra',
  ],
  [
    'Spot before it started',
    started(),
    stop({ ...spot, exitCode: undefined, startedAtMs: undefined }),
    'spot -> retry, infra',
  ],
  [
    'the warning of Spot as the last word',
    running(),
    stop({ stopCode: 'TerminationNotice' }),
    'spot -> retry, infra',
  ],
  [
    'the health of the host',
    running(),
    stop({ stopCode: 'InfrastructureHealth', exitCode: 137 }),
    'infrastructure -> retry, infra',
  ],
  [
    'maintenance, by its text',
    running(container),
    stop({
      exitCode: 143,
      reason: 'ECS is performing maintenance on the underlying infrastructure hosting the task',
    }),
    'infrastructure -> retry, infra',
  ],
  [
    'maintenance before it started',
    started(),
    stop({
      stopCode: 'TaskFailedToStart',
      exitCode: undefined,
      reason: 'ECS is performing maintenance on the underlying infrastructure hosting the task',
    }),
    'infrastructure -> retry, infra',
  ],
  ['somebody else stopped it', running(), stop(ours), 'infrastructure -> retry, infra'],
])

const unstarted = { stopCode: 'TaskFailedToStart', exitCode: undefined, startedAtMs: undefined }
table('5: it never started', [
  [
    'the image is not there',
    started(),
    stop({ ...unstarted, reason: 'CannotPullContainerError: not found' }),
    'startFailure -> retry, failed',
  ],
  [
    'a secret is not there',
    started(),
    stop({ ...unstarted, reason: 'ResourceInitializationError: unable to pull secrets' }),
    'startFailure -> retry, failed',
  ],
  ['without a reason', started(), stop({ ...unstarted, reason: '' }), 'startFailure -> retry, failed'],
  [
    'no capacity',
    started(),
    stop({ ...unstarted, reason: 'Capacity is unavailable at this time' }),
    'infrastructure -> retry, infra',
  ],
  [
    'no capacity, on Spot: a loss to Spot',
    started({ attempts: [attempt({ capacity: 'spot' })] }),
    stop({ ...unstarted, reason: 'Capacity is unavailable at this time' }),
    'spot -> retry, infra',
  ],
  [
    'no network interface, on Spot: none of Spot’s doing',
    started({ attempts: [attempt({ capacity: 'spot' })] }),
    stop({ ...unstarted, reason: 'Timeout waiting for network interface provisioning to complete' }),
    'infrastructure -> retry, infra',
  ],
  [
    'no network interface',
    started(),
    stop({
      ...unstarted,
      reason: 'Unexpected EC2 error while attempting to Create Network Interface in subnet',
    }),
    'infrastructure -> retry, infra',
  ],
  ['RunTask refused it for good', refused('permanent'), undefined, 'startFailure -> retry, failed'],
  [
    'RunTask refused it for want of capacity, and the launch came to nothing',
    refused('capacity'),
    undefined,
    'lost -> retry, infra',
  ],
])

table('6: out of memory', [
  ['killed for it', running(), stop(outOfMemory), 'outOfMemory -> retry, failed'],
  [
    '137 without that reason is an ordinary failure',
    running(),
    stop({ exitCode: 137 }),
    'failed -> retry, failed',
  ],
  [
    'that reason with another code is not',
    running(),
    stop({ ...outOfMemory, exitCode: 1 }),
    'failed -> retry, failed',
  ],
  [
    'said by the worker, whose ffmpeg was killed',
    running(failedReport(137)),
    stop({ exitCode: 137 }),
    'outOfMemory -> retry, failed',
  ],
  [
    'said by the worker of a task that is lost',
    running(failedReport(137)),
    undefined,
    'outOfMemory -> retry, failed',
  ],
  [
    'said by the worker, its exit code lost',
    running(failedReport(137)),
    stop({ exitCode: undefined }),
    'outOfMemory -> retry, failed',
  ],
  [
    'said by the worker, but it exited otherwise',
    running(failedReport(137)),
    stop({ exitCode: 75 }),
    'failed -> retry, failed',
  ],
  ['before a failed report', running(failedReport(65)), stop(outOfMemory), 'outOfMemory -> retry, failed'],
])

table('7: the exit code', [
  ['0 of a container is success', running(container), stop(), 'success -> succeed, none'],
  ['0 of a worker that never reported is not', running(), stop(), 'infrastructure -> retry, infra'],
  [
    '0 of a worker that reported a failure is not',
    running(failedReport(70)),
    stop(),
    'infrastructure -> retry, infra',
  ],
  ['1 is retried', running(), stop({ exitCode: 1 }), 'failed -> retry, failed'],
  [`${exitCodes.badInput} fails at once`, running(), stop({ exitCode: 65 }), 'failed -> fail, failed'],
  [`${exitCodes.inputMissing} fails at once`, running(), stop({ exitCode: 66 }), 'failed -> fail, failed'],
  [`${exitCodes.notAllowed} fails at once`, running(), stop({ exitCode: 77 }), 'failed -> fail, failed'],
  [
    `${exitCodes.badConfiguration} fails at once`,
    running(),
    stop({ exitCode: 78 }),
    'failed -> fail, failed',
  ],
  [
    `${exitCodes.serviceUnavailable} is retried`,
    running(),
    stop({ exitCode: 69 }),
    'failed -> retry, failed',
  ],
  [`${exitCodes.internalError} is retried`, running(), stop({ exitCode: 70 }), 'failed -> retry, failed'],
  [`${exitCodes.temporary} is retried`, running(), stop({ exitCode: 75 }), 'failed -> retry, failed'],
  [
    `${exitCodes.fencedOut} is infrastructure`,
    running(),
    stop({ exitCode: 76 }),
    'infrastructure -> retry, infra',
  ],
  [
    `${exitCodes.interrupted} is infrastructure`,
    running(),
    stop({ exitCode: 143 }),
    'infrastructure -> retry, infra',
  ],
  [
    'unknown, with a failed report: its code',
    running(failedReport(65)),
    stop({ exitCode: undefined }),
    'failed -> fail, failed',
  ],
  [
    'unknown, with an interrupted report: its code',
    running({ report: report({ outcome: 'interrupted', exitCode: 143 }) }),
    stop({ exitCode: undefined }),
    'infrastructure -> retry, infra',
  ],
  [
    'of a lost task, with a failed report: its code',
    running(failedReport(66)),
    undefined,
    'failed -> fail, failed',
  ],
  [
    'known: a failed report with another code does not change it',
    running(failedReport(65)),
    stop({ exitCode: 75 }),
    'failed -> retry, failed',
  ],
  [
    'a failed report of another launch does not count',
    running({ report: report({ fence: `${uid}/1/9`, outcome: 'failed', exitCode: 65 }) }),
    stop({ exitCode: undefined }),
    'infrastructure -> retry, infra',
  ],
])

table('8: nobody knows', [
  ['the task disappeared', running(), undefined, 'lost -> retry, infra'],
  ['stopped without a code', running(), stop({ exitCode: undefined }), 'infrastructure -> retry, infra'],
  [
    'stopped with a code that is new',
    running(),
    stop({ stopCode: 'Evicted', exitCode: undefined }),
    'infrastructure -> retry, infra',
  ],
  [
    'a new stop code with an exit code: the exit code',
    running(),
    stop({ stopCode: 'Evicted', exitCode: 65 }),
    'failed -> fail, failed',
  ],
])

const ruled = (rules: PolicyRule[], more: Partial<Job> = {}) =>
  running({ settings: settings({ failurePolicy: rules }), ...more })
const ruledStop = (rules: PolicyRule[], reason: StopReason) =>
  stopping(reason, { settings: settings({ failurePolicy: rules }) })
const always = (action: PolicyRule['action']): PolicyRule => ({ reason: '*', action })

table('the user’s rules: for failures only, the first that matches', [
  ['fail', ruled([{ exitCodes: [1], action: 'fail' }]), stop({ exitCode: 1 }), 'failed -> fail, failed'],
  [
    'retry what would fail',
    ruled([{ exitCodes: [65], action: 'retry' }]),
    stop({ exitCode: 65 }),
    'failed -> retry, failed',
  ],
  [
    'ignore counts as infrastructure',
    ruled([{ exitCodes: [3], action: 'ignore' }]),
    stop({ exitCode: 3 }),
    'failed -> retry, infra',
  ],
  [
    'ignore what would fail',
    ruled([{ exitCodes: [65], action: 'ignore' }]),
    stop({ exitCode: 65 }),
    'failed -> retry, infra',
  ],
  [
    'by stop code',
    ruled([{ stopCodes: ['SpotInterruption'], action: 'fail' }]),
    stop(spot),
    'spot -> fail, failed',
  ],
  [
    'the first of two',
    ruled([
      { exitCodes: [1], action: 'fail' },
      { exitCodes: [1], action: 'ignore' },
    ]),
    stop({ exitCode: 1 }),
    'failed -> fail, failed',
  ],
  [
    'the second, if the first does not match',
    ruled([
      { exitCodes: [2], action: 'fail' },
      { exitCodes: [1], action: 'ignore' },
    ]),
    stop({ exitCode: 1 }),
    'failed -> retry, infra',
  ],
  [
    'none matches',
    ruled([{ exitCodes: [2], action: 'fail' }]),
    stop({ exitCode: 1 }),
    'failed -> retry, failed',
  ],
  [
    'every part of a rule has to match',
    ruled([{ exitCodes: [1], stopCodes: ['SpotInterruption'], action: 'fail' }]),
    stop({ exitCode: 1 }),
    'failed -> retry, failed',
  ],
  [
    'an exit code does not match where there is none',
    ruled([{ exitCodes: [1], action: 'fail' }]),
    undefined,
    'lost -> retry, infra',
  ],
  ['not for success', ruled([always('fail')], done), stop(), 'success -> succeed, none'],
  ['not for cancel', ruledStop([always('retry')], 'Cancel'), stop(ours), 'cancelled -> cancel, none'],
  ['not for suspend', ruledStop([always('fail')], 'Suspend'), stop(ours), 'suspended -> suspend, none'],
  [
    'not for the deadline',
    ruledStop([always('retry')], 'DeadlineExceeded'),
    stop(ours),
    'timeout -> deadline, failed',
  ],
  [
    'for a timeout of an attempt',
    ruledStop([always('fail')], 'AttemptTimeout'),
    stop(ours),
    'timeout -> fail, failed',
  ],
])

describe('which rule decided', () => {
  const permanent = refused('permanent')
  const rows: [rule: Judgement['rule'], name: string, job: Job, stop: Stop | undefined][] = [
    ['cancel', 'a recorded cancel, over a report', stopping('Cancel', done), stop()],
    ['cancel', 'a recorded cancel of a lost task', stopping('Cancel'), undefined],
    ['report', 'a report of success', running(done), stop()],
    ['report', 'a report of success, over our stop', stopping('AttemptTimeout', done), stop(ours)],
    ['ourStop', 'our stop', stopping('HeartbeatLost'), stop(ours)],
    ['ourStop', 'our stop, and the task is lost', stopping('Suspend'), undefined],
    ['platform', 'Spot', running(), stop(spot)],
    ['platform', 'Spot was faster than our stop', stopping('AttemptTimeout'), stop(spot)],
    ['platform', 'maintenance', running(), stop({ reason: 'maintenance on the underlying infrastructure' })],
    ['platform', 'somebody else', running(), stop(ours)],
    ['start', 'an image that is not there', started(), stop({ ...unstarted, reason: 'CannotPull' })],
    ['start', 'no capacity after all', started(), stop({ ...unstarted, reason: 'Capacity is unavailable' })],
    ['start', 'RunTask refused it for good', permanent, undefined],
    ['outOfMemory', 'said by ECS', running(), stop(outOfMemory)],
    ['outOfMemory', 'said by the worker of a lost task', running(failedReport(137)), undefined],
    ['exitCode', '1', running(), stop({ exitCode: 1 })],
    ['exitCode', '137 without a word of memory', running(), stop({ exitCode: 137 })],
    ['exitCode', '0 of a container', running(container), stop()],
    ['exitCode', 'the task had ended by itself before our stop', stopping('Suspend'), stop({ exitCode: 65 })],
    ['exitCode', 'of the report, where the task is lost', running(failedReport(65)), undefined],
    ['unknown', 'a lost task', running(), undefined],
    ['unknown', 'a stop without a code', running(), stop({ exitCode: undefined })],
    [
      'failurePolicy[0]: fail',
      'the first of two that match',
      ruled([always('fail'), always('ignore')]),
      stop({ exitCode: 1 }),
    ],
    [
      'failurePolicy[2]: ignore',
      'the third of three',
      ruled([
        { exitCodes: [2], action: 'fail' },
        { stopCodes: ['SpotInterruption'], action: 'retry' },
        { reason: 'exit*', action: 'ignore' },
      ]),
      stop({ exitCode: 1 }),
    ],
    [
      'failurePolicy[0]: retry',
      'one that says what would have been anyway',
      ruled([{ exitCodes: [1], action: 'retry' }]),
      stop({ exitCode: 1 }),
    ],
    [
      'failurePolicy[0]: fail',
      'by stop code',
      ruled([{ stopCodes: ['SpotInterruption'], action: 'fail' }]),
      stop(spot),
    ],
    [
      'exitCode',
      'a policy that does not match',
      ruled([{ exitCodes: [2], action: 'fail' }]),
      stop({ exitCode: 1 }),
    ],
    ['cancel', 'no policy touches a cancel', ruledStop([always('fail')], 'Cancel'), stop(ours)],
    ['report', 'no policy touches a success', ruled([always('fail')], done), stop()],
    ['ourStop', 'no policy touches a suspend', ruledStop([always('fail')], 'Suspend'), stop(ours)],
    [
      'ourStop',
      'no policy touches the deadline',
      ruledStop([always('retry')], 'DeadlineExceeded'),
      stop(ours),
    ],
  ]
  test.for(rows)('%s: %s', ([rule, , job, how]) => {
    expect(judge(job, how).rule).toBe(rule)
  })

  test('every rule of ours has its rows', () => {
    const named = new Set(rows.map(([rule]) => rule.replace(/\[.*/, '')))
    expect(named).toEqual(
      new Set([
        'cancel',
        'exitCode',
        'failurePolicy',
        'ourStop',
        'outOfMemory',
        'platform',
        'report',
        'start',
        'unknown',
      ]),
    )
  })

  test('the longest name that a rule can have fits into the record', () => {
    const policy = [
      ...Array.from({ length: 19 }, (): PolicyRule => ({ exitCodes: [9], action: 'fail' })),
      always('ignore'),
    ]
    const { rule } = judge(ruled(policy), stop({ exitCode: 1 }))
    expect(rule).toBe('failurePolicy[19]: ignore')
    expect(rule.length).toBeLessThanOrEqual(64)
  })
})

describe('a reason in a rule is a text in which only * is special', () => {
  const said = 'Connection to db-1 (10.0.0.7) refused: try again'
  const matches = (pattern: string): boolean =>
    judge(ruled([{ reason: pattern, action: 'fail' }], failedReport(1, said)), stop({ exitCode: 1 })).next ===
    'fail'

  test.each([
    'refused',
    'REFUSED',
    'Connection*',
    '*again',
    '*db-1*',
    '(10',
    'connection*refused*again',
    '*',
    said,
    'Connection to db-1 (10.0.0.7) refused: try again*',
  ])('%s matches', (pattern) => expect(matches(pattern)).toBe(true))
  test.each([
    'refused*',
    '*refused',
    'again*Connection',
    'db.1',
    'Con.*',
    'again*again',
    '*try again*again',
    'ab',
  ])('%s does not', (pattern) => expect(matches(pattern)).toBe(false))
  test('a pattern with many stars is not slow', () => {
    const long = 'a'.repeat(500)
    const job = ruled([{ reason: `${'*a'.repeat(90)}*b`, action: 'fail' }], failedReport(1, long))
    const startedMs = performance.now()
    expect(judge(job, stop({ exitCode: 1 })).next).toBe('retry')
    expect(performance.now() - startedMs).toBeLessThan(100)
  })
})

describe('what the ledger keeps of it', () => {
  test('exit code, stop code and the sentence of the worker', () => {
    expect(judge(running(failedReport(65, 'No video stream')), stop({ exitCode: 65 })).outcome).toEqual({
      class: 'failed',
      exitCode: 65,
      stopCode: 'EssentialContainerExited',
      reason: 'No video stream',
    })
  })
  test('a reason of any length is cut', () => {
    expect(judge(running(), stop({ ...unstarted, reason: 'x'.repeat(5000) })).outcome.reason).toHaveLength(
      500,
    )
  })
  test('a timeout names its limit', () => {
    expect(judge(stopping('AttemptTimeout'), stop(ours)).outcome.reason).toContain('21600 s')
  })
  test('a refusal says what RunTask said', () => {
    expect(judge(refused('permanent'), undefined).outcome.reason).toContain('AccessDeniedException: no')
  })
})

test('the ledger keeps the error code of a worker that failed, and of no other', () => {
  const full = { report: report({ outcome: 'failed', exitCode: 75, code: 'DISK_FULL' }) }
  expect(judge(running(full), stop({ exitCode: 75 })).outcome).toMatchObject({
    class: 'failed',
    code: 'DISK_FULL',
  })
  expect(judge(running(failedReport(75)), stop({ exitCode: 75 })).outcome).not.toHaveProperty('code')
  expect(judge(running(done), stop({ exitCode: 0 })).outcome).not.toHaveProperty('code')
  const interrupted = { report: report({ outcome: 'interrupted', exitCode: 143, code: 'INTERRUPTED' }) }
  expect(judge(running(interrupted), stop({ exitCode: 143 })).outcome).not.toHaveProperty('code')
})
