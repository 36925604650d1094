import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { GetLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs'
import { ListTasksCommand } from '@aws-sdk/client-ecs'
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { GetQueueAttributesCommand, GetQueueUrlCommand } from '@aws-sdk/client-sqs'
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestAws, type TestAws } from '../support/local-aws.ts'

let aws: TestAws
beforeAll(async () => {
  aws = await startTestAws()
})
afterAll(() => aws.close())

const post = (headers: Record<string, string>, body = '{}') =>
  fetch(`${aws.endpoint}/`, { method: 'POST', headers, body })

describe('one port for every service', () => {
  test('DynamoDB', async () => {
    const { documents } = aws.clients()
    const Item = { jobId: 'routing', phase: 'Submitted', createdAt: '2026-11-22T10:00:00Z' }
    await documents.send(new PutCommand({ TableName: 'jobs', Item }))
    const got = await documents.send(new GetCommand({ TableName: 'jobs', Key: { jobId: 'routing' } }))
    expect(got.Item).toEqual(Item)
  })

  test('S3', async () => {
    const { s3 } = aws.clients()
    await s3.send(new PutObjectCommand({ Bucket: 'outputs', Key: 'a b/ü.txt', Body: 'hello' }))
    const got = await s3.send(new GetObjectCommand({ Bucket: 'outputs', Key: 'a b/ü.txt' }))
    expect(await got.Body?.transformToString()).toBe('hello')
  })

  test('SQS, with queue URLs that lead back to this port', async () => {
    const { QueueUrl } = await aws.clients().sqs.send(new GetQueueUrlCommand({ QueueName: 'jobs' }))
    expect(QueueUrl).toBe(`${aws.endpoint}/000000000000/jobs`)
  })

  test('SQS under the name that the caller used', async () => {
    const port = new URL(aws.endpoint).port
    const answer = await fetch(`http://localhost:${port}/`, {
      method: 'POST',
      headers: { 'x-amz-target': 'AmazonSQS.GetQueueUrl', 'content-type': 'application/x-amz-json-1.0' },
      body: JSON.stringify({ QueueName: 'jobs' }),
    })
    const { QueueUrl } = (await answer.json()) as { QueueUrl: string }
    expect(QueueUrl).toBe(`http://localhost:${port}/000000000000/jobs`)
    const { Attributes } = await aws
      .clients()
      .sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }))
    expect(Attributes).toEqual({ QueueArn: 'arn:aws:sqs:us-east-1:000000000000:jobs' })
  })

  test('ECS', async () => {
    const { taskArns } = await aws
      .clients()
      .ecs.send(new ListTasksCommand({ cluster: 'jobs', family: 'none' }))
    expect(taskArns).toEqual([])
  })

  test('CloudWatch Logs', async () => {
    const request = new GetLogEventsCommand({ logGroupName: 'tasks', logStreamName: 'task/worker/none' })
    await expect(aws.clients().logs.send(request)).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    })
  })

  test('health', async () => {
    const answer = await fetch(`${aws.endpoint}/_local/health`)
    expect([answer.status, await answer.json()]).toEqual([200, { status: 'ok' }])
  })

  test('the control endpoint of ECS', async () => {
    await expect(aws.control('GET', '/faults')).resolves.toEqual({ faults: [] })
    await expect(aws.control('POST', '/faults', { kind: 'nonsense' })).rejects.toThrow('400')
  })
})

