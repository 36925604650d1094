import { expect, test } from 'vitest'
import { updateExpression } from '../../controller/store/update.ts'

/** An expression with its aliases put in, the way a person would write it. */
const written = (...[change, asRead]: Parameters<typeof updateExpression>) => {
  const { UpdateExpression, ConditionExpression, ExpressionAttributeNames, ExpressionAttributeValues } =
    updateExpression(change, asRead)
  const fill = (text: string | undefined): string | undefined =>
    text
      ?.replace(/#\d+/g, (alias) => ExpressionAttributeNames[alias] ?? '?')
      .replace(/:\d+/g, (alias) => JSON.stringify(ExpressionAttributeValues?.[alias]))
  return { update: fill(UpdateExpression), condition: fill(ConditionExpression) }
}

test('sets and removes single attributes, and never a whole record', () => {
  expect(
    written(
      { set: { phase: 'Running', revision: 4 }, remove: ['claim', 'fence'] },
      { uid: 'u', revision: 3 },
    ),
  ).toEqual({
    update: 'SET phase = "Running", revision = 4 REMOVE claim, fence',
    condition: 'uid = "u" AND revision = 3',
  })
})

test('what was absent must still be absent', () => {
  expect(
    written({ set: { revision: 1 }, remove: [] }, { uid: undefined, revision: undefined }).condition,
  ).toBe('attribute_not_exists(uid) AND attribute_not_exists(revision)')
})

test('a part of an attribute is compared by its path', () => {
  const asRead = { 'claim.taskArn': 'arn', 'report.fence': undefined }
  expect(written({ set: { revision: 1 }, remove: [] }, asRead).condition).toBe(
    'claim.taskArn = "arn" AND attribute_not_exists(report.fence)',
  )
})

test('null, 0, false and the empty text are values, and not absent', () => {
  const asRead = { a: null, b: 0, c: false, d: '' }
  expect(written({ set: { revision: 1 }, remove: [] }, asRead).condition).toBe(
    'a = null AND b = 0 AND c = false AND d = ""',
  )
})

test('what is set is not removed, however both were asked for', () => {
  expect(written({ set: { message: 'new' }, remove: ['message', 'result'] }, {}).update).toBe(
    'SET message = "new" REMOVE result',
  )
})

test('what has no value is not set', () => {
  expect(written({ set: { revision: 1, message: undefined }, remove: [] }, {}).update).toBe(
    'SET revision = 1',
  )
})

test('only to remove, or only to set, is an expression, too', () => {
  expect(written({ set: {}, remove: ['rank'] }, {})).toEqual({ update: 'REMOVE rank', condition: undefined })
  expect(written({ set: { revision: 1 }, remove: [] }, {})).toEqual({
    update: 'SET revision = 1',
    condition: undefined,
  })
})

test('reserved words and odd names of users are aliased', () => {
  const { UpdateExpression, ExpressionAttributeNames } = updateExpression(
    { set: { reason: 'x' }, remove: ['a.b', 'with space', 'status'] },
    { uid: 'u' },
  )
  expect(UpdateExpression).toMatch(/^SET #\d+ = :\d+ REMOVE #\d+, #\d+, #\d+$/)
  expect(Object.values(ExpressionAttributeNames)).toEqual(['reason', 'a.b', 'with space', 'status', 'uid'])
})

test('one name has one alias, wherever it stands', () => {
  const { ExpressionAttributeNames } = updateExpression({ set: { revision: 2 }, remove: [] }, { revision: 1 })
  expect(Object.values(ExpressionAttributeNames)).toEqual(['revision'])
})
