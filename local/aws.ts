import { join, resolve } from 'node:path'
import type { Logger } from 'pino'
import type { z } from 'zod'
import type { Configuration } from '../schemas/configuration.ts'
import { problemsOf, summaryOf } from '../schemas/problems.ts'
import { CannotStart } from './cannot-start.ts'
import { localAccountId, localCredentials, secretFor } from './credentials.ts'
import { takeDataDirectory } from './data-directory.ts'
import { createDynamoDb } from './dynamodb.ts'
import { createEcr } from './ecr/index.ts'
import { createEcs, ecsSettingsSchema } from './ecs/index.ts'
import { startGateway } from './gateway.ts'
import { createLogs } from './logs.ts'
import { provision } from './provision.ts'
import { createS3, noFaults, type S3Faults } from './s3/index.ts'
import { createSqs } from './sqs.ts'
import { taskEnvironment } from './task-environment.ts'
import { createTranscribe, transcribeSettingsSchema } from './transcribe/index.ts'

export type LocalAws = {
  /** `http://127.0.0.1:<port>`: what SDK and CLI take as their endpoint. */
  endpoint: string
  /** Ends the tasks (SIGTERM, then SIGKILL), then the services. Tables, objects and logs stay; queued messages do not. */
  close(): Promise<void>
}

export type LocalAwsOptions = {
  /** What differs from a fresh account with a fast Fargate, see `ecsSettingsSchema`. */
  ecs?: z.input<typeof ecsSettingsSchema>
  /** What differs from a fresh account with a fast Transcribe, see `transcribeSettingsSchema`. */
  transcribe?: z.input<typeof transcribeSettingsSchema>
  /** The program that recognises words for Transcribe: a line of shell that gets the audio file as its last argument. */
  asrCommand?: string | undefined
  /** What S3 does wrong; may be changed while it runs. */
  s3Faults?: S3Faults
}

/**
 * A whole AWS on loopback, with everything made that the system needs.
 * @throws CannotStart when the port or the data directory is in use
 */
export const startLocalAws = async (
  configuration: Configuration,
  log: Logger,
  options: LocalAwsOptions = {},
): Promise<LocalAws> => {
  const open = (endpoint: string) => openServices(endpoint, configuration, options, log)
  const {
    endpoint,
    services,
    close: closePort,
  } = await startGateway(configuration.LOCAL_AWS_PORT, open, log).catch(explain(configuration))

  const close = async () => {
    // Tasks get a moment to say how far they came, for which they need everything else.
    await Promise.all([services.ecs.close(), services.transcribe.close()])
    await Promise.all([closePort(), services.sqs.close()])
    await services.s3.close()
    await services.dynamodb.close()
    await services.giveBack()
  }
  try {
    await provision(endpoint, configuration)
  } catch (error) {
    await close()
    throw error
  }
  return { endpoint, close }
}

