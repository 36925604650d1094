import { join, resolve } from 'node:path'
import type { Logger } from 'pino'
import type { z } from 'zod'
import type { Configuration } from '../schemas/configuration.ts'
import { problemsOf, summaryOf } from '../schemas/problems.ts'
import { CannotStart } from './cannot-start.ts'
import { localAccountId, secretFor } from './credentials.ts'
import { takeDataDirectory } from './data-directory.ts'
import { createDynamoDb } from './dynamodb.ts'
import { createEcs, ecsSettingsSchema } from './ecs/index.ts'
import { startGateway } from './gateway.ts'
import { createLogs } from './logs.ts'
import { provision } from './provision.ts'
import { createS3, noFaults, type S3Faults } from './s3/index.ts'
import { createSqs } from './sqs.ts'
import { taskEnvironment } from './task-environment.ts'

export type LocalAws = {
  /** `http://127.0.0.1:<port>`: what SDK and CLI take as their endpoint. */
  endpoint: string
  /** Ends the tasks (SIGTERM, then SIGKILL), then the services. Tables, objects and logs stay; queued messages do not. */
  close(): Promise<void>
}

export type LocalAwsOptions = {
  /** What differs from a fresh account with a fast Fargate, see `ecsSettingsSchema`. */
  ecs?: z.input<typeof ecsSettingsSchema>
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
    await services.ecs.close()
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
  { ecs: ecsSettings, s3Faults = noFaults() }: LocalAwsOptions,
  log: Logger,
) => {
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
    settings: parseEcsSettings({ ...ecsSettingsOf(configuration), ...ecsSettings }),
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
  return {
    dynamodb: createDynamoDb(join(dataDir, 'dynamodb')),
    sqs,
    s3,
    ecs,
    logs: createLogs(
      join(dataDir, 'ecs', 'logs'),
      (group) => `arn:aws:logs:${region}:${localAccountId}:log-group:${group}`,
    ),
    giveBack,
  }
}

/** @throws CannotStart when LOCAL_FAULTS names a fault that there is not */
const parseEcsSettings = (settings: unknown) => {
  const parsed = ecsSettingsSchema.safeParse(settings)
  if (parsed.success) return parsed.data
  throw new CannotStart(summaryOf(problemsOf(parsed.error, settings)).replaceAll('faults[', 'LOCAL_FAULTS['))
}

/** Start-up times of Fargate scaled to what the configuration says: from RunTask to RUNNING. */
const ecsSettingsOf = ({ LOCAL_START_S, LOCAL_VCPU_QUOTA, LOCAL_FAULTS }: Configuration) => ({
  faults: LOCAL_FAULTS,
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
