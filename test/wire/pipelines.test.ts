import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs'
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { DeleteCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { isTerminal } from '../../schemas/job.ts'
import { type ClipName, clipMaker, npmMediaTools } from '../support/clips.ts'
import { type Operator, type StoredJob, startOperator } from '../support/operator.ts'
import { until } from '../support/wait.ts'

// Subtitles, whole: a real controller makes the children, real workers find the audio and write the files. Who listens is a
// container of the user, as in `engine: container`: a few lines of Node that always hear the same.

vi.setConfig({ testTimeout: 120_000 })

let operator: Operator
let scratch: string
let clip: (name: ClipName) => Promise<string>

const heard = {
  jobName: 'a',
  accountId: '000000000000',
  status: 'COMPLETED',
  results: {
    language_code: 'en-US',
    transcripts: [{ transcript: 'Good morning everybody.' }],
    items: [
      ...['Good', 'morning', 'everybody'].map((content, index) => ({
        type: 'pronunciation',
        start_time: (0.2 + index * 0.5).toFixed(2),
        end_time: (0.6 + index * 0.5).toFixed(2),
        alternatives: [{ confidence: '0.99', content }],
      })),
      { type: 'punctuation', alternatives: [{ confidence: '0.0', content: '.' }] },
    ],
  },
}

/** Fails where there is nothing to hear, and without being told where the transcript goes. */
const listen = `
import { HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
const { MEDIA_BUCKET, MEDIA_KEY, TRANSCRIPT_BUCKET, TRANSCRIPT_KEY } = process.env
const s3 = new S3Client({ forcePathStyle: true })
await s3.send(new HeadObjectCommand({ Bucket: MEDIA_BUCKET, Key: MEDIA_KEY }))
const Body = ${JSON.stringify(JSON.stringify(heard))}
await s3.send(new PutObjectCommand({ Bucket: TRANSCRIPT_BUCKET, Key: TRANSCRIPT_KEY, Body }))
`

const register = (family: string, command: string[]) =>
  operator.aws.clients().ecs.send(
    new RegisterTaskDefinitionCommand({
      family,
      cpu: '256',
      memory: '512',
      networkMode: 'awsvpc',
      requiresCompatibilities: ['FARGATE'],
      containerDefinitions: [{ name: 'main', image: 'listener', command, stopTimeout: 2 }],
    }),
  )
const listener = [process.execPath, '--input-type=module', '-e', listen]
/** Fails for good until there is a file of this name. The definition stays: revisions are looked up once a minute. */
const onceThere = (name: string): string[] => [
  'sh',
  '-c',
  'test -e "$0" || exit 65; exec "$@"',
  join(scratch, name),
  ...listener,
]

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'pipelines-'))
  const tools = await npmMediaTools(scratch)
  clip = clipMaker(scratch, tools)
  const environment = { FFMPEG_PATH: tools.ffmpeg.path, FFPROBE_PATH: tools.ffprobe.path }
  operator = await startOperator({ MAX_VCPU: '100' }, { environment })
  await register('listener', listener)
  await register('sleeper', ['sh', '-c', 'exec sleep 60'])
})
afterAll(async () => {
  await operator.close()
  await rm(scratch, { recursive: true, force: true })
})

const s3 = () => operator.aws.clients().s3
const upload = async (key: string, name: ClipName): Promise<void> => {
  await s3().send(
    new PutObjectCommand({ Bucket: 'uploads', Key: key, Body: await readFile(await clip(name)) }),
  )
}
const keys = async (prefix: string): Promise<string[]> => {
  const { Contents: contents } = await s3().send(
    new ListObjectsV2Command({ Bucket: 'outputs', Prefix: prefix }),
  )
  return (contents ?? []).map(({ Key: key = '' }) => key.slice(prefix.length))
}
const text = async (key: string): Promise<string> => {
  const { Body: body } = await s3().send(new GetObjectCommand({ Bucket: 'outputs', Key: key }))
  return (await body?.transformToString()) ?? ''
}

