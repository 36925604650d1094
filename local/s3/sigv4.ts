import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { ChunkVerifier } from './chunked.ts'
import { S3Error } from './errors.ts'

export type SignedRequest = {
  method: string
  /** The path as it came over the wire, without the query. */
  rawPath: string
  query: URLSearchParams
  /** Names in lower case, values as the bytes of the wire (latin1). */
  headers: ReadonlyMap<string, string>
}

export type Authentication = {
  accessKeyId: string
  isPresigned: boolean
  /** What the client signed about the body: a hex SHA-256, `UNSIGNED-PAYLOAD` or a `STREAMING-…` mode. */
  payload: string
  /** Verifies the chunks of a signed aws-chunked body, starting from this request's signature. */
  chunkVerifier(): ChunkVerifier
}

export type Verification = {
  secretFor: (accessKeyId: string) => string | undefined
  nowMs: number
}

/**
 * Verifies AWS Signature Version 4, from the `Authorization` header or from the query of a presigned URL
 * (S3 API reference, Authenticating requests). The region of the scope is taken as the client has it: a local
 * endpoint serves every region.
 * @throws AccessDenied for anonymous and expired requests, InvalidAccessKeyId, SignatureDoesNotMatch, RequestTimeTooSkewed,
 * AuthorizationHeaderMalformed, AuthorizationQueryParametersError, InvalidRequest, InvalidArgument
 */
export function authenticate(request: SignedRequest, verification: Verification): Authentication {
  const claim = readClaim(request)
  const secret = verification.secretFor(claim.accessKeyId)
  if (secret === undefined) {
    throw new S3Error('InvalidAccessKeyId', undefined, { AWSAccessKeyId: claim.accessKeyId })
  }
  const canonical = canonicalRequest(request, claim)
  const toSign = [ALGORITHM, claim.signedAt, claim.scope, sha256Hex(canonical)].join('\n')
  const key = signingKey(secret, claim.scope)
  if (!isEqual(claim.signature, hmac(key, toSign).toString('hex'))) {
    throw new S3Error('SignatureDoesNotMatch', undefined, {
      AWSAccessKeyId: claim.accessKeyId,
      SignatureProvided: claim.signature,
      StringToSign: toSign,
      CanonicalRequest: canonical,
    })
  }
  // Time comes after the signature: who cannot sign learns nothing about validity.
  checkTime(claim, verification.nowMs)
  refuseUnsignedHeaders(request, claim)
  return {
    accessKeyId: claim.accessKeyId,
    isPresigned: claim.expiresInMs !== undefined,
    payload: claim.payload,
    chunkVerifier: () => chunkVerifier(key, claim),
  }
}

const ALGORITHM = 'AWS4-HMAC-SHA256'
const MAX_SKEW_MS = 15 * 60_000
const MAX_EXPIRES_S = 7 * 24 * 3600
const EMPTY_SHA256 = sha256Hex('')

/** What a request says about who signed it, when, and what the signature covers. */
type Claim = {
  accessKeyId: string
  /** `<date>/<region>/s3/aws4_request` */
  scope: string
  signedHeaders: string[]
  signature: string
  /** `YYYYMMDDTHHMMSSZ` */
  signedAt: string
  payload: string
  /** Present for presigned URLs only. */
  expiresInMs?: number
}

function readClaim(request: SignedRequest): Claim {
  const authorization = request.headers.get('authorization')
  const isPresigned = request.query.has('X-Amz-Algorithm') || request.query.has('X-Amz-Signature')
  if (authorization !== undefined && isPresigned) {
    throw new S3Error(
      'InvalidArgument',
      'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the Authorization header should be specified',
    )
  }
  if (authorization !== undefined) return readAuthorizationHeader(authorization, request.headers)
  if (isPresigned) return readPresignedQuery(request)
  // What older clients still make of `presign` unless they are told to use version 4.
  if (request.query.has('AWSAccessKeyId')) throw unsupportedMechanism()
  throw new S3Error('AccessDenied')
}

function readAuthorizationHeader(authorization: string, headers: ReadonlyMap<string, string>): Claim {
  if (!authorization.startsWith(`${ALGORITHM} `)) {
    throw unsupportedMechanism()
  }
  const field = (name: string) => new RegExp(`[ ,]${name}=([^,\\s]+)`).exec(authorization)?.[1]
  const [credential, signedHeaders, signature] = [
    field('Credential'),
    field('SignedHeaders'),
    field('Signature'),
  ]
  const signedAt = headers.get('x-amz-date') ?? basicTime(Date.parse(headers.get('date') ?? ''))
  if (!credential || !signedHeaders || !signature) throw new S3Error('AuthorizationHeaderMalformed')
  if (!signedAt)
    throw new S3Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header')
  const payload = headers.get('x-amz-content-sha256')
  if (payload === undefined) {
    throw new S3Error('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256')
  }
  if (!/^(UNSIGNED-PAYLOAD|STREAMING-[A-Z0-9-]+|[0-9a-f]{64})$/.test(payload)) {
    throw new S3Error(
      'InvalidArgument',
      'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a STREAMING mode or a valid sha256 value.',
    )
  }
  return {
    ...readCredential(credential, 'AuthorizationHeaderMalformed'),
    signedHeaders: signedHeaders.toLowerCase().split(';'),
    signature,
    signedAt,
    payload,
  }
}

