import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import parseTorrent from 'parse-torrent'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { uploadJobId } from '../../schemas/ids.ts'
import { manifestSchema } from '../../schemas/manifest.ts'
import type { MediaTools } from '../../worker/ffmpeg.ts'
import { clipMaker, npmMediaTools } from '../support/clips.ts'
import { type Operator, startOperator } from '../support/operator.ts'
import { openLive } from '../support/streams.ts'

// Torrents without anybody asking for one: a rule for uploads, and a rule for what jobs have made. Real worker processes, and events
// of S3 over SQS.

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const webSeedBase = 'https://cdn.example.com/'
const rules = [
  {
    prefix: 'public/',
    jobs: [{ kind: 'torrent', params: { webSeedBase, trackers: ['udp://t.example:1337'] } }],
  },
  {
    bucket: 'outputs',
    kinds: ['transcode', 'record'],
    prefix: 'results/',
    jobs: [{ kind: 'torrent', params: { webSeedBase } }],
  },
]

let operator: Operator
let scratch: string
let tools: MediaTools
let clip: Buffer

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'torrent-'))
  tools = await npmMediaTools(scratch)
  clip = await readFile(await clipMaker(scratch, tools)('short.mp4'))
  const UPLOAD_TRIGGERS = JSON.stringify(rules)
  const environment = {
    ...{ FFMPEG_PATH: tools.ffmpeg.path, FFPROBE_PATH: tools.ffprobe.path },
    ...{ PRIVATE_SOURCES: '127.0.0.1', UPLOAD_TRIGGERS },
  }
  operator = await startOperator({ MAX_VCPU: '100', UPLOAD_TRIGGERS }, { environment })
})
afterAll(async () => {
  await operator.close()
  await rm(scratch, { recursive: true, force: true })
})

const put = async (kind: string, key: string, content: Buffer): Promise<string> => {
  const { ETag: etag } = await operator.aws
    .clients()
    .s3.send(new PutObjectCommand({ Bucket: 'uploads', Key: key, Body: content }))
  return uploadJobId(kind, 'uploads', key, etag ?? '')
}
const keysBelow = async (prefix: string): Promise<string[]> => {
  const { Contents: contents } = await operator.aws
    .clients()
    .s3.send(new ListObjectsV2Command({ Bucket: 'outputs', Prefix: prefix }))
  return (contents ?? []).map(({ Key: key = '' }) => key)
}
const output = async (key: string): Promise<Buffer> => {
  const { Body: body } = await operator.aws
    .clients()
    .s3.send(new GetObjectCommand({ Bucket: 'outputs', Key: key }))
  return Buffer.from((await body?.transformToByteArray()) ?? [])
}
const torrentOf = async (jobId: string) => {
  const keys = await keysBelow(`results/${jobId}/`)
  return parseTorrent(await output(keys.find((key) => key.endsWith('.torrent')) ?? ''))
}
type Listed = { jobId: string; kind: string; spec: { input: { key: string } } }
const jobs = async (kind: string): Promise<Listed[]> => {
  const answer = await fetch(`${operator.controller.url}/jobs?limit=1000`)
  const { jobs: all } = (await answer.json()) as { jobs: Listed[] }
  return all.filter((job) => job.kind === kind)
}

test('an upload that a rule is about becomes a torrent', async () => {
  const content = randomBytes(1_000_000)
  const jobId = await put('torrent', 'public/set one.bin', content)
  const { result } = await operator.phase(jobId, 'Succeeded', undefined, 60_000)
  const torrent = await torrentOf(jobId)
  expect(torrent).toMatchObject({
    infoHash: result?.infohash,
    name: 'set one.bin',
    length: content.length,
    announce: ['udp://t.example:1337'],
    urlList: ['https://cdn.example.com/public/set%20one.bin'],
    pieces: [0, 262_144, 524_288, 786_432].map((at) =>
      createHash('sha1')
        .update(content.subarray(at, at + 262_144))
        .digest('hex'),
    ),
  })
  expect(new Set(await keysBelow(`results/${jobId}/`))).toEqual(
    new Set(
      ['magnet.txt', 'manifest.json', 'set one.bin.torrent', 'torrent.json'].map(
        (name) => `results/${jobId}/${name}`,
      ),
    ),
  )
})

