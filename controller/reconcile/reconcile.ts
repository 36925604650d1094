import { isTerminal, type Job, type Phase } from '../../schemas/job.ts'
import { launchTimes } from '../../schemas/limits.ts'
import { parentOf } from '../../schemas/pipeline.ts'
import { sentenceOf, summaryOf } from '../../schemas/problems.ts'
import { accept, type InputSeen, type InputToCheck, inputToCheck } from '../intake/accept.ts'
import { hashSpec, resolveSettings, withKnown } from '../intake/resolve.ts'
import type { Policy } from '../policy.ts'
import { type Item, readStored } from '../store/stored.ts'
import { act, asReadForTheEnd, LostRace, type Next } from './act.ts'
import { type Action, decide } from './decide.ts'
import { type FamilyPorts, lookAtParent, stepPipeline } from './family.ts'
import type { Observer } from './observe.ts'
import { type PipelineAction, pipelineOf } from './pipeline.ts'
import type { SpecEdit } from './seen.ts'

export type ReconcilePorts = FamilyPorts & {
  observer: Observer
  policy: Policy
  /** 12 or more characters `[a-z0-9]`. */
  randomId: () => string
  headInput: (input: InputToCheck) => Promise<InputSeen>
  onStep: (jobId: string, fence: string | undefined, action: Action | PipelineAction) => void
  onAccepted: (accepted: Accepted) => void
}

export type Accepted = {
  jobId: string
  kind: string
  /** Phase of the generation before, if there was one. */
  from: Phase | undefined
  phase: 'Pending' | 'Failed'
  reason: string
  message: string | undefined
}

/**
 * One look and one step for one job. The task is observed first and the record read afterwards, never the other way
 * round: otherwise a report written in between would be missed and a finished job run again.
 */
export async function reconcile(jobId: string, ports: ReconcilePorts): Promise<Next> {
  await ports.observer.look(jobId)
  const stored = readStored(await ports.jobs.get(jobId))
  if (stored.is !== 'accepted') {
    ports.memory.dropGrant(jobId)
    ports.memory.familyEnded(jobId)
    for (const topic of ['edit', 'launch', 'size'] as const)
      ports.memory.setAttention(jobId, topic, undefined)
  }
  switch (stored.is) {
    case 'none':
    case 'tombstone':
      return stopStrays(jobId, ports)
    case 'submitted':
      return acceptSubmitted(jobId, stored.item, stored.old, ports)
    case 'broken':
      return failBroken(jobId, stored.item, summaryOf(stored.problems), ports)
    case 'accepted':
      return step(stored.job, stored.item, ports)
    default:
      throw stored satisfies never
  }
}

async function step(job: Job, item: Item, ports: ReconcilePorts): Promise<Next> {
  const { memory, policy, clock } = ports
  const edit = editOf(job, policy)
  memory.setAttention(job.jobId, 'edit', attentionOf(job, edit, policy))
  const plan = pipelineOf(job)
  if (plan) {
    // It has no task, but the job that its record was before may have left one.
    if (memory.hasStray(job.jobId)) await stopStrays(job.jobId, ports)
    return stepPipeline(job, item, plan, edit, ports)
  }
  memory.track(job)
  const parent = isTerminal(job.phase) ? undefined : await lookAtParent(job, ports.jobs)
  const action = decide(job, memory.seenOf(job, edit, parent), policy.visibilityGraceMs, clock.nowMs())
  ports.onStep(job.jobId, job.fence, action)
  if (action.do !== 'intend') memory.dropGrant(job.jobId)
  return act(job, item, action, edit, ports)
}

/** What a person has to put right before this job can go on as wanted. */
function attentionOf(job: Job, edit: SpecEdit, policy: Policy): string | undefined {
  if (isTerminal(job.phase)) return undefined
  if (edit.is === 'invalid') return `An edit of its spec is ignored: ${edit.sentence}`
  return Object.hasOwn(policy.queues, job.settings.queue)
    ? undefined
    : `It waits in queue ${job.settings.queue}, which is no longer configured: add it to QUEUES, or edit spec.queue`
}

/** What a changed spec would mean. On a live job it takes effect with the next attempt, when the job is Pending again. */
function editOf(job: Job, policy: Policy): SpecEdit {
  const specHash = hashSpec(job.spec)
  if (specHash === job.specHash) return { is: 'none' }
  const resolved = resolveSettings(job.jobId, job.kind, job.spec, policy, (input) =>
    withKnown(input, job.settings.input),
  )
  switch (resolved.is) {
    case 'valid':
      return { is: 'valid', settings: resolved.settings, specHash }
    case 'invalid':
      return { is: 'invalid', sentence: summaryOf(resolved.problems) }
    case 'tooBig':
      return { is: 'invalid', sentence: sentenceOf(resolved.problem) }
    default:
      throw resolved satisfies never
  }
}

