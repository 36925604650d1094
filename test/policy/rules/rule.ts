import type { Stack, StackJson } from '../stack.ts'
import type { Variant } from '../variants.ts'

/** What a rule has to say of one resource. */
export type Finding = {
  address: string
  /** What is wrong and what to do about it, in a sentence. */
  problem: string
}

/** Which synthesised stack a mutant is made from. */
/** A change of the synthesised JSON that this rule, and no other, has to notice. */
export type Mutant = {
  says: string
  /** Default: prod, endpoints. */
  of?: Variant
  /** Changes the JSON in place. @throws Error when what it would break is not there */
  change(json: StackJson): void
}

export type Rule = {
  /** For exceptions, and to find it: `file/rule`. */
  name: string
  /** What holds, in a sentence. */
  says: string
  check(stack: Stack): Finding[]
  /** At least one: a rule that nothing can break says nothing. */
  mutants: readonly [Mutant, ...Mutant[]]
}
