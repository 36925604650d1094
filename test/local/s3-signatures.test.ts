import { request } from 'node:http'
import { Readable } from 'node:stream'
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACCESS_KEY_ID, refusal, SECRET, startS3, type TestS3 } from './s3-server.ts'

const Bucket = 'uploads'
let s3: TestS3
let offsetMs = 0

beforeAll(async () => {
  s3 = await startS3({ nowMs: () => Date.now() + offsetMs })
  await s3.client.send(new CreateBucketCommand({ Bucket }))
  await s3.client.send(new PutObjectCommand({ Bucket, Key: 'a b+c', Body: 'hello' }))
})

afterAll(() => s3.remove())

const get = (expiresIn = 60, more = {}) =>
  getSignedUrl(s3.client, new GetObjectCommand({ Bucket, Key: 'a b+c', ...more }), { expiresIn })

async function answer(url: string, init: RequestInit = {}) {
  const response = await fetch(url, init)
  const body = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body,
    code: /<Code>(.*?)<\/Code>/.exec(body)?.[1],
    message: /<Message>(.*?)<\/Message>/.exec(body)?.[1],
  }
}

describe('presigned URLs', () => {
  it('read an object, also with a presentation of its own', async () => {
    const plain = await answer(await get())
    expect(plain).toMatchObject({ status: 200, body: 'hello' })
    expect(plain.headers.get('x-amz-request-id')).toMatch(/^[0-9A-F]{16}$/)
    const named = await answer(
      await get(60, { ResponseContentDisposition: 'attachment', ResponseContentType: 'a/b' }),
    )
    expect(named.headers.get('content-disposition')).toBe('attachment')
    expect(named.headers.get('content-type')).toBe('a/b')
  })

  it('read the head of an object', async () => {
    const url = await getSignedUrl(s3.client, new HeadObjectCommand({ Bucket, Key: 'a b+c' }))
    const head = await answer(url, { method: 'HEAD' })
    expect(head).toMatchObject({ status: 200, body: '' })
    expect(head.headers.get('content-length')).toBe('5')
  })

  it('upload an object as the SDK signs them, whatever checksum of an empty body it put into the URL', async () => {
    const command = new PutObjectCommand({ Bucket, Key: 'put', Metadata: { title: 'Übung', job: '42' } })
    const url = await getSignedUrl(s3.client, command, { expiresIn: 60 })
    const put = await answer(url, {
      method: 'PUT',
      body: 'uploaded',
      headers: { 'content-type': 'video/mp4' },
    })
    expect(put).toMatchObject({ status: 200, body: '' })
    const found = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'put' }))
    expect(await found.Body?.transformToString()).toBe('uploaded')
    const title = `=?UTF-8?B?${Buffer.from('Übung').toString('base64')}?=`
    expect(found).toMatchObject({ ContentType: 'video/mp4', Metadata: { job: '42', title } })
  })

  it('upload nothing of unknown length, and nothing above 5 GiB', async () => {
    const url = await getSignedUrl(s3.client, new PutObjectCommand({ Bucket, Key: 'put' }))
    const body = new Blob(['streamed']).stream()
    const unknown = { method: 'PUT', body, duplex: 'half' } as RequestInit
    expect(await answer(url, unknown)).toMatchObject({ status: 501, code: 'NotImplemented' })
    const { port, pathname, search, host } = new URL(url)
    const status = await new Promise((resolve, reject) => {
      const headers = { host, 'content-length': 5 * 1024 ** 3 + 1 }
      const upload = request({ port, method: 'PUT', path: pathname + search, headers }, (response) => {
        resolve(response.statusCode)
        upload.destroy()
      })
      upload.on('error', reject).flushHeaders()
    })
    expect(status).toBe(400)
  })

  it('refuse a presentation that no header can carry', async () => {
    const disposition = { ResponseContentDisposition: 'attachment; filename="日本"' }
    expect(await answer(await get(60, disposition))).toMatchObject({ status: 400, code: 'InvalidArgument' })
    const split = { ResponseContentType: 'a/b\r\nset-cookie: x' }
    expect(await answer(await get(60, split))).toMatchObject({ status: 400, code: 'InvalidArgument' })
  })

  it('end with their time', async () => {
    const url = await get(60)
    offsetMs = 61_000
    expect(await answer(url)).toMatchObject({
      status: 403,
      code: 'AccessDenied',
      message: 'Request has expired',
    })
    const put = await getSignedUrl(s3.client, new PutObjectCommand({ Bucket, Key: 'late' }), { expiresIn: 1 })
    offsetMs = 120_000
    expect(await answer(put, { method: 'PUT', body: 'x' })).toMatchObject({
      status: 403,
      message: 'Request has expired',
    })
    offsetMs = -20 * 60_000
    expect(await answer(url)).toMatchObject({ status: 403, message: 'Request is not yet valid' })
    offsetMs = 0
    expect(await answer(url)).toMatchObject({ status: 200 })
  })

  it.each([
    ['the key', (url: string) => url.replace('a%20b', 'a%20c')],
    ['the bucket', (url: string) => url.replace('/uploads/', '/outputs/')],
    ['the expiry', (url: string) => url.replace('X-Amz-Expires=60', 'X-Amz-Expires=600')],
    ['the date', (url: string) => url.replace(/X-Amz-Date=\d{8}T\d{6}Z/, 'X-Amz-Date=20300101T000000Z')],
    ['the signature', (url: string) => url.replace(/X-Amz-Signature=./, 'X-Amz-Signature=g')],
    ['a parameter more', (url: string) => `${url}&response-content-type=text%2Fhtml`],
  ])('hold for one request only: %s changed', async (_, tamper) => {
    expect(await answer(tamper(await get()))).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' })
  })

  it('hold for one method only, and allow no headers that were not signed', async () => {
    const url = await get()
    expect(await answer(url, { method: 'PUT', body: 'x' })).toMatchObject({
      status: 403,
      code: 'SignatureDoesNotMatch',
    })
    const put = await getSignedUrl(s3.client, new PutObjectCommand({ Bucket, Key: 'put' }))
    const more = { method: 'PUT', body: 'x', headers: { 'x-amz-meta-sneaky': '1' } }
    expect(await answer(put, more)).toMatchObject({ status: 403, code: 'AccessDenied' })
  })

  it('need an expiry between a second and a week, and all their parameters', async () => {
    const malformed = { status: 400, code: 'AuthorizationQueryParametersError' }
    expect(await answer((await get()).replace('X-Amz-Expires=60', 'X-Amz-Expires=604801'))).toMatchObject(
      malformed,
    )
    expect(await answer((await get()).replace('X-Amz-Expires=60', 'X-Amz-Expires=0'))).toMatchObject(
      malformed,
    )
    expect(await answer((await get()).replace(/&X-Amz-SignedHeaders=host/, ''))).toMatchObject(malformed)
  })
})

