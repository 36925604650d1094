import { type Answer, type Call, OWNER, type S3, xmlAnswer } from '../call.ts'
import { S3Error } from '../errors.ts'
import { type ListPage, listPage } from '../list.ts'

export function listBuckets(s3: S3): Answer {
  return xmlAnswer('ListAllMyBucketsResult', {
    Owner: OWNER,
    Buckets: {
      Bucket: s3.objects.listBuckets().map(({ name, createdMs }) => ({
        Name: name,
        CreationDate: new Date(createdMs).toISOString(),
        BucketRegion: s3.region,
      })),
    },
  })
}

export function listObjectsV2(s3: S3, call: Call): Answer {
  const { query } = call
  const encode = urlEncoder(query)
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter') ?? ''
  const continuation = query.get('continuation-token')
  const startAfter = query.get('start-after') ?? ''
  const limit = pageSize(query, 'max-keys')
  const after = continuation === null ? startAfter : readToken(continuation)
  const page = listPage(s3.objects.sortedKeys(call.bucket), { prefix, delimiter, after, limit })
  return xmlAnswer('ListBucketResult', {
    Name: call.bucket,
    Prefix: encode(prefix),
    Delimiter: delimiter === '' ? undefined : encode(delimiter),
    StartAfter: startAfter === '' ? undefined : encode(startAfter),
    ContinuationToken: continuation ?? undefined,
    NextContinuationToken: page.next === undefined ? undefined : writeToken(page.next),
    EncodingType: query.get('encoding-type') ?? undefined,
    KeyCount: page.keys.length + page.commonPrefixes.length,
    MaxKeys: limit,
    IsTruncated: page.next !== undefined,
    ...entries(s3, call, page, query.get('fetch-owner') === 'true'),
  })
}

/** The first version of the listing: pages go on after a key, and only with a delimiter the answer names that key. */
export function listObjects(s3: S3, call: Call): Answer {
  const { query } = call
  const encode = urlEncoder(query)
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter') ?? ''
  const marker = query.get('marker') ?? ''
  const limit = pageSize(query, 'max-keys')
  const page = listPage(s3.objects.sortedKeys(call.bucket), { prefix, delimiter, after: marker, limit })
  return xmlAnswer('ListBucketResult', {
    Name: call.bucket,
    Prefix: encode(prefix),
    Marker: encode(marker),
    NextMarker: page.next === undefined || delimiter === '' ? undefined : encode(page.next),
    Delimiter: delimiter === '' ? undefined : encode(delimiter),
    EncodingType: query.get('encoding-type') ?? undefined,
    MaxKeys: limit,
    IsTruncated: page.next !== undefined,
    ...entries(s3, call, page, true),
  })
}

/** Pages have at most 1,000 entries, whatever is asked for. */
export function pageSize(query: URLSearchParams, name: string): number {
  const text = query.get(name) ?? '1000'
  if (/^\d{1,10}$/.test(text)) return Math.min(Number(text), 1000)
  throw new S3Error('InvalidArgument', `Provided ${name} not an integer or within integer range`, {
    ArgumentName: name,
    ArgumentValue: text,
  })
}

/** With `encoding-type=url` keys are percent-encoded, since XML cannot carry every character. */
export function urlEncoder(query: URLSearchParams): (text: string) => string {
  const type = query.get('encoding-type')
  if (type === null) return (text) => text
  if (type === 'url') return (text) => encodeURIComponent(text).replace(/%2F/g, '/')
  throw new S3Error('InvalidArgument', 'Invalid Encoding Method specified in Request', {
    ArgumentName: 'encoding-type',
    ArgumentValue: type,
  })
}

function entries(s3: S3, call: Call, page: ListPage, withOwner: boolean): object {
  const encode = urlEncoder(call.query)
  return {
    Contents: page.keys.map((key) => {
      const record = s3.objects.get(call.bucket, key)
      return {
        Key: encode(key),
        LastModified: new Date(record.modifiedMs).toISOString(),
        ETag: `"${record.etag}"`,
        ChecksumAlgorithm: record.checksum?.algorithm,
        ChecksumType: record.checksum?.type,
        Size: record.sizeBytes,
        StorageClass: record.storageClass,
        Owner: withOwner ? OWNER : undefined,
      }
    }),
    CommonPrefixes: page.commonPrefixes.map((prefix) => ({ Prefix: encode(prefix) })),
  }
}

/** Tokens are opaque to clients; inside is where the page ended. */
function writeToken(last: string): string {
  return Buffer.from(last).toString('base64url')
}

function readToken(text: string): string {
  const last = Buffer.from(text, 'base64url').toString()
  if (last !== '' && writeToken(last) === text) return last
  throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect', {
    ArgumentName: 'continuation-token',
  })
}
