import { isTerminal, type Job, phases } from '../../schemas/job.ts'
import { summaryOf } from '../../schemas/problems.ts'
import type { Status } from '../../schemas/status.ts'
import { wishesOf } from '../../schemas/wishes.ts'
import { capacityOf } from '../reconcile/launch.ts'
import { pipelineOf } from '../reconcile/pipeline.ts'
import type { Item, Stored } from '../store/stored.ts'
import { whyRunning, whyStarting, whyStopping } from './why-live.ts'
import { whyPipeline } from './why-pipeline.ts'
import { after, afterMs, clock, duration, firstSentence, inTime, sentence } from './words.ts'

/**
 * `why`: one sentence, the dominant reason for which the job is where it is. `until`: when it is looked at again at the
 * latest, where that can be known.
 */
export type Why = { why: string; until?: string }

/** Words without their full stop, what somebody else said about it, and the time: `soon` means in a moment. */
export type Reason = { why: string; said?: string | undefined; until?: string | 'soon' | undefined }

/** A record that can be shown: there is one, and it is not what is left of a reaped job. */
export type Shown = Extract<Stored, { is: 'submitted' | 'accepted' | 'broken' }>

const soonMs = 1000
/** A leader that has not been heard of for this long is worth a word. */
const silentMs = 30_000
/** Longer than acceptance takes. */
const momentMs = 10_000

/**
 * Why a job is where it is, in a sentence for people. Pure and total: whatever stands in the record, there is an answer.
 * @param status what the leader published last, for the reasons that lie outside of the record
 */
export function whyOf(
  stored: Shown,
  status: Status | undefined,
  nowMs: number,
  visibilityGraceMs: number,
): Why {
  const { why, said, until } = reasonOf(stored, status, nowMs, visibilityGraceMs)
  const isOver = stored.is === 'accepted' && isTerminal(stored.job.phase)
  // An accepted job shows that there was a controller: then no status at all only says that another version wrote it.
  const isSilent = !isOver && (status ? isSilentSince(status, nowMs) : stored.is === 'submitted')
  const words = isSilent && until !== undefined ? `${why}; ${silence(status, nowMs)}` : why
  const at = until === 'soon' || (until && Date.parse(until) <= nowMs) ? afterMs(nowMs, soonMs) : until
  const isInTime = at !== undefined && (until !== 'soon' || !isSilent)
  return { why: sentence(words, said), ...(isInTime ? { until: at } : {}) }
}

const isSilentSince = ({ at }: Status, nowMs: number): boolean => nowMs - Date.parse(at) > silentMs

const silence = (status: Status | undefined, nowMs: number): string =>
  status === undefined
    ? 'no controller has reported yet'
    : `no controller has reported for ${duration(nowMs - Date.parse(status.at))}`

function reasonOf(
  stored: Shown,
  status: Status | undefined,
  nowMs: number,
  visibilityGraceMs: number,
): Reason {
  switch (stored.is) {
    case 'submitted':
      return whySubmitted(stored.item, nowMs)
    case 'broken':
      return {
        why: 'The record is damaged, so its task is stopped and it fails',
        said: summaryOf(stored.problems, 200),
      }
    case 'accepted':
      return whyAccepted(stored.job, status, nowMs, visibilityGraceMs)
    default:
      throw stored satisfies never
  }
}

function whySubmitted({ phase, createdAt }: Item, nowMs: number): Reason {
  const missing = !phases.some((known) => known === phase)
    ? 'phase'
    : typeof createdAt === 'string'
      ? undefined
      : 'createdAt'
  if (missing !== undefined)
    return { why: `It has no ${missing} that an index could show, so it waits for the daily scan` }
  const waitedMs = nowMs - Date.parse(String(createdAt))
  return {
    why: `Waits for the controller to look at it, ${waitedMs > momentMs ? `for ${duration(waitedMs)} already` : 'which takes a moment'}`,
    until: 'soon',
  }
}

const healed: Reason = { why: 'Its phase was changed by hand and is put right', until: 'soon' }

function whyAccepted(job: Job, status: Status | undefined, nowMs: number, visibilityGraceMs: number): Reason {
  const { phase } = job
  if (isTerminal(phase)) return job.fence === undefined ? whyFinished(job) : healed
  const plan = pipelineOf(job)
  if (plan && phase !== 'Submitted') return whyPipeline(job, plan, nowMs)
  switch (phase) {
    case 'Submitted':
      return healed
    case 'Pending':
      return whyPending(job, status, nowMs)
    case 'Starting':
      return whyStarting(job, nowMs, visibilityGraceMs)
    case 'Running':
      return whyRunning(job, nowMs)
    case 'Stopping':
      return whyStopping(job, nowMs)
    default:
      throw phase satisfies never
  }
}

