import { GetCommand } from '@aws-sdk/lib-dynamodb'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hashSpec } from '../../controller/intake/resolve.ts'
import { createJobStore } from '../../controller/store/jobs.ts'
import { keyedJobId, makeUid } from '../../schemas/ids.ts'
import { type Phase, phases } from '../../schemas/job.ts'
import { acceptedJob, startTestHttp, statusAt, type TestHttp } from '../support/http.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'

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

const record = async (jobId: string): Promise<Record<string, unknown> | undefined> => {
  const { Item } = await aws
    .clients()
    .documents.send(new GetCommand({ TableName: 'jobs', Key: { jobId }, ConsistentRead: true }))
  return Item
}

const transcode = { kind: 'transcode', spec: { input: { bucket: 'uploads', key: 'film.mp4', etag: 'e' } } }

describe('POST /jobs', () => {
  test('writes a submitted record, wakes the leader, and says where the job is', async () => {
    const answer = await http.post('/jobs', { jobId: 'wedding-42', ...transcode })
    expect(answer).toMatchObject({ status: 201, body: { jobId: 'wedding-42', created: true } })
    expect(answer.headers.get('location')).toBe('/jobs/wedding-42')
    expect(await record('wedding-42')).toEqual({
      jobId: 'wedding-42',
      kind: 'transcode',
      phase: 'Submitted',
      createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
      spec: transcode.spec,
    })
    expect(http.woken).toContain('wedding-42')
  })

  test('the same again is the same job, and nothing is written', async () => {
    await http.post('/jobs', { jobId: 'again', ...transcode })
    const before = await record('again')
    const answer = await http.post('/jobs', { ...transcode, jobId: 'again' })
    expect(answer).toMatchObject({ status: 200, body: { jobId: 'again', created: false } })
    expect(await record('again')).toEqual(before)
  })

  test('an address alone is a recording', async () => {
    const url = 'https://radio.example/live.m3u8?token=geheim'
    const answer = await http.post('/jobs', { jobId: 'show', url, spec: { params: { maxDuration: 60 } } })
    expect(answer).toMatchObject({ status: 201, body: { jobId: 'show', created: true } })
    expect(await record('show')).toMatchObject({
      kind: 'record',
      spec: { input: { url }, params: { maxDuration: 60 } },
    })
    const inFull = { jobId: 'show', kind: 'record', spec: { input: { url }, params: { maxDuration: 60 } } }
    expect(await http.post('/jobs', inFull)).toMatchObject({ status: 200, body: { created: false } })
    expect((await http.post('/jobs', { url })).status).toBe(201)
  })

  test('an address with kind record is the same recording, and only what is wrong with it is named', async () => {
    const url = 'https://radio.example/live.m3u8'
    expect((await http.post('/jobs', { jobId: 'named-show', kind: 'record', url })).status).toBe(201)
    expect(await http.post('/jobs', { jobId: 'named-show', url })).toMatchObject({
      status: 200,
      body: { created: false },
    })
    const wrong = await http.post('/jobs', { kind: 'record', url, retries: 3 })
    expect(wrong.body.problems).toMatchObject([{ field: 'retries' }])
  })

  test.for([
    ['file:///etc/passwd', 'spec.input.url', 'must begin with http://'],
    ['http://169.254.169.254/latest/', 'spec.input.url', 'must not lead to link-local'],
    ['https://anna:secret@h.example/', 'spec.input.url', 'must not carry a user or password'],
    [7, 'url', 'must be a text'],
  ] as const)('the address %s is refused by name', async ([url, field, rule]) => {
    const answer = await http.post('/jobs', { url })
    expect(answer.status).toBe(400)
    expect(answer.body.problems).toContainEqual({
      field,
      value: expect.any(String),
      rule: expect.stringContaining(rule),
    })
    expect(JSON.stringify(answer.body)).not.toContain('secret')
  })

  test.for([
    [{ kind: 'transcode' }, 'url'],
    [{ kind: 'record', spec: { input: { url: 'https://h.example/' } } }, 'url'],
  ] as const)('an address beside %o is one thing too many', async ([more, field]) => {
    const answer = await http.post('/jobs', { url: 'https://radio.example/live.m3u8', ...more })
    expect(answer.status).toBe(400)
    expect(answer.body.problems).toContainEqual(expect.objectContaining({ field }))
  })

  test('the same id with another body is a conflict', async () => {
    await http.post('/jobs', { jobId: 'taken', ...transcode })
    const spec = { ...transcode.spec, priority: 3 }
    expect(await http.post('/jobs', { jobId: 'taken', kind: 'transcode', spec })).toMatchObject({
      status: 409,
      body: { code: 'JOB_ID_TAKEN' },
    })
  })

  test('the id of a reaped job: the same body is told so, and another one is a conflict', async () => {
    const jobId = 'reaped-42'
    const uid = makeUid(jobId, 'abcdefghijkl')
    const specHash = hashSpec(transcode.spec)
    await http.put({ jobId, kind: 'transcode', phase: 'Succeeded', uid, specHash, expiresAt: 1 })
    const answer = await http.post('/jobs', { jobId, ...transcode })
    expect(answer).toMatchObject({ status: 200, body: { jobId, created: false, reaped: true } })
    const spec = { ...transcode.spec, priority: 3 }
    expect(await http.post('/jobs', { jobId, kind: 'transcode', spec })).toMatchObject({
      status: 409,
      body: { code: 'JOB_ID_SPENT', message: expect.stringContaining('There has been a job reaped-42') },
    })
    expect((await http.get(`/jobs/${jobId}`)).status).toBe(404)
  })

  test.for([
    ['the header', {}, { 'idempotency-key': 'order-7' }],
    ['the body', { idempotencyKey: 'order-7' }, {}],
    ['both', { idempotencyKey: 'order-7' }, { 'idempotency-key': 'order-7' }],
  ] as const)('an idempotency key in %s makes the id', async ([, body, headers]) => {
    const answer = await http.post('/jobs', { ...transcode, ...body }, headers)
    expect(answer.body.jobId).toBe(keyedJobId('order-7'))
  })

  test('an idempotency key with another body is a conflict', async () => {
    await http.post('/jobs', transcode, { 'idempotency-key': 'order-8' })
    const other = { kind: 'transcode', spec: { input: { bucket: 'uploads', key: 'other.mp4' } } }
    expect((await http.post('/jobs', other, { 'idempotency-key': 'order-8' })).status).toBe(409)
  })

  test('an idempotency key with another kind is a conflict', async () => {
    await http.post('/jobs', transcode, { 'idempotency-key': 'order-10' })
    const other = { ...transcode, kind: 'subtitles' }
    expect(await http.post('/jobs', other, { 'idempotency-key': 'order-10' })).toMatchObject({
      status: 409,
      body: { code: 'JOB_ID_TAKEN' },
    })
  })

  test('many at once with one key make one job', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => http.post('/jobs', transcode, { 'idempotency-key': 'order-9' })),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(new Set(answers.map(({ body }) => body.jobId)).size).toBe(1)
  })

  test('without id and key every request is a new job', async () => {
    const [one, two] = await Promise.all([http.post('/jobs', transcode), http.post('/jobs', transcode)])
    expect([one.status, two.status]).toEqual([201, 201])
    expect(one.body.jobId).not.toBe(two.body.jobId)
  })

  test('a body is refused with everything that is wrong with it at once', async () => {
    const answer = await http.post('/jobs', {
      jobId: 'not an id',
      kind: 'transcode',
      spec: { priority: 12, limits: { attempts: 0 }, colour: 'red', params: { crf: 99, preset: 'slow' } },
    })
    expect(answer).toMatchObject({ status: 400, body: { code: 'REQUEST_INVALID' } })
    const problems = answer.body.problems as { field: string; value: string; rule: string }[]
    expect(new Set(problems.map(({ field }) => field))).toEqual(
      new Set([
        'jobId',
        'spec.colour',
        'spec.limits.attempts',
        'spec.params.crf',
        'spec.params.preset',
        'spec.priority',
      ]),
    )
    expect(problems).toContainEqual({ field: 'spec.priority', value: '12', rule: 'must be at most 9' })
  })

  test.for([
    [
      'an unknown kind',
      { kind: 'transmogrify' },
      'kind',
      'must be one of: transcode, subtitles, audio, analyze, record, torrent, seed, container',
    ],
    [
      'no kind',
      { spec: {} },
      'kind',
      'must be one of: transcode, subtitles, audio, analyze, record, torrent, seed, container',
    ],
    ['an input that is missing', { kind: 'transcode' }, 'spec.input', 'must name bucket and key'],
    [
      'a size that Fargate does not have',
      { ...transcode, spec: { ...transcode.spec, resources: { cpu: 300 } } },
      'spec.resources',
      'cpu must be one of',
    ],
    [
      'a size that can never fit',
      { ...transcode, spec: { ...transcode.spec, resources: { cpu: 8192 } } },
      'spec.resources.cpu',
      'never has more than 6',
    ],
    ['an unknown queue', { ...transcode, spec: { ...transcode.spec, queue: 'fast' } }, 'spec.queue', 'batch'],
    ['a list', [], '(whole)', 'must be a map'],
    ['id and key', { ...transcode, jobId: 'a', idempotencyKey: 'b' }, 'idempotencyKey', 'not both'],
    ['a field of its own', { ...transcode, urgent: true }, 'urgent', 'there is no such field'],
  ] as const)('%s is refused by name', async ([, body, field, rule]) => {
    const answer = await http.post('/jobs', body)
    expect(answer.status).toBe(400)
    expect(answer.body.problems).toEqual([
      { field, value: expect.any(String), rule: expect.stringContaining(rule) },
    ])
  })

  test('an id in the body and a key in the header are one too many', async () => {
    const answer = await http.post('/jobs', { jobId: 'a', ...transcode }, { 'idempotency-key': 'b' })
    expect(answer.body.problems).toMatchObject([{ field: 'idempotencyKey' }])
  })

  test('two different keys are one too many', async () => {
    const answer = await http.post('/jobs', { idempotencyKey: 'a', ...transcode }, { 'idempotency-key': 'b' })
    expect(answer.body.problems).toMatchObject([{ field: 'idempotencyKey', value: '"a"' }])
  })

  test('a key that is too long is refused', async () => {
    const answer = await http.post('/jobs', transcode, { 'idempotency-key': 'k'.repeat(257) })
    expect(answer).toMatchObject({ status: 400, body: { problems: [{ field: 'idempotency-key' }] } })
  })

  test('secrets of a refused body do not come back', async () => {
    const url = 'https://x.test/?X-Amz-Signature=abcdef'
    const answer = await http.post('/jobs', { kind: 'transcode', spec: { output: url } })
    expect(answer.status).toBe(400)
    expect(answer.text).not.toContain('abcdef')
  })

  test('a wake-up that cannot be sent costs nothing', async () => {
    const lines: string[] = []
    const server = await startTestHttp(aws, {
      wake: () => Promise.reject(new Error('no queue')),
      log: pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) }),
    })
    expect((await server.post('/jobs', { jobId: 'unwoken', ...transcode })).status).toBe(201)
    expect(lines.join('')).toContain('the wake-up was not sent')
    await server.close()
  })
})

