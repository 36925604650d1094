import { makeUid, parseStartedBy } from '../../schemas/ids.ts'
import { isLive, isTerminal } from '../../schemas/job.ts'
import { callRates } from '../../schemas/limits.ts'
import type { ModelTask } from './aws/ports.ts'
import { brokenRule, foreignWords } from './write-rules.ts'

export type Item = Readonly<Record<string, unknown>>

export type Violation = { invariant: string; message: string; atMs: number }

type Attempt = { n: number; cpu: number; costUsd?: number; outcome?: { class: string } }
/** The parts of a record that the invariants look at. */
type Record_ = {
  jobId: string
  uid?: string
  phase?: string
  generation?: number
  revision?: number
  fence?: string
  claim?: { taskArn?: string }
  taskArn?: string
  report?: { fence?: string; outcome?: string; at?: string; result?: { split?: unknown } }
  stopping?: { reason?: string }
  pipeline?: { stopping?: { reason?: string } }
  attempts?: Attempt[]
  rollup?: { costUsd: number }
  costUsd?: number
  counts?: { failed: number; infra: number }
  lastAttempt?: number
  lastLaunch?: number
  settings?: { queue: string; limits: { attempts: number; infrastructureAttempts: number } }
}

export type WatchSettings = {
  nowMs(): number
  maxRunning: number
  maxVcpu: number
  queues: Readonly<Record<string, { maxRunning?: number; maxVcpu?: number }>>
  installation: string
  /** Jobs whose records somebody damaged: what becomes of them is not for these rules to say. */
  isDamaged(jobId: string): boolean
  records(): Iterable<Item>
  tasks(): readonly ModelTask[]
  /** How far two clocks of controllers may be apart. */
  skewMs: number
  /** More than one process may have acted as the leader within the last minute. */
  isOverlap(): boolean
  onViolation(violation: Violation): void
}

/**
 * The invariants of the design, checked at every step: each method is called at the moment at which its step has its
 * effect. They look at the truth of the models only, never at what a controller believes.
 */
