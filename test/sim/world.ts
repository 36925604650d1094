import { createElection, type Election } from '../../controller/election.ts'
import type { Logger } from '../../controller/log.ts'
import { createMetrics } from '../../controller/metrics.ts'
import { createJobStore, type Dynamo } from '../../controller/store/jobs.ts'
import { createLeaseStore } from '../../controller/store/lease.ts'
import { type Leader, lead, type TermClients } from '../../controller/term.ts'
import { parseStartedBy } from '../../schemas/ids.ts'
import { isTerminal } from '../../schemas/job.ts'
import { parentOf } from '../../schemas/pipeline.ts'
import { logStreamPrefix, resourceNames } from '../../schemas/resources.ts'
import { createRandom, type Random } from '../support/random.ts'
import { createDynamoModel } from './aws/dynamo.ts'
import { createEcsModel } from './aws/ecs.ts'
import { ModelGap } from './aws/errors.ts'
import type { DynamoModel, ModelTask, SqsModel } from './aws/ports.ts'
import { createS3Model, type SimulatedS3 } from './aws/s3.ts'
import { createSqsModel, modelQueueUrl as queueUrl } from './aws/sqs.ts'
import { rowOf } from './coverage.ts'
import { configurationOf, every, leaseOfItsOwn } from './deployment.ts'
import { childrenOf, createFamilyWatch, isPipeline } from './family-rules.ts'
import { drawLaunchFate } from './fate.ts'
import { createFaults, type Faults } from './faults.ts'
import { createWatch, type Item, type Violation } from './invariants.ts'
import { type Call, type CallFate, connect, connectSqs, type Send, tail, type Wire } from './network.ts'
import { drawPipelines, drawPlan, type Plan } from './plan.ts'
import { createScheduler, type Scheduler, type SimProcess } from './scheduler.ts'
import { createSourceWatch } from './sources.ts'
import { clockText, inputText, recordText } from './trace.ts'
import { type SimWorker, startWorker } from './worker.ts'

export const startOfTimeMs = Date.parse('2026-11-22T10:00:00.000Z')
export const installation = 'sim'
/** How long a late event is on its way. */
export const eventLateAtMostMs = 300_000
const names = resourceNames()
const metrics = createMetrics()

export type SimController = {
  name: string
  process: SimProcess
  election: Election
  leader(): Leader | undefined
}

export type World = ReturnType<typeof createWorld>