describe('what it refuses', () => {
  test.each(['Transcribe.DescribeLanguageModel', 'AWSStepFunctions.StartExecution', 'nonsense'])(
    'the target %s, by name',
    async (target) => {
      const answer = await post({ 'x-amz-target': target })
      expect(answer.status).toBe(400)
      expect(await answer.json()).toMatchObject({
        __type: 'UnknownOperationException',
        message: expect.stringContaining(target),
      })
    },
  )

  test('an action that ECS or Logs do not have', async () => {
    for (const target of ['AmazonEC2ContainerServiceV20141113.CreateService', 'Logs_20140328.PutLogEvents']) {
      const answer = await post({ 'x-amz-target': target })
      expect([answer.status, await answer.json()]).toMatchObject([
        400,
        { __type: 'UnknownOperationException' },
      ])
    }
  })

  test('services of the query protocol, such as STS', async () => {
    const answer = await post(
      { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
      'Action=GetCallerIdentity&Version=2011-06-15',
    )
    expect([answer.status, await answer.json()]).toMatchObject([400, { __type: 'UnknownOperationException' }])
  })

  test.each([
    'AmazonSQS.SendMessage',
    'AmazonEC2ContainerServiceV20141113.RunTask',
    'DynamoDB_20120810.GetItem',
  ])('a body that is no JSON, for %s', async (target) => {
    const answer = await post({ 'x-amz-target': target, 'content-type': 'application/x-amz-json-1.0' }, '{')
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ __type: expect.stringContaining('SerializationException') })
  })

  test.each([
    ['AmazonEC2ContainerServiceV20141113.RunTask', 1],
    ['Logs_20140328.GetLogEvents', 1],
    ['AmazonSQS.SendMessage', 8],
    ['DynamoDB_20120810.PutItem', 16],
  ])('a body for %s above %i MiB', async (target, mebibytes) => {
    const answer = await post({ 'x-amz-target': target }, ' '.repeat(mebibytes * 1024 * 1024 + 1))
    expect([answer.status, await answer.json()]).toMatchObject([
      413,
      { __type: 'RequestEntityTooLargeException' },
    ])
  })
})

describe('web pages', () => {
  const runTask = { 'x-amz-target': 'AmazonEC2ContainerServiceV20141113.RunTask' }

  test('cannot run tasks', async () => {
    expect((await post({ ...runTask, origin: 'https://example.com' })).status).toBe(403)
  })

  test('cannot run tasks with a method that the CORS rules of a bucket allow', async () => {
    const answer = await fetch(`${aws.endpoint}/uploads/x`, {
      method: 'PUT',
      headers: { ...runTask, origin: 'https://example.com' },
      body: '{}',
    })
    expect(answer.status).toBe(403)
  })

  test('cannot reach the control endpoint', async () => {
    const answer = await fetch(`${aws.endpoint}/_local/faults`, {
      method: 'POST',
      headers: { origin: aws.endpoint },
      body: '{}',
    })
    expect(answer.status).toBe(403)
  })

  test('cannot come under a name that was pointed at loopback', async () => {
    const answer = await raw(
      'POST / HTTP/1.1\r\nHost: evil.example:4566\r\nX-Amz-Target: AmazonSQS.ListQueues\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}',
    )
    expect(answer).toContain('403 Forbidden')
  })

  test('may upload with a presigned URL', async () => {
    const url = await getSignedUrl(
      aws.clients().s3,
      new PutObjectCommand({ Bucket: 'uploads', Key: 'page.txt' }),
    )
    const origin = 'http://localhost:8080'
    const preflight = await fetch(url, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'PUT' },
    })
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([200, '*'])
    const uploaded = await fetch(url, { method: 'PUT', headers: { origin }, body: 'x' })
    expect([uploaded.status, uploaded.headers.get('access-control-expose-headers')]).toEqual([200, 'ETag'])
  })
})

/** Sends these bytes over a connection of its own; resolves with the answer once it is closed. */
const raw = (bytes: string): Promise<string> =>
  new Promise((done, fail) => {
    let answer = ''
    connect(Number(new URL(aws.endpoint).port), '127.0.0.1')
      .on('data', (data) => {
        answer += data.toString()
      })
      .on('close', () => done(answer))
      .on('error', fail)
      .end(bytes)
  })

test.each([
  'DynamoDB_20120810.PutItem',
  'AmazonSQS.SendMessage',
  'AmazonEC2ContainerServiceV20141113.RunTask',
])('a client that breaks off inside a body of %s harms nobody', async (target) => {
  const socket = connect(Number(new URL(aws.endpoint).port), '127.0.0.1')
  socket.write(
    `POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: ${target}\r\nContent-Length: 1000\r\n\r\n{"a`,
  )
  await sleep(30)
  socket.destroy()
  await sleep(30)
  const got = await aws
    .clients()
    .documents.send(new GetCommand({ TableName: 'jobs', Key: { jobId: 'nobody' } }))
  expect(got.Item).toBeUndefined()
})
