import { z } from 'zod'
import { isUploadKind, uploadKinds } from './kinds/index.ts'
import { installationPattern, queueNamePattern } from './limits.ts'
import { defaultPrices, fargatePricesSchema } from './prices.ts'
import { privateSourcesText } from './private-sources.ts'
import { resourceNames, workerContainer } from './resources.ts'
import { triggersSchema } from './triggers.ts'

const names = resourceNames()

const port = (preset: number) =>
  z.coerce.number({ error: 'must be a port number' }).int().min(0).max(65_535).default(preset)
const number = (min: number, max: number, preset: number) =>
  z.coerce
    .number({ error: `must be a number from ${min} to ${max}` })
    .min(min, { error: `must be at least ${min}` })
    .max(max, { error: `must be at most ${max}` })
    .default(preset)
const list = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  )
const token = z.string().min(16, { error: 'must have at least 16 characters' }).optional()

const queueLimits = z.record(
  z.string().regex(queueNamePattern),
  z.strictObject({ maxRunning: z.number().int().min(0).optional(), maxVcpu: z.number().min(0).optional() }),
)

const json = <T extends z.ZodType>(schema: T) =>
  z
    .string()
    .transform((text, context) => {
      try {
        return JSON.parse(text) as unknown
      } catch {
        context.addIssue({ code: 'custom', message: 'must be JSON' })
        return z.NEVER
      }
    })
    .pipe(schema)

/** What every process may read. */
const shared = {
  AWS_REGION: z.string().min(1).default('us-east-1').describe('Region of everything.'),
  AWS_ENDPOINT_URL: z
    .url()
    .optional()
    .describe('Where AWS is. Empty on AWS; `npm start` points it at the local AWS.'),
  INSTALLATION: z
    .string()
    .regex(installationPattern, { error: 'must be 1 to 16 lower-case letters, digits and -' })
    .default('local')
    .describe('Name of this installation. Tasks that another installation started are never touched.'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('How much is logged.'),
  LOG_FORMAT: z
    .enum(['auto', 'json', 'pretty'])
    .default('auto')
    .describe('auto: pretty on a terminal, else JSON lines.'),
  JOBS_TABLE: z.string().min(1).default(names.jobsTable).describe('Table of the job records.'),
  CONTROL_TABLE: z
    .string()
    .min(1)
    .default(names.controlTable)
    .describe('Table of the controller’s own items.'),
  JOBS_QUEUE: z
    .string()
    .min(1)
    .default(names.jobsQueue)
    .describe('Queue of job requests and S3 notifications.'),
  JOBS_DLQ: z
    .string()
    .min(1)
    .default(names.jobsDlq)
    .describe('Queue for messages that nobody can read, each with its reason.'),
  TASK_EVENTS_QUEUE: z
    .string()
    .min(1)
    .default(names.taskEventsQueue)
    .describe('Queue of task state changes and wake-ups.'),
  UPLOADS_BUCKET: z.string().min(1).default(names.uploadsBucket).describe('Bucket that users upload to.'),
  OUTPUTS_BUCKET: z.string().min(1).default(names.outputsBucket).describe('Bucket that results go to.'),
  CLUSTER: z.string().min(1).default(names.cluster).describe('ECS cluster.'),
  WORKER_TASK_DEFINITION: z
    .string()
    .min(1)
    .default(names.workerFamily)
    .describe('Task definition family of the worker.'),
  INTERNET_TASK_DEFINITION: z
    .string()
    .min(1)
    .default(names.internetFamily)
    .describe('Task definition family of the worker for kinds that need the internet.'),
  SEEDING_TASK_DEFINITION: z
    .string()
    .min(1)
    .default(names.seedingFamily)
    .describe('Task definition family of the worker that seeds torrents.'),
  SEEDING_PORT: z.coerce
    .number({ error: 'must be a port number' })
    .int({ error: 'must be a port number' })
    .min(0)
    .max(65_535)
    .optional()
    .describe(
      'Port that peers reach tasks of kind seed by. Absent: there are none. 0, only on one machine: any free one.',
    ),
  PRIVATE_SOURCES: privateSourcesText.describe(
    'Addresses that are not public, and that jobs may be given as sources all the same: 10.1.0.0/16, 127.0.0.1:8080, [fd12::]/32, separated by commas. Never link-local ones, where credentials are handed out.',
  ),
  WORKER_CONTAINER: z.string().min(1).default(workerContainer).describe('Container of the worker in it.'),
  LOG_GROUP: z.string().min(1).default(names.logGroup).describe('CloudWatch log group of the tasks.'),
}

const controller = {
  HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address that status and API listen on. Anything but loopback needs API_TOKEN.'),
  PORT: port(8080).describe('Port of status and API. 0: any free one.'),
  BEHIND_LOAD_BALANCER: z
    .enum(['on', 'off'], { error: 'must be on or off' })
    .default('off')
    .describe(
      'on: calls come by a load balancer in the same network. Who calls is then what it says (X-Forwarded-For), so that each caller has a rate limit of its own.',
    ),
  API_TOKEN: token.describe('Bearer token for everything. At least 16 characters.'),
  API_READ_TOKEN: token.describe('Bearer token for reading only. At least 16 characters.'),
  MAX_RUNNING: number(0, 100_000, 100).describe('Tasks at one time, all queues together.'),
  MAX_VCPU: number(0, 100_000, 6).describe(
    'vCPUs at one time, all queues together. The default is the Fargate quota of a new account.',
  ),
  QUEUES: json(queueLimits)
    .default({})
    .describe('Limits of single queues as JSON: {"batch": {"maxRunning": 2, "maxVcpu": 4}}.'),
  DEFAULT_KIND: z
    .string()
    .refine((name) => name === 'none' || isUploadKind(name), {
      error: `must be none or one of: ${uploadKinds.join(', ')}`,
    })
    .default('transcode')
    .describe('Kind of an upload whose first folder names none. none: such uploads are ignored.'),
  UPLOAD_TRIGGERS: json(triggersSchema)
    .default([])
    .describe(
      'Rules for uploads as JSON; the first that fits decides: [{"prefix": "talks/", "suffix": ".mp4", "minBytes": 1, "jobs": [{"kind": "transcode"}, {"kind": "subtitles", "params": {"language": "en-US"}}]}].',
    ),
  SUBNETS: list.describe('Subnets of the tasks, separated by commas.'),
  SECURITY_GROUPS: list.describe('Security groups of the tasks, separated by commas.'),
  ASSIGN_PUBLIC_IP: z
    .enum(['ENABLED', 'DISABLED'])
    .default('DISABLED')
    .describe('Whether tasks get a public address.'),
  INTERNET_SUBNETS: list.describe('Subnets of tasks that need the internet. Empty: SUBNETS.'),
  INTERNET_SECURITY_GROUPS: list.describe(
    'Security groups of tasks that need the internet. Empty: SECURITY_GROUPS.',
  ),
  INTERNET_ASSIGN_PUBLIC_IP: z
    .enum(['ENABLED', 'DISABLED'])
    .optional()
    .describe('Whether tasks that need the internet get a public address. Empty: ASSIGN_PUBLIC_IP.'),
  SEEDING_SUBNETS: list.describe('Subnets of tasks that seed. Empty: INTERNET_SUBNETS.'),
  SEEDING_SECURITY_GROUPS: list.describe(
    'Security groups of tasks that seed, where SEEDING_PORT is open. Empty: INTERNET_SECURITY_GROUPS.',
  ),
  SEEDING_ASSIGN_PUBLIC_IP: z
    .enum(['ENABLED', 'DISABLED'])
    .optional()
    .describe('Whether tasks that seed get a public address. Empty: INTERNET_ASSIGN_PUBLIC_IP.'),
  FARGATE_PRICES: json(fargatePricesSchema)
    .default(defaultPrices)
    .describe(
      'What Fargate costs in US dollars, as JSON; what is left out stays. The default is us-east-1, Spot estimated at 0.3 of On-Demand.',
    ),
  POLL_S: number(0.2, 300, 15).describe(
    'Seconds between two looks at all live tasks (more when there are very many).',
  ),
  RESYNC_S: number(1, 3600, 60).describe(
    'Seconds after which the record of a live job is read again even if nothing happened.',
  ),
  VISIBILITY_GRACE_S: number(1, 3600, 360).describe(
    'Seconds a task may be missing from DescribeTasks before it counts as lost.',
  ),
  LEASE_S: number(1, 300, 10).describe(
    'Seconds without a sign of the leader after which another controller leads. The same for all of them.',
  ),
  SWEEP_CRON: z
    .string()
    .min(1)
    .default('*/5 * * * *')
    .describe('When tasks and jobs are compared in full. Cron expression.'),
  SCAN_CRON: z
    .string()
    .min(1)
    .default('17 3 * * *')
    .describe('When every record is read once: reaping and healing. Cron expression.'),
  EVENTBRIDGE_KEYS: z
    .enum(['plain', 'encoded'])
    .default('plain')
    .describe(
      'How object keys stand in S3 events that come by EventBridge; encoded: like in S3 notifications.',
    ),
  TRANSCRIBE_ROLE_ARN: z
    .string()
    .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/\S+$/, { error: 'must be the ARN of an IAM role' })
    .optional()
    .describe(
      'Role in which Amazon Transcribe reads audio and writes transcripts. Without it, it does so in the role of the controller, and refuses jobs above its quota instead of queueing them.',
    ),
  EMF_METRICS: z
    .enum(['off', 'on'])
    .default('off')
    .describe('on: metrics for CloudWatch stand in the log, one line a minute (embedded metric format).'),
  PRESIGN_S: number(60, 604_800, 3600).describe('Seconds that presigned links work.'),
}

