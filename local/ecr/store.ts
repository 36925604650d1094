import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export type ImageRecord = { digest: string; tags: string[]; bytes: number; pushedMs: number }
export type RepositoryRecord = { createdMs: number; images: ImageRecord[] }
export type RuleRecord = { upstreamRegistryUrl: string; createdMs: number }

export type State = {
  repositories: Record<string, RepositoryRecord>
  pullThroughCacheRules: Record<string, RuleRecord>
}

export type Store = {
  state: State
  /** The state as it is now is on disk when this resolves. */
  save(): Promise<void>
}

/** A registry is small and seldom changed: one file, written whole and put in place of the old one. */
export async function openStore(folder: string): Promise<Store> {
  await mkdir(folder, { recursive: true })
  const path = join(folder, 'state.json')
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '{}'
    throw error
  })
  const { repositories = {}, pullThroughCacheRules = {} } = JSON.parse(text) as Partial<State>
  const state: State = { repositories, pullThroughCacheRules }
  let tail = Promise.resolve()
  return {
    state,
    save() {
      tail = tail
        .catch(() => undefined)
        .then(async () => {
          await writeFile(`${path}.new`, JSON.stringify(state))
          await rename(`${path}.new`, path)
        })
      return tail
    },
  }
}
