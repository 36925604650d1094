import type { Action } from '../../controller/reconcile/decide.ts'
import type { Change } from '../../schemas/change.ts'
import { isTerminal } from '../../schemas/job.ts'
import {
  acceptChange,
  answerChange,
  applied,
  changeOf,
  currentTask,
  decideFor,
  jobOf,
  recOf,
  type Times,
  taskOf,
} from './bridge.ts'
import type { Setting } from './conditions.ts'
import { guardName } from './guards.ts'
import { addStray, forget, look, noted, track } from './memory.ts'
import { actionWords, lookWords, nameOf, recWords } from './print.ts'
import {
  type Ctrl,
  ctrls,
  freshCtrl,
  type Rec,
  recs,
  type State,
  type Task,
  tasks,
  type World,
  worlds,
} from './state.ts'
import { type Emit, invariants, type Model, replaced } from './steps.ts'

/**
 * The step of one controller, cut wherever others can come in between: look, read, act (one write or one call), and for
 * RunTask the answer. The decision is made when the step acts, on the record as it was read before: a pause in between is
 * part of the model.
 */
export function controllerSteps(model: Model, caches: Caches, state: State, index: number, emit: Emit): void {
  const ctrl = ctrls.at(state.ctrls[index] ?? 0)
  const step = { model, caches, state, index, ctrl, emit }
  const looksFirst = !model.setting.without.has('observeFirst')
  switch (ctrl.at) {
    case 'idle':
      sweepNow(step)
      if (looksFirst && knowsTasks(ctrl)) lookNow(step)
      else readNow(step)
      break
    case 'looked':
      if (looksFirst) readNow(step)
      else lookNow(step)
      break
    case 'read':
      actNow(step)
      break
    case 'sent':
      break
    case 'answered':
      writeAnswer(step)
      break
    default:
      throw ctrl.at satisfies never
  }
}

export type Decision = { action: Action; key: string; change: Change | undefined }
export type Caches = { decisions: Map<number, Decision>; written: Map<string, number> }
export const newCaches = (): Caches => ({ decisions: new Map(), written: new Map() })

type Step = { model: Model; caches: Caches; state: State; index: number; ctrl: Ctrl; emit: Emit }

export const withCtrl = (state: State, index: number, ctrl: Ctrl): State => ({
  ...state,
  ctrls: replaced(state.ctrls, index, ctrls.of(ctrl)),
})

const knowsTasks = ({ arn, strays }: Ctrl): boolean =>
  arn !== 0 || strays.some((note) => note !== '-' && note !== 'over')

function lookNow({ model, state, index, ctrl, emit }: Step): void {
  const looked = look(ctrl, state.tasks)
  const isLate = model.setting.without.has('observeFirst')
  // The mutant looks after it read: then it goes on to act.
  const next = isLate
    ? { ...tracked(looked, recs.at(ctrl.copy), model.setting), at: 'read' as const }
    : { ...looked, at: 'looked' as const }
  emit(
    withCtrl(state, index, next),
    () => `${nameOf(index)} looks at its tasks: ${lookWords(looked) || 'it knows of none'}`,
    false,
  )
}

function readNow(step: Step): void {
  const { model, state, index, ctrl, emit } = step
  const rec = recs.at(state.rec)
  const known = model.setting.without.has('observeFirst') ? ctrl : tracked(ctrl, rec, model.setting)
  const at = model.setting.without.has('observeFirst') ? ('looked' as const) : ('read' as const)
  const read = { ...known, at, copy: state.rec, fresh: true, beatFresh: true }
  const number = ctrls.of(read)
  const rest = at === 'read' && !model.setting.pauses ? restAfter(step, number, read, rec) : undefined
  emit(
    { ...state, ctrls: replaced(state.ctrls, index, rest ?? number) },
    () =>
      `${nameOf(index)} reads the record: ${recWords(rec)}${rest === undefined ? '' : '; there is nothing to do now'}`,
    false,
  )
}

/** A decision to do nothing now is carried out at once, so that it takes no state of its own. */
function restAfter({ model, caches, state }: Step, number: number, read: Ctrl, rec: Rec): number | undefined {
  if (rec.phase === 'Submitted') return undefined
  const times = timesOf(rec, worlds.at(state.world))
  const { action } = decisionOf(caches, number, read, rec, times, model.setting)
  if (action.reason === 'BrokenRecord') return undefined
  if (action.do === 'nothing') return ctrls.of(forget(atRest(read)))
  return action.do === 'wait' || action.do === 'look' ? ctrls.of(atRest(read)) : undefined
}

const tracked = (ctrl: Ctrl, rec: Rec, setting: Setting): Ctrl =>
  rec.phase === 'Submitted' ? forget(ctrl) : track(ctrl, rec, setting)

