import { NumberValue } from '@aws-sdk/lib-dynamodb'
import { equal, type Item, isMap, orderOf, typeOf } from './dynamo-values.ts'
import { invalid, ModelGap } from './errors.ts'
import type { Comparator, Condition, Operand, Parsed, Path, Update } from './expression-parser.ts'

/** What the placeholders of a request stand for. */
export type Placeholders = {
  names: Readonly<Record<string, string>> | undefined
  values: Readonly<Record<string, unknown>> | undefined
}

type Expression = Parsed<Condition | Update>

// Much of this runs for every call of a simulation, so it makes no functions and few objects.

/**
 * Every placeholder that is used is defined, and every one that is defined is used.
 * @throws ValidationException
 */
export function checkPlaceholders(
  one: Expression | undefined,
  two: Expression | undefined,
  { names, values }: Placeholders,
): void {
  checkDefined('names', one, two, names)
  checkDefined('values', one, two, values)
}

function checkDefined(
  kind: 'names' | 'values',
  one: Expression | undefined,
  two: Expression | undefined,
  defined: Readonly<Record<string, unknown>> | undefined,
): void {
  if (one !== undefined) checkUsed(one[kind], defined)
  if (two !== undefined) checkUsed(two[kind], defined)
  if (defined === undefined) return
  const parameter = kind === 'names' ? 'ExpressionAttributeNames' : 'ExpressionAttributeValues'
  if (one === undefined && two === undefined)
    throw invalid(`${parameter} can only be specified when using expressions`)
  let isEmpty = true
  for (const placeholder in defined) {
    isEmpty = false
    if (one?.[kind].has(placeholder) !== true && two?.[kind].has(placeholder) !== true)
      throw invalid(`Value provided in ${parameter} unused in expressions: keys: {${placeholder}}`)
  }
  if (isEmpty) throw invalid(`${parameter} must not be empty`)
}

function checkUsed(used: ReadonlySet<string>, defined: Readonly<Record<string, unknown>> | undefined): void {
  for (const placeholder of used)
    if (defined?.[placeholder] === undefined)
      throw invalid(
        `An expression attribute placeholder used in the expression is not defined: ${placeholder}`,
      )
}

/** Whether a condition holds for an item; one that does not exist has no attributes. @throws ValidationException */
export function holds(condition: Condition, item: Item, placeholders: Placeholders): boolean {
  switch (condition.is) {
    case 'and':
      for (const part of condition.parts) if (!holds(part, item, placeholders)) return false
      return true
    case 'or':
      for (const part of condition.parts) if (holds(part, item, placeholders)) return true
      return false
    case 'not':
      return !holds(condition.part, item, placeholders)
    case 'exists':
      return (valueAt(condition.path, item, placeholders) !== undefined) === condition.wanted
    case 'compare':
      return compares(
        condition.comparator,
        operandValue(condition.left, item, placeholders),
        operandValue(condition.right, item, placeholders),
      )
    case 'between': {
      const value = operandValue(condition.value, item, placeholders)
      return (
        compares('>=', value, operandValue(condition.from, item, placeholders)) &&
        compares('<=', value, operandValue(condition.to, item, placeholders))
      )
    }
    case 'beginsWith': {
      const text = operandValue(condition.left, item, placeholders)
      const prefix = operandValue(condition.right, item, placeholders)
      return typeof text === 'string' && typeof prefix === 'string' && text.startsWith(prefix)
    }
    default:
      throw condition satisfies never
  }
}

/** What is absent, or of another type, is unequal to everything and has no order with anything. */
function compares(comparator: Comparator, left: unknown, right: unknown): boolean {
  const both = left !== undefined && right !== undefined
  if (comparator === '=') return both && equal(left, right)
  if (comparator === '<>') return !(both && equal(left, right))
  const order = both ? orderOf(left, right) : undefined
  if (order === undefined) return false
  switch (comparator) {
    case '<':
      return order < 0
    case '<=':
      return order <= 0
    case '>':
      return order > 0
    case '>=':
      return order >= 0
    default:
      throw comparator satisfies never
  }
}

/**
 * Values of the request that their place in a condition does not allow are refused, whatever the item is; values of the
 * item only make the condition false.
 * @throws ValidationException
 */
export function checkOperands(condition: Condition, placeholders: Placeholders): void {
  switch (condition.is) {
    case 'and':
    case 'or':
      for (const part of condition.parts) checkOperands(part, placeholders)
      return
    case 'not':
      checkOperands(condition.part, placeholders)
      return
    case 'exists':
      return
    case 'compare':
      if (condition.comparator === '=' || condition.comparator === '<>') return
      checkType(condition.comparator, condition.left, 'S N', placeholders)
      checkType(condition.comparator, condition.right, 'S N', placeholders)
      return
    case 'between':
      for (const operand of [condition.value, condition.from, condition.to])
        checkType('BETWEEN', operand, 'S N', placeholders)
      checkBounds(condition.from, condition.to, placeholders)
      return
    case 'beginsWith':
      checkType('begins_with', condition.left, 'S', placeholders)
      checkType('begins_with', condition.right, 'S', placeholders)
      return
    default:
      throw condition satisfies never
  }
}

function checkType(operator: string, operand: Operand, types: 'S' | 'S N', { values }: Placeholders): void {
  if (operand.is !== 'value') return
  const type = typeOf(values?.[operand.name])
  if (!types.includes(type) || type.length > 1)
    throw invalid(
      `Incorrect operand type for operator or function; operator or function: ${operator}, operand type: ${type}`,
    )
}

