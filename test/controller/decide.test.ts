import { describe, expect, test } from 'vitest'
import { type Action, decide, untilWoken } from '../../controller/reconcile/decide.ts'
import type { Seen } from '../../controller/reconcile/seen.ts'
import type { Job } from '../../schemas/job.ts'
import {
  acceptedMs,
  arn,
  attempt,
  backingOff,
  claim,
  fence,
  finished,
  hourMs,
  jobId,
  launchedMs,
  launching,
  listPass,
  live,
  minuteMs,
  missing,
  pending,
  queueRank,
  refused,
  report,
  running,
  secondMs,
  seen,
  settings,
  started,
  starting,
  stopped,
  stopping,
  stray,
  taskArn,
  uid,
  validEdit,
} from '../support/job.ts'

// The decide table of the design, row by row in its order, both sides of every edge. Times count from the acceptance of the
// job; the launch was intended one second later.

const graceMs = 6 * minuteMs

type Row = [name: string, job: Job, seen: Seen, nowMs: number, want: Action]

const table = (name: string, rows: readonly Row[]) =>
  describe(name, () => {
    test.for(rows)('%s', ([, job, look, nowMs, want]) => {
      expect(decide(job, lookedBy(look, acceptedMs + nowMs), graceMs, acceptedMs + nowMs)).toEqual(want)
    })
  })

/** The last look at a missing task was just now, unless a row says that it was earlier. */
const lookedBy = (look: Seen, nowMs: number): Seen =>
  look.task.is === 'missing'
    ? { ...look, task: { ...look.task, lookedAtMs: Math.min(look.task.lookedAtMs, nowMs) } }
    : look

const wait = (
  reason: Extract<Action, { do: 'wait' }>['reason'],
  untilMs: number | 'woken',
): Extract<Action, { do: 'wait' }> => ({
  do: 'wait',
  reason,
  untilMs: untilMs === 'woken' ? untilWoken : acceptedMs + untilMs,
})
const enterLine = (reason: 'Queued' | 'Backoff' | 'Capacity', line: string, rank: number): Action => ({
  do: 'enterLine',
  reason,
  line,
  rank,
})
const stopIntent = (reason: Extract<Action, { do: 'stopIntent' }>['reason']): Action => ({
  do: 'stopIntent',
  reason,
})
const settle = (reason: 'Stopped' | 'Lost' | 'StartRefused', of?: ReturnType<typeof stopped>): Action => ({
  do: 'settle',
  reason,
  stop: of?.is === 'stopped' ? of.stop : undefined,
})
const listFrom = (ms: number): Action => ({
  do: 'listPass',
  reason: 'LaunchUnresolved',
  fromMs: acceptedMs + ms,
})

const cancel = { cancel: true }
const suspend = { suspend: true }
const sevenDaysMs = 7 * 24 * hourMs
const sixHoursMs = 6 * hourMs
const container = { kind: 'container' }
const noLine = { backlogQueue: undefined, rank: undefined }

table('0: a fence without a live phase is healed', [
  ...(['Pending', 'Succeeded', 'Failed', 'Cancelled', 'Submitted'] as const).flatMap((phase): Row[] => [
    [
      `${phase} with a fence goes back to Starting`,
      running({ phase }),
      seen({ task: live() }),
      hourMs,
      { do: 'heal', reason: 'PhaseEdited', phase: 'Starting' },
    ],
    [
      `${phase} with a fence and a stop intent goes back to Stopping`,
      stopping('Cancel', { phase }),
      seen({ task: live() }),
      hourMs,
      { do: 'heal', reason: 'PhaseEdited', phase: 'Stopping' },
    ],
  ]),
  [
    'a stop intent stands: a phase edited back to Running is Stopping again',
    stopping('Cancel', { phase: 'Running' }),
    seen({ task: live() }),
    hourMs,
    { do: 'heal', reason: 'PhaseEdited', phase: 'Stopping' },
  ],
  [
    'a stop intent stands: a phase edited back to Starting is Stopping again',
    stopping('Suspend', { phase: 'Starting' }),
    seen({ task: live() }),
    hourMs,
    { do: 'heal', reason: 'PhaseEdited', phase: 'Stopping' },
  ],
  [
    'healing comes before a stray is stopped',
    running({ phase: 'Pending' }),
    seen({ strays: [stray()] }),
    hourMs,
    { do: 'heal', reason: 'PhaseEdited', phase: 'Starting' },
  ],
])

