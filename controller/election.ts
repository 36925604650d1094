import type { Lease } from '../schemas/lease.ts'
import type { Clock } from './clock.ts'
import type { Logger } from './log.ts'
import type { LeaseStore } from './store/lease.ts'

/** The time during which one process leads. */
export type Term = {
  number: number
  /** False once the lease may have run out: to be asked right before anything is sent. */
  mayAct(): boolean
}

/** What a leader does; it ends with its term. */
export type Leading = { stop(): Promise<void> }

export type ElectionPorts = {
  store: LeaseStore
  /** Unique to this process, so that nobody renews the lease of its predecessor. */
  id: string
  leaseMs: number
  /** How often a standby looks. Default 300 ms: a lease that is handed over is taken within a second. */
  lookEveryMs?: number
  clock: Clock
  log: Logger
  /** Begins the work of a leader. When it fails, the lease is given back. */
  lead: (term: Term) => Promise<Leading>
}

export type Election = {
  /** Resolves once it is known who leads, and, if it is this process, that it has begun. */
  settled: Promise<void>
  /** Ends the work of a leader, hands the lease over, and resolves when all is done. */
  stop(): Promise<void>
}

/** What is under way when the lease is handed over may take this long; what is left then is harmless. */
const handOverMs = 500
/** So that the trouble of this process does not keep others from leading. */
const standAsideMs = 3000
const afterFailureMs = 1000

type Held = { lease: Lease; actUntilMs: number; begun: Promise<Leading | undefined> }

/**
 * One of all controllers leads. No two clocks are ever compared: a standby takes the lease when its version did not change
 * for a whole lease time on the standby's own monotonic clock, and the leader stops acting after two thirds of that time,
 * counted on its own from when it sent the last renewal. A process that sleeps through its term finds out before it sends.
 */
export function createElection(ports: ElectionPorts): Election {
  const { store, id, leaseMs, lookEveryMs = 300, clock, log } = ports
  const stopping = new AbortController()
  const ends: Promise<void>[] = []
  let held: Held | undefined
  let followed: string | undefined
  let unchanged: { state: string; sinceMs: number } | undefined
  let standsAsideUntilMs = 0
  let settle: () => void = () => undefined
  const settled = new Promise<void>((resolve) => {
    settle = resolve
  })

  const actUntil = (sentMs: number): number => sentMs + (leaseMs * 2) / 3

  /** One look of a standby. */
  async function look(): Promise<void> {
    const read = await store.read()
    const nowMs = clock.monotonicMs()
    const state = JSON.stringify(read)
    if (unchanged?.state !== state) unchanged = { state, sinceMs: nowMs }
    const { lease } = read
    // Our own, though we do not lead: the reply to taking it was lost.
    const isFree = read.version === undefined || (lease && [undefined, id].includes(lease.holder))
    const patienceMs = Math.max(leaseMs, lease?.leaseMs ?? 0)
    const isAside = nowMs < standsAsideUntilMs
    if (isAside || (!isFree && nowMs - unchanged.sinceMs < patienceMs)) {
      if (unchanged.sinceMs === nowMs) standsBy(lease, patienceMs)
      settle()
      return
    }
    const taken = await store.take(read, id, leaseMs)
    unchanged = undefined
    if (taken) begin(taken, actUntil(nowMs))
  }

  /** Said once for every holder, so that somebody who restarts a killed controller knows what it waits for. */
  function standsBy(lease: Lease | undefined, patienceMs: number): void {
    if (lease?.holder === followed) return
    followed = lease?.holder
    log.info(
      { holder: lease?.holder, term: lease?.term },
      `stands by: ${lease?.holder ?? 'somebody'} leads; leads itself after ${patienceMs / 1000} s without a sign of it`,
    )
  }

  function begin(lease: Lease, actUntilMs: number): void {
    const term: Term = {
      number: lease.term,
      mayAct: () => held?.lease.term === lease.term && clock.monotonicMs() < held.actUntilMs,
    }
    log.info({ term: lease.term }, `leads, term ${lease.term}`)
    const begun = beginToLead(term)
    held = { lease, actUntilMs, begun }
    void begun.then(async (leading) => {
      settle()
      if (leading === undefined && held?.lease.term === lease.term) await giveBack()
    })
  }

  async function beginToLead(term: Term): Promise<Leading | undefined> {
    // Only once the caller has noted that the lease is held.
    await undefined
    try {
      return await ports.lead(term)
    } catch (error) {
      log.error({ err: error, term: term.number }, 'could not begin to lead; gives the lease back')
      return undefined
    }
  }

  /** So that the trouble of this process does not keep others from leading. */
  async function giveBack(): Promise<void> {
    const lease = held?.lease
    held = undefined
    unchanged = undefined
    standsAsideUntilMs = clock.monotonicMs() + standAsideMs
    if (lease) await store.release(lease).catch(() => false)
  }

  async function renew(mine: Held): Promise<void> {
    const sentMs = clock.monotonicMs()
    // Counted up before the reply: whatever becomes of this request, the next one writes a version nobody has seen.
    mine.lease = { ...mine.lease, version: mine.lease.version + 1 }
    // An answer that comes after we stopped waiting for it still counts from when the request was sent.
    const renewed = store.renew(mine.lease).then((isOurs) => {
      if (isOurs) mine.actUntilMs = Math.max(mine.actUntilMs, actUntil(sentMs))
      else lose(mine)
      return true
    })
    if (!(await within(renewed, leaseMs / 5, clock))) throw new Error('The lease was not renewed in time')
  }

  function lose(mine: Held): void {
    if (held !== mine) return
    log.warn({ term: mine.lease.term }, 'another controller leads; this one stands by')
    held = undefined
    ends.push(end(mine))
  }

  async function end(mine: Held): Promise<void> {
    const leading = await mine.begun
    await leading?.stop()
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const mine = held
      try {
        await (mine ? renew(mine) : look())
        await clock.sleep(held ? leaseMs / 4 : lookEveryMs, stopping.signal)
      } catch (error) {
        log.warn({ err: error }, 'the lease cannot be reached; will be tried again')
        settle()
        await clock.sleep(held ? leaseMs / 10 : afterFailureMs, stopping.signal)
      }
    }
  }
  const running = run()

  return {
    settled,
    async stop() {
      stopping.abort()
      await running
      const mine = held
      if (mine) {
        const ended = end(mine)
        await Promise.race([ended, clock.sleep(handOverMs)])
        await giveBack()
        await ended
      }
      await Promise.all(ends)
    },
  }
}

/** The result, or undefined when it takes longer: a connection that hangs must not cost the lease. */
function within<T>(work: Promise<T>, ms: number, clock: Clock): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => resolve(undefined))
    work.finally(cancel).then(resolve, reject)
  })
}
