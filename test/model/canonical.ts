import type { Setting } from './conditions.ts'
import { type Ctrl, ctrls, type Rec, recs, type State, type Task, tasks } from './state.ts'
import { replaced } from './steps.ts'

/**
 * One state for all that cannot be told apart any more: what is left of tasks that nobody will ask for, and how far the
 * start of a task has come that can only be refused. Without it dead tasks multiply the states.
 */
export function canonical(setting: Setting, state: State): State {
  const rec = recs.at(state.rec)
  let next = state
  for (const [index, number] of state.tasks.entries()) {
    const task = tasks.at(number)
    const same = simplest(setting, state, rec, task, index)
    if (same !== task) next = { ...next, tasks: replaced(next.tasks, index, tasks.of(same)) }
  }
  for (const [index, number] of state.ctrls.entries()) {
    const ctrl = ctrls.at(number)
    const simple = withoutOldLook(withoutOver(ctrl, next))
    if (simple !== ctrl) next = { ...next, ctrls: replaced(next.ctrls, index, ctrls.of(simple)) }
  }
  return next
}

function simplest(setting: Setting, state: State, rec: Rec, task: Task, index: number): Task {
  if (task.life === 'stopped') {
    const claimed = task.claimed && task.attempt === rec.open
    return isStillAsked(setting, state, rec, task, index)
      ? task
      : { ...gone, launch: task.launch, attempt: task.attempt, claimed }
  }
  // Fences never return, so a worker that has not claimed yet will be refused whenever it tries.
  const isOutlived = setting.kind !== 'container' && rec.fence !== task.launch && !task.claimed
  return isOutlived && task.life === 'running' ? { ...task, life: 'starting' } : task
}

const gone: Task = {
  launch: 0,
  attempt: 0,
  sight: 'forgotten',
  life: 'stopped',
  doomed: '',
  cause: '',
  claimed: false,
  writtenOff: false,
}

/** Whether anybody can still ask for a stopped task: its launch is under way, or a controller knows its ARN. */
function isStillAsked({ without }: Setting, state: State, rec: Rec, task: Task, index: number): boolean {
  if (rec.open !== 0 && (task.launch === rec.lastLaunch || without.has('launchInStartedBy'))) return true
  return state.ctrls.some((number) => {
    const { arn, answer, passArn, strays } = ctrls.at(number)
    const note = strays[index] ?? '-'
    return (
      arn === index + 1 || answer === index + 1 || passArn === index + 1 || (note !== '-' && note !== 'over')
    )
  })
}

/** What is over and has really stopped is remembered for nothing. */
function withoutOver(ctrl: Ctrl, state: State): Ctrl {
  if (!ctrl.strays.includes('over')) return ctrl
  const strays = ctrl.strays.map((note, index) =>
    note === 'over' && tasks.at(state.tasks[index] ?? 0).life === 'stopped' ? '-' : note,
  )
  while (strays.at(-1) === '-') strays.pop()
  return strays.length === ctrl.strays.length && strays.every((note, index) => note === ctrl.strays[index])
    ? ctrl
    : { ...ctrl, strays }
}

/** Between two steps a look is worth nothing, because the next step looks again; only absence is remembered. */
function withoutOldLook(ctrl: Ctrl): Ctrl {
  if (ctrl.at !== 'idle') return ctrl
  const isKept = ctrl.look === 'none' || ctrl.look.startsWith('missing')
  if (isKept && !ctrl.strays.includes('doomed')) return ctrl
  return {
    ...ctrl,
    look: isKept ? ctrl.look : 'none',
    strays: ctrl.strays.map((note) => (note === 'doomed' ? 'live' : note)),
  }
}