const stopStray: Action = { do: 'stopTask', reason: 'Stray', arn: taskArn('5') }
table('1: a live task of this job that is not the current one is stopped', [
  ['while Pending', pending(), seen({ strays: [stray()] }), 0, stopStray],
  ['while Pending and cancelled', pending({ spec: cancel }), seen({ strays: [stray()] }), 0, stopStray],
  ['while Starting', starting(), seen({ strays: [stray()] }), launchedMs, stopStray],
  ['while Running', running(), seen({ task: live(), strays: [stray()] }), minuteMs, stopStray],
  [
    'while Running and its own task has stopped',
    running(),
    seen({ task: stopped(), strays: [stray()] }),
    minuteMs,
    stopStray,
  ],
  ['while Stopping', stopping('Cancel'), seen({ task: live(), strays: [stray()] }), minuteMs, stopStray],
  ['of a finished job', finished(), seen({ strays: [stray()] }), hourMs, stopStray],
  [
    'the one among several that nobody has stopped yet',
    pending(),
    seen({ strays: [stray({ arn: taskArn('6'), desiredStatus: 'STOPPED' }), stray()] }),
    0,
    stopStray,
  ],
  [
    'not again within 30 s of the last StopTask',
    pending(),
    seen({ strays: [stray({ stopAskedAtMs: acceptedMs })] }),
    30 * secondMs - 1,
    wait('StrayStopping', 30 * secondMs - 1 + graceMs),
  ],
  [
    'again 30 s after the last StopTask, if ECS still wants it to run',
    pending(),
    seen({ strays: [stray({ stopAskedAtMs: acceptedMs })] }),
    30 * secondMs,
    stopStray,
  ],
  [
    'no admission before it is STOPPED, although granted',
    pending(),
    seen({ strays: [stray({ desiredStatus: 'STOPPED' })], granted: true }),
    minuteMs,
    wait('StrayStopping', minuteMs + graceMs),
  ],
  [
    'no next launch before it is STOPPED, although the launch before came to nothing',
    starting(),
    seen({ strays: [stray({ desiredStatus: 'STOPPED' })], listPass: listPass(launchedMs + 50 * minuteMs) }),
    51 * minuteMs,
    wait('StrayStopping', 51 * minuteMs + graceMs),
  ],
])

const deleting: Partial<Job> = { source: 'deleting', settings: settings({ afterSuccess: 'delete' }) }

table('2: a terminal job is settled', [
  ...(['Succeeded', 'Failed', 'Cancelled'] as const).flatMap((phase): Row[] => [
    [`${phase}: nothing`, finished(phase), seen(), hourMs, { do: 'nothing', reason: 'Finished' }],
    [
      `${phase} with cancel, suspend and a passed deadline: nothing`,
      finished(phase, { spec: { ...cancel, ...suspend } }),
      seen({ edit: validEdit, granted: true }),
      sevenDaysMs,
      { do: 'nothing', reason: 'Finished' },
    ],
  ]),
  [
    'its input is to be deleted after success: deleted',
    finished('Succeeded', deleting),
    seen(),
    hourMs,
    { do: 'deleteSource', reason: 'AfterSuccess' },
  ],
  [
    'out of the line first: admission comes by more often',
    finished('Succeeded', { ...deleting, backlogQueue: 'default', rank: queueRank }),
    seen(),
    hourMs,
    { do: 'leaveLine', reason: 'Finished' },
  ],
  ...(['deleted', 'replaced', 'notAllowed'] as const).map(
    (source): Row => [
      `its input was ${source}: nothing more`,
      finished('Succeeded', { ...deleting, source }),
      seen(),
      hourMs,
      { do: 'nothing', reason: 'Finished' },
    ],
  ),
  ...(['Failed', 'Cancelled'] as const).map(
    (phase): Row => [
      `${phase}: the input stays, whatever somebody wrote into the record`,
      finished(phase, deleting),
      seen(),
      hourMs,
      { do: 'nothing', reason: 'Finished' },
    ],
  ),
  [
    'nobody asked for it in the settings: the input stays',
    finished('Succeeded', { source: 'deleting' }),
    seen(),
    hourMs,
    { do: 'nothing', reason: 'Finished' },
  ],
  [
    'left in a line by an edit of its phase: out of it, or it would stand before others for ever',
    finished('Succeeded', { backlogQueue: 'default', rank: queueRank }),
    seen(),
    hourMs,
    { do: 'leaveLine', reason: 'Finished' },
  ],
])

const cancelled: Action = { do: 'finish', reason: 'Cancelled', phase: 'Cancelled' }
const tooLate: Action = { do: 'finish', reason: 'DeadlineExceeded', phase: 'Failed' }
table('3: Pending and cancelled', [
  ['in its line', pending({ spec: cancel }), seen(), 0, cancelled],
  ['before suspend', pending({ spec: { ...cancel, ...suspend } }), seen(), 0, cancelled],
  ['before the deadline', pending({ spec: cancel }), seen(), sevenDaysMs, cancelled],
  ['before admission', pending({ spec: cancel }), seen({ granted: true }), 0, cancelled],
  ['before an edit', pending({ spec: cancel }), seen({ edit: validEdit }), 0, cancelled],
  ['during back-off', backingOff(hourMs, { spec: cancel }), seen(), minuteMs, cancelled],
  ['while its launch waits for capacity', refused(hourMs, { spec: cancel }), seen(), minuteMs, cancelled],
  ['only by true', pending({ spec: { cancel: 'yes' } }), seen(), 0, wait('Queued', 'woken')],
])

table('4: Pending and the deadline passed', [
  [
    'one millisecond before',
    pending(),
    seen({ granted: true }),
    sevenDaysMs - 1,
    { do: 'intend', reason: 'Admitted' },
  ],
  ['at the deadline', pending(), seen({ granted: true }), sevenDaysMs, tooLate],
  ['before suspend', pending({ spec: suspend }), seen(), sevenDaysMs, tooLate],
  ['during back-off', backingOff(sevenDaysMs + hourMs), seen(), sevenDaysMs, tooLate],
  [
    'counts from the acceptance of the generation, not from createdAt',
    pending({ createdAt: '2020-01-01T00:00:00.000Z' }),
    seen(),
    0,
    wait('Queued', 'woken'),
  ],
])

