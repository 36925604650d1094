import { compareText, copyOf, type Item, numberOf, sizeOf, typeOf } from './dynamo-values.ts'
import { invalid } from './errors.ts'
import type { TrueTime } from './ports.ts'
import { firstWhere, insertSorted, removeSorted } from './sorted.ts'

/** A global secondary index with both keys, projecting keys only. */
export type IndexShape = { name: string; hash: string; range: string; rangeType: 'S' | 'N' }

type Entry = { key: string; hash: string; range: string | number; keys: Item; bytes: number }

/** A stretch of one line: entries from the first that `starts`, up to and without the first that `ends`. */
export type Stretch = {
  starts: (range: string | number) => boolean
  ends: (range: string | number) => boolean
}

export type LinePage = { keys: Item[]; next: Item | undefined }

export type DynamoIndex = ReturnType<typeof createIndex>

// Query reads so much and then ends the page (DynamoDB API reference, Query).
const pageBytes = 1_048_576

/**
 * An index that shows a write some time after it. Changes of one item come in the order of their writes, so that an older
 * state never covers a newer one.
 */
export function createIndex(shape: IndexShape, keyName: string, time: TrueTime, lagMs: () => number) {
  const lines = new Map<string, Entry[]>()
  const shown = new Map<string, Entry>()
  const coming = new Map<string, { entries: (Entry | undefined)[]; lastMs: number }>()

  const show = (key: string, entry: Entry | undefined): void => {
    const before = shown.get(key)
    if (before !== undefined) {
      const line = lines.get(before.hash)
      if (line !== undefined) removeSorted(line, before, compareEntries)
      if (line?.length === 0) lines.delete(before.hash)
      shown.delete(key)
    }
    if (entry === undefined) return
    const line = lines.get(entry.hash)
    if (line === undefined) lines.set(entry.hash, [entry])
    else insertSorted(line, entry, compareEntries)
    shown.set(key, entry)
  }

  /** Whichever of an item's timers goes off first, it shows the oldest change that is not shown yet. */
  const showNext = (key: string): void => {
    const changes = coming.get(key)
    if (changes === undefined) return
    show(key, changes.entries.shift())
    if (changes.entries.length === 0) coming.delete(key)
  }

  return {
    shape,

    /** Whether a write is of any concern for this index: most are not. */
    moves: (before: Item | undefined, after: Item | undefined): boolean =>
      before?.[shape.hash] !== after?.[shape.hash] || before?.[shape.range] !== after?.[shape.range],

    /** @throws ValidationException for a key of the index that has another type, or is empty */
    check(item: Item): void {
      checkKey(shape, shape.hash, item[shape.hash], 'S')
      checkKey(shape, shape.range, item[shape.range], shape.rangeType)
    },

    /** The keys of an item were changed, or came, or went. */
    note(key: string, item: Item | undefined): void {
      const hash = item?.[shape.hash]
      const range = item?.[shape.range]
      const isIn = hash !== undefined && range !== undefined
      const changes = coming.get(key)
      if (!isIn && changes === undefined && !shown.has(key)) return
      const entry = isIn ? entryOf(shape, keyName, key, hash as string, range) : undefined
      const nowMs = time.nowMs()
      const dueMs = Math.max(nowMs + lagMs(), changes?.lastMs ?? nowMs)
      if (changes === undefined && dueMs <= nowMs) {
        show(key, entry)
        return
      }
      if (changes === undefined) coming.set(key, { entries: [entry], lastMs: dueMs })
      else {
        changes.entries.push(entry)
        changes.lastMs = dueMs
      }
      time.after(dueMs - nowMs, () => showNext(key))
    },

    /** @param start keys of the entry to go on behind */
    query(
      hash: string,
      stretch: Stretch,
      options: { forward: boolean; limit: number; start: Item | undefined },
    ): LinePage {
      const line = lines.get(hash) ?? []
      let from = firstWhere(line, ({ range }) => stretch.starts(range))
      let to = firstWhere(line, ({ range }) => stretch.ends(range))
      if (options.start !== undefined) {
        const start = entryOf(
          shape,
          keyName,
          String(options.start[keyName]),
          hash,
          options.start[shape.range],
        )
        if (options.forward)
          from = Math.max(
            from,
            firstWhere(line, (entry) => compareEntries(entry, start) > 0),
          )
        else
          to = Math.min(
            to,
            firstWhere(line, (entry) => compareEntries(entry, start) >= 0),
          )
      }
      const keys: Item[] = []
      let bytes = 0
      for (let count = 0; count < to - from; count += 1) {
        const entry = line[options.forward ? from + count : to - 1 - count] as Entry
        keys.push(copyOf(entry.keys))
        bytes += entry.bytes
        if (keys.length >= options.limit || bytes >= pageBytes) return { keys, next: copyOf(entry.keys) }
      }
      return { keys, next: undefined }
    },
  }
}

/** By the range key; which of two equal ones comes first is not said by DynamoDB. */
const compareEntries = (a: Entry, b: Entry): number =>
  (typeof a.range === 'number' ? a.range - (b.range as number) : compareText(a.range, b.range as string)) ||
  compareText(a.key, b.key)

function entryOf(shape: IndexShape, keyName: string, key: string, hash: string, range: unknown): Entry {
  const keys = { [keyName]: key, [shape.hash]: hash, [shape.range]: range }
  const sortable = shape.rangeType === 'N' ? numberOf(range) : (range as string)
  return { key, hash, range: sortable, keys, bytes: sizeOf(keys) }
}

function checkKey(shape: IndexShape, attribute: string, value: unknown, type: 'S' | 'N'): void {
  if (value === undefined) return
  const actual = typeOf(value)
  if (actual !== type)
    throw invalid(
      `One or more parameter values were invalid: Type mismatch for Index Key ${attribute} Expected: ${type} Actual: ${actual} IndexName: ${shape.name}`,
    )
  if (value === '')
    throw invalid(
      'One or more parameter values are not valid. A value specified for a secondary index key is not supported. ' +
        `The AttributeValue for a key attribute cannot contain an empty string value. IndexName: ${shape.name}, IndexKey: ${attribute}`,
    )
}
