import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import {
  GetTranscriptionJobCommand,
  StartTranscriptionJobCommand,
  type StartTranscriptionJobCommandInput,
  TranscribeClient,
  type TranscriptionJob,
} from '@aws-sdk/client-transcribe'
import type { z } from 'zod'
import { type Clock, systemClock } from '../../local/ecs/index.ts'
import { createTranscribe, transcribeSettingsSchema } from '../../local/transcribe/index.ts'
import { findTools } from '../../local/transcribe/tools.ts'
import { silentLog, until } from './ecs-setup.ts'
import { ACCESS_KEY_ID, SECRET, startS3, type TestS3 } from './s3-server.ts'

export type Settings = z.input<typeof transcribeSettingsSchema>
export type TranscribeTest = Awaited<ReturnType<typeof startTranscribe>>
export type JobEvent = {
  'detail-type': string
  source: string
  resources: string[]
  detail: Record<string, string>
}

type Options = {
  settings?: Settings
  clock?: Clock
  asrCommand?: string
  /** S3 and folder of a former one, to go on with. */
  after?: { s3: TestS3; dataDir: string }
}

/** A local Transcribe and a local S3 behind real ports, spoken to by the real SDK; buckets `media` and `out`. */
export async function startTranscribe(options: Options = {}) {
  const s3 = options.after?.s3 ?? (await startS3())
  const dataDir = options.after?.dataDir ?? (await mkdtemp(join(tmpdir(), 'transcribe-')))
  const events: JobEvent[] = []
  if (options.after === undefined)
    for (const Bucket of ['media', 'out']) await s3.client.send(new CreateBucketCommand({ Bucket }))
  const transcribe = await createTranscribe({
    dataDir,
    region: 'us-east-1',
    accountId: '000000000000',
    endpoint: s3.endpoint,
    credentials: { accessKeyId: ACCESS_KEY_ID, secretAccessKey: SECRET },
    asrCommand: options.asrCommand,
    environment: process.env,
    settings: transcribeSettingsSchema.parse({
      processingMs: 0,
      throttle: { enabled: false },
      ...options.settings,
    }),
    clock: options.clock ?? systemClock,
    emitEvent: async (event) => {
      events.push(event as JobEvent)
    },
    log: silentLog,
  })
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request.setEncoding('utf8')) text += chunk
    const action = String(request.headers['x-amz-target']).replace('Transcribe.', '')
    const reply = await transcribe.call(action, JSON.parse(text))
    if ('drop' in reply) return response.destroy()
    response.writeHead(reply.status, { 'content-type': 'application/x-amz-json-1.1' })
    return response.end(JSON.stringify(reply.body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = new TranscribeClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    maxAttempts: 1,
  })

  const stop = async () => {
    client.destroy()
    await transcribe.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return {
    transcribe,
    client,
    s3,
    dataDir,
    events,
    start: (input: Partial<StartTranscriptionJobCommandInput> = {}) =>
      client.send(new StartTranscriptionJobCommand(startInput(input))),
    get: (name: string) => getJob(client, name),
    /** Waits until the job has ended. */
    ended: (name: string) => endedJob(client, name),
    upload: (key: string, body: Buffer | string) =>
      s3.client.send(new PutObjectCommand({ Bucket: 'media', Key: key, Body: body })),
    output: async (key: string, bucket = 'out'): Promise<string> => {
      const { Body } = await s3.client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
      return (await Body?.transformToString()) ?? ''
    },
    keys: async (bucket = 'out'): Promise<string[]> => {
      const { Contents = [] } = await s3.client.send(new ListObjectsV2Command({ Bucket: bucket }))
      return Contents.map(({ Key = '' }) => Key)
    },
    /** Stops, and keeps everything for another one. */
    stop,
    close: async () => {
      await stop()
      await s3.remove()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** A job that lacks nothing: `talk.wav` of the bucket `media`, in English. */
export const startInput = (
  input: Partial<StartTranscriptionJobCommandInput> = {},
): StartTranscriptionJobCommandInput => ({
  TranscriptionJobName: 'job-1',
  LanguageCode: 'en-US',
  Media: { MediaFileUri: 's3://media/talk.wav' },
  OutputBucketName: 'out',
  ...input,
})

export async function getJob(client: TranscribeClient, name: string): Promise<TranscriptionJob> {
  const { TranscriptionJob: job } = await client.send(
    new GetTranscriptionJobCommand({ TranscriptionJobName: name }),
  )
  if (job === undefined) throw new Error(`no job ${name} in the answer`)
  return job
}

export const endedJob = (client: TranscribeClient, name: string): Promise<TranscriptionJob> =>
  until(async () => {
    const job = await getJob(client, name)
    const hasEnded = job.TranscriptionJobStatus === 'COMPLETED' || job.TranscriptionJobStatus === 'FAILED'
    return hasEnded && job
  })

/** A media file that ffmpeg makes: `makeMedia('a.wav', '-f', 'lavfi', '-i', 'sine=duration=1')`. */
export async function makeMedia(name: string, ...args: string[]): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'transcribe-media-'))
  try {
    const tools = findTools({ path: process.env.PATH ?? '', scratch: folder })
    const path = join(folder, name)
    await promisify(execFile)(tools.ffmpeg, ['-v', 'error', '-nostdin', ...args, path], { env: tools.env })
    return await readFile(path)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A tone from `fromS` to `toS` of a recording of four seconds, silence around it. */
export const toneBetween = (fromS: number, toS: number): string[] => [
  '-f',
  'lavfi',
  '-i',
  `aevalsrc='if(between(t,${fromS},${toS}),0.5*sin(2*PI*440*t),0)':s=16000:d=4`,
]

/** A recogniser that says this, whatever it hears. It also keeps what it was given in `heard.wav`. */
export async function recogniserThatSays(folder: string, output: unknown, exitCode = 0): Promise<string> {
  const script = join(folder, 'recogniser.sh')
  const text = typeof output === 'string' ? output : JSON.stringify(output)
  await writeFile(join(folder, 'answer'), text)
  await writeFile(
    script,
    `cp "$2" ${folder}/heard.wav; echo "$1 $ASR_LANGUAGE" > ${folder}/called; cat ${folder}/answer; echo oops >&2; exit ${exitCode}\n`,
  )
  return `/bin/sh ${script} --first`
}
