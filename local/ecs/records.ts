import type { ContainerDefinition, StrategyItem, Tag, TaskOverride } from './requests.ts'
import type { TaskState } from './settings.ts'

/**
 * What the local ECS remembers. Records are plain data and never changed in place: a new one takes the place of the old,
 * so whoever holds one holds a moment of it. Times are epoch milliseconds.
 */

export type ClusterRecord = {
  name: string
  capacityProviders: readonly string[]
  defaultStrategy: readonly StrategyItem[]
  settings: readonly { name: string; value: string }[]
  tags: readonly Tag[]
}

export type DefinitionRecord = {
  family: string
  revision: number
  status: 'ACTIVE' | 'INACTIVE'
  registeredMs: number
  deregisteredMs?: number
  /** Task size as Fargate counts it; absent in a definition that Fargate cannot run. */
  cpu?: number
  memoryMiB?: number
  ephemeralGiB: number
  containers: readonly ContainerDefinition[]
  /** Everything else of the request, echoed as it came. */
  fields: Record<string, unknown>
  hasTaskRole: boolean
  fargate: boolean
  tags: readonly Tag[]
}

export type StopCode =
  | 'EssentialContainerExited'
  | 'TaskFailedToStart'
  | 'UserInitiated'
  | 'SpotInterruption'
  | 'TerminationNotice'
  | 'InfrastructureHealth'

export type Stop = { code: StopCode; reason?: string }

export type ContainerRecord = {
  name: string
  image: string
  arn: string
  /** `<task id>-<10 digits>`: the name of the container in the metadata endpoint. */
  runtimeId: string
  /** `<prefix>/<container>/<task id>`, as the awslogs driver names its streams. */
  logStream: string
  essential: boolean
  stopTimeoutMs: number
  cpu: number
  memoryMiB?: number
  status: 'PENDING' | 'RUNNING' | 'STOPPED'
  /** The process and when it began, which together survive the reuse of a pid. */
  pid?: number
  processMark?: string
  startedMs?: number
  finishedMs?: number
  exitCode?: number
  reason?: string
}

export type Provider = 'FARGATE' | 'FARGATE_SPOT'
export type Market = 'on-demand' | 'spot'

export type TaskRecord = {
  id: string
  arn: string
  /** Counts launches, so lists keep their order and pages their place. */
  ordinal: number
  cluster: string
  definition: string
  family: string
  revision: number
  group: string
  startedBy?: string
  capacityProvider?: Provider
  cpu: number
  memoryMiB: number
  ephemeralGiB: number
  overrides: TaskOverride
  tags: readonly Tag[]
  enableExecuteCommand: boolean
  network: {
    attachmentId: string
    interfaceId: string
    subnet: string
    macAddress: string
    privateIp: string
    availabilityZone: string
  }
  containers: readonly ContainerRecord[]
  visibleFromMs: number
  /** A start that is going to fail, because a fault says so. */
  doom?: { state: 'PROVISIONING' | 'ACTIVATING'; stop: Stop; afterMs?: number }
  tokenKey?: string

  state: TaskState
  desiredStatus: 'RUNNING' | 'STOPPED'
  version: number
  /** When the state is over; null while only an exit or a request can end it. */
  dueMs: number | null
  stop?: Stop
  createdMs: number
  connectivityMs?: number
  pullStartedMs?: number
  pullStoppedMs?: number
  startedMs?: number
  stopRequestedMs?: number
  stoppingMs?: number
  executionStoppedMs?: number
  stoppedMs?: number
  updatedMs: number
}

/** Runtime ids begin with the id of their task. */
export const taskIdOf = (runtimeId: string): string => runtimeId.slice(0, 32)

export const marketOf = (task: TaskRecord): Market =>
  task.capacityProvider === 'FARGATE_SPOT' ? 'spot' : 'on-demand'

export type Failure = { arn: string | null; reason: string; detail?: string }

export type TokenRecord = {
  key: string
  fingerprint: string
  taskArns: readonly string[]
  failures: readonly Failure[]
  usedMs: number
}
