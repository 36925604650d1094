import type { Configuration } from '../schemas/configuration.ts'
import { isUploadKind } from '../schemas/kinds/index.ts'
import { callRates } from '../schemas/limits.ts'
import type { Status } from '../schemas/status.ts'
import { createPacer } from './admit/pacer.ts'
import type { Clock } from './clock.ts'
import type { Leading, Term } from './election.ts'
import type { QueueUrls } from './infrastructure.ts'
import { type HandlerPorts, handleJobMessage, handleTaskEvent } from './intake/handlers.ts'
import { headInput, headUpload, type S3 } from './intake/heads.ts'
import { type ConsumerOptions, consume, deleteMessages, type Sqs } from './intake/queue.ts'
import type { UploadRules } from './intake/uploads.ts'
import type { Logger } from './log.ts'
import { createLoop, type Loop, type LoopTimes } from './loop.ts'
import type { Metrics } from './metrics.ts'
import { networksOf } from './networks.ts'
import { NotLeading } from './not-leading.ts'
import { policyOf, vcpuCeiling } from './policy.ts'
import { createMemory, type Memory } from './reconcile/memory.ts'
import { createEcsRunner, type Ecs } from './run/ecs.ts'
import { createImageChecker, type Ecr } from './run/images.ts'
import { createRunner } from './run/runner.ts'
import { createTranscribeRunner, type Transcribe } from './run/transcribe.ts'
import { createControlStore } from './store/control.ts'
import { createJobStore, type Dynamo, type JobStore } from './store/jobs.ts'
import { deleteObjects, deleteSource } from './store/objects.ts'

/** The services as one term of one leader reaches them. */
export type TermClients = {
  dynamo: Dynamo
  sqs: Sqs
  ecs: Ecs
  ecr: Ecr
  s3: S3
  transcribe: Transcribe
  destroy(): void
}

export type TermPorts = {
  configuration: Configuration
  log: Logger
  metrics: Metrics
  clock: Clock
  /** 12 or more characters `[a-z0-9]` that nobody can guess. */
  randomId: () => string
  /** Which process this is. */
  id: string
  urls: QueueUrls
  /** Clients that call `check` right before each request leaves, retries included; what it throws, the caller gets. */
  clientsOf: (check: () => void) => TermClients
  /** Runs `work` at the times of a cron expression. @returns ends that */
  calendar: (expression: string, work: () => Promise<void>) => () => Promise<void> | void
  times?: Partial<LoopTimes>
}

export type Leader = Leading & {
  status(): Status
  /** The calendar's work, at once. */
  sweep(): Promise<void>
  scan(): Promise<void>
}

const scanAtLeastEveryMs = 25 * 60 * 60_000

/**
 * What a leader does in one term: the loop, its consumers and its calendar. All that it knows is made here and goes with
 * the term; all that it sends is refused from the moment at which somebody else may lead.
 */
export async function lead(term: Term, ports: TermPorts): Promise<Leader> {
  const { configuration, log, clock } = ports
  const clients = ports.clientsOf(() => {
    if (!term.mayAct()) throw new NotLeading()
  })
  const jobs = createJobStore(clients.dynamo, configuration.JOBS_TABLE)
  const memory = createMemory(clock, configuration.VISIBILITY_GRACE_S * 1000)
  const control = createControlStore(clients.dynamo, configuration.CONTROL_TABLE)
  const before = await untilItWorks(control.readStatus, ports)
  const loop = createTermLoop(ports, clients, jobs, memory, before)
  await untilItWorks(loop.load, ports)
  loop.start()
  const stopConsumers = startConsumers(ports, clients, jobs, memory, loop)
  const calendar = [
    ports.calendar(configuration.SWEEP_CRON, () => loop.sweep()),
    ports.calendar(configuration.SCAN_CRON, () => loop.scan()),
  ]
  // A day without a scan, or none ever: records that no index shows may be waiting.
  const isScanned = Date.parse(before?.lastScanAt ?? '') > clock.nowMs() - scanAtLeastEveryMs
  const scanned = isScanned ? undefined : loop.scan()
  log.info({ term: term.number }, 'everything that lives is known; work begins')

  return {
    status: loop.status,
    sweep: loop.sweep,
    scan: loop.scan,
    async stop() {
      await Promise.all([...calendar.map((end) => end()), stopConsumers(), loop.stop()])
      await scanned
      clients.destroy()
    },
  }
}

const againMs = 1000

/** A call that fails does not cost the term: it is made again until it works, or somebody else leads. */
async function untilItWorks<T>(work: () => Promise<T>, { clock, log }: TermPorts): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (error instanceof NotLeading) throw error
      log.warn({ err: error }, 'cannot see yet what lives; tries again')
      await clock.sleep(againMs)
    }
  }
}

