import { type Attempt, isTerminal, type Job, type Phase, phases } from '../schemas/job.ts'
import { isKindName } from '../schemas/kinds/index.ts'
import type { DayCost } from '../schemas/status.ts'
import type { Clock } from './clock.ts'
import { createCosts } from './costs.ts'
import type { Logger } from './log.ts'
import { countAction, type Metrics, type Step } from './metrics.ts'
import { NotLeading } from './not-leading.ts'
import type { Action } from './reconcile/decide.ts'
import type { Accepted } from './reconcile/reconcile.ts'
import type { RunAnswer } from './run/answers.ts'
import type { PhaseCounts } from './sweep.ts'

export type Journal = ReturnType<typeof createJournal>

const quietActions: ReadonlySet<string> = new Set(['wait', 'nothing', 'look'] satisfies Action['do'][])

/**
 * What is told about what happens: log lines, metrics, and the counts and costs that the status shows. It decides nothing.
 * @param costsBefore what the leader before published
 */
export function createJournal(log: Logger, metrics: Metrics, clock: Clock, costsBefore?: readonly DayCost[]) {
  const costs = createCosts(clock.nowMs, costsBefore)
  const counts: PhaseCounts = new Map(phases.map((phase) => [phase, 0]))
  const intake: Record<string, number> = {}

  function moved(from: unknown, to: Phase | undefined): void {
    if (to === undefined || from === to) return
    const was = counts.get(String(from))
    // Submitted is counted by looking, since users write it.
    if (was !== undefined && from !== 'Submitted') counts.set(String(from), Math.max(0, was - 1))
    counts.set(to, (counts.get(to) ?? 0) + 1)
  }

  return {
    counts,
    costs,
    intake,
    moved,

    /** Something failed that will be tried again by itself. */
    failed:
      (where: string) =>
      (error: unknown): void => {
        if (error instanceof NotLeading) return
        metrics.errors.inc({ where })
        log.error({ err: error, where }, 'failed; will be tried again')
      },

    reconciled(result: 'ok' | 'lostRace' | 'error'): void {
      metrics.reconciles.inc({ result })
    },

    reconcileFailed(jobId: string, error: unknown, failures: number): void {
      metrics.reconciles.inc({ result: 'error' })
      log.error({ err: error, jobId, failures }, `reconcile ${jobId} failed; will be tried again`)
    },

    step(jobId: string, fence: string | undefined, action: Step): void {
      countAction(metrics, action)
      const { do: name, reason } = action
      log[quietActions.has(name) ? 'debug' : 'info'](
        { jobId, fence, action: name, reason },
        `${name} ${jobId}: ${reason}`,
      )
    },

    /** RunTask was sent; an answer that says whether a task runs may be missing. */
    launched(jobId: string, answer: RunAnswer): void {
      metrics.launches.inc({ result: resultOf(answer) })
      if (answer.is === 'unknown')
        log.warn(
          { jobId, action: 'runTask', reason: answer.reason },
          `runTask ${jobId}: no answer yet, will be sent again`,
        )
    },

    accepted({ jobId, kind, from, phase, reason, message }: Accepted): void {
      moved(from, phase)
      metrics.jobsAccepted.inc({ kind: isKindName(kind) ? kind : 'unknown', phase })
      log.info({ jobId, action: 'accept', reason, message }, `accept ${jobId}: ${reason}`)
    },

    settled(job: Job, phase: Phase, outcome: string, ended: Attempt | undefined): void {
      const { kind, acceptedAt } = job
      if (ended) {
        costs.settled(job, ended)
        const { capacity, costUsd = 0 } = ended
        metrics.costUsd.inc({ queue: job.settings.queue, capacity }, costUsd)
      }
      if (outcome !== 'none') metrics.attemptsEnded.inc({ kind, outcome })
      if (!isTerminal(phase)) return
      metrics.jobsFinished.inc({ kind, phase })
      metrics.jobTook(kind, (clock.nowMs() - Date.parse(acceptedAt)) / 1000)
    },

    /** What became of a message. */
    received(result: string): void {
      intake[result] = (intake[result] ?? 0) + 1
      metrics.intake.inc({ result })
    },

    counted(recount: PhaseCounts): void {
      for (const [phase, count] of recount) counts.set(phase, count)
    },
  }
}

function resultOf(answer: RunAnswer): string {
  switch (answer.is) {
    case 'task':
      return 'started'
    case 'refused':
      return answer.kind
    case 'unknown':
      return 'unanswered'
    default:
      throw answer satisfies never
  }
}
