import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { uploadJobId } from '../../schemas/ids.ts'
import { isTerminal, type Job } from '../../schemas/job.ts'
import { createRandom } from '../support/random.ts'
import { until } from '../support/wait.ts'
import type { Fleet } from './fleet.ts'
import type { Wanted } from './jobs.ts'
import type { World } from './world.ts'

/** A record as it may stand in the table. */
export type Stored = Partial<Job> & { jobId: string }
export type Asked = { jobId: string; wanted: Wanted }

export type Users = {
  /** Makes a job known to the system in its way, and cancels or retries it later if that is wanted. */
  submit(wanted: Wanted): Promise<void>
  /** Messages that nobody can read. */
  sendRubbish(): Promise<void>
  asked: readonly Asked[]
  rubbish: readonly string[]
  record(jobId: string): Promise<Stored | undefined>
  /** Waits until every wish has been expressed. */
  settle(): Promise<void>
}

const wishTimeoutMs = 240_000

/** Those who want something: they have four doors, and use all of them. */
export function createUsers({ aws, clip, proof }: World, fleet: Fleet, seed: number): Users {
  const { documents, s3, sqs } = aws.clients()
  const random = createRandom(seed)
  const asked: Asked[] = []
  const rubbish: string[] = []
  const wishes: Promise<void>[] = []

  const record = async (jobId: string): Promise<Stored | undefined> => {
    const { Item: item } = await documents.send(
      new GetCommand({ TableName: 'jobs', Key: { jobId }, ConsistentRead: true }),
    )
    return item as Stored | undefined
  }

  const upload = async (wanted: Wanted, folder: string) => {
    if (wanted.kind !== 'transcode') throw new Error('Only films are uploaded')
    const key = `${folder}/${wanted.name}.mp4`
    const body = await readFile(await clip(wanted.clip))
    const { ETag: etag = '' } = await patiently(() =>
      s3.send(new PutObjectCommand({ Bucket: 'uploads', Key: key, Body: body })),
    )
    return { key, jobId: uploadJobId('transcode', 'uploads', key, etag) }
  }

  /** Uploads say nothing but what the object is, so the rest is an edit of the record. */
  const editLimits = async (jobId: string, { limits }: Wanted): Promise<void> => {
    await until(`a record of ${jobId}`, () => record(jobId), wishTimeoutMs)
    await documents.send(
      new UpdateCommand({
        TableName: 'jobs',
        Key: { jobId },
        UpdateExpression: 'SET spec.limits = :limits',
        ExpressionAttributeValues: { ':limits': limits },
      }),
    )
  }

  const specOf = async (wanted: Wanted) => {
    const { limits, capacity } = wanted
    const common = { limits, resources: { capacity } }
    if (wanted.kind === 'transcode') {
      // No kind has this folder, so the upload by itself asks for nothing.
      const { key } = await upload(wanted, 'sources')
      return { ...common, input: { bucket: 'uploads', key } }
    }
    const environment = { PROOF: proof }
    return {
      ...common,
      params: { taskDefinition: 'shell', command: ['sh', '-c', wanted.script], environment },
    }
  }

  const post = (path: string, body?: unknown): Promise<void> =>
    patiently(async () => {
      const urls = fleet.urls()
      if (urls.length === 0) throw new Error('Nobody listens')
      const response = await fetch(`${random.pick(urls)}${path}`, {
        method: 'POST',
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      })
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    })

  const askFor = async (wanted: Wanted): Promise<string> => {
    if (wanted.way === 'upload') {
      const { jobId } = await upload(wanted, 'transcode')
      wishes.push(editLimits(jobId, wanted))
      return jobId
    }
    const jobId = `job-${wanted.name}`
    const request = { jobId, kind: wanted.kind, spec: await specOf(wanted) }
    if (wanted.way === 'http') await post('/jobs', request)
    else if (wanted.way === 'message') {
      const body = JSON.stringify(request)
      // Some say everything twice.
      for (let copies = random.once(3) ? 2 : 1; copies > 0; copies -= 1)
        await sqs.send(new SendMessageCommand({ QueueUrl: aws.queueUrl('jobs'), MessageBody: body }))
    } else {
      const createdAt = new Date().toISOString()
      const item = { ...request, phase: 'Submitted', createdAt }
      await documents.send(new PutCommand({ TableName: 'jobs', Item: item }))
    }
    return jobId
  }

  const cancel = async (jobId: string, byHttp: boolean, afterMs: number): Promise<void> => {
    await until(
      `${jobId} to run`,
      async () => {
        const phase = (await record(jobId))?.phase ?? ''
        return phase === 'Running' || isTerminal(phase)
      },
      wishTimeoutMs,
    )
    await sleep(afterMs)
    if (byHttp) return post(`/jobs/${jobId}/cancel`)
    await documents.send(
      new UpdateCommand({
        TableName: 'jobs',
        Key: { jobId },
        UpdateExpression: 'SET spec.cancel = :true',
        ExpressionAttributeValues: { ':true': true },
      }),
    )
  }

  const retry = async (jobId: string, byHttp: boolean): Promise<void> => {
    await until(`${jobId} to fail`, async () => isTerminal((await record(jobId))?.phase ?? ''), wishTimeoutMs)
    await writeFile(join(proof, `${jobId}.mended`), '')
    if (byHttp) {
      // The answer to one that worked may be lost; the next one is told that the job is not finished any more.
      return post(`/jobs/${jobId}/retry`).catch((error: unknown) => {
        if (!String(error).includes('JOB_NOT_FINISHED')) throw error
      })
    }
    await documents.send(
      new UpdateCommand({
        TableName: 'jobs',
        Key: { jobId },
        UpdateExpression: 'SET phase = :again',
        ConditionExpression: 'phase = :failed',
        ExpressionAttributeValues: { ':again': 'Submitted', ':failed': 'Failed' },
      }),
    )
  }

  return {
    asked,
    rubbish,
    record,
    async submit(wanted) {
      const [byHttp, afterMs] = [random.once(2), random.below(1500)]
      const jobId = await askFor(wanted)
      asked.push({ jobId, wanted })
      if (wanted.wish === 'cancel') wishes.push(cancel(jobId, byHttp, afterMs))
      if (wanted.wish === 'retry') wishes.push(retry(jobId, byHttp))
      // Looked at in `settle`; until then nobody may be surprised by it.
      for (const wish of wishes) wish.catch(() => undefined)
    },
    async sendRubbish() {
      const body = random.once(2) ? `rubbish ${rubbish.length}` : JSON.stringify({ rubbish: rubbish.length })
      rubbish.push(body)
      await sqs.send(new SendMessageCommand({ QueueUrl: aws.queueUrl('jobs'), MessageBody: body }))
    },
    async settle() {
      await Promise.all(wishes)
    },
  }
}

/** Again for half a minute, as anybody would. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  const endMs = performance.now() + 30_000
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (performance.now() > endMs) throw error
      await sleep(200)
    }
  }
}
