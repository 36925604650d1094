import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  type Event,
  GetBucketNotificationConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  type QueueConfiguration as SdkQueueConfiguration,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { eventMessage, interested, type QueueConfiguration } from '../../local/s3/notifications.ts'
import { eventually, QUEUE_ARN, refusal, startS3 } from './s3-server.ts'

const s3 = await startS3()
let Bucket = ''
let buckets = 0

beforeEach(async () => {
  buckets += 1
  Bucket = `uploads-${buckets}`
  await s3.client.send(new CreateBucketCommand({ Bucket }))
  s3.delivered.length = 0
  s3.warnings.length = 0
  Object.assign(s3.faults, { eventCopies: 1, eventDelayMs: () => 0 })
})

afterAll(() => s3.remove())

function configure(...QueueConfigurations: Partial<SdkQueueConfiguration>[]) {
  const NotificationConfiguration = {
    QueueConfigurations: QueueConfigurations.map((configuration) => ({
      QueueArn: QUEUE_ARN,
      Events: ['s3:ObjectCreated:*'] as Event[],
      ...configuration,
    })),
  }
  return s3.client.send(new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration }))
}

const put = (Key: string, Body = 'body') => s3.client.send(new PutObjectCommand({ Bucket, Key, Body }))

const filter = (Prefix: string, Suffix: string) => ({
  Filter: {
    Key: {
      FilterRules: [
        { Name: 'prefix', Value: Prefix },
        { Name: 'suffix', Value: Suffix },
      ] as { Name: 'prefix' | 'suffix'; Value: string }[],
    },
  },
})

/** Name and key of the object events that arrived so far. */
function events() {
  return s3.delivered.flatMap(({ message }) =>
    (message.Records ?? []).map(({ eventName, s3: { object } }) => `${eventName} ${object.key}`),
  )
}

describe('a notification configuration', () => {
  it('sends s3:TestEvent to each queue once, and can be read back', async () => {
    const other = `${QUEUE_ARN}-other`
    await configure(
      { Id: 'videos', ...filter('in/', '.mp4') },
      { QueueArn: other, ...filter('other/', '') },
      { QueueArn: other, ...filter('third/', '') },
    )
    expect(s3.delivered).toHaveLength(2)
    expect(new Set(s3.delivered.map(({ queueArn }) => queueArn))).toEqual(new Set([QUEUE_ARN, other]))
    for (const { message } of s3.delivered) {
      expect(message).toMatchObject({
        Service: 'Amazon S3',
        Event: 's3:TestEvent',
        Bucket,
        Time: expect.any(String),
      })
      expect(message.Records).toBeUndefined()
    }
    const read = await s3.client.send(new GetBucketNotificationConfigurationCommand({ Bucket }))
    expect(read.QueueConfigurations?.[0]).toEqual({
      Id: 'videos',
      QueueArn: QUEUE_ARN,
      Events: ['s3:ObjectCreated:*'],
      Filter: {
        Key: {
          FilterRules: [
            { Name: 'Prefix', Value: 'in/' },
            { Name: 'Suffix', Value: '.mp4' },
          ],
        },
      },
    })
    await configure()
    const none = await s3.client.send(new GetBucketNotificationConfigurationCommand({ Bucket }))
    expect(none.QueueConfigurations).toBeUndefined()
  })

  it.each<[string, Partial<SdkQueueConfiguration>[], string]>([
    ['a queue that is not there', [{ QueueArn: QUEUE_ARN.replace('jobs', 'missing') }], 'InvalidArgument'],
    ['a FIFO queue', [{ QueueArn: `${QUEUE_ARN}.fifo` }], 'InvalidArgument'],
    ['events that S3 has and this one does not', [{ Events: ['s3:Replication:*'] }], 'NotImplemented'],
    ['events that nobody has', [{ Events: ['nonsense' as Event] }], 'InvalidArgument'],
    ['two rules for the same event and key', [filter('a/', ''), filter('a/b/', '.mp4')], 'InvalidArgument'],
    ['one rule twice by another name', [{}, { Events: ['s3:ObjectCreated:Put'] }], 'InvalidArgument'],
  ])('refuses %s', async (_, configurations, code) => {
    expect(await refusal(configure(...configurations))).toMatchObject({ code })
    const read = await s3.client.send(new GetBucketNotificationConfigurationCommand({ Bucket }))
    expect(read.QueueConfigurations).toBeUndefined()
  })

  it('refuses other destinations than queues', async () => {
    const TopicConfigurations = [
      { TopicArn: 'arn:aws:sns:us-east-1:000000000000:t', Events: ['s3:ObjectCreated:*' as Event] },
    ]
    const NotificationConfiguration = { TopicConfigurations }
    const call = s3.client.send(
      new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration }),
    )
    expect(await refusal(call)).toMatchObject({ code: 'NotImplemented', status: 501 })
  })
})

