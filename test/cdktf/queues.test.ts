import { SqsQueue } from '@cdktf/provider-aws/lib/sqs-queue/index.js'
import { SqsQueueRedriveAllowPolicy } from '@cdktf/provider-aws/lib/sqs-queue-redrive-allow-policy/index.js'
import { Testing } from 'cdktf'
import { expect, test } from 'vitest'
import './matchers.ts'
import { Queues } from '../../cdktf/constructs/queues.ts'
import { queueSettings, resourceNames } from '../../schemas/resources.ts'

const stack = Testing.synthScope((scope) => {
  new Queues(scope, 'queues', resourceNames('dev-'))
})

test.each([
  ['dev-jobs', 60, 10],
  ['dev-task-events', 300, 4],
])('%s is encrypted, hides messages for %i s, and gives up after 200 receptions', (name, hiddenS, days) => {
  expect(stack).toHaveResourceWithProperties(SqsQueue, {
    name,
    visibility_timeout_seconds: hiddenS,
    message_retention_seconds: days * 86_400,
    sqs_managed_sse_enabled: true,
    redrive_policy: expect.stringMatching(
      /^\{"deadLetterTargetArn":"\$\{aws_sqs_queue\.queues_jobs-dlq_\w+\.arn\}","maxReceiveCount":200\}$/,
    ),
  })
})

test('the dead-letter queue keeps what it gets for 14 days, and has none itself', () => {
  expect(stack).toHaveResourceWithProperties(SqsQueue, {
    name: 'dev-jobs-dlq',
    message_retention_seconds: 14 * 86_400,
    sqs_managed_sse_enabled: true,
  })
  expect(stack).not.toHaveResourceWithProperties(SqsQueue, {
    name: 'dev-jobs-dlq',
    redrive_policy: expect.anything(),
  })
})

test('only our two queues may send what they gave up to it', () => {
  expect(stack).toHaveResourceWithProperties(SqsQueueRedriveAllowPolicy, {
    redrive_allow_policy: expect.stringMatching(
      /"byQueue".*queues_jobs_\w+\.arn.*queues_task-events_\w+\.arn/,
    ),
  })
})

test('the dead-letter queue keeps longest: age counts from the first queue', () => {
  const { jobs, jobsDlq, taskEvents } = queueSettings
  expect(jobsDlq.retentionS - Math.max(jobs.retentionS, taskEvents.retentionS)).toBeGreaterThanOrEqual(
    4 * 86_400,
  )
})
