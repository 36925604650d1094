import { HeadObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import type { InputSeen } from './accept.ts'

export type S3 = Pick<S3Client, 'send'>

/** What the user said of an object when uploading it. An object that is gone or not to be seen says nothing. */
export async function headMetadata(
  s3: S3,
  { bucket, key }: { bucket: string; key: string },
): Promise<Readonly<Record<string, string>>> {
  try {
    const { Metadata: metadata } = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))
    return metadata ?? {}
  } catch (error) {
    const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
    if (status !== undefined && status >= 400 && status < 500 && status !== 429) return {}
    throw error
  }
}

/**
 * Asks S3 for the etag of an input that was named without one. A refusal is not an answer about the object: the worker,
 * which has other permissions, finds out.
 */
export async function headInput(s3: S3, input: { bucket: string; key: string }): Promise<InputSeen> {
  try {
    const { ETag: etag } = await s3.send(new HeadObjectCommand({ Bucket: input.bucket, Key: input.key }))
    return etag === undefined ? { is: 'unknown' } : { is: 'present', etag: etag.replaceAll('"', '') }
  } catch (error) {
    const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
    if (status === 404) return { is: 'missing' }
    if (status !== undefined && status < 500) return { is: 'unknown' }
    throw error
  }
}
