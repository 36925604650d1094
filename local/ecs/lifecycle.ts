import type { ContainerRecord, Stop, TaskRecord } from './records.ts'
import type { TaskState, Timeline } from './settings.ts'

export type StartOutcome = { pid: number; processMark: string } | { failure: string }

/** Everything that can happen to a task. Reading it is not among them. */
export type Happening =
  | { kind: 'due' }
  | { kind: 'started'; outcomes: ReadonlyMap<string, StartOutcome> }
  | { kind: 'exited'; container: string; exitCode: number; reason?: string }
  | { kind: 'stop'; stop: Stop }
  | { kind: 'lost'; stop: Stop }

export type Effect = 'startContainers' | 'stopContainers' | 'cleanUp'
export type Advance = { task: TaskRecord; effects: readonly Effect[] }
export type LifecycleRules = {
  timeline: Timeline
  versionStep: number
  silentStates: readonly TaskState[]
}

/**
 * The next moment of a task: PROVISIONING, PENDING, ACTIVATING, RUNNING, DEACTIVATING, STOPPING, DEPROVISIONING, STOPPED
 * (ECS developer guide, "Task lifecycle"). Pure. `version` grows with every change that sends an event, and only then.
 * What does not apply any more (a second stop, a late timer) returns the same record.
 */
export function advance(
  task: TaskRecord,
  happening: Happening,
  nowMs: number,
  rules: LifecycleRules,
): Advance {
  switch (happening.kind) {
    case 'due':
      return afterDue(task, nowMs, rules)
    case 'started':
      return afterStarted(task, happening.outcomes, nowMs, rules)
    case 'exited':
      return afterExit(task, happening, nowMs, rules)
    case 'stop':
      return beginStop(task, happening.stop, nowMs, rules)
    case 'lost':
      return afterLost(task, happening.stop, nowMs, rules)
    default:
      throw new Error(`Unknown happening: ${JSON.stringify(happening satisfies never)}`)
  }
}

function afterDue(task: TaskRecord, nowMs: number, rules: LifecycleRules): Advance {
  const { timeline } = rules
  if (task.dueMs === null || nowMs < task.dueMs) return only(task)
  const doom = task.stop === undefined && task.doom?.state === task.state ? task.doom.stop : undefined

  switch (task.state) {
    case 'PROVISIONING':
      if (task.stop) return only(enter(task, 'DEPROVISIONING', nowMs, rules, { stoppingMs: nowMs }))
      if (doom) return beginStop(task, doom, nowMs, rules)
      return only(enter(task, 'PENDING', nowMs, rules, { connectivityMs: nowMs }))

    case 'PENDING':
      if (task.stop) return only(enter(task, 'DEPROVISIONING', nowMs, rules, { stoppingMs: nowMs }))
      return only(enter(task, 'ACTIVATING', nowMs, rules, { pullStartedMs: nowMs }))

    case 'ACTIVATING':
      if (task.stop) return enterStopping(task, nowMs, rules)
      if (doom) return beginStop(task, doom, nowMs, rules)
      if (task.pullStoppedMs === undefined) {
        return only({ ...task, pullStoppedMs: nowMs, dueMs: nowMs + timeline.activatingMs })
      }
      return { task: { ...task, dueMs: null }, effects: ['startContainers'] }

    case 'RUNNING':
      if (task.stop === undefined) return only({ ...task, dueMs: null })
      return only(enter(withFinalCode(task), 'DEACTIVATING', nowMs, rules))

    case 'DEACTIVATING':
      return enterStopping(task, nowMs, rules)

    case 'STOPPING':
      if (!task.containers.every(hasStopped)) return only({ ...task, dueMs: null })
      return only(enter(task, 'DEPROVISIONING', nowMs, rules))

    case 'DEPROVISIONING': {
      const containers = task.containers.map(
        (container): ContainerRecord => ({ ...container, status: 'STOPPED' }),
      )
      const stopped = enter(withFinalCode(task), 'STOPPED', nowMs, rules, { containers, stoppedMs: nowMs })
      return { task: stopped, effects: ['cleanUp'] }
    }

    case 'STOPPED':
      return only(task)

    default:
      throw new Error(`Unknown state: ${String(task.state satisfies never)}`)
  }
}

/** All containers started: RUNNING. One did not: the others are stopped, and the task never ran. */
function afterStarted(
  task: TaskRecord,
  outcomes: ReadonlyMap<string, StartOutcome>,
  nowMs: number,
  rules: LifecycleRules,
): Advance {
  const containers = task.containers.map((container): ContainerRecord => {
    const outcome = outcomes.get(container.name)
    if (outcome === undefined) return container
    if ('failure' in outcome) return { ...container, status: 'STOPPED', reason: outcome.failure }
    return { ...container, status: 'RUNNING', startedMs: nowMs, ...outcome }
  })
  const failure = [...outcomes.values()].find((outcome) => 'failure' in outcome)
  if (failure) {
    return beginStop(
      { ...task, containers },
      { code: 'TaskFailedToStart', reason: failure.failure },
      nowMs,
      rules,
    )
  }
  return only(enter(task, 'RUNNING', nowMs, rules, { containers, startedMs: nowMs }))
}

