import { exitCodes } from '../../schemas/exit-codes.ts'
import type { TranscodeParams } from '../../schemas/kinds/transcode.ts'
import type { TranscodeSplit } from '../../schemas/kinds/transcode-long.ts'
import type { TranscodeWarning } from '../../schemas/metadata.ts'
import { WorkerError } from '../errors.ts'
import { planTranscode } from '../media/command.ts'
import { requireSource } from '../media/gate.ts'
import { inputLimits } from '../media/limits.ts'
import { quotient } from '../media/probe.ts'
import { planShards, shardCount, shardFramesOf, whyWhole } from '../media/shards-plan.ts'
import { readTimeline } from '../media/shards-timeline.ts'
import type { Work } from './handler.ts'
import { type OpenedMedia, withMedia } from './parts.ts'

/** How the input of a transcode job is cut, or what is to be said of it where one task does all the work. */
export type Decision =
  | { is: 'split'; split: TranscodeSplit }
  | { is: 'whole'; warnings: readonly TranscodeWarning[] }

const whole: Decision = { is: 'whole', warnings: [] }

/** Looks at the input where it lies whether it is long enough to be cut into shards, and can be. */
export const decideSplit = async (work: Work, params: TranscodeParams): Promise<Decision> => {
  work.tell({ stage: 'look', percent: 0 })
  try {
    return await withMedia(work, (media) => decide(work, params, media))
  } catch (thrown) {
    work.signal.throwIfAborted()
    // What is wrong with the input itself, the whole transcode finds out, and knows more about it.
    if (!(thrown instanceof WorkerError) || thrown.exitCode !== exitCodes.badInput) throw thrown
    return whole
  }
}

const decide = async (
  { signal, log }: Work,
  params: TranscodeParams,
  { served, probed, tools }: OpenedMedia,
): Promise<Decision> => {
  const source = requireSource(probed, inputLimits)
  const { durationS } = source
  const plan = planTranscode(source, params, tools.toneMaps)
  const about = Math.round(durationS * quotient(plan.rate))
  if (durationS <= params.shardThreshold) return whole
  if (shardCount(about, shardFramesOf(about, plan.rate, params.shardSeconds)) < 2) return whole
  const obstacle = whyWhole(source, plan)
  const verdict =
    obstacle === undefined
      ? planShards(source, plan, await readTimeline(served, { tools, signal }))
      : { is: 'alone' as const, why: obstacle }
  if (verdict.is === 'split') return verdict
  log.info({ why: verdict.why, durationS }, 'not split')
  const message = `The input is longer than ${params.shardThreshold} s but was encoded in one piece: ${verdict.why}.`
  return { is: 'whole', warnings: [{ code: 'NOT_SPLIT', message }] }
}
