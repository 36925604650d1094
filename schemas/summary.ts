import { z } from 'zod'
import { objectAddressSchema, warningSchema } from './object-address.ts'

const seconds = z.number().min(0)
const count = z.number().int().min(0)

/** null where nobody can say who spoke. */
const speaker = z.string().nullable().describe('Label of the speaker; null: unknown.')

const spokenSchema = z.strictObject({
  text: z.string().describe('What was said.'),
  startS: seconds.nullable().describe('When it was said; null: it is no quotation.'),
  speaker,
})
export type Spoken = z.infer<typeof spokenSchema>

/** `summary.json`: what was said and shown, and when. `summary.md` is made from it and from nothing else. */
export const summarySchema = z
  .strictObject({
    schemaVersion: z.literal(1).describe('Form of this file.'),
    jobId: z.string().describe('The job that wrote it.'),
    title: z.string().describe('What it is about, usually the name of the input.'),
    input: objectAddressSchema.nullable().describe('What was analysed; null: not known to the job.'),
    durationS: seconds.describe('Duration in seconds.'),
    language: z.string().nullable().describe('Language that was spoken, like en-US; null: unknown.'),
    speech: z
      .strictObject({
        words: count.describe('Words that were recognised.'),
        confidence: z
          .number()
          .min(0)
          .max(1)
          .nullable()
          .describe('How sure the recogniser was on average; null: it does not say.'),
      })
      .nullable()
      .describe('What was recognised; null: there was no sound to listen to.'),
    speakers: z
      .array(
        z.strictObject({
          label: speaker,
          talkS: seconds.describe('How long they spoke.'),
          words: count.describe('How many words.'),
        }),
      )
      .describe('Who spoke, in the order of their first words; the unknown speaker last.'),
    scenes: z
      .array(
        z.strictObject({
          startS: seconds.describe('When it begins.'),
          endS: seconds.describe('When it ends.'),
          score: z.number().nullable().describe('How much changed at its beginning; null: the first scene.'),
          picture: z.string().nullable().describe('Path of a picture, relative to this file; null: none.'),
        }),
      )
      .describe('In order.'),
    chapters: z
      .array(
        z.strictObject({
          startS: seconds.describe('When it begins.'),
          endS: seconds.describe('When it ends.'),
          keyPhrases: z.array(z.string()).describe('What is particular about it.'),
          speakers: z.array(speaker).describe('Who speaks in it, in order.'),
          words: count.describe('How many words are spoken in it.'),
          summary: z.array(spokenSchema).describe('Its most telling sentences, in order.'),
        }),
      )
      .describe('The whole, in parts that follow each other without gaps.'),
    summary: z.array(spokenSchema).describe('The most telling sentences of the whole, in order.'),
    summarizer: z
      .string()
      .describe(
        'What chose the sentences: extractive quotes, and never invents; bedrock:<model> is a language model, which may be wrong.',
      ),
    warnings: z.array(warningSchema).describe('What was odd but did not stop the job.'),
  })
  .describe('What was said and shown in a recording.')
export type Summary = z.infer<typeof summarySchema>
