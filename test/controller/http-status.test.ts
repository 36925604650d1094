import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createControlStore } from '../../controller/store/control.ts'
import { createJobStore } from '../../controller/store/jobs.ts'
import { startTestHttp, statusAt, type TestHttp } from '../support/http.ts'
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

describe('GET /status', () => {
  test('says so while no leader has published anything', async () => {
    expect(await http.get('/status')).toMatchObject({ status: 503, body: { code: 'STATUS_UNKNOWN' } })
  })

  test('shows what the leader published, what is free, and how old it is', async () => {
    const atMs = Date.now() - 7000
    const status = statusAt(atMs, {
      phases: { Running: 2, Pending: 5 },
      limits: { running: 2, maxRunning: 10, vcpu: 4.5, maxVcpu: 6 },
      attention: [{ jobId: 'film', why: 'An edit of its spec is ignored' }],
    })
    await http.publish(status)
    const { body } = await http.get('/status')
    expect(body).toEqual({ ...status, ageMs: expect.any(Number), free: { running: 8, vcpu: 1.5 } })
    expect(body.ageMs).toBeGreaterThanOrEqual(7000)
    expect(body.ageMs).toBeLessThan(17_000)
  })

  test('a limit below what runs leaves nothing free, and not less', async () => {
    await http.publish(statusAt(Date.now(), { limits: { running: 3, maxRunning: 1, vcpu: 6, maxVcpu: 2 } }))
    expect((await http.get('/status')).body.free).toEqual({ running: 0, vcpu: 0 })
  })

  test('a status that another version wrote is none', async () => {
    const { documents } = aws.clients()
    await documents.send(new PutCommand({ TableName: 'control', Item: { id: 'status', at: 7 } }))
    expect((await http.get('/status')).body.code).toBe('STATUS_UNKNOWN')
    await expect(createControlStore(documents, 'control').readStatus()).resolves.toBeUndefined()
  })
})

describe('probes and metrics', () => {
  test('/healthz says that the process answers', async () => {
    expect(await http.get('/healthz')).toMatchObject({ status: 200, body: { ok: true } })
  })

  test('/readyz says why the controller cannot work yet', async () => {
    const state: { ready: boolean; why?: string } = { ready: false, why: 'the jobs table does not answer' }
    const server = await startTestHttp(aws, { ready: () => state })
    const answer = await server.get('/readyz')
    expect(answer).toMatchObject({ status: 503, body: { code: 'NOT_READY' } })
    expect(answer.body.message).toContain('the jobs table does not answer')
    state.ready = true
    expect(await server.get('/readyz')).toMatchObject({ status: 200, body: { ready: true } })
    await server.close()
  })

  test('/metrics is the text of the metrics with its own content type', async () => {
    const answer = await http.get('/metrics')
    expect(answer).toMatchObject({ status: 200, text: 'up 1\n' })
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4')
  })
})

