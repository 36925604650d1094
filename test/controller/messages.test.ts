import { describe, expect, test } from 'vitest'
import { isLater, type Parsed, parseEvent, parseMessage } from '../../controller/intake/messages.ts'
import { type UploadRules, uploadCommands } from '../../controller/intake/uploads.ts'
import { carriedJobId, keyedJobId, uploadJobId } from '../../schemas/ids.ts'
import { fence, jobId } from '../support/job.ts'
import { createRandom, type Random } from '../support/random.ts'

const rules: UploadRules = { defaultKind: 'transcode' }
const read = (body: unknown, by: UploadRules = rules): Parsed =>
  parseMessage(typeof body === 'string' ? body : JSON.stringify(body), 'message-1', by)

type S3Object = { key: string; eTag?: string; versionId?: string; sequencer?: string; size?: number }
const record = (object: S3Object, eventName = 'ObjectCreated:Put') => ({
  eventVersion: '2.1',
  eventSource: 'aws:s3',
  eventName,
  s3: { s3SchemaVersion: '1.0', bucket: { name: 'uploads', arn: 'arn:aws:s3:::uploads' }, object },
})
const film = { key: 'film.mp4', eTag: 'e1', sequencer: '0055AED6DCD90281E5', size: 7 }
const submit = (object: S3Object, kind = 'transcode') => ({
  do: 'submit',
  jobId: uploadJobId(kind, 'uploads', object.key, object.versionId ?? object.eTag ?? ''),
  kind,
  spec: {
    input: {
      bucket: 'uploads',
      key: object.key,
      ...(object.eTag === undefined ? {} : { etag: object.eTag }),
      ...(object.versionId === undefined ? {} : { versionId: object.versionId }),
      ...(object.size === undefined ? {} : { bytes: object.size }),
    },
  },
  sequencer: object.sequencer,
  upload: true,
})
const commands = (...list: unknown[]) => ({ is: 'commands', commands: list })
const ignored = (why: string) => commands({ do: 'ignore', why })

describe('an upload', () => {
  test('becomes the job of its bucket, key and etag', () => {
    expect(read({ Records: [record(film)] })).toEqual(commands(submit(film)))
  })

  test('of a bucket with versions is known by its version', () => {
    const versioned = { ...film, versionId: 'v7' }
    expect(read({ Records: [record(versioned)] })).toEqual(commands(submit(versioned)))
  })

  test.each([
    ['ObjectCreated:Put'],
    ['ObjectCreated:Post'],
    ['ObjectCreated:Copy'],
    ['ObjectCreated:CompleteMultipartUpload'],
    ['s3:ObjectCreated:Put'],
  ])('by %s', (eventName) => {
    expect(read({ Records: [record(film, eventName)] })).toEqual(commands(submit(film)))
  })

  test.each([['ObjectRemoved:Delete'], ['ObjectRestore:Post'], ['LifecycleExpiration:Delete']])(
    '%s is another event, and counted',
    (eventName) => {
      expect(read({ Records: [record(film, eventName)] })).toEqual(ignored('OtherEvent'))
    },
  )

  test('a message carries several: each becomes its own job, in their order', () => {
    const other = { key: 'other.mov', eTag: 'e2' }
    const body = { Records: [record(film), record({ key: 'notes.txt', eTag: 'e3' }), record(other)] }
    expect(read(body)).toEqual(commands(submit(film), { do: 'ignore', why: 'OtherSuffix' }, submit(other)))
  })

  test.each([0.5, -1, 1e300])('a size that is none, %d, is left out', (size) => {
    const { size: _size, ...unsized } = film
    expect(read({ Records: [record({ ...film, size })] })).toEqual(commands(submit(unsized)))
  })

  test('the same event twice is the same job', () => {
    expect(read({ Records: [record(film)] })).toEqual(read({ Records: [record(film)] }))
  })

  test('other bytes under the same key are another job', () => {
    expect(submit(film).jobId).not.toBe(submit({ ...film, eTag: 'e2' }).jobId)
  })

  test('quotes around an etag are no part of it', () => {
    expect(read({ Records: [record({ ...film, eTag: '"e1"' })] })).toEqual(commands(submit(film)))
  })
})

