import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { localCredentials } from '../../local/credentials.ts'
import type { Settings } from '../../schemas/spec.ts'
import { startTestAws, type TestAwsOptions } from '../support/local-aws.ts'

export type Workshop = Awaited<ReturnType<typeof openWorkshop>>

export const fence = 'abcdefghij0123456789/1/1'
export const arnOf = (task: string): string => `arn:aws:ecs:us-east-1:000000000000:task/jobs/${task}`

/**
 * Everything a task stands on: the local AWS with its tables and buckets, a metadata endpoint that gives every task its
 * ARN, and a folder to work in. `close` at the end.
 */
export const openWorkshop = async (options: TestAwsOptions = {}) => {
  const aws = await startTestAws(options)
  const folder = await mkdtemp(join(tmpdir(), 'workshop-'))
  const metadata = createServer((request, response) => {
    const task = /^\/v4\/([^/]+)\/task$/.exec(request.url ?? '')?.[1]
    response.statusCode = task === undefined ? 404 : 200
    response.end(JSON.stringify({ TaskARN: arnOf(task ?? '') }))
  })
  await new Promise<void>((resolve) => metadata.listen(0, '127.0.0.1', resolve))
  const { documents, s3 } = aws.clients()
  const { JOBS_TABLE, OUTPUTS_BUCKET, UPLOADS_BUCKET } = aws.configuration

  return {
    aws,
    folder,
    /** A record whose next task may claim; `extra` replaces or adds attributes. */
    putJob: async (jobId: string, settings: Partial<Settings> = {}, extra: Record<string, unknown> = {}) => {
      const item = {
        jobId,
        kind: 'transcode',
        phase: 'Starting',
        createdAt: '2026-11-22T10:00:00Z',
        fence,
        settings: completeSettings(jobId, settings),
        ...extra,
      }
      await documents.send(new PutCommand({ TableName: JOBS_TABLE, Item: item }))
      return item
    },
    record: async (jobId: string): Promise<Record<string, unknown> | undefined> => {
      const { Item } = await documents.send(
        new GetCommand({ TableName: JOBS_TABLE, Key: { jobId }, ConsistentRead: true }),
      )
      return Item
    },
    /** What a controller does when it gives up on a launch: another one may work now. */
    replaceFence: async (jobId: string) => {
      await documents.send(
        new UpdateCommand({
          TableName: JOBS_TABLE,
          Key: { jobId },
          UpdateExpression: 'SET #fence = :next REMOVE claim, progress',
          ExpressionAttributeNames: { '#fence': 'fence' },
          ExpressionAttributeValues: { ':next': fence.replace(/1$/, '2') },
        }),
      )
    },
    upload: async (key: string, content: Buffer) => {
      const { ETag } = await s3.send(
        new PutObjectCommand({ Bucket: UPLOADS_BUCKET, Key: key, Body: content }),
      )
      return { bucket: UPLOADS_BUCKET, key, etag: ETag ?? '' }
    },
    outputs: async (prefix: string): Promise<string[]> => {
      const { Contents = [] } = await s3.send(
        new ListObjectsV2Command({ Bucket: OUTPUTS_BUCKET, Prefix: prefix }),
      )
      return Contents.map(({ Key = '' }) => Key)
    },
    output: async (key: string) => {
      const { Body, ContentType } = await s3.send(new GetObjectCommand({ Bucket: OUTPUTS_BUCKET, Key: key }))
      return { content: Buffer.from((await Body?.transformToByteArray()) ?? []), contentType: ContentType }
    },
    /** What a task finds in its environment, apart from PATH. */
    environmentOf: (jobId: string, task = 'one'): Record<string, string> => ({
      JOB_ID: jobId,
      FENCE: fence,
      JOBS_TABLE,
      OUTPUTS_BUCKET,
      AWS_REGION: aws.configuration.AWS_REGION,
      AWS_ENDPOINT_URL: aws.endpoint,
      AWS_ACCESS_KEY_ID: localCredentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: localCredentials.secretAccessKey,
      ECS_CONTAINER_METADATA_URI_V4: `http://127.0.0.1:${(metadata.address() as AddressInfo).port}/v4/${task}`,
      WORK_DIR: join(folder, 'work', jobId),
    }),
    /** What a task has left in its folder. */
    leftovers: (jobId: string) => readdir(join(folder, 'work', jobId)).catch((): string[] => []),
    close: async () => {
      await aws.close()
      metadata.closeAllConnections()
      await new Promise((resolve) => metadata.close(resolve))
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const completeSettings = (jobId: string, settings: Partial<Settings>): Settings => ({
  output: `results/${jobId}/`,
  params: {},
  queue: 'default',
  priority: 0,
  resources: { cpu: 2048, memory: 4096, capacity: 'on-demand' },
  limits: {
    attempts: 3,
    infrastructureAttempts: 10,
    startTimeout: 600,
    attemptTimeout: 3600,
    deadline: 86_400,
    heartbeatTimeout: 120,
    backoff: { initial: 10, max: 600 },
    maxMemory: 8192,
  },
  failurePolicy: [],
  ttlAfterFinished: 86_400,
  labels: {},
  ...settings,
})
