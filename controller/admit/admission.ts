import type { Clock } from '../clock.ts'
import type { Policy } from '../policy.ts'
import { vcpuOf } from '../reconcile/launch.ts'
import type { Memory } from '../reconcile/memory.ts'
import type { Candidate, JobStore } from '../store/jobs.ts'
import { readStored } from '../store/stored.ts'
import { admit, type Heads, type Waiting, type WaitingFor } from './admit.ts'
import type { Pacer } from './pacer.ts'

export type Admitter = ReturnType<typeof createAdmitter>

/** How many of each line's head are looked at: the cost of a pass does not grow with the backlog. */
const headOfLine = 50
const sizesKept = 5000

type Size = { rank: number; vcpu: number }

export type AdmitterPorts = {
  jobs: JobStore
  memory: Memory
  policy: Policy
  launches: Pacer
  clock: Clock
  onAdmitted: (jobId: string) => void
}

/** Reads the heads of the lines, lets `admit` choose, and takes a launch token for each job that may start. */
export function createAdmitter({ jobs, memory, policy, launches, clock, onAdmitted }: AdmitterPorts) {
  const sizes = new Map<string, Size>()
  let heads: Heads = new Map()
  let waitingFor: ReadonlyMap<string, WaitingFor> = new Map()

  /** Index entries are candidates; what a job needs stands in its record, which is read once while it waits. */
  async function sizeOf(candidate: Candidate): Promise<Waiting | undefined> {
    const known = sizes.get(candidate.jobId)
    if (known?.rank === candidate.rank) return { ...candidate, vcpu: known.vcpu }
    const stored = readStored(await jobs.get(candidate.jobId))
    if (
      stored.is !== 'accepted' ||
      stored.job.phase !== 'Pending' ||
      stored.job.backlogQueue !== candidate.queue
    )
      return undefined
    if (sizes.size >= sizesKept) sizes.clear()
    const vcpu = vcpuOf(stored.job)
    sizes.set(candidate.jobId, { rank: candidate.rank, vcpu })
    return { ...candidate, vcpu }
  }

  return {
    waitingFor: () => waitingFor,
    /** The job was edited: its size has to be read again. */
    forget: (jobId: string): boolean => sizes.delete(jobId),

    /** One round of admission. */
    async pass(): Promise<void> {
      const lines = await Promise.all(Object.keys(policy.queues).map((queue) => jobs.line(queue, headOfLine)))
      const candidates = lines.flat().filter(({ jobId }) => !memory.has(jobId) && !memory.hasStray(jobId))
      if (candidates.length === 0) {
        heads = new Map()
        waitingFor = new Map()
        return
      }
      const waiting = (await Promise.all(candidates.map(sizeOf))).filter((job) => job !== undefined)
      const result = admit(waiting, memory.usage(), policy, launches.available(), heads, clock.nowMs())
      heads = result.heads
      waitingFor = result.waitingFor
      for (const { jobId, queue, vcpu } of result.admitted) {
        if (memory.has(jobId) || !launches.tryTake()) continue
        memory.grant(jobId, { queue, vcpu })
        sizes.delete(jobId)
        onAdmitted(jobId)
      }
    },
  }
}
