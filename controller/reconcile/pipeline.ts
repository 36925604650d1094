import { isTerminal, type Job, type TerminalPhase } from '../../schemas/job.ts'
import { isKindName, type Kind, kinds } from '../../schemas/kinds/index.ts'
import {
  type Child,
  type ChildWish,
  childJobId,
  childrenMax,
  formatParent,
  type Pipeline,
  type PipelineState,
  type Step,
  type StepInput,
  type StepRecord,
} from '../../schemas/pipeline.ts'
import { wishesOf } from '../../schemas/wishes.ts'
import { isSourceDue } from './decide.ts'

/** What stands under the id of a child. It is read after its parent, and terminal phases are final. */
export type ChildSeen =
  | { is: 'missing' }
  /** Somebody else's record, or an earlier life of this one. */
  | { is: 'stranger' }
  | { is: 'live' }
  | {
      is: 'ended'
      phase: TerminalPhase
      reason: string
      message: string | undefined
      result: Record<string, unknown> | undefined
      costUsd: number | undefined
    }

/** The children that have not ended as far as the parent's record knows, by id. */
export type Family = ReadonlyMap<string, ChildSeen>

export type PipelineSeen = {
  family: Family
  /** The spec was changed to something valid since settings were resolved. */
  isEdited: boolean
  outputsBucket: string
}

/** One step of a pipeline: at most one effect, and the intent before it. */
export type PipelineAction =
  | { do: 'nothing'; reason: 'Finished' }
  | { do: 'deleteSource'; reason: 'AfterSuccess' }
  | { do: 'wait'; reason: 'Suspended' | 'WaitingForChildren' | 'ChildrenStopping'; untilMs: number }
  | { do: 'heal'; reason: 'PhaseEdited' | 'Resumed'; phase: 'Pending' | 'Running' | 'Stopping' }
  | { do: 'adoptEdit'; reason: 'SpecEdited' }
  | { do: 'beginStep'; reason: 'StepBegins'; state: PipelineState }
  | { do: 'putChild'; reason: 'ChildIntended'; child: ChildRecord }
  | { do: 'noteChildren'; reason: 'ChildrenChanged'; state: PipelineState }
  | { do: 'stopIntent'; reason: Stop; state: PipelineState }
  | { do: 'finish'; reason: string; phase: TerminalPhase; message?: string; result?: Record<string, unknown> }

/** The record of a child, as it is put. */
export type ChildRecord = {
  jobId: string
  kind: string
  phase: 'Submitted'
  createdAt: string
  spec: Record<string, unknown>
}

/** A record may have 400 KB, and everything else in it stays far below the rest. */
const resultBytesMax = 8192
const allResultsBytesMax = 200_000
const untilWoken = Number.POSITIVE_INFINITY

/**
 * The steps of a job; undefined: it is one task, or of no known kind. A job whose task has split it is a pipeline from
 * then on, unless somebody wrote that into a job that still has a task.
 */
export function pipelineOf({
  kind,
  fence,
  pipeline,
}: Pick<Job, 'kind' | 'fence' | 'pipeline'>): Pipeline | undefined {
  if (!isKindName(kind)) return undefined
  const { pipeline: always, splits }: Kind = kinds[kind]
  return always ?? (pipeline && fence === undefined ? splits : undefined)
}

/** What a pipeline begins with, if the task of this job has found its work too much for one; undefined: it has done it. */
export function splitOf({ kind, report }: Pick<Job, 'kind' | 'report'>): PipelineState | undefined {
  const splits = isKindName(kind) && (kinds[kind] as Kind).splits
  const split: unknown = report?.result?.split
  return splits && typeof split === 'object' && split !== null && !Array.isArray(split)
    ? { steps: [], split: split as Record<string, unknown> }
    : undefined
}

/** Whether it is final. A terminal phase that somebody wrote over a pipeline under way is not. */
export const hasEnded = ({ phase, pipeline, finishedAt }: Job): boolean =>
  isTerminal(phase) && (pipeline === undefined || finishedAt !== undefined)

const currentStep = (job: Job): StepRecord | undefined => job.pipeline?.steps.at(-1)

const isOpen = ({ state }: Child): boolean => state === 'intended' || state === 'put'

/** The children that a look at the family has to be about. */
export const openChildren = (job: Job): readonly Child[] => currentStep(job)?.children.filter(isOpen) ?? []

