import { expect, test, vi } from 'vitest'
import { createTicker } from '../../controller/ticker.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const intervalMs = 1000

/** A ticker whose work takes `workMs`, and the times at which it began. */
function start(workMs = 0, fails: () => boolean = () => false) {
  const clock = createVirtualClock()
  const beganMs = clock.monotonicMs()
  const runsAtMs: number[] = []
  const onError = vi.fn()
  let atOnce = 0
  let mostAtOnce = 0
  const ticker = createTicker(
    async () => {
      runsAtMs.push(clock.monotonicMs() - beganMs)
      atOnce += 1
      mostAtOnce = Math.max(mostAtOnce, atOnce)
      if (workMs > 0) await clock.sleep(workMs)
      atOnce -= 1
      if (fails()) throw new Error('no')
    },
    () => intervalMs,
    clock,
    onError,
  )
  return { clock, ticker, runsAtMs, onError, mostAtOnce: () => mostAtOnce }
}

test('runs at once, then one interval from beginning to beginning', async () => {
  const { clock, ticker, runsAtMs } = start(300)
  await clock.pass(2999)
  expect(runsAtMs).toEqual([0, 1000, 2000])
  await stopped(ticker, clock)
})

test('work that takes longer than the interval runs again right after itself, never twice at once', async () => {
  const { clock, ticker, runsAtMs, mostAtOnce } = start(2500)
  await clock.pass(7499)
  expect(runsAtMs).toEqual([0, 2500, 5000])
  expect(mostAtOnce()).toBe(1)
  await stopped(ticker, clock)
})

test('a nudge ends the sleep', async () => {
  const { clock, ticker, runsAtMs } = start()
  await clock.pass(400)
  ticker.nudge()
  await clock.pass(999)
  expect(runsAtMs).toEqual([0, 400])
  await clock.pass(1)
  expect(runsAtMs).toEqual([0, 400, 1400])
  await stopped(ticker, clock)
})

test('nudges during a run lead to one more run right after it', async () => {
  const { clock, ticker, runsAtMs } = start(300)
  await clock.pass(100)
  ticker.nudge()
  ticker.nudge()
  await clock.pass(900)
  expect(runsAtMs).toEqual([0, 300])
  await stopped(ticker, clock)
})

test('an error is reported, and the next run comes in its time', async () => {
  const { clock, ticker, runsAtMs, onError } = start(0, () => true)
  await clock.pass(1500)
  expect(runsAtMs).toEqual([0, 1000])
  expect(onError).toHaveBeenCalledTimes(2)
  await stopped(ticker, clock)
})

test('stop waits for the run that is under way, and nothing runs after it', async () => {
  const { clock, ticker, runsAtMs } = start(300)
  await clock.pass(100)
  let isStopped = false
  const ended = ticker.stop().then(() => {
    isStopped = true
  })
  await clock.pass(199)
  expect(isStopped).toBe(false)
  await clock.pass(1)
  await ended
  ticker.nudge()
  await clock.pass(5000)
  expect(runsAtMs).toEqual([0])
})

test('stop ends a sleep at once and leaves no timer', async () => {
  const { clock, ticker } = start()
  await clock.pass(10)
  await ticker.stop()
  expect(clock.waiting()).toBe(0)
})

async function stopped(
  ticker: ReturnType<typeof createTicker>,
  clock: ReturnType<typeof createVirtualClock>,
): Promise<void> {
  const ended = ticker.stop()
  await clock.pass(5000)
  await ended
}