export const timesOf = ({ fence }: Rec, { old, deadline }: World): Times => ({
  isOld: (old & (1 << fence)) !== 0,
  isLate: deadline === 'past',
})

function actNow(step: Step): void {
  const { model, caches, state, index, ctrl, emit } = step
  const copy = recs.at(ctrl.copy)
  const times = timesOf(copy, worlds.at(state.world))
  if (copy.phase === 'Submitted') {
    write(step, acceptGuards, acceptChange(copy, model.setting), 'accept', 'accept', times)
    return
  }
  const decision = decisionOf(caches, state.ctrls[index] ?? 0, ctrl, copy, times, model.setting)
  const { action, key, change } = decision
  const broken = action.reason === 'BrokenRecord' ? invariants.row14 : undefined
  const words = () => `${nameOf(index)} decides: ${actionWords(action)}`
  const idle = atRest(ctrl)
  switch (action.do) {
    case 'nothing':
      emit(withCtrl(state, index, forget(idle)), words, false, broken)
      break
    case 'wait':
    case 'look':
    // What becomes of an input is written after the end, and nothing here depends on it.
    case 'deleteSource':
      emit(withCtrl(state, index, idle), words, false, broken)
      break
    case 'listPass':
      listNow(step, copy)
      break
    case 'runTask':
      emit(
        withCtrl(state, index, { ...ctrl, at: 'sent' }),
        () => `${nameOf(index)} sends RunTask for launch ${copy.fence}`,
        false,
        broken,
      )
      break
    case 'stopTask':
      stopNow(step, taskOf(action.arn), words, broken)
      break
    default:
      if (change !== undefined) write(step, model.guards[guardName(action)], change, key, action, times)
  }
}

const acceptGuards = ['uid', 'revision', 'phase', 'fence']

export const atRest = (ctrl: Ctrl): Ctrl => ({
  ...ctrl,
  at: 'idle',
  copy: 0,
  fresh: false,
  beatFresh: false,
  answer: 0,
})

/** The same controller in the same state of mind decides the same: kept by its number. */
function decisionOf(
  { decisions }: Caches,
  number: number,
  ctrl: Ctrl,
  copy: Rec,
  times: Times,
  setting: Setting,
): Decision {
  const kept = number * 4 + (times.isOld ? 1 : 0) + (times.isLate ? 2 : 0)
  const known = decisions.get(kept)
  if (known) return known
  const action = decideFor(copy, ctrl, times, setting)
  const isWrite = !['nothing', 'wait', 'look', 'listPass', 'runTask', 'stopTask'].includes(action.do)
  const decision = {
    action,
    key: JSON.stringify(action),
    change: isWrite ? changeOf(copy, action as Parameters<typeof changeOf>[1], times, setting) : undefined,
  }
  decisions.set(kept, decision)
  return decision
}

/** One conditional UpdateItem. */
function write(
  step: Step,
  guards: readonly string[],
  change: Change,
  key: string,
  action: Action | 'accept' | 'answer',
  times: Times,
): void {
  const { model, caches, state, index, ctrl, emit } = step
  const what = typeof action === 'string' ? action : actionWords(action)
  const isIntent = typeof action !== 'string' && action.do === 'intend'
  const refused = guards.find((guard) => !holds(guard, isIntent, step))
  if (refused !== undefined) {
    emit(
      withCtrl(state, index, atRest(ctrl)),
      () => `${nameOf(index)} writes: ${what}; refused, ${refused} is not as it was read`,
      false,
    )
    return
  }
  const cacheKey = `${state.rec}/${ctrl.copy}/${times.isOld}/${times.isLate}/${key}`
  let next = caches.written.get(cacheKey)
  if (next === undefined) {
    const before = recs.at(state.rec)
    next = recs.of(
      recOf(applied(jobOf(before, timesOf(before, worlds.at(state.world)), model.setting), change)),
    )
    caches.written.set(cacheKey, next)
  }
  const rec = recs.at(next)
  emit(
    afterWrite(step, next, action),
    () => `${nameOf(index)} writes: ${what}. The record: ${recWords(rec)}`,
    false,
    brokenBy(step, rec, action),
  )
}

function holds(guard: string, isIntent: boolean, { model, state, ctrl }: Step): boolean {
  const { without } = model.setting
  const [copy, rec] = [recs.at(ctrl.copy), recs.at(state.rec)]
  const isUnfenced = isIntent && without.has('fenceOnIntent')
  switch (guard) {
    case 'uid':
      return true
    case 'revision':
      return ctrl.fresh || isUnfenced || without.has('revision')
    case 'phase':
      return copy.phase === rec.phase || isUnfenced
    case 'fence':
      return copy.fence === rec.fence
    case 'claim.taskArn':
      return copy.claim === rec.claim || without.has('claimInSettle')
    case 'report.fence':
    case 'report.at':
      return (copy.reportOf === rec.reportOf && copy.report === rec.report) || without.has('reportInSettle')
    case 'progress.beat':
      return ctrl.beatFresh || without.has('beatInLost')
    default:
      throw new Error(`The model does not know the condition ${guard}`)
  }
}

