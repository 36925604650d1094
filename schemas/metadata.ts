import { z } from 'zod'

const seconds = z.number().min(0)
const pixels = z.number().int().min(1)
const bitsPerSecond = z.number().int().min(0)

const streamSchema = z.strictObject({
  index: z.number().int().min(0).describe('Number in the file.'),
  type: z.string().describe('video, audio, subtitle, data, attachment; cover for a picture of an album.'),
  codec: z.string().describe('Name of the codec, unknown where ffprobe has none.'),
  language: z.string().optional().describe('As tagged in the file.'),
  durationS: seconds.optional().describe('Duration, where the file says.'),
})

const renditionSchema = z.strictObject({
  name: z.string().describe('Folder of its playlist.'),
  playlist: z.string().describe('Path of its playlist, below the output prefix.'),
  width: pixels.describe('Pixels.'),
  height: pixels.describe('Pixels.'),
  frameRate: z.number().describe('Frames per second.'),
  codecs: z.string().describe('As in RFC 6381, read from the file itself.'),
  peakBitsPerSecond: bitsPerSecond.describe('Fastest segment, measured, without audio.'),
  averageBitsPerSecond: bitsPerSecond.describe('Measured, without audio.'),
  durationS: seconds.describe('Measured.'),
  frames: z.number().int().min(1).describe('Pictures.'),
  segments: z.number().int().min(1).describe('Segments.'),
  bytes: z.number().int().min(1).describe('Size of all segments.'),
})

const audioRenditionSchema = renditionSchema
  .omit({ width: true, height: true, frameRate: true, frames: true })
  .extend({
    channels: z.number().int().min(1).describe('Channels.'),
    sampleRateHz: z.number().int().min(1).describe('Samples per second.'),
  })

/** `metadata.json` of a transcode job: what came in, what was made of it, and what was odd. */
export const transcodeMetadataSchema = z
  .strictObject({
    schemaVersion: z.literal(1).describe('Form of this file.'),
    container: z.string().describe('Container format of the input, in the words of ffmpeg.'),
    bytes: z.number().int().min(1).describe('Size of the input.'),
    durationS: seconds.describe('Duration of the input.'),
    streams: z.array(streamSchema).describe('Everything in the input.'),
    video: z
      .strictObject({
        codec: z.string().describe('Codec.'),
        codedWidth: pixels.describe('As stored.'),
        codedHeight: pixels.describe('As stored.'),
        width: pixels.describe('As seen: turned upright and with square pixels.'),
        height: pixels.describe('As seen: turned upright and with square pixels.'),
        rotationDegrees: z.number().describe('Rotation that the file asks for.'),
        sampleAspectRatio: z.string().describe('Shape of a stored pixel, width:height.'),
        pixelFormat: z.string().describe('In the words of ffmpeg.'),
        frameRate: z.number().describe('Average frames per second.'),
        variableFrameRate: z.boolean().describe('Pictures do not come at equal distances.'),
        interlaced: z.boolean().describe('Half pictures, which were made whole.'),
        hdr: z.enum(['none', 'pq', 'hlg']).describe('Transfer function: PQ and HLG are HDR.'),
      })
      .describe('The video stream that was used.'),
    audio: z
      .strictObject({
        codec: z.string().describe('Codec.'),
        channels: z.number().int().min(1).describe('Channels.'),
        sampleRateHz: z.number().int().describe('Samples per second.'),
      })
      .nullable()
      .describe('The audio stream that was used; null: the input has none.'),
    renditions: z.array(renditionSchema).min(1).describe('Largest first.'),
    audioRendition: audioRenditionSchema.nullable().describe('The sound of all renditions; null: none.'),
    poster: z.string().describe('Path of the still picture, below the output prefix.'),
    warnings: z
      .array(
        z.strictObject({
          code: z.string().describe('For programs.'),
          message: z.string().describe('For people.'),
          count: z.number().int().min(1).optional().describe('How often, where that can be counted.'),
        }),
      )
      .describe('What was odd but did not stop the job.'),
    ffmpeg: z.string().describe('Version of the ffmpeg that made the renditions.'),
  })
  .describe('What a transcode job found and made.')
export type TranscodeMetadata = z.infer<typeof transcodeMetadataSchema>
export type TranscodeWarning = TranscodeMetadata['warnings'][number]
