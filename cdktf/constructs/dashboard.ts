import { CloudwatchDashboard } from '@cdktf/provider-aws/lib/cloudwatch-dashboard/index.js'
import type { CloudwatchMetricAlarm } from '@cdktf/provider-aws/lib/cloudwatch-metric-alarm/index.js'
import { Construct } from 'constructs'
import { cloudWatch, type MetricName } from '../../schemas/metrics.ts'
import type { ResourceNames } from '../../schemas/resources.ts'
import type { Config } from '../schema.ts'

export type DashboardParts = { names: ResourceNames; alarms: readonly CloudwatchMetricAlarm[] }

/** One page: is anything wrong, what is done, what waits, and why. */
export class Dashboard extends Construct {
  readonly url: string

  constructor(scope: Construct, id: string, config: Config, { names, alarms }: DashboardParts) {
    super(scope, id)
    const dashboardName = `${config.installation}-jobs`
    const rows: Widget[][] = [
      [alarmWidget('Alarms', alarms)],
      [
        graph(config, 'Jobs that ended', ['JobsSucceeded', 'JobsFailed']),
        graph(config, 'Jobs now', ['RunningJobs', 'PendingJobs', 'UsedVcpu']),
        graph(config, 'How long (s)', ['JobDuration', 'OldestPending']),
      ],
      [
        graph(config, 'Launches', ['Launches', 'FailedLaunches']),
        graph(config, 'Trouble', ['Throttles', 'JobErrors']),
        graph(config, 'The loop', ['ReconcileLag', 'Leader']),
      ],
      [
        metrics(config, 'Messages', queueDepths(names)),
        metrics(config, 'Oldest message (s)', queueAges(names)),
        metrics(config, 'Controllers (%)', controllerLoad(names)),
      ],
    ]
    new CloudwatchDashboard(this, 'page', {
      dashboardName,
      dashboardBody: JSON.stringify({ widgets: placed(rows) }),
    })
    this.url = `https://${config.region}.console.aws.amazon.com/cloudwatch/home?region=${config.region}#dashboards:name=${dashboardName}`
  }
}

type Widget = { type: 'metric' | 'alarm'; properties: Record<string, unknown> }

const columns = 24
const rowHeight = 6

/** Rows from top to bottom, each as wide as the page. */
const placed = (rows: readonly (readonly Widget[])[]) =>
  rows.flatMap((row, y) =>
    row.map((widget, x) => ({
      ...widget,
      width: columns / row.length,
      height: rowHeight,
      x: (x * columns) / row.length,
      y: y * rowHeight,
    })),
  )

const alarmWidget = (title: string, alarms: readonly CloudwatchMetricAlarm[]): Widget => ({
  type: 'alarm',
  properties: { title, alarms: alarms.map(({ arn }) => arn) },
})

const graph = (config: Config, title: string, names: readonly MetricName[]): Widget =>
  metrics(
    config,
    title,
    names.map((name) => [
      cloudWatch.namespace,
      name,
      cloudWatch.dimension,
      config.installation,
      { stat: cloudWatch.metrics[name].statistic, label: name },
    ]),
  )

const metrics = ({ region }: Config, title: string, lines: readonly unknown[]): Widget => ({
  type: 'metric',
  properties: { title, region, period: 300, view: 'timeSeries', metrics: lines },
})

const queueDepths = (names: ResourceNames) =>
  [names.jobsQueue, names.taskEventsQueue, names.jobsDlq].map((name) => [
    'AWS/SQS',
    'ApproximateNumberOfMessagesVisible',
    'QueueName',
    name,
    { stat: 'Maximum', label: name },
  ])

const queueAges = (names: ResourceNames) =>
  [names.jobsQueue, names.taskEventsQueue].map((name) => [
    'AWS/SQS',
    'ApproximateAgeOfOldestMessage',
    'QueueName',
    name,
    { stat: 'Maximum', label: name },
  ])

const controllerLoad = (names: ResourceNames) =>
  ['CPUUtilization', 'MemoryUtilization'].map((metric) => [
    'AWS/ECS',
    metric,
    'ClusterName',
    names.cluster,
    'ServiceName',
    names.controllerFamily,
    { stat: 'Maximum', label: metric },
  ])
