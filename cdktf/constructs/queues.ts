import { SqsQueue } from '@cdktf/provider-aws/lib/sqs-queue/index.js'
import { SqsQueueRedriveAllowPolicy } from '@cdktf/provider-aws/lib/sqs-queue-redrive-allow-policy/index.js'
import { Construct } from 'constructs'
import { queueSettings, type ResourceNames } from '../../schemas/resources.ts'

type Settings = { visibilityTimeoutS: number; retentionS: number; maxReceiveCount?: number }

/** Commands, what happened to tasks, and what nobody could read. Who may send to them stands in `events.ts`. */
export class Queues extends Construct {
  readonly jobs: SqsQueue
  readonly taskEvents: SqsQueue
  readonly jobsDlq: SqsQueue

  constructor(scope: Construct, id: string, names: ResourceNames) {
    super(scope, id)
    this.jobsDlq = this.make('jobs-dlq', names.jobsDlq, queueSettings.jobsDlq)
    this.jobs = this.make('jobs', names.jobsQueue, queueSettings.jobs, this.jobsDlq.arn)
    this.taskEvents = this.make(
      'task-events',
      names.taskEventsQueue,
      queueSettings.taskEvents,
      this.jobsDlq.arn,
    )
    new SqsQueueRedriveAllowPolicy(this, 'jobs-dlq-sources', {
      queueUrl: this.jobsDlq.id,
      redriveAllowPolicy: JSON.stringify({
        redrivePermission: 'byQueue',
        sourceQueueArns: [this.jobs.arn, this.taskEvents.arn],
      }),
    })
  }

  private make(id: string, name: string, settings: Settings, deadLetterTargetArn?: string): SqsQueue {
    return new SqsQueue(this, id, {
      name,
      visibilityTimeoutSeconds: settings.visibilityTimeoutS,
      messageRetentionSeconds: settings.retentionS,
      sqsManagedSseEnabled: true,
      ...(deadLetterTargetArn !== undefined && {
        redrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: settings.maxReceiveCount }),
      }),
    })
  }
}
