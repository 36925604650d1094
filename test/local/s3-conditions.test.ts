import { describe, expect, it } from 'vitest'
import {
  checkCopySource,
  checkRead,
  checkWrite,
  parseRange,
  rangeStillApplies,
} from '../../local/s3/conditions.ts'

const MODIFIED = Date.parse('2026-11-22T10:00:00.700Z')
const SAME = 'Sun, 22 Nov 2026 10:00:00 GMT'
const BEFORE = 'Sun, 22 Nov 2026 09:59:59 GMT'
const object = { etag: 'abc', modifiedMs: MODIFIED }

type Headers = Record<string, string>
const reader = (headers: Headers) => (name: string) => headers[name]

function outcome(decide: () => unknown): unknown {
  try {
    return decide() ?? 'ok'
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('checkRead', () => {
  it.each<[Headers, string]>([
    [{}, 'send'],
    [{ 'if-match': '"abc"' }, 'send'],
    [{ 'if-match': 'abc' }, 'send'],
    [{ 'if-match': '*' }, 'send'],
    [{ 'if-match': '"x", "abc"' }, 'send'],
    [{ 'if-match': '"x"' }, 'PreconditionFailed'],
    [{ 'if-none-match': '"x"' }, 'send'],
    [{ 'if-none-match': '"abc"' }, 'notModified'],
    [{ 'if-none-match': 'W/"abc"' }, 'notModified'],
    [{ 'if-modified-since': BEFORE }, 'send'],
    [{ 'if-modified-since': SAME }, 'notModified'],
    [{ 'if-modified-since': 'nonsense' }, 'send'],
    [{ 'if-unmodified-since': SAME }, 'send'],
    [{ 'if-unmodified-since': BEFORE }, 'PreconditionFailed'],
    [{ 'if-match': '"abc"', 'if-unmodified-since': BEFORE }, 'send'],
    [{ 'if-none-match': '"x"', 'if-modified-since': SAME }, 'send'],
    [{ 'if-none-match': '"abc"', 'if-modified-since': BEFORE }, 'notModified'],
    [{ 'if-match': '"x"', 'if-none-match': '"abc"' }, 'PreconditionFailed'],
  ])('%j -> %s', (headers, expected) => {
    expect(outcome(() => checkRead(reader(headers), object))).toBe(expected)
  })
})

describe('checkCopySource', () => {
  it.each<[Headers, string]>([
    [{}, 'ok'],
    [{ 'if-match': '"x"' }, 'ok'],
    [{ 'x-amz-copy-source-if-match': '"x"' }, 'PreconditionFailed'],
    [{ 'x-amz-copy-source-if-none-match': '"abc"' }, 'PreconditionFailed'],
    [{ 'x-amz-copy-source-if-modified-since': SAME }, 'PreconditionFailed'],
    [{ 'x-amz-copy-source-if-modified-since': BEFORE }, 'ok'],
    [{ 'x-amz-copy-source-if-unmodified-since': BEFORE }, 'PreconditionFailed'],
  ])('%j -> %s', (headers, expected) => {
    expect(outcome(() => checkCopySource(reader(headers), object))).toBe(expected)
  })
})

describe('checkWrite', () => {
  it.each<[Headers, string, string]>([
    [{}, 'ok', 'ok'],
    [{ 'if-none-match': '*' }, 'PreconditionFailed', 'ok'],
    [{ 'if-none-match': '"abc"' }, 'NotImplemented', 'NotImplemented'],
    [{ 'if-match': '"abc"' }, 'ok', 'NoSuchKey'],
    [{ 'if-match': '"x"' }, 'PreconditionFailed', 'NoSuchKey'],
  ])('%j -> %s over an object, %s without one', (headers, over, without) => {
    expect(outcome(() => checkWrite(reader(headers), 'k', object))).toBe(over)
    expect(outcome(() => checkWrite(reader(headers), 'k', undefined))).toBe(without)
  })
})

describe('parseRange', () => {
  it.each([
    ['bytes=0-9', 10, { kind: 'part', first: 0, last: 9 }],
    ['bytes=0-', 10, { kind: 'part', first: 0, last: 9 }],
    ['bytes=9-9', 10, { kind: 'part', first: 9, last: 9 }],
    ['bytes=2-99', 10, { kind: 'part', first: 2, last: 9 }],
    ['bytes=-1', 10, { kind: 'part', first: 9, last: 9 }],
    ['bytes=-99', 10, { kind: 'part', first: 0, last: 9 }],
    ['bytes=10-', 10, { kind: 'unsatisfiable' }],
    ['bytes=-0', 10, { kind: 'unsatisfiable' }],
    ['bytes=0-', 0, { kind: 'unsatisfiable' }],
    ['bytes=-5', 0, { kind: 'unsatisfiable' }],
    ['bytes=5-2', 10, { kind: 'whole' }],
    ['bytes=0-1,3-4', 10, { kind: 'whole' }],
    ['bytes=-', 10, { kind: 'whole' }],
    ['items=0-1', 10, { kind: 'whole' }],
    [undefined, 10, { kind: 'whole' }],
  ])('%s of %d bytes', (header, sizeBytes, expected) => {
    expect(parseRange(header, sizeBytes)).toEqual(expected)
  })

  it('applies to the version it was asked for only', () => {
    expect(rangeStillApplies(reader({}), object)).toBe(true)
    expect(rangeStillApplies(reader({ 'if-range': '"abc"' }), object)).toBe(true)
    expect(rangeStillApplies(reader({ 'if-range': '"x"' }), object)).toBe(false)
    expect(rangeStillApplies(reader({ 'if-range': SAME }), object)).toBe(true)
    expect(rangeStillApplies(reader({ 'if-range': BEFORE }), object)).toBe(false)
  })
})
