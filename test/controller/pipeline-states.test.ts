import assert from 'node:assert/strict'
import { expect, test } from 'vitest'
import {
  type ChildSeen,
  decidePipeline,
  type Family,
  type PipelineAction,
  type PipelineSeen,
} from '../../controller/reconcile/pipeline.ts'
import { isTerminal, type Job, phases } from '../../schemas/job.ts'
import type { Child, Pipeline, PipelineState, StepRecord } from '../../schemas/pipeline.ts'
import { acceptedMs, at, hourMs, minuteMs, settings } from '../support/job.ts'
import {
  accepted,
  childId,
  end,
  familyOf,
  first,
  live,
  look,
  missing,
  stranger,
  underWay,
  wish,
} from '../support/pipeline.ts'

// Every small state of a pipeline, legal or not, whatever a user may have made of it: some things never happen. A legal state
// is only ever followed by a legal one, and from each the pipeline comes to its end.

type State = { job: Job; seen: PipelineSeen; plan: Pipeline; nowMs: number }

const deadlineMs = acceptedMs + settings().limits.deadline * 1000

/** Two children, and one more step behind them. */
const planOf = (atOnce: number, mayFail: number): Pipeline => ({
  steps: [
    { name: 'first', children: () => [wish('first/')] },
    { name: 'two', atOnce, mayFail, children: () => [wish('two/0/'), wish('two/1/')] },
    { name: 'last', children: () => [wish('last/')] },
  ],
  result: ({ results }) => results.last?.[0] ?? {},
  temporaryKeys: () => [],
})
const plans: Pipeline[] = [planOf(1, 0), planOf(2, 1)]
const fewer: Pipeline = {
  ...planOf(2, 1),
  steps: [planOf(1, 1).steps[0], { name: 'two', atOnce: 2, mayFail: 1, children: () => [wish('two/0/')] }],
}
const renamed: Pipeline = { ...planOf(2, 1), steps: [{ name: 'other', children: () => [wish('other/')] }] }

const seenOfOne: (ChildSeen | undefined)[] = [
  undefined,
  missing,
  stranger,
  live,
  end('Succeeded', { result: { n: 1 } }),
  end('Failed'),
  end('Cancelled'),
]
/** A child as the parent knows it, with what is seen of it. */
const ofOne: { child: Partial<Child>; seen: ChildSeen | undefined }[] = [
  ...seenOfOne.map((seen) => ({ child: {}, seen })),
  ...seenOfOne.slice(1).map((seen) => ({ child: { state: 'put' as const }, seen })),
  { child: { state: 'succeeded', result: { n: 1 } }, seen: undefined },
  { child: { state: 'failed', reason: 'Real', message: 'no' }, seen: undefined },
  { child: { state: 'failed', reason: 'ChildCancelled', message: 'it was' }, seen: live },
]

const stepOf = (name: string, children: Partial<Child>[]): StepRecord => {
  const records = children.map(
    (more, index): Child => ({ jobId: childId(name, index), kind: 'container', state: 'intended', ...more }),
  )
  const isOver = !records.some(isOpen)
  return { name, begunAt: at(0), ...(isOver ? { endedAt: at(minuteMs) } : {}), children: records }
}
const isOpen = ({ state }: Child): boolean => state === 'intended' || state === 'put'

const allPlans = [...plans, fewer, renamed]

type Steps = { steps: StepRecord[] | undefined; family: Family }
const someSteps: Steps[] = [
  { steps: undefined, family: new Map() },
  { steps: [], family: new Map() },
  ...ofOne.map(({ child, seen }) => ({
    steps: [stepOf('first', [child])],
    family: familyOf('first', [seen]),
  })),
  ...ofOne.flatMap((a) =>
    ofOne.map((b) => ({
      steps: [first, stepOf('two', [a.child, b.child])],
      family: familyOf('two', [a.seen, b.seen]),
    })),
  ),
  ...ofOne.map(({ child, seen }) => ({
    steps: [first, stepOf('two', [{ state: 'succeeded' }, { state: 'succeeded' }]), stepOf('last', [child])],
    family: familyOf('last', [seen]),
  })),
]
const stops = [undefined, 'Cancel', 'DeadlineExceeded', 'ChildFailed'] as const

