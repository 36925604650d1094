import type { Stop, TaskRecord, World } from './ecs-records.ts'
import { eventDetail } from './ecs-view.ts'

export type Life = {
  /** Takes in a new task and lets its time begin. */
  begin(task: TaskRecord, start: { startMs: number; failure: string | undefined }): void
  /** The wish to stop: desiredStatus turns at once, lastStatus follows in its own time. The first cause stands. */
  stop(task: TaskRecord, stop: Stop): void
  /** The main process ended by itself. Ignored when there is none, or none any more. */
  exit(task: TaskRecord, exitCode: number, reason: string | undefined): void
  /** Spot takes its capacity back. */
  reclaim(task: TaskRecord): void
}

export const maintenanceReason =
  'ECS is performing maintenance on the underlying infrastructure hosting the task'
const interruptedReason = 'Your Spot Task was interrupted.'
const noNetworkReason = 'Unexpected EC2 error while attempting to Create Network Interface in subnet'

/** A task that gets no network is given up after about that long; no page of AWS says so for Fargate. */
const provisioningTimeoutMs = 30 * 60_000
const spotNoticeMs = 120_000

/** From RunTask to RUNNING, in the proportions of the sample events of the ECS developer guide. */
const sharesOfStart = { connectivity: 4 / 24, pullStarted: 18 / 24, pullStopped: 21 / 24 }

/**
 * The life of tasks: PROVISIONING, PENDING, ACTIVATING, RUNNING, DEACTIVATING, STOPPING, DEPROVISIONING, STOPPED (ECS
 * developer guide, "Task lifecycle"). Only time, the main process and a stop move it on; nobody does by looking.
 * `version` grows with every change, by steps that nothing promises to be one.
 */
export function createLife(world: World): Life {
  const { hooks, settings } = world
  const { time, random } = world.ports
  const between = (leastMs: number, mostMs: number) => leastMs + random.below(mostMs - leastMs + 1)

  const tell = (task: TaskRecord) => hooks.onEvent(eventDetail(task, settings.cluster, time.nowMs()))

  const change = (task: TaskRecord) => {
    task.version += 1 + random.below(2)
    tell(task)
  }

  const enter = (task: TaskRecord, status: string) => {
    task.lastStatus = status
    change(task)
  }

  /** The next step of a task; there is never more than one. */
  const next = (task: TaskRecord, inMs: number, step: (task: TaskRecord) => void) => {
    task.cancelNext?.()
    const leftMs = (task.reclaimedByMs ?? Number.POSITIVE_INFINITY) - time.nowMs()
    task.cancelNext = time.after(Math.max(0, Math.min(inMs, leftMs)), () => {
      task.cancelNext = undefined
      step(task)
    })
  }

  const begin: Life['begin'] = (task, { startMs, failure }) => {
    tell(task)
    if (failure !== undefined || startMs === Number.POSITIVE_INFINITY) {
      const stop: Stop = { code: 'TaskFailedToStart', reason: failure ?? noNetworkReason }
      next(task, Math.min(startMs, provisioningTimeoutMs), () => beginStop(task, stop))
      return
    }
    const at = (share: number) => Math.round(task.createdAtMs + startMs * share)
    const until = (ms: number) => ms - time.nowMs()
    next(task, until(at(sharesOfStart.connectivity)), () => {
      task.connectivityAtMs = time.nowMs()
      next(task, until(at(sharesOfStart.pullStarted)), () => {
        task.pullStartedAtMs = time.nowMs()
        task.pullStoppedAtMs = at(sharesOfStart.pullStopped)
        next(task, until(at(1)), run)
        enter(task, 'ACTIVATING')
      })
      enter(task, 'PENDING')
    })
  }

  const run = (task: TaskRecord) => {
    task.startedAtMs = time.nowMs()
    enter(task, 'RUNNING')
    hooks.onRunning(task)
  }

  const beginStop: Life['stop'] = (task, { code, reason }) => {
    if (task.stopCode !== undefined) return
    const isNotice = code === 'SpotInterruption' && task.lastStatus === 'RUNNING'
    task.desiredStatus = 'STOPPED'
    task.stopCode = isNotice ? 'TerminationNotice' : code
    task.stoppedReason = reason
    task.stopRequestedAtMs = time.nowMs()
    // A pull that is under way is not seen through.
    if ((task.pullStoppedAtMs ?? 0) > time.nowMs()) task.pullStoppedAtMs = undefined
    if (!isNotice) next(task, between(50, 1_000), leave)
    change(task)
    if (isNotice) terminate(task)
  }

  /** Out of the state in which the wish to stop met it. */
  const leave = (task: TaskRecord) => {
    switch (task.lastStatus) {
      case 'PROVISIONING':
      case 'PENDING':
        task.stoppingAtMs = time.nowMs()
        return deprovision(task)
      case 'ACTIVATING':
        return stopContainers(task)
      default:
        // The notice was a warning; what it ends as is the interruption itself.
        if (task.stopCode === 'TerminationNotice') task.stopCode = 'SpotInterruption'
        next(task, between(50, 1_000), stopContainers)
        return enter(task, 'DEACTIVATING')
    }
  }

  const stopContainers = (task: TaskRecord) => {
    task.stoppingAtMs = time.nowMs()
    const isRunning = task.startedAtMs !== undefined && task.executionStoppedAtMs === undefined
    if (!isRunning) next(task, between(50, 500), deprovision)
    enter(task, 'STOPPING')
    if (isRunning) terminate(task)
  }

  const terminate = (task: TaskRecord) => {
    task.cancelKill = time.after(Math.min(task.main.stopTimeoutS * 1_000, spotNoticeMs), () => kill(task))
    hooks.onTerminate(task)
  }

  const kill = (task: TaskRecord) => {
    end(task, 137, undefined)
    hooks.onKilled(task)
    afterEnd(task)
  }

  const exit: Life['exit'] = (task, exitCode, reason) => {
    if (task.startedAtMs === undefined || task.executionStoppedAtMs !== undefined) return
    end(task, exitCode, reason)
    afterEnd(task)
  }

  const end = (task: TaskRecord, exitCode: number, reason: string | undefined) => {
    task.cancelKill?.()
    task.cancelKill = undefined
    task.exitCode = exitCode
    task.exitReason = reason
    task.executionStoppedAtMs = time.nowMs()
  }

  /** The first end of an essential container is the cause, unless the task was being stopped already. */
  const afterEnd = (task: TaskRecord) => {
    if (task.stopCode === undefined) {
      beginStop(task, { code: 'EssentialContainerExited', reason: 'Essential container in task exited' })
      return
    }
    if (task.lastStatus === 'STOPPING') next(task, 0, deprovision)
    if (task.stopCode === 'TerminationNotice') next(task, between(50, 1_000), leave)
    change(task)
  }

  const deprovision = (task: TaskRecord) => {
    next(task, between(1_000, 8_000), stopped)
    enter(task, 'DEPROVISIONING')
  }

  const stopped = (task: TaskRecord) => {
    task.stoppedAtMs = time.nowMs()
    world.live.delete(task)
    world.usedVcpus[task.market] -= task.cpu / 1_024
    enter(task, 'STOPPED')
  }

  return {
    begin,
    stop: beginStop,
    exit,
    reclaim: (task) => {
      if (task.stopCode !== undefined) return
      task.reclaimedByMs = time.nowMs() + spotNoticeMs
      beginStop(task, { code: 'SpotInterruption', reason: interruptedReason })
    },
  }
}
