import type { ChildSeen, Family, PipelineSeen } from '../../controller/reconcile/pipeline.ts'
import type { Job, TerminalPhase } from '../../schemas/job.ts'
import {
  type Child,
  type ChildWish,
  childJobId,
  type Pipeline,
  type PipelineState,
  type StepRecord,
} from '../../schemas/pipeline.ts'
import { at, job, jobId, minuteMs, settings, uid } from './job.ts'

// Pipelines for tests: a plan that shows all that a plan may say, and its records at every point of its way.

/** One child, then three of which two may live at once and one may fail, then one that wants what they returned. */
export const plan: Pipeline = {
  steps: [
    { name: 'first', children: () => [wish('first/')] },
    {
      name: 'many',
      atOnce: 2,
      mayFail: 1,
      children: ({ results }) =>
        [0, 1, 2].map((index) => wish(`many/${index}/`, { index, of: results.first?.[0] })),
    },
    { name: 'last', children: ({ results }) => [wish('last/', { of: results.many })] },
  ],
  result: ({ results }) => results.last?.[0] ?? {},
  temporaryKeys: (of) => [`work/${of.jobId}/${of.uid}/audio.flac`],
}

export const wish = (output: string, params: Record<string, unknown> = {}): ChildWish => ({
  kind: 'container',
  output,
  params: { taskDefinition: 'shell', environment: { PARAMS: JSON.stringify(params) } },
})

/** A pipeline that was accepted and has not begun. */
export const accepted = (more: Partial<Job> = {}): Job => {
  const { backlogQueue: _queue, rank: _rank, ...base } = job()
  return {
    ...base,
    kind: 'subtitles',
    settings: settings({
      kind: 'subtitles',
      params: { formats: ['srt', 'vtt'], language: 'auto', engine: 'transcribe' },
      resources: { cpu: 0, memory: 0 },
    }),
    ...more,
  }
}

/** A pipeline whose steps have begun. */
export const underWay = (steps: StepRecord[], more: Partial<Job> = {}): Job =>
  accepted({ phase: 'Running', reason: 'WaitingForChildren', pipeline: { steps }, ...more })

/** One that is to end as soon as its children have. */
export const ending = (
  reason: NonNullable<PipelineState['stopping']>['reason'],
  steps: StepRecord[],
  more: Partial<Job> = {},
): Job =>
  underWay(steps, {
    phase: 'Stopping',
    reason,
    pipeline: { steps, stopping: { reason, at: at(minuteMs) } },
    ...more,
  })

export const childId = (step: string, index = 0, generation = 1, kind = 'container'): string =>
  childJobId({ jobId, uid }, generation, step, index, kind)

/** A step that is as over as its children are. */
export const step = (name: string, children: Partial<Child>[], kind = 'container'): StepRecord => {
  const records = children.map(
    (more, index): Child => ({
      jobId: childId(name, index, 1, kind),
      kind,
      state: 'intended',
      ...more,
    }),
  )
  const isOver = records.every(({ state }) => state === 'succeeded' || state === 'failed')
  return { name, begunAt: at(0), ...(isOver ? { endedAt: at(minuteMs) } : {}), children: records }
}

export const succeeded = (result: Record<string, unknown> = {}): Partial<Child> => ({
  state: 'succeeded',
  result,
})
export const failed = (reason = 'AttemptsExhausted', message = 'Exit code 1'): Partial<Child> => ({
  state: 'failed',
  reason,
  message,
})

export const first = step('first', [succeeded({ n: 1 })])
export const many = step('many', [succeeded({ n: 2 }), succeeded({ n: 3 }), succeeded({ n: 4 })])

export const end = (
  phase: TerminalPhase,
  more: Partial<Extract<ChildSeen, { is: 'ended' }>> = {},
): ChildSeen => ({
  is: 'ended',
  phase,
  reason: phase === 'Succeeded' ? 'Done' : phase,
  message: undefined,
  result: undefined,
  costUsd: undefined,
  ...more,
})

export const live: ChildSeen = { is: 'live' }
export const missing: ChildSeen = { is: 'missing' }
export const stranger: ChildSeen = { is: 'stranger' }

/** What is seen of the children of a step, in their order; undefined: nobody looked. */
export const familyOf = (name: string, seen: readonly (ChildSeen | undefined)[], kind?: string): Family =>
  new Map(seen.flatMap((look, index) => (look ? [[childId(name, index, 1, kind), look] as const] : [])))

export const look = (family: Family = new Map(), more: Partial<PipelineSeen> = {}): PipelineSeen => ({
  family,
  isEdited: false,
  outputsBucket: 'outputs',
  ...more,
})
