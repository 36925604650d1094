import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { shardName } from '../../schemas/kinds/encode-shard.ts'
import { soundName } from '../../schemas/kinds/encode-sound.ts'
import { type StitchParams, stitchParamsSchema } from '../../schemas/kinds/stitch.ts'
import { shardFolder, soundFolder } from '../../schemas/kinds/transcode-long.ts'
import { WorkerError } from '../errors.ts'
import type { MediaTools } from '../ffmpeg.ts'
import { type Plan, planTranscode } from '../media/command.ts'
import { freeBytesAt, outputBytes, requireDisk } from '../media/disk.ts'
import { type Encoded, type FinishStage, finishTranscode } from '../media/finish.ts'
import { requireSource } from '../media/gate.ts'
import { inputLimits, stallMs } from '../media/limits.ts'
import { remainingS } from '../media/progress.ts'
import { runFfmpeg } from '../media/run.ts'
import { shardList, stitchArguments } from '../media/shards-command.ts'
import { inspectPiece, type PieceStream, shardProblem } from '../media/shards-inspect.ts'
import type { KindHandler, Work } from './handler.ts'
import { inParallel } from './in-parallel.ts'
import { parseParams, withMedia } from './parts.ts'
import { publishTranscode } from './publish-transcode.ts'

/** The pieces of a long video, joined and finished as if one task had encoded all of it. */
export const stitch: KindHandler = async (work) => {
  const { settings, scratch, signal, nowMs } = work
  const params = parseParams(stitchParamsSchema, settings.params)
  const tell = stitchTeller(work)
  // What the source is, stands in metadata.json; it is looked at, and not read.
  const { source, plan, tools } = await withMedia(work, async ({ probed, tools }) => {
    const source = requireSource(probed, inputLimits)
    return { source, plan: planTranscode(source, params.transcode, tools.toneMaps), tools }
  })
  requirePlan(plan, params)
  const folder = join(scratch, 'output')
  const pieces = join(scratch, 'pieces')
  await mkdir(folder)
  await mkdir(pieces)
  await fetchPieces(work, plan, params, { folder: pieces, onPiece: (share) => tell('download', share) })
  const sound = await inspectAll(work, plan, params, { pieces, tools })
  const list = join(pieces, 'list.txt')
  await writeFile(
    list,
    shardList(
      params.shards.map((_, index) => localName(index)),
      params.shardFrames,
      params.rate,
    ),
  )
  const end = await runFfmpeg(stitchArguments(plan, { list, sound, folder }), {
    tools,
    durationS: (params.frames * params.rate.den) / params.rate.num,
    cpuLimitS: plan.cpuLimitS,
    stallMs,
    signal,
    nowMs,
    onProgress: (share) => tell('join', share),
  })
  await rm(pieces, { recursive: true })
  const encoded: Encoded = { ...end, damage: params.damage, source, plan, shards: params.shards.length }
  const transcoded = await finishTranscode(encoded, folder, {
    tools,
    stallMs,
    signal,
    nowMs,
    freeBytes: freeBytesAt,
    onProgress: tell,
  })
  for (const { name, frames } of transcoded.metadata.renditions)
    if (params.damage === 0 && frames !== params.frames)
      throw new WorkerError('OUTPUT_INVALID', `${name} has ${frames} frames, not ${params.frames}`)
  return publishTranscode(work, transcoded, (share) => tell('upload', share))
}

/** All that was planned by frame numbers would be wrong. */
const requirePlan = ({ rate, audio }: Plan, { rate: planned, sound }: StitchParams): void => {
  if (rate.num !== planned.num || rate.den !== planned.den || (audio === undefined) !== (sound === null))
    throw new WorkerError('RECORD_INVALID', 'settings.params is about another input')
}

const localName = (index: number): string => `shard-${index}.mp4`

