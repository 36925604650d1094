import { describe, expect, it } from 'vitest'
import { parseTarget, routeOperation } from '../../local/s3/route.ts'

describe('parseTarget', () => {
  it.each([
    ['/', 'localhost:4566', '', ''],
    ['/bucket', '127.0.0.1:4566', 'bucket', ''],
    ['/bucket/', 'localhost', 'bucket', ''],
    ['/bucket/a/b%20c+d', 'localhost', 'bucket', 'a/b c+d'],
    ['/bucket//a', 'localhost', 'bucket', '/a'],
    ['/bucket/../x', 'localhost', 'bucket', '../x'],
    ['/bucket/%2e%2e%2fx?tagging', 'localhost', 'bucket', '../x'],
    ['/a/b', 'bucket.localhost:4566', 'bucket', 'a/b'],
    ['/a/b', 'bucket.s3.localhost:4566', 'bucket', 'a/b'],
    ['/a/b', 'my.bucket.s3.eu-central-1.localhost', 'my.bucket', 'a/b'],
    ['/bucket/a', 's3.localhost:4566', 'bucket', 'a'],
    ['/bucket/a', 's3.eu-central-1.localhost', 'bucket', 'a'],
    ['/bucket/a', undefined, 'bucket', 'a'],
  ])('reads %s at %s', (url, host, bucket, key) => {
    expect(parseTarget(url, host)).toMatchObject({ bucket, key })
  })

  it('refuses a path that is not percent-encoded UTF-8', () => {
    expect(() => parseTarget('/bucket/%ff', undefined)).toThrow(
      expect.objectContaining({ code: 'InvalidURI' }),
    )
  })
})

describe('routeOperation', () => {
  const route = (line: string, isCopy = false) => {
    const [method = '', url = ''] = line.split(' ')
    return routeOperation(method, parseTarget(url, undefined), isCopy)
  }

  it.each([
    ['GET /', 'ListBuckets'],
    ['PUT /b', 'CreateBucket'],
    ['HEAD /b', 'HeadBucket'],
    ['DELETE /b/', 'DeleteBucket'],
    ['GET /b', 'ListObjects'],
    ['GET /b?prefix=x&x-id=ListObjects', 'ListObjects'],
    ['GET /b?list-type=2', 'ListObjectsV2'],
    ['GET /b?location', 'GetBucketLocation'],
    ['GET /b?uploads', 'ListMultipartUploads'],
    ['POST /b?delete=', 'DeleteObjects'],
    ['PUT /b?notification', 'PutBucketNotificationConfiguration'],
    ['GET /b?notification', 'GetBucketNotificationConfiguration'],
    ['DELETE /b?cors', 'DeleteBucketCors'],
    ['OPTIONS /b/k', 'Preflight'],
    ['GET /b/k?x-id=GetObject', 'GetObject'],
    ['HEAD /b/k', 'HeadObject'],
    ['PUT /b/k', 'PutObject'],
    ['DELETE /b/k', 'DeleteObject'],
    ['PUT /b/k?tagging', 'PutObjectTagging'],
    ['GET /b/k?tagging', 'GetObjectTagging'],
    ['DELETE /b/k?tagging', 'DeleteObjectTagging'],
    ['POST /b/k?uploads', 'CreateMultipartUpload'],
    ['PUT /b/k?partNumber=1&uploadId=u', 'UploadPart'],
    ['POST /b/k?uploadId=u', 'CompleteMultipartUpload'],
    ['DELETE /b/k?uploadId=u', 'AbortMultipartUpload'],
    ['GET /b/k?uploadId=u', 'ListParts'],
    ['GET /b/k?partNumber=2', 'GetObject'],
  ])('%s is %s', (line, operation) => {
    expect(route(line)).toBe(operation)
  })

  it('tells copies from uploads', () => {
    expect(route('PUT /b/k', true)).toBe('CopyObject')
    expect(route('PUT /b/k?partNumber=1&uploadId=u', true)).toBe('UploadPartCopy')
  })

  it.each(
    [
      'versioning',
      'encryption',
      'lifecycle',
      'policy',
      'acl',
      'tagging',
      'website',
      'publicAccessBlock',
    ].flatMap((name) => [[`PUT /b?${name}`], [`GET /b?${name}`]]),
  )('%s is not implemented, and never anything else', (line) => {
    expect(() => route(line)).toThrow(expect.objectContaining({ code: 'NotImplemented', status: 501 }))
  })

  it.each([
    ['GET /b/k?acl', 'NotImplemented'],
    ['GET /b/k?attributes', 'NotImplemented'],
    ['POST /b/k?select&select-type=2', 'NotImplemented'],
    ['DELETE /b?versions', 'NotImplemented'],
    ['POST /b', 'NotImplemented'],
    ['POST /b/k', 'NotImplemented'],
    ['PATCH /b/k', 'MethodNotAllowed'],
    ['PUT /', 'MethodNotAllowed'],
    ['PUT /b/k?partNumber=1', 'InvalidArgument'],
  ])('%s is refused as %s', (line, code) => {
    expect(() => route(line)).toThrow(expect.objectContaining({ code }))
  })
})
