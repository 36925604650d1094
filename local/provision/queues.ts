import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  SetQueueAttributesCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import type { Configuration } from '../../schemas/configuration.ts'
import { queueSettings } from '../../schemas/resources.ts'
import { covers } from './covers.ts'

/** Makes the three queues and returns the ARN of the one for jobs, which the uploads bucket sends to. */
export const provisionQueues = async (sqs: SQSClient, configuration: Configuration): Promise<string> => {
  const { jobs, jobsDlq, taskEvents } = queueSettings
  const deadLetters = await provisionQueue(sqs, configuration.JOBS_DLQ, attributesOf(jobsDlq))
  await provisionQueue(sqs, configuration.TASK_EVENTS_QUEUE, attributesOf(taskEvents, deadLetters))
  return provisionQueue(sqs, configuration.JOBS_QUEUE, attributesOf(jobs, deadLetters))
}

type QueueSettings = { visibilityTimeoutS: number; retentionS: number; maxReceiveCount?: number }

const attributesOf = (settings: QueueSettings, deadLetterTargetArn?: string): Record<string, string> => ({
  VisibilityTimeout: String(settings.visibilityTimeoutS),
  MessageRetentionPeriod: String(settings.retentionS),
  ...(deadLetterTargetArn !== undefined && {
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: settings.maxReceiveCount }),
  }),
})

/** CreateQueue refuses a name that exists with other attributes, so those are set apart from it. Returns the ARN. */
const provisionQueue = async (
  sqs: SQSClient,
  name: string,
  wanted: Record<string, string>,
): Promise<string> => {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: name }))
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))
  if (!covers(Attributes, wanted))
    await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: wanted }))
  return Attributes?.QueueArn ?? ''
}
