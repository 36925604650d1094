import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { type Manifest, manifestSchema } from '../../schemas/manifest.ts'
import { type Problem, problemsOf } from '../../schemas/problems.ts'

export type ObjectHead =
  | {
      is: 'present'
      bytes: number
      etag: string | undefined
      versionId: string | undefined
      /** What the user said of it when uploading it, without `x-amz-meta-`. */
      metadata: Readonly<Record<string, string>>
    }
  | { is: 'missing' }

/** What stands where a job publishes its outputs. */
export type ManifestRead =
  | { is: 'present'; manifest: Manifest }
  | { is: 'missing' }
  | { is: 'damaged'; problems: Problem[] }

/** A long video leaves hundreds of pieces behind. */
const deletesAtOnce = 20

/** Objects that are gone already are no error (S3 API reference, DeleteObject). */
export async function deleteObjects(
  s3: Pick<S3Client, 'send'>,
  bucket: string,
  keys: readonly string[],
): Promise<void> {
  for (let from = 0; from < keys.length; from += deletesAtOnce)
    await Promise.all(
      keys
        .slice(from, from + deletesAtOnce)
        .map((key) => s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }))),
    )
}

/** What became of an input that was to be deleted; gone already counts as deleted. */
export type SourceEnd = 'deleted' | 'replaced' | 'notAllowed'

/** Deletes the very object that a job has worked on: another one under its key stays (S3 user guide, conditional deletes). */
export async function deleteSource(
  s3: Pick<S3Client, 'send'>,
  { bucket, key, etag }: { bucket: string; key: string; etag: string },
): Promise<SourceEnd> {
  const IfMatch = `"${etag.replaceAll('"', '')}"`
  try {
    await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: key, IfMatch }))
    return 'deleted'
  } catch (error) {
    if (isMissing(error)) return 'deleted'
    const status = statusOf(error)
    if (status === 403) return 'notAllowed'
    if (status !== 412) throw error
  }
  // The condition does not hold for an object that is gone, either.
  return s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key })).then(
    () => 'replaced' as const,
    (error: unknown) => {
      if (isMissing(error)) return 'deleted' as const
      throw error
    },
  )
}

export type ObjectStore = ReturnType<typeof createObjectStore>

/** The objects in S3 as API and page need them: who they are, and links that work for a while without credentials. */
export function createObjectStore(s3: S3Client) {
  // By default the SDK signs the checksum of the body that it sees into the link. It sees none, so a store that checks it
  // refuses every real file.
  const { region, credentials, endpoint, forcePathStyle } = s3.config
  const signer = new S3Client({
    region,
    credentials,
    ...(endpoint ? { endpoint } : {}),
    forcePathStyle: forcePathStyle ?? false,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })

  return {
    /** A link that takes one PUT of an object. */
    presignPut: (bucket: string, key: string, expiresS: number): Promise<string> =>
      getSignedUrl(signer, new PutObjectCommand({ Bucket: bucket, Key: key }), { expiresIn: expiresS }),

    /** A link to read an object. */
    presignGet: (bucket: string, key: string, expiresS: number): Promise<string> =>
      getSignedUrl(signer, new GetObjectCommand({ Bucket: bucket, Key: key }), { expiresIn: expiresS }),

    async head(bucket: string, key: string): Promise<ObjectHead> {
      try {
        const head = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))
        return {
          is: 'present',
          bytes: head.ContentLength ?? 0,
          etag: head.ETag?.replaceAll('"', ''),
          // What S3 says of objects from before versioning; their events carry no version.
          versionId: head.VersionId === 'null' ? undefined : head.VersionId,
          metadata: head.Metadata ?? {},
        }
      } catch (error) {
        if (isMissing(error)) return { is: 'missing' }
        throw error
      }
    },

    /** The manifest of a job, parsed: what stands in the bucket may have been written by anybody. */
    async manifest(bucket: string, key: string): Promise<ManifestRead> {
      let text: string | undefined
      try {
        const { Body: body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
        text = await body?.transformToString()
      } catch (error) {
        if (isMissing(error)) return { is: 'missing' }
        throw error
      }
      const value = fromJson(text ?? '')
      const parsed = manifestSchema.safeParse(value)
      return parsed.success
        ? { is: 'present', manifest: parsed.data }
        : { is: 'damaged', problems: problemsOf(parsed.error, value) }
    },
  }
}

/** A HEAD has no body that could name the error, so its status has to do. */
const isMissing = (error: unknown): boolean => error instanceof NoSuchKey || statusOf(error) === 404

const statusOf = (error: unknown): number | undefined =>
  (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode

const fromJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
