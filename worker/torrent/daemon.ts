import { randomBytes } from 'node:crypto'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { PrivateSource } from '../../schemas/public-address.ts'
import { type ChildEnd, runChild } from '../children.ts'
import { WorkerError } from '../errors.ts'
import { openRpc, type Rpc, untilAnswering } from './rpc.ts'
import { blocklist, daemonArguments, daemonEnvironment, daemonSettings } from './transmission.ts'

export type Daemon = {
  rpc: Rpc
  /** The port that peers reach it by. */
  peerPort: number
}

export type DaemonOptions = {
  /** Where its state goes; made here. */
  configFolder: string
  dataFolder: string
  /** 0: any free one. */
  peerPort: number
  isPrivate: boolean
  maxRateKBps: number | undefined
  privateSources: readonly PrivateSource[]
  /** The way to trackers over HTTP. */
  proxyUrl: string
  path: string
  nowMs: () => number
}

const program = 'transmission-daemon'
/** For its last words to the trackers, which it gives itself less for. */
const killAfterMs = 20_000

/**
 * A transmission-daemon of our own, and what is done with it. In every case it is told to end, by SIGTERM: it tells the trackers
 * goodbye then.
 * @throws WorkerError TORRENT_CLIENT_MISSING; TORRENT_CLIENT_FAILED also when it ends by itself
 */
export const withDaemon = async <T>(
  options: DaemonOptions,
  signal: AbortSignal,
  use: (daemon: Daemon, signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const peerPort = options.peerPort === 0 ? await freePort('0.0.0.0') : options.peerPort
  const access = {
    rpcPort: await freePort('127.0.0.1'),
    user: 'worker',
    password: randomBytes(24).toString('hex'),
  }
  const { configFolder } = options
  await writeConfiguration({ ...options, ...access, peerPort })

  const stopping = new AbortController()
  const gone = new AbortController()
  const running = runChild(program, daemonArguments({ configFolder }), {
    env: daemonEnvironment(options.path, configFolder, options.proxyUrl),
    signal: stopping.signal,
    killAfterMs,
  }).then(
    (end) => gone.abort(goneError(end)),
    (error: unknown) => gone.abort(notStarted(error)),
  )
  const either = AbortSignal.any([signal, gone.signal])
  try {
    const rpc = openRpc(access, either)
    await untilAnswering(rpc, options.nowMs, either)
    return await use({ rpc, peerPort }, either)
  } catch (thrown) {
    // That it is gone explains everything else, but for being told to stop.
    signal.throwIfAborted()
    throw gone.signal.aborted ? gone.signal.reason : thrown
  } finally {
    if (!gone.signal.aborted) await lastWords(access)
    stopping.abort()
    await running
  }
}

const lastWordsMs = 5000
/** How often the daemon looks at what it has to announce, and a little more. */
const announcesEveryMs = 700

/** Stops all torrents and waits until the trackers know: a daemon that is ended by a signal alone tells them nothing. */
const lastWords = async (access: { rpcPort: number; user: string; password: string }): Promise<void> => {
  const signal = AbortSignal.timeout(lastWordsMs)
  const rpc = openRpc(access, signal)
  try {
    const stoppedAtS = Math.floor(Date.now() / 1000)
    await rpc.ask('torrent-stop', {}, z.unknown())
    for (;;) {
      await sleep(announcesEveryMs, undefined, { signal })
      const { torrents } = await rpc.ask('torrent-get', { fields: ['trackerStats'] }, announcedSchema)
      const trackers = torrents.flatMap(({ trackerStats }) => trackerStats)
      if (trackers.every((one) => !one.lastAnnounceSucceeded || one.lastAnnounceTime >= stoppedAtS)) return
    }
  } catch {
    // A tracker that does not answer forgets us by itself.
  }
}

const announcedSchema = z.object({
  torrents: z.array(
    z.object({
      trackerStats: z.array(z.object({ lastAnnounceSucceeded: z.boolean(), lastAnnounceTime: z.number() })),
    }),
  ),
})

const writeConfiguration = async (
  options: DaemonOptions & { rpcPort: number; user: string; password: string },
): Promise<void> => {
  const { configFolder, privateSources } = options
  await mkdir(join(configFolder, 'blocklists'), { recursive: true })
  const settings = join(configFolder, 'settings.json')
  await writeFile(settings, JSON.stringify(daemonSettings(options), null, 2), { mode: 0o600 })
  await chmod(settings, 0o600)
  await writeFile(join(configFolder, 'blocklists', 'not-public'), blocklist(privateSources))
}

const goneError = ({ exitCode, signal, stderr }: ChildEnd): WorkerError =>
  new WorkerError(
    'TORRENT_CLIENT_FAILED',
    `it ended by itself (${signal ?? exitCode}): ${stderr.trim().split('\n').slice(-3).join(' ').slice(-300)}`,
  )

const notStarted = (error: unknown): WorkerError =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT'
    ? new WorkerError(
        'TORRENT_CLIENT_MISSING',
        'on Debian and Ubuntu: apt-get install transmission-daemon',
        error,
      )
    : new WorkerError('TORRENT_CLIENT_FAILED', String(error), error)

const freePort = (host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, host, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
