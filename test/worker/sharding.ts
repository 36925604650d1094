import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { TranscodeParams } from '../../schemas/kinds/transcode.ts'
import {
  type TranscodeSplit,
  transcodeLong,
  transcodeSplitSchema,
} from '../../schemas/kinds/transcode-long.ts'
import { type TranscodeMetadata, transcodeMetadataSchema } from '../../schemas/metadata.ts'
import type { ChildWish, StepInput } from '../../schemas/pipeline.ts'
import type { Input, Settings } from '../../schemas/spec.ts'
import type { MediaTools } from '../../worker/ffmpeg.ts'
import type { Finished } from '../../worker/kinds/handler.ts'
import { handlers } from '../../worker/kinds/index.ts'
import type { Handling } from './handling.ts'
import { fastParams } from './media.ts'

// Transcodes in shards as the controller would lead them, without one: the pipeline of the kind says which children there
// are, and their handlers are run one after the other.

const run = promisify(execFile)

export type Counted = {
  rate: string
  seconds: number
  name: string
  more?: string[]
  sound?: string[] | null
  warnings?: number
  /** The file asks players to turn its pictures. */
  isTurned?: boolean
}

/**
 * A video whose pictures carry their own number as sixteen black or white stripes, which survive every encoder. Its key
 * frames are not where those of the renditions will be.
 */
export const countedClip = async (
  folder: string,
  tools: MediaTools,
  { rate, seconds, name, more = [], sound = [], isTurned = false }: Counted,
): Promise<string> => {
  const path = join(folder, name)
  const stripes = `geq=lum='if(mod(floor(N/pow(2\\,floor(X*16/W)))\\,2)\\,235\\,16)'`
  const picture = `color=black:size=320x180:rate=${rate}:duration=${seconds},format=gray,${stripes},format=yuv420p`
  const inputs = [
    ...['-f', 'lavfi', '-i', picture],
    ...(sound === null ? [] : [...sound, '-f', 'lavfi', '-i', `sine=frequency=440:duration=${seconds}`]),
  ]
  const video = ['-c:v', 'libx264', '-preset', 'veryfast', '-bf', '3', '-g', '37']
  await run(
    tools.ffmpeg.path,
    ['-y', '-nostdin', '-v', 'error', ...inputs, ...video, '-c:a', 'aac', '-b:a', '64k', ...more, path],
    { env: tools.env },
  )
  if (!isTurned) return path
  const turned = join(folder, `turned-${name}`)
  await run(
    tools.ffmpeg.path,
    ['-y', '-v', 'error', '-display_rotation', '90', '-i', path, '-c', 'copy', turned],
    { env: tools.env },
  )
  return turned
}

/** Small rungs, but the preset that users get: pictures are stored in another order than they are shown. */
export const shardParams = (params: Partial<TranscodeParams> = {}): TranscodeParams =>
  fastParams({
    preset: 'veryfast',
    renditions: [
      { height: 180, maxBitrateKbps: 400 },
      { height: 144, maxBitrateKbps: 200 },
    ],
    shardThreshold: 4,
    shardSeconds: 4,
    ...params,
  })

/** Runs a kind of the worker, with the tools given. */
const work = async (
  handling: Handling,
  kind: string,
  wish: Omit<ChildWish, 'kind'>,
  tools: MediaTools,
): Promise<Finished & { output: string; stages: string[] }> => {
  const load = handlers[kind]
  if (load === undefined) throw new Error(`no handler for ${kind}`)
  return handling.handle(await load(), {
    ...(wish.input === undefined ? {} : { input: wish.input }),
    output: wish.output,
    params: wish.params,
    tools,
  })
}

export type Life = Pick<StepInput, 'jobId' | 'uid' | 'generation' | 'settings' | 'split'>

/** What a pipeline is told when a step begins. */
export const stepInput = (
  input: Input,
  params: TranscodeParams,
  split: TranscodeSplit,
  results: StepInput['results'] = {},
  jobId = 'long',
): StepInput => ({
  jobId,
  uid: 'abcdefghij0123456789',
  generation: 1,
  settings: { input, output: `results/${jobId}/`, params } as Partial<Settings> as Settings,
  outputsBucket: 'outputs',
  split,
  results,
})

export type Sharded = Finished & {
  split: TranscodeSplit
  of: StepInput
  encoded: Finished[]
  stitchWish: ChildWish
}

