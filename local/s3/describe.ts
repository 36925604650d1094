import { checksumHeader } from './checksums.ts'
import type { HeaderReader } from './conditions.ts'
import { S3Error } from './errors.ts'
import type { Description, ObjectRecord } from './records.ts'
import { parseTagHeader } from './tags.ts'

/**
 * What the headers of a write say about the object.
 * @throws NotImplemented for headers that ask for what is not built here, so that none is silently ignored;
 * MetadataTooLarge, InvalidTag, InvalidStorageClass, AccessControlListNotSupported
 */
export function readDescription(headers: ReadonlyMap<string, string>): Description {
  refuseUnsupported(headers)
  return {
    headers: keptHeaders(headers),
    metadata: userMetadata(headers),
    tags: parseTagHeader(headers.get('x-amz-tagging')),
    storageClass: storageClass(headers.get('x-amz-storage-class')),
  }
}

/** The headers of GET and HEAD that describe an object. */
export function describeObject(record: ObjectRecord, header: HeaderReader): Record<string, string> {
  const described: Record<string, string> = {
    'accept-ranges': 'bytes',
    etag: `"${record.etag}"`,
    'last-modified': new Date(record.modifiedMs).toUTCString(),
    ...record.headers,
  }
  for (const [name, value] of Object.entries(record.metadata))
    described[`x-amz-meta-${name}`] = asciiOrEncoded(value)
  const tagCount = Object.keys(record.tags).length
  if (tagCount > 0) described['x-amz-tagging-count'] = String(tagCount)
  if (record.storageClass !== 'STANDARD') described['x-amz-storage-class'] = record.storageClass
  if (record.checksum && header('x-amz-checksum-mode')?.toUpperCase() === 'ENABLED') {
    described[checksumHeader(record.checksum.algorithm)] = record.checksum.value
    described['x-amz-checksum-type'] = record.checksum.type
  }
  return described
}

/** @throws KeyTooLongError */
export function checkKey(key: string): void {
  const sizeBytes = Buffer.byteLength(key)
  if (sizeBytes <= MAX_KEY_BYTES) return
  throw new S3Error('KeyTooLongError', undefined, {
    Size: String(sizeBytes),
    MaxSizeAllowed: String(MAX_KEY_BYTES),
  })
}

const MAX_KEY_BYTES = 1024
const MAX_METADATA_BYTES = 2048

const KEPT_HEADERS = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
]

/** Classes whose objects can be read at once. The archive classes need a restore first, which is not built here. */
const STORAGE_CLASSES = [
  'STANDARD',
  'STANDARD_IA',
  'ONEZONE_IA',
  'INTELLIGENT_TIERING',
  'REDUCED_REDUNDANCY',
  'GLACIER_IR',
]

const UNSUPPORTED =
  /^x-amz-(server-side-encryption|object-lock|website-redirect-location|write-offset-bytes|grant-)/

function refuseUnsupported(headers: ReadonlyMap<string, string>): void {
  const acl = headers.get('x-amz-acl')
  if (acl !== undefined && acl !== 'bucket-owner-full-control')
    throw new S3Error('AccessControlListNotSupported')
  const unsupported = [...headers.keys()].find((name) => UNSUPPORTED.test(name))
  if (unsupported !== undefined) throw new S3Error('NotImplemented', undefined, { Header: unsupported })
}

/** `aws-chunked` is how the bytes travelled, not what they are. */
function keptHeaders(headers: ReadonlyMap<string, string>): Record<string, string> {
  const kept: Record<string, string> = { 'content-type': 'binary/octet-stream' }
  for (const name of KEPT_HEADERS) {
    const value = headers.get(name)
    if (value !== undefined) kept[name] = value
  }
  const encodings = (headers.get('content-encoding') ?? '')
    .split(',')
    .map((encoding) => encoding.trim())
    .filter((encoding) => encoding !== '' && encoding.toLowerCase() !== 'aws-chunked')
  if (encodings.length > 0) kept['content-encoding'] = encodings.join(',')
  else delete kept['content-encoding']
  return kept
}

function userMetadata(headers: ReadonlyMap<string, string>): Record<string, string> {
  const prefix = 'x-amz-meta-'
  const entries = [...headers]
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, value]) => [name.slice(prefix.length), Buffer.from(value, 'latin1').toString()] as const)
  const sizeBytes = entries.reduce((sum, [name, value]) => sum + name.length + Buffer.byteLength(value), 0)
  if (sizeBytes > MAX_METADATA_BYTES) {
    throw new S3Error('MetadataTooLarge', undefined, {
      Size: String(sizeBytes),
      MaxSizeAllowed: String(MAX_METADATA_BYTES),
    })
  }
  return Object.fromEntries(entries)
}

/** Headers carry ASCII; other values are sent as RFC 2047 words (S3 user guide, Working with object metadata). */
function asciiOrEncoded(value: string): string {
  return /^[\x20-\x7e]*$/.test(value) ? value : `=?UTF-8?B?${Buffer.from(value).toString('base64')}?=`
}

function storageClass(name = 'STANDARD'): string {
  if (STORAGE_CLASSES.includes(name)) return name
  throw new S3Error('InvalidStorageClass', undefined, { StorageClassRequested: name })
}