describe('signed headers', () => {
  it('are refused when nobody, a stranger, or the wrong secret signed', async () => {
    const url = `${s3.endpoint}/${Bucket}/a%20b%2Bc`
    expect(await answer(url)).toMatchObject({ status: 403, code: 'AccessDenied' })
    expect(await answer(`${s3.endpoint}/`)).toMatchObject({ status: 403, code: 'AccessDenied' })
    const command = new GetObjectCommand({ Bucket, Key: 'a b+c' })
    const stranger = s3.connect({ credentials: { accessKeyId: 'AKIDSTRANGER', secretAccessKey: SECRET } })
    expect(await refusal(stranger.send(command))).toMatchObject({ code: 'InvalidAccessKeyId', status: 403 })
    const wrong = s3.connect({ credentials: { accessKeyId: ACCESS_KEY_ID, secretAccessKey: 'wrong' } })
    expect(await refusal(wrong.send(command))).toMatchObject({ code: 'SignatureDoesNotMatch', status: 403 })
    const basic = { headers: { authorization: 'Basic abc' } }
    expect(await answer(url, basic)).toMatchObject({ status: 400, code: 'InvalidRequest' })
    const version2 = `${url}?AWSAccessKeyId=${ACCESS_KEY_ID}&Signature=x&Expires=9999999999`
    expect(await answer(version2)).toMatchObject({ status: 400, code: 'InvalidRequest' })
  })

  it('work with session credentials, any region and virtual-host style', async () => {
    const credentials = { accessKeyId: ACCESS_KEY_ID, secretAccessKey: SECRET, sessionToken: 'token' }
    const client = s3.connect({ credentials, region: 'eu-central-1' })
    await client.send(new HeadObjectCommand({ Bucket, Key: 'a b+c' }))
    const hosted = s3.connect({
      forcePathStyle: false,
      endpoint: s3.endpoint.replace('127.0.0.1', 'localhost'),
    })
    const url = await getSignedUrl(hosted, new GetObjectCommand({ Bucket, Key: 'a b+c' }))
    const { host, pathname, search, port } = new URL(url)
    expect(host).toBe(`uploads.localhost:${port}`)
    // Not every machine resolves names below localhost, so only the Host header carries it.
    const status = await new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port, path: pathname + search, headers: { host } }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
        .on('error', reject)
        .end()
    })
    expect(status).toBe(200)
  })

  it('are refused when the clocks are more than 15 minutes apart, and the SDK corrects its clock', async () => {
    offsetMs = 16 * 60_000
    const once = s3.connect({ maxAttempts: 1 })
    expect(await refusal(once.send(new HeadObjectCommand({ Bucket, Key: 'a b+c' })))).toMatchObject({
      status: 403,
    })
    const patient = s3.connect({ maxAttempts: 3 })
    await patient
      .send(new GetObjectCommand({ Bucket, Key: 'a b+c' }))
      .then(({ Body }) => Body?.transformToString())
    offsetMs = 0
  })

  it('cover the announced length of a body that arrives in chunks', async () => {
    const client = s3.connect()
    client.middlewareStack.add(
      (next) => (args) => {
        Object.assign(args.request as object, { body: Readable.from(['4\r\nhell\r\n0\r\n\r\n']) })
        return next(args)
      },
      { step: 'deserialize', priority: 'low' }, // After signing.
    )
    const body = { Body: Readable.from(['hello']), ContentLength: 5 }
    const short = client.send(new PutObjectCommand({ Bucket, Key: 'covered', ...body }))
    expect(await refusal(short)).toMatchObject({ code: 'IncompleteBody', status: 400 })
  })

  it('cover the body', async () => {
    const client = s3.connect({ requestChecksumCalculation: 'WHEN_REQUIRED' })
    client.middlewareStack.add(
      (next) => (args) => {
        Object.assign(args.request as object, { body: 'hellO' })
        return next(args)
      },
      { step: 'deserialize', priority: 'low' }, // After signing.
    )
    const changed = client.send(new PutObjectCommand({ Bucket, Key: 'covered', Body: 'hello' }))
    expect(await refusal(changed)).toMatchObject({ code: 'XAmzContentSHA256Mismatch', status: 400 })
  })
})
