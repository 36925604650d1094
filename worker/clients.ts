import type { BedrockRuntimeClient, BedrockRuntimeClientConfig } from '@aws-sdk/client-bedrock-runtime'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import type { WorkerEnvironment } from './environment.ts'

type Place = Pick<WorkerEnvironment, 'AWS_REGION' | 'AWS_ENDPOINT_URL'>

/** One try a request: how often to ask again is decided where it is known what for. */
export const openTable = ({ AWS_REGION, AWS_ENDPOINT_URL }: Place): DynamoDBDocumentClient =>
  DynamoDBDocumentClient.from(
    new DynamoDBClient({
      region: AWS_REGION,
      ...(AWS_ENDPOINT_URL === undefined ? {} : { endpoint: AWS_ENDPOINT_URL }),
      maxAttempts: 1,
      requestHandler: { connectionTimeout: 2000, requestTimeout: 4000, throwOnRequestTimeout: true },
    }),
    { marshallOptions: { removeUndefinedValues: true } },
  )

/** Loaded only when a job is ours. @param more for tests: credentials, other numbers */
export const openS3Client = async (
  { AWS_REGION, AWS_ENDPOINT_URL }: Place,
  more: S3ClientConfig = {},
): Promise<S3Client> => {
  const { S3Client } = await import('@aws-sdk/client-s3')
  return new S3Client({
    region: AWS_REGION,
    ...(AWS_ENDPOINT_URL === undefined ? {} : { endpoint: AWS_ENDPOINT_URL, forcePathStyle: true }),
    maxAttempts: 3,
    requestHandler: { connectionTimeout: 5000, requestTimeout: 60_000, throwOnRequestTimeout: true },
    // The length is compared, TLS protects the bytes, and a download that was taken up again half-way has no checksum.
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...more,
  })
}

/** Loaded only when somebody asked for a model. @param more for tests */
export const openModelClient = async (
  { AWS_REGION, AWS_ENDPOINT_URL }: Place,
  more: BedrockRuntimeClientConfig = {},
): Promise<BedrockRuntimeClient> => {
  const [{ BedrockRuntimeClient }, { NodeHttpHandler }] = await Promise.all([
    import('@aws-sdk/client-bedrock-runtime'),
    import('@smithy/node-http-handler'),
  ])
  return new BedrockRuntimeClient({
    region: AWS_REGION,
    ...(AWS_ENDPOINT_URL === undefined ? {} : { endpoint: AWS_ENDPOINT_URL }),
    maxAttempts: 1,
    // By default this client speaks HTTP/2, which needs a connection of its own kind; there is nothing here to gain by it.
    requestHandler: new NodeHttpHandler({ connectionTimeout: 5000 }),
    ...more,
  })
}
