import { createHash } from 'node:crypto'
import { type Bodies, type Segment, slice, totalBytes } from '../bodies.ts'
import { type Answer, announce, type Call, type S3, xmlAnswer } from '../call.ts'
import { type Checksum, type ChecksumAlgorithm, parseAlgorithm, startChecksum } from '../checksums.ts'
import { checkCopySource } from '../conditions.ts'
import { checkKey, readDescription } from '../describe.ts'
import { S3Error } from '../errors.ts'
import { MAX_UPLOAD_BYTES } from '../receive.ts'
import type { Description, ObjectRecord } from '../records.ts'
import { refuseVersion } from './read.ts'
import { commitObject } from './write.ts'

/** A copy shares the bytes of its source; only its entity tag and checksum may have to be computed anew. */
export async function copyObject(s3: S3, call: Call): Promise<Answer> {
  s3.objects.getBucket(call.bucket)
  checkKey(call.key)
  const { bucket, record: source } = copySource(s3, call)
  const description = copiedDescription(call, source)
  refusePointlessCopy(call, bucket, source)
  if (source.sizeBytes > MAX_UPLOAD_BYTES) {
    throw new S3Error(
      'InvalidRequest',
      `The specified copy source is larger than the maximum allowable size for a copy source: ${MAX_UPLOAD_BYTES}`,
    )
  }
  s3.bodies.hold(source.segments)
  const { etag, checksum } = await digestsOfCopy(s3.bodies, source, wantedAlgorithm(call, source)).catch(
    (error) => {
      s3.bodies.release(source.segments)
      throw error
    },
  )
  const record = commitObject(s3, call, {
    ...description,
    key: call.key,
    etag,
    sizeBytes: source.sizeBytes,
    segments: source.segments,
    ...(checksum ? { checksum } : {}),
  })
  announce(s3, call, 'ObjectCreated:Copy', record)
  return xmlAnswer('CopyObjectResult', copyResult(record.etag, record.modifiedMs, record.checksum))
}

/**
 * The object that `x-amz-copy-source` names, as `[/]bucket/key` with the key percent-encoded, if its conditions hold.
 * @throws InvalidArgument, NoSuchBucket, NoSuchKey, PreconditionFailed
 */
export function copySource(s3: S3, call: Call): { bucket: string; record: ObjectRecord } {
  const header = call.header('x-amz-copy-source') ?? ''
  const [path = '', query = ''] = header.split('?', 2)
  const found = /^\/?([^/]+)\/(.+)$/s.exec(decodeSource(path))
  if (header.startsWith('arn:'))
    throw new S3Error('NotImplemented', undefined, { Header: 'x-amz-copy-source' })
  if (!found?.[1] || !found[2]) {
    throw new S3Error(
      'InvalidArgument',
      'Copy Source must mention the source bucket and key: sourcebucket/sourcekey',
      {
        ArgumentName: 'x-amz-copy-source',
        ArgumentValue: header,
      },
    )
  }
  refuseVersion(new URLSearchParams(query))
  const record = s3.objects.get(found[1], found[2])
  checkCopySource(call.header, record)
  return { bucket: found[1], record }
}

/** Reads the segments once, with constant memory. The caller holds them. */
export async function digestSegments(
  bodies: Bodies,
  segments: readonly Segment[],
  algorithm?: ChecksumAlgorithm,
): Promise<{ md5Hex: string; checksumValue?: string }> {
  const md5 = createHash('md5')
  const checksum = algorithm && startChecksum(algorithm)
  for await (const piece of bodies.read(segments, 0, totalBytes(segments) - 1)) {
    md5.update(piece)
    checksum?.update(piece)
  }
  const md5Hex = md5.digest('hex')
  return checksum ? { md5Hex, checksumValue: checksum.digest().toString('base64') } : { md5Hex }
}

