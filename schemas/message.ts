import { z } from 'zod'
import { jobIdPattern } from './limits.ts'
import { specSchema } from './spec.ts'

/** A job asked for by SQS message or HTTP POST. */
export const jobRequestSchema = z
  .strictObject({
    jobId: z
      .string()
      .regex(jobIdPattern, {
        error: 'must be 1 to 64 letters, digits, _ and -, starting with a letter or digit',
      })
      .optional()
      .describe('Your own id. The same id and body again is the same job.'),
    idempotencyKey: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .describe('Instead of an id: the same key and body again is the same job.'),
    kind: z.string().min(1).max(32).optional().describe('What the job does.'),
    url: z
      .string()
      .max(2000)
      .optional()
      .describe('Instead of kind and spec.input: the address of a stream, to be recorded.'),
    spec: specSchema.default({}),
  })
  .refine((request) => request.jobId === undefined || request.idempotencyKey === undefined, {
    error: 'must have jobId or idempotencyKey, not both',
    path: ['idempotencyKey'],
  })
  .refine((request) => request.kind !== undefined || request.url !== undefined, {
    error: 'must be given: a text',
    path: ['kind'],
    // Whatever else is wrong with it: who sends something else altogether is to learn what is missing.
    when: ({ value }) => isMap(value),
  })
  .refine(({ url, kind, spec }) => url === undefined || ((kind ?? 'record') === 'record' && !spec.input), {
    error: 'stands for kind record and spec.input.url: leave those out, or write them instead of it',
    path: ['url'],
  })
  .transform(({ kind, url, spec, ...ids }) => ({ ...ids, ...jobOf({ kind, url, spec }) }))
  .describe('A job, asked for by message or POST.')

type Asked<S> = { kind?: string | undefined; url?: string | undefined; spec: S }

const jobOf = <S extends object>({ kind, url, spec }: Asked<S>) =>
  url === undefined
    ? { kind: kind ?? '', spec }
    : { kind: kind ?? 'record', spec: { ...spec, input: { url } } }

/** Kind and spec of a request as it came, where they can be told: with what its `url` stands for. */
export const jobOfRequest = ({
  kind,
  url,
  spec,
}: Record<string, unknown>): { kind: unknown; spec: unknown } =>
  typeof url === 'string' && (kind ?? 'record') === 'record' && (spec === undefined || isMap(spec))
    ? jobOf({ url, spec: spec ?? {} })
    : { kind, spec }

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export type JobRequest = z.infer<typeof jobRequestSchema>

/** The form of an S3 notification that we read (S3 user guide, notification content structure). More fields are welcome. */
export const s3RecordSchema = z.object({
  eventSource: z.literal('aws:s3'),
  eventName: z.string(),
  s3: z.object({
    bucket: z.object({ name: z.string().min(1) }),
    object: z.object({
      key: z.string().min(1),
      size: z.number().optional(),
      eTag: z.string().optional(),
      versionId: z.string().optional(),
      sequencer: z.string().optional(),
    }),
  }),
})

/** What S3 tells EventBridge (S3 user guide, using EventBridge). Its names are not those of a notification. */
export const s3EventSchema = z.object({
  source: z.literal('aws.s3'),
  'detail-type': z.literal('Object Created'),
  detail: z.object({
    bucket: z.object({ name: z.string().min(1) }),
    object: z.object({
      key: z.string().min(1),
      size: z.number().optional(),
      etag: z.string().optional(),
      'version-id': z.string().optional(),
      sequencer: z.string().optional(),
    }),
  }),
})

/** What SNS puts around a message unless the subscription delivers it raw (SNS developer guide, message formats). */
export const snsEnvelopeSchema = z.object({
  Type: z.literal('Notification'),
  MessageId: z.string().min(1).optional(),
  Message: z.string(),
})

/** A wake-up: somebody changed this job's record. It says nothing more, because the record is the truth. */
export const wakeSchema = z.strictObject({ jobId: z.string().regex(jobIdPattern) })

/** The end of a job of Amazon Transcribe, by EventBridge, on a best effort. */
export const transcribeEventSchema = z.object({
  'detail-type': z.literal('Transcribe Job State Change'),
  detail: z.object({ TranscriptionJobName: z.string().min(1) }),
})

/** ECS task state change, as EventBridge delivers it. Times are ISO strings here, unlike in the API. */
export const taskEventSchema = z.object({
  'detail-type': z.literal('ECS Task State Change'),
  detail: z.looseObject({
    taskArn: z.string().min(1),
    lastStatus: z.string(),
    desiredStatus: z.string().optional(),
    startedBy: z.string().optional(),
    version: z.number(),
  }),
})
