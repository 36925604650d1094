import { type Answer, type Call, OWNER, type S3, xmlAnswer } from '../call.ts'
import {
  type ChecksumAlgorithm,
  type ChecksumType,
  checksumHeader,
  defaultMultipartType,
  parseAlgorithm,
  supportsType,
} from '../checksums.ts'
import { checkKey, readDescription } from '../describe.ts'
import { S3Error } from '../errors.ts'
import { compareKeys } from '../list.ts'
import type { Upload } from '../multipart.ts'
import { receiveBody } from '../receive.ts'
import type { PartRecord } from '../records.ts'
import { copiedSegments, copyResult, copySource, digestSegments } from './copy.ts'
import { pageSize, urlEncoder } from './list.ts'

export function createMultipartUpload(s3: S3, call: Call): Answer {
  s3.objects.getBucket(call.bucket)
  checkKey(call.key)
  const checksum = uploadChecksum(call)
  const upload = s3.uploads.create({
    ...readDescription(call.headers),
    bucket: call.bucket,
    key: call.key,
    ...(checksum ? { checksum } : {}),
  })
  const answer = xmlAnswer('InitiateMultipartUploadResult', {
    Bucket: call.bucket,
    Key: call.key,
    UploadId: upload.uploadId,
  })
  if (!checksum) return answer
  return {
    ...answer,
    headers: {
      ...answer.headers,
      'x-amz-checksum-algorithm': checksum.algorithm,
      'x-amz-checksum-type': checksum.type,
    },
  }
}

export async function uploadPart(s3: S3, call: Call): Promise<Answer> {
  const upload = uploadOf(s3, call)
  const partNumber = partNumberOf(call)
  const { segments, sizeBytes, md5Hex, checksum } = await receiveBody(
    s3.bodies,
    call,
    upload.record.checksum?.algorithm,
  )
  const part = commitPart(s3, upload, {
    partNumber,
    etag: md5Hex,
    sizeBytes,
    segments,
    ...(checksum ? { checksum } : {}),
  })
  return {
    status: 200,
    headers: {
      etag: `"${part.etag}"`,
      ...(part.checksum ? { [checksumHeader(part.checksum.algorithm)]: part.checksum.value } : {}),
    },
  }
}

export async function uploadPartCopy(s3: S3, call: Call): Promise<Answer> {
  const upload = uploadOf(s3, call)
  const partNumber = partNumberOf(call)
  const { record: source } = copySource(s3, call)
  const segments = copiedSegments(source, call.header('x-amz-copy-source-range'))
  const algorithm = upload.record.checksum?.algorithm
  s3.bodies.hold(segments)
  const { md5Hex, checksumValue } = await digestSegments(s3.bodies, segments, algorithm).catch((error) => {
    s3.bodies.release(segments)
    throw error
  })
  const part = commitPart(s3, upload, {
    partNumber,
    etag: md5Hex,
    sizeBytes: segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    segments,
    ...(algorithm && checksumValue ? { checksum: { algorithm, value: checksumValue } } : {}),
  })
  return xmlAnswer('CopyPartResult', copyResult(part.etag, part.modifiedMs, part.checksum))
}

export function abortMultipartUpload(s3: S3, call: Call): Answer {
  s3.uploads.remove(uploadOf(s3, call))
  return { status: 204 }
}

export function listParts(s3: S3, call: Call): Answer {
  const { record, parts } = uploadOf(s3, call)
  const limit = pageSize(call.query, 'max-parts')
  const after = Number(call.query.get('part-number-marker') ?? 0)
  const rest = [...parts.values()]
    .filter(({ partNumber }) => partNumber > after)
    .sort((a, b) => a.partNumber - b.partNumber)
  const page = rest.slice(0, limit)
  return xmlAnswer('ListPartsResult', {
    Bucket: record.bucket,
    Key: record.key,
    UploadId: record.uploadId,
    Initiator: OWNER,
    Owner: OWNER,
    StorageClass: record.storageClass,
    PartNumberMarker: after,
    NextPartNumberMarker: page.at(-1)?.partNumber ?? 0,
    MaxParts: limit,
    IsTruncated: rest.length > page.length,
    ChecksumAlgorithm: record.checksum?.algorithm,
    ChecksumType: record.checksum?.type,
    Part: page.map((part) => ({
      PartNumber: part.partNumber,
      LastModified: new Date(part.modifiedMs).toISOString(),
      ETag: `"${part.etag}"`,
      Size: part.sizeBytes,
      ...(part.checksum ? { [`Checksum${part.checksum.algorithm}`]: part.checksum.value } : {}),
    })),
  })
}

