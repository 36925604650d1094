import { z } from 'zod'
import { encodeShardResultSchema } from './encode-shard.ts'
import type { Kind } from './kind.ts'
import { transcodeParamsSchema } from './transcode.ts'

/** Name of what it makes, below its output prefix. */
export const soundName = 'sound.mp4'

export const encodeSoundParamsSchema = z
  .strictObject({
    transcode: transcodeParamsSchema.describe('Parameters of the transcode job that it is a part of.'),
  })
  .describe('Parameters of an encode-sound job.')

export type EncodeSoundParams = z.infer<typeof encodeSoundParamsSchema>

export const encodeSoundResultSchema = encodeShardResultSchema
  .omit({ frames: true })
  .describe('What an encode-sound job has made: the whole sound, in one file.')

export type EncodeSoundResult = z.infer<typeof encodeSoundResultSchema>

export const encodeSound: Kind = {
  title: 'The sound of a long video, whole: cut into parts it would click and drift',
  params: encodeSoundParamsSchema,
  input: 'object',
  claims: true,
  group: 'media',
  uploadSuffixes: [],
  resources: { cpu: 512, memory: 1024 },
  result: encodeSoundResultSchema,
  isStep: true,
}
