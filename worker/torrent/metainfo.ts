import { createHash } from 'node:crypto'
import { type Bencodable, type Bencoded, bdecode, bencode } from './bencode.ts'

/** A file of a torrent. Its path is below the name of the torrent; where there is one file and no folder, it has none. */
export type TorrentFile = {
  path: readonly string[]
  bytes: number
  /** Zeros that let the next file begin with a piece (BEP 47). They lie nowhere, and may stand there several times under one path. */
  isPadding?: true
}

/** What is in a torrent, before anything of it is hashed. */
export type Content = {
  name: string
  files: readonly TorrentFile[]
}

export type Metainfo = Content & {
  pieceLength: number
  /** SHA-1 of every piece, 20 bytes each. */
  pieces: Buffer
  private: boolean
  /** Announce URLs, by tier. */
  trackers: readonly (readonly string[])[]
  webSeeds: readonly string[]
}

export const bytesOf = ({ files }: Content): number => files.reduce((sum, { bytes }) => sum + bytes, 0)

/** One file is written as such; whatever has paths is a folder. */
export const isSingle = ({ files }: Content): boolean => files.length === 1 && files[0]?.path.length === 0

export type Encoded = { bytes: Buffer; infohash: string }

/**
 * A torrent of version 1 (BEP 3), which all clients read. The same content gives the same bytes: there is no date in it. `private` stands in it
 * only where it is true, because even a false one is part of the infohash.
 */
export const encodeTorrent = (
  torrent: Metainfo,
  more: { comment?: string | undefined; createdBy: string },
): Encoded => {
  const { name, files, pieceLength, pieces, trackers, webSeeds } = torrent
  const info = bencode({
    name,
    'piece length': pieceLength,
    pieces,
    ...(isSingle(torrent)
      ? { length: bytesOf(torrent) }
      : { files: files.map(({ path, bytes }): Bencodable => ({ length: bytes, path: [...path] })) }),
    ...(torrent.private ? { private: 1 } : {}),
  })
  const [first] = trackers.flat()
  const rest: Record<string, Bencodable> = {
    ...(first === undefined ? {} : { announce: first, 'announce-list': trackers.map((tier) => [...tier]) }),
    ...(more.comment === undefined ? {} : { comment: more.comment }),
    'created by': more.createdBy,
  }
  // The info goes in as the bytes that were hashed. All other keys but this last one come before it.
  const head = bencode(rest).subarray(0, -1)
  const seeds = webSeeds.length === 0 ? [] : [bencode('url-list'), bencode([...webSeeds])]
  return {
    bytes: Buffer.concat([head, bencode('info'), info, ...seeds, Buffer.from('e')]),
    infohash: infohashOf(info),
  }
}

/**
 * The same torrent, by the same infohash, with these trackers and nothing else beside its info.
 * @throws SyntaxError where it is not bencoded
 */
export const withTrackers = (torrent: Buffer, tiers: readonly (readonly string[])[]): Buffer => {
  const { info } = bdecode(torrent)
  if (info === undefined) throw new SyntaxError('it has no info')
  const trackers = tiers.map((tier) => [...tier])
  const head = bencode(trackers.length === 0 ? {} : { 'announce-list': trackers }).subarray(0, -1)
  return Buffer.concat([head, bencode('info'), info, Buffer.from('e')])
}

const infohashOf = (info: Buffer): string => createHash('sha1').update(info).digest('hex')

/** The torrent as a link: what it is called, and where to look for it. */
export const magnetOf = (torrent: Metainfo, infohash: string): string =>
  [
    `magnet:?xt=urn:btih:${infohash}`,
    `dn=${encodeURIComponent(torrent.name)}`,
    `xl=${bytesOf(torrent)}`,
    ...torrent.trackers.flat().map((tracker) => `tr=${encodeURIComponent(tracker)}`),
    ...torrent.webSeeds.map((seed) => `ws=${encodeURIComponent(seed)}`),
  ].join('&')

/** No key in S3 is longer, so no data of ours lies under a longer path. */
const pathBytes = 1024

/** File systems have no longer names, and nobody should have to rename what they download. */
const nameBytes = 255

/**
 * What is wrong with a name as a file's or folder's on other people's computers; undefined: nothing. A name that says where to go (..) is how
 * torrents write where they should not.
 */
export const problemOfName = (name: string): string | undefined => {
  // Windows takes dots and spaces off the end, and clients do so everywhere: nothing would be left.
  if (/^[. ]*$/.test(name)) return `${JSON.stringify(name)} is not a name for a file`
  if (Buffer.byteLength(name) > nameBytes)
    return `the name ${name.slice(0, 40)}... has more than ${nameBytes} bytes`
  return /[/\\\p{Cc}\uFFFD]/u.test(name)
    ? `the name ${JSON.stringify(name)} has characters that file names cannot have`
    : undefined
}