const late = deadlineMs
const early = acceptedMs + hourMs
const moments: { spec: unknown; isEdited: boolean; nowMs: number }[] = [
  { spec: {}, isEdited: false, nowMs: early },
  { spec: { cancel: true }, isEdited: false, nowMs: early },
  { spec: { suspend: true }, isEdited: false, nowMs: early },
  { spec: 'rubbish', isEdited: false, nowMs: early },
  { spec: { suspend: true }, isEdited: true, nowMs: early },
  { spec: {}, isEdited: true, nowMs: early },
  { spec: {}, isEdited: false, nowMs: late },
  { spec: { cancel: true, suspend: true }, isEdited: true, nowMs: late },
]
const bare = accepted()

function everyState(visit: (state: State) => void, plans = allPlans, moment = moments): void {
  for (const plan of plans)
    for (const { steps, family } of someSteps)
      for (const reason of stops) {
        const stopping = reason && { reason, at: at(minuteMs) }
        const pipeline: PipelineState | undefined = steps && { steps, ...(stopping ? { stopping } : {}) }
        for (const phase of phases)
          for (const finishedAt of isTerminal(phase) ? [undefined, at(hourMs)] : [undefined])
            for (const { spec, isEdited, nowMs } of moment) {
              const job = { ...bare, phase, spec, finishedAt, pipeline }
              visit({ job, seen: look(family, { isEdited }), plan, nowMs })
            }
      }
}

const act = ({ job, plan, seen, nowMs }: State): PipelineAction => decidePipeline(job, plan, seen, nowMs)
const show = ({ job, seen, plan, nowMs }: State, action: PipelineAction): string =>
  JSON.stringify({ action, nowMs, job, seen: [...seen.family], plan })

const wished = (spec: unknown, wish: string): boolean => (spec as Record<string, unknown>)[wish] === true
const current = (job: Job): StepRecord | undefined => job.pipeline?.steps.at(-1)
const livesIn = ({ job, seen }: State): boolean =>
  current(job)?.children.some((child) => isOpen(child) && mayLive(seen.family.get(child.jobId))) ?? false
/** Whoever was not looked at may. */
const mayLive = (seen: ChildSeen | undefined): boolean => seen === undefined || seen.is === 'live'
const creates = ({ do: name }: PipelineAction): boolean => name === 'putChild' || name === 'beginStep'
const over = (job: Job): boolean =>
  isTerminal(job.phase) && (job.pipeline === undefined || job.finishedAt !== undefined)

type Rule = { says: string; holds: (action: PipelineAction, state: State) => boolean }

