import { BatchWriteCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAdmitter, waitingSinceMs } from '../../controller/admit/admission.ts'
import { createPacer } from '../../controller/admit/pacer.ts'
import { type Clock, systemClock } from '../../controller/clock.ts'
import { capacityKey } from '../../controller/reconcile/launch.ts'
import { createMemory } from '../../controller/reconcile/memory.ts'
import { createJobStore, type Dynamo } from '../../controller/store/jobs.ts'
import { makeUid } from '../../schemas/ids.ts'
import type { Job } from '../../schemas/job.ts'
import { attempt, pending, settings } from '../support/job.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'

// Admission against real lines in a real table: what it admits, and what it costs.

let aws: TestAws
beforeAll(async () => {
  aws = await startTestAws()
})
afterAll(() => aws.close())

const putWaiting = async (count: number, queue: string): Promise<void> => {
  const items = Array.from({ length: count }, (_, index) => {
    const jobId = `${queue}-${index}`
    const place = { backlogQueue: queue, rank: index, queueRank: index }
    return pending({ jobId, uid: makeUid(jobId, 'abcdefghijkl'), kind: 'container', ...place })
  })
  for (let from = 0; from < count; from += 25)
    await aws.clients().documents.send(
      new BatchWriteCommand({
        RequestItems: { jobs: items.slice(from, from + 25).map((Item) => ({ PutRequest: { Item } })) },
      }),
    )
}

/** An admitter over one queue that has room for `maxRunning` jobs, and how many calls it has made. */
const admitterOf = (queue: string, maxRunning: number, maxVcpu = 1000) => {
  const calls: string[] = []
  const documents = aws.clients().documents
  const counting = {
    send: (command: Parameters<Dynamo['send']>[0]) => {
      calls.push(command.constructor.name)
      return documents.send(command)
    },
  } as unknown as Dynamo
  // A clock that is an hour on, so that the bucket of launches is full from the start.
  let aheadMs = 0
  const clock: Clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs }
  const launches = createPacer(20, clock)
  aheadMs = 3_600_000
  const memory = createMemory(clock, 1000)
  const woken: string[] = []
  const admitter = createAdmitter({
    jobs: createJobStore(counting, 'jobs'),
    memory,
    policy: {
      installation: 'local',
      maxRunning,
      maxVcpu,
      queues: { [queue]: {} },
      visibilityGraceMs: 1000,
      reservedFamilies: [],
      uploadsBucket: 'uploads',
    },
    launches,
    clock,
    wake: (jobId) => woken.push(jobId),
    onError: (error) => {
      throw error
    },
  })
  return { admitter, calls, woken, memory }
}

test('jobs start in the order of their rank, as far as there is room, each once', async () => {
  await putWaiting(5, 'ordered')
  const { admitter, woken, memory } = admitterOf('ordered', 3)
  await admitter.pass()
  await admitter.pass()
  expect(woken).toEqual(['ordered-0', 'ordered-1', 'ordered-2'])
  expect(memory.usage().running).toBe(3)
  expect(admitter.waitingFor().get('ordered')).toBe('QueueLimit')
})

test('a pass costs the same however long the line is', async () => {
  await putWaiting(100, 'short')
  await putWaiting(1000, 'long')
  const costs: number[] = []
  for (const queue of ['short', 'long']) {
    const { admitter, calls, woken } = admitterOf(queue, 4)
    await admitter.pass()
    expect(woken).toHaveLength(4)
    costs.push(calls.length)
    const before = calls.length
    await admitter.pass()
    // Nothing has changed, so only the line is read again.
    expect(calls.length - before).toBeLessThanOrEqual(1 + 4)
  }
  expect(costs[1]).toBe(costs[0])
})

test('a job whose record does not fit its place in the line is woken, not admitted', async () => {
  const jobId = 'ghost-0'
  const ghost = pending({ jobId, uid: makeUid(jobId, 'abcdefghijkl'), backlogQueue: 'ghosts', rank: 0 })
  await aws.clients().documents.send(
    new BatchWriteCommand({
      RequestItems: { jobs: [{ PutRequest: { Item: { ...ghost, phase: 'Cancelled' } } }] },
    }),
  )
  const { admitter, woken, memory } = admitterOf('ghosts', 1)
  await admitter.pass()
  expect(woken).toEqual([jobId])
  expect(memory.usage().running).toBe(0)
})

