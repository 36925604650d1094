import type { z } from 'zod'

/** One thing that is wrong with a value: where, what stood there, and the rule it breaks. */
export type Problem = { field: string; value: string; rule: string }

const valueCharacters = 100
const secretName = /(token|secret|password|credential|authorization|access_?key|signature)/i

/** `spec.limits[0].attempts`, the way a person would write it. */
const fieldName = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (name, part) =>
      typeof part === 'number' ? `${name}[${part}]` : name ? `${name}.${String(part)}` : String(part),
    '',
  ) || '(whole)'

/** Own properties only: what stands at `at` of a byte array would otherwise be a function. */
const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (inner, part) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, part)
        ? (inner as Record<PropertyKey, unknown>)[part]
        : undefined,
    value,
  )

/** A presigned URL is a credential, so its query never reaches a message or a log. */
export const maskSecrets = (text: string): string =>
  text
    .replace(
      /([?&](?:X-Amz-[A-Za-z-]+|AWSAccessKeyId|[\w-]*(?:signature|token|secret|passwo?r?d|credential|auth|api_?key|hdnea|hdnts|\bsig))=)[^&\s"']*/gi,
      '$1***',
    )
    .replace(/(\/\/[^/:@\s]+:)[^@\s/]+@/g, '$1***@')

const shown = (value: unknown, field: string): string => {
  if (secretName.test(field) && value !== undefined) return '***'
  const text = value === undefined ? 'nothing' : JSON.stringify(value)
  const masked = maskSecrets(
    // What stands in the query of an address that somebody gave us may be anything.
    (/(^|\.)url$/.test(field) ? text.replace(/\?[^"]*/g, '?***') : text).replace(
      /("[^"]*(?:token|secret|password|credential|authorization|access_?key|signature)[^"]*":)"[^"]*"/gi,
      '$1"***"',
    ),
  )
  return masked.length > valueCharacters ? `${masked.slice(0, valueCharacters)}...` : masked
}

/** Every problem zod found, in its order. `value` is what was parsed; the text of it is cut and secrets are masked. */
export const problemsOf = (
  error: z.ZodError,
  value: unknown,
  prefix: readonly PropertyKey[] = [],
): Problem[] =>
  error.issues.flatMap((issue) => {
    const at = (path: readonly PropertyKey[], rule: string): Problem => {
      const field = fieldName([...prefix, ...path])
      return { field, value: shown(valueAt(value, path), field), rule }
    }
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => at([...issue.path, key], 'there is no such field'))
    return [at(issue.path, ruleOf(issue, valueAt(value, issue.path)))]
  })

/** zod's own words for the commonest mistakes speak of types and undefined, which are no words for people. */
function ruleOf(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code !== 'invalid_type' || !issue.message.startsWith('Invalid input')) return issue.message
  const expected = nouns[issue.expected] ?? issue.expected
  return value === undefined ? `must be given: ${expected}` : `must be ${expected}`
}

const nouns: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
}

/** `spec.priority: 12 is not allowed: must be at most 9` */
export const sentenceOf = ({ field, value, rule }: Problem): string =>
  `${field}: ${value} is not allowed: ${rule}`

/** All problems in one line of at most `characters` characters. */
export const summaryOf = (problems: readonly Problem[], characters = 500): string => {
  const text = problems.map(sentenceOf).join('; ')
  return text.length > characters ? `${text.slice(0, characters - 3)}...` : text
}