/** A pipeline with what its kind says of it. */
type Course = { job: Job; plan: Pipeline; of: StepInput; nowMs: number }

/** The next step of a pipeline. Pure and total, like `decide`: the rules stand in the order in which they apply. */
export function decidePipeline(
  job: Job,
  plan: Pipeline,
  { family, isEdited, outputsBucket }: PipelineSeen,
  nowMs: number,
): PipelineAction {
  if (hasEnded(job))
    return isSourceDue(job)
      ? { do: 'deleteSource', reason: 'AfterSuccess' }
      : { do: 'nothing', reason: 'Finished' }
  const step = currentStep(job)
  const stopping = job.pipeline?.stopping
  const split = job.pipeline?.split
  const phase = stopping ? 'Stopping' : step || split ? 'Running' : 'Pending'
  const isResumed = phase === 'Running' && job.phase === 'Pending'
  if (job.phase !== phase && !isResumed) return { do: 'heal', reason: 'PhaseEdited', phase }

  const changed = step && noteChildren(job, step, family, nowMs)
  if (changed) return noted(job, changed)

  // Whoever was not looked at may live as well.
  const isFamilyLive = (step?.children ?? []).some(
    (child) => isOpen(child) && family.get(child.jobId)?.is !== 'missing',
  )
  if (stopping)
    return isFamilyLive
      ? { do: 'wait', reason: 'ChildrenStopping', untilMs: untilWoken }
      : endOf(job, stopping.reason)
  const wishes = wishesOf(job.spec)
  const deadlineMs = Date.parse(job.acceptedAt) + job.settings.limits.deadline * 1000
  const stop = whyStop(job, plan, wishes.cancel, nowMs >= deadlineMs)
  if (stop) return isFamilyLive ? stopIntent(job, stop, nowMs) : endOf(job, stop)
  // What was split was split by the settings of that time.
  if (isEdited && !step && !split) return { do: 'adoptEdit', reason: 'SpecEdited' }
  if (wishes.suspend) return { do: 'wait', reason: 'Suspended', untilMs: deadlineMs }
  if (isResumed) return { do: 'heal', reason: 'Resumed', phase: 'Running' }
  const course: Course = { job, plan, of: stepInput(job, outputsBucket), nowMs }
  return step ? goOn(course, step, family, deadlineMs) : begin(course, 0)
}

/** A step that is under way: children are put, or awaited, or the next step begins. */
function goOn(course: Course, step: StepRecord, family: Family, deadlineMs: number): PipelineAction {
  const { job, plan, nowMs } = course
  const index = plan.steps.findIndex(({ name }) => name === step.name)
  const { atOnce = childrenMax } = plan.steps[index] ?? {}
  const live = step.children.filter(({ state }) => state === 'put').length
  const next = step.children.findIndex(
    ({ state, jobId }) => state === 'intended' && family.get(jobId)?.is === 'missing',
  )
  const child = step.children[next]
  if (child && live < atOnce) {
    const wish = wishesFor(course, index)?.[next]
    if (wish)
      return { do: 'putChild', reason: 'ChildIntended', child: childRecord(job, wish, child.jobId, nowMs) }
    // Its siblings may live: like any child that failed, it ends the step in its own time.
    const without = failed(child, 'StepImpossible', 'the kind does not know any more what it is to do')
    return noted(job, withChildren(step, step.children.with(next, without), nowMs))
  }
  if (step.children.some(isOpen)) return { do: 'wait', reason: 'WaitingForChildren', untilMs: deadlineMs }
  if (index < 0) return unplannable(job, step.name)
  return index + 1 < plan.steps.length ? begin(course, index + 1) : succeed(course)
}

/** The children of a step are decided on and written down before the first of them is put. */
function begin(course: Course, index: number): PipelineAction {
  const { job, plan, nowMs } = course
  const name = plan.steps[index]?.name ?? ''
  const wishes = wishesFor(course, index)
  if (wishes === undefined || wishes.length > childrenMax) return unplannable(job, name)
  const at = new Date(nowMs).toISOString()
  const children = wishes.map(
    ({ kind }, position): Child => ({
      jobId: childJobId(job, job.generation, name, position, kind),
      kind,
      state: 'intended',
    }),
  )
  const ended = children.length === 0 ? { endedAt: at } : {}
  const steps = [...(job.pipeline?.steps ?? []), { name, begunAt: at, ...ended, children }]
  return { do: 'beginStep', reason: 'StepBegins', state: { ...job.pipeline, steps } }
}

