import { z } from 'zod'
import { warningSchema } from './object-address.ts'

const seconds = z.number().min(0)

/** `scenes.json`: where a video changes from one picture to another. */
export const scenesSchema = z
  .strictObject({
    schemaVersion: z.literal(1).describe('Form of this file.'),
    durationS: seconds.describe('Duration of the input.'),
    threshold: z
      .number()
      .describe('How much of the picture must change at once, 0 to 100, to be the end of a scene.'),
    scenes: z
      .array(
        z.strictObject({
          startS: seconds.describe('When it begins.'),
          endS: seconds.describe('When the next one begins, or the video ends.'),
          score: z.number().nullable().describe('How much changed at its beginning; null: the first scene.'),
          picture: z
            .string()
            .nullable()
            .describe('Path of a picture, next to this file; null: none was made.'),
        }),
      )
      .describe('In order, without gaps. Empty: the input has no video.'),
    warnings: z.array(warningSchema).describe('What was odd but did not stop the job.'),
    ffmpeg: z.string().describe('Version of the ffmpeg that looked.'),
  })
  .describe('The scenes of a video.')
export type Scenes = z.infer<typeof scenesSchema>
export type Scene = Scenes['scenes'][number]
