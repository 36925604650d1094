import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { CannotStart } from './cannot-start.ts'

const ownerSchema = z.object({ pid: z.number().int(), endpoint: z.url() })

/**
 * Takes the data directory for this process, since two local AWS on one would ruin it. The note of an owner that was killed
 * does not count: only one whose process lives and whose port answers.
 * @returns gives it back
 * @throws CannotStart when another process has it
 */
export const takeDataDirectory = async (
  directory: string,
  endpoint: string,
): Promise<() => Promise<void>> => {
  await mkdir(directory, { recursive: true })
  const note = join(directory, 'running.json')
  const owner = ownerSchema.safeParse(await readJson(note)).data
  if (owner && owner.pid !== process.pid && isAlive(owner.pid) && (await answers(owner.endpoint)))
    throw new CannotStart(
      `A local AWS at ${owner.endpoint} (process ${owner.pid}) already works in ${directory}. ` +
        'Stop it, use it, or set LOCAL_DATA_DIR.',
    )
  await writeFile(note, JSON.stringify({ pid: process.pid, endpoint }))
  return () => rm(note, { force: true })
}

const readJson = async (path: string): Promise<unknown> => {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch {
    return undefined
  }
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const answers = (endpoint: string): Promise<boolean> =>
  fetch(`${endpoint}/_local/health`, { signal: AbortSignal.timeout(1_000) }).then(
    ({ ok }) => ok,
    () => false,
  )