describe('GET /openapi.json', () => {
  test('describes every endpoint of the API, and names the schemas', async () => {
    const { body } = await http.get('/openapi.json')
    const { openapi, paths, components } = body as {
      openapi: string
      paths: Record<string, Record<string, { responses: Record<string, unknown>; requestBody?: unknown }>>
      components: { schemas: Record<string, unknown> }
    }
    expect(openapi).toMatch(/^3\.1/)
    const endpoints = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(endpoints.filter((endpoint) => !endpoint.startsWith('HEAD')).sort()).toEqual([
      'GET /healthz',
      'GET /jobs',
      'GET /jobs/{id}',
      'GET /jobs/{id}/logs',
      'GET /jobs/{id}/outputs',
      'GET /metrics',
      'GET /readyz',
      'GET /status',
      'POST /jobs',
      'POST /jobs/{id}/cancel',
      'POST /jobs/{id}/resume',
      'POST /jobs/{id}/retry',
      'POST /jobs/{id}/suspend',
      'POST /uploads',
      'POST /uploads/{id}/confirm',
    ])
    expect(Object.keys(components.schemas)).toEqual(
      expect.arrayContaining(['Failure', 'Job', 'JobRequestInput', 'Status']),
    )
    const refs = JSON.stringify(paths).match(/#\/components\/schemas\/\w+/g) ?? []
    for (const ref of refs) expect(components.schemas).toHaveProperty(ref.split('/').at(-1) ?? '')
  })
})

describe('errors', () => {
  test.for([
    ['GET', '/nothing'],
    ['POST', '/status'],
    ['DELETE', '/jobs/film'],
  ] as const)('%s %s is not there', async ([method, path]) => {
    const answer = await fetch(`${http.url}${path}`, { method })
    expect(answer.status).toBe(404)
    expect(await answer.json()).toEqual({
      code: 'ENDPOINT_NOT_FOUND',
      message: `There is no ${method} ${path}. GET /openapi.json lists what there is.`,
    })
  })

  test('a body that is not JSON, with what is wrong in it', async () => {
    const { status, body } = await http.post('/jobs', '{"kind" "audio"}')
    expect(status).toBe(400)
    expect(body).toMatchObject({
      code: 'BODY_INVALID',
      message: expect.stringMatching(/^The body is not valid JSON: Expected ':'.* position 8/),
    })
  })

  test.for([
    ['{"kind":"transcode","__proto__":{"a":1}}', '__proto__'],
    ['{"kind":"transcode","spec":{"labels":{"__proto__":"x"}}}', 'spec.labels.__proto__'],
    [
      '{"spec":{"params":{"list":[0,{"constructor":{"prototype":null}}]}}}',
      'spec.params.list[1].constructor.prototype',
    ],
  ] as const)('a body that means to change every object: %s', async ([body, field]) => {
    expect(await http.post('/jobs', body)).toMatchObject({
      status: 400,
      body: {
        code: 'REQUEST_INVALID',
        problems: [{ field, value: '***', rule: 'no field may have this name' }],
      },
    })
  })

  test('a body that means to change every object in its depths: the end of the name is said', async () => {
    const levels = 50_000
    const body = `${'{"a":'.repeat(levels)}{"__proto__":1}${'}'.repeat(levels)}`
    expect(await http.post('/jobs', body)).toMatchObject({
      status: 400,
      body: { problems: [{ field: expect.stringMatching(/^\.\.\.[a.]{190}.*\.__proto__$/) }] },
    })
  })

  test.each(['unknown', 'spec', 'labels'])('a field that is deeper than a stack: %s', async (name) => {
    const levels = 50_000
    const body = `{"kind":"transcode","${name}":${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}}`
    const { status, body: said } = await http.post('/jobs', body)
    expect([status, JSON.stringify(said)]).toEqual([400, expect.stringContaining(name)])
  })

  test('a body of more than a mebibyte', async () => {
    const answer = await http.post('/jobs', { kind: 'transcode', spec: { output: 'x'.repeat(1024 * 1024) } })
    expect(answer).toMatchObject({ status: 413, body: { code: 'BODY_TOO_LARGE' } })
  })

  test('a path that cannot be decoded', async () => {
    expect(await http.get('/jobs/%zz')).toMatchObject({ status: 400, body: { code: 'REQUEST_MALFORMED' } })
  })

  test('what is no HTTP at all', async () => {
    const { hostname, port } = new URL(http.url)
    const socket = connect(Number(port), hostname)
    socket.end('hello\r\n\r\n')
    const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n')
    expect(head).toMatch(/^HTTP\/1\.1 400 /)
    expect(JSON.parse(body)).toMatchObject({ code: 'REQUEST_MALFORMED' })
  })

  test('AWS that does not answer is a 503, logged with its cause and told without details', async () => {
    const lines: string[] = []
    const nowhere = new DynamoDBClient({
      endpoint: 'http://127.0.0.1:1',
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'very-secret' },
      maxAttempts: 1,
    })
    const server = await startTestHttp(aws, {
      jobs: createJobStore(DynamoDBDocumentClient.from(nowhere), 'jobs'),
      log: pino({ level: 'info' }, { write: (line: string) => void lines.push(line) }),
    })
    const answer = await server.get('/jobs/film')
    expect(answer).toMatchObject({ status: 503, body: { code: 'AWS_UNAVAILABLE' } })
    expect(answer.body.message).toContain('ECONNREFUSED')
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      part: 'http',
      code: 'AWS_UNAVAILABLE',
      route: '/jobs/:id',
      err: { code: 'ECONNREFUSED' },
    })
    await server.close()
    nowhere.destroy()
  })

  test('a fault of ours is a 500 whose details are in the log only', async () => {
    const lines: string[] = []
    const server = await startTestHttp(aws, {
      metrics: () => Promise.reject(new Error('a detail')),
      log: pino({ level: 'info' }, { write: (line: string) => void lines.push(line) }),
    })
    const answer = await server.get('/metrics')
    expect(answer).toMatchObject({ status: 500, body: { code: 'INTERNAL_ERROR' } })
    expect(answer.text).not.toContain('a detail')
    const { reqId, err } = JSON.parse(lines[0] ?? '') as { reqId: string; err: { message: string } }
    expect(err.message).toBe('a detail')
    expect(answer.body.message).toContain(reqId)
    await server.close()
  })

  test('a request that goes well is not logged', async () => {
    const lines: string[] = []
    const server = await startTestHttp(aws, {
      log: pino({ level: 'info' }, { write: (line: string) => void lines.push(line) }),
    })
    await server.get('/jobs', { authorization: 'Bearer secret' })
    await server.get('/jobs/nothing')
    expect(lines).toEqual([])
    await server.close()
  })
})
