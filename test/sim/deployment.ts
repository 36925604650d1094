import type { LeaseStore } from '../../controller/store/lease.ts'
import type { Configuration } from '../../schemas/configuration.ts'
import { readConfiguration } from '../../schemas/read-configuration.ts'
import type { Plan } from './plan.ts'
import type { SimProcess } from './scheduler.ts'

// What a deployment gives to a controller process.

/** Nothing is elected: every controller believes that it leads, for good. */
export function leaseOfItsOwn(): LeaseStore {
  let term = 0
  return {
    read: () => Promise.resolve({ lease: undefined, version: undefined }),
    take(_read, holder, leaseMs) {
      term += 1
      return Promise.resolve({ holder, term, version: term, leaseMs })
    },
    renew: () => Promise.resolve(true),
    release: () => Promise.resolve(true),
  }
}

/** Work again and again, as a calendar has it done. @returns ends that */
export function every(process: SimProcess, ms: number, work: () => Promise<void>): () => void {
  let isOver = false
  const loop = async (): Promise<void> => {
    while (!isOver) {
      await process.clock.sleep(ms)
      if (!isOver) await work()
    }
  }
  void loop()
  return () => {
    isOver = true
  }
}

/** The settings of all controllers of a run. */
export function configurationOf(plan: Plan, installation: string): Configuration {
  const read = readConfiguration(
    {
      INSTALLATION: installation,
      POLL_S: String(plan.pollS),
      RESYNC_S: String(plan.resyncS),
      VISIBILITY_GRACE_S: String(plan.graceS),
      LEASE_S: String(plan.leaseS),
      MAX_RUNNING: String(plan.maxRunning),
      MAX_VCPU: String(plan.maxVcpu),
      QUEUES: JSON.stringify(plan.queues),
      SUBNETS: 'subnet-1,subnet-2',
    },
    {},
  )
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  return read.configuration
}