const openServices = async (
  endpoint: string,
  configuration: Configuration,
  { ecs: ecsOptions, transcribe: transcribeOptions = {}, asrCommand, s3Faults = noFaults() }: LocalAwsOptions,
  log: Logger,
) => {
  const ecsSettings = settingsOf('ecs', ecsSettingsSchema, configuration, {
    ...fargateOf(configuration),
    ...ecsOptions,
  })
  const transcribeSettings = settingsOf(
    'transcribe',
    transcribeSettingsSchema,
    configuration,
    transcribeOptions,
  )
  const region = configuration.AWS_REGION
  const dataDir = resolve(configuration.LOCAL_DATA_DIR)
  const giveBack = await takeDataDirectory(dataDir, endpoint)
  const sqs = await createSqs(region)
  const ecs = await createEcs({
    dataDir: join(dataDir, 'ecs'),
    region,
    accountId: localAccountId,
    baseUrl: () => endpoint,
    taskEnvironment: () => taskEnvironment(endpoint, configuration, process.env),
    settings: ecsSettings,
    // The rule that brings task events to the queue stands in the infrastructure on AWS; here it is this line.
    emitEvent: (event) => sqs.send(configuration.TASK_EVENTS_QUEUE, JSON.stringify(event)),
    log: log.child({ service: 'ecs' }),
  })
  const s3 = await createS3({
    dataDir: join(dataDir, 's3'),
    region,
    nowMs: Date.now,
    secretFor,
    notify: sqs.send,
    faults: s3Faults,
    log: log.child({ service: 's3' }),
  })
  const transcribe = await createTranscribe({
    dataDir: join(dataDir, 'transcribe'),
    region,
    accountId: localAccountId,
    endpoint,
    credentials: localCredentials,
    asrCommand: asrCommand ?? configuration.LOCAL_ASR_COMMAND,
    // A recogniser is a program of the user, with needs of its own.
    environment: process.env,
    ffmpegPath: configuration.FFMPEG_PATH,
    ffprobePath: configuration.FFPROBE_PATH,
    settings: transcribeSettings,
    emitEvent: (event) => sqs.send(configuration.TASK_EVENTS_QUEUE, JSON.stringify(event)),
    log: log.child({ service: 'transcribe' }),
  })
  return {
    dynamodb: createDynamoDb(join(dataDir, 'dynamodb')),
    sqs,
    s3,
    ecs,
    ecr: await createEcr({
      dataDir: join(dataDir, 'ecr'),
      region,
      accountId: localAccountId,
      nowMs: Date.now,
      log: log.child({ service: 'ecr' }),
    }),
    transcribe,
    logs: createLogs(
      join(dataDir, 'ecs', 'logs'),
      (group) => `arn:aws:logs:${region}:${localAccountId}:log-group:${group}`,
    ),
    giveBack,
  }
}

/**
 * The settings of one service, with the faults of LOCAL_FAULTS that are its own: those that name it, and for ECS those that
 * name none.
 * @throws CannotStart when LOCAL_FAULTS names a fault or a service that there is not
 */
const settingsOf = <Schema extends z.ZodType>(
  service: 'ecs' | 'transcribe',
  schema: Schema,
  { LOCAL_FAULTS }: Configuration,
  settings: object,
): z.infer<Schema> => {
  const named = LOCAL_FAULTS.map((fault, position) => ({ service: 'ecs', ...fault, position }))
  const stranger = named.find((fault) => fault.service !== 'ecs' && fault.service !== 'transcribe')
  if (stranger !== undefined)
    throw new CannotStart(
      `LOCAL_FAULTS[${stranger.position}].service is ${JSON.stringify(stranger.service)}: must be ecs or transcribe`,
    )
  const own = named.filter((fault) => fault.service === service)
  const wanted = { faults: own.map(({ position }) => LOCAL_FAULTS[position]), ...settings }
  const parsed = schema.safeParse(wanted)
  if (parsed.success) return parsed.data
  throw new CannotStart(
    summaryOf(problemsOf(parsed.error, wanted)).replaceAll(
      /faults\[(\d+)\]/g,
      (_, index: string) => `LOCAL_FAULTS[${own[Number(index)]?.position}]`,
    ),
  )
}

/** Start-up times of Fargate scaled to what the configuration says: from RunTask to RUNNING. */
const fargateOf = ({ LOCAL_START_S, LOCAL_VCPU_QUOTA }: Configuration) => ({
  timeline: {
    provisioningMs: LOCAL_START_S * 400,
    pendingMs: LOCAL_START_S * 200,
    pullMs: LOCAL_START_S * 250,
    activatingMs: LOCAL_START_S * 150,
  },
  vcpuQuota: { onDemand: LOCAL_VCPU_QUOTA, spot: LOCAL_VCPU_QUOTA },
})

const explain =
  ({ LOCAL_AWS_PORT }: Configuration) =>
  (error: unknown): never => {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EADDRINUSE')
      throw new CannotStart(
        `Port ${LOCAL_AWS_PORT} is in use, maybe by another local AWS. Stop that one, or set LOCAL_AWS_PORT to another port (0: any free one).`,
      )
    if (code === 'EACCES') throw new CannotStart(`Port ${LOCAL_AWS_PORT} is not allowed: set LOCAL_AWS_PORT.`)
    throw error
  }
