import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { pathToFileURL } from 'node:url'
import { schedule } from 'node-cron'
import type { Configuration } from '../schemas/configuration.ts'
import { exitCodes } from '../schemas/exit-codes.ts'
import { isKindName } from '../schemas/kinds/index.ts'
import { callRates } from '../schemas/limits.ts'
import { loadConfiguration } from '../schemas/read-configuration.ts'
import type { Status } from '../schemas/status.ts'
import { createPacer } from './admit/pacer.ts'
import { type Clients, createClients } from './clients.ts'
import { systemClock as clock } from './clock.ts'
import { ControllerError } from './errors.ts'
import { listen } from './http/listen.ts'
import type { HttpPorts, Tokens } from './http/ports.ts'
import { createHttpServer } from './http/server.ts'
import { type HandlerPorts, handleJobMessage, handleTaskEvent } from './intake/handlers.ts'
import { headInput } from './intake/heads.ts'
import type { UploadRules } from './intake/messages.ts'
import { type ConsumerOptions, consume, deleteMessages, queueUrl, sendMessage } from './intake/queue.ts'
import { createLog, type Logger } from './log.ts'
import { createLoop, type Loop } from './loop.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { policyOf } from './policy.ts'
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

const drainMs = 10_000
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
  const metrics = createMetrics()
  const memory = createMemory(clock)
  const jobs = createJobStore(clients.dynamo, configuration.JOBS_TABLE)
  const control = createControlStore(clients.dynamo, configuration.CONTROL_TABLE)
  const { urls, lastScanAt } = await checkInfrastructure(configuration, clients, jobs, control)
  const loop = createLeaderLoop(
    configuration,
    log,
    clients,
    metrics,
    memory,
    jobs,
    control,
    urls.taskEvents,
    lastScanAt,
  )
  const readiness = { ready: false, why: 'Still reading what runs' }
  const server = createHttpServer(
    httpPorts(configuration, log, clients, metrics, jobs, control, urls, readiness),
  )
  const url = await listen(server, {
    host: configuration.HOST,
    port: configuration.PORT,
    tokens: tokensOf(configuration),
  })
  log.info({ url }, `status and API at ${url}`)
  await loop.start()
  Object.assign(readiness, { ready: true, why: undefined })
  const consumers = startConsumers(configuration, log, clients, memory, jobs, loop, urls)
  const stopCalendar = startCalendar(configuration, loop)
  // A day without a scan, or none ever: records that no index shows may be waiting.
  const scanned = Date.parse(lastScanAt ?? '') > clock.nowMs() - scanAtLeastEveryMs ? undefined : loop.scan()

  return {
    url,
    status: loop.status,
    sweep: loop.sweep,
    scan: loop.scan,
    async stop() {
      Object.assign(readiness, { ready: false, why: 'Ending' })
      await Promise.all([stopCalendar(), ...consumers.map((stopConsumer) => stopConsumer())])
      await loop.stop()
      await scanned
      await server.close()
      clients.destroy()
    },
  }
}

type QueueUrls = { jobs: string; jobsDlq: string; taskEvents: string }

/** What has to be there before anything can begin; each thing that is missing has its own sentence. */
async function checkInfrastructure(
  configuration: Configuration,
  { sqs }: Clients,
  jobs: JobStore,
  control: ControlStore,
): Promise<{ urls: QueueUrls; lastScanAt: string | undefined }> {
  const endpoint = configuration.AWS_ENDPOINT_URL ?? configuration.AWS_REGION
  const explain = (missing: () => ControllerError) => (error: unknown) => {
    const { name, message } = error instanceof Error ? error : new Error(String(error))
    throw /NotFound|NonExistent|DoesNotExist/.test(name)
      ? missing()
      : ControllerError.of('AWS_NOT_REACHED', { endpoint, detail: message || name }, { cause: error })
  }
  const urlOf = (queue: string): Promise<string> =>
    queueUrl(sqs, queue).catch(explain(() => ControllerError.of('QUEUE_NOT_FOUND', { queue })))
  const tableMissing = (table: string) => explain(() => ControllerError.of('TABLE_NOT_FOUND', { table }))
  const [jobsUrl, jobsDlq, taskEvents, , status] = await Promise.all([
    urlOf(configuration.JOBS_QUEUE),
    urlOf(configuration.JOBS_DLQ),
    urlOf(configuration.TASK_EVENTS_QUEUE),
    jobs.inPhase('Submitted', { limit: 1 }).catch(tableMissing(configuration.JOBS_TABLE)),
    control.readStatus().catch(tableMissing(configuration.CONTROL_TABLE)),
  ])
  return { urls: { jobs: jobsUrl, jobsDlq, taskEvents }, lastScanAt: status?.lastScanAt }
}

