import { accept } from '../../controller/intake/accept.ts'
import { type Action, currentArn, decide } from '../../controller/reconcile/decide.ts'
import { intend } from '../../controller/reconcile/launch.ts'
import type { Seen, Stop, TaskSeen } from '../../controller/reconcile/seen.ts'
import { endOfLaunch, finish, settle, withHistory } from '../../controller/reconcile/settle.ts'
import type { Change } from '../../schemas/change.ts'
import { formatFence, parseFence } from '../../schemas/ids.ts'
import { isLive, type Job } from '../../schemas/job.ts'
import { defaultPrices } from '../../schemas/prices.ts'
import { dueLine } from '../../schemas/resources.ts'
import {
  acceptedMs,
  at,
  attempt,
  hourMs,
  jobId,
  launching,
  minuteMs,
  queueRank,
  settings,
  job as someJob,
  taskArn,
  uid,
  watch,
} from '../support/job.ts'
import { networks } from '../support/launch.ts'
import { testPolicy } from '../support/policy.ts'
import type { Setting } from './conditions.ts'
import type { Cause, Ctrl, Look, Rec } from './state.ts'

// From symbols to what the real functions take, and back. Times are on one side or the other of every edge they decide:
// an hour is far beyond the grace and the replay window, a second is inside of both.

export const nowMs = acceptedMs + 10 * hourMs
export const graceMs = 6 * minuteMs
const sinceNow = (ms: number): string => at(nowMs - acceptedMs + ms)
const secondAgoMs = nowMs - 1000
const longAgoMs = nowMs - hourMs
const refusedAt = sinceNow(0)

/** What has passed for a record: the 50 minutes of its launch, and its deadline. */
export type Times = { isOld: boolean; isLate: boolean }

const arnOf = (task: number): string => taskArn(String(task))
const taskOf = (arn: string | undefined): number => (arn === undefined ? 0 : Number(arn.slice(-4)))
const fenceOf = (launch: number, attemptNumber: number): string =>
  formatFence({ uid, attempt: attemptNumber, launch })
const launchOf = (fence: string | undefined): number => parseFence(fence ?? '')?.launch ?? 0

/** The whole record for a symbol of it. */
export function jobOf(rec: Rec, times: Times, setting: Setting): Job {
  const { backlogQueue: _queue, rank: _rank, ...base } = someJob()
  const notBeforeMs = rec.notBefore === 'later' ? nowMs + hourMs : longAgoMs
  const { request, ...resolved } = launching({
    attempt: rec.open,
    launch: rec.fence,
    launchedAt: times.isOld ? sinceNow(-hourMs) : sinceNow(-minuteMs),
  })
  return {
    ...base,
    kind: setting.kind,
    phase: rec.phase,
    spec: {
      ...(setting.kind === 'container' ? { params: { taskDefinition: 'mine:1' } } : {}),
      input: { bucket: 'uploads', key: 'wedding.mp4', etag: 'e1' },
      cancel: rec.cancel,
      suspend: rec.suspend,
    },
    settings: settings({
      ...(setting.kind === 'container' ? { params: { taskDefinition: 'mine:1' } } : {}),
      limits: {
        attempts: setting.attempts,
        infrastructureAttempts: setting.infrastructureAttempts,
        ...(times.isLate ? { deadline: 3600 } : {}),
      },
    }),
    generation: rec.generation,
    counts: { failed: rec.failed, infra: rec.infra },
    lastAttempt: rec.lastAttempt,
    lastLaunch: rec.lastLaunch,
    attempts: rec.open === 0 ? [] : [attempt({ n: rec.open })],
    ...(rec.fence === 0 ? {} : { fence: fenceOf(rec.fence, rec.open) }),
    ...(rec.launching === 'none'
      ? {}
      : {
          launching: {
            ...resolved,
            ...(rec.launching === 'request' ? { request: request ?? {} } : {}),
            ...(rec.refused === ''
              ? {}
              : { refused: { kind: rec.refused, reason: 'Capacity', at: refusedAt } }),
          },
        }),
    ...(rec.arn === 0 ? {} : { taskArn: arnOf(rec.arn) }),
    ...(rec.claim === 0 ? {} : { claim: { taskArn: arnOf(rec.claim), at: sinceNow(-1000) } }),
    ...(rec.report === ''
      ? {}
      : {
          report: {
            fence: fenceOf(rec.reportOf, rec.reportOf === rec.fence ? rec.open : rec.lastAttempt),
            outcome: rec.report,
            exitCode: rec.report === 'done' ? 0 : 70,
            at: sinceNow(-1000),
          },
        }),
    ...(rec.stopping === '' ? {} : { stopping: { reason: rec.stopping, at: sinceNow(-1000) } }),
    ...(rec.notBefore === '' ? {} : { notBefore: new Date(notBeforeMs).toISOString() }),
    ...(rec.line === ''
      ? {}
      : rec.line === 'own'
        ? { backlogQueue: 'default', rank: queueRank }
        : { backlogQueue: dueLine, rank: notBeforeMs }),
  }
}

