import { createHash } from 'node:crypto'
import type {
  DeleteObjectCommandInput,
  GetObjectCommandInput,
  HeadObjectCommandInput,
  PutObjectCommandInput,
} from '@aws-sdk/client-s3'
import { resourceNames } from '../../../schemas/resources.ts'
import { handler, serviceOf } from './command.ts'
import { ModelGap, noBucket, noKey, notFound, preconditionFailed } from './errors.ts'
import type { ModelPorts, S3Model } from './ports.ts'

type StoredObject = { text: string; etag: string; modifiedMs: number }

/** The same text under the same key is the same bytes: another sequencer, and the same etag. */
export type SimulatedS3 = S3Model & {
  put(bucket: string, key: string, text?: string): { etag: string; sequencer: string }
  /** Every key of a bucket as it is now. */
  keys(bucket: string): Iterable<string>
}

/** Buckets of small texts. @param buckets those that exist */
export function createS3Model(
  { time }: ModelPorts,
  buckets: readonly string[] = [resourceNames().uploadsBucket, resourceNames().outputsBucket],
): SimulatedS3 {
  const objects = new Map(buckets.map((bucket) => [bucket, new Map<string, StoredObject>()]))
  let written = 0
  let lastOrder = 0

  const bucketNamed = (name: string | undefined): Map<string, StoredObject> => {
    const bucket = objects.get(name ?? '')
    if (bucket === undefined) throw noBucket()
    return bucket
  }
  const put = (bucket: string, key: string, text?: string): { etag: string; sequencer: string } => {
    written += 1
    const body = text ?? `body ${written} of ${bucket}/${key}`
    const etag = createHash('md5').update(body).digest('hex')
    bucketNamed(bucket).set(key, { text: body, etag, modifiedMs: time.nowMs() })
    lastOrder = Math.max(lastOrder + 1, time.nowMs() * putsPerMs)
    return { etag, sequencer: sequencerOf(lastOrder) }
  }
  const head = ({ etag, text, modifiedMs }: StoredObject) => ({
    ETag: `"${etag}"`,
    ContentLength: Buffer.byteLength(text),
    LastModified: new Date(modifiedMs),
  })

  return {
    ...serviceOf('S3', {
      HeadObjectCommand: handler(
        ['Bucket', 'Key'],
        ({ Bucket: bucket, Key: key = '' }: HeadObjectCommandInput) => {
          const object = objects.get(bucket ?? '')?.get(key)
          if (object === undefined) throw notFound()
          return head(object)
        },
      ),
      GetObjectCommand: handler(
        ['Bucket', 'Key'],
        ({ Bucket: bucket, Key: key = '' }: GetObjectCommandInput) => {
          const object = bucketNamed(bucket).get(key)
          if (object === undefined) throw noKey()
          return { ...head(object), Body: { transformToString: () => Promise.resolve(object.text) } }
        },
      ),
      DeleteObjectCommand: handler(
        ['Bucket', 'Key', 'IfMatch'],
        ({ Bucket: bucket, Key: key = '', IfMatch: match }: DeleteObjectCommandInput) => {
          const object = bucketNamed(bucket).get(key)
          if (match !== undefined && match !== `"${object?.etag}"`) throw preconditionFailed()
          bucketNamed(bucket).delete(key)
          return {}
        },
      ),
      PutObjectCommand: handler(
        ['Bucket', 'Key', 'Body', 'ContentType'],
        ({ Bucket: bucket = '', Key: key = '', Body: body = '' }: PutObjectCommandInput) => {
          if (typeof body !== 'string') throw new ModelGap('The model of S3 keeps texts only')
          return { ETag: `"${put(bucket, key, body).etag}"` }
        },
      ),
    }),
    put,
    keys: (bucket) => bucketNamed(bucket).keys(),
    delete(bucket, key) {
      bucketNamed(bucket).delete(key)
    },
  }
}

const putsPerMs = 4096

/**
 * Hexadecimal and growing, once the shorter of two is filled up with zeros on the right; so zeros at the end may be left
 * out, and here they are (S3 user guide, event message structure).
 */
const sequencerOf = (order: number): string =>
  `00${order.toString(16).toUpperCase().padStart(14, '0')}`.replace(/(00)+$/, '')
