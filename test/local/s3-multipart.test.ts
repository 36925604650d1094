import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  DeleteBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { refusal, startS3, type TestS3 } from './s3-server.ts'

const Bucket = 'uploads'
const MIB = 1024 * 1024
const big = Buffer.alloc(5 * MIB, 'b')
const small = Buffer.from('the end')
let s3: TestS3

beforeAll(async () => {
  s3 = await startS3()
  await s3.client.send(new CreateBucketCommand({ Bucket }))
})

afterAll(() => s3.remove())

/** An upload with the given parts, numbered from 1. */
async function begin(
  Key: string,
  parts: Buffer[],
  options: Omit<CreateMultipartUploadCommandInput, 'Bucket' | 'Key'> = {},
) {
  const { ChecksumAlgorithm } = options
  const { UploadId } = await s3.client.send(new CreateMultipartUploadCommand({ Bucket, Key, ...options }))
  const id = { Bucket, Key, UploadId }
  const Parts: { PartNumber: number; ETag: string | undefined }[] = []
  for (const [index, Body] of parts.entries()) {
    const PartNumber = index + 1
    const { ETag } = await s3.client.send(
      new UploadPartCommand({ ...id, PartNumber, Body, ChecksumAlgorithm }),
    )
    Parts.push({ PartNumber, ETag })
  }
  return { id, Parts }
}

function complete(
  id: { Bucket: string; Key: string; UploadId: string | undefined },
  Parts: object[],
  more = {},
) {
  return s3.client.send(new CompleteMultipartUploadCommand({ ...id, MultipartUpload: { Parts }, ...more }))
}

async function bytes(Key: string, Range?: string): Promise<Buffer> {
  const { Body } = await s3.client.send(new GetObjectCommand({ Bucket, Key, Range }))
  return Buffer.from((await Body?.transformToByteArray()) ?? [])
}

function md5(data: Buffer): Buffer {
  return createHash('md5').update(data).digest()
}

