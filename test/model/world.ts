import { isTerminal } from '../../schemas/job.ts'
import { isLiveRec } from './bridge.ts'
import { crash, isResolved, withCtrl } from './controller.ts'
import { noted } from './memory.ts'
import { nameOf } from './print.ts'
import {
  type Cause,
  type Ctrl,
  ctrls,
  type Rec,
  recs,
  type State,
  type Task,
  tasks,
  type World,
  worlds,
} from './state.ts'
import { type Emit, invariants, type Model, replaced } from './steps.ts'

// Everything that is not a controller: AWS, workers, users and time. What the proof assumes of them:
//
// A1  RunTask honours a client token for 24 h: one token is one task; a rare second task under one token is a fault here.
//     A request may reach ECS at any later time, and its answer may be lost.
// A2  For kinds that claim nothing is assumed about how long a task stays hidden from DescribeTasks and ListTasks, or a
//     request on the wire: longer than the listing or the grace that counts is a fault like others. For container jobs a
//     task is seen, and a request has arrived or never will, before that.
// A3  A worker that holds its claim and works gets a beat into the table within every grace. One that does not is called
//     silent here: it may be paused, go on working unseen, and come back.
// A4  A task that was given up as lost (missing for the grace, its worker silent for the grace) may overlap its successor.
// A5  DescribeTasks tells the truth of the moment about a task that it shows. Forgetting begins after STOPPED.
//
// Any step may take any time, from its look to its write.
//
// Left out: events (all of them are lost), evidence, edits of spec besides wishes, raw overwrites, claim and attempt
// timeouts, pacers, and admission (it always grants).

/** The horizon: no more tasks than these are started. */
export const tasksAtMost = 6

export function worldSteps(model: Model, state: State, emit: Emit): void {
  requestSteps(model, state, emit)
  for (let index = 0; index < state.tasks.length; index += 1) taskSteps(model, state, index, emit)
  timeSteps(model, state, emit)
  userSteps(state, emit)
  if (worlds.at(state.world).faults > 0)
    for (let index = 0; index < state.ctrls.length; index += 1) crash(spent(state), index, emit)
}

const withWorld = (state: State, more: Partial<World>): State => ({
  ...state,
  world: worlds.of({ ...worlds.at(state.world), ...more }),
})

/** One fault less. */
const spent = (state: State): State => withWorld(state, { faults: worlds.at(state.world).faults - 1 })

/** RunTask requests reach ECS. */
function requestSteps(model: Model, state: State, emit: Emit): void {
  const canFail = worlds.at(state.world).faults > 0
  for (const [index, number] of state.ctrls.entries()) {
    const ctrl = ctrls.at(number)
    if (ctrl.at !== 'sent') continue
    const { fence: launch, open: attempt } = recs.at(ctrl.copy)
    const answered = (next: State, answer: number): State =>
      withCtrl(next, index, { ...ctrl, at: 'answered', answer })
    const known = taskOfToken(model, state, launch, attempt)
    const begun = known === 0 ? started(model, state, launch, attempt, 1) : state
    if (begun === undefined) continue
    const task = known === 0 ? begun.tasks.length : known
    const effect = known === 0 ? `starts t${task}` : `knows the token: t${task}`
    const to = `ECS gets RunTask for launch ${launch} from ${nameOf(index)}`
    emit(answered(begun, task), () => `${to}, ${effect}, and says so`, false)
    if (!canFail) continue
    emit(answered(spent(begun), -3), () => `${to} and ${effect}; the reply is lost`, true)
    if (known !== 0) continue
    emit(answered(spent(state), -1), () => `${to}: no capacity`, true)
    emit(answered(spent(state), -2), () => `${to}: refused for good`, true)
    emit(answered(spent(begun), -1), () => `${to}: says no capacity, and ${effect} all the same`, true)
    const twice = started(model, state, launch, attempt, 2)
    if (twice !== undefined && model.setting.kind !== 'container')
      emit(
        answered(spent(twice), task),
        () => `${to}, starts t${task} and t${task + 1} under one token, and names the first`,
        true,
      )
  }
  for (const [at, request] of state.wire.entries()) {
    const [launch, attempt] = [request >> 3, request & 7]
    const rest = { ...state, wire: state.wire.filter((_, index) => index !== at) }
    emit(rest, () => `the RunTask for launch ${launch} from before the crash never arrives`, false)
    if (taskOfToken(model, state, launch, attempt) !== 0) continue
    const next = started(model, rest, launch, attempt, 1)
    if (next !== undefined)
      emit(
        next,
        () =>
          `ECS gets the RunTask for launch ${launch} from before the crash and starts t${next.tasks.length}`,
        false,
      )
  }
}

