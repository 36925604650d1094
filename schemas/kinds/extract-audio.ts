import { z } from 'zod'
import { objectAddressSchema, outputPrefixSchema, warningSchema } from '../object-address.ts'
import type { Kind } from './kind.ts'

/** Formats that Amazon Transcribe is told of. */
export const mediaFormats = ['mp3', 'mp4', 'wav', 'flac', 'ogg', 'webm', 'm4a'] as const

export const extractAudioParamsSchema = z
  .strictObject({
    temporaryPrefix: outputPrefixSchema.describe(
      'Prefix in the outputs bucket for audio that must be made. Whoever asks removes it afterwards.',
    ),
    withoutAudio: z
      .enum(['fail', 'succeed'])
      .default('fail')
      .describe('An input without audio: fail with NO_AUDIO_STREAM, or succeed with media null.'),
  })
  .describe('Parameters of an extract-audio job.')

export type ExtractAudioParams = z.infer<typeof extractAudioParamsSchema>

export const extractAudioResultSchema = z
  .strictObject({
    media: objectAddressSchema
      .extend({ format: z.enum(mediaFormats).describe('Its format, found by looking into it.') })
      .nullable()
      .describe('What to transcribe; null: the input has no audio.'),
    way: z
      .enum(['as-is', 'copied', 'converted', 'none'])
      .describe('as-is: the input itself. copied: its audio, untouched. converted: FLAC, 16 kHz, mono.'),
    isTemporary: z.boolean().describe('true: media is a copy to be removed once it was read.'),
    durationS: z.number().min(0).describe('Duration in seconds.'),
    channels: z.number().int().min(0).describe('Channels of media.'),
    sampleRateHz: z.number().int().min(0).describe('Samples per second of media.'),
    warnings: z.array(warningSchema).describe('What was odd but did not stop the job.'),
  })
  .describe('What an extract-audio job has made.')

export type ExtractAudioResult = z.infer<typeof extractAudioResultSchema>

export const extractAudio: Kind = {
  title: 'The audio of an upload, in a form that Amazon Transcribe takes',
  params: extractAudioParamsSchema,
  input: 'object',
  claims: true,
  group: 'media',
  uploadSuffixes: [],
  resources: { cpu: 512, memory: 1024 },
  result: extractAudioResultSchema,
  isStep: true,
}