describe('keys are form-encoded', () => {
  test.each([
    ['my+film.mp4', 'my film.mp4'],
    ['a%2Bb.mp4', 'a+b.mp4'],
    ['a%20b.mp4', 'a b.mp4'],
    ['folder/film.mp4', 'folder/film.mp4'],
    ['folder%2Ffilm.mp4', 'folder/film.mp4'],
    ['%C3%BCber%E2%82%AC.mp4', 'über€.mp4'],
    ['100%25.mp4', '100%.mp4'],
    ['a%3Fb%23c%26d.mp4', 'a?b#c&d.mp4'],
  ])('%s is %s', (encoded, key) => {
    const sent = { ...film, key: encoded }
    expect(read({ Records: [record(sent)] })).toEqual(commands(submit({ ...film, key })))
  })

  test.each(['100%.mp4', '%zz.mp4', '%C3.mp4'])(
    '%s cannot be decoded: put aside with the field, and its neighbour becomes a job',
    (key) => {
      expect(read({ Records: [record(film), record({ ...film, key })] })).toEqual({
        ...commands(submit(film)),
        rubbish: expect.stringContaining('Records[1].s3.object.key'),
      })
    },
  )
})

describe('what is no job, and counted', () => {
  test('the test event of S3', () => {
    const event = {
      Service: 'Amazon S3',
      Event: 's3:TestEvent',
      Time: '2026-11-22T10:00:00Z',
      Bucket: 'uploads',
    }
    expect(read(event)).toEqual(ignored('TestEvent'))
  })

  test.each(['transcode/', 'a/b/c/', 'films.mp4/'])('the folder %s of the console', (key) => {
    expect(read({ Records: [record({ key, eTag: 'e', size: 0 })] })).toEqual(ignored('Folder'))
  })

  test.each(['.write_access_check_file.temp', 'transcode/a/.write_access_check_file.temp'])(
    'the file %s with which Amazon Transcribe tries its access',
    (key) => {
      expect(read({ Records: [record({ key, eTag: 'e' })] })).toEqual(ignored('AccessCheck'))
    },
  )

  test.each(['notes.txt', 'film.mp4.part', 'mp4', 'a/film'])(
    '%s, which the default kind does not take',
    (key) => {
      expect(read({ Records: [record({ key, eTag: 'e' })] })).toEqual(ignored('OtherSuffix'))
    },
  )

  test('everything without a kind of its own, where there is no default kind', () => {
    expect(read({ Records: [record(film)] }, { defaultKind: undefined })).toEqual(ignored('NoDefaultKind'))
  })
})

describe('which kind', () => {
  test.each(['film.MP4', 'Film.MoV', 'a/b.MKV'])('%s: suffixes are compared without case', (key) => {
    expect(read({ Records: [record({ key, eTag: 'e' })] })).toEqual(commands(submit({ key, eTag: 'e' })))
  })

  test('the first folder names it, whatever the suffix and the default', () => {
    const object = { key: 'transcode/raw.bin', eTag: 'e' }
    expect(read({ Records: [record(object)] }, { defaultKind: undefined })).toEqual(commands(submit(object)))
  })

  test.each([
    'Transcode/raw.bin',
    'a/transcode/raw.bin',
    'transcode.bin',
    '__proto__/raw.bin',
    'constructor/x.bin',
  ])('%s names none', (key) => {
    expect(read({ Records: [record({ key, eTag: 'e' })] })).toEqual(ignored('OtherSuffix'))
  })

  test('a kind that does not work on objects is not named by a folder', () => {
    expect(read({ Records: [record({ key: 'container/film.mp4', eTag: 'e' })] })).toEqual(
      commands(submit({ key: 'container/film.mp4', eTag: 'e' })),
    )
  })
})

