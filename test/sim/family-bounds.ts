import { formatParent, parentOf } from '../../schemas/pipeline.ts'
import { childrenOf, isOver, isPipeline, parentWish } from './family-rules.ts'
import type { Item } from './invariants.ts'
import { startOfTimeMs, type World } from './world.ts'

const minuteMs = 60_000

/**
 * How long pipelines and children may take to learn of one another once all is healed: the end of a child is noted within
 * the resync time, whoever failed to tell of it; and what its parent does not want any more is not wanted of a child.
 */
export function createFamilyBounds(world: World) {
  const { plan, scheduler } = world
  const since = new Map<string, number>()
  // The first leader after the healing has to be elected and to load what lives.
  const fromMs = startOfTimeMs + plan.faultsMs + 3 * minuteMs
  const notedWithinMs = plan.resyncS * 1000 + minuteMs
  const housekeepingMs = plan.times.housekeepingMs ?? 5000
  const stoppedWithinMs = plan.resyncS * 1000 + housekeepingMs + 1.5 * minuteMs
  // As for a raw cancel: waiting records are read again within ten minutes, and a launch without an answer is resolved first.
  const endedWithinMs = 10 * minuteMs + plan.graceS * 1000 + 4 * minuteMs
  const resolvedWithinMs = 50 * minuteMs + endedWithinMs

  /** For how long a state has lasted without a break. */
  function lastedMs(key: string, holds: boolean): number {
    const nowMs = scheduler.nowMs()
    if (!holds) {
      since.delete(key)
      return 0
    }
    const sinceMs = since.get(key) ?? nowMs
    since.set(key, sinceMs)
    return nowMs - sinceMs
  }

  function checkParent(parent: Item): void {
    const { jobId, uid } = parent as { jobId: string; uid?: string }
    if (uid === undefined || world.isHandled(jobId)) return
    for (const child of childrenOf(parent)) {
      const record = world.record(child.jobId)
      const ref = parentOf(record?.spec)
      const isOurs = ref !== undefined && formatParent(ref) === formatParent({ jobId, uid })
      const isOpen = child.state === 'intended' || child.state === 'put'
      const isUnnoted = isOpen && !isOver(parent) && isOurs && record !== undefined && isOver(record)
      if (lastedMs(`noted ${child.jobId}`, isUnnoted) > notedWithinMs)
        world.fail('Wake', `${jobId} has not noted for ${notedWithinMs / 1000} s that ${child.jobId} ended`)
    }
  }

  function checkChild(child: Item): void {
    const { jobId, uid, phase, taskArn, claim } = child as Record<string, unknown> & { jobId: string }
    if (uid === undefined) return
    const wish = parentWish(child, world.record)
    const isUnwanted = (wish === 'ended' || wish === 'cancel') && !isOver(child)
    const hasTask = taskArn !== undefined || claim !== undefined
    const isResolved = phase === 'Pending' || hasTask
    const key = `${jobId}/${String(uid)}`
    const passedMs = lastedMs(`unwanted ${key}`, isUnwanted)
    const late = (what: string): void =>
      world.fail('I8', `${jobId} ${what} ${Math.round(passedMs / 1000)} s after its parent wanted it to end`)
    if (passedMs > (isResolved ? endedWithinMs : resolvedWithinMs)) late(`is ${String(phase)}`)
    const worksOn = isUnwanted && hasTask && (phase === 'Starting' || phase === 'Running')
    if (lastedMs(`works ${key}`, worksOn) > stoppedWithinMs) late('works on')
  }

  return {
    check(): void {
      if (plan.pipelines === 0 || scheduler.nowMs() < fromMs) return
      for (const record of world.records()) {
        if (isPipeline(record)) checkParent(record)
        else if (parentOf(record.spec) !== undefined) checkChild(record)
      }
    },
  }
}

/** At the end: nothing is left of what pipelines made for their own steps only. */
export function checkTemporary(world: World): void {
  for (const key of world.s3.keys(world.names.outputsBucket)) {
    const [folder, jobId = '', uid] = key.split('/')
    // Of a life whose record somebody deleted or wrote over, nobody knows any more; nor of a child that was taken away.
    const isKnown = world.record(jobId)?.uid === uid
    if (folder !== 'work' || !isKnown || world.isHandled(jobId) || world.isFamilyHandled(jobId)) continue
    world.fail('Family', `${key} is left, though its pipeline has ended`)
  }
}
