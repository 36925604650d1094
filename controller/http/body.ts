import type { Problem } from '../../schemas/problems.ts'
import { ControllerError } from '../errors.ts'
import type { Api } from './api.ts'

const fieldCharacters = 200

/** One content type, so that a form of a foreign page can send nothing; an empty body is none, whatever its type says. */
export function acceptJsonOnly(app: Api): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') return done(null, undefined)
    const text = String(body)
    void parse(request, text, (error, value) => done(error && whyRefused(error, text), value))
  })
}

/** The parser says of every body that it refuses that it is no JSON: not where, and also of one that only has a name that it must not have. */
function whyRefused(error: Error, text: string): Error {
  const detail = whyNotJson(text)
  if (detail !== undefined) return ControllerError.of('BODY_INVALID', { detail }, { cause: error })
  const field = forbiddenField(text)
  if (field === undefined) return error
  const problem: Problem = { field, value: '***', rule: 'no field may have this name' }
  return ControllerError.of('REQUEST_INVALID', {}, { problems: [problem], cause: error })
}

/**
 * Where a text of JSON would change what every object has: `spec.params.__proto__`, by its end if that is long. Undefined if it
 * is nowhere. Pure.
 */
function forbiddenField(text: string): string | undefined {
  const whole: unknown = JSON.parse(text)
  const places = isObject(whole) ? [{ name: '', value: whole }] : []
  // Not by recursion: a body of a mebibyte may be deeper than the stack.
  for (const { name, value } of places) {
    const forbidden = forbiddenIn(value)
    if (forbidden !== undefined) return ending(within(name, forbidden))
    for (const [key, inner] of Object.entries(value))
      if (isObject(inner))
        places.push({ name: Array.isArray(value) ? `${name}[${key}]` : within(name, key), value: inner })
  }
  return undefined
}

/** The same two as the parser refuses. */
function forbiddenIn(value: object): string | undefined {
  if (Object.hasOwn(value, '__proto__')) return '__proto__'
  const made = Object.hasOwn(value, 'constructor') ? (value.constructor as unknown) : undefined
  return isObject(made) && Object.hasOwn(made, 'prototype') ? 'constructor.prototype' : undefined
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

const within = (name: string, key: string): string => (name === '' ? key : `${name}.${key}`)

const ending = (name: string): string =>
  name.length > fieldCharacters ? `...${name.slice(-fieldCharacters)}` : name

/** Undefined of what is JSON. */
function whyNotJson(text: string): string | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
