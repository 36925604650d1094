import { DescribeLogStreamsCommand, GetLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs'
import { ListTasksCommand } from '@aws-sdk/client-ecs'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import type { Message } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { taskEventSchema } from '../../schemas/message.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'
import { receiveUntil, runScript, untilStopped } from './gateway-setup.ts'

let aws: TestAws
beforeAll(async () => {
  aws = await startTestAws()
})
afterAll(() => aws.close())

describe('what one service tells another', () => {
  test('an upload arrives in the jobs queue', async () => {
    await aws
      .clients()
      .s3.send(new PutObjectCommand({ Bucket: 'uploads', Key: 'my film+1.mp4', Body: 'abc' }))
    const messages = await receiveUntil(aws, 'jobs', ({ Body }) => Body?.includes('film') === true)
    const { Records } = JSON.parse(messages.at(-1)?.Body ?? '')
    expect(Records[0]).toMatchObject({
      eventSource: 'aws:s3',
      eventName: 'ObjectCreated:Put',
      s3: { bucket: { name: 'uploads' }, object: { key: 'my+film%2B1.mp4', size: 3 } },
    })
  })

  test('a task is seen through: events in their queue, its log, its environment and its metadata', async () => {
    const arn = await runScript(
      aws,
      'curious',
      `const about = await (await fetch(process.env.ECS_CONTAINER_METADATA_URI_V4 + '/task')).json()
       console.log(JSON.stringify({ time: 1234567890123, arn: about.TaskARN, env: process.env }))
       console.log('second line')
       process.exit(7)`,
    )
    expect((await untilStopped(aws, arn)).containers?.[0]?.exitCode).toBe(7)

    const detailOf = ({ Body }: Message) => taskEventSchema.parse(JSON.parse(Body ?? '')).detail
    // Its container has stopped before it has.
    const hasStopped = (message: Message) =>
      detailOf(message).taskArn === arn && detailOf(message).lastStatus === 'STOPPED'
    const events = (await receiveUntil(aws, 'task-events', hasStopped))
      .map(detailOf)
      .filter(({ taskArn }) => taskArn === arn)
    expect(events.map(({ lastStatus }) => lastStatus)).toEqual(expect.arrayContaining(['RUNNING', 'STOPPED']))

    const stream = `task/main/${arn.split('/').at(-1)}`
    const { logStreams } = await aws
      .clients()
      .logs.send(new DescribeLogStreamsCommand({ logGroupName: 'tasks', logStreamNamePrefix: 'task/main/' }))
    expect(logStreams?.map(({ logStreamName }) => logStreamName)).toContain(stream)
    const { events: lines } = await aws
      .clients()
      .logs.send(
        new GetLogEventsCommand({ logGroupName: 'tasks', logStreamName: stream, startFromHead: true }),
      )
    expect(lines).toMatchObject([
      { timestamp: 1234567890123 },
      { timestamp: 1234567890123, message: 'second line' },
    ])
    const said = JSON.parse(lines?.[0]?.message ?? '')
    expect(said.arn).toBe(arn)
    expect(said.env).toMatchObject({
      AWS_ENDPOINT_URL: aws.endpoint,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'local',
      PATH: process.env.PATH,
    })
    expect(said.env).not.toHaveProperty('VITEST')
  })

  test('a lost reply is a broken connection, and the task runs', async () => {
    await aws.control('POST', '/faults', { kind: 'drop', action: 'RunTask', when: 'after' })
    await expect(runScript(aws, 'unheard', '')).rejects.toMatchObject({ $metadata: expect.anything() })
    const tasks = await aws.clients().ecs.send(new ListTasksCommand({ cluster: 'jobs', family: 'unheard' }))
    const stopped = await aws
      .clients()
      .ecs.send(new ListTasksCommand({ cluster: 'jobs', family: 'unheard', desiredStatus: 'STOPPED' }))
    expect([...(tasks.taskArns ?? []), ...(stopped.taskArns ?? [])]).toHaveLength(1)
  })
})
