import { overtakenAtMostMs } from '../../schemas/limits.ts'
import { type Policy, vcpuCeiling } from '../policy.ts'

/** A job at or near the head of its line. */
export type Waiting = {
  jobId: string
  queue: string
  rank: number
  vcpu: number
  /** Capacity provider and size: what AWS may have no capacity for. */
  capacity: string
}

export type Use = { running: number; vcpu: number }
/** What live jobs take, all together and by queue. */
export type Usage = Use & { queues: ReadonlyMap<string, Use> }

/** Who has been first in line without being admitted, since when. */
export type Heads = ReadonlyMap<string, { jobId: string; sinceMs: number }>

export type WaitingFor = 'QueueLimit' | 'VcpuLimit' | 'LaunchRate' | 'Capacity'

export type Admission = {
  admitted: Waiting[]
  /** Why the first job of a queue still waits. */
  waitingFor: Map<string, WaitingFor>
  heads: Map<string, { jobId: string; sinceMs: number }>
  /** Can never fit any more, because a limit was lowered: skipped, and somebody has to look. */
  neverFit: Waiting[]
}

/** Capacity that was refused a moment ago, and whether one job may try it again now. */
export type Holds = ReadonlyMap<string, { probe: boolean }>

/**
 * Who may start now: in order of rank over all queues, as far as limits and launch tokens go. A job that does not fit is
 * passed over, so that small ones use what is free; once it has been first in line for ten minutes, nothing overtakes it.
 */
export function admit(
  waiting: readonly Waiting[],
  usage: Usage,
  policy: Policy,
  tokens: number,
  heads: Heads,
  nowMs: number,
  holds: Holds = new Map(),
): Admission {
  const total = { running: usage.running, vcpu: usage.vcpu }
  const queues = new Map([...usage.queues].map(([queue, use]) => [queue, { ...use }]))
  const result: Admission = { admitted: [], waitingFor: new Map(), heads: new Map(), neverFit: [] }
  const probed = new Set<string>()
  const closed = new Set<string>()
  let allClosed = false

  for (const job of [...waiting].sort((a, b) => a.rank - b.rank)) {
    if (job.vcpu > vcpuCeiling(policy, job.queue)) {
      result.neverFit.push(job)
      continue
    }
    const own = queues.get(job.queue) ?? { running: 0, vcpu: 0 }
    const hold = holds.get(job.capacity)
    const isHeld = hold !== undefined && (!hold.probe || probed.has(job.capacity))
    const obstacle = isHeld ? held : obstacleFor(job, total, own, policy, tokens - result.admitted.length)
    if (!obstacle && !allClosed && !closed.has(job.queue)) {
      result.admitted.push(job)
      probed.add(job.capacity)
      for (const use of [total, own]) {
        use.running += 1
        use.vcpu += job.vcpu
      }
      queues.set(job.queue, own)
      continue
    }
    if (result.heads.has(job.queue)) continue
    const before = heads.get(job.queue)
    const sinceMs = before?.jobId === job.jobId ? before.sinceMs : nowMs
    result.heads.set(job.queue, { jobId: job.jobId, sinceMs })
    result.waitingFor.set(job.queue, obstacle?.reason ?? 'QueueLimit')
    if (!obstacle || nowMs - sinceMs < overtakenAtMostMs) continue
    if (obstacle.of === 'queue') closed.add(job.queue)
    if (obstacle.of === 'all') allClosed = true
  }
  return result
}

/** `of`: whose limit it is, and so who waits once this job is not to be overtaken any more. */
type Obstacle = { reason: WaitingFor; of: 'queue' | 'all' | 'nobody' }

/** Capacity that AWS does not have is nothing that other jobs could leave to this one. */
const held: Obstacle = { reason: 'Capacity', of: 'nobody' }

function obstacleFor(
  job: Waiting,
  total: Use,
  own: Use,
  policy: Policy,
  tokens: number,
): Obstacle | undefined {
  const limits = policy.queues[job.queue] ?? {}
  if (own.running + 1 > (limits.maxRunning ?? Number.POSITIVE_INFINITY))
    return { reason: 'QueueLimit', of: 'queue' }
  if (own.vcpu + job.vcpu > (limits.maxVcpu ?? Number.POSITIVE_INFINITY))
    return { reason: 'VcpuLimit', of: 'queue' }
  if (total.running + 1 > policy.maxRunning) return { reason: 'QueueLimit', of: 'all' }
  if (total.vcpu + job.vcpu > policy.maxVcpu) return { reason: 'VcpuLimit', of: 'all' }
  if (tokens < 1) return { reason: 'LaunchRate', of: 'all' }
  return undefined
}
