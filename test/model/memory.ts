import { currentTask } from './bridge.ts'
import type { Setting } from './conditions.ts'
import { type Ctrl, type Look, type Rec, type StrayNote, type Task, tasks } from './state.ts'

// What controller/reconcile/memory.ts and strays.ts keep, on symbols: the same rules, without clocks.

/** Learns what a record that was just read says. */
export function track(ctrl: Ctrl, rec: Rec, setting: Setting): Ctrl {
  if (rec.fence === 0) {
    const left = forget(ctrl)
    return {
      ...left,
      strays: tidied(left.strays),
      ...(ctrl.pass === rec.lastLaunch && rec.open !== 0 ? {} : noPass),
    }
  }
  const before = ctrl.watch === rec.fence ? ctrl : { ...forget(ctrl), watch: rec.fence }
  const arn = currentTask(rec, setting)
  const watched =
    arn === before.arn ? before : { ...before, strays: withAlive(before), arn, look: 'none' as const }
  const moved = !ctrl.beatSame || (rec.claim !== 0 && !before.claimSeen)
  return {
    ...watched,
    quiet: moved ? false : watched.quiet,
    claimSeen: moved ? rec.claim !== 0 : watched.claimSeen,
    beatSame: true,
    strays: arn === 0 ? watched.strays : noted(watched.strays, arn, '-'),
    ...(ctrl.pass === rec.lastLaunch ? {} : noPass),
  }
}

const noPass = { pass: 0, passArn: 0 }

/** A job that is no longer watched: its task, if it may live, is a stray from now on. */
export function forget(ctrl: Ctrl): Ctrl {
  return {
    ...ctrl,
    strays: withAlive(ctrl),
    watch: 0,
    arn: 0,
    look: 'none',
    quiet: false,
    beatSame: true,
    claimSeen: false,
  }
}

function withAlive({ strays, arn, look }: Ctrl): readonly StrayNote[] {
  if (arn === 0 || look.startsWith('stopped')) return strays
  const known = strays[arn - 1] ?? '-'
  if (known === 'over') return strays
  if (look === 'missing') return noted(strays, arn, look)
  // A stray is over with a look after the grace, too.
  if (look === 'missingDue' || look === 'missingLong') return noted(strays, arn, 'missingLong')
  return noted(strays, arn, look.endsWith('Doomed') ? 'doomed' : 'live')
}

/** A listing showed it, and the record has another fence. */
export const addStray = (
  strays: readonly StrayNote[],
  task: number,
  doomed: boolean,
): readonly StrayNote[] =>
  (strays[task - 1] ?? '-') === '-' ? noted(strays, task, doomed ? 'doomed' : 'live') : strays

export const noted = (strays: readonly StrayNote[], task: number, note: StrayNote): readonly StrayNote[] => {
  const notes = Array.from(
    { length: Math.max(strays.length, task) },
    (_, index): StrayNote => (index === task - 1 ? note : (strays[index] ?? '-')),
  )
  while (notes.at(-1) === '-') notes.pop()
  return notes
}

const tidied = (strays: readonly StrayNote[]): readonly StrayNote[] =>
  strays.some((note) => note !== '-' && note !== 'over') ? strays : []

/** One DescribeTasks for all tasks that the controller knows of. */
export function look(ctrl: Ctrl, all: readonly number[]): Ctrl {
  let { strays } = ctrl
  for (const [index, note] of strays.entries()) {
    const task = all[index]
    if (note !== '-' && task !== undefined) strays = noted(strays, index + 1, straySeen(note, tasks.at(task)))
  }
  const current = all[ctrl.arn - 1]
  return current === undefined
    ? { ...ctrl, strays }
    : { ...ctrl, strays, look: taskLook(ctrl.look, tasks.at(current)) }
}

function straySeen(note: StrayNote, task: Task): StrayNote {
  if (note === 'over') return task.sight === 'visible' && task.life !== 'stopped' ? 'live' : 'over'
  if (task.sight !== 'visible') {
    if (note === 'missingLong') return 'over'
    return note === 'live' || note === 'doomed' ? 'missing' : note === 'asked' ? 'missingAsked' : note
  }
  // Half a minute later at the latest a stop that had no effect is asked for again.
  return task.life === 'stopped' ? 'over' : task.doomed === '' ? 'live' : 'doomed'
}

function taskLook(before: Look, task: Task): Look {
  if (task.sight !== 'visible')
    return before === 'missingLong' || before === 'missingDue' ? 'missingLong' : 'missing'
  if (task.life === 'stopped') return `stopped ${task.cause}`
  const isDoomed = task.doomed !== ''
  if (task.life === 'starting') return isDoomed ? 'startingDoomed' : 'starting'
  return isDoomed ? 'runningDoomed' : 'running'
}
