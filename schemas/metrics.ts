/** What the controller tells CloudWatch: alarms, dashboard and the lines of the controller take the names from here. */

type CloudWatchMetric = {
  unit: 'Count' | 'Seconds' | 'None'
  /** How its values of one period belong together; alarms and dashboard show this statistic. */
  statistic: 'Sum' | 'Average' | 'Maximum'
  /** every: each controller says it, also one that stands by. */
  from: 'leader' | 'every'
  /** One sentence for people. */
  meaning: string
}

/**
 * Written once a minute as lines in the embedded metric format (CloudWatch user guide, embedded metric format
 * specification). Every metric has one dimension, the name of the installation.
 */
export const cloudWatch = {
  namespace: 'EcsJobOperator',
  dimension: 'Installation',
  periodS: 60,
  metrics: {
    Launches: {
      unit: 'Count',
      statistic: 'Sum',
      from: 'leader',
      meaning: 'RunTask answered with a task.',
    },
    FailedLaunches: {
      unit: 'Count',
      statistic: 'Sum',
      from: 'leader',
      meaning: 'RunTask refused to start a task, for want of capacity or for good.',
    },
    Throttles: {
      unit: 'Count',
      statistic: 'Sum',
      from: 'leader',
      meaning: 'Answers of any AWS service that said: slower.',
    },
    JobErrors: {
      unit: 'Count',
      statistic: 'Sum',
      from: 'leader',
      meaning: 'Looks at a job that ended with an error; each is tried again by itself.',
    },
    JobsSucceeded: { unit: 'Count', statistic: 'Sum', from: 'leader', meaning: 'Jobs that succeeded.' },
    JobsFailed: {
      unit: 'Count',
      statistic: 'Sum',
      from: 'leader',
      meaning: 'Jobs that failed, at acceptance or after their last attempt; cancelled ones are not counted.',
    },
    JobDuration: {
      unit: 'Seconds',
      statistic: 'Average',
      from: 'leader',
      meaning: 'From the acceptance of a job to its end, one value for each job that ran and ended.',
    },
    OldestPending: {
      unit: 'Seconds',
      statistic: 'Maximum',
      from: 'leader',
      meaning:
        'How long the job that is next in its line has been waiting, of all lines the longest; 0 when all are empty.',
    },
    ReconcileLag: {
      unit: 'Seconds',
      statistic: 'Maximum',
      from: 'leader',
      meaning: 'How late the controller is with the job that it should have looked at first.',
    },
    Leader: {
      unit: 'None',
      statistic: 'Maximum',
      from: 'every',
      meaning:
        '1 from the controller that leads, 0 from one that stands by; a maximum of 0 means nobody leads.',
    },
    PendingJobs: {
      unit: 'Count',
      statistic: 'Maximum',
      from: 'leader',
      meaning: 'Jobs that wait, for whatever reason.',
    },
    RunningJobs: { unit: 'Count', statistic: 'Maximum', from: 'leader', meaning: 'Jobs that have a slot.' },
    UsedVcpu: { unit: 'Count', statistic: 'Maximum', from: 'leader', meaning: 'vCPUs that live jobs take.' },
  },
} as const satisfies {
  namespace: string
  dimension: string
  periodS: number
  metrics: Record<string, CloudWatchMetric>
}

export type MetricName = keyof typeof cloudWatch.metrics
