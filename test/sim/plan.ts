import { makeUid } from '../../schemas/ids.ts'
import type { Random } from '../support/random.ts'
import { type Faults, hourLong } from './faults.ts'

/** What a run is like, drawn from its seed before it begins. */
export type Plan = {
  /** What users ask for, children of pipelines not counted. */
  jobs: number
  /** So many of them are pipelines. */
  pipelines: number
  controllers: 1 | 2
  /** No election: all controllers lead at the same time. */
  twoLeaders: boolean
  /** How long faults go on. */
  faultsMs: number
  graceS: number
  leaseS: number
  pollS: number
  resyncS: number
  sweepMs: number
  maxRunning: number
  maxVcpu: number
  queues: Record<string, { maxRunning?: number; maxVcpu?: number }>
  latency: { lowMs: number; highMs: number }
  times: {
    submittedMs: number
    dueMs: number
    admitMs: number
    publishMs: number
    listPassMs: number
    housekeepingMs?: number
  }
}

const minuteMs = 60_000

/** Faults that last for an hour need a run that is longer than that. */
const isLong = (faults: Faults): boolean => [...hourLong].some(faults.has)

/** Coarse times in most runs, because a virtual hour of looking every 200 ms costs more than all else; the real ones in some. */
export function drawPlan(random: Random, faults: Faults, pipelines: number): Plan {
  const coarse = random.below(200) > 0
  const twoLeaders = faults.has('twoLeaders') && random.once(2)
  if (twoLeaders) faults.note('twoLeaders')
  const isLongRun = isLong(faults) || random.once(60)
  const jobs = 5 + random.below(2)
  return {
    // Each pipeline brings three or four jobs of its own.
    jobs: pipelines > 0 ? 5 : jobs,
    pipelines,
    twoLeaders,
    controllers: random.once(3) && !twoLeaders ? 1 : 2,
    faultsMs: isLongRun ? random.pick([66, 75, 90]) * minuteMs : random.pick([2, 4, 6, 9]) * minuteMs,
    graceS: random.pick([60, 120, 360]),
    leaseS: random.pick([18, 36, 60]),
    pollS: random.pick([12, 40]),
    resyncS: random.pick([50, 100]),
    sweepMs: 5 * minuteMs,
    maxRunning: random.pick([3, 5, 100]),
    maxVcpu: random.pick([2, 4, 100]),
    queues: random.once(2) ? { batch: { maxRunning: 2 } } : { batch: {}, small: { maxVcpu: 1 } },
    latency: random.pick([
      { lowMs: 0, highMs: 20 },
      { lowMs: 0, highMs: 200 },
      { lowMs: 1, highMs: 3000 },
    ]),
    times: coarse
      ? {
          submittedMs: 30_000,
          dueMs: 25_000,
          admitMs: 40_000,
          publishMs: 300_000,
          listPassMs: 30_000,
          housekeepingMs: 110_000,
        }
      : { submittedMs: 200, dueMs: 500, admitMs: 1000, publishMs: 5000, listPassMs: 1000 },
  }
}

/** A third of all runs have pipelines: one, or now and then two. */
export const drawPipelines = (random: Random): number => (random.once(3) ? (random.once(5) ? 2 : 1) : 0)

export type JobWish = {
  jobId: string
  kind: 'transcode' | 'container' | 'subtitles' | 'analyze'
  spec: Record<string, unknown>
}

/** What a user asks for: small limits, so that a run comes to an end. */
export function drawJob(random: Random, index: number, plan: Plan, faults: Faults): JobWish {
  const kind = random.below(3) === 0 ? 'container' : 'transcode'
  const jobId = `job-${index}`
  const capacity = random.pick(['on-demand', 'on-demand', 'spot', 'spot-then-on-demand'])
  const memory = random.pick([512, 1024])
  return {
    jobId,
    kind,
    spec: {
      ...(kind === 'transcode'
        ? { input: { bucket: 'uploads', key: `in/${jobId}.mp4`, ...(random.once(2) ? { etag: 'e1' } : {}) } }
        : { params: { taskDefinition: 'shell' } }),
      queue: random.pick(['default', ...Object.keys(plan.queues)]),
      priority: random.below(10),
      resources: { cpu: 256, memory, capacity },
      limits: {
        attempts: 1 + random.below(3),
        infrastructureAttempts: random.below(5),
        startTimeout: random.pick([30, 120, 600]),
        attemptTimeout: random.pick([30, 120, 600]),
        deadline: isLong(faults) ? 10_000 : random.pick([300, 1200, 4000, 10_000]),
        heartbeatTimeout: random.pick([30, 60, 120]),
        backoff: { initial: random.pick([0, 1, 10]), max: random.pick([10, 60]) },
        maxMemory: random.pick([1024, 2048, 4096]),
      },
      ...(random.once(4) ? { failurePolicy: [drawRule(random)] } : {}),
      ...(random.once(8) ? { suspend: true } : {}),
      ...(kind === 'transcode' && random.once(4) ? { afterSuccess: 'delete' } : {}),
    },
  }
}

/** A pipeline that a user asks for. The limits are those of each of its children; the deadline is its own, too. */
export function drawPipeline(random: Random, index: number, plan: Plan, faults: Faults): JobWish {
  const jobId = `job-${index}`
  const ttlAfterFinished = random.pick([undefined, 0, 60])
  return {
    jobId,
    kind: random.once(3) ? 'analyze' : 'subtitles',
    spec: {
      input: { bucket: 'uploads', key: `in/${jobId}.mp4`, ...(random.once(2) ? { etag: 'e1' } : {}) },
      params: { engine: 'container', transcriber: { taskDefinition: 'shell' } },
      queue: random.pick(['default', ...Object.keys(plan.queues)]),
      priority: random.below(10),
      limits: {
        attempts: 1 + random.below(3),
        infrastructureAttempts: 1 + random.below(5),
        startTimeout: random.pick([120, 600]),
        attemptTimeout: random.pick([120, 600]),
        deadline: isLong(faults) ? 10_000 : random.pick([300, 1200, 4000, 10_000]),
        heartbeatTimeout: random.pick([30, 60, 120]),
        backoff: { initial: random.pick([0, 1, 10]), max: random.pick([10, 60]) },
      },
      ...(random.once(4) ? { resources: { capacity: 'spot-then-on-demand' } } : {}),
      ...(random.once(8) ? { failurePolicy: [drawRule(random)] } : {}),
      ...(random.once(8) ? { suspend: true } : {}),
      ...(random.once(3) ? { afterSuccess: 'delete' } : {}),
      ...(ttlAfterFinished === undefined ? {} : { ttlAfterFinished }),
    },
  }
}

const drawRule = (random: Random): Record<string, unknown> => ({
  ...random.pick([
    { exitCodes: [65, 75, 1] },
    { stopCodes: ['EssentialContainerExited', 'SpotInterruption'] },
    { reason: '*capacity*' },
    { reason: '*' },
  ]),
  action: random.pick(['retry', 'fail', 'ignore']),
})

/** A uid that fits no record of the run. */
export const strangerUid = makeUid('somebody-else', 'aaaaaaaaaaaa')
