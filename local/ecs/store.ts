import { mkdir, open, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClusterRecord, DefinitionRecord, TaskRecord, TokenRecord } from './records.ts'

type Records = {
  clusters: ClusterRecord
  definitions: DefinitionRecord
  tasks: TaskRecord
  tokens: TokenRecord
}
type Collection = keyof Records
type Change = { [Name in Collection]: [Name, string, Records[Name] | null] }[Collection]

export type Store = { readonly [Name in Collection]: ReadonlyMap<string, Records[Name]> } & {
  put<Name extends Collection>(collection: Name, key: string, record: Records[Name]): void
  remove(collection: Collection, key: string): void
  /** Resolves when everything put so far is on disk; to be awaited before an answer that promises it. */
  flush(): Promise<void>
  close(): Promise<void>
}

const header = { localEcs: 1 }
const spareLines = 5_000

/**
 * The memory of the local ECS: maps to read, and a journal `<folder>/state.jsonl` that survives SIGKILL. One line holds all
 * changes of one moment, so they are there together or not at all; a line cut short by a crash was never promised to
 * anybody and is dropped. A change costs its own size, not that of the state, and a journal that has grown far beyond the
 * state is written anew, atomically.
 */
export async function openStore(folder: string): Promise<Store> {
  const path = join(folder, 'state.jsonl')
  await mkdir(folder, { recursive: true })
  const maps = await load(path)
  let lines = await rewrite(path, maps)
  let file = await open(path, 'a')

  let waiting: Change[] = []
  let isDue = false
  let tail: Promise<void> = Promise.resolve()

  const write = async () => {
    const batch = waiting
    waiting = []
    isDue = false
    if (lines < size(maps) + spareLines) {
      await file.appendFile(`${JSON.stringify(batch)}\n`)
      lines += 1
      return
    }
    await file.close()
    lines = await rewrite(path, maps)
    file = await open(path, 'a')
  }

  const change = (entry: Change) => {
    waiting.push(entry)
    if (isDue) return
    isDue = true
    // The write begins after the code that runs now, so what belongs together ends up in one line.
    tail = tail.catch(() => undefined).then(write)
    // A failed write is the answer of `flush`; without one waiting it must not end the process.
    tail.catch(() => undefined)
  }

  return {
    ...maps,
    put: (collection, key, record) => {
      const entry = [collection, key, record] as Change
      apply(maps, entry)
      change(entry)
    },
    remove: (collection, key) => {
      if (maps[collection].delete(key)) change([collection, key, null])
    },
    flush: () => tail,
    close: async () => {
      await tail
      await file.close()
    },
  }
}

type Maps = { [Name in Collection]: Map<string, Records[Name]> }

async function load(path: string): Promise<Maps> {
  const maps: Maps = { clusters: new Map(), definitions: new Map(), tasks: new Map(), tokens: new Map() }
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  // What stands after the last line break is a write that a crash cut short.
  const [first, ...rest] = text.split('\n').slice(0, -1)
  if (first === undefined) return maps
  if (first !== JSON.stringify(header)) {
    throw new Error(`${path} was written by another version of the local ECS; remove it to start afresh.`)
  }
  for (const line of rest) {
    for (const entry of JSON.parse(line) as Change[]) apply(maps, entry)
  }
  return maps
}

function apply(maps: Maps, [collection, key, record]: Change): void {
  if (record === null) maps[collection].delete(key)
  // The pair of name and record is right by the type of Change; a union of maps cannot express it.
  else (maps[collection] as Map<string, Records[Collection]>).set(key, record)
}

/** Writes the whole state to a new file and puts it in place of the old one; the number of its lines. */
async function rewrite(path: string, maps: Maps): Promise<number> {
  const entries = (Object.keys(maps) as Collection[]).flatMap((collection) =>
    [...maps[collection]].map(([key, record]) => JSON.stringify([[collection, key, record]])),
  )
  await writeFile(`${path}.new`, `${[JSON.stringify(header), ...entries].join('\n')}\n`)
  await rename(`${path}.new`, path)
  return entries.length + 1
}

const size = (maps: Maps): number => Object.values(maps).reduce((records, map) => records + map.size, 0)
