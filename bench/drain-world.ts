import { createElection } from '../controller/election.ts'
import type { Logger } from '../controller/log.ts'
import { createMetrics } from '../controller/metrics.ts'
import type { Dynamo } from '../controller/store/jobs.ts'
import { createLeaseStore } from '../controller/store/lease.ts'
import { type Leader, lead, type TermClients } from '../controller/term.ts'
import type { Configuration } from '../schemas/configuration.ts'
import { readConfiguration } from '../schemas/read-configuration.ts'
import { logStreamPrefix, resourceNames } from '../schemas/resources.ts'
import { createDynamoModel } from '../test/sim/aws/dynamo.ts'
import { createEcsModel } from '../test/sim/aws/ecs.ts'
import type { LaunchFate, ModelTask } from '../test/sim/aws/ports.ts'
import { createS3Model } from '../test/sim/aws/s3.ts'
import { createSqsModel, modelQueueUrl } from '../test/sim/aws/sqs.ts'
import { connect, connectSqs, tail, type Wire } from '../test/sim/network.ts'
import { createScheduler, type SimProcess } from '../test/sim/scheduler.ts'
import { createRandom, type Random } from '../test/support/random.ts'
import type { Tally } from './drain-tally.ts'
import { startDrainWorker } from './drain-worker.ts'

export const startOfTimeMs = Date.parse('2026-11-22T10:00:00.000Z')
const names = resourceNames()
const sweepEveryMs = 5 * 60_000

/** Milliseconds, from the least to the most that is drawn. */
const times = {
  /** One way of one call: 5 to 40 ms there and back. */
  wire: [2.5, 20],
  /** Until an index shows a write. */
  indexLag: [5, 500],
  /** From a change of a task to its event in the queue. */
  event: [10, 1500],
  /** From RunTask to RUNNING. */
  start: [20_000, 28_000],
} as const

export type DrainWorld = ReturnType<typeof createDrainWorld>

export type DrainOptions = { seed: number; queues: readonly string[]; workMs: number }

/**
 * The real controller as one leader with the times of production, and the models of AWS with the buckets of the real one
 * and without any fault, on a virtual clock. Whatever is called is counted by `tally`.
 */
