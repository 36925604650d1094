import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DescribeTaskDefinitionCommand, RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs'
import { SetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { noFaults, type S3Faults } from '../../local/s3/index.ts'
import { resourceNames } from '../../schemas/resources.ts'
import type { MediaTools } from '../../worker/ffmpeg.ts'
import { type ClipName, clipMaker, npmMediaTools } from '../support/clips.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'

/** Everything that the jobs run in: the local AWS with its faults, and folders that are removed at the end. */
export type World = {
  aws: TestAws
  s3Faults: S3Faults
  tools: MediaTools
  clip: (name: ClipName) => Promise<string>
  /** Where scripts write down what they did. */
  proof: string
  /** Files of the local AWS. */
  dataDir: string
  /** For files of the checks. */
  scratch: string
  close(): Promise<void>
}

const names = resourceNames()
/** What a killed controller had received comes back this soon, so that the end of the run need not wait for minutes. */
const visibilityTimeoutS = '15'

export async function openWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'chaos-'))
  const [proof, dataDir, scratch] = ['proof', 'aws', 'scratch'].map((name) => join(folder, name))
  if (proof === undefined || dataDir === undefined || scratch === undefined) throw new Error('No folders')
  const remove = () => rm(folder, { recursive: true, force: true, maxRetries: 3 })
  try {
    await Promise.all([proof, scratch].map((path) => mkdir(path)))
    const tools = await npmMediaTools(scratch)
    const s3Faults = noFaults()
    const aws = await startTestAws({
      dataDir,
      s3Faults,
      environment: { FFMPEG_PATH: tools.ffmpeg.path, FFPROBE_PATH: tools.ffprobe.path },
    })
    const close = async () => {
      await aws.close()
      await remove()
    }
    await prepare(aws).catch(async (error: unknown) => {
      await close()
      throw error
    })
    return { aws, s3Faults, tools, clip: clipMaker(scratch, tools), proof, dataDir, scratch, close }
  } catch (error) {
    await remove()
    throw error
  }
}

async function prepare(aws: TestAws): Promise<void> {
  const { ecs, sqs } = aws.clients()
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
  for (const queue of [names.jobsQueue, names.taskEventsQueue])
    await sqs.send(
      new SetQueueAttributesCommand({
        QueueUrl: aws.queueUrl(queue),
        Attributes: { VisibilityTimeout: visibilityTimeoutS },
      }),
    )
}

/** From now on workers reach AWS by this address: a new revision of their task definition says so. */
export async function leadWorkersThrough(aws: TestAws, endpoint: string): Promise<void> {
  const { ecs } = aws.clients()
  const { taskDefinition: definition } = await ecs.send(
    new DescribeTaskDefinitionCommand({ taskDefinition: names.workerFamily }),
  )
  await ecs.send(
    new RegisterTaskDefinitionCommand({
      family: names.workerFamily,
      networkMode: definition?.networkMode,
      requiresCompatibilities: definition?.requiresCompatibilities,
      cpu: definition?.cpu,
      memory: definition?.memory,
      taskRoleArn: definition?.taskRoleArn,
      executionRoleArn: definition?.executionRoleArn,
      containerDefinitions: definition?.containerDefinitions?.map((container) => ({
        ...container,
        environment: [...(container.environment ?? []), { name: 'AWS_ENDPOINT_URL', value: endpoint }],
      })),
    }),
  )
}
