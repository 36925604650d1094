import { setTimeout as sleep } from 'node:timers/promises'
import type { Verdict } from '../support/proxy.ts'
import { createRandom } from '../support/random.ts'
import { doTo, trueTasks } from './tasks.ts'
import type { World } from './world.ts'

/** Everything that goes wrong by itself, counted. */
export type Weather = {
  /** What the network does to a call, now and then. */
  noise(): Verdict
  /** How often what struck. */
  counts(): Record<string, number>
  /** No more faults of any kind. */
  heal(): Promise<void>
}

type EcsFault = { kind: string; count?: number } & Record<string, unknown>

const api = ['RunTask', 'DescribeTasks', 'ListTasks', 'StopTask'] as const

/** Faults of the local ECS; nothing stays hidden or stale for longer than the grace of the controllers allows for. */
const ecsFaults: readonly ((action: string) => EcsFault)[] = [
  (action: string) => ({ kind: 'throttle', action, count: 2 }),
  (action: string) => ({ kind: 'error', action, when: 'before' }),
  (action: string) => ({ kind: 'error', action, when: 'after' }),
  (action: string) => ({ kind: 'drop', action, when: 'after' }),
  (action: string) => ({ kind: 'drop', action, when: 'before', hangMs: 500 }),
  (action: string) => ({ kind: 'delay', action, delayMs: 1500 }),
  () => ({ kind: 'capacity' }),
  () => ({ kind: 'capacity', market: 'spot' }),
  () => ({ kind: 'capacity', runs: true }),
  () => ({ kind: 'hidden', durationMs: 2000 }),
  () => ({ kind: 'launchLatency', delayMs: 1000 }),
  () => ({ kind: 'startFailure' }),
  () => ({ kind: 'startFailure', state: 'PROVISIONING', stopCode: 'SpotInterruption' }),
  () => ({ kind: 'staleList', ageMs: 1000 }),
  () => ({ kind: 'dropEvent', count: 4 }),
  () => ({ kind: 'duplicateEvent', count: 4 }),
  () => ({ kind: 'delayEvent', count: 3, delayMs: 3000 }),
]

/** What becomes of running tasks. */
const mishaps = [
  { verb: 'interrupt', name: 'Spot reclaim' },
  { verb: 'interrupt', name: 'Spot reclaim' },
  { verb: 'kill', name: 'SIGTERM from nowhere', body: { signal: 'SIGTERM' } },
  { verb: 'stop', name: 'host lost' },
  { verb: 'oom', name: 'out of memory' },
] as const

/** One of so many calls is refused, or acts and loses its answer. */
const noiseOnceIn = 150

export function startWeather({ aws, s3Faults }: World, seed: number): Weather {
  const random = createRandom(seed)
  const noiseRandom = createRandom(seed + 1)
  const healing = new AbortController()
  const counts: Record<string, number> = {}
  const count = (name: string, by = 1): void => {
    counts[name] = (counts[name] ?? 0) + by
  }
  let isNoisy = true

  const standing = async (): Promise<EcsFault[]> =>
    ((await aws.control('GET', '/ecs/faults')) as { faults: EcsFault[] }).faults

  const ecsFault = async (): Promise<void> => {
    const fault = random.pick(ecsFaults)(random.pick(api))
    // One that has met nobody yet stands for its whole kind: else they would pile up before the next launch.
    if ((await standing()).some(({ kind }) => kind === fault.kind)) return
    await aws.control('POST', '/ecs/faults', fault)
    count(`ECS ${fault.kind}`, fault.count)
  }

  const s3Fault = (): void => {
    switch (random.below(4)) {
      case 0:
        s3Faults.slowDowns += 3
        count('S3 SlowDown', 3)
        return
      case 1:
        s3Faults.conditionalConflicts += 1
        count('S3 conflict')
        return
      case 2:
        s3Faults.eventCopies = s3Faults.eventCopies === 1 ? 2 : 1
        count('S3 events doubled or not')
        return
      default: {
        const delayMs = random.below(2000)
        s3Faults.eventDelayMs = () => delayMs
        count('S3 events late')
      }
    }
  }

  const mishap = async (): Promise<void> => {
    const { verb, name, ...more } = random.pick(mishaps)
    const candidates = (await trueTasks(aws)).filter(
      ({ lastStatus, isSpot }) => lastStatus === 'RUNNING' && (isSpot || verb !== 'interrupt'),
    )
    if (candidates.length === 0) return
    const { taskId } = random.pick(candidates)
    if (await doTo(aws, taskId, verb, 'body' in more ? more.body : {})) count(name)
  }

  const blow = async (): Promise<void> => {
    while (!healing.signal.aborted) {
      await sleep(400 + random.below(900), undefined, { signal: healing.signal }).catch(() => undefined)
      if (healing.signal.aborted) return
      const which = random.below(10)
      if (which < 6) await ecsFault()
      else if (which < 8) s3Fault()
      else await mishap()
    }
  }
  const blown = blow()

  return {
    noise() {
      if (!isNoisy || !noiseRandom.once(noiseOnceIn)) return 'pass'
      const verdict = noiseRandom.once(2) ? 'refuse' : 'breakAnswer'
      count(verdict === 'refuse' ? 'call refused on the line' : 'answer lost on the line')
      return verdict
    },
    counts: () => counts,
    async heal() {
      healing.abort()
      isNoisy = false
      await blown
      for (const { kind, count: left = 0 } of await standing()) count(`ECS ${kind}`, -left)
      await aws.control('DELETE', '/ecs/faults')
      Object.assign(s3Faults, {
        eventCopies: 1,
        eventDelayMs: () => 0,
        slowDowns: 0,
        conditionalConflicts: 0,
      })
    },
  }
}
