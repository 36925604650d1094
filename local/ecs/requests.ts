import { z } from 'zod'

/**
 * The requests as far as the local ECS reads them. Fields it has no use for are kept where the answer echoes them (task
 * definitions, overrides) and ignored elsewhere.
 */

const keyValue = z.object({ name: z.string(), value: z.string().default('') })
const tags = z.array(z.object({ key: z.string(), value: z.string().default('') })).default([])
const cluster = z.string().default('default')
const page = { nextToken: z.string().optional(), maxResults: z.number().int().optional() }

const strategy = z.array(
  z.object({ capacityProvider: z.string(), weight: z.number().default(0), base: z.number().default(0) }),
)

const container = z.looseObject({
  name: z.string().default(''),
  image: z.string().default(''),
  cpu: z.number().int().default(0),
  memory: z.number().int().optional(),
  memoryReservation: z.number().int().optional(),
  essential: z.boolean().default(true),
  entryPoint: z.array(z.string()).optional(),
  command: z.array(z.string()).optional(),
  environment: z.array(keyValue).default([]),
  stopTimeout: z.number().int().optional(),
  logConfiguration: z
    .looseObject({ logDriver: z.string(), options: z.record(z.string(), z.string()).optional() })
    .optional(),
})

const ephemeralStorage = z.object({ sizeInGiB: z.number().int() })

export const registerTaskDefinitionRequest = z.looseObject({
  family: z.string().default(''),
  taskRoleArn: z.string().optional(),
  networkMode: z.string().optional(),
  containerDefinitions: z.array(container).default([]),
  requiresCompatibilities: z.array(z.string()).default([]),
  cpu: z.string().optional(),
  memory: z.string().optional(),
  ephemeralStorage: ephemeralStorage.optional(),
  tags,
})

// No defaults in overrides: their length is counted as they came.
const containerOverride = z.looseObject({
  name: z.string(),
  command: z.array(z.string()).optional(),
  environment: z.array(z.object({ name: z.string(), value: z.string().optional() })).optional(),
  cpu: z.number().int().optional(),
  memory: z.number().int().optional(),
  memoryReservation: z.number().int().optional(),
})

const taskOverride = z.looseObject({
  containerOverrides: z.array(containerOverride).optional(),
  cpu: z.string().optional(),
  memory: z.string().optional(),
  taskRoleArn: z.string().optional(),
  ephemeralStorage: ephemeralStorage.optional(),
})

// Loose, because a field we do not read still tells one request from another under the same clientToken.
export const runTaskRequest = z.looseObject({
  cluster,
  taskDefinition: z.string(),
  count: z.number().int().default(1),
  startedBy: z.string().optional(),
  group: z.string().optional(),
  clientToken: z.string().optional(),
  launchType: z.string().optional(),
  capacityProviderStrategy: strategy.default([]),
  platformVersion: z.string().optional(),
  networkConfiguration: z
    .object({
      awsvpcConfiguration: z
        .object({
          subnets: z.array(z.string()).default([]),
          securityGroups: z.array(z.string()).default([]),
          assignPublicIp: z.string().optional(),
        })
        .optional(),
    })
    .optional(),
  overrides: taskOverride.prefault({}),
  tags,
  propagateTags: z.string().optional(),
  enableExecuteCommand: z.boolean().default(false),
})

export const stopTaskRequest = z.object({ cluster, task: z.string(), reason: z.string().optional() })

export const describeTasksRequest = z.object({
  cluster,
  tasks: z.array(z.string()).default([]),
  include: z.array(z.string()).default([]),
})

export const listTasksRequest = z.object({
  cluster,
  desiredStatus: z.enum(['RUNNING', 'PENDING', 'STOPPED']).optional(),
  startedBy: z.string().optional(),
  family: z.string().optional(),
  launchType: z.string().optional(),
  serviceName: z.string().optional(),
  containerInstance: z.string().optional(),
  ...page,
})

export const createClusterRequest = z.object({
  clusterName: cluster,
  capacityProviders: z.array(z.string()).default([]),
  defaultCapacityProviderStrategy: strategy.default([]),
  settings: z.array(keyValue).default([]),
  tags,
})

export const describeClustersRequest = z.object({
  clusters: z.array(z.string()).default(['default']),
  include: z.array(z.string()).default([]),
})

export const listClustersRequest = z.object(page)

export const taskDefinitionRequest = z.object({
  taskDefinition: z.string(),
  include: z.array(z.string()).default([]),
})

export const listTaskDefinitionsRequest = z.object({
  familyPrefix: z.string().optional(),
  status: z.enum(['ACTIVE', 'INACTIVE', 'DELETE_IN_PROGRESS']).default('ACTIVE'),
  sort: z.enum(['ASC', 'DESC']).default('ASC'),
  ...page,
})

export const tagResourceRequest = z.object({ resourceArn: z.string(), tags })
export const untagResourceRequest = z.object({ resourceArn: z.string(), tagKeys: z.array(z.string()) })
export const listTagsForResourceRequest = z.object({ resourceArn: z.string() })

/** The override of one container, if there is any. */
export const containerOverrideOf = (overrides: TaskOverride, name: string) =>
  overrides.containerOverrides?.find((override) => override.name === name)

export type Tag = z.infer<typeof tags>[number]
export type StrategyItem = z.infer<typeof strategy>[number]
export type ContainerDefinition = z.infer<typeof container>
export type TaskOverride = z.infer<typeof taskOverride>
export type RegisterTaskDefinition = z.infer<typeof registerTaskDefinitionRequest>
export type RunTask = z.infer<typeof runTaskRequest>
export type StopTask = z.infer<typeof stopTaskRequest>
export type DescribeTasks = z.infer<typeof describeTasksRequest>
export type ListTasks = z.infer<typeof listTasksRequest>
export type CreateCluster = z.infer<typeof createClusterRequest>
export type DescribeClusters = z.infer<typeof describeClustersRequest>
export type ListClusters = z.infer<typeof listClustersRequest>
export type TaskDefinitionReference = z.infer<typeof taskDefinitionRequest>
export type ListTaskDefinitions = z.infer<typeof listTaskDefinitionsRequest>
export type TagResource = z.infer<typeof tagResourceRequest>
export type UntagResource = z.infer<typeof untagResourceRequest>
export type ListTagsForResource = z.infer<typeof listTagsForResourceRequest>
