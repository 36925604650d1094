import { isLive, isTerminal, livePhases, phases } from '../schemas/job.ts'
import { parentOf } from '../schemas/pipeline.ts'
import type { Status } from '../schemas/status.ts'
import { createAdmitter } from './admit/admission.ts'
import type { Pacer } from './admit/pacer.ts'
import type { Clock } from './clock.ts'
import { createFinders } from './finders.ts'
import { inParallel } from './in-parallel.ts'
import { createJournal } from './journal.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import { NotLeading } from './not-leading.ts'
import type { Policy } from './policy.ts'
import { type ActPorts, LostRace } from './reconcile/act.ts'
import { capacityKey } from './reconcile/launch.ts'
import type { Memory } from './reconcile/memory.ts'
import { createObserver } from './reconcile/observe.ts'
import { type ReconcilePorts, reconcile } from './reconcile/reconcile.ts'
import type { Runner } from './run/ecs.ts'
import { statusOf } from './status.ts'
import type { JobStore } from './store/jobs.ts'
import { type Item, readStored } from './store/stored.ts'
import { type SweepPorts, scan, sweep } from './sweep.ts'
import { createTicker, type Ticker } from './ticker.ts'
import { createWorkqueue } from './workqueue.ts'

export type LoopPorts = {
  jobs: JobStore
  runner: Runner
  memory: Memory
  pacers: { runTask: Pacer; stopTask: Pacer; describeTasks: Pacer; listTasks: Pacer }
  policy: Policy
  launch: ActPorts['launch']
  clock: Clock
  log: Logger
  metrics: Metrics
  randomId: ReconcilePorts['randomId']
  headInput: ReconcilePorts['headInput']
  deleteOutputs: ReconcilePorts['deleteOutputs']
  deleteSource: ReconcilePorts['deleteSource']
  outputsBucket: string
  /** Deletes events that were kept as evidence. */
  deleteEvents: (receipts: readonly string[]) => Promise<void>
  publish: (status: Status) => Promise<void>
  leader: Status['leader']
  times: Partial<LoopTimes> & Pick<LoopTimes, 'pollMs' | 'resyncMs'>
  /** What the leader before published last. */
  before: Status | undefined
}

/** How often things are done. */
export type LoopTimes = {
  /** A look at every live task. */
  pollMs: number
  /** Live records are read again after this time. */
  resyncMs: number
  submittedMs: number
  dueMs: number
  admitMs: number
  publishMs: number
  listPassMs: number
  /** Live records that were not read for a while are looked for this often; absent: every 5 s, more often for a short resync. */
  housekeepingMs?: number
}

export type Loop = ReturnType<typeof createLoop>

const usualTimes = {
  submittedMs: 200,
  dueMs: 500,
  admitMs: 1000,
  publishMs: 5000,
  listPassMs: 1000,
} as const
const housekeepingAtMostMs = 5000
const readAtOnce = 32
/** DescribeTasks shows 100 tasks a call and may be called 14 times a second. */
const describedPerSecond = 1400
const persistentFailures = 5