/** The symbol of a record. */
export function recOf(job: Job): Rec {
  const wishes = job.spec as { cancel: boolean; suspend: boolean }
  const { report } = job
  return {
    phase: job.phase,
    fence: launchOf(job.fence),
    open: job.attempts.find(({ outcome }) => outcome === undefined)?.n ?? 0,
    launching: job.launching === undefined ? 'none' : job.launching.request ? 'request' : 'resolved',
    refused: job.launching?.refused?.kind ?? '',
    arn: taskOf(job.taskArn),
    claim: taskOf(job.claim?.taskArn),
    reportOf: launchOf(report?.fence),
    report: report === undefined || report.outcome === 'interrupted' ? '' : report.outcome,
    stopping: job.stopping?.reason ?? '',
    failed: job.counts.failed,
    infra: job.counts.infra,
    notBefore: job.notBefore === undefined ? '' : Date.parse(job.notBefore) > nowMs ? 'later' : 'past',
    line: job.backlogQueue === undefined ? '' : job.backlogQueue === dueLine ? 'due' : 'own',
    lastAttempt: job.lastAttempt,
    lastLaunch: job.lastLaunch,
    generation: job.generation,
    cancel: wishes.cancel,
    suspend: wishes.suspend,
  }
}

/** What UpdateItem makes of a record. */
export function applied(job: Job, { set, remove }: Change): Job {
  const kept = Object.entries(job).filter(([name]) => !remove.includes(name))
  return Object.assign(Object.fromEntries(kept), set) as Job
}

/** Without "a claim wins", readers take the recorded ARN for the task of the launch. */
export const asSeen = (job: Job, { without }: Setting): Job =>
  without.has('claimWins') && job.claim !== undefined && job.taskArn !== undefined
    ? { ...job, claim: { ...job.claim, taskArn: job.taskArn } }
    : job

export const currentTask = (rec: Rec, { without }: Setting): number =>
  without.has('claimWins') && rec.arn !== 0 ? rec.arn : rec.claim !== 0 ? rec.claim : rec.arn

/** The real `decide`, on a record as it was read and what a controller remembers. */
export function decideFor(rec: Rec, ctrl: Ctrl, times: Times, setting: Setting): Action {
  const job = asSeen(jobOf(rec, times, setting), setting)
  const grace = setting.without.has('grace') ? 0 : graceMs
  return decide(job, seenBy(rec, ctrl, setting), grace, nowMs)
}

function seenBy(rec: Rec, ctrl: Ctrl, { without }: Setting): Seen {
  const isPassDone = ctrl.pass !== 0 && ctrl.pass === rec.lastLaunch
  const isPassSkipped = without.has('listBeforeRelease') && rec.refused !== ''
  const isLong = ctrl.look === 'missingLong' || ctrl.look === 'missingDue'
  const ignoresBeat = isLong && without.has('beat')
  return {
    task: taskSeen(ctrl, without.has('waitForStopped')),
    strays: without.has('strays') ? [] : straysSeen(ctrl),
    watch: watch({
      sinceMs: isLong ? longAgoMs : secondAgoMs,
      arnSinceMs: isLong ? longAgoMs : secondAgoMs,
      beatMovedAtMs: ctrl.quiet || ignoresBeat ? longAgoMs : secondAgoMs,
    }),
    // Requested and begun after all that it has to come after: see `list`.
    listPass:
      isPassDone || isPassSkipped
        ? {
            begunAtMs: nowMs + hourMs,
            arn: ctrl.passArn === 0 || isPassSkipped ? undefined : arnOf(ctrl.passArn),
          }
        : undefined,
    edit: { is: 'none' },
    granted: true,
  }
}

function taskSeen({ look, arn }: Ctrl, takesDoomedForStopped: boolean): TaskSeen {
  const task = (lastStatus: string, desiredStatus: string): TaskSeen =>
    takesDoomedForStopped && desiredStatus === 'STOPPED'
      ? { is: 'stopped', arn: arnOf(arn), stop: stopOf('StopTask') }
      : {
          is: 'live',
          arn: arnOf(arn),
          lastStatus,
          desiredStatus,
          startedAtMs: lastStatus === 'RUNNING' ? secondAgoMs : undefined,
        }
  switch (look) {
    case 'none':
      return { is: 'unknown' }
    case 'starting':
      return task('PENDING', 'RUNNING')
    case 'running':
      return task('RUNNING', 'RUNNING')
    case 'startingDoomed':
      return task('PENDING', 'STOPPED')
    case 'runningDoomed':
      return task('RUNNING', 'STOPPED')
    case 'missing':
      return { is: 'missing', arn: arnOf(arn), sinceMs: secondAgoMs, lookedAtMs: nowMs }
    case 'missingDue':
      return { is: 'missing', arn: arnOf(arn), sinceMs: longAgoMs, lookedAtMs: longAgoMs }
    case 'missingLong':
      return { is: 'missing', arn: arnOf(arn), sinceMs: longAgoMs, lookedAtMs: nowMs }
    default:
      return { is: 'stopped', arn: arnOf(arn), stop: stopOf(causeOf(look)) }
  }
}

