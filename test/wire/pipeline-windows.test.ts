import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { GetCommand, ScanCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { uploadJobId } from '../../schemas/ids.ts'
import { clipMaker, npmMediaTools } from '../support/clips.ts'
import { type ControllerProcess, spawnController } from '../support/controller.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'
import type { StoredJob } from '../support/operator.ts'
import { type Call, startProxy, type Verdict } from '../support/proxy.ts'
import { until } from '../support/wait.ts'

// The windows of a pipeline, as `launch-windows.test.ts` has those of a launch: the call that opens the window is seen on
// the wire, the controller gets SIGKILL, and the call or its answer is swallowed. One job goes through all of them.

vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 })

let aws: TestAws
let scratch: string
let film: Buffer

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'pipeline-windows-'))
  const tools = await npmMediaTools(scratch)
  // Six channels are more than Transcribe takes, so there is temporary audio.
  film = await readFile(await clipMaker(scratch, tools)('surround.mp4'))
  aws = await startTestAws({
    environment: { FFMPEG_PATH: tools.ffmpeg.path, FFPROBE_PATH: tools.ffprobe.path },
  })
})
afterAll(async () => {
  await aws.close()
  await rm(scratch, { recursive: true, force: true })
})

const updates = (call: Call, ...words: string[]): boolean =>
  call.operation.endsWith('.UpdateItem') && words.every((word) => call.body.includes(word))
const puts = (call: Call, kind: string): boolean =>
  call.operation.endsWith('.PutItem') && call.body.includes(`{"S":"${kind}"}`)

const windows: { name: string; at: (call: Call) => boolean; verdict: Verdict }[] = [
  {
    name: 'the first step is not written',
    at: (call) => updates(call, 'Step-audio'),
    verdict: 'swallowCall',
  },
  { name: 'the first step is written', at: (call) => updates(call, 'Step-audio'), verdict: 'swallowAnswer' },
  { name: 'a child is not put', at: (call) => puts(call, 'extract-audio'), verdict: 'swallowCall' },
  { name: 'a child is put', at: (call) => puts(call, 'extract-audio'), verdict: 'swallowAnswer' },
  {
    name: 'the end of a child is not noted',
    at: (call) => updates(call, '"succeeded"'),
    verdict: 'swallowCall',
  },
  {
    name: 'the next step is written',
    at: (call) => updates(call, 'Step-transcript'),
    verdict: 'swallowAnswer',
  },
  {
    name: 'Transcribe is not asked',
    at: (call) => call.operation === 'Transcribe.StartTranscriptionJob',
    verdict: 'swallowCall',
  },
  {
    name: 'Transcribe is asked, and its answer lost',
    at: (call) => call.operation === 'Transcribe.StartTranscriptionJob',
    verdict: 'swallowAnswer',
  },
  { name: 'the last child is put', at: (call) => puts(call, 'publish-subtitles'), verdict: 'swallowAnswer' },
  {
    name: 'temporary audio is deleted, and the end is not written',
    at: (call) => call.operation.startsWith('DELETE /outputs/work/'),
    verdict: 'swallowAnswer',
  },
]

test('a controller killed in every window of a pipeline: each child is made once, and does its work once', async () => {
  const left = [...windows]
  let running: ControllerProcess | undefined
  const hit: string[] = []
  let killed: Promise<unknown> | undefined
  const proxy = await startProxy(aws.endpoint, (call) => {
    if (killed !== undefined) return 'swallowCall'
    const [window] = left
    if (!window?.at(call)) return 'pass'
    left.shift()
    hit.push(window.name)
    killed = running?.end('SIGKILL')
    return window.verdict
  })
  const key = 'subtitles/talk.mp4'
  const { s3, documents } = aws.clients()
  const { ETag: etag } = await s3.send(new PutObjectCommand({ Bucket: 'uploads', Key: key, Body: film }))
  const jobId = uploadJobId('subtitles', 'uploads', key, etag ?? '')
  const record = async (): Promise<StoredJob | undefined> => {
    const { Item: item } = await documents.send(
      new GetCommand({ TableName: 'jobs', Key: { jobId }, ConsistentRead: true }),
    )
    return item as StoredJob | undefined
  }

  while (left.length > 0) {
    killed = undefined
    running = spawnController(aws, { endpoint: proxy.endpoint })
    await until(`the window: ${left[0]?.name}`, () => killed, 60_000).catch(async (error: unknown) => {
      await running?.end('SIGKILL')
      throw new Error(`${String(error)}; it is ${JSON.stringify(await record())}`)
    })
    await killed
  }
  await proxy.close()
  const last = spawnController(aws)
  const job = await until(
    `${jobId} to succeed`,
    async () => {
      const now = await record()
      return now?.phase === 'Succeeded' && now
    },
    60_000,
  )
  await last.end('SIGTERM')

  expect(hit).toEqual(windows.map(({ name }) => name))
  const { Items: items = [] } = await documents.send(new ScanCommand({ TableName: 'jobs' }))
  const children = items.filter((item) => item.jobId !== jobId)
  expect(children.map(({ kind }) => kind as string).sort()).toEqual([
    'extract-audio',
    'publish-subtitles',
    'transcription',
  ])
  for (const child of children) {
    expect(child).toMatchObject({ phase: 'Succeeded', generation: 1 })
    // A lease that is waited for may cost an attempt its worker's patience, never a second success.
    const outcomes = (child.attempts as { outcome?: { class: string } }[]).map(
      ({ outcome }) => outcome?.class,
    )
    expect(outcomes.filter((outcome) => outcome === 'success')).toHaveLength(1)
  }
  expect(job.generation).toBe(1)
  const { Contents: contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: 'outputs' }))
  const keys = contents.map(({ Key: name = '' }) => name)
  expect(keys.filter((name) => name.startsWith('work/'))).toEqual([])
  expect(keys).toContain(`results/${jobId}/talk.vtt`)
  const { jobs } = (await aws.control('GET', '/transcribe/jobs')) as { jobs: unknown[] }
  expect(jobs).toHaveLength(1)
})
