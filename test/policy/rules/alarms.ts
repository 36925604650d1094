import { cloudWatch } from '../../../schemas/metrics.ts'
import { set } from '../mutate.ts'
import { blocksOf, type Resource, refersTo, type Values } from '../stack.ts'
import type { Finding, Rule } from './rule.ts'

/** Metrics of an alarm: its own, or those that it calculates with. */
const metricsOf = ({ values }: Resource): Values[] => [
  ...(values.metric_name === undefined ? [] : [values]),
  ...blocksOf(values.metric_query).flatMap(({ metric }) => blocksOf(metric)),
]

const heard: Rule = {
  name: 'alarms/heard',
  says: 'every alarm tells somebody, and says when it is over',
  check: (stack) =>
    stack.of('aws_cloudwatch_metric_alarm').flatMap(({ address, values }): Finding[] =>
      (['alarm_actions', 'ok_actions'] as const)
        .filter((name) => !stack.of('aws_sns_topic').some((topic) => refersTo(values[name], topic)))
        .map((name) => ({
          address,
          problem: `rings where nobody is: ${name} with the topic of this stack`,
        })),
    ),
  mutants: [
    {
      says: 'nobody',
      change: (json) => set(json, 'aws_cloudwatch_metric_alarm', 'alarm_actions', []),
    },
  ],
}

const explained: Rule = {
  name: 'alarms/explained',
  says: 'every alarm says what it means, and what silence means',
  check: (stack) =>
    stack
      .of('aws_cloudwatch_metric_alarm')
      .flatMap(({ address, values }): Finding[] => [
        ...(String(values.alarm_description ?? '').length < 20
          ? [{ address, problem: 'says nothing to who is woken: alarm_description' }]
          : []),
        ...(values.treat_missing_data === undefined
          ? [{ address, problem: 'leaves open what no data means: treat_missing_data' }]
          : []),
      ]),
  mutants: [
    {
      says: 'no word',
      change: (json) => set(json, 'aws_cloudwatch_metric_alarm', 'alarm_description', ''),
    },
    {
      says: 'silence means nothing',
      change: (json) => set(json, 'aws_cloudwatch_metric_alarm', 'treat_missing_data', undefined),
    },
  ],
}

const known: Rule = {
  name: 'alarms/known',
  says: 'an alarm about the controller watches a metric that the controller writes, as it writes it',
  check: (stack) =>
    stack.of('aws_cloudwatch_metric_alarm').flatMap((alarm): Finding[] =>
      metricsOf(alarm)
        .filter(({ namespace }) => !/^AWS\//.test(String(namespace)))
        .filter(
          ({ namespace, metric_name, dimensions }) =>
            namespace !== cloudWatch.namespace ||
            !Object.hasOwn(cloudWatch.metrics, String(metric_name)) ||
            Object.keys((dimensions ?? {}) as Values).join() !== cloudWatch.dimension,
        )
        .map(({ namespace, metric_name }) => ({
          address: alarm.address,
          problem: `watches ${namespace}/${metric_name}, which nobody writes: schemas/metrics.ts has the names`,
        })),
    ),
  mutants: [
    {
      says: 'a metric that there is not',
      change: (json) =>
        set(
          json,
          'aws_cloudwatch_metric_alarm',
          'metric_name',
          'Throttled',
          (_id, values) => values.metric_name === 'Throttles',
        ),
    },
    {
      says: 'one dimension more',
      change: (json) =>
        set(
          json,
          'aws_cloudwatch_metric_alarm',
          'dimensions',
          { Installation: 'prod', Controller: 'a' },
          (_id, values) => values.metric_name === 'Throttles',
        ),
    },
  ],
}

const silence: Rule = {
  name: 'alarms/silence',
  says: 'a controller that says nothing any more is noticed',
  check: (stack) => {
    const watchers = stack
      .of('aws_cloudwatch_metric_alarm')
      .filter(({ values }) => values.metric_name === 'Leader' && values.treat_missing_data === 'breaching')
    return stack
      .of('aws_ecs_service')
      .filter(() => watchers.length === 0)
      .map(({ address }) => ({
        address,
        problem: 'could be gone for days: an alarm on Leader whose missing data is breaching',
      }))
  },
  mutants: [
    {
      says: 'silence is well',
      change: (json) =>
        set(
          json,
          'aws_cloudwatch_metric_alarm',
          'treat_missing_data',
          'notBreaching',
          (_id, values) => values.metric_name === 'Leader',
        ),
    },
  ],
}

const deadLetters: Rule = {
  name: 'alarms/deadLetters',
  says: 'what lies in a dead-letter queue is noticed',
  check: (stack) =>
    stack
      .of('aws_sqs_queue')
      .filter((queue) =>
        stack
          .of('aws_sqs_queue', 'aws_cloudwatch_event_target')
          .some(({ values }) => refersTo([values.redrive_policy, values.dead_letter_config], queue)),
      )
      .filter(
        (queue) =>
          !stack.of('aws_cloudwatch_metric_alarm').some(
            (alarm) =>
              Number(alarm.values.threshold) <= 1 &&
              metricsOf(alarm).some(({ metric_name, dimensions }) => {
                const [{ QueueName: name } = {}] = blocksOf(dimensions)
                return (
                  metric_name === 'ApproximateNumberOfMessagesVisible' &&
                  (name === queue.values.name || refersTo(name, queue))
                )
              }),
          ),
      )
      .map(({ address }) => ({ address, problem: 'fills without a word: an alarm on its visible messages' })),
  mutants: [
    {
      says: 'another queue is watched',
      change: (json) =>
        set(
          json,
          'aws_cloudwatch_metric_alarm',
          'dimensions.QueueName',
          'elsewhere',
          (_id, values) => values.metric_name === 'ApproximateNumberOfMessagesVisible',
        ),
    },
  ],
}

const budget: Rule = {
  name: 'alarms/budget',
  says: 'a budget tells somebody before the money is spent',
  check: (stack) =>
    stack.of('aws_budgets_budget').flatMap(({ address, values }): Finding[] => {
      const notifications = blocksOf(values.notification)
      const isHeard = notifications.some(
        (one) =>
          Number(one.threshold) <= 100 &&
          (stack.of('aws_sns_topic').some((topic) => refersTo(one.subscriber_sns_topic_arns, topic)) ||
            [one.subscriber_email_addresses ?? []].flat().length > 0),
      )
      return isHeard
        ? []
        : [{ address, problem: 'tells nobody: a notification at 100 % or less with a subscriber' }]
    }),
  mutants: [{ says: 'nobody', change: (json) => set(json, 'aws_budgets_budget', 'notification', []) }],
}

export const alarmRules: Rule[] = [heard, explained, known, silence, deadLetters, budget]