describe('events', () => {
  it('tell of one finished write each', async () => {
    await configure({ Id: 'all' })
    const { ETag } = await put('in/a b+ü%.mp4', 'body')
    await eventually(() => events().length === 1)
    const [record] = s3.delivered.at(-1)?.message.Records ?? []
    expect(record).toMatchObject({
      eventVersion: '2.1',
      eventSource: 'aws:s3',
      awsRegion: 'us-east-1',
      eventName: 'ObjectCreated:Put',
      s3: {
        s3SchemaVersion: '1.0',
        configurationId: 'all',
        bucket: { name: Bucket, arn: `arn:aws:s3:::${Bucket}` },
        object: { key: 'in/a+b%2B%C3%BC%25.mp4', size: 4, eTag: ETag?.replaceAll('"', '') },
      },
    })
    expect(record?.s3.object).not.toHaveProperty('versionId')
    expect(new Date(record?.eventTime ?? '').getTime()).toBeGreaterThan(Date.now() - 60_000)
  })

  it('come once for a multipart upload, when it is completed', async () => {
    await configure({})
    const id = { Bucket, Key: 'multi' }
    const { UploadId } = await s3.client.send(new CreateMultipartUploadCommand(id))
    const part = new UploadPartCommand({ ...id, UploadId, PartNumber: 1, Body: 'x' })
    const { ETag } = await s3.client.send(part)
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] }
    await s3.client.send(new CompleteMultipartUploadCommand({ ...id, UploadId, MultipartUpload }))
    await put('last')
    await eventually(() => events().includes('ObjectCreated:Put last'))
    expect(events()).toEqual(['ObjectCreated:CompleteMultipartUpload multi', 'ObjectCreated:Put last'])
  })

  it('follow types, prefix and suffix', async () => {
    const removed = `${QUEUE_ARN}-removed`
    await configure(
      { Events: ['s3:ObjectCreated:Put', 's3:ObjectCreated:Copy'], ...filter('in/', '.mp4') },
      { Events: ['s3:ObjectRemoved:*', 's3:ObjectTagging:Put'], QueueArn: removed },
    )
    await put('in/1.mp4')
    await put('in/1.MP4')
    await put('out/1.mp4')
    await s3.client.send(new CopyObjectCommand({ Bucket, Key: 'in/2.mp4', CopySource: `${Bucket}/in/1.mp4` }))
    const TagSet = [{ Key: 'a', Value: 'b' }]
    await s3.client.send(new PutObjectTaggingCommand({ Bucket, Key: 'in/1.mp4', Tagging: { TagSet } }))
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'in/1.mp4' }))
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'in/never.mp4' }))
    const Objects = [{ Key: 'in/2.mp4' }, { Key: 'out/1.mp4' }]
    await s3.client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
    await eventually(() => events().length === 6)
    expect(events()).toEqual([
      'ObjectCreated:Put in/1.mp4',
      'ObjectCreated:Copy in/2.mp4',
      'ObjectTagging:Put in/1.mp4',
      'ObjectRemoved:Delete in/1.mp4',
      'ObjectRemoved:Delete in/2.mp4',
      'ObjectRemoved:Delete out/1.mp4',
    ])
    const deletion = s3.delivered.at(-1)
    expect(deletion?.queueArn).toBe(removed)
    expect(deletion?.message.Records?.[0]?.s3.object).not.toHaveProperty('size')
  })

  it('of one key have growing sequencers, as hex of one width', async () => {
    await configure({})
    await Promise.all(Array.from({ length: 10 }, (_, i) => put('same', String(i))))
    await eventually(() => events().length === 10)
    const sequencers = s3.delivered.flatMap(({ message }) =>
      (message.Records ?? []).map((record) => record.s3.object.sequencer),
    )
    expect(new Set(sequencers).size).toBe(10)
    expect(sequencers).toEqual([...sequencers].sort((a, b) => (a < b ? -1 : 1)))
    for (const sequencer of sequencers) expect(sequencer).toMatch(/^[0-9A-F]{18}$/)
  })

  it('do not tell of refused writes', async () => {
    await configure({})
    await put('once')
    const again = new PutObjectCommand({ Bucket, Key: 'once', Body: 'x', IfNoneMatch: '*' })
    expect(await refusal(s3.client.send(again))).toMatchObject({ code: 'PreconditionFailed' })
    await put('last')
    await eventually(() => events().includes('ObjectCreated:Put last'))
    expect(events()).toEqual(['ObjectCreated:Put once', 'ObjectCreated:Put last'])
  })

  it('are tried again when the queue refuses them, without holding up the write', async () => {
    await configure({})
    s3.queue.failures = 2
    await put('patient')
    await eventually(() => events().length === 1)
    expect(s3.warnings).toEqual([])
  })

  it('come twice, late, in another order or never when a test asks for it', async () => {
    await configure({})
    s3.faults.eventCopies = 2
    await put('twice')
    await eventually(() => events().length === 2)
    Object.assign(s3.faults, {
      eventCopies: 1,
      eventDelayMs: ({ key }: { key: string }) => (key === 'late' ? 1500 : 0),
    })
    await put('late')
    await put('early')
    await eventually(() => events().length === 4)
    expect(events().slice(2)).toEqual(['ObjectCreated:Put early', 'ObjectCreated:Put late'])
    s3.faults.eventCopies = 0
    await put('never')
    s3.faults.eventCopies = 1
    await put('last')
    await eventually(() => events().length === 5)
    expect(events().at(-1)).toBe('ObjectCreated:Put last')
  })
})

