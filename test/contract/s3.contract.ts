import { createHash } from 'node:crypto'
import {
  GetObjectCommand,
  HeadObjectCommand,
  NoSuchKey,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { headInput } from '../../controller/intake/heads.ts'
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
    expect(await headInput(s3, { bucket: Bucket, key: 'input.mp4' })).toEqual({ is: 'present', etag })
    expect(await headInput(s3, { bucket: Bucket, key: 'missing.mp4' })).toEqual({ is: 'missing' })
  }),
  check('a get gives the text back', async (s3) => {
    await put(s3, 'odd name+%2F/é.txt')
    const { Body: body } = await s3.send(new GetObjectCommand({ Bucket, Key: 'odd name+%2F/é.txt' }))
    expect(await body?.transformToString()).toBe(text)
  }),
  check('a get of nothing is NoSuchKey, and of no bucket NoSuchBucket', async (s3) => {
    const get = s3.send(new GetObjectCommand({ Bucket, Key: 'nothing' }))
    await expect(get).rejects.toBeInstanceOf(NoSuchKey)
    expect(await refusal(s3.send(new GetObjectCommand({ Bucket: 'nowhere', Key: 'a' })))).toBe('NoSuchBucket')
  }),
]
