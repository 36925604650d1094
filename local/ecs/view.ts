import type { ContainerRecord, TaskRecord } from './records.ts'
import { containerOverrideOf } from './requests.ts'

export type ViewOptions = {
  arns: { clusterArn: string; definitionArn: string }
  /** Epoch seconds in answers of the API, ISO strings in events. */
  time: (ms: number) => number | string
  interfaceType: 'ElasticNetworkInterface' | 'eni'
  containersWhileProvisioning: boolean
}

/** A task as ECS shows it (ECS API reference, `Task`); fields without a value are absent. Tags are not part of it. */
export function taskView(task: TaskRecord, options: ViewOptions): Record<string, unknown> {
  const { time, arns } = options
  const at = (ms: number | undefined) => (ms === undefined ? undefined : time(ms))
  return withoutAbsent({
    taskArn: task.arn,
    clusterArn: arns.clusterArn,
    taskDefinitionArn: arns.definitionArn,
    group: task.group,
    startedBy: task.startedBy,
    version: task.version,
    lastStatus: task.state,
    desiredStatus: task.desiredStatus,
    launchType: 'FARGATE',
    capacityProviderName: task.capacityProvider,
    platformVersion: '1.4.0',
    platformFamily: 'Linux',
    availabilityZone: task.network.availabilityZone,
    attributes: [{ name: 'ecs.cpu-architecture', value: 'x86_64' }],
    cpu: String(task.cpu),
    memory: String(task.memoryMiB),
    ephemeralStorage: { sizeInGiB: task.ephemeralGiB },
    fargateEphemeralStorage: { sizeInGiB: task.ephemeralGiB },
    enableExecuteCommand: task.enableExecuteCommand,
    healthStatus: 'UNKNOWN',
    inferenceAccelerators: [],
    overrides: {
      inferenceAcceleratorOverrides: [],
      ...task.overrides,
      containerOverrides: overridesOf(task),
    },
    attachments: [attachmentView(task, options.interfaceType)],
    containers: hasContainers(task, options) ? task.containers.map((one) => containerView(task, one)) : [],
    createdAt: time(task.createdMs),
    connectivity: task.connectivityMs === undefined ? undefined : 'CONNECTED',
    connectivityAt: at(task.connectivityMs),
    pullStartedAt: at(task.pullStartedMs),
    pullStoppedAt: at(task.pullStoppedMs),
    startedAt: at(task.startedMs),
    stoppingAt: at(task.stoppingMs),
    executionStoppedAt: at(task.executionStoppedMs),
    stoppedAt: at(task.stoppedMs),
    stopCode: task.stop?.code,
    stoppedReason: task.stop?.reason,
  })
}

/** What is left of a stopped task when its clientToken is used again. */
export const stoppedTaskView = (taskArn: string) => ({
  taskArn,
  lastStatus: 'STOPPED',
  desiredStatus: 'STOPPED',
})

/** Containers come with the network: a task that never got one shows none. */
const hasContainers = (task: TaskRecord, options: ViewOptions): boolean =>
  task.connectivityMs !== undefined || (task.state === 'PROVISIONING' && options.containersWhileProvisioning)

/** Every container is listed, those without an override by name only. */
const overridesOf = (task: TaskRecord) =>
  task.containers.map(({ name }) => containerOverrideOf(task.overrides, name) ?? { name })

function containerView(task: TaskRecord, container: ContainerRecord): Record<string, unknown> {
  return withoutAbsent({
    containerArn: container.arn,
    taskArn: task.arn,
    name: container.name,
    image: container.image,
    runtimeId: container.startedMs === undefined ? undefined : container.runtimeId,
    lastStatus: container.status,
    exitCode: container.exitCode,
    reason: container.reason,
    networkBindings: [],
    networkInterfaces:
      task.connectivityMs === undefined
        ? []
        : [{ attachmentId: task.network.attachmentId, privateIpv4Address: task.network.privateIp }],
    healthStatus: 'UNKNOWN',
    cpu: String(container.cpu),
    memory: container.memoryMiB === undefined ? undefined : String(container.memoryMiB),
  })
}

function attachmentView(task: TaskRecord, type: string): Record<string, unknown> {
  const { network } = task
  const details = { subnetId: network.subnet }
  const attached = {
    ...details,
    networkInterfaceId: network.interfaceId,
    macAddress: network.macAddress,
    privateDnsName: `ip-${network.privateIp.replaceAll('.', '-')}.ec2.internal`,
    privateIPv4Address: network.privateIp,
  }
  const shown = task.connectivityMs === undefined ? details : attached
  return {
    id: network.attachmentId,
    type,
    status: attachmentStatus(task),
    details: Object.entries(shown).map(([name, value]) => ({ name, value })),
  }
}

const attachmentStatus = (task: TaskRecord): string => {
  if (task.state === 'STOPPED') return 'DELETED'
  if (task.state === 'DEPROVISIONING') return 'DETACHING'
  return task.connectivityMs === undefined ? 'PRECREATED' : 'ATTACHED'
}

const withoutAbsent = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
