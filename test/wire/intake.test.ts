import { GetQueueAttributesCommand, ReceiveMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { uploadJobId } from '../../schemas/ids.ts'
import { type Operator, startOperator } from '../support/operator.ts'
import { until } from '../support/wait.ts'

// What the jobs queue may bring: jobs, notifications, repetitions and rubbish. Nothing of it is lost, nothing runs twice,
// and nothing goes round in a loop.

let operator: Operator

beforeAll(async () => {
  operator = await startOperator({ MAX_VCPU: '100' })
})
afterAll(() => operator.close())

const send = (body: unknown) =>
  operator.aws.clients().sqs.send(
    new SendMessageCommand({
      QueueUrl: operator.aws.queueUrl('jobs'),
      MessageBody: typeof body === 'string' ? body : JSON.stringify(body),
    }),
  )

const shell = (script: string) => ({ params: { taskDefinition: 'shell', command: ['sh', '-c', script] } })

const putAside = async () => {
  const { Messages: messages } = await operator.aws.clients().sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: operator.aws.queueUrl('jobs-dlq'),
      WaitTimeSeconds: 5,
      MessageAttributeNames: ['All'],
    }),
  )
  return messages?.map((message) => ({
    body: message.Body,
    reason: message.MessageAttributes?.reason?.StringValue,
  }))
}

const left = async (queue: string) => {
  const { Attributes: attributes } = await operator.aws
    .clients()
    .sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: operator.aws.queueUrl(queue), AttributeNames: ['All'] }),
    )
  return (
    Number(attributes?.ApproximateNumberOfMessages) +
    Number(attributes?.ApproximateNumberOfMessagesNotVisible)
  )
}

test('a job by message runs, and its message is gone', async () => {
  await send({ jobId: 'by-message', kind: 'container', spec: shell('exit 0') })
  await operator.phase('by-message', 'Succeeded')
  await until('the queue to be empty', async () => (await left('jobs')) === 0)
})

test('the same job by two messages runs once', async () => {
  const job = { idempotencyKey: 'order-7', kind: 'container', spec: shell('exit 0') }
  await Promise.all([send(job), send(job), send(job)])
  const before = operator.controller.status().intake.duplicate ?? 0
  await until(
    'the repetitions to be counted',
    () => (operator.controller.status().intake.duplicate ?? 0) >= before + 2,
  )
  expect(await left('jobs-dlq')).toBe(0)
})

test.each([
  ['not JSON', 'make me a video', /NotJson/],
  ['JSON, but no job', { hello: 'world' }, /InvalidRequest: hello: .*; kind: must be given/],
  ['a job with a wrong field', { kind: 'container', spec: { priority: 'high' } }, /spec\.priority: "high"/],
  ['a notification without records', { Records: [] }, /NoRecords/],
  [
    'a notification of something else',
    { Records: [{ eventSource: 'aws:sns' }] },
    /Records\[0\]\.eventSource/,
  ],
])('%s goes to the dead-letter queue at once, with its reason', async (_name, body, reason) => {
  await send(body)
  const aside = await until('the message to be put aside', putAside)
  expect(aside[0]?.reason).toMatch(reason)
  expect(aside[0]?.body).toBe(typeof body === 'string' ? body : JSON.stringify(body))
})

test('an id that is taken by another job: the message is put aside, the job is not touched', async () => {
  await send({ jobId: 'taken', kind: 'container', spec: shell('exit 0') })
  await operator.phase('taken', 'Succeeded')
  await send({ jobId: 'taken', kind: 'container', spec: shell('exit 1') })
  const aside = await until('the message to be put aside', putAside)
  expect(aside[0]?.reason).toMatch(/IdConflict: there is a job taken already/)
  expect(await operator.record('taken')).toMatchObject({ phase: 'Succeeded', generation: 1 })
})