const subtitles = (jobId: string, key: string, family: string, more: Record<string, unknown> = {}) =>
  operator.put(jobId, {
    kind: 'subtitles',
    spec: {
      input: { bucket: 'uploads', key },
      params: { engine: 'container', transcriber: { taskDefinition: family } },
      limits: { attempts: 1, backoff: { initial: 0, max: 0 } },
      ...more,
    },
  })

const stepsOf = (job: StoredJob | undefined) => job?.pipeline?.steps ?? []
const childrenOf = (job: StoredJob | undefined) => stepsOf(job).flatMap(({ children }) => children)
/** The child of this step once its record is in this phase. */
const child = async (jobId: string, step: string, phase: string): Promise<StoredJob> => {
  const id = await until(`step ${step} of ${jobId}`, async () => {
    const job = await operator.record(jobId)
    return stepsOf(job).find(({ name }) => name === step)?.children[0]?.jobId
  })
  return operator.phase(id, phase, undefined, 60_000)
}
const ended = (jobId: string, phase: string) => operator.phase(jobId, phase, undefined, 90_000)

test('subtitles of a film: three children one after the other, files named after it, nothing temporary stays', async () => {
  await upload('films/my.talk.MP4', 'surround.mp4')
  await subtitles('film', 'films/my.talk.MP4', 'listener')
  const job = await ended('film', 'Succeeded')
  expect(stepsOf(job).map(({ name }) => name)).toEqual(['audio', 'transcript', 'publish'])
  expect(childrenOf(job).map(({ kind, state }) => [kind, state])).toEqual([
    ['extract-audio', 'succeeded'],
    ['container', 'succeeded'],
    ['publish-subtitles', 'succeeded'],
  ])
  expect(childrenOf(job)[0]?.result).toMatchObject({ isTemporary: true })
  const files = await keys('results/film/')
  expect(files).toEqual(expect.arrayContaining(['my.talk.srt', 'my.talk.vtt', 'manifest.json']))
  expect(await text('results/film/my.talk.srt')).toMatch(/00:00:00,\d+ --> [\s\S]*Good morning everybody\./)
  expect(await text('results/film/my.talk.vtt')).toMatch(/^WEBVTT[\s\S]*Good morning everybody\./)
  expect(await keys('work/film/')).toEqual([])
  expect(job.result).toMatchObject({ srt: 'results/film/my.talk.srt', vtt: 'results/film/my.talk.vtt' })
  for (const { jobId } of childrenOf(job))
    expect(await operator.record(jobId)).toMatchObject({ phase: 'Succeeded' })
  expect(await operator.tasks('film')).toEqual([])
})

test('two uploads with one base name end apart', async () => {
  await upload('a/talk.mp4', 'short.mp4')
  await upload('b/talk.mp4', 'short.mp4')
  await Promise.all(['a', 'b'].map((folder) => subtitles(`talk-${folder}`, `${folder}/talk.mp4`, 'listener')))
  for (const folder of ['a', 'b']) {
    const job = await ended(`talk-${folder}`, 'Succeeded')
    expect(await keys(`results/talk-${folder}/`)).toEqual(expect.arrayContaining(['talk.srt', 'talk.vtt']))
    const media = { bucket: 'uploads', key: `${folder}/talk.mp4` }
    expect(childrenOf(job)[0]?.result).toMatchObject({ media, isTemporary: false })
  }
})

test('the one who listens fails: so does the job, with the reason, and a retry repeats only what is needed', async () => {
  await upload('films/again.mp4', 'short.mp4')
  await register('flaky', onceThere('flaky'))
  await subtitles('again', 'films/again.mp4', 'flaky')
  const failed = await ended('again', 'Failed')
  const [audio, transcript] = childrenOf(failed)
  expect(failed).toMatchObject({ reason: 'PermanentFailure' })
  expect(failed.message).toContain(`Step transcript, ${transcript?.jobId}: `)
  await writeFile(join(scratch, 'flaky'), '')
  await fetch(`${operator.controller.url}/jobs/again/retry`, { method: 'POST' })
  const job = await ended('again', 'Succeeded')
  expect(job.generation).toBe(2)
  const [sameAudio, successor] = childrenOf(job)
  expect(sameAudio?.jobId).toBe(audio?.jobId)
  expect(successor?.jobId).not.toBe(transcript?.jobId)
  expect(await operator.tasks(audio?.jobId ?? '')).toHaveLength(1)
})

