import { createIndex, type DynamoIndex, type IndexShape } from './dynamo-index.ts'
import { type Item, sizeOf } from './dynamo-values.ts'
import { invalid } from './errors.ts'
import type { DynamoNastiness, TrueTime } from './ports.ts'
import { firstWhere, insertSorted } from './sorted.ts'

export type TableShape = { name: string; key: string; indexes: readonly IndexShape[] }

/** One state of a record: `item` undefined once it was deleted. Items are never changed, only replaced. */
type State = { item: Item | undefined; sinceMs: number; earlier: State | undefined }

type Row = State & { bytes: number }

type ScanPlace = { place: number; key: string }

export type ScanPage = { items: Item[]; last: string | undefined }

export type DynamoTable = ReturnType<typeof createTable>

// DynamoDB developer guide, limits.
const itemBytes = 400 * 1024
const keyBytes = 2048
// What a map costs besides its members.
const mapBytes = sizeOf({})
const pageBytes = 1_048_576

/** The records of one table with their last few states, of which a stale read gives one, and its indexes. */
export function createTable(shape: TableShape, time: TrueTime, nastiness: DynamoNastiness) {
  const rows = new Map<string, Row>()
  const order: ScanPlace[] = []
  const indexes: readonly DynamoIndex[] = shape.indexes.map((index) =>
    createIndex(index, shape.key, time, nastiness.indexLagMs),
  )

  const now = (key: string): Item | undefined => rows.get(key)?.item
  const asOf = (key: string, atMs: number): Item | undefined => {
    let state: State | undefined = rows.get(key)
    // The earliest that is known is late enough: a read may be as stale as atMs, and need not be.
    while (state !== undefined && state.sinceMs > atMs && state.earlier !== undefined) state = state.earlier
    return state?.item
  }

  return {
    shape,
    indexes,
    now,
    asOf,

    /** The key in a request's `Key`. @throws ValidationException */
    keyIn(key: unknown): string {
      const names = typeof key === 'object' && key !== null ? Object.keys(key) : []
      const value = (key as Record<string, unknown> | undefined)?.[shape.key]
      if (names.length !== 1 || typeof value !== 'string')
        throw invalid('The provided key element does not match the schema')
      return checkedKey(shape.key, value)
    },

    /** The key of an item that is put. @throws ValidationException */
    keyOf(item: Item): string {
      const value = item[shape.key]
      if (typeof value !== 'string')
        throw invalid(
          `One or more parameter values were invalid: Missing the key ${shape.key} in the item, or type mismatch for it`,
        )
      return checkedKey(shape.key, value)
    },

    /**
     * Replaces a record. `item` must be nobody else's from now on.
     * @throws ValidationException for a size or an index key that DynamoDB does not take; nothing was written then
     */
    write(key: string, item: Item | undefined): void {
      const row = rows.get(key)
      const bytes = item === undefined ? 0 : sizeAfter(item, row)
      if (bytes > itemBytes) throw invalid('Item size has exceeded the maximum allowed size')
      const before = row?.item
      if (item !== undefined) for (const index of indexes) if (index.moves(before, item)) index.check(item)
      const sinceMs = time.nowMs()
      if (row === undefined) {
        const none = { item: undefined, sinceMs: Number.NEGATIVE_INFINITY, earlier: undefined }
        rows.set(key, { item, bytes, sinceMs, earlier: none })
        insertSorted(order, placeOf(key), comparePlaces)
      } else replace(row, item, bytes, sinceMs)
      for (const index of indexes) if (index.moves(before, item)) index.note(key, item)
    },

    *items(): Iterable<Item> {
      for (const { item } of rows.values()) if (item !== undefined) yield item
    },

    /** Items in an order of its own, each as it was at a time. */
    scan(behind: string | undefined, limit: number, atMs: number): ScanPage {
      const start = behind === undefined ? undefined : placeOf(behind)
      const from = start === undefined ? 0 : firstWhere(order, (place) => comparePlaces(place, start) > 0)
      const items: Item[] = []
      let bytes = 0
      for (let at = from; at < order.length; at += 1) {
        const { key } = order[at] as ScanPlace
        const item = asOf(key, atMs)
        if (item === undefined) continue
        items.push(item)
        bytes += rows.get(key)?.bytes ?? 0
        if (items.length >= limit || bytes >= pageBytes) return { items, last: key }
      }
      return { items, last: undefined }
    },
  }
}

function replace(row: Row, item: Item | undefined, bytes: number, sinceMs: number): void {
  // What stood for no time at all was seen by nobody but strong reads.
  if (row.sinceMs < sinceMs) {
    if (row.earlier !== undefined) row.earlier.earlier = undefined
    row.earlier = { item: row.item, sinceMs: row.sinceMs, earlier: row.earlier }
  }
  row.item = item
  row.bytes = bytes
  row.sinceMs = sinceMs
}

/** The size of an item, of which only what is new is measured: an update leaves most of it alone. */
function sizeAfter(item: Item, row: Row | undefined): number {
  const before = row?.item
  if (row === undefined || before === undefined) return sizeOf(item)
  let { bytes } = row
  for (const name in item) {
    if (item[name] === before[name]) continue
    bytes += sizeOf({ [name]: item[name] })
    if (before[name] !== undefined) bytes -= sizeOf({ [name]: before[name] })
    else bytes -= mapBytes
  }
  for (const name in before)
    if (item[name] === undefined) bytes -= sizeOf({ [name]: before[name] }) - mapBytes
  return bytes
}

function checkedKey(name: string, key: string): string {
  if (key === '')
    throw invalid(
      `One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: ${name}`,
    )
  if (key.length > keyBytes)
    throw invalid(
      'One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit',
    )
  return key
}

const comparePlaces = (a: ScanPlace, b: ScanPlace): number =>
  a.place - b.place || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)

/** Keys lie scattered in a table, so that no order of theirs can be relied on (FNV-1a, a hash of 32 bits). */
function placeOf(key: string): ScanPlace {
  let place = 0x811c9dc5
  for (let index = 0; index < key.length; index += 1)
    place = Math.imul(place ^ key.charCodeAt(index), 0x01000193) >>> 0
  return { place, key }
}
