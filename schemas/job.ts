import { z } from 'zod'
import { extensible } from './extensible.ts'
import { architectures } from './fargate.ts'
import { jobIdPattern, recordLimits } from './limits.ts'
import { pipelineStateSchema } from './pipeline.ts'
import { capacities, settingsSchema, specSchema } from './spec.ts'

export const phases = [
  'Submitted',
  'Pending',
  'Starting',
  'Running',
  'Stopping',
  'Succeeded',
  'Failed',
  'Cancelled',
] as const
export type Phase = (typeof phases)[number]

export const terminalPhases = ['Succeeded', 'Failed', 'Cancelled'] as const
export type TerminalPhase = (typeof terminalPhases)[number]
export const isTerminal = (phase: string): phase is TerminalPhase =>
  (terminalPhases as readonly string[]).includes(phase)

/** Phases in which a task may exist: what admission counts as used, and what a leader watches. */
export const livePhases = ['Starting', 'Running', 'Stopping'] as const
export type LivePhase = (typeof livePhases)[number]
export const isLive = (phase: string): phase is LivePhase => (livePhases as readonly string[]).includes(phase)

/** How an attempt ended. The class decides which budget it is counted against. */
export const outcomeClasses = [
  'success',
  'failed',
  'timeout',
  'outOfMemory',
  'startFailure',
  'spot',
  'infrastructure',
  'lost',
  'cancelled',
  'suspended',
] as const
export type OutcomeClass = (typeof outcomeClasses)[number]

export const stopReasons = [
  'Cancel',
  'Suspend',
  'DeadlineExceeded',
  'AttemptTimeout',
  'StartTimeout',
  'ClaimTimeout',
  'HeartbeatLost',
] as const
export type StopReason = (typeof stopReasons)[number]

const time = z.iso.datetime({ error: 'must be a time like 2026-11-22T10:00:00Z' })
const count = z.number().int().min(0)
const message = z.string().max(recordLimits.messageCharacters * 2)

const outcomeSchema = extensible({
  class: z.enum(outcomeClasses).describe('How it ended.'),
  exitCode: z.number().int().optional().describe('Exit code of the container, where one is known.'),
  stopCode: z.string().optional().describe('Stop code of ECS.'),
  code: z.string().max(64).optional().describe('Error code of the worker, where it told one.'),
  reason: message.describe('Why, in words.'),
})
export type Outcome = z.infer<typeof outcomeSchema>

export const attemptSchema = extensible({
  n: count.describe('Number of the attempt; never used twice in the life of a record.'),
  launches: count.describe('Launches of this attempt.'),
  runner: z.enum(['ecs', 'transcribe']).describe('What carried it out.'),
  capacity: z.enum(capacities).describe('Capacity that was asked for.'),
  taskDefinition: z.string().describe('family:revision of the task definition.'),
  cpu: count.describe('CPU units.'),
  memory: count.describe('MiB.'),
  ephemeralStorage: count.optional().describe('GiB of disk; absent: the 20 that every task has.'),
  architecture: z.enum(architectures).optional().describe('Of the task definition. Absent: x86_64.'),
  imageDigest: z
    .string()
    .max(128)
    .optional()
    .describe('Of a container job: the image of its container, where ECR could be asked before the launch.'),
  audioS: z
    .number()
    .optional()
    .describe('Of a transcription: seconds of audio, which is what it is paid by.'),
  publicIp: z.boolean().optional().describe('true: the task had a public address.'),
  spotRefusals: count
    .optional()
    .describe('Launches of this attempt that were refused for want of Spot capacity. Absent: none.'),
  launchedAt: time.describe('When the intent was written.'),
  startedAt: time.optional().describe('When the task ran.'),
  stoppedAt: time.optional().describe('When the task had stopped.'),
  taskArn: z.string().optional().describe('The task.'),
  logStream: z.string().optional().describe('Log stream of the task.'),
  outcome: outcomeSchema.optional().describe('Absent while the attempt is under way.'),
  costUsd: z
    .number()
    .optional()
    .describe('What its last task cost, estimated from FARGATE_PRICES; absent while it is under way.'),
})
export type Attempt = z.infer<typeof attemptSchema>

