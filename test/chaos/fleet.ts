import { setTimeout as sleep } from 'node:timers/promises'
import { GetCommand } from '@aws-sdk/lib-dynamodb'
import { type Lease, leaseItemId, leaseSchema } from '../../schemas/lease.ts'
import { type ControllerProcess, spawnController } from '../support/controller.ts'
import type { TestAws } from '../support/local-aws.ts'
import { type Call, startProxy, type Verdict } from '../support/proxy.ts'
import type { Random } from '../support/random.ts'
import { until } from '../support/wait.ts'

/** One of the two places for a controller, and whoever stands in it now. */
export type Member = {
  name: string
  endpoint: string
  process: ControllerProcess
  /** Everybody who ever stood in it, oldest first. */
  past: ControllerProcess[]
  /** What it sends is lost from the moment it was killed. */
  isDead: boolean
}

/** How a controller stopped leading, or would have. */
export type Departure = {
  how: 'killed' | 'handed over' | 'paused'
  atMs: number
  process: ControllerProcess
  /** Whether the other one stood by. */
  standby: boolean
}

export type Fleet = {
  members: readonly Member[]
  departures: readonly Departure[]
  /** What a controller did that it must not do. */
  violations: readonly string[]
  /** Of the controllers that listen. */
  urls(): string[]
  lease(): Promise<Lease | undefined>
  /** The member that holds the lease; waits until there is one. */
  leader(): Promise<Member>
  /** The member that leads by its own log, as far as that is known at once. */
  leaderNow(): Member | undefined
  other(member: Member): Member
  /** SIGKILL now; another one takes its place a moment later. */
  kill(member: Member): void
  /** SIGTERM; resolves once it has ended and another one has taken its place. */
  handOver(member: Member): Promise<void>
  /** SIGSTOP until the other one leads, and some more; then it is woken. @returns the one that leads then */
  pause(member: Member): Promise<Member>
  /** Every process that ever was. */
  processes(): { name: string; process: ControllerProcess }[]
  /** Waits for places to be filled again. */
  settle(): Promise<void>
  /** SIGTERM to all, then SIGKILL to those that do not end. */
  close(): Promise<void>
}

const environment = {
  LEASE_S: '2',
  POLL_S: '1',
  RESYNC_S: '2',
  // More than anything is ever hidden here, as it has to be.
  VISIBILITY_GRACE_S: '3',
  MAX_RUNNING: '10',
  MAX_VCPU: '8',
  DEFAULT_KIND: 'none',
}

