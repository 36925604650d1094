import { CloudwatchEventRule } from '@cdktf/provider-aws/lib/cloudwatch-event-rule/index.js'
import { CloudwatchEventTarget } from '@cdktf/provider-aws/lib/cloudwatch-event-target/index.js'
import { S3BucketNotification } from '@cdktf/provider-aws/lib/s3-bucket-notification/index.js'
import { describe, expect, test } from 'vitest'
import './matchers.ts'
import { transcriptionJobName } from '../../schemas/ids.ts'
import { type Block, blocks, type Synthesized, synthesized, synthesizedText } from '../support/synthesized.ts'

const dev = synthesized('dev')
const text = synthesizedText('dev')
const theirs = { EXISTING_UPLOADS_BUCKET: 'their-uploads' }

const patternOf = (stack: Synthesized, name: string): unknown =>
  JSON.parse(
    String(blocks(stack, 'aws_cloudwatch_event_rule').find((rule) => rule.name === name)?.event_pattern),
  )

const allowedTo = (stack: Synthesized, queue: string): Block[] => {
  const policy = blocks(stack, 'aws_sqs_queue_policy').find(({ queue_url: url }) =>
    String(url).includes(`queues_${queue}_`),
  )
  const { Statement } = JSON.parse(String(policy?.policy)) as { Statement: Block[] }
  return Statement.filter(({ Effect }) => Effect === 'Allow')
}

describe('task events', () => {
  test('are those of this cluster, and of no other', () => {
    expect(patternOf(dev, 'dev-tasks')).toEqual({
      source: ['aws.ecs'],
      'detail-type': ['ECS Task State Change'],
      detail: { clusterArn: [expect.stringMatching(/^\$\{aws_ecs_cluster\.\w+\.arn\}$/)] },
    })
  })

  test('of Transcribe are those of this installation', () => {
    expect(patternOf(dev, 'dev-transcripts')).toEqual({
      source: ['aws.transcribe'],
      'detail-type': ['Transcribe Job State Change'],
      detail: { TranscriptionJobName: [{ prefix: 'dev.' }] },
    })
    const fence = { uid: 'a'.repeat(20), attempt: 1, launch: 1 }
    expect(transcriptionJobName('dev', 'talk', fence, {})).toMatch(/^dev\./)
  })

  test.each(['tasks', 'transcripts'])(
    'of rule %s go to task-events, and to the dead-letter queue if they cannot',
    (id) => {
      expect(text).toHaveResourceWithProperties(CloudwatchEventTarget, {
        rule: expect.stringContaining(`events_${id}-rule_`),
        arn: expect.stringContaining('queues_task-events_'),
        dead_letter_config: { arn: expect.stringContaining('queues_jobs-dlq_') },
      })
    },
  )

  test('are let in by queues that know the rules', () => {
    const bothRules = {
      ArnEquals: {
        'aws:SourceArn': [expect.stringContaining('tasks-rule'), expect.stringContaining('transcripts-rule')],
      },
    }
    for (const queue of ['task-events', 'jobs-dlq'])
      expect(allowedTo(dev, queue)).toEqual([
        expect.objectContaining({
          Principal: { Service: 'events.amazonaws.com' },
          Action: ['sqs:SendMessage'],
          Condition: bothRules,
        }),
      ])
  })
})

describe('uploads', () => {
  test('are told to the jobs queue, whatever their name ends with', () => {
    expect(text).toHaveResourceWithProperties(S3BucketNotification, {
      bucket: expect.stringContaining('buckets_uploads_'),
      queue: [
        {
          id: 'uploads-to-jobs',
          queue_arn: expect.stringMatching(/queues_jobs_\w+\.arn/),
          events: ['s3:ObjectCreated:*'],
        },
      ],
      depends_on: [expect.stringMatching(/^aws_sqs_queue_policy\.events_jobs-policy_/)],
    })
  })

  test('are let in from our bucket of our account', () => {
    expect(allowedTo(dev, 'jobs')).toEqual([
      expect.objectContaining({
        Principal: { Service: 's3.amazonaws.com' },
        Action: ['sqs:SendMessage'],
        Condition: {
          ArnEquals: { 'aws:SourceArn': expect.stringContaining('buckets_uploads_') },
          StringEquals: { 'aws:SourceAccount': expect.stringContaining('account_id') },
        },
      }),
    ])
  })

  test('in a bucket that exists come by EventBridge, and its notifications stay what they are', () => {
    const stack = synthesized('dev', theirs)
    expect(blocks(stack, 'aws_s3_bucket_notification')).toEqual([])
    expect(patternOf(stack, 'dev-uploads')).toEqual({
      source: ['aws.s3'],
      'detail-type': ['Object Created'],
      detail: { bucket: { name: ['their-uploads'] } },
    })
    expect(synthesizedText('dev', theirs)).toHaveResourceWithProperties(CloudwatchEventTarget, {
      rule: expect.stringContaining('events_uploads-rule_'),
      arn: expect.stringMatching(/queues_jobs_\w+\.arn/),
      dead_letter_config: { arn: expect.stringContaining('queues_jobs-dlq_') },
    })
    expect(allowedTo(stack, 'jobs')).toEqual([
      expect.objectContaining({
        Principal: { Service: 'events.amazonaws.com' },
        Condition: { ArnEquals: { 'aws:SourceArn': [expect.stringContaining('uploads-rule')] } },
      }),
    ])
  })

  test('in a bucket of our own need no rule', () => {
    expect(text).not.toHaveResourceWithProperties(CloudwatchEventRule, { name: 'dev-uploads' })
  })
})
