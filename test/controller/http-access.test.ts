import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isLoopback } from '../../controller/http/access.ts'
import { listen } from '../../controller/http/listen.ts'
import { acceptedJob, startTestHttp, statusAt, type TestHttp } from '../support/http.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'

const all = 'the-token-for-everything'
const read = 'the-token-for-reading'

let aws: TestAws
let open: TestHttp
let closed: TestHttp

beforeAll(async () => {
  aws = await startTestAws()
  open = await startTestHttp(aws)
  closed = await startTestHttp(aws, { tokens: { all, read } })
  await open.put(acceptedJob({ jobId: 'film' }))
  await open.put(acceptedJob({ jobId: 'ours' }))
  await open.publish(statusAt(Date.now()))
})
afterAll(async () => {
  await open.close()
  await closed.close()
  await aws.close()
})

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

describe('with tokens', () => {
  test.for([
    ['/healthz', 200],
    ['/readyz', 200],
    ['/', 200],
    ['/page.js', 200],
    ['/page.css', 200],
    ['/status', 401],
    ['/metrics', 401],
    ['/openapi.json', 401],
    ['/jobs', 401],
    ['/jobs/film', 401],
    ['/jobs/film/logs', 401],
    ['/jobs/film/outputs', 401],
  ] as const)('GET %s without one answers %i', async ([path, status]) => {
    expect((await closed.get(path)).status).toBe(status)
  })

  test.for([
    ['/jobs'],
    ['/jobs/film/cancel'],
    ['/jobs/film/suspend'],
    ['/jobs/film/resume'],
    ['/jobs/film/retry'],
    ['/uploads'],
    ['/uploads/abc/confirm'],
  ])('POST %s needs the one for everything', async ([path = '']) => {
    expect((await closed.post(path, {})).body).toMatchObject({ code: 'TOKEN_MISSING' })
    expect(await closed.post(path, {}, bearer(read))).toMatchObject({
      status: 403,
      body: { code: 'TOKEN_READ_ONLY' },
    })
    expect([200, 201, 202, 400, 404, 409]).toContain((await closed.post(path, {}, bearer(all))).status)
  })

  test.for([['/status'], ['/metrics'], ['/openapi.json'], ['/jobs'], ['/jobs/film']])(
    'GET %s takes either',
    async ([path = '']) => {
      expect((await closed.get(path, bearer(read))).status).toBe(200)
      expect((await closed.get(path, bearer(all))).status).toBe(200)
    },
  )

  test.for([
    ['another one', bearer('the-token-for-nothing-at')],
    ['a prefix of it', bearer(all.slice(0, -1))],
    ['it and more', bearer(`${all}x`)],
    ['none after the word', bearer('')],
    ['another scheme', { authorization: `Basic ${all}` }],
    ['it in the address only', {}],
  ] as const)('%s is refused', async ([, headers]) => {
    const answer = await closed.get(`/status?token=${all}`, headers)
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe('Bearer')
    expect(answer.body.code).toMatch(/^TOKEN_(MISSING|INVALID)$/)
    expect(answer.text).not.toContain(all)
  })

  test('a name of another machine is no obstacle', async () => {
    const answer = await raw(closed.url, '/status', { host: 'jobs.example.com', ...bearer(read) })
    expect(answer.status).toBe(200)
  })

  test('only one for reading means that nobody can write', async () => {
    const server = await startTestHttp(aws, { tokens: { read } })
    expect((await server.get('/jobs', bearer(read))).status).toBe(200)
    expect((await server.post('/jobs', {}, bearer(read))).body).toMatchObject({ code: 'TOKEN_READ_ONLY' })
    await server.close()
  })
})

describe('without a token', () => {
  test.for([
    ['localhost', 200],
    ['localhost:8080', 200],
    ['LOCALHOST', 200],
    ['127.0.0.1', 200],
    ['127.9.9.9:1', 200],
    ['[::1]:8080', 200],
    ['jobs.localhost', 200],
    ['rebound.example.com', 403],
    ['rebound.example.com:8080', 403],
    ['localhost.example.com', 403],
    ['127.0.0.1.example.com', 403],
    ['192.168.0.7:8080', 403],
    ['0.0.0.0', 403],
    ['localhost@example.com', 403],
    ['', 403],
  ] as const)('the host %s answers %i', async ([host, status]) => {
    expect((await raw(open.url, '/jobs', { host })).status).toBe(status)
  })

  test('the probes answer under any name', async () => {
    expect((await raw(open.url, '/healthz', { host: '10.0.0.7' })).status).toBe(200)
    expect((await raw(open.url, '/readyz', { host: '10.0.0.7' })).status).toBe(200)
  })

  test.for([
    ['http://example.com'],
    ['https://example.com'],
    ['http://localhost:3000'],
    ['null'],
    ['file://'],
    ['nonsense'],
  ])('a page of %s cannot cancel a job', async ([origin = '']) => {
    const answer = await open.post('/jobs/ours/cancel', undefined, { origin })
    expect(answer).toMatchObject({ status: 403, body: { code: 'ORIGIN_FOREIGN' } })
    expect((await open.get('/jobs/ours')).body.job).not.toMatchObject({ spec: { cancel: true } })
  })

  test('our own page can', async () => {
    await open.put(acceptedJob({ jobId: 'own' }))
    const answer = await open.post('/jobs/own/cancel', undefined, { origin: open.url })
    expect(answer.status).toBe(202)
  })

  test('a form of a foreign page, which names no origin, can send nothing', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])
      expect((await open.post('/jobs', '{"kind":"transcode"}', { 'content-type': type })).body).toMatchObject(
        { code: 'BODY_NOT_JSON' },
      )
  })

  test('no browser is told that another page may read an answer', async () => {
    const answer = await raw(
      open.url,
      '/jobs',
      { host: 'localhost', 'access-control-request-method': 'POST' },
      'OPTIONS',
    )
    expect(answer.status).toBe(404)
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
  })
})

