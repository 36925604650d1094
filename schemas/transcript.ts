import { z } from 'zod'

/**
 * The JSON that Amazon Transcribe writes, as far as we read it. It is not ours, it has changed before, and a local recogniser
 * writes it too: whatever is missing or odd inside becomes nothing, and only something that is no transcript at all is
 * refused. Times and confidences are texts there.
 */
const optionalText = z.string().optional().catch(undefined)
const seconds = z
  .union([z.number(), z.string().trim().min(1).transform(Number)])
  .pipe(z.number().min(0))
  .optional()
  .catch(undefined)
const confidence = z
  .union([z.number(), z.string().trim().min(1).transform(Number)])
  .pipe(z.number().min(0).max(1))
  .optional()
  .catch(undefined)
/** Entries that cannot be read are left out; the others count. */
const listOf = <T extends z.ZodType>(entry: T) =>
  z
    .array(z.unknown())
    .catch([])
    .transform((entries) =>
      entries.flatMap((each) => {
        const parsed = entry.safeParse(each)
        return parsed.success ? [parsed.data] : []
      }),
    )

const itemSchema = z.object({
  id: z.number().optional().catch(undefined),
  type: z.enum(['pronunciation', 'punctuation']).catch('pronunciation'),
  start_time: seconds,
  end_time: seconds,
  alternatives: listOf(z.object({ content: z.string(), confidence })),
  speaker_label: optionalText,
  channel_label: optionalText,
})
export type TranscriptItem = z.infer<typeof itemSchema>

const speakerSegmentSchema = z.object({
  speaker_label: optionalText,
  start_time: seconds,
  end_time: seconds,
  items: listOf(z.object({ start_time: seconds, speaker_label: optionalText })),
})

const audioSegmentSchema = z.object({
  transcript: z.string().catch(''),
  start_time: seconds,
  end_time: seconds,
  speaker_label: optionalText,
  items: listOf(z.number()),
})

export const transcriptSchema = z.object({
  results: z.object({
    language_code: optionalText,
    items: listOf(itemSchema),
    speaker_labels: z
      .object({ segments: listOf(speakerSegmentSchema) })
      .optional()
      .catch(undefined),
    /** Absent in older output. */
    audio_segments: listOf(audioSegmentSchema),
  }),
})
export type TranscriptJson = z.infer<typeof transcriptSchema>
