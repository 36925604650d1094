import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { uploadJobId } from '../../schemas/ids.ts'
import { transcodeMetadataSchema } from '../../schemas/metadata.ts'
import type { MediaTools } from '../../worker/ffmpeg.ts'
import { npmMediaTools } from '../support/clips.ts'
import { type Operator, type StoredJob, startOperator } from '../support/operator.ts'
import { countedClip } from '../worker/sharding.ts'

// A video that is too long for one task, whole: an upload, the task that finds out, shards side by side, and one that joins
// them. Long is what is above a few seconds here.

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 })

let operator: Operator
let scratch: string
let tools: MediaTools

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'transcode-long-'))
  tools = await npmMediaTools(scratch)
  const environment = { FFMPEG_PATH: tools.ffmpeg.path, FFPROBE_PATH: tools.ffprobe.path }
  operator = await startOperator({ MAX_VCPU: '100' }, { environment })
})
afterAll(async () => {
  await operator.close()
  await rm(scratch, { recursive: true, force: true })
})

/** An upload that says by its metadata what becomes of it. */
const upload = async (name: string, seconds: number, metadata: Record<string, string>): Promise<string> => {
  const path = await countedClip(scratch, tools, { name, rate: '25', seconds })
  const key = `transcode/${name}`
  const { ETag: etag } = await operator.aws
    .clients()
    .s3.send(
      new PutObjectCommand({ Bucket: 'uploads', Key: key, Body: await readFile(path), Metadata: metadata }),
    )
  return uploadJobId('transcode', 'uploads', key, etag ?? '')
}

const renditions = JSON.stringify([
  { height: 180, maxBitrateKbps: 400 },
  { height: 144, maxBitrateKbps: 200 },
])

const keys = async (prefix: string): Promise<string[]> => {
  const { Contents: contents } = await operator.aws
    .clients()
    .s3.send(new ListObjectsV2Command({ Bucket: 'outputs', Prefix: prefix }))
  return (contents ?? []).map(({ Key: key = '' }) => key.slice(prefix.length))
}

const children = (job: StoredJob | undefined) => job?.pipeline?.steps.flatMap((step) => step.children) ?? []

test('a long upload is cut, encoded side by side and joined: the outputs of a transcode, and nothing else of it is left', async () => {
  const jobId = await upload('long.mp4', 11, {
    'job-shard-threshold': '4',
    'job-shard-seconds': '4',
    'job-preset': 'ultrafast',
    'job-renditions': renditions,
  })
  const job = await operator.phase(jobId, 'Succeeded', undefined, 120_000)
  expect(job.attempts).toMatchObject([{ n: 1, outcome: { class: 'success' } }])
  expect(job.pipeline?.steps.map(({ name }) => name)).toEqual(['encode', 'stitch'])
  expect(children(job).map(({ kind, state }) => `${kind} ${state}`)).toEqual([
    'encode-shard succeeded',
    'encode-shard succeeded',
    'encode-shard succeeded',
    'encode-sound succeeded',
    'stitch succeeded',
  ])
  const output = `results/${jobId}/`
  expect(job.result).toMatchObject({
    manifest: `${output}manifest.json`,
    master: `${output}master.m3u8`,
    renditions: ['180p', '144p'],
    warnings: 0,
  })
  expect(await keys(output)).toEqual(
    expect.arrayContaining([
      'master.m3u8',
      'poster.jpg',
      'metadata.json',
      'manifest.json',
      '180p/index.m3u8',
    ]),
  )
  expect(await keys('work/')).toEqual([])
  const { Body: body } = await operator.aws
    .clients()
    .s3.send(new GetObjectCommand({ Bucket: 'outputs', Key: `${output}metadata.json` }))
  const metadata = transcodeMetadataSchema.parse(JSON.parse((await body?.transformToString()) ?? ''))
  expect(metadata).toMatchObject({ shards: 3, renditions: [{ frames: 275 }, { frames: 275 }] })
})

test('a shard that is lost is encoded again, and no other', async () => {
  const jobId = await upload('lost.mp4', 24, {
    'job-shard-threshold': '4',
    'job-shard-seconds': '8',
    'job-preset': 'medium',
    'job-renditions': renditions,
  })
  const split = await operator.phase(jobId, 'Running', (job) => children(job)[1]?.state === 'put', 60_000)
  const lost = children(split)[1]?.jobId ?? ''
  await operator.phase(lost, 'Running', (job) => job.claim !== undefined, 60_000)
  const [task] = await operator.tasks(lost)
  await operator.aws.control('POST', `/ecs/tasks/${task?.taskId}/kill`, { signal: 'SIGKILL' })
  await operator.set(lost, 'spec.limits', { backoff: { initial: 0, max: 0 } })

  const job = await operator.phase(jobId, 'Succeeded', undefined, 150_000)
  const attempts = await Promise.all(
    children(job).map(async (child) => [child.jobId, (await operator.record(child.jobId))?.attempts?.length]),
  )
  expect(attempts).toEqual(children(job).map((child) => [child.jobId, child.jobId === lost ? 2 : 1]))
  expect(await keys('work/')).toEqual([])
})

test('cancelled while shards are encoded: nothing is published, and nothing of it stays behind', async () => {
  const jobId = await upload('cancelled.mp4', 16, {
    'job-shard-threshold': '4',
    'job-shard-seconds': '8',
    'job-preset': 'medium',
    'job-renditions': renditions,
  })
  const split = await operator.phase(jobId, 'Running', (job) => children(job)[0]?.state === 'put', 60_000)
  await operator.phase(children(split)[0]?.jobId ?? '', 'Running', (job) => job.claim !== undefined, 60_000)
  await operator.set(jobId, 'spec.cancel', true)
  await operator.phase(jobId, 'Cancelled', undefined, 60_000)
  expect(await keys(`results/${jobId}/`)).toEqual([])
  expect(await keys('work/')).toEqual([])
})
