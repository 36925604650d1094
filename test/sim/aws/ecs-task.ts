import type { ContainerOverride, RunTaskCommandInput } from '@aws-sdk/client-ecs'
import { taskArn } from './ecs-arns.ts'
import type { Definition, TaskRecord, World } from './ecs-records.ts'
import type { LaunchFate } from './ports.ts'

/** A new task in PROVISIONING, known to the world from now on. */
export function newTask(
  world: World,
  request: {
    input: Pick<RunTaskCommandInput, 'startedBy' | 'clientToken' | 'overrides'>
    definition: Definition
    size: { cpu: number; memory: number }
    provider: string | undefined
  },
  fate: Pick<LaunchFate, 'describedAfterMs' | 'listedAfterMs'>,
): TaskRecord {
  const { input, definition, size, provider } = request
  const createdAtMs = world.ports.time.nowMs()
  const id = newId(world)
  const overrides = input.overrides?.containerOverrides ?? []
  const ours = overrides[0]
  const main = definition.containers.find(({ name }) => name === ours?.name) ?? definition.containers[0]
  if (main === undefined) throw new Error(`Task definition ${definition.family} has no container`)
  const task: TaskRecord = {
    arn: taskArn(world.settings.cluster, id),
    startedBy: input.startedBy ?? '',
    clientToken: input.clientToken,
    family: definition.family,
    ...size,
    capacityProvider: provider ?? 'FARGATE',
    environment: Object.fromEntries(
      (ours?.environment ?? []).map(({ name = '', value = '' }) => [name, value]),
    ),
    createdAtMs,
    lastStatus: 'PROVISIONING',
    desiredStatus: 'RUNNING',
    startedAtMs: undefined,
    stoppedAtMs: undefined,
    stopCode: undefined,
    stoppedReason: undefined,
    exitCode: undefined,
    version: 1,
    id,
    ordinal: world.tasks.length,
    definition,
    overrides: {
      inferenceAcceleratorOverrides: [],
      ...input.overrides,
      containerOverrides: everyContainer(definition, overrides),
    },
    main,
    hasProvider: provider !== undefined,
    market: provider === 'FARGATE_SPOT' ? 'spot' : 'onDemand',
    describedFromMs: createdAtMs + fate.describedAfterMs,
    listedFromMs: createdAtMs + fate.listedAfterMs,
    connectivityAtMs: undefined,
    pullStartedAtMs: undefined,
    pullStoppedAtMs: undefined,
    stopRequestedAtMs: undefined,
    stoppingAtMs: undefined,
    executionStoppedAtMs: undefined,
    exitReason: undefined,
    reclaimedByMs: undefined,
    cancelNext: undefined,
    cancelKill: undefined,
  }
  world.tasks.push(task)
  world.byArn.set(task.arn, task)
  world.live.add(task)
  world.usedVcpus[task.market] += task.cpu / 1_024
  return task
}

/** 32 hexadecimal digits. */
const newId = ({ ports }: World): string =>
  Array.from({ length: 4 }, () =>
    ports.random
      .below(2 ** 32)
      .toString(16)
      .padStart(8, '0'),
  ).join('')

/** Answers list every container, those without an override by name only (samples in the ECS developer guide). */
const everyContainer = (definition: Definition, overrides: readonly ContainerOverride[]): object[] =>
  definition.containers.map(({ name }) => overrides.find((override) => override.name === name) ?? { name })
