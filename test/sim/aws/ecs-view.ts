import { clusterArn, containerArn, definitionArn } from './ecs-arns.ts'
import type { TaskRecord } from './ecs-records.ts'

type Time = Date | string
type View = Record<string, unknown>

/** A task as answers show it. */
export const apiView = (task: TaskRecord, cluster: string, nowMs: number): View =>
  taskView(task, cluster, nowMs, (ms) => new Date(ms))

/** The same as the detail of an event: times as text, and when it changed. */
export function eventDetail(task: TaskRecord, cluster: string, nowMs: number): View {
  const detail = taskView(task, cluster, nowMs, (ms) => new Date(ms).toISOString())
  detail.updatedAt = new Date(nowMs).toISOString()
  return detail
}

/** What is left of a stopped task when its clientToken is used again. */
export const stoppedTaskView = ({ arn }: TaskRecord): View => ({
  taskArn: arn,
  lastStatus: 'STOPPED',
  desiredStatus: 'STOPPED',
})

/** Fields without a value are absent (ECS API reference, `Task`). Fields that nobody here reads are left out. */
function taskView(task: TaskRecord, cluster: string, nowMs: number, time: (ms: number) => Time): View {
  const { definition } = task
  const view: View = {
    taskArn: task.arn,
    clusterArn: clusterArn(cluster),
    taskDefinitionArn: definitionArn(definition.family, definition.revision),
    group: `family:${definition.family}`,
    version: task.version,
    lastStatus: task.lastStatus,
    desiredStatus: task.desiredStatus,
    launchType: 'FARGATE',
    platformVersion: '1.4.0',
    cpu: String(task.cpu),
    memory: String(task.memory),
    overrides: task.overrides,
    containers: containerViews(task, cluster),
    createdAt: time(task.createdAtMs),
  }
  if (task.startedBy !== '') view.startedBy = task.startedBy
  if (task.hasProvider) view.capacityProviderName = task.capacityProvider
  if (task.stopCode !== undefined) view.stopCode = task.stopCode
  if (task.stoppedReason !== undefined) view.stoppedReason = task.stoppedReason
  const at = (name: string, ms: number | undefined) => {
    if (ms !== undefined && ms <= nowMs) view[name] = time(ms)
  }
  if (task.connectivityAtMs !== undefined) view.connectivity = 'CONNECTED'
  at('connectivityAt', task.connectivityAtMs)
  at('pullStartedAt', task.pullStartedAtMs)
  at('pullStoppedAt', task.pullStoppedAtMs)
  at('startedAt', task.startedAtMs)
  at('stoppingAt', task.stoppingAtMs)
  at('executionStoppedAt', task.executionStoppedAtMs)
  at('stoppedAt', task.stoppedAtMs)
  return view
}

/** Containers come with the network: a task that never got one shows none. */
function containerViews(task: TaskRecord, cluster: string): View[] {
  if (task.connectivityAtMs === undefined) return []
  return task.definition.containers.map((container, index) => {
    const view: View = {
      containerArn: containerArn(cluster, task.id, index),
      taskArn: task.arn,
      name: container.name,
      lastStatus: containerStatus(task),
    }
    if (container === task.main) {
      if (task.exitCode !== undefined) view.exitCode = task.exitCode
      if (task.exitReason !== undefined) view.reason = task.exitReason
    } else if (task.startedAtMs !== undefined && task.lastStatus === 'STOPPED') {
      // The others end by the SIGTERM that the end of an essential one brings them.
      view.exitCode = 143
    }
    return view
  })
}

function containerStatus(task: TaskRecord): string {
  if (task.executionStoppedAtMs !== undefined || task.lastStatus === 'STOPPED') return 'STOPPED'
  if (task.startedAtMs !== undefined) return 'RUNNING'
  return task.lastStatus === 'STOPPING' || task.lastStatus === 'DEPROVISIONING' ? 'STOPPED' : 'PENDING'
}
