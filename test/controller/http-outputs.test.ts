import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { GetCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseMessage } from '../../controller/intake/messages.ts'
import { submit } from '../../controller/intake/records.ts'
import { createJobStore } from '../../controller/store/jobs.ts'
import { uploadJobId } from '../../schemas/ids.ts'
import type { Attempt } from '../../schemas/job.ts'
import type { FileRole, Manifest } from '../../schemas/manifest.ts'
import { triggersSchema } from '../../schemas/triggers.ts'
import { acceptedJob, policy, startTestHttp, type TestHttp } from '../support/http.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'
import { until } from '../support/wait.ts'

let aws: TestAws
let http: TestHttp

beforeAll(async () => {
  aws = await startTestAws()
  http = await startTestHttp(aws)
})
afterAll(async () => {
  await http.close()
  await aws.close()
})

const put = async (bucket: string, key: string, body: string): Promise<void> => {
  await aws.clients().s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }))
}

describe('GET /jobs/:id/logs', () => {
  const attempt = (n: number, logStream?: string): Attempt => ({
    n,
    launches: 1,
    runner: 'ecs',
    capacity: 'on-demand',
    taskDefinition: 'worker:1',
    cpu: 2048,
    memory: 4096,
    launchedAt: '2026-11-22T10:00:00Z',
    ...(logStream === undefined ? {} : { logStream }),
  })
  const lines = Array.from({ length: 5 }, (_, index) => `line ${index + 1}`)

  beforeAll(async () => {
    const file = join(aws.configuration.LOCAL_DATA_DIR, 'ecs/logs/task/worker/first.log')
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, `${lines.join('\n')}\n`)
    await http.put(
      acceptedJob({
        jobId: 'logged',
        attempts: [
          attempt(1, 'task/worker/first'),
          attempt(2, 'task/worker/gone'),
          attempt(4, 'task/worker/'),
        ],
      }),
    )
    await http.put(acceptedJob({ jobId: 'silent', attempts: [attempt(1)] }))
    await http.put(acceptedJob({ jobId: 'waiting' }))
  })

  test('are the lines of an attempt, each with its time', async () => {
    const { status, body } = await http.get('/jobs/logged/logs?attempt=1')
    expect(status).toBe(200)
    expect(body).toEqual({
      jobId: 'logged',
      attempt: 1,
      stream: 'task/worker/first',
      lines: lines.map((message) => ({ at: expect.stringMatching(/Z$/), message })),
      next: expect.any(String),
      isEnd: false,
    })
    const after = await http.get(`/jobs/logged/logs?attempt=1&next=${String(body.next)}`)
    expect(after.body).toMatchObject({ lines: [], next: body.next, isEnd: true })
  })

  test('come page by page, and each line once', async () => {
    const seen: string[] = []
    let next = ''
    for (let page = 0; page < 4; page += 1) {
      const { body } = await http.get(`/jobs/logged/logs?attempt=1&limit=2${next && `&next=${next}`}`)
      seen.push(...(body.lines as { message: string }[]).map(({ message }) => message))
      next = String(body.next)
    }
    expect(seen).toEqual(lines)
  })

  test('from the end are the last lines, and lead on from there', async () => {
    const { body } = await http.get('/jobs/logged/logs?attempt=1&from=end&limit=2')
    expect(body).toMatchObject({ lines: [{ message: 'line 4' }, { message: 'line 5' }], isEnd: true })
    expect((await http.get(`/jobs/logged/logs?attempt=1&next=${String(body.next)}`)).body).toMatchObject({
      lines: [],
    })
  })

  test('are plain text for who asks for it', async () => {
    const answer = await http.get('/jobs/logged/logs?attempt=1', { accept: 'text/plain' })
    expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(answer.text).toBe('line 1\nline 2\nline 3\nline 4\nline 5\n')
    expect(answer.headers.get('x-next')).not.toBe('')
  })

  test.for([
    ['logged', 'attempt=3', 'ATTEMPT_NOT_FOUND', 'no attempt 3'],
    ['waiting', '', 'ATTEMPT_NOT_FOUND', 'no attempt 1'],
    ['logged', 'attempt=2', 'LOG_NOT_FOUND', 'nothing has been written'],
    ['logged', '', 'LOG_NOT_FOUND', 'it has no task yet'],
    ['silent', 'attempt=1', 'LOG_NOT_FOUND', 'does not write to CloudWatch'],
    ['nothing', '', 'JOB_NOT_FOUND', 'no job nothing'],
  ] as const)('of %s with %s: %s', async ([jobId, query, code, message]) => {
    const answer = await http.get(`/jobs/${jobId}/logs?${query}`)
    expect(answer).toMatchObject({ status: 404, body: { code } })
    expect(answer.body.message).toContain(message)
  })

  test('with a place that is none', async () => {
    expect(await http.get('/jobs/logged/logs?attempt=1&next=somewhere')).toMatchObject({
      status: 400,
      body: { code: 'PAGE_TOKEN_INVALID' },
    })
  })

  test.for([
    ['attempt=0', 'attempt'],
    ['attempt=last', 'attempt'],
    ['limit=10001', 'limit'],
    ['from=middle', 'from'],
  ] as const)('with %s are refused by name', async ([query, field]) => {
    expect((await http.get(`/jobs/logged/logs?${query}`)).body.problems).toMatchObject([{ field }])
  })
})

