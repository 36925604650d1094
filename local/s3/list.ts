export type ListRequest = {
  prefix: string
  delimiter: string
  /** Only what sorts after this key (or common prefix) is listed. */
  after: string
  /** Entries of a page, keys and common prefixes counted alike. */
  limit: number
}

export type ListPage = {
  keys: string[]
  commonPrefixes: string[]
  /** Where the next page goes on: the last key or common prefix of this one; absent when it is the last page. */
  next?: string
}

/**
 * One page of a listing. `sortedKeys` is in the order of UTF-8 bytes, which is what S3 lists in.
 * Keys that contain the delimiter after the prefix are rolled up into one common prefix.
 */
export function listPage(sortedKeys: readonly string[], request: ListRequest): ListPage {
  const { prefix, delimiter, after, limit } = request
  const page: ListPage = { keys: [], commonPrefixes: [] }
  if (limit === 0) return page

  let last = ''
  let index = startIndex(sortedKeys, prefix, delimiter, after)
  for (;;) {
    const key = sortedKeys[index]
    if (key === undefined || !key.startsWith(prefix)) return page
    if (page.keys.length + page.commonPrefixes.length === limit) return { ...page, next: last }

    const rolledUp = commonPrefix(key, prefix, delimiter)
    if (rolledUp === undefined) {
      page.keys.push(key)
      last = key
      index += 1
    } else {
      page.commonPrefixes.push(rolledUp)
      last = rolledUp
      index = firstIndexAfterPrefix(sortedKeys, rolledUp)
    }
  }
}

/** Compares as S3 sorts: by UTF-8 bytes, which is the order of code points and not of UTF-16 units. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i += 1) {
    const unitA = a.charCodeAt(i)
    const unitB = b.charCodeAt(i)
    if (unitA !== unitB) return codePointOrder(unitA) - codePointOrder(unitB)
  }
  return a.length - b.length
}

/** The index of the first key that is not before `key`. */
export function lowerBound(sortedKeys: readonly string[], key: string): number {
  return partitionPoint(sortedKeys, (candidate) => compareKeys(candidate, key) < 0)
}

/** `after` can be a common prefix that an earlier page has listed: all keys below it are then done. */
function startIndex(sortedKeys: readonly string[], prefix: string, delimiter: string, after: string): number {
  const fromPrefix = lowerBound(sortedKeys, prefix)
  if (after === '') return fromPrefix
  const isListedPrefix = delimiter !== '' && commonPrefix(after, prefix, delimiter) === after
  const fromAfter = isListedPrefix
    ? firstIndexAfterPrefix(sortedKeys, after)
    : partitionPoint(sortedKeys, (candidate) => compareKeys(candidate, after) <= 0)
  return Math.max(fromPrefix, fromAfter)
}

function commonPrefix(key: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === '' || !key.startsWith(prefix)) return undefined
  const at = key.indexOf(delimiter, prefix.length)
  return at === -1 ? undefined : key.slice(0, at + delimiter.length)
}

/** Keys with a common prefix stand together, so the first one behind them is found without walking over them. */
function firstIndexAfterPrefix(sortedKeys: readonly string[], prefix: string): number {
  return partitionPoint(
    sortedKeys,
    (candidate) => candidate.startsWith(prefix) || compareKeys(candidate, prefix) < 0,
  )
}

function partitionPoint(sortedKeys: readonly string[], isBefore: (key: string) => boolean): number {
  let low = 0
  let high = sortedKeys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const key = sortedKeys[middle]
    if (key !== undefined && isBefore(key)) low = middle + 1
    else high = middle
  }
  return low
}

/** Surrogates stand for code points above U+FFFF, so they sort behind the units U+E000 to U+FFFF. */
function codePointOrder(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}
