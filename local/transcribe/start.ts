import { badRequest, conflict, limitExceeded, queueIsFull } from './errors.ts'
import { isRefusal } from './objects.ts'
import { accessCheckKey, mediaPlace, serviceBucket, transcriptKey } from './places.ts'
import type { JobRecord, JobStatus } from './records.ts'
import type { StartRequest } from './requests.ts'
import { brokenRule, missingFeature } from './rules.ts'
import { jobView } from './view.ts'
import type { World } from './world.ts'

/**
 * A name is taken from the moment its start is looked at, so that of two starts at one time only one is answered. A name
 * that is taken is a conflict whatever else the request says: parameters are not compared.
 */
export async function startTranscriptionJob(world: World, request: StartRequest, input: unknown) {
  const name = request.TranscriptionJobName
  const { store, starting } = world
  if (store.get(name) !== undefined || starting.has(name)) throw conflict(name)
  const missing = missingFeature(input)
  if (missing !== undefined) {
    throw badRequest(`The local Transcribe does not have ${missing}: leave it out, or use AWS for it.`)
  }
  const broken = brokenRule(request)
  if (broken !== undefined) throw badRequest(broken)

  starting.set(name, admission(world, request))
  let job: JobRecord
  try {
    await checkMedia(world, request)
    const output = await takeOutput(world, request)
    job = makeJob(world, request, output)
    await store.put(job)
  } finally {
    starting.delete(name)
  }
  world.runtime.take(job)
  return { TranscriptionJob: jobView(job, world.region, undefined) }
}

/** IN_PROGRESS while the quota lasts; beyond it QUEUED for those who may wait, in their order. */
function admission(world: World, { JobExecutionSettings }: StartRequest): JobStatus {
  const { store, starting, settings, faults } = world
  const statuses = [...store.list().map(({ status }) => status), ...starting.values()]
  const count = (wanted: JobStatus) => statuses.filter((status) => status === wanted).length
  const mayWait = JobExecutionSettings?.AllowDeferredExecution === true
  const isFull = count('IN_PROGRESS') >= settings.concurrentJobs
  const queued = count('QUEUED')

  if (faults.strike('limitExceeded') || (isFull && !mayWait)) throw tooManyJobs()
  if (!mayWait || (!isFull && queued === 0)) return 'IN_PROGRESS'
  if (queued >= settings.queuedJobs) throw queueIsFull()
  return 'QUEUED'
}

const tooManyJobs = () =>
  limitExceeded(
    'You have reached the maximum number of concurrent transcription jobs. Wait until some have finished, or allow deferred execution.',
  )

async function checkMedia({ objects }: World, { Media }: StartRequest): Promise<void> {
  const place = mediaPlace(Media.MediaFileUri)
  if (place === undefined) {
    throw badRequest('Media.MediaFileUri must be the address of an object in S3: s3://bucket/key.')
  }
  if ((await objects.bytesOf(place)) !== undefined) return
  throw badRequest(
    "The S3 URI that you provided doesn't point to an S3 object. Make sure the object exists and try your request again.",
  )
}

/** Writes the access check as AWS does, with the caller's own right to write, which fires the events of the bucket. */
async function takeOutput(world: World, request: StartRequest): Promise<JobRecord['output']> {
  const { OutputBucketName: bucket, OutputKey, TranscriptionJobName: name } = request
  if (bucket === undefined) {
    const key = `${world.accountId}/${name}/${crypto.randomUUID()}/asrOutput.json`
    return { bucket: serviceBucket(world.region), key, isServiceBucket: true }
  }
  const output = { bucket, key: transcriptKey(name, OutputKey), isServiceBucket: false }
  if (world.faults.strike('accessDenied')) throw cannotWrite(bucket)
  try {
    await world.objects.put({ bucket, key: accessCheckKey(output.key) }, '', 'application/octet-stream')
  } catch (error) {
    throw isRefusal(error) ? cannotWrite(bucket) : error
  }
  return output
}

const cannotWrite = (bucket: string) =>
  badRequest(
    `The specified S3 bucket can't be accessed: ${bucket}. Make sure that it exists, that you have write permission (s3:PutObject), and try your request again.`,
  )

function makeJob(world: World, request: StartRequest, output: JobRecord['output']): JobRecord {
  const { clock, store, faults, starting } = world
  const nowMs = clock.nowMs()
  const status = starting.get(request.TranscriptionJobName) ?? 'IN_PROGRESS'
  const doom = faults.strike('failJob')
  const slow = faults.strike('slowJob')
  return {
    name: request.TranscriptionJobName,
    ordinal: store.nextOrdinal(),
    request,
    output,
    status,
    createdMs: nowMs,
    ...(status === 'IN_PROGRESS' ? { startedMs: nowMs } : {}),
    findings: {},
    ...(doom === undefined ? {} : { doom: doom.reason }),
    ...(slow === undefined ? {} : { slowMs: slow.delayMs }),
  }
}