/** @param judge what the network does to a call of a member */
export async function startFleet(
  aws: TestAws,
  random: Random,
  judge: (call: Call, member: Member) => Verdict,
): Promise<Fleet> {
  const departures: Departure[] = []
  const violations: string[] = []
  const restarts = new Set<Promise<void>>()
  let isClosing = false
  const begin = (endpoint: string) => spawnController(aws, { endpoint, environment })

  const open = async (name: string) => {
    let member: Member | undefined
    const proxy = await startProxy(aws.endpoint, (call) => {
      if (member === undefined || member.isDead) return 'swallowCall'
      return judge(call, member)
    })
    const process = begin(proxy.endpoint)
    member = { name, endpoint: proxy.endpoint, process, past: [process], isDead: false }
    return { member, proxy }
  }
  const places = [await open('a'), await open('b')]
  const members = places.map(({ member }) => member)

  const lease = async (): Promise<Lease | undefined> => {
    const { Item: item } = await aws
      .clients()
      .documents.send(
        new GetCommand({ TableName: 'control', Key: { id: leaseItemId }, ConsistentRead: true }),
      )
    return leaseSchema.safeParse(item).data
  }

  const other = (member: Member): Member => members.find((one) => one !== member) ?? member

  /** By the log of each: whoever led last and did not say that it stopped. */
  const depart = (member: Member, how: Departure['how']): void => {
    const { process } = member
    const next = other(member)
    const atMs = Date.now()
    // One that has only just begun to listen has not looked at the lease yet.
    const listens = next.process.lines().find(({ url }) => url !== undefined)
    const standby = !next.isDead && Number(listens?.time) < atMs - 500
    if (isLeading(process)) departures.push({ how, atMs, process, standby })
  }

  const replace = (member: Member): void => {
    member.process = begin(member.endpoint)
    member.past.push(member.process)
    member.isDead = false
  }

  const replaceSoon = (member: Member): void => {
    const delayMs = 100 + random.below(1400)
    const restart = member.process.exited
      .then(() => sleep(delayMs))
      .then(() => {
        restarts.delete(restart)
        if (!isClosing) replace(member)
      })
    restarts.add(restart)
  }

  const leader = (): Promise<Member> =>
    until(
      'somebody to lead',
      async () => {
        const holder = (await lease())?.holder
        return members.find(
          ({ isDead, process }) => !isDead && holder?.includes(`-${process.pid}-`) && isWorking(process),
        )
      },
      60_000,
    )

  return {
    members,
    departures,
    violations,
    urls: () => members.flatMap(({ isDead, process }) => (isDead ? [] : (process.url() ?? []))),
    lease,
    leader,
    leaderNow: () => members.find(({ isDead, process }) => !isDead && isLeading(process)),
    other,

    kill(member) {
      if (member.isDead) return
      depart(member, 'killed')
      member.isDead = true
      void member.process.end('SIGKILL')
      replaceSoon(member)
    },

    async handOver(member) {
      depart(member, 'handed over')
      const beganMs = Date.now()
      const { code, signal } = await member.process.end('SIGTERM')
      if (code !== 0)
        violations.push(
          `After SIGTERM controller ${member.name}, pid ${member.process.pid}, ended with ${code ?? signal} after ${Date.now() - beganMs} ms`,
        )
      replace(member)
    },

    async pause(member) {
      depart(member, 'paused')
      member.process.signal('SIGSTOP')
      try {
        const next = other(member)
        await until('the other one to lead', () => !next.isDead && isWorking(next.process), 30_000)
        await sleep(1000)
        return next
      } finally {
        member.process.signal('SIGCONT')
      }
    },

    processes: () => members.flatMap(({ name, past }) => past.map((process) => ({ name, process }))),

    async settle() {
      while (restarts.size > 0) await Promise.all(restarts)
      await Promise.all(
        members.map((member) =>
          until(`controller ${member.name} to listen`, () => member.process.url(), 60_000),
        ),
      )
    },

    async close() {
      isClosing = true
      await Promise.all(restarts)
      const patience = members.map(async ({ process }) => {
        process.signal('SIGCONT')
        const killer = setTimeout(() => void process.end('SIGKILL'), 15_000)
        await process.end('SIGTERM')
        clearTimeout(killer)
      })
      await Promise.all(patience)
      await Promise.all(places.map(({ proxy }) => proxy.close()))
    },
  }
}

export type Term = { term: number; leadsMs: number; worksMs: number | undefined }

/** The terms of a process, by its own log. */
export function termsOf(process: ControllerProcess): Term[] {
  const lines = process.lines()
  return lines.flatMap((line) => {
    const term = Number(/^leads, term (\d+)/.exec(String(line.msg))?.[1])
    if (Number.isNaN(term)) return []
    const works = lines.find((other) => other.term === term && String(other.msg).includes('work begins'))
    return [{ term, leadsMs: Number(line.time), worksMs: works && Number(works.time) }]
  })
}

const last = (process: ControllerProcess, says: RegExp): number =>
  process.lines().findLastIndex(({ msg }) => says.test(String(msg)))

const isLeading = (process: ControllerProcess): boolean =>
  last(process, /^leads, term/) > last(process, /stands by|gives the lease back/)

const isWorking = (process: ControllerProcess): boolean =>
  isLeading(process) && last(process, /work begins/) > last(process, /^leads, term/)
