import { cloudWatch } from '../schemas/metrics.ts'
import type { Clock } from './clock.ts'
import { emfOf, emptySnapshot, type Snapshot } from './emf.ts'
import type { Metrics } from './metrics.ts'

export type EmfPorts = {
  metrics: Metrics
  installation: string
  clock: Clock
  /** Takes one line, its end included. */
  write: (line: string) => void
  /** Default: a minute. */
  periodMs?: number | undefined
}

/**
 * Writes the metrics for CloudWatch, one line a minute. It is no log line: whatever stood before or after the object would
 * make CloudWatch take it for text.
 * @returns ends it, with a last line for what happened since the one before
 */
export function writeEmf(ports: EmfPorts): () => Promise<void> {
  const { metrics, installation, clock, write, periodMs = cloudWatch.periodS * 1000 } = ports
  const stopping = new AbortController()
  let before = emptySnapshot

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await clock.sleep(periodMs, stopping.signal)
      const now = await takeSnapshot(metrics)
      write(`${JSON.stringify(emfOf(before, now, installation, clock.nowMs()))}\n`)
      before = now
    }
  }
  const ended = run()

  return () => {
    stopping.abort()
    return ended
  }
}

type Series = { get(): Promise<{ values: { value: number; labels: object }[] }> }

/** The sum of all series of a metric that have these labels. */
async function sumOf(series: Series, labels: Readonly<Record<string, string>> = {}): Promise<number> {
  const { values } = await series.get()
  const wanted = Object.entries(labels)
  return values
    .filter(({ labels: has }) =>
      wanted.every(([name, value]) => new Map<string, unknown>(Object.entries(has)).get(name) === value),
    )
    .reduce((sum, { value }) => sum + value, 0)
}

/** Reads the metrics that `/metrics` shows; the durations are taken, so each is told once. */
async function takeSnapshot(metrics: Metrics): Promise<Snapshot> {
  const { launches, jobsFinished, jobsAccepted, jobs } = metrics
  return {
    leads: (await sumOf(metrics.leads)) === 1,
    counters: {
      Launches: await sumOf(launches, { result: 'started' }),
      FailedLaunches:
        (await sumOf(launches, { result: 'capacity' })) + (await sumOf(launches, { result: 'permanent' })),
      Throttles: await sumOf(metrics.throttles),
      JobErrors: await sumOf(metrics.reconciles, { result: 'error' }),
      JobsSucceeded: await sumOf(jobsFinished, { phase: 'Succeeded' }),
      JobsFailed:
        (await sumOf(jobsFinished, { phase: 'Failed' })) + (await sumOf(jobsAccepted, { phase: 'Failed' })),
    },
    gauges: {
      OldestPending: await sumOf(metrics.oldestPendingSeconds),
      ReconcileLag: await sumOf(metrics.workqueueLagSeconds),
      PendingJobs: await sumOf(jobs, { phase: 'Pending' }),
      RunningJobs: await sumOf(metrics.liveTasks),
      UsedVcpu: await sumOf(metrics.usedVcpu),
    },
    durationsS: metrics.takeJobSeconds(),
  }
}
