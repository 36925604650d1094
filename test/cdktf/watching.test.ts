import { BudgetsBudget } from '@cdktf/provider-aws/lib/budgets-budget/index.js'
import { CloudwatchLogGroup } from '@cdktf/provider-aws/lib/cloudwatch-log-group/index.js'
import { CloudwatchMetricAlarm } from '@cdktf/provider-aws/lib/cloudwatch-metric-alarm/index.js'
import { SnsTopicSubscription } from '@cdktf/provider-aws/lib/sns-topic-subscription/index.js'
import { describe, expect, test } from 'vitest'
import './matchers.ts'
import { cloudWatch } from '../../schemas/metrics.ts'
import { type Block, blocks, synthesized, synthesizedText } from '../support/synthesized.ts'

const stack = synthesized('dev')
const alarms = blocks(stack, 'aws_cloudwatch_metric_alarm')
const alarm = (name: string): Block => alarms.find((one) => one.alarm_name === `dev-${name}`) ?? {}

describe('every alarm', () => {
  test('says in a sentence what is wrong, and tells somebody, also when it is over', () => {
    expect(alarms.length).toBeGreaterThanOrEqual(10)
    for (const one of alarms) {
      expect(one.alarm_description).toMatch(/^[A-Z].{30,}\.$/)
      expect(one.alarm_actions).toEqual([expect.stringContaining('aws_sns_topic.alarms_topic_')])
      expect(one.ok_actions).toEqual(one.alarm_actions)
    }
  })

  test('of ours watches a metric of the controller as the controller writes it', () => {
    const watched = alarms.filter(({ namespace }) => namespace === cloudWatch.namespace)
    expect(watched.length).toBeGreaterThanOrEqual(5)
    for (const { metric_name: name, statistic, dimensions, period } of watched) {
      const metric = Object.entries(cloudWatch.metrics).find(([one]) => one === name)?.[1]
      expect(statistic).toBe(metric?.statistic)
      expect(dimensions).toEqual({ [cloudWatch.dimension]: 'dev' })
      expect(Number(period) % cloudWatch.periodS).toBe(0)
    }
  })
})

describe('the alarm', () => {
  test('for want of a leader also counts silence, once there are images', () => {
    expect(alarm('nobody-leads')).toMatchObject({
      metric_name: 'Leader',
      statistic: 'Maximum',
      comparison_operator: 'LessThanThreshold',
      threshold: 1,
      evaluation_periods: 5,
      treat_missing_data: 'breaching',
      actions_enabled: expect.stringMatching(/insecure_value == "none".* \? false : true\}$/),
    })
  })

  test('for dead letters comes with the first one', () => {
    expect(alarm('dead-letters')).toMatchObject({
      namespace: 'AWS/SQS',
      metric_name: 'ApproximateNumberOfMessagesVisible',
      dimensions: { QueueName: 'dev-jobs-dlq' },
      comparison_operator: 'GreaterThanThreshold',
      threshold: 0,
      evaluation_periods: 1,
    })
  })

  test('for long waits comes when the environment says it is long', () => {
    expect(alarm('jobs-wait-long')).toMatchObject({ metric_name: 'OldestPending', threshold: 3600 })
    const prod = synthesizedText('prod')
    expect(prod).toHaveResourceWithProperties(CloudwatchMetricAlarm, {
      alarm_name: 'prod-jobs-wait-long',
      threshold: 1800,
    })
  })

  test('for failed jobs looks at their share, and only where there are many', () => {
    expect(alarm('jobs-fail')).toMatchObject({
      threshold: 0.5,
      metric_query: expect.arrayContaining([
        expect.objectContaining({ id: 'failed', return_data: false }),
        expect.objectContaining({
          id: 'share',
          return_data: true,
          expression: expect.stringContaining('>= 10'),
        }),
      ]),
    })
  })
})

describe('who hears of it', () => {
  test('whoever gave an address', () => {
    expect(synthesizedText('dev', { ALARM_EMAIL: 'ops@example.org' })).toHaveResourceWithProperties(
      SnsTopicSubscription,
      { protocol: 'email', endpoint: 'ops@example.org' },
    )
    expect(blocks(stack, 'aws_sns_topic_subscription')).toEqual([])
  })

  test('only our alarms and budgets of this account may speak to the topic', () => {
    const [policy] = blocks(stack, 'aws_sns_topic_policy')
    const { Statement } = JSON.parse(String(policy?.policy)) as { Statement: Block[] }
    expect(Statement).toEqual([
      expect.objectContaining({
        Principal: { Service: 'cloudwatch.amazonaws.com' },
        Condition: {
          ArnLike: { 'aws:SourceArn': expect.stringMatching(/:alarm:dev-\*$/) },
          StringEquals: { 'aws:SourceAccount': expect.stringContaining('account_id') },
        },
      }),
      expect.objectContaining({
        Principal: { Service: 'budgets.amazonaws.com' },
        Condition: {
          ArnLike: { 'aws:SourceArn': expect.stringMatching(/:budgets::.*:\*$/) },
          StringEquals: { 'aws:SourceAccount': expect.stringContaining('account_id') },
        },
      }),
      expect.objectContaining({
        Effect: 'Deny',
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      }),
    ])
  })

  test('of money, before it is spent', () => {
    expect(synthesizedText('dev', { MONTHLY_BUDGET_USD: '75' })).toHaveResourceWithProperties(BudgetsBudget, {
      limit_amount: '75',
      limit_unit: 'USD',
      time_unit: 'MONTHLY',
      notification: [
        expect.objectContaining({ notification_type: 'ACTUAL', threshold: 80 }),
        expect.objectContaining({ notification_type: 'ACTUAL', threshold: 100 }),
        expect.objectContaining({ notification_type: 'FORECASTED', threshold: 100 }),
      ],
    })
  })
})

test.each([
  ['dev', 14],
  ['prod', 90],
])('logs of %s are kept for %i days', (environment, days) => {
  for (const name of ['tasks', 'controller'])
    expect(synthesizedText(environment)).toHaveResourceWithProperties(CloudwatchLogGroup, {
      name: `${environment}-${name}`,
      retention_in_days: days,
    })
})

test('the dashboard shows every alarm and every metric of the controller', () => {
  const [dashboard] = blocks(stack, 'aws_cloudwatch_dashboard')
  const { widgets } = JSON.parse(String(dashboard?.dashboard_body)) as {
    widgets: { type: string; x: number; y: number; width: number; properties: Block }[]
  }
  const [board] = widgets.filter(({ type }) => type === 'alarm')
  expect(board?.properties.alarms).toHaveLength(alarms.length)
  const shown = widgets.flatMap(({ properties }) => (properties.metrics as string[][] | undefined) ?? [])
  const own = shown.filter(([namespace]) => namespace === cloudWatch.namespace).map(([, name]) => name)
  expect(new Set(own)).toEqual(new Set(Object.keys(cloudWatch.metrics)))
  for (const { x, width } of widgets) expect(x + width).toBeLessThanOrEqual(24)
  const places = widgets.map(({ x, y }) => `${x},${y}`)
  expect(new Set(places).size).toBe(places.length)
})