function createTermLoop(
  ports: TermPorts,
  clients: TermClients,
  jobs: JobStore,
  memory: Memory,
  before: Status | undefined,
): Loop {
  const { configuration, log, clock, metrics, randomId, urls } = ports
  const policy = policyOf(configuration)
  return createLoop({
    jobs,
    runner: createRunner(
      createEcsRunner(
        clients.ecs,
        configuration.CLUSTER,
        clock.nowMs,
        createImageChecker(clients.ecr, configuration.AWS_REGION, clock.nowMs, (image, why) =>
          log.warn({ image, why }, 'ECR cannot be asked whether this image exists; it is launched unseen'),
        ),
      ),
      createTranscribeRunner(clients.transcribe, createPacer(callRates.getTranscription, clock), clock),
    ),
    memory,
    pacers: {
      runTask: createPacer(callRates.runTask, clock, callRates.runTask / 2),
      stopTask: createPacer(callRates.stopTask, clock),
      describeTasks: createPacer(callRates.describeTasks, clock),
      listTasks: createPacer(callRates.listTasks, clock),
    },
    policy,
    launch: {
      installation: configuration.INSTALLATION,
      vcpuCeiling: (queue) => vcpuCeiling(policy, queue),
      cluster: configuration.CLUSTER,
      networks: networksOf(configuration),
      outputsBucket: configuration.OUTPUTS_BUCKET,
      transcribeRoleArn: configuration.TRANSCRIBE_ROLE_ARN,
      prices: configuration.FARGATE_PRICES,
      workerFamilies: {
        media: configuration.WORKER_TASK_DEFINITION,
        internet: configuration.INTERNET_TASK_DEFINITION,
        seeding: configuration.SEEDING_TASK_DEFINITION,
      },
      workerContainer: configuration.WORKER_CONTAINER,
    },
    clock,
    log,
    metrics,
    randomId,
    headInput: (input) => headInput(clients.s3, input),
    outputsBucket: configuration.OUTPUTS_BUCKET,
    deleteOutputs: (keys) => deleteObjects(clients.s3, configuration.OUTPUTS_BUCKET, keys),
    deleteSource: (input) => deleteSource(clients.s3, input),
    deleteEvents: (receipts) => deleteMessages(clients.sqs, urls.taskEvents, receipts),
    publish: createControlStore(clients.dynamo, configuration.CONTROL_TABLE).writeStatus,
    leader: { id: ports.id, mode: 'leader', since: new Date(clock.nowMs()).toISOString() },
    before,
    times: {
      pollMs: configuration.POLL_S * 1000,
      resyncMs: configuration.RESYNC_S * 1000,
      ...ports.times,
    },
  })
}

/** What an upload becomes. */
export const uploadRules = ({
  DEFAULT_KIND: kind,
  EVENTBRIDGE_KEYS,
  UPLOAD_TRIGGERS: triggers,
  UPLOADS_BUCKET,
  OUTPUTS_BUCKET,
}: Configuration): UploadRules => ({
  // Where one bucket is both, what lies in it is an upload.
  ...(OUTPUTS_BUCKET === UPLOADS_BUCKET ? {} : { outputsBucket: OUTPUTS_BUCKET }),
  triggers,
  defaultKind: isUploadKind(kind) ? kind : undefined,
  eventBridgeKeys: EVENTBRIDGE_KEYS,
})

function startConsumers(
  { configuration, log, clock, urls }: TermPorts,
  { sqs, s3 }: TermClients,
  jobs: JobStore,
  memory: Memory,
  loop: Loop,
): () => Promise<void> {
  const handlers: HandlerPorts = {
    jobs,
    memory,
    rules: uploadRules(configuration),
    installation: configuration.INSTALLATION,
    clock,
    headUpload: (input) => headUpload(s3, input),
    wake: loop.wake,
    count: loop.countIntake,
  }
  const common: Omit<ConsumerOptions, 'queueUrl' | 'handle'> = {
    sqs,
    rubbishUrl: urls.jobsDlq,
    clock,
    onError(error) {
      if (!(error instanceof NotLeading))
        log.error({ err: error, where: 'intake' }, 'receiving pauses; nothing is lost')
    },
    probe: () => jobs.inPhase('Submitted', { limit: 1 }),
    onRubbish: (messageId, reason) =>
      log.warn({ messageId, reason }, 'message put into the dead-letter queue'),
  }
  const stops = [
    consume({ ...common, queueUrl: urls.jobs, handle: (message) => handleJobMessage(message, handlers) }),
    consume({
      ...common,
      queueUrl: urls.taskEvents,
      handle: (message) => handleTaskEvent(message, handlers),
    }),
  ]
  return async () => {
    await Promise.all(stops.map((stop) => stop()))
  }
}
