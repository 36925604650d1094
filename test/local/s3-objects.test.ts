import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  DeleteObjectTaggingCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { refusal, startS3, type TestS3 } from './s3-server.ts'

const Bucket = 'uploads'
let s3: TestS3

beforeAll(async () => {
  s3 = await startS3()
  await s3.client.send(new CreateBucketCommand({ Bucket }))
})

afterAll(() => s3.remove())

async function put(Key: string, Body: string | Buffer): Promise<string> {
  return (await s3.client.send(new PutObjectCommand({ Bucket, Key, Body }))).ETag ?? ''
}

async function text(Key: string): Promise<string> {
  const { Body } = await s3.client.send(new GetObjectCommand({ Bucket, Key }))
  return (await Body?.transformToString()) ?? ''
}

const bodies = (): Promise<string[]> => readdir(join(s3.dataDir, 'bodies'))

describe('PutObject and GetObject', () => {
  it('gives back the bytes, the MD5 as entity tag, and all that describes the object', async () => {
    const Body = Buffer.from('hello world')
    const described = {
      ContentType: 'video/mp4',
      CacheControl: 'max-age=60',
      ContentDisposition: 'attachment; filename="a.mp4"',
      ContentEncoding: 'gzip',
      ContentLanguage: 'de',
      Metadata: { title: 'a  b', 'with-dash': '1' },
    }
    const { ETag } = await s3.client.send(
      new PutObjectCommand({ Bucket, Key: 'described', Body, ...described }),
    )
    expect(ETag).toBe(`"${createHash('md5').update(Body).digest('hex')}"`)
    const found = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'described' }))
    expect(found).toMatchObject({ ETag, ContentLength: 11, AcceptRanges: 'bytes', ...described })
    expect(await found.Body?.transformToString()).toBe('hello world')
    const head = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'described' }))
    expect(head).toMatchObject({ ETag, ContentLength: 11, ...described })
    expect(head.VersionId).toBeUndefined()
  })

  it('keeps an empty object', async () => {
    expect(await put('empty', '')).toBe('"d41d8cd98f00b204e9800998ecf8427e"')
    expect(await text('empty')).toBe('')
  })

  it('decodes a stream that arrives as aws-chunked with a trailing checksum', async () => {
    const Body = Readable.from([Buffer.alloc(70_000, 'a'), Buffer.from('b')])
    const input = { Bucket, Key: 'streamed', Body, ContentLength: 70_001, ContentEncoding: 'gzip' }
    const { ChecksumCRC32 } = await s3.client.send(new PutObjectCommand(input))
    const head = await s3.client.send(
      new HeadObjectCommand({ Bucket, Key: 'streamed', ChecksumMode: 'ENABLED' }),
    )
    expect(head).toMatchObject({
      ContentLength: 70_001,
      ContentEncoding: 'gzip',
      ChecksumCRC32,
      ChecksumType: 'FULL_OBJECT',
    })
    expect(ChecksumCRC32).toBeDefined()
  })

  it.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const)(
    'verifies and returns %s',
    async (algorithm) => {
      const Key = `checksum/${algorithm}`
      const field = `Checksum${algorithm}` as const
      const written = await s3.client.send(
        new PutObjectCommand({ Bucket, Key, Body: 'hello', ChecksumAlgorithm: algorithm }),
      )
      expect(written[field]).toBeDefined()
      expect(written.ChecksumType).toBe('FULL_OBJECT')
      const head = await s3.client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }))
      expect(head[field]).toBe(written[field])
      // The SDK computes the checksum of what it reads and throws on a mismatch.
      expect(await text(Key)).toBe('hello')
      const wrong = new PutObjectCommand({
        Bucket,
        Key: 'wrong',
        Body: 'hello',
        [field]: written[field]?.replace(/^./, '/'),
      })
      expect(await refusal(s3.client.send(wrong))).toMatchObject({ code: 'BadDigest', status: 400 })
      expect(await refusal(s3.client.send(new HeadObjectCommand({ Bucket, Key: 'wrong' })))).toMatchObject({
        status: 404,
      })
    },
  )

  it('refuses a body whose Content-MD5 does not fit, and one that is no MD5', async () => {
    const ContentMD5 = createHash('md5').update('other').digest('base64')
    const plain = s3.connect({ requestChecksumCalculation: 'WHEN_REQUIRED' })
    const send = (md5: string) =>
      plain.send(new PutObjectCommand({ Bucket, Key: 'md5', Body: 'hello', ContentMD5: md5 }))
    expect(await refusal(send(ContentMD5))).toMatchObject({ code: 'BadDigest', status: 400 })
    expect(await refusal(send('abc'))).toMatchObject({ code: 'InvalidDigest', status: 400 })
    await send(createHash('md5').update('hello').digest('base64'))
  })

  it('refuses a checksum algorithm it cannot compute instead of ignoring it', async () => {
    const command = new PutObjectCommand({
      Bucket,
      Key: 'x',
      Body: 'hello',
      ChecksumXXHASH64: 'AAAAAAAAAAA=',
    })
    expect(await refusal(s3.client.send(command))).toMatchObject({ code: 'NotImplemented', status: 501 })
  })

  it.each([
    'a b/c+d%20e%/f',
    'übung/日本語/😀.mp4',
    'a/../../b',
    '../../../etc/passwd',
    './.',
    '/leading',
    'trailing/',
    'quote\'"<&>*?:|\\!()~',
    'line\nfeed\rreturn\tname\u0001',
    'k'.repeat(1024),
    'constructor',
    '__proto__',
  ])('keeps the odd key %j apart from the file system', async (Key) => {
    await put(Key, Key)
    expect(await text(Key)).toBe(Key)
    await s3.client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key }] } }))
    expect(await refusal(text(Key))).toMatchObject({ code: 'NoSuchKey', status: 404 })
    expect((await readdir(s3.dataDir)).sort()).toEqual(['bodies', 'buckets', 'uploads'])
  })

  it('refuses a key above 1,024 bytes of UTF-8', async () => {
    expect(await refusal(put('ü'.repeat(513), 'x'))).toMatchObject({ code: 'KeyTooLongError', status: 400 })
  })

  it('refuses metadata above 2 KB', async () => {
    const command = new PutObjectCommand({
      Bucket,
      Key: 'meta',
      Body: 'x',
      Metadata: { a: 'x'.repeat(2048) },
    })
    expect(await refusal(s3.client.send(command))).toMatchObject({ code: 'MetadataTooLarge', status: 400 })
  })

  it.each([
    ['ServerSideEncryption', { ServerSideEncryption: 'aws:kms' as const }, 'NotImplemented'],
    ['ObjectLockMode', { ObjectLockMode: 'GOVERNANCE' as const }, 'NotImplemented'],
    ['ACL', { ACL: 'public-read' as const }, 'AccessControlListNotSupported'],
    ['StorageClass', { StorageClass: 'DEEP_ARCHIVE' as const }, 'InvalidStorageClass'],
  ])('refuses %s instead of ignoring it', async (_, wish, code) => {
    const command = new PutObjectCommand({ Bucket, Key: 'x', Body: 'x', ...wish })
    expect(await refusal(s3.client.send(command))).toMatchObject({ code })
  })

  it('answers an unknown key and an unknown bucket apart', async () => {
    expect(await refusal(text('nothing'))).toMatchObject({ code: 'NoSuchKey', status: 404 })
    const elsewhere = s3.client.send(new GetObjectCommand({ Bucket: 'nowhere', Key: 'x' }))
    expect(await refusal(elsewhere)).toMatchObject({ code: 'NoSuchBucket', status: 404 })
    expect(await refusal(s3.client.send(new HeadObjectCommand({ Bucket, Key: 'nothing' })))).toMatchObject({
      code: 'NotFound',
      status: 404,
    })
  })

  it('serves the old bytes to a reader while the object is overwritten and deleted', async () => {
    const old = Buffer.alloc(8 * 1024 * 1024, 'o')
    await put('busy', old)
    const { Body } = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'busy' }))
    await put('busy', 'new')
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'busy' }))
    expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(old)).toBe(true)
  })

  it('leaves no body behind that no object refers to', async () => {
    const before = await bodies()
    await put('temporary', 'one')
    await put('temporary', 'two')
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'temporary' }))
    // Bodies of earlier tests may still be on their way out, so only new ones count.
    await expect.poll(async () => (await bodies()).filter((name) => !before.includes(name))).toEqual([])
  })

  it('lets go of a body when its reader breaks off', async () => {
    const before = await bodies()
    await put('abandoned', Buffer.alloc(8 * 1024 * 1024))
    const { Body } = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'abandoned' }))
    ;(Body as Readable).destroy()
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'abandoned' }))
    // Bodies of earlier tests may still be on their way out, so only new ones count.
    await expect.poll(async () => (await bodies()).filter((name) => !before.includes(name))).toEqual([])
    expect(s3.warnings).toEqual([])
  })
})

