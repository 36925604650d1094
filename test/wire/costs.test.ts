import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Operator, startOperator } from '../support/operator.ts'

// What a job costs, who judged it, and where it runs when Spot has nothing: through the real loop, over the wire.

let operator: Operator

beforeAll(async () => {
  operator = await startOperator({ MAX_VCPU: '100', SUBNETS: 'subnet-a,subnet-b,subnet-c' })
})
afterAll(() => operator.close())
afterEach(() => operator.aws.control('DELETE', '/ecs/faults'))

// A quarter of a vCPU and half a GB, for the minute that is the least.
const minuteUsd = Math.round(((0.25 * 0.04048 + 0.5 * 0.004445) / 60) * 1e6) / 1e6

test('a failed attempt is paid for, too, and history says which rule judged each of them', async () => {
  await operator.run('two-tries', 'exit 3', {
    limits: { attempts: 2, backoff: { initial: 0, max: 0 } },
    failurePolicy: [
      { exitCodes: [9], action: 'retry' },
      { exitCodes: [3], action: 'fail' },
    ],
  })
  await operator.run('no-rule', 'exit 3', { limits: { attempts: 2, backoff: { initial: 0, max: 0 } } })
  const ruled = await operator.phase('two-tries', 'Failed')
  expect(ruled.history?.at(-1)).toMatchObject({ reason: 'PermanentFailure', rule: 'failurePolicy[1]: fail' })
  expect(ruled).toMatchObject({
    costUsd: minuteUsd,
    attempts: [{ costUsd: minuteUsd, architecture: 'x86_64' }],
  })
  const plain = await operator.phase('no-rule', 'Failed')
  expect(plain.history?.flatMap(({ rule }) => rule ?? [])).toEqual(['exitCode', 'exitCode'])
  expect(plain.costUsd).toBeCloseTo(2 * minuteUsd, 9)
  const costs = operator.controller.status().costs
  expect(costs).toMatchObject([{ queue: 'default', attempts: 3 }])
  expect(costs[0]?.costUsd).toBeCloseTo(3 * minuteUsd, 6)
})

test('refused twice on Spot, the job runs on demand, as the same attempt', async () => {
  await operator.aws.control('POST', '/ecs/faults', { kind: 'capacity', count: 2 })
  await operator.run('no-spot', 'exit 0', { resources: { capacity: 'spot-then-on-demand' } })
  const job = await operator.phase('no-spot', 'Succeeded')
  expect(job.attempts).toMatchObject([
    { n: 1, launches: 3, capacity: 'on-demand', spotRefusals: 2, outcome: { class: 'success' } },
  ])
})

test('an edit of the kind of a live job changes nothing about how its end is judged', async () => {
  await operator.run('edited', 'sleep 1')
  await operator.phase('edited', 'Running')
  await operator.set('edited', 'kind', 'transcode')
  const job = await operator.phase('edited', 'Succeeded')
  expect(job).toMatchObject({ kind: 'transcode', settings: { kind: 'container' } })
})
