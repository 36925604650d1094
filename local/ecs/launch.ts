import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import { staysMs } from './lifecycle.ts'
import type { ClusterRecord, ContainerRecord, DefinitionRecord, Provider, TaskRecord } from './records.ts'
import { type ContainerDefinition, containerOverrideOf, type RunTask } from './requests.ts'
import type { Size } from './validate.ts'
import type { World } from './world.ts'

const defaultStopTimeoutS = 30

/** A new task in PROVISIONING, with the faults that are to strike its launch already in it. */
export function newTask(
  world: World,
  request: RunTask,
  from: {
    cluster: ClusterRecord
    definition: DefinitionRecord
    size: Size
    provider: Provider | undefined
    tokenKey: string | undefined
  },
): TaskRecord {
  const { arns, settings, faults } = world
  const { cluster, definition, size } = from
  const id = randomBytes(16).toString('hex')
  const nowMs = world.clock.nowMs()
  const hidden = faults.strike('hidden')
  const latency = faults.strike('launchLatency')
  const doom = doomOf(world)
  const provisioningMs = staysMs(doom, 'PROVISIONING', world.timeline) ?? 0
  return {
    id,
    arn: arns.task(cluster.name, id),
    ordinal: nextOrdinal(world),
    cluster: cluster.name,
    definition: `${definition.family}:${definition.revision}`,
    family: definition.family,
    revision: definition.revision,
    group: request.group ?? `family:${definition.family}`,
    ...(request.startedBy === undefined ? {} : { startedBy: request.startedBy }),
    ...(from.provider === undefined ? {} : { capacityProvider: from.provider }),
    ...size,
    ephemeralGiB: request.overrides.ephemeralStorage?.sizeInGiB ?? definition.ephemeralGiB,
    overrides: request.overrides,
    tags: request.propagateTags === 'TASK_DEFINITION' ? merged(definition.tags, request.tags) : request.tags,
    enableExecuteCommand: request.enableExecuteCommand,
    network: newNetwork(world, request),
    containers: definition.containers.map((container) =>
      newContainer(world, cluster, id, definition, container, request),
    ),
    visibleFromMs: nowMs + (hidden?.durationMs ?? settings.visibilityDelayMs),
    ...(doom ? { doom } : {}),
    ...(from.tokenKey === undefined ? {} : { tokenKey: from.tokenKey }),
    state: 'PROVISIONING',
    desiredStatus: 'RUNNING',
    version: settings.switches.firstVersion,
    dueMs: nowMs + (latency?.delayMs ?? 0) + provisioningMs,
    createdMs: nowMs,
    updatedMs: nowMs,
  }
}

function newContainer(
  world: World,
  cluster: ClusterRecord,
  taskId: string,
  definition: DefinitionRecord,
  container: ContainerDefinition,
  request: RunTask,
): ContainerRecord {
  const override = containerOverrideOf(request.overrides, container.name)
  const memoryMiB = override?.memory ?? container.memory
  return {
    name: container.name,
    image: container.image,
    arn: world.arns.container(cluster.name, taskId, randomUUID()),
    runtimeId: `${taskId}-${randomInt(1_000_000_000, 10_000_000_000)}`,
    logStream: `${logStreamPrefix(definition, container)}/${container.name}/${taskId}`,
    essential: container.essential,
    stopTimeoutMs: (container.stopTimeout ?? defaultStopTimeoutS) * 1_000,
    cpu: override?.cpu ?? container.cpu,
    ...(memoryMiB === undefined ? {} : { memoryMiB }),
    status: 'PENDING',
  }
}

/** As the awslogs driver names its streams. The prefix becomes a folder, so it must not lead out of the log folder. */
function logStreamPrefix(definition: DefinitionRecord, container: ContainerDefinition): string {
  const prefix = container.logConfiguration?.options?.['awslogs-stream-prefix'] ?? ''
  const isSafe = /^[\w.-]+(\/[\w.-]+)*$/.test(prefix) && !prefix.split('/').some((part) => /^\.+$/.test(part))
  return isSafe ? prefix : definition.family
}

function newNetwork(world: World, request: RunTask): TaskRecord['network'] {
  const subnets = request.networkConfiguration?.awsvpcConfiguration?.subnets ?? []
  const index = randomInt(Math.max(1, subnets.length))
  return {
    attachmentId: randomUUID(),
    interfaceId: `eni-0${randomBytes(8).toString('hex')}`,
    subnet: subnets[index] ?? '',
    macAddress: ['0a', ...(randomBytes(5).toString('hex').match(/../g) ?? [])].join(':'),
    privateIp: `10.0.${randomInt(256)}.${randomInt(4, 255)}`,
    availabilityZone: `${world.region}${'abc'.charAt(index % 3)}`,
  }
}

/** The failure to start that a fault has in store for this launch. */
function doomOf(world: World): TaskRecord['doom'] {
  const fault = world.faults.strike('startFailure')
  if (fault === undefined) return undefined
  const reasons = {
    PROVISIONING: 'Unexpected EC2 error while attempting to Create Network Interface in subnet',
    ACTIVATING: 'CannotPullContainerError: pull image manifest has been retried 5 time(s)',
  }
  return {
    state: fault.state,
    stop: { code: fault.stopCode, reason: fault.reason ?? reasons[fault.state] },
    ...(fault.afterMs === undefined ? {} : { afterMs: fault.afterMs }),
  }
}

/** Tasks are kept in the order of their launch, so the last one has the highest number. */
function nextOrdinal(world: World): number {
  let last = 0
  for (const { ordinal } of world.store.tasks.values()) last = ordinal
  return last + 1
}

const merged = (below: TaskRecord['tags'], above: TaskRecord['tags']): TaskRecord['tags'] => [
  ...below.filter(({ key }) => !above.some((tag) => tag.key === key)),
  ...above,
]
