import { z } from 'zod'
import { modelIdPattern } from '../models.ts'
import { languageSchema, objectAddressSchema } from '../object-address.ts'
import type { Kind } from './kind.ts'

/** Who writes the summary. Only bedrock sends what was said to a model, and only where somebody asks for it. */
export const summaryParamsSchema = z
  .discriminatedUnion(
    'engine',
    [
      z.strictObject({
        engine: z.literal('extractive').describe('Quotes the most telling sentences; asks nobody.'),
      }),
      z.strictObject({
        engine: z.literal('bedrock').describe('A model of Amazon Bedrock writes; it gets all that was said.'),
        modelId: z
          .string()
          .regex(modelIdPattern, {
            error: 'must be the id or the ARN of a model or an inference profile of Amazon Bedrock',
          })
          .describe(
            'Which model or inference profile, by id or ARN. The media role may ask only those of BEDROCK_MODEL_ARNS.',
          ),
      }),
    ],
    { error: 'must be one of: extractive, bedrock' },
  )
  .describe('Who writes the summary. Default: extractive.')

export const summarizeParamsSchema = z
  .strictObject({
    transcript: objectAddressSchema
      .optional()
      .describe('What Amazon Transcribe wrote. Absent: the recording has no sound.'),
    scenes: objectAddressSchema.describe('scenes.json of a find-scenes job.'),
    title: z.string().min(1).max(300).describe('Title of the summary.'),
    language: languageSchema
      .optional()
      .describe('Language that is spoken. Default: what the transcript says.'),
    summary: summaryParamsSchema.optional(),
  })
  .describe('Parameters of a summarize job.')

export type SummarizeParams = z.infer<typeof summarizeParamsSchema>

export const summarizeResultSchema = z
  .strictObject({
    manifest: z.string().describe('Key of the manifest.'),
    summary: z.string().describe('Key of summary.json.'),
    page: z.string().describe('Key of summary.md.'),
    durationS: z.number().min(0).describe('Duration in seconds.'),
    language: z.string().nullable().describe('Language that is spoken; null: unknown.'),
    speakers: z.number().int().min(0).describe('Speakers that were told apart.'),
    words: z.number().int().min(0).describe('Words that were spoken.'),
    scenes: z.number().int().min(0).describe('Scenes.'),
    chapters: z.number().int().min(0).describe('Chapters.'),
  })
  .describe('What a summarize job has made.')

export type SummarizeResult = z.infer<typeof summarizeResultSchema>

export const summarize: Kind = {
  title: 'A summary out of a transcript and scenes',
  params: summarizeParamsSchema,
  input: 'optional',
  claims: true,
  group: 'media',
  uploadSuffixes: [],
  resources: { cpu: 512, memory: 2048 },
  result: summarizeResultSchema,
  isStep: true,
}
