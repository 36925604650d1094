import type { Failure, Market, TaskRecord } from './records.ts'
import { marketOf } from './records.ts'
import type { StrategyItem } from './requests.ts'

export const capacityUnavailable =
  'Capacity is unavailable at this time. Please try again later or in a different availability zone'
export const vcpuQuotaReached = "You've reached the limit on the number of vCPUs you can run concurrently"
export const noSpotCapacity = 'RESOURCE:FARGATE'

/** On Fargate a failure names no resource. */
export const failure = (reason: string): Failure => ({ arn: null, reason })

/** vCPUs of the tasks of a market that are not STOPPED: what the quota counts, from PROVISIONING on. */
export function usedVcpus(tasks: Iterable<TaskRecord>, market: Market): number {
  let units = 0
  for (const task of tasks) {
    if (task.state !== 'STOPPED' && marketOf(task) === market) units += task.cpu
  }
  return units / 1_024
}

/**
 * Which provider each of `count` tasks goes to: the base first, then in the ratio of the weights. A weight is a ratio and no
 * preference: a strategy with Spot and on-demand has no fallback (ECS developer guide, "Capacity provider strategies").
 */
export function pickProviders(strategy: readonly StrategyItem[], count: number): string[] {
  const base = strategy.find((item) => item.base > 0)
  const picked = base ? Array.from({ length: Math.min(base.base, count) }, () => base.capacityProvider) : []
  const shares = strategy.filter((item) => item.weight > 0).map((item) => ({ ...item, tasks: 0 }))
  while (picked.length < count) {
    // Whose next task keeps it closest to its ratio; the earlier in the strategy when two are equal.
    const next = shares.reduce((best, share) =>
      (share.tasks + 1) / share.weight < (best.tasks + 1) / best.weight ? share : best,
    )
    next.tasks += 1
    picked.push(next.capacityProvider)
  }
  return picked
}
