import { readFile } from 'node:fs/promises'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { uploadJobId } from '../../../schemas/ids.ts'
import { openS3Client } from '../../../worker/clients.ts'
import type { MediaTools } from '../../../worker/ffmpeg.ts'
import { openStorage } from '../../../worker/storage.ts'
import type { StoredJob } from '../../support/operator.ts'
import { openLive } from '../../support/streams.ts'
import { revisionWithoutImage, shellFamily, until, type World } from './world.ts'

// What people and machines do with an installation, from end to end: each a function that returns once it has happened. They
// are there for the calls that they cause; that the system does the right thing is shown by the tests in test/wire.

const shell = ({ configuration }: World, script: string, more: Record<string, unknown> = {}) => ({
  kind: 'container',
  spec: { ...more, params: { taskDefinition: shellFamily(configuration), command: ['sh', '-c', script] } },
})

/** A link, confirmed too early, the upload, the confirmation, the job, its outputs by a link, its log. */
export async function uploadByLink(world: World, clip: string): Promise<void> {
  const { body: link } = await world.call('POST', '/uploads', { filename: 'My Film.MP4', kind: 'transcode' })
  const { uploadId, url } = link as { uploadId: string; url: string }
  await expectStatus(409, world.call('POST', `/uploads/${uploadId}/confirm`))
  await expectStatus(200, fetch(url, { method: 'PUT', body: await readFile(clip) }))
  const { body: confirmed } = await world.call('POST', `/uploads/${uploadId}/confirm`)
  const { jobId } = confirmed as { jobId: string }
  await world.phase(jobId, 'Succeeded')
  const { body: outputs } = await world.call('GET', `/jobs/${jobId}/outputs`)
  const [file] = (outputs as { files: { url: string }[] }).files
  await expectStatus(200, fetch(file?.url ?? ''))
  await expectStatus(200, world.call('GET', `/jobs/${jobId}/logs`))
}

/**
 * An input that is not there: found out by the controller, or by the worker when the record says which one it was. There
 * are no outputs then.
 */
export async function missingInputs(world: World): Promise<void> {
  const input = { bucket: world.configuration.UPLOADS_BUCKET, key: 'gone.mp4' }
  const submit = (jobId: string, more: Record<string, string>) =>
    world.aws.clients().documents.send(
      new PutCommand({
        TableName: world.configuration.JOBS_TABLE,
        Item: {
          jobId,
          kind: 'transcode',
          phase: 'Submitted',
          createdAt: new Date().toISOString(),
          spec: { input: { ...input, ...more }, limits: { attempts: 1 } },
        },
      }),
    )
  await submit('no-object', {})
  await submit('no-object-any-more', { etag: 'e' })
  await submit('no-such-version', { etag: 'e', versionId: 'v1' })
  await world.phase('no-object', 'Failed')
  await world.phase('no-object-any-more', 'Failed')
  await world.phase('no-such-version', 'Failed')
  await world.call('GET', '/jobs/no-object-any-more/outputs')
}

/** By message, without our worker; after its time it is reaped, and what is left says so to a repetition. */
export async function containerByMessage(world: World): Promise<void> {
  const job = { jobId: 'by-message', ...shell(world, 'echo hello', { ttlAfterFinished: 0 }) }
  await send(world, job)
  await world.phase('by-message', 'Succeeded')
  await expectStatus(200, world.call('GET', '/jobs/by-message/logs'))
  await until('the tombstone', async () => {
    await world.controller.leader()?.scan()
    const record = await world.record('by-message')
    return record !== undefined && 'expiresAt' in record
  })
  await expectStatus(200, world.call('POST', '/jobs', job))
}

/** An image in ECR that is looked for before it is launched, and is not there. */
export async function missingImage(world: World): Promise<void> {
  const params = { taskDefinition: `${shellFamily(world.configuration)}:${revisionWithoutImage}` }
  await expectStatus(
    201,
    world.call('POST', '/jobs', { jobId: 'no-image', kind: 'container', spec: { params } }),
  )
  await world.phase('no-image', 'Failed', ({ reason }) => reason === 'ImageMissing')
}

/** The same job with other parameters: what it made before and does not make any more is deleted. */
export async function fewerOutputs(world: World, clip: string): Promise<void> {
  const { aws, configuration } = world
  const input = { bucket: configuration.UPLOADS_BUCKET, key: 'again/film.mp4' }
  await aws
    .clients()
    .s3.send(new PutObjectCommand({ Bucket: input.bucket, Key: input.key, Body: await readFile(clip) }))
  const params = (mp4: string) => ({ mp4, renditions: [{ height: 144, maxBitrateKbps: 200 }] })
  const job = { jobId: 'fewer-outputs', kind: 'transcode', spec: { input, params: params('all') } }
  await expectStatus(201, world.call('POST', '/jobs', job))
  await world.phase(job.jobId, 'Succeeded')
  await aws.clients().documents.send(
    new UpdateCommand({
      TableName: configuration.JOBS_TABLE,
      Key: { jobId: job.jobId },
      UpdateExpression: 'SET spec.params = :params, phase = :phase',
      ExpressionAttributeValues: { ':params': params('none'), ':phase': 'Submitted' },
    }),
  )
  await world.phase(job.jobId, 'Succeeded', ({ generation }) => generation === 2)
}

