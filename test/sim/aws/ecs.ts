import type {
  DescribeTaskDefinitionCommandInput,
  DescribeTasksCommandInput,
  ListTasksCommandInput,
  RunTaskCommandInput,
  StopTaskCommandInput,
} from '@aws-sdk/client-ecs'
import { createBuckets } from './ecs-buckets.ts'
import { definitionsFrom, deployRevision, describeTaskDefinition } from './ecs-definitions.ts'
import { throttled } from './ecs-errors.ts'
import { createLife, type Life, maintenanceReason } from './ecs-life.ts'
import { describeTasks, listed, listTasks, stopTask } from './ecs-look.ts'
import type { BucketName, EcsModelSettings, TaskRecord, World } from './ecs-records.ts'
import { runTask } from './ecs-run-task.ts'
import { newTask } from './ecs-task.ts'
import type { EcsHooks, EcsModel, ModelPorts, ModelTask } from './ports.ts'

export type { EcsModelSettings } from './ecs-records.ts'

/** The model, and what a harness wants to count and to look up. */
export type EcsModelInTests = EcsModel & {
  /** Calls by action, throttled ones included. */
  calls: Record<string, number>
  /** Refusals for the rate by action. */
  throttles: Record<string, number>
  task(arn: string): ModelTask | undefined
  /** The tasks that are not STOPPED, in the order of launch. */
  live(): Iterable<ModelTask>
  /** vCPUs of live tasks by market, as the quota counts them. */
  usedVcpus: Readonly<Record<'onDemand' | 'spot', number>>
  /** @param retire whether the older revisions become INACTIVE, so that what is pinned to them cannot be launched any more */
  deployRevision(retire?: boolean): void
}

/**
 * ECS with Fargate as a state machine on a clock of the caller's: one cluster, tasks of one main container, and at least as
 * many ways to go wrong as the real one has. Everything happens by calls, by `time.after`, or because the harness says so.
 */
export function createEcsModel(
  ports: ModelPorts,
  hooks: EcsHooks,
  settings: EcsModelSettings,
): EcsModelInTests {
  const world = createWorld(ports, hooks, settings)
  const life = createLife(world)
  const calls: Record<string, number> = {}
  const throttles: Record<string, number> = {}

  const taskBy = (arn: string): TaskRecord => {
    const task = world.byArn.get(arn)
    if (task === undefined) throw new Error(`There never was a task ${arn}`)
    return task
  }

  return {
    execute: (command) => {
      const name = command.constructor.name.replace(/Command$/, '')
      const action = actions[name]
      if (action === undefined) throw new Error(`The model of ECS does not have the action ${name}`)
      calls[name] = (calls[name] ?? 0) + 1
      try {
        if (!action.buckets.every((bucket) => world.takes(bucket))) throw throttled()
        return action.run(world, life, command.input)
      } catch (error) {
        const isThrottle = error instanceof Error && error.name === 'ThrottlingException'
        if (isThrottle) throttles[name] = (throttles[name] ?? 0) + 1
        throw error
      }
    },

    calls,
    throttles,
    tasks: () => world.tasks,
    task: (arn) => world.byArn.get(arn),
    live: () => world.live,
    usedVcpus: world.usedVcpus,

    exit: (arn, exitCode, reason) => life.exit(taskBy(arn), exitCode, reason),
    reclaim: (arn) => {
      const task = taskBy(arn)
      if (task.market !== 'spot') throw new Error(`Only Spot is taken back, and ${arn} is not on it`)
      life.reclaim(task)
    },
    maintain: (arn) => {
      // Older tasks of maintenance carried the code of a stop by a user; a new code exists, and nobody says since when.
      const code = ports.random.pick(['InfrastructureHealth', 'UserInitiated'])
      life.stop(taskBy(arn), { code, reason: maintenanceReason })
    },
    startForeign: (startedBy) => {
      const definition = [...world.definitions.values()][0]?.at(-1)
      if (definition === undefined) throw new Error('There is no task definition')
      const size = { cpu: 256, memory: 512 }
      const task = newTask(
        world,
        { input: { startedBy }, definition, size, provider: undefined },
        { describedAfterMs: 0, listedAfterMs: 0 },
      )
      life.begin(task, { startMs: 5_000 + ports.random.below(60_000), failure: undefined })
      return task.arn
    },
    freezeListing: (frozen) => {
      world.frozenListing = frozen ? (world.frozenListing ?? [...listed(world)]) : undefined
    },
    deployRevision: (retire?: boolean) => deployRevision(world, retire ?? false),
  }
}

type Action = { buckets: readonly BucketName[]; run(world: World, life: Life, input: object): object }

/** Every action, and the buckets it draws from; those of a row in AWS's table share one. */
const actions: Record<string, Action> = {
  RunTask: {
    buckets: ['runAndStop', 'fargateRunTask'],
    run: (world, life, input) => runTask(world, life, input as RunTaskCommandInput),
  },
  StopTask: {
    buckets: ['runAndStop'],
    run: (world, life, input) => stopTask(world, life, input as StopTaskCommandInput),
  },
  DescribeTasks: {
    buckets: ['describeAndList'],
    run: (world, _, input) => describeTasks(world, input as DescribeTasksCommandInput),
  },
  ListTasks: {
    buckets: ['describeAndList'],
    run: (world, _, input) => listTasks(world, input as ListTasksCommandInput),
  },
  DescribeTaskDefinition: {
    buckets: ['readDefinitions'],
    run: (world, _, input) => describeTaskDefinition(world, input as DescribeTaskDefinitionCommandInput),
  },
}

function createWorld(ports: ModelPorts, hooks: EcsHooks, settings: EcsModelSettings): World {
  return {
    ports,
    hooks,
    settings: {
      forgetAfterMs: 3_600_000,
      failuresOnlyToken: 'consumed',
      ...settings,
    },
    definitions: definitionsFrom(settings.definitions),
    tasks: [],
    byArn: new Map(),
    live: new Set(),
    usedVcpus: { onDemand: 0, spot: 0 },
    tokens: new Map(),
    frozenListing: undefined,
    takes: settings.buckets === 'real' ? createBuckets(ports.time.nowMs) : () => true,
  }
}
