import assert from 'node:assert/strict'
import { expect, test } from 'vitest'
import { type Action, currentArn, decide } from '../../controller/reconcile/decide.ts'
import { intend } from '../../controller/reconcile/launch.ts'
import type { Seen } from '../../controller/reconcile/seen.ts'
import { endOfLaunch, finish, settle } from '../../controller/reconcile/settle.ts'
import type { Change } from '../../schemas/change.ts'
import { isLive, isTerminal, type Job } from '../../schemas/job.ts'
import { defaultPrices } from '../../schemas/prices.ts'
import {
  acceptedMs,
  arn,
  at,
  attempt,
  claim,
  fence,
  hourMs,
  job,
  launchedMs,
  launching,
  listPass,
  live,
  minuteMs,
  missing,
  queueRank,
  report,
  secondMs,
  seen,
  stopped,
  stray,
  taskArn,
  validEdit,
} from '../support/job.ts'
import { networks } from '../support/launch.ts'

// Every small state of a job that waits, and of one in a launch: legal or not, whatever a user may have made of it. Whatever
// the state, some things never happen. And a state that the steps lead to is only ever followed by another such state, so no
// legal step leads to a broken record.

const graceMs = 6 * minuteMs
const passFromMs = launchedMs + 50 * minuteMs

type State = { job: Job; seen: Seen; nowMs: number }

/** One list of parts for each dimension; every combination of them is a state. The last dimension changes fastest. */
function everyState(
  [parts, ...others]: readonly (readonly Part[])[],
  visit: (state: State) => void,
  state: State = { job: bare, seen: seen(), nowMs: acceptedMs },
): void {
  if (parts === undefined) {
    visit(state)
    return
  }
  for (const part of parts)
    everyState(others, visit, {
      job: part.job === undefined ? state.job : { ...state.job, ...part.job },
      seen: part.seen === undefined ? state.seen : { ...state.seen, ...part.seen },
      nowMs: part.nowMs === undefined ? state.nowMs : acceptedMs + part.nowMs,
    })
}

type Part = { job?: Partial<Job>; seen?: Partial<Seen>; nowMs?: number }

const bare = job({
  backlogQueue: undefined,
  rank: undefined,
  attempts: [attempt()],
  lastAttempt: 1,
  lastLaunch: 1,
})
const nothing: Part = {}
const wishes = (spec: Record<string, unknown>): Part => ({ job: { spec } })
const strays: Part[] = [
  nothing,
  { seen: { strays: [stray()] } },
  { seen: { strays: [stray({ desiredStatus: 'STOPPED', stopAskedAtMs: acceptedMs })] } },
]

const waiting: Part[][] = [
  (['Pending', 'Submitted', 'Succeeded', 'Failed', 'Cancelled'] as const).map((phase) => ({
    job: { phase },
  })),
  [nothing, { job: { fence, launching: launching() } }],
  [
    nothing,
    { job: { backlogQueue: 'default', rank: queueRank } },
    { job: { backlogQueue: 'default', rank: 7 } },
    { job: { backlogQueue: '~due', rank: acceptedMs + hourMs } },
  ],
  [nothing, { job: { notBefore: at(minuteMs) } }, { job: { notBefore: at(hourMs) } }],
  [{ job: { reason: 'Queued' } }, { job: { reason: 'Capacity' } }],
  [nothing, { job: { attempts: [attempt({ outcome: { class: 'failed', reason: 'Exit code 1' } })] } }],
  strays,
  [wishes({}), wishes({ cancel: true }), wishes({ suspend: true }), { job: { spec: 'rubbish' } }],
  [nothing, { seen: { granted: true } }],
  [nothing, { seen: { edit: validEdit } }, { seen: { edit: { is: 'invalid', sentence: 'no' } } }],
  [nothing, { seen: { listPass: listPass(2 * hourMs) } }],
  [{ nowMs: minuteMs }, { nowMs: 8 * 24 * hourMs }],
]

