import { isTerminal } from '../../schemas/job.ts'
import { launchTimes } from '../../schemas/limits.ts'
import type { ModelTask } from './aws/ports.ts'

export type BrokenRule = { invariant: string; message: string }

/** What is true at the moment of a write, besides the record. */
export type Truth = {
  nowMs: number
  installation: string
  task(arn: string): ModelTask | undefined
  tasksOf(startedBy: string): readonly ModelTask[]
  /** For how long the process that writes may have led: since it first did. */
  ledMs: number
  /** How far two clocks of controllers may be apart. */
  skewMs: number
}

/** The parts of a record that these rules look at. */
type Parts = {
  jobId: string
  uid?: string
  phase?: string
  reason?: string
  fence?: string
  taskArn?: string
  notBefore?: string
  claim?: { taskArn?: string }
  report?: { fence?: string; outcome?: string }
  stopping?: { reason?: string }
  launching?: { attempt: number }
  attempts?: { n: number; stoppedAt?: string; outcome?: { class: string } }[]
  counts?: { failed: number; infra: number }
  settings?: {
    limits: {
      startTimeout: number
      attemptTimeout: number
      heartbeatTimeout: number
      backoff: { initial: number }
    }
  }
}

type Rule = (before: Parts, after: Parts, truth: Truth) => BrokenRule | undefined

/** Rules of one write of a controller, by the record before and after it. */
const rules: readonly Rule[] = [ownTask, outlived, counted, backedOff, notEarly, earned]

/** What a write of a controller does to a record that it must not do, if anything. */
export function brokenRule(before: object, after: object, truth: Truth): BrokenRule | undefined {
  for (const rule of rules) {
    const broken = rule(before as Parts, after as Parts, truth)
    if (broken) return broken
  }
  return undefined
}

/** What users and workers wrote stays theirs: a controller never changes `spec`, and removes a worker's words but writes none. */
export function foreignWords(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): BrokenRule | undefined {
  const name = ['spec', 'kind', 'claim', 'progress', 'report'].find(
    (attribute) =>
      (attribute === 'spec' || attribute === 'kind' || after[attribute] !== undefined) &&
      JSON.stringify(after[attribute]) !== JSON.stringify(before[attribute]),
  )
  return name === undefined
    ? undefined
    : {
        invariant: 'Writers',
        message: `${after.jobId}: ${name} became ${JSON.stringify(after[name])}, was ${JSON.stringify(before[name])}`,
      }
}

const endsLaunch = (before: Parts, after: Parts): boolean =>
  before.uid === after.uid && before.fence !== undefined && after.fence === undefined

const endedAttempt = (before: Parts, after: Parts) =>
  after.attempts?.find(({ n, outcome }) => n === before.launching?.attempt && outcome !== undefined)

/** I1: the task that a record names was started for the launch that the record names. */
function ownTask(before: Parts, after: Parts, { task, installation }: Truth): BrokenRule | undefined {
  if (after.taskArn === undefined || after.taskArn === before.taskArn) return undefined
  const startedBy = task(after.taskArn)?.startedBy
  return startedBy === `${installation}/${after.jobId}/${after.fence}`
    ? undefined
    : {
        invariant: 'I1',
        message: `${after.jobId}: ${after.taskArn}, started by ${startedBy}, stands as the task of ${after.fence}`,
      }
}

/**
 * Absence is not death, and neither is being told to stop: a launch ends when its task has stopped. Only a launch that was
 * refused may leave a hidden task, of a kind that exits at its claim.
 */
function outlived(before: Parts, after: Parts, { tasksOf, installation }: Truth): BrokenRule | undefined {
  if (before.fence === undefined || before.fence === after.fence || before.uid !== after.uid) return undefined
  if (after.reason === 'Capacity') return undefined
  const alive = tasksOf(`${installation}/${after.jobId}/${before.fence}`).find(
    ({ lastStatus }) => lastStatus !== 'STOPPED',
  )
  return alive
    ? {
        invariant: 'I1',
        message: `${before.fence} of ${after.jobId} ended with ${after.phase}/${after.reason} while ${alive.arn} is ${alive.lastStatus}`,
      }
    : undefined
}