async function acceptSubmitted(
  jobId: string,
  item: Item,
  old: Job | undefined,
  ports: ReconcilePorts,
): Promise<Next> {
  const { jobs, memory, policy, clock } = ports
  memory.forget(jobId)
  const check = inputToCheck(item, policy)
  const input: InputSeen = check ? await ports.headInput(check) : { is: 'unknown' }
  const random = ports.randomId()
  const { change, phase, reason } = accept(item, old, input, policy, clock.nowMs(), random)
  const { uid, revision, phase: phaseRead, fence, kind } = item
  const asRead = { uid, revision, phase: phaseRead, fence, ...(typeof kind === 'string' ? { kind } : {}) }
  if (!(await jobs.update(jobId, change, asRead))) throw new LostRace()
  const from = old?.history.at(-1)?.phase
  ports.onAccepted({ jobId, kind: kindOf(item), from, phase, reason, message: change.set.message })
  if (phase === 'Failed') wakeParent(item, ports)
  // In its line, the job is admission's; outside of one, a wish of the user is still to be followed.
  return change.set.backlogQueue === undefined && phase === 'Pending' ? { lookAgainMs: 0 } : 'whenWoken'
}

/** A record that is gone, or finished and reaped, has no task: whatever is known to live is stopped. */
async function stopStrays(jobId: string, ports: ReconcilePorts): Promise<Next> {
  const { memory, runner, pacers } = ports
  memory.forget(jobId)
  const strays = memory.straysOf(jobId)
  const askedAfterMs = ports.clock.monotonicMs() - launchTimes.stopAgainMs
  for (const { arn, desiredStatus, stopAskedAtMs } of strays) {
    if (desiredStatus === 'STOPPED' || (stopAskedAtMs ?? askedAfterMs) > askedAfterMs) continue
    if (!pacers.stopTask.tryTake()) return { lookAgainMs: 1000 }
    ports.onStep(jobId, undefined, { do: 'stopTask', reason: 'Stray', arn })
    await runner.stop(arn, `Stray ${jobId}`)
    memory.stopAsked(jobId, arn)
  }
  memory.tidyStrays(jobId)
  return strays.length > 0 ? { lookAgainMs: launchTimes.stopAgainMs } : 'whenWoken'
}

/** Ours by its uid, but damaged: its tasks are stopped first, then the record says what happened. */
async function failBroken(jobId: string, item: Item, sentence: string, ports: ReconcilePorts): Promise<Next> {
  const { jobs, memory, policy, clock } = ports
  // Final is final: what a finished job said of itself is a person's to put right.
  if (isTerminal(String(item.phase)) && item.fence === undefined) {
    memory.setAttention(jobId, 'edit', `Its record was damaged after it ended: ${sentence}`)
    return stopStrays(jobId, ports)
  }
  const arn = typeof item.taskArn === 'string' ? item.taskArn : undefined
  const watched = memory.watched(jobId)
  if (arn !== undefined && watched === undefined && !memory.hasStray(jobId) && item.phase !== 'Failed')
    memory.addStray(jobId, arn, 'RUNNING')
  memory.forget(jobId)
  if (memory.hasStray(jobId)) {
    await ports.observer.look(jobId)
    if (memory.hasStray(jobId)) return stopStrays(jobId, ports)
  }
  const { change } = accept(
    { ...item, kind: undefined },
    undefined,
    { is: 'unknown' },
    policy,
    clock.nowMs(),
    ports.randomId(),
  )
  const message = `The record was damaged: ${sentence}`.slice(0, 500)
  const set = { ...change.set, phase: 'Failed' as const, reason: 'BrokenRecord', message }
  const remove = change.remove.filter((name) => name !== 'message')
  if (!(await jobs.update(jobId, { set, remove }, asReadForTheEnd(item)))) throw new LostRace()
  ports.onAccepted({
    jobId,
    kind: kindOf(item),
    from: undefined,
    phase: 'Failed',
    reason: 'BrokenRecord',
    message,
  })
  wakeParent(item, ports)
  return 'whenWoken'
}

/** A child that ends without a launch has nobody else to tell its parent. */
function wakeParent({ spec }: Item, { wake }: ReconcilePorts): void {
  const parent = parentOf(spec)
  if (parent) wake(parent.jobId)
}

const kindOf = ({ kind }: Item): string => (typeof kind === 'string' ? kind : 'unknown')
