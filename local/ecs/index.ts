import { resolve } from 'node:path'
import { createFaults } from '../faults.ts'
import { type Answer, call } from './actions.ts'
import { createArns } from './arns.ts'
import { type Clock, systemClock } from './clock.ts'
import { type ControlAnswer, control } from './control.ts'
import { createPublisher } from './events.ts'
import { type MetadataAnswer, readMetadata } from './metadata.ts'
import { createRuntime } from './runtime.ts'
import { type EcsSettings, timelineAt } from './settings.ts'
import { openStore } from './store.ts'
import { arnsOf } from './tasks.ts'
import { createThrottle } from './throttle.ts'
import { taskView } from './view.ts'
import type { Log, World } from './world.ts'

export type { Answer } from './actions.ts'
export { type Clock, systemClock } from './clock.ts'
export { type Fault, faultSchema } from './faults.ts'
export { type EcsSettings, ecsSettingsSchema, fargateTimeline } from './settings.ts'

export type EcsOptions = {
  /** Holds `state.jsonl`, `logs/` and `scratch/`; what is in it survives a restart. */
  dataDir: string
  region: string
  accountId: string
  /** Where tasks find the gateway, such as http://127.0.0.1:4566; read when a container starts. */
  baseUrl: () => string
  /** What every local task gets besides its definition: endpoint, keys, PATH, HOME. Nothing else is inherited. */
  taskEnvironment: () => Record<string, string>
  settings: EcsSettings
  clock?: Clock
  /** Takes an EventBridge event "ECS Task State Change"; called one after the other. */
  emitEvent: (event: object) => Promise<void>
  log: Log
}

export type Ecs = {
  /** An action by the name behind `AmazonEC2ContainerServiceV20141113.`, with its parsed JSON body. Never rejects. */
  call(action: string, body: unknown): Promise<Answer>
  /** GET of a path that begins with `/v4/`. */
  metadata(path: string): MetadataAnswer
  /** Faults and the truth about tasks; `path` begins with `/faults` or `/tasks`. */
  control(method: string, path: string, body: unknown): ControlAnswer
  /** SIGTERM, then SIGKILL to all containers; the state is on disk when it resolves. */
  close(): Promise<void>
}

/** ECS with Fargate for one machine: the wire protocol's actions over tasks that are child processes. */
export async function createEcs(options: EcsOptions): Promise<Ecs> {
  const { region, accountId, settings, log, clock = systemClock } = options
  const dataDir = resolve(options.dataDir)
  const arns = createArns(region, accountId)
  const faults = createFaults(settings.faults)
  const timeline = timelineAt(settings)
  const store = await openStore(dataDir)
  const publisher = createPublisher({
    account: accountId,
    region,
    clock,
    faults,
    flush: store.flush,
    emit: options.emitEvent,
    onError: (error) => log.warn({ err: error }, 'task event not delivered'),
  })
  const runtime = await createRuntime({
    ...options,
    dataDir,
    timeline,
    clock,
    store,
    onChange: (task) => {
      const view = taskView(task, {
        arns: arnsOf({ arns }, task),
        time: isoTime,
        interfaceType: 'eni',
        containersWhileProvisioning: settings.switches.containersWhileProvisioning,
      })
      publisher.publish({ ...view, updatedAt: isoTime(task.updatedMs) })
    },
  })
  const throttle = createThrottle(settings.throttle.buckets, settings.throttle.enabled, clock.nowMs)
  const world: World = {
    region,
    accountId,
    settings,
    timeline,
    arns,
    clock,
    store,
    runtime,
    faults,
    throttle,
  }

  return {
    call: (action, body) => call(world, action, body, log),
    metadata: (path) =>
      readMetadata(path, {
        taskBy: (id) => store.tasks.get(id),
        definitionBy: (key) => store.definitions.get(key),
        clusterArn: arns.cluster,
        memoryOf: runtime.memoryOf,
        nowMs: clock.nowMs,
      }),
    control: (method, path, body) => control(world, method, path, body),
    close: async () => {
      await runtime.close()
      await publisher.close()
      await store.close()
    },
  }
}

const isoTime = (ms: number): string => new Date(ms).toISOString()
