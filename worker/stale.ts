import type { Logger } from 'pino'
import { type Manifest, manifestSchema } from '../schemas/manifest.ts'
import { parseSafely } from '../schemas/parse-safely.ts'
import { problemsOf, summaryOf } from '../schemas/problems.ts'
import { WorkerError } from './errors.ts'
import { inParallel } from './kinds/in-parallel.ts'
import { loggable } from './log.ts'
import type { Storage } from './storage.ts'

/** What has been published under the prefix of a job before: its manifest, if one can be read. */
export type Earlier =
  | { is: 'none' }
  | { is: 'unreadable'; why: string }
  | { is: 'manifest'; manifest: Manifest }

/** Whose files they are: the steps of a pipeline are other jobs in every generation, and work for the same one. */
const ownerOf = ({ jobId, parent }: Pick<Manifest, 'jobId' | 'parent'>): string =>
  parent === undefined ? jobId : (parent.split('/')[0] ?? '')

/**
 * Keys that the same job has published under this prefix before, and does not publish any more. What another job has
 * written stays, in the same prefix as well, and so does what another one has added to the outputs of this job. Pure.
 */
export const staleKeys = (earlier: Manifest, manifest: Manifest, prefix: string): string[] => {
  if (ownerOf(earlier) !== ownerOf(manifest)) return []
  const kept = new Set(manifest.files.map(({ key }) => key))
  return earlier.files
    .filter(({ key, by }) => key.startsWith(prefix) && !kept.has(key) && by === undefined)
    .map(({ key }) => key)
}

/** Text that somebody may have changed by hand is no reason to fail. */
export const parseEarlier = (text: string): Earlier => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { is: 'unreadable', why: 'it is not JSON' }
  }
  const parsed = parseSafely<Manifest>(manifestSchema, value)
  return parsed.success
    ? { is: 'manifest', manifest: parsed.data }
    : { is: 'unreadable', why: summaryOf(problemsOf(parsed.error, value)) }
}

/**
 * What stands in the manifest that is about to be replaced, and not in the new one.
 * @throws WorkerError STORAGE_UNAVAILABLE: whoever goes on without an answer leaves files that nobody knows of
 */
export const findStale = async (
  storage: Pick<Storage, 'readText'>,
  manifestKey: string,
  manifest: Manifest,
  prefix: string,
  { signal, log }: { signal: AbortSignal; log: Pick<Logger, 'warn'> },
): Promise<string[]> => {
  const earlier = await storage.readText(manifestKey, signal).then(
    (found): Earlier => (found === undefined ? { is: 'none' } : parseEarlier(found.text)),
    (error: unknown): Earlier => {
      if (!isRefusal(error)) throw error
      return { is: 'unreadable', why: error.message }
    },
  )
  switch (earlier.is) {
    case 'none':
      return []
    case 'unreadable':
      log.warn({ manifestKey, why: earlier.why }, 'the manifest of before cannot be read; its files stay')
      return []
    case 'manifest':
      return staleKeys(earlier.manifest, manifest, prefix)
    default:
      throw earlier satisfies never
  }
}

/** Deletes them. A role that may not delete leaves them there, which is no reason to fail a job that is done. */
export const removeStale = async (
  storage: Pick<Storage, 'remove'>,
  keys: readonly string[],
  { signal, log }: { signal: AbortSignal; log: Pick<Logger, 'info' | 'warn'> },
): Promise<void> => {
  try {
    await inParallel(keys, (key) => storage.remove(key, signal))
    log.info({ files: keys.length }, 'files that are not made any more were removed')
  } catch (error) {
    if (!isRefusal(error)) throw error
    log.warn({ ...loggable(error), files: keys.length }, 'files that are not made any more cannot be removed')
  }
}

const refusals = new Set<string>(['INPUT_FORBIDDEN', 'OUTPUT_FORBIDDEN', 'INPUT_TOO_LARGE'])

const isRefusal = (error: unknown): error is WorkerError =>
  error instanceof WorkerError && refusals.has(error.code)
