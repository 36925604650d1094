import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import {
  DeleteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  NumberValue,
  PutCommand,
  UpdateCommand,
  type UpdateCommandInput,
} from '@aws-sdk/lib-dynamodb'
import { expect } from 'vitest'
import { createJobStore, type Submission } from '../../controller/store/jobs.ts'
import type { AsRead } from '../../controller/store/update.ts'
import type { Change } from '../../schemas/change.ts'
import { openRecord, type RetryOptions } from '../../worker/job-record.ts'
import { arn, at, claim, fence, job, report, running, taskArn, uid } from '../support/job.ts'
import { type Check, refusal } from './check.ts'

export type DynamoSubject = Pick<DynamoDBDocumentClient, 'send'>

type Item = Record<string, unknown>

const TableName = 'jobs'
const refused = 'ConditionalCheckFailedException'
const invalid = 'ValidationException'

/** What one check works with: a record of its own, and short words for what is asked of it. */
function workshop(dynamo: DynamoSubject) {
  records += 1
  const jobId = `contract-${records}`
  const put = async (item: Item): Promise<void> => {
    await dynamo.send(new PutCommand({ TableName, Item: { jobId, ...item } }))
  }
  return {
    dynamo,
    jobId,
    jobs: createJobStore(dynamo, TableName),
    put,
    async read(): Promise<Item | undefined> {
      const key = { TableName, Key: { jobId }, ConsistentRead: true }
      return (await dynamo.send(new GetCommand(key))).Item
    },
    update: (input: Partial<UpdateCommandInput>) =>
      dynamo.send(new UpdateCommand({ TableName, Key: { jobId }, ...input })),
    /** Whether a condition holds for the record: tried by a write that changes nothing of interest. */
    async holds(condition: string, values: Item = {}, names?: Record<string, string>): Promise<boolean> {
      const answer = await refusal(
        dynamo.send(
          new UpdateCommand({
            TableName,
            Key: { jobId },
            UpdateExpression: 'SET touched = :touched',
            ConditionExpression: condition,
            ExpressionAttributeValues: { ...values, ':touched': true },
            ...(names ? { ExpressionAttributeNames: names } : {}),
          }),
        ),
      )
      if (answer !== 'none' && answer !== refused) throw new Error(answer)
      return answer === 'none'
    },
  }
}
let records = 0

type Workshop = ReturnType<typeof workshop>

const check = (name: string, run: (shop: Workshop) => Promise<void>): Check<DynamoSubject> => ({
  name,
  run: (dynamo) => run(workshop(dynamo)),
})

const submission = (jobId: string): Submission => ({
  jobId,
  kind: 'transcode',
  createdAt: at(0),
  phase: 'Submitted',
  spec: { input: { bucket: 'uploads', key: 'a.mp4' } },
})

const change: Change = { set: { phase: 'Running', revision: 2 }, remove: ['message', 'claim'] }

/** The controller's conditional update: what stands in the record, what was read, whether it is granted. */
const updates: [name: string, there: Item, asRead: AsRead, granted: boolean][] = [
  ['all as read is granted', {}, { uid, revision: 1, phase: 'Pending' }, true],
  ['another uid is refused', { uid: 'other' }, { uid }, false],
  ['a uid that is gone is refused', { uid: undefined }, { uid }, false],
  ['a uid where none was is refused', {}, { uid: undefined }, false],
  ['another revision is refused', { revision: 2 }, { uid, revision: 1 }, false],
  ['a revision as text is refused', { revision: '1' }, { uid, revision: 1 }, false],
  ['absence of a top-level attribute is granted', {}, { fence: undefined }, true],
  ['a fence where none was is refused', { fence }, { fence: undefined }, false],
  ['a claim as read is granted', { claim: claim() }, { 'claim.taskArn': arn }, true],
  ['a claim of another task is refused', { claim: claim(taskArn('2')) }, { 'claim.taskArn': arn }, false],
  ['a claim where none was is refused', { claim: claim() }, { 'claim.taskArn': undefined }, false],
  ['absence below an absent map is granted', {}, { 'claim.taskArn': undefined }, true],
  ['absence below what is no map is granted', { claim: 'text' }, { 'claim.taskArn': undefined }, true],
  ['a value below what is no map is refused', { claim: 'text' }, { 'claim.taskArn': arn }, false],
  [
    'a report as read is granted',
    { report: report() },
    { 'report.fence': fence, 'report.at': report().at },
    true,
  ],
  ['a later report is refused', { report: report() }, { 'report.fence': fence, 'report.at': at(1) }, false],
  ['another beat is refused', { progress: { beat: 8 } }, { 'progress.beat': 7 }, false],
  ['null as read is granted', { message: null }, { message: null }, true],
  ['null where nothing was is refused', { message: null }, { message: undefined }, false],
  ['a boolean as read is granted', { flag: false }, { flag: false }, true],
]

