import type { Job, StopReason } from '../../schemas/job.ts'
import { isKindName, kinds } from '../../schemas/kinds/index.ts'
import { launchTimes } from '../../schemas/limits.ts'
import { wishesOf } from '../../schemas/wishes.ts'
import type { Reason } from './why.ts'
import { after, afterMs, clock, duration, inTime } from './words.ts'

const momentMs = 10_000

const claims = (job: Job): boolean => isKindName(job.kind) && kinds[job.kind].claims

const wishedEnd = (job: Job): string | undefined => {
  const wishes = wishesOf(job.spec)
  if (wishes.cancel) return 'It is to be cancelled'
  if (wishes.suspend) return 'It is to be suspended'
  return undefined
}

const isPast = (time: string, nowMs: number): boolean => Date.parse(time) <= nowMs

export function whyStarting(job: Job, nowMs: number, visibilityGraceMs: number): Reason {
  const { launching } = job
  const wished = wishedEnd(job)
  if (launching === undefined)
    return { why: 'Its record is damaged', said: 'Starting without a launch', until: 'soon' }
  if (job.taskArn !== undefined || job.claim !== undefined) {
    if (wished) return { why: `${wished}; its task is about to be stopped`, until: 'soon' }
    return whyTaskStarting(
      after(launching.launchedAt, job.settings.limits.startTimeout),
      launching.launchedAt,
      nowMs,
    )
  }
  const reason = launching.refused
    ? whyRefused(job, launching.refused, nowMs, visibilityGraceMs)
    : whyUnanswered(launching.launchedAt, nowMs)
  return wished ? { why: `${wished}, once it is sure whether a task runs`, until: reason.until } : reason
}

/** The leader counts on its own clock from when it learned of the task, so the time of the record may have passed. */
const whyTaskStarting = (limit: string, launchedAt: string, nowMs: number): Reason =>
  isPast(limit, nowMs)
    ? { why: `Its task starts, for ${duration(nowMs - Date.parse(launchedAt))} already`, until: 'soon' }
    : { why: `Its task starts; it has until ${clock(limit, nowMs)} (${inTime(limit, nowMs)})`, until: limit }

function whyRefused(
  job: Job,
  { kind, reason, at }: NonNullable<NonNullable<Job['launching']>['refused']>,
  nowMs: number,
  visibilityGraceMs: number,
): Reason {
  if (kind === 'capacity' && claims(job))
    return { why: 'AWS had no capacity for its task; gives its place back', said: reason, until: 'soon' }
  const listed = afterMs(at, visibilityGraceMs)
  const when = isPast(listed, nowMs) ? '' : ` at ${clock(listed, nowMs)} (${inTime(listed, nowMs)})`
  return {
    why: `ECS refused to start its task; a listing${when} makes sure that none runs`,
    said: reason,
    until: listed,
  }
}

function whyUnanswered(launchedAt: string, nowMs: number): Reason {
  const replayUntil = afterMs(launchedAt, launchTimes.replayUntilMs)
  if (isPast(replayUntil, nowMs))
    return {
      why: 'ECS never answered; looks for a task that may have started nonetheless, then launches anew',
      until: afterMs(launchedAt, launchTimes.listPassFromMs),
    }
  const askedForMs = nowMs - Date.parse(launchedAt)
  return {
    why:
      askedForMs > momentMs
        ? `Asks ECS for a task, for ${duration(askedForMs)} already, until there is an answer`
        : 'Asks ECS for a task',
    until: nextSend(launchedAt, replayUntil, nowMs),
  }
}

/** About when RunTask is sent again: the leader waits twice as long after every send without an answer, up to a minute. */
function nextSend(launchedAt: string, replayUntil: string, nowMs: number): string {
  let atMs = Date.parse(launchedAt)
  for (let waitMs = 1000; atMs <= nowMs; waitMs = Math.min(2 * waitMs, launchTimes.replayBackoffMaxMs))
    atMs += waitMs
  return afterMs(Math.min(atMs, Date.parse(replayUntil)), 0)
}