/** I2: an attempt that is followed by another one is taken from a budget, unless the user suspended it. */
function counted(before: Parts, after: Parts): BrokenRule | undefined {
  if (!endsLaunch(before, after) || after.phase !== 'Pending') return undefined
  const kind = endedAttempt(before, after)?.outcome?.class
  if (kind === undefined || kind === 'suspended') return undefined
  const sum = ({ counts }: Parts): number => (counts?.failed ?? 0) + (counts?.infra ?? 0)
  return sum(after) === sum(before) + 1
    ? undefined
    : { invariant: 'I2', message: `${after.jobId}: an attempt that ended with ${kind} is not counted` }
}

/** A retry waits at least the first back-off, counted from the end of the task. */
function backedOff(before: Parts, after: Parts, { nowMs, skewMs }: Truth): BrokenRule | undefined {
  const isIntent = before.uid === after.uid && before.fence === undefined && after.fence !== undefined
  const notBeforeMs = Date.parse(before.notBefore ?? '')
  if (isIntent && nowMs + skewMs < notBeforeMs)
    return { invariant: 'Backoff', message: `${after.jobId} was launched before ${before.notBefore}` }
  if (!endsLaunch(before, after) || after.phase !== 'Pending' || after.reason !== 'Backoff') return undefined
  const stoppedAtMs = Date.parse(endedAttempt(before, after)?.stoppedAt ?? '')
  const initialS = before.settings?.limits.backoff.initial ?? 0
  return Date.parse(after.notBefore ?? '') < stoppedAtMs + initialS * 900 - 1
    ? { invariant: 'Backoff', message: `${after.jobId} waits for less than ${initialS} s` }
    : undefined
}

/** I8, the other way round: nothing is stopped before its time, and a new leader measures anew. */
function notEarly(before: Parts, after: Parts, truth: Truth): BrokenRule | undefined {
  const reason = after.stopping?.reason
  const limits = after.settings?.limits
  if (before.stopping !== undefined || reason === undefined || limits === undefined) return undefined
  const measuredMs: Record<string, number> = {
    StartTimeout: limits.startTimeout * 1000,
    ClaimTimeout: launchTimes.claimTimeoutMs,
    HeartbeatLost: limits.heartbeatTimeout * 1000,
  }
  const neededMs = measuredMs[reason] ?? 0
  if (truth.ledMs < neededMs)
    return {
      invariant: 'I8',
      message: `${after.jobId}: ${reason} after ${neededMs} ms, by a leader of ${Math.round(truth.ledMs)} ms`,
    }
  const startedAtMs = truth.task(after.claim?.taskArn ?? after.taskArn ?? '')?.startedAtMs
  if (reason !== 'AttemptTimeout' || startedAtMs === undefined) return undefined
  return truth.nowMs + truth.skewMs < startedAtMs + limits.attemptTimeout * 1000
    ? { invariant: 'I8', message: `${after.jobId}: AttemptTimeout before ${limits.attemptTimeout} s` }
    : undefined
}

/** Success is what a worker reported, or a container that ended by itself with 0. */
function earned(before: Parts, after: Parts, { task }: Truth): BrokenRule | undefined {
  if (after.phase !== 'Succeeded' || isTerminal(String(before.phase)) || before.fence === undefined)
    return undefined
  if (before.report?.fence === before.fence && before.report?.outcome === 'done') return undefined
  const arn = before.claim?.taskArn ?? before.taskArn
  const { stopCode, exitCode } = task(arn ?? '') ?? {}
  return stopCode === 'EssentialContainerExited' && exitCode === 0
    ? undefined
    : {
        invariant: 'Done',
        message: `${after.jobId} succeeded: ${stopCode}, exit code ${exitCode}, no report`,
      }
}
