import { cp, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetBucketNotificationConfigurationCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually, QUEUE_ARN, startS3, type TestS3 } from './s3-server.ts'

const Bucket = 'uploads'
let dataDir: string
let s3: TestS3

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 's3-restart-'))
  s3 = await startS3({ dataDir })
  await s3.client.send(new CreateBucketCommand({ Bucket }))
})

afterEach(async () => {
  await s3.stop()
  await rm(dataDir, { recursive: true, force: true })
})

async function restart(nowMs?: () => number): Promise<void> {
  await s3.stop()
  s3 = await startS3({ dataDir, ...(nowMs ? { nowMs } : {}) })
}

const bodies = async () => (await readdir(join(dataDir, 'bodies'))).length

describe('after a restart', () => {
  it('buckets, objects, their description and their order are the same', async () => {
    const keys = ['a/../b', 'b', 'ü 😀+%', '\uffff']
    for (const Key of keys) {
      const input = {
        Bucket,
        Key,
        Body: `body of ${Key}`,
        Metadata: { m: '1' },
        ContentType: 'a/b',
        Tagging: 't=1',
      }
      await s3.client.send(new PutObjectCommand(input))
    }
    const before = await s3.client.send(new ListObjectsV2Command({ Bucket }))
    await restart()
    const after = await s3.client.send(new ListObjectsV2Command({ Bucket }))
    expect(after.Contents).toEqual(before.Contents)
    for (const Key of keys) {
      const found = await s3.client.send(new GetObjectCommand({ Bucket, Key }))
      expect(found).toMatchObject({ Metadata: { m: '1' }, ContentType: 'a/b' })
      expect(await found.Body?.transformToString()).toBe(`body of ${Key}`)
      const { TagSet } = await s3.client.send(new GetObjectTaggingCommand({ Bucket, Key }))
      expect(TagSet).toEqual([{ Key: 't', Value: '1' }])
    }
  })

  it('a multipart upload goes on', async () => {
    const id = { Bucket, Key: 'multi' }
    const { UploadId } = await s3.client.send(new CreateMultipartUploadCommand({ ...id, ContentType: 'a/b' }))
    const upload = (PartNumber: number, Body: Buffer) =>
      s3.client.send(new UploadPartCommand({ ...id, UploadId, PartNumber, Body }))
    const first = await upload(1, Buffer.alloc(5 * 1024 * 1024, 'a'))
    await restart()
    const second = await upload(2, Buffer.from('b'))
    const Parts = [first, second].map(({ ETag }, index) => ({ PartNumber: index + 1, ETag }))
    await s3.client.send(new CompleteMultipartUploadCommand({ ...id, UploadId, MultipartUpload: { Parts } }))
    await restart()
    const found = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'multi', Range: 'bytes=-2' }))
    expect(await found.Body?.transformToString()).toBe('ab')
    expect(found.ContentType).toBe('a/b')
    expect(await readdir(join(dataDir, 'uploads'))).toEqual([])
  })

  it('an upload that was completed right before a crash is over, and its object keeps its bytes', async () => {
    const id = { Bucket, Key: 'crashed' }
    const { UploadId } = await s3.client.send(new CreateMultipartUploadCommand(id))
    const part = new UploadPartCommand({ ...id, UploadId, PartNumber: 1, Body: 'part' })
    const { ETag } = await s3.client.send(part)
    const folder = join(dataDir, 'uploads', UploadId ?? '')
    await cp(folder, join(dataDir, 'kept'), { recursive: true })
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] }
    await s3.client.send(new CompleteMultipartUploadCommand({ ...id, UploadId, MultipartUpload }))
    // As if the process had died between the write of the object and the removal of the upload.
    await rename(join(dataDir, 'kept'), folder)
    await restart()
    const { Uploads } = await s3.client.send(new ListMultipartUploadsCommand({ Bucket }))
    expect(Uploads).toBeUndefined()
    const { Body } = await s3.client.send(new GetObjectCommand(id))
    expect(await Body?.transformToString()).toBe('part')
  })

  it('notifications are still configured, and sequencers grow on even if the clock went back', async () => {
    const NotificationConfiguration = {
      QueueConfigurations: [{ QueueArn: QUEUE_ARN, Events: ['s3:ObjectCreated:*' as const] }],
    }
    await s3.client.send(new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration }))
    const sequencerOfPut = async () => {
      s3.delivered.length = 0
      await s3.client.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x' }))
      await eventually(() => s3.delivered.length === 1)
      return s3.delivered[0]?.message.Records?.[0]?.s3.object.sequencer ?? ''
    }
    const before = await sequencerOfPut()
    await restart(() => Date.now() - 60_000)
    const read = await s3.client.send(new GetBucketNotificationConfigurationCommand({ Bucket }))
    expect(read.QueueConfigurations).toHaveLength(1)
    expect((await sequencerOfPut()) > before).toBe(true)
  })

  it('what a crash left of unfinished writes is gone', async () => {
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'whole', Body: 'whole' }))
    await writeFile(join(dataDir, 'bodies', 'half-written'), 'half')
    expect(await bodies()).toBe(2)
    await restart()
    expect(await bodies()).toBe(1)
    const { Body } = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'whole' }))
    expect(await Body?.transformToString()).toBe('whole')
    expect(s3.warnings).toEqual([])
  })

  it('an unreadable record is reported, and costs no other object its bytes', async () => {
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'fine', Body: 'fine' }))
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'torn', Body: 'torn' }))
    const folder = join(dataDir, 'buckets', Bucket, 'objects')
    const records = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.json'))
    await writeFile(join(folder, records[0] ?? ''), '{"key":')
    await restart()
    expect(s3.warnings).toHaveLength(1)
    expect(await bodies()).toBe(2)
    const { Contents } = await s3.client.send(new ListObjectsV2Command({ Bucket }))
    const { Body } = await s3.client.send(new GetObjectCommand({ Bucket, Key: Contents?.[0]?.Key }))
    expect(await Body?.transformToString()).toBe(Contents?.[0]?.Key)
  })
})
