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

/**
 * Own properties only: what stands at `at` of a byte array would otherwise be a function. A text that has parts was read as
 * JSON.
 */
const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((outer, part) => {
    const inner = typeof outer === 'string' ? fromJson(outer) : outer
    return typeof inner === 'object' && inner !== null && Object.hasOwn(inner, part)
      ? (inner as Record<PropertyKey, unknown>)[part]
      : undefined
  }, value)

const fromJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A presigned URL is a credential, so its query never reaches a message or a log. */
export const maskSecrets = (text: string): string =>
  text
    .replace(
      /([?&](?:X-Amz-[A-Za-z-]+|AWSAccessKeyId|[\w-]*(?:signature|token|secret|passwo?r?d|credential|auth|api_?key|hdnea|hdnts|\bsig))=)[^&\s"']*/gi,
      '$1***',
    )
    .replace(/(\/\/[^/:@\s]+:)[^@\s/]+@/g, '$1***@')

/** Stands for a value that is not there. A text of that name would have quotes. */
const nothing = 'nothing'

const shown = (value: unknown, field: string): string => {
  if (secretName.test(field) && value !== undefined) return '***'
  const text = value === undefined ? nothing : jsonOf(value)
  const masked = maskSecrets(
    // What stands in the query of an address that somebody gave us may be anything.
    (/(^|\.)url$/.test(field) ? text.replace(/\?[^"]*/g, '?***') : text).replace(
      /("[^"]*(?:token|secret|password|credential|authorization|access_?key|signature)[^"]*":)"[^"]*"/gi,
      '$1"***"',
    ),
  )
  return masked.length > valueCharacters ? `${masked.slice(0, valueCharacters)}...` : masked
}

/** A body of a mebibyte may be deeper than the stack. */
const jsonOf = (value: unknown): string => {
  try {
    return JSON.stringify(value)
  } catch {
    return 'a value too deep to show'
  }
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

/** zod's own words speak of types, undefined and >=, which are no words for people; words of our own stay as they are. */
function ruleOf(issue: z.core.$ZodIssue, value: unknown): string {
  if (!/^(Invalid|Too) /.test(issue.message)) return issue.message
  switch (issue.code) {
    case 'invalid_type': {
      const expected = nouns[issue.expected] ?? issue.expected
      return value === undefined ? `must be given: ${expected}` : `must be ${expected}`
    }
    case 'invalid_value':
      return `must be ${issue.values.length === 1 ? '' : 'one of: '}${issue.values.map(String).join(', ')}`
    case 'too_small':
      if (issue.minimum === 1 && unitOf(issue) !== undefined) return 'must not be empty'
      return `must be ${bound(issue, 'at least', 'more than')} ${amount(issue.minimum, unitOf(issue))}`
    case 'too_big':
      return `must be ${bound(issue, 'at most', 'less than')} ${amount(issue.maximum, unitOf(issue))}`
    case 'invalid_key':
      return issue.issues.map((inner) => `its name ${ruleOf(inner, '')}`).join('; ')
    default:
      return issue.message.replace(/^Invalid \w+: (?=must )/, '')
  }
}

const bound = (
  { exact = false, inclusive = true }: { exact?: boolean; inclusive?: boolean },
  including: string,
  excluding: string,
): string => {
  if (exact) return 'exactly'
  return inclusive ? including : excluding
}

const unitOf = ({ origin }: { origin: string }): Unit | undefined => units[origin]

const amount = (count: number | bigint, unit: Unit | undefined): string => {
  if (unit === undefined) return String(count)
  return `${count} ${Number(count) === 1 ? unit.one : unit.many}`
}

type Unit = { one: string; many: string }
const units: Record<string, Unit> = {
  string: { one: 'character', many: 'characters' },
  array: { one: 'entry', many: 'entries' },
}

const nouns: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
}

/** `spec.priority: 12 is not allowed: must be at most 9`, and of what is missing `kind: must be given: a text` */
export const sentenceOf = ({ field, value, rule }: Problem): string =>
  value === nothing ? `${field}: ${rule}` : `${field}: ${value} is not allowed: ${rule}`

/** All problems in one line of at most `characters` characters. */
export const summaryOf = (problems: readonly Problem[], characters = 500): string => {
  const text = problems.map(sentenceOf).join('; ')
  return text.length > characters ? `${text.slice(0, characters - 3)}...` : text
}
