import type { EcsHooks, ModelPorts, ModelTask } from './ports.ts'

export type EcsContainerSettings = { name: string; stopTimeoutS: number }

export type EcsDefinitionSettings = {
  family: string
  revision: number
  /** The first one is the main one unless a launch overrides another. */
  containers: readonly EcsContainerSettings[]
  /** awslogs-stream-prefix of its containers. */
  logPrefix?: string
  architecture?: 'X86_64' | 'ARM64'
  ephemeralStorageGiB?: number
}

export type EcsModelSettings = {
  cluster: string
  definitions: readonly EcsDefinitionSettings[]
  /** vCPUs that may live at once in either market; `Infinity` for no quota. */
  vcpuQuota: { onDemand: number; spot: number }
  /** How long a STOPPED task is still described and listed; 1 h unless said. */
  forgetAfterMs?: number
  buckets: 'real' | 'off'
  /** AWS's pages do not say which; a token that started nothing is used up unless said. */
  failuresOnlyToken?: 'consumed' | 'unused'
}

export type Definition = EcsDefinitionSettings & { status: 'ACTIVE' | 'INACTIVE' }

export type Stop = { code: string; reason: string | undefined }
export type Market = 'onDemand' | 'spot'
export type Failure = { reason?: string }

/** A task with what only ECS itself knows of it. Changed in place: nobody outside the model holds one as anything but the truth. */
export type TaskRecord = ModelTask & {
  readonly id: string
  /** Counts launches; also its place in the list of all tasks. */
  readonly ordinal: number
  readonly definition: Definition
  /** What the launch overrode, as answers echo it. */
  readonly overrides: Record<string, unknown>
  readonly main: EcsContainerSettings
  /** Launched by a capacity provider, not by launch type. */
  readonly hasProvider: boolean
  readonly market: Market
  readonly describedFromMs: number
  readonly listedFromMs: number
  connectivityAtMs: number | undefined
  pullStartedAtMs: number | undefined
  pullStoppedAtMs: number | undefined
  stopRequestedAtMs: number | undefined
  stoppingAtMs: number | undefined
  executionStoppedAtMs: number | undefined
  exitReason: string | undefined
  /** By then its Spot capacity is gone, whatever has still to be done. */
  reclaimedByMs: number | undefined
  cancelNext: (() => void) | undefined
  cancelKill: (() => void) | undefined
}

export type TokenRecord = {
  fingerprint: string
  usedAtMs: number
  answer:
    | { is: 'task'; task: TaskRecord }
    | { is: 'failures'; failures: readonly Failure[] }
    | { is: 'refused'; error: () => Error }
}

export type BucketName = 'runAndStop' | 'describeAndList' | 'readDefinitions' | 'fargateRunTask' | Market

/** All that the actions of the model share. */
export type World = {
  ports: ModelPorts
  hooks: EcsHooks
  settings: Required<EcsModelSettings>
  /** By family, in the order of their revisions. */
  definitions: Map<string, Definition[]>
  /** Every task there ever was, by its ordinal. */
  tasks: TaskRecord[]
  byArn: Map<string, TaskRecord>
  /** Those that are not STOPPED. */
  live: Set<TaskRecord>
  usedVcpus: Record<Market, number>
  tokens: Map<string, TokenRecord>
  /** What ListTasks knew when it stopped to learn. */
  frozenListing: readonly ListEntry[] | undefined
  takes(bucket: BucketName): boolean
}

export type ListEntry = { task: TaskRecord; desiredStatus: 'RUNNING' | 'STOPPED' }

/** Whether ECS has forgotten it, so that nothing but the truth knows it any more. */
export const isForgotten = (world: World, task: TaskRecord): boolean =>
  task.stoppedAtMs !== undefined &&
  world.ports.time.nowMs() >= task.stoppedAtMs + world.settings.forgetAfterMs
