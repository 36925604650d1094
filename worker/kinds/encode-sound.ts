import { join } from 'node:path'
import {
  type EncodeSoundResult,
  encodeSoundParamsSchema,
  soundName,
} from '../../schemas/kinds/encode-sound.ts'
import type { TranscodeParams } from '../../schemas/kinds/transcode.ts'
import { asWorkerError, WorkerError } from '../errors.ts'
import { planTranscode } from '../media/command.ts'
import { freeBytesAt, requireDisk } from '../media/disk.ts'
import { requireSource } from '../media/gate.ts'
import { inputLimits, stallMs } from '../media/limits.ts'
import { runFfmpeg } from '../media/run.ts'
import { soundArguments, soundCpuLimitS } from '../media/shards-command.ts'
import { inspectPiece } from '../media/shards-inspect.ts'
import type { KindHandler, Work } from './handler.ts'
import { type OpenedMedia, parseParams, stageTeller, withMedia } from './parts.ts'

/** The sound of a long video, as one run over the whole would make it. */
export const encodeSound: KindHandler = async (work) => {
  const { settings, scratch, storage, signal } = work
  const { transcode } = parseParams(encodeSoundParamsSchema, settings.params)
  const path = join(scratch, soundName)
  const damage = await withMedia(work, (media) => encode(work, transcode, media, path))
  work.tell({ stage: 'upload', percent: 95 })
  const file = await storage.upload(path, `${settings.output}${soundName}`, 'audio', signal)
  const result: EncodeSoundResult = { bytes: file.bytes, sha256: file.sha256, damage }
  return { files: [file], result }
}

/** @returns how often ffmpeg told of damage */
const encode = async (
  work: Work,
  params: TranscodeParams,
  { served, probed, tools }: OpenedMedia,
  output: string,
): Promise<number> => {
  const { scratch, signal, nowMs } = work
  const source = requireSource(probed, inputLimits)
  const plan = planTranscode(source, params, tools.toneMaps)
  if (plan.audio === undefined) throw new WorkerError('NO_AUDIO_STREAM')
  requireDisk((params.audioBitrateKbps * 1000 * source.durationS * 1.2) / 8, await freeBytesAt(scratch), 0)
  const { damage } = await runFfmpeg(soundArguments(plan, { input: served, output }), {
    tools,
    durationS: source.durationS,
    cpuLimitS: soundCpuLimitS(plan),
    stallMs: stallMs * 2,
    signal,
    nowMs,
    strict: params.onDamage === 'strict',
    onProgress: stageTeller(work, 'encode', 94),
  })
  const failure = served.failure()
  if (failure !== undefined) throw failure
  const [stream] = await inspectPiece(output, true, { tools, signal }).catch(async (thrown: unknown) => {
    signal.throwIfAborted()
    requireDisk(0, await freeBytesAt(scratch), 0)
    // What has just been written by this task and has nothing in it cannot be read back; trying again makes the same.
    if (asWorkerError(thrown).code === 'PIECES_INVALID') return []
    throw thrown
  })
  if (stream?.codec !== 'aac' || stream.packets === 0)
    throw new WorkerError('INPUT_UNREADABLE', 'its audio ends before it begins')
  return damage
}
