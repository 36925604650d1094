import type {
  ChangeMessageVisibilityCommandInput,
  DeleteMessageBatchCommandInput,
  DeleteMessageCommandInput,
  GetQueueUrlCommandInput,
  ReceiveMessageCommandInput,
  SendMessageCommandInput,
} from '@aws-sdk/client-sqs'
import { queueSettings, resourceNames } from '../../../schemas/resources.ts'
import { handler, serviceOf } from './command.ts'
import {
  badCharacters,
  badParameter,
  badReceipt,
  emptyBatch,
  longBatch,
  missingParameter,
  noQueue,
  notInFlight,
  repeatedId,
} from './errors.ts'
import type { ModelPorts, SqsModel, SqsNastiness } from './ports.ts'
import { createQueue, type Queue, type QueueSettings, type SentAttributes } from './sqs-queue.ts'

/** Queues by name; `deadLetters` names the queue that `maxReceiveCount` leads to. */
export type QueueShapes = Readonly<Record<string, QueueSettings & { deadLetters?: string }>>

/** The queues of one installation as they are provisioned. */
export const installationQueues = (prefix = ''): QueueShapes => {
  const names = resourceNames(prefix)
  return {
    [names.jobsQueue]: { ...queueSettings.jobs, deadLetters: names.jobsDlq },
    [names.jobsDlq]: queueSettings.jobsDlq,
    [names.taskEventsQueue]: { ...queueSettings.taskEvents, deadLetters: names.jobsDlq },
  }
}

export const modelQueueUrl = (name: string): string =>
  `https://sqs.us-east-1.amazonaws.com/000000000000/${name}`

/**
 * Standard queues of SQS as a state machine: at least once, in about the order of sending. A receive answers at once with
 * what there is; long polls are for whoever stands before this, with `whenAvailable`.
 */
