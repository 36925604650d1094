import { createHash } from 'node:crypto'
import type { Bodies, Segment } from './bodies.ts'
import type { Call } from './call.ts'
import { type ChecksumAlgorithm, parseAlgorithm, startChecksum } from './checksums.ts'
import { decodeAwsChunked } from './chunked.ts'
import { S3Error } from './errors.ts'

export type ReceivedBody = {
  /** Held once, by the caller. */
  segments: Segment[]
  sizeBytes: number
  md5Hex: string
  checksum?: { algorithm: ChecksumAlgorithm; value: string }
}

/**
 * Streams the body of a request into a new body file, with constant memory, and verifies everything the client said
 * about it. When anything is wrong, nothing stays behind.
 * @param algorithm computed in any case, for the parts of an upload that was created with one
 * @throws BadDigest, InvalidDigest, XAmzContentSHA256Mismatch, IncompleteBody, EntityTooLarge, MissingContentLength,
 * NotImplemented, InvalidRequest, SignatureDoesNotMatch
 */
export async function receiveBody(
  bodies: Bodies,
  call: Call,
  algorithm?: ChecksumAlgorithm,
): Promise<ReceivedBody> {
  const plan = planBody(call.headers, call.authentication.payload, algorithm)
  const { body, file } = await bodies.create()
  try {
    const received = await readVerified(call, plan, (piece) => file.writeFile(piece))
    await file.close()
    if (received.sizeBytes > 0)
      return { ...received, segments: [{ body, offsetBytes: 0, sizeBytes: received.sizeBytes }] }
    bodies.discard(body)
    return { ...received, segments: [] }
  } catch (error) {
    await file.close().catch(() => undefined)
    bodies.discard(body)
    throw error
  }
}

/** Reads and verifies an XML body. @throws MissingRequestBodyError, MaxMessageLengthExceeded and as receiveBody */
export async function receiveText(call: Call): Promise<string> {
  const plan = planBody(call.headers, call.authentication.payload)
  if (plan.sizeBytes === 0) throw new S3Error('MissingRequestBodyError')
  if (plan.sizeBytes > MAX_XML_BYTES) throw new S3Error('MaxMessageLengthExceeded')
  const pieces: Uint8Array[] = []
  await readVerified(call, plan, async (piece) => void pieces.push(piece))
  return Buffer.concat(pieces).toString()
}

/** Whether the client gave a digest of the body, as DeleteObjects demands. */
export function hasDigest(headers: Headers): boolean {
  return headers.has('content-md5') || checksumNames(headers).length > 0
}