/** Of a live stream, for four seconds. */
const record = async (): Promise<string> => {
  const live = await openLive(tools)
  try {
    const body = JSON.stringify({
      url: live.url,
      spec: { params: { maxDuration: 4, segmentSeconds: 2 } },
    })
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${operator.controller.url}/jobs`, { method: 'POST', headers, body })
    const { jobId } = (await answer.json()) as { jobId: string }
    await operator.phase(jobId, 'Succeeded', undefined, 60_000)
    return jobId
  } finally {
    await live.close()
  }
}
const transcode = async (): Promise<string> => {
  const jobId = await put('transcode', 'transcode/film.mp4', clip)
  await operator.phase(jobId, 'Succeeded', undefined, 90_000)
  return jobId
}
/** The job that the rule for outputs makes of a job's manifest. */
const torrentJobOf = async (jobId: string): Promise<string> => {
  const key = `results/${jobId}/manifest.json`
  const { ETag: etag } = await operator.aws
    .clients()
    .s3.send(new HeadObjectCommand({ Bucket: 'outputs', Key: key }))
  return uploadJobId('torrent', 'outputs', key, etag ?? '')
}

describe('what a job has made', () => {
  const torrentJobs: string[] = []

  test.each([
    ['a transcoded upload', transcode, 'master.m3u8'],
    ['a recording', record, 'index.m3u8'],
  ])('%s becomes one torrent of all its files, with the folder as its web seed', async (_what, make, one) => {
    const made = await make()
    const torrentJob = await torrentJobOf(made)
    torrentJobs.push(torrentJob)
    await operator.phase(torrentJob, 'Succeeded', undefined, 60_000)
    const { files } = manifestSchema.parse(
      JSON.parse((await output(`results/${made}/manifest.json`)).toString()),
    )
    expect(files.map(({ key }) => key)).toContain(`results/${made}/${one}`)
    const torrent = await torrentOf(torrentJob)
    expect(torrent.name).toBe(made)
    expect(torrent.urlList).toEqual(['https://cdn.example.com/results/'])
    expect(new Map(torrent.files.map(({ path, length }) => [`results/${path}`, length]))).toEqual(
      new Map(files.map(({ key, bytes }) => [key, bytes])),
    )
  })

  test('and the torrent, which has a manifest, too, starts nothing', async () => {
    // The message about it is behind all others by the time that another upload has become a job.
    const later = await put('torrent', 'public/later.bin', randomBytes(1000))
    await operator.phase(later, 'Succeeded', undefined, 60_000)
    const ofManifests = (await jobs('torrent')).filter(({ spec }) =>
      spec.input.key.endsWith('/manifest.json'),
    )
    expect(new Set(ofManifests.map(({ jobId }) => jobId))).toEqual(new Set(torrentJobs))
    expect(torrentJobs).toHaveLength(2)
  })
})

test('a presigned web seed fails before anything is launched, and the sentence says why', async () => {
  await operator.put('presigned', {
    kind: 'torrent',
    spec: {
      input: { bucket: 'uploads', key: 'public/set one.bin' },
      params: { webSeeds: ['https://uploads.s3.amazonaws.com/x?X-Amz-Signature=abc'] },
    },
  })
  const { message, attempts } = await operator.phase(
    'presigned',
    'Failed',
    ({ reason }) => reason === 'InvalidSpec',
  )
  expect(message).toContain('must not be a presigned URL')
  expect(message).not.toContain('abc')
  expect(attempts).toEqual([])
})

test('seed fails before anything is launched where no port is open for it, and the sentence names the setting', async () => {
  await operator.put('seed-1', {
    kind: 'seed',
    spec: { input: { bucket: 'uploads', key: 'public/set one.bin' } },
  })
  const { message } = await operator.phase('seed-1', 'Failed', ({ reason }) => reason === 'InvalidSpec')
  expect(message).toContain('SEEDING_PORT')
})