describe('a multipart upload', () => {
  it('becomes one object, with the MD5 of the MD5s as entity tag, only when it is completed', async () => {
    const { id, Parts } = await begin('two', [big, small], { ContentType: 'video/mp4', Metadata: { m: '1' } })
    expect(await refusal(bytes('two'))).toMatchObject({ code: 'NoSuchKey' })
    const { ETag, Location } = await complete(id, Parts)
    const expected = createHash('md5')
      .update(Buffer.concat([md5(big), md5(small)]))
      .digest('hex')
    expect(ETag).toBe(`"${expected}-2"`)
    expect(Location).toContain('/uploads/two')
    expect((await bytes('two')).equals(Buffer.concat([big, small]))).toBe(true)
    const head = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'two' }))
    expect(head).toMatchObject({
      ETag,
      ContentType: 'video/mp4',
      Metadata: { m: '1' },
      ContentLength: 5 * MIB + 7,
    })
    expect(await refusal(complete(id, Parts))).toMatchObject({ code: 'NoSuchUpload', status: 404 })
  })

  it('serves ranges across the border of two parts, and single parts', async () => {
    const { id, Parts } = await begin('border', [big, small])
    await complete(id, Parts)
    expect((await bytes('border', `bytes=${5 * MIB - 3}-${5 * MIB + 2}`)).toString()).toBe('bbbthe')
    expect((await bytes('border', 'bytes=-4')).toString()).toBe(' end')
    const part = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'border', PartNumber: 2 }))
    expect(await part.Body?.transformToString()).toBe('the end')
    expect(part).toMatchObject({
      PartsCount: 2,
      ContentRange: `bytes ${5 * MIB}-${5 * MIB + 6}/${5 * MIB + 7}`,
    })
  })

  it('takes the last upload of a part number, and leaves out parts that are not named', async () => {
    const { id, Parts } = await begin('again', [big, small, small])
    const Body = Buffer.from('replaced')
    const { ETag } = await s3.client.send(new UploadPartCommand({ ...id, PartNumber: 2, Body }))
    expect(await refusal(complete(id, Parts))).toMatchObject({ code: 'InvalidPart', status: 400 })
    await complete(id, [Parts[0] ?? {}, { PartNumber: 2, ETag }])
    expect((await bytes('again')).subarray(5 * MIB).toString()).toBe('replaced')
  })

  it('refuses wrong lists of parts and keeps the upload', async () => {
    const { id, Parts } = await begin('wrong', [small, small])
    const [first = {}, second = {}] = Parts
    expect(await refusal(complete(id, Parts))).toMatchObject({ code: 'EntityTooSmall', status: 400 })
    expect(await refusal(complete(id, [second, first]))).toMatchObject({
      code: 'InvalidPartOrder',
      status: 400,
    })
    expect(await refusal(complete(id, [first, first]))).toMatchObject({
      code: 'InvalidPartOrder',
      status: 400,
    })
    expect(await refusal(complete(id, [{ ...first, PartNumber: 7 }]))).toMatchObject({ code: 'InvalidPart' })
    expect(await refusal(complete(id, [{ ...first, ETag: '"0"' }]))).toMatchObject({ code: 'InvalidPart' })
    expect(await refusal(complete(id, []))).toMatchObject({ code: 'MalformedXML', status: 400 })
    expect(await refusal(complete(id, [first], { MpuObjectSize: 1 }))).toMatchObject({
      code: 'InvalidRequest',
    })
    await complete(id, [first])
  })

  it('refuses part numbers outside 1 to 10,000 and unknown uploads', async () => {
    const { id } = await begin('numbers', [])
    const part = (PartNumber: number, more = {}) =>
      s3.client.send(new UploadPartCommand({ ...id, PartNumber, Body: 'x', ...more }))
    expect(await refusal(part(0))).toMatchObject({ code: 'InvalidArgument', status: 400 })
    expect(await refusal(part(10_001))).toMatchObject({ code: 'InvalidArgument', status: 400 })
    expect(await refusal(part(1, { UploadId: 'nothing' }))).toMatchObject({
      code: 'NoSuchUpload',
      status: 404,
    })
    expect(await refusal(part(1, { Key: 'other' }))).toMatchObject({ code: 'NoSuchUpload', status: 404 })
    await part(10_000)
  })

  it('is listed with its parts, page by page, until it is aborted', async () => {
    const { id, Parts } = await begin('listed/one', [small, small, small])
    const other = await begin('listed/two', [])
    const page = await s3.client.send(new ListPartsCommand({ ...id, MaxParts: 2 }))
    expect(page).toMatchObject({ IsTruncated: true, NextPartNumberMarker: '2', Parts: Parts.slice(0, 2) })
    const rest = await s3.client.send(
      new ListPartsCommand({ ...id, PartNumberMarker: page.NextPartNumberMarker }),
    )
    expect(rest).toMatchObject({ IsTruncated: false, Parts: Parts.slice(2) })
    expect(rest.Parts?.[0]?.Size).toBe(small.length)

    const list = (more = {}) =>
      s3.client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'listed/', MaxUploads: 1, ...more }))
    const uploads = await list()
    expect(uploads).toMatchObject({
      IsTruncated: true,
      Uploads: [{ Key: 'listed/one', UploadId: id.UploadId }],
    })
    const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = uploads
    expect(await list({ KeyMarker, UploadIdMarker })).toMatchObject({
      IsTruncated: false,
      Uploads: [{ Key: 'listed/two' }],
    })

    await s3.client.send(new AbortMultipartUploadCommand(id))
    expect(await refusal(s3.client.send(new ListPartsCommand(id)))).toMatchObject({ code: 'NoSuchUpload' })
    expect((await list()).Uploads).toMatchObject([{ UploadId: other.id.UploadId }])
  })

  it('leaves no bytes behind when it is aborted, and none but its own when it is completed', async () => {
    // Bodies of earlier tests may still be on their way out, so only new ones count.
    const before = await readdir(join(s3.dataDir, 'bodies'))
    const added = async () =>
      (await readdir(join(s3.dataDir, 'bodies'))).filter((name) => !before.includes(name)).length
    const aborted = await begin('bytes', [big, small])
    expect(await added()).toBe(2)
    await s3.client.send(new AbortMultipartUploadCommand(aborted.id))
    await expect.poll(added).toBe(0)
    const completed = await begin('bytes', [small, small])
    await complete(completed.id, completed.Parts.slice(0, 1))
    await expect.poll(added).toBe(1)
  })

  it('can be completed once by many at the same time', async () => {
    // This checksum is read from all bytes, which gives the others time to come in between.
    const whole = { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' } as const
    const { id, Parts } = await begin('many', [big, small], whole)
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => complete(id, Parts)))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect((await bytes('many')).length).toBe(5 * MIB + 7)
  })

  it('keeps a condition to the end', async () => {
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'taken', Body: 'first' }))
    const { id, Parts } = await begin('taken', [small])
    const failed = { code: 'PreconditionFailed', status: 412 }
    expect(await refusal(complete(id, Parts, { IfNoneMatch: '*' }))).toMatchObject(failed)
    expect(await refusal(complete(id, Parts, { IfMatch: '"0"' }))).toMatchObject(failed)
    const { ETag } = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'taken' }))
    await complete(id, Parts, { IfMatch: ETag })
    expect((await bytes('taken')).equals(small)).toBe(true)
  })

  it('does not keep its bucket from being deleted', async () => {
    await s3.client.send(new CreateBucketCommand({ Bucket: 'short-lived' }))
    await s3.client.send(new CreateMultipartUploadCommand({ Bucket: 'short-lived', Key: 'x' }))
    await s3.client.send(new DeleteBucketCommand({ Bucket: 'short-lived' }))
  })
})

