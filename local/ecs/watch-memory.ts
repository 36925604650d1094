import type { Clock } from './clock.ts'
import { groupMemory, hasProc } from './proc.ts'
import { type TaskRecord, taskIdOf } from './records.ts'
import type { Log } from './world.ts'

export type MemoryWatch = {
  /** What a container held when last looked at. */
  bytesOf(runtimeId: string): number
  close(): void
}

/**
 * Looks at the memory of all containers every `intervalMs` and kills what is over its limit. A look costs a walk through
 * /proc; on a machine with very many processes it is taken less often, so that it never uses more than about a twentieth of
 * a core.
 */
export function watchMemory(options: {
  clock: Clock
  intervalMs: number
  /** The process group of each container, by runtime id. */
  groups: () => ReadonlyMap<string, number>
  taskBy: (taskId: string) => TaskRecord | undefined
  kill: (runtimeId: string) => void
  log: Log
}): MemoryWatch {
  let bytes: ReadonlyMap<string, number> = new Map()
  let cancel = () => {}

  const look = () => {
    const beganMs = performance.now()
    bytes = measure(options.groups())
    for (const taskId of new Set([...bytes.keys()].map(taskIdOf))) {
      const task = options.taskBy(taskId)
      for (const runtimeId of task ? overLimit(task, bytes) : []) options.kill(runtimeId)
    }
    const tookMs = performance.now() - beganMs
    cancel = options.clock.setTimer(Math.max(options.intervalMs, tookMs * 20), look)
  }

  if (hasProc) look()
  else options.log.warn({}, 'memory limits of tasks are not watched: this system has no /proc')

  return { bytesOf: (runtimeId) => bytes.get(runtimeId) ?? 0, close: () => cancel() }
}

function measure(groups: ReadonlyMap<string, number>): Map<string, number> {
  if (groups.size === 0) return new Map()
  const byGroup = groupMemory(new Set(groups.values()))
  return new Map([...groups].map(([runtimeId, group]) => [runtimeId, byGroup.get(group) ?? 0]))
}

/** Containers to be killed: those above their own hard limit, and the largest one of a task that is above its size. */
function overLimit(task: TaskRecord, bytes: ReadonlyMap<string, number>): string[] {
  const held = task.containers
    .map(({ runtimeId, memoryMiB }) => ({ runtimeId, memoryMiB, bytes: bytes.get(runtimeId) ?? 0 }))
    .sort((left, right) => right.bytes - left.bytes)
  const isTaskOver = held.reduce((sum, one) => sum + one.bytes, 0) > task.memoryMiB * mebibyte
  const isOver = (one: (typeof held)[number], rank: number) =>
    one.bytes > (one.memoryMiB ?? Number.POSITIVE_INFINITY) * mebibyte || (isTaskOver && rank === 0)
  return held.filter(isOver).map(({ runtimeId }) => runtimeId)
}

const mebibyte = 1_048_576
