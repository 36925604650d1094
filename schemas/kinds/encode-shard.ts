import { z } from 'zod'
import type { Kind } from './kind.ts'
import { transcodeParamsSchema } from './transcode.ts'

const seconds = z.number().min(0)
const frames = z.number().int().min(1)

/** A number of frames a second, as a fraction: 30000/1001 has no exact decimals. */
export const frameRateSchema = z.strictObject({
  num: z.number().int().min(1).describe('Frames.'),
  den: z.number().int().min(1).describe('Seconds that they take.'),
})

/** Where one shard of a video begins. */
export const shardStartSchema = z.strictObject({
  frame: z
    .number()
    .int()
    .min(0)
    .describe('Number of its first frame among those of the video stream, from 0.'),
  stampS: z.number().describe('Time stamp of that frame, as it stands in the file. Seconds.'),
  seekS: seconds.describe(
    'From where to read, so that a key frame comes before that frame. Seconds from the start of the file; 0: from the beginning.',
  ),
  repeats: z
    .number()
    .int()
    .min(0)
    .describe('How often that frame is shown before its time, because the sound begins earlier.'),
})

/** Name of what a shard makes, below its output prefix. */
export const shardName = 'video.mp4'

export const encodeShardParamsSchema = z
  .strictObject({
    transcode: transcodeParamsSchema.describe('Parameters of the transcode job that it is a part of.'),
    rate: frameRateSchema.describe('Frames a second, of the input and of every rendition.'),
    start: shardStartSchema.describe('Where it begins.'),
    frames: frames.describe('Frames to make.'),
    isLast: z.boolean().describe('true: nothing comes after them in the input.'),
  })
  .describe('Parameters of an encode-shard job.')

export type EncodeShardParams = z.infer<typeof encodeShardParamsSchema>

export const encodeShardResultSchema = z
  .strictObject({
    bytes: z.number().int().min(1).describe('Size of the file.'),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .describe('SHA-256 of the file.'),
    frames: frames.describe('Frames in each of its streams, counted.'),
    damage: z.number().int().min(0).describe('How often ffmpeg told of damage in the input.'),
  })
  .describe('What an encode-shard job has made: one file with all renditions of its part, without sound.')

export type EncodeShardResult = z.infer<typeof encodeShardResultSchema>

export const encodeShard: Kind = {
  title: 'A part of a long video, in every rendition',
  params: encodeShardParamsSchema,
  input: 'object',
  claims: true,
  group: 'media',
  uploadSuffixes: [],
  resources: { cpu: 2048, memory: 4096 },
  result: encodeShardResultSchema,
  isStep: true,
}
