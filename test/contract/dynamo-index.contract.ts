import {
  type DynamoDBDocumentClient,
  PutCommand,
  QueryCommand,
  type QueryCommandInput,
} from '@aws-sdk/lib-dynamodb'
import { expect } from 'vitest'
import { createJobStore } from '../../controller/store/jobs.ts'
import type { Phase } from '../../schemas/job.ts'
import { at } from '../support/job.ts'
import { type Check, refusal } from './check.ts'

type DynamoSubject = Pick<DynamoDBDocumentClient, 'send'>
type Item = Record<string, unknown>

const TableName = 'jobs'
let lines = 0

/** What one check works with: lines and phases of its own in the one table. */
function workshop(dynamo: DynamoSubject) {
  lines += 1
  const number = lines
  const line = `line-${number}`
  const id = (name: string | number): string => `index-${number}-${name}`
  return {
    line,
    id,
    /** A stretch of time that no other check has records in. */
    epochMs: -1e9 * number,
    /** An index takes any text for a phase, so a check can have one of its own. */
    phase: `Phase${number}` as Phase,
    jobs: createJobStore(dynamo, TableName),
    async put(name: string | number, item: Item): Promise<void> {
      await dynamo.send(new PutCommand({ TableName, Item: { jobId: id(name), ...item } }))
    },
    query: (input: Partial<QueryCommandInput>) =>
      dynamo.send(
        new QueryCommand({
          TableName,
          IndexName: 'backlog-index',
          KeyConditionExpression: 'backlogQueue = :line',
          ExpressionAttributeValues: { ':line': line },
          ...input,
        }),
      ),
  }
}

type Workshop = ReturnType<typeof workshop>

const check = (name: string, run: (shop: Workshop) => Promise<void>): Check<DynamoSubject> => ({
  name,
  run: (dynamo) => run(workshop(dynamo)),
})

/** Ten jobs in a line, put in no order. */
async function fill({ put, line }: Workshop): Promise<void> {
  for (const rank of [7, 2, 9, 4, 1, 8, 3, 6, 10, 5])
    await put(rank, { backlogQueue: line, rank, note: 'more' })
}

const ranks = (items: Item[] | undefined): unknown[] => (items ?? []).map(({ rank }) => rank)

/** The range conditions of a line, with the ranks from 1 to 10 that they leave. */
const stretches: [condition: string, values: Item, left: number[]][] = [
  ['#rank = :a', { ':a': 4 }, [4]],
  ['#rank < :a', { ':a': 3 }, [1, 2]],
  ['#rank <= :a', { ':a': 3 }, [1, 2, 3]],
  ['#rank > :a', { ':a': 8 }, [9, 10]],
  ['#rank >= :a', { ':a': 8.5 }, [9, 10]],
  ['#rank BETWEEN :a AND :b', { ':a': 4, ':b': 6 }, [4, 5, 6]],
]