/** A split job of which so many shards have ended. */
const pipelineUnderWay = (ended: number, shards: number) => ({
  split: { shards },
  steps: [
    {
      name: 'encode',
      begunAt: new Date().toISOString(),
      children: Array.from({ length: shards }, (_, index) => ({
        jobId: `shard-${index}`,
        kind: 'encode-shard',
        state: index < ended ? ('succeeded' as const) : ('put' as const),
      })),
    },
  ],
})

describe('GET /jobs/:id', () => {
  test('is the whole record as it stands in the table, and why', async () => {
    const job = acceptedJob({ jobId: 'whole' })
    await http.put({ ...job, myOwn: { note: 1 } })
    const { status, body } = await http.get('/jobs/whole')
    expect(status).toBe(200)
    expect(body.job).toEqual(await record('whole'))
    expect(body.job).toMatchObject({ myOwn: { note: 1 } })
    expect(body.why).toContain('Waits in queue default')
    expect(body.until).toMatch(/Z$/)
  })

  test('speaks of what the leader knows', async () => {
    await http.put(acceptedJob({ jobId: 'knowing' }))
    await http.publish(
      statusAt(Date.now(), {
        queues: [{ name: 'default', running: 1, vcpu: 6, waitingFor: 'VcpuLimit' }],
        limits: { running: 3, maxRunning: 10, vcpu: 6, maxVcpu: 6 },
        attention: [{ jobId: 'knowing', why: 'An edit of its spec is ignored' }],
      }),
    )
    const { body } = await http.get('/jobs/knowing')
    expect(body.why).toContain('for 2 vCPU: 6 of 6 are taken')
    expect(body.attention).toBe('An edit of its spec is ignored')
  })

  test('of a pipeline that is live says how far it has come, which its record does not', async () => {
    const more = { jobId: 'long-film', phase: 'Running' as const, pipeline: pipelineUnderWay(1, 4) }
    const split = acceptedJob(more, Date.now() - 60_000)
    await http.put(split)
    const { body } = await http.get('/jobs/long-film')
    expect(body.progress).toEqual({ percent: 20, stage: 'encode', etaS: expect.any(Number) })
    expect(body.job).not.toHaveProperty('progress')
    await http.put({ ...split, phase: 'Cancelled', finishedAt: new Date().toISOString() })
    expect((await http.get('/jobs/long-film')).body).not.toHaveProperty('progress')
  })

  test('a job that is not there', async () => {
    expect(await http.get('/jobs/nothing')).toMatchObject({ status: 404, body: { code: 'JOB_NOT_FOUND' } })
  })

  test('what is left of a reaped job is no job', async () => {
    const { uid } = acceptedJob({ jobId: 'reaped' })
    await http.put({
      jobId: 'reaped',
      phase: 'Succeeded',
      createdAt: '2026-01-01T00:00:00Z',
      uid,
      expiresAt: 9e9,
    })
    expect((await http.get('/jobs/reaped')).status).toBe(404)
    expect((await http.post('/jobs/reaped/retry')).status).toBe(404)
  })

  test('an id that cannot be one is refused before anything is read', async () => {
    expect(await http.get('/jobs/no%20id')).toMatchObject({
      status: 400,
      body: { problems: [{ field: 'id' }] },
    })
  })

  test('a record that somebody damaged is shown as it is', async () => {
    await http.put({ ...acceptedJob({ jobId: 'damaged' }), attempts: 'none', history: 7 })
    const { body } = await http.get('/jobs/damaged')
    expect(body.job).toMatchObject({ attempts: 'none', history: 7 })
    expect(body.why).toContain('The record is damaged')
  })
})

