import type { Block } from '../../support/synthesized.ts'
import { call, list, type Maker, needed, one, pascal, tagList } from '../calls.ts'

const events: Record<string, Maker> = {
  aws_cloudwatch_event_rule: {
    *create(rule) {
      const answer = yield call('events', 'PutRule', {
        Name: rule.name,
        Description: rule.description,
        EventPattern: rule.event_pattern,
        State: 'ENABLED',
        Tags: tagList(rule),
      })
      return { id: rule.name, arn: needed(answer, 'RuleArn') }
    },
    looks: (rule) => [
      {
        call: call('events', 'DescribeRule', { Name: rule.name }),
        at: '',
        wanted: { State: 'ENABLED', Description: rule.description, EventPattern: rule.event_pattern },
      },
    ],
  },

  aws_cloudwatch_event_target: {
    *create(target) {
      yield call('events', 'PutTargets', { Rule: target.rule, Targets: [eventTarget(target)] })
      return {}
    },
    looks: (target) => [
      {
        call: call('events', 'ListTargetsByRule', { Rule: target.rule }),
        at: 'Targets',
        wanted: [eventTarget(target)],
      },
    ],
  },
}

const eventTarget = ({ target_id, arn, dead_letter_config }: Block) => ({
  Id: target_id,
  Arn: arn,
  DeadLetterConfig: pascal(one(dead_letter_config)),
})

const logs: Record<string, Maker> = {
  aws_cloudwatch_log_group: {
    *create({ name, retention_in_days, tags }) {
      yield call('logs', 'CreateLogGroup', { logGroupName: name, tags })
      yield call('logs', 'PutRetentionPolicy', { logGroupName: name, retentionInDays: retention_in_days })
      const answer = yield call('logs', 'DescribeLogGroups', { logGroupNamePrefix: name })
      // Terraform means the group; the API also says the streams in it.
      return { id: name, arn: String(needed(answer, 'logGroups.0.arn')).replace(/:\*$/, '') }
    },
    looks: ({ name, retention_in_days }) => [
      {
        call: call('logs', 'DescribeLogGroups', { logGroupNamePrefix: name }),
        at: 'logGroups',
        wanted: [{ logGroupName: name, retentionInDays: retention_in_days }],
      },
    ],
  },
}

const dimensionList = (dimensions: unknown) =>
  Object.entries(dimensions as Record<string, unknown>).map(([Name, Value]) => ({ Name, Value }))

const metricQuery = ({ metric, ...query }: Block) => {
  if (metric === undefined) return pascal(query)
  const { dimensions, metric_name, namespace, ...stat } = one(metric)
  return {
    ...(pascal(query) as Block),
    MetricStat: {
      Metric: { Namespace: namespace, MetricName: metric_name, Dimensions: dimensionList(dimensions) },
      ...(pascal(stat) as Block),
    },
  }
}

/** Alarms are named alike in both worlds, but for the dimensions and the queries. */
const alarm = ({ dimensions, metric_query, ok_actions, tags: _tags, ...rest }: Block) => ({
  ...(pascal(rest) as Block),
  OKActions: ok_actions,
  ...(dimensions !== undefined && { Dimensions: dimensionList(dimensions) }),
  ...(metric_query !== undefined && { Metrics: list(metric_query).map(metricQuery) }),
})

const alarms: Record<string, Maker> = {
  aws_cloudwatch_metric_alarm: {
    *create(block) {
      yield call('cloudwatch', 'PutMetricAlarm', { ...alarm(block), Tags: tagList(block) })
      const answer = yield call('cloudwatch', 'DescribeAlarms', { AlarmNames: [block.alarm_name] })
      return { id: block.alarm_name, arn: needed(answer, 'MetricAlarms.0.AlarmArn') }
    },
    looks: (block) => [
      {
        call: call('cloudwatch', 'DescribeAlarms', { AlarmNames: [block.alarm_name] }),
        at: 'MetricAlarms',
        wanted: [alarm(block)],
      },
    ],
  },

  aws_cloudwatch_dashboard: {
    *create({ dashboard_name, dashboard_body }) {
      yield call('cloudwatch', 'PutDashboard', {
        DashboardName: dashboard_name,
        DashboardBody: dashboard_body,
      })
      return {}
    },
    looks: ({ dashboard_name, dashboard_body }) => [
      {
        call: call('cloudwatch', 'GetDashboard', { DashboardName: dashboard_name }),
        at: 'DashboardBody',
        wanted: dashboard_body,
      },
    ],
  },

  aws_sns_topic: {
    *create(topic) {
      const answer = yield call('sns', 'CreateTopic', { Name: topic.name, Tags: tagList(topic) })
      const arn = needed(answer, 'TopicArn')
      return { id: arn, arn }
    },
    looks: (_topic, { arn }) => [
      {
        call: call('sns', 'GetTopicAttributes', { TopicArn: arn }),
        at: 'Attributes',
        wanted: { TopicArn: arn },
      },
    ],
  },

  aws_sns_topic_policy: {
    *create({ arn, policy }) {
      yield call('sns', 'SetTopicAttributes', {
        TopicArn: arn,
        AttributeName: 'Policy',
        AttributeValue: policy,
      })
      return {}
    },
    looks: ({ arn, policy }) => [
      {
        call: call('sns', 'GetTopicAttributes', { TopicArn: arn }),
        at: 'Attributes',
        wanted: { Policy: policy },
      },
    ],
  },
}

const budgetOf = (budget: Block) => ({
  BudgetName: budget.name,
  BudgetType: budget.budget_type,
  TimeUnit: budget.time_unit,
  BudgetLimit: { Amount: budget.limit_amount, Unit: budget.limit_unit },
})

const budgetNotification = (block: Block) => {
  const { subscriber_sns_topic_arns: topics, ...notification } = block
  return {
    Notification: pascal(notification),
    Subscribers: (topics as readonly unknown[]).map((Address) => ({ SubscriptionType: 'SNS', Address })),
  }
}

const budgets: Record<string, Maker> = {
  aws_budgets_budget: {
    *create(budget) {
      const caller = yield call('sts', 'GetCallerIdentity')
      const account = needed(caller, 'Account')
      yield call('budgets', 'CreateBudget', {
        AccountId: account,
        Budget: budgetOf(budget),
        NotificationsWithSubscribers: list(budget.notification).map(budgetNotification),
        ResourceTags: tagList(budget),
      })
      return { account }
    },
    looks: (budget, { account }) => [
      {
        call: call('budgets', 'DescribeBudget', { AccountId: account, BudgetName: budget.name }),
        at: 'Budget',
        wanted: budgetOf(budget),
      },
      {
        call: call('budgets', 'DescribeNotificationsForBudget', {
          AccountId: account,
          BudgetName: budget.name,
        }),
        at: 'Notifications',
        wanted: list(budget.notification).map((block) => budgetNotification(block).Notification),
      },
    ],
  },
}

export const watching: Record<string, Maker> = { ...events, ...logs, ...alarms, ...budgets }
