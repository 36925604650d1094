import { expect, test, vi } from 'vitest'
import { createWorkqueue } from '../../controller/workqueue.ts'
import { createRandom } from '../support/random.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

type Options = { concurrency?: number; maxKeys?: number; workMs?: number; fails?: (key: string) => boolean }

function start({ concurrency = 2, maxKeys = 100, workMs = 0, fails = () => false }: Options = {}) {
  const clock = createVirtualClock()
  const beganMs = clock.monotonicMs()
  /** `a@120`: key and time at which work on it began. */
  const began: string[] = []
  const underWay = new Set<string>()
  let mostAtOnce = 0
  let isTwiceAtOnce = false
  const onError = vi.fn()
  const queue = createWorkqueue({
    async work(key) {
      began.push(`${key}@${clock.monotonicMs() - beganMs}`)
      if (underWay.has(key)) isTwiceAtOnce = true
      underWay.add(key)
      mostAtOnce = Math.max(mostAtOnce, underWay.size)
      if (workMs > 0) await clock.sleep(workMs)
      underWay.delete(key)
      if (fails(key)) throw new Error(`${key} failed`)
    },
    onError,
    clock,
    concurrency,
    maxKeys,
  })
  return { clock, queue, began, onError, mostAtOnce: () => mostAtOnce, isTwiceAtOnce: () => isTwiceAtOnce }
}

test('a key without a delay is worked on at once', async () => {
  const { clock, queue, began } = start()
  queue.add('a')
  await clock.settle()
  expect(began).toEqual(['a@0'])
})

test('a key that goes first goes before all that wait, but interrupts nobody', async () => {
  const { clock, queue, began } = start({ concurrency: 1, workMs: 10 })
  for (const key of ['a', 'b', 'c']) queue.add(key)
  queue.addFirst('launch')
  queue.addFirst('c')
  await clock.pass(100)
  expect(began).toEqual(['a@0', 'launch@10', 'c@20', 'b@30'])
})

test('a key that goes first still waits for its retry', async () => {
  let fails = true
  const { clock, queue, began } = start({ fails: () => fails })
  queue.add('a')
  await clock.settle()
  fails = false
  queue.addFirst('a')
  await clock.pass(1000)
  expect(began).toEqual(['a@0', 'a@200'])
})

test('a key with a delay is worked on when its time has come, and not a millisecond earlier', async () => {
  const { clock, queue, began } = start()
  queue.add('a', 100)
  await clock.pass(99)
  expect(began).toEqual([])
  await clock.pass(1)
  expect(began).toEqual(['a@100'])
})

test('ten thousand keys that wait take one timer, and come in the order of their times', async () => {
  const { clock, queue, began } = start({ concurrency: 1, maxKeys: 10_000 })
  for (let index = 0; index < 10_000; index += 1) queue.add(`k${index}`, 30_000 - index)
  expect(clock.waiting()).toBe(1)
  await clock.pass(20_001)
  expect(began).toEqual(['k9999@20001'])
  await clock.pass(19)
  expect(began).toHaveLength(1)
  // Alarms keep a distance of 20 ms: what fell due meanwhile comes with the next one.
  await clock.pass(1)
  expect(began.slice(1, 3)).toEqual(['k9998@20021', 'k9997@20021'])
  expect(began).toHaveLength(21)
  expect(clock.waiting()).toBe(1)
})

test('a key that waits is there once, however often it is added', async () => {
  const { clock, queue, began } = start()
  for (let index = 0; index < 5; index += 1) queue.add('a', 100)
  expect(queue.depth()).toMatchObject({ waiting: 1 })
  await clock.pass(1000)
  expect(began).toEqual(['a@100'])
})

test('the earlier time wins, whichever was added first', async () => {
  const { clock, queue, began } = start()
  queue.add('a', 500)
  queue.add('a', 100)
  queue.add('b', 100)
  queue.add('b', 500)
  queue.add('c', 500)
  queue.add('c')
  await clock.pass(1000)
  expect(began).toEqual(['c@0', 'a@100', 'b@100'])
})

test('no key is worked on twice at once; added meanwhile, it is worked on once more afterwards', async () => {
  const { clock, queue, began, isTwiceAtOnce } = start({ workMs: 50 })
  queue.add('a')
  await clock.pass(10)
  queue.add('a')
  queue.add('a')
  await clock.pass(1000)
  expect(began).toEqual(['a@0', 'a@50'])
  expect(isTwiceAtOnce()).toBe(false)
})

test('added meanwhile with a delay, it is worked on again when that has passed', async () => {
  const { clock, queue, began } = start({ workMs: 50 })
  queue.add('a')
  await clock.pass(10)
  queue.add('a', 500)
  queue.add('a', 200)
  await clock.pass(1000)
  expect(began).toEqual(['a@0', 'a@210'])
})

test('so many at once and no more, in the order in which they became ready', async () => {
  const { clock, queue, began, mostAtOnce } = start({ workMs: 50, concurrency: 2 })
  for (const key of ['a', 'b', 'c', 'd', 'e']) queue.add(key)
  await clock.pass(1000)
  expect(began).toEqual(['a@0', 'b@0', 'c@50', 'd@50', 'e@100'])
  expect(mostAtOnce()).toBe(2)
})