const rules: Rule[] = [
  {
    says: 'what has ended stays as it is, and nothing else does',
    holds: (action, { job }) => (action.do === 'nothing') === over(job),
  },
  {
    says: 'nothing is made after a cancel',
    holds: (action, { job }) => !wished(job.spec, 'cancel') || !creates(action),
  },
  {
    says: 'nothing is made while it is suspended',
    holds: (action, { job }) => !wished(job.spec, 'suspend') || !creates(action),
  },
  {
    says: 'nothing is made while it is stopping',
    holds: (action, { job }) => job.pipeline?.stopping === undefined || !creates(action),
  },
  {
    says: 'nothing is made after the deadline',
    holds: (action, { nowMs }) => nowMs < deadlineMs || !creates(action),
  },
  {
    says: 'it never ends while a child lives',
    holds: (action, state) => action.do !== 'finish' || !livesIn(state),
  },
  {
    says: 'what stands of a child that has ended is final',
    holds: (action, { job }) =>
      !('state' in action) ||
      (job.pipeline?.steps ?? []).every((step, index) =>
        step.children.every(
          (child, place) => isOpen(child) || action.state.steps[index]?.children[place] === child,
        ),
      ),
  },
  {
    says: 'a child is put under an id that was written down, that is free, and that is not known to be taken',
    holds: (action, { job, seen }) => {
      if (action.do !== 'putChild') return true
      const child = current(job)?.children.find(({ jobId }) => jobId === action.child.jobId)
      return child?.state === 'intended' && seen.family.get(child.jobId)?.is === 'missing'
    },
  },
  {
    says: 'no more live at once than the step allows',
    holds: (action, { job, plan }) => {
      const step = current(job)
      const { atOnce = 200 } = plan.steps.find(({ name }) => name === step?.name) ?? {}
      const puts = step?.children.filter(({ state }) => state === 'put').length ?? 0
      return action.do !== 'putChild' || puts < atOnce
    },
  },
  {
    says: 'a step begins after all children of the one before, and without too many failures',
    holds: (action, { job, plan }) => {
      const step = current(job)
      if (action.do !== 'beginStep' || !step) return true
      const index = plan.steps.findIndex(({ name }) => name === step.name)
      const failures = step.children.filter(({ state }) => state === 'failed').length
      return (
        index >= 0 &&
        !step.children.some(isOpen) &&
        failures <= (plan.steps[index]?.mayFail ?? 0) &&
        action.state.steps.at(-1)?.name === plan.steps[index + 1]?.name
      )
    },
  },
  {
    says: 'it succeeds only at the end of its plan',
    holds: (action, { job, plan }) =>
      action.do !== 'finish' ||
      action.phase !== 'Succeeded' ||
      (current(job)?.name === plan.steps.at(-1)?.name && !current(job)?.children.some(isOpen)),
  },
  {
    says: 'it is Cancelled only if that was wished, and then before it succeeds or fails otherwise',
    holds: (action, { job }) =>
      action.do !== 'finish' ||
      (action.phase === 'Cancelled') ===
        (job.pipeline?.stopping ? job.pipeline.stopping.reason === 'Cancel' : wished(job.spec, 'cancel')),
  },
  {
    says: 'a failure is explained',
    holds: (action) => action.do !== 'finish' || action.phase !== 'Failed' || (action.message ?? '') !== '',
  },
  {
    says: 'a stop is intended once, and only for a child that lives',
    holds: (action, state) =>
      action.do !== 'stopIntent' || (state.job.pipeline?.stopping === undefined && livesIn(state)),
  },
  {
    says: 'an edit is taken over only before the first step',
    holds: (action, { job, seen }) =>
      action.do !== 'adoptEdit' || (seen.isEdited && current(job) === undefined),
  },
  {
    says: 'a wait has an end in the future, or is ended by a child',
    holds: (action, { nowMs }) => action.do !== 'wait' || action.untilMs > nowMs,
  },
]

test('every small state: what never happens', () => {
  let states = 0
  const taken = new Set<string>()
  everyState((state) => {
    const action = act(state)
    const broken = rules.find((rule) => !rule.holds(action, state))
    if (broken) assert.fail(`${broken.says}: ${show(state, action)}`)
    if (states % 97 === 0) {
      const { plan, nowMs } = state
      const again = decidePipeline(structuredClone(state.job), plan, structuredClone(state.seen), nowMs)
      assert.deepEqual(again, action)
    }
    taken.add(action.do)
    states += 1
  })
  expect(states).toBeGreaterThan(100_000)
  expect(taken).toEqual(
    new Set([
      'nothing',
      'wait',
      'heal',
      'adoptEdit',
      'beginStep',
      'putChild',
      'noteChildren',
      'stopIntent',
      'finish',
    ]),
  )
})

/** What the steps of the controller lead to, and retries of users. */
function isLegal({ job, plan }: Pick<State, 'job' | 'plan'>): boolean {
  const steps = job.pipeline?.steps ?? []
  const stopping = job.pipeline?.stopping
  if (isTerminal(job.phase) !== (job.finishedAt !== undefined)) return false
  if (steps.some(({ name }, index) => name !== plan.steps[index]?.name)) return false
  const counts = steps.every(
    (step, index) => step.children.length === plan.steps[index]?.children(inputOf(job)).length,
  )
  const ended = steps.every((step) => (step.endedAt === undefined) === step.children.some(isOpen))
  const inOrder = steps.slice(0, -1).every((step) => !step.children.some(isOpen))
  if (!counts || !ended || !inOrder) return false
  switch (job.phase) {
    case 'Pending':
      return stopping === undefined
    case 'Running':
      return stopping === undefined && steps.length > 0
    case 'Stopping':
      return stopping !== undefined && steps.length > 0
    case 'Succeeded':
      return (
        job.finishedAt !== undefined &&
        steps.length === plan.steps.length &&
        !steps.at(-1)?.children.some(isOpen)
      )
    case 'Failed':
    case 'Cancelled':
      return !steps.at(-1)?.children.some(({ state }) => state === 'put')
    default:
      return false
  }
}

const inputOf = (job: Job) => ({
  jobId: job.jobId,
  uid: job.uid,
  generation: job.generation,
  settings: job.settings,
  outputsBucket: 'outputs',
  results: {},
})

