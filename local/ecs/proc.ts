import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** What the operating system knows about processes. /proc is read where there is one (Linux). */

export const hasProc = existsSync('/proc/self/status')

/**
 * When a process began, in whatever unit the system counts: together with the pid it names one process for good, because a
 * pid used again has another beginning. Undefined when there is no such process.
 */
export function processMark(pid: number): string | undefined {
  if (hasProc) {
    const stat = readProc(pid, 'stat')
    // The name in parentheses may hold spaces, so fields are counted from behind it; the 20th there is the start time.
    return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
  } catch {
    return undefined
  }
}

/**
 * Bytes of memory that the processes of each group hold and the kernel could not take back: anonymous and shared pages.
 * Pages of files are left out, since they are reclaimed before a container is killed for its memory, and forks of one
 * program would count them many times.
 */
export function groupMemory(groups: ReadonlySet<number>): Map<number, number> {
  const bytes = new Map<number, number>()
  for (const { pid, group } of processes()) {
    if (!groups.has(group)) continue
    const status = readProc(pid, 'status') ?? ''
    bytes.set(group, (bytes.get(group) ?? 0) + kilobytes(status, 'RssAnon') + kilobytes(status, 'RssShmem'))
  }
  return bytes
}

const kilobytes = (status: string, field: string): number =>
  Number(new RegExp(`^${field}:\\s*(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1_024

/** Process groups by task, found by the task id in the metadata address that every container has in its environment. */
export function groupsOfTasks(taskIds: ReadonlySet<string>): Map<string, Set<number>> {
  const groups = new Map<string, Set<number>>()
  for (const { pid, group } of processes()) {
    const taskId = /\/v4\/([0-9a-f]{32})-\d{10}/.exec(readProc(pid, 'environ') ?? '')?.[1]
    if (taskId !== undefined && taskIds.has(taskId)) {
      groups.set(taskId, (groups.get(taskId) ?? new Set()).add(group))
    }
  }
  return groups
}

/** Every process and its group; one that ends meanwhile is left out. */
function processes(): { pid: number; group: number }[] {
  if (!hasProc) return []
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name)
    const stat = Number.isInteger(pid) ? readProc(pid, 'stat') : undefined
    const group = Number(stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[2])
    return group > 0 ? [{ pid, group }] : []
  })
}

function readProc(pid: number, file: 'stat' | 'status' | 'environ'): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch {
    return undefined
  }
}