describe('interested', () => {
  const configuration = (change: Partial<QueueConfiguration>): QueueConfiguration => ({
    id: 'c',
    queueArn: QUEUE_ARN,
    events: ['s3:ObjectCreated:*'],
    prefix: '',
    suffix: '',
    ...change,
  })

  it.each<[string, Partial<QueueConfiguration>, string, boolean]>([
    ['everything', {}, 'x', true],
    ['its exact type', { events: ['s3:ObjectCreated:Put'] }, 'x', true],
    ['another type', { events: ['s3:ObjectCreated:Copy', 's3:ObjectRemoved:*'] }, 'x', false],
    ['its prefix', { prefix: 'in/' }, 'in/x', true],
    ['another prefix', { prefix: 'in/' }, 'out/in/x', false],
    ['a suffix in another case', { suffix: '.mp4' }, 'x.MP4', false],
    ['no wildcards', { suffix: '*.mp4' }, 'x.mp4', false],
    ['a percent-encoded prefix', { prefix: 'my%20videos/' }, 'my videos/x', true],
    ['a prefix with a percent sign', { prefix: '100%' }, '100% x', true],
  ])('%s', (_, change, key, expected) => {
    const found = interested([configuration(change)], { name: 'ObjectCreated:Put', key })
    expect(found).toHaveLength(expected ? 1 : 0)
  })

  it.each([
    ['plain-_.*/key', 'plain-_.*/key'],
    ['a b', 'a+b'],
    ['a+b', 'a%2Bb'],
    ["!'()~", '%21%27%28%29%7E'],
    ['ü&=?', '%C3%BC%26%3D%3F'],
  ])('a message has the key %s as %s', (key, expected) => {
    const event = {
      name: 'ObjectCreated:Put' as const,
      bucket: 'b',
      key,
      sequencer: '0',
      timeMs: 0,
      requestId: 'R',
    }
    const message = eventMessage({ ...event, accessKeyId: 'A', sourceIp: '127.0.0.1' }, 'c', 'us-east-1')
    expect(JSON.parse(message).Records[0].s3.object.key).toBe(expected)
    expect(decodeURIComponent(expected.replace(/\+/g, ' '))).toBe(key)
  })
})