export function listMultipartUploads(s3: S3, call: Call): Answer {
  s3.objects.getBucket(call.bucket)
  const { query } = call
  if (query.has('delimiter'))
    throw new S3Error('NotImplemented', 'A delimiter in ListMultipartUploads is not implemented.')
  const encode = urlEncoder(query)
  const limit = pageSize(query, 'max-uploads')
  const prefix = query.get('prefix') ?? ''
  const keyMarker = query.get('key-marker') ?? ''
  const idMarker = query.get('upload-id-marker') ?? ''
  const all = s3.uploads.list(call.bucket).filter(({ key }) => key.startsWith(prefix))
  const marked = all.findIndex(({ key, uploadId }) => key === keyMarker && uploadId === idMarker)
  const rest =
    marked === -1 ? all.filter(({ key }) => compareKeys(key, keyMarker) > 0) : all.slice(marked + 1)
  const page = rest.slice(0, limit)
  const last = page.at(-1)
  return xmlAnswer('ListMultipartUploadsResult', {
    Bucket: call.bucket,
    KeyMarker: encode(keyMarker),
    UploadIdMarker: idMarker,
    NextKeyMarker: encode(last?.key ?? ''),
    NextUploadIdMarker: last?.uploadId ?? '',
    Prefix: encode(prefix),
    EncodingType: query.get('encoding-type') ?? undefined,
    MaxUploads: limit,
    IsTruncated: rest.length > page.length,
    Upload: page.map((upload) => ({
      Key: encode(upload.key),
      UploadId: upload.uploadId,
      Initiator: OWNER,
      Owner: OWNER,
      StorageClass: upload.storageClass,
      Initiated: new Date(upload.initiatedMs).toISOString(),
      ChecksumAlgorithm: upload.checksum?.algorithm,
      ChecksumType: upload.checksum?.type,
    })),
  })
}

/** @throws NoSuchBucket, NoSuchUpload */
export function uploadOf(s3: S3, call: Call): Upload {
  s3.objects.getBucket(call.bucket)
  return s3.uploads.get(call.bucket, call.key, call.query.get('uploadId') ?? '')
}

function commitPart(s3: S3, upload: Upload, part: Omit<PartRecord, 'modifiedMs'>): PartRecord {
  try {
    return s3.uploads.putPart(upload, part)
  } catch (error) {
    s3.bodies.release(part.segments)
    throw error
  }
}

function partNumberOf(call: Call): number {
  const text = call.query.get('partNumber') ?? ''
  const partNumber = Number(text)
  if (/^\d{1,5}$/.test(text) && partNumber >= 1 && partNumber <= 10_000) return partNumber
  throw new S3Error('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive', {
    ArgumentName: 'partNumber',
    ArgumentValue: text,
  })
}

function uploadChecksum(call: Call): { algorithm: ChecksumAlgorithm; type: ChecksumType } | undefined {
  const name = call.header('x-amz-checksum-algorithm')
  if (name === undefined) return undefined
  const algorithm = parseAlgorithm(name)
  if (!algorithm) throw new S3Error('NotImplemented', undefined, { Header: 'x-amz-checksum-algorithm' })
  const type = call.header('x-amz-checksum-type') ?? defaultMultipartType(algorithm)
  if ((type === 'FULL_OBJECT' || type === 'COMPOSITE') && supportsType(algorithm, type))
    return { algorithm, type }
  throw new S3Error(
    'InvalidRequest',
    `The ${type} checksum type cannot be used with the ${algorithm} checksum algorithm.`,
  )
}
