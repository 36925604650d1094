import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
} from '@aws-sdk/client-sqs'
import { beforeEach, describe, expect, test } from 'vitest'
import { queueSettings } from '../../../schemas/resources.ts'
import { createRandom } from '../../support/random.ts'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'
import type { SqsModel } from './ports.ts'
import { createSqsModel, modelQueueUrl } from './sqs.ts'

let clock: VirtualClock
let sqs: SqsModel
let redelivers: boolean

const model = (shuffle = false): SqsModel =>
  createSqsModel({ time: clock, random: createRandom(7) }, { redeliver: () => redelivers, shuffle })

beforeEach(() => {
  clock = createVirtualClock()
  redelivers = false
  sqs = model()
})

const jobs = modelQueueUrl('jobs')
const hourMs = 3_600_000

type Got = { MessageId: string; Body: string; ReceiptHandle: string }

const receive = (max = 10, QueueUrl = jobs): Got[] =>
  (sqs.execute(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: max })) as { Messages?: Got[] })
    .Messages ?? []
const bodies = (messages: readonly Got[]): string[] => messages.map(({ Body }) => Body)
const remove = (message: Got | undefined) =>
  sqs.execute(new DeleteMessageCommand({ QueueUrl: jobs, ReceiptHandle: message?.ReceiptHandle }))

describe('redelivery', () => {
  test('gives what is in flight once more, and the first receipt deletes it no longer', async () => {
    sqs.deliver(jobs, 'a')
    const [first] = receive()
    redelivers = true
    const [second] = receive()
    redelivers = false
    expect(second).toMatchObject({ MessageId: first?.MessageId })
    remove(first)
    await clock.pass(60_000)
    expect(bodies(receive())).toEqual(['a'])
  })

  test('gives what was deleted a moment ago, until it is deleted again', async () => {
    sqs.deliver(jobs, 'a')
    remove(receive()[0])
    redelivers = true
    const [again] = receive()
    redelivers = false
    expect(again?.Body).toBe('a')
    expect(sqs.messages(jobs)).toMatchObject([{ body: 'a', receives: 2 }])
    remove(again)
    await clock.pass(hourMs)
    expect(receive()).toEqual([])
  })

  test('never gives what is still delayed', () => {
    sqs.deliver(jobs, 'a', 1000)
    redelivers = true
    expect(receive()).toEqual([])
  })

  test('comes on top of what is there, within the number asked for', () => {
    sqs.deliver(jobs, 'a')
    receive()
    sqs.deliver(jobs, 'b')
    sqs.deliver(jobs, 'c')
    redelivers = true
    expect(bodies(receive(2))).toEqual(['b', 'c'])
    expect(receive(10)).toHaveLength(1)
  })
})

test('a shuffled queue gives everything, in another order', () => {
  sqs = model(true)
  const sent = Array.from({ length: 10 }, (_, number) => String(number))
  for (const body of sent) sqs.deliver(jobs, body)
  const got = bodies(receive())
  expect(new Set(got)).toEqual(new Set(sent))
  expect(got).not.toEqual(sent)
})

describe('whenAvailable', () => {
  const wait = () => {
    const calls: number[] = []
    const cancel = sqs.whenAvailable(jobs, () => calls.push(clock.nowMs()))
    return { calls, cancel }
  }

  test('calls once when a message comes', async () => {
    const { calls } = wait()
    await clock.pass(50)
    expect(calls).toHaveLength(0)
    sqs.deliver(jobs, 'a')
    expect(calls).toHaveLength(0)
    await clock.settle()
    sqs.deliver(jobs, 'b')
    await clock.settle()
    expect(calls).toHaveLength(1)
  })

  test('calls at once when a message is there', async () => {
    sqs.deliver(jobs, 'a')
    const { calls } = wait()
    await clock.settle()
    expect(calls).toHaveLength(1)
  })

  test('calls when a delay or a time in flight is over', async () => {
    sqs.deliver(jobs, 'a', 300)
    const startMs = clock.nowMs()
    const delayed = wait()
    await clock.pass(1000)
    receive()
    const inFlight = wait()
    await clock.pass(60_000)
    expect(delayed.calls).toEqual([startMs + 300])
    expect(inFlight.calls).toEqual([startMs + 61_000])
  })

  test('calls when a message is given back', async () => {
    sqs.deliver(jobs, 'a')
    const [message] = receive()
    const { calls } = wait()
    const ReceiptHandle = message?.ReceiptHandle
    sqs.execute(new ChangeMessageVisibilityCommand({ QueueUrl: jobs, ReceiptHandle, VisibilityTimeout: 0 }))
    await clock.settle()
    expect(calls).toHaveLength(1)
  })

  test('taken back calls nobody and leaves no timer', async () => {
    sqs.deliver(jobs, 'a', 300)
    const { calls, cancel } = wait()
    cancel()
    expect(clock.waiting()).toBe(0)
    await clock.pass(1000)
    expect(calls).toHaveLength(0)
  })

  test('calls everybody who waits', async () => {
    const waiting = [wait(), wait()]
    sqs.deliver(jobs, 'a')
    await clock.settle()
    expect(waiting.map(({ calls }) => calls.length)).toEqual([1, 1])
  })

  test('of the dead-letter queue calls when a message arrives there', async () => {
    const calls: string[] = []
    sqs.whenAvailable(modelQueueUrl('jobs-dlq'), () => calls.push('dead'))
    sqs.deliver(jobs, 'a')
    for (let times = 0; times < 201; times += 1) {
      receive()
      await clock.pass(60_000)
    }
    expect(calls).toEqual(['dead'])
    expect(sqs.messages(jobs)).toEqual([])
    expect(bodies(receive(1, modelQueueUrl('jobs-dlq')))).toEqual(['a'])
  })
})

test('a message is gone when its retention is over', async () => {
  sqs.deliver(jobs, 'a')
  await clock.pass(queueSettings.jobs.retentionS * 1000 - 1)
  expect(sqs.messages(jobs)).toHaveLength(1)
  await clock.pass(1)
  expect(receive()).toEqual([])
  expect(sqs.messages(jobs)).toEqual([])
})

test('the same calls give the same ids and receipts', () => {
  const run = () => {
    sqs = model(true)
    for (const body of ['a', 'b', 'c']) sqs.deliver(jobs, body)
    return receive()
  }
  expect(run()).toEqual(run())
})
