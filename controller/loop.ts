import { isLive, isTerminal, type Job, livePhases, type Phase, phases } from '../schemas/job.ts'
import { isKindName } from '../schemas/kinds/index.ts'
import type { Status } from '../schemas/status.ts'
import { createAdmitter } from './admit/admission.ts'
import type { Pacer } from './admit/pacer.ts'
import type { Clock } from './clock.ts'
import type { Logger } from './log.ts'
import { countAction, type Metrics } from './metrics.ts'
import type { Policy } from './policy.ts'
import { type ActPorts, LostRace } from './reconcile/act.ts'
import type { Action } from './reconcile/decide.ts'
import { capacityKey } from './reconcile/launch.ts'
import type { Memory } from './reconcile/memory.ts'
import { createObserver } from './reconcile/observe.ts'
import { type Accepted, type ReconcilePorts, reconcile } from './reconcile/reconcile.ts'
import type { Runner } from './run/ecs.ts'
import type { JobStore } from './store/jobs.ts'
import { type Item, readStored } from './store/stored.ts'
import { arnsByLaunch, listOurTasks, type PhaseCounts, scan, sweep } from './sweep.ts'
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
  /** Deletes events that were kept as evidence. */
  deleteEvents: (receipts: readonly string[]) => Promise<void>
  publish: (status: Status) => Promise<void>
  leader: Status['leader']
  times: { pollMs: number; resyncMs: number }
  /** When the last scan ended, as the leader before published it. */
  lastScanAt: string | undefined
}

export type Loop = ReturnType<typeof createLoop>

const submittedEveryMs = 200
const dueEveryMs = 500
const admitEveryMs = 1000
const publishEveryMs = 5000
const housekeepingAtMostMs = 5000
const listPassEveryMs = 1000
const persistentFailures = 5
const evidenceArrivesMs = 5000
const rereadCycleMs = 10 * 60_000
const pageSize = 100
const submittedPages = 10