table('an edit of a Pending job applies to its next attempt', [
  ['valid: adopted', pending(), seen({ edit: validEdit }), 0, { do: 'adoptEdit', reason: 'SpecEdited' }],
  [
    'valid, and granted: adopted before anything is launched',
    pending(),
    seen({ edit: validEdit, granted: true }),
    0,
    { do: 'adoptEdit', reason: 'SpecEdited' },
  ],
  [
    'invalid: ignored',
    pending(),
    seen({ edit: { is: 'invalid', sentence: 'spec.priority: 12 is not allowed' }, granted: true }),
    0,
    { do: 'intend', reason: 'Admitted' },
  ],
  [
    'of a live job: not yet',
    running(),
    seen({ task: live(), edit: validEdit, watch: { runningSinceMs: acceptedMs } }),
    minuteMs,
    wait('TaskRunning', launchedMs + 120 * secondMs),
  ],
])

table('5: Pending and suspended', [
  ['in a line: out of it', pending({ spec: suspend }), seen(), 0, { do: 'leaveLine', reason: 'Suspended' }],
  ['in no line: wait', pending({ spec: suspend, ...noLine }), seen(), 0, wait('Suspended', 'woken')],
  [
    'granted: still not started',
    pending({ spec: suspend, ...noLine }),
    seen({ granted: true }),
    0,
    wait('Suspended', 'woken'),
  ],
  [
    'in back-off: out of the line of those that wait for a time',
    backingOff(hourMs, { spec: suspend }),
    seen(),
    minuteMs,
    { do: 'leaveLine', reason: 'Suspended' },
  ],
  [
    'resumed: into its queue again',
    pending({ reason: 'Suspended', ...noLine }),
    seen(),
    0,
    enterLine('Queued', 'default', queueRank),
  ],
  [
    'resumed during back-off: into the line of those that wait for a time',
    backingOff(hourMs, { reason: 'Suspended', ...noLine }),
    seen(),
    minuteMs,
    enterLine('Backoff', '~due', acceptedMs + hourMs),
  ],
  [
    'resumed while its refused launch is unresolved: that still has to be resolved first',
    refused(hourMs, { reason: 'Suspended', ...noLine }),
    seen(),
    minuteMs,
    enterLine('Capacity', '~due', acceptedMs + hourMs),
  ],
  [
    'resumed after the time of its refused launch: the listing comes before its queue',
    refused(hourMs, { reason: 'Suspended', ...noLine }),
    seen({ granted: true }),
    hourMs,
    listFrom(hourMs),
  ],
])

table('6: Pending and notBefore in the future', [
  [
    'in the line of those that wait for a time: wait',
    backingOff(hourMs),
    seen(),
    hourMs - 1,
    wait('Backoff', 'woken'),
  ],
  [
    'in its queue: into that line',
    backingOff(hourMs, { backlogQueue: 'default', rank: queueRank }),
    seen(),
    0,
    enterLine('Backoff', '~due', acceptedMs + hourMs),
  ],
  [
    'in no line: into that line',
    backingOff(hourMs, noLine),
    seen(),
    0,
    enterLine('Backoff', '~due', acceptedMs + hourMs),
  ],
  [
    'at another place of that line: to its place',
    backingOff(hourMs, { rank: 1 }),
    seen(),
    0,
    enterLine('Backoff', '~due', acceptedMs + hourMs),
  ],
  [
    'granted by mistake: not started',
    backingOff(hourMs),
    seen({ granted: true }),
    hourMs - 1,
    wait('Backoff', 'woken'),
  ],
  ['waiting for capacity', refused(hourMs), seen(), hourMs - 1, wait('Capacity', 'woken')],
])

table('7: Pending and admissible', [
  [
    'back-off is over: into its queue',
    backingOff(hourMs),
    seen(),
    hourMs,
    enterLine('Queued', 'default', queueRank),
  ],
  ['in no line: into its queue', pending(noLine), seen(), 0, enterLine('Queued', 'default', queueRank)],
  [
    'in the line of another queue, after an edit: into its own',
    pending({ settings: settings({ queue: 'batch' }) }),
    seen(),
    0,
    enterLine('Queued', 'batch', queueRank),
  ],
  [
    'at another place, edited by somebody: to its place',
    pending({ rank: 0 }),
    seen(),
    0,
    enterLine('Queued', 'default', queueRank),
  ],
  ['in its line, not granted: wait', pending(), seen(), minuteMs, wait('Queued', 'woken')],
  [
    'in its line, granted: intent',
    pending(),
    seen({ granted: true }),
    minuteMs,
    { do: 'intend', reason: 'Admitted' },
  ],
  [
    'not in its line, granted: into the line first',
    pending(noLine),
    seen({ granted: true }),
    minuteMs,
    enterLine('Queued', 'default', queueRank),
  ],
  ['a refused launch: no listing yet', refused(hourMs), seen(), hourMs, listFrom(hourMs)],
  [
    'a refused launch: a listing that began too early does not count',
    refused(hourMs),
    seen({ listPass: listPass(hourMs - 1) }),
    hourMs,
    listFrom(hourMs),
  ],
  [
    'a refused launch: after the listing into its queue',
    refused(hourMs),
    seen({ listPass: listPass(hourMs) }),
    hourMs + 1,
    enterLine('Queued', 'default', queueRank),
  ],
  [
    'a refused launch, listed, in its queue, granted: the next launch',
    refused(hourMs, { reason: 'Queued', backlogQueue: 'default', rank: queueRank }),
    seen({ listPass: listPass(hourMs), granted: true }),
    hourMs + 1,
    { do: 'intend', reason: 'Admitted' },
  ],
  [
    'a refused launch in its queue: a new leader does not list again',
    refused(hourMs, { reason: 'Queued', backlogQueue: 'default', rank: queueRank }),
    seen({ granted: true }),
    hourMs + 1,
    { do: 'intend', reason: 'Admitted' },
  ],
])

