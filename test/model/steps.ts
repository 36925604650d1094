import type { Setting } from './conditions.ts'
import type { Guards } from './guards.ts'
import type { State } from './state.ts'

/** One step that can be taken. `faulty`: faults and wishes, which stop at some time. `broken`: the invariant it breaks. */
export type Emit = (next: State, words: () => string, faulty: boolean, broken?: string) => void

export type Model = {
  setting: Setting
  guards: Guards
  /** A task too many was not started: what was seen is then not everything. */
  horizon: { reached: boolean }
}

/** A copy of the list with one element replaced. */
export const replaced = (list: readonly number[], index: number, value: number): readonly number[] => {
  const copy = list.slice()
  copy[index] = value
  return copy
}

export const invariants = {
  claimOnce: 'I1: two tasks passed the claim of one attempt',
  overlap: 'I1: a task begins to work while another one of this job still works',
  ownTask: 'I1: a launch takes a task of another launch for its own',
  counts: 'I2: more attempts are counted than the limits allow',
  numbers: 'I2: attempt and launch numbers restart',
  final: 'I3: a finished job changes',
  afterDone: 'a launch after a done report of this generation',
  doneLost: 'a done report of the fence that did not end in success or cancel',
  cancel: 'I10: a job succeeds after its cancel was recorded',
  row14: 'decide reaches row 14 (BrokenRecord) by legal steps',
} as const
