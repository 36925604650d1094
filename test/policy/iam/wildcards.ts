const expressions = new Map<string, RegExp>()

/** Whether a text fits a pattern of IAM: `*` is any text, `?` any one character, everything else itself. */
export const fits = (pattern: string, text: string): boolean => {
  let expression = expressions.get(pattern)
  if (expression === undefined) {
    const source = pattern
      .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '[\\s\\S]*')
      .replaceAll('?', '[\\s\\S]')
    expression = new RegExp(`^${source}$`)
    expressions.set(pattern, expression)
  }
  return expression.test(text)
}

/** ARNs are compared part by part: a `*` does not reach over the colon into the account of somebody else. */
export const arnFits = (pattern: string, arn: string): boolean => {
  const [wanted, given] = [arnParts(pattern), arnParts(arn)]
  return wanted.length === given.length && wanted.every((part, index) => fits(part, given[index] ?? ''))
}

const arnParts = (arn: string): string[] => {
  const parts = arn.split(':')
  return parts.length <= 6 ? parts : [...parts.slice(0, 5), parts.slice(5).join(':')]
}
