import type {
  DescribeTasksCommandInput,
  ListTasksCommandInput,
  StopTaskCommandInput,
} from '@aws-sdk/client-ecs'
import { findTask, readCluster } from './ecs-arns.ts'
import { clusterNotFound, invalidParameter, taskNotFound } from './ecs-errors.ts'
import type { Life } from './ecs-life.ts'
import { isForgotten, type ListEntry, type TaskRecord, type World } from './ecs-records.ts'
import { apiView } from './ecs-view.ts'

/** DescribeTasks: at most 100; what is unknown, too young or forgotten is MISSING. */
export function describeTasks(world: World, input: DescribeTasksCommandInput): object {
  checkCluster(world, input.cluster)
  const references = new Set(input.tasks)
  if (references.size === 0) throw invalidParameter('Tasks cannot be empty.')
  if ((input.tasks?.length ?? 0) > 100) throw invalidParameter('Tasks cannot have more than 100 elements.')
  const nowMs = world.ports.time.nowMs()
  const tasks: object[] = []
  const failures: object[] = []
  for (const reference of references) {
    const { arn, task } = findTask(world, reference)
    if (task && isDescribed(world, task)) tasks.push(apiView(task, world.settings.cluster, nowMs))
    else failures.push({ arn, reason: 'MISSING' })
  }
  return { tasks, failures }
}

/** ListTasks: by desired status, RUNNING unless asked otherwise; nothing ever has the desired status PENDING. */
export function listTasks(world: World, input: ListTasksCommandInput): object {
  checkCluster(world, input.cluster)
  const { desiredStatus = 'RUNNING', startedBy, family, maxResults = 100, nextToken } = input
  if (maxResults < 1 || maxResults > 100) throw invalidParameter('maxResults must be between 1 and 100.')
  const isWanted = ({ task, desiredStatus: is }: ListEntry) =>
    is === desiredStatus &&
    (startedBy === undefined || task.startedBy === startedBy) &&
    (family === undefined || task.definition.family === family)
  const from = nextToken === undefined ? 0 : placeIn(nextToken)
  const page: TaskRecord[] = []
  for (const entry of world.frozenListing ?? listed(world, from)) {
    if (entry.task.ordinal < from || !isWanted(entry)) continue
    if (page.length === maxResults) {
      return { taskArns: arnsOf(page), nextToken: tokenFor(entry.task.ordinal) }
    }
    page.push(entry.task)
  }
  return { taskArns: arnsOf(page) }
}

/**
 * StopTask: turns desiredStatus and answers; the stop itself takes its time. What is being stopped, or has stopped, keeps
 * its first reason. A task that cannot be described cannot be stopped.
 */
export function stopTask(world: World, life: Life, input: StopTaskCommandInput): object {
  checkCluster(world, input.cluster)
  const { task } = findTask(world, input.task ?? '')
  if (task === undefined || !isDescribed(world, task)) throw taskNotFound()
  life.stop(task, { code: 'UserInitiated', reason: input.reason })
  return { task: apiView(task, world.settings.cluster, world.ports.time.nowMs()) }
}

export function checkCluster(world: World, reference: string | undefined): void {
  if (readCluster(reference ?? 'default') !== world.settings.cluster) throw clusterNotFound()
}

/** What ListTasks sees, in the order of launch. */
export function* listed(world: World, fromOrdinal = 0): Generator<ListEntry> {
  const nowMs = world.ports.time.nowMs()
  for (let ordinal = fromOrdinal; ordinal < world.tasks.length; ordinal += 1) {
    const task = world.tasks[ordinal]
    if (task && nowMs >= task.listedFromMs && !isForgotten(world, task)) {
      yield { task, desiredStatus: task.desiredStatus }
    }
  }
}

const isDescribed = (world: World, task: TaskRecord): boolean =>
  world.ports.time.nowMs() >= task.describedFromMs && !isForgotten(world, task)

const arnsOf = (tasks: readonly TaskRecord[]): string[] => tasks.map(({ arn }) => arn)

/** A token names a place and not a task, so a page goes on where a task has vanished. */
const tokenFor = (ordinal: number): string => Buffer.from(`from:${ordinal}`).toString('base64url')

function placeIn(nextToken: string): number {
  const match = /^from:(\d+)$/.exec(Buffer.from(nextToken, 'base64url').toString())
  if (match === null) throw invalidParameter('Invalid token.')
  return Number(match[1])
}