describe('a job as JSON', () => {
  const spec = { input: { bucket: 'uploads', key: 'a.mp4' } }

  test('with an id of its own', () => {
    expect(read({ jobId: 'mine', kind: 'transcode', spec })).toEqual(
      commands({ do: 'submit', jobId: 'mine', kind: 'transcode', spec, sequencer: undefined, upload: false }),
    )
  })

  test('with an idempotency key: the same key is the same job, also in another message', () => {
    const body = JSON.stringify({ idempotencyKey: 'order 7', kind: 'transcode', spec })
    const [one, two] = ['m1', 'm2'].map((id) => parseMessage(body, id, rules))
    expect(one).toEqual(two)
    expect(one).toMatchObject({ commands: [{ jobId: keyedJobId('order 7') }] })
  })

  test('with an idempotency key and another kind: the same id, so that it is a conflict and no second job', () => {
    const idFor = (kind: string) => read({ idempotencyKey: 'order 7', kind, spec })
    expect(idFor('subtitles')).toMatchObject({ commands: [{ jobId: keyedJobId('order 7') }] })
    expect(idFor('audio')).toMatchObject({ commands: [{ jobId: keyedJobId('order 7') }] })
  })

  test('with neither: the message is its identity', () => {
    const body = JSON.stringify({ kind: 'transcode', spec })
    expect(parseMessage(body, 'm1', rules)).toEqual(parseMessage(body, 'm1', rules))
    expect(parseMessage(body, 'm1', rules)).not.toEqual(parseMessage(body, 'm2', rules))
  })

  test('an unknown kind is a job, too: it fails in the table, where its sender finds it', () => {
    expect(read({ jobId: 'mine', kind: 'transcoding', spec: {} })).toMatchObject({ is: 'commands' })
  })

  test('an address alone is a recording, and the same as in full', () => {
    const url = 'https://radio.example/live.m3u8'
    const inFull = { jobId: 'mine', kind: 'record', spec: { input: { url } } }
    expect(read({ jobId: 'mine', url })).toEqual(
      commands({ do: 'submit', ...inFull, sequencer: undefined, upload: false }),
    )
    expect(read({ jobId: 'mine', url })).toEqual(read(inFull))
    expect(read({ url, idempotencyKey: 'k' })).toMatchObject({
      commands: [{ jobId: keyedJobId('k') }],
    })
    expect(read({ url, kind: 'transcode' })).toMatchObject({
      is: 'rubbish',
      reason: expect.stringMatching(/^InvalidRequest: url: .*leave those out/),
    })
  })

  test('without a spec it has an empty one', () => {
    expect(read({ jobId: 'mine', kind: 'container' })).toMatchObject({ commands: [{ spec: {} }] })
  })
})