export function whyRunning(job: Job, nowMs: number): Reason {
  const wished = wishedEnd(job)
  if (wished) return { why: `${wished}; its task is about to be stopped`, until: 'soon' }
  const attempt = job.attempts.find(({ outcome }) => outcome === undefined)
  const n = attempt?.n ?? job.lastAttempt
  const startedAt = attempt?.startedAt ?? job.claim?.at
  const limit = earliest(
    after(job.acceptedAt, job.settings.limits.deadline),
    startedAt && after(startedAt, job.settings.limits.attemptTimeout),
  )
  if (isPast(limit, nowMs))
    return {
      why: `Attempt ${n} had until ${clock(limit, nowMs)}; its task is about to be stopped`,
      until: 'soon',
    }
  return claims(job)
    ? whatItsWorkerDoes(job, n, startedAt, limit, nowMs)
    : { why: `Attempt ${n} runs; it has until ${clock(limit, nowMs)}`, until: limit }
}

const earliest = (a: string, b: string | undefined): string =>
  b !== undefined && Date.parse(b) < Date.parse(a) ? b : a

function whatItsWorkerDoes(
  job: Job,
  n: number,
  startedAt: string | undefined,
  limit: string,
  nowMs: number,
): Reason {
  const { claim, report, progress } = job
  if (claim === undefined)
    return {
      why: `Its task runs, but its worker has not claimed attempt ${n} yet`,
      until: earliest(limit, startedAt && afterMs(startedAt, launchTimes.claimTimeoutMs)),
    }
  const timeoutMs = job.settings.limits.heartbeatTimeout * 1000
  const heardAt = progress?.at ?? claim.at
  const silentUntil = afterMs(heardAt, timeoutMs)
  if (report !== undefined && report.fence === job.fence) {
    const spot = job.attempts.some((one) => one.outcome === undefined && one.capacity === 'spot')
    const why =
      spot && report.outcome === 'interrupted' ? ', probably because Spot takes its capacity back' : ''
    return {
      why: `Attempt ${n} has reported ${report.outcome}${why}; waits for its task to end`,
      until: earliest(limit, silentUntil),
    }
  }
  const silentForMs = nowMs - Date.parse(heardAt)
  if (silentForMs > timeoutMs / 2)
    return {
      why: `Attempt ${n} runs, but its worker has been silent for ${duration(silentForMs)}; it is stopped after ${duration(timeoutMs)}`,
      until: earliest(limit, silentUntil),
    }
  const stage = progress?.stage === undefined ? '' : `: ${progress.stage}`
  const percent = progress?.percent === undefined ? '' : `, ${Math.floor(progress.percent)} %`
  const eta = progress?.etaS === undefined ? '' : `, about ${duration(progress.etaS * 1000)} left`
  return {
    why: `Attempt ${n} runs${stage}${percent}${eta}; it has until ${clock(limit, nowMs)}`,
    until: limit,
  }
}

const stopWords: Record<StopReason, string> = {
  Cancel: 'it was cancelled',
  Suspend: 'it was suspended',
  DeadlineExceeded: 'its deadline has passed',
  AttemptTimeout: 'the attempt took too long',
  StartTimeout: 'it did not start in time',
  ClaimTimeout: 'its worker did not claim it in time',
  HeartbeatLost: 'its worker fell silent',
}

/** StopTask is sent again every half minute for as long as ECS does not want the task to stop. */
export function whyStopping(job: Job, nowMs: number): Reason {
  if (job.stopping === undefined)
    return { why: 'Its record is damaged', said: 'Stopping without a reason', until: 'soon' }
  const { at, reason } = job.stopping
  const askedForMs = Math.max(0, nowMs - Date.parse(at))
  const since = askedForMs > momentMs ? `, for ${duration(askedForMs)} already` : ''
  const againMs = (Math.floor(askedForMs / launchTimes.stopAgainMs) + 1) * launchTimes.stopAgainMs
  const again = afterMs(at, againMs)
  return {
    why: `Its task is being stopped${since}, because ${stopWords[reason]}; StopTask is sent again at ${clock(again, nowMs)} if need be`,
    until: again,
  }
}
