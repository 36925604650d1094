import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { audioMetadataSchema } from '../../schemas/audio-metadata.ts'
import { uploadJobId } from '../../schemas/ids.ts'
import { manifestSchema } from '../../schemas/manifest.ts'
import { type ClipName, clipMaker, npmMediaTools } from '../support/clips.ts'
import { type Operator, startOperator } from '../support/operator.ts'

// Audio whole: an upload or a record, the loop, a real worker process with real ffmpeg, and what is in the bucket afterwards.

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let operator: Operator
let scratch: string
let clip: (name: ClipName) => Promise<string>

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'audio-'))
  const tools = await npmMediaTools(scratch)
  clip = clipMaker(scratch, tools)
  const environment = { FFMPEG_PATH: tools.ffmpeg.path, FFPROBE_PATH: tools.ffprobe.path }
  operator = await startOperator({ MAX_VCPU: '100' }, { environment })
})
afterAll(async () => {
  await operator.close()
  await rm(scratch, { recursive: true, force: true })
})

const upload = async (key: string, name: ClipName, metadata = {}): Promise<string> => {
  const { ETag: etag } = await operator.aws.clients().s3.send(
    new PutObjectCommand({
      ...{ Bucket: 'uploads', Key: key, Metadata: metadata },
      Body: await readFile(await clip(name)),
    }),
  )
  return etag ?? ''
}

const outputs = async (prefix: string): Promise<string[]> => {
  const { Contents: contents } = await operator.aws
    .clients()
    .s3.send(new ListObjectsV2Command({ Bucket: 'outputs', Prefix: prefix }))
  return (contents ?? []).map(({ Key: key = '' }) => key.slice(prefix.length)).sort()
}

const json = async (key: string): Promise<unknown> => {
  const { Body: body } = await operator.aws
    .clients()
    .s3.send(new GetObjectCommand({ Bucket: 'outputs', Key: key }))
  return JSON.parse((await body?.transformToString()) ?? '')
}

test('an upload into audio/ becomes an MP3 named after it, its waveform, and a manifest of all of it', async () => {
  const etag = await upload('audio/My talk.M4A', 'sound.m4a')
  const jobId = uploadJobId('audio', 'uploads', 'audio/My talk.M4A', etag)
  const job = await operator.phase(jobId, 'Succeeded', undefined, 60_000)
  expect(job.attempts?.map(({ outcome }) => outcome?.class)).toEqual(['success'])
  expect(job.settings).toMatchObject({ resources: { cpu: 1024, memory: 2048 } })
  expect(job.result).toMatchObject({ formats: ['mp3'], metadata: `results/${jobId}/metadata.json` })
  const files = await outputs(`results/${jobId}/`)
  expect(files).toEqual([
    ...['My talk.mp3', 'My talk.peaks.json', 'My talk.waveform.png', 'manifest.json', 'metadata.json'],
  ])
  const manifest = manifestSchema.parse(await json(`results/${jobId}/manifest.json`))
  expect(manifest.files.map(({ key, role }) => `${role} ${key.split('/').at(-1)}`)).toEqual([
    ...['audio My talk.mp3', 'peaks My talk.peaks.json', 'waveform My talk.waveform.png'],
    'metadata metadata.json',
  ])
})

test('parameters come along with the upload', async () => {
  const etag = await upload('audio/short.mp4', 'short.mp4', {
    'job-formats': '["opus","wav"]',
    'job-loudness': '{"targetLufs":-20}',
    'job-audio-preview': '{"lengthS":1}',
    'job-waveform': 'false',
  })
  const jobId = uploadJobId('audio', 'uploads', 'audio/short.mp4', etag)
  const job = await operator.phase(jobId, 'Succeeded', undefined, 60_000)
  expect(job.settings?.params).toMatchObject({
    formats: ['opus', 'wav'],
    loudness: { targetLufs: -20, truePeakDbtp: -1.5 },
    preview: { lengthS: 1, format: 'mp3' },
  })
  expect(await outputs(`results/${jobId}/`)).toEqual([
    ...['manifest.json', 'metadata.json', 'short.opus', 'short.preview.mp3', 'short.wav'],
  ])
  const metadata = audioMetadataSchema.parse(await json(`results/${jobId}/metadata.json`))
  for (const { loudness } of metadata.outputs) expect(loudness.integratedLufs).toBeCloseTo(-20, 0)
})

test('a record: into a place of its own', async () => {
  await upload('talks/one.webm', 'recorded.webm')
  await operator.put('by-record', {
    kind: 'audio',
    spec: {
      input: { bucket: 'uploads', key: 'talks/one.webm' },
      output: 'podcast/one/',
      params: { formats: ['aac', 'flac'], trimSilence: {}, preview: { lengthS: 1 } },
    },
  })
  const job = await operator.phase('by-record', 'Succeeded', undefined, 60_000)
  expect(job.result).toMatchObject({ manifest: 'podcast/one/manifest.json' })
  expect(await outputs('podcast/one/')).toEqual([
    ...['manifest.json', 'metadata.json', 'one.flac', 'one.m4a', 'one.peaks.json', 'one.preview.mp3'],
    'one.waveform.png',
  ])
})

test('a video without sound fails once, with a code and a sentence, and nothing is published', async () => {
  const etag = await upload('audio/silent.mp4', 'silent.mp4')
  const jobId = uploadJobId('audio', 'uploads', 'audio/silent.mp4', etag)
  const job = await operator.phase(jobId, 'Failed', undefined, 30_000)
  expect(job.report).toMatchObject({ code: 'NO_AUDIO_STREAM', exitCode: 65 })
  expect(job.message).toMatch(/The input has no audio: it has only video/)
  expect(await outputs(`results/${jobId}/`)).toEqual([])
})

test('a parameter out of its bounds fails before a task is launched, naming it', async () => {
  await upload('talks/two.m4a', 'sound.m4a')
  await operator.put('wrong-loudness', {
    kind: 'audio',
    spec: { input: { bucket: 'uploads', key: 'talks/two.m4a' }, params: { loudness: { targetLufs: -5 } } },
  })
  const job = await operator.phase('wrong-loudness', 'Failed')
  expect(job.reason).toBe('InvalidSpec')
  expect(job.message).toMatch(/spec\.params\.loudness\.targetLufs: -5/)
  expect(await operator.tasks('wrong-loudness')).toEqual([])
})
