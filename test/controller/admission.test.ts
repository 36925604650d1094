import { BatchWriteCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAdmitter } from '../../controller/admit/admission.ts'
import { createPacer } from '../../controller/admit/pacer.ts'
import { type Clock, systemClock } from '../../controller/clock.ts'
import { capacityKey } from '../../controller/reconcile/launch.ts'
import { createMemory } from '../../controller/reconcile/memory.ts'
import { createJobStore, type Dynamo } from '../../controller/store/jobs.ts'
import { makeUid } from '../../schemas/ids.ts'
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
const admitterOf = (queue: string, maxRunning: number) => {
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
      maxVcpu: 1000,
      queues: { [queue]: {} },
      visibilityGraceMs: 1000,
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