/** The segments of `x-amz-copy-source-range`, which must lie inside the source; all of them without one. */
export function copiedSegments(record: ObjectRecord, range: string | undefined): Segment[] {
  if (range === undefined) return [...record.segments]
  const found = /^bytes=(\d+)-(\d+)$/.exec(range)
  const [first, last] = [Number(found?.[1]), Number(found?.[2])]
  if (!found || first > last) {
    throw new S3Error(
      'InvalidArgument',
      'The x-amz-copy-source-range value must be of the form bytes=first-last',
      {
        ArgumentName: 'x-amz-copy-source-range',
        ArgumentValue: range,
      },
    )
  }
  if (last >= record.sizeBytes) {
    throw new S3Error(
      'InvalidArgument',
      `Range specified is not valid for source object of size: ${record.sizeBytes}`,
    )
  }
  return slice(record.segments, first, last)
}

/** The content of the answer to a copy, for an object or a part. */
export function copyResult(
  etag: string,
  modifiedMs: number,
  checksum: (Pick<Checksum, 'algorithm' | 'value'> & { type?: string }) | undefined,
): object {
  return {
    LastModified: new Date(modifiedMs).toISOString(),
    ETag: `"${etag}"`,
    ...(checksum ? { [`Checksum${checksum.algorithm}`]: checksum.value, ChecksumType: checksum.type } : {}),
  }
}

/** Metadata and tags come from the source unless the request replaces them, each by its own directive. */
function copiedDescription(call: Call, source: ObjectRecord): Description {
  const given = readDescription(call.headers)
  const replacesMetadata = isReplaced(call, 'x-amz-metadata-directive')
  return {
    headers: replacesMetadata ? given.headers : source.headers,
    metadata: replacesMetadata ? given.metadata : source.metadata,
    tags: isReplaced(call, 'x-amz-tagging-directive') ? given.tags : source.tags,
    storageClass: given.storageClass,
  }
}

function isReplaced(call: Call, directive: string): boolean {
  const value = call.header(directive) ?? 'COPY'
  if (value === 'COPY' || value === 'REPLACE') return value === 'REPLACE'
  throw new S3Error('InvalidArgument', 'Unknown directive.', {
    ArgumentName: directive,
    ArgumentValue: value,
  })
}

function refusePointlessCopy(call: Call, sourceBucket: string, source: ObjectRecord): void {
  const isSame = sourceBucket === call.bucket && source.key === call.key
  const changes = ['x-amz-metadata-directive', 'x-amz-tagging-directive'].some(
    (name) => call.header(name) === 'REPLACE',
  )
  if (!isSame || changes || call.header('x-amz-storage-class') !== undefined) return
  throw new S3Error(
    'InvalidRequest',
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
  )
}

/** A copy keeps the algorithm of its source unless the request names another. */
function wantedAlgorithm(call: Call, source: ObjectRecord): ChecksumAlgorithm | undefined {
  const name = call.header('x-amz-checksum-algorithm')
  if (name === undefined) return source.checksum?.algorithm
  const algorithm = parseAlgorithm(name)
  if (!algorithm) throw new S3Error('NotImplemented', undefined, { Header: 'x-amz-checksum-algorithm' })
  return algorithm
}

/** A copy is one upload: its entity tag is an MD5 and its checksum covers the object, however the source came. */
async function digestsOfCopy(
  bodies: Bodies,
  source: ObjectRecord,
  algorithm: ChecksumAlgorithm | undefined,
): Promise<{ etag: string; checksum?: Checksum }> {
  const known = source.checksum?.algorithm === algorithm && source.checksum?.type !== 'COMPOSITE'
  if (source.partSizesBytes === undefined && known) {
    return { etag: source.etag, ...(source.checksum ? { checksum: source.checksum } : {}) }
  }
  const { md5Hex, checksumValue } = await digestSegments(bodies, source.segments, algorithm)
  if (algorithm === undefined || checksumValue === undefined) return { etag: md5Hex }
  return { etag: md5Hex, checksum: { algorithm, type: 'FULL_OBJECT', value: checksumValue } }
}

function decodeSource(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    throw new S3Error('InvalidArgument', 'The copy source is not percent-encoded.', {
      ArgumentName: 'x-amz-copy-source',
    })
  }
}
