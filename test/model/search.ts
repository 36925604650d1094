import { isTerminal } from '../../schemas/job.ts'
import { canonical } from './canonical.ts'
import type { Setting } from './conditions.ts'
import { type Caches, controllerSteps, newCaches } from './controller.ts'
import { readGuards } from './guards.ts'
import { ctrls, firstRec, freshCtrl, keyOf, recs, type State, tasks, worlds } from './state.ts'
import type { Emit, Model } from './steps.ts'
import { worldSteps } from './world.ts'

export type Limits = { states: number; depth: number; checkConvergence: boolean }

export type Found = { broken: string; steps: string[] }

export type Searched = {
  states: number
  depth: number
  /** Every state within the bounds was seen. */
  complete: boolean
  violation: Found | undefined
  /** States from which no end can be reached once faults stop, and the way to the first of them. */
  stuck: { count: number; first: Found } | undefined
  seconds: number
  /** What every controller decided in every state of mind, for tests. */
  decisions: Caches['decisions']
}

/** A breadth-first search: the first violation that it meets has the fewest steps. */
export async function search(setting: Setting, limits: Limits): Promise<Searched> {
  const model: Model = { setting, guards: await readGuards(setting), horizon: { reached: false } }
  const begunMs = performance.now()
  const caches = newCaches()
  const run = explore(model, caches, limits)
  const trace = (state: number): string[] => replay(model, run, state)
  const violation = run.violation && {
    broken: run.violation.broken,
    steps: [...trace(run.violation.from), run.violation.words],
  }
  const stuck = violation || !limits.checkConvergence ? undefined : stuckStates(run)
  return {
    states: run.states,
    depth: run.depth,
    complete: run.complete,
    violation,
    stuck: stuck && {
      count: stuck.count,
      first: { broken: 'I12: no end can be reached from here without faults', steps: trace(stuck.first) },
    },
    seconds: (performance.now() - begunMs) / 1000,
    decisions: caches.decisions,
  }
}

export const first = (setting: Setting): State => ({
  rec: recs.of(firstRec),
  world: worlds.of({
    faults: setting.faults,
    cancels: setting.cancels,
    suspends: setting.suspends,
    retries: setting.retries,
    old: 0,
    deadline: setting.deadline ? 'allowed' : 'later',
    done: false,
    cancelled: false,
  }),
  ctrls: Array.from({ length: setting.controllers }, () => ctrls.of(freshCtrl)),
  tasks: [],
  wire: [],
})

type Run = {
  states: number
  depth: number
  complete: boolean
  /** For every state: where it came from, and by which step of that. */
  parents: number[]
  choices: number[]
  /** Pairs of from and to, of steps without faults. */
  edges: number[]
  goals: number[]
  expanded: number
  violation: { broken: string; words: string; from: number } | undefined
  start: State
}

function explore(model: Model, caches: Caches, limits: Limits): Run {
  const start = first(model.setting)
  const seen = new Map<string, number>([[keyOf(start), 0]])
  const run: Run = {
    states: 1,
    depth: 0,
    complete: false,
    parents: [-1],
    choices: [0],
    edges: [],
    goals: [],
    expanded: 0,
    violation: undefined,
    start,
  }
  let frontier: State[] = [start]
  while (frontier.length > 0 && run.depth < limits.depth) {
    const next: State[] = []
    for (const state of frontier) {
      const from = run.expanded
      let choice = 0
      if (limits.checkConvergence && isGoal(state)) run.goals.push(from)
      expand(model, caches, state, (step, words, faulty, broken) => {
        if (run.violation !== undefined) return
        if (broken !== undefined) {
          run.violation = { broken, words: words(), from }
          return
        }
        const to = canonical(model.setting, step)
        const key = keyOf(to)
        let number = seen.get(key)
        if (number === undefined) {
          number = run.states
          run.states += 1
          seen.set(key, number)
          run.parents.push(from)
          run.choices.push(choice)
          next.push(to)
        }
        choice += 1
        if (limits.checkConvergence && !faulty && number !== from) run.edges.push(from, number)
      })
      run.expanded += 1
      if (run.violation !== undefined || run.states >= limits.states) return run
    }
    frontier = next
    run.depth += 1
  }
  run.complete = frontier.length === 0 && !model.horizon.reached
  return run
}

function expand(model: Model, caches: Caches, state: State, emit: Emit): void {
  for (let index = 0; index < state.ctrls.length; index += 1)
    controllerSteps(model, caches, state, index, emit)
  worldSteps(model, state, emit)
}

/** Finished, and quiet: no task lives, nothing is under way. */
function isGoal(state: State): boolean {
  return (
    isTerminal(recs.at(state.rec).phase) &&
    state.wire.length === 0 &&
    state.tasks.every((number) => tasks.at(number).life === 'stopped') &&
    state.ctrls.every((number) => ctrls.at(number).at === 'idle')
  )
}

/** The way from the first state, told again: states are not kept, and every step has the same number each time. */
function replay(model: Model, run: Run, target: number): string[] {
  const path: number[] = []
  for (let at = target; at > 0; at = run.parents[at] ?? 0) path.push(run.choices[at] ?? 0)
  const caches = newCaches()
  let state = run.start
  return path.reverse().map((wanted) => {
    let choice = 0
    let taken: { to: State; words: string } | undefined
    expand(model, caches, state, (to, words, _faulty, broken) => {
      if (broken === undefined && choice++ === wanted)
        taken = { to: canonical(model.setting, to), words: words() }
    })
    if (taken === undefined) throw new Error('The way cannot be told again')
    state = taken.to
    return taken.words
  })
}

/** Backward from the ends, along steps without faults. What was not expanded any more counts as an end. */
function stuckStates(run: Run): { count: number; first: number } | undefined {
  const { edges, states } = run
  const heads = new Int32Array(states).fill(-1)
  const nexts = new Int32Array(edges.length / 2)
  for (let edge = 0; edge < nexts.length; edge += 1) {
    const to = edges[edge * 2 + 1] ?? 0
    nexts[edge] = heads[to] ?? -1
    heads[to] = edge
  }
  const reached = new Uint8Array(states)
  const open = [...run.goals]
  for (let state = run.expanded; state < states; state += 1) open.push(state)
  for (const state of open) reached[state] = 1
  while (open.length > 0) {
    const state = open.pop() ?? 0
    for (let edge = heads[state] ?? -1; edge >= 0; edge = nexts[edge] ?? -1) {
      const from = edges[edge * 2] ?? 0
      if (reached[from] === 1) continue
      reached[from] = 1
      open.push(from)
    }
  }
  const firstStuck = reached.indexOf(0)
  if (firstStuck < 0) return undefined
  return { count: reached.reduce((sum, value) => sum + (value === 0 ? 1 : 0), 0), first: firstStuck }
}