describe('GET /jobs/:id/outputs', () => {
  const files: [name: string, role: FileRole, contentType: string][] = [
    ['720p/segment-1.m4s', 'segment', 'video/iso.segment'],
    ['720p/playlist.m3u8', 'playlist', 'application/vnd.apple.mpegurl'],
    ['master.m3u8', 'master', 'application/vnd.apple.mpegurl'],
    ['720p/init.mp4', 'init', 'video/mp4'],
    ['poster.jpg', 'poster', 'image/jpeg'],
    ['metadata.json', 'metadata', 'application/json'],
  ]
  const publish = async (jobId: string, prefix: string, of = jobId): Promise<void> => {
    const manifest: Manifest = {
      schemaVersion: 1,
      jobId: of,
      kind: 'transcode',
      fence: 'x/1/1',
      finishedAt: '2026-11-22T10:00:00Z',
      files: files.map(([name, role, contentType]) => ({
        key: `${prefix}${name}`,
        bytes: name.length,
        sha256: createHash('sha256').update(name).digest('hex'),
        contentType,
        role,
      })),
    }
    await Promise.all(files.map(([name]) => put('outputs', `${prefix}${name}`, name)))
    await put('outputs', `${prefix}manifest.json`, JSON.stringify(manifest))
  }

  beforeAll(async () => {
    await http.put(acceptedJob({ jobId: 'done', phase: 'Succeeded', reason: 'Done' }))
    await publish('done', 'results/done/')
  })

  test('list what was published, with sizes, checksums and links that work', async () => {
    const { status, body } = await http.get('/jobs/done/outputs')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      bucket: 'outputs',
      prefix: 'results/done/',
      total: { files: 6, bytes: files.reduce((sum, [name]) => sum + name.length, 0) },
    })
    const listed = body.files as { name: string; url: string; sha256: string; bytes: number }[]
    expect(listed.map(({ name }) => name)).toEqual([
      'master.m3u8',
      'poster.jpg',
      'metadata.json',
      '720p/playlist.m3u8',
      '720p/init.mp4',
      '720p/segment-1.m4s',
    ])
    for (const { name, url, sha256, bytes } of listed) {
      const answer = await fetch(url)
      const text = await answer.text()
      expect([answer.status, text, text.length]).toEqual([200, name, bytes])
      expect(createHash('sha256').update(text).digest('hex')).toBe(sha256)
    }
    expect(Date.parse(String(body.expiresAt)) - Date.now()).toBeGreaterThan(3_590_000)
  })

  test('of one role, and page by page', async () => {
    const names = ({ body }: { body: Record<string, unknown> }) =>
      (body.files as { name: string }[]).map(({ name }) => name)
    expect(names(await http.get('/jobs/done/outputs?role=poster'))).toEqual(['poster.jpg'])
    const first = await http.get('/jobs/done/outputs?limit=4')
    expect(names(first)).toHaveLength(4)
    const second = await http.get(`/jobs/done/outputs?limit=4&from=${String(first.body.next)}`)
    expect(names(second)).toEqual(['720p/init.mp4', '720p/segment-1.m4s'])
    expect(second.body).not.toHaveProperty('next')
  })

  test('under a prefix of its own', async () => {
    const settings = { output: 'films/2026/' }
    await http.put(acceptedJob({ jobId: 'own-prefix', phase: 'Succeeded', reason: 'Done', settings }))
    await publish('own-prefix', 'films/2026/')
    expect((await http.get('/jobs/own-prefix/outputs')).body).toMatchObject({ prefix: 'films/2026/' })
  })

  test('that another job published under the same prefix are not of this one', async () => {
    const settings = { output: 'shared-place/' }
    await http.put(acceptedJob({ jobId: 'mine', settings }))
    await publish('other', 'shared-place/')
    expect((await http.get('/jobs/mine/outputs')).body).toMatchObject({
      code: 'OUTPUTS_NOT_FOUND',
      message: expect.stringContaining('until another job writes to the same spec.output'),
    })
  })

  test('of a job that has published none', async () => {
    await http.put(acceptedJob({ jobId: 'nothing-yet' }))
    expect(await http.get('/jobs/nothing-yet/outputs')).toMatchObject({
      status: 404,
      body: { code: 'OUTPUTS_NOT_FOUND' },
    })
  })

  test.for([
    ['{"schemaVersion":1}', 'jobId'],
    ['not JSON', '(whole)'],
  ] as const)('with the manifest %s say what is wrong with it', async ([text, field], { task }) => {
    const jobId = `damaged-${task.id.replace(/\W/g, '')}`
    await http.put(acceptedJob({ jobId }))
    await put('outputs', `results/${jobId}/manifest.json`, text)
    const answer = await http.get(`/jobs/${jobId}/outputs`)
    expect(answer).toMatchObject({ status: 500, body: { code: 'MANIFEST_DAMAGED' } })
    expect(answer.body.message).toContain(field)
  })
})

