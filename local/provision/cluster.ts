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
import { type WorkerGroup, workerTaskDefinition } from '../../schemas/resources.ts'
import { localAccountId } from '../credentials.ts'
import { covers } from './covers.ts'

/** The cluster, and a revision of each worker's task definition whose latest one is not what is wanted. */
export const provisionCluster = async (ecs: ECSClient, configuration: Configuration): Promise<void> => {
  await ecs.send(
    new CreateClusterCommand({
      clusterName: configuration.CLUSTER,
      capacityProviders: ['FARGATE', 'FARGATE_SPOT'],
    }),
  )
  for (const wanted of [
    workerDefinition('media', configuration.WORKER_TASK_DEFINITION, configuration),
    workerDefinition('internet', configuration.INTERNET_TASK_DEFINITION, configuration),
    ...(configuration.SEEDING_PORT === undefined
      ? []
      : [workerDefinition('seeding', configuration.SEEDING_TASK_DEFINITION, configuration)]),
  ])
    if (!covers(await latestDefinition(ecs, wanted.family), wanted))
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

/** The worker of this checkout, run from its sources. Everything else is as on AWS. */
const workerDefinition = (
  group: WorkerGroup,
  family: string,
  configuration: Configuration,
): RegisterTaskDefinitionCommandInput & { family: string } => {
  const { container, ...task } = workerTaskDefinition(group, {
    family,
    container: configuration.WORKER_CONTAINER,
    jobsTable: configuration.JOBS_TABLE,
    outputsBucket: configuration.OUTPUTS_BUCKET,
    logGroup: configuration.LOG_GROUP,
    region: configuration.AWS_REGION,
    privateSources: configuration.PRIVATE_SOURCES,
    seedingPort: configuration.SEEDING_PORT,
  })
  return {
    ...task,
    requiresCompatibilities: [...task.requiresCompatibilities],
    taskRoleArn: `arn:aws:iam::${localAccountId}:role/worker`,
    executionRoleArn: `arn:aws:iam::${localAccountId}:role/execution`,
    containerDefinitions: [
      {
        ...container,
        image: 'ecs-job-operator/worker:local',
        command: [process.execPath, '--import', tsxLoader, workerMain],
      },
    ],
  }
}

const workerMain = fileURLToPath(new URL('../../worker/main.ts', import.meta.url))

/** By its full address: the bare name would be looked for from wherever the task runs. */
const tsxLoader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
