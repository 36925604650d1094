import { z } from 'zod'

export const recordingEnds = ['maxDuration', 'maxBytes', 'ended', 'gone', 'cancelled'] as const

/** Why a recording is whole. */
export type RecordingEnd = (typeof recordingEnds)[number]

const seconds = z.number().min(0)

/** `recording.json`: what was recorded, beside the playlist. Written when an attempt ends, however it does. */
export const recordingSchema = z
  .strictObject({
    schemaVersion: z.literal(1).describe('Form of this file.'),
    source: z.string().describe('Where it came from, without the query of the address.'),
    startedAt: z.iso.datetime().nullable().describe('When the first segment began; null: nothing came.'),
    updatedAt: z.iso.datetime().describe('When this was written.'),
    end: z
      .enum(recordingEnds)
      .nullable()
      .describe(
        'Why it is whole: maxDuration or maxBytes were reached, the source said its end (ended) or is gone, or the job was cancelled. null: another attempt goes on.',
      ),
    durationS: seconds.describe('Seconds that were recorded, without gaps.'),
    bytes: z.number().int().min(0).describe('Of all segments.'),
    segments: z.number().int().min(0).describe('How many there are.'),
    gaps: z
      .array(
        z.strictObject({
          before: z.string().describe('The segment that came after it.'),
          startedAt: z.iso.datetime().describe('When it began.'),
          lengthS: seconds.describe('How long nothing was recorded, to about a second.'),
        }),
      )
      .describe('Where something is missing, in their order. The playlist has a discontinuity there.'),
  })
  .describe('What was recorded.')

export type Recording = z.infer<typeof recordingSchema>
