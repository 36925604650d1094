import { CloudwatchMetricAlarm } from '@cdktf/provider-aws/lib/cloudwatch-metric-alarm/index.js'
import { SnsTopic } from '@cdktf/provider-aws/lib/sns-topic/index.js'
import { SnsTopicPolicy } from '@cdktf/provider-aws/lib/sns-topic-policy/index.js'
import { SnsTopicSubscription } from '@cdktf/provider-aws/lib/sns-topic-subscription/index.js'
import { Construct } from 'constructs'
import { cloudWatch, type MetricName } from '../../schemas/metrics.ts'
import type { ResourceNames } from '../../schemas/resources.ts'
import type { Config } from '../schema.ts'
import type { Account } from './account.ts'
import type { Images } from './images.ts'
import { policyDocument } from './policy.ts'

export type AlarmParts = { account: Account; names: ResourceNames; images: Images }

/** Every alarm means that somebody has to look; docs/runbook.md says at what. */
export class Alarms extends Construct {
  readonly topic: SnsTopic
  readonly alarms: readonly CloudwatchMetricAlarm[]

  constructor(scope: Construct, id: string, config: Config, { account, names, images }: AlarmParts) {
    super(scope, id)
    this.topic = new SnsTopic(this, 'topic', { name: `${config.installation}-alarms` })
    new SnsTopicPolicy(this, 'topic-policy', {
      arn: this.topic.arn,
      policy: topicPolicy(this.topic, config, account),
    })
    if (config.alarmEmail !== undefined)
      new SnsTopicSubscription(this, 'email', {
        topicArn: this.topic.arn,
        protocol: 'email',
        endpoint: config.alarmEmail,
      })
    this.alarms = alarmsOf(config, names).map(
      ({ id: name, meaning, watch, missing = 'notBreaching', needsImages = false, ...rule }) =>
        new CloudwatchMetricAlarm(this, name, {
          alarmName: `${config.installation}-${name}`,
          alarmDescription: meaning,
          ...watch,
          ...rule,
          treatMissingData: missing,
          // Before the first image is there nothing runs, and that is no news.
          ...(needsImages && { actionsEnabled: images.onceThere(true, false) }),
          alarmActions: [this.topic.arn],
          okActions: [this.topic.arn],
        }),
    )
  }
}

type Alarm = {
  id: string
  meaning: string
  watch: Watch
  comparisonOperator: 'GreaterThanThreshold' | 'GreaterThanOrEqualToThreshold' | 'LessThanThreshold'
  threshold: number
  /** How many periods in a row it has to be so. */
  evaluationPeriods: number
  missing?: 'notBreaching' | 'breaching'
  needsImages?: boolean
}

type Watch =
  | {
      namespace: string
      metricName: string
      dimensions: Record<string, string>
      statistic: string
      period: number
    }
  | {
      metricQuery: { id: string; returnData: boolean; expression?: string; label?: string; metric?: Metric }[]
    }
type Metric = {
  namespace: string
  metricName: string
  dimensions: Record<string, string>
  stat: string
  period: number
}

const fiveMinutesS = 300