export function createWatch(settings: WatchSettings) {
  const lastRead = new Map<string, Item | undefined>()
  const ended = new Map<string, string>()
  const cancelled = new Set<string>()
  const fences = new Map<string, number>()
  const claims = new Map<string, string>()
  const working = new Map<string, ModelTask>()
  let hiddenUntilMs = 0
  const buckets = new Map<string, { tokens: number; atMs: number }>()
  const ledSinceMs = new Map<string, number>()
  const knownTasks = new Map<string, Set<string>>()
  let newestTerm = 0

  const fail = (invariant: string, message: string): void =>
    settings.onViolation({ invariant, message, atMs: settings.nowMs() })

  const generationOf = (job: Record_): string => `${job.jobId}/${job.uid}/${job.generation}`

  /**
   * A write of a controller: everything it may and may not do to a record.
   * @param read what this controller had last read of the record when it sent the write, which may arrive much later
   */
  function controllerWrote(
    actor: string,
    beforeItem: Item | undefined,
    afterItem: Item | undefined,
    read: Item | undefined,
  ): void {
    const before = beforeItem as Record_ | undefined
    const after = afterItem as Record_ | undefined
    if (before === undefined || after === undefined) return
    if (read !== undefined) checkReadBefore(actor, before, after, read as Record_)
    const theirs = foreignWords(beforeItem ?? {}, afterItem ?? {})
    if (theirs) fail(theirs.invariant, theirs.message)
    if (settings.isDamaged(after.jobId) || !isOurs(after)) return
    checkRules(actor, before, after)
    checkKnownTasks(actor, before, after)
    checkFinal(before, after)
    checkEndOfLaunch(before, after)
    checkNumbers(before, after)
    checkCounts(after)
    checkCost(after)
    checkLimits(before, after)
  }

  function checkRules(actor: string, before: Record_, after: Record_): void {
    const nowMs = settings.nowMs()
    const broken = brokenRule(before, after, {
      nowMs,
      installation: settings.installation,
      task: taskOf,
      tasksOf: (startedBy) => settings.tasks().filter((task) => task.startedBy === startedBy),
      ledMs: nowMs - (ledSinceMs.get(actor) ?? nowMs),
      skewMs: settings.skewMs,
    })
    if (broken) fail(broken.invariant, broken.message)
  }

  /** I1, also over the lives of a record: no launch while a task lives that this leader has seen at work for the job. */
  function checkKnownTasks(actor: string, before: Record_, after: Record_): void {
    const known = knownTasks.get(`${actor} ${after.jobId}`) ?? new Set()
    if (before.taskArn !== undefined && before.taskArn === after.taskArn) known.add(before.taskArn)
    knownTasks.set(`${actor} ${after.jobId}`, known)
    if (after.fence === undefined || after.fence === before.fence) return
    for (const arn of known)
      if (taskOf(arn)?.lastStatus !== 'STOPPED')
        fail('I1', `${actor} launches ${after.fence} of ${after.jobId} while ${arn} lives`)
  }

  const taskOf = (arn: string): ModelTask | undefined =>
    settings.tasks().find((candidate) => candidate.arn === arn)

  /** I9: a controller changes a record only as the very one that it read. */
  function checkReadBefore(actor: string, before: Record_, after: Record_, read: Record_): void {
    if (read.uid !== before.uid || read.revision !== before.revision)
      fail('I9', `${actor} wrote ${before.jobId} at revision ${before.revision}, read at ${read.revision}`)
    if (before.fence === undefined || after.fence === before.fence) return
    const changed = Object.entries(endOf(before)).find(
      ([name, value]) => endOf(read)[name as keyof ReturnType<typeof endOf>] !== value,
    )
    if (changed)
      fail(
        'I9',
        `${actor} ended launch ${before.fence} of ${before.jobId}, whose ${changed[0]} it had not read`,
      )
  }

  /** I3: what is terminal stays so in its generation. I10: what was cancelled never succeeds. */
  function checkFinal(before: Record_, after: Record_): void {
    const generation = generationOf(after)
    const known = ended.get(generation)
    if (known !== undefined && after.phase !== known && after.generation === before.generation)
      fail('I3', `${after.jobId} was ${known} in generation ${after.generation} and is ${after.phase}`)
    const stopping = after.stopping ?? after.pipeline?.stopping
    if (after.phase === 'Cancelled' || stopping?.reason === 'Cancel') cancelled.add(generation)
    if (after.phase === 'Succeeded' && cancelled.has(generation))
      fail('I10', `${after.jobId} succeeded in generation ${after.generation} after its cancel was recorded`)
    if (isTerminal(String(after.phase)) && after.fence === undefined)
      ended.set(generation, String(after.phase))
  }

  /** A report of success is never followed by another launch, and no launch ends with a claim of a task that works on. */
  function checkEndOfLaunch(before: Record_, after: Record_): void {
    if (before.fence === undefined || after.fence === before.fence || before.uid !== after.uid) return
    const isDone = before.report?.fence === before.fence && before.report?.outcome === 'done'
    // What was found too long for one task goes on as a pipeline, and is not launched again.
    const wanted = before.report?.result?.split === undefined ? 'Succeeded' : 'Running'
    if (isDone && after.phase !== wanted && before.stopping?.reason !== 'Cancel')
      fail('Done', `${after.jobId} had reported done for ${before.fence} and became ${after.phase}`)
  }

  /** Numbers of attempts and launches never restart, and no fence is used twice. */
  function checkNumbers(before: Record_, after: Record_): void {
    if (before.uid !== after.uid) return
    if (
      (after.lastAttempt ?? 0) < (before.lastAttempt ?? 0) ||
      (after.lastLaunch ?? 0) < (before.lastLaunch ?? 0)
    )
      fail('Numbers', `${after.jobId}: attempt or launch numbers went back`)
    if (after.fence === undefined || after.fence === before.fence) return
    const launch = Number(after.fence.split('/').at(-1))
    const last = fences.get(String(after.uid)) ?? 0
    if (launch <= last) fail('Numbers', `${after.jobId}: launch ${launch} after launch ${last}`)
    fences.set(String(after.uid), launch)
    const attempts = (after.attempts ?? []).map(({ n }) => n)
    if (new Set(attempts).size !== attempts.length)
      fail('Numbers', `${after.jobId}: an attempt stands twice in the ledger`)
  }

  /** I2: budgets are never exceeded; the loss that is one too many ends the job. */
  function checkCounts(after: Record_): void {
    const limits = after.settings?.limits
    if (!limits || !after.counts) return
    const isOver = isTerminal(String(after.phase))
    if (
      after.counts.failed > limits.attempts ||
      (after.counts.failed === limits.attempts && !isOver && after.fence === undefined)
    )
      fail(
        'I2',
        `${after.jobId}: ${after.counts.failed} failed attempts of ${limits.attempts}, and it is ${after.phase}`,
      )
    if (after.counts.infra > limits.infrastructureAttempts + (isOver ? 1 : 0))
      fail(
        'I2',
        `${after.jobId}: ${after.counts.infra} losses of ${limits.infrastructureAttempts}, and it is ${after.phase}`,
      )
  }

  /** I11: the recorded cost is the sum over ledger and rollup. */
  function checkCost(after: Record_): void {
    if (!isTerminal(String(after.phase)) || after.fence !== undefined) return
    const sum =
      (after.rollup?.costUsd ?? 0) +
      (after.attempts ?? []).reduce((total, { costUsd }) => total + (costUsd ?? 0), 0)
    if (Math.abs(sum - (after.costUsd ?? 0)) > 1e-5)
      fail('I11', `${after.jobId}: costUsd ${after.costUsd}, and its attempts cost ${sum}`)
  }

  /** I7: what is admitted never exceeds the limits, except by what an old leader had in flight. */
  function checkLimits(before: Record_, after: Record_): void {
    const nowMs = settings.nowMs()
    // A launch that a user hid under another phase while nobody led, and that was found and put right a moment ago.
    if (after.fence === before.fence && !isLive(String(before.phase))) hiddenUntilMs = nowMs + 60_000
    if (after.fence === undefined || after.fence === before.fence) return
    if (settings.isOverlap() || nowMs < hiddenUntilMs) return
    let running = 0
    let vcpu = 0
    const queues = new Map<string, { running: number; vcpu: number }>()
    for (const record of settings.records()) {
      const job = record as Record_
      if (
        job.fence === undefined ||
        !isLive(String(job.phase)) ||
        !isOurs(job) ||
        settings.isDamaged(job.jobId)
      )
        continue
      const cpu = (job.attempts?.find(({ outcome }) => outcome === undefined)?.cpu ?? 0) / 1024
      const own = queues.get(String(job.settings?.queue)) ?? { running: 0, vcpu: 0 }
      own.running += 1
      own.vcpu += cpu
      queues.set(String(job.settings?.queue), own)
      running += 1
      vcpu += cpu
    }
    if (running > settings.maxRunning)
      fail('I7', `${running} live jobs, and ${settings.maxRunning} are allowed`)
    if (vcpu > settings.maxVcpu + 1e-9) fail('I7', `${vcpu} vCPU, and ${settings.maxVcpu} are allowed`)
    for (const [name, use] of queues) {
      const limits = settings.queues[name]
      if (use.running > (limits?.maxRunning ?? Number.POSITIVE_INFINITY))
        fail('I7', `${use.running} live jobs in queue ${name}`)
      if (use.vcpu > (limits?.maxVcpu ?? Number.POSITIVE_INFINITY) + 1e-9)
        fail('I7', `${use.vcpu} vCPU in queue ${name}`)
    }
  }

  /** I1: one task passes the claim of an attempt, and no two that passed work at the same time. */
  function claimed(task: ModelTask): void {
    const started = parseStartedBy(task.startedBy)
    if (!started) return
    const [uid = '', attempt = ''] = started.fence.split('/')
    const key = `${started.jobId}/${uid}/${attempt}`
    const before = claims.get(key)
    if (before !== undefined && before !== task.arn)
      fail('I1', `${key} was claimed by two tasks: ${before} and ${task.arn}`)
    claims.set(key, task.arn)
    works(`${started.jobId}/${uid}`, task)
  }

  function works(life: string, task: ModelTask): void {
    if (settings.isDamaged(life.split('/')[0] ?? '')) return
    const other = working.get(life)
    if (other !== undefined && other.arn !== task.arn)
      fail('I1', `${life}: ${task.arn} works while ${other.arn} does`)
    working.set(life, task)
  }

  return {
    controllerWrote,
    claimed,

    /** A container without a claim works from the moment it runs. */
    started(task: ModelTask): void {
      const started = parseStartedBy(task.startedBy)
      if (started) works(`${started.jobId}/${started.fence.split('/')[0]}`, task)
    },

    gone(task: ModelTask): void {
      for (const [life, worker] of working) if (worker === task) working.delete(life)
    },

    lastRead: (actor: string, jobId: string): Item | undefined => lastRead.get(`${actor} ${jobId}`),
    read(actor: string, jobId: string, item: Item | undefined): void {
      lastRead.set(`${actor} ${jobId}`, item)
    },

    /** I4: a message that comes again finds its record, and never puts another one over it. */
    intakeWrote(beforeItem: Item | undefined, afterItem: Item | undefined): void {
      if (beforeItem === undefined || afterItem === undefined || beforeItem.expiresAt !== undefined) return
      if (beforeItem.uid !== undefined && afterItem.uid === undefined)
        fail('I4', `${beforeItem.jobId} was put over by a new record`)
    },

    /** A user wrote the record: what was known of its end does not hold for the next life. */
    userWrote(jobId: string): void {
      for (const generation of [...ended.keys()])
        if (generation.startsWith(`${jobId}/`)) ended.delete(generation)
    },

    /** I6: every RunTask of a term finds a token in a bucket that was empty when the term began. */
    termBegan(term: string): void {
      const [actor = ''] = term.split(' ')
      if (!ledSinceMs.has(actor)) ledSinceMs.set(actor, settings.nowMs())
      for (const key of knownTasks.keys()) if (key.startsWith(`${actor} `)) knownTasks.delete(key)
      buckets.set(term, { tokens: 0, atMs: settings.nowMs() })
    },
    /** Once a later term has sent something, an earlier one sends nothing more. */
    acted(term: string): void {
      const number = Number(term.split(' ').at(-1))
      if (number < newestTerm) fail('Lease', `${term} acts after term ${newestTerm} did`)
      newestTerm = Math.max(newestTerm, number)
    },
    runTaskSent(term: string): void {
      const bucket = buckets.get(term)
      if (!bucket) return
      const nowMs = settings.nowMs()
      bucket.tokens =
        Math.min(callRates.runTask, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * callRates.runTask) - 1
      bucket.atMs = nowMs
      if (bucket.tokens < -1e-6) fail('I6', `${term} sent RunTask faster than ${callRates.runTask} a second`)
    },

    /** Tasks of others are never touched. */
    stopSent(arn: string): void {
      const task = taskOf(arn)
      if (task) checkStopIntended(task)
      if (task && parseStartedBy(task.startedBy)?.installation !== settings.installation)
        fail('Strangers', `StopTask on ${arn}, started by ${task.startedBy}`)
    },
  }

  /** A task of the current launch is stopped only after the intent to stop it is written. */
  function checkStopIntended(task: ModelTask): void {
    const started = parseStartedBy(task.startedBy)
    for (const record of settings.records()) {
      const job = record as Record_
      if (job.jobId !== started?.jobId || job.fence !== started.fence || job.stopping !== undefined) continue
      const current = job.claim?.taskArn ?? job.taskArn ?? task.arn
      if (current === task.arn && !settings.isDamaged(job.jobId))
        fail('StopIntent', `StopTask on ${task.arn} of ${job.jobId}, which nothing says to stop`)
    }
  }

  function isOurs(job: Record_): boolean {
    return job.uid?.startsWith(makeUid(job.jobId, '')) === true
  }
}

/** What a write that ends a launch has to have read. */
const endOf = ({ phase, claim, report }: Record_) => ({
  phase,
  claim: claim?.taskArn,
  report: report && `${report.fence} ${report.at}`,
})