/** The leader: everything that makes jobs move. One of it runs at a time; a second one would only waste work. */
export function createLoop(ports: LoopPorts) {
  const { jobs, memory, clock, log, metrics, policy, pacers } = ports
  const counts: PhaseCounts = new Map(phases.map((phase) => [phase, 0]))
  const times: { lastPollAt?: string; lastSweepAt?: string; lastScanAt?: string } = ports.lastScanAt
    ? { lastScanAt: ports.lastScanAt }
    : {}
  const intake: Record<string, number> = {}
  const tickers: Ticker[] = []
  const stopping = new AbortController()
  const passes = new Map<string, number>()
  let admission: Ticker | undefined
  const startedMs = clock.nowMs()
  let rereadFrom: Item | undefined
  const housekeepingEveryMs = Math.min(housekeepingAtMostMs, ports.times.resyncMs / 2)

  const onError = (where: string) => (error: unknown) => {
    metrics.errors.inc({ where })
    log.error({ err: error, where }, 'failed; will be tried again')
  }
  const move = (from: unknown, to: Phase | undefined): void => {
    if (to === undefined || from === to) return
    const was = String(from)
    if (from !== undefined && counts.has(was)) counts.set(was, Math.max(0, (counts.get(was) ?? 0) - 1))
    counts.set(to, (counts.get(to) ?? 0) + 1)
  }

  const observer = createObserver(ports.runner, pacers.describeTasks, memory, clock, onError('poll'))
  const reconcilePorts: ReconcilePorts = {
    ...ports,
    observer,
    // Evidence that waits in the queue has to arrive first: what it tells must not be launched again.
    wantListPass: (jobId, fromMs) => passes.set(jobId, Math.max(fromMs, startedMs + evidenceArrivesMs)),
    onStep,
    onAccepted,
    onMoved(from, to) {
      move(from, to)
      admission?.nudge()
    },
    onSettled,
    onUnanswered: (jobId, reason) =>
      log.warn({ jobId, action: 'runTask', reason }, `runTask ${jobId}: no answer yet, will be sent again`),
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
      metrics.reconciles.inc({ result: 'ok' })
      memory.setAttention(jobId, 'error', undefined)
      if (next !== 'whenWoken') workqueue.add(jobId, next.lookAgainMs)
    },
    onError(jobId, error, failures) {
      if (error instanceof LostRace && failures < persistentFailures) {
        metrics.reconciles.inc({ result: 'lostRace' })
        log.debug({ jobId }, 'the record changed meanwhile; looked at again')
        return
      }
      metrics.reconciles.inc({ result: 'error' })
      log.error({ err: error, jobId, failures }, 'reconcile failed; will be tried again')
      if (failures >= persistentFailures)
        memory.setAttention(
          jobId,
          'error',
          `${jobId} fails to reconcile: ${error instanceof Error ? error.message : error}`,
        )
    },
    clock,
    concurrency: 32,
    maxKeys: 200_000,
  })

  const admitter = createAdmitter({
    ...ports,
    launches: pacers.runTask,
    wake: (jobId) => workqueue.add(jobId),
    onError: onError('admission'),
  })

  function onStep(jobId: string, fence: string | undefined, action: Action): void {
    countAction(metrics, action)
    const level = action.do === 'wait' || action.do === 'nothing' || action.do === 'look' ? 'debug' : 'info'
    log[level](
      { jobId, fence, action: action.do, reason: action.reason },
      `${action.do} ${jobId}: ${action.reason}`,
    )
    if (action.do === 'adoptEdit') admitter.forget(jobId)
  }

  function onAccepted({ jobId, kind, from, phase, reason, message }: Accepted): void {
    move(from, phase)
    metrics.jobsAccepted.inc({ kind: isKindName(kind) ? kind : 'unknown', phase })
    log.info({ jobId, action: 'accept', reason, message }, `accept ${jobId}: ${reason}`)
    admission?.nudge()
  }

  function onSettled(job: Job, arn: string | undefined, phase: Phase, outcome: string): void {
    const receipts = arn === undefined ? [] : memory.dropEvidence(arn)
    memory.forget(job.jobId)
    const { kind } = job
    if (outcome !== 'none') metrics.attemptsEnded.inc({ kind, outcome })
    if (isTerminal(phase)) {
      metrics.jobsFinished.inc({ kind, phase })
      metrics.jobSeconds.observe({ kind }, (clock.nowMs() - Date.parse(job.acceptedAt)) / 1000)
    }
    if (receipts.length > 0) ports.deleteEvents(receipts).catch(onError('deleteEvents'))
    admission?.nudge()
  }

  const wakeAll = (ids: Iterable<string>): void => {
    for (const jobId of ids) workqueue.add(jobId)
  }

  /** Everything that lives, before the first admission: what runs counts against the limits from the start. */
  async function load(): Promise<void> {
    for (const phase of livePhases) {
      let from: Item | undefined
      do {
        const page = await jobs.inPhase(phase, { limit: 1000, from })
        for (const jobId of page.ids) {
          await loadJob(jobId).catch(onError('load'))
          workqueue.add(jobId)
        }
        from = page.next
      } while (from)
    }
    // Tasks of jobs that were overwritten or deleted while nobody looked: known before anything new is admitted.
    await runSweep()
    for (const phase of phases) counts.set(phase, await jobs.countPhase(phase))
  }

  async function loadJob(jobId: string): Promise<void> {
    const stored = readStored(await jobs.get(jobId))
    if (stored.is === 'accepted' && isLive(stored.job.phase)) memory.track(stored.job)
  }

  /** Oldest first, and a few pages on: records that fail again and again must not hide the ones behind them. */
  async function wakeSubmitted(): Promise<void> {
    let from: Item | undefined
    for (let pages = 0; pages < submittedPages; pages += 1) {
      const page = await jobs.inPhase('Submitted', { limit: pageSize, from })
      wakeAll(page.ids)
      if (!page.next) return
      from = page.next
    }
  }

  /** Back-off that is over. Those that wait for a listing of the cluster have been here before. */
  async function wakeDue(): Promise<void> {
    const due = await jobs.due(clock.nowMs(), Math.min(1000, pageSize + passes.size))
    wakeAll(due.map(({ jobId }) => jobId).filter((jobId) => !passes.has(jobId)))
  }

  async function pollTasks(): Promise<void> {
    const startedMs = clock.monotonicMs()
    wakeAll(await observer.poll())
    metrics.pollSeconds.set((clock.monotonicMs() - startedMs) / 1000)
    times.lastPollAt = new Date(clock.nowMs()).toISOString()
  }

  /** Live records that were not read for a while, and a few of the waiting ones: raw edits are found here. */
  async function housekeeping(): Promise<void> {
    wakeAll(memory.unread(ports.times.resyncMs))
    const share = ((counts.get('Pending') ?? 0) * housekeepingEveryMs) / rereadCycleMs
    const page = await jobs.inPhase('Pending', {
      limit: Math.min(1000, Math.max(25, Math.ceil(share))),
      from: rereadFrom,
    })
    wakeAll(page.ids)
    rereadFrom = page.next
  }

  async function listPass(): Promise<void> {
    const due = [...passes].filter(([, fromMs]) => fromMs <= clock.nowMs()).map(([jobId]) => jobId)
    if (due.length === 0) return
    const { begunAtMs, looks } = await listOurTasks({ ...ports, ...sweepPorts })
    memory.passDone(begunAtMs, arnsByLaunch(looks))
    for (const jobId of due) passes.delete(jobId)
    wakeAll(due)
  }

  const sweepPorts = {
    installation: policy.installation,
    wake: (jobId: string) => workqueue.add(jobId),
    onError: onError('sweep'),
  }

  async function runSweep(): Promise<void> {
    await sweep({ ...ports, ...sweepPorts }).catch(onError('sweep'))
    times.lastSweepAt = new Date(clock.nowMs()).toISOString()
  }

  function status(): Status {
    const usage = memory.usage()
    const waitingFor = admitter.waitingFor()
    return {
      at: new Date(clock.nowMs()).toISOString(),
      leader: ports.leader,
      phases: Object.fromEntries(counts),
      limits: {
        running: usage.running,
        maxRunning: policy.maxRunning,
        vcpu: usage.vcpu,
        maxVcpu: policy.maxVcpu,
      },
      queues: Object.entries(policy.queues).map(([name, limits]) => {
        const reason = waitingFor.get(name)
        return {
          name,
          running: usage.queues.get(name)?.running ?? 0,
          vcpu: usage.queues.get(name)?.vcpu ?? 0,
          ...(limits.maxRunning === undefined ? {} : { maxRunning: limits.maxRunning }),
          ...(limits.maxVcpu === undefined ? {} : { maxVcpu: limits.maxVcpu }),
          ...(reason === undefined ? {} : { waitingFor: reason }),
        }
      }),
      workqueue: workqueue.depth(),
      pacers: Object.fromEntries(Object.entries(pacers).map(([name, pacer]) => [name, pacer.available()])),
      ...times,
      intake: { ...intake },
      attention: memory.attention(),
    }
  }

  async function publish(): Promise<void> {
    const now = status()
    for (const [phase, jobCount] of counts) metrics.jobs.set({ phase }, jobCount)
    metrics.workqueueDepth.set(now.workqueue.ready)
    metrics.workqueueLagSeconds.set(now.workqueue.lagMs / 1000)
    metrics.usedVcpu.set(now.limits.vcpu)
    metrics.liveTasks.set(now.limits.running)
    await ports.publish(now)
  }

  const every = (where: string, work: () => Promise<void>, intervalMs: () => number): Ticker => {
    const ticker = createTicker(work, intervalMs, clock, onError(where))
    tickers.push(ticker)
    return ticker
  }

  return {
    /** Resolves once everything that lives is known and work has begun. */
    async start(): Promise<void> {
      await load()
      every('submitted', wakeSubmitted, () => submittedEveryMs)
      every('due', wakeDue, () => dueEveryMs)
      admission = every(
        'admission',
        () => admitter.pass(),
        () => admitEveryMs,
      )
      every('poll', pollTasks, () => Math.max(ports.times.pollMs, (memory.liveCount() / 1400) * 1000))
      every('housekeeping', housekeeping, () => housekeepingEveryMs)
      every('listPass', listPass, () => listPassEveryMs)
      every('publish', publish, () => publishEveryMs)
    },

    /** Ends what is under way and starts nothing new. */
    async stop(): Promise<void> {
      stopping.abort()
      await Promise.all([...tickers.map((ticker) => ticker.stop()), workqueue.stop()])
    },

    wake: (jobId: string): void => workqueue.add(jobId),
    status,

    /** Counts what became of a message, for status and metrics. */
    countIntake(result: string): void {
      intake[result] = (intake[result] ?? 0) + 1
      metrics.intake.inc({ result })
    },

    sweep: runSweep,

    async scan(): Promise<void> {
      const counted = await scan({ ...ports, ...sweepPorts }, stopping.signal).catch(onError('scan'))
      if (!counted) return
      for (const [phase, jobCount] of counted) counts.set(phase, jobCount)
      times.lastScanAt = new Date(clock.nowMs()).toISOString()
    },
  }
}