describe('POST /jobs/:id/cancel, suspend, resume', () => {
  test.for([
    ['cancel', { cancel: true }],
    ['suspend', { suspend: true }],
  ] as const)('%s is noted in the record, once however often it is asked', async ([action, wish]) => {
    const job = acceptedJob({ jobId: `to-${action}`, phase: 'Running', fence: 'x/1/1' })
    await http.put(job)
    const answer = await http.post(`/jobs/${job.jobId}/${action}`)
    expect(answer).toMatchObject({ status: 202, body: { jobId: job.jobId, phase: 'Running' } })
    const after = await record(job.jobId)
    expect(after).toMatchObject({ phase: 'Running', revision: job.revision + 1, spec: wish })
    expect(http.woken).toContain(job.jobId)
    expect((await http.post(`/jobs/${job.jobId}/${action}`)).status).toBe(202)
    expect(await record(job.jobId)).toMatchObject({ spec: wish })
  })

  test('resume takes suspend back', async () => {
    await http.put(acceptedJob({ jobId: 'to-resume', spec: { ...transcode.spec, suspend: true } }))
    expect((await http.post('/jobs/to-resume/resume')).status).toBe(202)
    expect((await record('to-resume'))?.spec).toEqual(transcode.spec)
  })

  test('an empty body with a JSON content type is no body', async () => {
    await http.put(acceptedJob({ jobId: 'empty-body' }))
    const answer = await http.post('/jobs/empty-body/cancel', '')
    expect(answer.status).toBe(202)
  })

  test('a job that nobody has accepted yet can be cancelled', async () => {
    await http.post('/jobs', { jobId: 'fresh', ...transcode })
    expect((await http.post('/jobs/fresh/cancel')).status).toBe(202)
    expect(await record('fresh')).toMatchObject({ phase: 'Submitted', spec: { cancel: true } })
  })

  test.for([
    ['cancel', 'Succeeded'],
    ['cancel', 'Failed'],
    ['suspend', 'Cancelled'],
    ['resume', 'Succeeded'],
  ] as const)('%s of a job that is %s is refused with a sentence', async ([action, phase]) => {
    const jobId = `${action}-${phase}`
    await http.put(acceptedJob({ jobId, phase, reason: 'Done' }))
    const answer = await http.post(`/jobs/${jobId}/${action}`)
    expect(answer).toMatchObject({ status: 409, body: { code: 'JOB_FINISHED' } })
    expect(answer.body.message).toContain(
      `Job ${jobId} is ${phase}, and ${action} is for jobs that are not finished.`,
    )
    expect(await record(jobId)).toMatchObject({ revision: 1 })
  })

  test.for([['cancel'], ['suspend'], ['resume'], ['retry']])('%s of no job', async ([action]) => {
    expect(await http.post(`/jobs/nothing/${action}`)).toMatchObject({
      status: 404,
      body: { code: 'JOB_NOT_FOUND' },
    })
  })

  test('a spec that is not an object takes no wishes', async () => {
    await http.put({
      jobId: 'text-spec',
      kind: 'transcode',
      phase: 'Submitted',
      createdAt: 'x',
      spec: 'hello',
    })
    expect(await http.post('/jobs/text-spec/cancel')).toMatchObject({
      status: 409,
      body: { code: 'JOB_DAMAGED' },
    })
  })
})

