import { describe, expect, test } from 'vitest'
import { check } from './check.ts'
import { exceptions } from './rules/exceptions.ts'
import { rules } from './rules/index.ts'
import { type Variant, variant, variantNames } from './variants.ts'

// What the best people would look for in a review of the infrastructure, over everything that can be synthesised. Every rule
// comes with changes of the stack that it, and it alone, has to notice.

const checked = new Map(variantNames.map((name) => [name, check(variant(name), name)]))
const findingsIn = (name: Variant) => sentences(checked.get(name)?.findings ?? [])

const sentences = (findings: ReturnType<typeof check>['findings']) =>
  findings.map(({ rule, address, problem }) => `${rule}: ${address} ${problem}`)

test.each(variantNames)('%s breaks no rule', (name) => {
  expect(findingsIn(name)).toEqual([])
})

test('every exception is needed somewhere, and has a reason', () => {
  const used = new Set([...checked.values()].flatMap(({ used: some }) => [...some]))
  expect(exceptions.filter((one) => !used.has(one))).toEqual([])
  expect(exceptions.filter(({ reason }) => reason.split(' ').length < 8)).toEqual([])
})

test('every rule has a name of its own, and something that breaks it', () => {
  expect(new Set(rules.map(({ name }) => name)).size).toBe(rules.length)
  expect(rules.filter(({ mutants }) => mutants.length === 0)).toEqual([])
})

describe.each(rules.map((rule) => [rule.says, rule] as const))('%s', (_says, rule) => {
  test.each(rule.mutants.map((mutant) => [mutant.says, mutant] as const))('not so: %s', (_name, mutant) => {
    const name = mutant.of ?? 'prod, endpoints'
    const json = variant(name)
    mutant.change(json)
    const before = findingsIn(name)
    const added = check(json, name).findings.filter(
      (finding) => !before.includes(sentences([finding])[0] ?? ''),
    )
    expect([...new Set(added.map((finding) => finding.rule))]).toEqual([rule.name])
  })
})
