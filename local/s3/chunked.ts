import { createHash } from 'node:crypto'
import { S3Error } from './errors.ts'

/** Says whether the signature of a chunk fits the SHA-256 of its bytes. Signatures are chained, so order counts. */
export type ChunkVerifier = {
  chunk(signature: string, sha256Hex: string): boolean
  trailer(signature: string, sha256Hex: string): boolean
}

export type ChunkedOptions = {
  /** Present for the signed forms of the encoding. */
  verifier?: ChunkVerifier
  /** Called once, at the end of the body, with the names in lower case. */
  onTrailers: (trailers: Map<string, string>) => void
}

/**
 * Decodes the `aws-chunked` content encoding: `<hex size>[;chunk-signature=…]\r\n<bytes>\r\n` until a chunk of size 0,
 * then trailers (S3 API reference, Signature calculations: transferring payload in multiple chunks).
 * Yields the bytes of the object as they arrive, never a whole chunk: a chunk may be as large as the object.
 * @throws IncompleteBody, InvalidRequest, SignatureDoesNotMatch
 */
export async function* decodeAwsChunked(
  source: AsyncIterable<Uint8Array>,
  { verifier, onTrailers }: ChunkedOptions,
): AsyncGenerator<Uint8Array> {
  const reader = byteReader(source)
  try {
    for (;;) {
      const { sizeBytes, signature } = parseChunkHeader(await reader.line())
      const hash = verifier ? createHash('sha256') : undefined
      for await (const piece of reader.take(sizeBytes)) {
        hash?.update(piece)
        yield piece
      }
      if (hash && !verifier?.chunk(signature, hash.digest('hex'))) throw new S3Error('SignatureDoesNotMatch')
      if (sizeBytes === 0) break
      if ((await reader.line()) !== '') throw malformed()
    }
    onTrailers(await readTrailers(reader, verifier))
  } finally {
    await reader.close()
  }
}

type ByteReader = {
  /** The next line without its line end. */
  line(): Promise<string>
  take(sizeBytes: number): AsyncGenerator<Uint8Array>
  /** Lets go of the source, so that somebody else can drain it. */
  close(): Promise<void>
}

/** Chunk headers and trailers are short; without a bound a missing line end would fill the memory. */
const MAX_LINE_BYTES = 8192

async function readTrailers(
  reader: ByteReader,
  verifier: ChunkVerifier | undefined,
): Promise<Map<string, string>> {
  const trailers = new Map<string, string>()
  let signed = ''
  for (;;) {
    const line = await reader.line()
    if (line === '') break
    const colon = line.indexOf(':')
    if (colon === -1) throw malformed()
    const name = line.slice(0, colon).trim().toLowerCase()
    const value = line.slice(colon + 1).trim()
    if (name !== 'x-amz-trailer-signature') {
      trailers.set(name, value)
      signed += `${name}:${value}\n`
    } else if (verifier && !verifier.trailer(value, createHash('sha256').update(signed).digest('hex'))) {
      throw new S3Error('SignatureDoesNotMatch')
    } else {
      signed = ''
    }
  }
  // Trailers that no signature covers could have been changed on the way.
  if (verifier && signed !== '') throw new S3Error('SignatureDoesNotMatch')
  return trailers
}

function parseChunkHeader(line: string): { sizeBytes: number; signature: string } {
  const found = /^([0-9a-f]{1,12})(?:;(.*))?$/i.exec(line.trim())
  if (!found) throw malformed()
  const [, size = '', extension = ''] = found
  return {
    sizeBytes: Number.parseInt(size, 16),
    signature: /chunk-signature=([0-9a-f]{64})/i.exec(extension)?.[1] ?? '',
  }
}

function byteReader(source: AsyncIterable<Uint8Array>): ByteReader {
  const pieces = source[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)

  async function more(): Promise<void> {
    const next = await pieces.next()
    if (next.done) throw new S3Error('IncompleteBody')
    const piece = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength)
    rest = rest.length === 0 ? piece : Buffer.concat([rest, piece])
  }

  return {
    async line() {
      for (;;) {
        const end = rest.indexOf('\r\n')
        if (end !== -1) {
          const line = rest.toString('latin1', 0, end)
          rest = rest.subarray(end + 2)
          return line
        }
        if (rest.length > MAX_LINE_BYTES) throw malformed()
        await more()
      }
    },
    async *take(sizeBytes) {
      for (let leftBytes = sizeBytes; leftBytes > 0; ) {
        if (rest.length === 0) await more()
        const piece = rest.subarray(0, leftBytes)
        rest = rest.subarray(piece.length)
        leftBytes -= piece.length
        yield piece
      }
    },
    async close() {
      await pieces.return?.()
    },
  }
}

function malformed(): S3Error {
  return new S3Error('InvalidRequest', 'The aws-chunked encoding of the body is malformed.')
}
