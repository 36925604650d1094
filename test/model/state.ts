import type { Phase, StopReason } from '../../schemas/job.ts'

// One job's world in symbols. Launches are numbered from 1, tasks by their place in `tasks` plus 1; 0 is "none".

/** The job's record: the attributes that some decision or condition looks at. */
export type Rec = {
  phase: Phase
  /** The launch that `fence` names. */
  fence: number
  /** The attempt of the ledger that has no outcome yet. */
  open: number
  /** `launching` with its frozen request, without it, or not at all. */
  launching: 'none' | 'request' | 'resolved'
  refused: '' | 'capacity' | 'permanent'
  arn: number
  claim: number
  /** The launch that `report.fence` names. */
  reportOf: number
  report: '' | 'done' | 'failed'
  stopping: '' | StopReason
  failed: number
  infra: number
  notBefore: '' | 'later' | 'past'
  line: '' | 'due' | 'own'
  lastAttempt: number
  lastLaunch: number
  generation: number
  cancel: boolean
  suspend: boolean
}

export type Life =
  /** ECS has accepted it; its worker has not begun. */
  | 'starting'
  /** RUNNING; not claimed yet. A container job works now. */
  | 'running'
  | 'working'
  /** It holds the claim and still works, but no beat comes: paused, or cut off from the table. It may come back. */
  | 'silent'
  /** Its report is written; it only has to exit. */
  | 'reported'
  | 'stopped'

export const causes = ['', 'exit 0', 'exit 70', 'exit 76', 'Spot', 'StopTask'] as const
export type Cause = (typeof causes)[number]

export type Task = {
  launch: number
  attempt: number
  sight: 'hidden' | 'visible' | 'forgotten'
  life: Life
  /** desiredStatus is STOPPED, and for whom. SIGTERM leaves the worker up to two minutes. */
  doomed: '' | 'Spot' | 'StopTask'
  cause: Cause
  claimed: boolean
  /** Settled as lost after grace and silence: the one case in which the design lets another task work beside it. */
  writtenOff: boolean
}

export type Look =
  | 'none'
  | 'starting'
  | 'running'
  /** With desiredStatus STOPPED. */
  | 'startingDoomed'
  | 'runningDoomed'
  | 'missing'
  /** The grace is over since the first such look, but nobody has looked again. */
  | 'missingDue'
  /** Missing in every look for the whole grace, the last one after it. */
  | 'missingLong'
  | `stopped ${Cause}`

/** Of every task: what this controller knows of it as a stray. */
export type StrayNote =
  | '-'
  | 'live'
  | 'asked'
  | 'doomed'
  | 'missing'
  | 'missingAsked'
  | 'missingLong'
  | 'over'

/** One controller: how far its step is, and its memory. */
export type Ctrl = {
  at: 'idle' | 'looked' | 'read' | 'sent' | 'answered'
  /** The record as it read it (a number of `recs`), 0: none. */
  copy: number
  /** Nobody has raised the revision since. */
  fresh: boolean
  /** No beat was written since. */
  beatFresh: boolean
  /** RunTask's answer: a task, or -1 refused for capacity, -2 refused for good, -3 none. */
  answer: number
  /** The launch that it watches. */
  watch: number
  arn: number
  look: Look
  /** The whole grace passed on its clock without a beat, counted from the last one it saw. */
  quiet: boolean
  /** The record's beat is the one that it saw last. */
  beatSame: boolean
  claimSeen: boolean
  strays: readonly StrayNote[]
  /** The launch that its last full listing serves, and what that found. */
  pass: number
  passArn: number
}

export type World = {
  /** How many more faults may happen. */
  faults: number
  cancels: number
  suspends: number
  retries: number
  /** Launches, as bits, whose replay window and listing time have come (50 minutes). */
  old: number
  deadline: 'later' | 'allowed' | 'past'
  /** A `done` report was accepted in this generation. */
  done: boolean
  /** The controller has recorded a cancel in this generation. */
  cancelled: boolean
}

export type State = {
  rec: number
  world: number
  ctrls: readonly number[]
  tasks: readonly number[]
  /** RunTask requests on the wire that nobody waits for any more: launch * 8 + attempt. */
  wire: readonly number[]
}

/** Every distinct part once, by number: a state is then a few numbers, and everything about a part can be kept by number. */
function table<T extends object>(keyOfPart: (part: T) => string) {
  const numbers = new Map<string, number>()
  const parts: T[] = []
  return {
    of(part: T): number {
      const key = keyOfPart(part)
      const known = numbers.get(key)
      if (known !== undefined) return known
      parts.push(part)
      numbers.set(key, parts.length)
      return parts.length
    },
    at(number: number): T {
      const part = parts[number - 1]
      if (part === undefined) throw new RangeError(`No part ${number}`)
      return part
    },
    size: (): number => parts.length,
  }
}

export const recs = table<Rec>(
  (r) =>
    `${r.phase}|${r.fence}|${r.open}|${r.launching}|${r.refused}|${r.arn}|${r.claim}|${r.reportOf}|${r.report}|${r.stopping}|` +
    `${r.failed}|${r.infra}|${r.notBefore}|${r.line}|${r.lastAttempt}|${r.lastLaunch}|${r.generation}|${r.cancel}|${r.suspend}`,
)
export const ctrls = table<Ctrl>(
  (c) =>
    `${c.at}|${c.copy}|${c.fresh}|${c.beatFresh}|${c.answer}|${c.watch}|${c.arn}|${c.look}|${c.quiet}|${c.beatSame}|` +
    `${c.claimSeen}|${c.strays.length === 0 ? '' : c.strays.join()}|${c.pass}|${c.passArn}`,
)
export const tasks = table<Task>(
  (t) => `${t.launch}|${t.attempt}|${t.sight}|${t.life}|${t.doomed}|${t.cause}|${t.claimed}|${t.writtenOff}`,
)
export const worlds = table<World>(
  (w) =>
    `${w.faults}|${w.cancels}|${w.suspends}|${w.retries}|${w.old}|${w.deadline}|${w.done}|${w.cancelled}`,
)

/** Two controllers are alike, so which one is called A makes no difference. */
export function keyOf({ rec, world, ctrls: who, tasks: all, wire }: State): string {
  const [first = 0, second = 0] = who
  const [low, high] = first <= second ? [first, second] : [second, first]
  return String.fromCharCode(
    rec,
    world,
    low & 0xffff,
    low >> 16,
    high & 0xffff,
    high >> 16,
    ...all,
    0xffff,
    ...wire,
  )
}

export const freshCtrl: Ctrl = {
  at: 'idle',
  copy: 0,
  fresh: false,
  beatFresh: false,
  answer: 0,
  watch: 0,
  arn: 0,
  look: 'none',
  quiet: false,
  beatSame: true,
  claimSeen: false,
  strays: [],
  pass: 0,
  passArn: 0,
}

export const firstRec: Rec = {
  phase: 'Pending',
  fence: 0,
  open: 0,
  launching: 'none',
  refused: '',
  arn: 0,
  claim: 0,
  reportOf: 0,
  report: '',
  stopping: '',
  failed: 0,
  infra: 0,
  notBefore: '',
  line: 'own',
  lastAttempt: 0,
  lastLaunch: 0,
  generation: 1,
  cancel: false,
  suspend: false,
}
