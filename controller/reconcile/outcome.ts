import { exitCodes, judgeExitCode } from '../../schemas/exit-codes.ts'
import type { Job, Outcome, OutcomeClass } from '../../schemas/job.ts'
import { isKindName, kinds } from '../../schemas/kinds/index.ts'
import { recordLimits } from '../../schemas/limits.ts'
import type { PolicyRule } from '../../schemas/spec.ts'
import type { Stop } from './seen.ts'

/** What follows from how an attempt ended. `counted` is the budget that it is taken from. */
type Verdict = {
  outcome: Outcome
  next: 'succeed' | 'cancel' | 'suspend' | 'deadline' | 'retry' | 'fail'
  counted: 'failed' | 'infra' | 'none'
}

/** A verdict, and which rule gave it: one of ours by its name, or one of the user's by its place and what it says. */
export type Judgement = Verdict & { rule: Rule['name'] | `failurePolicy[${number}]: ${PolicyRule['action']}` }

type Rule = {
  name: 'cancel' | 'report' | 'ourStop' | 'platform' | 'start' | 'outOfMemory' | 'exitCode' | 'unknown'
  judge: (job: Job, stop: Stop | undefined, report: Job['report']) => Verdict | undefined
}

/**
 * First match wins. Why a task was stopped is judged before its exit code, because a worker that exits 0 on SIGTERM would
 * hide a Spot reclaim; and a report of success is believed whatever stopped the task afterwards.
 */
const rules: readonly Rule[] = [
  { name: 'cancel', judge: cancelled },
  {
    name: 'report',
    judge: (_job, stop, report) => (report?.outcome === 'done' ? succeeded(stop) : undefined),
  },
  { name: 'ourStop', judge: ourStop },
  { name: 'platform', judge: (_job, stop) => platformStop(stop) },
  { name: 'start', judge: startFailure },
  { name: 'outOfMemory', judge: (_job, stop, report) => outOfMemory(stop, report) },
  { name: 'exitCode', judge: exited },
]

/**
 * How an attempt ended, and which rule says so.
 * @param stop undefined: the task is lost, or never started
 */
export function judge(job: Job, stop: Stop | undefined): Judgement {
  const report = job.report?.fence === job.fence ? job.report : undefined
  for (const rule of rules) {
    const verdict = rule.judge(job, stop, report)
    if (verdict)
      return applyPolicy(job.settings.failurePolicy, {
        ...verdict,
        outcome: { ...verdict.outcome, ...codeOf(report) },
        rule: rule.name,
      })
  }
  return applyPolicy(job.settings.failurePolicy, { ...unknown(stop), rule: 'unknown' })
}

/** Kept in the ledger, because the next attempt may have to be another one for it. */
const codeOf = (report: Job['report']): Pick<Outcome, 'code'> =>
  report?.outcome === 'failed' && report.code !== undefined ? { code: report.code } : {}

const outcome = (kind: OutcomeClass, stop: Stop | undefined, reason: string): Outcome => ({
  class: kind,
  ...(stop?.exitCode === undefined ? {} : { exitCode: stop.exitCode }),
  ...(stop?.stopCode === undefined ? {} : { stopCode: stop.stopCode }),
  reason: reason.slice(0, recordLimits.messageCharacters),
})

function cancelled(job: Job, stop: Stop | undefined): Verdict | undefined {
  return job.stopping?.reason === 'Cancel'
    ? { outcome: outcome('cancelled', stop, 'Cancelled by the user'), next: 'cancel', counted: 'none' }
    : undefined
}

const succeeded = (stop: Stop | undefined): Verdict => ({
  outcome: outcome('success', stop, 'Done'),
  next: 'succeed',
  counted: 'none',
})

/** Our own stop explains the end only if nothing else did: the task may have ended by itself just before. */
function ourStop(job: Job, stop: Stop | undefined): Verdict | undefined {
  if (!job.stopping || (stop?.stopCode !== undefined && stop.stopCode !== 'UserInitiated')) return undefined
  const { limits } = job.settings
  switch (job.stopping.reason) {
    case 'Cancel':
      return cancelled(job, stop)
    case 'Suspend':
      return {
        outcome: outcome('suspended', stop, 'Suspended by the user'),
        next: 'suspend',
        counted: 'none',
      }
    case 'DeadlineExceeded':
      return {
        outcome: outcome('timeout', stop, `Not done within the deadline of ${limits.deadline} s`),
        next: 'deadline',
        counted: 'failed',
      }
    case 'AttemptTimeout':
      return failed('timeout', stop, `Ran longer than attemptTimeout, ${limits.attemptTimeout} s`)
    case 'StartTimeout':
      return lostToInfrastructure(
        'infrastructure',
        stop,
        `Not RUNNING within startTimeout, ${limits.startTimeout} s`,
      )
    case 'ClaimTimeout':
      return lostToInfrastructure('infrastructure', stop, 'RUNNING, but the worker never claimed its launch')
    case 'HeartbeatLost':
      return lostToInfrastructure('infrastructure', stop, `No heartbeat for ${limits.heartbeatTimeout} s`)
    default:
      throw job.stopping.reason satisfies never
  }
}

const failed = (kind: OutcomeClass, stop: Stop | undefined, reason: string): Verdict => ({
  outcome: outcome(kind, stop, reason),
  next: 'retry',
  counted: 'failed',
})

const lostToInfrastructure = (kind: OutcomeClass, stop: Stop | undefined, reason: string): Verdict => ({
  outcome: outcome(kind, stop, reason),
  next: 'retry',
  counted: 'infra',
})

