import type {
  ListPass,
  Seen,
  SpecEdit,
  Stop,
  Stray,
  TaskSeen,
  Watch,
} from '../../controller/reconcile/seen.ts'
import { clientToken, formatFence, makeUid } from '../../schemas/ids.ts'
import type { Attempt, Job, Launching, Phase, Report, StopReason, TerminalPhase } from '../../schemas/job.ts'
import { specDefaults } from '../../schemas/limits.ts'
import type { Settings } from '../../schemas/spec.ts'

// Records and looks for tests, each with everything filled in: a test names only what it is about. There is one builder
// for every phase, and what it builds is what the steps of the controller lead to.

/** When the jobs of tests were accepted. Everything else happens so many milliseconds after it. */
export const acceptedMs = Date.parse('2026-11-22T10:00:00.000Z')
export const at = (ms: number): string => new Date(acceptedMs + ms).toISOString()

export const secondMs = 1000
export const minuteMs = 60 * secondMs
export const hourMs = 60 * minuteMs

/** When their launch was intended. */
export const launchedMs = secondMs

export const jobId = 'wedding-42'
export const uid = makeUid(jobId, 'abcdefghijkl')
export const fence = formatFence({ uid, attempt: 1, launch: 1 })
export const arn = taskArn('1')
export const queueRank = acceptedMs

export function taskArn(id: string): string {
  return `arn:aws:ecs:us-east-1:000000000000:task/jobs/${id.padStart(32, '0')}`
}

type SettingsOverrides = Partial<Omit<Settings, 'limits' | 'resources'>> & {
  limits?: Partial<Settings['limits']>
  resources?: Partial<Settings['resources']>
}

export const settings = ({ limits, resources, ...more }: SettingsOverrides = {}): Settings => ({
  input: { bucket: 'uploads', key: 'wedding.mp4', etag: 'e1' },
  output: `results/${jobId}/`,
  params: {},
  queue: 'default',
  priority: 0,
  resources: { cpu: 1024, memory: 2048, capacity: 'on-demand', ...resources },
  limits: {
    attempts: specDefaults.attempts,
    infrastructureAttempts: specDefaults.infrastructureAttempts,
    startTimeout: specDefaults.startTimeoutS,
    attemptTimeout: specDefaults.attemptTimeoutS,
    deadline: specDefaults.deadlineS,
    heartbeatTimeout: specDefaults.heartbeatTimeoutS,
    backoff: { initial: specDefaults.backoffInitialS, max: specDefaults.backoffMaxS },
    maxMemory: 8192,
    ...limits,
  },
  failurePolicy: [],
  ttlAfterFinished: specDefaults.ttlAfterFinishedS,
  labels: {},
  ...more,
})

/** A job that waits in its queue's line: accepted, nothing has happened yet. */
export const job = (more: Partial<Job> = {}): Job => ({
  jobId,
  kind: 'transcode',
  createdAt: at(-secondMs),
  phase: 'Pending',
  spec: { input: { bucket: 'uploads', key: 'wedding.mp4' } },
  uid,
  generation: 1,
  revision: 1,
  reason: 'Queued',
  settings: settings(),
  specHash: 'hash',
  attempts: [],
  counts: { failed: 0, infra: 0 },
  lastAttempt: 0,
  lastLaunch: 0,
  history: [{ at: at(0), phase: 'Pending', reason: 'Queued' }],
  acceptedAt: at(0),
  backlogQueue: 'default',
  rank: queueRank,
  queueRank,
  ...more,
})

export const pending = job

/** A job between two attempts: the first one failed, and it stands in the line of those that wait for a time. */
export const backingOff = (notBeforeMs: number, more: Partial<Job> = {}): Job =>
  job({
    reason: 'Backoff',
    notBefore: at(notBeforeMs),
    backlogQueue: '~due',
    rank: acceptedMs + notBeforeMs,
    attempts: [attempt({ outcome: { class: 'failed', exitCode: 1, reason: 'Exit code 1' } })],
    counts: { failed: 1, infra: 0 },
    lastAttempt: 1,
    lastLaunch: 1,
    ...more,
  })

/** A job whose launch was refused for want of capacity: slot and fence are given back, its attempt is still open. */
export const refused = (notBeforeMs: number, more: Partial<Job> = {}): Job =>
  job({
    reason: 'Capacity',
    message: 'Capacity is unavailable at this time',
    notBefore: at(notBeforeMs),
    backlogQueue: '~due',
    rank: acceptedMs + notBeforeMs,
    attempts: [attempt()],
    lastAttempt: 1,
    lastLaunch: 1,
    ...more,
  })

/** The intent of the first launch is written, and nobody knows yet what became of it. */
export const starting = (more: Partial<Job> = {}): Job => ({
  ...inLaunch('Starting'),
  launching: launching(),
  ...more,
})

/** RunTask answered: the task is known, and not yet RUNNING. */
export const started = (more: Partial<Job> = {}): Job => ({ ...inLaunch('Starting'), taskArn: arn, ...more })

