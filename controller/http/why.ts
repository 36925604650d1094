import { isTerminal, type Job, type StopReason } from '../../schemas/job.ts'
import { isKindName, kinds } from '../../schemas/kinds/index.ts'
import { launchTimes } from '../../schemas/limits.ts'
import { summaryOf } from '../../schemas/problems.ts'
import type { Status } from '../../schemas/status.ts'
import { wishesOf } from '../../schemas/wishes.ts'
import type { Item, Stored } from '../store/stored.ts'
import { clock, duration, inTime } from './words.ts'

/** `why`: one sentence, what the job waits for. `until`: the time at which that ends by itself, where there is one. */
export type Why = { why: string; until?: string }

/** A record that can be shown: there is one, and it is not what is left of a reaped job. */
export type Shown = Extract<Stored, { is: 'submitted' | 'accepted' | 'broken' }>

/**
 * Why a job is where it is, in a sentence for people. Pure and total: whatever stands in the record, there is an answer.
 * @param status what the leader published last, for the reasons that lie outside of the record
 */
export function whyOf(stored: Shown, status: Status | undefined, nowMs: number): Why {
  switch (stored.is) {
    case 'submitted':
      return { why: whySubmitted(stored.item, status, nowMs) }
    case 'broken':
      return {
        why: `The record is damaged, so its task is stopped and it fails: ${summaryOf(stored.problems, 200)}.`,
      }
    case 'accepted':
      return whyAccepted(stored.job, status, nowMs)
    default:
      throw stored satisfies never
  }
}

const acceptanceMs = 10_000

function whySubmitted(item: Item, status: Status | undefined, nowMs: number): string {
  const waitedMs = nowMs - Date.parse(String(item.createdAt))
  if (!(waitedMs > acceptanceMs)) return 'Waits for the controller to look at it, which takes a moment.'
  return `Waits for the controller to look at it, for ${duration(waitedMs)} already${silence(status, nowMs)}.`
}

/** A leader that has not been heard of for this long is worth a word. */
const silentMs = 30_000

function silence(status: Status | undefined, nowMs: number): string {
  if (status === undefined) return '; no controller has reported yet'
  const silentForMs = nowMs - Date.parse(status.at)
  return silentForMs > silentMs ? `; no controller has reported for ${duration(silentForMs)}` : ''
}

function whyAccepted(job: Job, status: Status | undefined, nowMs: number): Why {
  const { phase } = job
  if (isTerminal(phase))
    return {
      why: job.fence === undefined ? whyFinished(job) : 'Its phase was changed by hand and is put right.',
    }
  switch (phase) {
    case 'Submitted':
      return { why: 'Its phase was changed by hand and is put right.' }
    case 'Pending':
      return whyPending(job, status, nowMs)
    case 'Starting':
      return whyStarting(job, nowMs)
    case 'Running':
      return whyRunning(job, nowMs)
    case 'Stopping':
      return { why: whyStopping(job, nowMs) }
    default:
      throw phase satisfies never
  }
}

function whyFinished(job: Job): string {
  const message = sentence(job.message)
  switch (job.reason) {
    case 'Done':
      return job.lastAttempt > 1 ? `Succeeded in attempt ${job.lastAttempt}.` : 'Succeeded.'
    case 'Cancelled':
      return 'Cancelled by the user.'
    case 'InvalidSpec':
      return `Its spec is not valid. ${message}`
    case 'TooBig':
      return `It can never fit into the limits. ${message}`
    case 'PermanentFailure':
      return `Failed in a way that another attempt would not mend. ${message}`
    case 'AttemptsExhausted':
      return `Failed ${times(job.counts.failed)}, and ${attempts(job.settings.limits.attempts)} ${job.settings.limits.attempts === 1 ? 'is' : 'are'} allowed. ${message}`
    case 'InfrastructureAttemptsExhausted':
      return `Lost to the infrastructure ${times(job.counts.infra)}, more than allowed. ${message}`
    default:
      return message || `${job.phase}: ${job.reason}.`
  }
}

