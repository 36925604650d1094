import { z } from 'zod'
import type { Segment } from '../bodies.ts'
import { type Answer, announce, type Call, type S3, xmlAnswer } from '../call.ts'
import { type Checksum, checksumHeader, compositeChecksum, multipartEtag } from '../checksums.ts'
import { checkWrite } from '../conditions.ts'
import { S3Error } from '../errors.ts'
import type { Upload } from '../multipart.ts'
import { badChecksum, receiveText } from '../receive.ts'
import type { PartRecord } from '../records.ts'
import { element, parseXml, token } from '../xml.ts'
import { digestSegments } from './copy.ts'
import { uploadOf } from './multipart.ts'
import { commitObject } from './write.ts'

/** Makes the named parts one object. Its segments are those of the parts: no byte is copied. */
export async function completeMultipartUpload(s3: S3, call: Call): Promise<Answer> {
  const upload = uploadOf(s3, call)
  const wanted = parseXml(
    await receiveText({ ...call, headers: withoutObjectChecksum(call) }),
    'CompleteMultipartUpload',
    completeElement,
  )
  const parts = chooseParts(upload, wanted.Part)
  const segments = parts.flatMap((part) => part.segments)
  const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0)
  const announcedBytes = call.header('x-amz-mp-object-size')
  if (announcedBytes !== undefined && Number(announcedBytes) !== sizeBytes) {
    throw new S3Error(
      'InvalidRequest',
      `The provided 'x-amz-mp-object-size' header value ${announcedBytes} does not match what was computed: ${sizeBytes}`,
    )
  }
  // A condition that fails already need not wait for the checksum. The one that counts is checked by the commit.
  checkWrite(call.header, call.key, s3.objects.find(call.bucket, call.key))

  s3.bodies.hold(segments)
  const checksum = await objectChecksum(s3, call, upload, parts, segments).catch((error) => {
    s3.bodies.release(segments)
    throw error
  })
  refuseIfChanged(s3, call, upload, parts, segments)
  const { bucket, uploadId, initiatedMs, checksum: _, ...description } = upload.record
  const record = commitObject(s3, call, {
    ...description,
    etag: multipartEtag(parts.map(({ etag }) => etag)),
    sizeBytes,
    segments,
    partSizesBytes: parts.map((part) => part.sizeBytes),
    uploadId,
    ...(checksum ? { checksum } : {}),
  })
  s3.uploads.remove(upload)
  announce(s3, call, 'ObjectCreated:CompleteMultipartUpload', record)
  return xmlAnswer('CompleteMultipartUploadResult', {
    Location: `http://${call.header('host')}/${call.bucket}/${encodeURIComponent(call.key)}`,
    Bucket: call.bucket,
    Key: call.key,
    ETag: `"${record.etag}"`,
    ...(checksum ? { [`Checksum${checksum.algorithm}`]: checksum.value, ChecksumType: checksum.type } : {}),
  })
}

/** Every part but the last must have at least 5 MiB (S3 user guide, Multipart upload limits). */
const MIN_PART_BYTES = 5 * 1024 ** 2

const checksumText = token.optional()

const completeElement = element({
  Part: z
    .array(
      element({
        PartNumber: token.transform(Number).pipe(z.number().int()),
        ETag: token.transform((etag) => etag.replace(/^"|"$/g, '')),
        ChecksumCRC32: checksumText,
        ChecksumCRC32C: checksumText,
        ChecksumCRC64NVME: checksumText,
        ChecksumSHA1: checksumText,
        ChecksumSHA256: checksumText,
        ChecksumSHA512: checksumText,
      }),
    )
    .min(1)
    .max(10_000),
})

type WantedPart = z.infer<typeof completeElement>['Part'][number]

function chooseParts(upload: Upload, wanted: readonly WantedPart[]): PartRecord[] {
  const parts = wanted.map((entry, index) => {
    const before = wanted[index - 1]
    if (before && entry.PartNumber <= before.PartNumber) {
      throw new S3Error('InvalidPartOrder', undefined, { UploadId: upload.record.uploadId })
    }
    const part = upload.parts.get(entry.PartNumber)
    if (part && fits(part, entry)) return part
    throw new S3Error('InvalidPart', undefined, {
      UploadId: upload.record.uploadId,
      PartNumber: String(entry.PartNumber),
      ETag: entry.ETag,
    })
  })
  const tooSmall = parts.slice(0, -1).find(({ sizeBytes }) => sizeBytes < MIN_PART_BYTES)
  if (!tooSmall) return parts
  throw new S3Error('EntityTooSmall', undefined, {
    ProposedSize: String(tooSmall.sizeBytes),
    MinSizeAllowed: String(MIN_PART_BYTES),
    PartNumber: String(tooSmall.partNumber),
    ETag: tooSmall.etag,
  })
}

function fits(part: PartRecord, wanted: WantedPart): boolean {
  if (part.etag !== wanted.ETag) return false
  const claimed = part.checksum && wanted[`Checksum${part.checksum.algorithm}`]
  return claimed === undefined || claimed === part.checksum?.value
}

/**
 * The checksum of the object, if the upload was created with one: over the parts' checksums, or, read once more, over all bytes.
 * @throws BadDigest when the client names another one.
 */
async function objectChecksum(
  s3: S3,
  call: Call,
  upload: Upload,
  parts: readonly PartRecord[],
  segments: readonly Segment[],
): Promise<Checksum | undefined> {
  if (!upload.record.checksum) return undefined
  const { algorithm, type } = upload.record.checksum
  const value =
    type === 'COMPOSITE'
      ? compositeChecksum(
          algorithm,
          parts.map(({ checksum }) => checksum?.value ?? ''),
        )
      : ((await digestSegments(s3.bodies, segments, algorithm)).checksumValue ?? '')
  const expected = call.header(checksumHeader(algorithm))
  if (expected !== undefined && expected !== value) throw badChecksum(algorithm)
  return { algorithm, type, value }
}

/** Reading the bytes took time: meanwhile the upload may have ended, or a part may have been uploaded anew. */
function refuseIfChanged(
  s3: S3,
  call: Call,
  upload: Upload,
  parts: readonly PartRecord[],
  segments: readonly Segment[],
): void {
  try {
    if (uploadOf(s3, call) !== upload) throw new S3Error('NoSuchUpload')
    if (parts.some((part) => upload.parts.get(part.partNumber) !== part)) throw new S3Error('InvalidPart')
  } catch (error) {
    s3.bodies.release(segments)
    throw error
  }
}

/** In this request a checksum header speaks of the object, not of the XML body. */
function withoutObjectChecksum(call: Call): ReadonlyMap<string, string> {
  return new Map([...call.headers].filter(([name]) => !/^x-amz-(checksum|sdk-checksum)-/.test(name)))
}
