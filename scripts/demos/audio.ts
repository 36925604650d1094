import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { audioMetadataSchema } from '../../schemas/audio-metadata.ts'
import { uploadJobId } from '../../schemas/ids.ts'
import { makeTalk } from '../demo-talk.ts'
import type { Demo, Stage } from './demo.ts'

const targetLufs = -18

/** As `x-amz-meta-job-<parameter>` of the upload: no request but the upload itself. */
const metadata = {
  'job-formats': JSON.stringify(['mp3', 'aac', 'opus', 'flac']),
  'job-loudness': JSON.stringify({ targetLufs }),
  'job-trim-silence': JSON.stringify({ inner: true }),
  'job-preview': JSON.stringify({ startS: 2, lengthS: 10 }),
}

export const demo: Demo = {
  async start(stage) {
    const { file, scratch, tools, say } = stage
    if (file !== undefined) return uploadWithParameters(stage, file)
    const path = join(scratch, 'talk.mp4')
    say(`made a 30 s talk: ${await makeTalk(tools.ffmpeg.path, path, scratch)}`)
    return uploadWithParameters(stage, path)
  },
  hint: '(look at the .waveform.png, listen to the .preview.mp3)',
  async check({ say }, folder) {
    const text = await readFile(join(folder, 'metadata.json'), 'utf8')
    const { loudness, normalization, outputs, trimmed, warnings } = audioMetadataSchema.parse(
      JSON.parse(text),
    )
    const { startS = 0, endS = 0, innerS = 0, pauses = 0 } = trimmed ?? {}
    say(
      `loudness           ${loudness.integratedLufs} LUFS before, ${normalization?.type} way to ${targetLufs}`,
    )
    for (const { name, loudness: made } of outputs)
      say(`  ${name.padEnd(17)}${made.integratedLufs} LUFS, peak ${made.truePeakDbtp} dBTP`)
    say(`silence cut        ${(startS + endS + innerS).toFixed(2)} s, with ${pauses} pauses shortened`)
    for (const { message } of warnings) say(`note               ${message}`)
    const missed = outputs.find(({ loudness: made }) => Math.abs((made.integratedLufs ?? 0) - targetLufs) > 1)
    if (missed !== undefined) throw new Error(`${missed.name} has ${missed.loudness.integratedLufs} LUFS`)
  },
}

async function uploadWithParameters({ ask, endpoint, say }: Stage, file: string): Promise<string> {
  const s3 = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true })
  try {
    // The same bytes at the same place would be the job of the last demonstration.
    const key = `audio/${randomBytes(3).toString('hex')}/${basename(file)}`
    const { size } = await stat(file)
    const { ETag: etag } = await s3.send(
      new PutObjectCommand({
        ...{ Bucket: 'uploads', Key: key, Metadata: metadata },
        ...{ Body: createReadStream(file), ContentLength: size },
      }),
    )
    say(`uploaded           ${key}, with ${Object.keys(metadata).join(', ')}`)
    return await known(ask, uploadJobId('audio', 'uploads', key, etag ?? ''))
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