describe('headers', () => {
  test.for([['/'], ['/jobs'], ['/nothing'], ['/healthz']])('%s is safe in a browser', async ([path = '']) => {
    const { headers } = await open.get(path)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    const policy = headers.get('content-security-policy')
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("script-src 'self';")
    expect(policy).not.toContain('unsafe')
    expect(headers.get('cache-control')).toBe('no-store')
  })

  test('the page may load pictures from and upload to where the links lead, and nowhere else', async () => {
    const policy = (await open.get('/')).headers.get('content-security-policy')
    expect(policy).toContain(`img-src 'self' ${aws.endpoint};`)
    expect(policy).toContain(`connect-src 'self' ${aws.endpoint};`)
  })
})

describe('the rate limit', () => {
  test('answers 429 after so many requests in a minute, and says when to come back', async () => {
    const server = await startTestHttp(aws, { requestsPerMinute: 3 })
    for (let count = 0; count < 3; count += 1) expect((await server.get('/status')).status).toBe(200)
    const answer = await server.get('/status')
    expect(answer).toMatchObject({ status: 429, body: { code: 'TOO_MANY_REQUESTS' } })
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await server.get('/jobs')).status).toBe(429)
    await server.close()
  })

  test('is for each caller; who calls is told by a load balancer in our network', async () => {
    const behind = await startTestHttp(aws, { requestsPerMinute: 1, behindLoadBalancer: true })
    const statuses: number[] = []
    // What stands before the last address was written by the caller.
    for (const address of ['203.0.113.1', '203.0.113.2', '203.0.113.2', '203.0.113.9, 203.0.113.1'])
      statuses.push((await behind.get('/status', { 'x-forwarded-for': address })).status)
    expect(statuses).toEqual([200, 200, 429, 429])
    await behind.close()
    const alone = await startTestHttp(aws, { requestsPerMinute: 1 })
    expect((await alone.get('/status', { 'x-forwarded-for': '203.0.113.1' })).status).toBe(200)
    expect((await alone.get('/status', { 'x-forwarded-for': '203.0.113.2' })).status).toBe(429)
    await alone.close()
  })

  test('does not count probes and metrics', async () => {
    const server = await startTestHttp(aws, { requestsPerMinute: 1 })
    for (let count = 0; count < 3; count += 1)
      for (const path of ['/healthz', '/readyz', '/metrics'])
        expect((await server.get(path)).status).toBe(200)
    await server.close()
  })

  test('slows down who guesses tokens', async () => {
    const server = await startTestHttp(aws, { tokens: { all }, requestsPerMinute: 2 })
    const statuses: number[] = []
    for (let count = 0; count < 4; count += 1)
      statuses.push((await server.get('/jobs', bearer(`guess-${count}`))).status)
    expect(statuses).toEqual([401, 401, 429, 429])
    await server.close()
  })
})

describe('listening', () => {
  test('on an address that others can reach needs a token', async () => {
    const refused = listen(open.server, { host: '0.0.0.0', port: 0, tokens: {} })
    await expect(refused).rejects.toMatchObject({ code: 'TOKEN_NEEDED' })
  })

  test('on a port that is taken says so', async () => {
    const port = Number(new URL(open.url).port)
    await expect(startTestHttp(aws, {}, port)).rejects.toMatchObject({ code: 'PORT_IN_USE' })
  })

  test.for([
    ['127.0.0.1', true],
    ['::1', true],
    ['localhost', true],
    ['0.0.0.0', false],
    ['::', false],
    ['10.0.0.7', false],
    ['', false],
  ] as const)('%s is loopback: %s', ([host, loopback]) => {
    expect(isLoopback(host)).toBe(loopback)
  })
})

/** With a Host header that fetch would not let through. */
const raw = (
  url: string,
  path: string,
  headers: Record<string, string>,
  method = 'GET',
): Promise<{ status: number; headers: Record<string, unknown> }> =>
  new Promise((resolve, reject) => {
    request(`${url}${path}`, { method, headers, setHost: false }, (response) => {
      response.resume()
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers }))
    })
      .on('error', reject)
      .end()
  })
