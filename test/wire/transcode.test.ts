import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { uploadJobId } from '../../schemas/ids.ts'
import { type ClipName, clipMaker, npmMediaTools } from '../support/clips.ts'
import { type Operator, type StoredJob, startOperator } from '../support/operator.ts'
import { until } from '../support/wait.ts'

// The main job, whole: an upload, its event, the loop, a real worker process with real ffmpeg, and what is in the bucket
// afterwards.

// Encoding takes its time on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

let operator: Operator
let scratch: string
let clip: (name: ClipName) => Promise<string>

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'transcode-'))
  const tools = await npmMediaTools(scratch)
  clip = clipMaker(scratch, tools)
  const environment = { FFMPEG_PATH: tools.ffmpeg.path, FFPROBE_PATH: tools.ffprobe.path }
  operator = await startOperator({ MAX_VCPU: '100' }, { environment })
})
afterAll(async () => {
  await operator.close()
  await rm(scratch, { recursive: true, force: true })
})

const upload = async (key: string, name: ClipName): Promise<string> => {
  const { ETag: etag } = await operator.aws
    .clients()
    .s3.send(new PutObjectCommand({ Bucket: 'uploads', Key: key, Body: await readFile(await clip(name)) }))
  return uploadJobId('transcode', 'uploads', key, etag ?? '')
}

const outputs = async (jobId: string): Promise<string[]> => {
  const { Contents: contents } = await operator.aws
    .clients()
    .s3.send(new ListObjectsV2Command({ Bucket: 'outputs', Prefix: `results/${jobId}/` }))
  return (contents ?? []).map(({ Key: key = '' }) => key.slice(`results/${jobId}/`.length))
}

const outcomes = (job: StoredJob) => job.attempts?.map(({ outcome }) => outcome?.class)

