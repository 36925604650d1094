import { expect, test } from 'vitest'

/** One promise of AWS that our code relies on. It throws when the subject does not keep it. */
export type Check<Subject> = { name: string; run: (subject: Subject) => Promise<void> }

/** Checks that a subject is known not to pass, each with the reason why nothing of ours may rely on it. */
export type Differences = Readonly<Record<string, string>>

/**
 * Registers one test for each check. A known difference is asserted too: once the subject passes, it has to leave the
 * list, and a check that it begins to fail has to be put there by hand.
 */
export function registerChecks<Subject>(
  checks: readonly Check<Subject>[],
  subject: () => Subject,
  differences: Differences = {},
): void {
  for (const { name, run } of checks) {
    const reason = differences[name]
    if (reason === undefined) test(name, () => run(subject()))
    else
      test(`differs: ${name} (${reason})`, async () => {
        await expect(run(subject())).rejects.toThrow()
      })
  }
  test('every check has a name of its own, and every difference is one of a check', () => {
    const names = checks.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(names).toEqual(expect.arrayContaining(Object.keys(differences)))
  })
}

/** The name of the error that a call ends with; `none` when it is granted. */
export const refusal = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'none',
    (error: unknown) => (error instanceof Error ? error.name : String(error)),
  )
