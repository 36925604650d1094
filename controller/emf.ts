import { cloudWatch, type MetricName } from '../schemas/metrics.ts'

/** Metrics that only grow; CloudWatch gets how much they grew. */
export const counterNames = [
  'Launches',
  'FailedLaunches',
  'Throttles',
  'JobErrors',
  'JobsSucceeded',
  'JobsFailed',
] as const satisfies readonly MetricName[]

/** Metrics that are as they are at the moment. */
export const gaugeNames = [
  'OldestPending',
  'ReconcileLag',
  'PendingJobs',
  'RunningJobs',
  'UsedVcpu',
] as const satisfies readonly MetricName[]

type Counter = (typeof counterNames)[number]
type Gauge = (typeof gaugeNames)[number]

/** The metrics of this process at one moment. */
export type Snapshot = {
  leads: boolean
  /** Since the process began. */
  counters: Readonly<Record<Counter, number>>
  gauges: Readonly<Record<Gauge, number>>
  /** Of the jobs that ended since the snapshot before, in seconds. */
  durationsS: readonly number[]
}

export const emptySnapshot: Snapshot = {
  leads: false,
  counters: { Launches: 0, FailedLaunches: 0, Throttles: 0, JobErrors: 0, JobsSucceeded: 0, JobsFailed: 0 },
  gauges: { OldestPending: 0, ReconcileLag: 0, PendingJobs: 0, RunningJobs: 0, UsedVcpu: 0 },
  durationsS: [],
}

type Values = Partial<Record<MetricName, number | number[]>>

/**
 * What happened between two snapshots, as one object in the embedded metric format (CloudWatch user guide, embedded metric
 * format specification). Every controller says whether it leads; the rest is the leader's, up to the moment at which it
 * ceased to be.
 */
export function emfOf(
  before: Snapshot,
  now: Snapshot,
  installation: string,
  nowMs: number,
): Record<string, unknown> {
  const { namespace, dimension, metrics } = cloudWatch
  const values: Values = {
    Leader: now.leads ? 1 : 0,
    ...(before.leads || now.leads ? happened(before, now) : {}),
    ...(now.leads ? now.gauges : {}),
  }
  return {
    _aws: {
      Timestamp: nowMs,
      CloudWatchMetrics: [
        {
          Namespace: namespace,
          Dimensions: [[dimension]],
          Metrics: (Object.keys(values) as MetricName[]).map((name) => ({
            Name: name,
            Unit: metrics[name].unit,
          })),
        },
      ],
    },
    [dimension]: installation,
    ...values,
  }
}

function happened(before: Snapshot, now: Snapshot): Values {
  const counts = counterNames.map((name) => [name, now.counters[name] - before.counters[name]] as const)
  return {
    ...Object.fromEntries(counts),
    // A metric without a value is none.
    ...(now.durationsS.length > 0 ? { JobDuration: sample(now.durationsS) } : {}),
  }
}

/** One metric of a line has at most so many values. */
const valuesAtMost = 100

/** All of them, or a hundred that are spread like all of them, with the shortest and the longest. */
function sample(values: readonly number[]): number[] {
  if (values.length <= valuesAtMost) return [...values]
  const sorted = [...values].sort((a, b) => a - b)
  const step = (sorted.length - 1) / (valuesAtMost - 1)
  return Array.from({ length: valuesAtMost }, (_, index) => sorted[Math.round(index * step)] ?? 0)
}
