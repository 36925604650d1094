import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createArns } from '../../local/ecs/arns.ts'
import { pickProviders } from '../../local/ecs/capacity.ts'
import { systemClock } from '../../local/ecs/clock.ts'
import { createPublisher } from '../../local/ecs/events.ts'
import { faultSchema } from '../../local/ecs/faults.ts'
import { pageOf } from '../../local/ecs/pages.ts'
import { processMark } from '../../local/ecs/proc.ts'
import type { TokenRecord } from '../../local/ecs/records.ts'
import { ecsSettingsSchema, fargateTimeline, timelineAt } from '../../local/ecs/settings.ts'
import { openStore } from '../../local/ecs/store.ts'
import { take } from '../../local/ecs/throttle.ts'
import { fingerprintOf, judgeToken } from '../../local/ecs/tokens.ts'
import { createFaults } from '../../local/faults.ts'

describe('token bucket', () => {
  const size = { burst: 2, perSecond: 10 }
  test.for([
    ['starts full', undefined, 2, 0, true, 0],
    ['gives nothing in part', { tokens: 1, atMs: 0 }, 2, 0, false, 1],
    ['has not refilled after 99 ms', { tokens: 0, atMs: 0 }, 1, 99, false, 0.99],
    ['has refilled after 100 ms', { tokens: 0, atMs: 0 }, 1, 100, true, 0],
    ['never holds more than its burst', { tokens: 0, atMs: 0 }, 1, 60_000, true, 1],
    ['does not refill when the clock goes back', { tokens: 0, atMs: 1_000 }, 1, 0, false, 0],
  ] as const)('%s', ([, bucket, count, nowMs, taken, tokens]) => {
    const after = take(bucket, size, count, nowMs)
    expect(after.taken).toBe(taken)
    expect(after.bucket.tokens).toBeCloseTo(tokens)
  })
})

describe('clientToken', () => {
  const hourMs = 3_600_000
  const rules = { lifetimeMs: 24 * hourMs, afterStopMs: hourMs, failuresOnlyMs: 2 * hourMs }
  const failure = { arn: null, reason: 'no' }
  const record: TokenRecord = { key: 'k', fingerprint: 'f', taskArns: ['a'], failures: [failure], usedMs: 0 }
  const onlyFailures = { ...record, taskArns: [] }

  test.for([
    ['unknown', undefined, 'f', null, 0, 'fresh'],
    ['the same', record, 'f', null, 1, 'replay'],
    ['another request', record, 'g', null, 1, 'conflict'],
    ['just below 24 h', record, 'f', null, 24 * hourMs - 1, 'replay'],
    ['at 24 h', record, 'f', null, 24 * hourMs, 'fresh'],
    ['another request at 24 h', record, 'g', null, 24 * hourMs, 'fresh'],
    ['just below an hour after the stop', record, 'f', 10, 10 + hourMs - 1, 'replay'],
    ['an hour after the stop', record, 'f', 10, 10 + hourMs, 'fresh'],
    ['24 h, stopped late', record, 'f', 24 * hourMs - 5, 24 * hourMs, 'fresh'],
    ['failures only', onlyFailures, 'f', 0, 2 * hourMs - 1, 'replay'],
    ['failures only, too old', onlyFailures, 'f', 0, 2 * hourMs, 'fresh'],
  ] as const)('%s', ([, known, fingerprint, lastStoppedMs, nowMs, kind]) => {
    expect(judgeToken(known, fingerprint, lastStoppedMs, nowMs, rules).kind).toBe(kind)
  })

  test('failures are told for an hour, then only counted', () => {
    const failuresAt = (nowMs: number) => judgeToken(record, 'f', null, nowMs, rules)
    expect(failuresAt(hourMs - 1)).toMatchObject({ failures: [failure] })
    expect(failuresAt(hourMs)).toMatchObject({ failures: [{}] })
  })

  test('a fingerprint does not depend on the order of fields, but on that of lists', () => {
    expect(fingerprintOf({ a: 1, b: { c: 2, d: 3 } })).toBe(fingerprintOf({ b: { d: 3, c: 2 }, a: 1 }))
    expect(fingerprintOf({ a: [1, 2] })).not.toBe(fingerprintOf({ a: [2, 1] }))
  })
})