function whyPending(job: Job, status: Status | undefined, nowMs: number): Why {
  if (job.fence !== undefined) return { why: 'Its phase was changed by hand and is put right.' }
  const wishes = wishesOf(job.spec)
  const deadline = after(job.acceptedAt, job.settings.limits.deadline)
  if (wishes.cancel) return { why: 'It is to be cancelled, and will be in a moment.' }
  if (wishes.suspend)
    return {
      why: `Suspended: waits for somebody to resume it, until its deadline at ${clock(deadline, nowMs)}.`,
      until: deadline,
    }
  const { notBefore } = job
  if (notBefore !== undefined && Date.parse(notBefore) > nowMs)
    return { why: whyLater(job, notBefore, nowMs), until: notBefore }
  if (job.reason === 'Suspended') return { why: 'Resumed: gets back into its line in a moment.' }
  if (job.reason === 'Capacity')
    return { why: 'AWS had no capacity for it; checks for a hidden task, then asks again.' }
  if (notBefore !== undefined && job.reason === 'Backoff')
    return { why: 'Its back-off is over; gets back into its line in a moment.' }
  return {
    why: `${whyQueued(job, status)}${status === undefined ? '' : silence(status, nowMs)}. Its deadline is ${clock(deadline, nowMs)}.`,
    until: deadline,
  }
}

function whyLater(job: Job, notBefore: string, nowMs: number): string {
  const until = `until ${clock(notBefore, nowMs)} (${inTime(notBefore, nowMs)})`
  if (job.reason === 'Capacity')
    return `AWS had no capacity for it; waits ${until} before it asks again. ${sentence(job.message)}`.trim()
  const { failed, infra } = job.counts
  const failures = `${failed} of ${attempts(job.settings.limits.attempts)} failed`
  const losses = infra > 0 ? `, ${infra} lost to the infrastructure` : ''
  return `Backs off ${until}: ${failures}${losses}. ${sentence(job.message)}`.trim()
}

function whyQueued(job: Job, status: Status | undefined): string {
  const name = job.settings.queue
  const vcpu = job.settings.resources.cpu / 1024
  const waits = `Waits in queue ${name}`
  const queue = status?.queues.find((candidate) => candidate.name === name)
  if (status === undefined || queue === undefined) return `${waits} to be admitted`
  switch (queue.waitingFor) {
    case 'QueueLimit':
      return queue.maxRunning !== undefined && queue.running >= queue.maxRunning
        ? `${waits} for a place: ${queue.running} of ${tasks(queue.maxRunning)} of the queue run`
        : `${waits} for a place: ${status.limits.running} of ${tasks(status.limits.maxRunning)} run`
    case 'VcpuLimit':
      return queue.maxVcpu !== undefined && queue.vcpu + vcpu > queue.maxVcpu
        ? `${waits} for ${vcpu} vCPU: ${queue.vcpu} of ${queue.maxVcpu} of the queue are taken`
        : `${waits} for ${vcpu} vCPU: ${status.limits.vcpu} of ${status.limits.maxVcpu} are taken`
    case 'LaunchRate':
      return `${waits} for its turn: ECS starts only so many tasks in a second`
    default:
      return `${waits} to be admitted`
  }
}

function whyStarting(job: Job, nowMs: number): Why {
  const { launching, settings } = job
  const wished = wishedEnd(job)
  if (launching === undefined) return { why: 'Its record is damaged: Starting without a launch.' }
  if (job.taskArn !== undefined || job.claim !== undefined) {
    const until = after(launching.launchedAt, settings.limits.startTimeout)
    return {
      why: wished ?? `Its task starts; it has until ${clock(until, nowMs)} (${inTime(until, nowMs)}).`,
      until,
    }
  }
  if (launching.refused)
    return {
      why: `${wished ? `${wished} ` : ''}ECS refused to start a task, which is made sure of first. ${sentence(launching.refused.reason)}`,
    }
  const replayUntil = after(launching.launchedAt, launchTimes.replayUntilMs / 1000)
  if (Date.parse(replayUntil) > nowMs) {
    const askedForMs = nowMs - Date.parse(launching.launchedAt)
    const why =
      askedForMs > acceptanceMs
        ? `Asks ECS for a task, for ${duration(askedForMs)} already, until there is an answer.`
        : 'Asks ECS for a task.'
    return { why: wished ? `${wished} ${why}` : why, until: replayUntil }
  }
  const passFrom = after(launching.launchedAt, launchTimes.listPassFromMs / 1000)
  return {
    why: 'ECS never answered; looks for a task that may have started nonetheless, then launches anew.',
    until: passFrom,
  }
}

