import { describe, expect, test } from 'vitest'
import { readConfig } from '../../cdktf/config.ts'
import { configSchema, triggersOf } from '../../cdktf/schema.ts'
import { watchesOutputs } from '../../schemas/triggers.ts'
import { type Block, blocks, type Synthesized, synthesized } from '../support/synthesized.ts'

const rule = { bucket: 'outputs', kinds: ['record'], jobs: [{ kind: 'torrent' }] }
const UPLOAD_TRIGGERS = JSON.stringify([rule])
const watched = synthesized('dev', { UPLOAD_TRIGGERS })

const notifications = (stack: Synthesized): Block[] => blocks(stack, 'aws_s3_bucket_notification')
const senders = (stack: Synthesized): string => {
  const policy = blocks(stack, 'aws_sqs_queue_policy').find(({ queue_url: url }) =>
    String(url).includes('queues_jobs_'),
  )
  return String(policy?.policy)
}

describe('the bucket for outputs', () => {
  test('tells of nothing, as long as no rule is about it', () => {
    const stack = synthesized('dev')
    expect(notifications(stack)).toHaveLength(1)
    expect(senders(stack)).not.toContain('buckets_outputs')
    expect(watchesOutputs([])).toBe(false)
  })

  test('tells of manifests where a rule is about them, and the queue takes them', () => {
    const outputs = notifications(watched).find(({ bucket }) => String(bucket).includes('buckets_outputs'))
    expect(outputs?.queue).toEqual([
      {
        id: 'outputs-to-jobs',
        events: ['s3:ObjectCreated:*'],
        filter_suffix: '/manifest.json',
        queue_arn: expect.stringContaining('queues_jobs_'),
      },
    ])
    expect(senders(watched)).toContain('buckets_outputs')
  })

  test('that exists already tells by EventBridge, since it is not ours to change', () => {
    const stack = synthesized('dev', { UPLOAD_TRIGGERS, EXISTING_OUTPUTS_BUCKET: 'their-outputs' })
    expect(notifications(stack)).toHaveLength(1)
    const found = blocks(stack, 'aws_cloudwatch_event_rule').find(({ name }) => name === 'dev-outputs')
    expect(JSON.parse(String(found?.event_pattern))).toEqual({
      source: ['aws.s3'],
      'detail-type': ['Object Created'],
      detail: { bucket: { name: ['their-outputs'] }, object: { key: [{ suffix: '/manifest.json' }] } },
    })
    expect(senders(stack)).toContain('outputs-rule')
    expect(senders(stack)).toContain('buckets_uploads')
  })
})

test('a rule that the controller would refuse is refused before anything is deployed', () => {
  const read = readConfig({ UPLOAD_TRIGGERS: JSON.stringify([{ ...rule, kinds: ['torrent'] }]) })
  expect(read.ok ? [] : read.problems).toEqual([expect.stringContaining('must be one of')])
})

test('rules are read as the controller reads them', () => {
  const { settings } = configSchema.parse({
    environment: 'dev',
    installation: 'dev',
    network: { profile: 'public' },
    settings: { UPLOAD_TRIGGERS },
  })
  expect(triggersOf(settings)).toEqual([{ prefix: '', suffix: '', ...rule }])
})
