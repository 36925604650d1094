import { z } from 'zod'
import { loudnessSchema } from './audio-metadata.ts'

const seconds = z.number().min(0)
const pixels = z.number().int().min(1)
const bitsPerSecond = z.number().int().min(0)

const streamSchema = z.strictObject({
  index: z.number().int().min(0).describe('Number in the file.'),
  type: z
    .string()
    .describe(
      'video, audio, subtitle, data, attachment; cover for a picture of an album; empty audio for a sound track without any sound.',
    ),
  codec: z.string().describe('Name of the codec, unknown where ffprobe has none.'),
  language: z.string().optional().describe('As tagged in the file.'),
  durationS: seconds.optional().describe('Duration, where the file says.'),
})

const colorSchema = z.strictObject({
  primaries: z.string().describe('Which red, green and blue.'),
  transfer: z
    .string()
    .describe('From numbers to light: smpte2084 is PQ, arib-std-b67 is HLG, most others are SDR.'),
  matrix: z.string().describe('From red, green and blue to brightness and color.'),
  range: z.string().describe('tv: 16 to 235, pc: 0 to 255.'),
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
  color: colorSchema.describe('What it is marked with.'),
  bytes: z.number().int().min(1).describe('Size of all segments.'),
})

const audioRenditionSchema = renditionSchema
  .omit({ width: true, height: true, frameRate: true, frames: true, color: true })
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
        color: colorSchema.describe(
          'As marked in the file, in the words of ffmpeg; unknown where it says nothing.',
        ),
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
    loudness: loudnessSchema
      .nullable()
      .describe(
        'Measured by EBU R128 on the stereo sound that was made, which is what people will hear; null: no audio.',
      ),
    poster: z.string().describe('Path of the still picture, below the output prefix.'),
    thumbnails: z
      .array(
        z.strictObject({
          file: z.string().describe('Path, below the output prefix.'),
          atS: seconds.describe('When this picture is shown.'),
        }),
      )
      .max(200)
      .describe('Still pictures in equal distances.'),
    storyboard: z
      .strictObject({
        file: z.string().describe('Path of the WebVTT file, below the output prefix.'),
        sheets: z.array(z.string()).min(1).describe('Paths of the sheets that it points into.'),
        tiles: z.number().int().min(1).max(500).describe('Small pictures.'),
        tileWidth: pixels.describe('Pixels.'),
        tileHeight: pixels.describe('Pixels.'),
      })
      .nullable()
      .describe('Previews for the seek bar of a player; null: none were asked for.'),
    downloads: z
      .array(
        z.strictObject({
          rendition: z.string().describe('The rendition that it is made of.'),
          file: z.string().describe('Path of the MP4 file, below the output prefix.'),
          width: pixels.describe('Pixels.'),
          height: pixels.describe('Pixels.'),
          durationS: seconds.describe('Measured.'),
          bytes: z.number().int().min(1).describe('Size.'),
        }),
      )
      .describe('MP4 files that were asked for.'),
    warnings: z
      .array(
        z.strictObject({
          code: z.string().describe('For programs.'),
          message: z.string().describe('For people.'),
          count: z.number().int().min(1).optional().describe('How often, where that can be counted.'),
        }),
      )
      .describe('What was odd but did not stop the job.'),
    shards: z
      .number()
      .int()
      .min(2)
      .optional()
      .describe('Parts that were encoded side by side and joined; absent: it was encoded in one piece.'),
    ffmpeg: z.string().describe('Version of the ffmpeg that made the renditions.'),
  })
  .describe('What a transcode job found and made.')
export type TranscodeMetadata = z.infer<typeof transcodeMetadataSchema>
export type TranscodeWarning = TranscodeMetadata['warnings'][number]
