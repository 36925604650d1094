import { edit, set } from '../mutate.ts'
import { referencesIn, refersTo, type Stack } from '../stack.ts'
import type { Finding, Rule } from './rule.ts'

const kept: Rule = {
  name: 'events/kept',
  says: 'an event that cannot be delivered is kept',
  check: (stack) =>
    stack
      .of('aws_cloudwatch_event_target')
      .filter(
        ({ values }) =>
          !stack.of('aws_sqs_queue').some((queue) => refersTo(values.dead_letter_config, queue)),
      )
      .map(({ address }) => ({ address, problem: 'loses events without a word: dead_letter_config' })),
  mutants: [
    {
      says: 'lost',
      change: (json) => set(json, 'aws_cloudwatch_event_target', 'dead_letter_config', undefined),
    },
  ],
}

/** Whether a service may send to this queue on behalf of this source. */
const lets = (stack: Stack, queue: string, service: string, source: string): boolean =>
  stack.policies
    .filter(({ of, kind }) => kind === 'resource' && of.includes(queue))
    .flatMap(({ statements }) => statements)
    .some(
      ({ effect, principals, conditions }) =>
        effect === 'Allow' &&
        principals.Service?.includes(service) &&
        Object.values(conditions).some((keys) => referencesIn(keys['aws:sourcearn'] ?? []).includes(source)),
    )

const queuesIn = (stack: Stack, value: unknown) =>
  stack.of('aws_sqs_queue').filter((queue) => refersTo(value, queue))

const delivered: Rule = {
  name: 'events/delivered',
  says: 'whoever sends to a queue is let in by it, for events and for what could not be delivered',
  check: (stack) => [
    ...stack.of('aws_cloudwatch_event_target').flatMap((target): Finding[] => {
      const [rule] = stack.of('aws_cloudwatch_event_rule').filter((one) => refersTo(target.values.rule, one))
      return [...queuesIn(stack, target.values.arn), ...queuesIn(stack, target.values.dead_letter_config)]
        .filter((queue) => !lets(stack, queue.address, 'events.amazonaws.com', rule?.address ?? ''))
        .map((queue) => ({
          address: queue.address,
          problem: `refuses events of ${rule?.address}: its policy must name the rule`,
        }))
    }),
    ...stack.of('aws_s3_bucket_notification').flatMap((notification): Finding[] => {
      const [bucket] = stack.of('aws_s3_bucket').filter((one) => refersTo(notification.values.bucket, one))
      return queuesIn(stack, notification.values.queue)
        .filter((queue) => !lets(stack, queue.address, 's3.amazonaws.com', bucket?.address ?? ''))
        .map((queue) => ({
          address: queue.address,
          problem: `refuses uploads of ${bucket?.address}: its policy must name the bucket`,
        }))
    }),
  ],
  mutants: [
    {
      says: 'the queue lets another rule in',
      change: (json) => {
        for (const values of Object.values(json.resource?.aws_sqs_queue_policy ?? {}))
          values.policy = String(values.policy).replaceAll(
            /\$\{aws_cloudwatch_event_rule\.events_tasks-rule_\w+\.arn\}/g,
            'arn:aws:events:us-east-1:123456789012:rule/x',
          )
      },
    },
    {
      says: 'the queue lets another bucket in',
      change: (json) => {
        for (const values of Object.values(json.resource?.aws_sqs_queue_policy ?? {}))
          values.policy = String(values.policy).replaceAll(
            /\$\{aws_s3_bucket\.buckets_uploads_\w+\.arn\}/g,
            'arn:aws:s3:::elsewhere',
          )
      },
    },
  ],
}

const ordered: Rule = {
  name: 'events/ordered',
  says: 'a bucket is told to notify a queue only once the queue lets it',
  check: (stack) =>
    stack
      .of('aws_s3_bucket_notification')
      .filter(({ values }) => {
        const waitsFor = [values.depends_on ?? []].flat()
        const needed = stack.policies.filter(({ of }) =>
          queuesIn(stack, values.queue).some(({ address }) => of.includes(address)),
        )
        return needed.some(({ address }) => !waitsFor.includes(address))
      })
      .map(({ address }) => ({
        address,
        problem: 'is refused by S3 in an empty account: depends_on the queue policy',
      })),
  mutants: [
    {
      says: 'at once',
      change: (json) => set(json, 'aws_s3_bucket_notification', 'depends_on', undefined),
    },
  ],
}

/** `.MP4` is `.mp4` to people, and S3 filters tell them apart. */
const unfiltered: Rule = {
  name: 'events/unfiltered',
  says: 'every upload is told of, however its name ends',
  check: (stack) =>
    stack
      .of('aws_s3_bucket_notification')
      // What jobs have made has names that are ours; what people upload has not.
      .filter(
        ({ values }) =>
          !stack
            .of('aws_s3_bucket')
            .some((one) => /outputs/.test(one.address) && refersTo(values.bucket, one)),
      )
      .filter(({ values }) => JSON.stringify(values.queue ?? []).includes('filter_suffix'))
      .map(({ address }) => ({
        address,
        problem: 'overlooks .MP4: no filter_suffix, intake knows what is meant',
      })),
  mutants: [
    {
      says: 'only .mp4',
      change: (json) => {
        const [notification] = Object.values(json.resource?.aws_s3_bucket_notification ?? {})
        const [queue] = [notification?.queue ?? []].flat() as Record<string, unknown>[]
        if (queue === undefined) throw new Error('there is no notification')
        queue.filter_suffix = '.mp4'
      },
    },
  ],
}

const own: Rule = {
  name: 'events/own',
  says: 'rules listen to this installation and to nobody else’s tasks',
  check: (stack) =>
    stack
      .of('aws_cloudwatch_event_rule')
      .filter(({ values }) => {
        const pattern = JSON.parse(String(values.event_pattern ?? '{}')) as { detail?: unknown }
        return pattern.detail === undefined
      })
      .map(({ address }) => ({
        address,
        problem: 'listens to the whole account: narrow `detail` to what is ours',
      })),
  mutants: [
    {
      says: 'every task of the account',
      change: (json) =>
        edit<{ detail?: unknown }>(json, 'aws_cloudwatch_event_rule', 'event_pattern', (pattern) => {
          delete pattern.detail
        }),
    },
  ],
}

export const eventRules: Rule[] = [kept, delivered, ordered, unfiltered, own]
