import { uidFitsJob } from '../../schemas/ids.ts'
import { acceptedJobSchema, isTerminal, type Job } from '../../schemas/job.ts'
import { parseSafely } from '../../schemas/parse-safely.ts'
import { type Problem, problemsOf } from '../../schemas/problems.ts'

export type Item = Record<string, unknown>

/** What stands under a jobId. Users may write anything into the table, so this is where a record becomes trusted. */
export type Stored =
  | { is: 'none' }
  /** Nobody has accepted it yet: new, overwritten by PutItem, copied in the console, or asked for again. */
  /** `old`: what is known of the generation before, if the uid shows that it was this job's. */
  | { is: 'submitted'; item: Item; old: Job | undefined }
  | { is: 'accepted'; job: Job; item: Item }
  /** What is left of a reaped job, so that late redeliveries find it. */
  | Tombstone
  /** Ours by its uid, but what we wrote has been damaged. */
  | { is: 'broken'; item: Item; problems: Problem[] }

export type Tombstone = {
  is: 'tombstone'
  phase: string
  uid: string
  sequencer: string | undefined
  /** What had been asked for. Tombstones of older versions do not say it. */
  kind: string | undefined
  specHash: string | undefined
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** Total: any item gives one of the five. */
export function readStored(item: Item | undefined): Stored {
  if (item === undefined) return { is: 'none' }
  const uid = text(item.uid)
  const phase = text(item.phase) ?? ''
  const ours = uid !== undefined && uidFitsJob(uid, String(item.jobId))
  if (ours && item.expiresAt !== undefined && item.spec === undefined && isTerminal(phase))
    return {
      ...{ is: 'tombstone', phase, uid, sequencer: text(item.sequencer) },
      ...{ kind: text(item.kind), specHash: text(item.specHash) },
    }
  if (!ours) return { is: 'submitted', item, old: undefined }
  // Kind and spec are the user's: without one, or with one of another type, the job failed at acceptance and stays readable.
  const parsed = parseSafely(acceptedJobSchema, { ...item, kind: text(item.kind) ?? '', spec: item.spec })
  // A retry: written over a finished job. Over a live one it is an edit like any other, and `decide` heals it.
  const isLive = item.fence !== undefined || (item.pipeline !== undefined && item.finishedAt === undefined)
  if (phase === 'Submitted' && !isLive) return { is: 'submitted', item, old: parsed.data }
  if (parsed.success) return { is: 'accepted', job: parsed.data, item }
  return { is: 'broken', item, problems: problemsOf(parsed.error, item) }
}
