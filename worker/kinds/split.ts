import { exitCodes } from '../../schemas/exit-codes.ts'
import type { TranscodeParams } from '../../schemas/kinds/transcode.ts'
import type { TranscodeSplit } from '../../schemas/kinds/transcode-long.ts'
import type { TranscodeWarning } from '../../schemas/metadata.ts'
import { WorkerError } from '../errors.ts'
import type { MediaTools } from '../ffmpeg.ts'
import { loggable } from '../log.ts'
import { type Plan, planTranscode } from '../media/command.ts'
import { requireSource, type Source } from '../media/gate.ts'
import { inputLimits } from '../media/limits.ts'
import { quotient } from '../media/probe.ts'
import { planShards, type SplitVerdict, shardCount, shardFramesOf, whyWhole } from '../media/shards-plan.ts'
import { readTimeline } from '../media/shards-timeline.ts'
import type { Work } from './handler.ts'
import { type OpenedMedia, withMedia } from './parts.ts'

/** How the input of a transcode job is cut, or what is to be said of it where one task does all the work. */
export type Decision =
  | { is: 'split'; split: TranscodeSplit }
  | { is: 'whole'; warnings: readonly TranscodeWarning[] }

const whole: Decision = { is: 'whole', warnings: [] }

/**
 * Looks at the input where it lies whether it is long enough to be cut into shards, and can be.
 * @throws WorkerError of the gate: what is refused is not downloaded for it
 */
export const decideSplit = async (
  work: Work,
  params: TranscodeParams,
  tools: MediaTools,
): Promise<Decision> => {
  work.tell({ stage: 'look', percent: 0 })
  try {
    return await withMedia(work, (media) => decide(work, params, media), tools)
  } catch (thrown) {
    work.signal.throwIfAborted()
    if (!(thrown instanceof WorkerError) || thrown.code !== 'STALLED') throw thrown
    // It only took too long to look at from afar; a copy on the disk is read faster.
    work.log.info(loggable(thrown), 'not split')
    return whole
  }
}

const decide = async (
  work: Work,
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
      ? await planByTimeline(work, source, plan, { served, tools })
      : { is: 'alone' as const, why: obstacle }
  if (verdict === undefined) return whole
  if (verdict.is === 'split') return verdict
  work.log.info({ why: verdict.why, durationS }, 'not split')
  const message = `The input is longer than ${params.shardThreshold} s but was encoded in one piece: ${verdict.why}.`
  return { is: 'whole', warnings: [{ code: 'NOT_SPLIT', message }] }
}

/** @returns undefined if it cannot be read to its end: what becomes of that, the whole transcode knows. */
const planByTimeline = async (
  { signal }: Work,
  source: Source,
  plan: Plan,
  { served, tools }: Pick<OpenedMedia, 'served' | 'tools'>,
): Promise<SplitVerdict | undefined> => {
  try {
    return planShards(source, plan, await readTimeline(served, { tools, signal }))
  } catch (thrown) {
    signal.throwIfAborted()
    const failure = served.failure() ?? thrown
    if (!(failure instanceof WorkerError) || failure.exitCode !== exitCodes.badInput) throw failure
    return undefined
  }
}