test('a retry makes temporary audio again, which was deleted when the job failed', async () => {
  await upload('films/anew.mp4', 'surround.mp4')
  await register('late', onceThere('late'))
  await subtitles('anew', 'films/anew.mp4', 'late')
  const failed = await ended('anew', 'Failed')
  expect(childrenOf(failed)[0]?.result).toMatchObject({ isTemporary: true })
  expect(await keys('work/anew/')).toEqual([])
  await writeFile(join(scratch, 'late'), '')
  await fetch(`${operator.controller.url}/jobs/anew/retry`, { method: 'POST' })
  const job = await ended('anew', 'Succeeded')
  expect(childrenOf(job)[0]?.jobId).not.toBe(childrenOf(failed)[0]?.jobId)
  expect(await keys('work/anew/')).toEqual([])
})

test('cancel: the child is stopped first, and only then the job is Cancelled', async () => {
  await upload('films/cancelled.mp4', 'surround.mp4')
  await subtitles('cancelled', 'films/cancelled.mp4', 'sleeper')
  const { jobId } = await child('cancelled', 'transcript', 'Running')
  await fetch(`${operator.controller.url}/jobs/cancelled/cancel`, { method: 'POST' })
  await until('the job to end, and its child before it', async () => {
    const job = await operator.record('cancelled')
    const childNow = await operator.record(jobId)
    if (isTerminal(job?.phase ?? '')) expect(childNow).toMatchObject({ phase: 'Cancelled' })
    return job?.phase === 'Cancelled'
  })
  expect((await operator.tasks(jobId)).map(({ lastStatus }) => lastStatus)).toEqual(['STOPPED'])
  expect(await keys('work/cancelled/')).toEqual([])
})

test('suspend stops the child without counting an attempt; resumed, it runs again', async () => {
  await upload('films/suspended.mp4', 'short.mp4')
  await subtitles('suspended', 'films/suspended.mp4', 'sleeper')
  const { jobId } = await child('suspended', 'transcript', 'Running')
  await operator.set('suspended', 'spec.suspend', true)
  const waiting = await operator.phase(jobId, 'Pending', ({ reason }) => reason === 'Suspended')
  expect(waiting.counts).toEqual({ failed: 0, infra: 0 })
  expect(await operator.record('suspended')).toMatchObject({ phase: 'Running' })
  await operator.set('suspended', 'spec.suspend', false)
  await operator.phase(jobId, 'Running', ({ lastAttempt }) => lastAttempt === 2)
  await operator.set('suspended', 'spec.cancel', true)
  await ended('suspended', 'Cancelled')
})

test('a child that somebody deletes: its task is stopped, and the job fails', async () => {
  await upload('films/deleted.mp4', 'short.mp4')
  await subtitles('deleted', 'films/deleted.mp4', 'sleeper')
  const { jobId } = await child('deleted', 'transcript', 'Running')
  await operator.aws.clients().documents.send(new DeleteCommand({ TableName: 'jobs', Key: { jobId } }))
  expect(await ended('deleted', 'Failed')).toMatchObject({ reason: 'ChildMissing' })
  await until('its task to stop', async () =>
    (await operator.tasks(jobId)).every(({ lastStatus }) => lastStatus === 'STOPPED'),
  )
})

test('an input without sound fails at its first step, with the words of the worker', async () => {
  await upload('films/silent.mp4', 'silent.mp4')
  await subtitles('silent', 'films/silent.mp4', 'listener')
  const job = await ended('silent', 'Failed')
  expect(stepsOf(job)).toHaveLength(1)
  expect(job.message).toMatch(/^Step audio, \S+: \S+/)
  const audio = await operator.record(childrenOf(job)[0]?.jobId ?? '')
  expect(audio?.report?.code).toBe('NO_AUDIO_STREAM')
})