/** What the kind says of a step; undefined when it cannot, because an earlier result is not what it was promised to be. */
function wishesFor({ plan, of }: Course, index: number): readonly ChildWish[] | undefined {
  try {
    return plan.steps[index]?.children(of)
  } catch {
    return undefined
  }
}

const stepInput = (job: Job, outputsBucket: string): StepInput => ({
  jobId: job.jobId,
  uid: job.uid,
  generation: job.generation,
  settings: job.settings,
  outputsBucket,
  ...(job.pipeline?.split ? { split: job.pipeline.split } : {}),
  results: Object.fromEntries(
    (job.pipeline?.steps ?? []).map(({ name, children }) => [name, children.map(({ result }) => result)]),
  ),
})

function succeed({ job, plan, of }: Course): PipelineAction {
  try {
    return { do: 'finish', reason: 'Done', phase: 'Succeeded', result: plan.result(of) }
  } catch {
    return unplannable(job, 'result')
  }
}

const unplannable = (job: Job, step: string): PipelineAction => ({
  do: 'finish',
  reason: 'StepImpossible',
  phase: 'Failed',
  message: `Step ${step} of ${job.kind} cannot be made from what the steps before it returned`,
})

const noted = (job: Job, step: StepRecord): PipelineAction => ({
  do: 'noteChildren',
  reason: 'ChildrenChanged',
  state: { ...job.pipeline, steps: [...(job.pipeline?.steps.slice(0, -1) ?? []), step] },
})

const withChildren = (step: StepRecord, children: Child[], nowMs: number): StepRecord => ({
  ...step,
  children,
  ...(children.some(isOpen) ? {} : { endedAt: new Date(nowMs).toISOString() }),
})

