import { z } from 'zod'
import { extensible } from './extensible.ts'
import { queueNamePattern, specBounds, specDefaults } from './limits.ts'
import { parentPattern } from './pipeline.ts'
import { sourceUrlSchema } from './source-url.ts'

/** An integer within bounds that the message of a refusal names. */
const whole = ({ min, max }: { min: number; max: number }) =>
  z
    .number({ error: `must be a whole number from ${min} to ${max}` })
    .int({ error: `must be a whole number from ${min} to ${max}` })
    .min(min, { error: `must be at least ${min}` })
    .max(max, { error: `must be at most ${max}` })

const seconds = (bounds: { min: number; max: number }, what: string) =>
  whole(bounds).describe(`${what} Seconds, ${bounds.min} to ${bounds.max}.`)

const bucketName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, { error: 'must be an S3 bucket name' })

const objectKey = z
  .string()
  .min(1, { error: 'must not be empty' })
  .refine((key) => Buffer.byteLength(key) <= 1024, { error: 'must be at most 1024 bytes' })

export const inputSchema = z
  .strictObject({
    bucket: bucketName.optional().describe('Bucket of the input object.'),
    key: objectKey.optional().describe('Key of the input object, at most 1024 bytes.'),
    etag: z
      .string()
      .max(128)
      .optional()
      .describe('ETag that the object must still have; found out by a HEAD request when absent.'),
    versionId: z
      .string()
      .max(1024)
      .optional()
      .describe('Version of the object, in a bucket that has versions.'),
    bytes: z
      .number({ error: 'must be a whole number of bytes' })
      .int({ error: 'must be a whole number of bytes' })
      .min(0, { error: 'must not be below 0' })
      .optional()
      .describe(
        'Size of the object, by which the task is sized; found out by a HEAD request when absent, and known from the event of an upload.',
      ),
    url: sourceUrlSchema
      .optional()
      .describe(
        'Address of the input, for kinds that read one: http, https, rtmp, rtmps, rtsp or rtsps, without user and password.',
      ),
  })
  .refine((input) => (input.url === undefined) === (input.bucket !== undefined && input.key !== undefined), {
    error: 'must have either bucket and key, or url',
  })
  .describe('What the job works on: an S3 object, or a URL.')

export const capacities = ['spot', 'on-demand', 'spot-then-on-demand'] as const

export const resourcesSchema = z
  .strictObject({
    cpu: whole(specBounds.cpu).describe(
      'Task size in CPU units; 1024 are one vCPU. With memory it must be a size that Fargate has.',
    ),
    memory: whole(specBounds.memoryMiB).describe('Task size in MiB.'),
    ephemeralStorage: whole(specBounds.ephemeralStorageGiB)
      .optional()
      .describe('Disk of the task in GiB, 21 to 200; absent: the 20 GiB that every Fargate task has.'),
    capacity: z
      .enum(capacities, { error: 'must be spot, on-demand or spot-then-on-demand' })
      .describe('Where tasks run. spot-then-on-demand goes on-demand after two losses. Default: on-demand.'),
  })
  .describe('Size and capacity of the task.')

export const limitsSchema = z
  .strictObject({
    attempts: whole(specBounds.attempts).describe(
      `Failed attempts after which the job is Failed, 1 to ${specBounds.attempts.max}. Default ${specDefaults.attempts}.`,
    ),
    infrastructureAttempts: whole(specBounds.infrastructureAttempts).describe(
      `Attempts that may be lost to the infrastructure (Spot, hosts, capacity) on top. Default ${specDefaults.infrastructureAttempts}.`,
    ),
    startTimeout: seconds(
      specBounds.startTimeoutS,
      `From launch to RUNNING. Default ${specDefaults.startTimeoutS}.`,
    ),
    attemptTimeout: seconds(
      specBounds.attemptTimeoutS,
      `How long one attempt may run. Default ${specDefaults.attemptTimeoutS}, or what the kind takes where that is more.`,
    ),
    deadline: seconds(
      specBounds.deadlineS,
      `From acceptance to the end of all attempts. Default ${specDefaults.deadlineS}.`,
    ),
    heartbeatTimeout: seconds(
      specBounds.heartbeatTimeoutS,
      `How long a worker may stay silent. Default ${specDefaults.heartbeatTimeoutS}.`,
    ),
    backoff: z
      .strictObject({
        initial: seconds(
          specBounds.backoffS,
          `Wait after the first failure, doubled after each. Default ${specDefaults.backoffInitialS}.`,
        ),
        max: seconds(specBounds.backoffS, `Longest wait. Default ${specDefaults.backoffMaxS}.`),
      })
      .partial()
      .describe('Wait between attempts.'),
    maxMemory: whole(specBounds.memoryMiB).describe(
      'MiB up to which a job that ran out of memory is given more.',
    ),
  })
  .partial()
  .describe('Attempts and times.')

