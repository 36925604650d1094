import { S3Error } from './errors.ts'

export type Operation =
  | 'AbortMultipartUpload'
  | 'CompleteMultipartUpload'
  | 'CopyObject'
  | 'CreateBucket'
  | 'CreateMultipartUpload'
  | 'DeleteBucket'
  | 'DeleteBucketCors'
  | 'DeleteObject'
  | 'DeleteObjects'
  | 'DeleteObjectTagging'
  | 'GetBucketCors'
  | 'GetBucketLocation'
  | 'GetBucketNotificationConfiguration'
  | 'GetObject'
  | 'GetObjectTagging'
  | 'HeadBucket'
  | 'HeadObject'
  | 'ListBuckets'
  | 'ListMultipartUploads'
  | 'ListObjects'
  | 'ListObjectsV2'
  | 'ListParts'
  | 'Preflight'
  | 'PutBucketCors'
  | 'PutBucketNotificationConfiguration'
  | 'PutObject'
  | 'PutObjectTagging'
  | 'UploadPart'
  | 'UploadPartCopy'

/** Where a request goes. Bucket and key are empty where the resource is the service or a bucket. */
export type Target = {
  bucket: string
  key: string
  rawPath: string
  query: URLSearchParams
}

/**
 * Reads bucket, key and query from a request line and a `Host` header. Path style (`/bucket/key`) and virtual-host
 * style (`bucket.localhost`, `bucket.s3.localhost`) mean the same. The path is never normalised: `a/../b` is a key.
 * @throws InvalidURI
 */
export function parseTarget(url: string, host: string | undefined): Target {
  const questionMark = url.indexOf('?')
  const rawPath = questionMark === -1 ? url : url.slice(0, questionMark)
  const query = new URLSearchParams(questionMark === -1 ? '' : url.slice(questionMark + 1))
  const path = decode(rawPath).replace(/^\//, '')
  const hostBucket = bucketOfHost(host)
  if (hostBucket !== undefined) return { bucket: hostBucket, key: path, rawPath, query }
  const slash = path.indexOf('/')
  return slash === -1
    ? { bucket: path, key: '', rawPath, query }
    : { bucket: path.slice(0, slash), key: path.slice(slash + 1), rawPath, query }
}

/**
 * Which operation a request asks for (S3 API reference, Actions).
 * @throws NotImplemented for sub-resources that are not built here, so that no setting is silently ignored;
 * MethodNotAllowed, InvalidArgument
 */
export function routeOperation(method: string, target: Target, isCopy: boolean): Operation {
  if (method === 'OPTIONS') return 'Preflight'
  if (target.bucket === '') {
    if (method === 'GET') return 'ListBuckets'
    throw new S3Error('MethodNotAllowed')
  }
  const subResource = [...target.query.keys()].find((name) => SUB_RESOURCES.has(name)) ?? ''
  const scope = target.key === '' ? 'bucket' : 'object'
  const operation = OPERATIONS[`${method} ${scope} ${subResource}`.trim()]
  if (operation === undefined) {
    if (subResource !== '') throw notImplemented(subResource)
    // A form upload of a browser (POST Object) is not built here.
    throw method === 'POST' ? notImplemented('POST Object') : new S3Error('MethodNotAllowed')
  }
  return refine(operation, target.query, isCopy)
}

const OPERATIONS: Record<string, Operation> = {
  'PUT bucket': 'CreateBucket',
  'HEAD bucket': 'HeadBucket',
  'DELETE bucket': 'DeleteBucket',
  'GET bucket': 'ListObjects',
  'GET bucket location': 'GetBucketLocation',
  'GET bucket uploads': 'ListMultipartUploads',
  'POST bucket delete': 'DeleteObjects',
  'PUT bucket cors': 'PutBucketCors',
  'GET bucket cors': 'GetBucketCors',
  'DELETE bucket cors': 'DeleteBucketCors',
  'PUT bucket notification': 'PutBucketNotificationConfiguration',
  'GET bucket notification': 'GetBucketNotificationConfiguration',
  'PUT object': 'PutObject',
  'GET object': 'GetObject',
  'HEAD object': 'HeadObject',
  'DELETE object': 'DeleteObject',
  'PUT object tagging': 'PutObjectTagging',
  'GET object tagging': 'GetObjectTagging',
  'DELETE object tagging': 'DeleteObjectTagging',
  'POST object uploads': 'CreateMultipartUpload',
  'PUT object uploadId': 'UploadPart',
  'POST object uploadId': 'CompleteMultipartUpload',
  'DELETE object uploadId': 'AbortMultipartUpload',
  'GET object uploadId': 'ListParts',
}

/** Query names that make a request one about something else than the bucket's list or the object's bytes. */
const SUB_RESOURCES = new Set(
  [
    'abac accelerate acl analytics annotation attributes cors delete encryption intelligent-tiering inventory',
    'legal-hold lifecycle location logging metadataConfiguration metadataTable metadataInventoryTable',
    'metadataJournalTable metadataAnnotationTable metrics notification object-lock ownershipControls policy',
    'policyStatus publicAccessBlock renameObject replication requestPayment restore retention select session tagging',
    'torrent uploadId uploads versioning versions website',
  ].flatMap((names) => names.split(' ')),
)

function refine(operation: Operation, query: URLSearchParams, isCopy: boolean): Operation {
  switch (operation) {
    case 'ListObjects':
      return query.get('list-type') === '2' ? 'ListObjectsV2' : 'ListObjects'
    case 'PutObject':
      if (query.has('partNumber')) {
        throw new S3Error('InvalidArgument', 'A part number needs an upload id.', {
          ArgumentName: 'partNumber',
        })
      }
      return isCopy ? 'CopyObject' : 'PutObject'
    case 'UploadPart':
      return isCopy ? 'UploadPartCopy' : 'UploadPart'
    default:
      return operation
  }
}

/** `bucket.localhost`, `bucket.s3.localhost` and `bucket.s3.<region>.localhost`, with or without a port. */
function bucketOfHost(host: string | undefined): string | undefined {
  const name = /^(.+)\.localhost(?::\d+)?$/i.exec(host ?? '')?.[1]
  if (name === undefined) return undefined
  const bucket = name.replace(/(?:^|\.)s3(?:[.-][a-z0-9-]+)?$/i, '')
  return bucket === '' ? undefined : bucket
}

function notImplemented(what: string): S3Error {
  return new S3Error('NotImplemented', `This local S3 does not implement ${what}.`)
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    throw new S3Error('InvalidURI')
  }
}