const writes: Check<DynamoSubject>[] = [
  ...updates.map(([name, there, asRead, granted]) =>
    check(`update: ${name}`, async ({ jobs, jobId, put, read }) => {
      const before = { ...job(), jobId, ...there }
      await put(before)
      expect(await jobs.update(jobId, change, asRead)).toBe(granted)
      const { message: _message, claim: _claim, ...rest }: Item = before
      expect(await read()).toEqual(defined(granted ? { ...rest, phase: 'Running', revision: 2 } : before))
    }),
  ),
  check('update: of a record that is gone is refused and makes none', async ({ jobs, jobId, read }) => {
    expect(await jobs.update(jobId, change, { uid })).toBe(false)
    expect(await read()).toBeUndefined()
  }),
  check('update: on absence alone makes the record', async ({ jobs, jobId, read }) => {
    expect(await jobs.update(jobId, change, { uid: undefined })).toBe(true)
    expect(await read()).toEqual({ jobId, phase: 'Running', revision: 2 })
  }),
  check('update: a refusal is the exception that code asks for by its class', async ({ update }) => {
    const error = await update({
      UpdateExpression: 'SET a = :a',
      ConditionExpression: 'attribute_exists(jobId)',
      ExpressionAttributeValues: { ':a': 1 },
    }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ConditionalCheckFailedException)
    expect(error).toMatchObject({ name: refused, $metadata: { httpStatusCode: 400 } })
  }),
  check(
    'update: undefined in a value is left out, null and empty are kept',
    async ({ jobs, jobId, read }) => {
      const result = { a: undefined, b: null, c: '', d: [], e: {}, f: [{ g: undefined, h: 0 }] }
      await jobs.update(jobId, { set: { result }, remove: [] }, {})
      expect(await read()).toStrictEqual({ jobId, result: { b: null, c: '', d: [], e: {}, f: [{ h: 0 }] } })
    },
  ),
  check('update: who changes what was sent or read changes no record', async ({ jobs, jobId, read }) => {
    const result = { list: [1] }
    await jobs.update(jobId, { set: { result }, remove: [] }, {})
    result.list.push(2)
    const item = (await read()) as { result: { list: number[] } }
    item.result.list.push(3)
    expect(await read()).toEqual({ jobId, result: { list: [1] } })
  }),
  check(
    'update: numbers that JavaScript cannot hold come back as they were',
    async ({ jobs, jobId, put, read }) => {
      const big = '123456789012345678901234567890'
      await put({ uid, revision: NumberValue.from(big) })
      const { revision } = (await read()) as { revision: NumberValue }
      expect(String(revision.value)).toBe(big)
      expect(await jobs.update(jobId, change, { revision })).toBe(true)
    },
  ),
  check('create: makes a record once', async ({ jobs, jobId, read }) => {
    expect(await jobs.create(submission(jobId))).toBe(true)
    expect(await jobs.create({ ...submission(jobId), kind: 'container' })).toBe(false)
    expect(await read()).toEqual(submission(jobId))
  }),
  check('put: stands in the place of all that was there', async ({ put, read, jobId }) => {
    await put(job({ jobId }))
    await put({ note: 'mine' })
    expect(await read()).toEqual({ jobId, note: 'mine' })
  }),
  check('revive: only over a tombstone of this uid', async ({ jobs, jobId, put }) => {
    await put({ uid, phase: 'Failed' })
    expect(await jobs.revive(submission(jobId), uid)).toBe(false)
    await put({ uid, phase: 'Failed', expiresAt: 1 })
    expect(await jobs.revive(submission(jobId), 'other')).toBe(false)
    expect(await jobs.revive(submission(jobId), uid)).toBe(true)
    expect(await jobs.get(jobId)).toEqual(submission(jobId))
  }),
  check(
    'edit: cancel sets its wish inside spec and counts the revision',
    async ({ jobs, jobId, put, read }) => {
      await put({ spec: { params: { a: 1 } }, revision: 4 })
      expect(await jobs.edit(jobId, { wish: 'cancel' })).toBe(true)
      expect(await read()).toEqual({ jobId, spec: { params: { a: 1 }, cancel: true }, revision: 5 })
    },
  ),
  check('edit: a revision that is missing counts from zero', async ({ jobs, jobId, put, read }) => {
    await put({ spec: {} })
    await jobs.edit(jobId, { wish: 'suspend' })
    expect(await read()).toEqual({ jobId, spec: { suspend: true }, revision: 1 })
  }),
  check('edit: a revision that is no number is invalid', async ({ jobs, jobId, put }) => {
    await put({ spec: {}, revision: 'text' })
    expect(await refusal(jobs.edit(jobId, { wish: 'suspend' }))).toBe(invalid)
  }),
  check('edit: resume removes its wish, there or not', async ({ jobs, jobId, put, read }) => {
    await put({ spec: { suspend: true } })
    await jobs.edit(jobId, { wish: 'resume' })
    expect(await jobs.edit(jobId, { wish: 'resume' })).toBe(true)
    expect(await read()).toEqual({ jobId, spec: {}, revision: 2 })
  }),
  check('edit: without a spec is refused', async ({ jobs, jobId, put }) => {
    await put({ revision: 1 })
    expect(await jobs.edit(jobId, { wish: 'cancel' })).toBe(false)
    expect(await jobs.edit('nobody', { wish: 'cancel' })).toBe(false)
  }),
  check('edit: inside a spec that is no map is invalid', async ({ jobs, jobId, put }) => {
    await put({ spec: 'text' })
    expect(await refusal(jobs.edit(jobId, { wish: 'cancel' }))).toBe(invalid)
    expect(await refusal(jobs.edit(jobId, { wish: 'resume' }))).toBe(invalid)
  }),
  check('edit: a retry needs the phase that was read', async ({ jobs, jobId, put, read }) => {
    await put({ phase: 'Failed', spec: { cancel: true } })
    expect(await jobs.edit(jobId, { wish: 'retry', phase: 'Cancelled' })).toBe(false)
    expect(await jobs.edit(jobId, { wish: 'retry', phase: 'Failed', sequencer: '0A' })).toBe(true)
    expect(await read()).toEqual({ jobId, phase: 'Submitted', spec: {}, revision: 1, sequencer: '0A' })
  }),
  check('noteSequencer: the first one stays', async ({ jobs, jobId, put, read }) => {
    expect(await jobs.noteSequencer(jobId, '01')).toBe(false)
    await put({})
    expect(await jobs.noteSequencer(jobId, '01')).toBe(true)
    expect(await jobs.noteSequencer(jobId, '02')).toBe(false)
    expect(await read()).toEqual({ jobId, sequencer: '01' })
  }),
]

