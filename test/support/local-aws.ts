import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { ECSClient } from '@aws-sdk/client-ecs'
import { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import pino, { type Logger } from 'pino'
import { readNumber } from '../../controller/clients.ts'
import { type LocalAwsOptions, startLocalAws } from '../../local/aws.ts'
import { localAccountId, localCredentials } from '../../local/credentials.ts'
import type { Configuration } from '../../schemas/configuration.ts'
import { sentenceOf } from '../../schemas/problems.ts'
import { readConfiguration } from '../../schemas/read-configuration.ts'

export type TestAwsOptions = LocalAwsOptions & {
  /** Settings as a user would write them, on top of those for tests. */
  environment?: Record<string, string>
  /** Kept when it closes, so that another one can go on with it. Absent: a temporary one, removed at the end. */
  dataDir?: string
  /** Silent by default; `pino()` to see what happens. */
  log?: Logger
}

export type TestAws = {
  endpoint: string
  configuration: Configuration
  /** What a process under test needs in its environment to work against this AWS. */
  environment: Record<string, string>
  /** SDK clients for it, made on the first call and destroyed by `close`. */
  clients(): Clients
  queueUrl(name: string): string
  /** The control endpoint of the local ECS: `control('POST', '/faults', { kind: 'throttle' })`. */
  control(method: string, path: string, body?: unknown): Promise<unknown>
  close(): Promise<void>
}

export type Clients = {
  dynamodb: DynamoDBClient
  documents: DynamoDBDocumentClient
  sqs: SQSClient
  s3: S3Client
  ecs: ECSClient
  logs: CloudWatchLogsClient
}

/**
 * A whole local AWS in this process, on a free port, provisioned: tasks start within 30 ms and there is quota for many. The
 * services are the real ones; nothing is replaced.
 */
export const startTestAws = async (options: TestAwsOptions = {}): Promise<TestAws> => {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'local-aws-')))
  const settings = {
    LOCAL_AWS_PORT: '0',
    LOCAL_DATA_DIR: dataDir,
    LOCAL_VCPU_QUOTA: '1000',
    ...options.environment,
  }
  const configuration = configurationFrom(settings)
  const removeData = async () => {
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true })
  }
  const aws = await startLocalAws(configuration, options.log ?? pino({ level: 'silent' }), {
    ...options,
    ecs: { speed: 20, closeGraceMs: 500, ...options.ecs },
  }).catch(async (error: unknown) => {
    await removeData()
    throw error
  })
  let clients: Clients | undefined
  return {
    endpoint: aws.endpoint,
    configuration,
    environment: {
      ...settings,
      AWS_ENDPOINT_URL: aws.endpoint,
      AWS_REGION: configuration.AWS_REGION,
      AWS_ACCESS_KEY_ID: localCredentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: localCredentials.secretAccessKey,
    },
    clients: () => {
      clients ??= makeClients(aws.endpoint, configuration.AWS_REGION)
      return clients
    },
    queueUrl: (name) => `${aws.endpoint}/${localAccountId}/${name}`,
    control: (method, path, body) => control(aws.endpoint, method, path, body),
    close: async () => {
      if (clients) for (const client of Object.values(clients)) client.destroy()
      await aws.close()
      await removeData()
    },
  }
}

const configurationFrom = (settings: Record<string, string>): Configuration => {
  const read = readConfiguration(settings, {})
  if (!read.ok) throw new Error(read.problems.map(sentenceOf).join('; '))
  return read.configuration
}

/** SDK clients as a controller or a user has them, one attempt each so that a refusal is seen at once. */
export const makeClients = (endpoint: string, region = 'us-east-1'): Clients => {
  const settings = { endpoint, region, credentials: localCredentials, maxAttempts: 1 }
  const dynamodb = new DynamoDBClient(settings)
  return {
    dynamodb,
    documents: DynamoDBDocumentClient.from(dynamodb, {
      marshallOptions: { removeUndefinedValues: true },
      unmarshallOptions: { wrapNumbers: readNumber },
    }),
    sqs: new SQSClient(settings),
    s3: new S3Client({ ...settings, forcePathStyle: true }),
    ecs: new ECSClient(settings),
    logs: new CloudWatchLogsClient(settings),
  }
}

const control = async (endpoint: string, method: string, path: string, body: unknown): Promise<unknown> => {
  const response = await fetch(`${endpoint}/_local${path}`, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
  return response.json()
}
