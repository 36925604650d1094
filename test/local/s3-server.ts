import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { S3Client, type S3ClientConfig, type S3ServiceException } from '@aws-sdk/client-s3'
import { createS3, noFaults } from '../../local/s3/index.ts'

export const ACCESS_KEY_ID = 'AKIDLOCAL'
export const SECRET = 'local-secret'
export const QUEUE_ARN = 'arn:aws:sqs:us-east-1:000000000000:jobs'

/** A message that arrived at a queue: the parsed body and where it went. */
export type Delivered = { queueArn: string; body: string; message: NotificationMessage }

export type NotificationMessage = {
  Event?: string
  Records?: {
    eventName: string
    eventTime: string
    awsRegion: string
    eventVersion: string
    s3: {
      configurationId: string
      bucket: { name: string; arn: string }
      object: { key: string; size?: number; eTag?: string; versionId?: string; sequencer: string }
    }
  }[]
}

export type TestS3 = Awaited<ReturnType<typeof startS3>>

/** The local S3 behind a real HTTP server on an ephemeral port, in a folder of its own unless one is given. */
export async function startS3(options: { dataDir?: string; nowMs?: () => number } = {}) {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 's3-test-')))
  const delivered: Delivered[] = []
  const warnings: string[] = []
  const faults = noFaults()
  const queue = { failures: 0 }
  const s3 = await createS3({
    dataDir,
    region: 'us-east-1',
    nowMs: options.nowMs ?? Date.now,
    secretFor: (accessKeyId) => (accessKeyId === ACCESS_KEY_ID ? SECRET : undefined),
    notify: async (queueArn, body) => {
      if (queueArn.endsWith(':missing')) throw new Error('The specified queue does not exist.')
      if (queue.failures > 0) {
        queue.failures -= 1
        throw new Error('The queue is busy.')
      }
      delivered.push({ queueArn, body, message: JSON.parse(body) as NotificationMessage })
    },
    log: { warn: (_, message) => void warnings.push(message) },
    faults,
  })
  const server = createServer((req, res) => s3.handle(req, res))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const clients: S3Client[] = []

  function connect(config: S3ClientConfig = {}): S3Client {
    const client = new S3Client({
      endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: ACCESS_KEY_ID, secretAccessKey: SECRET },
      // The SDK warns of bodies that are broken or empty on purpose.
      logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
      ...config,
    })
    clients.push(client)
    return client
  }

  async function stop(): Promise<void> {
    for (const client of clients) client.destroy()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await s3.close()
  }

  return {
    dataDir,
    endpoint,
    client: connect(),
    connect,
    delivered,
    warnings,
    faults,
    queue,
    /** Stops, and keeps the folder for a restart. */
    stop,
    async remove() {
      await stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

function ignore(): void {}

/** What a rejected call answered: code, status and message. */
export async function refusal(
  call: Promise<unknown>,
): Promise<{ code: string; status: number; message: string }> {
  const error = await call.then(
    () => undefined,
    (reason: S3ServiceException) => reason,
  )
  if (!error) throw new Error('The call succeeded, a refusal was expected.')
  return { code: error.name, status: error.$metadata?.httpStatusCode ?? 0, message: error.message }
}

/** Waits until `condition` holds, for things that happen in the background. */
export async function eventually(condition: () => boolean, timeoutMs = 5000): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs
  while (!condition()) {
    if (Date.now() > deadlineMs) throw new Error('It did not happen in time.')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
