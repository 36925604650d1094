import type { Change } from '../../schemas/change.ts'
import type { Attempt, Job, Phase } from '../../schemas/job.ts'
import { isTranscribed } from '../../schemas/kinds/index.ts'
import { launchTimes, overridesCharactersMax } from '../../schemas/limits.ts'
import type { Pacer } from '../admit/pacer.ts'
import type { Clock } from '../clock.ts'
import type { RunAnswer } from '../run/answers.ts'
import { type Runner, TemplateError } from '../run/ecs.ts'
import type { JobStore } from '../store/jobs.ts'
import type { SourceEnd } from '../store/objects.ts'
import type { Item } from '../store/stored.ts'
import type { AsRead } from '../store/update.ts'
import { type Action, currentArn } from './decide.ts'
import {
  intend,
  type LaunchContext,
  type Template,
  taskDefinitionOf,
  transcribeTemplate,
  type WorkerFamilies,
} from './launch.ts'
import type { Memory } from './memory.ts'
import type { SpecEdit } from './seen.ts'
import { endOfLaunch, finish, settle, withHistory, withTask } from './settle.ts'

export type ActPorts = {
  jobs: JobStore
  runner: Runner
  memory: Memory
  pacers: { runTask: Pacer; stopTask: Pacer }
  clock: Clock
  launch: LaunchContext & { workerFamilies: WorkerFamilies; workerContainer: string }
  /** Asks for a full listing of the cluster that begins at `fromMs` or later. */
  wantListPass: (jobId: string, fromMs: number) => void
  /** What RunTask answered, each time that it was sent. */
  onAnswer: (jobId: string, answer: RunAnswer) => void
  /** What came of a launch: whether there is capacity for tasks like this one. */
  onLaunch: (job: Job, result: 'started' | 'refused') => void
  /** Deletes an object, if it is still the one with this etag. */
  deleteSource: (input: { bucket: string; key: string; etag: string }) => Promise<SourceEnd>
  /** A write moved the job from one phase to another, or into a line. */
  onMoved: (from: unknown, to: Phase | undefined) => void
  /** A job ended a launch: its evidence can go, its slot is free. */
  onSettled: (job: Job, arn: string | undefined, phase: Phase, outcome: string, ended?: Attempt) => void
}

/** When to look again: after so many milliseconds, or when somebody wakes the job. */
export type Next = { lookAgainMs: number } | 'whenWoken'

const now: Next = { lookAgainMs: 0 }
const paced: Next = { lookAgainMs: 1000 }
const replayFirstMs = 1000
// After so many sends without an answer somebody should know.
const sendsUnnoticed = 3

/**
 * Carries out one step.
 * @throws LostRace when the record changed since it was read; any error leads to another look, later
 */
export async function act(
  job: Job,
  item: Item,
  action: Action,
  edit: SpecEdit,
  ports: ActPorts,
): Promise<Next> {
  const { memory, clock } = ports
  const nowMs = clock.nowMs()
  switch (action.do) {
    case 'nothing':
      memory.forget(job.jobId)
      return 'whenWoken'
    case 'deleteSource':
      return deleteSource(job, item, ports)
    case 'wait':
      return Number.isFinite(action.untilMs) ? { lookAgainMs: action.untilMs - nowMs } : 'whenWoken'
    case 'look':
      return now
    case 'listPass':
      ports.wantListPass(job.jobId, action.fromMs)
      return 'whenWoken'
    case 'runTask':
      return runTask(job, item, ports)
    case 'stopTask':
      // Waiting here would hold up other jobs: the step is the same a moment later.
      if (!ports.pacers.stopTask.tryTake()) return paced
      await ports.runner.stop(action.arn, `${action.reason} ${job.jobId}`)
      memory.stopAsked(job.jobId, action.arn)
      return now
    case 'intend':
      return intendLaunch(job, item, ports)
    case 'settle': {
      const settlement = settle(job, action.stop, nowMs, ports.launch.prices)
      const { phase, judgement, ended } = settlement
      const arn = currentArn(job)
      const guards = action.reason === 'Lost' ? [...endGuards, 'progress.beat'] : endGuards
      await write(item, settlement.change, guards, ports)
      ports.onSettled(job, arn, phase, judgement.outcome.class, ended)
      return now
    }
    case 'finish': {
      const change = finish(job, action.phase, action.reason, finishMessage(job, action.reason), nowMs)
      await write(item, change, endGuards, ports)
      ports.onSettled(job, undefined, action.phase, 'none')
      return now
    }
    case 'release': {
      const next =
        action.notBeforeMs === undefined
          ? { phase: 'Pending' as const, reason: 'Queued' }
          : { phase: 'Pending' as const, reason: action.reason, notBeforeMs: action.notBeforeMs }
      const message = job.launching?.refused?.reason
      const change = endOfLaunch(job, { ...next, ...(message === undefined ? {} : { message }) }, nowMs)
      await write(item, change, endGuards, ports)
      ports.onSettled(job, undefined, 'Pending', 'none')
      return now
    }
    default:
      await write(item, plainChange(job, action, edit, nowMs, memory), ['phase'], ports)
      return now
  }
}

