import { buildApp } from 'fauxqs'
import type { Answer } from './answer.ts'
import { localAccountId } from './credentials.ts'

export type LocalSqs = {
  /**
   * Answers one SQS action. `host` is the host:port that the caller used: queue URLs in the answer carry it.
   * `isGone` tells whether the caller has hung up meanwhile.
   */
  call(action: string, input: unknown, host: string, isGone: () => boolean): Promise<Answer>
  /**
   * Delivers a message of another service to the queue with this name or ARN. One that does not exist yet gets it as soon
   * as it is made, as S3 and EventBridge would get it there by trying again; 1000 messages at most wait for that.
   */
  send(queue: string, body: string): Promise<void>
  /** Ends all long polls. Every message is forgotten: it lives in memory only. */
  close(): Promise<void>
}

/**
 * SQS by fauxqs, one region. It is asked in process, because three things about it have to be put right on the way:
 * its queue URLs need a special DNS name; a queue is only found under the very URL it was made with; and a message for a
 * long poll whose caller died stays hidden until its visibility timeout is over.
 *
 * Where it still differs from AWS, so that nothing may rely on it: messages do not survive a restart and never expire;
 * characters beyond U+FFFF are refused in bodies (`InvalidMessageContents`); `ChangeMessageVisibility` is accepted on a receipt that has expired but was not
 * received again; an unknown receipt handle is `MessageNotInflight`; a long poll may come back empty early; and there is
 * neither `StartMessageMoveTask` nor `ListDeadLetterSourceQueues`.
 */
export const createSqs = async (region: string): Promise<LocalSqs> => {
  const app = buildApp({ logger: false, defaultRegion: region })
  await app.ready()

  const ask = async (action: string, input: object): Promise<Reply> => {
    // Without an Authorization header it uses the one region, whatever the caller signed for.
    const headers = {
      host: 'sqs',
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': `AmazonSQS.${action}`,
    }
    const reply = await app.inject({ method: 'POST', url: '/', headers, payload: JSON.stringify(input) })
    const queryError = reply.headers['x-amzn-query-error']
    return {
      status: reply.statusCode,
      body: reply.json<Record<string, unknown>>(),
      headers: typeof queryError === 'string' ? { 'x-amzn-query-error': queryError } : {},
    }
  }

  const innerUrl = (queue: string) => `http://sqs.${region}.localhost/${localAccountId}/${queue}`

  let early: { url: string; body: string }[] = []

  const deliver = async (url: string, body: string) => {
    const { status } = await ask('SendMessage', { QueueUrl: url, MessageBody: body })
    if (status !== 200) early = [...early, { url, body }].slice(-earlyMessagesMax)
  }

  const deliverEarly = async () => {
    const messages = early
    early = []
    for (const { url, body } of messages) await deliver(url, body)
  }

  return {
    call: async (action, input, host, isGone) => {
      const asked = withInnerUrl(isObject(input) ? input : {}, innerUrl)
      const reply = await ask(action, asked)
      if (isGone()) await giveBack(ask, asked.QueueUrl, reply)
      if (action === 'CreateQueue' && reply.status === 200) await deliverEarly()
      return { ...reply, body: withOuterUrls(reply.body, host) }
    },
    send: (queue, body) => deliver(innerUrl(queue.split(':').at(-1) ?? queue), body),
    close: async () => {
      await app.close()
    },
  }
}

const earlyMessagesMax = 1000

type Reply = { status: number; body: Record<string, unknown>; headers: Record<string, string> }
type Ask = (action: string, input: object) => Promise<Reply>

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const queueName = (url: string): string => url.split('/').at(-1) ?? url

const withInnerUrl = (input: Record<string, unknown>, innerUrl: (queue: string) => string) =>
  typeof input.QueueUrl === 'string' ? { ...input, QueueUrl: innerUrl(queueName(input.QueueUrl)) } : input

const withOuterUrls = (body: Record<string, unknown>, host: string): Record<string, unknown> => {
  const outer = (url: unknown) =>
    typeof url === 'string' ? `http://${host}/${localAccountId}/${queueName(url)}` : url
  return {
    ...body,
    ...('QueueUrl' in body && { QueueUrl: outer(body.QueueUrl) }),
    ...(Array.isArray(body.QueueUrls) && { QueueUrls: body.QueueUrls.map(outer) }),
  }
}

/** What nobody will see is made visible again; it only counts one receive more. */
const giveBack = async (ask: Ask, queueUrl: unknown, reply: Reply): Promise<void> => {
  const messages = Array.isArray(reply.body.Messages) ? reply.body.Messages.filter(isObject) : []
  for (const { ReceiptHandle } of messages)
    await ask('ChangeMessageVisibility', { QueueUrl: queueUrl, ReceiptHandle, VisibilityTimeout: 0 })
}
