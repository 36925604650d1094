import { z } from 'zod'
import { languageSchema, objectAddressSchema } from '../object-address.ts'
import { mediaFormats } from './extract-audio.ts'
import type { Kind } from './kind.ts'

/** What is heard in the audio, and how many are heard: the same for every kind that transcribes. */
export const hearingParams = {
  language: z
    .union([z.literal('auto'), languageSchema])
    .default('auto')
    .describe('Language that is spoken, like en-US; auto: it is found out.'),
  maxSpeakers: z
    .number()
    .int()
    .min(2)
    .max(30)
    .optional()
    .describe('Tell up to so many speakers apart, 2 to 30. Absent: nobody is told apart.'),
}

export const transcriptionParamsSchema = z
  .strictObject({
    media: objectAddressSchema
      .extend({ format: z.enum(mediaFormats).describe('Its format.') })
      .describe('What to transcribe.'),
    durationS: z.number().min(0).describe('Duration in seconds: what it is paid by.'),
    ...hearingParams,
  })
  .describe('Parameters of a transcription job.')

export type TranscriptionParams = z.infer<typeof transcriptionParamsSchema>

/** Beside the outputs of the step: one exact key, so that nobody has to ask for it. */
export const transcriptKey = (output: string): string => `${output}transcript.json`

export const transcription: Kind = {
  title: 'A transcript by Amazon Transcribe',
  params: transcriptionParamsSchema,
  input: 'optional',
  claims: false,
  runner: 'transcribe',
  group: 'own',
  uploadSuffixes: [],
  resources: { cpu: 0, memory: 0 },
  isStep: true,
}
