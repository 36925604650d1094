import { DescribeTaskDefinitionCommand, RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs'
import { GetCommand } from '@aws-sdk/lib-dynamodb'
import pino from 'pino'
import { type Controller, startController } from '../../../controller/start.ts'
import type { Configuration } from '../../../schemas/configuration.ts'
import { readConfiguration } from '../../../schemas/read-configuration.ts'
import { controllerEnvironment } from '../../support/controller.ts'
import { localRegistry, pushImage } from '../../support/images.ts'
import { startTestAws, type TestAws } from '../../support/local-aws.ts'
import type { StoredJob } from '../../support/operator.ts'
import { until as untilSoon } from '../../support/wait.ts'
import { type Recorder, startRecorder } from './recorder.ts'

export type World = {
  aws: TestAws
  controller: Controller
  configuration: Configuration
  recorders: { controller: Recorder; media: Recorder; internet: Recorder; seeding: Recorder }
  record(jobId: string): Promise<StoredJob | undefined>
  /** The record once it is in this phase (and fits, if given). */
  phase(jobId: string, phase: string, fits?: (job: StoredJob) => boolean): Promise<StoredJob>
  call(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }>
  close(): Promise<void>
}

/** Everything runs at once here, on a machine that may be doing something else as well. */
export const until = <T>(what: string, ask: Parameters<typeof untilSoon<T>>[1]): Promise<T> =>
  untilSoon(what, ask, 180_000)

/**
 * The whole system over the wire, named as it is on AWS, with a recorder between each role and the local AWS. What the test
 * itself asks goes past the recorders.
 * @param environment of the controller, as the infrastructure sets it, and what this machine adds
 */
export async function startWorld(environment: Record<string, string>): Promise<World> {
  const aws = await startTestAws({ environment })
  const recorders = {
    controller: await startRecorder(aws.endpoint),
    media: await startRecorder(aws.endpoint),
    internet: await startRecorder(aws.endpoint),
    seeding: await startRecorder(aws.endpoint),
  }
  const { WORKER_TASK_DEFINITION: media, INTERNET_TASK_DEFINITION: internet } = aws.configuration
  await sendTasksThrough(recorders.media.endpoint, media, aws)
  await sendTasksThrough(recorders.internet.endpoint, internet, aws)
  if (aws.configuration.SEEDING_PORT !== undefined)
    await sendTasksThrough(recorders.seeding.endpoint, aws.configuration.SEEDING_TASK_DEFINITION, aws)
  await registerShell(aws)
  const read = readConfiguration(
    {
      ...controllerEnvironment(aws),
      AWS_ENDPOINT_URL: recorders.controller.endpoint,
      MAX_VCPU: '100',
      POLL_S: '0.3',
      // On a machine that is busy with other tests a short lease is lost, and what was in hand with it.
      LEASE_S: '60',
      PORT: '0',
      EMF_METRICS: 'off', // Lines for CloudWatch, which would end up between those of the tests.
    },
    {},
  )
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  const { configuration } = read
  const controller = await startController(configuration, pino({ level: process.env.TEST_LOG ?? 'silent' }))
  const { documents } = aws.clients()

  const record: World['record'] = async (jobId) => {
    const { Item } = await documents.send(
      new GetCommand({ TableName: configuration.JOBS_TABLE, Key: { jobId }, ConsistentRead: true }),
    )
    return Item as StoredJob | undefined
  }
  return {
    aws,
    controller,
    configuration,
    recorders,
    record,
    async phase(jobId, phase, fits = () => true) {
      let last: StoredJob | undefined
      return until(`${jobId} to be ${phase}`, async () => {
        last = await record(jobId)
        return last?.phase === phase && fits(last) && last
      }).catch((error: unknown) => {
        throw new Error(`${error instanceof Error ? error.message : error}; it is ${JSON.stringify(last)}`)
      })
    },
    async call(method, path, body) {
      const answer = await fetch(`${controller.url}${path}`, {
        method,
        ...(body !== undefined && {
          body: JSON.stringify(body),
          headers: { 'content-type': 'application/json' },
        }),
      })
      const text = await answer.text()
      const isJson = answer.headers.get('content-type')?.startsWith('application/json') ?? false
      return { status: answer.status, body: isJson ? (JSON.parse(text) as unknown) : text }
    },
    async close() {
      await controller.stop()
      for (const recorder of Object.values(recorders)) await recorder.close()
      await aws.close()
    },
  }
}

/** A new revision of the worker whose AWS is the recorder: what a definition sets comes before what the local ECS says. */
async function sendTasksThrough(endpoint: string, family: string, aws: TestAws): Promise<void> {
  const { ecs } = aws.clients()
  const { taskDefinition } = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: family }))
  const { containerDefinitions = [], ...definition } = taskDefinition ?? {}
  await ecs.send(
    new RegisterTaskDefinitionCommand({
      family,
      networkMode: definition.networkMode,
      cpu: definition.cpu,
      memory: definition.memory,
      requiresCompatibilities: definition.requiresCompatibilities,
      containerDefinitions: containerDefinitions.map((container) => ({
        ...container,
        environment: [...(container.environment ?? []), { name: 'AWS_ENDPOINT_URL', value: endpoint }],
      })),
    }),
  )
}

/** The task definition of a user, for `container` jobs. Its newest revision has its image in ECR, and the one before has none. */
async function registerShell(aws: TestAws): Promise<void> {
  await pushImage(aws, 'shell', 'pushed')
  for (const tag of ['never-pushed', 'pushed'])
    await aws.clients().ecs.send(
      new RegisterTaskDefinitionCommand({
        family: shellFamily(aws.configuration),
        cpu: '256',
        memory: '512',
        networkMode: 'awsvpc',
        requiresCompatibilities: ['FARGATE'],
        containerDefinitions: [
          {
            name: 'main',
            image: `${localRegistry(aws.configuration.AWS_REGION)}/shell:${tag}`,
            stopTimeout: 2,
            logConfiguration: {
              logDriver: 'awslogs',
              options: { 'awslogs-group': aws.configuration.LOG_GROUP, 'awslogs-stream-prefix': 'own' },
            },
          },
        ],
      }),
    )
}

/** Of that task definition. */
export const revisionWithoutImage = 1

/** Named after the installation, so that its controller may run it. */
export const shellFamily = (configuration: Configuration): string => `${configuration.INSTALLATION}-shell`
