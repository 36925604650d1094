import { z } from 'zod'
import { outputPrefixSchema } from '../object-address.ts'
import { encodeShardResultSchema, frameRateSchema } from './encode-shard.ts'
import type { Kind } from './kind.ts'
import { transcodeParamsSchema } from './transcode.ts'

/** Shards of one video at most: the parameters of the job that joins them name every one. */
export const shardsMax = 120

const pieceSchema = encodeShardResultSchema.pick({ bytes: true, sha256: true })

export const stitchParamsSchema = z
  .strictObject({
    transcode: transcodeParamsSchema.describe('Parameters of the transcode job that it finishes.'),
    temporaryPrefix: outputPrefixSchema.describe('Prefix in the outputs bucket where the pieces lie.'),
    rate: frameRateSchema.describe('Frames a second.'),
    frames: z.number().int().min(1).describe('Frames of the whole video.'),
    shardFrames: z.number().int().min(1).describe('Frames of every shard but the last.'),
    damage: z.number().int().min(0).describe('How often ffmpeg told of damage while the pieces were made.'),
    shards: z
      .array(pieceSchema)
      .min(2)
      .max(shardsMax)
      .describe('Size and checksum of the shards, in their order.'),
    sound: pieceSchema.nullable().describe('Size and checksum of the sound; null: there is none.'),
  })
  .describe('Parameters of a stitch job.')

export type StitchParams = z.infer<typeof stitchParamsSchema>

export const stitch: Kind = {
  title: 'The shards of a long video and its sound, joined without encoding anew',
  params: stitchParamsSchema,
  input: 'object',
  claims: true,
  group: 'media',
  uploadSuffixes: [],
  resources: { cpu: 1024, memory: 2048 },
  isStep: true,
}
