import ipaddr from 'ipaddr.js'

/** Addresses that an operator opened for sources that are not on the public internet, with a port or for all ports. */
export type PrivateSource = { network: string; prefix: number; port: number | undefined }

/**
 * Why no connection may go to an address; undefined: it may. Only what everybody can reach is public: unicast, and of IPv6 only the
 * part that is given out (2000::/3), without the ranges that carry an IPv4 address inside.
 * @param address in its plain form, as a resolver gives it
 */
export const whyNotPublic = (
  address: string,
  port: number,
  opened: readonly PrivateSource[] = [],
): string | undefined => {
  const parsed = parseAddress(address)
  if (parsed === undefined) return 'it is no plain IP address'
  const range = rangeOf(parsed)
  if (range === 'public') return undefined
  if (neverOpened(parsed, range)) return `${address} is ${words[range] ?? 'not public'}`
  return opened.some((source) => covers(source, parsed, port))
    ? undefined
    : `${address} is ${words[range] ?? 'not public'}`
}

/** What nobody may open: credentials of tasks and machines are handed out there, or nothing at all is. */
const neverOpened = (address: ipaddr.IPv4 | ipaddr.IPv6, range: string): boolean =>
  !['loopback', 'private', 'uniqueLocal', 'carrierGradeNat'].includes(range) || isMetadata(address)

/** AWS keeps fd00:ec2::/32 for services of its own inside every VPC, the metadata of the machine among them. */
const isMetadata = (address: ipaddr.IPv4 | ipaddr.IPv6): boolean =>
  address instanceof ipaddr.IPv6 && address.match(ipaddr.IPv6.parse('fd00:ec2::'), 32)

const rangeOf = (address: ipaddr.IPv4 | ipaddr.IPv6): string => {
  const range = address.range()
  if (range !== 'unicast') return range
  const isGivenOut = address instanceof ipaddr.IPv4 || address.match(ipaddr.IPv6.parse('2000::'), 3)
  return isGivenOut ? 'public' : 'unassigned'
}

const words: Readonly<Record<string, string>> = {
  loopback: 'the task itself (loopback)',
  linkLocal: 'link-local, where credentials of tasks and machines are handed out',
  private: 'private',
  uniqueLocal: 'private',
  carrierGradeNat: 'private (carrier-grade NAT)',
  unspecified: 'the task itself (unspecified)',
  ipv4Mapped: 'an IPv4 address in disguise',
  rfc6145: 'an IPv4 address in disguise',
  rfc6052: 'an IPv4 address in disguise',
  '6to4': 'an IPv4 address in disguise',
  teredo: 'an IPv4 address in disguise',
  multicast: 'multicast',
  broadcast: 'broadcast',
}

const parseAddress = (text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined => {
  // Octal, hexadecimal and short forms of IPv4, and zones of IPv6, mean different things to different programs.
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text)
  return !text.includes('%') && ipaddr.IPv6.isValid(text) ? ipaddr.IPv6.parse(text) : undefined
}

/** Whether a host is an IP address in its plain form; brackets of a URL are not part of it. */
export const isPlainAddress = (host: string): boolean => parseAddress(host) !== undefined

/** Why a host cannot be the name of something public; undefined: it can, and its addresses decide. */
export const whyNoName = (host: string): string | undefined => {
  if (host.endsWith('.'))
    return 'a name with a dot at its end goes around search lists of others; leave it out'
  const labels = host.toLowerCase().split('.')
  const last = labels.at(-1) ?? ''
  if (/^(\d+|0x[0-9a-f]*)$/.test(last)) return 'it is an IP address in an unusual form'
  if (privateEndings.has(last)) return 'names that end so are not public'
  if (labels.length < 2) return 'a public name has a dot in it'
  return /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(host.toLowerCase()) ? undefined : 'it is not a host name'
}

/** Names that stand for something near by (RFC 6761, 6762, 8375, 9476, and what AWS gives to machines). */
const privateEndings = new Set([
  'localhost',
  'local',
  'internal',
  'lan',
  'home',
  'corp',
  'intranet',
  'arpa',
  'onion',
])

const covers = (
  { network, prefix, port }: PrivateSource,
  address: ipaddr.IPv4 | ipaddr.IPv6,
  asked: number,
): boolean => {
  const base = parseAddress(network)
  return (
    base?.kind() === address.kind() && (port === undefined || port === asked) && address.match(base, prefix)
  )
}

/**
 * `127.0.0.1:8080`, `10.1.0.0/16`, `[fd12::]/32`, `[::1]:8080`.
 * @returns undefined for what is no such thing, and for addresses that nobody may open
 */
export const parsePrivateSource = (text: string): PrivateSource | undefined => {
  const match = /^(?:\[([^\]]+)\]|([0-9.]+))(?:\/(\d{1,3}))?(?::(\d{1,5}))?$/.exec(text)
  const network = match?.[1] ?? match?.[2]
  const address = network === undefined ? undefined : parseAddress(network)
  if (network === undefined || address === undefined) return undefined
  const bits = address.kind() === 'ipv4' ? 32 : 128
  const prefix = match?.[3] === undefined ? bits : Number(match[3])
  const port = match?.[4] === undefined ? undefined : Number(match[4])
  // A network so wide that nobody can have meant it would open ranges of very different kinds.
  if (prefix > bits || prefix < 8 || (port !== undefined && (port < 1 || port > 65_535))) return undefined
  return neverOpened(address, rangeOf(address)) ? undefined : { network, prefix, port }
}
