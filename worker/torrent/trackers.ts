import type { lookup as DnsLookup } from 'node:dns'
import { lookup } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import { RequestError, Server } from 'proxy-chain'
import type { Warning } from '../../schemas/object-address.ts'
import { isPlainAddress, type PrivateSource, whyNoName, whyNotPublic } from '../../schemas/public-address.ts'
import { asWorkerError, WorkerError } from '../errors.ts'

export type TrackerCheck = {
  privateSources: readonly PrivateSource[]
  /** All addresses of a name; for tests. */
  resolve?: (name: string) => Promise<Address[]>
}

type Address = { address: string; family: number }

export type CheckedTrackers = {
  /** What the client may be told of. */
  tiers: string[][]
  warnings: Warning[]
}

/**
 * Looks at every tracker before a client that speaks for us is told of it: none may be inside of a network, where a stranger
 * would have us knock. One that cannot be used is a warning; the others may do.
 * @throws WorkerError URL_REFUSED
 */
export const checkTrackers = async (
  tiers: readonly (readonly string[])[],
  check: TrackerCheck,
): Promise<CheckedTrackers> => {
  const checked = await Promise.all(
    tiers.map((tier) => Promise.all(tier.map((tracker) => checkOne(tracker, check)))),
  )
  return {
    tiers: checked
      .map((tier) => tier.flatMap(({ address }) => (address === undefined ? [] : [address])))
      .filter((tier) => tier.length > 0),
    warnings: checked.flat().flatMap(({ warning }) => (warning === undefined ? [] : [warning])),
  }
}

const spoken = ['http:', 'https:', 'udp:']

/** One without an address yet may have one later, so the client is told of it. */
const checkOne = async (
  tracker: string,
  check: TrackerCheck,
): Promise<{ address?: string; warning?: Warning }> => {
  const url = URL.canParse(tracker) ? new URL(tracker) : undefined
  if (url === undefined || url.hostname === '' || !spoken.includes(url.protocol))
    return {
      warning: unusable(`${hostOf(url)} is no tracker over http, https or udp, which transmission speaks`),
    }
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
  const found = await addressesOf(url.hostname, port, check)
  return {
    address: asJudged(url),
    ...(found.length > 0 ? {} : { warning: unusable(`${url.hostname} has no address`) }),
  }
}

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

const unusable = (message: string): Warning => ({ code: 'TrackerUnusable', message: `${message}.` })

/** Where a host may be asked: all its addresses, if all are allowed. @throws WorkerError URL_REFUSED */
const addressesOf = async (
  named: string,
  port: number,
  { privateSources, resolve = resolveAll }: TrackerCheck,
): Promise<Address[]> => {
  const host = named.replace(/^\[(.*)\]$/, '$1')
  const refuse = (why: string): never => {
    throw new WorkerError('URL_REFUSED', `the tracker ${host}:${port}: ${why}`)
  }
  const isPlain = isPlainAddress(host)
  const why = isPlain ? undefined : whyNoName(host)
  if (why !== undefined) refuse(why)
  const addresses = isPlain
    ? [{ address: host, family: host.includes(':') ? 6 : 4 }]
    : await resolve(host).catch(() => [])
  for (const { address } of addresses) {
    const whyNot = whyNotPublic(address, port, privateSources)
    if (whyNot !== undefined) refuse(whyNot)
  }
  return addresses
}

const resolveAll = (name: string): Promise<Address[]> => lookup(name, { all: true })

export type TrackerProxy = { url: string; close: () => Promise<void> }

/**
 * The way to trackers over HTTP for a client that resolves names by itself and follows redirects: each connection is judged once
 * more and goes to the address that was judged, so that a name that means something else by then gains nothing.
 */
export const openTrackerProxy = async (check: TrackerCheck): Promise<TrackerProxy> => {
  const server = new Server({
    host: '127.0.0.1',
    port: 0,
    prepareRequestFunction: async ({ hostname, port }) => {
      const addresses = await addressesOf(hostname, port, check).catch((thrown: unknown) => {
        throw new RequestError(asWorkerError(thrown).message, 403)
      })
      if (addresses.length === 0) throw new RequestError(`${hostname} has no address`, 502)
      // Only the plain form is called; the one with promises that belongs to its type is not.
      return { dnsLookup: lookupOf(addresses) as unknown as typeof DnsLookup }
    },
  })
  await server.listen()
  return { url: `http://127.0.0.1:${server.port}`, close: () => server.close(true) }
}

const lookupOf =
  (addresses: readonly Address[]): LookupFunction =>
  (_name, options, done) => {
    const [first] = addresses
    if (options.all) done(null, [...addresses])
    else if (first === undefined) done(new Error('no address'), '', 4)
    else done(null, first.address, first.family)
  }