function taskOfToken({ setting }: Model, state: State, launch: number, attempt: number): number {
  if (setting.without.has('sameToken')) return 0
  const isSame = (task: Task): boolean =>
    setting.without.has('tokenPerLaunch') ? task.attempt === attempt : task.launch === launch
  return state.tasks.findIndex((number) => isSame(tasks.at(number))) + 1
}

function started(
  { horizon }: Model,
  state: State,
  launch: number,
  attempt: number,
  count: number,
): State | undefined {
  if (state.tasks.length + count > tasksAtMost) {
    horizon.reached = true
    return undefined
  }
  const task = tasks.of({
    launch,
    attempt,
    sight: 'hidden',
    life: 'starting',
    doomed: '',
    cause: '',
    claimed: false,
    writtenOff: false,
  })
  return { ...state, tasks: [...state.tasks, ...Array.from({ length: count }, () => task)] }
}

/** A task and its worker. */
function taskSteps(model: Model, state: State, index: number, emit: Emit): void {
  const task = tasks.at(state.tasks[index] ?? 0)
  const canFail = worlds.at(state.world).faults > 0
  const name = `t${index + 1}`
  const become = (more: Partial<Task>, from = state): State => ({
    ...from,
    tasks: replaced(from.tasks, index, tasks.of({ ...task, ...more })),
  })
  const ended = (cause: Cause, from = state): State =>
    become({ life: 'stopped', cause: task.doomed === '' ? cause : task.doomed }, from)

  if (task.sight === 'hidden') emit(become({ sight: 'visible' }), () => `ECS shows ${name}`, false)
  if (task.life === 'stopped') {
    if (task.sight === 'visible' && canFail)
      emit(become({ sight: 'forgotten' }, spent(state)), () => `an hour passes; ECS forgets ${name}`, true)
    return
  }
  if (task.doomed !== '') emit(ended(''), () => `${name} is ended by ${task.doomed}: STOPPED`, false)
  else if (canFail)
    emit(become({ doomed: 'Spot' }, spent(state)), () => `Spot takes ${name} back: SIGTERM`, true)

  switch (task.life) {
    case 'starting':
      beginStep(model, state, index, task, name, become, ended, emit)
      break
    case 'running':
      if (model.setting.kind === 'container') containerEnds(name, ended, state, canFail, emit)
      else claimStep(state, index, task, name, ended, emit)
      break
    case 'working':
      workSteps(state, index, task, name, become, ended, emit)
      break
    case 'silent':
      emit(become({ life: 'working' }), () => `the worker of ${name} comes back`, false)
      break
    case 'reported':
      emit(ended(task.cause), () => `${name} ends with ${task.cause}: STOPPED`, false)
      break
    default:
      throw task.life satisfies never
  }
}

/** A task begins to run. One that is outlived, of a kind that claims, can only be refused. */
function beginStep(
  model: Model,
  state: State,
  index: number,
  task: Task,
  name: string,
  become: (more: Partial<Task>) => State,
  ended: Ended,
  emit: Emit,
): void {
  if (task.doomed !== '') return
  const isContainer = model.setting.kind === 'container'
  if (!isContainer && recs.at(state.rec).fence !== task.launch) {
    emit(ended('exit 76'), () => `${name} is RUNNING; its claim is refused: exit 76, STOPPED`, false)
    return
  }
  const broken = isContainer ? overlapWith(state, index) : undefined
  emit(become({ life: 'running' }), () => `${name} is RUNNING`, false, broken)
}

type Ended = (cause: Cause, from?: State) => State