function whyFinished(job: Job): Reason {
  const said = job.message
  const { attempts: allowed } = job.settings.limits
  // Once its steps have begun, a job ends with the reason of a child, whose attempts are not among its own.
  const isOfAChild = said !== undefined && job.pipeline !== undefined
  switch (job.reason) {
    case 'Done':
      return {
        why: `Succeeded${job.lastAttempt > 1 ? ` in attempt ${job.lastAttempt}` : ''}${whySourceStays(job)}`,
      }
    case 'Cancelled':
      return { why: 'Cancelled by the user' }
    case 'ParentEnded':
      return { why: 'Cancelled, because the pipeline that it was a step of has ended' }
    case 'InvalidSpec':
      return { why: 'Its spec is not valid', said }
    case 'TooBig':
      return { why: 'It can never fit into the limits', said }
    case 'PermanentFailure':
      return { why: 'Failed in a way that another attempt would not mend', said }
    case 'AttemptsExhausted':
      if (isOfAChild) return { why: firstSentence(said ?? '') }
      return {
        why: `Failed ${times(job.counts.failed)}, and ${attempts(allowed)} ${allowed === 1 ? 'is' : 'are'} allowed`,
        said,
      }
    case 'InfrastructureAttemptsExhausted':
      if (isOfAChild) return { why: firstSentence(said ?? '') }
      return { why: `Lost to the infrastructure ${times(job.counts.infra)}, more than allowed`, said }
    default:
      return { why: firstSentence(said ?? '') || `${job.phase}: ${job.reason}` }
  }
}

/** Somebody asked for the deletion of the input, and it is still there. */
function whySourceStays({ source }: Job): string {
  switch (source) {
    case 'replaced':
      return '; its input was not deleted, because another object has that key by now'
    case 'notAllowed':
      return '; its input was not deleted, because the controller may not (s3:DeleteObject)'
    case 'deleting':
      return '; its input is being deleted'
    case 'deleted':
    case undefined:
      return ''
    default:
      throw source satisfies never
  }
}

function whyPending(job: Job, status: Status | undefined, nowMs: number): Reason {
  if (job.fence !== undefined) return healed
  const wishes = wishesOf(job.spec)
  const deadline = after(job.acceptedAt, job.settings.limits.deadline)
  if (wishes.cancel) return { why: 'It is to be cancelled, and will be in a moment', until: 'soon' }
  if (Date.parse(deadline) <= nowMs)
    return { why: `Its deadline was ${clock(deadline, nowMs)}, so it fails in a moment`, until: 'soon' }
  if (wishes.suspend)
    return {
      why: `Suspended: waits for somebody to resume it, until its deadline at ${clock(deadline, nowMs)}`,
      until: deadline,
    }
  const { notBefore } = job
  const isUnresolved = job.reason === 'Capacity' || job.attempts.some(({ outcome }) => outcome === undefined)
  if (notBefore !== undefined && Date.parse(notBefore) > nowMs)
    return isUnresolved ? whyRefused(job, notBefore, nowMs) : whyBackingOff(job, notBefore, nowMs)
  if (job.reason === 'Suspended')
    return { why: 'Resumed: gets back into its line in a moment', until: 'soon' }
  if (job.reason === 'Capacity')
    return { why: `${noCapacity(job)}; checks for a hidden task, then asks again`, until: 'soon' }
  if (notBefore !== undefined && job.reason === 'Backoff')
    return { why: 'Its back-off is over; gets back into its line in a moment', until: 'soon' }
  return { why: `${whyQueued(job, status)}; its deadline is ${clock(deadline, nowMs)}`, until: deadline }
}

const untilWords = (time: string, nowMs: number): string =>
  `until ${clock(time, nowMs)} (${inTime(time, nowMs)})`

const whyRefused = (job: Job, notBefore: string, nowMs: number): Reason => ({
  why: `${noCapacity(job)}; waits ${untilWords(notBefore, nowMs)} before it asks ${goesOnDemand(job) ? 'for On-Demand' : 'again'}`,
  said: job.message,
  until: notBefore,
})

const noCapacity = (job: Job): string =>
  goesOnDemand(job) ? 'Spot had no capacity for it' : 'AWS had no capacity for it'

const goesOnDemand = (job: Job): boolean =>
  job.settings.resources.capacity === 'spot-then-on-demand' && capacityOf(job) === 'on-demand'

function whyBackingOff(job: Job, notBefore: string, nowMs: number): Reason {
  const { failed, infra } = job.counts
  const losses = infra > 0 ? `, ${infra} lost to the infrastructure` : ''
  return {
    why: `Backs off ${untilWords(notBefore, nowMs)}, ${failed} of ${attempts(job.settings.limits.attempts)} failed${losses}`,
    said: job.message,
    until: notBefore,
  }
}

function whyQueued(job: Job, status: Status | undefined): string {
  const name = job.settings.queue
  const vcpu = job.settings.resources.cpu / 1024
  const waits = `Waits in queue ${name}`
  const queue = status?.queues.find((candidate) => candidate.name === name)
  if (status === undefined || status.queues.length === 0) return `${waits} to be admitted`
  if (queue === undefined)
    return `${waits}, which is no longer configured: add it to QUEUES, or edit spec.queue`
  const ceiling = Math.min(status.limits.maxVcpu, queue.maxVcpu ?? Number.POSITIVE_INFINITY)
  if (vcpu > ceiling)
    return `${waits} for ${vcpu} vCPU, and there are never more than ${ceiling}: raise MAX_VCPU, or edit spec.resources`
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
    case 'Capacity':
      return `${waits} for AWS to have capacity again: one job tries about every minute`
    default:
      return `${waits} to be admitted`
  }
}

const attempts = (count: number): string => (count === 1 ? '1 attempt' : `${count} attempts`)
const tasks = (count: number): string => (count === 1 ? '1 task' : `${count} tasks`)
const times = (count: number): string => (count === 1 ? 'once' : `${count} times`)
