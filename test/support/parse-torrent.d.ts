/** What we use of it: a library that others wrote, as the judge of our torrents. */
declare module 'parse-torrent' {
  export type ParsedTorrent = {
    infoHash: string
    name: string
    length: number
    pieceLength: number
    lastPieceLength: number
    pieces: string[]
    files: { path: string; name: string; length: number; offset: number }[]
    announce: string[]
    urlList: string[]
    private?: boolean
    created?: Date
    createdBy?: string
    comment?: string
    xt?: string
  }
  export default function parseTorrent(torrent: Uint8Array | string): Promise<ParsedTorrent>
}

/** The other library that makes torrents: what it makes has to have the same infohash. */
declare module 'create-torrent' {
  export default function createTorrent(
    input: (Buffer & { name: string }) | string,
    options: { name?: string; announceList: string[][]; pieceLength?: number; private?: boolean },
    done: (error: Error | null, torrent: Uint8Array) => void,
  ): void
}
