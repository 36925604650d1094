/** What a torrent file is written in. A number is a whole one; text is kept as the bytes that it is. */
export type Bencoded = number | Buffer | Bencoded[] | { [key: string]: Bencoded }
/** What may be written: text as text, too. */
export type Bencodable = Bencoded | string | Bencodable[] | { [key: string]: Bencodable }

/** Keys in the order of their bytes, as BEP 3 wants it: one content has one form, and so one infohash. */
export const bencode = (value: Bencodable): Buffer => {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} cannot be written exactly`)
    return Buffer.from(`i${value}e`)
  }
  if (typeof value === 'string') return bencode(Buffer.from(value))
  if (Buffer.isBuffer(value)) return Buffer.concat([Buffer.from(`${value.length}:`), value])
  if (Array.isArray(value)) return Buffer.concat([Buffer.from('l'), ...value.map(bencode), Buffer.from('e')])
  const entries = Object.entries(value)
    .map(([key, inner]) => ({ key: Buffer.from(key), inner }))
    .sort((one, other) => Buffer.compare(one.key, other.key))
  return Buffer.concat([
    Buffer.from('d'),
    ...entries.flatMap(({ key, inner }) => [bencode(key), bencode(inner)]),
    Buffer.from('e'),
  ])
}

/** In version 2 each folder is a level (BEP 52), and transmission goes no deeper; whoever does wants the stack to overflow. */
const levelsAtMost = 32

export type Decoded = {
  value: Bencoded
  /** The bytes of the dictionary `info`, as they stand in the file: the infohash is made of them, not of what we understood. */
  info: Buffer | undefined
}

/**
 * Reads a torrent file, which a stranger may have made. Strict: what two programs could read in two ways is refused.
 * @throws SyntaxError where it is not bencoded
 */
export const bdecode = (bytes: Buffer): Decoded => {
  let at = 0
  let info: Buffer | undefined
  const fail = (what: string): never => {
    throw new SyntaxError(`${what} at byte ${at}`)
  }
  const until = (end: string, pattern: RegExp): string => {
    const stop = bytes.indexOf(end, at)
    const text = stop === -1 || stop - at > 20 ? '' : bytes.toString('latin1', at, stop)
    if (!pattern.test(text)) fail('no whole number')
    at = stop + 1
    return text
  }
  const readText = (): Buffer => {
    const length = Number(until(':', /^(0|[1-9]\d*)$/))
    if (at + length > bytes.length) fail('the end is missing')
    at += length
    return bytes.subarray(at - length, at)
  }
  const read = (depth: number): Bencoded => {
    if (depth > levelsAtMost) fail(`more than ${levelsAtMost} levels`)
    const begin = bytes[at]
    if (begin === code.number) {
      at += 1
      const number = Number(until('e', /^(0|-?[1-9]\d*)$/))
      return Number.isSafeInteger(number) ? number : fail('a number that is too large')
    }
    if (begin === code.list || begin === code.dictionary) {
      at += 1
      return begin === code.list ? readList(depth) : readDictionary(depth)
    }
    return readText()
  }
  const readList = (depth: number): Bencoded[] => {
    const list: Bencoded[] = []
    while (bytes[at] !== code.end) list.push(read(depth + 1))
    at += 1
    return list
  }
  const readDictionary = (depth: number): { [key: string]: Bencoded } => {
    const entries = new Map<string, Bencoded>()
    while (bytes[at] !== code.end) {
      const key = readText().toString('latin1')
      if (entries.has(key)) fail(`the key ${JSON.stringify(key)} a second time`)
      const start = at
      entries.set(key, read(depth + 1))
      if (depth === 0 && key === 'info') info = bytes.subarray(start, at)
    }
    at += 1
    return Object.fromEntries(entries)
  }
  const value = read(0)
  if (at !== bytes.length) fail('something after the end')
  return { value, info }
}

const code = { number: 0x69, list: 0x6c, dictionary: 0x64, end: 0x65 } as const