const causeOf = (look: Look): Cause => look.slice('stopped '.length) as Cause

const straysSeen = ({ strays }: Ctrl): Seen['strays'] =>
  strays.flatMap((note, index) =>
    note === '-' || note === 'over'
      ? []
      : [
          {
            arn: arnOf(index + 1),
            desiredStatus: note === 'doomed' ? 'STOPPED' : 'RUNNING',
            stopAskedAtMs: note === 'live' || note === 'missing' ? undefined : secondAgoMs,
          },
        ],
  )

function stopOf(cause: Cause): Stop {
  const times = { startedAtMs: secondAgoMs, stoppedAtMs: nowMs }
  const exited = (exitCode: number): Stop => ({
    ...times,
    stopCode: 'EssentialContainerExited',
    reason: 'Essential container in task exited',
    exitCode,
  })
  switch (cause) {
    case 'exit 0':
      return exited(0)
    case 'exit 70':
      return exited(70)
    case 'exit 76':
      return exited(76)
    case 'Spot':
      return { ...times, stopCode: 'SpotInterruption', reason: 'Taken back', exitCode: 143 }
    case 'StopTask':
    case '':
      return { ...times, stopCode: 'UserInitiated', reason: 'Stopped', exitCode: 143 }
  }
}

export type WriteAction = Exclude<
  Action,
  { do: 'nothing' | 'wait' | 'look' | 'listPass' | 'runTask' | 'stopTask' | 'deleteSource' }
>
/** What RunTask answered, as a write. */
export type AnswerWrite = { do: 'answer'; task: number } | { do: 'answer'; refused: 'capacity' | 'permanent' }

/** The change that `act` writes for an action, made by the same functions. */
export function changeOf(rec: Rec, action: WriteAction, times: Times, setting: Setting): Change {
  const job = asSeen(jobOf(rec, times, setting), setting)
  switch (action.do) {
    case 'settle':
      return settle(job, action.stop, nowMs).change
    case 'finish':
      return finish(job, action.phase, action.reason, undefined, nowMs)
    case 'release':
      return endOfLaunch(
        job,
        action.notBeforeMs === undefined
          ? { phase: 'Pending', reason: 'Queued' }
          : { phase: 'Pending', reason: action.reason, notBeforeMs: action.notBeforeMs },
        nowMs,
      )
    case 'intend':
      return intend(job, template, launchContext, nowMs)
    case 'recordArn':
      return arnChange(job, action.arn)
    case 'heal':
      return { set: { phase: action.phase }, remove: [] }
    case 'leaveLine':
      return { set: {}, remove: ['backlogQueue', 'rank'] }
    case 'enterLine':
      return { set: { backlogQueue: action.line, rank: action.rank }, remove: [] }
    case 'adoptEdit':
      return { set: {}, remove: [] }
    case 'stopIntent':
      return {
        set: {
          phase: 'Stopping',
          stopping: { reason: action.reason, at: sinceNow(0) },
          history: withHistory(job, 'Stopping', action.reason, undefined, nowMs),
        },
        remove: [],
      }
    case 'running':
      return { set: { phase: 'Running' }, remove: [] }
  }
}

export function answerChange(rec: Rec, answer: AnswerWrite, times: Times, setting: Setting): Change {
  const job = jobOf(rec, times, setting)
  if ('task' in answer) return arnChange(job, arnOf(answer.task))
  const before = job.launching ?? launching()
  return {
    set: { launching: { ...before, refused: { kind: answer.refused, reason: 'Capacity', at: refusedAt } } },
    remove: [],
  }
}

function arnChange(job: Job, arn: string): Change {
  const { request: _request, refused: _refused, ...resolved } = job.launching ?? launching()
  return { set: { taskArn: arn, launching: resolved }, remove: [] }
}

export const template = {
  taskDefinition: 'worker:3',
  container: 'worker',
  logPrefix: undefined,
  architecture: 'x86_64' as const,
}
export const launchContext = {
  installation: 'test',
  cluster: 'jobs',
  networks: networks({ subnets: ['subnet-1'], securityGroups: [], assignPublicIp: 'DISABLED' }),
  vcpuCeiling: () => Number.POSITIVE_INFINITY,
  prices: defaultPrices,
  outputsBucket: 'outputs',
  transcribeRoleArn: undefined,
}

/** A retry by the user, accepted by the real `accept`. */
export function acceptChange(rec: Rec, setting: Setting): Change {
  const job = jobOf(rec, { isOld: false, isLate: false }, setting)
  return accept({ ...job }, job, { is: 'unknown' }, testPolicy(), nowMs, 'abcdefghijkl').change
}

export const isLiveRec = ({ phase, fence }: Rec): boolean => isLive(phase) && fence !== 0
export { arnOf, currentArn, jobId, taskOf }
