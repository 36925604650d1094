import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { ECRClient } from '@aws-sdk/client-ecr'
import { ECSClient } from '@aws-sdk/client-ecs'
import { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import { TranscribeClient } from '@aws-sdk/client-transcribe'
import { DynamoDBDocumentClient, NumberValue } from '@aws-sdk/lib-dynamodb'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import type { Configuration } from '../schemas/configuration.ts'
import { isThrottled } from './run/throttled.ts'

const connectionTimeoutMs = 3000
const requestTimeoutMs = 10_000
// A long poll of SQS is silent for up to 20 s.
const longPollTimeoutMs = 30_000

const timeouts = (requestTimeout: number) =>
  new NodeHttpHandler({ connectionTimeout: connectionTimeoutMs, requestTimeout, throwOnRequestTimeout: true })

/**
 * A number of DynamoDB, which has up to 38 digits. What a JavaScript number cannot hold stays as it is, in a wrapper that
 * is written back the same: users may put such numbers into records, and reading one must never fail.
 */
export function readNumber(text: string): number | NumberValue {
  const value = Number(text)
  const isExact = text.replace(/^-?[0.]*|[eE].*$|\./g, '').length <= 15 || String(value) === text
  return isExact && (!Number.isInteger(value) || Number.isSafeInteger(value)) ? value : NumberValue.from(text)
}

const watched =
  (check: () => void, onThrottled: () => void) =>
  <Request, Answer>(next: (request: Request) => Promise<Answer>) =>
  async (request: Request): Promise<Answer> => {
    check()
    try {
      return await next(request)
    } catch (error) {
      if (isThrottled(error)) onThrottled()
      throw error
    }
  }

/** What somebody may want to do around each request that leaves, those included that the SDK repeats. */
export type Watch = {
  /** Called right before; what it throws ends the call. */
  check?: () => void
  /** The service said: slower. */
  onThrottled?: (service: Service) => void
}

export type Service = 'dynamodb' | 's3' | 'sqs' | 'ecs' | 'ecr' | 'transcribe' | 'logs'

export type Clients = ReturnType<typeof createClients>

/**
 * The AWS clients of one controller. Every call ends: a request that takes too long is an error like any other.
 */
export function createClients(configuration: Configuration, watch: Watch = {}) {
  const common = {
    region: configuration.AWS_REGION,
    ...(configuration.AWS_ENDPOINT_URL ? { endpoint: configuration.AWS_ENDPOINT_URL } : {}),
  }
  const http = timeouts(requestTimeoutMs)
  const dynamoDb = new DynamoDBClient({ ...common, requestHandler: http })
  const s3 = new S3Client({
    ...common,
    requestHandler: http,
    forcePathStyle: configuration.AWS_ENDPOINT_URL !== undefined,
  })
  const sqs = new SQSClient({ ...common, requestHandler: timeouts(longPollTimeoutMs) })
  // One send is one call: retries of the SDK would spend RunTask's bucket unseen, so the launch protocol does its own.
  const ecs = new ECSClient({ ...common, requestHandler: http, maxAttempts: 1 })
  // A launch waits for the answer, and goes on without one.
  const ecr = new ECRClient({ ...common, requestHandler: http, maxAttempts: 2 })
  // Its LimitExceeded is repeated by the SDK as if it were a throttle; whether and when to ask again is ours to say.
  const transcribe = new TranscribeClient({ ...common, requestHandler: http, maxAttempts: 1 })
  const logs = new CloudWatchLogsClient({ ...common, requestHandler: http })
  // After the step that repeats, and therefore once for each request.
  const around = { step: 'finalizeRequest', priority: 'low', name: 'watch' } as const
  const { check = () => undefined, onThrottled = () => undefined } = watch
  const requestsOf = (service: Service) => watched(check, () => onThrottled(service))
  dynamoDb.middlewareStack.add(requestsOf('dynamodb'), around)
  s3.middlewareStack.add(requestsOf('s3'), around)
  sqs.middlewareStack.add(requestsOf('sqs'), around)
  ecs.middlewareStack.add(requestsOf('ecs'), around)
  ecr.middlewareStack.add(requestsOf('ecr'), around)
  transcribe.middlewareStack.add(requestsOf('transcribe'), around)
  logs.middlewareStack.add(requestsOf('logs'), around)
  return {
    dynamo: DynamoDBDocumentClient.from(dynamoDb, {
      marshallOptions: { removeUndefinedValues: true },
      unmarshallOptions: { wrapNumbers: readNumber },
    }),
    s3,
    sqs,
    ecs,
    ecr,
    transcribe,
    logs,
    destroy(): void {
      for (const client of [dynamoDb, s3, sqs, ecs, ecr, transcribe, logs]) client.destroy()
    },
  }
}