test('no capacity: one job at a time tries it again, and a start opens it for all', async () => {
  await putWaiting(4, 'scarce')
  const { admitter, woken } = admitterOf('scarce', 10)
  const { capacity, cpu, memory } = settings().resources
  const key = capacityKey(capacity, cpu, memory)
  admitter.refused(key)
  await admitter.pass()
  expect(woken).toEqual([])
  expect(admitter.waitingFor().get('scarce')).toBe('Capacity')
  await new Promise((resolve) => setTimeout(resolve, 1050))
  await admitter.pass()
  await admitter.pass()
  expect(woken).toEqual(['scarce-0'])
  admitter.started(key)
  await admitter.pass()
  expect(woken).toEqual(['scarce-0', 'scarce-1', 'scarce-2', 'scarce-3'])
})

test('refused twice on Spot, a job waits for Spot no longer', async () => {
  const spot = settings({ resources: { capacity: 'spot-then-on-demand' } })
  const waiting = (index: number, spotRefusals: number) => {
    const jobId = `spot-${index}`
    const attempts = [attempt({ capacity: 'spot', launches: spotRefusals, spotRefusals })]
    const place = { backlogQueue: 'spot', rank: index, queueRank: index }
    return pending({
      jobId,
      uid: makeUid(jobId, 'abcdefghijkl'),
      settings: { ...spot, queue: 'spot' },
      attempts,
      ...place,
    })
  }
  await aws.clients().documents.send(
    new BatchWriteCommand({
      RequestItems: { jobs: [1, 2].map((count, at) => ({ PutRequest: { Item: waiting(at, count) } })) },
    }),
  )
  const { admitter, woken } = admitterOf('spot', 10)
  admitter.refused(capacityKey('spot', spot.resources.cpu, spot.resources.memory))
  await admitter.pass()
  expect(woken).toEqual(['spot-1'])
  expect(admitter.waitingFor().get('spot')).toBe('Capacity')
})

const back: Job['history'] = [{ at: '2026-11-22T12:00:00.000Z', phase: 'Pending', reason: 'Backoff' }]

describe('how long the job that waits longest has waited', () => {
  const putOne = (jobId: string, queue: string, more: Partial<Job> = {}) =>
    aws.clients().documents.send(
      new PutCommand({
        TableName: 'jobs',
        Item: pending({
          ...{ jobId, uid: makeUid(jobId, 'abcdefghijkl'), kind: 'container' },
          ...{ backlogQueue: queue, rank: 0, queueRank: 0, ...more },
        }),
      }),
    )
  const since = (ms: number) => [
    { at: new Date(Date.now() - ms).toISOString(), phase: 'Pending' as const, reason: 'Queued' },
  ]

  test('nobody waits: 0', async () => {
    const { admitter } = admitterOf('empty', 3)
    expect(admitter.oldestWaitMs()).toBe(0)
    await admitter.pass()
    expect(admitter.oldestWaitMs()).toBe(0)
  })

  test('of those that there is no room for, however early their priority puts the others in the line', async () => {
    await putOne('waits-1', 'full', { rank: -9_000_000, history: since(60_000) })
    await putOne('waits-2', 'full', { rank: 5, history: since(600_000) })
    const { admitter } = admitterOf('full', 0)
    await admitter.pass()
    expect(Math.abs(admitter.oldestWaitMs() - 600_000)).toBeLessThan(5000)
  })

  test('one that starts no longer waits', async () => {
    await putOne('starts', 'room', { history: since(60_000) })
    const { admitter, woken } = admitterOf('room', 1)
    await admitter.pass()
    expect(woken).toEqual(['starts'])
    expect(admitter.oldestWaitMs()).toBe(0)
  })

  test('one that can never start is not waited for', async () => {
    await putOne('huge', 'small', {
      history: since(60_000),
      settings: settings({ resources: { cpu: 4096 } }),
    })
    const { admitter } = admitterOf('small', 3, 1)
    await admitter.pass()
    expect(admitter.oldestWaitMs()).toBe(0)
  })

  test.each<[string, Partial<Job>, string]>([
    ['accepted', {}, '2026-11-22T10:00:00.000Z'],
    ['back from a launch', { history: back }, '2026-11-22T12:00:00.000Z'],
    [
      'its back-off was over',
      { history: back, notBefore: '2026-11-22T12:10:00.000Z' },
      '2026-11-22T12:10:00.000Z',
    ],
    [
      'a back-off of long ago',
      { history: back, notBefore: '2026-11-22T11:00:00.000Z' },
      '2026-11-22T12:00:00.000Z',
    ],
  ])('counts from when it was %s', (_name, more, want) => {
    const accepted = { acceptedAt: '2026-11-22T10:00:00.000Z', history: [] }
    expect(new Date(waitingSinceMs(pending({ ...accepted, ...more }))).toISOString()).toBe(want)
  })
})