function containerEnds(name: string, ended: Ended, state: State, canFail: boolean, emit: Emit): void {
  emit(ended('exit 0'), () => `${name} ends with exit 0: STOPPED`, false)
  if (canFail) emit(ended('exit 70', spent(state)), () => `${name} ends with exit 70: STOPPED`, true)
}

const isWorking = ({ life, claimed, writtenOff }: Task): boolean =>
  !writtenOff && (life === 'working' || life === 'silent' || (life === 'running' && !claimed))

/** Somebody else of this job still works. A claiming kind works from its claim on, a container from RUNNING on. */
function overlapWith(state: State, index: number): string | undefined {
  return state.tasks.some((number, other) => other !== index && isWorking(tasks.at(number)))
    ? invariants.overlap
    : undefined
}

const isMine = (rec: Rec, task: Task, index: number): boolean =>
  rec.fence === task.launch && rec.claim === index + 1

function claimStep(state: State, index: number, task: Task, name: string, ended: Ended, emit: Emit): void {
  const rec = recs.at(state.rec)
  if (rec.fence !== task.launch || (rec.claim !== 0 && rec.claim !== index + 1)) {
    emit(ended('exit 76'), () => `the claim of ${name} is refused: exit 76, STOPPED`, false)
    return
  }
  const others = state.tasks.filter((_, other) => other !== index).map((number) => tasks.at(number))
  const twice = others.some((other) => other.claimed && other.attempt === task.attempt)
  const overlap = others.some(
    ({ life, writtenOff }) => !writtenOff && (life === 'working' || life === 'silent'),
  )
  const next = {
    ...state,
    rec: recs.of({ ...rec, claim: index + 1 }),
    tasks: replaced(state.tasks, index, tasks.of({ ...task, life: 'working', claimed: true })),
  }
  const broken = twice ? invariants.claimOnce : overlap ? invariants.overlap : undefined
  emit(next, () => `the worker of ${name} claims launch ${task.launch} and works`, false, broken)
}

function workSteps(
  state: State,
  index: number,
  task: Task,
  name: string,
  become: (more: Partial<Task>, from?: State) => State,
  ended: Ended,
  emit: Emit,
): void {
  const rec = recs.at(state.rec)
  const canFail = worlds.at(state.world).faults > 0
  if (!isMine(rec, task, index)) {
    emit(ended('exit 76'), () => `a beat of ${name} is refused: exit 76, STOPPED`, false)
  } else {
    const who = state.ctrls.map((number) => beaten(number, rec))
    if (who.some((number, at) => number !== state.ctrls[at]))
      emit({ ...state, ctrls: who }, () => `the worker of ${name} beats`, false)
    const reported = (report: 'done' | 'failed', cause: Cause, from: State): State => ({
      ...become({ life: 'reported', cause }, from),
      rec: recs.of({ ...rec, report, reportOf: task.launch }),
    })
    emit(
      withWorld(reported('done', 'exit 0', state), { done: true }),
      () => `the worker of ${name} reports done for launch ${task.launch}`,
      false,
    )
    if (canFail)
      emit(reported('failed', 'exit 70', spent(state)), () => `the worker of ${name} reports failed`, true)
  }
  if (!canFail) return
  emit(ended('exit 70', spent(state)), () => `the worker of ${name} dies without a report: STOPPED`, true)
  emit(
    become({ life: 'silent' }, spent(state)),
    () => `the worker of ${name} falls silent, still working`,
    true,
  )
}

/** A beat is news to whoever watches this launch, and to whoever holds a copy of the record. */
function beaten(number: number, rec: Rec): number {
  const ctrl = ctrls.at(number)
  const isNews = ctrl.beatFresh || (ctrl.watch === rec.fence && ctrl.beatSame)
  return isNews
    ? ctrls.of({ ...ctrl, beatFresh: false, beatSame: ctrl.beatSame && ctrl.watch !== rec.fence })
    : number
}

