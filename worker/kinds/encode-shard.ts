import { join } from 'node:path'
import {
  type EncodeShardParams,
  type EncodeShardResult,
  encodeShardParamsSchema,
  shardName,
} from '../../schemas/kinds/encode-shard.ts'
import { WorkerError } from '../errors.ts'
import { type Plan, planTranscode } from '../media/command.ts'
import { freeBytesAt, outputBytes, requireDisk } from '../media/disk.ts'
import { requireSource } from '../media/gate.ts'
import { inputLimits, stallMs } from '../media/limits.ts'
import { quotient } from '../media/probe.ts'
import { runFfmpeg } from '../media/run.ts'
import { shardArguments, shardCpuLimitS } from '../media/shards-command.ts'
import { inspectPiece, shardProblem } from '../media/shards-inspect.ts'
import type { KindHandler, Work } from './handler.ts'
import { type OpenedMedia, parseParams, stageTeller, withMedia } from './parts.ts'

/** Every rendition of one part of a long video, read straight from where the video lies. */
export const encodeShard: KindHandler = async (work) => {
  const { settings, scratch, storage, signal } = work
  const params = parseParams(encodeShardParamsSchema, settings.params)
  const path = join(scratch, shardName)
  const made = await withMedia(work, (media) => encode(work, params, media, path))
  work.tell({ stage: 'upload', percent: 95 })
  const file = await storage.upload(path, `${settings.output}${shardName}`, 'segment', signal)
  const result: EncodeShardResult = { ...made, bytes: file.bytes, sha256: file.sha256 }
  return { files: [file], result }
}

const encode = async (
  work: Work,
  params: EncodeShardParams,
  { served, probed, tools }: OpenedMedia,
  output: string,
): Promise<Pick<EncodeShardResult, 'frames' | 'damage'>> => {
  const { scratch, signal, nowMs } = work
  const source = requireSource(probed, inputLimits)
  const plan = planTranscode(source, params.transcode, tools.toneMaps)
  requireRate(plan, params)
  const durationS = params.frames / quotient(plan.rate)
  requireDisk(shardBytes(plan, durationS), await freeBytesAt(scratch), 0)
  let repeated = 0
  const { damage } = await runFfmpeg(shardArguments(plan, params, { input: served, output }), {
    tools,
    durationS,
    cpuLimitS: shardCpuLimitS(plan, params),
    // It may have to wait for S3, and decodes what lies before the shard without a sign of it.
    stallMs: stallMs * 2,
    signal,
    nowMs,
    strict: params.transcode.onDamage === 'strict',
    midway: params.start.seekS > 0,
    onLine: (line) => {
      repeated = Number(/^dup_frames=\s*(\d+)/.exec(line)?.[1] ?? repeated)
    },
    onProgress: stageTeller(work, 'encode', 94),
  })
  const failure = served.failure()
  if (failure !== undefined) throw failure
  const streams = await inspectPiece(output, true, { tools, signal })
  const made = streams[0]?.packets ?? 0
  // Where the end is damaged there may be less of it, as there would be less of the whole.
  const frames = params.isLast && damage > 0 && made > 0 ? Math.min(made, params.frames) : params.frames
  const problem = shardProblem(streams, plan.rungs, frames)
  if (problem !== undefined) throw new WorkerError('OUTPUT_INVALID', `in this shard ${problem}`)
  if (params.start.frame > 0 && damage === 0 && repeated > 0)
    throw new WorkerError(
      'OUTPUT_INVALID',
      'pictures are missing where this shard begins. Set params.shardThreshold to 86400 to have the video transcoded in one task',
    )
  return { frames, damage }
}

/** Bytes of the renditions of one shard at most. Sound and MP4 files are made elsewhere. */
const shardBytes = (plan: Plan, durationS: number): number =>
  outputBytes({
    rungs: plan.rungs,
    params: { ...plan.params, mp4: 'none' },
    audio: undefined,
    promised: { ...plan.promised, wholeS: durationS },
  })

/** All that was planned by frame numbers would be wrong. */
const requireRate = ({ rate }: Plan, { rate: planned }: EncodeShardParams): void => {
  if (rate.num !== planned.num || rate.den !== planned.den)
    throw new WorkerError(
      'RECORD_INVALID',
      `settings.params.rate is ${planned.num}/${planned.den}, and the input needs ${rate.num}/${rate.den}`,
    )
}