describe('rubbish is put aside, each with its reason', () => {
  const nested = (levels: number) =>
    `{"kind":"container","spec":{"params":{"x":${'['.repeat(levels)}${']'.repeat(levels)}}}}`
  test.each([
    ['nothing', '', /^NotJson:/],
    ['text', 'please transcode', /^NotJson:/],
    ['half a message', '{"kind":"trans', /^NotJson:/],
    ['null', 'null', /^NotAnObject:/],
    ['a number', '7', /^NotAnObject:/],
    ['a list', '[{"kind":"transcode"}]', /^NotAnObject:/],
    ['an empty object', '{}', /^InvalidRequest: kind: must be given/],
    ['an unknown field', '{"kind":"transcode","job_id":"a"}', /^InvalidRequest: .*job_id/],
    [
      'a wrong id',
      '{"kind":"transcode","jobId":"a b"}',
      /jobId: "a b" is not allowed: must be 1 to 64 letters/,
    ],
    ['id and key', '{"kind":"transcode","jobId":"a","idempotencyKey":"b"}', /idempotencyKey: .*not both/],
    [
      'an invalid spec',
      '{"kind":"transcode","spec":{"priority":12}}',
      /spec\.priority: 12 is not allowed: must be at most 9/,
    ],
    ['parameters too deep to be stored', nested(30), /spec\.params/],
    ['parameters so deep that walking through them would fail', nested(50_000), /^TooDeep:/],
    [
      'what cannot even be compared',
      '{"kind":"container","spec":{"failurePolicy":[{"stopCodes":[{"length":{"toString":1}}]}]}}',
      /^InvalidRequest:/,
    ],
    ['numbers too large to be stored', '{"kind":"container","spec":{"params":{"x":1e300}}}', /spec\.params/],
    ['Records that is no list', '{"Records":7}', /^NoRecords:/],
    ['no Records at all', '{"Records":[]}', /^NoRecords:/],
    [
      'a record of something else',
      '{"Records":[{"eventSource":"aws:sns"}]}',
      /^InvalidRecord: Records\[0\]\.eventSource/,
    ],
    [
      'a record without an object',
      JSON.stringify({ Records: [{ ...record(film), s3: {} }] }),
      /^InvalidRecord: Records\[0\]\.s3/,
    ],
    [
      'an empty key',
      JSON.stringify({ Records: [record({ key: '', eTag: 'e' })] }),
      /Records\[0\]\.s3\.object\.key/,
    ],
  ])('%s', (_name, body, reason) => {
    const parsed = read(body)
    expect(parsed.is).toBe('rubbish')
    expect(parsed.is === 'rubbish' && parsed.reason).toMatch(reason)
    expect(parsed.is === 'rubbish' && parsed.reason.length).toBeLessThan(600)
  })

  test('whatever the body is: commands or a reason, and no error (2,000 seeds)', () => {
    for (let seed = 1; seed <= 2000; seed += 1) {
      const random = createRandom(seed)
      const body = random.once(4) ? damaged(random) : JSON.stringify(anything(random, 0))
      const parsed = parseMessage(body, 'm', rules)
      if (parsed.is === 'rubbish' ? parsed.reason.length === 0 : !Array.isArray(parsed.commands))
        throw new Error(`seed ${seed}: ${body}`)
      const event = parseEvent(body, 'test')
      if (event.is === 'rubbish' && event.reason.length === 0) throw new Error(`seed ${seed}: ${body}`)
    }
  })
})

const words = [
  'Records',
  'Type',
  'Message',
  'SubscribeURL',
  'detail-type',
  'detail',
  'source',
  'kind',
  'spec',
  'jobId',
  's3',
  'object',
  'bucket',
  'key',
  'eventSource',
  'eventName',
  'Event',
  'name',
  '__proto__',
  'input',
  'params',
]

function anything(random: Random, depth: number): unknown {
  switch (random.below(depth > 4 ? 6 : 9)) {
    case 0:
      return null
    case 1:
      return random.once(2)
    case 2:
      return (random.next() - 0.5) * 10 ** random.below(20)
    case 3:
      return random.pick([
        'aws:s3',
        'transcode',
        'ObjectCreated:Put',
        's3:TestEvent',
        '',
        '%',
        'a/b.mp4',
        '\u0000',
        '💥',
      ])
    case 4:
      return 'x'.repeat(random.below(300))
    case 5:
      return random.below(10)
    case 6:
      return Array.from({ length: random.below(4) }, () => anything(random, depth + 1))
    default:
      return Object.fromEntries(
        Array.from({ length: random.below(5) }, () => [random.pick(words), anything(random, depth + 1)]),
      )
  }
}

function damaged(random: Random): string {
  const whole = JSON.stringify({ Records: [record(film)] })
  const from = random.below(whole.length)
  return (
    whole.slice(0, from) +
    random.pick(['', '"', '{', '}', '\\', ',', 'x']) +
    whole.slice(from + random.below(3))
  )
}

