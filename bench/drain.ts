import { parseArgs } from 'node:util'
import { heapUsed, leaderMemoryPerJob } from './drain-memory.ts'
import { goalsOf, type Measured, tableOf } from './drain-table.ts'
import { createTally } from './drain-tally.ts'
import { createDrainWorld, type DrainWorld, startOfTimeMs } from './drain-world.ts'

/**
 * How fast a backlog drains: the real controller on a virtual clock, against models of AWS with the request quotas of the
 * real one. Exit code 1 when a goal is missed. The same seed gives the same run.
 */
const usage = `npm run bench:drain -- [--jobs 10000] [--put] [--queues 1] [--seed 1]
  --put       records are put straight into the table, instead of messages into the queue
  --queues N  the jobs are spread over so many queues
`
// Traces of errors cost more than all else, and nobody reads them here.
Error.stackTraceLimit = 0

const workMs = 30_000
const idleMs = 5000
const sampleEveryMs = 500
const heapEveryMs = 60_000
const trackedJobs = 10_000

const print = (text: string): void => void process.stdout.write(`${text}\n`)

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '10000' },
    put: { type: 'boolean', default: false },
    queues: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
  },
})

async function drain(jobs: number, queueCount: number, seed: number): Promise<Measured> {
  const startedMs = performance.now()
  const queues = queueCount === 1 ? [] : Array.from({ length: queueCount }, (_, index) => `q${index}`)
  let zeroMs = startOfTimeMs
  const tally = createTally(
    () => world.scheduler.nowMs() - zeroMs,
    (arn) => world.ecs.task(arn)?.lastStatus,
  )
  const world: DrainWorld = createDrainWorld({ seed, queues, workMs }, tally)
  const { scheduler } = world
  const leader = await world.startController()
  // A leader that is at work: its first looks at everything are over.
  await scheduler.run(scheduler.nowMs() + idleMs)

  zeroMs = scheduler.nowMs()
  tally.reset()
  for (let index = 0; index < jobs; index += 1) {
    const jobId = `job-${String(index).padStart(6, '0')}`
    tally.stages.reached(jobId, 'submitted')
    world.submit(jobId, queues[index % queueCount], values.put ? 'put' : 'message')
  }
  const peaks = { live: 0, lagMs: 0, ready: 0, lagAtMs: 0, heapBytes: 0, heapLive: 0 }
  const sample = (): void => {
    const { limits, workqueue } = leader.status()
    peaks.live = Math.max(peaks.live, limits.running)
    peaks.ready = Math.max(peaks.ready, workqueue.ready)
    if (workqueue.lagMs > peaks.lagMs)
      Object.assign(peaks, { lagMs: workqueue.lagMs, lagAtMs: scheduler.nowMs() - zeroMs })
    scheduler.after(sampleEveryMs, sample)
  }
  const weigh = (): void => {
    const { running } = leader.status().limits
    if (running > peaks.heapLive) Object.assign(peaks, { heapBytes: heapUsed(), heapLive: running })
    scheduler.after(heapEveryMs, weigh)
  }
  scheduler.after(sampleEveryMs, sample)
  scheduler.after(heapEveryMs, weigh)
  // Far more than it should take: what is not done by then never will be.
  await scheduler.run(zeroMs + 600_000 + jobs * 200, () => tally.finished() >= jobs)

  return {
    jobs,
    queues: queueCount,
    way: values.put ? 'put' : 'message',
    tally,
    records: [...world.records()],
    throttles: world.ecs.throttles,
    lostMessages: world.lostMessages(),
    peaks,
    timers: scheduler.fired(),
    wallMs: performance.now() - startedMs,
    leaderMemory: await leaderMemoryPerJob(trackedJobs),
  }
}

const [jobs, queueCount, seed] = [values.jobs, values.queues, values.seed].map(Number)
const isWhole = (value: number | undefined): value is number => Number.isInteger(value) && Number(value) > 0
if (!isWhole(jobs) || jobs <= 100 || !isWhole(queueCount) || !isWhole(seed)) {
  print(usage)
  process.exit(64)
}
const measured = await drain(jobs, queueCount, seed)
print(tableOf(measured))
const missed = goalsOf(measured).filter(({ isMet }) => !isMet)
process.exit(missed.length === 0 ? 0 : 1)