/** The state after the step, as family.ts writes it. */
function follow({ job, seen, plan, nowMs }: State, action: PipelineAction): State {
  const next = (more: Partial<Job>, family: Family = seen.family): State => ({
    job: { ...job, ...more },
    seen: { ...seen, family },
    plan,
    nowMs,
  })
  switch (action.do) {
    case 'nothing':
    case 'wait':
      return next({})
    case 'deleteSource':
      return next({ source: 'deleted' })
    case 'heal':
      return next({ phase: action.phase })
    case 'adoptEdit':
      return { ...next({}), seen: { ...seen, isEdited: false } }
    case 'beginStep':
      return next({ phase: 'Running', pipeline: action.state })
    case 'noteChildren':
      return next({ pipeline: action.state })
    case 'putChild':
      return next({}, new Map([...seen.family, [action.child.jobId, live]]))
    case 'stopIntent':
      return next({ phase: 'Stopping', pipeline: action.state })
    case 'finish':
      return next({ phase: action.phase, finishedAt: new Date(nowMs).toISOString() })
    default:
      throw action satisfies never
  }
}

test('a legal state is followed by a legal state', () => {
  let legal = 0
  everyState((state) => {
    if (!isLegal(state)) return
    legal += 1
    const action = act(state)
    const after = follow(state, action)
    if (!isLegal(after)) assert.fail(`${show(state, action)} -> ${JSON.stringify(after.job)}`)
  })
  expect(legal).toBeGreaterThan(5000)
})

/** The world goes on while a pipeline waits: whoever is not there yet is missing, and whoever lives comes to an end. */
function turn({ job, seen, plan, nowMs }: State, howItEnds: ChildSeen): State {
  const open = current(job)?.children.filter(isOpen) ?? []
  const family = new Map(
    open.map(({ jobId, state }): [string, ChildSeen] => {
      const now = seen.family.get(jobId)
      if (now?.is === 'live') return [jobId, howItEnds]
      return [jobId, now ?? (state === 'put' ? howItEnds : missing)]
    }),
  )
  return {
    job: { ...job, spec: wished(job.spec, 'suspend') ? {} : job.spec },
    seen: { ...seen, family },
    plan,
    nowMs,
  }
}

test.each(['Succeeded', 'Failed', 'Cancelled'] as const)(
  'every legal state comes to its end within a few steps, where children end as %s',
  (phase) => {
    const ends = new Set<string>()
    everyState(
      (start) => {
        if (!isLegal(start)) return
        let state = start
        for (let steps = 0; !over(state.job); steps += 1) {
          if (steps > 40) assert.fail(`It never ends: ${show(state, act(state))}`)
          const action = act(state)
          state = action.do === 'wait' ? turn(state, end(phase)) : follow(state, action)
          // A step looks at all children of it, and those of a new step are not there yet.
          if (action.do === 'beginStep') state = turn({ ...state, seen: look() }, end(phase))
        }
        ends.add(state.job.phase)
      },
      plans,
      moments.slice(0, 3),
    )
    expect(ends).toEqual(new Set(['Cancelled', 'Failed', 'Succeeded']))
  },
)

test('a pipeline that nobody disturbs takes as many steps as its plan has, each once', () => {
  const taken: string[] = []
  let state: State = { job: accepted(), seen: look(), plan: planOf(1, 0), nowMs: acceptedMs }
  while (!over(state.job)) {
    const action = act(state)
    taken.push(action.do)
    state = action.do === 'wait' ? turn(state, end('Succeeded')) : follow(state, action)
    if (action.do === 'beginStep') state = turn({ ...state, seen: look() }, live)
  }
  const one = ['putChild', 'noteChildren', 'wait', 'noteChildren']
  expect(taken).toEqual(['beginStep', ...one, 'beginStep', ...one, ...one, 'beginStep', ...one, 'finish'])
  expect(state.job).toMatchObject({ phase: 'Succeeded' })
})

test.each(phases.filter((phase) => phase !== 'Running'))(
  'a phase that was edited to %s is healed in one step, and then the pipeline goes on',
  (phase) => {
    const state = { job: underWay([first], { phase }), seen: look(), plan: planOf(1, 0), nowMs: acceptedMs }
    const healed = follow(state, act(state))
    expect(act(healed).do).toBe('beginStep')
  },
)
