import { describe, expect, test } from 'vitest'
import {
  carriedJobId,
  clientToken,
  formatFence,
  formatStartedBy,
  keyedJobId,
  makeUid,
  parseFence,
  parseStartedBy,
  shortHash,
  uidFitsJob,
  uploadJobId,
} from '../../schemas/ids.ts'
import { jobIdPattern } from '../../schemas/limits.ts'

const random = 'abcdefghijkl'
const uid = makeUid('wedding-42', random)

describe('a uid', () => {
  test('is 20 characters of small letters and digits, and fits its job', () => {
    expect(uid).toMatch(/^[a-z0-9]{20}$/)
    expect(uidFitsJob(uid, 'wedding-42')).toBe(true)
  })

  test('does not fit a job that it was copied to', () => {
    expect(uidFitsJob(uid, 'wedding-43')).toBe(false)
  })

  test('more randomness than needed is cut', () => {
    expect(makeUid('wedding-42', `${random}mnopqrst`)).toBe(uid)
  })

  test.each([
    '',
    'x',
    uid.slice(0, 19),
    `${uid}a`,
    uid.toUpperCase(),
    `${shortHash('wedding-42', 8)}/1/1________`,
    ` ${uid}`,
  ])('%j is none', (text) => expect(uidFitsJob(text, 'wedding-42')).toBe(false))
})

describe('a fence', () => {
  test('is written and read back', () => {
    const fence = { uid, attempt: 3, launch: 17 }
    expect(formatFence(fence)).toBe(`${uid}/3/17`)
    expect(parseFence(`${uid}/3/17`)).toEqual(fence)
  })

  test.each([
    '',
    uid,
    `${uid}/1`,
    `${uid}/1/`,
    `${uid}/1/1/1`,
    `${uid}/-1/1`,
    `${uid}/1.5/1`,
    `x/1/1`,
    `${uid}/1/1\n`,
    `${uid}/1e3/1`,
  ])('%j is none', (text) => expect(parseFence(text)).toBeUndefined())
})

describe('startedBy', () => {
  const longest = {
    installation: 'i'.repeat(16),
    jobId: 'j'.repeat(64),
    fence: { uid, attempt: 999_999_999, launch: 999_999_999 },
  }

  test('is written and read back', () => {
    expect(parseStartedBy(formatStartedBy('prod', 'wedding-42', { uid, attempt: 1, launch: 2 }))).toEqual({
      installation: 'prod',
      jobId: 'wedding-42',
      fence: `${uid}/1/2`,
    })
  })

  test('has at most 128 characters that ECS takes', () => {
    expect(formatStartedBy(longest.installation, longest.jobId, longest.fence)).toMatch(
      /^[A-Za-z0-9/_-]{1,128}$/,
    )
  })

  test('the client token has at most 64', () => {
    expect(clientToken(longest.fence)).toMatch(/^[!-~]{1,64}$/)
  })

  test('tokens of two launches are never the same', () => {
    const tokens = [1, 2, 11, 12].flatMap((attempt) =>
      [1, 2, 11].map((launch) => clientToken({ uid, attempt, launch })),
    )
    expect(new Set(tokens).size).toBe(tokens.length)
  })

  test.each([
    undefined,
    '',
    'anna',
    'ecs-svc/1234',
    `prod/wedding-42`,
    `prod/wedding-42/${uid}/1`,
    `prod//${uid}/1/1`,
    `/wedding-42/${uid}/1/1`,
    `prod/a/b/${uid}/1/1`,
    `prod/wedding-42/short/1/1`,
  ])('%j was not written by us', (text) => expect(parseStartedBy(text)).toBeUndefined())
})

describe('the id of an upload', () => {
  const of = (key: string, version = 'e1', bucket = 'uploads', kind = 'transcode') =>
    uploadJobId(kind, bucket, key, version)

  test('names kind and file, so that a person knows it', () => {
    expect(of('films/My Wedding (final).mp4')).toMatch(/^transcode-My-Wedding-final-[0-9a-f]{16}$/)
  })

  test('names the job whose outputs it is made of, instead of their manifest', () => {
    expect(of('results/show-1/manifest.json')).toMatch(/^transcode-show-1-[0-9a-f]{16}$/)
    expect(of('manifest.json')).toMatch(/^transcode-manifest-[0-9a-f]{16}$/)
  })

  test('is the same for the same version of the same object, quotes or not', () => {
    expect(of('a.mp4', '"e1"')).toBe(of('a.mp4', 'e1'))
  })

  test('differs by key, version, bucket and kind', () => {
    const all = [
      of('a.mp4'),
      of('b.mp4'),
      of('a.mp4', 'e2'),
      of('a.mp4', 'e1', 'other'),
      of('a.mp4', 'e1', 'uploads', 'audio'),
      of('x/a.mp4'),
    ]
    expect(new Set(all).size).toBe(all.length)
  })

  test('differs where bucket and key only touch elsewhere', () => {
    expect(of('b/c.mp4', 'e1', 'a')).not.toBe(of('c.mp4', 'e1', 'a/b'))
  })

  test.each([
    'a.mp4',
    '日本語.mp4',
    '💥',
    'Ünïcödé naïve.mp4',
    '---',
    '.hidden',
    'x'.repeat(1024),
    'a/b/',
    '../../etc/passwd',
    ' ',
    'a\u0000b.mp4',
    '%2e%2e',
    'trailing-.mp4',
  ])('of the key %j is a job id', (key) => expect(of(key)).toMatch(jobIdPattern))
})

test('the id of a keyed request is a job id, the same for the same key', () => {
  expect(keyedJobId('order 7 / ü')).toMatch(jobIdPattern)
  expect(keyedJobId('a')).toBe(keyedJobId('a'))
  expect(keyedJobId('a')).not.toBe(keyedJobId('b'))
  expect(keyedJobId('k'.repeat(256))).toMatch(jobIdPattern)
})

test('the id of a request without a key is a job id, the same for the same kind and carrier', () => {
  expect(carriedJobId('transcode', 'm1')).toMatch(jobIdPattern)
  expect(carriedJobId('transcode', 'm1')).toBe(carriedJobId('transcode', 'm1'))
  expect(carriedJobId('transcode', 'm1')).not.toBe(carriedJobId('transcode', 'm2'))
  expect(carriedJobId('x'.repeat(32), 'm'.repeat(256))).toMatch(jobIdPattern)
})