export const dynamoIndexChecks: readonly Check<DynamoSubject>[] = [
  check('index: a line is read by rank, keys only', async (shop) => {
    await fill(shop)
    expect(await shop.jobs.line(shop.line, 100)).toEqual(
      Array.from({ length: 10 }, (_, index) => ({
        jobId: shop.id(index + 1),
        queue: shop.line,
        rank: index + 1,
      })),
    )
    expect((await shop.query({ Limit: 1 })).Items).toEqual([
      { jobId: shop.id(1), backlogQueue: shop.line, rank: 1 },
    ])
  }),
  check(
    'index: ranks below zero, above 2^31 and with fractions are in order',
    async ({ put, line, jobs }) => {
      const given = [1e15, 0.5, -3, 2 ** 40, 0, -1e12]
      for (const rank of given) await put(rank, { backlogQueue: line, rank })
      expect((await jobs.line(line, 10)).map(({ rank }) => rank)).toEqual([...given].sort((a, b) => a - b))
    },
  ),
  check('index: jobs of the same rank are all there', async ({ put, line, jobs, id }) => {
    for (const name of ['a', 'b', 'c']) await put(name, { backlogQueue: line, rank: 1 })
    const ids = (await jobs.line(line, 10)).map(({ jobId }) => jobId)
    expect(ids).toHaveLength(3)
    expect(new Set(ids)).toEqual(new Set([id('a'), id('b'), id('c')]))
  }),
  check('index: a record is in it only with both keys', async ({ put, line, jobs, id }) => {
    await put('both', { backlogQueue: line, rank: 1 })
    await put('queue', { backlogQueue: line })
    await put('rank', { rank: 1 })
    expect(await jobs.line(line, 10)).toEqual([{ jobId: id('both'), queue: line, rank: 1 }])
  }),
  check(
    'index: an update moves a record within a line, to another, and out',
    async ({ put, line, jobs, id }) => {
      for (const rank of [1, 2, 3]) await put(rank, { backlogQueue: line, rank })
      await jobs.update(id(1), { set: { rank: 9 }, remove: [] }, { rank: 1 })
      await jobs.update(id(2), { set: { backlogQueue: `${line}-other` }, remove: [] }, {})
      await jobs.update(id(3), { set: {}, remove: ['backlogQueue', 'rank'] }, {})
      expect(await jobs.line(line, 10)).toEqual([{ jobId: id(1), queue: line, rank: 9 }])
      expect(await jobs.line(`${line}-other`, 10)).toEqual([
        { jobId: id(2), queue: `${line}-other`, rank: 2 },
      ])
    },
  ),
  check('index: a refused update moves nothing', async ({ put, line, jobs, id }) => {
    await put(1, { backlogQueue: line, rank: 1 })
    expect(await jobs.update(id(1), { set: { rank: 2 }, remove: [] }, { rank: 3 })).toBe(false)
    expect(await jobs.line(line, 10)).toEqual([{ jobId: id(1), queue: line, rank: 1 }])
  }),
  check('index: PutItem over a record takes it out of its line', async ({ put, line, jobs }) => {
    await put(1, { backlogQueue: line, rank: 1 })
    await put(1, { note: 'mine' })
    expect(await jobs.line(line, 10)).toEqual([])
  }),
  ...stretches.map(([condition, values, left]) =>
    check(`index: the stretch ${condition}`, async (shop) => {
      await fill(shop)
      const input = {
        KeyConditionExpression: `#queue = :line AND ${condition}`,
        ExpressionAttributeNames: { '#queue': 'backlogQueue', '#rank': 'rank' },
        ExpressionAttributeValues: { ':line': shop.line, ...values },
      }
      expect(ranks((await shop.query(input)).Items)).toEqual(left)
      expect(ranks((await shop.query({ ...input, ScanIndexForward: false })).Items)).toEqual(
        left.toReversed(),
      )
    }),
  ),
  check('index: begins_with on a text', async ({ put, phase, query }) => {
    for (const createdAt of ['2026-01', '2026-02', '2025-12', '2027'])
      await put(createdAt, { phase, createdAt })
    const page = await query({
      IndexName: 'phase-index',
      KeyConditionExpression: 'phase = :phase AND begins_with(createdAt, :year)',
      ExpressionAttributeValues: { ':phase': phase, ':year': '2026' },
    })
    expect(page.Items?.map(({ createdAt }) => createdAt)).toEqual(['2026-01', '2026-02'])
  }),
  check('index: what is due is read up to now', async (shop) => {
    for (const [name, rank] of Object.entries({ past: 10, now: 20, later: 30 }))
      await shop.put(name, { backlogQueue: '~due', rank: shop.epochMs + rank })
    const ids = (await shop.jobs.due(shop.epochMs + 20, 10)).map(({ jobId }) => jobId)
    expect(ids.filter((id) => id.startsWith(shop.id('')))).toEqual([shop.id('past'), shop.id('now')])
  }),
  check('index: pages go on behind the last entry, in both directions', async ({ put, phase, jobs, id }) => {
    const names = [1, 2, 3, 4, 5]
    for (const name of names) await put(name, { phase, createdAt: at(name) })
    for (const newestFirst of [false, true]) {
      const pages: string[][] = []
      let from: Item | undefined
      do {
        const page = await jobs.inPhase(phase, { limit: 2, newestFirst, ...(from ? { from } : {}) })
        pages.push(page.ids)
        from = page.next
      } while (from)
      const ids = newestFirst ? names.toReversed().map(id) : names.map(id)
      expect(pages).toEqual([ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)])
    }
  }),
  check(
    'index: a page goes on although its last entry has gone meanwhile',
    async ({ put, phase, jobs, id }) => {
      for (const name of [1, 2, 3]) await put(name, { phase, createdAt: at(name) })
      const { next } = await jobs.inPhase(phase, { limit: 2 })
      await put(2, { note: 'moved' })
      expect((await jobs.inPhase(phase, { limit: 2, from: next })).ids).toEqual([id(3)])
    },
  ),
  check('index: a full last page has a next one, which is empty', async ({ put, phase, jobs }) => {
    for (const name of [1, 2]) await put(name, { phase, createdAt: at(name) })
    const { next } = await jobs.inPhase(phase, { limit: 2 })
    expect(next).toBeDefined()
    expect(await jobs.inPhase(phase, { limit: 2, from: next })).toEqual({ ids: [], next: undefined })
  }),
  check('index: COUNT counts and brings no items', async ({ put, phase, jobs, query }) => {
    for (const name of [1, 2, 3]) await put(name, { phase, createdAt: at(name) })
    expect(await jobs.countPhase(phase)).toBe(3)
    const page = await query({
      IndexName: 'phase-index',
      KeyConditionExpression: 'phase = :phase',
      ExpressionAttributeValues: { ':phase': phase },
      Select: 'COUNT',
    })
    expect(page).toMatchObject({ Count: 3, ScannedCount: 3 })
    expect(page.Items).toBeUndefined()
  }),
  check('index: a filter takes away after the limit', async (shop) => {
    await fill(shop)
    const page = await shop.query({
      Limit: 4,
      FilterExpression: 'jobId <> :id',
      ExpressionAttributeValues: { ':line': shop.line, ':id': shop.id(3) },
    })
    expect(ranks(page.Items)).toEqual([1, 2, 4])
    expect(page).toMatchObject({ Count: 3, ScannedCount: 4 })
  }),
  ...Object.entries<Partial<QueryCommandInput>>({
    'a consistent read': { ConsistentRead: true },
    'an index that there is not': { IndexName: 'nowhere' },
    'a limit of none': { Limit: 0 },
    'no hash key': { KeyConditionExpression: '#rank = :line', ExpressionAttributeNames: { '#rank': 'rank' } },
    'an order of the hash key': { KeyConditionExpression: 'backlogQueue < :line' },
    'a hash of another type': { ExpressionAttributeValues: { ':line': 1 } },
    'a start that is no key': { ExclusiveStartKey: { jobId: 'a' } },
  }).map(([name, input]) =>
    check(`index: ${name} is invalid`, async ({ query }) => {
      expect(await refusal(query(input))).toBe('ValidationException')
    }),
  ),
  check('scan: pages bring every record once, whole', async ({ put, jobs, id }) => {
    const names = Array.from({ length: 12 }, (_, index) => index)
    for (const name of names) await put(name, { note: { name } })
    const found: Item[] = []
    let from: Item | undefined
    do {
      const page = await jobs.scan(from, 5)
      expect(page.items.length).toBeLessThanOrEqual(5)
      found.push(...page.items.filter(({ jobId }) => String(jobId).startsWith(id(''))))
      from = page.next
    } while (from)
    expect(
      found.sort((a, b) => String(a.jobId).localeCompare(String(b.jobId), 'en', { numeric: true })),
    ).toEqual(names.map((name) => ({ jobId: id(name), note: { name } })))
  }),
]
