import type { Status } from '../schemas/status.ts'
import type { WaitingFor } from './admit/admit.ts'
import type { Pacer } from './admit/pacer.ts'
import type { Journal } from './journal.ts'
import type { Policy } from './policy.ts'
import type { Memory } from './reconcile/memory.ts'
import type { Workqueue } from './workqueue.ts'

export type StatusSources = {
  at: string
  leader: Status['leader']
  policy: Policy
  memory: Memory
  journal: Journal
  workqueue: Workqueue
  pacers: Readonly<Record<string, Pacer>>
  waitingFor: ReadonlyMap<string, WaitingFor>
  times: Pick<Status, 'lastPollAt' | 'lastSweepAt' | 'lastScanAt'>
}

/** What the leader says of itself, gathered from where it is known. */
export function statusOf({ policy, memory, journal, ...sources }: StatusSources): Status {
  const usage = memory.usage()
  return {
    at: sources.at,
    leader: sources.leader,
    phases: Object.fromEntries(journal.counts),
    limits: {
      running: usage.running,
      maxRunning: policy.maxRunning,
      vcpu: usage.vcpu,
      maxVcpu: policy.maxVcpu,
    },
    queues: Object.entries(policy.queues).map(([name, limits]) => {
      const own = usage.queues.get(name) ?? { running: 0, vcpu: 0 }
      const waitingFor = sources.waitingFor.get(name)
      return {
        name,
        ...own,
        ...(limits.maxRunning === undefined ? {} : { maxRunning: limits.maxRunning }),
        ...(limits.maxVcpu === undefined ? {} : { maxVcpu: limits.maxVcpu }),
        ...(waitingFor === undefined ? {} : { waitingFor }),
      }
    }),
    workqueue: sources.workqueue.depth(),
    pacers: Object.fromEntries(
      Object.entries(sources.pacers).map(([name, pacer]) => [name, pacer.available()]),
    ),
    ...sources.times,
    intake: { ...journal.intake },
    costs: journal.costs.list(),
    attention: memory.attention(),
  }
}
