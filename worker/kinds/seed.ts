import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type SeedParams, seedParamsSchema } from '../../schemas/kinds/seed.ts'
import type { Warning } from '../../schemas/object-address.ts'
import { WorkerError } from '../errors.ts'
import { withDaemon } from '../torrent/daemon.ts'
import { bytesOf, type ReadTorrent, readTorrent, withTrackers } from '../torrent/metainfo.ts'
import { moveToPlaces, placesOf } from '../torrent/places.ts'
import { fetchData, findData, requireRoom } from '../torrent/seed-data.ts'
import {
  addTorrent,
  type EndedBy,
  endOf,
  goalOf,
  isStopped,
  type Seeder,
  seedStatus,
  type TorrentSeen,
} from '../torrent/seeding.ts'
import { checkTrackers, openTrackerProxy } from '../torrent/trackers.ts'
import type { KindHandler, Work } from './handler.ts'
import { parseParams } from './parts.ts'

/** Torrents of millions of pieces are smaller; whoever sends more wants memory. */
const torrentBytes = 20 * 1024 * 1024

/**
 * Seeds a torrent for a time or to a ratio, by a transmission-daemon of its own. The data is brought to the disk and held against
 * the torrent before anybody hears of it: what is given away is what the torrent says, or nothing. Another attempt begins anew,
 * time and bytes included.
 */
export const seed: KindHandler = async (work) => {
  const { environment, scratch, signal, tell } = work
  const params = parseParams(seedParamsSchema, work.settings.params)
  tell({ stage: 'look', percent: 0 })
  const { torrent, bytes } = await fetchTorrent(work)
  const { tiers, warnings } = await checkTrackers(torrent.trackers, {
    privateSources: environment.PRIVATE_SOURCES,
  })
  await requireRoom(work, torrent)
  const brought = join(scratch, 'brought')
  const dataFolder = join(scratch, 'data')
  await fetchData(work, torrent, await findData(work, torrent, params.data), {
    folder: brought,
    onShare: (share) => tell({ stage: 'download', percent: Math.floor(share * 10) }),
  })
  const proxy = await openTrackerProxy({ privateSources: environment.PRIVATE_SOURCES })
  try {
    const options = {
      configFolder: join(scratch, 'transmission'),
      dataFolder,
      peerPort: environment.SEEDING_PORT,
      isPrivate: torrent.private,
      maxRateKBps: params.maxRateKBps,
      privateSources: environment.PRIVATE_SOURCES,
      proxyUrl: proxy.url,
      path: environment.PATH,
      nowMs: work.nowMs,
    }
    return await withDaemon(options, signal, async ({ rpc, peerPort }, ended) => {
      // Of a tracker that we have not judged it must not hear, however it would have come to find it.
      const seeder = await addTorrent(rpc, withTrackers(bytes, tiers), ended)
      const places = placesOf(torrent.files, await seeder.names())
      await moveToPlaces(places, { from: brought, to: dataFolder })
      tell({ stage: 'verify', percent: 10 })
      await seeder.verify((share) => tell({ stage: 'verify', percent: 10 + Math.floor(share * 5) }))
      work.log.info({ infohash: torrent.infohash, peerPort, name: torrent.name }, 'seeding')
      const given = await give(work, seeder, torrent, params, ended)
      return { files: [], result: resultOf(torrent, given, warnings) }
    })
  } finally {
    await proxy.close()
  }
}

const fetchTorrent = async (work: Work): Promise<{ torrent: ReadTorrent; bytes: Buffer }> => {
  const { settings, scratch, signal, storage } = work
  if (settings.input === undefined) throw new WorkerError('RECORD_INVALID', 'settings.input is missing')
  const path = join(scratch, 'torrent')
  await storage.download(settings.input, path, {
    signal,
    admit: async (bytes) => {
      if (bytes > torrentBytes)
        throw new WorkerError(
          'INPUT_TOO_LARGE',
          `a torrent of ${bytes} bytes, at most ${torrentBytes} are accepted`,
        )
    },
    onBytes: () => undefined,
  })
  const bytes = await readFile(path)
  try {
    return { torrent: readTorrent(bytes), bytes }
  } catch (error) {
    throw new WorkerError('TORRENT_INVALID', error instanceof Error ? error.message : String(error), error)
  }
}

type Given = { by: EndedBy; seconds: number; peersSeen: number; last: TorrentSeen }

const lookEveryMs = 1000
/** Of a busy torrent it is enough to know that there were many. */
const peersCounted = 100_000

const give = async (
  { tell, nowMs }: Work,
  seeder: Seeder,
  torrent: ReadTorrent,
  params: SeedParams,
  signal: AbortSignal,
): Promise<Given> => {
  const goal = goalOf(params, bytesOf(torrent))
  const peers = new Set<string>()
  await seeder.start(goal)
  const startMs = nowMs()
  for (;;) {
    const seen = await seeder.look()
    const elapsedMs = nowMs() - startMs
    for (const { address } of seen.peers) if (peers.size < peersCounted) peers.add(address)
    // The daemon stops by itself at the ratio that it was given, and by nothing else that is no error.
    const by = endOf(goal, seen.uploadedEver, elapsedMs) ?? (isStopped(seen) ? goal.by : undefined)
    if (by !== undefined)
      return { by, seconds: Math.round(elapsedMs / 1000), peersSeen: peers.size, last: seen }
    tell(seedStatus(goal, seen.uploadedEver, elapsedMs))
    await sleep(Math.min(lookEveryMs, Math.max(50, goal.durationMs - elapsedMs)), undefined, { signal })
  }
}

const resultOf = (
  torrent: ReadTorrent,
  { by, seconds, peersSeen, last }: Given,
  warnings: readonly Warning[],
): Record<string, unknown> => {
  const all = [...warnings, ...silentTrackers(last)].slice(0, 20)
  return {
    infohash: torrent.infohash,
    endedBy: by,
    seconds,
    uploadedBytes: last.uploadedEver,
    ratio: Math.round((100 * last.uploadedEver) / bytesOf(torrent)) / 100,
    peersSeen,
    ...(all.length === 0 ? {} : { warnings: all }),
  }
}

/** That a tracker does not answer keeps nobody from seeding to those who come another way. */
const silentTrackers = ({ trackerStats }: TorrentSeen): Warning[] =>
  trackerStats
    .filter(({ lastAnnounceSucceeded }) => !lastAnnounceSucceeded)
    .map(({ host, hasAnnounced, lastAnnounceResult }) => ({
      code: 'TrackerSilent',
      message:
        `${host} ${hasAnnounced ? `did not take the announcement: ${lastAnnounceResult || 'no answer'}` : 'was not reached in this time'}`.slice(
          0,
          300,
        ),
    }))
