import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isFinished, type JobRecord } from './records.ts'

export type Store = {
  /** Undefined also for a job that the service has forgotten. */
  get(name: string): JobRecord | undefined
  /** In the order in which they were made. */
  list(): JobRecord[]
  nextOrdinal(): number
  /** Resolves when the record is on disk: awaited before an answer or an event that promises it. */
  put(job: JobRecord): Promise<void>
  remove(name: string): Promise<void>
  /** Resolves when everything put so far is on disk. */
  close(): Promise<void>
}

const version = 1

/**
 * The memory of the local Transcribe: one file per job in `<folder>/jobs`, replaced atomically, so that it survives SIGKILL.
 * Files are named by hash, since names of jobs tell `a` from `A` and some file systems do not.
 */
export async function openStore(
  folder: string,
  { nowMs, retentionMs }: { nowMs: () => number; retentionMs: number },
): Promise<Store> {
  const directory = join(folder, 'jobs')
  await mkdir(directory, { recursive: true })
  const jobs = await load(directory)
  let ordinal = Math.max(0, ...[...jobs.values()].map((job) => job.ordinal))
  let tail: Promise<void> = Promise.resolve()

  const inTurn = (change: () => Promise<void>): Promise<void> => {
    const done = tail.then(change)
    // A failed write is the answer of its own caller; the next one is tried all the same.
    tail = done.catch(() => undefined)
    return done
  }
  const remove = (name: string) => {
    jobs.delete(name)
    return inTurn(() => rm(pathOf(directory, name), { force: true }))
  }
  const isForgotten = (job: JobRecord) => isFinished(job) && (job.completedMs ?? 0) + retentionMs < nowMs()
  const known = (job: JobRecord | undefined): job is JobRecord => {
    if (job === undefined) return false
    if (!isForgotten(job)) return true
    void remove(job.name).catch(() => undefined)
    return false
  }

  return {
    get: (name) => {
      const job = jobs.get(name)
      return known(job) ? job : undefined
    },
    list: () => [...jobs.values()].filter(known).sort((left, right) => left.ordinal - right.ordinal),
    nextOrdinal: () => {
      ordinal += 1
      return ordinal
    },
    put: (job) => {
      jobs.set(job.name, job)
      return inTurn(() => write(pathOf(directory, job.name), JSON.stringify({ version, job })))
    },
    remove,
    close: () => tail,
  }
}

const pathOf = (directory: string, name: string): string =>
  join(directory, `${createHash('sha256').update(name).digest('hex')}.json`)

async function write(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text)
  await rename(`${path}.new`, path)
}

async function load(directory: string): Promise<Map<string, JobRecord>> {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.json'))
  const jobs = await Promise.all(
    files.map(async (file) => {
      const path = join(directory, file)
      const saved = JSON.parse(await readFile(path, 'utf8')) as { version: number; job: JobRecord }
      if (saved.version !== version) {
        throw new Error(`${path} was written by another version of the local Transcribe; remove it.`)
      }
      return saved.job
    }),
  )
  return new Map(jobs.map((job) => [job.name, job]))
}
