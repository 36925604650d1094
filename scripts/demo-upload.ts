import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { uploadJobId } from '../schemas/ids.ts'
import type { Stage } from './demos/demo.ts'

/**
 * Puts a file under the folder of a kind, with `x-amz-meta-job-<parameter>`: all that a job needs, without any request to us.
 * @returns the id of the job that it became
 */
export async function uploadWithMetadata(
  { ask, endpoint, say }: Stage,
  kind: string,
  file: string,
  metadata: Readonly<Record<string, string>>,
): Promise<string> {
  const s3 = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true })
  try {
    // The same bytes at the same place would be the job of the last demonstration.
    const key = `${kind}/${randomBytes(3).toString('hex')}/${basename(file)}`
    const { size } = await stat(file)
    const { ETag: etag } = await s3.send(
      new PutObjectCommand({
        ...{ Bucket: 'uploads', Key: key, Metadata: { ...metadata } },
        ...{ Body: createReadStream(file), ContentLength: size },
      }),
    )
    say(`uploaded           ${key}, with ${Object.keys(metadata).join(', ')}`)
    return await known(ask, uploadJobId(kind, 'uploads', key, etag ?? ''))
  } finally {
    s3.destroy()
  }
}

/** The job is made by the event of the upload, a moment later. @returns its id */
async function known(ask: Stage['ask'], jobId: string): Promise<string> {
  const deadlineMs = Date.now() + 10_000
  for (;;) {
    const isThere = await ask(`/jobs/${jobId}`).then(
      () => true,
      (error: Error) => {
        if (Date.now() > deadlineMs) throw error
        return false
      },
    )
    if (isThere) return jobId
    await sleep(100)
  }
}
