import type { Change } from '../../schemas/change.ts'
import { shortHash } from '../../schemas/ids.ts'
import {
  type Attempt,
  type ControllerAttributes,
  isTerminal,
  type Job,
  type Phase,
} from '../../schemas/job.ts'
import { recordLimits } from '../../schemas/limits.ts'
import type { PipelineState } from '../../schemas/pipeline.ts'
import { costOfAttempt, defaultPrices, type FargatePrices, totalUsd } from '../../schemas/prices.ts'
import { dueLine } from '../../schemas/resources.ts'
import { type Judgement, judge } from './outcome.ts'
import { splitOf } from './pipeline.ts'
import type { Stop } from './seen.ts'

export type Settlement = {
  change: Change
  phase: Phase
  reason: string
  judgement: Judgement
  /** The attempt as it stands in the ledger from now on. */
  ended: Attempt | undefined
}

/**
 * Ends the current launch: the outcome goes into the ledger, everything of the launch goes away, and the job is finished
 * or waits for its next attempt. One write, so that no crash can leave half of it.
 * @param stop undefined: the task is lost, or RunTask refused to start it
 */
export function settle(
  job: Job,
  stop: Stop | undefined,
  nowMs: number,
  prices: FargatePrices = defaultPrices,
): Settlement {
  const judgement = judge(job, stop)
  const counts = {
    failed: job.counts.failed + (judgement.counted === 'failed' ? 1 : 0),
    infra: job.counts.infra + (judgement.counted === 'infra' ? 1 : 0),
  }
  const closed = closeAttempt(job, judgement, stop, nowMs, prices)
  const ledger = fold(closed, job.rollup)
  const next = { ...whatNext(job, judgement, counts, stop?.stoppedAtMs ?? nowMs), rule: judgement.rule }
  const change = endOfLaunch(job, next, nowMs)
  return {
    change: {
      set: { ...change.set, ...ledger, counts, costUsd: totalUsd(ledger.attempts, ledger.rollup) },
      remove: change.remove,
    },
    phase: next.phase,
    reason: next.reason,
    judgement,
    ended: closed.find(({ n }) => n === job.launching?.attempt),
  }
}

/** Where a job goes from here, and when. */
export type Next = {
  phase: Phase
  reason: string
  message?: string
  notBeforeMs?: number
  result?: Record<string, unknown>
  /** Its task has found the work too much for one: it goes on as a pipeline. */
  pipeline?: PipelineState
  /** What decided how the attempt had ended, where one did. */
  rule?: Judgement['rule']
}

function whatNext(job: Job, judgement: Judgement, counts: Job['counts'], stoppedAtMs: number): Next {
  const { limits } = job.settings
  const message = judgement.outcome.reason
  switch (judgement.next) {
    case 'succeed': {
      const pipeline = splitOf(job)
      if (pipeline) return { phase: 'Running', reason: 'Split', pipeline }
      return {
        phase: 'Succeeded',
        reason: 'Done',
        ...(job.report?.result ? { result: job.report.result } : {}),
      }
    }
    case 'cancel':
      return { phase: 'Cancelled', reason: 'Cancelled' }
    case 'suspend':
      return { phase: 'Pending', reason: 'Suspended' }
    case 'deadline':
      return { phase: 'Failed', reason: 'DeadlineExceeded', message }
    case 'fail':
      return { phase: 'Failed', reason: 'PermanentFailure', message }
    case 'retry':
      if (counts.failed >= limits.attempts) return { phase: 'Failed', reason: 'AttemptsExhausted', message }
      if (counts.infra > limits.infrastructureAttempts)
        return { phase: 'Failed', reason: 'InfrastructureAttemptsExhausted', message }
      return {
        phase: 'Pending',
        reason: 'Backoff',
        message,
        notBeforeMs:
          stoppedAtMs + backoffMs(job, judgement.counted === 'infra' ? counts.infra : counts.failed),
      }
  }
}

/**
 * The wait before attempt n + 1: doubled after every failure up to the maximum, then moved by up to a tenth either way,
 * so that jobs that failed together do not come back together. The jitter comes from a hash: the same job, the same wait.
 */
export function backoffMs(job: Pick<Job, 'jobId' | 'uid' | 'settings'>, failures: number): number {
  const { initial, max } = job.settings.limits.backoff
  const plainMs = Math.min(initial * 2 ** Math.min(failures - 1, 30), max) * 1000
  const share = Number.parseInt(shortHash(`${job.uid}/${failures}`, 8), 16) / 0xffff_ffff
  return Math.round(plainMs * (0.9 + 0.2 * share))
}

/** What ends with a launch. The last progress and report stay readable until the next one; they carry their own fence. */
const launchAttributes = ['fence', 'launching', 'taskArn', 'stopping', 'claim'] as const

/** The part of a change that takes a job out of its launch and on to `next`. */
export function endOfLaunch(job: Job, next: Next, nowMs: number): Change {
  const now = new Date(nowMs).toISOString()
  const waits = next.phase === 'Pending' && next.reason !== 'Suspended'
  const line: Partial<ControllerAttributes> = !waits
    ? {}
    : next.notBeforeMs === undefined
      ? { backlogQueue: job.settings.queue, rank: job.queueRank }
      : { backlogQueue: dueLine, rank: next.notBeforeMs, notBefore: new Date(next.notBeforeMs).toISOString() }
  return {
    set: {
      phase: next.phase,
      reason: next.reason,
      ...(next.message === undefined
        ? {}
        : { message: next.message.slice(0, recordLimits.messageCharacters) }),
      ...(isTerminal(next.phase) ? { finishedAt: now } : {}),
      ...(next.result ? { result: next.result } : {}),
      ...(next.phase === 'Succeeded' && job.settings.afterSuccess === 'delete'
        ? { source: 'deleting' as const }
        : {}),
      ...(next.pipeline ? { pipeline: next.pipeline } : {}),
      ...line,
      ...refusals(job),
      history: withHistory(job, next.phase, next.reason, next.message, nowMs, next.rule),
    },
    remove: [
      ...launchAttributes,
      ...(waits ? [] : ['backlogQueue', 'rank']),
      ...(next.notBeforeMs === undefined ? ['notBefore'] : []),
      ...(next.message === undefined ? ['message'] : []),
      // What the task said was about its look alone: nobody would ever write over it, and where it cut stands in `pipeline`.
      ...(next.pipeline ? ['progress', 'report'] : []),
    ],
  }
}

