import type { Failure, Task } from '@aws-sdk/client-ecs'
import type { Stop } from '../reconcile/seen.ts'
import { isThrottled } from './throttled.ts'

/** What RunTask answered, as the launch protocol knows it. */
export type RunAnswer =
  | { is: 'task'; arn: string }
  | { is: 'refused'; kind: 'capacity' | 'permanent'; reason: string }
  /** Nobody knows whether a task runs: the same token has to be sent again. */
  | { is: 'unknown'; reason: string }

/**
 * An HTTP 200 of RunTask. Failures that we do not know are taken for capacity: waiting is the answer that loses nothing.
 * The texts are matched by fragments without apostrophes, which AWS writes in two ways.
 */
export function readRunTask(tasks: readonly Task[], failures: readonly Failure[]): RunAnswer {
  const arn = tasks[0]?.taskArn
  if (arn !== undefined) return { is: 'task', arn }
  const reason = failures
    .map(({ reason: why, detail }) => [why, detail].filter(Boolean).join(': '))
    .join('; ')
  const kind = /configuration is above your limit/i.test(reason) ? 'permanent' : 'capacity'
  return { is: 'refused', kind, reason: reason || 'RunTask started no task and gave no reason' }
}

/** Errors that the same request will meet again (ECS API reference, RunTask, errors). */
const permanentErrors = new Set([
  'InvalidParameterException',
  'ClientException',
  'AccessDeniedException',
  'BlockedException',
  'ClusterNotFoundException',
  'PlatformUnknownException',
  'PlatformTaskDefinitionIncompatibilityException',
  'UnsupportedFeatureException',
])

/** An error thrown by RunTask. ConflictException hands back the task that the token already started. */
export function readRunTaskError(error: unknown): RunAnswer {
  const { name, message, resourceIds } = describeError(error)
  const arn = resourceIds[0]
  if (name === 'ConflictException' && arn !== undefined) return { is: 'task', arn }
  return permanentErrors.has(name) && !isThrottled(error)
    ? { is: 'refused', kind: 'permanent', reason: `${name}: ${message}` }
    : { is: 'unknown', reason: `${name}: ${message}` }
}

/** Name and message of whatever was thrown. */
export function describeError(error: unknown): { name: string; message: string; resourceIds: string[] } {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), resourceIds: [] }
  const ids: unknown = (error as { resourceIds?: unknown }).resourceIds
  return {
    name: error.name,
    message: error.message,
    resourceIds: Array.isArray(ids) ? ids.filter((id) => typeof id === 'string') : [],
  }
}

/** One task as DescribeTasks, ListTasks or an event shows it. */
export type TaskLook = {
  arn: string
  lastStatus: string
  desiredStatus: string
  startedBy: string | undefined
  version: number
  createdAtMs: number | undefined
  startedAtMs: number | undefined
  /** Present once lastStatus is STOPPED; desiredStatus alone says nothing about what still runs. */
  stop: Stop | undefined
}

type Time = Date | string | number | undefined
type RawContainer = { name?: string | undefined; exitCode?: number | undefined; reason?: string | undefined }
/** The fields that the API's Task and the event's detail share; the event has its times as ISO strings. */
export type RawTask = {
  taskArn?: string | undefined
  lastStatus?: string | undefined
  desiredStatus?: string | undefined
  startedBy?: string | undefined
  version?: number | undefined
  createdAt?: Time
  pullStartedAt?: Time
  startedAt?: Time
  stoppedAt?: Time
  stopCode?: string | undefined
  stoppedReason?: string | undefined
  containers?: RawContainer[] | undefined
  overrides?:
    | {
        containerOverrides?:
          | { name?: string | undefined; environment?: readonly unknown[] | undefined }[]
          | undefined
      }
    | undefined
}

const terminalStatuses = new Set(['STOPPED', 'DELETED'])

/** @param nowMs stands in for a stop time that is missing */
export function lookAt(task: RawTask, nowMs: number): TaskLook {
  const lastStatus = task.lastStatus ?? 'UNKNOWN'
  const createdAtMs = toMs(task.createdAt)
  const startedAtMs = toMs(task.startedAt)
  const main = mainContainer(task)
  return {
    arn: task.taskArn ?? '',
    lastStatus,
    desiredStatus: task.desiredStatus ?? 'RUNNING',
    startedBy: task.startedBy,
    version: task.version ?? 0,
    createdAtMs,
    startedAtMs,
    stop: terminalStatuses.has(lastStatus)
      ? {
          stopCode: task.stopCode,
          reason: [...new Set([task.stoppedReason, main?.reason])].filter(Boolean).join(': '),
          exitCode: main?.exitCode,
          startedAtMs,
          stoppedAtMs: toMs(task.stoppedAt) ?? nowMs,
          pullStartedAtMs: toMs(task.pullStartedAt),
          createdAtMs,
        }
      : undefined,
  }
}

/**
 * The container that our overrides give an environment; in a task with side-cars the exit code of the others means
 * nothing. ECS answers with an override for every container of the task, empty for those that we did not name.
 */
function mainContainer(task: RawTask): RawContainer | undefined {
  const overrides = task.overrides?.containerOverrides
  const name = (overrides?.find(({ environment }) => environment?.length) ?? overrides?.[0])?.name
  return task.containers?.find((container) => container.name === name) ?? task.containers?.[0]
}

function toMs(time: Time): number | undefined {
  if (time === undefined) return undefined
  const atMs = new Date(time).getTime()
  return Number.isNaN(atMs) ? undefined : atMs
}
