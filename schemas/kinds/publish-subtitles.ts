import { z } from 'zod'
import { languageSchema, objectAddressSchema, outputPrefixSchema } from '../object-address.ts'
import type { Kind } from './kind.ts'

export const subtitleFormats = ['srt', 'vtt'] as const

export const publishSubtitlesParamsSchema = z
  .strictObject({
    transcript: objectAddressSchema.describe('What Amazon Transcribe wrote.'),
    name: z
      .string()
      .min(1)
      .max(200)
      .regex(/^(?!\.\.?$)[^/\p{Cc}]+$/u, { error: 'must be a file name without / and control characters' })
      .describe('Name of the files, without a suffix: usually that of the input.'),
    formats: z
      .array(z.enum(subtitleFormats))
      .min(1)
      .max(2)
      .default(['srt', 'vtt'])
      .describe('Files to write: srt, vtt.'),
    language: languageSchema
      .optional()
      .describe('Language of the subtitles. Default: what the transcript says.'),
    hlsPrefix: outputPrefixSchema
      .optional()
      .describe('Outputs of a transcode job, whose master playlist is given these subtitles.'),
  })
  .describe('Parameters of a publish-subtitles job.')

export type PublishSubtitlesParams = z.infer<typeof publishSubtitlesParamsSchema>

export const publishSubtitlesResultSchema = z
  .strictObject({
    manifest: z.string().describe('Key of the manifest.'),
    srt: z.string().optional().describe('Key of the SRT file.'),
    vtt: z.string().optional().describe('Key of the WebVTT file.'),
    master: z.string().optional().describe('Key of the master playlist that was given the subtitles.'),
    language: z.string().nullable().describe('Language of the subtitles; null: unknown.'),
    cues: z.number().int().min(0).describe('Subtitles. 0: nobody speaks, and the files are empty.'),
    words: z.number().int().min(0).describe('Words in them.'),
    speakers: z.number().int().min(0).describe('Speakers that were told apart.'),
  })
  .describe('What a publish-subtitles job has made.')

export type PublishSubtitlesResult = z.infer<typeof publishSubtitlesResultSchema>

export const publishSubtitles: Kind = {
  title: 'Subtitles out of a transcript',
  params: publishSubtitlesParamsSchema,
  input: 'optional',
  claims: true,
  group: 'media',
  uploadSuffixes: [],
  resources: { cpu: 256, memory: 1024 },
  result: publishSubtitlesResultSchema,
  isStep: true,
}