describe('POST /jobs/:id/retry', () => {
  test.for([['Succeeded'], ['Failed'], ['Cancelled']] as const)(
    'a %s job is submitted anew, without its cancel',
    async ([phase]) => {
      const jobId = `retry-${phase}`
      await http.put(acceptedJob({ jobId, phase, reason: 'x', spec: { ...transcode.spec, cancel: true } }))
      expect(await http.post(`/jobs/${jobId}/retry`)).toMatchObject({ status: 202, body: { phase } })
      expect(await record(jobId)).toMatchObject({ phase: 'Submitted', revision: 2, spec: transcode.spec })
      expect((await record(jobId))?.spec).toEqual(transcode.spec)
    },
  )

  test.for(phases.filter((phase) => !['Succeeded', 'Failed', 'Cancelled'].includes(phase)))(
    'a job that is %s is not finished',
    async (phase) => {
      const jobId = `retry-${phase}`
      await http.put(acceptedJob({ jobId, phase, fence: 'x/1/1' }))
      const answer = await http.post(`/jobs/${jobId}/retry`)
      expect(answer).toMatchObject({ status: 409, body: { code: 'JOB_NOT_FINISHED' } })
      expect(answer.body.message).toContain(`Job ${jobId} is ${phase}, and retry is for finished jobs.`)
    },
  )

  test('a job that changes at that very moment is left alone', async () => {
    await http.put(acceptedJob({ jobId: 'racing', phase: 'Failed', reason: 'x' }))
    const store = createJobStore(aws.clients().documents, 'jobs')
    const server = await startTestHttp(aws, {
      jobs: {
        ...store,
        async get(jobId) {
          const item = await store.get(jobId)
          await store.edit(jobId, { wish: 'retry', phase: 'Failed' })
          return item
        },
      },
    })
    expect(await server.post('/jobs/racing/retry')).toMatchObject({
      status: 409,
      body: { code: 'JOB_CHANGED' },
    })
    expect(await record('racing')).toMatchObject({ phase: 'Submitted', revision: 2 })
    await server.close()
  })
})

