import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GetObjectCommand } from '@aws-sdk/client-s3'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { type Manifest, manifestSchema } from '../../schemas/manifest.ts'
import type { MediaTools } from '../../worker/ffmpeg.ts'
import { parsePlaylist, type RecordingState } from '../../worker/record/playlist.ts'
import { npmMediaTools } from '../support/clips.ts'
import { type Operator, startOperator } from '../support/operator.ts'
import { openLive, openTrap } from '../support/streams.ts'
import { until } from '../support/wait.ts'

// Recording whole: an address becomes a job, the loop launches a real worker in the group of the internet, and what happens to its task
// is what happens on AWS: a cancel, Spot taking it back, the end of its host.

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

let operator: Operator
let scratch: string
let tools: MediaTools
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'recording-'))
  tools = await npmMediaTools(scratch)
  operator = await startOperator(
    { MAX_VCPU: '100', POLL_S: '0.3' },
    {
      environment: {
        FFMPEG_PATH: tools.ffmpeg.path,
        FFPROBE_PATH: tools.ffprobe.path,
        PRIVATE_SOURCES: '127.0.0.1',
      },
      // A task has its 120 s to end in order; nothing here takes as long.
      ecs: { speed: 20, closeGraceMs: 500 },
    },
  )
})
afterAll(async () => {
  await operator.close()
  await rm(scratch, { recursive: true, force: true })
})
const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})
const live = async (
  ...options: Parameters<typeof openLive> extends [unknown, ...infer Rest] ? Rest : never
) => {
  const opened = await openLive(tools, ...options)
  closing.push(opened.close)
  return opened
}

