import { lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { isPlainAddress, type PrivateSource, whyNoName, whyNotPublic } from '../../schemas/public-address.ts'
import { WorkerError } from '../errors.ts'

export type Address = { address: string; family: 4 | 6 }

/** Where a connection may go: addresses that were checked, and no others. */
export type Target = {
  host: string
  port: number
  addresses: readonly Address[]
  /** For `net`, `tls` and `http`: gives out the checked addresses, whatever the name means by then. */
  lookup: LookupFunction
}

export type Guard = {
  /**
   * Resolves a host once and checks every address it has.
   * @throws WorkerError URL_REFUSED with the reason, SOURCE_UNREACHABLE if the name has no address
   */
  check: (host: string, port: number) => Promise<Target>
}

export type GuardOptions = {
  privateSources: readonly PrivateSource[]
  /** All addresses of a name; for tests. */
  resolve?: (name: string) => Promise<Address[]>
  /** Where a public address may be asked. Absent: only where streams are served. */
  ports?: 'streams' | 'any'
  /** What a refusal calls the host, where it is not the input itself. */
  called?: string
}

/** What streams are served on: the web, RTMP, RTSP, and where Icecast and its kin usually listen. */
export const isStreamPort = (port: number): boolean =>
  [80, 443, 554, 1935].includes(port) || (port >= 8000 && port <= 8999)

/**
 * Decides about every connection that is made for a user: to public addresses only, and to those that an operator opened.
 * A name is resolved once, here; with several addresses all must be allowed, and what was checked is what is connected to,
 * so that a name that means something else a moment later (DNS rebinding) gains nothing.
 */
export const openGuard = ({
  privateSources,
  resolve = resolveAll,
  ports = 'streams',
  called,
}: GuardOptions): Guard => {
  const refused = (what: string, why: string): WorkerError =>
    new WorkerError('URL_REFUSED', `${called === undefined ? '' : `${called} `}${what}: ${why}`)
  return {
    check: async (named, port) => {
      const host = named.replace(/^\[(.*)\]$/, '$1')
      const isPlain = isPlainAddress(host)
      const whyNot = isPlain ? undefined : whyNoName(host)
      if (whyNot !== undefined) throw refused(host, whyNot)
      const addresses = isPlain ? [addressOf(host)] : await resolveName(host, resolve)
      for (const { address } of addresses) {
        const why = whyNotPublic(address, port, privateSources)
        if (why !== undefined)
          throw refused(host === address ? `${host}:${port}` : `${host}:${port} (${address})`, why)
      }
      const isOpened = addresses.every(({ address }) => whyNotPublic(address, port) !== undefined)
      if (ports === 'streams' && !isStreamPort(port) && !isOpened)
        throw refused(`${host}:${port}`, 'the port must be 80, 443, 554, 1935, or 8000 to 8999')
      return { host, port, addresses, lookup: lookupOf(addresses) }
    },
  }
}

const resolveName = async (
  host: string,
  resolve: (name: string) => Promise<Address[]>,
): Promise<Address[]> => {
  const addresses = await resolve(host).catch((error: unknown) => {
    throw new WorkerError('SOURCE_UNREACHABLE', `${host} has no address`, error)
  })
  if (addresses.length === 0) throw new WorkerError('SOURCE_UNREACHABLE', `${host} has no address`)
  return addresses
}

const addressOf = (address: string): Address => ({ address, family: address.includes(':') ? 6 : 4 })

const resolveAll = (name: string): Promise<Address[]> =>
  new Promise((resolve, reject) => {
    lookup(name, { all: true }, (error, addresses) =>
      error === null ? resolve(addresses.map(({ address }) => addressOf(address))) : reject(error),
    )
  })

const lookupOf =
  (addresses: readonly Address[]): LookupFunction =>
  (_name, options, done) => {
    const fitting = addresses.filter(({ family }) => !options.family || Number(options.family) === family)
    const [first] = fitting
    if (first === undefined) done(new Error('no address of that family was checked'), '', 4)
    else if (options.all) done(null, [...fitting])
    else done(null, first.address, first.family)
  }
