import { z } from 'zod'
import { extensible } from './extensible.ts'
import { shortHash } from './ids.ts'
import type { Input, Settings } from './spec.ts'

/**
 * A pipeline runs no task itself: it creates child jobs, step by step. What a kind says of its steps is pure: the same
 * settings and results give the same children, so that a crash in between changes nothing.
 */
export type Pipeline = {
  /** In their order; one begins when the one before has ended. */
  steps: readonly [Step, ...Step[]]
  /** What the pipeline returns, once all steps have ended. */
  result(of: StepInput): Record<string, unknown>
  /** Keys in the outputs bucket that are deleted in every outcome. */
  temporaryKeys(of: Pick<StepInput, 'jobId' | 'uid' | 'generation' | 'settings' | 'split'>): readonly string[]
}

export type Step = {
  name: string
  /** The children of this step; none: there is nothing to do. */
  children(of: StepInput): readonly ChildWish[]
  /** How many of them may live at the same time. Default: all. */
  atOnce?: number
  /** How many of them may fail without failing the step. Default: none. */
  mayFail?: number
  /**
   * Whether what a child returned speaks of temporary keys: only the next step may use it, and a retry makes it again.
   * Default: it lasts.
   */
  isTemporary?(result: Record<string, unknown>): boolean
}

export type StepInput = {
  jobId: string
  uid: string
  generation: number
  settings: Settings
  outputsBucket: string
  /** What the task of a job that was split has found out. */
  split?: Readonly<Record<string, unknown>> | undefined
  /** What the children of earlier steps returned, by step, in their order; of a child that was let fail: undefined. */
  results: Readonly<Record<string, readonly (Record<string, unknown> | undefined)[]>>
}

export type ChildWish = {
  kind: string
  input?: Input
  /** Prefix in the outputs bucket. */
  output: string
  params: Record<string, unknown>
}

/** A parent keeps this much: its record has to stay far below the 400 KB of an item. */
export const childrenMax = 200

export const childStates = ['intended', 'put', 'succeeded', 'failed'] as const

const childSchema = extensible({
  jobId: z.string().describe('The child job.'),
  kind: z.string().describe('Its kind.'),
  state: z
    .enum(childStates)
    .describe('intended: to be created. put: its record has been seen. succeeded, failed: how it ended.'),
  reason: z.string().max(64).optional().describe('failed: why, in one word.'),
  message: z.string().max(300).optional().describe('failed: why, in a sentence.'),
  result: z.record(z.string(), z.unknown()).optional().describe('succeeded: what it returned.'),
  costUsd: z.number().optional().describe('What it cost.'),
})
export type Child = z.infer<typeof childSchema>

const stepSchema = extensible({
  name: z.string().max(32).describe('Name of the step.'),
  begunAt: z.iso.datetime().describe('When its children were decided on.'),
  endedAt: z.iso.datetime().optional().describe('When the last of them had ended.'),
  children: z.array(childSchema).max(childrenMax).describe('Its child jobs.'),
})
export type StepRecord = z.infer<typeof stepSchema>

/** What the record of a pipeline keeps of its children. */
export const pipelineStateSchema = extensible({
  steps: z.array(stepSchema).max(20).describe('The steps that have begun, in their order.'),
  split: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Of a job whose own task found its work too much for one: what it found out.'),
  stopping: extensible({
    reason: z.enum(['Cancel', 'DeadlineExceeded', 'ChildFailed']).describe('Why.'),
    at: z.iso.datetime().describe('When it was decided.'),
  })
    .optional()
    .describe('It ends as soon as its children have ended, which are cancelled.'),
}).describe('Steps and children of a job that is a pipeline.')
export type PipelineState = z.infer<typeof pipelineStateSchema>

/** `<jobId>/<uid>` of the parent: only a parent of this very life counts. */
export const parentPattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\/[a-z0-9]{20}$/

export type ParentRef = { jobId: string; uid: string }

export const formatParent = ({ jobId, uid }: ParentRef): string => `${jobId}/${uid}`

/** Undefined for a job that is nobody's child. `spec` may be anything: users write it. */
export function parentOf(spec: unknown): ParentRef | undefined {
  const parent: unknown =
    typeof spec === 'object' && spec !== null ? (spec as { parent?: unknown }).parent : undefined
  if (typeof parent !== 'string' || !parentPattern.test(parent)) return undefined
  const [jobId = '', uid = ''] = parent.split('/')
  return { jobId, uid }
}

/**
 * The id of a child comes from its parent, so that whoever makes it again makes the same one. A retry of the parent is
 * another generation, and gives children of their own to what had failed.
 */
export function childJobId(
  parent: ParentRef,
  generation: number,
  step: string,
  index: number,
  kind: string,
): string {
  const tail = `-${kind}-${shortHash(JSON.stringify([parent.uid, generation, step, index]), 10)}`
  return parent.jobId.slice(0, 64 - tail.length) + tail
}
