import stringify from 'safe-stable-stringify'
import { isTerminal } from '../../schemas/job.ts'
import { isKindName, type Kind, kinds } from '../../schemas/kinds/index.ts'
import { formatParent, type ParentRef, type Pipeline, parentOf } from '../../schemas/pipeline.ts'
import type { Item } from './invariants.ts'

/** The parts of a child's entry, and of a pipeline's record, that these rules look at. */
type Entry = {
  jobId: string
  state: string
  reason?: string
  result?: Record<string, unknown>
}
type Step = { name: string; children: Entry[] }
type Parent = {
  jobId: string
  kind?: string
  uid?: string
  phase?: string
  generation?: number
  acceptedAt?: string
  finishedAt?: string
  expiresAt?: number
  result?: unknown
  spec?: { cancel?: unknown; suspend?: unknown }
  settings?: { ttlAfterFinished?: number; input?: unknown; output?: unknown; params?: unknown }
  pipeline?: { steps?: Step[]; stopping?: { reason?: string } }
}

export type FamilySettings = {
  nowMs(): number
  record(jobId: string): Item | undefined
  /** Somebody did to a record by hand what no rule of ours speaks of: deleted it, put another in its place, retried a child. */
  isHandled(jobId: string): boolean
  /** More than one process may have acted as the leader within the last minutes. */
  isOverlap(): boolean
  /** A process may sleep between what it read and what it sends. */
  mayPause: boolean
  skewMs: number
  fail(invariant: string, message: string): void
}

const kindOf = (kind: unknown): Kind | undefined =>
  typeof kind === 'string' && isKindName(kind) ? kinds[kind] : undefined

/** Whether jobs of a kind are always pipelines. */
export const isPipelineKind = (kind: unknown): boolean => kindOf(kind)?.pipeline !== undefined

/** Whether a record is a pipeline now: by its kind, or because its task has split it. */
export const isPipeline = ({ kind, pipeline, fence }: Item): boolean =>
  isPipelineKind(kind) ||
  (kindOf(kind)?.splits !== undefined && pipeline !== undefined && fence === undefined)

const planOf = ({ kind }: Pick<Parent, 'kind'>): Pipeline | undefined =>
  kindOf(kind)?.pipeline ?? kindOf(kind)?.splits

const stepsOf = ({ pipeline }: Parent): readonly Step[] =>
  Array.isArray(pipeline?.steps) ? pipeline.steps.filter(({ children }) => Array.isArray(children)) : []

export const childrenOf = (parent: Item | undefined): readonly Entry[] =>
  parent === undefined ? [] : stepsOf(parent as Parent).flatMap(({ children }) => children)

/** Terminal, and not only by a phase that somebody wrote. */
export const isOver = (record: Item): boolean =>
  isTerminal(String(record.phase)) &&
  record.fence === undefined &&
  (record.pipeline === undefined || record.finishedAt !== undefined)

const belongsTo = (child: Item, parent: ParentRef): boolean => {
  const ref = parentOf(child.spec)
  return ref !== undefined && formatParent(ref) === formatParent(parent)
}

const refOf = ({ jobId, uid = '' }: Parent): ParentRef => ({ jobId, uid })

/** What the parent of a child wants of it, by the truth of the table. `ended`: it wants nothing any more. */
export function parentWish(
  child: Item,
  record: FamilySettings['record'],
): 'none' | 'live' | 'cancel' | 'ended' {
  const ref = parentOf(child.spec)
  if (ref === undefined) return 'none'
  const parent = record(ref.jobId) as Parent | undefined
  if (parent === undefined || parent.uid !== ref.uid || isOver(parent)) return 'ended'
  if (childrenOf(parent).every(({ jobId }) => jobId !== child.jobId)) return 'ended'
  return parent.pipeline?.stopping !== undefined || parent.spec?.cancel === true ? 'cancel' : 'live'
}

/** A single process takes this long at most between what it reads and what it sends of it. */
const sendsWithinMs = 60_000
/** One page of a scan, with calls that are lost and retried. */
const scanMs = 300_000

/**
 * The rules of pipelines and their children, checked at every step like all others, on the truth of the models.
 */
