import type { Bodies } from './bodies.ts'
import type { HeaderReader } from './conditions.ts'
import type { Delivery } from './delivery.ts'
import type { S3Faults } from './faults.ts'
import type { UploadStore } from './multipart.ts'
import type { EventName } from './notifications.ts'
import type { ObjectStore } from './objects.ts'
import type { Authentication } from './sigv4.ts'
import { renderXml } from './xml.ts'

/** One authenticated request, as an operation sees it. */
export type Call = {
  bucket: string
  key: string
  query: URLSearchParams
  /** Names in lower case. A presigned URL may carry `x-amz-…` headers in its query. */
  headers: ReadonlyMap<string, string>
  header: HeaderReader
  authentication: Authentication
  /** The bytes of the wire; to be read at most once. */
  body: () => AsyncIterable<Uint8Array>
  requestId: string
  sourceIp: string
}

export type Answer = {
  status: number
  headers?: Record<string, string>
  body?: string | AsyncIterable<Buffer>
  /** Called once the answer is sent or the client is gone. */
  release?: () => void
}

/** What the operations work with. */
export type S3 = {
  region: string
  nowMs: () => number
  bodies: Bodies
  objects: ObjectStore
  uploads: UploadStore
  delivery: Delivery
  faults: S3Faults
  notify: (queueArn: string, body: string) => Promise<void>
}

/** The account that owns everything here. */
export const OWNER = { ID: 'local'.padEnd(64, '0'), DisplayName: 'local' }

export function xmlAnswer(root: string, content: object): Answer {
  return { status: 200, headers: { 'content-type': 'application/xml' }, body: renderXml(root, content) }
}

/** Sends the event of a finished write to the bucket's queues, in the background. */
export function announce(
  s3: S3,
  call: Call,
  name: EventName,
  object: { key: string; sequencer: string; sizeBytes?: number; etag?: string },
): void {
  const { key, sequencer, sizeBytes, etag } = object
  s3.delivery.announce(s3.objects.getBucket(call.bucket).notifications, {
    name,
    bucket: call.bucket,
    key,
    sequencer,
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    ...(etag === undefined ? {} : { etag }),
    timeMs: s3.nowMs(),
    requestId: call.requestId,
    accessKeyId: call.authentication.accessKeyId,
    sourceIp: call.sourceIp,
  })
}