const inLaunch: Part[][] = [
  (['Starting', 'Running', 'Stopping'] as const).map((phase) => ({ job: { phase } })),
  [{ job: { fence } }],
  [{ job: { kind: 'transcode' } }, { job: { kind: 'container' } }],
  [
    nothing,
    { job: { launching: launching() } },
    { job: { launching: launching({ request: undefined }) } },
    {
      job: { launching: launching({ refused: { kind: 'capacity', reason: 'none', at: at(2 * secondMs) } }) },
    },
    { job: { launching: launching({ refused: { kind: 'permanent', reason: 'no', at: at(2 * secondMs) } }) } },
  ],
  [nothing, { job: { claim: claim() } }, { job: { claim: claim(taskArn('9')) } }],
  [nothing, { job: { taskArn: arn } }],
  [nothing, { job: { stopping: { reason: 'Suspend', at: at(minuteMs) } } }],
  [nothing, { job: { report: report() } }],
  [
    nothing,
    { seen: { task: live('PENDING') } },
    { seen: { task: live() } },
    { seen: { task: live('STOPPING', { desiredStatus: 'STOPPED' }) } },
    { seen: { task: stopped() } },
    { seen: { task: missing(0, 0) } },
    { seen: { task: missing(0, hourMs) } },
    { seen: { task: missing(10 * 24 * hourMs, 10 * 24 * hourMs) } },
  ],
  strays.slice(0, 2),
  [wishes({}), wishes({ cancel: true })],
  [nothing, { seen: { listPass: listPass(passFromMs) } }, { seen: { listPass: listPass(passFromMs, arn) } }],
  [{ nowMs: minuteMs }, { nowMs: hourMs }],
]

/** A state as a sentence, for the message of an assertion: only made when one fails. */
const show = ({ job, seen, nowMs }: State, action: Action): string =>
  JSON.stringify({ action, nowMs: nowMs - acceptedMs, job, seen })

const withoutFence: Part[][] = inLaunch.map((parts, index) => (index === 1 ? [nothing] : parts.slice(0, 3)))

const products = [
  { name: 'a job that waits or has ended', dimensions: waiting, leads: 'on' },
  { name: 'a job in a launch', dimensions: inLaunch, leads: 'on' },
  { name: 'a job in a launch whose fence was removed', dimensions: withoutFence, leads: 'nowhere' },
]

test.each(products)('every small state of $name: what never happens', ({ dimensions, leads }) => {
  let states = 0
  const taken = new Set<string>()
  everyState(dimensions, (state) => {
    const action = decide(state.job, state.seen, graceMs, state.nowMs)
    const broken = rules.find((rule) => !rule.holds(action, state))
    if (broken) assert.fail(`${broken.says}: ${show(state, action)}`)
    if (states % 97 === 0) {
      const again = decide(structuredClone(state.job), structuredClone(state.seen), graceMs, state.nowMs)
      assert.equal(JSON.stringify(again), JSON.stringify(action))
    }
    taken.add(action.do)
    states += 1
  })
  expect(states).toBeGreaterThan(10_000)
  expect(taken.size).toBeGreaterThan(leads === 'on' ? 8 : 1)
})

test.each(products)('a legal state of $name is followed by a legal state', ({ dimensions, leads }) => {
  let legal = 0
  everyState(dimensions, (state) => {
    if (!isLegal(state.job) || !isConsistent(state)) return
    legal += 1
    const action = decide(state.job, state.seen, graceMs, state.nowMs)
    const after = follow(state, action)
    if (action.reason === 'BrokenRecord' || !isLegal(after))
      assert.fail(`${show(state, action)} -> ${JSON.stringify(after)}`)
  })
  expect(legal > 1000).toBe(leads === 'on')
})

type Rule = { says: string; holds: (action: Action, state: State) => boolean }

const cancelWished = (job: Job): boolean => (job.spec as { cancel?: unknown }).cancel === true
const isUnstoppedStray = (state: State): boolean =>
  state.seen.strays.some((task) => task.desiredStatus !== 'STOPPED' && task.stopAskedAtMs === undefined)

