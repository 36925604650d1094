import type { Clock } from './clock.ts'
import type { Journal } from './journal.ts'
import type { Memory } from './reconcile/memory.ts'
import type { JobStore } from './store/jobs.ts'
import type { Item } from './store/stored.ts'
import { arnsByLaunch, checkTasks, listOurTasks, type SweepPorts } from './sweep.ts'

export type FinderPorts = {
  jobs: JobStore
  memory: Memory
  journal: Journal
  clock: Clock
  sweepPorts: SweepPorts
  wake: (jobId: string) => void
  resyncMs: number
  housekeepingEveryMs: number
}

const pageSize = 100
const submittedPages = 10
const rereadCycleMs = 10 * 60_000
const evidenceArrivesMs = 5000

/** The ways in which the leader finds jobs that have to be looked at, when nobody told it. */
export function createFinders(ports: FinderPorts) {
  const { jobs, memory, journal, clock, wake } = ports
  const startedMs = clock.nowMs()
  const passes = new Map<string, number>()
  let rereadFrom: Item | undefined

  const wakeAll = (ids: Iterable<string>): void => {
    for (const jobId of ids) wake(jobId)
  }

  return {
    /** Oldest first, and a few pages on: records that fail again and again must not hide the ones behind them. */
    async submitted(): Promise<void> {
      let from: Item | undefined
      let found = 0
      for (let pages = 0; pages < submittedPages; pages += 1) {
        const page = await jobs.inPhase('Submitted', { limit: pageSize, from })
        wakeAll(page.ids)
        found += page.ids.length
        if (!page.next) break
        from = page.next
      }
      journal.counted(new Map([['Submitted', found]]))
    },

    /** Back-off that is over. Those that wait for a listing of the cluster have been here before. */
    async due(): Promise<void> {
      const due = await jobs.due(clock.nowMs(), Math.min(1000, pageSize + passes.size))
      wakeAll(due.map(({ jobId }) => jobId).filter((jobId) => !passes.has(jobId)))
    },

    /** Live records that were not read for a while, and a few of the waiting ones: raw edits are found here. */
    async unread(): Promise<void> {
      wakeAll(memory.unread(ports.resyncMs))
      const share = ((journal.counts.get('Pending') ?? 0) * ports.housekeepingEveryMs) / rereadCycleMs
      const limit = Math.min(1000, Math.max(25, Math.ceil(share)))
      const page = await jobs.inPhase('Pending', { limit, from: rereadFrom })
      wakeAll(page.ids)
      rereadFrom = page.next
    },

    /**
     * Asks for a full listing of the cluster that begins at `fromMs` or later. Evidence that waits in the queue has to
     * arrive first: what it tells must not be launched again.
     */
    wantListPass: (jobId: string, fromMs: number): unknown =>
      passes.set(jobId, Math.max(fromMs, startedMs + evidenceArrivesMs)),

    /** One listing serves all jobs that wait for one. */
    async listPass(): Promise<void> {
      const due = [...passes].filter(([, fromMs]) => fromMs <= clock.nowMs()).map(([jobId]) => jobId)
      if (due.length === 0) return
      const { begunAtMs, looks } = await listOurTasks(ports.sweepPorts)
      memory.passDone(begunAtMs, arnsByLaunch(looks))
      // A hidden task of a launch that was given up is found here, and has to go before the next one.
      await checkTasks(looks, ports.sweepPorts)
      for (const jobId of due) passes.delete(jobId)
      wakeAll(due)
    },
  }
}