describe('GET /jobs', () => {
  let list: TestHttp
  let listAws: TestAws
  const at = (minute: number): string => new Date(Date.UTC(2026, 10, 22, 10, minute)).toISOString()
  const ids = ({ body }: { body: Record<string, unknown> }): string[] =>
    (body.jobs as { jobId: string }[]).map(({ jobId }) => jobId)

  beforeAll(async () => {
    listAws = await startTestAws()
    list = await startTestHttp(listAws)
    const rows: [jobId: string, phase: Phase, minute: number, more?: Parameters<typeof acceptedJob>[0]][] = [
      ['done-old', 'Succeeded', 1],
      ['done-new', 'Succeeded', 9],
      ['failed', 'Failed', 8],
      ['cancelled', 'Cancelled', 2],
      ['pending-old', 'Pending', 3],
      ['pending-new', 'Pending', 7, { settings: { queue: 'batch' } }],
      ['starting', 'Starting', 4],
      ['running-old', 'Running', 5, { kind: 'container', settings: { queue: 'batch' } }],
      ['running-new', 'Running', 6, { progress: { beat: 2, percent: 12, stage: 'encode', at: at(6) } }],
      ['stopping', 'Stopping', 0],
    ]
    for (const [jobId, phase, minute, more] of rows)
      await list.put(acceptedJob({ jobId, phase, createdAt: at(minute), ...more }))
    await list.put({
      jobId: 'submitted',
      kind: 'transcode',
      phase: 'Submitted',
      createdAt: at(10),
      spec: { queue: 'batch' },
    })
    await list.put({
      jobId: 'reaped',
      phase: 'Succeeded',
      createdAt: at(11),
      uid: acceptedJob({ jobId: 'reaped' }).uid,
      expiresAt: 9e9,
    })
  })
  afterAll(async () => {
    await list.close()
    await listAws.close()
  })

  test('says how far those have come that are live and tell of it', async () => {
    expect((await list.get('/jobs')).body.progress).toEqual({
      'running-new': { percent: 12, stage: 'encode' },
    })
  })

  const everything = [
    'running-new',
    'running-old',
    'starting',
    'stopping',
    'submitted',
    'pending-new',
    'pending-old',
    'failed',
    'cancelled',
    'done-new',
    'done-old',
  ]

  test('shows whole records: what moves, what waits, what has ended, each newest first, and no tombstone', async () => {
    const answer = await list.get('/jobs')
    expect(ids(answer)).toEqual(everything)
    expect(answer.body).not.toHaveProperty('nextToken')
    expect((answer.body.jobs as unknown[])[0]).toMatchObject({ settings: { queue: 'default' }, revision: 1 })
  })

  test('says of each of them what it waits for', async () => {
    const { body } = await list.get('/jobs?limit=1&phase=Pending')
    expect(body.why).toEqual({
      'pending-new': { why: expect.stringContaining('Waits in queue batch'), until: expect.any(String) },
    })
  })

  test.for([
    ['phase=Running', ['running-new', 'running-old']],
    ['phase=Succeeded', ['done-new', 'done-old']],
    ['kind=container', ['running-old']],
    ['queue=batch', ['running-old', 'submitted', 'pending-new']],
    ['queue=batch&phase=Pending', ['pending-new']],
    ['queue=batch&kind=container', ['running-old']],
    ['kind=nothing', []],
  ] as const)('%s', async ([query, expected]) => {
    expect(ids(await list.get(`/jobs?${query}`))).toEqual(expected)
  })

  test.for([[1], [2], [3], [4], [11], [1000]])(
    'page by page, %i at a time, shows each once',
    async ([limit]) => {
      expect(await walk(`limit=${limit}`)).toEqual(everything)
    },
  )

  test.for([[1], [2], [5]])('filtered, %i at a time, shows each once', async ([limit]) => {
    expect(await walk(`queue=batch&limit=${limit}`)).toEqual(['running-old', 'submitted', 'pending-new'])
  })

  const walk = async (query: string): Promise<string[]> => {
    const found: string[] = []
    let token: unknown
    do {
      const answer = await list.get(
        `/jobs?${query}${token === undefined ? '' : `&nextToken=${String(token)}`}`,
      )
      expect(answer.status).toBe(200)
      found.push(...ids(answer))
      token = answer.body.nextToken
    } while (token !== undefined)
    return found
  }

  test('a job that the index still has in another phase is shown as it is, or left out by the filter', async () => {
    const store = createJobStore(listAws.clients().documents, 'jobs')
    const server = await startTestHttp(listAws, {
      jobs: {
        ...store,
        inPhase: async (phase) => ({ ids: phase === 'Running' ? ['pending-new'] : [], next: undefined }),
      },
    })
    expect(ids(await server.get('/jobs'))).toEqual(['pending-new'])
    expect(ids(await server.get('/jobs?phase=Running'))).toEqual([])
    await server.close()
  })

  test('a filter that matches hardly anything does not make one request read everything', async () => {
    const store = createJobStore(listAws.clients().documents, 'jobs')
    let reads = 0
    const from = { jobId: 'pending-new', phase: 'Pending', createdAt: at(7) }
    const server = await startTestHttp(listAws, {
      jobs: {
        ...store,
        get: async () => {
          reads += 1
          return acceptedJob({ phase: 'Pending' })
        },
        inPhase: async (_phase, { limit }) => ({ ids: Array.from({ length: limit }, () => 'x'), next: from }),
      },
    })
    const answer = await server.get('/jobs?phase=Pending&kind=rare&limit=1000')
    expect(ids(answer)).toEqual([])
    expect(answer.body.nextToken).toEqual(expect.any(String))
    expect(reads).toBeLessThanOrEqual(4000)
    await server.close()
  })

  test.for([
    ['phase=Done', 'phase'],
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['limit=many', 'limit'],
    ['limit=1.5', 'limit'],
    ['phases=Running', 'phases'],
  ] as const)('%s is refused by name', async ([query, field]) => {
    expect(await list.get(`/jobs?${query}`)).toMatchObject({
      status: 400,
      body: { code: 'REQUEST_INVALID', problems: [{ field }] },
    })
  })

  const tokenOf = (place: unknown): string => Buffer.from(JSON.stringify(place)).toString('base64url')

  test.for([
    ['nonsense', 'nonsense'],
    ['an unknown phase', tokenOf({ phase: 'Done' })],
    ['another key', tokenOf({ phase: 'Running', from: { jobId: 'x' } })],
    [
      'a key of another phase',
      tokenOf({ phase: 'Running', from: { jobId: 'x', phase: 'Failed', createdAt: at(0) } }),
    ],
    ['a phase that was not asked for', tokenOf({ phase: 'Failed' })],
  ] as const)('a token that is %s is refused', async ([, nextToken]) => {
    expect(await list.get(`/jobs?phase=Running&nextToken=${nextToken}`)).toMatchObject({
      status: 400,
      body: { code: 'PAGE_TOKEN_INVALID' },
    })
  })
})
