import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { schedule } from 'node-cron'
import type { Configuration } from '../schemas/configuration.ts'
import { isKindName } from '../schemas/kinds/index.ts'
import { callRates } from '../schemas/limits.ts'
import type { Status } from '../schemas/status.ts'
import { createPacer } from './admit/pacer.ts'
import { type Clients, createClients } from './clients.ts'
import { systemClock as clock } from './clock.ts'
import { listen } from './http/listen.ts'
import type { HttpPorts, Tokens } from './http/ports.ts'
import { createHttpServer } from './http/server.ts'
import { checkInfrastructure, type QueueUrls } from './infrastructure.ts'
import { type HandlerPorts, handleJobMessage, handleTaskEvent } from './intake/handlers.ts'
import { headInput } from './intake/heads.ts'
import type { UploadRules } from './intake/messages.ts'
import { type ConsumerOptions, consume, deleteMessages, sendMessage } from './intake/queue.ts'
import type { Logger } from './log.ts'
import { createLoop, type Loop } from './loop.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { policyOf, vcpuCeiling } from './policy.ts'
import { createMemory, type Memory } from './reconcile/memory.ts'
import { createEcsRunner } from './run/ecs.ts'
import { createLogReader } from './run/logs.ts'
import { type ControlStore, createControlStore } from './store/control.ts'
import { createJobStore, type JobStore } from './store/jobs.ts'
import { createObjectStore } from './store/objects.ts'

export type Controller = {
  /** Where status and API are. */
  url: string
  status(): Status
  /** The calendar's work, at once. */
  sweep(): Promise<void>
  scan(): Promise<void>
  stop(): Promise<void>
}

/** What one controller is made of. */
type Parts = {
  configuration: Configuration
  log: Logger
  clients: Clients
  metrics: Metrics
  memory: Memory
  jobs: JobStore
  control: ControlStore
  urls: QueueUrls
  readiness: { ready: boolean; why?: string | undefined }
}

const scanAtLeastEveryMs = 25 * 60 * 60_000

/** 20 characters `[a-z0-9]` that nobody can guess. */
const randomId = (): string =>
  BigInt(`0x${randomBytes(13).toString('hex')}`)
    .toString(36)
    .padStart(21, '0')
    .slice(-20)

/** One controller: HTTP, then the loop with its consumers and calendar. Everything is made here and handed down. */
export async function startController(configuration: Configuration, log: Logger): Promise<Controller> {
  const clients = createClients(configuration)
  const jobs = createJobStore(clients.dynamo, configuration.JOBS_TABLE)
  const control = createControlStore(clients.dynamo, configuration.CONTROL_TABLE)
  const urls = await checkInfrastructure(configuration, clients.sqs, jobs, control)
  const readiness: Parts['readiness'] = { ready: false, why: 'Still reading what runs' }
  const metrics = createMetrics()
  const memory = createMemory(clock, configuration.VISIBILITY_GRACE_S * 1000)
  const parts: Parts = { configuration, log, clients, metrics, memory, jobs, control, urls, readiness }

  const server = createHttpServer(httpPorts(parts))
  const tokens = tokensOf(configuration)
  const url = await listen(server, { host: configuration.HOST, port: configuration.PORT, tokens })
  log.info({ url }, `status and API at ${url}`)
  const lastScanAt = (await control.readStatus())?.lastScanAt
  const loop = leaderLoop(parts, lastScanAt)
  await loop.start()
  Object.assign(readiness, { ready: true, why: undefined })
  const stopConsumers = startConsumers(parts, loop)
  const stopCalendar = startCalendar(configuration, loop)
  // A day without a scan, or none ever: records that no index shows may be waiting.
  const isScanned = Date.parse(lastScanAt ?? '') > clock.nowMs() - scanAtLeastEveryMs
  const scanned = isScanned ? undefined : loop.scan()

  return {
    url,
    status: loop.status,
    sweep: loop.sweep,
    scan: loop.scan,
    async stop() {
      Object.assign(readiness, { ready: false, why: 'Ending' })
      await Promise.all([stopCalendar(), stopConsumers()])
      await loop.stop()
      await scanned
      await server.close()
      clients.destroy()
    },
  }
}

