import { isLive, isTerminal, type Job, type StopReason } from '../../schemas/job.ts'
import { isKindName, kinds } from '../../schemas/kinds/index.ts'
import { launchTimes } from '../../schemas/limits.ts'
import { dueLine } from '../../schemas/resources.ts'
import { wishesOf } from '../../schemas/wishes.ts'
import type { Seen, Stop, TaskSeen } from './seen.ts'

/** One step. Every step has a reason, which is also its word in the log and its label in the metrics. */
export type Action =
  | { do: 'nothing'; reason: 'Finished' }
  | { do: 'wait'; reason: WaitReason; untilMs: number }
  | { do: 'heal'; reason: 'PhaseEdited'; phase: 'Starting' | 'Stopping' }
  | { do: 'stopTask'; reason: StopReason | 'Stray' | 'BrokenRecord'; arn: string }
  | {
      do: 'finish'
      reason: 'Cancelled' | 'ParentEnded' | 'DeadlineExceeded' | 'BrokenRecord'
      phase: 'Cancelled' | 'Failed'
    }
  | { do: 'deleteSource'; reason: 'AfterSuccess' }
  | { do: 'leaveLine'; reason: 'Suspended' | 'Finished' }
  | { do: 'enterLine'; reason: 'Queued' | 'Backoff' | 'Capacity'; line: string; rank: number }
  | { do: 'adoptEdit'; reason: 'SpecEdited' }
  | { do: 'intend'; reason: 'Admitted' | 'NothingFound' }
  | { do: 'runTask'; reason: 'Launch' | 'Replay' }
  | { do: 'recordArn'; reason: 'Adopted'; arn: string }
  | { do: 'listPass'; reason: 'LaunchUnresolved'; fromMs: number }
  /** Gives slot and fence back. With `notBeforeMs`, a full listing has to come before the next launch. */
  | { do: 'release'; reason: 'Capacity' | 'NothingFound'; notBeforeMs: number | undefined }
  | { do: 'settle'; reason: 'Stopped' | 'Lost' | 'StartRefused'; stop: Stop | undefined }
  | { do: 'stopIntent'; reason: StopReason }
  | { do: 'running'; reason: 'TaskRunning' }
  | { do: 'look'; reason: 'TaskUnknown'; arn: string }

export type WaitReason =
  | 'Suspended'
  | 'Backoff'
  | 'Capacity'
  | 'Queued'
  | 'StrayStopping'
  | 'Replay'
  | 'TaskStarting'
  | 'TaskRunning'
  | 'TaskStopping'
  | 'TaskMissing'

/** A wait without a time of its own: something else will wake the job. */
export const untilWoken = Number.POSITIVE_INFINITY

const ms = (time: string): number => Date.parse(time)
const afterS = (time: string, seconds: number): number => ms(time) + seconds * 1000

/** The claim comes first: whoever claimed is the task of this launch, whatever RunTask said or did not say. */
export const currentArn = (job: Job): string | undefined => job.claim?.taskArn ?? job.taskArn

/** What is wished for a child counts the same, whether it was asked of it or of its parent. */
function wishesFor(job: Job, { parent }: Seen): { cancel: boolean; suspend: boolean } {
  const own = wishesOf(job.spec)
  if (parent === undefined || parent.is === 'none') return own
  if (parent.is === 'ended') return { ...own, cancel: true }
  return { cancel: own.cancel || parent.cancel, suspend: own.suspend || parent.suspend }
}

/** Its success was written before, so a crash in between deletes late, and never too early. */
export const isSourceDue = ({ phase, source, settings }: Job): boolean =>
  phase === 'Succeeded' && source === 'deleting' && settings.afterSuccess === 'delete'

const claims = (job: Job): boolean => isKindName(job.kind) && kinds[job.kind].claims

/**
 * The next step of one job. Pure and total: the same record and the same look give the same step, also after a crash in
 * between. The rules stand in the order in which they apply; the first that matches wins.
 */
