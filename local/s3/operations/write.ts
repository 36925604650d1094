import { z } from 'zod'
import { type Answer, announce, type Call, type S3, xmlAnswer } from '../call.ts'
import { checksumHeader } from '../checksums.ts'
import { checkKey, readDescription } from '../describe.ts'
import { S3Error } from '../errors.ts'
import { mayConflict } from '../faults.ts'
import type { ObjectDraft } from '../objects.ts'
import { hasDigest, receiveBody, receiveText } from '../receive.ts'
import type { ObjectRecord } from '../records.ts'
import { element, flag, parseXml } from '../xml.ts'
import { refuseVersion } from './read.ts'

export async function putObject(s3: S3, call: Call): Promise<Answer> {
  s3.objects.getBucket(call.bucket)
  checkKey(call.key)
  const description = readDescription(call.headers)
  const { segments, sizeBytes, md5Hex, checksum } = await receiveBody(s3.bodies, call)
  const record = commitObject(s3, call, {
    ...description,
    key: call.key,
    etag: md5Hex,
    sizeBytes,
    segments,
    ...(checksum ? { checksum: { ...checksum, type: 'FULL_OBJECT' } } : {}),
  })
  announce(s3, call, 'ObjectCreated:Put', record)
  return { status: 200, headers: writtenHeaders(record) }
}

/**
 * Makes the draft the object of its key if the request's conditions hold, and takes over the hold on its segments.
 * @throws PreconditionFailed, ConditionalRequestConflict, NoSuchKey, NoSuchBucket
 */
export function commitObject(s3: S3, call: Call, draft: ObjectDraft): ObjectRecord {
  try {
    mayConflict(s3.faults, call.headers.has('if-match') || call.headers.has('if-none-match'))
    return s3.objects.put(call.bucket, draft, call.header)
  } catch (error) {
    s3.bodies.release(draft.segments)
    throw error
  }
}

export function writtenHeaders({
  etag,
  checksum,
}: Pick<ObjectRecord, 'etag' | 'checksum'>): Record<string, string> {
  if (!checksum) return { etag: `"${etag}"` }
  return {
    etag: `"${etag}"`,
    [checksumHeader(checksum.algorithm)]: checksum.value,
    'x-amz-checksum-type': checksum.type,
  }
}

export function deleteObject(s3: S3, call: Call): Answer {
  refuseVersion(call.query)
  const deleted = s3.objects.delete(call.bucket, call.key, call.header('if-match'))
  if (deleted) announceDeletion(s3, call, deleted)
  return { status: 204 }
}

/** Deletes up to 1,000 objects; each one succeeds or fails for itself. */
export async function deleteObjects(s3: S3, call: Call): Promise<Answer> {
  s3.objects.getBucket(call.bucket)
  if (!hasDigest(call.headers)) {
    throw new S3Error(
      'InvalidRequest',
      'Missing required header for this request: Content-MD5 OR x-amz-checksum-*',
    )
  }
  const { Object: entries, Quiet } = parseXml(await receiveText(call), 'Delete', deleteElement)
  const results = entries.map((entry) => deleteEntry(s3, call, entry))
  return xmlAnswer('DeleteResult', {
    Deleted: Quiet ? [] : results.flatMap((result) => result.Deleted ?? []),
    Error: results.flatMap((result) => result.Error ?? []),
  })
}

const deleteElement = element({
  Object: z
    .array(element({ Key: z.string().min(1), VersionId: z.string().optional(), ETag: z.string().optional() }))
    .min(1)
    .max(1000),
  Quiet: flag,
})

function deleteEntry(
  s3: S3,
  call: Call,
  entry: { Key: string; VersionId?: string | undefined; ETag?: string | undefined },
): { Deleted?: object; Error?: object } {
  const { Key, VersionId, ETag } = entry
  try {
    checkKey(Key)
    refuseVersion(new URLSearchParams(VersionId === undefined ? {} : { versionId: VersionId }))
    const deleted = s3.objects.delete(call.bucket, Key, ETag)
    if (deleted) announceDeletion(s3, call, deleted)
    return { Deleted: { Key } }
  } catch (error) {
    if (!(error instanceof S3Error)) throw error
    return { Error: { Key, Code: error.code, Message: error.message } }
  }
}

/** The event of a deletion has neither size nor entity tag. */
function announceDeletion(s3: S3, call: Call, { key, sequencer }: ObjectRecord): void {
  announce(s3, call, 'ObjectRemoved:Delete', { key, sequencer })
}
