import { CloudwatchEventRule } from '@cdktf/provider-aws/lib/cloudwatch-event-rule/index.js'
import { CloudwatchEventTarget } from '@cdktf/provider-aws/lib/cloudwatch-event-target/index.js'
import { S3BucketNotification } from '@cdktf/provider-aws/lib/s3-bucket-notification/index.js'
import type { SqsQueue } from '@cdktf/provider-aws/lib/sqs-queue/index.js'
import { SqsQueuePolicy } from '@cdktf/provider-aws/lib/sqs-queue-policy/index.js'
import { Construct } from 'constructs'
import { outputsNotification, transcriptionPrefix, uploadsNotification } from '../../schemas/resources.ts'
import type { Account } from './account.ts'
import type { Bucket, Buckets } from './buckets.ts'
import type { Cluster } from './cluster.ts'
import { policyDocument, type Statement } from './policy.ts'
import type { Queues } from './queues.ts'

export type EventParts = {
  installation: string
  account: Account
  buckets: Buckets
  queues: Queues
  cluster: Cluster
  /** Whether a trigger rule is about what jobs have made. */
  watchesOutputs: boolean
}

/** A bucket whose new objects become jobs. */
type Watched = {
  id: string
  bucket: Bucket
  description: string
  notification: { id: string; events: readonly string[]; suffix?: string }
}

/** What happens elsewhere and has to come into the queues: uploads, and the states of tasks. */
export class Events extends Construct {
  constructor(scope: Construct, id: string, parts: EventParts) {
    super(scope, id)
    const { installation, account, buckets, queues, cluster } = parts
    const tasks = this.rule('tasks', installation, queues.taskEvents, queues.jobsDlq, {
      description: 'States of tasks in the cluster',
      pattern: {
        source: ['aws.ecs'],
        'detail-type': ['ECS Task State Change'],
        detail: { clusterArn: [cluster.cluster.arn] },
      },
    })
    const transcripts = this.rule('transcripts', installation, queues.taskEvents, queues.jobsDlq, {
      description: 'Ends of transcriptions that this installation began',
      pattern: {
        source: ['aws.transcribe'],
        'detail-type': ['Transcribe Job State Change'],
        detail: { TranscriptionJobName: [{ prefix: transcriptionPrefix(installation) }] },
      },
    })
    const watched: Watched[] = [
      {
        id: 'uploads',
        bucket: buckets.uploads,
        description: 'New objects in the bucket for uploads, which tells EventBridge of them',
        notification: uploadsNotification,
      },
      ...(parts.watchesOutputs
        ? [
            {
              id: 'outputs',
              bucket: buckets.outputs,
              description: 'New manifests in the bucket for outputs, which tells EventBridge of them',
              notification: outputsNotification,
            },
          ]
        : []),
    ]
    // A bucket that exists already is not changed: it has to tell EventBridge by itself.
    const rules = watched
      .filter(({ bucket }) => bucket.exists)
      .map(({ id: what, bucket, description, notification: { suffix } }) =>
        this.rule(what, installation, queues.jobs, queues.jobsDlq, {
          description,
          pattern: {
            source: ['aws.s3'],
            'detail-type': ['Object Created'],
            detail: {
              bucket: { name: [bucket.name] },
              ...(suffix === undefined ? {} : { object: { key: [{ suffix }] } }),
            },
          },
        }),
      )
    const direct = watched.filter(({ bucket }) => !bucket.exists)

    this.allow('task-events', queues.taskEvents, [fromEvents(queues.taskEvents, [tasks, transcripts])])
    this.allow('jobs-dlq', queues.jobsDlq, [fromEvents(queues.jobsDlq, [tasks, transcripts, ...rules])])
    const jobsPolicy = this.allow('jobs', queues.jobs, [
      ...direct.map(({ id: what, bucket }) => fromBucket(what, queues.jobs, bucket.arn, account.id)),
      ...(rules.length === 0 ? [] : [fromEvents(queues.jobs, rules)]),
    ])
    for (const { id: what, bucket, notification } of direct)
      new S3BucketNotification(this, what, {
        bucket: bucket.name,
        queue: [
          {
            id: notification.id,
            queueArn: queues.jobs.arn,
            events: [...notification.events],
            ...(notification.suffix === undefined ? {} : { filterSuffix: notification.suffix }),
          },
        ],
        // S3 sends a test message when this is set, and refuses a queue that does not take it.
        dependsOn: [jobsPolicy],
      })
  }

  /** What EventBridge cannot deliver within a day goes to the dead-letter queue (user guide, retry policy). */
  private rule(
    id: string,
    installation: string,
    queue: SqsQueue,
    deadLetters: SqsQueue,
    { description, pattern }: { description: string; pattern: unknown },
  ): CloudwatchEventRule {
    const rule = new CloudwatchEventRule(this, `${id}-rule`, {
      name: `${installation}-${id}`,
      description,
      eventPattern: JSON.stringify(pattern),
    })
    new CloudwatchEventTarget(this, `${id}-target`, {
      rule: rule.name,
      targetId: id,
      arn: queue.arn,
      deadLetterConfig: { arn: deadLetters.arn },
    })
    return rule
  }

  private allow(id: string, queue: SqsQueue, statements: readonly Statement[]): SqsQueuePolicy {
    return new SqsQueuePolicy(this, `${id}-policy`, {
      queueUrl: queue.id,
      policy: policyDocument([...statements, onlyOverTls(queue)]),
    })
  }
}

const fromEvents = (queue: SqsQueue, rules: readonly CloudwatchEventRule[]): Statement => ({
  sid: 'FromEventBridge',
  principals: { service: 'events.amazonaws.com' },
  actions: ['sqs:SendMessage'],
  resources: [queue.arn],
  conditions: { ArnEquals: { 'aws:SourceArn': rules.map(({ arn }) => arn) } },
})

const fromBucket = (what: string, queue: SqsQueue, bucketArn: string, accountId: string): Statement => ({
  sid: `From${what.charAt(0).toUpperCase()}${what.slice(1)}`,
  principals: { service: 's3.amazonaws.com' },
  actions: ['sqs:SendMessage'],
  resources: [queue.arn],
  conditions: {
    ArnEquals: { 'aws:SourceArn': bucketArn },
    StringEquals: { 'aws:SourceAccount': accountId },
  },
})

const onlyOverTls = (queue: SqsQueue): Statement => ({
  sid: 'OnlyOverTls',
  effect: 'Deny',
  principals: '*',
  actions: ['sqs:*'],
  resources: [queue.arn],
  conditions: { Bool: { 'aws:SecureTransport': 'false' } },
})