const tokensOf = ({ API_TOKEN: all, API_READ_TOKEN: read }: Configuration): Tokens => ({ all, read })

const uploadRules = ({ DEFAULT_KIND: kind }: Configuration): UploadRules => ({
  defaultKind: isKindName(kind) ? kind : undefined,
})

function httpPorts(
  configuration: Configuration,
  log: Logger,
  clients: Clients,
  metrics: Metrics,
  jobs: JobStore,
  control: ControlStore,
  urls: QueueUrls,
  readiness: { ready: boolean; why: string | undefined },
): HttpPorts {
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

function createLeaderLoop(
  configuration: Configuration,
  log: Logger,
  clients: Clients,
  metrics: Metrics,
  memory: Memory,
  jobs: JobStore,
  control: ControlStore,
  taskEventsUrl: string,
  lastScanAt: string | undefined,
): Loop {
  const pacers = {
    runTask: createPacer(callRates.runTask, clock),
    stopTask: createPacer(callRates.stopTask, clock),
    describeTasks: createPacer(callRates.describeTasks, clock),
    listTasks: createPacer(callRates.listTasks, clock),
  }
  return createLoop({
    jobs,
    runner: createEcsRunner(clients.ecs, configuration.CLUSTER, clock.nowMs),
    memory,
    pacers,
    policy: policyOf(configuration),
    launch: {
      installation: configuration.INSTALLATION,
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
    deleteEvents: (receipts) => deleteMessages(clients.sqs, taskEventsUrl, receipts),
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
  configuration: Configuration,
  log: Logger,
  clients: Clients,
  memory: Memory,
  jobs: JobStore,
  loop: Loop,
  urls: QueueUrls,
): (() => Promise<void>)[] {
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
    onRubbish: (messageId, reason) =>
      log.warn({ messageId, reason }, 'message put into the dead-letter queue'),
  }
  return [
    consume({ ...common, queueUrl: urls.jobs, handle: (message) => handleJobMessage(message, ports) }),
    consume({ ...common, queueUrl: urls.taskEvents, handle: (message) => handleTaskEvent(message, ports) }),
  ]
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

/** The process: runs until SIGTERM or SIGINT, then ends what is under way within ten seconds. */
export async function main(configuration: Configuration): Promise<void> {
  // The SDK announces on every start what it will need in 2027; whoever starts this can do nothing about it.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
  const log = createLog(configuration, process.stdout.isTTY)
  const controller = await startController(configuration, log).catch((error: unknown) => {
    if (!(error instanceof ControllerError)) throw error
    process.stderr.write(`${error.code}: ${error.message} ${error.whatToDo}\n`)
    process.exit(exitCodes.badConfiguration)
  })
  const end = (signal: NodeJS.Signals): void => {
    log.info({ signal }, 'ending what is under way')
    const tooLong = setTimeout(() => process.exit(exitCodes.internalError), drainMs)
    controller.stop().then(
      () => {
        clearTimeout(tooLong)
        process.exit(exitCodes.done)
      },
      (error: unknown) => {
        log.error({ err: error }, 'could not end in order')
        process.exit(exitCodes.internalError)
      },
    )
  }
  process.once('SIGTERM', end)
  process.once('SIGINT', end)
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  await main(loadConfiguration())
