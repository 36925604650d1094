import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { schedule } from 'node-cron'
import { collectDefaultMetrics } from 'prom-client'
import type { Configuration } from '../schemas/configuration.ts'
import { pricesNote } from '../schemas/prices.ts'
import type { Status } from '../schemas/status.ts'
import { type Clients, createClients, type Service } from './clients.ts'
import { systemClock as clock } from './clock.ts'
import { createElection } from './election.ts'
import { writeEmf } from './emf-writer.ts'
import { close, listen } from './http/listen.ts'
import type { HttpPorts, Tokens } from './http/ports.ts'
import { createHttpServer } from './http/server.ts'
import { checkInfrastructure, type QueueUrls } from './infrastructure.ts'
import { sendMessage } from './intake/queue.ts'
import type { Logger } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { policyOf } from './policy.ts'
import { createLogReader } from './run/logs.ts'
import { type ControlStore, createControlStore } from './store/control.ts'
import { createJobStore, type JobStore } from './store/jobs.ts'
import { createLeaseStore } from './store/lease.ts'
import { createObjectStore } from './store/objects.ts'
import { type Leader, lead, uploadRules } from './term.ts'

export type Controller = {
  /** Where status and API are. */
  url: string
  /** What this process does as the leader; undefined while it stands by. */
  leader(): Leader | undefined
  /** The state as this process knows it. @throws while it stands by */
  status(): Status
  stop(): Promise<void>
}

export type StartOptions = {
  /** How often metrics for CloudWatch are written. Default: once a minute, which is what its alarms count on. */
  emfPeriodMs?: number
}

/** What one process is made of, whether it leads or not. */
type Parts = {
  configuration: Configuration
  log: Logger
  clients: Clients
  metrics: Metrics
  jobs: JobStore
  control: ControlStore
  urls: QueueUrls
  readiness: { ready: boolean; why?: string | undefined }
}

/** 20 characters `[a-z0-9]` that nobody can guess. */
const randomId = (): string =>
  BigInt(`0x${randomBytes(13).toString('hex')}`)
    .toString(36)
    .padStart(21, '0')
    .slice(-20)

/** One controller: status and API at once, and the work of the leader whenever it is elected. */
export async function startController(
  configuration: Configuration,
  log: Logger,
  options: StartOptions = {},
): Promise<Controller> {
  const metrics = createMetrics()
  collectDefaultMetrics({ register: metrics.registry })
  const clients = createClients(configuration, { onThrottled: countThrottle(metrics) })
  const jobs = createJobStore(clients.dynamo, configuration.JOBS_TABLE)
  const control = createControlStore(clients.dynamo, configuration.CONTROL_TABLE)
  const urls = await checkInfrastructure(configuration, clients.sqs, jobs, control)
  const readiness: Parts['readiness'] = { ready: false, why: 'Still finding out who leads' }
  const parts: Parts = { configuration, log, clients, metrics, jobs, control, urls, readiness }

  const server = createHttpServer(httpPorts(parts))
  const url = await listen(server, {
    host: configuration.HOST,
    port: configuration.PORT,
    tokens: tokensOf(configuration),
  })
  log.info({ url }, `status and API at ${url}`)
  const note = pricesNote(configuration.AWS_REGION, configuration.FARGATE_PRICES)
  if (note !== undefined) log.info(note)
  let leader: Leader | undefined
  const election = startElection(parts, (elected) => {
    leader = elected
  })
  const stopEmf = configuration.EMF_METRICS === 'on' ? startEmf(parts, options) : undefined
  await election.settled
  Object.assign(readiness, { ready: true, why: undefined })

  return {
    url,
    leader: () => leader,
    status() {
      if (!leader) throw new Error('This controller does not lead')
      return leader.status()
    },
    async stop() {
      Object.assign(readiness, { ready: false, why: 'Ending' })
      await election.stop()
      await stopEmf?.()
      await close(server)
      clients.destroy()
    },
  }
}

function startElection(parts: Parts, onLeader: (leader: Leader | undefined) => void) {
  const { configuration, log, clients, metrics, urls } = parts
  const id = `${hostname()}-${process.pid}-${randomId().slice(0, 6)}`
  return createElection({
    store: createLeaseStore(clients.dynamo, configuration.CONTROL_TABLE),
    id,
    leaseMs: configuration.LEASE_S * 1000,
    clock,
    log,
    async lead(term) {
      const leader = await lead(term, {
        configuration,
        log,
        metrics,
        clock,
        randomId,
        id,
        urls,
        clientsOf: (check) => createClients(configuration, { check, onThrottled: countThrottle(metrics) }),
        calendar: (expression, work) => {
          const task = schedule(expression, work, { noOverlap: true })
          return () => task.destroy()
        },
      })
      onLeader(leader)
      metrics.leads.set(1)
      return {
        async stop() {
          onLeader(undefined)
          metrics.leads.set(0)
          await leader.stop()
        },
      }
    },
  })
}

const startEmf = ({ metrics, configuration }: Parts, { emfPeriodMs }: StartOptions) =>
  writeEmf({
    metrics,
    installation: configuration.INSTALLATION,
    clock,
    write: (line) => process.stdout.write(line),
    periodMs: emfPeriodMs,
  })

const countThrottle =
  (metrics: Metrics) =>
  (service: Service): void =>
    metrics.throttles.inc({ service })

const tokensOf = ({ API_TOKEN: all, API_READ_TOKEN: read }: Configuration): Tokens => ({ all, read })

function httpPorts(parts: Parts): HttpPorts {
  const { configuration, log, clients, metrics, jobs, control, urls, readiness } = parts
  return {
    jobs,
    wake: (jobId) => sendMessage(clients.sqs, urls.taskEvents, JSON.stringify({ jobId })),
    status: control.readStatus,
    objects: createObjectStore(clients.s3),
    logs: createLogReader(clients.logs, configuration.LOG_GROUP),
    policy: policyOf(configuration),
    uploadRules: uploadRules(configuration),
    buckets: { uploads: configuration.UPLOADS_BUCKET, outputs: configuration.OUTPUTS_BUCKET },
    presignS: configuration.PRESIGN_S,
    tokens: tokensOf(configuration),
    behindLoadBalancer: configuration.BEHIND_LOAD_BALANCER === 'on',
    metrics: async () => ({
      contentType: metrics.registry.contentType,
      text: await metrics.registry.metrics(),
    }),
    ready: () => readiness,
    clock,
    randomId,
    log,
  }
}