function afterExit(
  task: TaskRecord,
  exit: { container: string; exitCode: number; reason?: string },
  nowMs: number,
  rules: LifecycleRules,
): Advance {
  const container = task.containers.find(({ name }) => name === exit.container)
  if (container === undefined || hasStopped(container)) return only(task)

  const stopped: ContainerRecord = {
    ...container,
    status: 'STOPPED',
    exitCode: exit.exitCode,
    finishedMs: nowMs,
    ...(exit.reason === undefined ? {} : { reason: exit.reason }),
  }
  const after: TaskRecord = {
    ...task,
    containers: task.containers.map((other) => (other === container ? stopped : other)),
    ...(container.essential ? { executionStoppedMs: task.executionStoppedMs ?? nowMs } : {}),
  }
  if (container.essential && after.stop === undefined) {
    return beginStop(
      after,
      { code: 'EssentialContainerExited', reason: 'Essential container in task exited' },
      nowMs,
      rules,
    )
  }
  return only(dueOnceIdle(changed(after, nowMs, rules), nowMs, rules))
}

/**
 * The wish to stop: desiredStatus turns at once, lastStatus follows in its own time. The first cause stands. A RUNNING Spot
 * task gets SIGTERM together with the notice and stays RUNNING until its containers end (ECS developer guide, "Fargate
 * capacity providers").
 */
function beginStop(task: TaskRecord, stop: Stop, nowMs: number, rules: LifecycleRules): Advance {
  if (task.stop !== undefined || task.state === 'STOPPED') return only(task)
  const isNotice = stop.code === 'SpotInterruption' && task.state === 'RUNNING'
  const stopped: TaskRecord = {
    ...changed(task, nowMs, rules),
    desiredStatus: 'STOPPED',
    stop: isNotice ? { ...stop, code: 'TerminationNotice' } : stop,
    stopRequestedMs: nowMs,
    dueMs: isNotice ? null : nowMs + rules.timeline.noticeMs,
  }
  return { task: stopped, effects: isNotice ? ['stopContainers'] : [] }
}

/** The processes are gone and nobody saw how: no exit code, and the host is to blame. */
function afterLost(task: TaskRecord, stop: Stop, nowMs: number, rules: LifecycleRules): Advance {
  const containers = task.containers.map((container): ContainerRecord => {
    if (hasStopped(container)) return container
    return { ...container, status: 'STOPPED', finishedMs: nowMs, reason: stop.reason ?? stop.code }
  })
  const lost = { ...task, containers, executionStoppedMs: task.executionStoppedMs ?? nowMs }
  if (task.stop === undefined) return beginStop(lost, stop, nowMs, rules)
  return only(dueOnceIdle(changed(lost, nowMs, rules), nowMs, rules))
}

function enterStopping(task: TaskRecord, nowMs: number, rules: LifecycleRules): Advance {
  const stopping = enter(task, 'STOPPING', nowMs, rules, { stoppingMs: nowMs })
  // A container that never started has nothing to wait for.
  const containers = stopping.containers.map(
    (container): ContainerRecord =>
      container.status === 'PENDING' ? { ...container, status: 'STOPPED' } : container,
  )
  return { task: { ...stopping, containers }, effects: ['stopContainers'] }
}

/** Whoever waits for the last container (STOPPING, or a Spot task under notice) goes on when it has stopped. */
function dueOnceIdle(task: TaskRecord, nowMs: number, rules: LifecycleRules): TaskRecord {
  if (task.dueMs !== null || !task.containers.every(hasStopped)) return task
  if (task.state === 'STOPPING') return { ...task, dueMs: nowMs }
  if (task.state === 'RUNNING') return { ...task, dueMs: nowMs + rules.timeline.noticeMs }
  return task
}

function enter(
  task: TaskRecord,
  state: TaskState,
  nowMs: number,
  rules: LifecycleRules,
  fields: Partial<TaskRecord> = {},
): TaskRecord {
  const stays = staysMs(task.doom, state, rules.timeline)
  const entered = {
    ...task,
    ...fields,
    state,
    dueMs: stays === null ? null : nowMs + stays,
    updatedMs: nowMs,
  }
  return rules.silentStates.includes(state) ? entered : changed(entered, nowMs, rules)
}

/** How long a task stays in a state it enters; null: until something happens to it. */
export function staysMs(doom: TaskRecord['doom'], state: TaskState, timeline: Timeline): number | null {
  if (doom?.state === state && doom.afterMs !== undefined) return doom.afterMs
  switch (state) {
    case 'PROVISIONING':
      return timeline.provisioningMs
    case 'PENDING':
      return timeline.pendingMs
    case 'ACTIVATING':
      return timeline.pullMs
    case 'DEACTIVATING':
      return timeline.deactivatingMs
    case 'STOPPING':
      return timeline.stoppingMs
    case 'DEPROVISIONING':
      return timeline.deprovisioningMs
    case 'RUNNING':
    case 'STOPPED':
      return null
    default:
      throw new Error(`Unknown state: ${String(state satisfies never)}`)
  }
}

const changed = (task: TaskRecord, nowMs: number, rules: LifecycleRules): TaskRecord => ({
  ...task,
  version: task.version + rules.versionStep,
  updatedMs: nowMs,
})

/** The notice was a warning; what it ends as is the interruption itself. */
const withFinalCode = (task: TaskRecord): TaskRecord =>
  task.stop?.code === 'TerminationNotice'
    ? { ...task, stop: { ...task.stop, code: 'SpotInterruption' } }
    : task

const hasStopped = ({ status }: ContainerRecord): boolean => status === 'STOPPED'

const only = (task: TaskRecord): Advance => ({ task, effects: [] })
