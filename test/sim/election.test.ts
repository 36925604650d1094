import { describe, expect, test } from 'vitest'
import { createElection, type Term } from '../../controller/election.ts'
import type { Logger } from '../../controller/log.ts'
import type { Dynamo } from '../../controller/store/jobs.ts'
import { createLeaseStore } from '../../controller/store/lease.ts'
import { createRandom } from '../support/random.ts'
import { createDynamoModel } from './aws/dynamo.ts'
import { connect, tail, type Wire } from './network.ts'
import { createScheduler, type SimProcess } from './scheduler.ts'

// The real election over a table that is a model, by processes that can be killed, put to sleep and woken. Times are the
// usual ones: a lease of 10 seconds, a look of a standby every 300 ms.

const leaseMs = 10_000
const startMs = Date.parse('2026-11-22T10:00:00.000Z')
const quiet = Object.fromEntries(
  ['debug', 'info', 'warn', 'error'].map((level) => [level, () => undefined]),
) as unknown as Logger

type Member = {
  process: SimProcess
  /** The term that it believes to lead in, and may. */
  acts(): boolean
  begun: number[]
  stop(): Promise<void>
}

function cluster(seed: number, faultsRate = 0) {
  const random = createRandom(seed)
  const scheduler = createScheduler(startMs)
  const dynamo = createDynamoModel(
    { time: scheduler, random },
    { indexLagMs: () => 0, readLagMs: () => (random.once(5) ? tail(random, 0, 2000) : 0) },
  )
  let down = false
  let slow: { answerMs: number; legs: number; sentAtMs?: number } | undefined
  const wire: Wire = {
    time: scheduler,
    latencyMs() {
      if (slow === undefined || slow.legs === 2) return tail(random, 1, faultsRate > 0 ? 2000 : 20)
      slow.legs += 1
      return slow.legs === 1 ? 1 : slow.answerMs
    },
    fateOf() {
      if (down || slow?.sentAtMs !== undefined) return { is: 'failed' }
      if (slow) {
        slow.sentAtMs = scheduler.nowMs()
        return { is: 'normal' }
      }
      if (random.next() >= faultsRate) return { is: 'normal' }
      return random.pick([
        { is: 'failed' },
        { is: 'replyLost' },
        { is: 'late', lateMs: tail(random, 0, 30_000) },
      ] as const)
    },
    effect: (_call, run) => run(),
    onRefused: () => undefined,
  }
  const member = (name: string, skewMs = 0): Member => {
    const process = scheduler.spawn(name, skewMs)
    let term: Term | undefined
    const begun: number[] = []
    const election = createElection({
      store: createLeaseStore(
        { send: connect(process, 'dynamo', dynamo, wire) } as unknown as Dynamo,
        'control',
      ),
      id: name,
      leaseMs,
      clock: process.clock,
      log: quiet,
      lead(of) {
        term = of
        begun.push(scheduler.nowMs())
        return Promise.resolve({
          stop() {
            if (term === of) term = undefined
            return Promise.resolve()
          },
        })
      },
    })
    return {
      process,
      begun,
      acts: () => process.state === 'running' && term?.mayAct() === true,
      stop: election.stop,
    }
  }
  return {
    random,
    scheduler,
    member,
    tableIsDown(isDown: boolean) {
      down = isDown
    },
    /** The next call works at once and is answered so late, and none works after it. @returns when it was sent */
    answersLate(answerMs: number): () => number | undefined {
      slow = { answerMs, legs: 0 }
      return () => slow?.sentAtMs
    },
    pass: (ms: number) => scheduler.run(scheduler.nowMs() + ms),
  }
}

const lateEnough = (member: Member, since: number): number => (member.begun.at(-1) ?? Number.NaN) - since

