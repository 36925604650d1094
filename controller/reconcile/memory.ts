import { parseStartedBy } from '../../schemas/ids.ts'
import { isLive, type Job } from '../../schemas/job.ts'
import type { Usage, Use } from '../admit/admit.ts'
import type { Clock } from '../clock.ts'
import type { TaskLook } from '../run/answers.ts'
import { currentArn } from './decide.ts'
import { liveVcpu } from './launch.ts'
import type { ListPass, ParentSeen, Seen, SpecEdit, Stray, TaskSeen, Watch } from './seen.ts'
import { createStrays } from './strays.ts'

/** What is kept of a look: the ARN is known, and there may be ten thousand of them. */
type KeptLook = Pick<TaskLook, 'lastStatus' | 'desiredStatus' | 'startedAtMs' | 'stop'>

/** One live job, as its leader keeps it: ids, sizes and times, never the record. Times are of the monotonic clock. */
type Watched = {
  fence: string
  queue: string
  vcpu: number
  arn: string | undefined
  look: KeptLook | undefined
  missingSinceMs: number | undefined
  lookedAtMs: number
  readAtMs: number
  /** Admission took the launch token of the first send. */
  tokenTaken: boolean
  /** The claim has been seen: silence counts from here. */
  claimed: boolean
  watch: Watch
}

const keptOf = ({ lastStatus, desiredStatus, startedAtMs, stop }: TaskLook): KeptLook => ({
  lastStatus,
  desiredStatus,
  startedAtMs,
  stop,
})

type Evidence = { look: TaskLook; receipts: string[] }
type Grant = { queue: string; vcpu: number }

const launchOf = (look: TaskLook): string => {
  const started = parseStartedBy(look.startedBy)
  return started ? `${started.jobId}/${started.fence}` : ''
}

/** What a job may need a person for; one sentence for each. */
export type AttentionTopic = 'edit' | 'error' | 'launch' | 'size'

export type Memory = ReturnType<typeof createMemory>

const evidenceKept = 10_000
const attentionKept = 100

/**
 * What a leader knows besides the table. All of it can be lost at any time: it is rebuilt by looking, and only makes the
 * leader wait again.
 */
