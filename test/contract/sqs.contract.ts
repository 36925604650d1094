import {
  ChangeMessageVisibilityCommand,
  DeleteMessageBatchCommand,
  GetQueueUrlCommand,
  type Message,
  ReceiveMessageCommand,
  type ReceiveMessageCommandInput,
  SendMessageCommand,
  type SendMessageCommandInput,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { expect } from 'vitest'
import type { QueueShapes } from '../sim/aws/sqs.ts'
import { type Check, refusal } from './check.ts'

export type SqsSubject = {
  sqs: Pick<SQSClient, 'send'>
  url(name: string): string
  /** Lets time pass. */
  pass(ms: number): Promise<void>
}

const settings = { visibilityTimeoutS: 1, retentionS: 86_400 }
const queueOf = (name: string): string => `contract-${name.replaceAll(/[^a-z]+/gi, '-').slice(0, 60)}`

function workshop(subject: SqsSubject, name: string) {
  const { sqs } = subject
  const QueueUrl = subject.url(name)
  return {
    ...subject,
    QueueUrl,
    send: async (body: string, more: Partial<SendMessageCommandInput> = {}): Promise<string> =>
      (await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: body, ...more }))).MessageId ?? '',
    receive: (more: Partial<ReceiveMessageCommandInput> = {}) => receiveFrom(subject, QueueUrl, more),
    remove: (...receipts: (string | undefined)[]) =>
      sqs.send(
        new DeleteMessageBatchCommand({
          QueueUrl,
          Entries: receipts.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle })),
        }),
      ),
    hide: (ReceiptHandle: string | undefined, seconds: number) =>
      sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: seconds })),
  }
}

const receiveFrom = async (
  { sqs }: SqsSubject,
  QueueUrl: string,
  more: Partial<ReceiveMessageCommandInput> = {},
): Promise<Message[]> => {
  const command = new ReceiveMessageCommand({
    QueueUrl,
    MaxNumberOfMessages: 10,
    MessageSystemAttributeNames: ['ApproximateReceiveCount'],
    ...more,
  })
  return (await sqs.send(command)).Messages ?? []
}

type Workshop = ReturnType<typeof workshop>

const check = (name: string, run: (shop: Workshop) => Promise<void>): Check<SqsSubject> => ({
  name,
  run: (subject) => run(workshop(subject, queueOf(name))),
})

const spent = 'what was received too often goes to the dead-letter queue as it is'
const deadLetters = 'contract-dead'