const replayEndMs = launchedMs + 45 * minuteMs
const passMs = launchedMs + 50 * minuteMs
const lookAt = (which: string): Action => ({ do: 'look', reason: 'TaskUnknown', arn: which })
table('8: Starting without an ARN: claim, replay, listing', [
  ['just intended: RunTask', starting(), seen(), launchedMs, { do: 'runTask', reason: 'Launch' }],
  [
    'sent, not due again: wait',
    starting(),
    seen({ watch: { sends: 1, sendAgainAtMs: acceptedMs + minuteMs } }),
    minuteMs - 1,
    wait('Replay', minuteMs),
  ],
  [
    'sent, due again: the same token',
    starting(),
    seen({ watch: { sends: 1, sendAgainAtMs: acceptedMs + minuteMs } }),
    minuteMs,
    { do: 'runTask', reason: 'Replay' },
  ],
  [
    'claimed: the claim is the ARN',
    starting({ claim: claim(taskArn('9')) }),
    seen(),
    launchedMs,
    lookAt(taskArn('9')),
  ],
  [
    'claimed, after 45 minutes: still the ARN',
    starting({ claim: claim(taskArn('9')) }),
    seen(),
    hourMs,
    lookAt(taskArn('9')),
  ],
  [
    'claimed by another task than recorded: the claim counts',
    started({ claim: claim(taskArn('9')) }),
    seen({ task: live() }),
    launchedMs,
    lookAt(taskArn('9')),
  ],
  [
    'a listing does not end replays',
    starting(),
    seen({ listPass: listPass(minuteMs) }),
    2 * minuteMs,
    { do: 'runTask', reason: 'Launch' },
  ],
  [
    'one millisecond before 45 minutes: replay',
    starting(),
    seen(),
    replayEndMs - 1,
    { do: 'runTask', reason: 'Launch' },
  ],
  ['at 45 minutes: no send any more', starting(), seen(), replayEndMs, listFrom(passMs)],
  [
    'a listing that began before 50 minutes does not count',
    starting(),
    seen({ listPass: listPass(passMs - 1, arn) }),
    passMs,
    listFrom(passMs),
  ],
  [
    'a listing from 50 minutes finds it: adopted',
    starting(),
    seen({ listPass: listPass(passMs, arn) }),
    passMs + 1,
    { do: 'recordArn', reason: 'Adopted', arn },
  ],
  [
    'a listing from 50 minutes finds nothing: the next launch',
    starting(),
    seen({ listPass: listPass(passMs) }),
    passMs + 1,
    { do: 'intend', reason: 'NothingFound' },
  ],
  [
    'nothing found, one infrastructure attempt left: the next launch',
    starting({ counts: { failed: 0, infra: 9 } }),
    seen({ listPass: listPass(passMs) }),
    passMs + 1,
    { do: 'intend', reason: 'NothingFound' },
  ],
  [
    'nothing found, no infrastructure attempt left: settle',
    starting({ counts: { failed: 0, infra: 10 } }),
    seen({ listPass: listPass(passMs) }),
    passMs + 1,
    settle('Lost'),
  ],
  [
    'nothing found, but its worker reported: settle',
    starting({ report: report() }),
    seen({ listPass: listPass(passMs) }),
    passMs + 1,
    settle('Lost'),
  ],
  [
    'nothing found, and a report of an earlier launch: the next launch',
    starting({ report: report({ fence: `${uid}/0/0` }) }),
    seen({ listPass: listPass(passMs) }),
    passMs + 1,
    { do: 'intend', reason: 'NothingFound' },
  ],
])

const giveBack: Action = { do: 'release', reason: 'NothingFound', notBeforeMs: undefined }
table('8: cancel, suspend and deadline wait until the launch is resolved', [
  [
    'cancelled: RunTask is the look-up',
    starting({ spec: cancel }),
    seen(),
    launchedMs,
    { do: 'runTask', reason: 'Launch' },
  ],
  [
    'suspended: replay goes on',
    starting({ spec: suspend }),
    seen({ watch: { sends: 3 } }),
    minuteMs,
    { do: 'runTask', reason: 'Replay' },
  ],
  [
    'deadline passed: replay goes on',
    starting({ settings: settings({ limits: { deadline: 60 } }) }),
    seen(),
    2 * minuteMs,
    { do: 'runTask', reason: 'Launch' },
  ],
  [
    'cancelled and found: adopted, to be stopped',
    starting({ spec: cancel }),
    seen({ listPass: listPass(passMs, arn) }),
    passMs + 1,
    { do: 'recordArn', reason: 'Adopted', arn },
  ],
  [
    'cancelled and nothing found: back to Pending, where it is followed, and no next launch',
    starting({ spec: cancel }),
    seen({ listPass: listPass(passMs) }),
    passMs + 1,
    giveBack,
  ],
  [
    'suspended and nothing found: likewise',
    starting({ spec: suspend }),
    seen({ listPass: listPass(passMs) }),
    passMs + 1,
    giveBack,
  ],
  [
    'deadline passed and nothing found: likewise',
    starting({ settings: settings({ limits: { deadline: 60 } }) }),
    seen({ listPass: listPass(passMs) }),
    passMs + 1,
    giveBack,
  ],
  [
    'cancelled, nothing found and no infrastructure attempt left: the wish counts',
    starting({ spec: cancel, counts: { failed: 0, infra: 10 } }),
    seen({ listPass: listPass(passMs) }),
    passMs + 1,
    giveBack,
  ],
  [
    'Stopping without an ARN, nothing found: settle by the intent',
    stopping('Cancel', { taskArn: undefined, claim: undefined, launching: launching() }),
    seen({ listPass: listPass(passMs) }),
    passMs + 1,
    settle('Lost'),
  ],
  [
    'Stopping without an ARN under a new leader: its own listing first',
    stopping('Cancel', { taskArn: undefined, claim: undefined, launching: launching() }),
    seen(),
    passMs + 1,
    listFrom(passMs),
  ],
])