describe('capacity provider strategy', () => {
  const item = (capacityProvider: string, weight: number, base = 0) => ({ capacityProvider, weight, base })
  test.for([
    ['one provider', [item('A', 1)], 3, 'AAA'],
    ['the ratio of weights', [item('A', 1), item('B', 3)], 8, 'BBABBBAB'],
    ['one task of a mixed strategy goes to one provider', [item('A', 1), item('B', 1)], 1, 'A'],
    ['the base first', [item('A', 1), item('B', 1, 2)], 4, 'BBAB'],
    ['a base beyond the count', [item('A', 1, 9)], 2, 'AA'],
    ['nobody without weight', [item('A', 0), item('B', 1)], 3, 'BBB'],
  ] as const)('%s', ([, strategy, count, providers]) => {
    expect(pickProviders(strategy, count).join('')).toBe(providers)
  })
})

describe('ARNs', () => {
  const arns = createArns('eu-central-1', '123456789012')
  test.for([
    ['worker', { family: 'worker' }],
    ['worker:3', { family: 'worker', revision: 3 }],
    ['arn:aws:ecs:eu-central-1:123456789012:task-definition/worker:3', { family: 'worker', revision: 3 }],
    ['arn:aws:ecs:eu-west-1:123456789012:task-definition/worker:3', undefined],
    ['arn:aws:ecs:eu-central-1:123456789012:task/worker:3', undefined],
    ['worker:latest', undefined],
    ['worker:0', undefined],
    [':3', undefined],
  ] as const)('task definition %s', ([reference, parsed]) => {
    expect(arns.definitionReference(reference)).toEqual(parsed)
  })

  test.for([
    ['abc', { taskId: 'abc' }],
    ['arn:aws:ecs:eu-central-1:123456789012:task/jobs/abc', { taskId: 'abc', cluster: 'jobs' }],
    ['arn:aws:ecs:eu-central-1:123456789012:task/abc', { taskId: 'abc' }],
    ['arn:aws:ecs:eu-central-1:999999999999:task/jobs/abc', undefined],
  ] as const)('task %s', ([reference, parsed]) => {
    expect(arns.taskReference(reference)).toEqual(parsed)
  })
})

test('pages go on behind the last cursor, even when its item is gone', () => {
  const cursorOf = (item: string) => item
  const first = pageOf(['a', 'b', 'c'], cursorOf, { maxResults: 2 })
  expect(first.items).toEqual(['a', 'b'])
  expect(pageOf(['a', 'c', 'd'], cursorOf, { nextToken: first.nextToken })).toEqual({ items: ['c', 'd'] })
  expect(pageOf(['a', 'b'], cursorOf, { maxResults: 2 })).toEqual({ items: ['a', 'b'] })
})

test('a fault strikes as often as it says, the oldest first, and only where it fits', () => {
  const parse = (fault: object) => faultSchema.parse(fault)
  const faults = createFaults([parse({ kind: 'hidden', durationMs: 1, count: 2 })])
  faults.add([parse({ kind: 'hidden', durationMs: 2 }), parse({ kind: 'error', action: 'StopTask' })])
  expect(faults.strike('error', ({ action }) => action === 'RunTask')).toBeUndefined()
  const struck = [1, 2, 3, 4].map(() => faults.strike('hidden')?.durationMs)
  expect(struck).toEqual([1, 1, 2, undefined])
  expect(faults.list()).toEqual([{ kind: 'error', action: 'StopTask', count: 1, when: 'after' }])
  faults.clear()
  expect(faults.list()).toEqual([])
})

