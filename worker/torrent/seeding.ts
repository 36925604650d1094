import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { SeedParams } from '../../schemas/kinds/seed.ts'
import { WorkerError } from '../errors.ts'
import type { Status } from '../heartbeat.ts'
import type { Rpc } from './rpc.ts'

/** What is asked for, in bytes and milliseconds. */
export type Goal = { bytes: number; durationMs: number; uploadBytes: number; by: 'ratio' | 'maxUploadBytes' }

/** The ratio and the most bytes are one number: whichever comes first. */
export const goalOf = (
  { duration, ratio, maxUploadBytes }: Pick<SeedParams, 'duration' | 'ratio' | 'maxUploadBytes'>,
  bytes: number,
): Goal => {
  const byRatio = ratio === undefined ? Number.POSITIVE_INFINITY : Math.ceil(ratio * bytes)
  return {
    bytes,
    durationMs: duration * 1000,
    uploadBytes: Math.min(byRatio, maxUploadBytes),
    by: byRatio <= maxUploadBytes ? 'ratio' : 'maxUploadBytes',
  }
}

export type EndedBy = 'duration' | Goal['by']

/** Whether it is enough, and why; undefined: not yet. */
export const endOf = (goal: Goal, uploadedBytes: number, elapsedMs: number): EndedBy | undefined => {
  if (uploadedBytes >= goal.uploadBytes) return goal.by
  return elapsedMs >= goal.durationMs ? 'duration' : undefined
}

/** Download and verification are the first part of the whole; the last hundredth belongs to the end. */
const seedFrom = 15

/** How far it is: by time or by bytes, whichever is further, since whichever comes first ends it. */
export const seedStatus = (goal: Goal, uploadedBytes: number, elapsedMs: number): Status => {
  const share = Math.min(1, Math.max(elapsedMs / goal.durationMs, uploadedBytes / goal.uploadBytes))
  const byTimeS = (goal.durationMs - elapsedMs) / 1000
  const byBytesS =
    uploadedBytes === 0
      ? Number.POSITIVE_INFINITY
      : ((goal.uploadBytes - uploadedBytes) * elapsedMs) / uploadedBytes / 1000
  return {
    stage: 'seed',
    percent: Math.min(99, seedFrom + Math.floor((99 - seedFrom) * share)),
    etaS: Math.max(0, Math.ceil(Math.min(byTimeS, byBytesS))),
  }
}

const addedSchema = z.union([
  z
    .object({ 'torrent-added': z.object({ id: z.number() }) })
    .transform((answer) => answer['torrent-added'].id),
  z
    .object({ 'torrent-duplicate': z.object({ id: z.number() }) })
    .transform((answer) => answer['torrent-duplicate'].id),
])

const torrentSchema = z.object({
  status: z.number(),
  leftUntilDone: z.number(),
  recheckProgress: z.number(),
  error: z.number(),
  errorString: z.string(),
  uploadedEver: z.number(),
  peers: z.array(z.object({ address: z.string() })),
  trackerStats: z.array(
    z.object({
      host: z.string(),
      hasAnnounced: z.boolean(),
      lastAnnounceSucceeded: z.boolean(),
      lastAnnounceResult: z.string(),
    }),
  ),
})
const namesSchema = z.object({
  torrents: z.array(z.object({ files: z.array(z.object({ name: z.string() })) })),
})
export type TorrentSeen = z.infer<typeof torrentSchema>

/** Numbers of the RPC specification. */
const stopped = 0
const localError = 3

export type Seeder = {
  /** What it calls the files on its disk, in the order of the torrent. */
  names: () => Promise<string[]>
  look: () => Promise<TorrentSeen>
  /** @throws WorkerError TORRENT_DATA_MISMATCH */
  verify: (onShare: (share: number) => void) => Promise<void>
  /** Until now nobody has heard of it. */
  start: (goal: Goal) => Promise<void>
}

const lookEveryMs = 200
/** Between the wish to verify and the beginning of it. */
const verifyBeginsWithinMs = 3000

/** Hands a torrent to the daemon, silent. */
export const addTorrent = async (rpc: Rpc, torrent: Buffer, signal: AbortSignal): Promise<Seeder> => {
  const request = { metainfo: torrent.toString('base64'), paused: true }
  const id = await rpc.ask('torrent-add', request, addedSchema)
  const tell = (method: string, more: Record<string, unknown> = {}) =>
    rpc.ask(method, { ids: [id], ...more }, z.unknown()).then(() => undefined)
  const look = async (): Promise<TorrentSeen> => {
    const { torrents } = await rpc.ask(
      'torrent-get',
      { ids: [id], fields: Object.keys(torrentSchema.shape) },
      z.object({ torrents: z.array(torrentSchema) }),
    )
    const [seen] = torrents
    if (seen === undefined) throw new WorkerError('TORRENT_CLIENT_FAILED', 'it has forgotten the torrent')
    if (seen.error === localError) throw new WorkerError('TORRENT_CLIENT_FAILED', seen.errorString)
    return seen
  }
  return {
    names: async () => {
      const { torrents } = await rpc.ask('torrent-get', { ids: [id], fields: ['files'] }, namesSchema)
      return torrents.flatMap(({ files }) => files.map(({ name }) => name))
    },
    look,
    verify: async (onShare) => {
      await tell('torrent-verify')
      for (let idleMs = 0; idleMs < verifyBeginsWithinMs; ) {
        const seen = await look()
        if (seen.status === stopped && seen.leftUntilDone === 0) return
        if (seen.status === stopped) idleMs += lookEveryMs
        else {
          idleMs = 0
          onShare(seen.recheckProgress)
        }
        await sleep(lookEveryMs, undefined, { signal })
      }
      const { leftUntilDone } = await look()
      throw new WorkerError(
        'TORRENT_DATA_MISMATCH',
        `${leftUntilDone} bytes belong to pieces with another hash`,
      )
    },
    start: async ({ uploadBytes, bytes }) => {
      // The daemon counts as well: between two looks of ours a fast line gives a lot.
      await tell('torrent-set', { seedRatioMode: 1, seedRatioLimit: uploadBytes / bytes })
      await tell('torrent-start')
    },
  }
}

export const isStopped = ({ status }: TorrentSeen): boolean => status === stopped
