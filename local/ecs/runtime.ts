import { mkdirSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from './clock.ts'
import { type Program, programOf } from './environment.ts'
import { hadProcesses, killLeftovers } from './leftovers.ts'
import { advance, type Effect, type Happening, type LifecycleRules, type StartOutcome } from './lifecycle.ts'
import { createProcesses } from './processes.ts'
import { type ContainerRecord, type TaskRecord, taskIdOf } from './records.ts'
import type { EcsSettings, Timeline } from './settings.ts'
import type { Store } from './store.ts'
import { watchMemory } from './watch-memory.ts'
import type { Log } from './world.ts'

export type Runtime = {
  /** Takes in a new task and starts its clock. */
  launch(task: TaskRecord): void
  /** Lets something happen to a task; the task as it is then, undefined when it is unknown. */
  happen(taskId: string, happening: Happening): TaskRecord | undefined
  /** Signals the process groups of a task (or of one container); how many were there. */
  signal(taskId: string, signal: NodeJS.Signals, options?: { container?: string; reason?: string }): number
  /** Bytes each container held when last looked, by runtime id. */
  memoryOf(runtimeId: string): number
  close(): Promise<void>
}

export type RuntimeOptions = {
  dataDir: string
  region: string
  settings: EcsSettings
  timeline: Timeline
  clock: Clock
  store: Store
  baseUrl: () => string
  taskEnvironment: () => Record<string, string>
  /** Called with every task whose version grew. */
  onChange: (task: TaskRecord) => void
  log: Log
}

export const outOfMemory = 'OutOfMemoryError: container killed due to memory usage'

const hostLost = 'The local AWS restarted, and the containers of the task ended with it'
const hostClosed = 'The local AWS was shut down while the task ran'

/**
 * Carries tasks through their lives: the lifecycle says what comes next, this does it. One timer per task, processes for
 * its containers. On its own start it takes up what an earlier life left: tasks that had no process go on where they were,
 * tasks that had one lose it for sure and end as by a failure of their host, and none vanishes.
 */
export async function createRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { clock, store, settings, log } = options
  const rules: LifecycleRules = {
    timeline: options.timeline,
    versionStep: settings.switches.versionStep,
    silentStates: settings.switches.silentStates,
  }
  const scratch = join(options.dataDir, 'scratch')
  const processes = createProcesses(clock)
  const timers = new Map<string, () => void>()
  let isClosing = false

  const happen = (taskId: string, happening: Happening): TaskRecord | undefined => {
    const before = store.tasks.get(taskId)
    if (before === undefined) return undefined
    const { task, effects } = advance(before, happening, clock.nowMs(), rules)
    if (task !== before) keep(task, task.version !== before.version)
    for (const effect of effects) act(task, effect)
    return store.tasks.get(taskId)
  }

  const keep = (task: TaskRecord, isNews: boolean) => {
    store.put('tasks', task.id, task)
    if (isClosing) return
    schedule(task)
    if (isNews) {
      log.debug({ taskId: task.id, lastStatus: task.state, desiredStatus: task.desiredStatus }, 'task')
      options.onChange(task)
    }
  }

  const schedule = (task: TaskRecord) => {
    timers.get(task.id)?.()
    timers.delete(task.id)
    const dueMs = task.stoppedMs === undefined ? task.dueMs : task.stoppedMs + settings.stoppedRetentionMs
    if (dueMs === null) return
    const wake = () => {
      // A timer may fire a moment before the clock says so; then the rest is waited for.
      if (clock.nowMs() < dueMs) return schedule(task)
      if (task.state === 'STOPPED') return forget(task)
      happen(task.id, { kind: 'due' })
    }
    timers.set(task.id, clock.setTimer(Math.max(0, dueMs - clock.nowMs()), wake))
  }

  const forget = (task: TaskRecord) => {
    timers.delete(task.id)
    store.remove('tasks', task.id)
    if (task.tokenKey === undefined) return
    const arns = store.tokens.get(task.tokenKey)?.taskArns ?? []
    if (!arns.some((arn) => store.tasks.has(arn.slice(-task.id.length)))) {
      store.remove('tokens', task.tokenKey)
    }
  }

  const act = (task: TaskRecord, effect: Effect): void => {
    switch (effect) {
      case 'startContainers':
        // Intent before effect: a task that may have processes is never taken for one that has none.
        store
          .flush()
          .then(() => startContainers(task.id))
          .catch((error: unknown) => {
            const reason = `InternalError: ${String(error)}`
            happen(task.id, { kind: 'stop', stop: { code: 'TaskFailedToStart', reason } })
          })
        return
      case 'stopContainers':
        for (const { runtimeId, stopTimeoutMs } of task.containers) processes.stop(runtimeId, stopTimeoutMs)
        return
      case 'cleanUp':
        removeScratch(task.id)
        return
      default:
        throw new Error(`Unknown effect: ${String(effect satisfies never)}`)
    }
  }

  const startContainers = (taskId: string) => {
    const task = store.tasks.get(taskId)
    if (isClosing || task?.state !== 'ACTIVATING' || task.stop !== undefined) return
    mkdirSync(join(scratch, taskId), { recursive: true })
    const outcomes = new Map(task.containers.map((one) => [one.name, startContainer(task, one)]))
    happen(taskId, { kind: 'started', outcomes })
  }

  const startContainer = (task: TaskRecord, container: ContainerRecord): StartOutcome => {
    const program = programFor(task, container)
    if ('failure' in program) return program
    return processes.start(container.runtimeId, program, logPath(container), (exit) => {
      log.info({ taskId: task.id, container: container.name, ...exit }, 'container ended')
      happen(task.id, { kind: 'exited', container: container.name, ...exit })
    })
  }

  const programFor = (task: TaskRecord, container: ContainerRecord): Program | { failure: string } => {
    const definition = store.definitions.get(task.definition)
    if (definition === undefined) return { failure: `InternalError: no task definition ${task.definition}` }
    return programOf(task, container, definition, {
      image: settings.images[container.image],
      environment: options.taskEnvironment(),
      baseUrl: options.baseUrl(),
      scratchFolder: join(scratch, task.id),
      region: options.region,
    })
  }

  const logPath = (container: ContainerRecord) => join(options.dataDir, 'logs', `${container.logStream}.log`)

  const removeScratch = (taskId: string) => {
    rm(join(scratch, taskId), { recursive: true, force: true }).catch((error: unknown) =>
      log.warn({ taskId, err: error }, 'scratch folder not removed'),
    )
  }

  const takeUp = async () => {
    const live = [...store.tasks.values()].filter(({ state }) => state !== 'STOPPED')
    const killed = killLeftovers(live)
    for (const task of live.filter((one) => hadProcesses(one) || killed.has(one.id))) {
      log.warn({ taskId: task.id, lastStatus: task.state }, 'task lost its containers to a restart')
      happen(task.id, { kind: 'lost', stop: { code: 'InfrastructureHealth', reason: hostLost } })
    }
    for (const task of store.tasks.values()) schedule(task)
    for (const taskId of await readdir(scratch).catch(() => [])) {
      if (store.tasks.get(taskId)?.stoppedMs !== undefined || !store.tasks.has(taskId)) removeScratch(taskId)
    }
  }

  await takeUp()
  const memory = watchMemory({
    clock,
    intervalMs: settings.memoryWatchMs,
    groups: processes.groups,
    taskBy: (id) => store.tasks.get(id),
    kill: (runtimeId) => processes.signalGroup(runtimeId, 'SIGKILL', outOfMemory),
    log,
  })

  return {
    launch: (task) => keep(task, true),
    happen,
    signal: (taskId, signal, { container, reason } = {}) =>
      (store.tasks.get(taskId)?.containers ?? [])
        .filter(({ name }) => container === undefined || name === container)
        .filter(({ runtimeId }) => processes.signalGroup(runtimeId, signal, reason)).length,
    memoryOf: memory.bytesOf,

    close: async () => {
      isClosing = true
      memory.close()
      for (const cancel of timers.values()) cancel()
      for (const runtimeId of processes.groups().keys()) {
        const stop = { code: 'InfrastructureHealth', reason: hostClosed } as const
        happen(taskIdOf(runtimeId), { kind: 'stop', stop })
      }
      await processes.stopAll(settings.closeGraceMs)
    },
  }
}
