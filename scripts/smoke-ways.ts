import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { Readable } from 'node:stream'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb'
import { uploadJobId } from '../schemas/ids.ts'
import { manifestSchema } from '../schemas/manifest.ts'
import { manifestName } from '../schemas/resources.ts'

/** What a smoke test looks at of a job; undefined while there is no record. */
export type Look = {
  phase: string
  message?: string | undefined
  reason?: string | undefined
  progress?: { percent?: number; stage?: string } | undefined
}
export type Output = { key: string; bytes: number }

/** Two ways to use the system, as its users have them: AWS itself, or our HTTP API. */
export type Way = {
  /** Where the job is, in words. */
  place: string
  /** @returns the id of the job that the upload will become */
  upload(file: string, kind: string): Promise<string>
  look(jobId: string): Promise<Look | undefined>
  outputs(jobId: string): Promise<Output[]>
  close(): void
}

export type AwsPlace = {
  region: string
  endpoint?: string | undefined
  jobsTable: string
  uploadsBucket: string
  outputsBucket: string
}

/** An upload to the bucket, and the record in the table: needs credentials and no address of ours. */
export function byAws(place: AwsPlace): Way {
  const common = {
    region: place.region,
    ...(place.endpoint === undefined ? {} : { endpoint: place.endpoint }),
  }
  const s3 = new S3Client({ ...common, forcePathStyle: place.endpoint !== undefined })
  const dynamo = new DynamoDBClient(common)
  const documents = DynamoDBDocumentClient.from(dynamo)
  const record = async (jobId: string): Promise<Record<string, unknown> | undefined> => {
    const get = new GetCommand({ TableName: place.jobsTable, Key: { jobId }, ConsistentRead: true })
    return (await documents.send(get)).Item
  }
  return {
    place: place.endpoint ?? `AWS in ${place.region}`,
    async upload(file, kind) {
      // A name of its own every time: the same bytes under the same key would be the same job.
      const key = `${kind}/smoke-${Date.now()}/${basename(file)}`
      const { size } = await stat(file)
      const { ETag = '', VersionId } = await s3.send(
        new PutObjectCommand({
          Bucket: place.uploadsBucket,
          Key: key,
          Body: createReadStream(file),
          ContentLength: size,
        }),
      )
      return uploadJobId(kind, place.uploadsBucket, key, VersionId ?? ETag)
    },
    look: async (jobId) => (await record(jobId)) as Look | undefined,
    async outputs(jobId) {
      const { settings } = ((await record(jobId)) ?? {}) as { settings?: { output?: string } }
      const key = `${settings?.output ?? `results/${jobId}/`}${manifestName}`
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: place.outputsBucket, Key: key }))
      return manifestSchema.parse(JSON.parse((await Body?.transformToString()) ?? '')).files
    },
    close() {
      s3.destroy()
      dynamo.destroy()
    },
  }
}

/** As a page or a program without AWS credentials would: a link to upload to, then questions. */
export function byHttp(url: string, token: string | undefined): Way {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const ask = async <T>(path: string, body?: unknown): Promise<T | undefined> => {
    const answer = await fetch(`${url}${path}`, {
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
    })
    if (answer.status === 404) return undefined
    const json = (await answer.json()) as T & { message?: string }
    if (!answer.ok) throw new Error(`${url}${path}: ${answer.status} ${json.message ?? ''}`)
    return json
  }
  const demand = async <T>(path: string, body?: unknown): Promise<T> => {
    const answer = await ask<T>(path, body)
    if (answer === undefined) throw new Error(`${url}${path}: 404`)
    return answer
  }
  return {
    place: url,
    async upload(file, kind) {
      const link = await demand<{ uploadId: string; url: string; headers?: Record<string, string> }>(
        '/uploads',
        { filename: basename(file), kind },
      )
      const { size } = await stat(file)
      const answer = await fetch(link.url, {
        method: 'PUT',
        headers: { ...link.headers, 'content-length': String(size) },
        body: Readable.toWeb(createReadStream(file)),
        duplex: 'half',
      } as RequestInit)
      if (!answer.ok) throw new Error(`The upload failed: ${answer.status} ${await answer.text()}`)
      return (await demand<{ jobId: string }>(`/uploads/${link.uploadId}/confirm`, {})).jobId
    },
    look: async (jobId) => (await ask<{ job: Look }>(`/jobs/${jobId}`))?.job,
    outputs: async (jobId) => (await demand<{ files: Output[] }>(`/jobs/${jobId}/outputs`)).files,
    close: () => undefined,
  }
}
