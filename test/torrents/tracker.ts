import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { bencode } from '../../worker/torrent/bencode.ts'

export type Announcement = { infohash: string; port: number; event: string; left: number; userAgent: string }

export type Tracker = {
  url: string
  announcements: Announcement[]
  /** What it answers from now on; 200 is a list of peers. */
  status: (code: number) => void
  /** From now on it sends everybody elsewhere. */
  redirect: (to: string) => void
  /** Another peer on this machine that it tells of, by its port. */
  name: (port: number) => void
  close: () => Promise<void>
}

/** A tracker over HTTP (BEP 3, BEP 23): tells everybody of everybody else, and keeps what it was told. */
export const openTracker = async (): Promise<Tracker> => {
  const announcements: Announcement[] = []
  const peers = new Map<string, Set<number>>()
  let status = 200
  let elsewhere: string | undefined
  const named: number[] = []
  const server = createServer((request, response) => {
    const said = readAnnouncement(request)
    announcements.push(said)
    const known = peers.get(said.infohash) ?? new Set()
    peers.set(said.infohash, known)
    if (said.event === 'stopped') known.delete(said.port)
    else known.add(said.port)
    const others = [...known, ...named].filter((port) => port !== said.port)
    if (elsewhere !== undefined) {
      response.writeHead(302, { location: elsewhere }).end()
      return
    }
    response.statusCode = status
    response.end(bencode({ interval: 5, 'min interval': 1, peers: Buffer.concat(others.map(compact)) }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/announce`,
    announcements,
    redirect: (to) => {
      elsewhere = to
    },
    name: (port) => {
      named.push(port)
    },
    status: (code) => {
      status = code
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** An infohash in a query is bytes, and no text in any encoding. */
const readAnnouncement = ({ url = '', headers }: IncomingMessage): Announcement => {
  const query = new Map(
    (url.split('?')[1] ?? '').split('&').map((pair): [string, string] => {
      const [name = '', value = ''] = pair.split('=')
      return [name, value]
    }),
  )
  const bytes = (query.get('info_hash') ?? '').replace(
    /%([0-9a-f]{2})|(.)/gi,
    (_all, hex?: string, plain?: string) =>
      hex === undefined ? (plain ?? '').charCodeAt(0).toString(16).padStart(2, '0') : hex.toLowerCase(),
  )
  return {
    infohash: bytes,
    port: Number(query.get('port')),
    event: query.get('event') ?? '',
    left: Number(query.get('left')),
    userAgent: headers['user-agent'] ?? '',
  }
}

const compact = (port: number): Buffer => Buffer.from([127, 0, 0, 1, port >> 8, port & 255])