/** Everything that makes jobs move, for one term. One of it runs at a time; a second one would only waste work. */
export function createLoop(ports: LoopPorts) {
  const { jobs, memory, clock, metrics, policy, pacers } = ports
  const journal = createJournal(ports.log, metrics, clock, ports.before?.costs)
  const { failed } = journal
  const done: Pick<Status, 'lastPollAt' | 'lastSweepAt' | 'lastScanAt'> = {}
  if (ports.before?.lastScanAt !== undefined) done.lastScanAt = ports.before.lastScanAt
  const times: LoopTimes = { ...usualTimes, ...ports.times }
  const tickers: Ticker[] = []
  const stopping = new AbortController()
  const now = (): string => new Date(clock.nowMs()).toISOString()
  const wake = (jobId: string): void => workqueue.add(jobId)
  const nudgeAdmission = (): void => admission?.nudge()
  let admission: Ticker | undefined

  const observer = createObserver(ports.runner, pacers.describeTasks, memory, clock, failed('poll'))
  const sweepPorts: SweepPorts = {
    ...ports,
    installation: policy.installation,
    costs: journal.costs,
    wake,
    onError: failed('sweep'),
  }
  const housekeepingEveryMs = times.housekeepingMs ?? Math.min(housekeepingAtMostMs, times.resyncMs / 2)
  const { resyncMs } = times
  const finders = createFinders({
    jobs,
    memory,
    journal,
    clock,
    sweepPorts,
    wake,
    resyncMs,
    housekeepingEveryMs,
  })
  const admitter = createAdmitter({
    ...ports,
    launches: pacers.runTask,
    wake: (jobId: string) => workqueue.addFirst(jobId),
    onError: failed('admission'),
  })

  const reconcilePorts: ReconcilePorts = {
    ...ports,
    observer,
    resyncMs,
    wake,
    wantListPass: finders.wantListPass,
    onStep(jobId, fence, action) {
      journal.step(jobId, fence, action)
      if (action.do === 'adoptEdit') admitter.forget(jobId)
    },
    onAccepted(accepted) {
      journal.accepted(accepted)
      nudgeAdmission()
    },
    onMoved(from, to) {
      journal.moved(from, to)
      nudgeAdmission()
    },
    onSettled(job, arn, phase, outcome, ended) {
      const receipts = arn === undefined ? [] : memory.dropEvidence(arn)
      memory.forget(job.jobId)
      journal.settled(job, phase, outcome, ended)
      const parent = isTerminal(phase) ? parentOf(job.settings) : undefined
      if (parent) wake(parent.jobId)
      if (receipts.length > 0) ports.deleteEvents(receipts).catch(failed('deleteEvents'))
      nudgeAdmission()
    },
    onAnswer: journal.launched,
    onLaunch(job, result) {
      const attempt = job.attempts.at(-1)
      if (attempt) admitter[result](capacityKey(attempt.capacity, attempt.cpu, attempt.memory))
    },
  }

  const workqueue = createWorkqueue({
    async work(jobId) {
      const endTimer = metrics.reconcileSeconds.startTimer()
      const next = await reconcile(jobId, reconcilePorts)
      endTimer()
      journal.reconciled('ok')
      memory.setAttention(jobId, 'error', undefined)
      if (next === 'whenWoken') return
      if (next.lookAgainMs === 0) workqueue.addFirst(jobId)
      else workqueue.add(jobId, next.lookAgainMs)
    },
    onError(jobId, error, failures) {
      if (error instanceof NotLeading) return
      if (error instanceof LostRace && failures < persistentFailures) return journal.reconciled('lostRace')
      journal.reconcileFailed(jobId, error, failures)
      if (failures < persistentFailures) return
      const why = error instanceof Error ? error.message : String(error)
      memory.setAttention(jobId, 'error', `It fails to reconcile: ${why}`)
    },
    clock,
    concurrency: 32,
    maxKeys: 200_000,
  })

  /** Everything that lives, before the first admission: what runs counts against the limits from the start. */
  async function load(): Promise<void> {
    for (const phase of livePhases) {
      let from: Item | undefined
      do {
        const page = await jobs.inPhase(phase, { limit: 1000, from })
        await inParallel(page.ids, readAtOnce, (jobId) => loadJob(jobId).catch(failed('load')))
        for (const jobId of page.ids) wake(jobId)
        from = page.next
      } while (from)
    }
    // Tasks of jobs that were overwritten or deleted while nobody looked: known before anything new is admitted.
    await sweep(sweepPorts)
    done.lastSweepAt = now()
    for (const phase of phases) journal.counted(new Map([[phase, await jobs.countPhase(phase)]]))
  }

  async function loadJob(jobId: string): Promise<void> {
    const stored = readStored(await jobs.get(jobId))
    if (stored.is === 'accepted' && isLive(stored.job.phase)) memory.track(stored.job)
  }

  async function pollTasks(): Promise<void> {
    const startedMs = clock.monotonicMs()
    for (const jobId of await observer.poll()) wake(jobId)
    metrics.pollSeconds.set((clock.monotonicMs() - startedMs) / 1000)
    done.lastPollAt = now()
  }

  async function runSweep(): Promise<void> {
    await sweep(sweepPorts).catch(failed('sweep'))
    done.lastSweepAt = now()
  }

  const status = (): Status =>
    statusOf({ ...ports, journal, workqueue, waitingFor: admitter.waitingFor(), times: done, at: now() })

  async function publish(): Promise<void> {
    const published = status()
    metrics.show(published)
    metrics.oldestPendingSeconds.set(admitter.oldestWaitMs() / 1000)
    await ports.publish(published)
  }

  const every = (where: string, intervalMs: () => number, work: () => Promise<void>): Ticker => {
    const ticker = createTicker(work, intervalMs, clock, failed(where))
    tickers.push(ticker)
    return ticker
  }

  return {
    load,

    /** Begins to work. Everything that lives has to be known by then. */
    start(): void {
      const pollEveryMs = () => Math.max(times.pollMs, (memory.liveCount() / describedPerSecond) * 1000)
      every('submitted', () => times.submittedMs, finders.submitted)
      every('due', () => times.dueMs, finders.due)
      admission = every('admission', () => times.admitMs, admitter.pass)
      every('poll', pollEveryMs, pollTasks)
      every('housekeeping', () => housekeepingEveryMs, finders.unread)
      every('listPass', () => times.listPassMs, finders.listPass)
      every('publish', () => times.publishMs, publish)
    },

    /** Ends what is under way and starts nothing new. */
    async stop(): Promise<void> {
      stopping.abort()
      await Promise.all([...tickers.map((ticker) => ticker.stop()), workqueue.stop()])
    },

    wake,
    status,
    countIntake: journal.received,
    sweep: runSweep,

    async scan(): Promise<void> {
      const counted = await scan(sweepPorts, stopping.signal).catch(failed('scan'))
      if (!counted) return
      journal.counted(counted)
      done.lastScanAt = now()
    },
  }
}
