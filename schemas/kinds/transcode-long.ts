import { z } from 'zod'
import type { ChildWish, Pipeline, StepInput } from '../pipeline.ts'
import { manifestName, workPrefix } from '../resources.ts'
import { encodeShardResultSchema, frameRateSchema, shardName, shardStartSchema } from './encode-shard.ts'
import { encodeSoundResultSchema, soundName } from './encode-sound.ts'
import { type StitchParams, shardsMax } from './stitch.ts'
import { transcodeParamsSchema } from './transcode.ts'

/** What the task of a transcode job found out about an input that is too long for one task. */
export const transcodeSplitSchema = z
  .strictObject({
    rate: frameRateSchema.describe('Frames a second, of the input and of every rendition.'),
    frames: z.number().int().min(1).describe('Frames of the whole output.'),
    shardFrames: z.number().int().min(1).describe('Frames of every shard but the last.'),
    shards: z
      .array(shardStartSchema)
      .min(2)
      .max(shardsMax)
      .describe('Where each shard begins, in their order.'),
    sound: z.boolean().describe('Whether there is sound.'),
  })
  .describe('How a long video is cut into shards.')

export type TranscodeSplit = z.infer<typeof transcodeSplitSchema>

type Life = Pick<StepInput, 'jobId' | 'uid' | 'generation'>

/** Of one generation: what is deleted late at the end of one must not be what the next one has made. */
const temporaryPrefix = ({ jobId, uid, generation }: Life): string =>
  `${workPrefix}${jobId}/${uid}/${generation}/`

/** Where a shard puts its file, below the prefix of all pieces. */
export const shardFolder = (index: number): string => `shard-${String(index).padStart(3, '0')}/`
export const soundFolder = 'sound/'

/** The pieces of a split in their order: its shards, then the sound if there is one. */
const piecesOf = ({ shards, sound }: TranscodeSplit): { folder: string; name: string }[] => [
  ...shards.map((_, index) => ({ folder: shardFolder(index), name: shardName })),
  ...(sound ? [{ folder: soundFolder, name: soundName }] : []),
]

/** Of a record that somebody edited there may be no split any more; then nothing is known to be there. */
const temporaryKeys: Pipeline['temporaryKeys'] = (of) => {
  const split = transcodeSplitSchema.safeParse(of.split)
  if (!split.success) return []
  const prefix = temporaryPrefix(of)
  return piecesOf(split.data).flatMap(({ folder, name }) => [
    `${prefix}${folder}${name}`,
    `${prefix}${folder}${manifestName}`,
  ])
}

/** A child for each piece of the video, which all read the input of the job. */
const encodeChildren = (of: StepInput): ChildWish[] => {
  const split = transcodeSplitSchema.parse(of.split)
  const { rate, frames, shardFrames, shards, sound } = split
  const transcode = transcodeParamsSchema.parse(of.settings.params)
  const prefix = temporaryPrefix(of)
  const input = of.settings.input ? { input: of.settings.input } : {}
  const last = shards.length - 1
  return [
    ...shards.map((start, index) => ({
      kind: 'encode-shard',
      ...input,
      output: `${prefix}${shardFolder(index)}`,
      params: {
        transcode,
        rate,
        start,
        frames: index < last ? shardFrames : frames - last * shardFrames,
        isLast: index === last,
      },
    })),
    ...(sound
      ? [{ kind: 'encode-sound', ...input, output: `${prefix}${soundFolder}`, params: { transcode } }]
      : []),
  ]
}

/** One child that joins what the others returned. */
const stitchChildren = (of: StepInput): ChildWish[] => {
  const { rate, frames, shardFrames, shards, sound } = transcodeSplitSchema.parse(of.split)
  const results = of.results.encode ?? []
  const made = shards.map((_, index) => encodeShardResultSchema.parse(results[index]))
  const heard = sound ? encodeSoundResultSchema.parse(results[shards.length]) : null
  const params: StitchParams = {
    transcode: transcodeParamsSchema.parse(of.settings.params),
    temporaryPrefix: temporaryPrefix(of),
    rate,
    frames,
    shardFrames,
    damage: made.reduce((sum, { damage }) => sum + damage, heard?.damage ?? 0),
    shards: made.map(({ bytes, sha256 }) => ({ bytes, sha256 })),
    sound: heard && { bytes: heard.bytes, sha256: heard.sha256 },
  }
  return [
    {
      kind: 'stitch',
      ...(of.settings.input ? { input: of.settings.input } : {}),
      output: of.settings.output,
      params,
    },
  ]
}

/**
 * A transcode job whose task found its input too long for one: the pieces are encoded side by side, and joined. All that is
 * known of the input comes from that task.
 */
export const transcodeLong: Pipeline = {
  steps: [
    { name: 'encode', isTemporary: () => true, children: encodeChildren },
    { name: 'stitch', children: stitchChildren },
  ],
  result: ({ results }) => results.stitch?.[0] ?? {},
  temporaryKeys,
}
