import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestAws } from '../support/local-aws.ts'
import type { Random } from '../support/random.ts'
import { until } from '../support/wait.ts'
import type { Fleet, Member } from './fleet.ts'
import { shuffled, type Wanted } from './jobs.ts'
import { doTo, trueTasks } from './tasks.ts'
import type { Trap } from './traps.ts'
import { type Window, windows } from './windows.ts'

/** One thing that is done on purpose, and the sort of job that it takes. */
export type Step = { name: string; kills: number; needs?: (job: Wanted) => boolean } & (
  | { do: 'window'; window: Window }
  | { do: 'leader' | 'successor' | 'standby' | 'both' | 'task' | 'encoder' | 'child' | 'pause' | 'handOver' }
)

const isFilm = ({ kind, ends }: Wanted): boolean => kind === 'transcode' && ends === 'Succeeded'

/** Kills at random times; dealt until there are as many as wanted. */
const atRandom: readonly Step[] = [
  { name: 'the leader', do: 'leader', kills: 1 },
  { name: 'a task', do: 'task', kills: 1 },
  { name: 'ffmpeg while it encodes', do: 'encoder', kills: 1, needs: isFilm },
  { name: 'the leader, and its successor as it begins', do: 'successor', kills: 2 },
  { name: 'the leader', do: 'leader', kills: 1 },
  { name: 'both controllers', do: 'both', kills: 2 },
  { name: 'any child of a worker', do: 'child', kills: 1, needs: isFilm },
  { name: 'a task', do: 'task', kills: 1 },
  { name: 'the standby', do: 'standby', kills: 1 },
]

/** Nobody is killed in these. */
const gentle: readonly Step[] = [
  { name: 'the leader sleeps through its lease', do: 'pause', kills: 0 },
  { name: 'hand-over', do: 'handOver', kills: 0 },
  { name: 'hand-over', do: 'handOver', kills: 0 },
  { name: 'hand-over', do: 'handOver', kills: 0 },
]

export function planSteps(kills: number, random: Random): Step[] {
  const steps: Step[] = windows.map((window) => ({
    ...{ name: window.name, do: 'window', window },
    ...{ kills: 1, needs: window.needs },
  }))
  for (let index = 0, left = kills - steps.length; left > 0; index += 1) {
    const step = atRandom[index % atRandom.length]
    if (step === undefined || step.kills > left) continue
    steps.push(step)
    left -= step.kills
  }
  return shuffled([...steps, ...gentle], random)
}

export type Killer = {
  /** Does one step. @throws when it cannot be done */
  perform(step: Step): Promise<void>
  /** SIGKILLs so far, by victim. */
  counts: { controllers: number; tasks: number; children: number }
  /** How often each window was hit. */
  hits: ReadonlyMap<string, number>
}

const windowTimeoutMs = 60_000

export function createKiller(aws: TestAws, fleet: Fleet, trap: Trap, random: Random): Killer {
  const counts: Killer['counts'] = { controllers: 0, tasks: 0, children: 0 }
  const hits = new Map<string, number>()

  const kill = (member: Member): void => {
    fleet.kill(member)
    counts.controllers += 1
  }

  const throughWindow = async (window: Window): Promise<void> => {
    const { struck, remove } = trap.set(window)
    const timeout = new AbortController()
    const tooLong = sleep(windowTimeoutMs, undefined, { signal: timeout.signal }).then(() => {
      remove()
      throw new Error(`The window "${window.name}" did not open within ${windowTimeoutMs} ms`)
    })
    try {
      await Promise.race([struck, tooLong])
    } finally {
      timeout.abort()
      tooLong.catch(() => undefined)
    }
    if (window.caller === 'worker' && window.victim === 'caller') counts.tasks += 1
    else counts.controllers += 1
    hits.set(window.name, (hits.get(window.name) ?? 0) + 1)
  }

  /** Tells whether there was anybody to kill. */
  const killTask = async (): Promise<boolean> => {
    const running = (await trueTasks(aws)).filter(({ group }) => group !== undefined)
    if (running.length === 0 || !(await doTo(aws, random.pick(running).taskId, 'kill'))) return false
    counts.tasks += 1
    return true
  }

  /** Tells whether a worker had a child, which is its ffmpeg or ffprobe. */
  const killChild = async (isMeant: RegExp): Promise<boolean> => {
    const groups = (await trueTasks(aws)).flatMap(({ group }) => group ?? [])
    const children = groups.flatMap((group) => mediaChildrenOf(group, isMeant))
    if (children.length === 0) return false
    process.kill(random.pick(children), 'SIGKILL')
    counts.children += 1
    return true
  }

  const untilDone = (what: string, work: () => Promise<boolean>): Promise<boolean> =>
    until(`${what} to kill`, work, windowTimeoutMs)

  const standby = async (): Promise<Member> => {
    const other = fleet.other(await fleet.leader())
    await until('a standby', () => !other.isDead && other.process.url(), windowTimeoutMs)
    return other
  }

  const perform = async (step: Step): Promise<void> => {
    switch (step.do) {
      case 'window':
        return throughWindow(step.window)
      case 'leader':
        await sleep(random.below(2000))
        return kill(await fleet.leader())
      case 'successor':
        kill(await fleet.leader())
        return kill(await until('a successor', () => fleet.leaderNow(), windowTimeoutMs))
      case 'standby':
        return kill(await standby())
      case 'both': {
        const other = await standby()
        const leader = fleet.other(other)
        kill(other)
        return kill(leader)
      }
      case 'task':
        await sleep(random.below(1000))
        await untilDone('a task', killTask)
        return
      case 'child':
        await untilDone('a child of a worker', () => killChild(/ff(mpeg|probe)/))
        return
      case 'encoder':
        await untilDone('an ffmpeg at work', () => killChild(/ffmpeg.*libx264/))
        return
      case 'pause':
        await fleet.pause(await fleet.leader())
        return
      case 'handOver': {
        const next = await standby()
        // Long enough for its first look at the lease.
        await sleep(1000)
        return fleet.handOver(fleet.other(next))
      }
      default:
        throw step satisfies never
    }
  }
  return { perform, counts, hits }
}

/** Processes in a worker's group besides the worker itself: what it has started. */
function mediaChildrenOf(group: number, isMeant: RegExp): number[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name)
    if (!Number.isInteger(pid) || pid === group) return []
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      const [state, , inGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (Number(inGroup) !== group || state === 'Z') return []
      return isMeant.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1')) ? [pid] : []
    } catch {
      return []
    }
  })
}
