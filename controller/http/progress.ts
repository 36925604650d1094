import type { Job, Phase } from '../../schemas/job.ts'
import type { Pipeline, StepRecord } from '../../schemas/pipeline.ts'
import { wishesOf } from '../../schemas/wishes.ts'
import { pipelineOf } from '../reconcile/pipeline.ts'
import type { Shown } from './why.ts'

/** How far a job has come, and about how long it will still take. */
export type Progress = { percent?: number; stage?: string; etaS?: number }

const livePhases: readonly Phase[] = ['Starting', 'Running', 'Stopping']

/**
 * How far a live job has come: of a task, what its worker says; of a pipeline, what its record knows of its children, without
 * reading them. Undefined where there is nothing to say. Pure and total, like `whyOf`.
 */
export function progressOf(stored: Shown, nowMs: number): Progress | undefined {
  if (stored.is !== 'accepted' || !livePhases.includes(stored.job.phase)) return undefined
  const { job } = stored
  const plan = pipelineOf(job)
  return plan ? progressOfPipeline(job, plan, nowMs) : progressOfTask(job)
}

function progressOfTask({ progress }: Job): Progress | undefined {
  if (progress === undefined) return undefined
  const { percent, stage, etaS } = progress
  return {
    ...(percent === undefined ? {} : { percent }),
    ...(stage === undefined ? {} : { stage }),
    ...(etaS === undefined ? {} : { etaS }),
  }
}

/**
 * The share of the children that have ended. How many a step will have is known once it begins; until then it counts as one,
 * which all steps after a first are so far. While its children are cancelled, that many have ended says nothing.
 */
export function progressOfPipeline(job: Job, plan: Pipeline, nowMs: number): Progress | undefined {
  const { steps = [], stopping } = job.pipeline ?? {}
  if (stopping) return undefined
  const step = steps.at(-1)
  const toCome = Math.max(0, plan.steps.length - steps.length)
  const all = toCome + sum(steps.map(({ children }) => children.length))
  const ended = sum(steps.map(endedOf))
  const etaS = step && etaOf(job, step, all - ended, nowMs)
  return {
    percent: all > 0 ? Math.floor((100 * ended) / all) : 0,
    stage: step?.name ?? plan.steps[0].name,
    ...(etaS === undefined ? {} : { etaS }),
  }
}

/**
 * What is left, at the pace of the children of this step so far. A step that a retry took up again has no pace of its own:
 * some of its children had ended before, and it began long ago.
 */
function etaOf(job: Job, step: StepRecord, left: number, nowMs: number): number | undefined {
  const begunMs = Date.parse(step.begunAt)
  const ended = endedOf(step)
  const isTakenUpAgain = begunMs < Date.parse(job.acceptedAt)
  if (ended === 0 || isTakenUpAgain || wishesOf(job.spec).suspend) return undefined
  return Math.ceil((Math.max(0, nowMs - begunMs) / 1000 / ended) * left)
}

const endedOf = ({ children }: StepRecord): number =>
  children.filter(({ state }) => state === 'succeeded' || state === 'failed').length

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)