const refusedAt = launchedMs + secondMs
const refusedLaunch = (kind: 'capacity' | 'permanent') =>
  launching({
    refused: { kind, reason: 'Capacity is unavailable', at: new Date(acceptedMs + refusedAt).toISOString() },
  })
const refusedPassMs = refusedAt + graceMs
table('8: RunTask refused', [
  [
    'capacity, a kind that claims: slot and fence back at once',
    starting({ launching: refusedLaunch('capacity') }),
    seen(),
    refusedAt,
    { do: 'release', reason: 'Capacity', notBeforeMs: acceptedMs + refusedPassMs },
  ],
  [
    'capacity, but claimed meanwhile: the claim is the ARN',
    starting({ launching: refusedLaunch('capacity'), claim: claim() }),
    seen(),
    refusedAt,
    lookAt(arn),
  ],
  [
    'capacity, a container: waits in Starting for the listing',
    starting({ ...container, launching: refusedLaunch('capacity') }),
    seen(),
    refusedAt,
    listFrom(refusedPassMs),
  ],
  [
    'capacity, a container: a listing that began within the grace does not count',
    starting({ ...container, launching: refusedLaunch('capacity') }),
    seen({ listPass: listPass(refusedPassMs - 1) }),
    refusedPassMs,
    listFrom(refusedPassMs),
  ],
  [
    'capacity, a container that was found: adopted',
    starting({ ...container, launching: refusedLaunch('capacity') }),
    seen({ listPass: listPass(refusedPassMs, arn) }),
    refusedPassMs,
    { do: 'recordArn', reason: 'Adopted', arn },
  ],
  [
    'capacity, a container, nothing found: back to its queue',
    starting({ ...container, launching: refusedLaunch('capacity') }),
    seen({ listPass: listPass(refusedPassMs) }),
    refusedPassMs,
    { do: 'release', reason: 'Capacity', notBeforeMs: undefined },
  ],
  [
    'permanent: the listing first',
    starting({ launching: refusedLaunch('permanent') }),
    seen(),
    refusedAt,
    listFrom(refusedPassMs),
  ],
  [
    'permanent, but found: adopted',
    starting({ launching: refusedLaunch('permanent') }),
    seen({ listPass: listPass(refusedPassMs, arn) }),
    refusedPassMs,
    { do: 'recordArn', reason: 'Adopted', arn },
  ],
  [
    'permanent, nothing found: a start failure',
    starting({ launching: refusedLaunch('permanent') }),
    seen({ listPass: listPass(refusedPassMs) }),
    refusedPassMs,
    settle('StartRefused'),
  ],
  [
    'never sent again, within 45 minutes or later',
    starting({ launching: refusedLaunch('permanent') }),
    seen(),
    hourMs,
    listFrom(refusedPassMs),
  ],
])

