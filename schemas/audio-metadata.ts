import { z } from 'zod'
import { audioFormats } from './kinds/audio.ts'
import { warningSchema } from './object-address.ts'

const seconds = z.number().min(0)
const channels = z.number().int().min(1).describe('Channels.')
const sampleRateHz = z.number().int().min(1).describe('Samples per second.')
const name = z.string().describe('Path below the output prefix.')

export const loudnessSchema = z.strictObject({
  integratedLufs: z
    .number()
    .nullable()
    .describe('Loudness of the whole in LUFS; null: silence, or shorter than 0.4 s.'),
  rangeLu: z.number().min(0).describe('How far quiet and loud parts lie apart, in LU; 0 of less than 3.5 s.'),
  truePeakDbtp: z.number().nullable().describe('Highest true peak in dBTP; null: nothing but zeros.'),
})

export const audioTagNames = [
  'title',
  'artist',
  'album',
  'album_artist',
  'composer',
  'genre',
  'date',
  'track',
  'copyright',
] as const

/** `metadata.json` of an audio job: what came in, what was measured, what was made of it, and what was odd. */
export const audioMetadataSchema = z
  .strictObject({
    schemaVersion: z.literal(1).describe('Form of this file.'),
    container: z.string().describe('Container format of the input, in the words of ffmpeg.'),
    bytes: z.number().int().min(1).describe('Size of the input.'),
    durationS: seconds.describe('How long the audio of the input is, as far as it could be read.'),
    audio: z
      .strictObject({
        codec: z.string().describe('Codec.'),
        channels,
        sampleRateHz,
        startS: seconds.describe('When it begins in the input; silence takes the place before it.'),
      })
      .describe('The audio stream that was used.'),
    tags: z
      .partialRecord(z.enum(audioTagNames), z.string())
      .describe('What the input says about itself, and every output too.'),
    loudness: loudnessSchema.describe('Of the input, after its channels were mixed.'),
    normalization: z
      .strictObject({
        targetLufs: z.number().describe('Loudness that was asked for.'),
        truePeakDbtp: z.number().describe('True peak that was allowed.'),
        rangeLu: z.number().describe('Loudness range that was allowed.'),
        type: z
          .enum(['linear', 'dynamic', 'none'])
          .describe(
            'linear: one gain for all of it. dynamic: the gain follows the programme, because of peaks or range. none: it was left as it is, being silent or too short to be measured.',
          ),
      })
      .nullable()
      .describe('What was done about loudness; null: nothing was asked for.'),
    trimmed: z
      .strictObject({
        startS: seconds.describe('Seconds cut off at the beginning.'),
        endS: seconds.describe('Seconds cut off at the end.'),
        innerS: seconds.describe('Seconds cut out of pauses.'),
        pauses: z.number().int().min(0).describe('Pauses that were shortened.'),
      })
      .nullable()
      .describe('Silence that was cut; null: nothing was asked for.'),
    resultS: seconds.describe('How long the result is.'),
    outputs: z
      .array(
        z.strictObject({
          name,
          format: z.enum(audioFormats).describe('Format.'),
          codec: z.string().describe('Codec.'),
          channels,
          sampleRateHz,
          bitsPerSecond: z.number().int().min(1).describe('Measured: size by duration.'),
          durationS: seconds.describe('Measured.'),
          bytes: z.number().int().min(1).describe('Size.'),
          loudness: loudnessSchema.describe('Measured from the file.'),
        }),
      )
      .describe('The files, in the order in which they were asked for.'),
    waveform: z
      .strictObject({
        peaks: name,
        picture: name,
        points: z.number().int().min(1).describe('Pairs of peaks.'),
        sampleRateHz,
        samplesPerPoint: z.number().int().min(1).describe('Samples that each pair stands for.'),
        width: z.number().int().describe('Of the picture, in pixels.'),
        height: z.number().int().describe('Of the picture, in pixels.'),
      })
      .nullable()
      .describe('null: none was asked for.'),
    preview: z
      .strictObject({
        name,
        startS: seconds.describe('Where it begins in the result.'),
        durationS: seconds.describe('Its length.'),
        fadeInS: seconds.describe('Seconds in which it becomes loud.'),
        fadeOutS: seconds.describe('Seconds in which it becomes silent.'),
        bytes: z.number().int().min(1).describe('Size.'),
      })
      .nullable()
      .describe('null: none was asked for.'),
    warnings: z.array(warningSchema).describe('What was odd but did not stop the job.'),
    ffmpeg: z.string().describe('Version of the ffmpeg that did it.'),
  })
  .describe('What an audio job found and made.')
export type AudioMetadata = z.infer<typeof audioMetadataSchema>
export type AudioTags = AudioMetadata['tags']
