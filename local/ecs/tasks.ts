import { clusterOf } from './clusters.ts'
import { invalidParameter, taskNotFound } from './errors.ts'
import { pageOf } from './pages.ts'
import type { ClusterRecord, TaskRecord } from './records.ts'
import type { DescribeTasks, ListTasks, StopTask } from './requests.ts'
import { taskView } from './view.ts'
import type { World } from './world.ts'

/** DescribeTasks: at most 100; what is unknown, too young or too old to be seen is MISSING. */
export function describeTasks(world: World, request: DescribeTasks) {
  const cluster = clusterOf(world, request.cluster)
  if (request.tasks.length === 0) throw invalidParameter('Tasks cannot be empty.')
  if (request.tasks.length > 100) throw invalidParameter('Tasks cannot have more than 100 elements.')
  const found = [...new Set(request.tasks)].map((reference) => findTask(world, cluster, reference))
  return {
    tasks: found.flatMap(({ task }) =>
      task ? [apiView(world, task, { hasTags: request.include.includes('TAGS') })] : [],
    ),
    failures: found.flatMap(({ arn, task }) => (task ? [] : [{ arn, reason: 'MISSING' }])),
  }
}

/** ListTasks: by desired status, RUNNING unless asked otherwise; nothing ever has the desired status PENDING. */
export function listTasks(world: World, request: ListTasks) {
  const cluster = clusterOf(world, request.cluster)
  checkFilters(world, request)
  const stale = world.faults.strike('staleList')
  const asOfMs = world.clock.nowMs() - (stale?.ageMs ?? 0)
  const { desiredStatus = 'RUNNING', startedBy, family, launchType, serviceName, containerInstance } = request
  // Only tasks of services and of EC2 instances have these two.
  const isForeign = serviceName !== undefined || containerInstance !== undefined
  const matching = [...world.store.tasks.values()].filter(
    (task) =>
      !isForeign &&
      task.cluster === cluster.name &&
      isVisible(world, task, asOfMs) &&
      desiredStatusAt(task, asOfMs) === desiredStatus &&
      (startedBy === undefined || task.startedBy === startedBy) &&
      (family === undefined || task.family === family) &&
      (launchType === undefined || launchType === 'FARGATE'),
  )
  const { items, ...next } = pageOf(matching, ({ ordinal }) => String(ordinal).padStart(12, '0'), request)
  return { taskArns: items.map(({ arn }) => arn), ...next }
}

/**
 * StopTask: turns desiredStatus and answers; the stop itself takes its time. The tags go. A task that is being stopped keeps
 * the first reason.
 */
export async function stopTask(world: World, request: StopTask) {
  const cluster = clusterOf(world, request.cluster)
  const { task } = findTask(world, cluster, request.task)
  if (task === undefined) throw taskNotFound()
  if (task.state === 'STOPPED' && world.settings.switches.stopOfStopped === 'refuses') throw taskNotFound()

  const { reason } = request
  const stop = { code: 'UserInitiated' as const, ...(reason === undefined ? {} : { reason }) }
  const stopping = world.runtime.happen(task.id, { kind: 'stop', stop }) ?? task
  world.store.put('tasks', task.id, { ...stopping, tags: [] })
  await world.store.flush()
  return { task: apiView(world, { ...stopping, tags: [] }, { hasTags: true }) }
}

/** A task as answers show it: epoch seconds, and tags where they are asked for. */
export function apiView(
  world: World,
  task: TaskRecord,
  { hasTags }: { hasTags: boolean },
): Record<string, unknown> {
  const view = taskView(task, {
    arns: arnsOf(world, task),
    time: (ms) => ms / 1_000,
    interfaceType: 'ElasticNetworkInterface',
    containersWhileProvisioning: world.settings.switches.containersWhileProvisioning,
  })
  return { ...view, tags: hasTags ? task.tags : [] }
}

export const arnsOf = (world: Pick<World, 'arns'>, task: TaskRecord) => ({
  clusterArn: world.arns.cluster(task.cluster),
  definitionArn: world.arns.definition(task.family, task.revision),
})

function findTask(
  world: World,
  cluster: ClusterRecord,
  reference: string,
): { arn: string; task: TaskRecord | undefined } {
  const parsed = world.arns.taskReference(reference)
  const taskId = parsed?.taskId ?? ''
  if (parsed !== undefined && ![32, 36].includes(taskId.length)) {
    throw invalidParameter('taskId length should be one of [32,36]')
  }
  const arn = reference.startsWith('arn:') ? reference : world.arns.task(cluster.name, taskId)
  const task = world.store.tasks.get(taskId)
  const isHere = task?.cluster === cluster.name && (parsed?.cluster ?? cluster.name) === cluster.name
  const nowMs = world.clock.nowMs()
  return { arn, task: task !== undefined && isHere && isVisible(world, task, nowMs) ? task : undefined }
}

/** ECS is eventually consistent at the young end and forgets at the old one. */
function isVisible(world: World, task: TaskRecord, atMs: number): boolean {
  if (atMs < task.visibleFromMs) return false
  return task.stoppedMs === undefined || atMs < task.stoppedMs + world.settings.stoppedRetentionMs
}

const desiredStatusAt = (task: TaskRecord, atMs: number): string =>
  task.stopRequestedMs !== undefined && atMs >= task.stopRequestedMs ? 'STOPPED' : 'RUNNING'

function checkFilters(world: World, request: ListTasks): void {
  const { startedBy, desiredStatus, family, launchType, serviceName, containerInstance } = request
  if (world.settings.switches.startedByFilter === 'combinable' || startedBy === undefined) return
  const others = [desiredStatus, family, launchType, serviceName, containerInstance]
  if (others.some((filter) => filter !== undefined)) {
    throw invalidParameter('startedBy must be the only filter.')
  }
}