table('9: the task has stopped, or is lost', [
  ['Starting: settle', started(), seen({ task: stopped() }), minuteMs, settle('Stopped', stopped())],
  [
    'Running: settle',
    running(),
    seen({ task: stopped({ exitCode: 1 }) }),
    hourMs,
    settle('Stopped', stopped({ exitCode: 1 })),
  ],
  ['Stopping: settle', stopping('Cancel'), seen({ task: stopped() }), hourMs, settle('Stopped', stopped())],
  [
    'before a cancel is recorded',
    running({ spec: cancel }),
    seen({ task: stopped() }),
    hourMs,
    settle('Stopped', stopped()),
  ],
  ['before the deadline', running(), seen({ task: stopped() }), sevenDaysMs, settle('Stopped', stopped())],
  [
    'before the attempt timeout',
    running(),
    seen({ task: stopped() }),
    sixHoursMs + hourMs,
    settle('Stopped', stopped()),
  ],
  [
    'desired STOPPED, last status not: not yet',
    stopping('Cancel'),
    seen({ task: live('STOPPING', { desiredStatus: 'STOPPED' }) }),
    minuteMs,
    wait('TaskStopping', 'woken'),
  ],
  ['nobody has looked yet: look', running(), seen(), minuteMs, lookAt(arn)],
  [
    'the look is of another task: look',
    running(),
    seen({ task: { ...stopped(), arn: taskArn('7') } as Seen['task'] }),
    minuteMs,
    lookAt(arn),
  ],
  [
    'missing, one millisecond within the grace: wait',
    running({ ...container, claim: undefined }),
    seen({ task: missing(hourMs), watch: { runningSinceMs: acceptedMs } }),
    hourMs + graceMs - 1,
    wait('TaskMissing', hourMs + graceMs),
  ],
  [
    'missing for the grace: lost',
    running({ ...container, claim: undefined }),
    seen({ task: missing(hourMs) }),
    hourMs + graceMs,
    settle('Lost'),
  ],
  [
    'missing from the start: never earlier than ARN + grace',
    started(),
    seen({ task: missing(launchedMs), watch: { arnSinceMs: acceptedMs + 2 * minuteMs } }),
    2 * minuteMs + graceMs - 1,
    wait('TaskMissing', 2 * minuteMs + graceMs),
  ],
  [
    'missing from the start, at ARN + grace: lost',
    started(),
    seen({ task: missing(launchedMs), watch: { arnSinceMs: acceptedMs + 2 * minuteMs } }),
    2 * minuteMs + graceMs,
    settle('Lost'),
  ],
  [
    'missing, but the worker still beats: not lost',
    running(),
    seen({ task: missing(hourMs), watch: { beatMovedAtMs: acceptedMs + hourMs + graceMs - minuteMs } }),
    hourMs + graceMs,
    wait('TaskMissing', hourMs + graceMs - minuteMs + 120 * secondMs),
  ],
  [
    'missing and silent for the grace since the last beat, longer heartbeat timeout: lost',
    running({ settings: settings({ limits: { heartbeatTimeout: 3600 } }) }),
    seen({ task: missing(hourMs), watch: { beatMovedAtMs: acceptedMs + hourMs + minuteMs } }),
    hourMs + minuteMs + graceMs,
    settle('Lost'),
  ],
  [
    'one millisecond before that: wait',
    running({ settings: settings({ limits: { heartbeatTimeout: 3600 } }) }),
    seen({ task: missing(hourMs), watch: { beatMovedAtMs: acceptedMs + hourMs + minuteMs } }),
    hourMs + minuteMs + graceMs - 1,
    wait('TaskMissing', hourMs + minuteMs + graceMs),
  ],
  [
    'missing with a report: settled at the end of the grace, whenever it last beat',
    running({ report: report() }),
    seen({ task: missing(hourMs), watch: { beatMovedAtMs: acceptedMs + hourMs + graceMs - 1 } }),
    hourMs + graceMs,
    settle('Lost'),
  ],
  [
    'missing for the grace, but the controller slept since it looked: it has to look again',
    running({ kind: 'container', claim: undefined }),
    seen({ task: missing(hourMs, hourMs + graceMs - 1) }),
    hourMs + graceMs + minuteMs,
    { do: 'look', reason: 'TaskUnknown', arn },
  ],
  [
    'missing with a report, within the grace: wait',
    running({ report: report() }),
    seen({ task: missing(hourMs) }),
    hourMs + graceMs - 1,
    wait('TaskMissing', hourMs + graceMs),
  ],
  [
    'Stopping and missing for the grace: lost',
    stopping('Cancel'),
    seen({ task: missing(hourMs) }),
    hourMs + graceMs,
    settle('Lost'),
  ],
  [
    'lost before a cancel is recorded',
    running({ spec: cancel, ...container, claim: undefined }),
    seen({ task: missing(hourMs) }),
    hourMs + graceMs,
    settle('Lost'),
  ],
])

