import { NumberValue } from '@aws-sdk/lib-dynamodb'
import { readNumber } from '../../../controller/clients.ts'
import { invalid, ModelGap } from './errors.ts'

// Values as DynamoDB keeps them, in the plain JavaScript form that the document client gives and takes. A number that
// JavaScript cannot hold is a NumberValue, and only such a one.

export type Item = Readonly<Record<string, unknown>>
export type ValueType = 'S' | 'N' | 'BOOL' | 'NULL' | 'L' | 'M'

// DynamoDB developer guide, limits: maps and lists in each other, and the range of numbers.
const levelsAtMost = 32
const numberBelow = 1e126
const numberFrom = 1e-130

/**
 * A value of a request as it is kept: a copy that nobody else holds, without members that are undefined.
 * @throws Error for what the document client would not send; ValidationException for what DynamoDB refuses
 */
export function kept(value: unknown, level = 0): unknown {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value
  if (typeof value === 'number') return keptNumber(value)
  if (typeof value !== 'object') throw new Error(`Unsupported type passed: ${typeof value}`)
  if (value instanceof NumberValue) return readNumber(value.value)
  if (level >= levelsAtMost) throw invalid('Nesting Levels have exceeded supported limits')
  if (Array.isArray(value))
    return value.filter((member) => member !== undefined).map((member) => kept(member, level + 1))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null)
    throw new ModelGap(`The model keeps plain JSON, no ${value.constructor.name}`)
  const copy: Record<string, unknown> = { ...value }
  for (const name in copy) {
    const member = copy[name]
    if (member === undefined) delete copy[name]
    else if (typeof member !== 'string') copy[name] = kept(member, level + 1)
  }
  return copy
}

function keptNumber(value: number): number {
  if (!Number.isFinite(value)) throw new Error('Special numeric value is not allowed')
  const size = Math.abs(value)
  if (size > Number.MAX_SAFE_INTEGER && size < numberBelow)
    throw new Error(`Number ${value} is greater than Number.MAX_SAFE_INTEGER`)
  if (size >= numberBelow || (size < numberFrom && size > 0))
    throw invalid('Number overflow. Attempting to store a number with magnitude outside the supported range')
  return value === 0 ? 0 : value
}

/** A copy that shares nothing with what is kept. Made for speed: a spread keeps the shape of the object. */
export function copyOf<T>(value: T): T {
  if (typeof value !== 'object' || value === null || value instanceof NumberValue) return value
  if (Array.isArray(value)) return value.map(copyOf) as T
  const copy = { ...value } as Record<string, unknown>
  for (const name in copy) {
    const member = copy[name]
    if (typeof member === 'object' && member !== null) copy[name] = copyOf(member)
  }
  return copy as T
}

export function typeOf(value: unknown): ValueType {
  if (typeof value === 'string') return 'S'
  if (typeof value === 'number' || value instanceof NumberValue) return 'N'
  if (typeof value === 'boolean') return 'BOOL'
  if (value === null) return 'NULL'
  return Array.isArray(value) ? 'L' : 'M'
}

/** A map whose members a path may name. */
export const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof NumberValue)

export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (a instanceof NumberValue || b instanceof NumberValue)
    return a instanceof NumberValue && b instanceof NumberValue && a.value === b.value
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((member, index) => equal(member, b[index]))
    )
  const left = a as Record<string, unknown>
  const right = b as Record<string, unknown>
  const names = Object.keys(left)
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && equal(left[name], right[name]))
  )
}

/** Order of two texts or two numbers; undefined when they have none: another type, or one that has no order. */
export function orderOf(a: unknown, b: unknown): number | undefined {
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b)
  if (typeOf(a) !== 'N' || typeOf(b) !== 'N') return undefined
  return numberOf(a) - numberOf(b)
}

/** As near as JavaScript gets to it. */
export const numberOf = (value: unknown): number =>
  value instanceof NumberValue ? Number(value.value) : (value as number)

/** DynamoDB orders texts by their UTF-8 bytes; JavaScript differs from that beyond U+D7FF. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0
  if (beyond.test(a) || beyond.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return a < b ? -1 : 1
}
const beyond = /[\uD800-\uFFFF]/

/** About as many bytes as DynamoDB counts (developer guide, item sizes and formats). */
export function sizeOf(value: unknown): number {
  if (typeof value === 'string') return textSize(value)
  if (typeof value === 'number' || value instanceof NumberValue) return 10
  if (typeof value !== 'object' || value === null) return 1
  let bytes = 3
  if (Array.isArray(value)) for (const member of value) bytes += 1 + sizeOf(member)
  else
    for (const name in value) bytes += 1 + textSize(name) + sizeOf((value as Record<string, unknown>)[name])
  return bytes
}

// Counting bytes costs more than it tells of a short text.
const textSize = (text: string): number => (text.length < 256 ? text.length : Buffer.byteLength(text))