describe('ranges and conditions', () => {
  let ETag: string

  beforeAll(async () => {
    ETag = await put('digits', '0123456789')
  })

  it.each([
    ['bytes=0-0', '0', 'bytes 0-0/10'],
    ['bytes=3-5', '345', 'bytes 3-5/10'],
    ['bytes=7-', '789', 'bytes 7-9/10'],
    ['bytes=-3', '789', 'bytes 7-9/10'],
    ['bytes=-100', '0123456789', 'bytes 0-9/10'],
    ['bytes=8-100', '89', 'bytes 8-9/10'],
  ])('serves %s', async (Range, expected, ContentRange) => {
    const found = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'digits', Range }))
    expect(await found.Body?.transformToString()).toBe(expected)
    expect(found).toMatchObject({
      ContentRange,
      ContentLength: expected.length,
      $metadata: { httpStatusCode: 206 },
    })
    expect(found.ChecksumCRC32).toBeUndefined()
  })

  it.each(['bytes=10-', 'bytes=-0', 'bytes=20-30'])('answers %s with 416', async (Range) => {
    const command = new GetObjectCommand({ Bucket, Key: 'digits', Range })
    expect(await refusal(s3.client.send(command))).toMatchObject({ code: 'InvalidRange', status: 416 })
  })

  it('presents the object as the request says', async () => {
    const found = await s3.client.send(
      new GetObjectCommand({
        Bucket,
        Key: 'digits',
        ResponseContentType: 'text/plain',
        ResponseContentDisposition: 'attachment',
        ResponseCacheControl: 'no-store',
      }),
    )
    expect(found).toMatchObject({
      ContentType: 'text/plain',
      ContentDisposition: 'attachment',
      CacheControl: 'no-store',
    })
  })

  it('answers 304 to a reader that has the object already', async () => {
    const sinceNow = { IfModifiedSince: new Date(Date.now() + 60_000) }
    for (const condition of [{ IfNoneMatch: ETag }, { IfNoneMatch: '*' }, sinceNow]) {
      const command = new GetObjectCommand({ Bucket, Key: 'digits', ...condition })
      expect(await refusal(s3.client.send(command))).toMatchObject({ status: 304 })
    }
  })

  it('answers 412 when the object is no longer the one that is meant', async () => {
    const condition = { IfMatch: '"0000"' }
    const get = new GetObjectCommand({ Bucket, Key: 'digits', ...condition })
    expect(await refusal(s3.client.send(get))).toMatchObject({ code: 'PreconditionFailed', status: 412 })
    const head = new HeadObjectCommand({ Bucket, Key: 'digits', ...condition })
    expect(await refusal(s3.client.send(head))).toMatchObject({ status: 412 })
    const found = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'digits', IfMatch: ETag }))
    expect(await found.Body?.transformToString()).toBe('0123456789')
  })
})