export function decide(job: Job, seen: Seen, visibilityGraceMs: number, nowMs: number): Action {
  // A stop intent stands whatever somebody makes of the phase.
  if (job.fence !== undefined && (job.stopping ? job.phase !== 'Stopping' : !isLive(job.phase)))
    return { do: 'heal', reason: 'PhaseEdited', phase: job.stopping ? 'Stopping' : 'Starting' }

  const stray = seen.strays.find(
    (task) => task.desiredStatus !== 'STOPPED' && stopIsDue(task.stopAskedAtMs, nowMs),
  )
  if (stray) return { do: 'stopTask', reason: 'Stray', arn: stray.arn }

  // A phase that was edited may leave a finished job in a line, where it would stand before others for ever.
  if (isTerminal(job.phase) && job.backlogQueue === undefined && isSourceDue(job))
    return { do: 'deleteSource', reason: 'AfterSuccess' }
  if (isTerminal(job.phase))
    return { do: job.backlogQueue === undefined ? 'nothing' : 'leaveLine', reason: 'Finished' }
  switch (job.phase) {
    case 'Pending':
      return decidePending(job, seen, visibilityGraceMs, nowMs)
    case 'Starting':
    case 'Running':
    case 'Stopping':
      return job.fence === undefined || job.launching === undefined
        ? breakUp(job, seen, visibilityGraceMs, nowMs)
        : decideLive(job, seen, visibilityGraceMs, nowMs)
    case 'Submitted':
      return breakUp(job, seen, visibilityGraceMs, nowMs)
    default:
      throw job.phase satisfies never
  }
}

/** A record that no legal step leads to: what is known to run is stopped, then the job fails. */
function breakUp(job: Job, seen: Seen, visibilityGraceMs: number, nowMs: number): Action {
  const { task, watch } = seen
  const arn = job.fence === undefined ? undefined : currentArn(job)
  if (arn !== undefined && task.is === 'unknown') return { do: 'look', reason: 'TaskUnknown', arn }
  if (task.is === 'live') {
    if (task.desiredStatus === 'STOPPED') return { do: 'wait', reason: 'TaskStopping', untilMs: untilWoken }
    return stopIsDue(watch.stopAskedAtMs, nowMs)
      ? { do: 'stopTask', reason: 'BrokenRecord', arn: task.arn }
      : {
          do: 'wait',
          reason: 'TaskStopping',
          untilMs: (watch.stopAskedAtMs ?? nowMs) + launchTimes.stopAgainMs,
        }
  }
  if (task.is === 'missing') {
    const untilMs = task.sinceMs + visibilityGraceMs
    if (nowMs < untilMs) return { do: 'wait', reason: 'TaskMissing', untilMs }
    if (arn === task.arn && task.lookedAtMs < untilMs) return { do: 'look', reason: 'TaskUnknown', arn }
  }
  if (seen.strays.length > 0)
    return { do: 'wait', reason: 'StrayStopping', untilMs: nowMs + launchTimes.stopAgainMs }
  return { do: 'finish', reason: 'BrokenRecord', phase: 'Failed' }
}

function decidePending(job: Job, seen: Seen, visibilityGraceMs: number, nowMs: number): Action {
  const wishes = wishesFor(job, seen)
  if (seen.parent?.is === 'ended') return { do: 'finish', reason: 'ParentEnded', phase: 'Cancelled' }
  if (wishes.cancel) return { do: 'finish', reason: 'Cancelled', phase: 'Cancelled' }
  if (nowMs >= afterS(job.acceptedAt, job.settings.limits.deadline))
    return { do: 'finish', reason: 'DeadlineExceeded', phase: 'Failed' }
  if (seen.edit.is === 'valid') return { do: 'adoptEdit', reason: 'SpecEdited' }
  if (wishes.suspend)
    return job.backlogQueue === undefined
      ? { do: 'wait', reason: 'Suspended', untilMs: untilWoken }
      : { do: 'leaveLine', reason: 'Suspended' }

  const notBeforeMs = job.notBefore === undefined ? 0 : ms(job.notBefore)
  // An attempt that is still open had its launch refused. The reason alone would not do: suspend and resume change it.
  const unresolved = notBeforeMs > 0 && job.attempts.some((attempt) => attempt.outcome === undefined)
  if (notBeforeMs > nowMs) {
    const reason = unresolved ? 'Capacity' : 'Backoff'
    return job.backlogQueue === dueLine && job.rank === notBeforeMs
      ? { do: 'wait', reason, untilMs: untilWoken }
      : { do: 'enterLine', reason, line: dueLine, rank: notBeforeMs }
  }
  // A refused launch may have left a task that nobody sees yet: one full listing, begun after the grace, looks for it.
  if (unresolved && job.backlogQueue !== job.settings.queue && (seen.listPass?.begunAtMs ?? 0) < notBeforeMs)
    return { do: 'listPass', reason: 'LaunchUnresolved', fromMs: notBeforeMs }
  if (job.backlogQueue !== job.settings.queue || job.rank !== job.queueRank)
    return { do: 'enterLine', reason: 'Queued', line: job.settings.queue, rank: job.queueRank }
  if (seen.strays.length > 0)
    return { do: 'wait', reason: 'StrayStopping', untilMs: nowMs + visibilityGraceMs }
  return seen.granted
    ? { do: 'intend', reason: 'Admitted' }
    : { do: 'wait', reason: 'Queued', untilMs: untilWoken }
}

