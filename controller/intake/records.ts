import { isTerminal } from '../../schemas/job.ts'
import type { JobStore, Submission } from '../store/jobs.ts'
import { type Item, readStored } from '../store/stored.ts'
import { isLater } from './messages.ts'
import { hashSpec } from './resolve.ts'

export type SubmitRequest = {
  jobId: string
  kind: string
  spec: unknown
  sequencer: string | undefined
  /** An upload meets its record again by design; for a request of one's own, the same id with other content is an error. */
  upload: boolean
}

export type Submitted =
  | 'created'
  | 'retried'
  | 'duplicate'
  | 'conflict'
  /** The same two, of a job that has ended and been reaped: its id is still taken. */
  | 'duplicateOfReaped'
  | 'conflictWithReaped'

/**
 * Makes a submission durable, exactly once however often it comes: the record is made if there is none; a later S3 event
 * of the same bytes retries a job that failed; everything else is a duplicate, or a conflict of ids.
 */
export async function submit(request: SubmitRequest, jobs: JobStore, nowMs: number): Promise<Submitted> {
  const { jobId, kind, spec, sequencer } = request
  const createdAt = new Date(nowMs).toISOString()
  const submission: Submission = {
    ...{ jobId, kind, createdAt, phase: 'Submitted', spec },
    ...(sequencer === undefined ? {} : { sequencer }),
  }
  if (await jobs.create(submission)) return 'created'
  const item = await jobs.get(jobId)
  // Gone between the two calls: the next delivery of the message makes it.
  if (item === undefined) throw new Error(`Record ${jobId} vanished while it was being submitted`)
  return request.upload ? retryUpload(item, submission, jobs) : compareRequest(item, request)
}

function compareRequest(item: Item, { kind, spec }: SubmitRequest): Submitted {
  const stored = readStored(item)
  if (stored.is !== 'tombstone')
    return item.kind === kind && hashSpec(item.spec) === hashSpec(spec) ? 'duplicate' : 'conflict'
  // Of a job that an older version has reaped nothing is left to compare.
  const isSame = stored.specHash === undefined || (stored.kind === kind && stored.specHash === hashSpec(spec))
  return isSame ? 'duplicateOfReaped' : 'conflictWithReaped'
}

/** The same bytes again: after a failure that is a retry, once per event; after a success, or while it runs, nothing. */
async function retryUpload(item: Item, submission: Submission, jobs: JobStore): Promise<Submitted> {
  const { sequencer } = submission
  const phase = String(item.phase)
  const known = typeof item.sequencer === 'string' ? item.sequencer : undefined
  if (known === undefined && sequencer !== undefined) {
    await jobs.noteSequencer(String(item.jobId), sequencer)
    return 'duplicate'
  }
  if (!isTerminal(phase) || phase === 'Succeeded' || !isLater(sequencer, known)) return 'duplicate'
  const stored = readStored(item)
  // Of a reaped job only the tombstone is left: there is no spec to retry, so the job is made anew.
  const retried =
    stored.is === 'tombstone'
      ? await jobs.revive(submission, stored.uid)
      : await jobs.edit(submission.jobId, { wish: 'retry', phase, sequencer })
  return retried ? 'retried' : 'duplicate'
}