describe('the lease', () => {
  test('of three that start at once one leads', async () => {
    const { member, pass } = cluster(1)
    const members = ['a', 'b', 'c'].map((name) => member(name))
    await pass(5000)
    expect(members.filter((one) => one.acts())).toHaveLength(1)
    await pass(600_000)
    expect(members.flatMap(({ begun }) => begun)).toHaveLength(1)
  })

  test.each([0, 1, 600, 1200, 2400])(
    'a leader killed %d ms after a moment is followed within 15 s',
    async (ms) => {
      const { member, pass, scheduler } = cluster(2)
      const first = member('a')
      await pass(20_000)
      const second = member('b')
      await pass(10_000 + ms)
      first.process.kill()
      const killedMs = scheduler.nowMs()
      await pass(20_000)
      expect(second.acts()).toBe(true)
      expect(lateEnough(second, killedMs)).toBeLessThan(15_000)
      // And not before two thirds of the lease, for the first one might only have been slow.
      expect(lateEnough(second, killedMs)).toBeGreaterThan((leaseMs * 2) / 3)
    },
  )

  test.each([0, 1100, 2300])('handed over %d ms after a moment, it is taken within a second', async (ms) => {
    const { member, pass, scheduler } = cluster(3)
    const first = member('a')
    await pass(20_000)
    const second = member('b')
    await pass(10_000 + ms)
    const endedMs = scheduler.nowMs()
    void first.stop()
    await pass(5000)
    expect(second.acts()).toBe(true)
    expect(lateEnough(second, endedMs)).toBeLessThan(1000)
  })

  test('a leader that slept beyond its lease may not act from the moment it wakes up', async () => {
    const { member, pass } = cluster(4)
    const first = member('a')
    await pass(20_000)
    const second = member('b')
    await pass(1000)
    first.process.pause()
    await pass(30_000)
    expect(second.acts()).toBe(true)
    first.process.wake()
    expect(first.acts()).toBe(false)
    await pass(60_000)
    expect([first.acts(), second.acts()]).toEqual([false, true])
  })

  test.each([-3_600_000, 3_600_000])('clocks that are %d ms apart change nothing', async (skewMs) => {
    const { member, pass } = cluster(5)
    const first = member('a')
    const second = member('b', skewMs)
    await pass(600_000)
    expect([...first.begun, ...second.begun]).toHaveLength(1)
    expect(Number(first.acts()) + Number(second.acts())).toBe(1)
  })

  test('a lease counts from when its renewal was sent, however late the answer comes', async () => {
    const { member, pass, answersLate } = cluster(7)
    const first = member('a')
    await pass(20_000)
    const sentAtMs = answersLate(4000)
    while (sentAtMs() === undefined) await pass(10)
    await pass(4500)
    expect(first.acts()).toBe(true)
    // Two thirds of the lease from the sending are over; from the answer they would not be.
    await pass(leaseMs * (2 / 3) - 4500 + 50)
    expect(first.acts()).toBe(false)
  })

  test('while the table does not answer nobody acts; afterwards the same one goes on', async () => {
    const { member, pass, tableIsDown } = cluster(6)
    const first = member('a')
    await pass(20_000)
    const second = member('b')
    await pass(5000)
    tableIsDown(true)
    await pass(60_000)
    expect([first.acts(), second.acts()]).toEqual([false, false])
    tableIsDown(false)
    await pass(20_000)
    expect(Number(first.acts()) + Number(second.acts())).toBe(1)
  })

  test('whatever is lost, late, killed and put to sleep: never do two act at the same moment', async () => {
    let terms = 0
    for (let seed = 1; seed <= 60; seed += 1) {
      const { member, pass, random } = cluster(seed * 7919, random0(seed))
      const members = [member('a1', 5000), member('b1'), member('c1', -60_000)]
      for (let step = 0; step < 120; step += 1) {
        const one = random.pick(members)
        if (random.once(12)) one.process.pause()
        if (random.once(6)) one.process.wake()
        if (random.once(25)) {
          one.process.kill()
          members.push(member(`d${step}`))
        }
        if (random.once(25)) void one.stop()
        await pass(tail(random, 10, 8000))
        expect(members.filter((each) => each.acts()).length, `seed ${seed}, step ${step}`).toBeLessThan(2)
      }
      terms += members.flatMap(({ begun }) => begun).length
    }
    expect(terms).toBeGreaterThan(120)
  })
})

const random0 = (seed: number): number => [0, 0.05, 0.2, 0.4][seed % 4] ?? 0