function checkBounds(from: Operand, to: Operand, { values }: Placeholders): void {
  if (from.is !== 'value' || to.is !== 'value') return
  const order = orderOf(values?.[from.name], values?.[to.name])
  if (order === undefined)
    throw invalid('The BETWEEN operator requires same data type for lower and upper bounds')
  if (order > 0)
    throw invalid('The BETWEEN operator requires upper bound to be greater than or equal to lower bound')
}

/**
 * The item after an update, sharing with the one before whatever the update does not touch.
 * @param before what the update reads from: always the item as it was
 * @throws ValidationException for a path without its parent, and for sums of what is no number
 */
export function updated(update: Update, before: Item, placeholders: Placeholders): Item {
  const after: Record<string, unknown> = { ...before }
  for (const { path, value } of update.set) {
    const given = operandValue(value, before, placeholders)
    if (given === undefined)
      throw invalid('The provided expression refers to an attribute that does not exist in the item')
    place(after, path, given, placeholders)
  }
  for (const { path, value } of update.add) {
    const added = operandValue(value, before, placeholders)
    if (typeOf(added) !== 'N') throw invalid('Incorrect operand type for operator or function: ADD')
    const there = valueAt(path, before, placeholders)
    place(after, path, there === undefined ? added : sum(there, added, 1), placeholders)
  }
  for (const path of update.remove) place(after, path, undefined, placeholders)
  return after
}

/** Sets the value at a path, or removes what is there; maps on the way are copied, never changed. */
function place(item: Record<string, unknown>, path: Path, value: unknown, { names }: Placeholders): void {
  let target = item
  for (let index = 0; index < path.length - 1; index += 1) {
    const name = nameOf(path[index] ?? '', names)
    const inner = Object.hasOwn(target, name) ? target[name] : undefined
    if (!isMap(inner))
      throw invalid('The document path provided in the update expression is invalid for update')
    const copy = { ...inner }
    target[name] = copy
    target = copy
  }
  const last = nameOf(path[path.length - 1] ?? '', names)
  if (value === undefined) delete target[last]
  else target[last] = value
}

function operandValue(operand: Operand, item: Item, placeholders: Placeholders): unknown {
  switch (operand.is) {
    case 'path':
      return valueAt(operand.path, item, placeholders)
    case 'value':
      return placeholders.values?.[operand.name]
    case 'ifNotExists':
      return ifNotExists(operand.path, operand.otherwise, item, placeholders)
    case 'sum':
      return sum(
        operandValue(operand.left, item, placeholders),
        operandValue(operand.right, item, placeholders),
        operand.sign,
      )
    default:
      throw operand satisfies never
  }
}

function ifNotExists(path: Path, otherwise: Operand, item: Item, placeholders: Placeholders): unknown {
  const there = valueAt(path, item, placeholders)
  return there === undefined ? operandValue(otherwise, item, placeholders) : there
}

function sum(left: unknown, right: unknown, sign: 1 | -1): number {
  if (left === undefined || right === undefined)
    throw invalid('The provided expression refers to an attribute that does not exist in the item')
  if (left instanceof NumberValue || right instanceof NumberValue)
    throw new ModelGap('The model does not count with numbers that JavaScript cannot hold')
  if (typeof left !== 'number' || typeof right !== 'number')
    throw invalid('An operand in the update expression has an incorrect data type')
  return left + sign * right
}

function valueAt(path: Path, item: Item, { names }: Placeholders): unknown {
  let value: unknown = item
  for (const written of path) {
    const name = nameOf(written, names)
    if (!isMap(value) || !Object.hasOwn(value, name)) return undefined
    value = value[name]
  }
  return value
}

/** A path as its names, without placeholders. */
export const namesOf = (path: Path, { names }: Placeholders): string[] =>
  path.map((written) => nameOf(written, names))

const nameOf = (written: string, names: Placeholders['names']): string =>
  written.startsWith('#') ? (names?.[written] ?? '') : written

/** No two paths of an update may be one, or one inside the other. @throws ValidationException */
export function checkPaths(update: Update, keyName: string, placeholders: Placeholders): void {
  const seen = new Set<string>()
  const deep: string[][] = []
  for (const { path } of update.set) look(path, seen, deep, keyName, placeholders)
  for (const path of update.remove) look(path, seen, deep, keyName, placeholders)
  for (const { path } of update.add) look(path, seen, deep, keyName, placeholders)
  for (let index = 0; index < deep.length; index += 1) {
    const path = deep[index] ?? []
    if (seen.has(path[0] ?? '')) throw overlap([path[0] ?? ''], path)
    for (const other of deep.slice(index + 1))
      if (path.every((name, level) => level >= other.length || other[level] === name))
        throw overlap(path, other)
  }
}

function look(
  path: Path,
  seen: Set<string>,
  deep: string[][],
  keyName: string,
  placeholders: Placeholders,
): void {
  const first = nameOf(path[0] ?? '', placeholders.names)
  if (first === keyName)
    throw invalid(
      `One or more parameter values were invalid: Cannot update attribute ${keyName}. This attribute is part of the key`,
    )
  if (path.length > 1) deep.push(namesOf(path, placeholders))
  else if (seen.has(first)) throw overlap([first], [first])
  else seen.add(first)
}

const overlap = (one: readonly string[], two: readonly string[]): Error =>
  invalid(
    'Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; ' +
      `path one: [${one.join(', ')}], path two: [${two.join(', ')}]`,
  )
