import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TranscodeParams } from '../schemas/kinds/transcode.ts'
import { runChild } from '../worker/children.ts'
import type { MediaTools } from '../worker/ffmpeg.ts'
import { type Plan, transcodeArguments } from '../worker/media/command.ts'
import type { Source } from '../worker/media/gate.ts'
import { inputLimits } from '../worker/media/limits.ts'
import { probeInput } from '../worker/media/probe.ts'
import { type ServedInput, serveInput } from '../worker/media/serve-input.ts'
import { shardArguments, shardList, soundArguments, stitchArguments } from '../worker/media/shards-command.ts'
import { inspectPiece } from '../worker/media/shards-inspect.ts'
import { planShards } from '../worker/media/shards-plan.ts'
import { readTimeline } from '../worker/media/shards-timeline.ts'
import { transcodeFile } from '../worker/media/transcode-file.ts'
import type { Pieces } from './media-cost.ts'
import type { StoredFile } from './media-object.ts'

export type Bench = {
  tools: MediaTools
  signal: AbortSignal
  scratch: string
  /** Absolute path of the source. */
  input: string
  /** The source where tasks read it that keep no copy. */
  object: StoredFile
  source: Source
  params: TranscodeParams
  plan: Plan
}

/** A moving test picture with noise, which is harder to encode than lines and areas, and a tone. */
export const makeSource = (
  tools: MediaTools,
  path: string,
  { seconds, height }: { seconds: number; height: number },
): Promise<void> => {
  const width = Math.round((height * 16) / 9 / 2) * 2
  const picture = `testsrc2=size=${width}x${height}:rate=30:duration=${seconds},noise=alls=12:allf=t`
  return ffmpeg({ tools, signal: new AbortController().signal }, [
    ...['-y', '-nostdin', '-v', 'error', '-f', 'lavfi', '-i', picture],
    ...['-f', 'lavfi', '-i', `sine=frequency=440:beep_factor=4:sample_rate=48000:duration=${seconds}`],
    ...['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '20', '-pix_fmt', 'yuv420p', '-c:a', 'aac'],
    ...['-movflags', '+faststart', path],
  ])
}

const ffmpeg = async ({ tools, signal }: Pick<Bench, 'tools' | 'signal'>, args: readonly string[]) => {
  const { exitCode, stderr } = await runChild(tools.ffmpeg.path, args, { env: tools.env, signal })
  if (exitCode !== 0) throw new Error(`ffmpeg ended with ${exitCode}: ${stderr.slice(-500)}`)
}

const pixels = inputLimits.pixels

/** The limit: the same command as ours, and nothing around it. */
const together = (bench: Bench, folder: string): Promise<void> =>
  ffmpeg(bench, transcodeArguments(bench.plan, { input: bench.input, folder, pixels }))

/** One run for each rendition, each decoding the source anew; the sound goes with the first. */
const apart = async (bench: Bench, folder: string): Promise<void> => {
  for (const [index, rung] of bench.plan.rungs.entries()) {
    const plan = { ...bench.plan, rungs: [rung], audio: index === 0 ? bench.plan.audio : undefined }
    const own = join(folder, rung.name)
    await mkdir(own)
    await ffmpeg(bench, transcodeArguments(plan, { input: bench.input, folder: own, pixels }))
  }
}

/** What a job does between download and upload. */
const whole = async ({ input, params, tools, signal }: Bench, folder: string): Promise<void> => {
  await transcodeFile(input, folder, params, {
    tools,
    signal,
    limits: inputLimits,
    stallMs: 60_000,
    freeBytes: async () => Number.MAX_SAFE_INTEGER,
    nowMs: Date.now,
    onProgress: () => undefined,
  })
}

/** What every task does that reads its input where it lies: ranges of an object by way of a server of its own, and a look first. */
const asTask = async <T>(
  { object, tools, signal }: Pick<Bench, 'object' | 'tools' | 'signal'>,
  act: (input: ServedInput) => Promise<T>,
): Promise<T> => {
  const served = await serveInput(object.input, { storage: object.storage, pixels, signal })
  try {
    await probeInput(served, { tools, limits: inputLimits, signal })
    return await act(served)
  } finally {
    await served.close()
  }
}

/** The same renditions in pieces, one after the other here; on AWS each piece has a task of its own. */
const shards = async (bench: Bench, folder: string, pieces: Pieces): Promise<void> => {
  const { plan, tools, signal } = bench
  const timeline = await asTask(bench, (input) => readTimeline(input, { tools, signal }))
  const verdict = planShards(bench.source, plan, timeline)
  if (verdict.is !== 'split') throw new Error(`The source is not cut: ${verdict.why}`)
  const { split } = verdict
  const names = split.shards.map((_, index) => `shard-${index}.mp4`)
  for (const [index, start] of split.shards.entries()) {
    const before = index * split.shardFrames
    const isLast = index === split.shards.length - 1
    const frames = isLast ? split.frames - before : split.shardFrames
    const output = join(folder, `shard-${index}.mp4`)
    await pieces(() =>
      asTask(bench, async (input) => {
        await ffmpeg(bench, shardArguments(plan, { start, frames }, { input, output }))
        await inspectPiece(output, true, { tools, signal })
      }),
    )
  }
  const sound = join(folder, 'sound.mp4')
  if (plan.audio)
    await pieces(() =>
      asTask(bench, async (input) => {
        await ffmpeg(bench, soundArguments(plan, { input, output: sound }))
        await inspectPiece(sound, true, { tools, signal })
      }),
    )
  const [found] = plan.audio ? await inspectPiece(sound, false, { tools, signal }) : []
  const list = join(folder, 'list.txt')
  await writeFile(list, shardList(names, split.shardFrames, plan.rate))
  await ffmpeg(
    bench,
    stitchArguments(plan, { list, sound: found ? { path: sound, startS: found.startS } : null, folder }),
  )
}

/** Every way to the same renditions that is compared. */
export const ways = { together, apart, whole, shards }
export type Way = keyof typeof ways