function whyRunning(job: Job, nowMs: number): Why {
  const attempt = job.attempts.find(({ outcome }) => outcome === undefined)
  const deadline = after(job.acceptedAt, job.settings.limits.deadline)
  const startedAt = attempt?.startedAt ?? job.claim?.at
  const timeout = startedAt === undefined ? undefined : after(startedAt, job.settings.limits.attemptTimeout)
  const until = timeout !== undefined && Date.parse(timeout) < Date.parse(deadline) ? timeout : deadline
  return { why: wishedEnd(job) ?? whatItDoes(job, attempt?.n ?? job.lastAttempt, until, nowMs), until }
}

function whatItDoes(job: Job, attempt: number, until: string, nowMs: number): string {
  const atMost = `it has until ${clock(until, nowMs)}`
  const claims = isKindName(job.kind) && kinds[job.kind].claims
  if (!claims) return `Attempt ${attempt} runs; ${atMost}.`
  if (job.claim === undefined) return `Its task runs, but its worker has not claimed attempt ${attempt} yet.`
  if (job.report) return `Attempt ${attempt} has reported ${job.report.outcome}; waits for its task to end.`
  const { progress } = job
  if (progress === undefined) return `Attempt ${attempt} runs; ${atMost}.`
  const silentForMs = nowMs - Date.parse(progress.at)
  if (silentForMs > (job.settings.limits.heartbeatTimeout * 1000) / 2)
    return `Attempt ${attempt} runs, but its worker has been silent for ${duration(silentForMs)}; it is stopped after ${duration(job.settings.limits.heartbeatTimeout * 1000)}.`
  const percent = progress.percent === undefined ? '' : `, ${Math.floor(progress.percent)} %`
  const eta = progress.etaS === undefined ? '' : `, about ${duration(progress.etaS * 1000)} left`
  return `Attempt ${attempt} runs${progress.stage === undefined ? '' : `: ${progress.stage}`}${percent}${eta}; ${atMost}.`
}

const wishedEnd = (job: Job): string | undefined => {
  const wishes = wishesOf(job.spec)
  if (wishes.cancel) return 'It is to be cancelled; its task is about to be stopped.'
  if (wishes.suspend) return 'It is to be suspended; its task is about to be stopped.'
  return undefined
}

const stopWords: Record<StopReason, string> = {
  Cancel: 'it was cancelled',
  Suspend: 'it was suspended',
  DeadlineExceeded: 'its deadline has passed',
  AttemptTimeout: 'the attempt took too long',
  StartTimeout: 'it did not start in time',
  ClaimTimeout: 'its worker did not claim it in time',
  HeartbeatLost: 'its worker fell silent',
}

function whyStopping(job: Job, nowMs: number): string {
  if (job.stopping === undefined) return 'Its record is damaged: Stopping without a reason.'
  const askedForMs = nowMs - Date.parse(job.stopping.at)
  const since = askedForMs > acceptanceMs ? `, for ${duration(askedForMs)} already` : ''
  return `Its task is being stopped${since}, because ${stopWords[job.stopping.reason]}.`
}

/** Kept within what a Date can hold, because the seconds may come from a record that somebody edited. */
const after = (time: string, seconds: number): string =>
  new Date(Math.max(0, Math.min(Date.parse(time) + seconds * 1000, latestMs))).toISOString()
const latestMs = Date.UTC(9999, 11, 31)

/** What others wrote, as a sentence: with an end, and no second one. */
const sentence = (text: string | undefined): string => {
  const trimmed = text?.trim() ?? ''
  return trimmed === '' || /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`
}

const attempts = (count: number): string => (count === 1 ? '1 attempt' : `${count} attempts`)
const tasks = (count: number): string => (count === 1 ? '1 task' : `${count} tasks`)
const times = (count: number): string => (count === 1 ? 'once' : `${count} times`)
