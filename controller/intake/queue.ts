import {
  ChangeMessageVisibilityCommand,
  DeleteMessageBatchCommand,
  GetQueueUrlCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import type { Clock } from '../clock.ts'

export type Sqs = Pick<SQSClient, 'send'>

/** What became of a message: gone for good, put aside with a reason, or kept until somebody deletes it by receipt. */
export type Handled = { is: 'done' } | { is: 'rubbish'; reason: string } | { is: 'kept' }

export type ConsumerOptions = {
  sqs: Sqs
  queueUrl: string
  /** Where messages go that nobody can read. */
  rubbishUrl: string
  handle: (message: Message) => Promise<Handled>
  onError: (error: unknown) => void
  onRubbish: (messageId: string, reason: string) => void
  /** Fails while the table does not answer: asked after a failure, before anything more is received. */
  probe: () => Promise<unknown>
  clock: Clock
}

const retryFirstMs = 500
const retryMaxMs = 10_000
const longPollS = 20
const giveBackS = 3
const asideCharacters = 200_000

export const queueUrl = async (sqs: Sqs, name: string): Promise<string> => {
  const { QueueUrl: url } = await sqs.send(new GetQueueUrlCommand({ QueueName: name }))
  if (url === undefined) throw new Error(`SQS gave no address for queue ${name}`)
  return url
}

export async function sendMessage(sqs: Sqs, url: string, body: string): Promise<void> {
  await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: body }))
}

/**
 * Receives messages until stopped. A message is deleted once what it asks for is durable; when handling fails (the table
 * does not answer), nothing is deleted and nothing more is received until it answers again, so that a long outage
 * neither loses messages nor spends their receive counts.
 * @returns stops receiving and resolves when what was received has been handled
 */
export function consume(options: ConsumerOptions): () => Promise<void> {
  const stopping = new AbortController()
  const ended = loop(options, stopping.signal)
  return () => {
    stopping.abort()
    return ended
  }
}

async function loop(options: ConsumerOptions, signal: AbortSignal): Promise<void> {
  const { sqs, clock } = options
  let pauseMs = 0
  while (!signal.aborted) {
    if (pauseMs > 0) await clock.sleep(pauseMs, signal)
    if (signal.aborted) return
    try {
      if (pauseMs > 0) await options.probe()
      const { Messages: messages } = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl: options.queueUrl,
          MaxNumberOfMessages: 10,
          WaitTimeSeconds: longPollS,
          MessageSystemAttributeNames: ['ApproximateReceiveCount'],
        }),
        { abortSignal: signal },
      )
      const failed = await handleAll(messages ?? [], options)
      pauseMs = failed ? nextPause(pauseMs) : 0
    } catch (error) {
      if (signal.aborted) return
      options.onError(error)
      pauseMs = nextPause(pauseMs)
    }
  }
}

const nextPause = (pauseMs: number): number => Math.min(Math.max(retryFirstMs, pauseMs * 2), retryMaxMs)

/** Each message on its own: one that fails neither holds up nor repeats the others. */
async function handleAll(messages: readonly Message[], options: ConsumerOptions): Promise<boolean> {
  const results = await Promise.allSettled(messages.map((message) => handleOne(message, options)))
  const receipts = results.flatMap((result) =>
    result.status === 'fulfilled' && result.value ? [result.value] : [],
  )
  for (const result of results) if (result.status === 'rejected') options.onError(result.reason)
  await deleteMessages(options.sqs, options.queueUrl, receipts)
  const failed = messages.filter((_, index) => results[index]?.status === 'rejected')
  await Promise.allSettled(failed.map((message) => giveBack(message, options)))
  return failed.length > 0
}

/** So that it is handled soon after the trouble has passed; without this it comes back all the same, later. */
async function giveBack(message: Message, { sqs, queueUrl: url }: ConsumerOptions): Promise<void> {
  await sqs.send(
    new ChangeMessageVisibilityCommand({
      QueueUrl: url,
      ReceiptHandle: message.ReceiptHandle,
      VisibilityTimeout: giveBackS,
    }),
  )
}

/** @returns the receipt to delete, if the message may go */
async function handleOne(message: Message, options: ConsumerOptions): Promise<string | undefined> {
  const handled = await options.handle(message)
  if (handled.is === 'kept') return undefined
  if (handled.is === 'rubbish') {
    options.onRubbish(message.MessageId ?? '', handled.reason)
    await putAside(message, handled.reason, options)
  }
  return message.ReceiptHandle
}

/** At once, with its reason, instead of going round until the receive count is used up. */
async function putAside(
  message: Message,
  reason: string,
  { sqs, rubbishUrl }: ConsumerOptions,
): Promise<void> {
  const attribute = (value: string) => ({ DataType: 'String', StringValue: value })
  await sqs.send(
    new SendMessageCommand({
      QueueUrl: rubbishUrl,
      // With its reason, a message of full length would be too long to be sent.
      MessageBody: (message.Body || ' ').slice(0, asideCharacters),
      MessageAttributes: {
        reason: attribute(sendable(reason)),
        messageId: attribute(message.MessageId ?? 'unknown'),
      },
    }),
  )
}

/** SQS takes only characters that XML 1.0 has (SQS API reference, SendMessage). */
const sendable = (text: string): string =>
  text.replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD]/g, '?').slice(0, 500)

export async function deleteMessages(sqs: Sqs, url: string, receipts: readonly string[]): Promise<void> {
  for (let from = 0; from < receipts.length; from += 10)
    await sqs.send(
      new DeleteMessageBatchCommand({
        QueueUrl: url,
        Entries: receipts
          .slice(from, from + 10)
          .map((receipt, index) => ({ Id: String(index), ReceiptHandle: receipt })),
      }),
    )
}
