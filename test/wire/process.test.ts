import { once } from 'node:events'
import { connect } from 'node:net'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { spawnController } from '../support/controller.ts'
import { type Operator, startOperator } from '../support/operator.ts'
import { startProxy } from '../support/proxy.ts'
import { until } from '../support/wait.ts'

// The controller as a process: how it starts, what it says when it cannot, how it ends, and what it does while the table
// is away.

let operator: Operator

beforeAll(async () => {
  operator = await startOperator({ MAX_VCPU: '100', DEFAULT_KIND: 'none' })
  // Only its AWS is wanted here: the controllers of these tests are processes.
  await operator.controller.stop()
})
afterAll(() => operator.aws.close())

test('SIGTERM while a job runs: it ends in order within ten seconds, the task lives on, and the next controller goes on with it', async () => {
  const first = spawnController(operator.aws)
  await operator.run('outlives', 'sleep 3')
  await operator.phase('outlives', 'Running')
  const startedMs = performance.now()
  expect(await first.end('SIGTERM')).toEqual({ code: 0, signal: null })
  expect(performance.now() - startedMs).toBeLessThan(10_000)
  expect((await operator.tasks('outlives')).map(({ lastStatus }) => lastStatus)).toEqual(['RUNNING'])
  const second = spawnController(operator.aws)
  expect(await operator.phase('outlives', 'Succeeded')).toMatchObject({ lastAttempt: 1, lastLaunch: 1 })
  await second.end('SIGTERM')
})

test('a connection on which nobody says anything does not hold up the end', async () => {
  const controller = spawnController(operator.aws)
  const url = new URL(await until('the controller to listen', () => controller.url()))
  const silent = connect(Number(url.port), url.hostname)
  await once(silent, 'connect')
  silent.on('error', () => undefined)
  const startedMs = performance.now()
  expect(await controller.end('SIGTERM')).toEqual({ code: 0, signal: null })
  expect(performance.now() - startedMs).toBeLessThan(6000)
  silent.destroy()
})

test.each([
  ['a value that is not allowed', { MAX_VCPU: 'many' }, /MAX_VCPU: "many" is not allowed/],
  ['a slip of the pen', { MAX_RUNING: '3' }, /MAX_RUNING.*MAX_RUNNING/],
  ['an address for others without a token', { HOST: '0.0.0.0' }, /TOKEN_NEEDED/],
  ['a queue that is not there', { JOBS_QUEUE: 'nowhere' }, /QUEUE_NOT_FOUND: There is no queue nowhere/],
  ['a table that is not there', { JOBS_TABLE: 'nowhere' }, /TABLE_NOT_FOUND: There is no table nowhere/],
  ['an AWS that is not there', { AWS_ENDPOINT_URL: 'http://127.0.0.1:9' }, /AWS_NOT_REACHED/],
])('%s: it says so in a sentence and exits 78', async (_name, environment, sentence) => {
  const controller = spawnController(operator.aws, { environment })
  await controller.exited
  expect(await controller.end('SIGKILL')).toEqual({ code: 78, signal: null })
  expect(controller.errors()).toMatch(sentence)
})

test('while the table does not answer nothing more is received; afterwards every message becomes its job', async () => {
  const away = new Set<string>()
  let received = 0
  const proxy = await startProxy(operator.aws.endpoint, ({ operation }) => {
    if (away.has('table') && operation.endsWith('.ReceiveMessage')) received += 1
    return away.has('table') && operation.startsWith('DynamoDB') ? 'refuse' : 'pass'
  })
  const controller = spawnController(operator.aws, { endpoint: proxy.endpoint })
  await until('it to be ready', async () => {
    const url = controller.url()
    return url !== undefined && (await fetch(`${url}/readyz`)).ok
  })
  away.add('table')
  const ids = Array.from({ length: 5 }, (_, index) => `patient-${index}`)
  for (const jobId of ids)
    await operator.aws.clients().sqs.send(
      new SendMessageCommand({
        QueueUrl: operator.aws.queueUrl('jobs'),
        MessageBody: JSON.stringify({
          jobId,
          kind: 'container',
          spec: { params: { taskDefinition: 'shell', command: ['true'] } },
        }),
      }),
    )
  await until('the outage to be noticed', () =>
    controller.lines().some(({ msg, where }) => where === 'intake' || /lease cannot/.test(String(msg))),
  )
  const before = received
  await new Promise((resolve) => setTimeout(resolve, 2000))
  // One consumer waits for the table; the other, which had nothing to do, may still be in its long poll.
  expect(received - before).toBeLessThanOrEqual(2)
  away.clear()
  for (const jobId of ids) await operator.phase(jobId, 'Succeeded', undefined, 30_000)
  await controller.end('SIGTERM')
  await proxy.close()
}, 60_000)