const rules: Rule[] = [
  {
    says: 'a stray that nobody has stopped is stopped before anything else but healing',
    holds: (action, state) =>
      !isUnstoppedStray(state) ||
      action.do === 'heal' ||
      (action.do === 'stopTask' && action.reason === 'Stray'),
  },
  {
    says: 'a finished job is only healed, taken out of a line, or has strays stopped',
    holds: (action, { job }) =>
      !isTerminal(job.phase) ||
      (job.fence !== undefined
        ? action.do === 'heal'
        : action.do === 'nothing' || action.do === 'leaveLine' || action.reason === 'Stray'),
  },
  {
    says: 'no intent while a stray lives, or while the job is not wanted',
    holds: (action, { job, seen }) =>
      action.do !== 'intend' || (seen.strays.length === 0 && !cancelWished(job) && !job.stopping),
  },
  {
    says: 'no intent of a Pending job that is not granted, or not in its own line',
    holds: (action, { job, seen }) =>
      action.do !== 'intend' ||
      job.phase !== 'Pending' ||
      (seen.granted && job.backlogQueue === job.settings.queue && (job.spec as Wishes).suspend !== true),
  },
  {
    says: 'no intent over a launch before a listing from 50 minutes on found nothing',
    holds: (action, { job, seen, nowMs }) =>
      action.do !== 'intend' ||
      !isLive(job.phase) ||
      (currentArn(job) === undefined &&
        seen.listPass !== undefined &&
        seen.listPass.arn === undefined &&
        seen.listPass.begunAtMs >= acceptedMs + passFromMs &&
        nowMs >= acceptedMs + passFromMs),
  },
  {
    says: 'no send without a frozen request, after a refusal, with an ARN, or after 45 minutes',
    holds: (action, { job, nowMs }) =>
      action.do !== 'runTask' ||
      (job.launching?.request !== undefined &&
        job.launching.refused === undefined &&
        currentArn(job) === undefined &&
        nowMs < acceptedMs + launchedMs + 45 * minuteMs),
  },
  {
    says: 'nothing is settled while the task of the launch lives by its last status',
    holds: (action, { job, seen }) =>
      action.do !== 'settle' || seen.task.is !== 'live' || seen.task.arn !== currentArn(job),
  },
  {
    says: 'nothing is settled by the look at another task',
    holds: (action, { job, seen }) =>
      action.do !== 'settle' ||
      action.stop === undefined ||
      (seen.task.is === 'stopped' && seen.task.arn === currentArn(job) && seen.task.stop === action.stop),
  },
  {
    says: 'a known task is lost only after the whole grace',
    holds: (action, { job, seen, nowMs }) =>
      action.do !== 'settle' ||
      action.reason !== 'Lost' ||
      currentArn(job) === undefined ||
      (seen.task.is === 'missing' && Math.min(seen.task.lookedAtMs, nowMs) >= seen.task.sinceMs + graceMs),
  },
  {
    says: 'only tasks of this job that live and are not being stopped are stopped',
    holds: (action, { seen }) =>
      action.do !== 'stopTask' ||
      [seen.task, ...seen.strays].some(
        (task) => 'desiredStatus' in task && task.arn === action.arn && task.desiredStatus !== 'STOPPED',
      ),
  },
  {
    says: 'the stop intent is written once, for a known task that has not stopped',
    holds: (action, { job, seen }) =>
      action.do !== 'stopIntent' ||
      (job.stopping === undefined && currentArn(job) !== undefined && seen.task.is !== 'stopped'),
  },
  {
    says: 'a wait ends in the future',
    holds: (action, { nowMs }) => action.do !== 'wait' || action.untilMs > nowMs,
  },
  {
    says: 'a look is for a task that a look can show',
    holds: (action, { job, seen, nowMs }) =>
      action.do !== 'look' ||
      (job.fence !== undefined &&
        action.arn === currentArn(job) &&
        (!('arn' in seen.task && seen.task.arn === action.arn) ||
          // Missing when somebody looked, and that was a while ago.
          (seen.task.is === 'missing' && seen.task.lookedAtMs < nowMs))),
  },
  {
    says: 'a job becomes Running only while its task is RUNNING, wanted, and known',
    holds: (action, { job, seen }) =>
      action.do !== 'running' ||
      (job.phase === 'Starting' &&
        !cancelWished(job) &&
        seen.task.is === 'live' &&
        seen.task.lastStatus === 'RUNNING'),
  },
  {
    says: 'the slot of a launch is given back only while no task of it is known',
    holds: (action, { job }) => action.do !== 'release' || currentArn(job) === undefined,
  },
]

