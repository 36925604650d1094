import { z } from 'zod'
import { objectAddressSchema } from '../object-address.ts'
import type { Kind } from './kind.ts'

export const findScenesParamsSchema = z
  .strictObject({
    threshold: z
      .number()
      .min(5)
      .max(60)
      .default(10)
      .describe('How much of the picture must change at once, 5 (every flicker) to 60, for a new scene.'),
    shortestS: z
      .number()
      .min(0.5)
      .max(600)
      .default(2)
      .describe('Scenes shorter than this are part of a neighbour. Seconds, 0.5 to 600.'),
    maxScenes: z
      .number()
      .int()
      .min(1)
      .max(500)
      .default(500)
      .describe('At most so many, 1 to 500: the strongest changes win.'),
  })
  .describe('Parameters of a find-scenes job.')

export type FindScenesParams = z.infer<typeof findScenesParamsSchema>

export const findScenesResultSchema = z
  .strictObject({
    manifest: z.string().describe('Key of the manifest.'),
    scenes: objectAddressSchema.describe('scenes.json. The pictures lie beside it.'),
    count: z.number().int().min(0).describe('Scenes. 0: the input has no video.'),
    durationS: z.number().min(0).describe('Duration in seconds.'),
  })
  .describe('What a find-scenes job has made.')

export type FindScenesResult = z.infer<typeof findScenesResultSchema>

export const findScenes: Kind = {
  title: 'The scenes of a video, with a picture of each',
  params: findScenesParamsSchema,
  input: 'object',
  claims: true,
  group: 'media',
  uploadSuffixes: [],
  resources: { cpu: 1024, memory: 2048 },
  result: findScenesResultSchema,
  isStep: true,
}