const runs = { runningSinceMs: acceptedMs + 20 * secondMs }
const beats = (ms: number) => ({ ...runs, beatMovedAtMs: acceptedMs + ms })
table('10: the stop intent', [
  [
    'cancel of a Starting job',
    started({ spec: cancel }),
    seen({ task: live('PENDING') }),
    minuteMs,
    stopIntent('Cancel'),
  ],
  [
    'cancel of a Running job',
    running({ spec: cancel }),
    seen({ task: live() }),
    minuteMs,
    stopIntent('Cancel'),
  ],
  [
    'cancel of a job whose task is missing',
    running({ spec: cancel }),
    seen({ task: missing(minuteMs) }),
    2 * minuteMs,
    stopIntent('Cancel'),
  ],
  ['suspend', running({ spec: suspend }), seen({ task: live() }), minuteMs, stopIntent('Suspend')],
  [
    'cancel before suspend',
    running({ spec: { ...cancel, ...suspend } }),
    seen({ task: live() }),
    minuteMs,
    stopIntent('Cancel'),
  ],
  [
    'cancel before the deadline',
    running({ spec: cancel }),
    seen({ task: live() }),
    sevenDaysMs,
    stopIntent('Cancel'),
  ],
  [
    'suspend before the deadline',
    running({ spec: suspend }),
    seen({ task: live() }),
    sevenDaysMs,
    stopIntent('Suspend'),
  ],
  [
    'deadline, one millisecond before',
    running({ settings: settings({ limits: { deadline: 600 } }) }),
    seen({ task: live(), watch: beats(599 * secondMs) }),
    600 * secondMs - 1,
    wait('TaskRunning', 600 * secondMs),
  ],
  [
    'deadline',
    running({ settings: settings({ limits: { deadline: 600 } }) }),
    seen({ task: live(), watch: beats(599 * secondMs) }),
    600 * secondMs,
    stopIntent('DeadlineExceeded'),
  ],
  [
    'deadline before the attempt timeout',
    running({ settings: settings({ limits: { deadline: 600, attemptTimeout: 1 } }) }),
    seen({ task: live() }),
    600 * secondMs,
    stopIntent('DeadlineExceeded'),
  ],
  [
    'attempt timeout counts from startedAt: one millisecond before',
    running({ settings: settings({ limits: { attemptTimeout: 60 } }) }),
    seen({ task: live(), watch: beats(minuteMs) }),
    80 * secondMs - 1,
    wait('TaskRunning', 80 * secondMs),
  ],
  [
    'attempt timeout',
    running({ settings: settings({ limits: { attemptTimeout: 60 } }) }),
    seen({ task: live(), watch: beats(minuteMs) }),
    80 * secondMs,
    stopIntent('AttemptTimeout'),
  ],
  [
    'attempt timeout does not restart with a new leader',
    running({ settings: settings({ limits: { attemptTimeout: 60 } }) }),
    seen({
      task: live(),
      watch: {
        sinceMs: acceptedMs + hourMs,
        arnSinceMs: acceptedMs + hourMs,
        runningSinceMs: acceptedMs + hourMs,
        beatMovedAtMs: acceptedMs + hourMs,
      },
    }),
    hourMs,
    stopIntent('AttemptTimeout'),
  ],
  [
    'attempt timeout before a lost heartbeat',
    running({ settings: settings({ limits: { attemptTimeout: 60, heartbeatTimeout: 15 } }) }),
    seen({ task: live(), watch: beats(0) }),
    hourMs,
    stopIntent('AttemptTimeout'),
  ],
  [
    'start timeout, one millisecond before',
    started(),
    seen({ task: live('PENDING') }),
    launchedMs + 600 * secondMs - 1,
    wait('TaskStarting', launchedMs + 600 * secondMs),
  ],
  [
    'start timeout',
    started(),
    seen({ task: live('PENDING') }),
    launchedMs + 600 * secondMs,
    stopIntent('StartTimeout'),
  ],
  [
    'start timeout: waiting for RunTask counts for nothing',
    started(),
    seen({ task: live('PENDING'), watch: { arnSinceMs: acceptedMs + 20 * minuteMs } }),
    30 * minuteMs - 1,
    wait('TaskStarting', 30 * minuteMs),
  ],
  [
    'start timeout restarts with a new leader',
    started(),
    seen({ task: live('PENDING'), watch: { sinceMs: acceptedMs + hourMs, arnSinceMs: acceptedMs + hourMs } }),
    hourMs,
    wait('TaskStarting', hourMs + 600 * secondMs),
  ],
  [
    'start timeout is not for a task that was RUNNING between two looks',
    started({ ...container }),
    seen({ task: live('DEACTIVATING', { startedAtMs: acceptedMs + minuteMs }) }),
    launchedMs + 600 * secondMs,
    wait('TaskStarting', minuteMs + sixHoursMs),
  ],
  [
    'claim timeout, one millisecond before',
    running({ claim: undefined }),
    seen({ task: live(), watch: runs }),
    320 * secondMs - 1,
    wait('TaskRunning', 320 * secondMs),
  ],
  [
    'claim timeout',
    running({ claim: undefined }),
    seen({ task: live(), watch: runs }),
    320 * secondMs,
    stopIntent('ClaimTimeout'),
  ],
  [
    'claim timeout is not for a container',
    running({ ...container, claim: undefined }),
    seen({ task: live(), watch: runs }),
    hourMs,
    wait('TaskRunning', 20 * secondMs + sixHoursMs),
  ],
  [
    'claim timeout restarts with a new leader',
    running({ claim: undefined }),
    seen({ task: live(), watch: { runningSinceMs: acceptedMs + hourMs } }),
    hourMs,
    wait('TaskRunning', hourMs + 300 * secondMs),
  ],
  [
    'heartbeat, one millisecond before',
    running(),
    seen({ task: live(), watch: beats(minuteMs) }),
    minuteMs + 120 * secondMs - 1,
    wait('TaskRunning', minuteMs + 120 * secondMs),
  ],
  [
    'heartbeat lost',
    running(),
    seen({ task: live(), watch: beats(minuteMs) }),
    minuteMs + 120 * secondMs,
    stopIntent('HeartbeatLost'),
  ],
  [
    'heartbeat counts from the claim on, not before',
    started(),
    seen({ task: live('RUNNING'), watch: beats(0) }),
    121 * secondMs,
    { do: 'running', reason: 'TaskRunning' },
  ],
  [
    'heartbeat is not for a container',
    running({ ...container, claim: undefined }),
    seen({ task: live(), watch: beats(0) }),
    hourMs,
    wait('TaskRunning', 20 * secondMs + sixHoursMs),
  ],
  [
    'after its report a worker has the heartbeat timeout to exit',
    running({ report: report() }),
    seen({ task: live(), watch: beats(0) }),
    2 * minuteMs - 1,
    wait('TaskRunning', 2 * minuteMs),
  ],
  [
    'a task that lives on in silence after the report is stopped, for it keeps a slot',
    running({ report: report() }),
    seen({ task: live(), watch: beats(0) }),
    2 * minuteMs,
    { do: 'stopIntent', reason: 'HeartbeatLost' },
  ],
])

table('11: Starting and RUNNING', [
  [
    'becomes Running',
    started(),
    seen({ task: live(), watch: runs }),
    minuteMs,
    { do: 'running', reason: 'TaskRunning' },
  ],
  [
    'PROVISIONING does not',
    started(),
    seen({ task: live('PROVISIONING') }),
    minuteMs,
    wait('TaskStarting', launchedMs + 600 * secondMs),
  ],
  [
    'by its claim alone, without a recorded ARN',
    starting({ claim: claim() }),
    seen({ task: live(), watch: runs }),
    minuteMs,
    { do: 'running', reason: 'TaskRunning' },
  ],
  [
    'but not if it is to be stopped',
    started({ spec: cancel }),
    seen({ task: live(), watch: runs }),
    minuteMs,
    stopIntent('Cancel'),
  ],
])

