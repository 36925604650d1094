import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestAws, type TestAws } from '../support/local-aws.ts'
import { awsProgram } from './install.ts'

/** The AWS CLI as its own developers made it, knowing nothing but the endpoint. */
let local: TestAws
let directory: string
beforeAll(async () => {
  local = await startTestAws()
  directory = await mkdtemp(join(tmpdir(), 'aws-cli-'))
})
afterAll(async () => {
  await local.close()
  await rm(directory, { recursive: true, force: true })
})

const aws = async (...args: string[]): Promise<string> => {
  // AWS_ENDPOINT_URL alone would not do: for SQS this version of the CLI knows better.
  const common = ['--endpoint-url', local.endpoint, '--output', 'json']
  const { stdout } = await promisify(execFile)(awsProgram, [...args, ...common], {
    env: {
      PATH: process.env.PATH,
      HOME: directory,
      AWS_PAGER: '',
      AWS_DEFAULT_REGION: 'us-east-1',
      ...local.environment,
    },
  })
  return stdout
}

/** What a command answers, as JSON. */
const ask = async (...args: string[]) => JSON.parse(await aws(...args))

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

describe('aws s3', () => {
  test.each([
    ['a small file', 'films/my film.mp4', 5_000],
    ['a file in several parts', 'films/large+1.mp4', 18 * 1024 * 1024],
  ])('cp up and down: %s', async (_, key, bytes) => {
    const content = randomBytes(bytes)
    const [up, down] = [join(directory, 'up'), join(directory, 'down')]
    await writeFile(up, content)
    await aws('s3', 'cp', up, `s3://uploads/${key}`, '--only-show-errors')
    await aws('s3', 'cp', `s3://uploads/${key}`, down, '--only-show-errors')
    expect(sha256(await readFile(down))).toBe(sha256(content))
  })

  test('ls shows buckets, folders and sizes', async () => {
    expect(await aws('s3', 'ls')).toMatch(/ outputs\n.* uploads\n/)
    expect(await aws('s3', 'ls', 's3://uploads')).toContain('PRE films/')
    expect(await aws('s3', 'ls', 's3://uploads/films/')).toMatch(/ 5000 my film\.mp4/)
  })

  test('an upload has told the jobs queue', async () => {
    const keys: string[] = []
    for (let looks = 0; looks < 10 && keys.length < 2; looks += 1) {
      const answer = await aws(
        'sqs',
        'receive-message',
        '--queue-url',
        local.queueUrl('jobs'),
        '--max-number-of-messages',
        '10',
        '--wait-time-seconds',
        '2',
      )
      for (const { Body } of answer === '' ? [] : JSON.parse(answer).Messages)
        keys.push(
          ...(JSON.parse(Body).Records ?? []).map(
            (record: { s3: { object: { key: string } } }) => record.s3.object.key,
          ),
        )
    }
    expect(keys.sort((a, b) => a.localeCompare(b))).toEqual(['films/large%2B1.mp4', 'films/my+film.mp4'])
  })
})

test('aws sqs: send and receive with a queue URL that it asked for', async () => {
  const { QueueUrl } = await ask('sqs', 'get-queue-url', '--queue-name', 'task-events')
  const sent = await ask('sqs', 'send-message', '--queue-url', QueueUrl, '--message-body', '{"jobId":"a"}')
  const { Messages } = await ask(
    'sqs',
    'receive-message',
    '--queue-url',
    QueueUrl,
    '--wait-time-seconds',
    '5',
  )
  expect(Messages).toMatchObject([{ MessageId: sent.MessageId, Body: '{"jobId":"a"}' }])
  const { ReceiptHandle } = Messages[0]
  await aws('sqs', 'delete-message', '--queue-url', QueueUrl, '--receipt-handle', ReceiptHandle)
})

test('aws dynamodb: put-item, get-item, and a query of an index', async () => {
  const item = {
    jobId: { S: 'by-hand' },
    kind: { S: 'transcode' },
    phase: { S: 'Submitted' },
    createdAt: { S: '2026-11-22T10:00:00Z' },
    spec: { M: { input: { M: { bucket: { S: 'uploads' }, key: { S: 'films/my film.mp4' } } } } },
  }
  await aws('dynamodb', 'put-item', '--table-name', 'jobs', '--item', JSON.stringify(item))
  const key = JSON.stringify({ jobId: item.jobId })
  expect(await ask('dynamodb', 'get-item', '--table-name', 'jobs', '--key', key)).toEqual({ Item: item })
  const found = await ask(
    'dynamodb',
    'query',
    '--table-name',
    'jobs',
    '--index-name',
    'phase-index',
    '--key-condition-expression',
    'phase = :p',
    '--expression-attribute-values',
    '{":p":{"S":"Submitted"}}',
  )
  expect(found).toMatchObject({ Count: 1, Items: [{ jobId: item.jobId }] })
})

test('aws ecs and logs: a task from its definition to its last line', async () => {
  const definition = {
    family: 'hello',
    networkMode: 'awsvpc',
    requiresCompatibilities: ['FARGATE'],
    cpu: '256',
    memory: '512',
    containerDefinitions: [
      {
        name: 'main',
        image: 'busybox',
        command: ['sh', '-c', 'echo hello; exit 3'],
        logConfiguration: {
          logDriver: 'awslogs',
          options: {
            'awslogs-group': 'tasks',
            'awslogs-region': 'us-east-1',
            'awslogs-stream-prefix': 'task',
          },
        },
      },
    ],
  }
  await aws('ecs', 'register-task-definition', '--cli-input-json', JSON.stringify(definition))
  const { tasks, failures } = await ask(
    'ecs',
    'run-task',
    '--cluster',
    'jobs',
    '--task-definition',
    'hello',
    '--launch-type',
    'FARGATE',
    '--network-configuration',
    'awsvpcConfiguration={subnets=[subnet-1],assignPublicIp=DISABLED}',
  )
  expect(failures).toEqual([])
  const arn: string = tasks[0].taskArn

  const describeTask = async () =>
    (await ask('ecs', 'describe-tasks', '--cluster', 'jobs', '--tasks', arn)).tasks[0]
  let task = await describeTask()
  for (let looks = 0; looks < 20 && task.lastStatus !== 'STOPPED'; looks += 1) {
    await sleep(100)
    task = await describeTask()
  }
  expect(task).toMatchObject({
    lastStatus: 'STOPPED',
    stopCode: 'EssentialContainerExited',
    containers: [{ name: 'main', exitCode: 3 }],
  })
  const listed = await ask('ecs', 'list-tasks', '--cluster', 'jobs', '--desired-status', 'STOPPED')
  expect(listed.taskArns).toEqual([arn])

  const stream = `task/main/${arn.split('/').at(-1)}`
  const log = await ask('logs', 'get-log-events', '--log-group-name', 'tasks', '--log-stream-name', stream)
  expect(log.events).toMatchObject([{ message: 'hello' }])
})

test('a service that is not here is said to be missing, by name', async () => {
  await expect(aws('stepfunctions', 'list-state-machines')).rejects.toMatchObject({
    stderr: expect.stringMatching(/UnknownOperationException.*AWSStepFunctions\.ListStateMachines/),
  })
})
