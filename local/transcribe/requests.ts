import { LanguageCode, MediaFormat, TranscriptionJobStatus } from '@aws-sdk/client-transcribe'
import { z } from 'zod'

/** The requests as the service model describes their fields; what fields have to do with each other stands in `rules.ts`. */

const text = (pattern: RegExp, max: number) =>
  z
    .string()
    .min(1, { error: 'must not be empty' })
    .max(max, { error: `must have at most ${max} characters` })
    .regex(pattern, { error: `must match ${pattern.source}` })

const jobName = text(/^[0-9a-zA-Z._-]+$/, 200)
const languageCode = z.enum(LanguageCode)

const settings = z.object({
  ShowSpeakerLabels: z.boolean().optional(),
  MaxSpeakerLabels: z.number().int().min(2).max(30).optional(),
  ShowAlternatives: z.boolean().optional(),
  MaxAlternatives: z.number().int().min(2).max(10).optional(),
  ChannelIdentification: z.boolean().optional(),
})

const roleArn =
  /^arn:(aws|aws-cn|aws-us-gov|aws-iso-?[a-z]?):iam::[0-9]{0,63}:role\/[A-Za-z0-9:_/+=,@.-]{0,1024}$/

export const startRequest = z.object({
  TranscriptionJobName: jobName,
  LanguageCode: languageCode.optional(),
  IdentifyLanguage: z.boolean().optional(),
  IdentifyMultipleLanguages: z.boolean().optional(),
  LanguageOptions: z.array(languageCode).min(1).optional(),
  MediaSampleRateHertz: z.number().int().min(8_000).max(48_000).optional(),
  MediaFormat: z.enum(MediaFormat).optional(),
  Media: z.object({ MediaFileUri: text(/^(s3:\/\/|https?:\/\/).+$/, 2_000) }),
  OutputBucketName: text(/^[a-z0-9][.\-a-z0-9]{1,61}[a-z0-9]$/, 64).optional(),
  OutputKey: text(/^[a-zA-Z0-9\-_.!*'()/]{1,1024}$/, 1_024).optional(),
  Settings: settings.optional(),
  JobExecutionSettings: z
    .object({
      AllowDeferredExecution: z.boolean().optional(),
      DataAccessRoleArn: text(roleArn, 2_048).optional(),
    })
    .optional(),
  Subtitles: z
    .object({
      Formats: z.array(z.enum(['srt', 'vtt'])).default([]),
      OutputStartIndex: z.number().int().min(0).max(1).default(0),
    })
    .optional(),
  Tags: z
    .array(z.object({ Key: z.string().min(1).max(128), Value: z.string().max(256) }))
    .min(1)
    .max(200)
    .optional(),
})

export type StartRequest = z.infer<typeof startRequest>

export const nameRequest = z.object({ TranscriptionJobName: jobName })

export const listRequest = z.object({
  Status: z.enum(TranscriptionJobStatus).optional(),
  JobNameContains: text(/^[0-9a-zA-Z._-]+$/, 200).optional(),
  NextToken: z.string().max(8_192).optional(),
  MaxResults: z
    .number()
    .int()
    .min(1)
    .max(100)
    // The default of the service, unlike that of most.
    .default(5),
})

export type ListRequest = z.infer<typeof listRequest>
