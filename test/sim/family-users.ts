import { makeUid } from '../../schemas/ids.ts'
import { isTerminal } from '../../schemas/job.ts'
import { parentOf } from '../../schemas/pipeline.ts'
import { childrenOf, isOver, isPipeline } from './family-rules.ts'
import type { FaultName } from './faults.ts'
import type { Item } from './invariants.ts'
import { tail } from './network.ts'
import type { Requests } from './users.ts'
import type { World } from './world.ts'

// What users do to pipelines and to their children, whose records lie in the same table for everybody to see.

type Meddling = { world: World; requests: Requests; jobId: string; item: Item }

/** What somebody does to a pipeline, and when it makes sense. */
const ofParents: readonly { name: FaultName; if: (item: Item) => boolean; do: (of: Meddling) => void }[] = [
  { name: 'parentRetried', if: isOver, do: retry },
  {
    name: 'parentCancelled',
    if: isUnderWay,
    do(of) {
      if (of.world.random.once(2)) wish(of, 'cancel')
      else put(of, { spec: { ...specOf(of), cancel: true } })
    },
  },
  {
    name: 'parentSuspended',
    if: isUnderWay,
    do(of) {
      wish(of, 'suspend')
      if (of.world.random.once(2))
        of.world.scheduler.after(tail(of.world.random, 1000, 240_000), () => wish(of, 'resume'))
    },
  },
  {
    name: 'parentPhaseEdited',
    if: isUnderWay,
    do: (of) =>
      put(of, {
        phase: of.world.random.pick([
          'Pending',
          'Submitted',
          'Starting',
          'Stopping',
          'Succeeded',
          'Cancelled',
        ]),
      }),
  },
  {
    name: 'parentEdited',
    if: isUnderWay,
    do: (of) => put(of, { spec: { ...specOf(of), priority: 1, labels: { edited: 'yes' } } }),
  },
  { name: 'parentOverwritten', if: isUnderWay, do: overwrite },
  {
    name: 'parentDeleted',
    if: isUnderWay,
    do({ world, requests, jobId }) {
      requests.jobIds.delete(jobId)
      world.userWrites(jobId, undefined)
    },
  },
  { name: 'parentDamaged', if: isUnderWay, do: damageParent },
]

const ofChildren: typeof ofParents = [
  { name: 'childRetried', if: isOver, do: retryChild },
  { name: 'childCancelled', if: isUnderWay, do: (of) => wish(of, 'cancel') },
  {
    name: 'childDeleted',
    if: () => true,
    do({ world, requests, jobId }) {
      world.handled(jobId)
      // It may be a copy that was asked for, or stand where a child was to stand.
      requests.jobIds.delete(jobId)
      world.userWrites(jobId, undefined)
    },
  },
  {
    name: 'childOverwritten',
    if: () => true,
    do(of) {
      of.world.handled(of.jobId)
      overwrite(of)
    },
  },
  {
    name: 'childPhaseEdited',
    if: isUnderWay,
    do(of) {
      of.world.damaged.add(of.jobId)
      of.world.handled(of.jobId)
      put(of, { phase: of.world.random.pick(['Succeeded', 'Failed', 'Running']) })
    },
  },
  {
    name: 'childCopied',
    if: () => true,
    do({ world, requests, item }) {
      const copy = `copy-of-child-${Math.floor(world.scheduler.nowMs() / 1000)}`
      requests.jobIds.add(copy)
      world.userWrites(copy, { ...item, jobId: copy })
    },
  },
]

/** Begins to meddle with the pipelines of a run, if it has any. */
export function startFamilyUsers(world: World, requests: Requests): void {
  const { plan, random, scheduler } = world
  if (plan.pipelines === 0) return
  const actions = Math.min(24, 8 + Math.floor(plan.faultsMs / 30_000))
  for (let count = 0; count < actions; count += 1)
    scheduler.after(random.next() * plan.faultsMs, () => meddle(world, requests))
  // Asked for again at the last moment: what follows meets a healthy system.
  scheduler.after(plan.faultsMs - 1, () => retryEnded(world))
  world.onFamily(
    (parent, childId) => takeId(world, requests, parent, childId),
    (parentId) => cancelBetween(world, parentId),
  )
}

function meddle(world: World, requests: Requests): void {
  const { random, faults } = world
  if (faults.healed()) return
  const known = [...world.records()].filter(({ expiresAt }) => expiresAt === undefined)
  const isChildTurn = random.once(3)
  const chosen = known.filter((record) =>
    isChildTurn ? parentOf(record.spec) !== undefined : isPipeline(record),
  )
  if (chosen.length === 0) return
  const item = random.pick(chosen)
  const meddlings = isChildTurn ? ofChildren : ofParents
  const found = meddlings.filter(({ name, if: applies }) => applies(item) && faults.has(name))
  if (found.length === 0 || !random.once(3)) return
  const meddling = random.pick(found)
  faults.note(meddling.name)
  meddling.do({ world, requests, jobId: String(item.jobId), item })
}

