import type { Job } from '../../schemas/job.ts'
import type { Pipeline, StepRecord } from '../../schemas/pipeline.ts'
import { wishesOf } from '../../schemas/wishes.ts'
import type { Reason } from './why.ts'
import { after, clock } from './words.ts'

/** Why a pipeline is where it is: it waits for its children, and names the first of them. */
export function whyPipeline(job: Job, plan: Pipeline, nowMs: number): Reason {
  const deadline = after(job.acceptedAt, job.settings.limits.deadline)
  const { cancel, suspend } = wishesOf(job.spec)
  const step = job.pipeline?.steps.at(-1)
  const stopping = job.pipeline?.stopping
  if (stopping)
    return { why: `It ends, because ${stopWords[stopping.reason]}; ${waitsFor(step)} to end`, until: 'soon' }
  if (cancel) return { why: 'It is to be cancelled, and will be in a moment', until: 'soon' }
  if (Date.parse(deadline) <= nowMs)
    return { why: `Its deadline was ${clock(deadline, nowMs)}, so it fails in a moment`, until: 'soon' }
  if (suspend)
    return {
      why: `Suspended with its children: waits for somebody to resume it, until its deadline at ${clock(deadline, nowMs)}`,
      until: deadline,
    }
  if (!step) {
    const first = `its first step, ${plan.steps[0].name}, begins in a moment`
    const why = job.pipeline?.split ? `Too much for one task, so it was split: ${first}` : sentenceCase(first)
    return { why, until: 'soon' }
  }
  const place = plan.steps.findIndex(({ name }) => name === step.name) + 1
  return {
    why: `Step ${place} of ${plan.steps.length}, ${step.name}: ${waitsFor(step)}; it has until ${clock(deadline, nowMs)}`,
    until: deadline,
  }
}

const sentenceCase = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1)

const stopWords = {
  Cancel: 'it was cancelled',
  DeadlineExceeded: 'its deadline has passed',
  ChildFailed: 'one of its children failed',
} as const

function waitsFor(step: StepRecord | undefined): string {
  const children = step?.children ?? []
  const open = children.filter(({ state }) => state === 'intended' || state === 'put')
  const [first] = open
  if (!first) return 'goes on in a moment'
  return open.length === 1
    ? `waits for ${first.jobId}`
    : `waits for ${open.length} of ${children.length} children, the first of them ${first.jobId}`
}