function decideLive(job: Job, seen: Seen, visibilityGraceMs: number, nowMs: number): Action {
  const arn = currentArn(job)
  if (arn === undefined) return decideLaunch(job, seen, visibilityGraceMs, nowMs)
  const { task } = seen
  if (task.is === 'unknown' || task.arn !== arn) return { do: 'look', reason: 'TaskUnknown', arn }
  if (task.is === 'stopped') return { do: 'settle', reason: 'Stopped', stop: task.stop }
  if (task.is === 'missing' && isLost(task, job, seen, visibilityGraceMs, nowMs))
    // A controller may have slept since it looked: what it saw then says nothing about the time since.
    return task.lookedAtMs < missingUntil(task, seen, visibilityGraceMs)
      ? { do: 'look', reason: 'TaskUnknown', arn }
      : { do: 'settle', reason: 'Lost', stop: undefined }

  if (job.phase !== 'Stopping') {
    const reason = whyStop(job, seen, nowMs)
    if (reason) return { do: 'stopIntent', reason }
    if (job.phase === 'Starting' && task.is === 'live' && task.lastStatus === 'RUNNING')
      return { do: 'running', reason: 'TaskRunning' }
  }
  if (job.phase === 'Stopping' && job.stopping === undefined)
    return breakUp(job, seen, visibilityGraceMs, nowMs)
  if (
    job.stopping &&
    task.is === 'live' &&
    task.desiredStatus !== 'STOPPED' &&
    stopIsDue(seen.watch.stopAskedAtMs, nowMs)
  )
    return { do: 'stopTask', reason: job.stopping.reason, arn }
  return waitForTask(job, seen, visibilityGraceMs, nowMs)
}

const stopIsDue = (askedAtMs: number | undefined, nowMs: number): boolean =>
  askedAtMs === undefined || nowMs >= askedAtMs + launchTimes.stopAgainMs

/** Absence is not death: only a task that stayed missing for the whole grace, and whose worker fell silent, is lost. */
function isLost(task: Missing, job: Job, seen: Seen, visibilityGraceMs: number, nowMs: number): boolean {
  if (nowMs < missingUntil(task, seen, visibilityGraceMs)) return false
  // A report is the worker's last act: with one, a forgotten task has nothing more to do.
  return job.report?.fence === job.fence || nowMs >= seen.watch.beatMovedAtMs + visibilityGraceMs
}

type Missing = Extract<TaskSeen, { is: 'missing' }>

/** Until when a task has to be missing in every look, to be given up. */
const missingUntil = ({ sinceMs }: Missing, { watch }: Seen, visibilityGraceMs: number): number =>
  Math.max(sinceMs, watch.arnSinceMs ?? sinceMs) + visibilityGraceMs

/** The launch protocol while no ARN is known: replay, then one listing, then the next launch. */
function decideLaunch(job: Job, seen: Seen, visibilityGraceMs: number, nowMs: number): Action {
  const launching = job.launching
  if (launching?.request === undefined) return breakUp(job, seen, visibilityGraceMs, nowMs)
  const launchedMs = ms(launching.launchedAt)
  const pass = seen.listPass
  if (launching.refused) {
    const passFromMs = ms(launching.refused.at) + visibilityGraceMs
    // A hidden task of a kind that claims exits at its claim, so the slot can be given back at once.
    if (launching.refused.kind === 'capacity' && claims(job))
      return { do: 'release', reason: 'Capacity', notBeforeMs: passFromMs }
    if (pass === undefined || pass.begunAtMs < passFromMs)
      return { do: 'listPass', reason: 'LaunchUnresolved', fromMs: passFromMs }
    if (pass.arn !== undefined) return { do: 'recordArn', reason: 'Adopted', arn: pass.arn }
    return launching.refused.kind === 'capacity'
      ? { do: 'release', reason: 'Capacity', notBeforeMs: undefined }
      : { do: 'settle', reason: 'StartRefused', stop: undefined }
  }
  if (nowMs < launchedMs + launchTimes.replayUntilMs)
    return nowMs >= seen.watch.sendAgainAtMs
      ? { do: 'runTask', reason: seen.watch.sends === 0 ? 'Launch' : 'Replay' }
      : { do: 'wait', reason: 'Replay', untilMs: seen.watch.sendAgainAtMs }
  const passFromMs = launchedMs + launchTimes.listPassFromMs
  if (pass === undefined || pass.begunAtMs < passFromMs)
    return { do: 'listPass', reason: 'LaunchUnresolved', fromMs: passFromMs }
  if (pass.arn !== undefined) return { do: 'recordArn', reason: 'Adopted', arn: pass.arn }
  const isEnded = job.stopping !== undefined || job.report?.fence === job.fence
  if (isEnded) return { do: 'settle', reason: 'Lost', stop: undefined }
  // Nothing runs, and nothing more is wanted: Pending is where a wish or a deadline is followed.
  if (isUnwanted(job, seen, nowMs)) return { do: 'release', reason: 'NothingFound', notBeforeMs: undefined }
  if (job.counts.infra >= job.settings.limits.infrastructureAttempts)
    return { do: 'settle', reason: 'Lost', stop: undefined }
  return seen.strays.length > 0
    ? { do: 'wait', reason: 'StrayStopping', untilMs: nowMs + visibilityGraceMs }
    : { do: 'intend', reason: 'NothingFound' }
}

