import {
  CreateBucketCommand,
  DeleteBucketCorsCommand,
  GetBucketCorsCommand,
  PutBucketCorsCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { refusal, startS3, type TestS3 } from './s3-server.ts'

const Bucket = 'uploads'
const ORIGIN = 'https://studio.example.com'
let s3: TestS3

beforeAll(async () => {
  s3 = await startS3()
  await s3.client.send(new CreateBucketCommand({ Bucket }))
})

afterAll(() => s3.remove())

function configure(rule: object) {
  const CORSRules = [{ AllowedMethods: ['PUT'], AllowedOrigins: ['https://*.example.com'], ...rule }]
  return s3.client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }))
}

function preflight(headers: Record<string, string>) {
  const wish = { origin: ORIGIN, 'access-control-request-method': 'PUT', ...headers }
  return fetch(`${s3.endpoint}/${Bucket}/key`, { method: 'OPTIONS', headers: wish })
}

describe('CORS', () => {
  it('is off until it is configured', async () => {
    expect(await refusal(s3.client.send(new GetBucketCorsCommand({ Bucket })))).toMatchObject({
      code: 'NoSuchCORSConfiguration',
      status: 404,
    })
    expect((await preflight({})).status).toBe(403)
  })

  it('lets a browser upload from the allowed origins, and shows it the answer', async () => {
    const rule = {
      AllowedHeaders: ['content-*', 'x-amz-meta-*'],
      ExposeHeaders: ['ETag'],
      MaxAgeSeconds: 600,
    }
    await configure(rule)
    const { CORSRules } = await s3.client.send(new GetBucketCorsCommand({ Bucket }))
    expect(CORSRules).toEqual([
      { AllowedMethods: ['PUT'], AllowedOrigins: ['https://*.example.com'], ...rule },
    ])

    const allowed = await preflight({ 'access-control-request-headers': 'Content-Type, x-amz-meta-a' })
    expect(allowed.status).toBe(200)
    expect(Object.fromEntries(allowed.headers)).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-methods': 'PUT',
      'access-control-allow-headers': 'content-type, x-amz-meta-a',
      'access-control-expose-headers': 'ETag',
      'access-control-max-age': '600',
    })

    const url = await getSignedUrl(s3.client, new PutObjectCommand({ Bucket, Key: 'key' }))
    const put = await fetch(url, { method: 'PUT', body: 'x', headers: { origin: ORIGIN } })
    expect(put.status).toBe(200)
    expect(put.headers.get('access-control-allow-origin')).toBe(ORIGIN)
    const refused = await fetch(`${url}0`, { method: 'PUT', body: 'x', headers: { origin: ORIGIN } })
    expect(refused.status).toBe(403)
    expect(refused.headers.get('access-control-allow-origin')).toBe(ORIGIN)
  })

  it.each<[string, Record<string, string>]>([
    ['another origin', { origin: 'https://example.org' }],
    ['another method', { 'access-control-request-method': 'DELETE' }],
    ['a header that is not allowed', { 'access-control-request-headers': 'content-type, authorization' }],
  ])('refuses %s', async (_, headers) => {
    expect((await preflight(headers)).status).toBe(403)
  })

  it('allows any origin with a star, and none once it is deleted', async () => {
    await configure({ AllowedOrigins: ['*'] })
    expect((await preflight({})).headers.get('access-control-allow-origin')).toBe('*')
    await s3.client.send(new DeleteBucketCorsCommand({ Bucket }))
    expect((await preflight({})).status).toBe(403)
  })

  it('refuses methods that S3 does not know', async () => {
    expect(await refusal(configure({ AllowedMethods: ['PATCH'] }))).toMatchObject({
      code: 'InvalidRequest',
      status: 400,
    })
  })
})