type Wishes = { cancel?: unknown; suspend?: unknown }

/** What the steps can produce: which attributes stand together. */
function isLegal(job: Job): boolean {
  const parts = [job.fence, job.launching, job.claim, job.taskArn, job.stopping]
  if (job.phase === 'Submitted') return false
  if (!isLive(job.phase)) {
    const isLineFitting = job.phase === 'Pending' || job.backlogQueue === undefined
    return parts.every((part) => part === undefined) && isLineFitting
  }
  if (job.fence === undefined || job.launching === undefined || job.backlogQueue !== undefined) return false
  const { request, refused } = job.launching
  // The frozen request goes when the ARN is recorded, and only then.
  if ((job.taskArn === undefined) !== (request !== undefined)) return false
  if (job.taskArn !== undefined && refused !== undefined) return false
  if ((job.phase === 'Stopping') !== (job.stopping !== undefined)) return false
  if (job.report?.fence === job.fence && job.claim === undefined) return false
  return job.phase === 'Starting' || currentArn(job) !== undefined
}

/** What is seen fits the record: another task than the current one is not looked at. */
const isConsistent = ({ job, seen }: State): boolean =>
  currentArn(job) === undefined ? seen.task.is === 'unknown' : job.attempts.length > 0

/** The record after a step. */
function follow({ job, nowMs }: State, action: Action): Job {
  switch (action.do) {
    case 'heal':
      return { ...job, phase: action.phase }
    case 'finish':
      return changed(job, finish(job, action.phase, action.reason, undefined, nowMs))
    case 'leaveLine':
      return { ...job, backlogQueue: undefined, rank: undefined }
    case 'enterLine':
      return { ...job, backlogQueue: action.line, rank: action.rank }
    case 'intend':
      return changed(job, intend(job, template, context, nowMs))
    case 'recordArn':
      return { ...job, taskArn: action.arn, launching: launching({ request: undefined, refused: undefined }) }
    case 'release':
      return changed(
        job,
        endOfLaunch(
          job,
          {
            phase: 'Pending',
            reason: action.reason,
            ...(action.notBeforeMs === undefined ? {} : { notBeforeMs: action.notBeforeMs }),
          },
          nowMs,
        ),
      )
    case 'settle':
      return changed(job, settle(job, action.stop, nowMs).change)
    case 'stopIntent':
      return { ...job, phase: 'Stopping', stopping: { reason: action.reason, at: at(0) } }
    case 'running':
      return { ...job, phase: 'Running' }
    case 'deleteSource':
      return { ...job, source: 'deleted' }
    case 'nothing':
    case 'wait':
    case 'look':
    case 'listPass':
    case 'runTask':
    case 'stopTask':
    case 'adoptEdit':
      return job
    default:
      throw action satisfies never
  }
}

const template = {
  taskDefinition: 'worker:3',
  container: 'worker',
  logPrefix: 'task',
  architecture: 'x86_64' as const,
}
const context = {
  installation: 'test',
  cluster: 'jobs',
  networks: networks({ subnets: ['subnet-1'], securityGroups: [], assignPublicIp: 'DISABLED' }),
  prices: defaultPrices,
  outputsBucket: 'outputs',
  transcribeRoleArn: undefined,
  vcpuCeiling: () => 6,
}

/** As the table does it: attributes are set and removed one by one. */
const changed = (before: Job, { set, remove }: Change): Job => {
  const kept = Object.entries(before).filter(([name]) => !remove.includes(name) || Object.hasOwn(set, name))
  return { ...(Object.fromEntries(kept) as Job), ...set }
}