const local = {
  LOCAL_AWS_PORT: port(4566).describe('Port of the local AWS. 0: any free one.'),
  LOCAL_DATA_DIR: z
    .string()
    .min(1)
    .default('.local/')
    .describe('Where the local AWS keeps tables, objects, tasks and logs.'),
  LOCAL_VCPU_QUOTA: number(0, 100_000, 6).describe(
    'vCPU quota of the local Fargate, On-Demand and Spot each.',
  ),
  LOCAL_START_S: number(0, 600, 0.6).describe(
    'Seconds from RunTask to RUNNING on the local Fargate. On AWS: 25 to 90.',
  ),
  LOCAL_FAULTS: json(z.array(z.record(z.string(), z.unknown())))
    .default([])
    .describe(
      'What the local ECS and Transcribe do wrong from the start, as a JSON list of faults: [{"kind": "capacity"}, {"service": "transcribe", "kind": "dropEvent"}].',
    ),
  LOCAL_ASR_COMMAND: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Program that recognises words for the local Transcribe: a line of shell that gets an audio file as its last argument and prints words as JSON. Absent: it only finds out where somebody speaks, and says so.',
    ),
  FFMPEG_PATH: z
    .string()
    .min(1)
    .optional()
    .describe('The ffmpeg that local tasks use. Absent: PATH, then the npm package.'),
  FFPROBE_PATH: z
    .string()
    .min(1)
    .optional()
    .describe('The ffprobe that local tasks use. Absent: PATH, then the npm package.'),
}

export const configurationGroups = { shared, controller, local } as const

export const configurationSchema = z.object({ ...shared, ...controller, ...local })

export type Configuration = z.infer<typeof configurationSchema>

export const configurationNames = Object.keys(configurationSchema.shape)