export function createFamilyWatch(settings: FamilySettings) {
  const { record, isHandled, fail } = settings
  /** Since when a life of a parent is known to end, or has ended; by `<jobId>/<uid>`. */
  const endsSinceMs = new Map<string, number>()
  /** Since when a parent that was asked for again is accepted. */
  const againSinceMs = new Map<string, number>()
  /** Children of one place of one step of one piece of work, in the order in which they were put. */
  const places = new Map<string, string[]>()
  /** How often a life of a parent has succeeded: asked for again then, it does everything again. */
  const successes = new Map<string, number>()
  /** Children that returned something temporary. */
  const temporary = new Set<string>()

  const recordOf = (jobId: string): Parent | undefined => record(jobId) as Parent | undefined

  /** Every child that has been noted to be there, or to have ended, is so in truth. */
  function checkNotes(before: Parent, after: Parent): void {
    const known = new Map(childrenOf(before).map((child) => [child.jobId, child]))
    for (const child of childrenOf(after)) {
      const was = known.get(child.jobId)?.state
      if (was === child.state || isHandled(child.jobId)) continue
      const truth = record(child.jobId)
      const isThere = truth !== undefined && belongsTo(truth, refOf(after))
      const say = (what: string): void =>
        fail(
          'Family',
          `${after.jobId}: ${child.jobId} stands as ${child.state}/${child.reason ?? ''}, and ${what}`,
        )
      if (child.state === 'intended') continue
      if (was === undefined) say('nobody had intended it')
      else if (child.reason === 'ChildTaken') {
        if (isThere) say('it is its own')
      } else if (!isThere) say('there is no such child')
      else if (child.state === 'succeeded') checkResult(after, child, truth, say)
      else if (child.state === 'failed' && !['Failed', 'Cancelled'].includes(String(truth.phase)))
        say(`it is ${String(truth.phase)}`)
    }
  }

  function checkResult(parent: Parent, child: Entry, truth: Item, say: (what: string) => void): void {
    const step = stepsOf(parent).find(({ children }) => children.includes(child))?.name
    const ofStep = planOf(parent)?.steps.find(({ name }) => name === step)
    if (child.result && ofStep?.isTemporary?.(child.result)) temporary.add(child.jobId)
    if (truth.phase !== 'Succeeded') say(`it is ${String(truth.phase)}`)
    else if (stringify(child.result) !== stringify(truth.result ?? {})) say('it returned something else')
  }

  /** A parent is terminal only after its children are. One that nobody has accepted yet was still on its way. */
  function checkEnd(after: Parent): void {
    for (const { jobId } of childrenOf(after)) {
      const child = record(jobId)
      if (child?.uid === undefined || isHandled(jobId) || !belongsTo(child, refOf(after))) continue
      if (!isOver(child))
        fail('Family', `${after.jobId} is ${after.phase} while its child ${jobId} is ${String(child.phase)}`)
    }
    if (after.phase === 'Succeeded') checkSuccess(after)
  }

  function checkSuccess(after: Parent): void {
    const plan = planOf(after)
    const steps = stepsOf(after)
    if (steps.map(({ name }) => name).join() !== plan?.steps.map(({ name }) => name).join())
      fail('Family', `${after.jobId} succeeded after the steps ${steps.map(({ name }) => name).join()}`)
    for (const { name, children } of steps)
      for (const child of children)
        if (child.state !== 'succeeded' || child.result === undefined)
          fail('Family', `${after.jobId} succeeded, and ${child.jobId} of its step ${name} is ${child.state}`)
    if (stringify(after.result) !== stringify(steps.at(-1)?.children[0]?.result))
      fail('Family', `${after.jobId} returned something else than its last step`)
  }

  /** Where a child stands in the record of its parent; undefined: that has changed since it was put. */
  function placeOf(child: Item): { parent: Parent; step: string; index: number } | undefined {
    const ref = parentOf(child.spec)
    const parent = ref && recordOf(ref.jobId)
    if (parent === undefined || parent.uid !== ref?.uid) return undefined
    for (const { name, children } of stepsOf(parent)) {
      const index = children.findIndex(({ jobId }) => jobId === child.jobId)
      if (index >= 0) return { parent, step: name, index }
    }
    return undefined
  }

  const keyOf = (parent: Parent, step: string, index: number): string => {
    const life = formatParent(refOf(parent))
    const { input, output, params } = parent.settings ?? {}
    return stringify([life, successes.get(life), input, output, params, step, index]) ?? life
  }

  const hasSucceeded = (jobId: string): boolean => record(jobId)?.phase === 'Succeeded' && !isHandled(jobId)

  /** What had succeeded is not run again, unless it was temporary and nobody has done his work with it yet. */
  function checkRepeat(child: Item): void {
    const place = placeOf(child)
    if (!place || isHandled(place.parent.jobId)) return
    const key = keyOf(place.parent, place.step, place.index)
    const others = (places.get(key) ?? []).filter((jobId) => jobId !== child.jobId)
    places.set(key, [...others, String(child.jobId)])
    const done = others.find(hasSucceeded)
    if (done === undefined) return
    const steps = planOf(place.parent)?.steps ?? []
    const next = steps[steps.findIndex(({ name }) => name === place.step) + 1]?.name ?? ''
    const used = places.get(keyOf(place.parent, next, 0)) ?? []
    if (!temporary.has(done) || used.some(hasSucceeded))
      fail('Family', `${String(child.jobId)} does what ${done} had done`)
  }

  function noteParent(before: Parent | undefined, after: Parent | undefined): void {
    const nowMs = settings.nowMs()
    if (before?.uid !== undefined && before.uid !== after?.uid) {
      const life = formatParent(refOf(before))
      if (!endsSinceMs.has(life)) endsSinceMs.set(life, nowMs)
    }
    if (after?.uid === undefined) return
    const life = formatParent(refOf(after))
    if (after.phase === 'Succeeded' && isOver(after) && !(before && isOver(before)))
      successes.set(life, (successes.get(life) ?? 0) + 1)
    if (isOver(after) || after.pipeline?.stopping !== undefined) {
      if (!endsSinceMs.has(life)) endsSinceMs.set(life, nowMs)
      return
    }
    endsSinceMs.delete(life)
    if (before?.phase === 'Submitted') againSinceMs.set(after.jobId, nowMs)
  }

  return {
    /** Any write of anybody. */
    wrote(before: Item | undefined, after: Item | undefined): void {
      if (isPipeline(after ?? before ?? {}) || (before !== undefined && isPipeline(before)))
        noteParent(before as Parent | undefined, after as Parent | undefined)
    },

    /** A write of a controller to an accepted record. */
    controllerWrote(before: Item, after: Item): void {
      if (!isPipeline(after) || before.uid !== after.uid || isHandled(String(after.jobId))) return
      if (before.generation !== after.generation) return
      checkNotes(before as Parent, after as Parent)
      if (isOver(after) && !isOver(before)) checkEnd(after as Parent)
    },

    /** A controller sends the put of a child: what it does of its parent as it is now. */
    putSent(actor: string, child: Item, lastRead: Item | undefined): void {
      const ref = parentOf(child.spec)
      const parent = ref && recordOf(ref.jobId)
      if (!parent || parent.uid !== ref?.uid || settings.isOverlap() || isHandled(parent.jobId)) return
      const isIntended = [parent, lastRead].some((read) =>
        childrenOf(read).some(({ jobId }) => jobId === child.jobId),
      )
      if (!isIntended)
        fail('Family', `${actor} puts ${String(child.jobId)}, which is not intended in ${parent.jobId}`)
      if (parent.pipeline?.stopping !== undefined || isOver(parent))
        fail('Family', `${actor} puts ${String(child.jobId)} after the end of ${parent.jobId} was recorded`)
    },

    /** It is there now. */
    childPut: checkRepeat,

    /** A controller sends the intent to launch a child. */
    intentSent(actor: string, child: Item): void {
      const ref = parentOf(child.spec)
      const sinceMs = ref && endsSinceMs.get(formatParent(ref))
      if (sinceMs === undefined || settings.isOverlap() || settings.mayPause) return
      const passedMs = settings.nowMs() - sinceMs
      if (passedMs > sendsWithinMs)
        fail(
          'Family',
          `${actor} launches ${String(child.jobId)} ${Math.round(passedMs / 1000)} s after the end of its parent was recorded`,
        )
    },

    /** A record became a tombstone: never a child whose parent still knows it, and lives or is kept. */
    reaped(child: Item): void {
      const ref = parentOf(child.spec)
      const parent = ref && recordOf(ref.jobId)
      if (!parent || parent.uid !== ref?.uid || parent.expiresAt !== undefined) return
      if (childrenOf(parent).every(({ jobId }) => jobId !== child.jobId)) return
      const nowMs = settings.nowMs()
      // Asked for again: until that is accepted, and while a scan is at it that had read the parent before.
      if (isHandled(parent.jobId) || parent.phase === 'Submitted') return
      if (nowMs - (againSinceMs.get(parent.jobId) ?? 0) < scanMs) return
      const keptUntilMs =
        Date.parse(parent.finishedAt ?? '') + (parent.settings?.ttlAfterFinished ?? 0) * 1000
      if (!isOver(parent) || nowMs + settings.skewMs < keptUntilMs)
        fail('Family', `${String(child.jobId)} is reaped before ${parent.jobId}, which is ${parent.phase}`)
    },

    /** A container begins to listen: what it listens to is there, or has gone because a user said so. */
    heard(child: Item | undefined, isAccounted: boolean): void {
      const place = child && placeOf(child)
      if (isAccounted || !place || isHandled(String(child?.jobId)) || isHandled(place.parent.jobId)) return
      if (!isOver(place.parent))
        fail('Family', `${String(child?.jobId)} begins, and what it is to work on is gone`)
    },
  }
}

export type FamilyWatch = ReturnType<typeof createFamilyWatch>
