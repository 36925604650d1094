import type { Conditions } from './document.ts'
import { arnFits, fits } from './wildcards.ts'

/** What a request says about itself: condition keys in lower case. A key that is absent is absent, not empty. */
export type Context = Record<string, string[]>

type Compare = (pattern: string, value: string) => boolean

const comparisons: Record<string, Compare> = {
  StringEquals: (wanted, value) => wanted === value,
  StringLike: fits,
  // Of ARNs the two are the same in IAM.
  ArnEquals: arnFits,
  ArnLike: arnFits,
  Bool: (wanted, value) => wanted.toLowerCase() === value.toLowerCase(),
}

const negations: Record<string, Compare> = {
  StringNotEquals: (wanted, value) => wanted !== value,
  StringNotLike: (wanted, value) => !fits(wanted, value),
  ArnNotEquals: (wanted, value) => !arnFits(wanted, value),
  ArnNotLike: (wanted, value) => !arnFits(wanted, value),
}

/**
 * Whether all conditions of a statement hold for a request, as IAM decides it.
 * @throws Error for an operator that is not known here: guessing would make a test say yes
 */
export const conditionsHold = (conditions: Conditions, context: Context): boolean =>
  Object.entries(conditions).every(([operator, keys]) =>
    Object.entries(keys).every(([key, wanted]) => holds(operator, wanted, context[key])),
  )

function holds(operator: string, wanted: readonly string[], values: readonly string[] | undefined): boolean {
  const [, set, name = '', ifExists] =
    /^(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?$/.exec(operator) ?? []
  if (name === 'Null') return wanted.includes(String(values === undefined))
  const positive = comparisons[name]
  const negative = negations[name]
  const compare = positive ?? negative
  if (compare === undefined)
    throw new Error(`${operator}: the evaluator does not know it, add it to conditions.ts`)
  if (values === undefined) {
    // An absent key fits nothing, and therefore differs from everything; of no values all fit.
    return ifExists !== undefined || set === 'ForAllValues' || (set === undefined && negative !== undefined)
  }
  const one = (value: string) =>
    positive
      ? wanted.some((pattern) => compare(pattern, value))
      : wanted.every((pattern) => compare(pattern, value))
  return set === 'ForAnyValue' ? values.some(one) : values.every(one)
}
