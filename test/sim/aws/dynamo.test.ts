import { GetCommand, PutCommand, QueryCommand, ScanCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { beforeEach, describe, expect, test } from 'vitest'
import { createRandom } from '../../support/random.ts'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'
import { createDynamoModel } from './dynamo.ts'
import { ModelGap } from './errors.ts'
import type { DynamoModel } from './ports.ts'

// What the contract cannot show, because a service in its best mood does none of it.

let clock: VirtualClock
let dynamo: DynamoModel
let indexLags: number[]
let readLagMs: number

beforeEach(() => {
  clock = createVirtualClock()
  indexLags = []
  readLagMs = 0
  dynamo = createDynamoModel(
    { time: clock, random: createRandom(1) },
    { indexLagMs: () => indexLags.shift() ?? 0, readLagMs: () => readLagMs },
  )
})

const TableName = 'jobs'

const line = (): unknown[] => {
  const { Items } = dynamo.execute(
    new QueryCommand({
      TableName,
      IndexName: 'backlog-index',
      KeyConditionExpression: 'backlogQueue = :q',
      ExpressionAttributeValues: { ':q': 'default' },
    }),
  ) as { Items: Record<string, unknown>[] }
  return Items.map(({ jobId, rank }) => [jobId, rank])
}
const inLine = (jobId: string, rank: number) =>
  dynamo.put(TableName, { jobId, backlogQueue: 'default', rank })
const read = (jobId: string, ConsistentRead = false): unknown =>
  (dynamo.execute(new GetCommand({ TableName, Key: { jobId }, ConsistentRead })) as { Item?: unknown }).Item

describe('an index', () => {
  test('shows a write when its lag is over, and not before', async () => {
    indexLags = [100]
    inLine('a', 1)
    await clock.pass(99)
    expect(line()).toEqual([])
    await clock.pass(1)
    expect(line()).toEqual([['a', 1]])
  })

  test('without lag shows it at once, with no timer', () => {
    inLine('a', 1)
    expect(line()).toEqual([['a', 1]])
    expect(clock.waiting()).toBe(0)
  })

  test('never shows an older state after a newer one', async () => {
    indexLags = [500, 0, 10]
    inLine('a', 1)
    inLine('a', 2)
    dynamo.put(TableName, { jobId: 'a' })
    const shown = []
    for (let step = 0; step < 7; step += 1) {
      shown.push(line())
      await clock.pass(100)
    }
    expect(shown.flat()).toEqual([])
    expect(line()).toEqual([])
  })

  test('keeps the order also when a write without lag meets a change that is due at that moment', async () => {
    indexLags = [100, 0]
    clock.after(100, () => inLine('a', 2))
    inLine('a', 1)
    await clock.pass(100)
    expect(line()).toEqual([['a', 2]])
  })

  test('goes through the states of an item in their order', async () => {
    indexLags = [100, 200]
    inLine('a', 1)
    inLine('a', 2)
    await clock.pass(100)
    expect(line()).toEqual([['a', 1]])
    await clock.pass(100)
    expect(line()).toEqual([['a', 2]])
  })

  test('of another item waits for nobody', async () => {
    indexLags = [500, 100]
    inLine('a', 1)
    inLine('b', 2)
    await clock.pass(100)
    expect(line()).toEqual([['b', 2]])
  })

  test('is untouched by writes that leave its keys alone', () => {
    inLine('a', 1)
    indexLags = [100]
    dynamo.put(TableName, { jobId: 'a', backlogQueue: 'default', rank: 1, note: 'more' })
    expect(clock.waiting()).toBe(0)
  })

  test('forgets a deleted record after its lag', async () => {
    inLine('a', 1)
    indexLags = [50]
    dynamo.delete(TableName, 'a')
    expect(line()).toEqual([['a', 1]])
    await clock.pass(50)
    expect(line()).toEqual([])
  })

  test('of 10,000 records gives the head of a line without walking through it', () => {
    for (let rank = 0; rank < 10_000; rank += 1) inLine(`job-${(rank * 7919) % 10_000}`, rank)
    expect(line()).toHaveLength(10_000)
    expect(line().slice(0, 2)).toEqual([
      ['job-0', 0],
      ['job-7919', 1],
    ])
  })
})

describe('an eventually consistent read', () => {
  test('shows a record as it was so long ago, a consistent one as it is', async () => {
    dynamo.put(TableName, { jobId: 'a', beat: 1 })
    await clock.pass(100)
    dynamo.put(TableName, { jobId: 'a', beat: 2 })
    await clock.pass(10)
    readLagMs = 50
    expect(read('a')).toEqual({ jobId: 'a', beat: 1 })
    expect(read('a', true)).toEqual({ jobId: 'a', beat: 2 })
    await clock.pass(40)
    expect(read('a')).toEqual({ jobId: 'a', beat: 2 })
  })

  test('misses what was just made, and finds what was just deleted', async () => {
    readLagMs = 50
    dynamo.put(TableName, { jobId: 'a' })
    await clock.pass(49)
    expect(read('a')).toBeUndefined()
    await clock.pass(1)
    expect(read('a')).toEqual({ jobId: 'a' })
    dynamo.delete(TableName, 'a')
    expect(read('a')).toEqual({ jobId: 'a' })
    expect(read('a', true)).toBeUndefined()
  })

  test('of a scan does the same', async () => {
    dynamo.put(TableName, { jobId: 'a' })
    await clock.pass(100)
    dynamo.put(TableName, { jobId: 'b' })
    readLagMs = 50
    expect(dynamo.execute(new ScanCommand({ TableName }))).toMatchObject({ Items: [{ jobId: 'a' }] })
  })
})

describe('records', () => {
  test('share nothing with what was sent, read or listed', () => {
    const sent = { jobId: 'a', spec: { input: { key: 'x' } } }
    dynamo.execute(new PutCommand({ TableName, Item: sent }))
    sent.spec.input.key = 'changed'
    const got = read('a') as typeof sent
    got.spec.input.key = 'changed'
    expect(dynamo.item(TableName, 'a')).toEqual({ jobId: 'a', spec: { input: { key: 'x' } } })
  })

  test('of before a write are left as they were', () => {
    const seen: unknown[] = []
    dynamo.put(TableName, { jobId: 'a', claim: { taskArn: 'one' } })
    dynamo.onWrite((write) => seen.push(write))
    dynamo.execute(
      new UpdateCommand({
        TableName,
        Key: { jobId: 'a' },
        UpdateExpression: 'SET claim.taskArn = :two',
        ExpressionAttributeValues: { ':two': 'two' },
      }),
    )
    expect(seen).toEqual([
      {
        table: TableName,
        before: { jobId: 'a', claim: { taskArn: 'one' } },
        after: { jobId: 'a', claim: { taskArn: 'two' } },
      },
    ])
  })

  test('that are refused tell no listener, and count as a write', () => {
    let heard = 0
    dynamo.onWrite(() => {
      heard += 1
    })
    const refused = new UpdateCommand({
      TableName,
      Key: { jobId: 'a' },
      UpdateExpression: 'REMOVE b',
      ConditionExpression: 'attribute_exists(jobId)',
    })
    expect(() => dynamo.execute(refused)).toThrow('The conditional request failed')
    dynamo.delete(TableName, 'a')
    read('a')
    expect(heard).toBe(0)
    expect(dynamo.counts).toEqual({ reads: 1, writes: 1 })
  })
})

test('what the model does not know is a gap, never a silent guess', () => {
  const unknown = [
    new GetCommand({ TableName, Key: { jobId: 'a' }, ProjectionExpression: 'a' }),
    new UpdateCommand({ TableName, Key: { jobId: 'a' }, UpdateExpression: 'REMOVE a[0]' }),
    new UpdateCommand({ TableName, Key: { jobId: 'a' }, ReturnValues: 'UPDATED_NEW' }),
    new PutCommand({ TableName, Item: { jobId: 'a', tags: new Set(['b']) } }),
    { input: {} },
  ]
  for (const command of unknown) expect(() => dynamo.execute(command)).toThrow(ModelGap)
})