describe('checksums of parts', () => {
  it('are verified, and combined into one of type COMPOSITE', async () => {
    const { id, Parts } = await begin('composite', [big, small], { ChecksumAlgorithm: 'SHA256' })
    const sha256 = (data: Buffer) => createHash('sha256').update(data).digest()
    const expected = `${sha256(Buffer.concat([sha256(big), sha256(small)])).toString('base64')}-2`
    const wrong = Parts.map((part) => ({
      ...part,
      ChecksumSHA256: sha256(Buffer.from('wrong')).toString('base64'),
    }))
    expect(await refusal(complete(id, wrong))).toMatchObject({ code: 'InvalidPart' })
    expect(await complete(id, Parts)).toMatchObject({ ChecksumSHA256: expected, ChecksumType: 'COMPOSITE' })
    const head = await s3.client.send(
      new HeadObjectCommand({ Bucket, Key: 'composite', ChecksumMode: 'ENABLED' }),
    )
    expect(head.ChecksumSHA256).toBe(expected)
    expect((await bytes('composite')).length).toBe(5 * MIB + 7)
  })

  it('cover the whole object when it is created so, and the end result is compared', async () => {
    const whole = { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' } as const
    const { id, Parts } = await begin('full', [big, small], whole)
    const wrong = complete(id, Parts, { ChecksumCRC32: 'AAAAAA==', ChecksumType: 'FULL_OBJECT' })
    expect(await refusal(wrong)).toMatchObject({ code: 'BadDigest', status: 400 })
    const { ChecksumCRC32 } = await complete(id, Parts)
    const single = new PutObjectCommand({ Bucket, Key: 'single', Body: Buffer.concat([big, small]) })
    expect((await s3.client.send(single)).ChecksumCRC32).toBe(ChecksumCRC32)
  })
})

describe('copies', () => {
  it('become parts, whole or in ranges, without their source being needed any longer', async () => {
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'source', Body: Buffer.concat([big, small]) }))
    const { id } = await begin('assembled', [])
    const copy = (PartNumber: number, CopySourceRange?: string) =>
      s3.client.send(
        new UploadPartCopyCommand({ ...id, PartNumber, CopySource: `${Bucket}/source`, CopySourceRange }),
      )
    const first = await copy(1, `bytes=0-${5 * MIB - 1}`)
    const second = await copy(2, `bytes=${5 * MIB}-${5 * MIB + 2}`)
    expect(await refusal(copy(3, `bytes=0-${6 * MIB}`))).toMatchObject({
      code: 'InvalidArgument',
      status: 400,
    })
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'source', Body: 'gone' }))
    await complete(id, [
      { PartNumber: 1, ETag: first.CopyPartResult?.ETag },
      { PartNumber: 2, ETag: second.CopyPartResult?.ETag },
    ])
    expect((await bytes('assembled')).equals(Buffer.concat([big, Buffer.from('the')]))).toBe(true)
  })

  it('of a multipart object are single objects, with an MD5 and a checksum of their own', async () => {
    const { id, Parts } = await begin('multi', [big, small], { ChecksumAlgorithm: 'CRC32' })
    await complete(id, Parts)
    const copy = new CopyObjectCommand({ Bucket, Key: 'single-copy', CopySource: `${Bucket}/multi` })
    const { CopyObjectResult } = await s3.client.send(copy)
    const data = Buffer.concat([big, small])
    expect(CopyObjectResult).toMatchObject({
      ETag: `"${md5(data).toString('hex')}"`,
      ChecksumType: 'FULL_OBJECT',
    })
    expect((await bytes('single-copy')).equals(data)).toBe(true)
  })
})