export const sqsChecks: readonly Check<SqsSubject>[] = [
  check('a message comes with its body, its attributes and a receipt', async ({ send, receive }) => {
    const reason = { DataType: 'String', StringValue: 'Zürich' }
    const MessageId = await send('{"a":1}', { MessageAttributes: { reason } })
    const [message, ...others] = await receive({ MessageAttributeNames: ['All'] })
    expect(others).toEqual([])
    expect(message).toMatchObject({ MessageId, Body: '{"a":1}', MessageAttributes: { reason } })
    expect(message?.Attributes).toEqual({ ApproximateReceiveCount: '1' })
    expect(message?.ReceiptHandle).toEqual(expect.any(String))
  }),
  check('attributes come only when asked for', async ({ send, receive }) => {
    await send('x', { MessageAttributes: { a: { DataType: 'String', StringValue: 'b' } } })
    const [message] = await receive({ MessageSystemAttributeNames: [] })
    expect(message?.Attributes).toBeUndefined()
    expect(message?.MessageAttributes).toBeUndefined()
  }),
  check('an empty queue answers with nothing', async ({ receive }) => {
    expect(await receive()).toEqual([])
  }),
  check('at most ten come at once, and each one once', async ({ send, receive }) => {
    const sent: string[] = []
    for (let number = 0; number < 12; number += 1) sent.push(await send(String(number)))
    const first = await receive()
    const second = await receive()
    expect([first.length, second.length]).toEqual([10, 2])
    expect(new Set([...first, ...second].map(({ MessageId: id }) => id))).toEqual(new Set(sent))
  }),
  check('one comes when no number is given', async ({ send, receive }) => {
    await send('a')
    await send('b')
    expect(await receive({ MaxNumberOfMessages: undefined })).toHaveLength(1)
  }),
  check(
    'in flight it is hidden, then it comes again with another receipt',
    async ({ send, receive, pass }) => {
      const id = await send('x')
      const [first] = await receive()
      expect(await receive()).toEqual([])
      await pass(1100)
      const [second] = await receive()
      expect(second).toMatchObject({ MessageId: id, Attributes: { ApproximateReceiveCount: '2' } })
      expect(second?.ReceiptHandle).not.toBe(first?.ReceiptHandle)
    },
  ),
  check('a receive sets its own time in flight', async ({ send, receive }) => {
    await send('x')
    await receive({ VisibilityTimeout: 0 })
    expect(await receive({ VisibilityTimeout: 60 })).toHaveLength(1)
    expect(await receive()).toEqual([])
  }),
  check('visibility 0 gives a message back at once', async ({ send, receive, hide }) => {
    await send('x')
    const [message] = await receive()
    await hide(message?.ReceiptHandle, 0)
    expect(await receive()).toHaveLength(1)
  }),
  check('a longer time in flight holds', async ({ send, receive, hide, pass }) => {
    await send('x')
    const [message] = await receive()
    await hide(message?.ReceiptHandle, 2)
    await pass(1100)
    expect(await receive()).toEqual([])
    await pass(1000)
    expect(await receive()).toHaveLength(1)
  }),
  check('what is deleted does not come again', async ({ send, receive, remove }) => {
    await send('x')
    const [message] = await receive({ VisibilityTimeout: 0 })
    expect(await remove(message?.ReceiptHandle)).toMatchObject({ Successful: [{ Id: '0' }] })
    expect(await receive()).toEqual([])
  }),
  check('a stale receipt deletes nothing and says that it did', async ({ send, receive, remove }) => {
    await send('x')
    const [first] = await receive({ VisibilityTimeout: 0 })
    const [second] = await receive({ VisibilityTimeout: 0 })
    const answer = await remove(first?.ReceiptHandle)
    expect(answer.Successful).toEqual([{ Id: '0' }])
    expect(answer.Failed ?? []).toEqual([])
    expect(await receive({ VisibilityTimeout: 0 })).toMatchObject([{ MessageId: second?.MessageId }])
  }),
  check('a delete after the time in flight still deletes', async ({ send, receive, remove }) => {
    await send('x')
    const [message] = await receive({ VisibilityTimeout: 0 })
    await remove(message?.ReceiptHandle)
    await remove(message?.ReceiptHandle)
    expect(await receive()).toEqual([])
  }),
  check('a batch deletes what it names and leaves the rest', async ({ send, receive, remove }) => {
    for (const body of ['a', 'b', 'c']) await send(body)
    const messages = await receive({ VisibilityTimeout: 0 })
    const going = messages
      .filter(({ Body: body }) => body !== 'b')
      .map(({ ReceiptHandle: receipt }) => receipt)
    expect((await remove(...going)).Successful).toHaveLength(2)
    expect((await receive()).map(({ Body: body }) => body)).toEqual(['b'])
  }),
  check('a batch has 1 to 10 entries with different ids', async ({ sqs, QueueUrl, remove }) => {
    expect(await refusal(remove())).toBe('EmptyBatchRequest')
    const many = Array.from({ length: 11 }, () => 'receipt')
    expect(await refusal(remove(...many))).toBe('TooManyEntriesInBatchRequest')
    const Entries = [1, 2].map(() => ({ Id: 'same', ReceiptHandle: 'receipt' }))
    expect(await refusal(sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries })))).toBe(
      'BatchEntryIdsNotDistinct',
    )
  }),
  check('an entry of a batch that is no receipt fails alone', async ({ send, receive, remove }) => {
    await send('x')
    const [message] = await receive({ VisibilityTimeout: 0 })
    const answer = await remove('rubbish', message?.ReceiptHandle)
    expect(answer).toMatchObject({ Successful: [{ Id: '1' }], Failed: [{ Id: '0', SenderFault: true }] })
    expect(await receive()).toEqual([])
  }),
  check('visibility of what was deleted is MessageNotInflight', async ({ send, receive, remove, hide }) => {
    await send('x')
    const [message] = await receive()
    await remove(message?.ReceiptHandle)
    expect(await refusal(hide(message?.ReceiptHandle, 3))).toBe('MessageNotInflight')
  }),
  check(
    'visibility of what is no longer in flight is MessageNotInflight',
    async ({ send, receive, hide }) => {
      await send('x')
      const [message] = await receive({ VisibilityTimeout: 0 })
      expect(await refusal(hide(message?.ReceiptHandle, 3))).toBe('MessageNotInflight')
    },
  ),
  check('visibility of what is no receipt is ReceiptHandleIsInvalid', async ({ hide }) => {
    expect(await refusal(hide('rubbish', 3))).toBe('ReceiptHandleIsInvalid')
  }),
  check('a delayed message comes after its delay', async ({ send, receive, pass }) => {
    await send('later', { DelaySeconds: 1 })
    await send('now')
    expect(await receive()).toMatchObject([{ Body: 'now' }])
    await pass(1100)
    expect((await receive()).map(({ Body: body }) => body)).toContain('later')
  }),
  check(spent, async (shop) => {
    const id = await shop.send('x', { MessageAttributes: { a: { DataType: 'String', StringValue: 'b' } } })
    for (let times = 0; times < 2; times += 1)
      expect(await shop.receive({ VisibilityTimeout: 0 })).toMatchObject([{ MessageId: id }])
    expect(await shop.receive()).toEqual([])
    const dead = await receiveFrom(shop, shop.url(deadLetters), { MessageAttributeNames: ['All'] })
    expect(dead).toMatchObject([{ MessageId: id, Body: 'x', MessageAttributes: { a: { StringValue: 'b' } } }])
  }),
  check('no body, and a message too long, are refused', async ({ send }) => {
    expect(await refusal(send(''))).not.toBe('none')
    expect(await refusal(send('x'.repeat(1_048_577)))).not.toBe('none')
  }),
  check('tabs, line ends and letters of all Europe are taken', async ({ send, receive }) => {
    await send('tab\t line\n Ÿ')
    expect(await receive()).toMatchObject([{ Body: 'tab\t line\n Ÿ' }])
  }),
  check('characters beyond XML are refused', async ({ send }) => {
    expect(await refusal(send('bell \u0007'))).toMatch(/InvalidMessageContents$/)
  }),
  check('letters beyond U+FFFF are taken', async ({ send, receive }) => {
    await send('😀')
    expect(await receive()).toMatchObject([{ Body: '😀' }])
  }),
  check('numbers out of the bounds of a receive are refused', async ({ receive }) => {
    expect(await refusal(receive({ MaxNumberOfMessages: 11 }))).not.toBe('none')
    expect(await refusal(receive({ VisibilityTimeout: 43_201 }))).not.toBe('none')
  }),
  check('a delay beyond 15 minutes is refused', async ({ send }) => {
    expect(await refusal(send('x', { DelaySeconds: 901 }))).not.toBe('none')
  }),
  check('a queue is found by its name, and one that there is not is QueueDoesNotExist', async (shop) => {
    const found = await shop.sqs.send(new GetQueueUrlCommand({ QueueName: deadLetters }))
    expect(found.QueueUrl).toBe(shop.url(deadLetters))
    const find = shop.sqs.send(new GetQueueUrlCommand({ QueueName: 'nowhere' }))
    expect(await refusal(find)).toBe('QueueDoesNotExist')
    expect(await refusal(receiveFrom(shop, shop.url('nowhere')))).toBe('QueueDoesNotExist')
  }),
]

/** A queue for each check, and the one for dead letters first. */
export const contractQueues: QueueShapes = {
  [deadLetters]: settings,
  ...Object.fromEntries(sqsChecks.map(({ name }) => [queueOf(name), settings])),
  [queueOf(spent)]: { ...settings, maxReceiveCount: 2, deadLetters },
}
