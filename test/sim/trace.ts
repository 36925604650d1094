import type { Item } from './invariants.ts'

// How a run is told, line by line: `npm run sim -- --seed N`.

/** Since the beginning of the run. */
export const clockText = (passedMs: number): string => {
  const passed = Math.round(passedMs)
  const [hours, minutes, seconds] = [3_600_000, 60_000, 1000].map(
    (unit, index) => Math.floor(passed / unit) % (index === 0 ? 1000 : 60),
  )
  return `${hours}:${String(minutes).padStart(2, '0')}:${String(seconds).padStart(2, '0')}.${String(passed % 1000).padStart(3, '0')}`
}

/** What of a record a person follows. */
export const recordText = (item: Item | Record<string, unknown> | undefined): string => {
  if (item === undefined) return 'deleted'
  const { phase, reason, revision, fence, taskArn, claim, report, stopping, spec } = item as Record<
    string,
    unknown
  > & {
    claim?: { taskArn?: string }
    report?: { outcome?: string }
    stopping?: { reason?: string }
  }
  const { cancel, suspend } = (spec ?? {}) as { cancel?: boolean; suspend?: boolean }
  return [
    `${phase}/${reason ?? '-'} r${revision ?? '-'}`,
    fence === undefined ? '' : `fence ${String(fence).split('/').slice(1).join('.')}`,
    taskArn === undefined ? '' : `task ${String(taskArn).slice(-8)}`,
    claim === undefined ? '' : `claim ${String(claim.taskArn).slice(-8)}`,
    report === undefined ? '' : `report ${report.outcome}`,
    stopping === undefined ? '' : `stopping ${stopping.reason}`,
    cancel === true ? 'cancel' : '',
    suspend === true ? 'suspend' : '',
  ]
    .filter((part) => part !== '')
    .join(', ')
}

/** What a call is about. */
export const inputText = (input: object): string => {
  const { Key: key, task, startedBy, desiredStatus, tasks } = input as Record<string, unknown>
  if (startedBy !== undefined) return String(startedBy)
  if (task !== undefined) return String(task).slice(-8)
  if (Array.isArray(tasks)) return tasks.map((arn) => String(arn).slice(-8)).join(' ')
  if (key !== undefined) return JSON.stringify(key)
  return desiredStatus === undefined ? '' : String(desiredStatus)
}