/** The task runs; its worker has claimed. */
export const running = (more: Partial<Job> = {}): Job => ({
  ...inLaunch('Running'),
  taskArn: arn,
  claim: claim(),
  ...more,
})

/** The stop intent is written. */
export const stopping = (reason: StopReason, more: Partial<Job> = {}): Job => ({
  ...inLaunch('Stopping'),
  reason,
  taskArn: arn,
  claim: claim(),
  stopping: { reason, at: at(minuteMs) },
  ...more,
})

/** A job that has ended. */
export const finished = (phase: TerminalPhase = 'Succeeded', more: Partial<Job> = {}): Job => {
  const { backlogQueue: _queue, rank: _rank, ...base } = job()
  return {
    ...base,
    phase,
    reason: phase === 'Succeeded' ? 'Done' : phase,
    attempts: [attempt({ outcome: { class: 'success', exitCode: 0, reason: 'Done' } })],
    lastAttempt: 1,
    lastLaunch: 1,
    finishedAt: at(hourMs),
    ...more,
  }
}

function inLaunch(phase: Phase): Job {
  const { backlogQueue: _queue, rank: _rank, ...base } = job()
  const { request: _request, ...resolved } = launching()
  return {
    ...base,
    phase,
    reason: phase,
    fence,
    launching: resolved,
    attempts: [attempt()],
    lastAttempt: 1,
    lastLaunch: 1,
  }
}

export const launching = (more: Partial<Launching> = {}): Launching => ({
  attempt: 1,
  launch: 1,
  clientToken: clientToken({ uid, attempt: 1, launch: 1 }),
  request: { clientToken: clientToken({ uid, attempt: 1, launch: 1 }) },
  launchedAt: at(launchedMs),
  ...more,
})

/** An entry of the ledger; without `outcome` it is under way. */
export const attempt = (more: Partial<Attempt> = {}): Attempt => ({
  n: 1,
  launches: 1,
  runner: 'ecs',
  capacity: 'on-demand',
  taskDefinition: 'worker:3',
  cpu: 1024,
  memory: 2048,
  launchedAt: at(launchedMs),
  ...more,
})

export const claim = (taskArnOfClaim = arn): NonNullable<Job['claim']> => ({
  taskArn: taskArnOfClaim,
  at: at(30 * secondMs),
})

export const report = (more: Partial<Report> = {}): Report => ({
  fence,
  outcome: 'done',
  exitCode: 0,
  at: at(minuteMs),
  ...more,
})

/** How a task ended: by itself, with exit code 0, unless a test says otherwise. */
export const stop = (more: Partial<Stop> = {}): Stop => ({
  stopCode: 'EssentialContainerExited',
  reason: 'Essential container in task exited',
  exitCode: 0,
  startedAtMs: acceptedMs + 20 * secondMs,
  stoppedAtMs: acceptedMs + 2 * minuteMs,
  ...more,
})

/** A look that shows nothing: no task, nothing stray, nothing edited, nothing granted. */
export const seen = (
  more: Partial<Omit<Seen, 'watch'>> & { watch?: Partial<Watch> | undefined } = {},
): Seen => ({
  task: { is: 'unknown' },
  strays: [],
  listPass: undefined,
  edit: { is: 'none' },
  granted: false,
  ...more,
  watch: watch(more.watch),
})

/** What a leader has measured that has seen the launch from its beginning. */
export const watch = (more: Partial<Watch> = {}): Watch => ({
  sinceMs: acceptedMs + launchedMs,
  arnSinceMs: acceptedMs + launchedMs,
  runningSinceMs: undefined,
  beat: 0,
  beatMovedAtMs: acceptedMs + launchedMs,
  stopAskedAtMs: undefined,
  sends: 0,
  sendAgainAtMs: 0,
  ...more,
})

export const live = (
  lastStatus = 'RUNNING',
  more: Partial<Extract<TaskSeen, { is: 'live' }>> = {},
): TaskSeen => ({
  is: 'live',
  arn,
  lastStatus,
  desiredStatus: 'RUNNING',
  startedAtMs: lastStatus === 'RUNNING' ? acceptedMs + 20 * secondMs : undefined,
  ...more,
})

export const stopped = (more: Partial<Stop> = {}): TaskSeen => ({ is: 'stopped', arn, stop: stop(more) })

/** Missing since then; the last look is that of `lookedAtMs`, by default one that is always late enough. */
export const missing = (sinceMs: number, lookedAtMs = 365 * 24 * hourMs): TaskSeen => ({
  is: 'missing',
  arn,
  sinceMs: acceptedMs + sinceMs,
  lookedAtMs: acceptedMs + lookedAtMs,
})

export const stray = (more: Partial<Stray> = {}): Stray => ({
  arn: taskArn('5'),
  desiredStatus: 'RUNNING',
  stopAskedAtMs: undefined,
  ...more,
})

export const listPass = (begunMs: number, found?: string): ListPass => ({
  begunAtMs: acceptedMs + begunMs,
  arn: found,
})

export const validEdit: SpecEdit = { is: 'valid', settings: settings({ priority: 5 }), specHash: 'edited' }