const record = ({ dynamo, jobId }: Workshop, taskArnOfWorker = arn) =>
  openRecord({
    table: TableName,
    jobId,
    fence,
    taskArn: taskArnOfWorker,
    client: { send: (command) => dynamo.send(command) },
  })
const once: RetryOptions = {
  forMs: 0,
  signal: new AbortController().signal,
  nowMs: () => Date.parse(at(0)),
  random: () => 0,
}
const beat = (number: number) => ({ beat: number, stage: 'encode', at: at(number) })

const workers: Check<DynamoSubject>[] = [
  check(
    'worker: a claim is granted once, and again to the same task, with the whole record',
    async (shop) => {
      await shop.put({ fence, kind: 'transcode' })
      const granted = { jobId: shop.jobId, fence, kind: 'transcode', claim: { taskArn: arn, at: at(0) } }
      expect(await record(shop).claim(once)).toEqual(granted)
      expect(await record(shop).claim(once)).toEqual(granted)
      await expect(record(shop, taskArn('2')).claim(once)).rejects.toMatchObject({ code: 'FENCED_OUT' })
      expect(await shop.read()).toEqual(granted)
    },
  ),
  check('worker: a claim with another fence, or without a record, is refused', async (shop) => {
    await expect(record(shop).claim(once)).rejects.toMatchObject({ code: 'FENCED_OUT' })
    await shop.put({ fence: `${fence}0` })
    await expect(record(shop).claim(once)).rejects.toMatchObject({ code: 'FENCED_OUT' })
    expect(await shop.read()).not.toHaveProperty('claim')
  }),
  check('worker: progress needs fence and claim', async (shop) => {
    await shop.put({ fence })
    await expect(record(shop).progress(beat(1))).rejects.toMatchObject({ code: 'FENCED_OUT' })
    await shop.put({ fence, claim: claim() })
    await record(shop).progress(beat(2))
    await expect(record(shop, taskArn('2')).progress(beat(3))).rejects.toMatchObject({ code: 'FENCED_OUT' })
    expect(await shop.read()).toMatchObject({ progress: { beat: 2 } })
    await shop.put({ claim: claim() })
    await expect(record(shop).progress(beat(4))).rejects.toMatchObject({ code: 'FENCED_OUT' })
  }),
  check('worker: a report needs fence and claim', async (shop) => {
    await shop.put({ ...running(), jobId: shop.jobId })
    await record(shop).report(report(), once)
    expect(await shop.read()).toMatchObject({ report: report() })
    await expect(record(shop, taskArn('2')).report(report(), once)).rejects.toMatchObject({
      code: 'FENCED_OUT',
    })
  }),
]

