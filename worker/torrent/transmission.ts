import type { PrivateSource } from '../../schemas/public-address.ts'

/** How transmission-daemon is told what to do: pure, so that every choice stands in a table test. */

export type DaemonPlan = {
  /** Absolute; the daemon keeps its state here. */
  configFolder: string
  /** Absolute; the data lies here. */
  dataFolder: string
  rpcPort: number
  peerPort: number
  /** Of the control connection; the daemon replaces the password by its hash when it starts. */
  user: string
  password: string
  /** Of a private torrent only the trackers may tell. */
  isPrivate: boolean
  maxRateKBps: number | undefined
}

/** In the foreground, with everything else in `settings.json`: arguments can be read by every process of the machine. */
export const daemonArguments = ({ configFolder }: Pick<DaemonPlan, 'configFolder'>): string[] => [
  '--foreground',
  '--config-dir',
  configFolder,
]

/**
 * Never ours: what speaks to strangers must not hold credentials, nor know where they are handed out.
 * @param proxyUrl what libcurl, by which the daemon asks trackers over HTTP, sends everything through
 */
export const daemonEnvironment = (
  path: string,
  configFolder: string,
  proxyUrl: string,
): Record<string, string> => ({
  PATH: path,
  LANG: 'C.UTF-8',
  HOME: configFolder,
  http_proxy: proxyUrl,
  https_proxy: proxyUrl,
})

/**
 * `settings.json` of transmission 3 and 4. What is not named has a default that does no harm here.
 */
export const daemonSettings = (plan: DaemonPlan): Record<string, unknown> => ({
  'download-dir': plan.dataFolder,
  'incomplete-dir-enabled': false,
  'start-added-torrents': false,
  // Asking how many peers there are is saying that one has it.
  'scrape-paused-torrents-enabled': false,
  'trash-original-torrent-files': false,
  'watch-dir-enabled': false,
  'script-torrent-done-enabled': false,
  'rename-partial-files': false,
  // 0: nothing is set aside. The data is there, and nothing may be added to it.
  preallocation: 0,

  'rpc-enabled': true,
  'rpc-bind-address': '127.0.0.1',
  'rpc-port': plan.rpcPort,
  'rpc-authentication-required': true,
  'rpc-username': plan.user,
  'rpc-password': plan.password,
  // Answers no other name than its own, and nobody who got the password wrong a few times.
  'rpc-whitelist-enabled': true,
  'rpc-whitelist': '127.0.0.1',
  'rpc-host-whitelist-enabled': true,
  'rpc-host-whitelist': '127.0.0.1',

  'peer-port': plan.peerPort,
  'peer-port-random-on-start': false,
  // Nobody on the way listens to that: the security group is what opens a port on AWS.
  'port-forwarding-enabled': false,
  'utp-enabled': false,
  // Looking for peers in the local network would be speaking to neighbours in the VPC.
  'lpd-enabled': false,
  'dht-enabled': !plan.isPrivate,
  'pex-enabled': !plan.isPrivate,
  encryption: 1,
  // Networks of our own are none of a stranger's business; it applies to peers, whoever named them.
  'blocklist-enabled': true,

  'speed-limit-up-enabled': plan.maxRateKBps !== undefined,
  ...(plan.maxRateKBps === undefined ? {} : { 'speed-limit-up': plan.maxRateKBps }),
  // It has everything, so whatever came in would be wrong.
  'speed-limit-down-enabled': true,
  'speed-limit-down': 0,
  'alt-speed-enabled': false,
  'ratio-limit-enabled': false,
  'idle-seeding-limit-enabled': false,
  'peer-limit-global': 200,
  'peer-limit-per-torrent': 200,
  'cache-size-mb': 4,
  'message-level': 1,
})

/** Of IPv4, what is not public (IANA special-purpose registry). */
const notPublic: readonly (readonly [what: string, network: string, prefix: number])[] = [
  ['this network', '0.0.0.0', 8],
  ['private', '10.0.0.0', 8],
  ['carrier-grade NAT', '100.64.0.0', 10],
  ['loopback', '127.0.0.0', 8],
  ['link-local', '169.254.0.0', 16],
  ['private', '172.16.0.0', 12],
  ['special', '192.0.0.0', 24],
  ['private', '192.168.0.0', 16],
  ['benchmarks', '198.18.0.0', 15],
  ['multicast and reserved', '224.0.0.0', 3],
]

/** First and last address, as numbers. */
type Range = readonly [first: number, last: number]

/**
 * A blocklist in the form of PeerGuardian, which the daemon reads when it starts: peers at these addresses are neither called nor
 * let in. The daemon knows such lists for IPv4 only.
 * @param opened by the operator; where a port stands with it, peers are not meant
 */
export const blocklist = (opened: readonly PrivateSource[]): string => {
  const open = opened
    .filter(({ network, port }) => port === undefined && network.includes('.'))
    .map(({ network, prefix }) => rangeOf(network, prefix))
  return notPublic
    .flatMap(([what, network, prefix]) =>
      open
        .reduce<Range[]>(
          (left, one) => left.flatMap((range) => without(range, one)),
          [rangeOf(network, prefix)],
        )
        .map(([first, last]) => `${what}:${dotted(first)}-${dotted(last)}\n`),
    )
    .join('')
}

const rangeOf = (network: string, prefix: number): Range => {
  const size = 2 ** (32 - prefix)
  const address = network.split('.').reduce((number, part) => number * 256 + Number(part), 0)
  const first = address - (address % size)
  return [first, first + size - 1]
}

const without = ([first, last]: Range, [from, to]: Range): Range[] => {
  if (to < first || from > last) return [[first, last]]
  const parts: Range[] = [
    [first, from - 1],
    [to + 1, last],
  ]
  return parts.filter(([start, end]) => start <= end)
}

const dotted = (address: number): string =>
  [24, 16, 8, 0].map((bits) => Math.floor(address / 2 ** bits) % 256).join('.')