export const policyRuleSchema = z
  .strictObject({
    exitCodes: z
      .array(z.number().int().min(0).max(255))
      .min(1)
      .max(50)
      .optional()
      .describe('Exit codes that match.'),
    stopCodes: z
      .array(z.string().min(1).max(64))
      .min(1)
      .max(20)
      .optional()
      .describe('ECS stop codes that match.'),
    reason: z.string().min(1).max(200).optional().describe('Text of the reason; * stands for anything.'),
    action: z
      .enum(['retry', 'fail', 'ignore'])
      .describe('retry: counted. fail: at once. ignore: counted as infrastructure.'),
  })
  .refine(
    (rule) => rule.exitCodes !== undefined || rule.stopCodes !== undefined || rule.reason !== undefined,
    {
      error: 'must have exitCodes, stopCodes or reason',
    },
  )

export const labelsSchema = z
  .record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_./-]{0,62}$/), z.string().max(256))
  .refine((labels) => Object.keys(labels).length <= specBounds.labels, {
    error: `must be at most ${specBounds.labels}`,
  })

/** Whether DynamoDB can keep a value and give it back the same. */
function isStorable(value: unknown, depth: number): boolean {
  if (typeof value === 'number') return Number.isFinite(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER
  if (typeof value !== 'object' || value === null) return typeof value !== 'bigint'
  if (depth > specBounds.paramsDepth) return false
  const isPlain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
  return isPlain && Object.values(value).every((inner) => isStorable(inner, depth + 1))
}

/** What a user asks for. Everything but what the kind needs may be left out. */
export const specSchema = z
  .strictObject({
    input: inputSchema.optional(),
    output: z
      .string()
      .max(512)
      .regex(/^(?!\/)(?!.*\/\/)(?!(.*\/)?\.\.?\/).+\/$/, {
        error: 'must be a key prefix that ends in / and does not start with it',
      })
      .optional()
      .describe('Prefix in the outputs bucket. Default results/<jobId>/.'),
    params: z
      .record(z.string(), z.unknown())
      .refine((params) => isStorable(params, 0), {
        error: `must be plain JSON, at most ${specBounds.paramsDepth} levels deep, with numbers of at most 15 digits`,
        // What is too deep to be stored is too deep to be measured.
        abort: true,
      })
      .refine((params) => JSON.stringify(params).length <= specBounds.paramsBytes, {
        error: `must be at most ${specBounds.paramsBytes} characters as JSON`,
      })
      .optional()
      .describe('Parameters of the kind.'),
    queue: z
      .string()
      .regex(queueNamePattern, { error: 'must be lower-case letters, digits and -, at most 32' })
      .optional()
      .describe('The line that the job waits in. Default: default.'),
    priority: whole(specBounds.priority)
      .optional()
      .describe('0 to 9; each step is worth 10 minutes of waiting. Default 0.'),
    resources: resourcesSchema.partial().optional().describe('Size and capacity of the task.'),
    limits: limitsSchema.optional(),
    failurePolicy: z
      .array(policyRuleSchema)
      .max(specBounds.policyRules)
      .optional()
      .describe('Ordered rules for failures; the first that matches decides.'),
    ttlAfterFinished: seconds(
      specBounds.ttlAfterFinishedS,
      `How long a finished job is kept. Default ${specDefaults.ttlAfterFinishedS}.`,
    ).optional(),
    afterSuccess: z
      .enum(['keep', 'delete'], { error: 'must be keep or delete' })
      .optional()
      .describe(
        'What becomes of the input, an object in the uploads bucket, once the job has succeeded. Never deleted after a failure. Default: keep.',
      ),
    suspend: z.boolean().optional().describe('true: stop and wait, without counting an attempt.'),
    cancel: z.boolean().optional().describe('true: end the job as Cancelled.'),
    labels: labelsSchema.optional().describe('Up to 20 names of your own.'),
    parent: z
      .string()
      .regex(parentPattern, { error: 'must be <jobId>/<uid> of a pipeline' })
      .optional()
      .describe('Of a child: the pipeline that made it. A job that its parent does not know is cancelled.'),
  })
  .describe('What is wanted.')

export type Spec = z.infer<typeof specSchema>
export type Input = z.infer<typeof inputSchema>
export type Capacity = (typeof capacities)[number]
export type PolicyRule = z.infer<typeof policyRuleSchema>

const resolved = (what: string) => z.number().int().describe(what)

/**
 * What applies: spec, kind defaults and defaults, resolved when the job is accepted. Visible in the record. Bounds were
 * checked on the way in and are not repeated: a record must stay readable when a later version changes one.
 */
export const settingsSchema = extensible({
  kind: z
    .string()
    .optional()
    .describe('What the job does, as it was accepted; an edit of kind waits for a retry.'),
  input: extensible(inputSchema.shape)
    .optional()
    .describe('What the job works on, with what was found out about it.'),
  output: z.string().describe('Prefix of the outputs in the outputs bucket.'),
  params: z.record(z.string(), z.unknown()).describe('Parameters of the kind, with its defaults.'),
  queue: z.string().describe('The line that the job waits in.'),
  priority: resolved('0 to 9; each step is worth 10 minutes of waiting.'),
  resources: extensible({
    cpu: resolved('CPU units of the task; 1024 are one vCPU.'),
    memory: resolved('MiB of the task.'),
    ephemeralStorage: resolved('GiB of disk; absent: 20.').optional(),
    capacity: z.enum(capacities).describe('Where tasks run.'),
  }).describe('Size and capacity of the task.'),
  limits: extensible({
    attempts: resolved('Failed attempts after which the job is Failed.'),
    infrastructureAttempts: resolved('Attempts that may be lost to the infrastructure on top.'),
    startTimeout: resolved('Seconds from launch to RUNNING.'),
    attemptTimeout: resolved('Seconds that one attempt may run.'),
    deadline: resolved('Seconds from acceptance to the end of all attempts.'),
    heartbeatTimeout: resolved('Seconds that a worker may stay silent.'),
    backoff: extensible({
      initial: resolved('Seconds after the first failure.'),
      max: resolved('Longest wait in seconds.'),
    }).describe('Wait between attempts.'),
    maxMemory: resolved('MiB up to which a job that ran out of memory is given more.'),
  }).describe('Attempts and times.'),
  failurePolicy: z.array(policyRuleSchema).describe('Ordered rules for failures.'),
  ttlAfterFinished: resolved('Seconds that the finished job is kept.'),
  afterSuccess: z
    .literal('delete')
    .optional()
    .describe('delete: the input is deleted once the job has succeeded. Absent: it is kept.'),
  labels: z.record(z.string(), z.string()).describe('Names of the user.'),
  parent: z.string().optional().describe('Of a child: the pipeline that made it.'),
  stepResources: resourcesSchema
    .partial()
    .optional()
    .describe('Of a pipeline: size and capacity that were asked for, for each of its tasks.'),
}).describe('What applies: spec, kind and defaults, resolved at acceptance.')

export type Settings = z.infer<typeof settingsSchema>
