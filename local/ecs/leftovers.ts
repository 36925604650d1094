import { groupsOfTasks, processMark } from './proc.ts'
import { killGroup } from './processes.ts'
import type { TaskRecord } from './records.ts'

/** From the intent to start them (ACTIVATING without a deadline) until they have stopped, containers may have processes. */
export const hadProcesses = (task: TaskRecord): boolean =>
  task.containers.some(({ status }) => status === 'RUNNING') ||
  (task.state === 'ACTIVATING' && task.dueMs === null)

/**
 * Ends the processes that outlived a local AWS that was killed: by the recorded process, if it still is the one that was
 * recorded, and by the task id in its environment, which finds those that left its group. The tasks that had any.
 */
export function killLeftovers(live: readonly TaskRecord[]): Set<string> {
  const killed = new Set<string>()
  for (const task of live) {
    for (const { pid, processMark: mark } of task.containers) {
      if (pid === undefined || mark === undefined || processMark(pid) !== mark) continue
      killGroup(pid, 'SIGKILL')
      killed.add(task.id)
    }
  }
  for (const [taskId, groups] of groupsOfTasks(new Set(live.map(({ id }) => id)))) {
    for (const group of groups) killGroup(group, 'SIGKILL')
    killed.add(taskId)
  }
  return killed
}
