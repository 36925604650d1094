import { expect, test } from 'vitest'
import { createPacer } from '../../controller/admit/pacer.ts'
import { secondMs } from '../support/job.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const perSecond = 20

test('begins empty: what a former leader sent a moment ago still counts', () => {
  const pacer = createPacer(perSecond, createVirtualClock())
  expect(pacer.available()).toBe(0)
  expect(pacer.tryTake()).toBe(false)
})

test('a token comes every 50 ms at 20 a second, and not a millisecond earlier', async () => {
  const clock = createVirtualClock()
  const pacer = createPacer(perSecond, clock)
  await clock.pass(49)
  expect(pacer.tryTake()).toBe(false)
  await clock.pass(1)
  expect(pacer.tryTake()).toBe(true)
  expect(pacer.tryTake()).toBe(false)
})

test('keeps the tokens of one second, however long nobody takes any', async () => {
  const clock = createVirtualClock()
  const pacer = createPacer(perSecond, clock)
  await clock.pass(3600 * secondMs)
  expect(pacer.available()).toBe(perSecond)
  expect(Array.from({ length: 25 }, () => pacer.tryTake()).filter(Boolean)).toHaveLength(perSecond)
})

test('keeps fewer where it is told so', async () => {
  const clock = createVirtualClock()
  const pacer = createPacer(perSecond, clock, 10)
  await clock.pass(3600 * secondMs)
  expect(pacer.available()).toBe(10)
})

test('looking takes nothing', async () => {
  const clock = createVirtualClock()
  const pacer = createPacer(perSecond, clock)
  await clock.pass(50)
  expect([pacer.available(), pacer.available()]).toEqual([1, 1])
  expect(pacer.tryTake()).toBe(true)
})

test('whoever waits gets one in turn, at the pace of the bucket', async () => {
  const clock = createVirtualClock()
  const pacer = createPacer(perSecond, clock)
  const startMs = clock.monotonicMs()
  const taken: [number, number][] = []
  for (let index = 0; index < 40; index += 1)
    void pacer.take().then(() => taken.push([index, clock.monotonicMs() - startMs]))
  await clock.pass(secondMs)
  expect(taken.map(([index]) => index)).toEqual(Array.from({ length: perSecond }, (_, index) => index))
  await clock.pass(secondMs)
  expect(taken).toHaveLength(40)
  for (const [index, atMs] of taken) expect(atMs).toBeGreaterThanOrEqual((index + 1) * 50)
})

test('in no stretch of time more than a full bucket and what came meanwhile, however it is taken', async () => {
  const clock = createVirtualClock()
  const pacer = createPacer(perSecond, clock)
  const takenAtMs: number[] = []
  const note = () => takenAtMs.push(clock.monotonicMs())
  for (let step = 0; step < 200; step += 1) {
    await clock.pass(7 + (step % 5) * 31)
    if (step % 3 === 0) void pacer.take().then(note)
    else while (step % 7 === 0 && pacer.tryTake()) note()
  }
  expect(takenAtMs.length).toBeGreaterThan(perSecond)
  const excess = takenAtMs.flatMap((fromMs, first) =>
    takenAtMs.slice(first).map((toMs, more) => more + 1 - perSecond * (1 + (toMs - fromMs) / secondMs)),
  )
  expect(Math.max(...excess)).toBeLessThanOrEqual(1e-6)
})

test('less than one a second works, too', async () => {
  const clock = createVirtualClock()
  const pacer = createPacer(1, clock)
  let isTaken = false
  void pacer.take().then(() => {
    isTaken = true
  })
  await clock.pass(999)
  expect(isTaken).toBe(false)
  await clock.pass(1)
  expect(isTaken).toBe(true)
})