/**
 * What is wrong with files side by side, each of which may be right: two have one path, or one is the folder of another; undefined: nothing.
 * In this order a folder stands right before what is in it, since no name has a character before the one between them.
 */
export const problemOfPaths = (files: readonly TorrentFile[]): string | undefined => {
  const inOrder = files
    .map((file) => ({ file, path: file.path.join('\0') }))
    .sort((one, other) => (one.path < other.path ? -1 : Number(one.path > other.path)))
  for (const [index, { file, path }] of inOrder.slice(1).entries()) {
    const before = inOrder[index]
    if (before === undefined) continue
    const shown = before.file.path.join('/')
    if (path === before.path && !areOnePadding(file, before.file)) return `two files have the path ${shown}`
    if (path.startsWith(`${before.path}\0`)) return `${shown} is a file and a folder`
  }
  return undefined
}

const areOnePadding = (one: TorrentFile, other: TorrentFile): boolean =>
  one.isPadding === true && other.isPadding === true && one.bytes === other.bytes

export type ReadTorrent = Metainfo & { infohash: string }

/**
 * A torrent that somebody has made, read and checked.
 * @throws SyntaxError with what is wrong with it
 */
export const readTorrent = (bytes: Buffer): ReadTorrent => {
  const { value, info: raw } = bdecode(bytes)
  const info = dictionaryOf(dictionaryOf(value).info)
  if (raw === undefined) throw new SyntaxError('it has no info')
  const pieces = info.pieces
  const pieceLength = sizeOf(info['piece length'], 'piece length')
  if (!Buffer.isBuffer(pieces) || pieces.length === 0 || pieces.length % 20 !== 0)
    throw new SyntaxError('it has no pieces (of version 2 alone, BEP 52, it cannot be read)')
  const content = contentOf(info)
  const total = bytesOf(content)
  if (Math.ceil(total / pieceLength) !== pieces.length / 20)
    throw new SyntaxError(`${pieces.length / 20} pieces of ${pieceLength} bytes are not its ${total} bytes`)
  return {
    ...content,
    pieceLength,
    pieces,
    private: info.private === 1,
    trackers: trackersOf(dictionaryOf(value)),
    webSeeds: textsOf(dictionaryOf(value)['url-list']),
    infohash: infohashOf(raw),
  }
}

type Dictionary = { [key: string]: Bencoded }

const isDictionary = (value: Bencoded | undefined): value is Dictionary =>
  typeof value === 'object' && !Buffer.isBuffer(value) && !Array.isArray(value)

const dictionaryOf = (value: Bencoded | undefined): Dictionary => {
  if (!isDictionary(value)) throw new SyntaxError('a dictionary is missing')
  return value
}

const sizeOf = (value: Bencoded | undefined, what: string): number => {
  if (typeof value !== 'number' || value < (what === 'length' ? 0 : 1))
    throw new SyntaxError(`its ${what} is not a size`)
  return value
}

const nameOf = (value: Bencoded | undefined): string => {
  const name = Buffer.isBuffer(value) ? value.toString() : ''
  const problem = problemOfName(name)
  if (problem !== undefined) throw new SyntaxError(problem)
  return name
}

const contentOf = (info: Dictionary): Content => {
  const name = nameOf(info.name)
  if (info.files === undefined) return { name, files: [{ path: [], bytes: sizeOf(info.length, 'length') }] }
  if (!Array.isArray(info.files) || info.files.length === 0) throw new SyntaxError('it has no files')
  const files = info.files.map(fileOf)
  const problem = problemOfPaths(files)
  if (problem !== undefined) throw new SyntaxError(problem)
  return { name, files }
}

const fileOf = (file: Bencoded): TorrentFile => {
  const { path, length, attr } = dictionaryOf(file)
  if (!Array.isArray(path) || path.length === 0) throw new SyntaxError('a file of it has no path')
  const names = path.map(nameOf)
  if (Buffer.byteLength(names.join('/')) > pathBytes)
    throw new SyntaxError(`a path in it has more than ${pathBytes} bytes`)
  const isPadding = Buffer.isBuffer(attr) && attr.includes('p')
  return { path: names, bytes: sizeOf(length, 'length'), ...(isPadding ? { isPadding } : {}) }
}

const trackersOf = ({ announce, 'announce-list': tiers }: Dictionary): string[][] => {
  const listed = Array.isArray(tiers) ? tiers.map(textsOf).filter((tier) => tier.length > 0) : []
  return listed.length > 0 ? listed : textsOf(announce).map((tracker) => [tracker])
}

const textsOf = (value: Bencoded | undefined): string[] =>
  (Array.isArray(value) ? value : [value])
    .filter((one) => Buffer.isBuffer(one))
    .map((one) => one.toString())
    .filter((text) => text !== '')
