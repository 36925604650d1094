import { connect } from 'node:net'
import { Readable } from 'node:stream'
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetBucketLocationCommand,
  GetBucketPolicyCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  PutBucketEncryptionCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  paginateListObjectsV2,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { refusal, startS3, type TestS3 } from './s3-server.ts'

let s3: TestS3

beforeAll(async () => {
  s3 = await startS3()
})

afterAll(() => s3.remove())

describe('buckets', () => {
  it('are created, found, listed and deleted', async () => {
    const Bucket = 'first.bucket-1'
    await s3.client.send(new CreateBucketCommand({ Bucket }))
    expect(await s3.client.send(new HeadBucketCommand({ Bucket }))).toMatchObject({
      BucketRegion: 'us-east-1',
    })
    const { Buckets } = await s3.client.send(new ListBucketsCommand({}))
    expect(Buckets).toEqual([{ Name: Bucket, CreationDate: expect.any(Date), BucketRegion: 'us-east-1' }])
    expect(await refusal(s3.client.send(new CreateBucketCommand({ Bucket })))).toMatchObject({
      code: 'BucketAlreadyOwnedByYou',
      status: 409,
    })
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'x', Body: 'x' }))
    expect(await refusal(s3.client.send(new DeleteBucketCommand({ Bucket })))).toMatchObject({
      code: 'BucketNotEmpty',
      status: 409,
    })
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'x' }))
    await s3.client.send(new DeleteBucketCommand({ Bucket }))
    expect(await refusal(s3.client.send(new HeadBucketCommand({ Bucket })))).toMatchObject({ status: 404 })
    expect(await refusal(s3.client.send(new DeleteBucketCommand({ Bucket })))).toMatchObject({
      code: 'NoSuchBucket',
    })
  })

  it.each(['ab', 'Upper', 'under_score', '-start', 'end-', 'a..b', '192.168.0.1', 'x'.repeat(64)])(
    'cannot be called %j',
    async (Bucket) => {
      const refused = await refusal(s3.client.send(new CreateBucketCommand({ Bucket })))
      expect(refused).toMatchObject({ code: 'InvalidBucketName', status: 400 })
    },
  )

  it('are where the server is', async () => {
    await s3.client.send(new CreateBucketCommand({ Bucket: 'somewhere' }))
    const { LocationConstraint } = await s3.client.send(new GetBucketLocationCommand({ Bucket: 'somewhere' }))
    expect(LocationConstraint ?? '').toBe('')
    const elsewhere = { CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' } } as const
    const refused = await refusal(
      s3.client.send(new CreateBucketCommand({ Bucket: 'elsewhere', ...elsewhere })),
    )
    expect(refused).toMatchObject({ code: 'IllegalLocationConstraintException', status: 400 })
  })

  it('answer 501 to settings that are not built, never a silent 200', async () => {
    const Bucket = 'settings'
    await s3.client.send(new CreateBucketCommand({ Bucket }))
    const rule = { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } } as const
    const calls = [
      s3.client.send(
        new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }),
      ),
      s3.client.send(
        new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration: { Rules: [rule] } }),
      ),
      s3.client.send(new GetBucketPolicyCommand({ Bucket })),
    ]
    for (const refused of await Promise.all(calls.map(refusal))) {
      expect(refused).toMatchObject({ code: 'NotImplemented', status: 501 })
    }
  })
})

describe('errors', () => {
  it('are XML with code, message, resource and request id, without a body for HEAD', async () => {
    await s3.client.send(new CreateBucketCommand({ Bucket: 'errors' }))
    const url = await getSignedUrl(s3.client, new GetObjectCommand({ Bucket: 'errors', Key: 'a & b' }))
    const response = await fetch(url)
    const body = await response.text()
    expect(response.status).toBe(404)
    expect(response.headers.get('content-type')).toBe('application/xml')
    const id = response.headers.get('x-amz-request-id')
    expect(body).toBe(
      '<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>' +
        `<Resource>/errors/a%20%26%20b</Resource><Key>a &amp; b</Key><RequestId>${id}</RequestId><HostId>${id}</HostId></Error>`,
    )
  })

  it('reach a client whose upload is refused before it is read', async () => {
    const body = Buffer.alloc(3 * 1024 * 1024)
    const command = new PutObjectCommand({ Bucket: 'nowhere', Key: 'x', Body: body })
    for (let i = 0; i < 3; i += 1) {
      expect(await refusal(s3.client.send(command))).toMatchObject({ code: 'NoSuchBucket', status: 404 })
    }
  })

  it('reach a client that is still sending, and do not block its next request', async () => {
    const requestHandler = new NodeHttpHandler({ httpAgent: { keepAlive: true, maxSockets: 1 } })
    const client = s3.connect({ requestHandler, maxAttempts: 1 })
    client.middlewareStack.add(
      (next) => (args) => {
        const { headers } = args.request as { headers: Record<string, string> }
        const isUpload = 'x-amz-decoded-content-length' in headers
        // A broken chunk at the start, and far more behind it than fits into the buffers of a connection.
        const body = Readable.from([
          'nonsense\r\n',
          ...Array.from({ length: 200 }, () => Buffer.alloc(65_536)),
        ])
        if (isUpload) Object.assign(args.request as object, { body })
        return next(args)
      },
      { step: 'deserialize', priority: 'low' }, // After signing.
    )
    for (let i = 0; i < 3; i += 1) {
      const input = { Bucket: 'errors', Key: 'x', Body: Readable.from(['x']), ContentLength: 1 }
      expect(await refusal(client.send(new PutObjectCommand(input)))).toMatchObject({
        code: 'InvalidRequest',
        status: 400,
      })
      await client.send(new ListBucketsCommand({}))
    }
  })

  it('reach a client that sends everything before it reads', async () => {
    const url = new URL(await getSignedUrl(s3.client, new PutObjectCommand({ Bucket: 'nowhere', Key: 'x' })))
    const body = Buffer.alloc(8 * 1024 * 1024)
    const head = `PUT ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\ncontent-length: ${body.length}\r\n\r\n`
    const socket = connect(Number(url.port), '127.0.0.1').pause()
    await new Promise<void>((resolve, reject) => {
      socket.write(head)
      socket.write(body, (error) => (error ? reject(error) : resolve()))
    })
    const pieces = await socket.toArray()
    expect(Buffer.concat(pieces).toString()).toMatch(/^HTTP\/1.1 404 .*<Code>NoSuchBucket<\/Code>/s)
  })

  it('include SlowDown when a test asks for it, which clients retry', async () => {
    s3.faults.slowDowns = 1
    await s3.client.send(new ListBucketsCommand({}))
    s3.faults.slowDowns = 1
    const impatient = s3.connect({ maxAttempts: 1 })
    expect(await refusal(impatient.send(new ListBucketsCommand({})))).toMatchObject({
      code: 'SlowDown',
      status: 503,
    })
  })
})

