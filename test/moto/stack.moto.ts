import { readFile } from 'node:fs/promises'
import { DescribeTasksCommand, RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { DeleteMessageCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exitCodes } from '../../schemas/exit-codes.ts'
import { type Clients, makeClients } from '../support/local-aws.ts'
import type { StoredJob } from '../support/operator.ts'
import { type Block, blocks, container, environmentOf, synthesized } from '../support/synthesized.ts'
import { until } from '../support/wait.ts'
import { type Applied, apply } from './apply.ts'
import { at, call, list } from './calls.ts'
import { type ControllerProcess, startController } from './controller.ts'
import { type Moto, startMoto } from './moto.ts'
import { byType, type Committed } from './outcomes.ts'

/** What Terraform would read is all that this knows of names and settings. */
const stack = synthesized('dev', { NETWORK: 'public' })

let moto: Moto
let applied: Applied
let clients: Clients
beforeAll(async () => {
  moto = await startMoto()
  applied = await apply(stack, moto.send)
  clients = makeClients(moto.endpoint)
})
afterAll(async () => {
  for (const client of Object.values(clients)) client.destroy()
  await moto.close()
})

const ask = (...what: Parameters<typeof call>) => moto.send(call(...what))
const output = (name: string) => String(applied.resolve(stack.output[name]?.value))

const waitMs = 90_000

describe('the stack on moto', () => {
  test('every type of resource is created as created.json says: no worse, and no better', async () => {
    const text = await readFile(new URL('created.json', import.meta.url), 'utf8')
    const committed = Object.entries(JSON.parse(text) as Record<string, Committed>)
    expect(byType(applied.outcomes)).toEqual(
      Object.fromEntries(
        committed.map(([type, entry]) => {
          if (entry === 'created') return [type, entry]
          const { why, ...outcome } = entry
          expect(why, `${type}: why`).toMatch(/.{20,}\.$/)
          return [type, outcome]
        }),
      ),
    )
  })

  test('a group lets out what is written, and nothing else goes in or out', async () => {
    const [group] = blocks(stack, 'aws_security_group')
    const { SecurityGroups } = await ask('ec2', 'DescribeSecurityGroups', {
      Filters: [{ Name: 'vpc-id', Values: [applied.resolve(group?.vpc_id)] }],
    })
    const seen = list(SecurityGroups).map(({ GroupName, IpPermissions, IpPermissionsEgress }) => [
      GroupName,
      { in: IpPermissions, out: new Set(list(IpPermissionsEgress).map(({ ToPort }) => ToPort)) },
    ])
    expect(Object.fromEntries(seen)).toEqual({
      default: { in: [], out: new Set() },
      'dev-controller': { in: [], out: new Set([443]) },
      'dev-media': { in: [], out: new Set([443]) },
      'dev-internet': { in: [], out: new Set([80, 443]) },
    })
  })

  test('the first deployment starts no controller and says what comes next; the one after the images starts two', async () => {
    const [service] = blocks(stack, 'aws_ecs_service')
    expect(applied.resolve(service?.desired_count)).toBe(0)
    expect(output('next_command')).toBe('npm run images, then deploy once more')

    for (const [id, { name }] of Object.entries({ ...stack.resource.aws_ssm_parameter })) {
      const image = `${output(`${String(name).split('/').at(-1)}_repository_url`)}:tag`
      await ask('ssm', 'PutParameter', { Name: name, Value: image, Overwrite: true })
      const answer = await ask('ssm', 'GetParameter', { Name: name })
      applied.found(`aws_ssm_parameter.${id}`, { insecure_value: at(answer, 'Parameter.Value') })
    }
    expect(applied.resolve(service?.desired_count)).toBe(2)
    expect(output('next_command')).toBe('npm run smoke')
    expect(applied.resolve(container(stack, 'dev-worker').image)).toMatch(
      /^\d{12}\.dkr\.ecr\.us-east-1\.amazonaws\.com\/dev-worker:tag$/,
    )
  })

  test('the rules let through what happens to our tasks and transcriptions, not to those of others', async () => {
    const [cluster] = Object.keys({ ...stack.resource.aws_ecs_cluster })
    const clusterArn = applied.resolve(`\${aws_ecs_cluster.${cluster}.arn}`)
    const ours = [{ clusterArn }, { TranscriptionJobName: 'dev.abc' }]
    const others = [{ clusterArn: `${clusterArn}-2` }, { TranscriptionJobName: 'dev2.abc' }]
    // Only AWS itself may send events as `aws.ecs`. moto lets anybody.
    const events = [...others, ...ours].map((detail) => ({
      Source: 'clusterArn' in detail ? 'aws.ecs' : 'aws.transcribe',
      DetailType: 'clusterArn' in detail ? 'ECS Task State Change' : 'Transcribe Job State Change',
      Detail: JSON.stringify(detail),
    }))
    await ask('events', 'PutEvents', { Entries: events })
    expect((await received('task_events_queue_url')).map(({ detail }) => detail)).toEqual(ours)
  })
})

/** What is in a queue now, taken out of it. */
async function received(queue: string): Promise<Block[]> {
  const QueueUrl = output(queue)
  const { Messages = [] } = await clients.sqs.send(
    new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }),
  )
  for (const { ReceiptHandle } of Messages)
    await clients.sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }))
  return Messages.map(({ Body = '' }) => JSON.parse(Body) as Block)
}