/** Stop codes of ECS that say the platform ended the task (ECS API reference, Task.stopCode; an open list). */
function platformStop(stop: Stop | undefined): Verdict | undefined {
  switch (stop?.stopCode) {
    case 'SpotInterruption':
    case 'TerminationNotice':
      return lostToInfrastructure('spot', stop, stop.reason || 'Spot capacity was taken back')
    case 'InfrastructureHealth':
    case 'ServiceSchedulerInitiated':
      return lostToInfrastructure('infrastructure', stop, stop.reason || stop.stopCode)
    case 'UserInitiated':
      return lostToInfrastructure('infrastructure', stop, `Stopped by somebody else: ${stop.reason}`)
    default:
      return /maintenance on the underlying infrastructure/i.test(stop?.reason ?? '')
        ? lostToInfrastructure('infrastructure', stop, stop?.reason ?? '')
        : undefined
  }
}

const noCapacity = /capacity is unavailable|RESOURCE:FARGATE/i
const platformReason = /network interface|timeout waiting for|InternalError/i

function startFailure(job: Job, stop: Stop | undefined): Verdict | undefined {
  const refused = job.launching?.refused
  if (stop === undefined && refused?.kind === 'permanent')
    return failed('startFailure', stop, `RunTask was refused: ${refused.reason}`)
  if (stop?.stopCode !== 'TaskFailedToStart') return undefined
  // Whether Spot takes its capacity back or never had any: it is a loss to Spot, and the second one is enough.
  if (noCapacity.test(stop.reason))
    return lostToInfrastructure(ranOnSpot(job) ? 'spot' : 'infrastructure', stop, stop.reason)
  return platformReason.test(stop.reason)
    ? lostToInfrastructure('infrastructure', stop, stop.reason)
    : failed('startFailure', stop, stop.reason || 'The task could not be started')
}

const ranOnSpot = (job: Job): boolean =>
  job.attempts.find(({ n }) => n === job.launching?.attempt)?.capacity === 'spot'

/** Either ECS says so, or the worker does, whose ffmpeg was killed while it lived on; its word stands in for a lost code. */
function outOfMemory(stop: Stop | undefined, report: Job['report']): Verdict | undefined {
  const isSaid = report?.outcome === 'failed' && report.exitCode === exitCodes.outOfMemory
  const code = stop?.exitCode ?? (isSaid ? report.exitCode : undefined)
  if (code !== exitCodes.outOfMemory) return undefined
  const reason = report?.message ?? stop?.reason ?? 'Out of memory'
  return isSaid || /OutOfMemory/i.test(stop?.reason ?? '') ? failed('outOfMemory', stop, reason) : undefined
}

/** A failed report stands in where the exit code got lost. */
function exited(job: Job, stop: Stop | undefined, report: Job['report']): Verdict | undefined {
  const code = stop?.exitCode ?? (report?.outcome === 'done' ? undefined : report?.exitCode)
  if (code === undefined) return undefined
  const said = report?.message ?? stop?.said ?? `Exit code ${code}`
  switch (judgeExitCode(code)) {
    case 'done':
      return isKindName(job.kind) && !kinds[job.kind].claims
        ? succeeded(stop)
        : lostToInfrastructure(
            'infrastructure',
            stop,
            'Exit code 0, but the worker never reported that it was done',
          )
    case 'fail':
      return { outcome: outcome('failed', stop, said), next: 'fail', counted: 'failed' }
    case 'retry':
      return failed('failed', stop, said)
    case 'infrastructure':
      return lostToInfrastructure('infrastructure', stop, said)
  }
}

const unknown = (stop: Stop | undefined): Verdict =>
  stop === undefined
    ? lostToInfrastructure('lost', stop, 'The task disappeared, and its worker fell silent')
    : lostToInfrastructure('infrastructure', stop, stop.reason || 'Stopped without a reason')

/** The user's rules come last and touch failures only: no rule turns a cancel or a success into something else. */
function applyPolicy(policy: readonly PolicyRule[], judgement: Judgement): Judgement {
  if (judgement.next !== 'retry' && judgement.next !== 'fail') return judgement
  const index = policy.findIndex((candidate) => matches(candidate, judgement.outcome))
  const action = policy[index]?.action
  if (action === undefined) return judgement
  const rule = `failurePolicy[${index}]: ${action}` as const
  switch (action) {
    case 'retry':
      return { ...judgement, rule, next: 'retry', counted: 'failed' }
    case 'fail':
      return { ...judgement, rule, next: 'fail', counted: 'failed' }
    case 'ignore':
      return { ...judgement, rule, next: 'retry', counted: 'infra' }
    default:
      throw action satisfies never
  }
}

function matches(rule: PolicyRule, { exitCode, stopCode, reason }: Outcome): boolean {
  return (
    (rule.exitCodes === undefined || (exitCode !== undefined && rule.exitCodes.includes(exitCode))) &&
    (rule.stopCodes === undefined || (stopCode !== undefined && rule.stopCodes.includes(stopCode))) &&
    (rule.reason === undefined || matchesPattern(rule.reason, reason))
  )
}

/** `*` stands for anything and nothing else is special, so a rule can be neither wrong nor slow. */
function matchesPattern(pattern: string, text: string): boolean {
  const parts = pattern.toLowerCase().split('*')
  const lower = text.toLowerCase()
  const [first = '', ...rest] = parts
  const last = rest.pop()
  if (last === undefined) return lower.includes(first)
  if (!lower.startsWith(first) || !lower.endsWith(last)) return false
  let from = first.length
  for (const part of rest) {
    const at = lower.indexOf(part, from)
    if (at < 0) return false
    from = at + part.length
  }
  return from <= lower.length - last.length
}
