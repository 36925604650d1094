import { edit, put, remove, set } from '../mutate.ts'
import { type Resource, refersTo, type Stack } from '../stack.ts'
import type { Finding, Rule } from './rule.ts'

type Redrive = { deadLetterTargetArn: string; maxReceiveCount: number }

/** As its own resource or inside the queue. */
const redriveOf = (stack: Stack, queue: Resource): Redrive | undefined => {
  const apart = stack
    .of('aws_sqs_queue_redrive_policy')
    .find(({ values }) => refersTo(values.queue_url, queue))
  const text = apart?.values.redrive_policy ?? queue.values.redrive_policy
  return typeof text === 'string' ? (JSON.parse(text) as Redrive) : undefined
}

/** Queues that take what nobody else could: those that another one, or an event target, names for it. */
const isForDeadLetters = (stack: Stack, queue: Resource): boolean =>
  stack.of('aws_sqs_queue').some((other) => refersTo(redriveOf(stack, other)?.deadLetterTargetArn, queue)) ||
  stack.of('aws_cloudwatch_event_target').some(({ values }) => refersTo(values.dead_letter_config, queue))

/** A table that does not answer must not drive good messages out of the queue. */
const receivesAtLeast = 100

const redriven: Rule = {
  name: 'sqs/redriven',
  says: 'what cannot be handled leaves the queue, but only after very many tries',
  check: (stack) =>
    stack
      .of('aws_sqs_queue')
      .filter((queue) => !isForDeadLetters(stack, queue))
      .flatMap((queue): Finding[] => {
        const redrive = redriveOf(stack, queue)
        if (redrive === undefined)
          return [{ address: queue.address, problem: 'has no dead-letter queue: redrive_policy' }]
        return redrive.maxReceiveCount >= receivesAtLeast
          ? []
          : [
              {
                address: queue.address,
                problem: `gives up after ${redrive.maxReceiveCount} tries: maxReceiveCount >= ${receivesAtLeast}`,
              },
            ]
      }),
  mutants: [
    {
      says: 'none',
      change: (json) =>
        set(
          json,
          'aws_sqs_queue',
          'redrive_policy',
          undefined,
          (_id, { redrive_policy }) => !!redrive_policy,
        ),
    },
    {
      says: 'after five tries',
      change: (json) =>
        edit<Redrive>(
          json,
          'aws_sqs_queue',
          'redrive_policy',
          (redrive) => {
            redrive.maxReceiveCount = 5
          },
          (_id, { redrive_policy }) => !!redrive_policy,
        ),
    },
  ],
}

const longer: Rule = {
  name: 'sqs/longer',
  says: 'a dead-letter queue keeps messages longer than any queue that feeds it, since their age counts on',
  check: (stack) =>
    stack.of('aws_sqs_queue').flatMap((queue): Finding[] => {
      const dead = stack
        .of('aws_sqs_queue')
        .find((other) => refersTo(redriveOf(stack, queue)?.deadLetterTargetArn, other))
      const [here, there] = [queue, dead].map((one) =>
        Number(one?.values.message_retention_seconds ?? 4 * 86_400),
      )
      return dead === undefined || (here ?? 0) < (there ?? 0)
        ? []
        : [
            {
              address: dead.address,
              problem: `keeps messages for ${there} s, and ${queue.address} that feeds it for ${here} s: keep them longer`,
            },
          ]
    }),
  mutants: [
    {
      says: 'both the same',
      change: (json) =>
        set(
          json,
          'aws_sqs_queue',
          'message_retention_seconds',
          1_209_600,
          (_id, { redrive_policy }) => !!redrive_policy,
        ),
    },
  ],
}

const sources: Rule = {
  name: 'sqs/sources',
  says: 'a dead-letter queue takes messages of its own queues only',
  check: (stack) =>
    stack
      .of('aws_sqs_queue')
      .filter((queue) =>
        stack
          .of('aws_sqs_queue')
          .some((other) => refersTo(redriveOf(stack, other)?.deadLetterTargetArn, queue)),
      )
      .filter((queue) => {
        const apart = stack
          .of('aws_sqs_queue_redrive_allow_policy')
          .find(({ values }) => refersTo(values.queue_url, queue))
        const text = String(apart?.values.redrive_allow_policy ?? queue.values.redrive_allow_policy ?? '{}')
        return (JSON.parse(text) as { redrivePermission?: string }).redrivePermission !== 'byQueue'
      })
      .map(({ address }) => ({
        address,
        problem: 'may be the dead-letter queue of any queue: redrive_allow_policy byQueue',
      })),
  mutants: [{ says: 'of any queue', change: (json) => remove(json, 'aws_sqs_queue_redrive_allow_policy') }],
}

/** With the key that AWS manages, S3 and EventBridge may not send: their messages are lost without a word. */
const encrypted: Rule = {
  name: 'sqs/encrypted',
  says: 'queues and topics are encrypted by a key that their senders may use',
  check: (stack) => [
    ...stack.of('aws_sqs_queue').flatMap(({ address, values }): Finding[] => {
      if (values.kms_master_key_id === 'alias/aws/sqs')
        return [{ address, problem: 'S3 and EventBridge may not use alias/aws/sqs: sqs_managed_sse_enabled' }]
      return values.sqs_managed_sse_enabled === true || values.kms_master_key_id !== undefined
        ? []
        : [{ address, problem: 'is not said to be encrypted: sqs_managed_sse_enabled = true' }]
    }),
    ...stack
      .of('aws_sns_topic')
      .filter(({ values }) => values.kms_master_key_id === 'alias/aws/sns')
      .map(({ address }) => ({
        address,
        problem: 'alarms may not use alias/aws/sns, and nobody would hear them: a key of your own, or none',
      })),
  ],
  mutants: [
    { says: 'not encrypted', change: (json) => set(json, 'aws_sqs_queue', 'sqs_managed_sse_enabled', false) },
    {
      says: 'a key that S3 may not use',
      change: (json) => put(json, 'aws_sqs_queue', 'kms_master_key_id', 'alias/aws/sqs'),
    },
    {
      says: 'a key that alarms may not use',
      change: (json) => put(json, 'aws_sns_topic', 'kms_master_key_id', 'alias/aws/sns'),
    },
  ],
}

export const sqsRules: Rule[] = [redriven, longer, sources, encrypted]