export const alarmsOf = (
  { installation, oldestPendingMinutes }: Pick<Config, 'installation' | 'oldestPendingMinutes'>,
  names: ResourceNames,
): readonly Alarm[] => [
  {
    id: 'dead-letters',
    meaning:
      'Something lies in the dead-letter queue: a message that nobody can read, or an event that could not be delivered.',
    watch: queue(names.jobsDlq, 'ApproximateNumberOfMessagesVisible', cloudWatch.periodS),
    comparisonOperator: 'GreaterThanThreshold',
    threshold: 0,
    evaluationPeriods: 1,
  },
  {
    id: 'nobody-leads',
    meaning: 'No controller leads: nothing is launched, watched or stopped.',
    watch: own(installation, 'Leader', cloudWatch.periodS),
    comparisonOperator: 'LessThanThreshold',
    threshold: 1,
    evaluationPeriods: 5,
    missing: 'breaching',
    needsImages: true,
  },
  {
    id: 'requests-wait',
    meaning:
      'Job requests and uploads have been waiting in their queue for 15 minutes: nobody reads them, or they cannot be stored.',
    watch: queue(names.jobsQueue, 'ApproximateAgeOfOldestMessage', fiveMinutesS),
    comparisonOperator: 'GreaterThanThreshold',
    threshold: 600,
    evaluationPeriods: 2,
    needsImages: true,
  },
  {
    id: 'task-events-wait',
    meaning: 'Task events have been waiting for 15 minutes: polls still find out everything, later.',
    watch: queue(names.taskEventsQueue, 'ApproximateAgeOfOldestMessage', fiveMinutesS),
    comparisonOperator: 'GreaterThanThreshold',
    threshold: 600,
    evaluationPeriods: 2,
    needsImages: true,
  },
  {
    id: 'jobs-wait-long',
    meaning: `A job that is next in its line has been waiting for more than ${oldestPendingMinutes} minutes: limits or quotas are too small, or there is no capacity.`,
    watch: own(installation, 'OldestPending', fiveMinutesS),
    comparisonOperator: 'GreaterThanThreshold',
    threshold: oldestPendingMinutes * 60,
    evaluationPeriods: 3,
  },
  {
    id: 'reconcile-late',
    meaning:
      'The controller is more than five minutes late with a job: it is too small, or a service it calls is slow.',
    watch: own(installation, 'ReconcileLag', fiveMinutesS),
    comparisonOperator: 'GreaterThanThreshold',
    threshold: fiveMinutesS,
    evaluationPeriods: 3,
  },
  {
    id: 'launches-fail',
    meaning:
      'ECS has been refusing to start tasks for 15 minutes: capacity, quota, or a task definition that cannot be used.',
    watch: own(installation, 'FailedLaunches', fiveMinutesS),
    comparisonOperator: 'GreaterThanOrEqualToThreshold',
    threshold: 10,
    evaluationPeriods: 3,
  },
  {
    id: 'throttled',
    meaning:
      'AWS has been telling the controller to slow down for 15 minutes: something else uses the same account, or a quota is low.',
    watch: own(installation, 'Throttles', fiveMinutesS),
    comparisonOperator: 'GreaterThanOrEqualToThreshold',
    threshold: 100,
    evaluationPeriods: 3,
  },
  {
    id: 'job-errors',
    meaning:
      'Looks at jobs have been ending with errors for 15 minutes: a permission that is missing, or a fault of ours.',
    watch: own(installation, 'JobErrors', fiveMinutesS),
    comparisonOperator: 'GreaterThanOrEqualToThreshold',
    threshold: 20,
    evaluationPeriods: 3,
  },
  {
    id: 'jobs-fail',
    meaning:
      'Half of all jobs that end fail, ten or more in half an hour: the worker image, or what it reads, is broken.',
    watch: failedShare(installation, 1800),
    comparisonOperator: 'GreaterThanOrEqualToThreshold',
    threshold: 0.5,
    evaluationPeriods: 1,
  },
  {
    id: 'controller-memory',
    meaning: 'Controllers use more than 85 % of their memory and will be killed before long.',
    watch: {
      namespace: 'AWS/ECS',
      metricName: 'MemoryUtilization',
      dimensions: { ClusterName: names.cluster, ServiceName: names.controllerFamily },
      statistic: 'Maximum',
      period: fiveMinutesS,
    },
    comparisonOperator: 'GreaterThanThreshold',
    threshold: 85,
    evaluationPeriods: 3,
  },
]

const own = (installation: string, metricName: MetricName, period: number) => ({
  namespace: cloudWatch.namespace,
  metricName,
  dimensions: { [cloudWatch.dimension]: installation },
  statistic: cloudWatch.metrics[metricName].statistic,
  period,
})

const queue = (QueueName: string, metricName: string, period: number) => ({
  namespace: 'AWS/SQS',
  metricName,
  dimensions: { QueueName },
  statistic: 'Maximum',
  period,
})

/** Few failures are the users' own; a share of them is only news when there are many. */
const failedShare = (installation: string, period: number): Watch => {
  const counted = (id: string, metricName: MetricName) => {
    const { statistic, ...metric } = own(installation, metricName, period)
    return { id, returnData: false, metric: { ...metric, stat: statistic } }
  }
  return {
    metricQuery: [
      counted('failed', 'JobsFailed'),
      counted('succeeded', 'JobsSucceeded'),
      {
        id: 'share',
        returnData: true,
        label: 'Share of failed jobs',
        expression: 'IF(FILL(failed, 0) >= 10, failed / (failed + FILL(succeeded, 0)), 0)',
      },
    ],
  }
}

const topicPolicy = (topic: SnsTopic, { installation }: Config, account: Account): string =>
  policyDocument([
    {
      sid: 'FromAlarms',
      principals: { service: 'cloudwatch.amazonaws.com' },
      actions: ['sns:Publish'],
      resources: [topic.arn],
      conditions: {
        ArnLike: { 'aws:SourceArn': account.arn('cloudwatch', `alarm:${installation}-*`) },
        StringEquals: { 'aws:SourceAccount': account.id },
      },
    },
    {
      sid: 'FromBudgets',
      principals: { service: 'budgets.amazonaws.com' },
      actions: ['sns:Publish'],
      resources: [topic.arn],
      conditions: {
        ArnLike: { 'aws:SourceArn': `arn:${account.partition}:budgets::${account.id}:*` },
        StringEquals: { 'aws:SourceAccount': account.id },
      },
    },
    {
      sid: 'OnlyOverTls',
      effect: 'Deny',
      principals: '*',
      actions: ['sns:Publish'],
      resources: [topic.arn],
      conditions: { Bool: { 'aws:SecureTransport': 'false' } },
    },
  ])