const post = (path: string, body?: unknown) =>
  fetch(`${operator.controller.url}${path}`, {
    method: 'POST',
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
const submit = async (jobId: string, url: string, params: Record<string, unknown> = {}, more = {}) => {
  const limits = { backoff: { initial: 0, max: 0 } }
  const spec = { params: { segmentSeconds: 2, ...params }, limits, ...more }
  const answer = await post('/jobs', { jobId, url, spec })
  expect([answer.status, await answer.json()]).toEqual([201, { jobId, created: true }])
}
const output = async (key: string): Promise<string> => {
  const { Body: body } = await operator.aws
    .clients()
    .s3.send(new GetObjectCommand({ Bucket: 'outputs', Key: key }))
  return (await body?.transformToString()) ?? ''
}
const stateOf = async (jobId: string): Promise<RecordingState | undefined> =>
  parsePlaylist(await output(`results/${jobId}/index.m3u8`).catch(() => ''))
const recorded = (jobId: string, count: number) =>
  until(
    `${jobId} to have ${count} segments`,
    async () => {
      const state = await stateOf(jobId)
      return state !== undefined && state.segments.length >= count && state
    },
    60_000,
  )
const manifestOf = async (jobId: string): Promise<Manifest> =>
  manifestSchema.parse(JSON.parse(await output(`results/${jobId}/manifest.json`)))
const segmentsIn = ({ files }: Manifest) => files.filter(({ role }) => role === 'segment').length
const runningTask = async (jobId: string) => {
  const tasks = await operator.tasks(jobId)
  const task = tasks.find(({ lastStatus }) => lastStatus === 'RUNNING')
  if (task === undefined) throw new Error(`${jobId} has no running task`)
  return task
}

test('an address becomes a recording: by POST /jobs, and by a message', async () => {
  const stream = await live()
  await submit('by-post', stream.url, { maxDuration: 5 })
  await operator.aws.clients().sqs.send(
    new SendMessageCommand({
      QueueUrl: operator.aws.queueUrl('jobs'),
      MessageBody: JSON.stringify({
        jobId: 'by-message',
        url: stream.url,
        spec: { params: { maxDuration: 5, segmentSeconds: 2 } },
      }),
    }),
  )
  for (const jobId of ['by-post', 'by-message']) {
    const job = await operator.phase(jobId, 'Succeeded', undefined, 60_000)
    expect(job).toMatchObject({ kind: 'record', result: { end: 'maxDuration' } })
    expect(job.attempts?.map(({ outcome }) => outcome?.class)).toEqual(['success'])
    const manifest = await manifestOf(jobId)
    expect(segmentsIn(manifest)).toBe((await stateOf(jobId))?.segments.length)
    const tasks = await operator.tasks(jobId)
    expect(JSON.stringify(tasks)).toContain(jobId)
  }
})

test('cancelled: Cancelled, and everything that was recorded is kept, finished, in the manifest', async () => {
  const stream = await live()
  await submit('cancelled', stream.url)
  await recorded('cancelled', 1)
  expect((await post('/jobs/cancelled/cancel')).status).toBeLessThan(300)
  await operator.phase('cancelled', 'Cancelled', undefined, 40_000)
  const state = await stateOf('cancelled')
  expect(state?.end).toBe('cancelled')
  const manifest = await manifestOf('cancelled')
  expect(segmentsIn(manifest)).toBe(state?.segments.length)
  const outputs = await fetch(`${operator.controller.url}/jobs/cancelled/outputs`)
  expect(outputs.status).toBe(200)
})

test('Spot takes the task back: the next attempt goes on in the same playlist', async () => {
  const stream = await live()
  // Long enough for the second attempt to begin in it, since gaps count.
  await submit('spot', stream.url, { maxDuration: 40 })
  const before = await recorded('spot', 1)
  const task = await runningTask('spot')
  await operator.aws.control('POST', `/ecs/tasks/${task.taskId}/stop`, {
    stopCode: 'SpotInterruption',
    reason: 'Your Spot Task was interrupted.',
  })
  const job = await operator.phase('spot', 'Succeeded', undefined, 90_000)
  expect(job.attempts?.map(({ outcome }) => outcome?.class)).toEqual(['spot', 'success'])
  expect(job.attempts?.[0]?.outcome?.exitCode).toBe(143)
  const state = await stateOf('spot')
  expect(state?.segments.slice(0, before.segments.length)).toEqual(before.segments)
  expect(state?.segments.at(-1)?.name).toMatch(/-2-2\.ts$/)
  expect(await output('results/spot/index.m3u8')).toContain('#EXT-X-DISCONTINUITY')
  expect(segmentsIn(await manifestOf('spot'))).toBe(state?.segments.length)
  expect(JSON.parse(await output('results/spot/recording.json'))).toMatchObject({
    end: 'maxDuration',
    gaps: [{ lengthS: expect.any(Number) }],
  })
})

test('suspended and resumed: a gap, and no attempt is counted', async () => {
  const stream = await live()
  await submit('suspended', stream.url, { maxDuration: 12 })
  await recorded('suspended', 1)
  await post('/jobs/suspended/suspend')
  await operator.phase('suspended', 'Pending', ({ reason }) => reason === 'Suspended', 40_000)
  const paused = await stateOf('suspended')
  expect(paused).toMatchObject({ end: undefined })
  await post('/jobs/suspended/resume')
  const job = await operator.phase('suspended', 'Succeeded', undefined, 60_000)
  expect(job.counts).toMatchObject({ failed: 0, infra: 0 })
  const state = await stateOf('suspended')
  expect(state?.segments.slice(0, paused?.segments.length)).toEqual(paused?.segments)
})

test('an address inside fails once, says why, and nothing arrives there', async () => {
  const trap = await openTrap('127.0.0.9')
  closing.push(trap.close)
  // The operator of these tests has opened 127.0.0.1, and nothing else.
  await submit('inside', `http://127.0.0.9:${trap.port}/latest/meta-data/`)
  const job = await operator.phase('inside', 'Failed', undefined, 40_000)
  expect(job).toMatchObject({ reason: 'PermanentFailure', report: { code: 'URL_REFUSED', exitCode: 77 } })
  expect(job.message).toMatch(/127\.0\.0\.9/)
  const refused = await post('/jobs', { url: 'http://169.254.169.254/latest/meta-data/' })
  expect(refused.status).toBe(400)
  expect(trap.hits).toEqual([])
})

test('a stream that is there and silent is an error after all attempts, and no success', async () => {
  const stream = await live()
  await submit('stalled', stream.url, { stallTimeout: 5, giveUpAfter: 5 }, { limits: { attempts: 1 } })
  await recorded('stalled', 1)
  stream.freeze()
  const job = await operator.phase('stalled', 'Failed', undefined, 60_000)
  expect(job.report?.code).toBe('SOURCE_STALLED')
  expect((await stateOf('stalled'))?.segments.length).toBeGreaterThan(0)
})
