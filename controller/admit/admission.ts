import type { Job } from '../../schemas/job.ts'
import type { Clock } from '../clock.ts'
import { type Policy, vcpuCeiling } from '../policy.ts'
import { capacityKey, capacityOf, sizeOf } from '../reconcile/launch.ts'
import type { Memory } from '../reconcile/memory.ts'
import type { Candidate, JobStore } from '../store/jobs.ts'
import { readStored } from '../store/stored.ts'
import { admit, type Heads, type Holds, type Waiting, type WaitingFor } from './admit.ts'
import type { Pacer } from './pacer.ts'

/** How many of each line's head are looked at: the cost of a pass does not grow with the backlog. */
const headOfLine = 50
const wantsKept = 5000
const probeAtMostEveryMs = 60_000

/** `sinceMs`: since when it could have started. */
type Want = Waiting & { sinceMs: number }

export type AdmitterPorts = {
  jobs: JobStore
  memory: Memory
  policy: Policy
  launches: Pacer
  clock: Clock
  /** The job may start, or its place in the line does not fit its record: either way it is to be reconciled. */
  wake: (jobId: string) => void
  onError: (error: unknown) => void
}

/** Reads the heads of the lines, lets `admit` choose, and takes a launch token for each job that may start. */
export function createAdmitter(ports: AdmitterPorts) {
  const { jobs, memory, policy, launches, clock, wake, onError } = ports
  // A refused launch takes the grace to be resolved, so with a short grace capacity may be tried sooner.
  const probeEveryMs = Math.min(probeAtMostEveryMs, policy.visibilityGraceMs)
  const wants = new Map<string, Want>()
  const refusedAtMs = new Map<string, number>()
  let heads: Heads = new Map()
  let waitingFor: ReadonlyMap<string, WaitingFor> = new Map()
  let oldestSinceMs: number | undefined

  /** Index entries are candidates; what a job wants stands in its record, which is read once while it waits. */
  async function wantOf(candidate: Candidate): Promise<Want | undefined> {
    const known = wants.get(candidate.jobId)
    if (known?.rank === candidate.rank && known.queue === candidate.queue) return known
    const stored = readStored(await jobs.get(candidate.jobId))
    if (
      stored.is !== 'accepted' ||
      stored.job.phase !== 'Pending' ||
      stored.job.backlogQueue !== candidate.queue
    ) {
      wake(candidate.jobId)
      return undefined
    }
    const { cpu, memory: memoryMiB } = sizeOf(stored.job, vcpuCeiling(policy, candidate.queue))
    const capacity = capacityKey(capacityOf(stored.job), cpu, memoryMiB)
    const want = { ...candidate, vcpu: cpu / 1024, capacity, sinceMs: waitingSinceMs(stored.job) }
    if (wants.size >= wantsKept) wants.clear()
    wants.set(candidate.jobId, want)
    return want
  }

  /** Each capacity that was refused is tried again by one job at a time. */
  const holds = (): Holds =>
    new Map(
      [...refusedAtMs].map(([capacity, atMs]) => [
        capacity,
        { probe: clock.monotonicMs() - atMs >= probeEveryMs },
      ]),
    )

  async function waitingJobs(): Promise<Want[]> {
    const lines = await Promise.all(Object.keys(policy.queues).map((queue) => jobs.line(queue, headOfLine)))
    const candidates = lines.flat().filter(({ jobId }) => !memory.has(jobId) && !memory.hasStray(jobId))
    const looks = await Promise.allSettled(candidates.map(wantOf))
    for (const look of looks) if (look.status === 'rejected') onError(look.reason)
    return looks.flatMap((look) => (look.status === 'fulfilled' && look.value ? [look.value] : []))
  }

  return {
    waitingFor: () => waitingFor,
    /** How long the job that waits longest has waited, of those at the heads of their lines that may ever start. */
    oldestWaitMs: (): number =>
      oldestSinceMs === undefined ? 0 : Math.max(0, clock.nowMs() - oldestSinceMs),
    /** The job was edited: what it wants has to be read again. */
    forget: (jobId: string): boolean => wants.delete(jobId),
    /** There was no capacity for such a task, or there is again. */
    refused: (capacity: string): unknown => refusedAtMs.set(capacity, clock.monotonicMs()),
    started: (capacity: string): boolean => refusedAtMs.delete(capacity),

    /** One round of admission. */
    async pass(): Promise<void> {
      const waiting = await waitingJobs()
      const usage = memory.usage()
      const result = admit(waiting, usage, policy, launches.available(), heads, clock.nowMs(), holds())
      heads = result.heads
      waitingFor = result.waitingFor
      for (const { jobId, vcpu, queue } of result.neverFit)
        memory.setAttention(
          jobId,
          'size',
          `It needs ${vcpu} vCPU, and queue ${queue} never has more than ${vcpuCeiling(policy, queue)}: raise MAX_VCPU, or edit spec.resources`,
        )
      for (const { jobId, queue, vcpu, capacity } of result.admitted) {
        if (memory.has(jobId) || !launches.tryTake()) continue
        memory.grant(jobId, { queue, vcpu })
        memory.setAttention(jobId, 'size', undefined)
        wants.delete(jobId)
        if (refusedAtMs.has(capacity)) refusedAtMs.set(capacity, clock.monotonicMs())
        wake(jobId)
      }
      const hopeless = new Set(result.neverFit.map(({ jobId }) => jobId))
      const left = waiting.filter(({ jobId }) => !memory.has(jobId) && !hopeless.has(jobId))
      oldestSinceMs = left.length === 0 ? undefined : Math.min(...left.map(({ sinceMs }) => sinceMs))
    },
  }
}

/**
 * Since when a waiting job could have started: since it was accepted or its last launch ended, or since its back-off was
 * over. A job that was suspended meanwhile has waited all the same.
 */
export function waitingSinceMs({ acceptedAt, history, notBefore }: Job): number {
  const lastMs = Date.parse(history.at(-1)?.at ?? acceptedAt)
  return notBefore === undefined ? lastMs : Math.max(lastMs, Date.parse(notBefore))
}