function retryEnded(world: World): void {
  const { random, faults } = world
  if (!faults.has('parentRetried')) return
  for (const item of [...world.records()]) {
    const isAgain = isPipeline(item) && isOver(item) && item.phase !== 'Succeeded'
    if (!isAgain || item.expiresAt !== undefined || random.once(3)) continue
    faults.note('parentRetried')
    const { cancel: _cancel, ...spec } = (item.spec ?? {}) as Record<string, unknown>
    world.userWrites(String(item.jobId), { ...item, phase: 'Submitted', spec })
  }
}

function isUnderWay(item: Item): boolean {
  return item.uid !== undefined && !isTerminal(String(item.phase)) && item.phase !== 'Submitted'
}

const specOf = ({ item }: Meddling): Record<string, unknown> => (item.spec ?? {}) as Record<string, unknown>

function put({ world, jobId, item }: Meddling, changes: Record<string, unknown>): void {
  world.userWrites(jobId, { ...item, ...changes })
}

function wish({ world, jobId }: Meddling, what: 'cancel' | 'suspend' | 'resume'): void {
  void world.httpJobs.edit(jobId, { wish: what }).catch(() => undefined)
  wake(world, jobId)
}

function wake(world: World, jobId: string): void {
  const queue = world.queueUrl(world.names.taskEventsQueue)
  world.scheduler.after(50, () => world.sqs.deliver(queue, JSON.stringify({ jobId })))
}

function retry({ world, jobId, item }: Meddling): void {
  void world.httpJobs.edit(jobId, { wish: 'retry', phase: String(item.phase) }).catch(() => undefined)
  wake(world, jobId)
}

function retryChild(of: Meddling): void {
  of.world.handled(of.jobId)
  retry(of)
}

function overwrite({ world, jobId, item }: Meddling): void {
  const { cancel: _cancel, suspend: _suspend, ...spec } = (item.spec ?? {}) as Record<string, unknown>
  const createdAt = new Date(world.scheduler.nowMs()).toISOString()
  world.userWrites(jobId, { jobId, kind: item.kind, phase: 'Submitted', createdAt, spec })
}

function damageParent(of: Meddling): void {
  of.world.damaged.add(of.jobId)
  of.world.handled(of.jobId)
  put(of, { pipeline: of.world.random.pick<unknown>(['gone', { steps: 7 }, withoutResults(of.item)]) })
}

const withoutResults = ({ pipeline }: Item): unknown => {
  const { steps } = (pipeline ?? {}) as { steps?: unknown }
  return {
    steps: (Array.isArray(steps) ? (steps as { children: object[] }[]) : []).map((step) => ({
      ...step,
      children: step.children.map((child) => ({ ...child, state: 'succeeded', result: {} })),
    })),
  }
}

/** A cancel arrives when one child of a step is there and another is not. */
function cancelBetween(world: World, parentId: string): void {
  const { random, faults } = world
  const parent = world.record(parentId)
  const isBetween = childrenOf(parent).some(
    ({ state, jobId }) => state === 'intended' && world.record(jobId) === undefined,
  )
  if (!parent || !isBetween || faults.healed() || !faults.has('cancelBetweenPuts') || !random.once(2)) return
  faults.note('cancelBetweenPuts')
  world.userWrites(parentId, { ...parent, spec: { ...(parent.spec as object), cancel: true } })
}

/** Somebody's record stands where a child is to be put: a job of a user, or a child of an earlier life of the parent. */
function takeId(world: World, requests: Requests, parent: Item, childId: string): void {
  const { faults, random } = world
  const isFree = world.record(childId) === undefined && !faults.healed()
  if (!isFree || !faults.has('childIdTaken') || !random.once(4)) return
  faults.note('childIdTaken')
  requests.jobIds.add(childId)
  const earlier = `${String(parent.jobId)}/${makeUid(String(parent.jobId), 'bbbbbbbbbbbb')}`
  world.userWrites(childId, {
    jobId: childId,
    kind: 'container',
    phase: 'Submitted',
    createdAt: new Date(world.scheduler.nowMs()).toISOString(),
    spec: {
      params: { taskDefinition: 'shell' },
      limits: { attemptTimeout: 300, deadline: 1200 },
      ...(random.once(2) ? { parent: earlier } : {}),
    },
  })
}