test('an upload becomes renditions: playlists, segments, poster, metadata, and a manifest of all of it', async () => {
  const jobId = await upload('transcode/My Wedding (1).MP4', 'plain.mp4')
  const job = await operator.phase(jobId, 'Succeeded', undefined, 60_000)
  expect(outcomes(job)).toEqual(['success'])
  expect(job.progress).toMatchObject({ percent: 100 })
  const files = await outputs(jobId)
  expect(files).toEqual(
    expect.arrayContaining([
      'master.m3u8',
      'poster.jpg',
      'metadata.json',
      'manifest.json',
      '360p/index.m3u8',
      'audio/index.m3u8',
    ]),
  )
  const answer = await fetch(`${operator.controller.url}/jobs/${jobId}/outputs`)
  const manifest = (await answer.json()) as { files: { key: string; url: string; bytes: number }[] }
  const listed = manifest.files.map(({ key }) => key.split(`${jobId}/`).at(-1))
  expect(new Set(listed)).toEqual(new Set(files.filter((name) => name !== 'manifest.json')))
  const master = manifest.files.find(({ key }) => key.endsWith('master.m3u8'))
  const text = await (await fetch(master?.url ?? '')).text()
  expect(text).toMatch(/^#EXTM3U/)
  expect(text).toMatch(/RESOLUTION=640x360/)
})

test('a job that asks for everything: MP4 files, thumbnails and a storyboard, each with its role in the manifest', async () => {
  // An upload of no kind that anybody knows by its name: it starts nothing by itself.
  const key = 'inbox/wedding.upload'
  const { ETag: etag } = await operator.aws
    .clients()
    .s3.send(
      new PutObjectCommand({ Bucket: 'uploads', Key: key, Body: await readFile(await clip('plain.mp4')) }),
    )
  const request = {
    jobId: 'everything',
    kind: 'transcode',
    spec: {
      input: { bucket: 'uploads', key, etag },
      params: { preset: 'ultrafast', mp4: [360], thumbnailSeconds: 2, segmentSeconds: 2 },
    },
  }
  const submitted = await fetch(`${operator.controller.url}/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
  })
  expect(submitted.status, await submitted.clone().text()).toBe(201)
  const job = await operator.phase('everything', 'Succeeded', undefined, 60_000)
  expect(job.result).toMatchObject({
    storyboard: 'results/everything/storyboard.vtt',
    downloads: ['results/everything/download/360p.mp4'],
    warnings: 0,
  })

  const answer = await fetch(`${operator.controller.url}/jobs/everything/outputs`)
  const { files } = (await answer.json()) as {
    files: { key: string; url: string; bytes: number; role: string; contentType: string }[]
  }
  const named = (role: string) =>
    files
      .filter((file) => file.role === role)
      .map(({ key: at, contentType }) => `${at.slice('results/everything/'.length)} ${contentType}`)
  expect(named('download')).toEqual(['download/360p.mp4 video/mp4'])
  expect(named('thumbnail')).toEqual([
    'thumbnails/thumbnail_00000000.jpg image/jpeg',
    'thumbnails/thumbnail_00002000.jpg image/jpeg',
  ])
  expect(new Set(named('storyboard'))).toEqual(
    new Set(['storyboard.vtt text/vtt; charset=utf-8', 'storyboard_001.jpg image/jpeg']),
  )
  const download = files.find(({ role }) => role === 'download')
  const video = Buffer.from(await (await fetch(download?.url ?? '')).arrayBuffer())
  expect(video.length).toBe(download?.bytes)
  expect(video.toString('latin1', 4, 8)).toBe('ftyp')
})

test('an upload that is no video fails once, with a code and a sentence for people, and nothing is published', async () => {
  const jobId = await upload('transcode/text.mp4', 'text.mp4')
  const job = await operator.phase(jobId, 'Failed', undefined, 30_000)
  expect(job.reason).toBe('PermanentFailure')
  expect(job.report?.code).toMatch(/^INPUT_/)
  expect(job.message).toMatch(/\w+ \w+/)
  expect(outcomes(job)).toEqual(['failed'])
  expect(await outputs(jobId)).toEqual([])
})

test('the object is replaced after it was queued: the job fails as changed, and the new one is a job of its own', async () => {
  const before = await upload('transcode/replaced.mp4', 'short.mp4')
  const after = await upload('transcode/replaced.mp4', 'silent.mp4')
  expect(after).not.toBe(before)
  await operator.phase(after, 'Succeeded', undefined, 60_000)
  const first = await until(
    'the first job to end',
    async () => {
      const job = await operator.record(before)
      return (job?.phase === 'Failed' || job?.phase === 'Succeeded') && job
    },
    60_000,
  )
  // The first one may have read the object before it was replaced; if not, it says so.
  if (first.phase === 'Failed') expect(first.report?.code).toBe('INPUT_CHANGED')
})

test('a worker that is killed is replaced, and the outputs are whole', async () => {
  const jobId = await upload('transcode/killed.mp4', 'moov-first.mp4')
  await operator.phase(jobId, 'Running', (job) => job.claim !== undefined, 30_000)
  const [task] = await operator.tasks(jobId)
  await operator.aws.control('POST', `/ecs/tasks/${task?.taskId}/stop`, {
    stopCode: 'InfrastructureHealth',
    reason: 'Host lost',
  })
  await operator.set(jobId, 'spec.limits', { backoff: { initial: 0, max: 0 } })
  const job = await operator.phase(jobId, 'Succeeded', undefined, 60_000)
  expect(outcomes(job)?.at(-1)).toBe('success')
  expect(job.counts?.failed).toBe(0)
  expect(await outputs(jobId)).toContain('manifest.json')
})

test('cancelled while it encodes: the worker ends, nothing is published, nothing of it stays behind', async () => {
  const jobId = await upload('transcode/cancelled.mp4', 'plain.mp4')
  await operator.phase(jobId, 'Running', (job) => job.claim !== undefined, 30_000)
  const answer = await fetch(`${operator.controller.url}/jobs/${jobId}/cancel`, { method: 'POST' })
  expect(answer.status).toBeLessThan(300)
  await operator.phase(jobId, 'Cancelled', undefined, 30_000)
  expect(await outputs(jobId)).not.toContain('manifest.json')
})

test('the same bytes again after success are a duplicate, and nothing runs', async () => {
  const jobId = await upload('transcode/twice.mp4', 'short.mp4')
  await operator.phase(jobId, 'Succeeded', undefined, 60_000)
  const before = operator.controller.status().intake.duplicate ?? 0
  expect(await upload('transcode/twice.mp4', 'short.mp4')).toBe(jobId)
  await until(
    'the duplicate to be counted',
    () => (operator.controller.status().intake.duplicate ?? 0) > before,
  )
  expect(await operator.record(jobId)).toMatchObject({ generation: 1, lastAttempt: 1 })
  expect(await operator.tasks(jobId)).toHaveLength(1)
})
