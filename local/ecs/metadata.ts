import type { ContainerRecord, DefinitionRecord, TaskRecord } from './records.ts'

export type MetadataAnswer = { status: number; body: unknown }
export type MetadataSources = {
  taskBy: (taskId: string) => TaskRecord | undefined
  definitionBy: (key: string) => DefinitionRecord | undefined
  clusterArn: (cluster: string) => string
  memoryOf: (runtimeId: string) => number
  nowMs: () => number
}

/**
 * The task metadata endpoint version 4 for Fargate: `/v4/<runtime id>` and below it `/task`, `/taskWithTags`, `/stats`,
 * `/task/stats` (ECS developer guide, "Task metadata endpoint v4"). CPU counts in vCPU for the task, in units for containers.
 */
export function readMetadata(path: string, sources: MetadataSources): MetadataAnswer {
  const match = /^\/v4\/(([0-9a-f]{32})-\d{10})(?:\/(.*?))?\/?$/.exec(path)
  const task = sources.taskBy(match?.[2] ?? '')
  const container = task?.containers.find(({ runtimeId }) => runtimeId === match?.[1])
  if (task === undefined || container === undefined) return notFound(path)
  const about = (one: ContainerRecord) => containerMetadata(task, one, sources)

  switch (match?.[3] ?? '') {
    case '':
      return { status: 200, body: about(container) }
    case 'task':
      return { status: 200, body: taskMetadata(task, sources) }
    case 'taskWithTags': {
      const tags = Object.fromEntries(task.tags.map(({ key, value }) => [key, value]))
      return { status: 200, body: { ...taskMetadata(task, sources), TaskTags: tags } }
    }
    case 'stats':
      return { status: 200, body: stats(task, container, sources) }
    case 'task/stats': {
      const all = task.containers.map((one) => [one.runtimeId, stats(task, one, sources)])
      return { status: 200, body: Object.fromEntries(all) }
    }
    default:
      return notFound(path)
  }
}

const notFound = (path: string): MetadataAnswer => ({
  status: 404,
  body: { error: `no metadata at ${path}` },
})

function taskMetadata(task: TaskRecord, sources: MetadataSources) {
  return {
    Cluster: sources.clusterArn(task.cluster),
    TaskARN: task.arn,
    Family: task.family,
    Revision: String(task.revision),
    DesiredStatus: task.desiredStatus,
    KnownStatus: task.state,
    Limits: { CPU: task.cpu / 1_024, Memory: task.memoryMiB },
    PullStartedAt: time(task.pullStartedMs),
    PullStoppedAt: time(task.pullStoppedMs),
    ExecutionStoppedAt: time(task.executionStoppedMs),
    AvailabilityZone: task.network.availabilityZone,
    LaunchType: 'FARGATE',
    Containers: task.containers.map((one) => containerMetadata(task, one, sources)),
    ClockDrift: {
      ClockErrorBound: 0,
      ReferenceTimestamp: time(sources.nowMs()),
      ClockSynchronizationStatus: 'SYNCHRONIZED',
    },
    EphemeralStorageMetrics: { Utilized: 0, Reserved: task.ephemeralGiB * 1_024 + 16 },
  }
}

function containerMetadata(task: TaskRecord, container: ContainerRecord, sources: MetadataSources) {
  const own = sources.definitionBy(task.definition)?.containers.find(({ name }) => name === container.name)
  return {
    DockerId: container.runtimeId,
    Name: container.name,
    DockerName: container.name,
    Image: container.image,
    ImageID: '',
    Labels: {
      'com.amazonaws.ecs.cluster': sources.clusterArn(task.cluster),
      'com.amazonaws.ecs.container-name': container.name,
      'com.amazonaws.ecs.task-arn': task.arn,
      'com.amazonaws.ecs.task-definition-family': task.family,
      'com.amazonaws.ecs.task-definition-version': String(task.revision),
    },
    DesiredStatus: task.desiredStatus,
    KnownStatus: container.status === 'PENDING' ? 'NONE' : container.status,
    ExitCode: container.exitCode,
    Limits: {
      CPU: container.cpu,
      ...(container.memoryMiB === undefined ? {} : { Memory: container.memoryMiB }),
    },
    CreatedAt: time(container.startedMs),
    StartedAt: time(container.startedMs),
    FinishedAt: time(container.finishedMs),
    Type: 'NORMAL',
    LogDriver: own?.logConfiguration?.logDriver,
    LogOptions: own?.logConfiguration?.options && {
      ...own.logConfiguration.options,
      'awslogs-stream': container.logStream,
    },
    ContainerARN: container.arn,
    Networks: [
      {
        NetworkMode: 'awsvpc',
        IPv4Addresses: [task.network.privateIp],
        AttachmentIndex: 0,
        MACAddress: task.network.macAddress,
      },
    ],
  }
}

const stats = (task: TaskRecord, container: ContainerRecord, sources: MetadataSources) => ({
  read: time(sources.nowMs()),
  id: container.runtimeId,
  name: container.name,
  memory_stats: {
    usage: sources.memoryOf(container.runtimeId),
    limit: (container.memoryMiB ?? task.memoryMiB) * 1_048_576,
  },
})

/** RFC 3339 with nanoseconds, of which we know none. */
const time = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString().replace('Z', '000000Z')