/** A video that is cut into shards, whose pieces are read back and deleted in the end, as is the upload. */
export async function longVideo(world: World, film: string): Promise<void> {
  const { aws, configuration } = world
  const input = { bucket: configuration.UPLOADS_BUCKET, key: 'long/film.mp4' }
  await aws
    .clients()
    .s3.send(new PutObjectCommand({ Bucket: input.bucket, Key: input.key, Body: await readFile(film) }))
  const renditions = [{ height: 144, maxBitrateKbps: 200 }]
  const params = { renditions, preset: 'ultrafast', shardThreshold: 0, shardSeconds: 2 }
  const job = { jobId: 'long-video', kind: 'transcode', spec: { input, params, afterSuccess: 'delete' } }
  await expectStatus(201, world.call('POST', '/jobs', job))
  await world.phase(job.jobId, 'Succeeded', ({ source }) => source === 'deleted')
}

/** The sound of an upload. */
export async function sound(world: World, clip: string): Promise<void> {
  const { aws, configuration } = world
  const input = { bucket: configuration.UPLOADS_BUCKET, key: 'audio/film.mp4' }
  await aws
    .clients()
    .s3.send(new PutObjectCommand({ Bucket: input.bucket, Key: input.key, Body: await readFile(clip) }))
  await expectStatus(201, world.call('POST', '/jobs', { jobId: 'sound', kind: 'audio', spec: { input } }))
  await world.phase('sound', 'Succeeded')
}

/** A torrent of an upload, and one of all that a job has made; what web seeds they have is nobody's business here. */
export async function torrents(world: World, clip: string): Promise<void> {
  const { aws, configuration } = world
  const input = { bucket: configuration.UPLOADS_BUCKET, key: 'torrents/film.mp4' }
  await aws
    .clients()
    .s3.send(new PutObjectCommand({ Bucket: input.bucket, Key: input.key, Body: await readFile(clip) }))
  const params = { webSeedBase: 'https://cdn.example.com/' }
  await expectStatus(
    201,
    world.call('POST', '/jobs', { jobId: 'torrent-of-film', kind: 'torrent', spec: { input, params } }),
  )
  await world.phase('torrent-of-film', 'Succeeded')
  const made = { bucket: configuration.OUTPUTS_BUCKET, key: 'results/torrent-of-film/manifest.json' }
  await expectStatus(
    201,
    world.call('POST', '/jobs', { jobId: 'torrent-of-all', kind: 'torrent', spec: { input: made, params } }),
  )
  await world.phase('torrent-of-all', 'Succeeded')
}

/** What the API can do to a job that lives. */
export async function wishes(world: World): Promise<void> {
  await expectStatus(201, world.call('POST', '/jobs', { jobId: 'wishes', ...shell(world, 'exec sleep 60') }))
  await world.phase('wishes', 'Running')
  await world.call('POST', '/jobs/wishes/suspend')
  await world.phase('wishes', 'Pending', ({ reason }) => reason === 'Suspended')
  await world.call('POST', '/jobs/wishes/resume')
  await world.phase('wishes', 'Running')
  await world.call('POST', '/jobs/wishes/cancel')
  await world.phase('wishes', 'Cancelled')
  await world.call('POST', '/jobs/wishes/retry')
  await world.phase('wishes', 'Running', ({ generation }) => generation === 2)
  await world.call('POST', '/jobs/wishes/cancel')
  await world.phase('wishes', 'Cancelled')
}

/** RunTask refused for want of capacity: the cluster is listed, then launched again; and a sweep. */
export async function scarcity(world: World): Promise<void> {
  await world.aws.control('POST', '/ecs/faults', { kind: 'capacity' })
  await expectStatus(201, world.call('POST', '/jobs', { jobId: 'scarce', ...shell(world, 'exit 0') }))
  await world.phase('scarce', 'Succeeded')
  await world.controller.leader()?.sweep()
}

/** Nobody can read it, so it is put aside with its reason. */
export async function unreadableMessage(world: World): Promise<void> {
  await send(world, 'make me a video')
  await until('it to be put aside', () => (world.controller.leader()?.status().intake.rubbish ?? 0) > 0)
}

/** The table does not answer while a message is in hand: it is given back. That it becomes a job is shown by test/wire. */
export async function tableOutage(world: World): Promise<void> {
  const mend = world.recorders.controller.breakCalls('DynamoDB_20120810.PutItem')
  await send(world, { jobId: 'outage', ...shell(world, 'exit 0') })
  await until('the message to be given back', () =>
    world.recorders.controller.calls.some(
      ({ operation }) => operation === 'AmazonSQS.ChangeMessageVisibility',
    ),
  )
  mend()
}

