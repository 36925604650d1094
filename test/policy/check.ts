import { type Exception, exceptions } from './rules/exceptions.ts'
import { rules } from './rules/index.ts'
import type { Finding } from './rules/rule.ts'
import { readStack, type StackJson } from './stack.ts'

export type Checked = {
  /** What no exception covers, with the rule that says so. */
  findings: (Finding & { rule: string })[]
  /** Exceptions that covered something. */
  used: Set<Exception>
}

/** All rules over one stack. @param variant its name, which exceptions may be limited to */
export const check = (json: StackJson, variant: string): Checked => {
  const stack = readStack(json)
  const used = new Set<Exception>()
  const findings = rules.flatMap((rule) =>
    rule.check(stack).flatMap((finding) => {
      const covering = exceptions.filter(
        (one) =>
          one.rule === rule.name &&
          one.address.test(finding.address) &&
          one.problem.test(finding.problem) &&
          (one.stacks?.test(variant) ?? true),
      )
      for (const one of covering) used.add(one)
      return covering.length > 0 ? [] : [{ rule: rule.name, ...finding }]
    }),
  )
  return { findings, used }
}
