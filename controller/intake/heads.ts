import { HeadObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import type { InputSeen, InputToCheck } from './accept.ts'

export type S3 = Pick<S3Client, 'send'>

/** What an upload says of itself. */
export type UploadHead = {
  /** What the user said of it when uploading it, without `x-amz-meta-`. */
  metadata: Readonly<Record<string, string>>
  bytes?: number
}

/**
 * Asks S3 about an upload. Only an object that is gone says nothing. The controller may list both buckets, so S3 tells it of
 * such a one by 404: every other refusal (400 for credentials that have expired, 403 while a role is not known everywhere) is
 * most likely about us and not about the object, so it is thrown, and `isRefusal` of what is thrown.
 */
export async function headUpload(
  s3: S3,
  { bucket, key }: { bucket: string; key: string },
): Promise<UploadHead> {
  try {
    const { Metadata: metadata = {}, ContentLength: bytes } = await s3.send(
      new HeadObjectCommand({ Bucket: bucket, Key: key }),
    )
    return { metadata, ...(bytes === undefined ? {} : { bytes }) }
  } catch (error) {
    if (statusOf(error) === 404) return { metadata: {} }
    throw error
  }
}

/**
 * Asks S3 for etag and size of an input. A refusal is not an answer about the object: the worker, which has other
 * permissions, finds out. Neither is what is said of another object than the one that was named; the controller may not
 * read older versions, so it asks for the newest and looks whether it is the one.
 */
export async function headInput(s3: S3, input: InputToCheck): Promise<InputSeen> {
  const { bucket, key, etag: namedEtag, versionId } = input
  try {
    const head = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))
    const etag = head.ETag?.replaceAll('"', '')
    const isAnother =
      (namedEtag !== undefined && namedEtag.replaceAll('"', '') !== etag) ||
      (versionId !== undefined && versionId !== head.VersionId)
    if (etag === undefined || isAnother) return { is: 'unknown' }
    const { ContentLength: bytes } = head
    return { is: 'present', etag, ...(bytes === undefined ? {} : { bytes }) }
  } catch (error) {
    const status = statusOf(error)
    if (status === 404 && namedEtag === undefined && versionId === undefined) return { is: 'missing' }
    if (status !== undefined && status < 500) return { is: 'unknown' }
    throw error
  }
}

/** An answer of S3 that another try may not change: the object may be encrypted with a key of its user's, or somebody else's. */
export const isRefusal = (error: unknown): boolean => [400, 401, 403].includes(statusOf(error) ?? 0)

const statusOf = (error: unknown): number | undefined =>
  (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