const conditions: Check<DynamoSubject>[] = [
  check('condition: AND binds closer than OR, and NOT closer still', async ({ put, holds }) => {
    await put({ a: 1 })
    const values = { ':one': 1, ':two': 2 }
    expect(await holds('a = :one OR a = :two AND a = :two', values)).toBe(true)
    expect(await holds('(a = :one OR a = :two) AND a = :two', values)).toBe(false)
    expect(await holds('NOT a = :two AND a = :one', values)).toBe(true)
    expect(await holds('not (a = :two or a = :one)', values)).toBe(false)
  }),
  check('condition: numbers are ordered as numbers', async ({ put, holds }) => {
    await put({ n: 9 })
    expect(await holds('n < :v', { ':v': 10 })).toBe(true)
    expect(await holds('n <= :v', { ':v': 9 })).toBe(true)
    expect(await holds('n > :v', { ':v': 9 })).toBe(false)
    expect(await holds('n >= :v', { ':v': -10 })).toBe(true)
    expect(await holds('n BETWEEN :a AND :b', { ':a': 9, ':b': 9 })).toBe(true)
    expect(await holds('n BETWEEN :a AND :b', { ':a': 1, ':b': 8 })).toBe(false)
  }),
  check('condition: texts are ordered by their bytes', async ({ put, holds }) => {
    await put({ s: 'b', accented: 'é' })
    expect(await holds('s > :v', { ':v': 'B' })).toBe(true)
    expect(await holds('s < :v', { ':v': 'ba' })).toBe(true)
    expect(await holds('accented > :v', { ':v': 'z' })).toBe(true)
  }),
  check('condition: letters beyond U+FFFF are ordered by their bytes, too', async ({ put, holds }) => {
    await put({ s: '😀' })
    expect(await holds('s > :v', { ':v': '\uFFFD' })).toBe(true)
  }),
  check('condition: another type, or nothing, has no order and is not equal', async ({ put, holds }) => {
    await put({ s: '1', several: [1] })
    for (const comparator of ['=', '<', '<=', '>', '>='])
      for (const attribute of ['s', 'several', 'absent', 's.deeper'])
        expect(await holds(`${attribute} ${comparator} :v`, { ':v': 1 })).toBe(false)
    expect(await holds('NOT absent = :v', { ':v': 1 })).toBe(true)
  }),
  check('condition: what is absent or of another type is unequal', async ({ put, holds }) => {
    await put({ s: '1' })
    expect(await holds('s <> :v', { ':v': 1 })).toBe(true)
    expect(await holds('absent <> :v', { ':v': 1 })).toBe(true)
    expect(await holds('s <> :v', { ':v': '1' })).toBe(false)
  }),
  check('condition: attributes are compared with each other', async ({ put, holds }) => {
    await put({ a: 1, b: 1, c: 2 })
    expect(await holds('a = b')).toBe(true)
    expect(await holds('a = c')).toBe(false)
    expect(await holds('c > a')).toBe(true)
  }),
  check('condition: begins_with', async ({ put, holds }) => {
    await put({ s: 'abc', n: 1 })
    expect(await holds('begins_with(s, :v)', { ':v': 'ab' })).toBe(true)
    expect(await holds('begins_with(s, :v)', { ':v': 'b' })).toBe(false)
    expect(await holds('begins_with(n, :v)', { ':v': '1' })).toBe(false)
  }),
  check('condition: null exists', async ({ put, holds }) => {
    await put({ nothing: null })
    expect(await holds('attribute_exists(nothing)')).toBe(true)
    expect(await holds('attribute_not_exists(nothing)')).toBe(false)
  }),
  check('condition: maps and lists are equal by what is in them', async ({ put, holds }) => {
    await put({ map: { a: [1, { b: 2 }], c: '' } })
    expect(await holds('#m = :v', { ':v': { c: '', a: [1, { b: 2 }] } }, { '#m': 'map' })).toBe(true)
    expect(await holds('#m = :v', { ':v': { c: '', a: [{ b: 2 }, 1] } }, { '#m': 'map' })).toBe(false)
  }),
  check('condition: names with dots and odd letters go through placeholders', async ({ put, holds }) => {
    await put({ 'a.b': 1, a: { b: 2 } })
    expect(await holds('#x = :v', { ':v': 1 }, { '#x': 'a.b' })).toBe(true)
    expect(await holds('#a.#b = :v', { ':v': 2 }, { '#a': 'a', '#b': 'b' })).toBe(true)
  }),
  check('condition: names that every object of JavaScript has are no attributes', async ({ put, holds }) => {
    await put({ a: {} })
    expect(await holds('attribute_exists(toString)')).toBe(false)
    expect(await holds('attribute_exists(a.#c)', {}, { '#c': 'constructor' })).toBe(false)
  }),
]

