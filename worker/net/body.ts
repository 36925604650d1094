import type { IncomingMessage } from 'node:http'
import { pipeline, Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { WorkerError } from '../errors.ts'
import { lineEnd } from './inner-url.ts'
import { withoutTitles } from './titles.ts'

/** The body of an answer without what is around it, so that what is looked at is what a reader gets. */
export const plainBody = (answer: IncomingMessage): Readable => {
  const unpacked = unpackedBody(answer)
  const every = Number(answer.headers['icy-metaint'])
  return every > 0 ? pipeline(unpacked, withoutTitles(every), () => undefined) : unpacked
}

const unpackedBody = (answer: IncomingMessage): Readable => {
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
/** Each is looked for by itself. */
const mostTags = 20

/**
 * playlist: what ffmpeg takes for one. hidden: what it would take for one, too, because it leaves out tags of ID3 at the beginning
 * of anything.
 */
export type BodyKind = 'playlist' | 'hidden' | 'other'

/**
 * Looks at the beginning of a body.
 * @returns also the body to read from then on, which is whole again
 */
export const kindOfBody = async (answered: Readable): Promise<{ kind: BodyKind; body: Readable }> => {
  const { peek, putBack } = peeking(answered)
  const kind = await kindOf(peek)
  return { kind, body: putBack() }
}

type Peek = (count: number) => Promise<Buffer | undefined>

const kindOf = async (peek: Peek): Promise<BodyKind> => {
  if ((await peek(playlistMark.length))?.equals(playlistMark)) return 'playlist'
  for (let from = 0, tags = 1; ; tags += 1) {
    const head = (await peek(from + 10))?.subarray(from)
    const length = head === undefined ? undefined : id3Bytes(head)
    if (length === undefined) {
      if (from === 0) return 'other'
      const after = (await peek(from + playlistMark.length))?.subarray(from)
      return after?.equals(playlistMark) ? 'hidden' : 'other'
    }
    from += length
    if (from > tagBytes || tags > mostTags)
      throw new WorkerError('SOURCE_UNSUPPORTED', 'it begins with more tags than a stream has')
  }
}

/** How long the tag is that begins here (id3.org, ID3v2.4 header); undefined: there is none. */
const id3Bytes = (head: Buffer): number | undefined => {
  if (head.toString('latin1', 0, 3) !== 'ID3') return undefined
  const size = [6, 7, 8, 9].reduce((sum, at) => sum * 128 + ((head[at] ?? 0) & 0x7f), 0)
  return size + 10 + (((head[5] ?? 0) & 0x10) === 0 ? 0 : 10)
}

/** The first bytes of a stream, undefined when it is shorter; and all of it once they were looked at. */
const peeking = (body: Readable): { peek: Peek; putBack: () => Readable } => {
  let head: Buffer = Buffer.alloc(0)
  const peek: Peek = async (count) => {
    const chunks = [head]
    for (let bytes = head.length; bytes < count; ) {
      const chunk = body.read() as Buffer | null
      if (chunk !== null) {
        chunks.push(chunk)
        bytes += chunk.length
      } else if (body.readableEnded || body.destroyed || !(await readable(body))) break
    }
    if (chunks.length > 1) head = Buffer.concat(chunks)
    return head.length >= count ? head.subarray(0, count) : undefined
  }
  const putBack = (): Readable => {
    // A stream that told its end takes nothing back.
    if (body.readableEnded) return Readable.from([head])
    if (head.length > 0) body.unshift(head)
    return body
  }
  return { peek, putBack }
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
/** And tags with addresses, of which a line may hold many. Twelve hours in segments of two seconds are not half of it. */
const playlistLines = 100_000

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
  const text = Buffer.concat(chunks).toString('utf8')
  if ([lineEnd, 'URI='].some((mark) => text.split(mark, playlistLines + 1).length > playlistLines))
    throw new WorkerError(
      'SOURCE_UNSUPPORTED',
      `a playlist has more than ${playlistLines} lines or addresses`,
    )
  return text
}