/** The first task of a job that will be split. */
export const splitOf = async (
  handling: Handling,
  input: Input,
  params: TranscodeParams,
  tools: MediaTools,
): Promise<TranscodeSplit> => {
  const { split } = await work(handling, 'transcode', { input, output: 'results/look/', params }, tools)
  return transcodeSplitSchema.parse(split)
}

/** The whole way of a job that is split. */
export const transcodeSharded = async (
  handling: Handling,
  input: Input,
  params: TranscodeParams,
  tools: MediaTools,
  jobId: string,
): Promise<Sharded> => {
  const split = await splitOf(handling, input, params, tools)
  const [encode, stitch] = transcodeLong.steps
  const begun = stepInput(input, params, split, {}, jobId)
  const encoded: Finished[] = []
  for (const { kind, ...wish } of encode.children(begun))
    encoded.push(await work(handling, kind, wish, tools))
  const of = { ...begun, results: { encode: encoded.map(({ result }) => result) } }
  const [stitchWish] = stitch?.children(of) ?? []
  if (stitchWish === undefined) throw new Error('nothing to stitch')
  const finished = await work(handling, stitchWish.kind, stitchWish, tools)
  return { ...finished, split, of, encoded, stitchWish }
}

/** The same input by one task. */
export const transcodeWhole = (
  handling: Handling,
  input: Input,
  params: TranscodeParams,
  tools: MediaTools,
): Promise<Finished & { output: string }> =>
  work(
    handling,
    'transcode',
    { input, output: 'results/whole/', params: { ...params, shardThreshold: 86_400 } },
    tools,
  )

/** Every file of an output, below a folder of this machine. */
export const download = async (handling: Handling, { files }: Finished, prefix: string, folder: string) => {
  for (const { key } of files) {
    const path = join(folder, key.slice(prefix.length))
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, (await handling.workshop.output(key)).content)
  }
}

export const metadataIn = async (folder: string): Promise<TranscodeMetadata> =>
  transcodeMetadataSchema.parse(JSON.parse(await readFile(join(folder, 'metadata.json'), 'utf8')))

const probe = async (tools: MediaTools, path: string, args: string[]): Promise<string> => {
  const { stdout } = await run(
    tools.ffprobe.path,
    ['-v', 'error', '-allowed_extensions', 'ALL', ...args, '-of', 'csv=p=0', path],
    { env: tools.env, maxBuffer: 2 ** 26 },
  )
  return stdout.trim()
}

/**
 * When every packet is decoded, for how long it lasts, when something is shown, and where players can begin. Which picture is
 * stored before which is the encoder's business.
 */
export const timingOf = async (tools: MediaTools, path: string) => {
  const lines = (await probe(tools, path, ['-show_entries', 'packet=pts,dts,duration,flags'])).split('\n')
  const packets = lines.map((line) => line.split(','))
  return {
    decoded: packets.map(([, dts, duration]) => `${dts} ${duration}`),
    shown: packets.map(([pts]) => Number(pts)).sort((a, b) => a - b),
    keys: packets.flatMap(([pts, , , flags]) => (flags?.startsWith('K') ? [pts] : [])),
  }
}

/** Pictures that come out of a decoder. */
export const decodedFrames = async (tools: MediaTools, path: string): Promise<number> =>
  Number.parseInt(await probe(tools, path, ['-count_frames', '-show_entries', 'stream=nb_read_frames']), 10)

/** The number that each picture carries. */
export const numbersIn = async (tools: MediaTools, path: string, isTurned = false): Promise<number[]> => {
  const { stdout } = await run(
    tools.ffmpeg.path,
    [
      ...['-v', 'error', '-allowed_extensions', 'ALL', '-i', path, '-fps_mode', 'passthrough'],
      ...['-vf', `format=gray,${isTurned ? 'transpose=clock,' : ''}scale=16:1:flags=neighbor`],
      ...['-f', 'rawvideo', 'pipe:1'],
    ],
    { env: tools.env, encoding: 'buffer', maxBuffer: 2 ** 26 },
  )
  return Array.from({ length: stdout.length / 16 }, (_, frame) =>
    stdout
      .subarray(frame * 16, frame * 16 + 16)
      .reduce((number, level, bit) => number + (level > 126 ? 2 ** bit : 0), 0),
  )
}