export function createSqsModel(
  ports: ModelPorts,
  nastiness: SqsNastiness,
  shapes: QueueShapes = installationQueues(),
): SqsModel {
  const queues = new Map<string, Queue>()
  // A dead-letter queue is named by the others, so it has to be there first.
  const byNeed = Object.entries(shapes).sort(
    ([, a], [, b]) => Number(a.deadLetters !== undefined) - Number(b.deadLetters !== undefined),
  )
  for (const [name, { deadLetters, ...settings }] of byNeed) {
    const target = deadLetters === undefined ? undefined : queues.get(modelQueueUrl(deadLetters))
    if (deadLetters !== undefined && target === undefined) throw noQueue()
    queues.set(modelQueueUrl(name), createQueue(name, settings, target, ports, nastiness))
  }
  const queueAt = (url: string | undefined): Queue => {
    const queue = queues.get(url ?? '')
    if (queue === undefined) throw noQueue()
    return queue
  }

  return {
    ...serviceOf('SQS', {
      GetQueueUrlCommand: handler(['QueueName'], ({ QueueName: name }: GetQueueUrlCommandInput) => {
        const url = modelQueueUrl(name ?? '')
        queueAt(url)
        return { QueueUrl: url }
      }),
      SendMessageCommand: handler(
        ['QueueUrl', 'MessageBody', 'DelaySeconds', 'MessageAttributes'],
        (input: SendMessageCommandInput) => {
          const queue = queueAt(input.QueueUrl)
          const body = checkedBody(input.MessageBody)
          const delayS = within(input.DelaySeconds ?? 0, 0, 900, 'DelaySeconds')
          return { MessageId: queue.send(body, sentAttributes(input), delayS * 1000) }
        },
      ),
      ReceiveMessageCommand: handler(
        [
          'QueueUrl',
          'MaxNumberOfMessages',
          'WaitTimeSeconds',
          'VisibilityTimeout',
          'MessageSystemAttributeNames',
          'AttributeNames',
          'MessageAttributeNames',
        ],
        (input: ReceiveMessageCommandInput) => {
          const queue = queueAt(input.QueueUrl)
          const max = within(input.MaxNumberOfMessages ?? 1, 1, 10, 'MaxNumberOfMessages')
          within(input.WaitTimeSeconds ?? 0, 0, 20, 'WaitTimeSeconds')
          const hiddenS = input.VisibilityTimeout ?? queue.settings.visibilityTimeoutS
          const received = queue.receive(max, within(hiddenS, 0, 43_200, 'VisibilityTimeout') * 1000)
          if (received.length === 0) return {}
          const system = [...(input.MessageSystemAttributeNames ?? []), ...(input.AttributeNames ?? [])]
          const withOwn = (input.MessageAttributeNames ?? []).length > 0
          return {
            Messages: received.map(({ message, receipt, receives }) => ({
              MessageId: message.id,
              ReceiptHandle: receipt,
              Body: message.body,
              ...(system.length === 0
                ? {}
                : { Attributes: systemAttributes(system, receives, message.sentMs) }),
              ...(withOwn && message.attributes ? { MessageAttributes: { ...message.attributes } } : {}),
            })),
          }
        },
      ),
      DeleteMessageCommand: handler(['QueueUrl', 'ReceiptHandle'], (input: DeleteMessageCommandInput) => {
        const receipt = input.ReceiptHandle ?? ''
        if (!queueAt(input.QueueUrl).delete(receipt)) throw badReceipt(receipt)
        return {}
      }),
      DeleteMessageBatchCommand: handler(
        ['QueueUrl', 'Entries'],
        ({ QueueUrl: url, Entries: entries = [] }: DeleteMessageBatchCommandInput) => {
          const queue = queueAt(url)
          if (entries.length === 0) throw emptyBatch()
          if (entries.length > 10) throw longBatch(entries.length)
          const ids = entries.map(({ Id: id }) => id ?? '')
          const repeated = ids.find((id, index) => ids.indexOf(id) !== index)
          if (repeated !== undefined) throw repeatedId(repeated)
          const deleted = entries.map(({ Id, ReceiptHandle: receipt = '' }) => ({
            Id,
            ok: queue.delete(receipt),
          }))
          const failed = deleted.filter(({ ok }) => !ok)
          return {
            Successful: deleted.filter(({ ok }) => ok).map(({ Id }) => ({ Id })),
            ...(failed.length === 0
              ? {}
              : {
                  Failed: failed.map(({ Id }) => ({ Id, SenderFault: true, Code: 'ReceiptHandleIsInvalid' })),
                }),
          }
        },
      ),
      ChangeMessageVisibilityCommand: handler(
        ['QueueUrl', 'ReceiptHandle', 'VisibilityTimeout'],
        (input: ChangeMessageVisibilityCommandInput) => {
          const queue = queueAt(input.QueueUrl)
          const receipt = input.ReceiptHandle ?? ''
          const hiddenS = within(input.VisibilityTimeout ?? -1, 0, 43_200, 'VisibilityTimeout')
          const changed = queue.changeVisibility(receipt, hiddenS * 1000)
          if (changed === 'notAReceipt') throw badReceipt(receipt)
          if (changed === 'notInFlight') throw notInFlight()
          return {}
        },
      ),
    }),
    deliver: (url, body, delayMs = 0) => queueAt(url).send(body, undefined, delayMs),
    whenAvailable: (url, call) => queueAt(url).whenAvailable(call),
    messages: (url) => queueAt(url).messages(),
  }
}

const bodyBytesAtMost = 1_048_576

function checkedBody(body: string | undefined): string {
  if (body === undefined || body === '') throw missingParameter('MessageBody')
  if (body.length > bodyBytesAtMost || Buffer.byteLength(body) > bodyBytesAtMost)
    throw badParameter('MessageBody', `Message must be shorter than ${bodyBytesAtMost} bytes`)
  if (!sendable.test(body)) throw badCharacters()
  return body
}
/** What XML 1.0 has (SQS API reference, SendMessage). */
const sendable = /^[\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]*$/u

function within(value: number, low: number, high: number, name: string): number {
  if (!Number.isInteger(value) || value < low || value > high)
    throw badParameter(name, `Must be between ${low} and ${high}, if provided`)
  return value
}

const sentAttributes = ({ MessageAttributes: given }: SendMessageCommandInput): SentAttributes | undefined =>
  given &&
  Object.fromEntries(
    Object.entries(given).map(([name, { DataType, StringValue }]) => {
      if (StringValue !== undefined && !sendable.test(StringValue)) throw badCharacters()
      return [name, { DataType, StringValue }]
    }),
  )

function systemAttributes(
  wanted: readonly string[],
  receives: number,
  sentMs: number,
): Record<string, string> {
  const all = { ApproximateReceiveCount: String(receives), SentTimestamp: String(sentMs) }
  return Object.fromEntries(
    Object.entries(all).filter(([name]) => wanted.includes('All') || wanted.includes(name)),
  )
}
