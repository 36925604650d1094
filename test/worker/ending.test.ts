import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { orderlyEndMs, watchForEnd } from '../../worker/ending.ts'

const reason = new Error('SIGTERM')

test('a shutdown ends the work at once, where nothing else was agreed', () => {
  const shutdown = new AbortController()
  const { signal, close } = watchForEnd(shutdown.signal)
  expect(signal.aborted).toBe(false)
  shutdown.abort(reason)
  expect(signal.reason).toBe(reason)
  close()
})

test('who ends in order is told at once, and ended when time is up', async () => {
  const shutdown = new AbortController()
  const { signal, inOrder, close } = watchForEnd(shutdown.signal, 50)
  const asked = inOrder()
  shutdown.abort(reason)
  expect([asked.aborted, signal.aborted]).toEqual([true, false])
  await sleep(100)
  expect(signal.reason).toBe(reason)
  close()
})

test('what ends it for another reason waits for nobody', () => {
  const shutdown = new AbortController()
  const { signal, inOrder, now, close } = watchForEnd(shutdown.signal)
  inOrder()
  shutdown.abort(reason)
  now(new Error('fenced out'))
  expect(signal.reason).toMatchObject({ message: 'fenced out' })
  close()
})

test('a shutdown that came first is not missed, and a closed one ends nothing', async () => {
  const early = new AbortController()
  early.abort(reason)
  expect(watchForEnd(early.signal).signal.aborted).toBe(true)
  const late = new AbortController()
  const { signal, inOrder, close } = watchForEnd(late.signal, 10)
  inOrder()
  late.abort(reason)
  close()
  await sleep(40)
  expect(signal.aborted).toBe(false)
})

test('leaves time for the report within the 100 s that a worker has', () => {
  expect(orderlyEndMs + 20_000).toBeLessThanOrEqual(100_000)
})