describe('order of the events of one key', () => {
  test.each([
    ['0055', '0056', true],
    ['0056', '0055', false],
    ['0055', '0055', false],
    // The shorter one is filled up with zeros on the right.
    ['0055', '00551', true],
    ['00551', '0055', false],
    ['0055', '00550', false],
    ['00551', '0056', true],
    ['00A', '00b', true],
    ['00a', '00B', true],
    ['00B', '00a', false],
    [undefined, '0055', false],
    ['0055', undefined, false],
    [undefined, undefined, false],
  ])('after %s, %s is later: %s', (than, sequencer, later) => {
    expect(isLater(sequencer, than)).toBe(later)
  })
})

const throughSns = (body: unknown, more: object = {}) => ({
  Type: 'Notification',
  MessageId: 'sns-1',
  TopicArn: 'arn:aws:sns:us-east-1:000000000000:uploads',
  Message: typeof body === 'string' ? body : JSON.stringify(body),
  Timestamp: '2026-11-22T10:00:00.000Z',
  ...more,
})
const eventOf = ({ key, eTag, versionId, sequencer, size }: S3Object, more: object = {}) => ({
  version: '0',
  id: '2ee9cc15-d022-99ea-1fb8-1b1bac4850f9',
  'detail-type': 'Object Created',
  source: 'aws.s3',
  account: '000000000000',
  time: '2026-11-22T10:00:00Z',
  region: 'us-east-1',
  resources: ['arn:aws:s3:::uploads'],
  detail: {
    version: '0',
    bucket: { name: 'uploads' },
    object: { key, size, etag: eTag, 'version-id': versionId, sequencer },
    'request-id': 'GET1',
    requester: '000000000000',
    reason: 'PutObject',
  },
  ...more,
})

describe('an upload told by EventBridge', () => {
  test('becomes the job of its bucket, key and etag', () => {
    expect(read(eventOf(film))).toEqual(commands(submit(film)))
  })

  test.each(['my+film.mp4', 'a%20b.mp4', '100%.mp4', 'a%2Bb.mp4', 'über €.mp4'])(
    'has its key as it is: %s',
    (key) => {
      expect(read(eventOf({ ...film, key }))).toEqual(commands(submit({ ...film, key })))
    },
  )

  test.each([
    ['my+film.mp4', 'my film.mp4'],
    ['a%2Bb.mp4', 'a+b.mp4'],
  ])('where keys are set to be encoded: %s is %s', (encoded, key) => {
    const sent = eventOf({ ...film, key: encoded })
    expect(read(sent, { ...rules, eventBridgeKeys: 'encoded' })).toEqual(commands(submit({ ...film, key })))
  })

  test('where keys are set to be encoded and one is not: put aside, with what to do', () => {
    expect(read(eventOf({ ...film, key: '100%.mp4' }), { ...rules, eventBridgeKeys: 'encoded' })).toEqual({
      is: 'rubbish',
      reason: expect.stringMatching(/^InvalidEvent: detail\.object\.key .*EVENTBRIDGE_KEYS=plain/),
    })
  })

  test.each(['Object Deleted', 'Object Tags Added', 'Object Restore Completed'])(
    '%s is another event, whatever its detail is, and counted',
    (what) => {
      expect(read(eventOf(film, { 'detail-type': what, detail: {} }))).toEqual(ignored('OtherEvent'))
    },
  )

  test.each([
    ['transcode/', 'Folder'],
    ['.write_access_check_file.temp', 'AccessCheck'],
    ['transcode/a/b/.write_access_check_file.temp', 'AccessCheck'],
    ['notes.txt', 'OtherSuffix'],
  ])('%s is no job: %s', (key, why) => {
    expect(read(eventOf({ ...film, key }))).toEqual(ignored(why))
  })

  test.each<[string, object, RegExp]>([
    ['another service', { source: 'aws.ecs' }, /^InvalidEvent: source: "aws\.ecs"/],
    ['another service that sends the same words', { source: 'mine' }, /^InvalidEvent: source/],
    ['no detail', { detail: undefined }, /^InvalidEvent: detail/],
    ['no key', { detail: { bucket: { name: 'uploads' }, object: {} } }, /^InvalidEvent: detail\.object\.key/],
    ['no bucket', { detail: { object: { key: 'a.mp4' } } }, /^InvalidEvent: detail\.bucket/],
  ])('from %s is rubbish', (_name, more, reason) => {
    expect(read(eventOf(film, more))).toEqual({ is: 'rubbish', reason: expect.stringMatching(reason) })
  })
})

