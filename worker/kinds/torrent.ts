import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TorrentParams, torrentParamsSchema } from '../../schemas/kinds/torrent.ts'
import type { FileRole, ManifestFile } from '../../schemas/manifest.ts'
import type { Warning } from '../../schemas/object-address.ts'
import { type TorrentInfo, torrentInfoName } from '../../schemas/torrent.ts'
import { WorkerError } from '../errors.ts'
import { openGuard } from '../net/guard.ts'
import { checkWebSeeds } from '../torrent/check-web-seeds.ts'
import { bytesOf, encodeTorrent, isSingle, type Metainfo, magnetOf } from '../torrent/metainfo.ts'
import { hashPieces, type PieceHasher, pieceCount, pieceLengthFor, piecesAtMost } from '../torrent/pieces.ts'
import { readWhole } from '../torrent/read-whole.ts'
import { type Source, type SourceFile, sourceOf } from '../torrent/source.ts'
import { addressOfFile, webSeedOf } from '../torrent/web-seeds.ts'
import type { KindHandler, Work } from './handler.ts'
import { parseParams } from './parts.ts'

/**
 * A `.torrent` for an object, or for all files of a job, by one reading of it from beginning to end. Nothing of it touches the disk, and a hash
 * that was begun cannot be put down, so another attempt begins with the first byte.
 */
export const torrent: KindHandler = async (work) => {
  const params = parseParams(torrentParamsSchema, work.settings.params) as TorrentParams
  work.tell({ stage: 'look', percent: 0 })
  const source = await sourceOf(work)
  const webSeeds = webSeedsOf(params, source)
  const { pieceLength, pieces } = await hashAll(work, source, params.pieceLength)
  const metainfo: Metainfo = {
    name: source.name,
    files: source.files.map(({ path, bytes }) => ({ path, bytes })),
    pieceLength,
    pieces,
    private: params.private,
    trackers: params.trackers.map((tier) => (typeof tier === 'string' ? [tier] : tier)),
    webSeeds,
  }
  const { bytes, infohash } = encodeTorrent(metainfo, params)
  const info = infoOf(metainfo, infohash, source)
  work.tell({ stage: 'publish', percent: 99 })
  const warnings = [...nobodyTellsOf(info), ...(params.checkWebSeeds ? await check(work, metainfo) : [])]
  return { files: await publish(work, bytes, info), result: resultOf(info, warnings) }
}

/** Through the guard: the address is a user's, and this task stands where uploads are read. */
const check = ({ environment, signal }: Work, { name, files, webSeeds }: Metainfo): Promise<Warning[]> => {
  const [first = { path: [], bytes: 0 }] = files
  return checkWebSeeds(
    webSeeds.map((seed) => ({ url: addressOfFile(seed, name, first.path), bytes: first.bytes })),
    { guard: openGuard({ privateSources: environment.PRIVATE_SOURCES }), signal },
  )
}

/** @throws WorkerError RECORD_INVALID for an address that is not for a folder of files */
const webSeedsOf = ({ webSeeds, webSeedBase }: TorrentParams, source: Source): string[] => {
  const isSingleFile = isSingle(source)
  const wrong = isSingleFile ? undefined : webSeeds.find((address) => !address.endsWith('/'))
  if (wrong !== undefined)
    throw new WorkerError(
      'RECORD_INVALID',
      `settings.params.webSeeds: ${wrong} must end in /, because there are several files`,
    )
  const own = webSeedBase === undefined ? [] : [webSeedOf(webSeedBase, source.key, isSingleFile)]
  return [...new Set([...webSeeds, ...own])]
}

type Hashed = { pieceLength: number; pieces: Buffer }

const hashAll = async (work: Work, source: Source, wanted: number | undefined): Promise<Hashed> => {
  const total = bytesOf(source)
  const pieceLength = wanted ?? pieceLengthFor(total)
  const count = pieceCount(total, pieceLength)
  if (count > piecesAtMost)
    throw new WorkerError(
      'INPUT_TOO_LARGE',
      `${total} bytes are ${count} pieces of ${pieceLength}, at most ${piecesAtMost} are made; ask for a larger pieceLength`,
    )
  const hasher = hashPieces(total, pieceLength)
  const onBytes = countBytes(work, total)
  for (const file of source.files) await hashFile(work, file, hasher, onBytes)
  return { pieceLength, pieces: hasher.digest() }
}