test('an upload told by S3, by EventBridge and by SNS is one job', async () => {
  const object = { size: 1, sequencer: '0055AED6DCD90281E5' }
  const notification = {
    Records: [
      {
        eventSource: 'aws:s3',
        eventName: 'ObjectCreated:Put',
        s3: { bucket: { name: 'uploads' }, object: { ...object, key: 'transcode/a+b%2Bc.mp4', eTag: 'e' } },
      },
    ],
  }
  const event = {
    source: 'aws.s3',
    'detail-type': 'Object Created',
    detail: { bucket: { name: 'uploads' }, object: { ...object, key: 'transcode/a b+c.mp4', etag: 'e' } },
  }
  const before = { ...operator.controller.status().intake }
  await send(notification)
  await send(event)
  await send({ Type: 'Notification', MessageId: 'm', Message: JSON.stringify(event) })
  await send({ Type: 'Notification', MessageId: 'n', Message: JSON.stringify(notification) })
  const grew = (name: string) => (operator.controller.status().intake[name] ?? 0) - (before[name] ?? 0)
  await until('all four to be counted', () => grew('created') + grew('duplicate') >= 4)
  expect({ created: grew('created'), duplicate: grew('duplicate') }).toEqual({ created: 1, duplicate: 3 })
  await operator.phase(uploadJobId('transcode', 'uploads', 'transcode/a b+c.mp4', 'e'), 'Failed')
})

test('the size of an upload decides about its task, and what no task can take is refused', async () => {
  const uploaded = async (key: string, size: number): Promise<string> => {
    const object = { key: `transcode/${key}`, eTag: 'e', sequencer: '0055', size }
    await send({
      Records: [
        {
          eventSource: 'aws:s3',
          eventName: 'ObjectCreated:Put',
          s3: { bucket: { name: 'uploads' }, object },
        },
      ],
    })
    return uploadJobId('transcode', 'uploads', object.key, object.eTag)
  }
  // There is no such object, which is what the tasks find out.
  const small = await operator.phase(await uploaded('small.mp4', 6e6), 'Failed')
  expect(small.settings).toMatchObject({ input: { bytes: 6e6 }, resources: { cpu: 2048, memory: 4096 } })
  expect(small.settings?.resources).not.toHaveProperty('ephemeralStorage')
  const large = await operator.phase(await uploaded('large.mp4', 60e9), 'Failed')
  expect(large.settings).toMatchObject({
    input: { bytes: 60e9 },
    resources: { cpu: 4096, memory: 8192, ephemeralStorage: 116 },
  })
  expect(large.attempts).toMatchObject([{ cpu: 4096, memory: 8192, ephemeralStorage: 116 }])
  const huge = await operator.phase(await uploaded('huge.mp4', 600e9), 'Failed')
  expect(huge).toMatchObject({
    reason: 'TooBig',
    message: expect.stringContaining('558.8 GiB'),
    attempts: [],
  })
})

test('an invalid spec is no rubbish: it becomes a job that says what is wrong', async () => {
  await send({ jobId: 'misnamed', kind: 'transcoding', spec: {} })
  expect(await operator.phase('misnamed', 'Failed')).toMatchObject({ reason: 'InvalidSpec' })
})

test('test events, folders and other files are dropped and counted', async () => {
  const record = (key: string) => ({
    eventSource: 'aws:s3',
    eventName: 'ObjectCreated:Put',
    s3: { bucket: { name: 'uploads' }, object: { key, eTag: 'e', sequencer: '01' } },
  })
  const before = { ...operator.controller.status().intake }
  await send({ Service: 'Amazon S3', Event: 's3:TestEvent', Bucket: 'uploads' })
  await send({
    Records: [record('a/folder/'), record('x/.write_access_check_file.temp'), record('notes.TXT')],
  })
  const counts = ['ignoredTestEvent', 'ignoredFolder', 'ignoredAccessCheck', 'ignoredOtherSuffix']
  await until('all of them to be counted', () =>
    counts.every((name) => (operator.controller.status().intake[name] ?? 0) > (before[name] ?? 0)),
  )
  await until('the queue to be empty', async () => (await left('jobs')) === 0)
})

test('one bad record among good ones: the good ones become jobs, and the message is put aside with the reason', async () => {
  const record = (key: string) => ({
    eventSource: 'aws:s3',
    eventName: 'ObjectCreated:Put',
    s3: { bucket: { name: 'uploads' }, object: { key, eTag: 'e', sequencer: '01' } },
  })
  await send({
    Records: [record('transcode/first.mp4'), { eventSource: 'aws:s3' }, record('transcode/last.mp4')],
  })
  for (const key of ['transcode/first.mp4', 'transcode/last.mp4'])
    await operator.phase(uploadJobId('transcode', 'uploads', key, 'e'), 'Failed')
  const aside = await until('the message to be put aside', putAside)
  expect(aside[0]?.reason).toMatch(/InvalidRecord: Records\[1\]/)
})