describe('a message that came through SNS', () => {
  test.each<[string, unknown, unknown]>([
    ['a notification of S3', { Records: [record(film)] }, commands(submit(film))],
    ['an event of EventBridge', eventOf(film), commands(submit(film))],
    ['the test event of S3', { Service: 'Amazon S3', Event: 's3:TestEvent' }, ignored('TestEvent')],
    ['an upload that is none', eventOf({ ...film, key: 'notes.txt' }), ignored('OtherSuffix')],
  ])('%s is read like without', (_name, body, want) => {
    expect(read(throughSns(body))).toEqual(want)
    expect(read({ Type: 'Notification', Message: JSON.stringify(body) })).toEqual(want)
    expect(read(body)).toEqual(want)
  })

  test('a job without an id is known by the message of SNS, which several messages of SQS may carry', () => {
    const body = JSON.stringify(throughSns({ kind: 'container' }))
    const [one, two] = ['m1', 'm2'].map((id) => parseMessage(body, id, rules))
    expect(one).toEqual(two)
    expect(one).toMatchObject({ commands: [{ jobId: carriedJobId('container', 'sns-1') }] })
  })

  test('without an id of SNS it is known by the message of SQS', () => {
    const body = JSON.stringify(throughSns({ kind: 'container' }, { MessageId: undefined }))
    expect(parseMessage(body, 'm1', rules)).toMatchObject({
      commands: [{ jobId: carriedJobId('container', 'm1') }],
    })
  })

  test('one bad record costs the good ones nothing, and its reason says where it stands', () => {
    expect(read(throughSns({ Records: [record(film), record({ ...film, key: '%' })] }))).toEqual({
      ...commands(submit(film)),
      rubbish: expect.stringMatching(
        /Records\[1\]\.s3\.object\.key .*in the Message of a notification of SNS/,
      ),
    })
  })

  const inside = 'in the Message of a notification of SNS'
  test.each<[string, unknown, RegExp]>([
    ['text', throughSns('please transcode'), new RegExp(`^NotJson: .*${inside}`)],
    ['half a notification', throughSns('{"Records":[{'), new RegExp(`^NotJson: .*${inside}`)],
    ['nothing', throughSns(''), new RegExp(`^NotJson: .*${inside}`)],
    ['a list', throughSns('[1]'), new RegExp(`^NotAnObject: .*${inside}`)],
    ['a job that is not one', throughSns('{}'), new RegExp(`^InvalidRequest: kind.*${inside}`)],
    ['an envelope in an envelope', throughSns(throughSns({ Records: [record(film)] })), /^NestedEnvelope: /],
    [
      'an envelope whose message is no text',
      throughSns('', { Message: { a: 1 } }),
      /^InvalidEnvelope: Message/,
    ],
    ['an envelope of another type', throughSns('', { Type: 'Other' }), /^InvalidEnvelope: Type/],
    [
      'the question whether to subscribe',
      throughSns('You have chosen', { Type: 'SubscriptionConfirmation', SubscribeURL: 'https://sns' }),
      /^Unconfirmed: .*SubscribeURL/,
    ],
  ])('%s is rubbish', (_name, body, reason) => {
    const parsed = read(body)
    expect(parsed).toEqual({ is: 'rubbish', reason: expect.stringMatching(reason) })
  })
})

