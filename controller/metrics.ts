import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Status } from '../schemas/status.ts'

export type Metrics = ReturnType<typeof createMetrics>

/** Every metric of the controller, in the manner of controller-runtime. Job ids are never labels: there is no end of them. */
export function createMetrics() {
  const registry = new Registry()
  const registers = [registry]

  const metrics = {
    registry,
    reconciles: new Counter({
      name: 'controller_reconcile_total',
      help: 'Reconciles by result.',
      labelNames: ['result'] as const,
      registers,
    }),
    reconcileSeconds: new Histogram({
      name: 'controller_reconcile_time_seconds',
      help: 'Time of one reconcile.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    actions: new Counter<'action' | 'reason'>({
      name: 'controller_actions_total',
      help: 'Steps decided on, waiting left out.',
      labelNames: ['action', 'reason'],
      registers,
    }),
    workqueueDepth: new Gauge({ name: 'workqueue_depth', help: 'Jobs ready to be reconciled.', registers }),
    workqueueLagSeconds: new Gauge({
      name: 'workqueue_oldest_ready_seconds',
      help: 'How long the oldest ready job has been waiting.',
      registers,
    }),
    jobs: new Gauge<'phase'>({ name: 'jobs', help: 'Jobs by phase.', labelNames: ['phase'], registers }),
    jobsAccepted: new Counter<'kind' | 'phase'>({
      name: 'jobs_accepted_total',
      help: 'Jobs accepted, or failed at acceptance.',
      labelNames: ['kind', 'phase'],
      registers,
    }),
    attemptsEnded: new Counter<'kind' | 'outcome'>({
      name: 'job_attempts_total',
      help: 'Attempts by how they ended.',
      labelNames: ['kind', 'outcome'],
      registers,
    }),
    costUsd: new Counter<'queue' | 'capacity'>({
      name: 'job_cost_usd_total',
      help: 'What attempts cost, estimated, added up as they end.',
      labelNames: ['queue', 'capacity'],
      registers,
    }),
    jobsFinished: new Counter<'kind' | 'phase'>({
      name: 'jobs_finished_total',
      help: 'Jobs by how they ended.',
      labelNames: ['kind', 'phase'],
      registers,
    }),
    jobSeconds: new Histogram<'kind'>({
      name: 'job_duration_seconds',
      help: 'From acceptance to the end.',
      labelNames: ['kind'],
      buckets: [1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400],
      registers,
    }),
    intake: new Counter<'result'>({
      name: 'intake_total',
      help: 'What became of messages.',
      labelNames: ['result'],
      registers,
    }),
    launches: new Counter<'result'>({
      name: 'launches_total',
      help: 'Answers of RunTask: started a task, capacity or permanent refusal, or unanswered.',
      labelNames: ['result'],
      registers,
    }),
    throttles: new Counter<'service'>({
      name: 'aws_throttles_total',
      help: 'Answers of AWS services that said: slower.',
      labelNames: ['service'],
      registers,
    }),
    oldestPendingSeconds: new Gauge({
      name: 'admission_oldest_pending_seconds',
      help: 'How long the job at the head of a line that waits longest has been waiting.',
      registers,
    }),
    usedVcpu: new Gauge({ name: 'admission_used_vcpu', help: 'vCPUs of live jobs.', registers }),
    liveTasks: new Gauge({ name: 'admission_running', help: 'Live jobs.', registers }),
    pollSeconds: new Gauge({
      name: 'poll_duration_seconds',
      help: 'Time of the last look at all tasks.',
      registers,
    }),
    leads: new Gauge({ name: 'leader', help: '1 while this controller leads.', registers }),
    errors: new Counter<'where'>({
      name: 'controller_errors_total',
      help: 'Errors outside of a reconcile.',
      labelNames: ['where'],
      registers,
    }),
  }
  const took: number[] = []
  return {
    ...metrics,

    /** How long a job took, in seconds: for the histogram, and as it is for whoever takes the values. */
    jobTook(kind: string, seconds: number): void {
      metrics.jobSeconds.observe({ kind }, seconds)
      if (took.length < tookKept) took.push(seconds)
    },

    /** What `jobTook` was told since the last call. */
    takeJobSeconds: (): number[] => took.splice(0),

    /** Gauges of the state that the leader publishes. */
    show(status: Status): void {
      for (const [phase, count] of Object.entries(status.phases)) metrics.jobs.set({ phase }, count)
      metrics.workqueueDepth.set(status.workqueue.ready)
      metrics.workqueueLagSeconds.set(status.workqueue.lagMs / 1000)
      metrics.usedVcpu.set(status.limits.vcpu)
      metrics.liveTasks.set(status.limits.running)
    },
  }
}

/** Nobody may ever take them, so there is an end of them: more than jobs can end in a minute. */
const tookKept = 10_000

/** What was decided, of a job with a task or of a pipeline. */
export type Step = { do: string; reason: string }

/** Counts a step; a wait is no step. */
export function countAction(metrics: Metrics, action: Step): void {
  if (action.do !== 'wait' && action.do !== 'nothing')
    metrics.actions.inc({ action: action.do, reason: action.reason })
}