/** Whether a launch that came to nothing would only be stopped again. */
const isUnwanted = (job: Job, seen: Seen, nowMs: number): boolean => {
  const { cancel, suspend } = wishesFor(job, seen)
  return cancel || suspend || nowMs >= afterS(job.acceptedAt, job.settings.limits.deadline)
}

/** The first reason there is to stop the task, if any. Every one reads as "how long is left?". */
function whyStop(job: Job, seen: Seen, nowMs: number): StopReason | undefined {
  const wishes = wishesFor(job, seen)
  if (wishes.cancel) return 'Cancel'
  if (wishes.suspend) return 'Suspend'
  return stopTimes(job, seen).find(({ atMs }) => nowMs >= atMs)?.reason
}

function stopTimes(job: Job, seen: Seen): { reason: StopReason; atMs: number }[] {
  const { limits } = job.settings
  const { task, watch } = seen
  const times: { reason: StopReason; atMs: number }[] = [
    { reason: 'DeadlineExceeded', atMs: afterS(job.acceptedAt, limits.deadline) },
  ]
  if (task.is === 'live' && task.startedAtMs !== undefined)
    times.push({ reason: 'AttemptTimeout', atMs: task.startedAtMs + limits.attemptTimeout * 1000 })
  const hasRun = watch.runningSinceMs !== undefined || (task.is === 'live' && task.startedAtMs !== undefined)
  if (!hasRun && job.phase === 'Starting')
    times.push({
      reason: 'StartTimeout',
      // Waiting for RunTask counts for nothing: the task can only start once there is one.
      atMs: (watch.arnSinceMs ?? watch.sinceMs) + limits.startTimeout * 1000,
    })
  if (claims(job) && job.claim === undefined && watch.runningSinceMs !== undefined)
    times.push({ reason: 'ClaimTimeout', atMs: watch.runningSinceMs + launchTimes.claimTimeoutMs })
  // A worker that has reported has nothing left to do: if its task lives on in silence, it may not keep its slot.
  if (claims(job) && job.claim !== undefined && (job.report === undefined || task.is === 'live'))
    times.push({ reason: 'HeartbeatLost', atMs: watch.beatMovedAtMs + limits.heartbeatTimeout * 1000 })
  return times
}

/** Nothing to do but wait, until the nearest of the times at which there would be. */
function waitForTask(job: Job, seen: Seen, visibilityGraceMs: number, nowMs: number): Action {
  const { task } = seen
  const times = job.phase === 'Stopping' ? [] : stopTimes(job, seen).map(({ atMs }) => atMs)
  if (task.is === 'missing') {
    const sinceMs = Math.max(
      task.sinceMs,
      seen.watch.arnSinceMs ?? 0,
      job.report ? 0 : seen.watch.beatMovedAtMs,
    )
    times.push(sinceMs + visibilityGraceMs)
  }
  if (job.phase === 'Stopping' && task.is === 'live' && task.desiredStatus !== 'STOPPED')
    times.push((seen.watch.stopAskedAtMs ?? nowMs) + launchTimes.stopAgainMs)
  return { do: 'wait', reason: waitReason(job, task), untilMs: Math.min(untilWoken, ...times) }
}

const waitReason = (job: Job, task: TaskSeen): WaitReason => {
  if (task.is === 'missing') return 'TaskMissing'
  if (job.phase === 'Stopping') return 'TaskStopping'
  return job.phase === 'Running' ? 'TaskRunning' : 'TaskStarting'
}