/** The last thing that is done for a job that is asked to leave nothing of its input. */
export async function deleteSource(
  job: Job,
  item: Item,
  { jobs, onMoved, deleteSource: remove }: Pick<ActPorts, 'jobs' | 'onMoved' | 'deleteSource'>,
): Promise<Next> {
  const { bucket, key, etag } = job.settings.input ?? {}
  // Without an etag nobody knows whether it is still the object that was worked on.
  const source =
    bucket === undefined || key === undefined || etag === undefined
      ? 'replaced'
      : await remove({ bucket, key, etag })
  await write(item, { set: { source }, remove: [] }, ['phase'], { jobs, onMoved })
  return now
}

/** A write that ends a launch holds only if nobody claimed, reported or moved the job since it was read. */
const endGuards = ['phase', 'claim.taskArn', 'report.fence', 'report.at']

const asReadAt = (item: Item, paths: readonly string[]): AsRead =>
  Object.fromEntries(['uid', 'revision', ...paths].map((path) => [path, valueAt(item, path)]))

/** What has to be as it was read when a launch ends, also where the record is damaged. */
export const asReadForTheEnd = (item: Item): AsRead => asReadAt(item, endGuards)

/** Every write of the controller: its own attributes, on condition of the uid and revision that were read. */
export async function write(
  item: Item,
  change: Change,
  guards: readonly string[],
  ports: Pick<ActPorts, 'jobs' | 'onMoved'>,
): Promise<void> {
  const revision = (typeof item.revision === 'number' ? item.revision : 0) + 1
  const set = { ...change.set, revision }
  if (!(await ports.jobs.update(String(item.jobId), { ...change, set }, asReadAt(item, guards))))
    throw new LostRace()
  ports.onMoved(item.phase, change.set.phase)
}

/** Somebody else wrote the record since it was read. Nothing is wrong: it is looked at again, a little later each time. */
export class LostRace extends Error {
  override name = 'LostRace'
}

const valueAt = (item: Item, path: string): unknown =>
  path
    .split('.')
    .reduce<unknown>(
      (value, name) => (isMap(value) && Object.hasOwn(value, name) ? value[name] : undefined),
      item,
    )

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The steps that are nothing but one small write. */
function plainChange(
  job: Job,
  action: Extract<
    Action,
    { do: 'heal' | 'leaveLine' | 'enterLine' | 'adoptEdit' | 'recordArn' | 'stopIntent' | 'running' }
  >,
  edit: SpecEdit,
  nowMs: number,
  memory: Memory,
): Change {
  const at = new Date(nowMs).toISOString()
  switch (action.do) {
    case 'heal':
      return { set: { phase: action.phase, reason: action.reason }, remove: [] }
    case 'leaveLine':
      return {
        set: action.reason === 'Suspended' ? { reason: action.reason } : {},
        remove: ['backlogQueue', 'rank'],
      }
    case 'enterLine':
      return { set: { reason: action.reason, backlogQueue: action.line, rank: action.rank }, remove: [] }
    case 'adoptEdit':
      return edit.is === 'valid'
        ? { set: { settings: edit.settings, specHash: edit.specHash }, remove: [] }
        : { set: {}, remove: [] }
    case 'recordArn':
      return arnChange(job, action.arn)
    case 'stopIntent':
      return {
        set: {
          phase: 'Stopping',
          reason: action.reason,
          stopping: { reason: action.reason, at },
          history: withHistory(job, 'Stopping', action.reason, undefined, nowMs),
        },
        remove: [],
      }
    case 'running':
      return {
        set: {
          phase: 'Running',
          reason: action.reason,
          attempts: withStart(job, memory.watched(job.jobId)?.look?.startedAtMs),
          history: withHistory(job, 'Running', action.reason, undefined, nowMs),
        },
        remove: [],
      }
  }
}

/** The ledger with the time at which the task ran, so that people see how long it has. */
const withStart = (job: Job, startedAtMs: number | undefined): Job['attempts'] =>
  startedAtMs === undefined
    ? job.attempts
    : job.attempts.map((attempt) =>
        attempt.n === job.launching?.attempt
          ? { ...attempt, startedAt: new Date(startedAtMs).toISOString() }
          : attempt,
      )