/** Each of these is a fault of moto that we go around. One that fails says that moto has learned: go straight then. */
describe('where moto is met', () => {
  test('RunTask breaks on a container without memory, so it gets that of its task (adapt.ts)', async () => {
    await clients.ecs.send(
      new RegisterTaskDefinitionCommand({
        family: 'without-memory',
        networkMode: 'awsvpc',
        requiresCompatibilities: ['FARGATE'],
        cpu: '256',
        memory: '512',
        containerDefinitions: [{ name: 'main', image: 'busybox' }],
      }),
    )
    const run = ask('ecs', 'RunTask', {
      cluster: output('cluster'),
      taskDefinition: 'without-memory',
      launchType: 'FARGATE',
    })
    await expect(run).rejects.toThrow(/RunTask: 500/)
  })

  test('conditions of a bucket’s policy are not read: refusing what comes without TLS refuses all, so the policy goes', async () => {
    const Bucket = output('uploads_bucket')
    const upload = clients.s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'b' }))
    await expect(upload).rejects.toMatchObject({ $metadata: { httpStatusCode: 403 } })
    await ask('s3', 'DeleteBucketPolicy', { Bucket })
  })
})

describe('the controller on moto, with the environment of its container', () => {
  let controller: ControllerProcess
  beforeAll(async () => {
    const environment = environmentOf(applied.resolve(container(stack, 'dev-controller')) as Block)
    controller = startController({ ...environment, ...moto.environment, PORT: '0' })
    await until('the controller to be ready', isReady, waitMs).catch(withWhatItSaid)
  })
  afterAll(() => controller.stop())

  const isReady = async () => {
    const url = controller.url()
    return url !== undefined && (await fetch(`${url}/readyz`)).ok
  }
  const whatItSaid = () =>
    controller
      .said()
      .split('\n')
      .filter((line) => !line.includes('"NOT_READY"'))
      .join('\n')
      .slice(-6000)
  const withWhatItSaid = (error: unknown): never => {
    throw new Error(`${error}; the controller said:\n${whatItSaid()}`)
  }
  const launched = (what: string, fits: (job: StoredJob) => boolean): Promise<StoredJob> =>
    until(
      `the task of ${what}`,
      async () => {
        const scan = new ScanCommand({ TableName: output('jobs_table'), ConsistentRead: true })
        const { Items = [] } = await clients.documents.send(scan)
        return (Items as StoredJob[]).find((job) => fits(job) && job.taskArn !== undefined)
      },
      waitMs,
    ).catch(withWhatItSaid)

  const key = 'transcode/my holiday.MP4'

  test('an upload tells the jobs queue, and becomes a job that is launched', async () => {
    const bucket = output('uploads_bucket')
    await clients.s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: 'film' }))
    const job = await launched('the upload', ({ spec }) => at(spec, 'input.key') === key)
    expect(job).toMatchObject({ kind: 'transcode', spec: { input: { bucket } } })
  })

  test('a record that somebody puts is admitted and launched: it has the ARN of a task that exists', async () => {
    const record = {
      jobId: 'by-hand',
      kind: 'transcode',
      phase: 'Submitted',
      createdAt: new Date().toISOString(),
      spec: { input: { bucket: output('uploads_bucket'), key } },
    }
    await clients.documents.send(new PutCommand({ TableName: output('jobs_table'), Item: record }))
    const job = await launched('by-hand', ({ jobId }) => jobId === 'by-hand')

    const { tasks } = await clients.ecs.send(
      new DescribeTasksCommand({ cluster: output('cluster'), tasks: [job.taskArn ?? ''] }),
    )
    expect(tasks).toMatchObject([
      {
        startedBy: expect.stringMatching(/^dev\/by-hand\//),
        taskDefinitionArn: expect.stringMatching(/:task-definition\/dev-worker:1$/),
        clusterArn: expect.stringMatching(/:cluster\/dev-jobs$/),
        capacityProviderName: expect.stringMatching(/^FARGATE/),
        overrides: {
          containerOverrides: [
            {
              name: 'worker',
              environment: expect.arrayContaining([{ name: 'JOB_ID', value: 'by-hand' }]),
            },
          ],
        },
      },
    ])
  })

  test('it takes nothing for unreadable, the test event of S3 neither, and ends in order', async () => {
    expect(await received('jobs_dlq_url')).toEqual([])
    expect(await controller.stop(), whatItSaid()).toBe(exitCodes.done)
  })
})