/** The step with what is new about its children; undefined: nothing is. */
function noteChildren(job: Job, step: StepRecord, family: Family, nowMs: number): StepRecord | undefined {
  const known = (job.pipeline?.steps ?? []).flatMap(({ children }) => children)
  let leftBytes = allResultsBytesMax - sum(known.map(({ result }) => bytesOf(result)))
  const children = step.children.map((child) => {
    const fresh = childNow(child, family.get(child.jobId), Math.min(leftBytes, resultBytesMax))
    if (fresh !== child) leftBytes -= bytesOf(fresh.result)
    return fresh
  })
  return children.every((child, index) => child === step.children[index])
    ? undefined
    : withChildren(step, children, nowMs)
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

const bytesOf = (result: Child['result']): number =>
  result === undefined ? 0 : Buffer.byteLength(JSON.stringify(result))

/** @param resultBytes how much its result may take */
function childNow(child: Child, seen: ChildSeen | undefined, resultBytes: number): Child {
  if (seen === undefined || !isOpen(child)) return child
  switch (seen.is) {
    case 'live':
      return child.state === 'put' ? child : { ...child, state: 'put' }
    case 'missing':
      return child.state === 'intended' ? child : failed(child, 'ChildMissing', 'its record is gone')
    case 'stranger':
      return failed(child, 'ChildTaken', 'another job has its id')
    case 'ended':
      return ended(child, seen, resultBytes)
    default:
      throw seen satisfies never
  }
}

const failed = (child: Child, reason: string, message: string): Child => ({
  ...child,
  state: 'failed',
  reason,
  message: message.slice(0, 300),
})

function ended(child: Child, seen: Extract<ChildSeen, { is: 'ended' }>, resultBytes: number): Child {
  const cost = seen.costUsd === undefined ? {} : { costUsd: seen.costUsd }
  if (seen.phase === 'Cancelled') return { ...failed(child, 'ChildCancelled', 'it was cancelled'), ...cost }
  if (seen.phase === 'Failed') return { ...failed(child, seen.reason, seen.message ?? seen.reason), ...cost }
  const schema = isKindName(child.kind) ? kinds[child.kind].result : undefined
  const result = schema
    ? schema.safeParse(seen.result ?? {})
    : { success: true as const, data: seen.result ?? {} }
  if (!result.success || bytesOf(result.data) > resultBytes)
    return {
      ...failed(child, 'ResultUnusable', 'it succeeded, but what it returned cannot be used'),
      ...cost,
    }
  return { ...child, state: 'succeeded', result: result.data, ...cost }
}

type Stop = NonNullable<PipelineState['stopping']>['reason']

const stopIntent = (job: Job, reason: Stop, nowMs: number): PipelineAction => ({
  do: 'stopIntent',
  reason,
  state: { steps: [], ...job.pipeline, stopping: { reason, at: new Date(nowMs).toISOString() } },
})

function whyStop(job: Job, plan: Pipeline, isCancelled: boolean, isLate: boolean): Stop | undefined {
  if (isCancelled) return 'Cancel'
  if (isLate) return 'DeadlineExceeded'
  const step = currentStep(job)
  if (!step) return undefined
  const { mayFail = 0 }: Partial<Step> = plan.steps.find(({ name }) => name === step.name) ?? {}
  return failures(step).length > mayFail ? 'ChildFailed' : undefined
}

const failures = (step: StepRecord): Child[] => step.children.filter(({ state }) => state === 'failed')

/** How the pipeline ends once no child lives any more. */
function endOf(job: Job, reason: Stop): PipelineAction {
  if (reason === 'Cancel') return { do: 'finish', reason: 'Cancelled', phase: 'Cancelled' }
  if (reason === 'DeadlineExceeded')
    return {
      do: 'finish',
      reason,
      phase: 'Failed',
      message: `Not done within the deadline of ${job.settings.limits.deadline} s`,
    }
  const step = currentStep(job)
  // The child that failed first in the order of the step: the others may have been cancelled because of it.
  const children = step ? failures(step) : []
  const child = children.find(({ reason: why }) => why !== 'ChildCancelled') ?? children[0]
  return {
    do: 'finish',
    reason: child?.reason ?? 'ChildFailed',
    phase: 'Failed',
    message: `Step ${step?.name ?? '?'}, ${child?.jobId ?? 'a child'}: ${child?.message ?? 'it failed'}`,
  }
}

/** What a child is asked for: its wish, and what the parent was asked for that is not about one kind. */
function childRecord(job: Job, wish: ChildWish, jobId: string, nowMs: number): ChildRecord {
  const { queue, priority, limits, failurePolicy, ttlAfterFinished, labels, stepResources } = job.settings
  // Memory belongs to a size, and each kind has its own.
  const { maxMemory: _maxMemory, ...times } = limits
  return {
    jobId,
    kind: wish.kind,
    phase: 'Submitted',
    createdAt: new Date(nowMs).toISOString(),
    spec: {
      ...(wish.input ? { input: wish.input } : {}),
      output: wish.output,
      params: wish.params,
      queue,
      priority,
      limits: times,
      failurePolicy,
      ttlAfterFinished,
      labels,
      ...(stepResources && isTask(wish.kind) ? { resources: stepResources } : {}),
      parent: formatParent(job),
    },
  }
}

/** What runs elsewhere has no size, and would take a place that it does not need. */
const isTask = (kind: string): boolean => isKindName(kind) && kinds[kind].runner === undefined

/**
 * What a new generation begins with: steps that have ended well stay, and in the one that has not, every child that had not
 * succeeded gets a successor. What was temporary is gone since its pipeline ended: where the next step has not done its
 * work with it, it is made again.
 */
export function resumed(
  state: PipelineState,
  plan: Pipeline,
  job: { uid: string; jobId: string },
  generation: number,
): PipelineState {
  const { stopping: _stopping, ...rest } = state
  const { steps } = state
  const isGone = ({ name }: StepRecord, { result }: Child): boolean =>
    result !== undefined && plan.steps.find((step) => step.name === name)?.isTemporary?.(result) === true
  const lastIndex = steps.length - 1
  const isLastDone = steps[lastIndex]?.children.every(({ state: is }) => is === 'succeeded') ?? true
  const before = steps[lastIndex - 1]
  const from =
    !isLastDone && before?.children.some((child) => isGone(before, child)) ? lastIndex - 1 : lastIndex
  const step = steps[from]
  if (!step) return { ...rest, steps: [] }
  const children = step.children.map(
    (child, index): Child =>
      child.state === 'succeeded' && !isGone(step, child)
        ? child
        : {
            jobId: childJobId(job, generation, step.name, index, child.kind),
            kind: child.kind,
            state: 'intended',
          },
  )
  const { endedAt: _endedAt, ...begun } = step
  return {
    ...rest,
    steps: [...steps.slice(0, from), children.some(isOpen) ? { ...begun, children } : step],
  }
}
