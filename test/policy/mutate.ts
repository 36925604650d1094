import type { StackJson, Values } from './stack.ts'

/** Changes of a synthesised stack. Each throws when there is nothing to change, so that no mutant is one in name only. */

type Which = (id: string, values: Values) => boolean

/** The first resource of a type, in order of its id. */
export const first = (json: StackJson, type: string, which: Which = () => true): [id: string, Values] => {
  const found = Object.entries(json.resource?.[type] ?? {}).find(([id, values]) => which(id, values))
  if (found === undefined) throw new Error(`there is no such ${type} to change`)
  return found
}

export const remove = (json: StackJson, type: string, which?: Which): void => {
  const [id] = first(json, type, which)
  delete json.resource?.[type]?.[id]
}

export const add = (json: StackJson, type: string, id: string, values: Values): void => {
  json.resource ??= {}
  json.resource[type] = { ...json.resource[type], [id]: values }
}

/** Sets what stands at a path (`versioning_configuration.0.status`); `undefined` removes it. It must be there before. */
export const set = (json: StackJson, type: string, path: string, value: unknown, which?: Which): void => {
  const [id, values] = first(json, type, which)
  setIn(values, path, value, `${type}.${id}`)
}

/** Adds an attribute that was not there. */
export const put = (json: StackJson, type: string, name: string, value: unknown, which?: Which): void => {
  first(json, type, which)[1][name] = value
}

const setIn = (values: Values, path: string, value: unknown, where: string): void => {
  const parts = path.split('.')
  const last = parts.pop() ?? ''
  const parent = parts.reduce<unknown>((at, part) => (at as Values | undefined)?.[part], values) as
    | Values
    | undefined
  if (parent?.[last] === undefined) throw new Error(`${where} has no ${path} to change`)
  if (value === undefined) delete parent[last]
  else parent[last] = value
}

/** Changes a document that stands as JSON text in an attribute. */
export const edit = <T>(
  json: StackJson,
  type: string,
  attribute: string,
  change: (document: T) => void,
  which?: Which,
): void => {
  const [id, values] = first(json, type, which)
  const text = values[attribute]
  if (typeof text !== 'string') throw new Error(`${type}.${id} has no ${attribute} to change`)
  const document = JSON.parse(text) as T
  change(document)
  const changed = JSON.stringify(document)
  if (changed === text) throw new Error(`the change of ${attribute} of ${type}.${id} changed nothing`)
  values[attribute] = changed
}

export type RawStatement = {
  Sid?: string
  Effect: string
  Action?: string | string[]
  Resource?: string | string[]
  Principal?: unknown
  Condition?: Record<string, Record<string, unknown>>
}

/** Changes the first statement of the stack's policies that fits. */
export const editStatement = (
  json: StackJson,
  type: string,
  which: (statement: RawStatement) => boolean,
  change: (statement: RawStatement) => void,
  attribute = 'policy',
): void => {
  const has = (_id: string, values: Values) => statementsIn(values[attribute]).some(which)
  edit<{ Statement: RawStatement[] }>(
    json,
    type,
    attribute,
    ({ Statement: statements }) => {
      const statement = statements.find(which)
      if (statement) change(statement)
    },
    has,
  )
}

/** Adds a statement to the first policy of a type, about what that policy is about. */
export const addStatement = (
  json: StackJson,
  type: string,
  statement: Omit<RawStatement, 'Resource'>,
  which?: Which,
): void =>
  edit<{ Statement: RawStatement[] }>(
    json,
    type,
    'policy',
    ({ Statement: statements }) => {
      const [first] = statements
      statements.push({ ...statement, ...(first?.Resource !== undefined && { Resource: first.Resource }) })
    },
    which,
  )

const statementsIn = (text: unknown): RawStatement[] =>
  typeof text === 'string' ? (JSON.parse(text) as { Statement: RawStatement[] }).Statement : []

export const doesAction =
  (action: string) =>
  (statement: RawStatement): boolean =>
    [statement.Action ?? []].flat().includes(action)