/** What a write changes besides the record: what others have read is stale, and this controller's memory moves on. */
function afterWrite({ state, index, ctrl }: Step, next: number, action: Action | 'accept' | 'answer'): State {
  const rec = recs.at(next)
  const isEnd = typeof action !== 'string' && ['settle', 'finish', 'release'].includes(action.do)
  const who = state.ctrls.map((number, other) => {
    const mind = ctrls.at(number)
    if (other === index) return ctrls.of(isEnd ? forget(atRest(ctrl)) : atRest(ctrl))
    return mind.fresh ? ctrls.of({ ...mind, fresh: false }) : number
  })
  const world = worlds.at(state.world)
  const isCancel = typeof action !== 'string' && action.reason === 'Cancel'
  const recorded = isCancel || rec.phase === 'Cancelled'
  const accepted = action === 'accept'
  return {
    ...state,
    rec: next,
    ctrls: who,
    tasks:
      action !== 'accept' && action !== 'answer' && action.do === 'settle'
        ? lost(state, ctrl, action)
        : state.tasks,
    world: worlds.of({
      ...world,
      done: world.done && !accepted,
      cancelled: (world.cancelled || recorded) && !accepted,
      deadline: accepted ? 'later' : world.deadline,
      old: isKeptByOther(state, index) ? world.old : world.old & (1 << rec.fence),
    }),
  }
}

/** Times of earlier launches matter only to a controller that still holds a copy of them. */
const isKeptByOther = (state: State, index: number): boolean =>
  state.ctrls.some((number, other) => other !== index && ctrls.at(number).copy !== 0)

/** A task that was given up after grace and silence may work on beside its successor: that is the design's bound. */
function lost(state: State, ctrl: Ctrl, action: Extract<Action, { do: 'settle' }>): readonly number[] {
  const number = ctrl.arn - 1
  const task = state.tasks[number]
  if (action.reason !== 'Lost' || task === undefined) return state.tasks
  const isClaimRead = recs.at(ctrl.copy).claim === ctrl.arn
  const isGivenUp = isClaimRead && ctrl.look === 'missingLong' && ctrl.quiet && ctrl.beatFresh
  return isGivenUp
    ? replaced(state.tasks, number, tasks.of({ ...tasks.at(task), writtenOff: true }))
    : state.tasks
}

function brokenBy(step: Step, next: Rec, action: Action | 'accept' | 'answer'): string | undefined {
  const { model, state, ctrl } = step
  const { setting } = model
  const before = recs.at(state.rec)
  const world = worlds.at(state.world)
  if (action === 'accept') return undefined
  if (typeof action !== 'string' && action.reason === 'BrokenRecord') return invariants.row14
  if (isTerminal(before.phase) && next.phase !== before.phase) return invariants.final
  if (next.phase === 'Succeeded' && world.cancelled) return invariants.cancel
  if (next.failed > setting.attempts || next.infra > setting.infrastructureAttempts + 1)
    return invariants.counts
  const taken = next.arn !== before.arn ? next.arn : 0
  if (taken !== 0 && taskAt(state, taken)?.launch !== next.fence) return invariants.ownTask
  if (typeof action === 'string') return undefined
  if (action.do === 'intend') {
    if (world.done) return invariants.afterDone
    if (next.lastLaunch <= before.lastLaunch) return invariants.numbers
  }
  if (action.do === 'settle') {
    const copy = recs.at(ctrl.copy)
    const current = taskAt(state, currentTask(copy, setting))
    if (current !== undefined && current.launch !== copy.fence) return invariants.ownTask
    if (world.done && next.phase !== 'Succeeded' && next.phase !== 'Cancelled') return invariants.doneLost
  }
  return undefined
}

const taskAt = ({ tasks: all }: State, task: number): Task | undefined => {
  const number = all[task - 1]
  return number === undefined ? undefined : tasks.at(number)
}

function writeAnswer(step: Step): void {
  const { model, state, index, ctrl, emit } = step
  const copy = recs.at(ctrl.copy)
  const times = timesOf(copy, worlds.at(state.world))
  if (ctrl.answer === -3) {
    emit(
      withCtrl(state, index, atRest(ctrl)),
      () => `${nameOf(index)} gives up waiting for the answer`,
      false,
    )
    return
  }
  const answer =
    ctrl.answer > 0
      ? { do: 'answer' as const, task: ctrl.answer }
      : {
          do: 'answer' as const,
          refused: ctrl.answer === -1 ? ('capacity' as const) : ('permanent' as const),
        }
  const change = answerChange(copy, answer, times, model.setting)
  write(step, model.guards.answer, change, `answer ${ctrl.answer}`, 'answer', times)
}