describe('listings', () => {
  const Bucket = 'listings'
  const keys = ['a b+c%', 'dir/1', 'dir/2', 'dir/sub/3', 'odd/\u0001', 'odd/&<>"\'', 'z', 'ü', '😀']

  beforeAll(async () => {
    await s3.client.send(new CreateBucketCommand({ Bucket }))
    for (const Key of keys) await s3.client.send(new PutObjectCommand({ Bucket, Key, Body: Key }))
  })

  it('describe each object', async () => {
    const { Contents, KeyCount, IsTruncated } = await s3.client.send(
      new ListObjectsV2Command({ Bucket, Prefix: 'z' }),
    )
    expect({ KeyCount, IsTruncated }).toEqual({ KeyCount: 1, IsTruncated: false })
    expect(Contents).toEqual([
      {
        Key: 'z',
        Size: 1,
        ETag: '"fbade9e36a3f36d3d676c1b808451dd7"',
        LastModified: expect.any(Date),
        StorageClass: 'STANDARD',
        ChecksumAlgorithm: ['CRC32'],
        ChecksumType: 'FULL_OBJECT',
      },
    ])
  })

  it('go page by page in the order of UTF-8', async () => {
    const seen: (string | undefined)[] = []
    let pages = 0
    for await (const page of paginateListObjectsV2({ client: s3.client, pageSize: 2 }, { Bucket })) {
      pages += 1
      seen.push(...(page.Contents ?? []).map(({ Key }) => Key))
    }
    expect(seen).toEqual(keys)
    expect(pages).toBe(5)
  })

  it('show folders with a delimiter', async () => {
    const { Contents, CommonPrefixes, KeyCount } = await s3.client.send(
      new ListObjectsV2Command({ Bucket, Prefix: 'dir/', Delimiter: '/' }),
    )
    expect(Contents?.map(({ Key }) => Key)).toEqual(['dir/1', 'dir/2'])
    expect(CommonPrefixes).toEqual([{ Prefix: 'dir/sub/' }])
    expect(KeyCount).toBe(3)
  })

  it('start after a key, and encode keys on request', async () => {
    const { Contents, StartAfter } = await s3.client.send(
      new ListObjectsV2Command({ Bucket, StartAfter: 'odd/', EncodingType: 'url' }),
    )
    expect(StartAfter).toBe('odd/')
    expect(Contents?.map(({ Key }) => decodeURIComponent(Key ?? ''))).toEqual(keys.slice(4))
    expect(Contents?.every(({ Key }) => /^[\w%/.!'()*~-]+$/.test(Key ?? ''))).toBe(true)
  })

  it('have a first version, which older clients use', async () => {
    const first = await s3.client.send(new ListObjectsCommand({ Bucket, Delimiter: '/', MaxKeys: 2 }))
    expect(first).toMatchObject({
      IsTruncated: true,
      NextMarker: 'dir/',
      CommonPrefixes: [{ Prefix: 'dir/' }],
    })
    const second = await s3.client.send(
      new ListObjectsCommand({ Bucket, Delimiter: '/', Marker: first.NextMarker }),
    )
    expect(second).toMatchObject({ IsTruncated: false, CommonPrefixes: [{ Prefix: 'odd/' }] })
    expect(second.Contents?.map(({ Key }) => Key)).toEqual(['z', 'ü', '😀'])
  })

  it('refuse wrong tokens, sizes and buckets', async () => {
    const list = (more: object) => s3.client.send(new ListObjectsV2Command({ Bucket, ...more }))
    expect(await refusal(list({ ContinuationToken: '?' }))).toMatchObject({
      code: 'InvalidArgument',
      status: 400,
    })
    expect(await refusal(list({ MaxKeys: -1 }))).toMatchObject({ code: 'InvalidArgument', status: 400 })
    expect(await refusal(list({ Bucket: 'nowhere' }))).toMatchObject({ code: 'NoSuchBucket', status: 404 })
    expect(await list({ MaxKeys: 0 })).toMatchObject({ KeyCount: 0, IsTruncated: false })
  })
})