const fetchPieces = async (
  { environment, storage, scratch, signal }: Work,
  plan: Plan,
  { temporaryPrefix, shards, sound }: StitchParams,
  { folder, onPiece }: { folder: string; onPiece: (share: number) => void },
): Promise<void> => {
  const wanted = [
    ...shards.map((shard, index) => ({
      ...shard,
      key: `${temporaryPrefix}${shardFolder(index)}${shardName}`,
      path: join(folder, localName(index)),
    })),
    ...(sound === null
      ? []
      : [{ ...sound, key: `${temporaryPrefix}${soundFolder}${soundName}`, path: join(folder, soundName) }]),
  ]
  const bytes = wanted.reduce((sum, piece) => sum + piece.bytes, 0)
  // The same once more as segments; and what is made of those comes when the pieces are gone.
  requireDisk(Math.max(2 * bytes, Math.min(outputBytes(plan), 3 * bytes)), await freeBytesAt(scratch), 0)
  let done = 0
  await inParallel(wanted, async ({ key, path, bytes: expected, sha256 }) => {
    const input = { bucket: environment.OUTPUTS_BUCKET, key }
    const got = await storage.download(input, path, {
      signal,
      admit: async () => undefined,
      onBytes: () => undefined,
    })
    if (got.bytes !== expected || (await checksumOf(path, signal)) !== sha256)
      throw new WorkerError('PIECES_INVALID', `${key} is not what the job that made it reported`)
    done += 1
    onPiece(done / wanted.length)
  })
}

const checksumOf = async (path: string, signal: AbortSignal): Promise<string> => {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash, { signal })
  return hash.digest('hex')
}

/** Whether the pieces fit together. @returns the sound, and when it begins */
const inspectAll = async (
  { signal }: Work,
  plan: Plan,
  { shards, shardFrames, frames, damage }: StitchParams,
  { pieces, tools }: { pieces: string; tools: MediaTools },
): Promise<{ path: string; startS: number } | null> => {
  const last = shards.length - 1
  let headers: string | undefined
  for (const index of shards.keys()) {
    const streams = await inspectPiece(join(pieces, localName(index)), false, { tools, signal })
    const planned = index < last ? shardFrames : frames - last * shardFrames
    // A damaged end is shorter; the durations are judged at the end.
    const expected = index === last && damage > 0 ? Math.min(planned, streams[0]?.packets ?? 0) : planned
    const problem = shardProblem(streams, plan.rungs, expected)
    if (problem !== undefined)
      throw new WorkerError('PIECES_INVALID', `shard ${index + 1} of ${shards.length}: ${problem}`)
    const found = headersOf(streams)
    headers ??= found
    if (found !== headers)
      throw new WorkerError(
        'PIECES_INVALID',
        `shard ${index + 1} of ${shards.length} was encoded by another ffmpeg than the first one. Retry the job`,
      )
  }
  if (plan.audio === undefined) return null
  const path = join(pieces, soundName)
  const [sound] = await inspectPiece(path, false, { tools, signal })
  if (sound?.codec !== 'aac') throw new WorkerError('PIECES_INVALID', 'the sound is not AAC')
  return { path, startS: sound.startS }
}

/** One header goes for all shards of a rendition. */
const headersOf = (streams: readonly PieceStream[]): string => streams.map(({ header }) => header).join()

/** About what each stage takes of the time. */
const stages: Record<'download' | 'join' | FinishStage | 'upload', { from: number; to: number }> = {
  download: { from: 0, to: 25 },
  join: { from: 25, to: 45 },
  verify: { from: 45, to: 50 },
  pictures: { from: 50, to: 60 },
  loudness: { from: 60, to: 65 },
  mp4: { from: 65, to: 70 },
  upload: { from: 70, to: 99 },
}

/** Turns stages and shares into what the record is told, with the seconds that are left. Pure but for its clock, which starts here. */
export const stitchTeller = ({ tell, nowMs }: Pick<Work, 'tell' | 'nowMs'>) => {
  const startMs = nowMs()
  return (stage: keyof typeof stages, share: number): void => {
    const { from, to } = stages[stage]
    const percent = Math.round(from + (to - from) * Math.min(1, Math.max(0, share)))
    const etaS = remainingS(percent / 100, nowMs() - startMs)
    tell({ stage, percent, ...(etaS === undefined ? {} : { etaS }) })
  }
}
