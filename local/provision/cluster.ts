import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import {
  CreateClusterCommand,
  DescribeTaskDefinitionCommand,
  type ECSClient,
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
  type TaskDefinition,
} from '@aws-sdk/client-ecs'
import type { Configuration } from '../../schemas/configuration.ts'
import { kinds } from '../../schemas/kinds/index.ts'
import { logStreamPrefix } from '../../schemas/resources.ts'
import { localAccountId } from '../credentials.ts'
import { covers } from './covers.ts'

/** The cluster, and a revision of the worker's task definition if the latest one is not what is wanted. */
export const provisionCluster = async (ecs: ECSClient, configuration: Configuration): Promise<void> => {
  await ecs.send(
    new CreateClusterCommand({
      clusterName: configuration.CLUSTER,
      capacityProviders: ['FARGATE', 'FARGATE_SPOT'],
    }),
  )
  const wanted = workerDefinition(configuration)
  if (!covers(await latestDefinition(ecs, configuration.WORKER_TASK_DEFINITION), wanted))
    await ecs.send(new RegisterTaskDefinitionCommand(wanted))
}

const latestDefinition = async (ecs: ECSClient, family: string): Promise<TaskDefinition | undefined> => {
  try {
    return (await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: family }))).taskDefinition
  } catch (error) {
    // That is how ECS says that there is no such family.
    if (error instanceof Error && error.name === 'ClientException') return undefined
    throw error
  }
}

/** The worker of this checkout, run from its sources, in the size that transcoding asks for. */
const workerDefinition = (configuration: Configuration): RegisterTaskDefinitionCommandInput => {
  const { cpu, memory } = kinds.transcode.resources
  return {
    family: configuration.WORKER_TASK_DEFINITION,
    networkMode: 'awsvpc',
    requiresCompatibilities: ['FARGATE'],
    cpu: String(cpu),
    memory: String(memory),
    taskRoleArn: `arn:aws:iam::${localAccountId}:role/worker`,
    executionRoleArn: `arn:aws:iam::${localAccountId}:role/execution`,
    containerDefinitions: [
      {
        name: configuration.WORKER_CONTAINER,
        image: 'ecs-job-operator/worker:local',
        essential: true,
        command: [process.execPath, '--import', tsxLoader, workerMain],
        environment: [
          { name: 'JOBS_TABLE', value: configuration.JOBS_TABLE },
          { name: 'OUTPUTS_BUCKET', value: configuration.OUTPUTS_BUCKET },
          { name: 'AWS_REGION', value: configuration.AWS_REGION },
        ],
        // The most that Fargate gives (ECS API reference, ContainerDefinition), and all that a Spot warning leaves.
        stopTimeout: 120,
        logConfiguration: {
          logDriver: 'awslogs',
          options: {
            'awslogs-group': configuration.LOG_GROUP,
            'awslogs-region': configuration.AWS_REGION,
            'awslogs-stream-prefix': logStreamPrefix,
          },
        },
      },
    ],
  }
}

const workerMain = fileURLToPath(new URL('../../worker/main.ts', import.meta.url))

/** By its full address: the bare name would be looked for from wherever the task runs. */
const tsxLoader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