/** From the ARN on, DescribeTasks tells everything: the frozen request is dropped, and the ledger names the task. */
function arnChange(job: Job, arn: string): Change {
  const { request: _request, refused: _refused, ...launching } = job.launching ?? missingLaunch
  const attempts = job.attempts.map((attempt) =>
    attempt.n === launching.attempt ? withTask(attempt, arn) : attempt,
  )
  return { set: { taskArn: arn, launching, attempts, reason: 'TaskStarting' }, remove: [] }
}

const missingLaunch: NonNullable<Job['launching']> = {
  attempt: 0,
  launch: 0,
  clientToken: '',
  launchedAt: new Date(0).toISOString(),
}

async function runTask(job: Job, item: Item, ports: ActPorts): Promise<Next> {
  const { memory, clock } = ports
  const launching = job.launching
  if (launching?.request === undefined) return now
  if (!memory.useToken(job.jobId) && !ports.pacers.runTask.tryTake()) return paced
  const answer = await ports.runner.runTask(launching.request)
  ports.onAnswer(job.jobId, answer)
  switch (answer.is) {
    case 'task':
      memory.setAttention(job.jobId, 'launch', undefined)
      ports.onLaunch(job, 'started')
      await write(item, arnChange(job, answer.arn), ['phase'], ports)
      return now
    case 'refused': {
      if (answer.kind === 'capacity') ports.onLaunch(job, 'refused')
      const refused = {
        kind: answer.kind,
        reason: answer.reason.slice(0, 500),
        at: new Date(clock.nowMs()).toISOString(),
      }
      await write(item, { set: { launching: { ...launching, refused } }, remove: [] }, ['phase'], ports)
      return now
    }
    case 'unknown': {
      const sends = memory.watched(job.jobId)?.watch.sends ?? 0
      const backoffMs = Math.min(replayFirstMs * 2 ** sends, launchTimes.replayBackoffMaxMs)
      memory.sent(job.jobId, backoffMs)
      if (sends + 1 >= sendsUnnoticed)
        memory.setAttention(job.jobId, 'launch', `RunTask has no answer yet: ${answer.reason}`)
      return { lookAgainMs: backoffMs }
    }
    default:
      throw answer satisfies never
  }
}

/** Looks up what to launch, then writes the intent. A template that cannot be launched fails the job with its sentence. */
async function intendLaunch(job: Job, item: Item, ports: ActPorts): Promise<Next> {
  const { clock, launch } = ports
  let template: Template
  try {
    template = isTranscribed(job.kind)
      ? transcribeTemplate
      : await ports.runner.template(
          taskDefinitionOf(job, launch.workerFamilies),
          containerOf(job, launch),
          // Ours are there since the installation was made, and one that is missing is no fault of a job.
          job.kind === 'container' ? 'images' : undefined,
        )
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    return failUnlaunched(job, item, error.reason, error.message, ports)
  }
  const change = intend(job, template, launch, clock.nowMs())
  // Edited since admission looked at it: it was let in as a smaller job, or as one of another queue.
  const grant = ports.memory.grantOf(job.jobId)
  const vcpu = (change.set.attempts?.at(-1)?.cpu ?? 0) / 1024
  if (grant && (vcpu > grant.vcpu || job.settings.queue !== grant.queue)) {
    ports.memory.dropGrant(job.jobId)
    return 'whenWoken'
  }
  const overrides = JSON.stringify(change.set.launching?.request?.overrides ?? {}).length
  if (overrides > overridesCharactersMax)
    return failUnlaunched(
      job,
      item,
      'OverridesTooLong',
      `command and environment take ${overrides} characters; ECS allows ${overridesCharactersMax}`,
      ports,
    )
  await write(item, change, endGuards, ports)
  return now
}

const containerOf = (job: Job, launch: ActPorts['launch']): string | undefined =>
  job.kind === 'container'
    ? (job.settings.params as { container?: string }).container
    : launch.workerContainer

async function failUnlaunched(
  job: Job,
  item: Item,
  reason: string,
  message: string,
  ports: ActPorts,
): Promise<Next> {
  ports.memory.dropGrant(job.jobId)
  const change = finish(job, 'Failed', reason, message, ports.clock.nowMs())
  await write(item, change, endGuards, ports)
  ports.onSettled(job, undefined, 'Failed', 'none')
  return now
}

const finishMessage = (job: Job, reason: string): string | undefined => {
  switch (reason) {
    case 'DeadlineExceeded':
      return `Not done within the deadline of ${job.settings.limits.deadline} s`
    case 'BrokenRecord':
      return 'The record was changed into a state that no job can be in; its task, if any, was stopped'
    default:
      return undefined
  }
}