/** A large output whose upload breaks off in the middle, as when Spot takes the task back: its parts are removed. */
export async function brokenUpload(world: World, large: string): Promise<void> {
  const { media } = world.recorders
  const client = await openS3Client({
    AWS_REGION: world.configuration.AWS_REGION,
    AWS_ENDPOINT_URL: media.endpoint,
  })
  const ending = new AbortController()
  const storage = openStorage({
    client,
    outputsBucket: world.configuration.OUTPUTS_BUCKET,
    patience: { forMs: 1000, nowMs: Date.now, random: Math.random },
  })
  const isPart = ({ operation }: { operation: string }) => operation.includes('partNumber=')
  const uploading = storage
    .upload(large, 'results/broken/film.mp4', 'segment', ending.signal)
    .catch(() => undefined)
  await until('a part to arrive', () => media.calls.some(isPart))
  ending.abort()
  await uploading
  await until('its parts to be removed', () =>
    media.calls.some(({ operation }) => operation.startsWith('DELETE ')),
  )
  client.destroy()
}

/** What is said and seen in a recording; and one whose transcription somebody cancels while it is under way. */
export async function transcripts(world: World, clip: string, sixChannels: string): Promise<void> {
  const upload = async (key: string, file: string): Promise<string> => {
    const { ETag: etag = '' } = await world.aws.clients().s3.send(
      new PutObjectCommand({
        Bucket: world.configuration.UPLOADS_BUCKET,
        Key: key,
        Body: await readFile(file),
      }),
    )
    return uploadJobId(key.split('/')[0] ?? '', world.configuration.UPLOADS_BUCKET, key, etag)
  }
  const film = await upload('transcode/film.mp4', clip)
  await world.phase(film, 'Succeeded')
  const subtitled = (jobId: string, hlsPrefix: string) =>
    world.call('POST', '/jobs', {
      jobId,
      kind: 'subtitles',
      spec: {
        input: { bucket: world.configuration.UPLOADS_BUCKET, key: 'transcode/film.mp4' },
        params: { hlsPrefix },
      },
    })
  await expectStatus(201, subtitled('with-sidecar', `results/${film}/`))
  await expectStatus(201, subtitled('beside-nothing', 'results/nobody/'))
  const meeting = await upload('analyze/meeting.mp4', clip)
  for (const jobId of ['with-sidecar', meeting]) await world.phase(jobId, 'Succeeded')
  await world.phase('beside-nothing', 'Failed')
  await world.aws.control('POST', '/transcribe/faults', { kind: 'slowJob', count: 1, delayMs: 300_000 })
  const long = await upload('subtitles/long.mp4', sixChannels)
  const transcription = ({ pipeline }: StoredJob) => pipeline?.steps[1]?.children[0]
  const { jobId = '' } =
    transcription(await world.phase(long, 'Running', (job) => transcription(job)?.state === 'put')) ?? {}
  await until('Transcribe to listen', () =>
    world.recorders.controller.calls.some(
      // Of this transcription: others have been asked about before, and what has not begun is not deleted.
      ({ operation, body }) => operation === 'Transcribe.GetTranscriptionJob' && body.includes(`.${jobId}.`),
    ),
  )
  await world.call('POST', `/jobs/${long}/cancel`)
  await world.phase(long, 'Cancelled')
}

/** A live stream, asked for by nothing but its address: into a playlist that is not there yet. */
export async function recordings(world: World, tools: MediaTools): Promise<void> {
  const live = await openLive(tools)
  try {
    const job = { jobId: 'radio', url: live.url, spec: { params: { maxDuration: 4, segmentSeconds: 2 } } }
    await expectStatus(201, world.call('POST', '/jobs', job))
    await world.phase('radio', 'Succeeded')
  } finally {
    await live.close()
  }
}

/** What is only read. */
export async function looks(world: World): Promise<void> {
  await until('the leader to publish', async () => (await world.call('GET', '/status')).status === 200)
  for (const path of ['/readyz', '/healthz', '/metrics', '/jobs', '/jobs?phase=Succeeded'])
    await expectStatus(200, world.call('GET', path))
}

async function send(world: World, body: unknown): Promise<void> {
  await world.aws.clients().sqs.send(
    new SendMessageCommand({
      QueueUrl: world.aws.queueUrl(world.configuration.JOBS_QUEUE),
      MessageBody: typeof body === 'string' ? body : JSON.stringify(body),
    }),
  )
}

async function expectStatus(
  wanted: number,
  answer: Promise<{ status: number; body: unknown }>,
): Promise<void> {
  const { status, body } = await answer
  if (status !== wanted) throw new Error(`status ${status} instead of ${wanted}: ${JSON.stringify(body)}`)
}
