import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { WorkerError } from '../../worker/errors.ts'
import { type Heartbeat, type HeartbeatOptions, startHeartbeat } from '../../worker/heartbeat.ts'
import type { Progress } from '../../worker/job-record.ts'

/** A heartbeat a hundred times as fast as the real one: first after 10 ms, every 50 ms, at least every 100 ms. */
const start = (options: Partial<HeartbeatOptions> = {}) => {
  const beats: (Progress & { ms: number })[] = []
  const refusals: WorkerError[] = []
  const misses: WorkerError[] = []
  const write = async (progress: Progress) => void beats.push({ ...progress, ms: performance.now() })
  const heartbeat = startHeartbeat({
    write,
    writePatiently: write,
    onRefused: (error) => refusals.push(error),
    onMissed: (error) => misses.push(error),
    nowMs: Date.now,
    firstMs: 10,
    everyMs: 50,
    atLeastEveryMs: 100,
    ...options,
  })
  running.push(heartbeat)
  return { heartbeat, beats, refusals, misses }
}
const running: Heartbeat[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((heartbeat) => heartbeat.stop()))
})

describe('the heartbeat', () => {
  test('counts its beats, so that it can be told from one that is stuck', async () => {
    const { heartbeat, beats } = start()
    for (let n = 0; n < 6; n += 1) {
      heartbeat.tell({ stage: 'transcode', percent: n })
      await sleep(50)
    }
    expect(beats.length).toBeGreaterThanOrEqual(3)
    expect(beats.map(({ beat }) => beat)).toEqual(beats.map((_, index) => index + 1))
  })

  test('beats at most once a period, however much it is told', async () => {
    const { heartbeat, beats } = start()
    for (let n = 0; n < 60; n += 1) {
      heartbeat.tell({ stage: 'transcode', percent: n })
      await sleep(5)
    }
    const gaps = beats.slice(1).map(({ ms }, index) => ms - (beats[index]?.ms ?? 0))
    expect(gaps.length).toBeGreaterThanOrEqual(2)
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(45)
  })

  test('beats on without news, but more slowly', async () => {
    const { beats } = start()
    await sleep(450)
    expect(beats.length).toBeGreaterThanOrEqual(3)
    expect(beats.length).toBeLessThanOrEqual(6)
  })

  test('says a percentage that never falls', async () => {
    const { heartbeat, beats } = start()
    heartbeat.tell({ stage: 'transcode', percent: 40 })
    heartbeat.tell({ stage: 'transcode', percent: 30 })
    await sleep(60)
    expect(beats[0]).toMatchObject({ stage: 'transcode', percent: 40 })
  })

  test('that is refused says so once and beats no more', async () => {
    let tries = 0
    const { refusals, misses } = start({
      write: async () => {
        tries += 1
        throw new WorkerError('FENCED_OUT')
      },
    })
    await sleep(250)
    expect(tries).toBe(1)
    expect(refusals).toEqual([expect.objectContaining({ code: 'FENCED_OUT' })])
    expect(misses).toEqual([])
  })

  test('that fails otherwise goes on', async () => {
    let tries = 0
    const { heartbeat, refusals, misses } = start({
      write: async () => {
        tries += 1
        throw new WorkerError('TABLE_UNAVAILABLE')
      },
    })
    for (let n = 0; n < 6; n += 1) {
      heartbeat.tell({ stage: 'transcode', percent: n })
      await sleep(50)
    }
    expect(tries).toBeGreaterThanOrEqual(2)
    expect(misses).toHaveLength(tries)
    expect(refusals).toEqual([])
  })

  test('never writes twice at the same time, and a confirmation waits for the beat under way', async () => {
    let open = 0
    let most = 0
    const order: string[] = []
    const slow = (name: string) => async () => {
      open += 1
      most = Math.max(most, open)
      await sleep(60)
      open -= 1
      order.push(name)
    }
    const { heartbeat } = start({ write: slow('beat'), writePatiently: slow('confirmation') })
    await sleep(30)
    await heartbeat.confirm({ stage: 'publish', percent: 100 })
    expect(order).toEqual(['beat', 'confirmation'])
    expect(most).toBe(1)
  })

  test('a refused confirmation throws', async () => {
    const { heartbeat } = start({
      writePatiently: async () => {
        throw new WorkerError('FENCED_OUT')
      },
    })
    await expect(heartbeat.confirm({ stage: 'publish' })).rejects.toMatchObject({ code: 'FENCED_OUT' })
  })

  test('that is stopped beats no more', async () => {
    const { heartbeat, beats } = start()
    await sleep(30)
    await heartbeat.stop()
    const before = beats.length
    await sleep(150)
    expect(beats.length).toBe(before)
  })
})