/** A launch that Spot had no capacity for is a loss of its attempt, which goes on: nothing else would remember it. */
function refusals(job: Job): Partial<Pick<ControllerAttributes, 'attempts'>> {
  const { launching } = job
  if (launching?.refused?.kind !== 'capacity') return {}
  const isRefused = ({ n, capacity }: Attempt): boolean => n === launching.attempt && capacity === 'spot'
  if (!job.attempts.some(isRefused)) return {}
  return {
    attempts: job.attempts.map((attempt) =>
      isRefused(attempt) ? { ...attempt, spotRefusals: (attempt.spotRefusals ?? 0) + 1 } : attempt,
    ),
  }
}

export const withHistory = (
  job: Job,
  phase: Phase,
  reason: string,
  message: string | undefined,
  nowMs: number,
  rule?: string,
): Job['history'] =>
  [
    ...job.history,
    {
      at: new Date(nowMs).toISOString(),
      phase,
      reason,
      ...(message === undefined ? {} : { message: message.slice(0, recordLimits.messageCharacters) }),
      ...(rule === undefined ? {} : { rule }),
    },
  ].slice(-recordLimits.historyKept)

/** The ledger with the current attempt closed. */
function closeAttempt(
  job: Job,
  judgement: Judgement,
  stop: Stop | undefined,
  nowMs: number,
  prices: FargatePrices,
): Attempt[] {
  const arn = job.claim?.taskArn ?? job.taskArn
  const close = (attempt: Attempt): Attempt => ({
    ...(arn === undefined ? attempt : withTask(attempt, arn)),
    ...(stop?.startedAtMs === undefined ? {} : { startedAt: new Date(stop.startedAtMs).toISOString() }),
    ...(stop === undefined ? {} : { stoppedAt: new Date(stop.stoppedAtMs).toISOString() }),
    outcome: judgement.outcome,
    // Without an ARN nothing ran that we know of: RunTask was refused, or nothing came of it.
    costUsd: stop || arn !== undefined ? costOfAttempt(attempt, stop ?? lostAt(job, nowMs), prices) : 0,
  })
  return job.attempts.map((attempt) => (attempt.n === job.launching?.attempt ? close(attempt) : attempt))
}

/** Nobody saw a lost task end. The last word of its worker stands in, and where there is none, the moment it is given up. */
function lostAt({ claim, progress, report, fence }: Job, nowMs: number): { stoppedAtMs: number; lost: true } {
  const words = [claim?.at, progress?.at, report?.fence === fence ? report?.at : undefined]
  const heardMs = Math.max(...words.map((at) => Date.parse(at ?? '')).filter((ms) => !Number.isNaN(ms)))
  return { stoppedAtMs: Number.isFinite(heardMs) ? Math.min(heardMs, nowMs) : nowMs, lost: true }
}

/** The ledger entry once its task is known. awslogs names a stream prefix/container/task id; the intent knew the first two. */
export const withTask = (attempt: Attempt, arn: string): Attempt => ({
  ...attempt,
  taskArn: arn,
  ...(attempt.logStream === undefined
    ? {}
    : { logStream: attempt.logStream.replace(/[^/]*$/, arn.split('/').at(-1) ?? '') }),
})

/** Keeps the last attempts and adds the older ones up. */
export function fold(
  attempts: readonly Attempt[],
  rollup: Job['rollup'],
): Pick<ControllerAttributes, 'attempts' | 'rollup'> {
  const surplus = attempts.slice(0, Math.max(0, attempts.length - recordLimits.attemptsKept))
  if (surplus.length === 0) return { attempts: [...attempts], ...(rollup ? { rollup } : {}) }
  const byClass: Record<string, number> = { ...rollup?.byClass }
  for (const { outcome } of surplus) {
    const kind = outcome?.class ?? 'infrastructure'
    byClass[kind] = (byClass[kind] ?? 0) + 1
  }
  return {
    attempts: attempts.slice(surplus.length),
    rollup: {
      count: (rollup?.count ?? 0) + surplus.length,
      costUsd: totalUsd(surplus, rollup),
      byClass,
    },
  }
}

/** Ends a job that has no task: cancelled while it waited, too late, or not to be understood. */
export function finish(
  job: Job,
  phase: 'Cancelled' | 'Failed',
  reason: string,
  message: string | undefined,
  nowMs: number,
): Change {
  const change = endOfLaunch(job, { phase, reason, ...(message === undefined ? {} : { message }) }, nowMs)
  const unstarted: Attempt['outcome'] = {
    class: phase === 'Cancelled' ? 'cancelled' : 'infrastructure',
    reason: message ?? reason,
  }
  const attempts = job.attempts.map((attempt) =>
    attempt.outcome === undefined ? { ...attempt, outcome: unstarted, costUsd: 0 } : attempt,
  )
  return {
    set: { ...change.set, attempts, costUsd: totalUsd(attempts, job.rollup) },
    remove: change.remove,
  }
}