/** Everything of one run: models of AWS, processes, and the one who watches them all. */
export function createWorld(seed: number, trace: ((line: string) => void) | undefined) {
  const randomFor = (purpose: number): Random => createRandom((seed * 2_654_435_761 + purpose * 40_503) >>> 0)
  const random = randomFor(1)
  const faults: Faults = createFaults(randomFor(2))
  const plan: Plan = drawPlan(randomFor(3), faults, drawPipelines(randomFor(5)))
  const scheduler: Scheduler = createScheduler(startOfTimeMs)
  const rows = new Map<string, number>()
  const damaged = new Set<string>()
  const handled = new Set<string>()
  const pipelines = new Set<string>()
  let stepBegun: (parent: Item, childId: string) => void = () => undefined
  let childPut: (parentId: string) => void = () => undefined
  const actedAtMs = new Map<string, number>()
  const controllers: SimController[] = []
  const workers = new Map<string, { worker: SimWorker; process: SimProcess }>()
  const crashes: { process: SimProcess; when: 'before' | 'after' }[] = []
  let violation: Violation | undefined
  let runTaskDownUntilMs = 0
  let eventsDownUntilMs = 0
  const readWhenSent = new WeakMap<Call, Item | undefined>()
  let steps = 0
  let current: Call | undefined
  const configuration = configurationOf(plan, installation)
  let born = 0

  const say = (who: string, what: () => string): void =>
    trace?.(`${clockText(scheduler.nowMs() - startOfTimeMs)}  ${who.padEnd(13)}  ${what()}`)

  const modelPorts = { time: scheduler, random: randomFor(4) }
  const dynamo: DynamoModel = createDynamoModel(modelPorts, {
    indexLagMs: () => (faults.strikes('indexLag') ? tail(random, 100, 30_000) : 0),
    readLagMs: () => (faults.strikes('readLag') ? tail(random, 100, 2000) : 0),
  })
  const sqs: SqsModel = createSqsModel(modelPorts, {
    redeliver: () => faults.strikes('messageRedelivered'),
    shuffle: faults.has('messagesShuffled'),
  })
  if (faults.has('messagesShuffled')) faults.note('messagesShuffled')
  const s3: SimulatedS3 = createS3Model(modelPorts)
  const ecs = createEcsModel(
    modelPorts,
    {
      fateOf: (request) => drawLaunchFate(request, plan, faults, random),
      onRunning,
      onTerminate,
      onKilled,
      onEvent,
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
        { family: 'shell', revision: 1, containers: [{ name: 'main', stopTimeoutS: 30 }] },
      ],
      vcpuQuota: { onDemand: Number.POSITIVE_INFINITY, spot: Number.POSITIVE_INFINITY },
      forgetAfterMs: 60 * 60_000,
      buckets: 'real',
    },
  )

  const isOverlap = (): boolean =>
    plan.twoLeaders || [...actedAtMs.values()].filter((atMs) => scheduler.nowMs() - atMs < 120_000).length > 1
  const violated = (found: Violation): void => {
    violation ??= found
    say('VIOLATION', () => `${found.invariant}: ${found.message}`)
  }
  const skewMs = faults.has('clockSkew') ? 120_000 : 0
  const family = createFamilyWatch({
    nowMs: scheduler.nowMs,
    record: (jobId) => dynamo.item(names.jobsTable, jobId),
    isHandled: (jobId) => handled.has(jobId) || damaged.has(jobId),
    isOverlap,
    mayPause: faults.has('pauseShort') || faults.has('pauseBeyondLease'),
    skewMs,
    fail: (invariant, message) => violated({ invariant, message, atMs: scheduler.nowMs() }),
  })
  const sources = createSourceWatch((invariant, message) =>
    violated({ invariant, message, atMs: scheduler.nowMs() }),
  )
  const watch = createWatch({
    nowMs: scheduler.nowMs,
    maxRunning: plan.maxRunning,
    maxVcpu: plan.maxVcpu,
    queues: plan.queues,
    installation,
    isDamaged: (jobId) => damaged.has(jobId),
    records: () => dynamo.items(names.jobsTable),
    tasks: () => ecs.tasks(),
    skewMs,
    isOverlap,
    onViolation: violated,
  })

  dynamo.onWrite(({ table, before, after }) => {
    if (table !== names.jobsTable) return
    if (plan.pipelines > 0) noteFamily(before, after)
    if (current === undefined) return
    const jobId = String(after?.jobId ?? before?.jobId)
    say(current.process.name, () => `writes ${jobId}: ${recordText(after)}`)
    if (!isController(current.process)) return
    if (after?.expiresAt !== undefined && before?.expiresAt === undefined) return family.reaped(before ?? {})
    if (before === undefined && after !== undefined) {
      family.childPut(after)
      const parent = parentOf(after.spec)
      if (parent) scheduler.after(0, () => childPut(parent.jobId))
    }
    // What intake and HTTP do for users: a new generation is asked for, or an event is noted.
    if (after?.phase === 'Submitted' || before?.revision === after?.revision)
      return watch.intakeWrote(before, after)
    if (after !== undefined) sources.controllerWrote(after)
    if (before !== undefined && after !== undefined) family.controllerWrote(before, after)
    watch.controllerWrote(current.process.name, before, after, readWhenSent.get(current))
  })

  function noteFamily(before: Item | undefined, after: Item | undefined): void {
    family.wrote(before, after)
    if (after === undefined) return
    if (!isPipeline(after)) return void pipelines.delete(String(after.jobId))
    pipelines.add(String(after.jobId))
    const known = new Set(childrenOf(before).map(({ jobId }) => jobId))
    for (const { jobId, state } of childrenOf(after))
      if (state === 'intended' && !known.has(jobId)) scheduler.after(0, () => stepBegun(after, jobId))
  }

  const wire: Wire = {
    time: scheduler,
    latencyMs: () => tail(random, plan.latency.lowMs, plan.latency.highMs),
    fateOf: callFate,
    effect(call, run) {
      steps += 1
      const before = current
      current = call
      try {
        const output = run()
        observe(call, output)
        return output
      } catch (error) {
        if (error instanceof ModelGap)
          violation ??= { invariant: 'Model', message: error.message, atMs: scheduler.nowMs() }
        say(call.process.name, () => `${call.action} ${inputText(call.input)}: ${(error as Error).name}`)
        throw error
      } finally {
        current = before
        crashIfPlanned(call.process, 'after')
      }
    },
    onRefused: (call, why) => say(call.process.name, () => `${call.action} ${inputText(call.input)}: ${why}`),
  }

  function observe(call: Call, output: object): void {
    const { action, process, input } = call
    if (action === 'Get' && isController(process)) {
      const { TableName: table, Key: key } = input as { TableName: string; Key: { jobId?: string } }
      if (table === names.jobsTable)
        watch.read(process.name, String(key.jobId), (output as { Item?: Item }).Item)
      return
    }
    const { Bucket: bucket, Key: key } = input as { Bucket?: string; Key?: unknown }
    if (action === 'DeleteObject' && bucket === names.uploadsBucket) sources.deleted(bucket, String(key))
    if (action === 'StopTask') watch.stopSent(String((input as { task: string }).task))
    if (action !== 'Query' && action !== 'Receive' && action !== 'Get' && action !== 'Update')
      say(process.name, () => `${action} ${inputText(input)}`)
  }

  /** Crashes come right before or right after an effect, which is where all the windows are. */
  function crashIfPlanned(process: SimProcess, when: 'before' | 'after'): void {
    const index = crashes.findIndex((crash) => crash.process === process && crash.when === when)
    if (index < 0) return
    crashes.splice(index, 1)
    faults.note(when === 'before' ? 'crashBeforeEffect' : 'crashAfterEffect')
    say(process.name, () => `CRASHES right ${when} an effect`)
    process.kill()
  }

  function callFate(call: Call): CallFate {
    const { jobId } = (call.input as { Key?: { jobId?: string } }).Key ?? {}
    if (call.action === 'Update' && jobId !== undefined)
      readWhenSent.set(call, watch.lastRead(call.process.name, jobId))
    crashIfPlanned(call.process, 'before')
    const ofFamily = plan.pipelines > 0 ? familyFate(call) : undefined
    if (ofFamily) return ofFamily
    if (call.action === 'ReceiveMessage') return { is: 'normal' }
    if (call.action === 'RunTask' && scheduler.nowMs() < runTaskDownUntilMs)
      return random.once(12) ? { is: 'replyLost' } : { is: 'failed' }
    if (faults.strikes('throttled')) return { is: 'throttled' }
    if (faults.strikes('failedBeforeEffect')) return { is: 'failed' }
    if (faults.strikes('replyLost')) return { is: 'replyLost' }
    if (faults.strikes('requestLate')) return { is: 'late', lateMs: tail(random, 0, 120_000) }
    return { is: 'normal' }
  }

  /** What a controller sends of children, and what becomes of it. */
  function familyFate({ action, process, input }: Call): CallFate | undefined {
    if (!isController(process)) return undefined
    if (action === 'Put') {
      const child = (input as { Item?: Item }).Item ?? {}
      const parent = parentOf(child.spec)
      if (parent === undefined) return undefined
      family.putSent(process.name, child, watch.lastRead(process.name, parent.jobId))
      if (!faults.strikes('crashBetweenPuts')) return undefined
      say(process.name, () => `CRASHES as it puts ${String(child.jobId)}`)
      process.kill()
      return { is: random.once(2) ? 'failed' : 'normal' }
    }
    const { Key: key, ...update } = input as { Key?: { jobId?: string } } & Updates
    const child = action === 'Update' ? dynamo.item(names.jobsTable, String(key?.jobId)) : undefined
    if (child === undefined || parentOf(child.spec) === undefined) return undefined
    if (newValue(update, 'fence') !== undefined) family.intentSent(process.name, child)
    // Also after the healing: that a parent is woken is never promised, and looking again has to find it.
    const isEnd = isTerminal(String(newValue(update, 'phase'))) && faults.has('childEndUnanswered')
    if (!isEnd || !random.once(3)) return undefined
    faults.note('childEndUnanswered')
    return { is: 'replyLost' }
  }

  function onRunning(task: ModelTask): void {
    const started = parseStartedBy(task.startedBy)
    // Tasks that no controller of ours launched are there to be found, and do nothing.
    if (started?.installation !== installation || task.environment.FENCE === undefined) return
    const process = scheduler.spawn(`task ${started.jobId}#${started.fence.split('/').slice(1).join('.')}`, 0)
    const claims = task.family === names.workerFamily
    const { MEDIA_BUCKET: bucket, MEDIA_KEY: key } = task.environment
    if (bucket !== undefined && key !== undefined) {
      const child = dynamo.item(names.jobsTable, started.jobId)
      const isCurrent = child?.fence === started.fence
      const isThere = new Set(s3.keys(bucket)).has(key)
      if (isCurrent) family.heard(child, isThere || sources.isSpent(bucket, key))
    }
    say(process.name, () => `RUNNING ${task.arn.slice(-8)}`)
    const worker = startWorker(task, claims, {
      process,
      send: connect(process, 'dynamo', dynamo, wire),
      random,
      faults,
      outputsBucket: names.outputsBucket,
      maySplit: plan.pipelines > 0,
      events: {
        onTemporary: (key) => void s3.put(names.outputsBucket, key, 'audio'),
        onClaimed(of) {
          steps += 1
          watch.claimed(of)
        },
        onRefused: () => {
          steps += 1
        },
        onGone(of) {
          steps += 1
          workers.delete(of.arn)
          watch.gone(of)
        },
      },
      exit(code, reason) {
        say(process.name, () => `exits ${code} ${reason ?? ''}`)
        ecs.exit(task.arn, code, reason)
      },
    })
    workers.set(task.arn, { worker, process })
    if (!claims) watch.started(task)
  }

  function onTerminate(task: ModelTask): void {
    say(`task ${task.arn.slice(-8)}`, () => 'gets SIGTERM')
    workers.get(task.arn)?.worker.terminate()
  }
  function onKilled(task: ModelTask): void {
    workers.get(task.arn)?.worker.kill()
  }

  function onEvent(detail: Record<string, unknown>): void {
    if (scheduler.nowMs() < eventsDownUntilMs || faults.strikes('eventLost')) return
    const body = JSON.stringify({ 'detail-type': 'ECS Task State Change', detail })
    const delayMs = faults.strikes('eventLate')
      ? tail(random, 1000, eventLateAtMostMs)
      : tail(random, 10, 1500)
    scheduler.after(delayMs, () => sqs.deliver(queueUrl(names.taskEventsQueue), body))
    if (faults.strikes('eventDoubled'))
      scheduler.after(delayMs + tail(random, 1, 60_000), () =>
        sqs.deliver(queueUrl(names.taskEventsQueue), body),
      )
  }

  const isController = (process: SimProcess): boolean => process.name.startsWith('controller')

  /** One more controller process, as a deployment or a restart brings it. */
  function startController(): SimController {
    born += 1
    const name = `controller-${born}`
    const skewMs = faults.strikes('clockSkew') ? random.pick([-60_000, -2000, 2000, 60_000]) : 0
    const process = scheduler.spawn(name, skewMs)
    const sends = {
      dynamo: connect(process, 'dynamo', dynamo, wire),
      sqs: connectSqs(process, sqs, wire),
      ecs: connect(process, 'ecs', ecs, wire),
      s3: connect(process, 's3', s3, wire),
    }
    const log = logOf(name)
    const idRandom = randomFor(1000 + born)
    let leader: Leader | undefined
    say(name, () => `starts, clock off by ${skewMs} ms`)
    const election = createElection({
      store: plan.twoLeaders
        ? leaseOfItsOwn()
        : createLeaseStore({ send: sends.dynamo } as unknown as Dynamo, names.controlTable),
      id: name,
      leaseMs: plan.leaseS * 1000,
      lookEveryMs: 18_000,
      clock: process.clock,
      log,
      async lead(term) {
        const termName = `${name} term ${term.number}`
        watch.termBegan(termName)
        const led = await lead(term, {
          configuration,
          log,
          metrics,
          clock: process.clock,
          randomId: () => Array.from({ length: 20 }, () => idRandom.below(36).toString(36)).join(''),
          id: name,
          urls: {
            jobs: queueUrl(names.jobsQueue),
            jobsDlq: queueUrl(names.jobsDlq),
            taskEvents: queueUrl(names.taskEventsQueue),
          },
          clientsOf: (check) => termClients(sends, check, termName),
          calendar: (_expression, work) => every(process, plan.sweepMs, work),
          times: { ...plan.times },
        })
        leader = led
        return {
          stop() {
            leader = undefined
            return led.stop()
          },
        }
      },
    })
    const controller = { name, process, election, leader: () => leader }
    controllers.push(controller)
    return controller
  }

  function termClients(
    sends: { dynamo: Send; sqs: Send; ecs: Send; s3: Send },
    check: () => void,
    term: string,
  ): TermClients {
    const checked =
      (send: Send): Send =>
      async (command, options) => {
        check()
        actedAtMs.set(term, scheduler.nowMs())
        if (!plan.twoLeaders) watch.acted(term)
        if (command.constructor.name === 'RunTaskCommand') watch.runTaskSent(term)
        return send(command, options)
      }
    return {
      dynamo: { send: checked(sends.dynamo) },
      sqs: { send: checked(sends.sqs) },
      ecs: { send: checked(sends.ecs) },
      s3: { send: checked(sends.s3) },
      destroy: () => undefined,
    } as unknown as TermClients
  }

  /** A pipeline ends with the reason of its child. */
  const isOfChild = (jobId: string): boolean =>
    childrenOf(dynamo.item(names.jobsTable, jobId)).some(({ reason }) => reason === 'BrokenRecord')

  /** The steps of the controller, as it tells of them itself. */
  function logOf(name: string): Logger {
    const write =
      (level: string) =>
      (fields: { action?: string; reason?: string; jobId?: string; err?: Error }, message?: string): void => {
        if (fields.action !== undefined && fields.reason !== undefined && fields.action !== 'accept') {
          const isPipeline = pipelines.has(String(fields.jobId))
          const row = rowOf(fields.action, fields.reason, isPipeline)
          rows.set(row, (rows.get(row) ?? 0) + 1)
          if (
            fields.reason === 'BrokenRecord' &&
            !isOfChild(String(fields.jobId)) &&
            !damaged.has(String(fields.jobId)) &&
            violation === undefined
          )
            violation = { invariant: 'Row14', message: String(message), atMs: scheduler.nowMs() }
        }
        if (level === 'debug') return
        say(name, () => `${message ?? ''}${fields.err ? ` (${fields.err.name}: ${fields.err.message})` : ''}`)
      }
    const log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
    return log as unknown as Logger
  }

  const http = scheduler.spawn('http', 0)
  const httpJobs = createJobStore(
    { send: connect(http, 'dynamo', dynamo, wire) } as unknown as Dynamo,
    names.jobsTable,
  )

  return {
    seed,
    plan,
    random,
    faults,
    scheduler,
    dynamo,
    sqs,
    s3,
    ecs,
    watch,
    controllers,
    damaged,
    rows,
    /** Somebody did to a child what only a person may do: what becomes of it, and of its temporary keys, is his. */
    handled(jobId: string): void {
      handled.add(jobId)
      const parent = parentOf(dynamo.item(names.jobsTable, jobId)?.spec)
      if (parent) handled.add(`of ${parent.jobId}`)
    },
    isHandled: (jobId: string): boolean => handled.has(jobId) || damaged.has(jobId),
    isFamilyHandled: (parentId: string): boolean => handled.has(`of ${parentId}`),
    /** Calls back for every child that a pipeline intends to put, before it does, and for the parent of each that was put. */
    onFamily(intended: typeof stepBegun, put: typeof childPut): void {
      stepBegun = intended
      childPut = put
    },
    httpJobs,
    say,
    startController,
    queueUrl,
    names,
    heal(): void {
      faults.heal()
      crashes.length = 0
      runTaskDownUntilMs = 0
      eventsDownUntilMs = 0
    },
    /** RunTask gives no answer for so long, though it may have its effect; or EventBridge delivers nothing. */
    runTaskDown(forMs: number): void {
      say('world', () => `RunTask is down for ${Math.round(forMs / 60_000)} minutes`)
      runTaskDownUntilMs = scheduler.nowMs() + forMs
    },
    eventsDown(forMs: number): void {
      say('world', () => `no events for ${Math.round(forMs / 60_000)} minutes`)
      eventsDownUntilMs = scheduler.nowMs() + forMs
    },
    crashSoon: (process: SimProcess, when: 'before' | 'after'): unknown => crashes.push({ process, when }),
    steps: () => steps,
    violation: () => violation,
    fail(invariant: string, message: string): void {
      violation ??= { invariant, message, atMs: scheduler.nowMs() }
    },
    /** A raw write of a user. */
    userWrites(jobId: string, item: Record<string, unknown> | undefined): void {
      steps += 1
      watch.userWrote(jobId)
      say('user', () => `writes ${jobId}: ${recordText(item)}`)
      if (item === undefined) dynamo.delete(names.jobsTable, jobId)
      else dynamo.put(names.jobsTable, item)
    },
    record: (jobId: string): Item | undefined => dynamo.item(names.jobsTable, jobId),
    records: (): Iterable<Item> => dynamo.items(names.jobsTable),
  }
}

type Updates = {
  UpdateExpression?: string
  ExpressionAttributeNames?: Record<string, string>
  ExpressionAttributeValues?: Record<string, unknown>
}

/** What an update sets an attribute to; undefined: it does not. */
function newValue(update: Updates, attribute: string): unknown {
  const [set = ''] = update.UpdateExpression?.split(' REMOVE ') ?? []
  const alias = Object.entries(update.ExpressionAttributeNames ?? {}).find(([, name]) => name === attribute)
  const value = alias && new RegExp(`${alias[0]} = (:\\w+)`).exec(set)?.[1]
  return value === undefined ? undefined : update.ExpressionAttributeValues?.[value]
}