const hashFile = async (
  work: Work,
  file: SourceFile,
  hasher: PieceHasher,
  onBytes: (bytes: number) => void,
): Promise<void> => {
  const { storage, signal, nowMs } = work
  const seen = file.input.etag === undefined ? await storage.inspect(file.input, signal) : file
  if (seen.bytes !== file.bytes)
    throw new WorkerError('INPUT_CHANGED', `${file.input.key} has ${seen.bytes} bytes, not ${file.bytes}`)
  const etag = 'etag' in seen ? seen.etag : undefined
  const sum = file.sha256 === undefined ? undefined : createHash('sha256')
  await readWhole(storage, { ...file.input, ...(etag === undefined ? {} : { etag }) }, file.bytes, {
    signal,
    nowMs,
    onChunk: (chunk) => {
      hasher.update(chunk)
      sum?.update(chunk)
      onBytes(chunk.length)
    },
  })
  if (sum !== undefined && sum.digest('hex') !== file.sha256)
    throw new WorkerError('INPUT_CHANGED', `${file.input.key} is not what its manifest says`)
}

/** The last hundredth is for what comes after the hashing. */
const countBytes = ({ tell, nowMs }: Work, total: number): ((bytes: number) => void) => {
  const startMs = nowMs()
  let read = 0
  return (bytes) => {
    read += bytes
    const elapsedS = (nowMs() - startMs) / 1000
    const etaS = Math.ceil((elapsedS / read) * (total - read))
    tell({ stage: 'hash', percent: Math.floor((99 * read) / total), ...(elapsedS < 1 ? {} : { etaS }) })
  }
}

const infoOf = (metainfo: Metainfo, infohash: string, { input }: Source): TorrentInfo => ({
  schemaVersion: 1,
  infohash,
  name: metainfo.name,
  bytes: bytesOf(metainfo),
  files: metainfo.files.length,
  pieceLength: metainfo.pieceLength,
  pieces: metainfo.pieces.length / 20,
  private: metainfo.private,
  trackers: metainfo.trackers.map((tier) => [...tier]),
  webSeeds: [...metainfo.webSeeds],
  magnet: magnetOf(metainfo, infohash),
  source: {
    bucket: input.bucket ?? '',
    key: input.key ?? '',
    ...(input.etag === undefined ? {} : { etag: input.etag.replaceAll('"', '') }),
    ...(input.versionId === undefined ? {} : { versionId: input.versionId }),
  },
})

const publish = async (
  { scratch, settings, storage, signal }: Work,
  bytes: Buffer,
  info: TorrentInfo,
): Promise<ManifestFile[]> => {
  const wanted: [name: string, content: Buffer | string, role: FileRole][] = [
    [`${info.name}.torrent`, bytes, 'torrent'],
    ['magnet.txt', `${info.magnet}\n`, 'magnet'],
    [torrentInfoName, `${JSON.stringify(info, null, 2)}\n`, 'metadata'],
  ]
  const files: ManifestFile[] = []
  for (const [index, [name, content, role]] of wanted.entries()) {
    // By its number: a name that S3 takes may be too long for the disk once it has an ending.
    const path = join(scratch, String(index))
    await writeFile(path, content)
    files.push(await storage.upload(path, settings.output + name, role, signal))
  }
  return files
}

const resultOf = (
  { infohash, name, bytes, files, pieceLength, pieces, ...info }: TorrentInfo,
  warnings: readonly Warning[],
): Record<string, unknown> => ({
  infohash,
  name,
  bytes,
  files,
  pieceLength,
  pieces,
  private: info.private,
  webSeeds: info.webSeeds.length,
  ...(warnings.length === 0 ? {} : { warnings }),
})

const nobodyTellsOf = ({ trackers, webSeeds }: TorrentInfo): Warning[] =>
  trackers.length + webSeeds.length > 0
    ? []
    : [
        {
          code: 'NobodyTellsOfIt',
          message:
            'It has neither trackers nor web seeds: only clients with DHT find a peer, and only while one seeds.',
        },
      ]
