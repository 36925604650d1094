import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import {
  DeleteTranscriptionJobCommand,
  StartTranscriptionJobCommand,
  TranscribeClient,
} from '@aws-sdk/client-transcribe'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { localCredentials } from '../../local/credentials.ts'
import { makeClients } from '../support/local-aws.ts'
import { until as waitFor } from '../support/wait.ts'
import { isRunning, refusal, until } from './ecs-setup.ts'
import {
  getJob,
  makeMedia,
  startInput,
  startTranscribe,
  type TranscribeTest,
  toneBetween,
} from './transcribe-setup.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transcribe-restart-'))
})
afterEach(async () => {
  for (const child of processes.splice(0)) await kill(child)
  await rm(folder, { recursive: true, force: true })
})

const processes: ChildProcess[] = []
const kill = async (child: ChildProcess) => {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

/** Notes every call, and says nothing until there is a file `go`. */
const patient = () =>
  `echo $$ >> ${folder}/calls; while [ ! -e ${folder}/go ]; do sleep 0.02; done; echo '{"words":[]}'; :`
const calls = async () =>
  existsSync(join(folder, 'calls'))
    ? (await readFile(join(folder, 'calls'), 'utf8')).trim().split('\n').map(Number)
    : []

const deferred = {
  JobExecutionSettings: {
    AllowDeferredExecution: true,
    DataAccessRoleArn: 'arn:aws:iam::000000000000:role/transcribe',
  },
}

test('jobs are there again: finished as they were, in progress from the start, queued in their order', async () => {
  const settings = { concurrentJobs: 1 }
  const before = await startTranscribe({ settings })
  let after: TranscribeTest | undefined
  try {
    await before.upload('talk.wav', await makeMedia('talk.wav', ...toneBetween(1, 2)))
    await before.start({ TranscriptionJobName: 'done' })
    const done = await before.ended('done')
    await before.start({ TranscriptionJobName: 'deleted' })
    await before.ended('deleted')
    await before.client.send(new DeleteTranscriptionJobCommand({ TranscriptionJobName: 'deleted' }))
    await before.stop()

    const middle = await startTranscribe({ settings, after: before, asrCommand: patient() })
    for (const name of ['one', 'two', 'three'])
      await middle.start({ TranscriptionJobName: name, ...deferred })
    await until(async () => (await calls()).length === 1)
    const seen = await middle.get('one')
    await middle.stop()
    const [pid = 0] = await calls()
    await until(async () => !isRunning(pid))
    expect(middle.events).toEqual([])

    after = await startTranscribe({ settings, after: before, asrCommand: patient() })
    expect(await after.get('done')).toEqual(done)
    expect(await refusal(after.start({ TranscriptionJobName: 'done' }))).toMatchObject({
      name: 'ConflictException',
    })
    expect(await refusal(after.get('deleted'))).toMatchObject({ name: 'BadRequestException' })
    expect(await after.get('one')).toEqual(seen)
    expect((await after.get('two')).TranscriptionJobStatus).toBe('QUEUED')
    await until(async () => (await calls()).length === 2)
    await writeFile(join(folder, 'go'), '')
    for (const name of ['one', 'two', 'three'])
      expect((await after.ended(name)).TranscriptionJobStatus).toBe('COMPLETED')
    await until(async () => after?.events.length === 3)
    expect(after.events.map(({ detail }) => detail.TranscriptionJobName)).toEqual(['one', 'two', 'three'])
  } finally {
    await (after ?? before).close()
  }
})

/** `npm run local` in a process of its own, until it says where it is. */
const startProcess = async (environment: Record<string, string>) => {
  const child = spawn(process.execPath, ['--import', 'tsx', 'local/main.ts'], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      LOCAL_AWS_PORT: '0',
      LOCAL_DATA_DIR: folder,
      LOG_LEVEL: 'warn',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  processes.push(child)
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const [endpoint] = await waitFor('the endpoint', () => /http:\/\/127\.0\.0\.1:\d+/.exec(said) ?? undefined)
  const transcribe = new TranscribeClient({ endpoint, region: 'us-east-1', credentials: localCredentials })
  return {
    transcribe,
    s3: makeClients(endpoint).s3,
    kill: () => kill(child),
  }
}

test('a job outlives SIGKILL of the local AWS: the next one does it from the start', async () => {
  const slow = JSON.stringify([{ service: 'transcribe', kind: 'slowJob', delayMs: 3_000 }])
  const before = await startProcess({ LOCAL_FAULTS: slow })
  const media = await makeMedia('talk.wav', ...toneBetween(1, 2))
  await before.s3.send(new PutObjectCommand({ Bucket: 'uploads', Key: 'talk.wav', Body: media }))
  const input = startInput({ Media: { MediaFileUri: 's3://uploads/talk.wav' }, OutputBucketName: 'outputs' })
  await before.transcribe.send(new StartTranscriptionJobCommand(input))
  expect((await getJob(before.transcribe, 'job-1')).TranscriptionJobStatus).toBe('IN_PROGRESS')
  await before.kill()
  const killedAt = new Date()

  const after = await startProcess({})
  const job = await waitFor('the job', async () => {
    const { TranscriptionJobStatus, CompletionTime } = await getJob(after.transcribe, 'job-1')
    return CompletionTime && { TranscriptionJobStatus, CompletionTime }
  })
  expect(job.TranscriptionJobStatus).toBe('COMPLETED')
  expect(job.CompletionTime.getTime()).toBeGreaterThan(killedAt.getTime())
  await after.s3.send(new GetObjectCommand({ Bucket: 'outputs', Key: 'job-1.json' }))
})