describe('the same object is the same job, whichever way its event came', () => {
  const encode = (key: string) => encodeURIComponent(key).replaceAll('%20', '+').replaceAll('%2F', '/')
  test.each<[string, S3Object]>([
    ['a plain key', film],
    ['spaces, plus signs and per cent', { ...film, key: 'a b+c 100%.mp4' }],
    ['letters of other languages', { ...film, key: 'transcode/über €/фильм.mp4' }],
    ['what looks encoded', { ...film, key: 'a%20b+c.mp4' }],
    ['a bucket with versions', { ...film, versionId: 'IYV3p45BT0ac8hjHg1houSdS1a.Mro8e' }],
    ['a bucket that no longer keeps versions', { ...film, versionId: 'null' }],
    ['an etag of a multipart upload', { ...film, eTag: '0123456789abcdef0123456789abcdef-12' }],
  ])('%s', (_name, object) => {
    const notification = { Records: [record({ ...object, key: encode(object.key) })] }
    const event = eventOf(object)
    const ways = [notification, event, throughSns(notification), throughSns(event)].map((body) => read(body))
    const { key, eTag: etag, versionId, sequencer, size: bytes } = object
    expect(ways[0]).toEqual(
      commands(...uploadCommands({ bucket: 'uploads', key, etag, versionId, sequencer, bytes }, rules)),
    )
    expect(ways[0]).toMatchObject({ commands: [{ do: 'submit', sequencer: film.sequencer }] })
    for (const way of ways) expect(way).toEqual(ways[0])
  })

  test.each(['null', ''])('version %j is left out by some events, and makes no difference', (versionId) => {
    expect(read(eventOf({ ...film, versionId }))).toEqual(read(eventOf(film)))
    expect(read({ Records: [record({ ...film, versionId })] })).toEqual(read(eventOf(film)))
  })
})

test('a confirmation makes the same command as the event, but for the sequencer', () => {
  const [confirmed] = uploadCommands(
    { bucket: 'uploads', key: 'film.mp4', etag: 'e1', versionId: undefined, sequencer: undefined, bytes: 7 },
    rules,
  )
  expect(confirmed).toEqual({ ...submit(film), sequencer: undefined })
})

describe('messages of the task-events queue', () => {
  const detail = {
    taskArn: 'arn:aws:ecs:us-east-1:1:task/jobs/a',
    lastStatus: 'STOPPED',
    desiredStatus: 'STOPPED',
    startedBy: `prod/${jobId}/${fence}`,
    version: 5,
    stopCode: 'EssentialContainerExited',
  }
  const event = (more: Record<string, unknown> = {}) =>
    JSON.stringify({ 'detail-type': 'ECS Task State Change', detail: { ...detail, ...more } })

  test('a wake names a job and says nothing more', () => {
    expect(parseEvent(JSON.stringify({ jobId }), 'prod')).toEqual({ is: 'wake', jobId })
  })

  test('an event of a task of ours: its job, its launch and the whole detail', () => {
    expect(parseEvent(event(), 'prod')).toEqual({ is: 'task', jobId, fence, detail })
  })

  test.each([
    ['another installation', `other/${jobId}/${fence}`],
    ['a longer name of an installation', `prod2/${jobId}/${fence}`],
    ['a service', 'ecs-svc/1234567890'],
    ['a person', 'anna'],
    ['a fence that none of ours has', `prod/${jobId}/x/1/1`],
    ['nobody', undefined],
  ])('a task started by %s is foreign', (_name, startedBy) => {
    expect(parseEvent(event({ startedBy }), 'prod')).toEqual({ is: 'foreign' })
  })

  test.each([
    ['text', 'hello', /^NotJson:/],
    ['a wake that says more', JSON.stringify({ jobId, phase: 'Succeeded' }), /^InvalidEvent:/],
    ['a wake with a wrong id', '{"jobId":"a/b"}', /^InvalidEvent:/],
    ['another event', JSON.stringify({ 'detail-type': 'ECS Service Action', detail }), /detail-type/],
    ['no version', event({ version: undefined }), /detail\.version/],
    ['null', 'null', /^InvalidEvent:/],
    ['what cannot even be compared', event({ taskArn: { length: { toString: 1 } } }), /^InvalidEvent:/],
  ])('%s is rubbish', (_name, body, reason) => {
    const parsed = parseEvent(body, 'prod')
    expect(parsed.is === 'rubbish' && parsed.reason).toMatch(reason)
  })
})