export const refusalKinds = ['capacity', 'permanent'] as const

const launchingSchema = extensible({
  attempt: count.describe('Attempt that is launched.'),
  launch: count.describe('Launch of it.'),
  clientToken: z.string().describe('Token of RunTask: the same launch asked for twice is one task.'),
  request: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('The frozen RunTask request; dropped once the ARN is known.'),
  launchedAt: time.describe('When the intent was written.'),
  refused: extensible({
    kind: z.enum(refusalKinds).describe('capacity: later again. permanent: this cannot be launched.'),
    reason: message.describe('What ECS said.'),
    at: time.describe('When.'),
  })
    .optional()
    .describe('RunTask started nothing.'),
})
export type Launching = z.infer<typeof launchingSchema>

export const claimSchema = z
  .object({ taskArn: z.string().describe('The task.'), at: time.describe('When it claimed.') })
  .describe('Written by the worker, once: the task that may work for the fence.')
export const progressSchema = z
  .object({
    beat: count.describe('Grows with every heartbeat.'),
    percent: z.number().min(0).max(100).optional().describe('0 to 100.'),
    stage: z.string().max(64).optional().describe('What it is doing.'),
    etaS: z.number().min(0).optional().describe('Seconds that it will probably still take.'),
    at: time.describe('When the worker wrote this.'),
  })
  .describe('Written by the worker, at most every 5 seconds.')
export const reportSchema = z
  .object({
    fence: z.string().describe('uid/attempt/launch that the worker worked for.'),
    outcome: z.enum(['done', 'failed', 'interrupted']).describe('How the work ended.'),
    exitCode: z.number().int().describe('Exit code that follows.'),
    code: z.string().max(64).optional().describe('Error code of the worker, for example INPUT_UNREADABLE.'),
    message: message.optional().describe('A sentence for people.'),
    result: z.record(z.string(), z.unknown()).optional().describe('What the kind returns; small.'),
    at: time.describe('When the worker wrote this.'),
  })
  .describe('Written by the worker as its last act.')
export type Report = z.infer<typeof reportSchema>

const historySchema = extensible({
  at: time.describe('When.'),
  phase: z.enum(phases).describe('Phase from then on.'),
  reason: z.string().max(64).describe('Why, in one word.'),
  message: message.optional().describe('Why, in a sentence.'),
  rule: z
    .string()
    .max(64)
    .optional()
    .describe(
      'What decided how the attempt had ended: cancel, report, ourStop, platform, start, outOfMemory, exitCode, unknown, or a rule of yours, like failurePolicy[2]: ignore.',
    ),
})
export type HistoryEntry = z.infer<typeof historySchema>

/** What a user or intake writes. */
export const submissionSchema = z
  .object({
    jobId: z
      .string()
      .regex(jobIdPattern, {
        error: 'must be 1 to 64 letters, digits, _ and -, starting with a letter or digit',
      })
      .describe('Key of the table.'),
    kind: z
      .string()
      .min(1)
      .max(32)
      .describe(
        'What the job does: transcode, subtitles, audio, analyze, record, torrent, seed, container. It stays what it was at acceptance, until a retry.',
      ),
    createdAt: time.describe('When it was submitted; filled in when absent.'),
    phase: z.literal('Submitted'),
    spec: specSchema,
  })
  .describe('A job as a user puts it into the table.')

