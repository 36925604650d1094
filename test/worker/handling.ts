import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { S3Client } from '@aws-sdk/client-s3'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import pino from 'pino'
import { noFaults } from '../../local/s3/index.ts'
import { privateSourcesSchema } from '../../schemas/private-sources.ts'
import type { Input } from '../../schemas/spec.ts'
import { openS3Client } from '../../worker/clients.ts'
import type { MediaTools } from '../../worker/ffmpeg.ts'
import type { Finished, KindHandler, Work } from '../../worker/kinds/handler.ts'
import { openStorage, type Storage } from '../../worker/storage.ts'
import { openWorkshop } from './workshop.ts'

export type Handling = Awaited<ReturnType<typeof openHandling>>

export type HandleOptions = {
  input?: Input
  output?: string
  params?: Record<string, unknown>
  tools?: MediaTools
  storage?: Storage
  signal?: AbortSignal
  /** As an operator writes it: addresses on this machine that may be reached. */
  privateSources?: string
  /** Where a handler finds services of AWS that it asks itself; storage is always there. */
  endpoint?: string
  /** Instead of what tasks usually find. */
  environment?: Partial<Work['environment']>
  tell?: Work['tell']
  /** Whether the job is still its own. */
  confirm?: Work['confirm']
}

/** Handlers with real storage in front of a real S3, without the task around them. `close` at the end. */
export const openHandling = async () => {
  const faults = noFaults()
  const workshop = await openWorkshop({ s3Faults: faults })
  const { UPLOADS_BUCKET, OUTPUTS_BUCKET } = workshop.aws.configuration
  const client: S3Client = await openS3Client(
    { AWS_REGION: 'us-east-1', AWS_ENDPOINT_URL: workshop.aws.endpoint },
    { credentials: { accessKeyId: 'local', secretAccessKey: 'local' }, maxAttempts: 1 },
  )
  const storage = openStorage({
    client,
    outputsBucket: OUTPUTS_BUCKET,
    patience: { forMs: 5000, nowMs: Date.now, random: () => 0 },
  })
  let calls = 0

  return {
    workshop,
    faults,
    storage,
    client,
    uploads: UPLOADS_BUCKET,
    outputs: OUTPUTS_BUCKET,
    /** Something that an earlier step has made. */
    putOutput: async (key: string, content: string | Buffer) => {
      await client.send(new PutObjectCommand({ Bucket: OUTPUTS_BUCKET, Key: key, Body: content }))
      return { bucket: OUTPUTS_BUCKET, key }
    },
    /** Runs a handler as a task does; what it leaves in its folder is told. */
    handle: async (
      handler: KindHandler,
      options: HandleOptions,
    ): Promise<Finished & { output: string; stages: string[]; leftovers: string[] }> => {
      calls += 1
      const jobId = `job-${calls}`
      const scratch = await mkdtemp(join(tmpdir(), 'handling-'))
      const output = options.output ?? `results/${jobId}/`
      const stages: string[] = []
      try {
        const finished = await handler({
          settings: {
            ...(options.input === undefined ? {} : { input: options.input }),
            output,
            params: options.params ?? {},
          },
          environment: {
            JOB_ID: jobId,
            FENCE: `${jobId}/1/1`,
            PRIVATE_SOURCES: privateSourcesSchema.parse(options.privateSources),
            SEEDING_PORT: 0,
            // Without tools: those of the npm packages.
            PATH: '/nonexistent',
            FFMPEG_PATH: options.tools?.ffmpeg.path,
            FFPROBE_PATH: options.tools?.ffprobe.path,
            OUTPUTS_BUCKET,
            AWS_REGION: 'us-east-1',
            AWS_ENDPOINT_URL: options.endpoint,
            ...options.environment,
          },
          storage: options.storage ?? storage,
          scratch,
          signal: options.signal ?? new AbortController().signal,
          tell: (status) => {
            stages.push(status.stage)
            options.tell?.(status)
          },
          endInOrder: () => options.signal ?? new AbortController().signal,
          confirm: options.confirm ?? (async () => ({ stopping: undefined })),
          nowMs: Date.now,
          log: pino({ level: 'silent' }),
        })
        return { ...finished, output, stages, leftovers: await readdir(scratch) }
      } finally {
        await rm(scratch, { recursive: true, force: true })
      }
    },
    close: async () => {
      client.destroy()
      await workshop.close()
    },
  }
}
