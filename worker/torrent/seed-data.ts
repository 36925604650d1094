import { mkdir, statfs, truncate, writeFile } from 'node:fs/promises'
import { fargateEphemeralStorage } from '../../schemas/fargate.ts'
import type { ObjectAddress } from '../../schemas/object-address.ts'
import { problemsOf, summaryOf } from '../../schemas/problems.ts'
import { askForStorage } from '../../schemas/sizes.ts'
import type { Input } from '../../schemas/spec.ts'
import { type TorrentInfo, torrentInfoName, torrentInfoSchema } from '../../schemas/torrent.ts'
import { WorkerError } from '../errors.ts'
import type { Work } from '../kinds/handler.ts'
import { readObject } from '../kinds/parts.ts'
import { bytesOf, isSingle, type ReadTorrent, type TorrentFile } from './metainfo.ts'
import { broughtTo } from './places.ts'

/** What a task needs besides the data: the torrent, the daemon's state. */
const spareBytes = 64 * 1024 * 1024
const GiB = 1024 ** 3

/** @throws WorkerError those of `requireRoomFor` */
export const requireRoom = async ({ scratch }: Work, torrent: ReadTorrent): Promise<void> => {
  const { bavail, bsize } = await statfs(scratch)
  const data = bytesOf({ ...torrent, files: torrent.files.filter(({ isPadding }) => !isPadding) })
  requireRoomFor(data, bavail * bsize)
}

/**
 * What is asked for, the controller gives to the next attempt (`storageAskedFor`); what no task has, no attempt would have. Pure.
 * @throws WorkerError DISK_FULL, naming what to ask for; INPUT_TOO_LARGE where no task can have so much
 */
export const requireRoomFor = (dataBytes: number, freeBytes: number): void => {
  const needed = dataBytes + spareBytes
  if (freeBytes >= needed) return
  const { minGiB, maxGiB } = fargateEphemeralStorage
  // A tenth is for image and file system.
  const wanted = Math.max(minGiB, Math.ceil((needed * 1.1) / GiB))
  if (wanted > maxGiB)
    throw new WorkerError(
      'INPUT_TOO_LARGE',
      `the data has ${dataBytes} bytes, which would take ${wanted} GiB of disk, and no task has more than ${maxGiB}`,
    )
  throw new WorkerError(
    'DISK_FULL',
    `the data has ${dataBytes} bytes, and ${freeBytes} are free. ${askForStorage(wanted)}`,
  )
}

/**
 * Where the data of a torrent lies: where the parameters say, else where the file beside the torrent says that it was made from.
 * @throws WorkerError RECORD_INVALID, and those of `Storage.download`
 */
export const findData = async (
  work: Work,
  torrent: ReadTorrent,
  named: ObjectAddress | undefined,
): Promise<Input & ObjectAddress> => {
  if (named !== undefined) return named
  const { bucket = '', key = '' } = work.settings.input ?? {}
  const beside = { bucket, key: key.slice(0, key.lastIndexOf('/') + 1) + torrentInfoName }
  const info = await readInfo(work, beside)
  if (info.infohash !== torrent.infohash)
    throw new WorkerError(
      'RECORD_INVALID',
      `${beside.key} is about another torrent; name the data in settings.params.data`,
    )
  return info.source
}

const readInfo = async (work: Work, address: ObjectAddress): Promise<TorrentInfo> => {
  const text = await readObject(work, address).catch((thrown: unknown) => {
    if (!(thrown instanceof WorkerError) || thrown.code !== 'INPUT_MISSING') throw thrown
    throw new WorkerError(
      'RECORD_INVALID',
      `settings.params.data is missing, and there is no ${address.key} that would say it`,
      thrown,
    )
  })
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new WorkerError('RECORD_INVALID', `${address.key} is not JSON`, error)
  }
  const parsed = torrentInfoSchema.safeParse(json)
  if (parsed.success) return parsed.data
  throw new WorkerError('RECORD_INVALID', `${address.key}: ${summaryOf(problemsOf(parsed.error, json))}`)
}

/**
 * Brings the data to the disk, each file under its number.
 * @param folder where `broughtTo` finds it
 * @throws WorkerError TORRENT_DATA_MISMATCH for another size, and those of `Storage.download`
 */
export const fetchData = async (
  work: Work,
  torrent: ReadTorrent,
  data: Input & ObjectAddress,
  { folder, onShare }: { folder: string; onShare: (share: number) => void },
): Promise<void> => {
  await mkdir(folder, { recursive: true })
  const total = bytesOf(torrent)
  let before = 0
  for (const [index, file] of torrent.files.entries()) {
    const path = broughtTo(folder, index)
    if (file.isPadding) await writeZeros(path, file.bytes)
    else
      await fetchFile(work, inputOf(torrent, file, data), path, {
        bytes: file.bytes,
        onShare: (share) => onShare((before + share * file.bytes) / total),
      })
    before += file.bytes
  }
}

const fetchFile = async (
  { storage, signal }: Work,
  input: Input & ObjectAddress,
  path: string,
  { bytes, onShare }: { bytes: number; onShare: (share: number) => void },
): Promise<void> => {
  await storage.download(input, path, {
    signal,
    admit: async (seen) => {
      if (seen !== bytes)
        throw new WorkerError(
          'TORRENT_DATA_MISMATCH',
          `${input.key} has ${seen} bytes, the torrent says ${bytes}`,
        )
    },
    onBytes: onShare,
  })
}

/** They take no room: what was never written reads as zeros. */
const writeZeros = async (path: string, bytes: number): Promise<void> => {
  await writeFile(path, '')
  await truncate(path, bytes)
}

/** Of several files the named object is the manifest beside them, whose etag is not theirs. */
const inputOf = (
  torrent: ReadTorrent,
  { path }: TorrentFile,
  data: Input & ObjectAddress,
): Input & ObjectAddress =>
  isSingle(torrent)
    ? data
    : { bucket: data.bucket, key: data.key.slice(0, data.key.lastIndexOf('/') + 1) + path.join('/') }
