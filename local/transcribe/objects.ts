import { createWriteStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  NotFound,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { Place } from './places.ts'

export type Objects = {
  /** Its size; undefined when there is no such object or it may not be read. */
  bytesOf(place: Place, signal?: AbortSignal): Promise<number | undefined>
  download(place: Place, path: string, signal: AbortSignal): Promise<void>
  put(place: Place, body: string, contentType: string, signal?: AbortSignal): Promise<void>
  /** For the service's own bucket: there from the first time that it is needed. */
  makeBucket(bucket: string): Promise<void>
  /** A link that works for 15 minutes. */
  link(place: Place): Promise<string>
  close(): void
}

/** S3 as the service uses it: by the wire, with the keys of the caller, so that S3 refuses, notifies and counts as ever. */
export function openObjects(options: {
  endpoint: string
  region: string
  credentials: { accessKeyId: string; secretAccessKey: string }
}): Objects {
  const s3 = new S3Client({ ...options, forcePathStyle: true, maxAttempts: 5 })
  const within = (signal?: AbortSignal) => (signal === undefined ? {} : { abortSignal: signal })
  const at = ({ bucket, key }: Place) => ({ Bucket: bucket, Key: key })

  return {
    bytesOf: async (place, signal) => {
      try {
        const { ContentLength = 0 } = await s3.send(new HeadObjectCommand(at(place)), within(signal))
        return ContentLength
      } catch (error) {
        if (error instanceof NotFound || isRefusal(error)) return undefined
        throw error
      }
    },
    download: async (place, path, signal) => {
      const { Body } = await s3.send(new GetObjectCommand(at(place)), within(signal))
      await pipeline(Body as Readable, createWriteStream(path), { signal })
    },
    put: async (place, body, contentType, signal) => {
      // Without a length the SDK warns of an empty body.
      const length = Buffer.byteLength(body)
      const input = { ...at(place), Body: body, ContentLength: length, ContentType: contentType }
      await s3.send(new PutObjectCommand(input), within(signal))
    },
    makeBucket: async (bucket) => {
      await s3.send(new CreateBucketCommand({ Bucket: bucket })).catch((error: unknown) => {
        if (!(error instanceof S3ServiceException && error.name.startsWith('BucketAlready'))) throw error
      })
    },
    link: (place) => getSignedUrl(s3, new GetObjectCommand(at(place)), { expiresIn: 15 * 60 }),
    close: () => s3.destroy(),
  }
}

/** S3 said no, and will say it again; anything else is its own trouble. */
export const isRefusal = (error: unknown): error is S3ServiceException => {
  if (!(error instanceof S3ServiceException)) return false
  const status = error.$metadata.httpStatusCode ?? 0
  return status >= 400 && status < 500
}