const tokensOf = ({ API_TOKEN: all, API_READ_TOKEN: read }: Configuration): Tokens => ({ all, read })

const uploadRules = ({ DEFAULT_KIND: kind }: Configuration): UploadRules => ({
  defaultKind: isKindName(kind) ? kind : undefined,
})

function httpPorts({
  configuration,
  log,
  clients,
  metrics,
  jobs,
  control,
  urls,
  readiness,
}: Parts): HttpPorts {
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

function leaderLoop(parts: Parts, lastScanAt: string | undefined): Loop {
  const { configuration, log, clients, metrics, memory, jobs, control, urls } = parts
  return createLoop({
    jobs,
    runner: createEcsRunner(clients.ecs, configuration.CLUSTER, clock.nowMs),
    memory,
    pacers: {
      runTask: createPacer(callRates.runTask, clock),
      stopTask: createPacer(callRates.stopTask, clock),
      describeTasks: createPacer(callRates.describeTasks, clock),
      listTasks: createPacer(callRates.listTasks, clock),
    },
    policy: policyOf(configuration),
    launch: {
      installation: configuration.INSTALLATION,
      vcpuCeiling: (queue) => vcpuCeiling(policyOf(configuration), queue),
      cluster: configuration.CLUSTER,
      subnets: configuration.SUBNETS,
      securityGroups: configuration.SECURITY_GROUPS,
      assignPublicIp: configuration.ASSIGN_PUBLIC_IP,
      workerFamily: configuration.WORKER_TASK_DEFINITION,
      workerContainer: configuration.WORKER_CONTAINER,
    },
    clock,
    log,
    metrics,
    randomId,
    headInput: (input) => headInput(clients.s3, input),
    deleteEvents: (receipts) => deleteMessages(clients.sqs, urls.taskEvents, receipts),
    publish: control.writeStatus,
    leader: {
      id: `${hostname()}-${process.pid}`,
      mode: 'single',
      since: new Date(clock.nowMs()).toISOString(),
    },
    lastScanAt,
    times: { pollMs: configuration.POLL_S * 1000, resyncMs: configuration.RESYNC_S * 1000 },
  })
}

function startConsumers(
  { configuration, log, clients, memory, jobs, urls }: Parts,
  loop: Loop,
): () => Promise<void> {
  const ports: HandlerPorts = {
    jobs,
    memory,
    rules: uploadRules(configuration),
    installation: configuration.INSTALLATION,
    clock,
    wake: loop.wake,
    count: loop.countIntake,
  }
  const common: Omit<ConsumerOptions, 'queueUrl' | 'handle'> = {
    sqs: clients.sqs,
    rubbishUrl: urls.jobsDlq,
    clock,
    onError: (error) => log.error({ err: error, where: 'intake' }, 'receiving pauses; nothing is lost'),
    probe: () => jobs.inPhase('Submitted', { limit: 1 }),
    onRubbish: (messageId, reason) =>
      log.warn({ messageId, reason }, 'message put into the dead-letter queue'),
  }
  const stops = [
    consume({ ...common, queueUrl: urls.jobs, handle: (message) => handleJobMessage(message, ports) }),
    consume({ ...common, queueUrl: urls.taskEvents, handle: (message) => handleTaskEvent(message, ports) }),
  ]
  return async () => {
    await Promise.all(stops.map((stop) => stop()))
  }
}

/** Calendar work; everything else has a timer of its own. */
function startCalendar(configuration: Configuration, loop: Loop): () => Promise<void> {
  const tasks = [
    schedule(configuration.SWEEP_CRON, () => loop.sweep(), { noOverlap: true }),
    schedule(configuration.SCAN_CRON, () => loop.scan(), { noOverlap: true }),
  ]
  return async () => {
    await Promise.all(tasks.map((task) => task.stop()))
  }
}