/** StopTask: asks; the task is STOPPED later. A task that ECS does not show cannot be stopped. */
function stopNow(step: Step, target: number, words: () => string, broken: string | undefined): void {
  const { state, index, ctrl, emit } = step
  const task = taskAt(state, target)
  const note = ctrl.strays[target - 1]
  const strays =
    note === undefined || note === '-'
      ? ctrl.strays
      : noted(ctrl.strays, target, note === 'missing' ? 'missingAsked' : 'asked')
  const asked = withCtrl(state, index, { ...atRest(ctrl), strays })
  const stops =
    task !== undefined && task.sight === 'visible' && task.life !== 'stopped' && task.doomed === ''
  const all = stops
    ? replaced(state.tasks, target - 1, tasks.of({ ...task, doomed: 'StopTask' }))
    : state.tasks
  emit({ ...asked, tasks: all }, words, false, broken)
}

/** Whether all that may still come of a launch has come: nothing on the wire, nothing hidden. */
export function isResolved(state: State, launch: number, except = -1): boolean {
  if (state.wire.some((request) => request >> 3 === launch)) return false
  if (state.tasks.some((number) => tasks.at(number).launch === launch && tasks.at(number).sight === 'hidden'))
    return false
  return !state.ctrls.some((number, index) => {
    const ctrl = ctrls.at(number)
    if (
      index === except ||
      (ctrl.at !== 'read' && ctrl.at !== 'looked' && ctrl.at !== 'sent') ||
      ctrl.copy === 0
    )
      return false
    const copy = recs.at(ctrl.copy)
    return copy.fence === launch && copy.launching === 'request'
  })
}

/** A full listing, RUNNING and STOPPED, that begins after what it has to come after; and the strays that it shows. */
function listNow({ model, state, index, ctrl, emit }: Step, copy: Rec): void {
  const { without, kind } = model.setting
  const launch = copy.lastLaunch
  // A container job has no claim to stop a late task; it relies on the listing beginning late enough.
  if (kind === 'container' && !isResolved(state, launch, index)) {
    emit(withCtrl(state, index, atRest(ctrl)), () => `${nameOf(index)} waits until it may list`, false)
    return
  }
  const open = copy.open
  const found = state.tasks.flatMap((number, at) => {
    const task = tasks.at(number)
    const matches = without.has('launchInStartedBy') ? task.attempt === open : task.launch === launch
    return task.sight === 'visible' && matches && copy.fence !== 0 ? [at + 1] : []
  })
  for (const passArn of found.length === 0 ? [0] : found)
    emit(
      withCtrl(state, index, {
        ...atRest(ctrl),
        strays: straysListed(model, state, ctrl),
        pass: launch,
        passArn,
      }),
      () =>
        `${nameOf(index)} lists the cluster for launch ${launch}: ${passArn === 0 ? 'nothing' : `t${passArn}`}`,
      false,
    )
}

/** The sweep: live tasks whose fence the record does not have. */
function sweepNow({ model, state, index, ctrl, emit }: Step): void {
  const strays = straysListed(model, state, ctrl)
  if (strays !== ctrl.strays)
    emit(
      withCtrl(state, index, { ...ctrl, strays }),
      () => `${nameOf(index)} sweeps: ${lookWords({ ...ctrl, arn: 0, strays })}`,
      false,
    )
}

function straysListed({ setting }: Model, state: State, ctrl: Ctrl): Ctrl['strays'] {
  const rec = recs.at(state.rec)
  let { strays } = ctrl
  for (const [at, number] of state.tasks.entries()) {
    const task = tasks.at(number)
    const isCurrent =
      at + 1 === ctrl.arn ||
      (rec.fence !== 0 &&
        (setting.without.has('launchInStartedBy') ? task.attempt === rec.open : task.launch === rec.fence))
    if (task.sight === 'visible' && task.life !== 'stopped' && !isCurrent)
      strays = addStray(strays, at + 1, task.doomed !== '')
  }
  return strays
}

/** The process dies, with all it remembers. A request that it sent stays on the wire. */
export function crash(state: State, index: number, emit: Emit): void {
  const ctrl = ctrls.at(state.ctrls[index] ?? 0)
  const copy = ctrl.copy === 0 ? undefined : recs.at(ctrl.copy)
  const wire =
    ctrl.at === 'sent' && copy
      ? [...state.wire, copy.fence * 8 + copy.open].sort((a, b) => a - b)
      : state.wire
  const next = { ...withCtrl(state, index, freshCtrl), wire }
  if (next.ctrls[index] !== state.ctrls[index])
    emit(next, () => `${nameOf(index)} is killed and starts again, without memory`, true)
}
