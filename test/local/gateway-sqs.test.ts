import { setTimeout as sleep } from 'node:timers/promises'
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  type ReceiveMessageCommandInput,
  SendMessageCommand,
} from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSqs } from '../../local/sqs.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'

/** What the controller relies on, and fauxqs by itself gets wrong or might. */
let aws: TestAws
beforeAll(async () => {
  aws = await startTestAws()
})
afterAll(() => aws.close())

const makeQueue = async (name: string, attributes: Record<string, string> = {}): Promise<string> => {
  const command = new CreateQueueCommand({ QueueName: name, Attributes: attributes })
  return (await aws.clients().sqs.send(command)).QueueUrl ?? ''
}

const send = (queueUrl: string, body: string) =>
  aws.clients().sqs.send(
    new SendMessageCommand({
      QueueUrl: queueUrl,
      MessageBody: body,
      MessageAttributes: { reason: { DataType: 'String', StringValue: 'Zürich' } },
    }),
  )

const receive = async (
  queueUrl: string,
  options: Partial<ReceiveMessageCommandInput> = {},
): Promise<Message | undefined> => {
  const command = new ReceiveMessageCommand({
    QueueUrl: queueUrl,
    MessageAttributeNames: ['All'],
    MessageSystemAttributeNames: ['All'],
    ...options,
  })
  return (await aws.clients().sqs.send(command)).Messages?.[0]
}

test('a stale receipt handle deletes nothing', async () => {
  const queue = await makeQueue('stale')
  await send(queue, 'x')
  const first = await receive(queue, { VisibilityTimeout: 0 })
  const second = await receive(queue, { VisibilityTimeout: 0 })
  expect(second?.ReceiptHandle).not.toBe(first?.ReceiptHandle)
  const { sqs } = aws.clients()
  await sqs.send(new DeleteMessageCommand({ QueueUrl: queue, ReceiptHandle: first?.ReceiptHandle }))
  const third = await receive(queue)
  expect(third?.Attributes?.ApproximateReceiveCount).toBe('3')
  await sqs.send(new DeleteMessageCommand({ QueueUrl: queue, ReceiptHandle: third?.ReceiptHandle }))
  expect(await receive(queue)).toBeUndefined()
})

test('visibility 0 gives a message back at once', async () => {
  const queue = await makeQueue('back')
  await send(queue, 'x')
  const first = await receive(queue)
  expect(await receive(queue)).toBeUndefined()
  await aws.clients().sqs.send(
    new ChangeMessageVisibilityCommand({
      QueueUrl: queue,
      ReceiptHandle: first?.ReceiptHandle,
      VisibilityTimeout: 0,
    }),
  )
  expect((await receive(queue))?.MessageId).toBe(first?.MessageId)
})

test('what was received too often moves to the dead-letter queue with its id and attributes', async () => {
  const dead = await makeQueue('redrive-dlq')
  const queue = await makeQueue('redrive', {
    VisibilityTimeout: '0',
    RedrivePolicy: JSON.stringify({
      deadLetterTargetArn: 'arn:aws:sqs:us-east-1:000000000000:redrive-dlq',
      maxReceiveCount: 2,
    }),
  })
  const { MessageId } = await send(queue, 'x')
  expect([await receive(queue), await receive(queue)]).toMatchObject([{ MessageId }, { MessageId }])
  expect(await receive(queue)).toBeUndefined()
  expect(await receive(dead)).toMatchObject({
    MessageId,
    Body: 'x',
    MessageAttributes: { reason: { StringValue: 'Zürich' } },
  })
})

test('a long poll wakes when a message comes', async () => {
  const queue = await makeQueue('wake')
  const startedMs = performance.now()
  const waiting = receive(queue, { WaitTimeSeconds: 20 })
  await send(queue, 'x')
  expect(await waiting).toMatchObject({ Body: 'x' })
  expect(performance.now() - startedMs).toBeLessThan(5_000)
})

test('a message that a dead caller was waiting for is not hidden', async () => {
  const queue = await makeQueue('dead-caller')
  const caller = new AbortController()
  const command = new ReceiveMessageCommand({ QueueUrl: queue, WaitTimeSeconds: 20 })
  const waiting = aws.clients().sqs.send(command, { abortSignal: caller.signal })
  setTimeout(() => caller.abort(), 100)
  await expect(waiting).rejects.toThrow()
  await sleep(100) // Until the other end has noticed, which after a kill is the kernel's first act.
  await send(queue, 'x')
  // Twice, because the one that takes it back from the dead caller and this one race.
  const message =
    (await receive(queue, { WaitTimeSeconds: 1 })) ?? (await receive(queue, { WaitTimeSeconds: 1 }))
  expect(message).toMatchObject({ Body: 'x' })
})

test('a message of another service waits for a queue that is not there yet', async () => {
  const sqs = await createSqs('us-east-1')
  const ask = async (action: string, input: object) => {
    const answer = await sqs.call(action, input, 'localhost', () => false)
    return 'body' in answer ? answer.body : undefined
  }
  await sqs.send('arn:aws:sqs:us-east-1:000000000000:late', 'early bird')
  await ask('CreateQueue', { QueueName: 'other' })
  await ask('CreateQueue', { QueueName: 'late' })
  const url = 'http://localhost/000000000000/late'
  expect(await ask('ReceiveMessage', { QueueUrl: url })).toMatchObject({ Messages: [{ Body: 'early bird' }] })
  await sqs.close()
})