const values = { ':v': 1 }
const noPlace: [name: string, input: Partial<UpdateCommandInput>][] = [
  ['a value that is not defined', { UpdateExpression: 'SET a = :v' }],
  [
    'a value that is undefined',
    { UpdateExpression: 'SET a = :v', ExpressionAttributeValues: { ':v': undefined } },
  ],
  ['a value that is not used', { UpdateExpression: 'REMOVE a', ExpressionAttributeValues: values }],
  ['a name that is not defined', { UpdateExpression: 'SET #a = :v', ExpressionAttributeValues: values }],
  ['a name that is not used', { UpdateExpression: 'REMOVE a', ExpressionAttributeNames: { '#a': 'a' } }],
  ['an empty expression', { UpdateExpression: '' }],
  ['no values at all in their place', { UpdateExpression: 'REMOVE a', ExpressionAttributeValues: {} }],
  ['a clause twice', { UpdateExpression: 'REMOVE a REMOVE b' }],
  ['a path twice', { UpdateExpression: 'SET a = :v REMOVE a', ExpressionAttributeValues: values }],
  ['a path inside another', { UpdateExpression: 'SET a = :v REMOVE a.b', ExpressionAttributeValues: values }],
  ['a reserved word', { UpdateExpression: 'SET status = :v', ExpressionAttributeValues: values }],
  ['a part of the key', { UpdateExpression: 'SET jobId = :v', ExpressionAttributeValues: { ':v': 'x' } }],
  [
    'a path below what is absent',
    { UpdateExpression: 'SET absent.b = :v', ExpressionAttributeValues: values },
  ],
  ['a path below a text', { UpdateExpression: 'SET s.b = :v', ExpressionAttributeValues: values }],
  ['a removal below what is absent', { UpdateExpression: 'REMOVE absent.b' }],
  ['a sum with a text', { UpdateExpression: 'SET s = s + :v', ExpressionAttributeValues: values }],
  [
    'a sum with what is absent',
    { UpdateExpression: 'SET a = absent + :v', ExpressionAttributeValues: values },
  ],
  ['an attribute that is absent as a value', { UpdateExpression: 'SET a = absent' }],
  ['an addition to a text', { UpdateExpression: 'ADD s :v', ExpressionAttributeValues: values }],
  ['an index key of another type', { UpdateExpression: 'SET phase = :v', ExpressionAttributeValues: values }],
  ['an empty index key', { UpdateExpression: 'SET phase = :v', ExpressionAttributeValues: { ':v': '' } }],
  [
    'more than 400 KB',
    { UpdateExpression: 'SET a = :v', ExpressionAttributeValues: { ':v': 'x'.repeat(410_000) } },
  ],
  [
    'maps in maps beyond 32 levels',
    { UpdateExpression: 'SET a = :v', ExpressionAttributeValues: { ':v': nested(40) } },
  ],
  [
    'an order with a list',
    { UpdateExpression: 'REMOVE a', ConditionExpression: 's < :v', ExpressionAttributeValues: { ':v': [1] } },
  ],
  [
    'BETWEEN the wrong way round',
    {
      UpdateExpression: 'REMOVE a',
      ConditionExpression: 'n BETWEEN :v AND :w',
      ExpressionAttributeValues: { ':v': 2, ':w': 1 },
    },
  ],
  ['parentheses twice', { UpdateExpression: 'REMOVE a', ConditionExpression: '((attribute_exists(jobId)))' }],
  ['half a condition', { UpdateExpression: 'REMOVE a', ConditionExpression: 'attribute_exists(jobId) AND' }],
  ['a function that there is not', { UpdateExpression: 'REMOVE a', ConditionExpression: 'exists(jobId)' }],
]