/** What the controller adds when it accepts a job, and keeps from then on. */
const controllerAttributes = {
  uid: z.string().describe('Identity of this life of the record.'),
  generation: count.describe('1, and one more for every retry by a user.'),
  revision: count.describe('Grows with every write; every write of the controller is conditional on it.'),
  reason: z.string().max(64).describe('One word: why the job is in this phase.'),
  message: message.optional().describe('One sentence more about the reason.'),
  notBefore: time.optional().describe('Pending: not admitted before this time.'),
  settings: settingsSchema,
  specHash: z.string().describe('Hash of the spec that settings were made from.'),
  launching: launchingSchema.optional().describe('The launch that is under way.'),
  fence: z.string().optional().describe('uid/attempt/launch of the task that may act for the job now.'),
  taskArn: z.string().optional().describe('The task of the current launch.'),
  stopping: extensible({
    reason: z.enum(stopReasons).describe('Why.'),
    at: time.describe('When it was decided.'),
  })
    .optional()
    .describe('The stop intent.'),
  pipeline: pipelineStateSchema.optional(),
  attempts: z
    .array(attemptSchema)
    .max(recordLimits.attemptsKept + 1)
    .describe(`The last ${recordLimits.attemptsKept} attempts.`),
  rollup: extensible({
    count: count.describe('How many.'),
    costUsd: z.number().describe('What they cost.'),
    byClass: z.record(z.string(), count).describe('How they ended.'),
  })
    .optional()
    .describe('Older attempts, added up.'),
  counts: extensible({
    failed: count.describe('Against limits.attempts.'),
    infra: count.describe('Against limits.infrastructureAttempts.'),
  }).describe(
    'Attempts of this generation counted against limits.attempts and limits.infrastructureAttempts.',
  ),
  lastAttempt: count.describe('Highest attempt number ever used.'),
  lastLaunch: count.describe('Highest launch number ever used.'),
  history: z
    .array(historySchema)
    .max(recordLimits.historyKept)
    .describe('The last transitions, oldest first.'),
  result: z.record(z.string(), z.unknown()).optional().describe('What the kind returned.'),
  source: z
    .enum(['deleting', 'deleted', 'replaced', 'notAllowed'])
    .optional()
    .describe(
      'Of a job that deletes its input after success: what became of that. replaced: another object has its key by now, and stays. notAllowed: the controller may not delete it.',
    ),
  costUsd: z
    .number()
    .optional()
    .describe('What all attempts cost together, those that failed included; estimated from FARGATE_PRICES.'),
  acceptedAt: time.describe('When this generation was accepted; the deadline counts from here.'),
  finishedAt: time.optional().describe('When this generation ended.'),
  sequencer: z.string().optional().describe('Order of the S3 event that asked for it.'),
  backlogQueue: z.string().optional().describe('The line it stands in.'),
  rank: z.number().optional().describe('Its place in that line.'),
  queueRank: z.number().describe('Its place in its queue, fixed at acceptance.'),
}

const workerAttributes = {
  claim: claimSchema.optional(),
  progress: progressSchema.optional(),
  report: reportSchema.optional(),
}

/** The whole record, as people read it. Published as JSON Schema. */
export const jobRecordSchema = z
  .object({
    ...submissionSchema.shape,
    phase: z.enum(phases).describe('Where the job stands.'),
    ...z.object(controllerAttributes).partial().shape,
    ...workerAttributes,
    expiresAt: z.number().optional().describe('On tombstones only: when DynamoDB removes it, epoch seconds.'),
  })
  .describe('One job: what is wanted and what is.')

/**
 * A record that the controller has accepted, as the code trusts it. `spec` stays unparsed: users may write anything
 * there at any time, and what counts is `settings`. The same goes for `kind`: an edit of a live record must not change how
 * the end of its task is judged, so what was accepted wins.
 */
export const acceptedJobSchema = z
  .object({
    jobId: z.string(),
    // An unknown kind of any type fails at acceptance with a sentence; the record stays readable.
    kind: z.unknown().transform(String),
    createdAt: z.string(),
    phase: z.enum(phases),
    spec: z.unknown(),
    ...controllerAttributes,
    ...workerAttributes,
    expiresAt: z.number().optional(),
  })
  .transform((job) => ({ ...job, kind: job.settings.kind ?? job.kind }))
export type Job = z.infer<typeof acceptedJobSchema>

/** The attributes that only the controller writes: all of them are reset when a record is accepted as new. */
export const controllerAttributeNames = Object.keys(
  controllerAttributes,
) as (keyof typeof controllerAttributes)[]

/** The attributes that the worker writes, and the controller removes when a launch begins or ends. */
export const workerAttributeNames = ['claim', 'progress', 'report'] as const

export type ControllerAttributes = Pick<Job, keyof typeof controllerAttributes>
