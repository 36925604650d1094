import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { ECSClient } from '@aws-sdk/client-ecs'
import { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient, NumberValue } from '@aws-sdk/lib-dynamodb'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import type { Configuration } from '../schemas/configuration.ts'

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

const checkBefore =
  (check: () => void) =>
  <Request, Answer>(next: (request: Request) => Promise<Answer>) =>
  async (request: Request): Promise<Answer> => {
    check()
    return next(request)
  }

export type Clients = ReturnType<typeof createClients>

/**
 * The AWS clients of one controller. Every call ends: a request that takes too long is an error like any other.
 * @param check called right before every request leaves, those included that the SDK repeats; what it throws ends the call
 */
export function createClients(configuration: Configuration, check: () => void = () => undefined) {
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
  const logs = new CloudWatchLogsClient({ ...common, requestHandler: http })
  // After the step that repeats, and therefore once for each request.
  const before = { step: 'finalizeRequest', priority: 'low', name: 'check' } as const
  const checked = checkBefore(check)
  dynamoDb.middlewareStack.add(checked, before)
  s3.middlewareStack.add(checked, before)
  sqs.middlewareStack.add(checked, before)
  ecs.middlewareStack.add(checked, before)
  logs.middlewareStack.add(checked, before)
  return {
    dynamo: DynamoDBDocumentClient.from(dynamoDb, {
      marshallOptions: { removeUndefinedValues: true },
      unmarshallOptions: { wrapNumbers: readNumber },
    }),
    s3,
    sqs,
    ecs,
    logs,
    destroy(): void {
      for (const client of [dynamoDb, s3, sqs, ecs, logs]) client.destroy()
    },
  }
}