test('a key that fails comes back, later each time, up to 30 s', async () => {
  const { clock, queue, began, onError } = start({ fails: () => true })
  queue.add('a')
  await clock.pass(120_000)
  const times = began.map((entry) => Number(entry.split('@')[1]))
  const waits = times.slice(1).map((time, index) => time - (times[index] ?? 0))
  expect(waits.slice(0, 5)).toEqual([200, 400, 800, 1600, 3200])
  expect(Math.max(...waits)).toBe(30_000)
  expect(onError.mock.calls.slice(0, 3).map(([key, , failures]) => [key, failures])).toEqual([
    ['a', 1],
    ['a', 2],
    ['a', 3],
  ])
})

test('whoever wakes a key that fails, it does not come back before its time', async () => {
  const { clock, queue, began } = start({ fails: () => true, workMs: 10 })
  queue.add('a')
  for (let index = 0; index < 50; index += 1) {
    await clock.pass(10)
    queue.add('a')
  }
  expect(began).toEqual(['a@0', 'a@210'])
})

test('success forgets the failures before it', async () => {
  let isBad = true
  const { clock, queue, began } = start({ fails: () => isBad })
  queue.add('a')
  await clock.pass(600)
  isBad = false
  await clock.pass(800)
  isBad = true
  queue.add('a')
  await clock.pass(200)
  expect(began).toEqual(['a@0', 'a@200', 'a@600', 'a@1400', 'a@1400', 'a@1600'])
})

test('a key that fails does not hold up the others', async () => {
  const { clock, queue, began } = start({ concurrency: 1, fails: (key) => key === 'bad' })
  queue.add('bad')
  queue.add('good')
  await clock.settle()
  expect(began).toEqual(['bad@0', 'good@0'])
})

test('more keys than it may hold are dropped and counted; those it has stay', async () => {
  const { clock, queue, began } = start({ maxKeys: 3 })
  for (const key of ['a', 'b', 'c', 'd', 'e']) queue.add(key, 100)
  queue.add('a', 50)
  expect(queue.depth()).toMatchObject({ waiting: 3, dropped: 2 })
  await clock.pass(100)
  expect(began).toEqual(['a@50', 'b@100', 'c@100'])
})

test('never is no time', async () => {
  const { clock, queue, began } = start()
  queue.add('a', Number.POSITIVE_INFINITY)
  expect(queue.depth()).toMatchObject({ waiting: 0 })
  queue.add('b', -5)
  await clock.settle()
  expect(began).toEqual(['b@0'])
})

test('depth: what waits, what is ready, what is under way, and how late the oldest ready one is', async () => {
  const { clock, queue } = start({ concurrency: 1, workMs: 500 })
  queue.add('a')
  queue.add('b')
  queue.add('c')
  queue.add('d', 1000)
  await clock.pass(300)
  expect(queue.depth()).toEqual({ running: 1, ready: 2, waiting: 1, lagMs: 300, dropped: 0 })
  await clock.pass(10_000)
  expect(queue.depth()).toEqual({ running: 0, ready: 0, waiting: 0, lagMs: 0, dropped: 0 })
})

test('stop waits for what is under way, and starts nothing more', async () => {
  const { clock, queue, began } = start({ concurrency: 1, workMs: 100 })
  for (const key of ['a', 'b']) queue.add(key)
  queue.add('c', 50)
  await clock.pass(10)
  let isStopped = false
  const ended = queue.stop().then(() => {
    isStopped = true
  })
  queue.add('a')
  queue.add('d')
  await clock.pass(89)
  expect(isStopped).toBe(false)
  await clock.pass(1)
  await ended
  await clock.pass(10_000)
  expect(began).toEqual(['a@0'])
  expect(clock.waiting()).toBe(0)
})

test('stop with nothing under way is immediate', async () => {
  const { queue } = start()
  queue.add('a', 1000)
  await queue.stop()
})

test('work that fails while it is being stopped ends, too', async () => {
  const { clock, queue } = start({ workMs: 100, fails: () => true })
  queue.add('a')
  await clock.pass(10)
  const ended = queue.stop()
  await clock.pass(100)
  await ended
  expect(clock.waiting()).toBe(0)
})

test('whatever is added when: never twice at once, and every key is worked on after it was last added (50 seeds)', async () => {
  for (let seed = 1; seed <= 50; seed += 1) {
    const random = createRandom(seed)
    const { clock, queue, began, isTwiceAtOnce, mostAtOnce } = start({
      concurrency: 1 + random.below(3),
      workMs: random.below(40),
      fails: () => random.once(4),
    })
    const addedMs = new Map<string, number>()
    let nowMs = 0
    for (let step = 0; step < 40; step += 1) {
      const key = random.pick(['a', 'b', 'c', 'd'])
      queue.add(key, random.below(60))
      addedMs.set(key, nowMs)
      const passMs = random.below(30)
      await clock.pass(passMs)
      nowMs += passMs
    }
    await clock.pass(200_000)
    expect(isTwiceAtOnce(), `seed ${seed}`).toBe(false)
    expect(mostAtOnce(), `seed ${seed}`).toBeLessThanOrEqual(3)
    for (const [key, atMs] of addedMs) {
      const last = began.filter((entry) => entry.startsWith(`${key}@`)).at(-1)
      expect(Number(last?.split('@')[1]), `seed ${seed}, key ${key}`).toBeGreaterThanOrEqual(atMs)
    }
  }
})
