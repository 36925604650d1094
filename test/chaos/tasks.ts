import type { TestAws } from '../support/local-aws.ts'
import { ownerOf } from './calls.ts'

/** A task as it truly is, whatever the API hides. Times are milliseconds. */
export type TrueTask = {
  taskId: string
  taskArn: string
  lastStatus: string
  owner: NonNullable<ReturnType<typeof ownerOf>>
  isSpot: boolean
  createdMs: number
  startedMs: number | undefined
  stoppedMs: number | undefined
  exitCode: number | undefined
  /** Process group of its container while it runs. */
  group: number | undefined
}

type Shown = {
  taskId: string
  taskArn: string
  lastStatus: string
  startedBy?: string
  capacityProviderName?: string
  createdAt: number
  startedAt?: number
  stoppedAt?: number
  containers: { exitCode?: number }[]
  processes: { pid?: number }[]
}

/** Every task that this AWS ever had. @throws when one is nobody's */
export async function trueTasks(aws: TestAws): Promise<TrueTask[]> {
  const { tasks } = (await aws.control('GET', '/ecs/tasks')) as { tasks: Shown[] }
  return tasks.map((task) => {
    const owner = ownerOf(task.startedBy)
    if (!owner) throw new Error(`Task ${task.taskId} says startedBy ${task.startedBy}`)
    return {
      taskId: task.taskId,
      taskArn: task.taskArn,
      lastStatus: task.lastStatus,
      owner,
      isSpot: task.capacityProviderName === 'FARGATE_SPOT',
      createdMs: task.createdAt * 1000,
      startedMs: task.startedAt === undefined ? undefined : task.startedAt * 1000,
      stoppedMs: task.stoppedAt === undefined ? undefined : task.stoppedAt * 1000,
      exitCode: task.containers[0]?.exitCode,
      group: task.processes[0]?.pid,
    }
  })
}

export type Verb = 'kill' | 'interrupt' | 'stop' | 'oom'

/** False when the task ended before. */
export const doTo = (aws: TestAws, taskId: string, verb: Verb, body: unknown = {}): Promise<boolean> =>
  aws.control('POST', `/ecs/tasks/${taskId}/${verb}`, body).then(
    () => true,
    () => false,
  )