describe('conditional writes', () => {
  it('creates once and replaces only what is known', async () => {
    const create = () =>
      s3.client.send(new PutObjectCommand({ Bucket, Key: 'once', Body: 'first', IfNoneMatch: '*' }))
    const { ETag } = await create()
    expect(await refusal(create())).toMatchObject({ code: 'PreconditionFailed', status: 412 })
    const replace = (IfMatch: string | undefined) =>
      s3.client.send(new PutObjectCommand({ Bucket, Key: 'once', Body: 'second', IfMatch }))
    await replace(ETag)
    expect(await refusal(replace(ETag))).toMatchObject({ code: 'PreconditionFailed', status: 412 })
    expect(await text('once')).toBe('second')
    const missing = new PutObjectCommand({ Bucket, Key: 'never', Body: 'x', IfMatch: ETag })
    expect(await refusal(s3.client.send(missing))).toMatchObject({ code: 'NoSuchKey', status: 404 })
  })

  it('lets exactly one of many simultaneous creators win', async () => {
    const attempts = Array.from({ length: 24 }, (_, i) =>
      s3.client
        .send(new PutObjectCommand({ Bucket, Key: 'race', Body: `writer ${i}`, IfNoneMatch: '*' }))
        .then(
          () => `writer ${i}`,
          () => undefined,
        ),
    )
    const winners = (await Promise.all(attempts)).filter((winner) => winner !== undefined)
    expect(winners).toHaveLength(1)
    expect(await text('race')).toBe(winners[0])
  })

  it('loses no increment when many writers compare and set', async () => {
    await put('counter', '0')
    async function increment(): Promise<void> {
      for (;;) {
        const { Body, ETag } = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'counter' }))
        const next = String(Number(await Body?.transformToString()) + 1)
        try {
          await s3.client.send(new PutObjectCommand({ Bucket, Key: 'counter', Body: next, IfMatch: ETag }))
          return
        } catch {
          // Somebody else was faster.
        }
      }
    }
    await Promise.all(Array.from({ length: 8 }, increment))
    expect(await text('counter')).toBe('8')
  })

  it('holds for copies too', async () => {
    await put('source', 'source')
    const copy = new CopyObjectCommand({
      Bucket,
      Key: 'target',
      CopySource: `${Bucket}/source`,
      IfNoneMatch: '*',
    })
    await s3.client.send(copy)
    expect(await refusal(s3.client.send(copy))).toMatchObject({ code: 'PreconditionFailed', status: 412 })
  })

  it('can answer 409 when a test asks for it', async () => {
    s3.faults.conditionalConflicts = 1
    const create = () =>
      s3.client.send(new PutObjectCommand({ Bucket, Key: 'conflict', Body: 'x', IfNoneMatch: '*' }))
    expect(await refusal(create())).toMatchObject({ code: 'ConditionalRequestConflict', status: 409 })
    await create()
  })

  it('deletes only what is known', async () => {
    const IfMatch = await put('guarded', 'x')
    const remove = (tag: string) =>
      s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'guarded', IfMatch: tag }))
    expect(await refusal(remove('"0"'))).toMatchObject({ code: 'PreconditionFailed', status: 412 })
    await remove(IfMatch)
  })
})

