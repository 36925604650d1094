import { createHash, randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import type { ReadTorrent } from '../worker/torrent/metainfo.ts'
import { bytesOf } from '../worker/torrent/metainfo.ts'

const blockBytes = 16 * 1024
/** Numbers of messages (BEP 3). */
const message = { unchoke: 1, interested: 2, request: 6, piece: 7 } as const

/**
 * The smallest client there can be: takes everything from one peer that has everything, and compares each piece with its hash.
 * @throws Error for a piece that is not what the torrent says
 */
export const downloadFrom = async (
  port: number,
  torrent: ReadTorrent,
  signal: AbortSignal,
): Promise<Buffer> => {
  const content = Buffer.alloc(bytesOf(torrent))
  const socket = connect({ port, host: '127.0.0.1', signal })
  socket.write(
    Buffer.concat([
      Buffer.from('\x13BitTorrent protocol'),
      Buffer.alloc(8),
      Buffer.from(torrent.infohash, 'hex'),
      Buffer.from(`-DM0001-${randomBytes(6).toString('hex')}`),
    ]),
  )
  socket.write(frame(message.interested))
  let received = Buffer.alloc(0)
  let taken = 0
  let greeted = false
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    received = Buffer.concat([received, chunk])
    if (!greeted && received.length >= 68) {
      received = received.subarray(68)
      greeted = true
    }
    while (greeted && received.length >= 4 && received.length >= 4 + received.readUInt32BE()) {
      const body = received.subarray(4, 4 + received.readUInt32BE())
      received = received.subarray(4 + body.length)
      if (body[0] === message.unchoke) for (const one of requests(torrent, content.length)) socket.write(one)
      if (body[0] !== message.piece) continue
      body.copy(content, body.readUInt32BE(1) * torrent.pieceLength + body.readUInt32BE(5), 9)
      taken += body.length - 9
    }
    if (taken >= content.length) break
  }
  socket.destroy()
  for (let at = 0, index = 0; at < content.length; at += torrent.pieceLength, index += 1) {
    const hash = createHash('sha1')
      .update(content.subarray(at, at + torrent.pieceLength))
      .digest()
    if (!hash.equals(torrent.pieces.subarray(20 * index, 20 * index + 20)))
      throw new Error(`piece ${index} is not what the torrent says`)
  }
  return content
}

const frame = (id: number, ...numbers: number[]): Buffer => {
  const bytes = Buffer.alloc(5 + 4 * numbers.length)
  bytes.writeUInt32BE(1 + 4 * numbers.length)
  bytes.writeUInt8(id, 4)
  for (const [index, number] of numbers.entries()) bytes.writeUInt32BE(number, 5 + 4 * index)
  return bytes
}

function* requests({ pieceLength }: ReadTorrent, bytes: number): Generator<Buffer> {
  for (let at = 0; at < bytes; at += blockBytes)
    yield frame(
      message.request,
      Math.floor(at / pieceLength),
      at % pieceLength,
      Math.min(blockBytes, bytes - at),
    )
}
