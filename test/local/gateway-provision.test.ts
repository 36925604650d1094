import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateTableCommand, DescribeTableCommand } from '@aws-sdk/client-dynamodb'
import { DescribeTaskDefinitionCommand } from '@aws-sdk/client-ecs'
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { GetQueueAttributesCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CannotStart } from '../../local/cannot-start.ts'
import { provision } from '../../local/provision.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'
import { receiveUntil } from './gateway-setup.ts'

let aws: TestAws
beforeAll(async () => {
  aws = await startTestAws()
})
afterAll(() => aws.close())

describe('provisioning', () => {
  test('makes the tables with their indexes', async () => {
    const { Table } = await aws.clients().dynamodb.send(new DescribeTableCommand({ TableName: 'jobs' }))
    expect(Table?.BillingModeSummary?.BillingMode).toBe('PAY_PER_REQUEST')
    expect(
      new Map(
        Table?.GlobalSecondaryIndexes?.map((index) => [index.IndexName, index.Projection?.ProjectionType]),
      ),
    ).toEqual(
      new Map([
        ['phase-index', 'KEYS_ONLY'],
        ['backlog-index', 'KEYS_ONLY'],
      ]),
    )
    await aws.clients().dynamodb.send(new DescribeTableCommand({ TableName: 'control' }))
  })

  test('makes the queues with their redrive', async () => {
    const { Attributes } = await aws
      .clients()
      .sqs.send(new GetQueueAttributesCommand({ QueueUrl: aws.queueUrl('jobs'), AttributeNames: ['All'] }))
    expect(Attributes).toMatchObject({ VisibilityTimeout: '60', MessageRetentionPeriod: '864000' })
    expect(JSON.parse(Attributes?.RedrivePolicy ?? '')).toEqual({
      deadLetterTargetArn: 'arn:aws:sqs:us-east-1:000000000000:jobs-dlq',
      maxReceiveCount: 200,
    })
  })

  test('registers a worker that this checkout can run', async () => {
    const { taskDefinition } = await aws
      .clients()
      .ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: 'worker' }))
    expect(taskDefinition).toMatchObject({ revision: 1, cpu: '2048', memory: '4096', networkMode: 'awsvpc' })
    expect(taskDefinition?.containerDefinitions?.[0]).toMatchObject({
      name: 'worker',
      stopTimeout: 120,
      command: [
        process.execPath,
        '--import',
        expect.stringMatching(/^file:\/\/\/.*tsx/),
        expect.stringMatching(/^\/.*worker\/main\.ts$/),
      ],
    })
  })

  test('registers the worker for the internet beside it', async () => {
    const { taskDefinition } = await aws
      .clients()
      .ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: 'worker-internet' }))
    expect(taskDefinition).toMatchObject({ revision: 1, cpu: '256', memory: '512', networkMode: 'awsvpc' })
    expect(taskDefinition?.containerDefinitions?.[0]).toMatchObject({
      name: 'worker',
      command: expect.arrayContaining([expect.stringMatching(/worker\/main\.ts$/)]),
    })
  })

  test('a second time changes nothing', async () => {
    await provision(aws.endpoint, aws.configuration)
    const { taskDefinition } = await aws
      .clients()
      .ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: 'worker' }))
    expect(taskDefinition?.revision).toBe(1)
    await aws.clients().s3.send(new PutObjectCommand({ Bucket: 'uploads', Key: 'after', Body: 'x' }))
    const messages = await receiveUntil(aws, 'jobs', ({ Body }) => Body?.includes('"after"') === true)
    expect(messages.filter(({ Body }) => Body?.includes('s3:TestEvent'))).toHaveLength(1)
  })

  test('puts right what was changed', async () => {
    const { sqs } = aws.clients()
    const QueueUrl = aws.queueUrl('jobs')
    await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: '7' } }))
    await provision(aws.endpoint, { ...aws.configuration, WORKER_CONTAINER: 'renamed' })
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
    )
    expect(Attributes?.VisibilityTimeout).toBe('60')
    const { taskDefinition } = await aws
      .clients()
      .ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: 'worker' }))
    expect(taskDefinition).toMatchObject({ revision: 2, containerDefinitions: [{ name: 'renamed' }] })
  })

  test('refuses a table with other indexes, and says what to do', async () => {
    await aws.clients().dynamodb.send(
      new CreateTableCommand({
        TableName: 'older',
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [{ AttributeName: 'jobId', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'jobId', KeyType: 'HASH' }],
      }),
    )
    const refused = provision(aws.endpoint, { ...aws.configuration, JOBS_TABLE: 'older' })
    await expect(refused).rejects.toThrow(CannotStart)
    await expect(refused).rejects.toThrow(/table older .* Remove /)
  })
})

describe('a restart', () => {
  test('keeps tables, objects and task definitions', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'restart-'))
    try {
      const before = await startTestAws({ dataDir })
      const Item = { jobId: 'kept', phase: 'Pending', backlogQueue: 'default', rank: 1 }
      await before.clients().documents.send(new PutCommand({ TableName: 'jobs', Item }))
      await before
        .clients()
        .s3.send(new PutObjectCommand({ Bucket: 'outputs', Key: 'kept', Body: 'still here' }))
      await before.close()

      const after = await startTestAws({ dataDir })
      const { documents, s3, ecs } = after.clients()
      const record = await documents.send(new GetCommand({ TableName: 'jobs', Key: { jobId: 'kept' } }))
      expect(record.Item).toEqual(Item)
      const object = await s3.send(new GetObjectCommand({ Bucket: 'outputs', Key: 'kept' }))
      expect(await object.Body?.transformToString()).toBe('still here')
      const worker = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: 'worker' }))
      expect(worker.taskDefinition?.revision).toBe(1)
      await after.close()
    } finally {
      await rm(dataDir, { recursive: true, force: true })
    }
  })
})