test('the timeline is divided by the speed', () => {
  expect(timelineAt({ timeline: fargateTimeline, speed: 10 })).toMatchObject({
    provisioningMs: 400,
    pendingMs: 1_400,
  })
  const { provisioningMs, pendingMs, pullMs, activatingMs } = ecsSettingsSchema.parse({}).timeline
  expect(provisioningMs + pendingMs + pullMs + activatingMs).toBeLessThan(1_000)
})

test('a process mark names one process and is gone with it', () => {
  expect(processMark(process.pid)).toBe(processMark(process.pid))
  expect(processMark(process.pid)).toMatch(/\d/)
  expect(processMark(process.pid)).not.toBe(processMark(process.ppid))
  expect(processMark(2_000_000_000)).toBeUndefined()
})

test('an event is sent once the state it tells of is on disk, and after the one before it', async () => {
  const sent: unknown[] = []
  let written = () => {}
  const publisher = createPublisher({
    account: '000000000000',
    region: 'eu-central-1',
    clock: systemClock,
    faults: createFaults([]),
    flush: () => new Promise((resolve) => (written = resolve)),
    emit: async (event) => void sent.push(event),
    onError: () => {},
  })
  const settled = () => new Promise((resolve) => setImmediate(resolve))
  publisher.publish({ version: 1 })
  publisher.publish({ version: 2 })
  await settled()
  expect(sent).toEqual([])
  written()
  await settled()
  expect(sent).toMatchObject([{ detail: { version: 1 } }])
  written()
  await publisher.close()
  expect(sent).toMatchObject([{ detail: { version: 1 } }, { detail: { version: 2 } }])
})

test('an event that could not be sent is reported, and the next one goes out', async () => {
  const sent: unknown[] = []
  const errors: unknown[] = []
  const publisher = createPublisher({
    account: '000000000000',
    region: 'eu-central-1',
    clock: systemClock,
    faults: createFaults([]),
    flush: async () => {},
    emit: async (event) => {
      sent.push(event)
      if (sent.length === 1) throw new Error('queue is away')
    },
    onError: (error) => errors.push(error),
  })
  publisher.publish({ version: 1 })
  publisher.publish({ version: 2 })
  await publisher.close()
  expect([sent.length, errors.length]).toEqual([2, 1])
})

describe('store', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ecs-store-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  const journal = () => join(folder, 'state.jsonl')
  const cluster = (name: string) => ({
    name,
    capacityProviders: [],
    defaultStrategy: [],
    settings: [],
    tags: [],
  })
  const put = (store: Awaited<ReturnType<typeof openStore>>, ...names: string[]) => {
    for (const name of names) store.put('clusters', name, cluster(name))
  }
  const reopened = async () => {
    const store = await openStore(folder)
    const names = [...store.clusters.keys()]
    await store.close()
    return names
  }

  test('what was flushed is there again, in its order, without a close', async () => {
    const store = await openStore(folder)
    put(store, 'b', 'a', 'c')
    store.remove('clusters', 'a')
    put(store, 'b')
    await store.flush()
    expect(await reopened()).toEqual(['b', 'c'])
    await store.close()
  })

  test('changes of one moment are one line, so a line cut short loses them together', async () => {
    const store = await openStore(folder)
    put(store, 'a')
    await store.flush()
    put(store, 'b', 'c')
    await store.close()
    const text = await readFile(journal(), 'utf8')
    await writeFile(journal(), text.slice(0, -10))
    expect(await reopened()).toEqual(['a'])
  })

  test('a journal that has outgrown the state is written anew', async () => {
    const store = await openStore(folder)
    for (let index = 0; index < 5_100; index += 1) {
      put(store, 'a')
      await store.flush()
    }
    expect((await stat(journal())).size).toBeLessThan(200 * 100)
    await store.close()
    expect(await reopened()).toEqual(['a'])
  })

  test('a journal of another version is refused, not misread', async () => {
    await appendFile(journal(), '{"localEcs":0}\n')
    await expect(openStore(folder)).rejects.toThrow(/another version/)
  })
})
