/** What became of one resource. `notKept` are settings that were accepted and are not there when one looks. */
export type Outcome = { made: true; notKept: string[] } | { made: false; error: string }

/** The same of all resources of a type; a number says of how many when not of all. */
export type TypeOutcome = 'created' | { notKept: string[] } | { notCreated: string[] }

export type Committed = 'created' | ({ why: string } & Exclude<TypeOutcome, 'created'>)

/** By type, in the order of the alphabet. */
export function byType(outcomes: ReadonlyMap<string, Outcome>): Record<string, TypeOutcome> {
  const types = grouped([...outcomes], ([address]) => address.split('.')[0] ?? '')
  return Object.fromEntries(
    [...types]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([type, entries]) => [type, together(entries.map(([, outcome]) => outcome))]),
  )
}

function together(outcomes: readonly Outcome[]): TypeOutcome {
  const failed = outcomes.flatMap((outcome) => (outcome.made ? [] : [outcome.error]))
  if (failed.length > 0) return { notCreated: counted(failed, outcomes.length) }
  const notKept = outcomes.flatMap((outcome) => (outcome.made ? outcome.notKept : []))
  return notKept.length === 0 ? 'created' : { notKept: counted(notKept, outcomes.length) }
}

const counted = (texts: readonly string[], of: number): string[] =>
  [...grouped(texts, (text) => text)].map(([text, { length }]) =>
    length === of ? text : `${text} (${length} of ${of})`,
  )

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item])
  return groups
}