describe('POST /uploads and confirm', () => {
  const start = async (body: Record<string, unknown>) => {
    const answer = await http.post('/uploads', body)
    expect(answer.status).toBe(201)
    return answer.body as {
      uploadId: string
      key: string
      url: string
      headers: Record<string, string>
      expiresAt: string
    }
  }
  const record = async (jobId: string): Promise<Record<string, unknown> | undefined> => {
    const { Item } = await aws
      .clients()
      .documents.send(new GetCommand({ TableName: 'jobs', Key: { jobId }, ConsistentRead: true }))
    return Item
  }
  /** The message that S3 put into the queue for a key. */
  const eventOf = (key: string): Promise<string> =>
    until(`the event of ${key}`, async () => {
      const { Messages: messages } = await aws.clients().sqs.send(
        new ReceiveMessageCommand({
          QueueUrl: aws.queueUrl('jobs'),
          MaxNumberOfMessages: 10,
          VisibilityTimeout: 0,
        }),
      )
      return messages?.find(({ Body: body }) => body?.includes(key))?.Body
    })
  const deliver = async (body: string): Promise<string[]> => {
    const parsed = parseMessage(body, 'message', { defaultKind: 'transcode' })
    if (parsed.is !== 'commands') throw new Error(parsed.reason)
    const jobs = createJobStore(aws.clients().documents, 'jobs')
    return Promise.all(
      parsed.commands.map((command) =>
        command.do === 'submit' ? submit(command, jobs, Date.now()) : Promise.resolve('ignored'),
      ),
    )
  }

  test('a browser uploads with the link alone, and the confirmed file is a job', async () => {
    const { uploadId, key, url, headers, expiresAt } = await start({
      filename: 'Our wedding (1).mp4',
      kind: 'transcode',
      contentType: 'video/mp4',
    })
    expect(key).toMatch(/^transcode\/[a-z0-9]{12,}\/Our wedding \(1\)\.mp4$/)
    expect(headers).toEqual({ 'content-type': 'video/mp4' })
    // The SDK would sign the checksum of an empty body into the link; a store that checks it refuses every real file.
    expect(url).not.toContain('checksum')
    expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now())
    expect(await http.post(`/uploads/${uploadId}/confirm`)).toMatchObject({
      status: 409,
      body: { code: 'UPLOAD_MISSING' },
    })
    const sent = await fetch(url, { method: 'PUT', body: 'a real film', headers })
    expect(sent.status).toBe(200)
    const answer = await http.post(`/uploads/${uploadId}/confirm`)
    expect(answer).toMatchObject({ status: 201, body: { created: true } })
    const etag = createHash('md5').update('a real film').digest('hex')
    const jobId = uploadJobId('transcode', 'uploads', key, etag)
    expect(answer.body.jobId).toBe(jobId)
    expect(answer.headers.get('location')).toBe(`/jobs/${jobId}`)
    expect(await record(jobId)).toMatchObject({
      phase: 'Submitted',
      kind: 'transcode',
      spec: { input: { bucket: 'uploads', key, etag } },
    })
    expect(http.woken).toContain(jobId)
  })

  test('confirm, then the event: one job', async () => {
    const { uploadId, key, url } = await start({ filename: 'confirm-first.mp4' })
    await fetch(url, { method: 'PUT', body: 'film' })
    const { body } = await http.post(`/uploads/${uploadId}/confirm`)
    expect(body.created).toBe(true)
    expect(await deliver(await eventOf(key))).toEqual(['duplicate'])
    expect(await record(String(body.jobId))).toMatchObject({ sequencer: expect.any(String) })
  })

  test('the event, then confirm, twice: one job', async () => {
    const { uploadId, key, url } = await start({ filename: 'event-first.mp4' })
    await fetch(url, { method: 'PUT', body: 'film' })
    expect(await deliver(await eventOf(key))).toEqual(['created'])
    const [one, two] = [
      await http.post(`/uploads/${uploadId}/confirm`),
      await http.post(`/uploads/${uploadId}/confirm`),
    ]
    expect([one.status, two.status]).toEqual([200, 200])
    expect(one.body).toEqual(two.body)
    expect(one.body.created).toBe(false)
  })

  test('a link takes no other file, and none after its time', async () => {
    const { url } = await start({ filename: 'film.mp4' })
    const other = await fetch(url.replace('film.mp4', 'other.mp4'), { method: 'PUT', body: 'x' })
    expect(other.status).toBe(403)
    const brief = await startTestHttp(aws, { presignS: 1 })
    const answer = await brief.post('/uploads', { filename: 'film.mp4' })
    await sleep(2100)
    expect((await fetch(String(answer.body.url), { method: 'PUT', body: 'x' })).status).toBe(403)
    await brief.close()
  })

  test.for([
    ['no name', {}, 'filename', 'must be the name of a file'],
    ['an empty name', { filename: '' }, 'filename', 'must not be empty'],
    ['a path', { filename: '../../secret.mp4' }, 'filename', 'without folders'],
    ['a path of Windows', { filename: 'C:\\film.mp4' }, 'filename', 'without folders'],
    ['a line break', { filename: 'a\nb.mp4' }, 'filename', 'without folders'],
    ['two dots', { filename: '..', kind: 'transcode' }, 'filename', 'without folders'],
    ['a name that is too long', { filename: `${'ü'.repeat(128)}.mp4` }, 'filename', 'at most 255 bytes'],
    ['an unknown kind', { filename: 'a.mp4', kind: 'transmogrify' }, 'kind', 'must be one of: transcode'],
    ['a kind that takes no upload', { filename: 'a.mp4', kind: 'container' }, 'kind', 'must be one of'],
    ['a suffix that no kind takes', { filename: 'notes.txt' }, 'filename', 'must end in .mp4, .mov'],
    ['no media type', { filename: 'a.mp4', contentType: 'video' }, 'contentType', 'media type'],
    ['a header smuggled in', { filename: 'a.mp4', contentType: 'a/b\r\nx: y' }, 'contentType', 'media type'],
  ] as const)('%s is refused by name', async ([, body, field, rule]) => {
    expect((await http.post('/uploads', body)).body.problems).toMatchObject([
      { field, rule: expect.stringContaining(rule) },
    ])
  })

  test('with a kind, any suffix is taken', async () => {
    expect((await start({ filename: 'film.dat', kind: 'transcode' })).key).toMatch(/^transcode\//)
  })

  test('without a default kind, one must be given', async () => {
    const server = await startTestHttp(aws, { uploadRules: { defaultKind: undefined } })
    expect((await server.post('/uploads', { filename: 'film.mp4' })).body.problems).toMatchObject([
      { field: 'kind', rule: expect.stringContaining('must be given') },
    ])
    expect((await server.post('/uploads', { filename: 'film.mp4', kind: 'transcode' })).status).toBe(201)
    await server.close()
  })

  const seeding = { filename: 'film.torrent', kind: 'seed' }

  test('a kind that is off here is refused in the words of acceptance, and the page does not offer it', async () => {
    expect((await http.post('/uploads', seeding)).body.problems).toEqual([
      { field: 'kind', value: 'seed', rule: expect.stringContaining('SEEDING_PORT says by which port') },
    ])
    const offered = async (server: TestHttp) =>
      /name="upload-kinds" content="([^"]*)"/.exec((await server.get('/')).text)?.[1]?.split(' ')
    expect(await offered(http)).toEqual(['transcode', 'subtitles', 'audio', 'analyze', 'torrent'])
    const open = await startTestHttp(aws, { policy: { ...policy, seedingPort: 51_413 } })
    expect(await offered(open)).toContain('seed')
    expect((await open.post('/uploads', seeding)).status).toBe(201)
    await open.close()
  })

  describe('where rules decide about uploads', () => {
    let ruled: TestHttp
    beforeAll(async () => {
      const triggers = triggersSchema.parse([
        { suffix: '.wav', minBytes: 1, jobs: [{ kind: 'audio' }, { kind: 'subtitles' }] },
        { suffix: '.log', jobs: [] },
        { suffix: '.mkv', maxBytes: 3, jobs: [] },
        { suffix: '.torrent', jobs: [{ kind: 'seed' }] },
      ])
      ruled = await startTestHttp(aws, { uploadRules: { triggers, defaultKind: 'transcode' } })
    })
    afterAll(() => ruled.close())

    test.for([
      ['a file that fits by its size', { filename: 'talk.wav', bytes: 1 }],
      ['any of the kinds that it becomes', { filename: 'talk.wav', bytes: 1, kind: 'subtitles' }],
      ['a kind that no rule speaks of', { filename: 'talk.flac', bytes: 1, kind: 'audio' }],
      ['a file that no rule fits', { filename: 'film.mkv', bytes: 4 }],
      ['the largest file of one PUT', { filename: 'film.mp4', bytes: 5 * 1024 ** 3 }],
    ] as const)('%s gets a link', async ([, body]) => {
      expect((await ruled.post('/uploads', body)).status).toBe(201)
    })

    test.for([
      [
        'a kind that they do not make of it',
        { filename: 'a.wav', bytes: 1, kind: 'transcode' },
        'kind',
        'must be audio or subtitles: that is what the rules',
      ],
      [
        'a file that they make nothing of',
        { filename: 'a.log', bytes: 1 },
        'filename',
        'make no job of such a file',
      ],
      ['a kind for such a file', { filename: 'a.log', kind: 'audio' }, 'kind', 'make no job of such a file'],
      [
        'a file that is too small for them',
        { filename: 'a.wav', bytes: 0 },
        'filename',
        'or kind must be given',
      ],
      ['a file of no size', { filename: 'a.wav' }, 'filename', 'or bytes must be given'],
      ['a kind that they make and that is off', { filename: 'a.torrent' }, 'kind', 'SEEDING_PORT'],
      [
        'what Transcribe tries its access with',
        { filename: '.write_access_check_file.temp' },
        'filename',
        'another name',
      ],
      ['a size that is none', { filename: 'a.mp4', bytes: -1 }, 'bytes', 'must not be below 0'],
      [
        'more than S3 takes in one PUT',
        { filename: 'a.mp4', kind: 'transcode', bytes: 5 * 1024 ** 3 + 1 },
        'bytes',
        'aws s3 cp to s3://uploads/transcode/',
      ],
    ] as const)('%s is refused by name', async ([, body, field, rule]) => {
      expect((await ruled.post('/uploads', body)).body.problems).toMatchObject([
        { field, rule: expect.stringContaining(rule) },
      ])
    })

    test('a confirmed file that they make nothing of is told so', async () => {
      const { body } = await ruled.post('/uploads', { filename: 'a.mkv' })
      await fetch(String(body.url), { method: 'PUT', body: 'abc' })
      expect(await ruled.post(`/uploads/${String(body.uploadId)}/confirm`)).toMatchObject({
        status: 409,
        body: { code: 'UPLOAD_WITHOUT_JOB', message: expect.stringContaining('UPLOAD_TRIGGERS') },
      })
    })
  })

  const idOf = (key: string): string => Buffer.from(key).toString('base64url')

  test.for([
    ['not base64', '***'],
    ['a key that we never gave', idOf('private/film.mp4')],
    ['a key with folders', idOf('transcode/abcdefghijklmnop/a/b.mp4')],
    ['a key that goes up', idOf('../abcdefghijklmnop/film.mp4')],
    ['bytes that are no text', Buffer.from([0xff, 0xfe]).toString('base64url')],
    ['another form of a good id', `${idOf('transcode/abcdefghijklmnop/film.mp4')}=`],
  ] as const)('confirming %s is refused', async ([, id]) => {
    expect(await http.post(`/uploads/${encodeURIComponent(id)}/confirm`)).toMatchObject({
      status: 400,
      body: { problems: [{ field: 'id' }] },
    })
  })
})