describe('CopyObject', () => {
  it('copies bytes and description, or replaces the description', async () => {
    const Key = 'copy/sö urce+1'
    const input = { Bucket, Key, Body: 'bytes', ContentType: 'a/b', Metadata: { m: '1' }, Tagging: 't=1' }
    const { ETag } = await s3.client.send(new PutObjectCommand(input))
    const CopySource = `/${Bucket}/${encodeURIComponent(Key)}`
    const copied = await s3.client.send(new CopyObjectCommand({ Bucket, Key: 'copy/kept', CopySource }))
    expect(copied.CopyObjectResult).toMatchObject({ ETag, LastModified: expect.any(Date) })
    const kept = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'copy/kept' }))
    expect(kept).toMatchObject({ ContentType: 'a/b', Metadata: { m: '1' } })
    const replaced = {
      MetadataDirective: 'REPLACE',
      TaggingDirective: 'REPLACE',
      ContentType: 'c/d',
    } as const
    await s3.client.send(new CopyObjectCommand({ Bucket, Key: 'copy/new', CopySource, ...replaced }))
    const fresh = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'copy/new' }))
    expect(fresh).toMatchObject({ ContentType: 'c/d', Metadata: {} })
    expect((await s3.client.send(new GetObjectTaggingCommand({ Bucket, Key: 'copy/new' }))).TagSet).toEqual(
      [],
    )
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key }))
    expect(await text('copy/kept')).toBe('bytes')
  })

  it('changes the description of an object in place, and refuses to change nothing', async () => {
    await put('self', 'self')
    const self = { Bucket, Key: 'self', CopySource: `${Bucket}/self` }
    expect(await refusal(s3.client.send(new CopyObjectCommand(self)))).toMatchObject({
      code: 'InvalidRequest',
    })
    await s3.client.send(new CopyObjectCommand({ ...self, MetadataDirective: 'REPLACE', ContentType: 'x/y' }))
    expect(await text('self')).toBe('self')
  })

  it('checks conditions on the source', async () => {
    const ETag = await put('source', 'source')
    const copy = (condition: object) =>
      s3.client.send(
        new CopyObjectCommand({ Bucket, Key: 'conditional', CopySource: `${Bucket}/source`, ...condition }),
      )
    await copy({ CopySourceIfMatch: ETag })
    const failed = { code: 'PreconditionFailed', status: 412 }
    expect(await refusal(copy({ CopySourceIfMatch: '"0"' }))).toMatchObject(failed)
    expect(await refusal(copy({ CopySourceIfNoneMatch: ETag }))).toMatchObject(failed)
    const missing = new CopyObjectCommand({ Bucket, Key: 'x', CopySource: `${Bucket}/nothing` })
    expect(await refusal(s3.client.send(missing))).toMatchObject({ code: 'NoSuchKey', status: 404 })
  })
})

