import type { Random } from '../support/random.ts'

/** Everything that can go wrong in a run. Each name is counted when it fires, and one that never fires fails the proof. */
export const faultNames = [
  // The network between a process and AWS.
  'throttled',
  'failedBeforeEffect',
  'replyLost',
  'requestLate',
  // Tables and queues.
  'indexLag',
  'readLag',
  'messageRedelivered',
  'messagesShuffled',
  'messageDoubled',
  'messageDelayed',
  'eventLost',
  'eventLate',
  'eventDoubled',
  // ECS.
  'noCapacity',
  'noSpotCapacity',
  'vcpuQuota',
  'refusedForGood',
  'taskDespiteFailure',
  'missingAfterRunTask',
  'listedLate',
  'listFrozen',
  'startFails',
  'stuckProvisioning',
  'spotReclaim',
  'hostMaintenance',
  'slowStart',
  'runTaskDown',
  'eventsDown',
  // Workers.
  'workerHangs',
  'workerNeverClaims',
  'workerIgnoresSigterm',
  'workerDiesAfterReport',
  'workerLivesOnAfterReport',
  'exit0WithoutReport',
  'exit0OnSigterm',
  'outOfMemory',
  'outOfMemoryReported',
  'exitFail',
  'exitRetry',
  'exitUnknown',
  // Controllers.
  'crash',
  'crashBeforeEffect',
  'crashAfterEffect',
  'pauseShort',
  'pauseBeyondLease',
  'clockSkew',
  'handOver',
  'nobodyForHours',
  'twoLeaders',
  'newVersion',
  // Users.
  'cancel',
  'rawCancel',
  'cancelAfterHealing',
  'suspend',
  'rawSuspend',
  'resume',
  'retry',
  'rawRetry',
  'editLimits',
  'editInvalid',
  'overwrite',
  'copyRecord',
  'deleteRecord',
  'editPhase',
  'editPhaseWaiting',
  'damageRecord',
  'laterVersionWrote',
  'rubbishMessage',
  'foreignTask',
  'orphanTask',
  // Pipelines and their children.
  'parentCancelled',
  'parentSuspended',
  'parentRetried',
  'parentOverwritten',
  'parentDeleted',
  'parentPhaseEdited',
  'parentDamaged',
  'childCancelled',
  'childDeleted',
  'childOverwritten',
  'childRetried',
  'childPhaseEdited',
  'childCopied',
  'childIdTaken',
  'childEndUnanswered',
  'crashBetweenPuts',
  'parentEdited',
  'cancelBetweenPuts',
] as const

export type FaultName = (typeof faultNames)[number]

export type Faults = {
  /** True now and then, if this fault belongs to the run and faults are on; counted. */
  strikes(name: FaultName): boolean
  /** Whether the fault belongs to this run at all. */
  has(name: FaultName): boolean
  /** A fault that came about in another way. */
  note(name: FaultName): void
  heal(): void
  healed(): boolean
  counts: ReadonlyMap<FaultName, number>
}

/** Faults that last for an hour or more: few runs have them, because they take that long. */
export const hourLong: ReadonlySet<FaultName> = new Set(['nobodyForHours', 'runTaskDown', 'eventsDown'])

/**
 * Swarm testing: a run has only some of the faults, each with a rate of its own, because a run with all of them at once
 * never gets far enough to meet most.
 */
export function createFaults(random: Random): Faults {
  const density = random.pick([0.1, 0.25, 0.4, 0.6])
  const rates = new Map(
    faultNames.map((name) => {
      const share = hourLong.has(name) ? 0.03 : density
      return [name, random.next() < share ? random.pick([0.02, 0.08, 0.25]) : 0]
    }),
  )
  const counts = new Map<FaultName, number>()
  let isHealed = false
  const note = (name: FaultName): unknown => counts.set(name, (counts.get(name) ?? 0) + 1)
  return {
    strikes(name) {
      const rate = rates.get(name) ?? 0
      if (isHealed || rate === 0 || random.next() >= rate) return false
      note(name)
      return true
    },
    has: (name) => (rates.get(name) ?? 0) > 0,
    note,
    heal() {
      isHealed = true
    },
    healed: () => isHealed,
    counts,
  }
}
