import { createHash } from 'node:crypto'
import {
  GetObjectCommand,
  HeadObjectCommand,
  NoSuchKey,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { headInput, headUpload } from '../../controller/intake/heads.ts'
import { deleteSource } from '../../controller/store/objects.ts'
import { type Check, refusal } from './check.ts'

export type S3Subject = Pick<S3Client, 'send'>

const Bucket = 'uploads'
const text = 'a small file: Zürich'
const etag = createHash('md5').update(text).digest('hex')

const check = (name: string, run: (s3: S3Subject) => Promise<void>): Check<S3Subject> => ({ name, run })

const put = (s3: S3Subject, Key: string, Body = text) => s3.send(new PutObjectCommand({ Bucket, Key, Body }))

export const s3Checks: readonly Check<S3Subject>[] = [
  check('a head has etag and length in bytes', async (s3) => {
    const answer = await put(s3, 'head.txt')
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'head.txt' }))
    expect(head).toMatchObject({ ETag: `"${etag}"`, ContentLength: Buffer.byteLength(text) })
    expect(head.LastModified).toBeInstanceOf(Date)
    expect(answer.ETag).toBe(head.ETag)
  }),
  check('other bytes have another etag, the same ones the same', async (s3) => {
    const tags = []
    for (const body of ['one', 'two', 'one']) tags.push((await put(s3, 'again.txt', body)).ETag)
    expect(tags[0]).toBe(tags[2])
    expect(tags[0]).not.toBe(tags[1])
  }),
  check('a head of nothing is NotFound with status 404', async (s3) => {
    const error = await s3
      .send(new HeadObjectCommand({ Bucket, Key: 'nothing' }))
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'NotFound', $metadata: { httpStatusCode: 404 } })
  }),
  check('a head in a bucket that there is not has status 404', async (s3) => {
    const head = s3.send(new HeadObjectCommand({ Bucket: 'nowhere', Key: 'a' }))
    await expect(head).rejects.toMatchObject({ name: 'NotFound', $metadata: { httpStatusCode: 404 } })
  }),
  check('intake finds an input by its etag, or misses it', async (s3) => {
    await put(s3, 'input.mp4')
    const bytes = Buffer.byteLength(text)
    expect(await headInput(s3, { bucket: Bucket, key: 'input.mp4' })).toEqual({ is: 'present', etag, bytes })
    expect(await headInput(s3, { bucket: Bucket, key: 'missing.mp4' })).toEqual({ is: 'missing' })
  }),
  check('of an input that was named by its etag, only that very object counts', async (s3) => {
    await put(s3, 'named.mp4')
    const ask = (key: string, named: { etag?: string; versionId?: string }) =>
      headInput(s3, { bucket: Bucket, key, ...named })
    expect(await ask('named.mp4', { etag: `"${etag}"` })).toMatchObject({ is: 'present', etag })
    expect(await ask('named.mp4', { etag: 'another' })).toEqual({ is: 'unknown' })
    expect(await ask('named.mp4', { versionId: 'another' })).toEqual({ is: 'unknown' })
    // The worker says so, as of every object that is gone by then.
    expect(await ask('missing.mp4', { etag })).toEqual({ is: 'unknown' })
  }),
  check('an upload tells its size', async (s3) => {
    await put(s3, 'upload.mp4')
    const bytes = Buffer.byteLength(text)
    expect(await headUpload(s3, { bucket: Bucket, key: 'upload.mp4' })).toEqual({ metadata: {}, bytes })
    expect(await headUpload(s3, { bucket: Bucket, key: 'missing.mp4' })).toEqual({ metadata: {} })
  }),
  check('a get gives the text back', async (s3) => {
    await put(s3, 'odd name+%2F/é.txt')
    const { Body: body } = await s3.send(new GetObjectCommand({ Bucket, Key: 'odd name+%2F/é.txt' }))
    expect(await body?.transformToString()).toBe(text)
  }),
  check('an input is deleted as the very object that it was; what is gone is deleted', async (s3) => {
    await put(s3, 'source.mp4')
    await put(s3, 'newer.mp4', 'another upload')
    expect(await deleteSource(s3, { bucket: Bucket, key: 'source.mp4', etag: `"${etag}"` })).toBe('deleted')
    expect(await deleteSource(s3, { bucket: Bucket, key: 'source.mp4', etag })).toBe('deleted')
    expect(await deleteSource(s3, { bucket: Bucket, key: 'newer.mp4', etag })).toBe('replaced')
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'newer.mp4' }))).ContentLength).toBe(14)
  }),
  check('a get of nothing is NoSuchKey, and of no bucket NoSuchBucket', async (s3) => {
    const get = s3.send(new GetObjectCommand({ Bucket, Key: 'nothing' }))
    await expect(get).rejects.toBeInstanceOf(NoSuchKey)
    expect(await refusal(s3.send(new GetObjectCommand({ Bucket: 'nowhere', Key: 'a' })))).toBe('NoSuchBucket')
  }),
]
