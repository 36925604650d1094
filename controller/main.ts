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
import { type HandlerPorts, handleJobMessage, handleTaskEvent } from './intake/handlers.ts'
import { headInput } from './intake/heads.ts'
import { type ConsumerOptions, consume, deleteMessages, queueUrl } from './intake/queue.ts'
import { createLog, type Logger } from './log.ts'
import { createLoop, type Loop } from './loop.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { policyOf } from './policy.ts'
import { createMemory, type Memory } from './reconcile/memory.ts'
import { createEcsRunner } from './run/ecs.ts'
import { createJobStore, type JobStore } from './store/jobs.ts'

export type Controller = {
  status(): Status
  /** The calendar's work, at once. */
  sweep(): Promise<void>
  scan(): Promise<void>
  stop(): Promise<void>
}

const drainMs = 10_000

/** 20 characters `[a-z0-9]` that nobody can guess. */
const randomId = (): string =>
  BigInt(`0x${randomBytes(13).toString('hex')}`)
    .toString(36)
    .padStart(21, '0')
    .slice(-20)

/** One controller: the loop with its consumers and calendar, and HTTP. Everything is made here and handed down. */
export async function startController(configuration: Configuration, log: Logger): Promise<Controller> {
  const clients = createClients(configuration)
  const metrics = createMetrics()
  const memory = createMemory(clock)
  const jobs = createJobStore(clients.dynamo, configuration.JOBS_TABLE)
  const urls = {
    jobs: await queueUrl(clients.sqs, configuration.JOBS_QUEUE),
    jobsDlq: await queueUrl(clients.sqs, configuration.JOBS_DLQ),
    taskEvents: await queueUrl(clients.sqs, configuration.TASK_EVENTS_QUEUE),
  }
  const loop = createLeaderLoop(configuration, log, clients, metrics, memory, jobs, urls.taskEvents)
  await loop.start()
  const consumers = startConsumers(configuration, log, clients, memory, jobs, loop, urls)
  const calendar = startCalendar(configuration, loop)

  return {
    status: loop.status,
    sweep: loop.sweep,
    scan: loop.scan,
    async stop() {
      await Promise.all([calendar(), ...consumers.map((stopConsumer) => stopConsumer())])
      await loop.stop()
      clients.destroy()
    },
  }
}

function createLeaderLoop(
  configuration: Configuration,
  log: Logger,
  clients: Clients,
  metrics: Metrics,
  memory: Memory,
  jobs: JobStore,
  taskEventsUrl: string,
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
    publish: async () => {},
    leader: {
      id: `${hostname()}-${process.pid}`,
      mode: 'single',
      since: new Date(clock.nowMs()).toISOString(),
    },
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
  urls: { jobs: string; jobsDlq: string; taskEvents: string },
): (() => Promise<void>)[] {
  const { DEFAULT_KIND: defaultKind, INSTALLATION: installation } = configuration
  const ports: HandlerPorts = {
    jobs,
    memory,
    rules: { defaultKind: isKindName(defaultKind) ? defaultKind : undefined },
    installation,
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

async function main(): Promise<void> {
  // The SDK announces on every start what it will need in 2027; whoever starts this can do nothing about it.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
  const configuration = loadConfiguration()
  const log = createLog(configuration, process.stdout.isTTY)
  const controller = await startController(configuration, log)
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

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await main()
