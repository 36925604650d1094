import type { IncomingMessage } from 'node:http'
import { pipeline, type Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { WorkerError } from '../errors.ts'

/** The body of an answer without what is around it, so that what is looked at is what a reader gets. */
export const plainBody = (answer: IncomingMessage): Readable => {
  const encoding = answer.headers['content-encoding']?.trim().toLowerCase() ?? 'identity'
  const decoder = decoders[encoding]
  if (encoding === 'identity' || encoding === '') return answer
  if (decoder === undefined)
    throw new WorkerError('SOURCE_UNSUPPORTED', `it is encoded as ${encoding}, though nobody asked for that`)
  return pipeline(answer, decoder(), () => undefined)
}

const decoders: Readonly<Record<string, () => ReturnType<typeof createGunzip>>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
}

const playlistMark = Buffer.from('#EXTM3U')
/** A tag may hold a picture; a larger one is none that a stream has. */
const tagBytes = 16 * 1024 * 1024

/**
 * playlist: what ffmpeg takes for one. hidden: what it would take for one, too, because it leaves out tags of ID3 at the beginning
 * of anything.
 */
export type BodyKind = 'playlist' | 'hidden' | 'other'

/** Looks at the beginning of a body and leaves it there. */
export const kindOfBody = async (body: Readable): Promise<BodyKind> => {
  if ((await peek(body, playlistMark.length))?.equals(playlistMark)) return 'playlist'
  for (let from = 0; ; ) {
    const head = (await peek(body, from + 10))?.subarray(from)
    const length = head === undefined ? undefined : id3Bytes(head)
    if (length === undefined) {
      if (from === 0) return 'other'
      const after = (await peek(body, from + playlistMark.length))?.subarray(from)
      return after?.equals(playlistMark) ? 'hidden' : 'other'
    }
    from += length
    if (from > tagBytes)
      throw new WorkerError('SOURCE_UNSUPPORTED', 'it begins with more tags than a stream has')
  }
}

/** How long the tag is that begins here (id3.org, ID3v2.4 header); undefined: there is none. */
const id3Bytes = (head: Buffer): number | undefined => {
  if (head.toString('latin1', 0, 3) !== 'ID3') return undefined
  const size = [6, 7, 8, 9].reduce((sum, at) => sum * 128 + ((head[at] ?? 0) & 0x7f), 0)
  return size + 10 + (((head[5] ?? 0) & 0x10) === 0 ? 0 : 10)
}

/** The first bytes of a stream, which stay in it. Undefined when it is shorter. */
const peek = async (body: Readable, count: number): Promise<Buffer | undefined> => {
  const chunks: Buffer[] = []
  let bytes = 0
  while (bytes < count) {
    const chunk = body.read() as Buffer | null
    if (chunk !== null) {
      chunks.push(chunk)
      bytes += chunk.length
    } else if (body.readableEnded || body.destroyed || !(await readable(body))) break
  }
  const whole = Buffer.concat(chunks)
  if (whole.length > 0) body.unshift(whole)
  return whole.length >= count ? whole.subarray(0, count) : undefined
}

/** Waits for more; false when there is none. */
const readable = (body: Readable): Promise<boolean> =>
  new Promise((resolve) => {
    const events = ['readable', 'end', 'close', 'error'] as const
    const waiting = events.map((event) => {
      const done = () => {
        for (const { name, act } of waiting) body.off(name, act)
        resolve(event === 'readable')
      }
      return { name: event, act: done }
    })
    for (const { name, act } of waiting) body.on(name, act)
  })

/** Longer ones are no playlists that anybody plays. */
const playlistBytes = 8 * 1024 * 1024

/** @throws WorkerError SOURCE_UNSUPPORTED */
export const readPlaylist = async (body: Readable): Promise<string> => {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > playlistBytes)
      throw new WorkerError('SOURCE_UNSUPPORTED', `a playlist has more than ${playlistBytes} bytes`)
  }
  return Buffer.concat(chunks).toString('utf8')
}
