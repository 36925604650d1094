import { z } from 'zod'
import { type Phase, phases } from '../../schemas/job.ts'
import { ControllerError } from '../errors.ts'
import { inParallel } from '../in-parallel.ts'
import type { JobStore } from '../store/jobs.ts'
import { type Item, readStored } from '../store/stored.ts'
import type { Shown } from './why.ts'

export type ListQuery = {
  phase?: Phase | undefined
  kind?: string | undefined
  queue?: string | undefined
  limit: number
  nextToken?: string | undefined
}

export type Listed = { jobs: Shown[]; nextToken: string | undefined }

/** What moves comes first, then what waits, then what has ended; within a phase the newest. */
export const listedPhases = [
  'Running',
  'Starting',
  'Stopping',
  'Submitted',
  'Pending',
  'Failed',
  'Cancelled',
  'Succeeded',
] as const satisfies readonly Phase[]

/** How many records one request may read beyond those that it returns, so that a rare kind cannot make it read all. */
const readAtMost = 2000
const queriesAtMost = 40
const readsAtOnce = 25

/**
 * One page of jobs. It goes through the phase index and reads each record consistently, phase by phase where none was asked
 * for: a scan would cost less for each record, but has no order, and would read every tombstone and finished job to find the
 * few that run. A page may be short, even empty, while `nextToken` leads on; a job that changes its phase between two pages
 * may be on both or on neither.
 */
export async function listJobs(query: ListQuery, jobs: Pick<JobStore, 'get' | 'inPhase'>): Promise<Listed> {
  const wanted: readonly Phase[] = query.phase ? [query.phase] : listedPhases
  let place = startOf(query, wanted)
  const found = new Map<string, Shown>()
  let read = 0

  for (let queries = 0; place && found.size < query.limit && queries < queriesAtMost; queries += 1) {
    if (read >= query.limit + readAtMost) break
    const { phase, from } = place
    const page = await jobs.inPhase(phase, { limit: query.limit - found.size, from, newestFirst: true })
    const items = await inParallel(page.ids, readsAtOnce, (jobId) => jobs.get(jobId))
    read += page.ids.length
    for (const item of items) {
      const shown = shownOf(item, query)
      if (shown) found.set(String(item?.jobId), shown)
    }
    place = page.next ? { phase, from: page.next } : nextPhase(phase, wanted)
  }
  return { jobs: [...found.values()], nextToken: place ? tokenOf(place) : undefined }
}

/** The index may be a moment behind and names candidates only: what counts is the record. */
function shownOf(item: Item | undefined, { phase, kind, queue }: ListQuery): Shown | undefined {
  const stored = readStored(item)
  if (stored.is === 'none' || stored.is === 'tombstone') return undefined
  if (phase !== undefined && item?.phase !== phase) return undefined
  if (kind !== undefined && item?.kind !== kind) return undefined
  return queue === undefined || queueOf(stored) === queue ? stored : undefined
}

/** The queue that it stands in; of a record that nobody has accepted, the one that it asks for. */
function queueOf(stored: Shown): unknown {
  if (stored.is === 'accepted') return stored.job.settings.queue
  const { spec } = stored.item
  return typeof spec === 'object' && spec !== null && 'queue' in spec ? spec.queue : 'default'
}

type Place = { phase: Phase; from?: Item | undefined }

const startOf = ({ nextToken }: ListQuery, wanted: readonly Phase[]): Place | undefined => {
  const first = wanted[0]
  if (nextToken === undefined) return first && { phase: first }
  const place = placeOf(nextToken)
  if (!place || !wanted.includes(place.phase))
    throw ControllerError.of('PAGE_TOKEN_INVALID', { parameter: 'nextToken' })
  return place
}

const nextPhase = (phase: Phase, wanted: readonly Phase[]): Place | undefined => {
  const next = wanted[wanted.indexOf(phase) + 1]
  return next && { phase: next }
}

/** A place in the index, for people opaque. It comes back from outside, so it is parsed like everything else. */
const placeSchema = z
  .strictObject({
    phase: z.enum(phases),
    from: z.strictObject({ jobId: z.string(), phase: z.enum(phases), createdAt: z.string() }).optional(),
  })
  .refine(({ phase, from }) => from === undefined || from.phase === phase)

const tokenOf = (place: Place): string => Buffer.from(JSON.stringify(place)).toString('base64url')

function placeOf(token: string): Place | undefined {
  try {
    return placeSchema.safeParse(JSON.parse(Buffer.from(token, 'base64url').toString())).data
  } catch {
    return undefined
  }
}
