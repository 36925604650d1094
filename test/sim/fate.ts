import type { Random } from '../support/random.ts'
import type { LaunchFate } from './aws/ports.ts'
import type { Faults } from './faults.ts'
import { tail } from './network.ts'
import type { Plan } from './plan.ts'

/** What becomes of a new launch, drawn once for its token. */
export function drawLaunchFate(
  request: Readonly<Record<string, unknown>>,
  { graceS }: Plan,
  faults: Faults,
  random: Random,
): LaunchFate {
  const answer = drawAnswer(JSON.stringify(request.capacityProviderStrategy).includes('SPOT'), faults)
  const slow = faults.strikes('slowStart')
  const stuck = faults.strikes('stuckProvisioning')
  // What AWS hides, it shows before our grace is over: that is what the grace is.
  const visibleAtMostMs = graceS * 800
  const soonestMs = slow ? 30_000 : 500
  const latestMs = slow ? 400_000 : 20_000
  return {
    answer,
    hiddenTask: answer !== 'task' && answer !== 'permanent' && isHiddenTask(faults, random),
    describedAfterMs: faults.strikes('missingAfterRunTask') ? tail(random, 1000, visibleAtMostMs) : 0,
    listedAfterMs: faults.strikes('listedLate') ? tail(random, 1000, visibleAtMostMs) : 0,
    startMs: stuck ? Number.POSITIVE_INFINITY : tail(random, soonestMs, latestMs),
    startFailure: faults.strikes('startFails') ? random.pick(startFailures) : undefined,
  }
}

const startFailures = [
  'CannotPullContainerError: not found',
  'Capacity is unavailable at this time',
  'ResourceInitializationError: secret',
]

function drawAnswer(isSpot: boolean, faults: Faults): LaunchFate['answer'] {
  if (faults.strikes('noCapacity')) return 'capacity'
  if (isSpot && faults.strikes('noSpotCapacity')) return 'noSpotCapacity'
  if (faults.strikes('vcpuQuota')) return 'quota'
  return faults.strikes('refusedForGood') ? 'permanent' : 'task'
}

/** Refusals are rare already: where this fault belongs to the run, half of them hide a task. */
function isHiddenTask(faults: Faults, random: Random): boolean {
  const isHidden = !faults.healed() && faults.has('taskDespiteFailure') && random.once(2)
  if (isHidden) faults.note('taskDespiteFailure')
  return isHidden
}
