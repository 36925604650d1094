import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { GetCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ControllerProcess, spawnController } from '../support/controller.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'
import { type Call, startProxy, type Verdict } from '../support/proxy.ts'
import { until } from '../support/wait.ts'

// The controller is killed in every window of the launch protocol, by the network: the call that opens the window is
// seen on the wire, the process gets SIGKILL, and the call or its answer is swallowed. Then a new controller takes over.

let aws: TestAws
let scratch: string

beforeAll(async () => {
  aws = await startTestAws()
  scratch = await mkdtemp(join(tmpdir(), 'windows-'))
  await aws.clients().ecs.send(
    new RegisterTaskDefinitionCommand({
      family: 'once',
      cpu: '256',
      memory: '512',
      networkMode: 'awsvpc',
      requiresCompatibilities: ['FARGATE'],
      containerDefinitions: [
        { name: 'main', image: 'busybox', command: ['sh', '-c', 'echo $FENCE >> $PROOF; sleep 0.3'] },
      ],
    }),
  )
})

afterAll(async () => {
  await aws.close()
  await rm(scratch, { recursive: true, force: true })
})

const isUpdate = (call: Call, attribute: string): boolean =>
  call.operation.endsWith('.UpdateItem') && call.body.includes(`"${attribute}"`)
const sets = (call: Call, phase: string): boolean =>
  call.operation.endsWith('.UpdateItem') && call.body.includes(`{"S":"${phase}"}`)
/** Not an event of a task before: then the message would be hidden from the next controller for its visibility timeout. */
const deletesJobMessage = (call: Call): boolean =>
  call.operation === 'AmazonSQS.DeleteMessageBatch' && call.body.includes('/jobs"')

const windows: { name: string; at: (call: Call) => boolean; verdict: Verdict }[] = [
  { name: 'before the intent is written', at: (call) => sets(call, 'Starting'), verdict: 'swallowCall' },
  {
    name: 'after the intent, its answer lost',
    at: (call) => sets(call, 'Starting'),
    verdict: 'swallowAnswer',
  },
  {
    name: 'after the intent, before RunTask',
    at: (call) => call.operation.endsWith('.RunTask'),
    verdict: 'swallowCall',
  },
  {
    name: 'after RunTask, before its answer',
    at: (call) => call.operation.endsWith('.RunTask'),
    verdict: 'swallowAnswer',
  },
  {
    name: 'after RunTask, before the ARN is written',
    at: (call) => isUpdate(call, 'taskArn') && call.body.includes(':task/'),
    verdict: 'swallowCall',
  },
  {
    name: 'after the ARN is written',
    at: (call) => isUpdate(call, 'taskArn') && call.body.includes(':task/'),
    verdict: 'swallowAnswer',
  },
  { name: 'before settle', at: (call) => sets(call, 'Succeeded'), verdict: 'swallowCall' },
  { name: 'after settle, its answer lost', at: (call) => sets(call, 'Succeeded'), verdict: 'swallowAnswer' },
  { name: 'before the message is deleted', at: deletesJobMessage, verdict: 'swallowCall' },
]

test.each(windows)(
  'a controller killed $name: exactly one task does the work',
  async ({ name, at, verdict }) => {
    const jobId = name.replaceAll(/[^a-z]+/gi, '-')
    const proof = join(scratch, jobId)
    let killed: Promise<unknown> | undefined
    let first: ControllerProcess | undefined
    const proxy = await startProxy(aws.endpoint, (call) => {
      if (killed !== undefined) return 'swallowCall'
      if (!at(call)) return 'pass'
      killed = first?.end('SIGKILL')
      return verdict
    })
    first = spawnController(aws, { endpoint: proxy.endpoint })
    await aws.clients().sqs.send(
      new SendMessageCommand({
        QueueUrl: aws.queueUrl('jobs'),
        MessageBody: JSON.stringify({
          jobId,
          kind: 'container',
          spec: { params: { taskDefinition: 'once', environment: { PROOF: proof } } },
        }),
      }),
    )
    await until(`the window: ${name}`, () => killed)
    await killed
    await proxy.close()

    const second = spawnController(aws)
    const record = await until(`${jobId} to succeed`, async () => {
      const { Item: item } = await aws
        .clients()
        .documents.send(new GetCommand({ TableName: 'jobs', Key: { jobId }, ConsistentRead: true }))
      return item?.phase === 'Succeeded' && item
    })
    await second.end('SIGTERM')

    expect((await readFile(proof, 'utf8')).trim().split('\n')).toHaveLength(1)
    expect(record).toMatchObject({ counts: { failed: 0, infra: 0 }, generation: 1 })
    expect(record.attempts).toHaveLength(1)
    const { tasks } = (await aws.control('GET', '/ecs/tasks')) as { tasks: { startedBy?: string }[] }
    expect(tasks.filter((task) => task.startedBy?.includes(`/${jobId}/`))).toHaveLength(1)
  },
)