export function badChecksum(algorithm: ChecksumAlgorithm): S3Error {
  return new S3Error('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`)
}

type Headers = ReadonlyMap<string, string>

/** A `PutObject` or part is at most 5 GiB (S3 user guide, Multipart upload limits). */
export const MAX_UPLOAD_BYTES = 5 * 1024 ** 3
const MAX_XML_BYTES = 4 * 1024 ** 2

/** Checksum values in headers; `x-amz-checksum-mode`, `-type` and `-algorithm` are something else. */
const CHECKSUM_VALUE = /^x-amz-checksum-(?!mode$|type$|algorithm$)/

type BodyPlan = {
  isChunked: boolean
  hasSignedChunks: boolean
  /** Bytes of the object, without chunk headers. */
  sizeBytes: number
  md5?: Buffer
  sha256Hex?: string
  /** `expected` comes with the headers, or as a trailer after the bytes. */
  checksum?: { algorithm: ChecksumAlgorithm; expected?: string; trailer?: string }
}

function planBody(headers: Headers, payload: string, algorithm?: ChecksumAlgorithm): BodyPlan {
  const isChunked = payload.startsWith('STREAMING-')
  const sizeBytes = declaredBytes(headers, isChunked)
  if (sizeBytes > MAX_UPLOAD_BYTES) {
    throw new S3Error('EntityTooLarge', undefined, {
      ProposedSize: String(sizeBytes),
      MaxSizeAllowed: String(MAX_UPLOAD_BYTES),
    })
  }
  const md5 = headers.get('content-md5')
  const checksum = plannedChecksum(headers, algorithm)
  return {
    isChunked,
    hasSignedChunks: chunkSigning(payload),
    sizeBytes,
    ...(md5 === undefined ? {} : { md5: decodedMd5(md5) }),
    ...(/^[0-9a-f]{64}$/.test(payload) ? { sha256Hex: payload } : {}),
    ...(checksum === undefined ? {} : { checksum }),
  }
}

async function readVerified(
  call: Call,
  plan: BodyPlan,
  write: (piece: Uint8Array) => Promise<void>,
): Promise<Omit<ReceivedBody, 'segments'>> {
  let trailers: ReadonlyMap<string, string> = new Map()
  const pieces = plan.isChunked
    ? decodeAwsChunked(call.body(), {
        ...(plan.hasSignedChunks ? { verifier: call.authentication.chunkVerifier() } : {}),
        onTrailers: (received) => {
          trailers = received
        },
      })
    : call.body()

  const md5 = createHash('md5')
  const sha256 = plan.sha256Hex === undefined ? undefined : createHash('sha256')
  const running = plan.checksum && startChecksum(plan.checksum.algorithm)
  let sizeBytes = 0
  for await (const piece of pieces) {
    sizeBytes += piece.length
    if (sizeBytes > plan.sizeBytes) break
    md5.update(piece)
    sha256?.update(piece)
    running?.update(piece)
    await write(piece)
  }

  if (sizeBytes !== plan.sizeBytes) throw new S3Error('IncompleteBody')
  if (sha256 && sha256.digest('hex') !== plan.sha256Hex) throw new S3Error('XAmzContentSHA256Mismatch')
  const md5Digest = md5.digest()
  if (plan.md5 && !plan.md5.equals(md5Digest)) throw new S3Error('BadDigest')
  const received = { sizeBytes, md5Hex: md5Digest.toString('hex') }
  if (!plan.checksum || !running) return received

  const { algorithm, trailer } = plan.checksum
  if (trailer !== undefined && !trailers.has(trailer)) throw new S3Error('MalformedTrailerError')
  const value = running.digest().toString('base64')
  const expected = trailer === undefined ? plan.checksum.expected : trailers.get(trailer)
  if (expected !== undefined && expected !== value) throw badChecksum(algorithm)
  return { ...received, checksum: { algorithm, value } }
}

function declaredBytes(headers: Headers, isChunked: boolean): number {
  const declared = headers.get(isChunked ? 'x-amz-decoded-content-length' : 'content-length')
  if (declared === undefined && !isChunked && headers.has('transfer-encoding')) {
    throw new S3Error('NotImplemented', undefined, { Header: 'Transfer-Encoding' })
  }
  if (declared === undefined || !/^\d{1,15}$/.test(declared)) throw new S3Error('MissingContentLength')
  return Number(declared)
}

function chunkSigning(payload: string): boolean {
  switch (payload) {
    case 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD':
    case 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER':
      return true
    case 'STREAMING-UNSIGNED-PAYLOAD-TRAILER':
      return false
    default:
      if (payload.startsWith('STREAMING-'))
        throw new S3Error('NotImplemented', undefined, { Header: 'x-amz-content-sha256' })
      return false
  }
}

/** The one checksum that the client announces; else the one that is wanted here. */
function plannedChecksum(headers: Headers, wanted?: ChecksumAlgorithm): BodyPlan['checksum'] {
  const [name, ...others] = checksumNames(headers)
  if (name === undefined) {
    if (headers.has('x-amz-sdk-checksum-algorithm')) {
      throw new S3Error(
        'InvalidRequest',
        'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
      )
    }
    return wanted && { algorithm: wanted }
  }
  if (others.length > 0) {
    throw new S3Error(
      'InvalidRequest',
      'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
    )
  }
  const algorithm = parseAlgorithm(name.replace('x-amz-checksum-', ''))
  if (algorithm === undefined) throw new S3Error('NotImplemented', undefined, { Header: name })
  if (wanted !== undefined && wanted !== algorithm) {
    throw new S3Error(
      'InvalidRequest',
      `Checksum Type mismatch occurred, expected checksum Type: ${wanted}, actual checksum Type: ${algorithm}`,
    )
  }
  const expected = headers.get(name)
  return expected === undefined ? { algorithm, trailer: name } : { algorithm, expected }
}

/** The headers and trailers that carry a checksum. */
function checksumNames(headers: Headers): string[] {
  const trailers = (headers.get('x-amz-trailer') ?? '').split(',').map((name) => name.trim().toLowerCase())
  return [...headers.keys(), ...trailers].filter((name) => CHECKSUM_VALUE.test(name))
}

function decodedMd5(base64: string): Buffer {
  const md5 = Buffer.from(base64, 'base64')
  if (md5.length !== 16) throw new S3Error('InvalidDigest', undefined, { 'Content-MD5': base64 })
  return md5
}
