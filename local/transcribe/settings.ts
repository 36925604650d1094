import { z } from 'zod'
import { faultSchema } from './faults.ts'

const milliseconds = z.number().min(0)
const perSecond = (preset: number) => z.number().min(0).default(preset)

/** What a media file may be (Amazon Transcribe developer guide, "Guidelines and quotas"). Smaller numbers are for tests. */
const limitsSchema = z.object({
  bytesMax: z
    .number()
    .min(0)
    .default(2 * 1024 ** 3),
  durationSMax: z
    .number()
    .min(0)
    .default(4 * 3600),
  durationSMin: z.number().min(0).default(0.5),
  sampleRateHzMin: z.number().int().default(8_000),
  sampleRateHzMax: z.number().int().default(48_000),
  channelsMax: z.number().int().default(2),
})

export type MediaLimits = z.infer<typeof limitsSchema>

/** Where AWS's own pages are silent or disagree, both behaviours can be had. */
const switchesSchema = z.object({
  notFound: z
    .enum(['BadRequestException', 'NotFoundException'])
    .default('BadRequestException')
    .describe('The code for a job that does not exist.'),
  rateRefusal: z
    .enum(['LimitExceededException', 'ThrottlingException'])
    .default('LimitExceededException')
    .describe('The code for calls that come too fast.'),
  outputForm: z
    .enum(['current', 'older'])
    .default('current')
    .describe('older: transcripts without ids of items and without audio_segments.'),
})

/** Everything that can be set about the local Transcribe. `parse({})` is a fresh account with a fast service. */
export const transcribeSettingsSchema = z.object({
  processingMs: milliseconds.default(500).describe('A job is IN_PROGRESS at least this long.'),
  workers: z.number().int().min(1).default(2).describe('Jobs that this machine works on at one time.'),
  concurrentJobs: z.number().int().min(1).default(250).describe('Jobs IN_PROGRESS at one time: the quota.'),
  deferredShare: z
    .number()
    .min(0)
    .max(1)
    .default(0.9)
    .describe('Part of the quota that queued jobs may fill (developer guide, "Job queueing").'),
  queuedJobs: z.number().int().min(0).default(10_000),
  retentionMs: milliseconds.default(90 * 86_400_000).describe('For how long a finished job is known.'),
  recogniserTimeoutMs: milliseconds.default(6 * 3_600_000),
  throttle: z
    .object({
      enabled: z.boolean().default(true),
      /** Calls per second, one second of them at once (developer guide, "Guidelines and quotas"). */
      start: perSecond(25),
      get: perSecond(30),
      list: perSecond(5),
      delete: perSecond(5),
    })
    .prefault({}),
  limits: limitsSchema.prefault({}),
  faults: z.array(faultSchema).default([]),
  switches: switchesSchema.prefault({}),
})

export type TranscribeSettings = z.infer<typeof transcribeSettingsSchema>