export function createMemory(clock: Clock, visibilityGraceMs: number) {
  const live = new Map<string, Watched>()
  const grants = new Map<string, Grant>()
  const strays = createStrays(visibilityGraceMs)
  const evidence = new Map<string, Evidence>()
  const evidenceByLaunch = new Map<string, string>()
  const attention = new Map<string, { jobId: string; why: string }>()
  const familyWishes = new Map<string, string>()
  let lastPass: { begunAtMs: number; byStartedBy: ReadonlyMap<string, string> } | undefined

  /** From the clock that never jumps to the one that records speak of. */
  const wallMs = (monotonicMs: number): number => clock.nowMs() - (clock.monotonicMs() - monotonicMs)
  const wallMaybe = (monotonicMs: number | undefined) =>
    monotonicMs === undefined ? undefined : wallMs(monotonicMs)

  /** Learns what a record that was just read says. A task of an earlier launch becomes a stray until it has stopped. */
  function track(job: Job): Watched | undefined {
    const before = live.get(job.jobId)
    // The fence counts, not the phase, which a user may have edited: until it is put right the job keeps its slot.
    if (job.fence === undefined) {
      if (before) forget(job.jobId)
      // Without a fence nobody may act for the job, so a task that it still names is nobody's.
      const left = currentArn(job)
      if (isLive(job.phase) && left !== undefined) strays.add(job.jobId, left, 'RUNNING')
      else strays.tidy(job.jobId)
      return undefined
    }
    const nowMs = clock.monotonicMs()
    const arn = currentArn(job)
    const watched = before?.fence === job.fence ? before : newWatched(job, nowMs)
    if (before && before !== watched) strayIfAlive(job.jobId, before)
    if (arn !== watched.arn) {
      strayIfAlive(job.jobId, watched)
      Object.assign(watched, { arn, look: undefined, missingSinceMs: undefined })
      watched.watch.arnSinceMs = arn === undefined ? undefined : nowMs
    }
    const beat = job.progress?.beat ?? 0
    if (beat !== watched.watch.beat || (job.claim !== undefined && !watched.claimed)) {
      watched.watch.beat = beat
      watched.watch.beatMovedAtMs = nowMs
      watched.claimed = job.claim !== undefined
    }
    watched.readAtMs = nowMs
    if (arn !== undefined) strays.delete(job.jobId, arn)
    live.set(job.jobId, watched)
    grants.delete(job.jobId)
    return watched
  }

  function newWatched(job: Job, nowMs: number): Watched {
    return {
      fence: job.fence ?? '',
      queue: job.settings.queue,
      vcpu: liveVcpu(job),
      arn: undefined,
      look: undefined,
      missingSinceMs: undefined,
      lookedAtMs: nowMs,
      readAtMs: nowMs,
      tokenTaken: grants.has(job.jobId),
      claimed: false,
      watch: {
        sinceMs: nowMs,
        arnSinceMs: undefined,
        runningSinceMs: undefined,
        beat: 0,
        beatMovedAtMs: nowMs,
        stopAskedAtMs: undefined,
        sends: 0,
        sendAgainAtMs: 0,
      },
    }
  }

  function strayIfAlive(jobId: string, watched: Watched): void {
    if (watched.arn === undefined || watched.look?.stop) return
    strays.add(jobId, watched.arn, watched.look?.desiredStatus ?? 'RUNNING', watched.missingSinceMs)
  }

  function forget(jobId: string): void {
    const watched = live.get(jobId)
    if (watched) strayIfAlive(jobId, watched)
    if (watched?.arn !== undefined) dropEvidence(watched.arn)
    live.delete(jobId)
  }

  function dropEvidence(arn: string): string[] {
    const known = evidence.get(arn)
    evidence.delete(arn)
    if (known) evidenceByLaunch.delete(launchOf(known.look))
    return known?.receipts ?? []
  }

  /** A look at a task that has just been taken; undefined: DescribeTasks did not know it. */
  function learn(jobId: string, arn: string, look: TaskLook | undefined): void {
    const nowMs = clock.monotonicMs()
    strays.learn(jobId, arn, look, nowMs)
    const watched = live.get(jobId)
    if (watched?.arn !== arn) return
    const known = look ?? evidence.get(arn)?.look
    watched.look = known && keptOf(known)
    watched.lookedAtMs = nowMs
    watched.missingSinceMs = known ? undefined : (watched.missingSinceMs ?? nowMs)
    if (known && known.lastStatus === 'RUNNING') watched.watch.runningSinceMs ??= nowMs
  }

  function taskSeen(watched: Watched | undefined): TaskSeen {
    const arn = watched?.arn
    if (!watched || arn === undefined) return { is: 'unknown' }
    const { look } = watched
    if (look?.stop) return { is: 'stopped', arn, stop: look.stop }
    if (look) {
      const { lastStatus, desiredStatus, startedAtMs } = look
      return { is: 'live', arn, lastStatus, desiredStatus, startedAtMs }
    }
    return watched.missingSinceMs === undefined
      ? { is: 'unknown' }
      : {
          is: 'missing',
          arn,
          sinceMs: wallMs(watched.missingSinceMs),
          lookedAtMs: wallMs(watched.lookedAtMs),
        }
  }

  /** Everything `decide` wants to know besides the record. */
  function seenOf(job: Job, edit: SpecEdit, parent?: ParentSeen): Seen {
    const watched = live.get(job.jobId)
    const watch = watched?.watch ?? newWatched(job, clock.monotonicMs()).watch
    const launch = `${job.jobId}/${job.fence}`
    const arn = lastPass?.byStartedBy.get(launch) ?? evidenceByLaunch.get(launch)
    const listPass: ListPass | undefined = lastPass && { begunAtMs: lastPass.begunAtMs, arn }
    return {
      task: taskSeen(watched),
      strays: strays
        .of(job.jobId)
        .map((stray): Stray => ({ ...stray, stopAskedAtMs: wallMaybe(stray.stopAskedAtMs) })),
      watch: {
        ...watch,
        sinceMs: wallMs(watch.sinceMs),
        arnSinceMs: wallMaybe(watch.arnSinceMs),
        runningSinceMs: wallMaybe(watch.runningSinceMs),
        beatMovedAtMs: wallMs(watch.beatMovedAtMs),
        stopAskedAtMs: wallMaybe(watch.stopAskedAtMs),
        sendAgainAtMs: wallMs(watch.sendAgainAtMs),
      },
      listPass,
      edit,
      granted: grants.has(job.jobId),
      ...(parent ? { parent } : {}),
    }
  }

  return {
    track,
    forget,
    learn,
    addStray: strays.add,
    seenOf,

    /** Tasks to look at before the record of this job is read. */
    arnsOf(jobId: string): string[] {
      const arn = live.get(jobId)?.arn
      return [...(arn === undefined ? [] : [arn]), ...strays.of(jobId).map((stray) => stray.arn)]
    },
    straysOf: strays.of,
    tidyStrays: strays.tidy,
    has: (jobId: string): boolean => live.has(jobId) || grants.has(jobId),
    hasStray: strays.has,
    isCurrent: (jobId: string, arn: string): boolean => live.get(jobId)?.arn === arn,
    watched: (jobId: string): Readonly<Watched> | undefined => live.get(jobId),
    liveCount: (): number => live.size,

    /** Every task that is known to live, with its job: what a poll looks at. */
    *tasks(): Generator<{ jobId: string; arn: string }> {
      for (const [jobId, { arn, look }] of live) if (arn !== undefined && !look?.stop) yield { jobId, arn }
      yield* strays.all()
    },
    /** Live jobs whose record was last read more than `ageMs` ago. */
    *unread(ageMs: number): Generator<string> {
      const before = clock.monotonicMs() - ageMs
      for (const [jobId, { readAtMs }] of live) if (readAtMs <= before) yield jobId
    },

    /** RunTask was sent and its outcome is unknown: when to replay. */
    sent(jobId: string, backoffMs: number): void {
      const watch = live.get(jobId)?.watch
      if (!watch) return
      watch.sends += 1
      watch.sendAgainAtMs = clock.monotonicMs() + backoffMs
    },
    /** True once per launch if admission already took the token of its first send. */
    useToken(jobId: string): boolean {
      const watched = live.get(jobId)
      if (!watched?.tokenTaken) return false
      watched.tokenTaken = false
      return true
    },
    stopAsked(jobId: string, arn: string): void {
      const nowMs = clock.monotonicMs()
      const watched = live.get(jobId)
      if (watched?.arn === arn) watched.watch.stopAskedAtMs = nowMs
      strays.stopAsked(jobId, arn, nowMs)
    },

    grant(jobId: string, grant: Grant): void {
      grants.set(jobId, grant)
    },
    grantOf: (jobId: string): Readonly<Grant> | undefined => grants.get(jobId),
    /** Gives back what admission gave, when the job turned out not to need it. */
    dropGrant: (jobId: string): boolean => grants.delete(jobId),

    usage(): Usage {
      const total: Use = { running: 0, vcpu: 0 }
      const queues = new Map<string, Use>()
      for (const { queue, vcpu } of [...live.values(), ...grants.values()]) {
        const own = queues.get(queue) ?? { running: 0, vcpu: 0 }
        for (const use of [total, own]) {
          use.running += 1
          use.vcpu += vcpu
        }
        queues.set(queue, own)
      }
      return { ...total, queues }
    },

    /** Keeps the detail of a STOPPED event, for the case that DescribeTasks has forgotten the task. */
    keepEvidence(look: TaskLook, receipt: string): boolean {
      const known = evidence.get(look.arn)
      if (!known && evidence.size >= evidenceKept) return false
      evidenceByLaunch.set(launchOf(look), look.arn)
      evidence.set(look.arn, {
        look: known && known.look.version > look.version ? known.look : look,
        receipts: [...(known?.receipts ?? []), receipt].slice(-5),
      })
      return true
    },
    /** The receipts of events that are no longer needed, to be deleted from the queue. */
    dropEvidence,

    /** What a full listing found: ARN by `jobId/fence`. */
    passDone(begunAtMs: number, byStartedBy: ReadonlyMap<string, string>): void {
      lastPass = { begunAtMs, byStartedBy }
    },

    /** Whether the children of a pipeline have not been told yet what is wished for them. */
    familyHeard(jobId: string, wishes: string): boolean {
      const isNews = familyWishes.get(jobId) !== wishes
      familyWishes.set(jobId, wishes)
      return isNews
    },
    familyEnded: (jobId: string): boolean => familyWishes.delete(jobId),

    /** Jobs that need a person, with a sentence each. */
    setAttention(jobId: string, topic: AttentionTopic, why: string | undefined): void {
      const key = `${topic} ${jobId}`
      if (why === undefined) attention.delete(key)
      else if (attention.has(key) || attention.size < attentionKept) attention.set(key, { jobId, why })
    },
    attention: (): { jobId: string; why: string }[] => [...attention.values()],
  }
}