function readPresignedQuery({ query, headers }: SignedRequest): Claim {
  const [credential, signedHeaders, signature, signedAt, expires] = [
    query.get('X-Amz-Credential'),
    query.get('X-Amz-SignedHeaders'),
    query.get('X-Amz-Signature'),
    query.get('X-Amz-Date'),
    query.get('X-Amz-Expires'),
  ]
  if (
    query.get('X-Amz-Algorithm') !== ALGORITHM ||
    !credential ||
    !signedHeaders ||
    !signature ||
    !signedAt ||
    !expires
  ) {
    throw new S3Error(
      'AuthorizationQueryParametersError',
      'Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.',
    )
  }
  const expiresS = Number(expires)
  if (!Number.isInteger(expiresS) || expiresS < 1 || expiresS > MAX_EXPIRES_S) {
    throw new S3Error(
      'AuthorizationQueryParametersError',
      `X-Amz-Expires must be between 1 and ${MAX_EXPIRES_S} seconds`,
    )
  }
  return {
    ...readCredential(credential, 'AuthorizationQueryParametersError'),
    signedHeaders: signedHeaders.toLowerCase().split(';'),
    signature,
    signedAt,
    payload: query.get('X-Amz-Content-Sha256') ?? headers.get('x-amz-content-sha256') ?? 'UNSIGNED-PAYLOAD',
    expiresInMs: expiresS * 1000,
  }
}

function readCredential(
  credential: string,
  code: 'AuthorizationHeaderMalformed' | 'AuthorizationQueryParametersError',
): Pick<Claim, 'accessKeyId' | 'scope'> {
  const found = /^(.+?)\/(\d{8}\/[^/]+\/s3\/aws4_request)$/.exec(credential)
  if (!found?.[1] || !found[2]) {
    throw new S3Error(
      code,
      'The credential is malformed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/s3/aws4_request".',
    )
  }
  return { accessKeyId: found[1], scope: found[2] }
}

/** S3 encodes each part of the path once and does not normalise it: `a/../b` is a key of its own. */
function canonicalRequest(request: SignedRequest, claim: Claim): string {
  const path = request.rawPath
    .split('/')
    .map((part) => encode(decodePath(part)))
    .join('/')
  const query = [...request.query]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([nameA, valueA], [nameB, valueB]) => order(nameA, nameB) || order(valueA, valueB))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
  const headers = claim.signedHeaders
    .map((name) => `${name}:${(request.headers.get(name) ?? '').trim().replace(/ +/g, ' ')}\n`)
    .join('')
  return [request.method, path, query, headers, claim.signedHeaders.join(';'), claim.payload].join('\n')
}

function checkTime(claim: Claim, nowMs: number): void {
  const signedAtMs = parseBasicTime(claim.signedAt)
  if (Number.isNaN(signedAtMs))
    throw new S3Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header')
  const times = { ServerTime: new Date(nowMs).toISOString() }
  if (claim.expiresInMs === undefined) {
    if (Math.abs(nowMs - signedAtMs) <= MAX_SKEW_MS) return
    throw new S3Error('RequestTimeTooSkewed', undefined, { RequestTime: claim.signedAt, ...times })
  }
  if (nowMs < signedAtMs - MAX_SKEW_MS) throw new S3Error('AccessDenied', 'Request is not yet valid', times)
  const expiresAtMs = signedAtMs + claim.expiresInMs
  if (nowMs > expiresAtMs) {
    throw new S3Error('AccessDenied', 'Request has expired', {
      Expires: new Date(expiresAtMs).toISOString(),
      ...times,
    })
  }
}

/** A header that changes what S3 does must not be added to a request by someone who could not sign it. */
function refuseUnsignedHeaders({ headers }: SignedRequest, claim: Claim): void {
  const unsigned = [...headers.keys()].filter(
    (name) =>
      (name === 'host' || (name.startsWith('x-amz-') && name !== 'x-amz-content-sha256')) &&
      !claim.signedHeaders.includes(name),
  )
  if (unsigned.length === 0) return
  throw new S3Error('AccessDenied', 'There were headers present in the request which were not signed', {
    HeadersNotSigned: unsigned.join(', '),
  })
}

function unsupportedMechanism(): S3Error {
  return new S3Error(
    'InvalidRequest',
    'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
  )
}

function chunkVerifier(key: Buffer, claim: Claim): ChunkVerifier {
  let previous = claim.signature
  const verify = (algorithm: string, signature: string, hashes: string[]) => {
    const toSign = [algorithm, claim.signedAt, claim.scope, previous, ...hashes].join('\n')
    previous = hmac(key, toSign).toString('hex')
    return isEqual(signature, previous)
  }
  return {
    chunk: (signature, sha256) => verify(`${ALGORITHM}-PAYLOAD`, signature, [EMPTY_SHA256, sha256]),
    trailer: (signature, sha256) => verify(`${ALGORITHM}-TRAILER`, signature, [sha256]),
  }
}

function signingKey(secret: string, scope: string): Buffer {
  return scope.split('/').reduce<Buffer>((key, part) => hmac(key, part), Buffer.from(`AWS4${secret}`))
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'latin1').digest()
}

function sha256Hex(text: string): string {
  return createHash('sha256').update(text, 'latin1').digest('hex')
}

function isEqual(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1'))
}

/** Percent-encodes everything but the unreserved characters of RFC 3986, as the signature wants it. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function decodePath(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new S3Error('InvalidURI')
  }
}

/** Byte order, since the names and values are ASCII once they are encoded. */
function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** `YYYYMMDDTHHMMSSZ`, the basic form of ISO 8601. */
function basicTime(timeMs: number): string | undefined {
  return Number.isNaN(timeMs) ? undefined : new Date(timeMs).toISOString().replace(/[-:]|\.\d+/g, '')
}

function parseBasicTime(text: string): number {
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
}
