import { RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs'
import { GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import pino from 'pino'
import { type Controller, startController } from '../../controller/start.ts'
import type { Job } from '../../schemas/job.ts'
import { readConfiguration } from '../../schemas/read-configuration.ts'
import { controllerEnvironment } from './controller.ts'
import { startTestAws, type TestAws, type TestAwsOptions } from './local-aws.ts'
import { until } from './wait.ts'

/** A record as a test reads it: the parts it looks at, all of them optional because anybody may write anything. */
export type StoredJob = Partial<Job> & { jobId: string }

export type Operator = {
  aws: TestAws
  controller: Controller
  /** Puts a record like a user does, over whatever is there. */
  put(jobId: string, more?: Record<string, unknown>): Promise<void>
  /** Puts a `container` job that runs a line of shell. */
  run(jobId: string, script: string, spec?: Record<string, unknown>): Promise<void>
  /** A raw edit: SET path = value, straight in the table. */
  set(jobId: string, path: string, value: unknown): Promise<void>
  /** Another raw edit: REMOVE attribute. */
  remove(jobId: string, attribute: string): Promise<void>
  record(jobId: string): Promise<StoredJob | undefined>
  /** The record once it is in this phase (and fits, if given). */
  phase(
    jobId: string,
    phase: string,
    fits?: (job: StoredJob) => boolean,
    timeoutMs?: number,
  ): Promise<StoredJob>
  /** Tasks of a job, as they truly are. */
  tasks(
    jobId: string,
  ): Promise<
    { taskId: string; taskArn: string; lastStatus: string; startedBy: string; desiredStatus: string }[]
  >
  close(): Promise<void>
}

/** The whole system in this process, over the wire: the local AWS and a real controller. */
export async function startOperator(
  environment: Record<string, string> = {},
  options: TestAwsOptions = {},
): Promise<Operator> {
  const aws = await startTestAws(options)
  const read = readConfiguration({ ...controllerEnvironment(aws), ...environment }, {})
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  const controller = await startController(
    read.configuration,
    pino({ level: process.env.TEST_LOG ?? 'silent' }),
  )
  const { documents, ecs } = aws.clients()
  await ecs.send(
    new RegisterTaskDefinitionCommand({
      family: 'shell',
      cpu: '256',
      memory: '512',
      networkMode: 'awsvpc',
      requiresCompatibilities: ['FARGATE'],
      containerDefinitions: [{ name: 'main', image: 'busybox', command: ['true'], stopTimeout: 2 }],
    }),
  )
  const record: Operator['record'] = async (jobId) => {
    const { Item } = await documents.send(
      new GetCommand({ TableName: 'jobs', Key: { jobId }, ConsistentRead: true }),
    )
    return Item as StoredJob | undefined
  }
  const put: Operator['put'] = async (jobId, more = {}) => {
    const createdAt = new Date().toISOString()
    await documents.send(
      new PutCommand({
        TableName: 'jobs',
        Item: { jobId, kind: 'container', phase: 'Submitted', createdAt, ...more },
      }),
    )
  }
  return {
    aws,
    controller,
    put,
    record,
    run: (jobId, script, spec = {}) =>
      put(jobId, { spec: { ...spec, params: { taskDefinition: 'shell', command: ['sh', '-c', script] } } }),
    async set(jobId, path, value) {
      const parts = path.split('.')
      await documents.send(
        new UpdateCommand({
          TableName: 'jobs',
          Key: { jobId },
          UpdateExpression: `SET ${parts.map((_, index) => `#p${index}`).join('.')} = :value`,
          ExpressionAttributeNames: Object.fromEntries(parts.map((part, index) => [`#p${index}`, part])),
          ExpressionAttributeValues: { ':value': value },
        }),
      )
    },
    async remove(jobId, attribute) {
      await documents.send(
        new UpdateCommand({
          TableName: 'jobs',
          Key: { jobId },
          UpdateExpression: 'REMOVE #attribute',
          ExpressionAttributeNames: { '#attribute': attribute },
        }),
      )
    },
    async phase(jobId, phase, fits = () => true, timeoutMs = 25_000) {
      let last: StoredJob | undefined
      return until(
        `${jobId} to be ${phase}`,
        async () => {
          last = await record(jobId)
          return last?.phase === phase && fits(last) && last
        },
        timeoutMs,
      ).catch((error: unknown) => {
        throw new Error(`${error instanceof Error ? error.message : error}; it is ${JSON.stringify(last)}`)
      })
    },
    async tasks(jobId) {
      const { tasks } = (await aws.control('GET', '/ecs/tasks')) as {
        tasks: Awaited<ReturnType<Operator['tasks']>>
      }
      return tasks.filter((task) => task.startedBy?.includes(`/${jobId}/`))
    },
    async close() {
      await controller.stop()
      await aws.close()
    },
  }
}