export function createDrainWorld({ seed, queues, workMs }: DrainOptions, tally: Tally) {
  const randomFor = (purpose: number): Random => createRandom((seed * 2_654_435_761 + purpose * 40_503) >>> 0)
  const random = randomFor(1)
  const scheduler = createScheduler(startOfTimeMs)
  const ports = { time: scheduler, random: randomFor(2) }
  const between = ([low, high]: readonly [number, number]): number => low + (high - low) * random.next()

  const dynamo = createDynamoModel(ports, {
    indexLagMs: () => tail(random, ...times.indexLag),
    readLagMs: () => 0,
  })
  const sqs = createSqsModel(ports, { redeliver: () => false, shuffle: false })
  const s3 = createS3Model(ports)
  const ecs = createEcsModel(
    ports,
    {
      fateOf: () => smoothStart(between(times.start)),
      onRunning,
      onTerminate: () => undefined,
      onKilled: () => undefined,
      onEvent(detail) {
        const body = JSON.stringify({ 'detail-type': 'ECS Task State Change', detail })
        scheduler.after(tail(random, ...times.event), () =>
          sqs.deliver(modelQueueUrl(names.taskEventsQueue), body),
        )
      },
    },
    {
      cluster: names.cluster,
      definitions: [
        {
          family: names.workerFamily,
          revision: 1,
          containers: [{ name: 'worker', stopTimeoutS: 120 }],
          logPrefix: logStreamPrefix,
        },
      ],
      vcpuQuota: { onDemand: Number.POSITIVE_INFINITY, spot: Number.POSITIVE_INFINITY },
      forgetAfterMs: 60 * 60_000,
      buckets: 'real',
    },
  )
  const wire: Wire = {
    time: scheduler,
    latencyMs: () => between(times.wire),
    fateOf: () => ({ is: 'normal' }),
    effect: (call, run) => tally.call(call, run),
    onRefused: () => undefined,
  }
  dynamo.onWrite(({ table, before, after }) => {
    if (table === names.jobsTable) tally.wrote(before, after)
  })

  function onRunning(task: ModelTask): void {
    tally.running(task)
    const process = scheduler.spawn('worker', 0)
    startDrainWorker(task, workMs, {
      process,
      send: connect(process, 'dynamo', dynamo, wire),
      random,
      exit: (code) => ecs.exit(task.arn, code),
    })
  }

  /** @returns the leader, once its term has begun */
  async function startController(): Promise<Leader> {
    const process = scheduler.spawn('controller', 0)
    const sends = {
      dynamo: connect(process, 'dynamo', dynamo, wire),
      sqs: connectSqs(process, sqs, wire),
      ecs: connect(process, 'ecs', ecs, wire),
      s3: connect(process, 's3', s3, wire),
    }
    const configuration = configurationOf(queues)
    const log = quietLog(tally)
    const idRandom = randomFor(3)
    let leader: Leader | undefined
    createElection({
      store: createLeaseStore({ send: sends.dynamo } as unknown as Dynamo, names.controlTable),
      id: 'controller',
      leaseMs: configuration.LEASE_S * 1000,
      clock: process.clock,
      log,
      async lead(term) {
        leader = await lead(term, {
          configuration,
          log,
          metrics: createMetrics(),
          clock: process.clock,
          randomId: () => Array.from({ length: 20 }, () => idRandom.below(36).toString(36)).join(''),
          id: 'controller',
          urls: {
            jobs: modelQueueUrl(names.jobsQueue),
            jobsDlq: modelQueueUrl(names.jobsDlq),
            taskEvents: modelQueueUrl(names.taskEventsQueue),
          },
          clientsOf: () => ({ ...clientsFrom(sends), destroy: () => undefined }) as TermClients,
          // The daily scan does not fall into a run.
          calendar: (expression, work) =>
            expression === configuration.SWEEP_CRON ? every(process, sweepEveryMs, work) : () => undefined,
        })
        return leader
      },
    })
    await scheduler.run(startOfTimeMs + 60_000, () => leader !== undefined)
    if (leader === undefined) throw new Error('Nobody leads after a minute')
    return leader
  }

  return {
    scheduler,
    dynamo,
    ecs,
    startController,
    /** Asks for one job, in the way of a queue or straight into the table. */
    submit(jobId: string, queue: string | undefined, way: 'message' | 'put'): void {
      const key = `transcode/${jobId}.mp4`
      s3.put(names.uploadsBucket, key, 'video')
      const spec = { input: { bucket: names.uploadsBucket, key }, ...(queue === undefined ? {} : { queue }) }
      const request = { jobId, kind: 'transcode', spec }
      if (way === 'message') sqs.deliver(modelQueueUrl(names.jobsQueue), JSON.stringify(request))
      else {
        const createdAt = new Date(scheduler.nowMs()).toISOString()
        dynamo.put(names.jobsTable, { ...request, phase: 'Submitted', createdAt })
      }
    },
    records: () => dynamo.items(names.jobsTable),
    lostMessages: (): number => sqs.messages(modelQueueUrl(names.jobsDlq)).length,
  }
}

const smoothStart = (startMs: number): LaunchFate => ({
  answer: 'task',
  hiddenTask: false,
  describedAfterMs: 0,
  listedAfterMs: 0,
  startMs,
  startFailure: undefined,
})

const clientsFrom = (sends: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(sends).map(([service, send]) => [service, { send }]))

/** Limits so high that only the rates of ECS count; all else as it is by default. */
function configurationOf(queues: readonly string[]): Configuration {
  const read = readConfiguration(
    {
      INSTALLATION: 'bench',
      MAX_RUNNING: '100000',
      MAX_VCPU: '100000',
      QUEUES: JSON.stringify(Object.fromEntries(queues.map((queue) => [queue, {}]))),
      SUBNETS: 'subnet-1,subnet-2',
    },
    {},
  )
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  return read.configuration
}

function every(process: SimProcess, ms: number, work: () => Promise<void>): () => void {
  let cancel = (): void => undefined
  const again = (): void => {
    cancel = process.clock.after(ms, () => void work().then(again))
  }
  again()
  return () => cancel()
}

/** Nobody reads a hundred thousand lines; warnings and errors are counted by what they say. */
function quietLog(tally: Tally): Logger {
  const note = (fields: { err?: Error; jobId?: string }, message = ''): void => {
    const what = fields.jobId === undefined ? message : message.replaceAll(fields.jobId, '<job>')
    tally.complaint(fields.err === undefined ? what : `${what} (${fields.err.name}: ${fields.err.message})`)
  }
  const nothing = (): void => undefined
  return { debug: nothing, info: nothing, warn: note, error: note } as unknown as Logger
}