function timeSteps(model: Model, state: State, emit: Emit): void {
  const rec = recs.at(state.rec)
  const world = worlds.at(state.world)
  const bit = 1 << rec.fence
  if (isLiveRec(rec) && rec.launching === 'request' && (world.old & bit) === 0)
    emitLate(model, state, isResolved(state, rec.fence), emit, (from) => [
      withWorld(from, { old: world.old | bit }),
      () => `50 minutes have passed since launch ${rec.fence}`,
    ])
  if (world.deadline === 'allowed')
    emit(withWorld(state, { deadline: 'past' }), () => 'the deadline of the job passes', true)
  if (rec.notBefore === 'later')
    emit({ ...state, rec: recs.of({ ...rec, notBefore: 'past' }) }, () => 'notBefore is over', false)
  for (const [index, number] of state.ctrls.entries()) {
    const ctrl = ctrls.at(number)
    if (ctrl.look === 'missing')
      emitLate(model, state, !isHidden(state, ctrl.arn), emit, (from) => [
        withCtrl(from, index, { ...ctrl, look: 'missingDue' }),
        () => `the grace passes for ${nameOf(index)}, to which t${ctrl.arn} is missing`,
      ])
    for (const [at, note] of ctrl.strays.entries())
      if (note === 'missing' || note === 'missingAsked')
        emitLate(model, state, !isHidden(state, at + 1), emit, (from) => [
          withCtrl(from, index, { ...ctrl, strays: noted(ctrl.strays, at + 1, 'missingLong') }),
          () => `the grace passes for ${nameOf(index)}, to which stray t${at + 1} is missing`,
        ])
    if (ctrl.watch !== 0 && !ctrl.quiet && maySeemQuiet(state, rec, ctrl))
      emit(
        withCtrl(state, index, { ...ctrl, quiet: true }),
        () => `the grace passes for ${nameOf(index)} without a beat that it has seen`,
        false,
      )
  }
}

const isHidden = (state: State, task: number): boolean =>
  tasks.at(state.tasks[task - 1] ?? 0).sight === 'hidden'

/** Time that counts passes. If something has not shown by then, that is a fault; for container jobs it is ruled out (A2). */
function emitLate(
  { setting }: Model,
  state: State,
  isOrdinary: boolean,
  emit: Emit,
  step: (from: State) => [State, () => string],
): void {
  if (isOrdinary) emit(...step(state), false)
  else if (setting.kind !== 'container' && worlds.at(state.world).faults > 0)
    emit(...step(spent(state)), true)
}

/** A3: not while a working worker's beats are all that this controller has seen of it. */
function maySeemQuiet(state: State, rec: Rec, ctrl: Ctrl): boolean {
  // Without a claim or a missing task silence means nothing.
  if (
    (!ctrl.claimSeen || rec.phase === 'Stopping') &&
    ctrl.look !== 'missingLong' &&
    ctrl.look !== 'missingDue'
  )
    return false
  if (ctrl.watch !== rec.fence || rec.claim === 0 || !ctrl.claimSeen || !ctrl.beatSame) return true
  return tasks.at(state.tasks[rec.claim - 1] ?? 0).life !== 'working'
}

/** Raw edits of wishes bump no revision; a retry, by way of the API, does. */
function userSteps(state: State, emit: Emit): void {
  const rec = recs.at(state.rec)
  const world = worlds.at(state.world)
  const edited = (more: Partial<Rec>, from = state): State => ({ ...from, rec: recs.of({ ...rec, ...more }) })
  const isOver = isTerminal(rec.phase)
  if (!isOver && world.cancels > 0 && !rec.cancel)
    emit(
      edited({ cancel: true }, withWorld(state, { cancels: world.cancels - 1 })),
      () => 'the user wishes cancel',
      true,
    )
  if (!isOver && world.suspends > 0 && !rec.suspend)
    emit(
      edited({ suspend: true }, withWorld(state, { suspends: world.suspends - 1 })),
      () => 'the user wishes suspend',
      true,
    )
  if (rec.suspend) emit(edited({ suspend: false }), () => 'the user takes suspend back', false)
  if (isOver && world.retries > 0) {
    const next = edited(
      { phase: 'Submitted', cancel: false },
      withWorld(state, { retries: world.retries - 1 }),
    )
    const who = next.ctrls.map((number) => {
      const ctrl = ctrls.at(number)
      return ctrl.fresh ? ctrls.of({ ...ctrl, fresh: false }) : number
    })
    emit({ ...next, ctrls: who }, () => 'the user asks for a retry', true)
  }
}
