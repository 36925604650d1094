import type { lookup as DnsLookup } from 'node:dns'
import { RequestError, Server } from 'proxy-chain'
import type { Warning } from '../../schemas/object-address.ts'
import { asWorkerError, WorkerError } from '../errors.ts'
import { inParallel } from '../kinds/in-parallel.ts'
import { type Guard, type GuardOptions, openGuard } from '../net/guard.ts'
import { portOf } from '../net/guarded-fetch.ts'

export type TrackerCheck = Pick<GuardOptions, 'privateSources' | 'resolve'>

export type CheckedTrackers = {
  /** What the client may be told of. */
  tiers: string[][]
  warnings: Warning[]
}

/** Trackers listen on any port; where they are is judged like every other address that a stranger gives us. */
const guardOf = (check: TrackerCheck): Guard => openGuard({ ...check, ports: 'any', called: 'the tracker' })

/** Lists of all public trackers have about as many. A torrent can name hundreds of thousands, each of them a question to the DNS. */
const trackersAtMost = 100

/**
 * Looks at every tracker before a client that speaks for us is told of it: none may be inside of a network, where a stranger
 * would have us knock. One that cannot be used is a warning; the others may do. Those beyond the bound nobody looks up, and
 * nobody is told of.
 * @throws WorkerError URL_REFUSED
 */
export const checkTrackers = async (
  tiers: readonly (readonly string[])[],
  check: TrackerCheck,
): Promise<CheckedTrackers> => {
  const guard = guardOf(check)
  const kept = firstOf(tiers, trackersAtMost)
  const listed = kept.flatMap((trackers, tier) => trackers.map((tracker) => ({ tracker, tier })))
  const checked = await inParallel(listed, async ({ tracker, tier }) => ({
    tier,
    ...(await checkOne(tracker, guard)),
  }))
  return {
    tiers: kept
      .map((_, index) =>
        checked.flatMap(({ tier, address }) => (tier === index && address !== undefined ? [address] : [])),
      )
      .filter((tier) => tier.length > 0),
    warnings: [
      ...leftOut(tiers, listed.length),
      ...checked.flatMap(({ warning }) => (warning === undefined ? [] : [warning])),
    ],
  }
}

/** The first so many of all, in their tiers. */
const firstOf = (tiers: readonly (readonly string[])[], count: number): (readonly string[])[] => {
  const kept: (readonly string[])[] = []
  let left = count
  for (const tier of tiers) {
    if (left === 0) break
    const trackers = tier.slice(0, left)
    left -= trackers.length
    kept.push(trackers)
  }
  return kept
}

const leftOut = (tiers: readonly (readonly string[])[], kept: number): Warning[] => {
  const all = tiers.reduce((sum, tier) => sum + tier.length, 0)
  return all === kept
    ? []
    : [{ code: 'TrackersLeftOut', message: `It names ${all} trackers, and the first ${kept} are asked.` }]
}

const spoken = ['http:', 'https:', 'udp:']

/** One without an address yet may have one later, so the client is told of it. */
const checkOne = async (tracker: string, guard: Guard): Promise<{ address?: string; warning?: Warning }> => {
  const url = URL.canParse(tracker) ? new URL(tracker) : undefined
  if (url === undefined || url.hostname === '' || !spoken.includes(url.protocol))
    return {
      warning: unusable(`${hostOf(url)} is no tracker over http, https or udp, which transmission speaks`),
    }
  const hasAddress = await guard.check(url.hostname, portOf(url)).then(
    () => true,
    (thrown: unknown) => {
      if (!isUnknown(thrown)) throw thrown
      return false
    },
  )
  return {
    address: asJudged(url),
    ...(hasAddress ? {} : { warning: unusable(`${url.hostname} has no address`) }),
  }
}

/** Nobody knows the name, which is no reason against it. */
const isUnknown = (thrown: unknown): boolean =>
  thrown instanceof WorkerError && thrown.code === 'SOURCE_UNREACHABLE'

/** As it was read here, because the client reads in its own way: a zero byte ends an address, and what stands before an @ is a host. */
const asJudged = (read: URL): string => {
  const url = new URL(read)
  if (url.protocol === 'udp:') {
    url.username = ''
    url.password = ''
  }
  return url.href
}

/** Without path and query: private trackers have a password in there. */
const hostOf = (url: URL | undefined): string =>
  url === undefined ? 'an announce URL' : `${url.protocol}//${url.host}`

/** A record keeps it, and a host in a torrent may have megabytes. */
const unusable = (message: string): Warning => ({
  code: 'TrackerUnusable',
  message: `${message.slice(0, 300)}.`,
})

export type TrackerProxy = { url: string; close: () => Promise<void> }

/**
 * The way to trackers over HTTP for a client that resolves names by itself and follows redirects: each connection is judged once
 * more and goes to the address that was judged, so that a name that means something else by then gains nothing.
 */
export const openTrackerProxy = async (check: TrackerCheck): Promise<TrackerProxy> => {
  const guard = guardOf(check)
  const server = new Server({
    host: '127.0.0.1',
    port: 0,
    prepareRequestFunction: async ({ hostname, port }) => {
      const { lookup } = await guard.check(hostname, port).catch((thrown: unknown) => {
        throw new RequestError(asWorkerError(thrown).message, isUnknown(thrown) ? 502 : 403)
      })
      // Only the plain form is called; the one with promises that belongs to its type is not.
      return { dnsLookup: lookup as unknown as typeof DnsLookup }
    },
  })
  await server.listen()
  return { url: `http://127.0.0.1:${server.port}`, close: () => server.close(true) }
}