const stopTask: Action = { do: 'stopTask', reason: 'Cancel', arn }
table('12: Stopping while the task lives', [
  ['not asked yet: StopTask', stopping('Cancel'), seen({ task: live() }), minuteMs, stopTask],
  [
    'asked, one millisecond before 30 s: wait',
    stopping('Cancel'),
    seen({ task: live(), watch: { stopAskedAtMs: acceptedMs + minuteMs } }),
    minuteMs + 30 * secondMs - 1,
    wait('TaskStopping', minuteMs + 30 * secondMs),
  ],
  [
    'asked 30 s ago, still wanted RUNNING: again',
    stopping('Cancel'),
    seen({ task: live(), watch: { stopAskedAtMs: acceptedMs + minuteMs } }),
    minuteMs + 30 * secondMs,
    stopTask,
  ],
  [
    'asked, and wanted STOPPED: wait',
    stopping('Cancel'),
    seen({ task: live('RUNNING', { desiredStatus: 'STOPPED' }), watch: { stopAskedAtMs: acceptedMs } }),
    hourMs,
    wait('TaskStopping', 'woken'),
  ],
  [
    'the intent stands when cancel is taken back',
    stopping('Cancel', { spec: {} }),
    seen({ task: live() }),
    minuteMs,
    stopTask,
  ],
  [
    'the intent stands when something else would stop it, too',
    stopping('Suspend', { spec: cancel }),
    seen({ task: live() }),
    sevenDaysMs,
    { do: 'stopTask', reason: 'Suspend', arn },
  ],
  [
    'missing within the grace: wait',
    stopping('Cancel'),
    seen({ task: missing(hourMs) }),
    hourMs,
    wait('TaskMissing', hourMs + graceMs),
  ],
])

table('13: otherwise wait until the nearest deadline', [
  [
    'of the start',
    started(),
    seen({ task: live('PULLING') }),
    minuteMs,
    wait('TaskStarting', launchedMs + 600 * secondMs),
  ],
  [
    'of the heartbeat',
    running(),
    seen({ task: live(), watch: beats(hourMs) }),
    hourMs,
    wait('TaskRunning', hourMs + 120 * secondMs),
  ],
  [
    'of the attempt',
    running({ settings: settings({ limits: { attemptTimeout: 3600 } }) }),
    seen({ task: live(), watch: beats(hourMs) }),
    hourMs,
    wait('TaskRunning', 20 * secondMs + hourMs),
  ],
  [
    'of the job',
    running({ ...container, claim: undefined, settings: settings({ limits: { deadline: 4000 } }) }),
    seen({ task: live() }),
    hourMs,
    wait('TaskRunning', 4000 * secondMs),
  ],
  [
    'of the grace, while it is missing',
    running({ ...container, claim: undefined }),
    seen({ task: missing(hourMs) }),
    hourMs,
    wait('TaskMissing', hourMs + graceMs),
  ],
])

const broken: Action = { do: 'finish', reason: 'BrokenRecord', phase: 'Failed' }
table('14: what no step leads to: known tasks are stopped and awaited, then BrokenRecord', [
  [
    'Running without a fence',
    running({ fence: undefined, taskArn: undefined, claim: undefined }),
    seen(),
    minuteMs,
    broken,
  ],
  [
    'Running without a fence, its task stray',
    running({ fence: undefined }),
    seen({ strays: [stray({ arn, desiredStatus: 'STOPPED' })] }),
    minuteMs,
    wait('StrayStopping', minuteMs + 30 * secondMs),
  ],
  [
    'Running without a fence, nothing stray any more: not a look for ever',
    running({ fence: undefined }),
    seen(),
    minuteMs,
    broken,
  ],
  ['Starting without a launch', started({ launching: undefined }), seen(), minuteMs, lookAt(arn)],
  [
    'without a launch, its task lives: stop it',
    started({ launching: undefined }),
    seen({ task: live() }),
    minuteMs,
    { do: 'stopTask', reason: 'BrokenRecord', arn },
  ],
  [
    'without a launch, asked to stop a moment ago: wait',
    started({ launching: undefined }),
    seen({ task: live(), watch: { stopAskedAtMs: acceptedMs + minuteMs } }),
    minuteMs,
    wait('TaskStopping', minuteMs + 30 * secondMs),
  ],
  [
    'without a launch, its task is missing: not before the grace',
    started({ launching: undefined }),
    seen({ task: missing(minuteMs) }),
    minuteMs + graceMs - 1,
    wait('TaskMissing', minuteMs + graceMs),
  ],
  [
    'without a launch, its task is missing for the grace',
    started({ launching: undefined }),
    seen({ task: missing(minuteMs) }),
    minuteMs + graceMs,
    broken,
  ],
  [
    'without a launch, its task has stopped',
    started({ launching: undefined }),
    seen({ task: stopped() }),
    minuteMs,
    broken,
  ],
  [
    'Stopping without a stop intent: its task is stopped',
    stopping('Cancel', { stopping: undefined }),
    seen({ task: live() }),
    minuteMs,
    { do: 'stopTask', reason: 'BrokenRecord', arn },
  ],
  [
    'Stopping without a stop intent, but stopped: settled like any other',
    stopping('Cancel', { stopping: undefined }),
    seen({ task: stopped() }),
    minuteMs,
    settle('Stopped', stopped()),
  ],
  [
    'Starting without ARN and without request',
    starting({ launching: launching({ request: undefined }) }),
    seen(),
    minuteMs,
    broken,
  ],
])

test('a step depends on the record and the look alone: asked twice, it is the same', () => {
  const job = running({ attempts: [attempt()] })
  const look = seen({ task: live() })
  const first = JSON.stringify(decide(job, look, graceMs, acceptedMs + hourMs))
  expect(
    JSON.stringify(decide(structuredClone(job), structuredClone(look), graceMs, acceptedMs + hourMs)),
  ).toBe(first)
  expect(job).toEqual(running({ attempts: [attempt()] }))
  expect([fence, jobId]).toEqual([job.fence, job.jobId])
})