function nested(levels: number): unknown {
  return levels === 0 ? 'deep' : { a: nested(levels - 1) }
}

const expressions: Check<DynamoSubject>[] = [
  ...noPlace.map(([name, input]) =>
    check(`invalid: ${name}`, async ({ put, update, read, jobId }) => {
      await put({ s: 'text' })
      expect(await refusal(update(input))).toBe(invalid)
      expect(await read()).toEqual({ jobId, s: 'text' })
    }),
  ),
  check('invalid: an empty key, or one of another type', async ({ dynamo }) => {
    for (const jobId of ['', 1]) {
      expect(await refusal(dynamo.send(new PutCommand({ TableName, Item: { jobId } })))).toBe(invalid)
      expect(await refusal(dynamo.send(new GetCommand({ TableName, Key: { jobId } })))).toBe(invalid)
    }
    expect(await refusal(dynamo.send(new PutCommand({ TableName, Item: { note: 1 } })))).toBe(invalid)
  }),
  check('a table that there is not is ResourceNotFoundException', async ({ dynamo }) => {
    const read = dynamo.send(new GetCommand({ TableName: 'nowhere', Key: { id: 'a' } }))
    expect(await refusal(read)).toBe('ResourceNotFoundException')
  }),
  check('SET reads the item as it was before', async ({ put, update, read, jobId }) => {
    await put({ a: 1, b: 2, n: 5 })
    await update({
      UpdateExpression: 'SET a = b, b = a, n = n - :v, c = if_not_exists(c, :v) + :v',
      ExpressionAttributeValues: { ':v': 1 },
    })
    expect(await read()).toEqual({ jobId, a: 2, b: 1, n: 4, c: 2 })
  }),
  check('if_not_exists keeps null', async ({ put, update, read, jobId }) => {
    await put({ a: null })
    await update({ UpdateExpression: 'SET a = if_not_exists(a, :v)', ExpressionAttributeValues: values })
    expect(await read()).toEqual({ jobId, a: null })
  }),
  check('REMOVE of what is not there is nothing', async ({ put, update, read, jobId }) => {
    await put({ map: { b: 1 } })
    await update({ UpdateExpression: 'REMOVE a, #m.c', ExpressionAttributeNames: { '#m': 'map' } })
    expect(await read()).toEqual({ jobId, map: { b: 1 } })
  }),
  check('ADD counts from zero', async ({ update, read, jobId }) => {
    for (const number of [2, -5])
      await update({ UpdateExpression: 'ADD n :v', ExpressionAttributeValues: { ':v': number } })
    expect(await read()).toEqual({ jobId, n: -3 })
  }),
  check('ALL_NEW and ALL_OLD give the record after and before', async ({ put, update, jobId }) => {
    await put({ a: { b: 1 } })
    const set = { UpdateExpression: 'SET a.b = :v', ExpressionAttributeValues: { ':v': 2 } }
    expect((await update({ ...set, ReturnValues: 'ALL_NEW' })).Attributes).toEqual({ jobId, a: { b: 2 } })
    expect((await update({ ...set, ReturnValues: 'ALL_OLD' })).Attributes).toEqual({ jobId, a: { b: 2 } })
    expect((await update(set)).Attributes).toBeUndefined()
  }),
  check('delete: on condition, and of nothing', async ({ dynamo, put, read, jobId }) => {
    await put({ a: 1 })
    const remove = (expected: number) =>
      dynamo.send(
        new DeleteCommand({
          TableName,
          Key: { jobId },
          ConditionExpression: 'a = :a',
          ExpressionAttributeValues: { ':a': expected },
        }),
      )
    expect(await refusal(remove(2))).toBe(refused)
    expect(await refusal(remove(1))).toBe('none')
    expect(await read()).toBeUndefined()
    expect(await refusal(dynamo.send(new DeleteCommand({ TableName, Key: { jobId } })))).toBe('none')
  }),
]

const defined = (item: Item): Item =>
  Object.fromEntries(Object.entries(item).filter(([, value]) => value !== undefined))

export const dynamoChecks: readonly Check<DynamoSubject>[] = [
  ...writes,
  ...workers,
  ...conditions,
  ...expressions,
]