describe('large bodies', () => {
  /** So many MiB, each another, made as they are read; `hash` sees what was made. */
  async function* produce(count: number, hash = createHash('md5')) {
    for (let i = 0; i < count; i += 1) {
      const piece = Buffer.alloc(MIB, i)
      hash.update(piece)
      yield piece
    }
  }

  async function md5OfStored(Key: string): Promise<string> {
    const { Body } = await s3.client.send(new GetObjectCommand({ Bucket, Key }))
    const hash = createHash('md5')
    for await (const chunk of Body as Readable) hash.update(chunk as Buffer)
    return hash.digest('hex')
  }

  it('go through lib-storage', async () => {
    const hash = createHash('md5')
    const params = { Bucket, Key: 'lib-storage', Body: Readable.from(produce(17, hash)) }
    const { ETag } = await new Upload({ client: s3.client, params, partSize: 5 * MIB }).done()
    expect(ETag).toMatch(/-4"$/)
    expect(await md5OfStored('lib-storage')).toBe(hash.digest('hex'))
  })

  it('stream to disk and back with bounded memory', async () => {
    const { id } = await begin('large', [])
    let peakBytes = 0
    // Client and server share this process, so this is an upper bound for the server.
    const watch = setInterval(() => {
      peakBytes = Math.max(peakBytes, process.memoryUsage().arrayBuffers)
    }, 5)
    const hash = createHash('md5')
    const part = { ...id, PartNumber: 1, Body: Readable.from(produce(112, hash)), ContentLength: 112 * MIB }
    const { ETag } = await s3.client.send(new UploadPartCommand(part))
    await complete(id, [{ PartNumber: 1, ETag }])
    const stored = await md5OfStored('large')
    clearInterval(watch)
    expect(stored).toBe(hash.digest('hex'))
    // About 64 MiB of it is rubbish that the engine has not collected yet; a server that keeps the part has 112.
    expect(peakBytes).toBeLessThan(96 * MIB)
  })

  it('leave nothing visible and nothing on disk when the client breaks off', async () => {
    // Bodies of earlier tests may still be on their way out, so only new ones count.
    const before = await readdir(join(s3.dataDir, 'bodies'))
    const added = async () =>
      (await readdir(join(s3.dataDir, 'bodies'))).filter((name) => !before.includes(name)).length
    const stop = new AbortController()
    async function* produce() {
      for (;;) {
        yield Buffer.alloc(MIB)
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    }
    const input = { Bucket, Key: 'broken', Body: Readable.from(produce()), ContentLength: 1024 * MIB }
    const sent = s3.client.send(new PutObjectCommand(input), { abortSignal: stop.signal })
    await expect.poll(added).toBe(1)
    stop.abort()
    await refusal(sent)
    await expect.poll(added).toBe(0)
    const { KeyCount } = await s3.client.send(new ListObjectsV2Command({ Bucket, Prefix: 'broken' }))
    expect(KeyCount).toBe(0)
  })
})
