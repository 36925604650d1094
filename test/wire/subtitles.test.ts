import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { ListTranscriptionJobsCommand, TranscribeClient } from '@aws-sdk/client-transcribe'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { parseTranscriptionJobName, uploadJobId } from '../../schemas/ids.ts'
import { type ClipName, clipMaker, npmMediaTools } from '../support/clips.ts'
import { type Operator, type StoredJob, startOperator } from '../support/operator.ts'
import { until } from '../support/wait.ts'

// Pipelines whole: an upload, its children, real worker processes with real ffmpeg, and Amazon Transcribe over the wire.
// Without a recogniser the local Transcribe finds out where somebody speaks, which is all that is needed here.

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let operator: Operator
let scratch: string
let clip: (name: ClipName) => Promise<string>
let transcribe: TranscribeClient

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'subtitles-'))
  const tools = await npmMediaTools(scratch)
  clip = clipMaker(scratch, tools)
  const environment = { FFMPEG_PATH: tools.ffmpeg.path, FFPROBE_PATH: tools.ffprobe.path }
  operator = await startOperator({ MAX_VCPU: '100' }, { environment })
  transcribe = new TranscribeClient({
    endpoint: operator.aws.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  })
})
afterAll(async () => {
  transcribe.destroy()
  await operator.close()
  await rm(scratch, { recursive: true, force: true })
})

const upload = async (kind: string, key: string, name: ClipName, metadata = {}): Promise<string> => {
  const { ETag: etag } = await operator.aws.clients().s3.send(
    new PutObjectCommand({
      Bucket: 'uploads',
      Key: key,
      Body: await readFile(await clip(name)),
      Metadata: metadata,
    }),
  )
  return uploadJobId(kind, 'uploads', key, etag ?? '')
}

const keys = async (prefix: string): Promise<string[]> => {
  const { Contents: contents } = await operator.aws
    .clients()
    .s3.send(new ListObjectsV2Command({ Bucket: 'outputs', Prefix: prefix }))
  return (contents ?? []).map(({ Key: key = '' }) => key.slice(prefix.length))
}

const text = async (key: string): Promise<string> => {
  const { Body: body } = await operator.aws
    .clients()
    .s3.send(new GetObjectCommand({ Bucket: 'outputs', Key: key }))
  return (await body?.transformToString()) ?? ''
}

const transcriptionsOf = async (child: string): Promise<string[]> => {
  const { TranscriptionJobSummaries: jobs } = await transcribe.send(new ListTranscriptionJobsCommand({}))
  return (jobs ?? [])
    .map(({ TranscriptionJobName: name = '' }) => name)
    .filter((name) => parseTranscriptionJobName(name)?.jobId === child)
}

const children = (job: StoredJob | undefined) => job?.pipeline?.steps.flatMap((step) => step.children) ?? []

test('an upload becomes subtitles named after it, and nothing else of it is left', async () => {
  const jobId = await upload('subtitles', 'subtitles/talk.one.MP4', 'plain.mp4', { 'job-max-speakers': '2' })
  const job = await operator.phase(jobId, 'Succeeded', undefined, 90_000)
  expect(job.settings?.params).toMatchObject({ maxSpeakers: 2 })
  expect(job.pipeline?.steps.map(({ name }) => name)).toEqual(['audio', 'transcript', 'publish'])
  expect(children(job).map(({ kind, state }) => `${kind} ${state}`)).toEqual([
    'extract-audio succeeded',
    'transcription succeeded',
    'publish-subtitles succeeded',
  ])
  expect(await keys(`results/${jobId}/`)).toEqual(
    expect.arrayContaining([
      'talk.one.srt',
      'talk.one.vtt',
      'manifest.json',
      'steps/transcript/transcript.json',
    ]),
  )
  expect(await text(`results/${jobId}/talk.one.vtt`)).toMatch(/^WEBVTT\n/)
  expect(job.result).toMatchObject({ manifest: `results/${jobId}/manifest.json` })
  expect(await keys('work/')).toEqual([])
  const transcription = await operator.record(children(job)[1]?.jobId ?? '')
  expect(transcription?.attempts).toMatchObject([{ runner: 'transcribe', outcome: { class: 'success' } }])
  expect(transcription?.costUsd).toBeGreaterThan(0)
  expect(await transcriptionsOf(transcription?.jobId ?? '')).toHaveLength(1)
})

test('two uploads of one base name end apart', async () => {
  const ids = await Promise.all([
    upload('subtitles', 'subtitles/a/talk.mp4', 'short.mp4'),
    upload('subtitles', 'subtitles/b/talk.mp4', 'short.mp4'),
  ])
  for (const jobId of ids) {
    await operator.phase(jobId, 'Succeeded', undefined, 90_000)
    expect(await keys(`results/${jobId}/`)).toEqual(expect.arrayContaining(['talk.srt', 'talk.vtt']))
  }
  expect(new Set(ids).size).toBe(2)
})

test('an input without sound fails with the reason of the step that found out', async () => {
  const jobId = await upload('subtitles', 'subtitles/mute.mp4', 'silent.mp4')
  const job = await operator.phase(jobId, 'Failed', undefined, 60_000)
  expect(job).toMatchObject({
    reason: 'PermanentFailure',
    message: expect.stringMatching(/^Step audio, .*: .*audio/i),
  })
  expect(children(job).map(({ state }) => state)).toEqual(['failed'])
})

test('a recording becomes a summary to read, with a picture of each scene', async () => {
  const jobId = await upload('analyze', 'analyze/pattern.mp4', 'plain.mp4')
  const job = await operator.phase(jobId, 'Succeeded', undefined, 90_000)
  expect(await keys(`results/${jobId}/`)).toEqual(
    expect.arrayContaining([
      'summary.json',
      'summary.md',
      'manifest.json',
      'scenes/scenes.json',
      'scenes/scene-0001.jpg',
    ]),
  )
  expect(await text(`results/${jobId}/summary.md`)).toMatch(/^# pattern/)
  expect(job.pipeline?.steps.map(({ children: of }) => of.length)).toEqual([2, 1, 1])
})

test('a quota that is used up is waited for: no failure, and no attempt more', async () => {
  await operator.aws.control('POST', '/transcribe/faults', { kind: 'limitExceeded', count: 3 })
  const jobId = await upload('subtitles', 'subtitles/patience.mp4', 'short.mp4')
  const job = await operator.phase(jobId, 'Succeeded', undefined, 90_000)
  const transcription = await operator.record(children(job)[1]?.jobId ?? '')
  expect(transcription).toMatchObject({ counts: { failed: 0, infra: 0 }, lastAttempt: 1, lastLaunch: 1 })
})

test('a cancel ends the transcription, deletes it, and leaves no temporary audio', async () => {
  const jobId = await upload('subtitles', 'subtitles/surround.mp4', 'surround.mp4')
  // Six channels are more than Transcribe takes, so there is a copy of the audio.
  await operator.phase(jobId, 'Running', (job) => children(job)[1]?.state === 'put', 60_000)
  await operator.set(jobId, 'spec.cancel', true)
  const job = await operator.phase(jobId, 'Cancelled', undefined, 60_000)
  const [, child] = children(job)
  await until('the transcription to be gone', async () => {
    const phase = (await operator.record(child?.jobId ?? ''))?.phase
    return phase === 'Cancelled' || phase === 'Succeeded'
  })
  expect(await keys('work/')).toEqual([])
})
