import { GetCommand } from '@aws-sdk/lib-dynamodb'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Lease } from '../../schemas/lease.ts'
import { type ControllerProcess, spawnController } from '../support/controller.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'
import { until } from '../support/wait.ts'

// Two real controllers against one local AWS. The lease is short here; nothing else differs from a deployment.

let aws: TestAws
let controllers: ControllerProcess[]

beforeEach(async () => {
  aws = await startTestAws()
  controllers = []
})

afterEach(async () => {
  for (const controller of controllers) await controller.end('SIGKILL')
  await aws.close()
})

const begin = async (): Promise<ControllerProcess> => {
  const controller = spawnController(aws)
  controllers.push(controller)
  await until('a controller to be ready', async () => {
    const url = controller.url()
    const answer = url ? await fetch(`${url}/readyz`).catch(() => undefined) : undefined
    return answer?.ok
  })
  return controller
}

const lease = async (): Promise<Lease> => {
  const { Item: item } = await aws
    .clients()
    .documents.send(new GetCommand({ TableName: 'control', Key: { id: 'lease' }, ConsistentRead: true }))
  return item as Lease
}

const leads = (controller: ControllerProcess): boolean =>
  controller.lines().some(({ msg }) => String(msg).includes('work begins'))

test('of two controllers one leads, and the other one serves status and API', async () => {
  const first = await begin()
  const second = await begin()
  expect([leads(first), leads(second)]).toEqual([true, false])
  const created = await fetch(`${second.url()}/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      jobId: 'by-standby',
      kind: 'container',
      spec: { params: { taskDefinition: 'shell' } },
    }),
  })
  expect(created.status).toBeLessThan(300)
  // The leader finds what the other one was given.
  await until('the job to be looked at', async () => {
    const { phase } = (await (await fetch(`${second.url()}/jobs/by-standby`)).json()) as { phase: string }
    return phase !== 'Submitted'
  })
  const { leader } = (await (await fetch(`${second.url()}/status`)).json()) as { leader: { id: string } }
  expect(leader.id).toBe((await lease()).holder)
})

test('SIGTERM hands the lease over at once, not after the lease time', async () => {
  const first = await begin()
  const second = await begin()
  const startedMs = performance.now()
  const ended = first.end('SIGTERM')
  await until('the other one to take the lease', async () => (await lease()).term === 2, 10_000)
  const tookMs = performance.now() - startedMs
  await until('the other one to begin', () => leads(second))
  expect(await ended).toEqual({ code: 0, signal: null })
  process.stdout.write(`hand-over took ${Math.round(tookMs)} ms\n`)
  // Without a hand-over it would take the lease time of 2 s from the last renewal, and a look more.
  expect(tookMs).toBeLessThan(1500)
})

test('a leader that was killed is followed after the lease time', async () => {
  const first = await begin()
  const second = await begin()
  await first.end('SIGKILL')
  await until('the other one to begin', () => leads(second), 15_000)
  expect((await lease()).term).toBe(2)
})

test('a leader that slept through its lease finds out before it sends anything, and stands by', async () => {
  const first = await begin()
  const second = await begin()
  first.signal('SIGSTOP')
  await until('the other one to begin', () => leads(second), 15_000)
  first.signal('SIGCONT')
  await until('the first one to notice', () =>
    first.lines().some(({ msg }) => String(msg).includes('stands by')),
  )
  expect((await lease()).term).toBe(2)
  const answer = await fetch(`${first.url()}/readyz`)
  expect(answer.ok).toBe(true)
})