describe('deleting', () => {
  it('is fine with an object that is not there', async () => {
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'nothing' }))
  })

  it('deletes many, one result each', async () => {
    const keys = Array.from({ length: 40 }, (_, i) => `many/${i} &<>"`)
    await Promise.all(keys.map((key) => put(key, 'x')))
    const Objects = [...keys.map((Key) => ({ Key })), { Key: 'many/none' }, { Key: 'x'.repeat(1025) }]
    const { Deleted, Errors } = await s3.client.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects } }),
    )
    expect(Deleted?.map(({ Key }) => Key)).toEqual([...keys, 'many/none'])
    expect(Errors).toMatchObject([{ Code: 'KeyTooLongError' }])
    const quiet = { Objects: [{ Key: 'many/none' }], Quiet: true }
    expect(
      (await s3.client.send(new DeleteObjectsCommand({ Bucket, Delete: quiet }))).Deleted,
    ).toBeUndefined()
  })
})

describe('tagging', () => {
  it('never touches the body, its entity tag or its time', async () => {
    const input = { Bucket, Key: 'tagged', Body: 'body', Tagging: 'a=1&b=x%20y' }
    const { ETag } = await s3.client.send(new PutObjectCommand(input))
    const before = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'tagged' }))
    const tags = async () =>
      (await s3.client.send(new GetObjectTaggingCommand({ Bucket, Key: 'tagged' }))).TagSet
    expect(await tags()).toEqual([
      { Key: 'a', Value: '1' },
      { Key: 'b', Value: 'x y' },
    ])
    const TagSet = [{ Key: 'state', Value: ' done ' }]
    await s3.client.send(new PutObjectTaggingCommand({ Bucket, Key: 'tagged', Tagging: { TagSet } }))
    expect(await tags()).toEqual(TagSet)
    const after = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'tagged' }))
    expect(after).toMatchObject({ ETag, LastModified: before.LastModified })
    expect(await text('tagged')).toBe('body')
    await s3.client.send(new DeleteObjectTaggingCommand({ Bucket, Key: 'tagged' }))
    expect(await tags()).toEqual([])
    expect(await text('tagged')).toBe('body')
  })

  it('refuses eleven tags, doubled keys and unknown objects', async () => {
    await put('tagged', 'body')
    const setTags = (TagSet: { Key: string; Value: string }[], Key = 'tagged') =>
      s3.client.send(new PutObjectTaggingCommand({ Bucket, Key, Tagging: { TagSet } }))
    const tag = { Key: 'k', Value: 'v' }
    const eleven = Array.from({ length: 11 }, (_, i) => ({ Key: `k${i}`, Value: '' }))
    expect(await refusal(setTags(eleven))).toMatchObject({ code: 'InvalidTag' })
    expect(await refusal(setTags([tag, tag]))).toMatchObject({ code: 'InvalidTag' })
    expect(await refusal(setTags([tag], 'nothing'))).toMatchObject({ code: 'NoSuchKey' })
  })
})
