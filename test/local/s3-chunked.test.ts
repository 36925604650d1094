import { describe, expect, it } from 'vitest'
import { type ChunkedOptions, decodeAwsChunked } from '../../local/s3/chunked.ts'
import { authenticate } from '../../local/s3/sigv4.ts'

/** Decodes a body that arrives in pieces of `pieceBytes`. */
async function decode(encoded: string, pieceBytes: number, options: Partial<ChunkedOptions> = {}) {
  async function* source() {
    const bytes = Buffer.from(encoded, 'latin1')
    for (let i = 0; i < bytes.length; i += pieceBytes) yield bytes.subarray(i, i + pieceBytes)
  }
  let trailers = new Map<string, string>()
  const pieces: Uint8Array[] = []
  const onTrailers = (received: Map<string, string>) => {
    trailers = received
  }
  for await (const piece of decodeAwsChunked(source(), { onTrailers, ...options })) pieces.push(piece)
  return { body: Buffer.concat(pieces).toString('latin1'), trailers: Object.fromEntries(trailers) }
}

const code = (reason: string) => expect.objectContaining({ code: reason })

describe('decodeAwsChunked', () => {
  it.each([
    ['one chunk', '5\r\nhello\r\n0\r\n\r\n', 'hello', {}],
    ['several chunks', '5\r\nhello\r\n1\r\n!\r\nA\r\n0123456789\r\n0\r\n\r\n', 'hello!0123456789', {}],
    ['no chunk', '0\r\n\r\n', '', {}],
    ['line ends inside the bytes', '6\r\na\r\n0\r\n\r\n0\r\n\r\n', 'a\r\n0\r\n', {}],
    [
      'trailers',
      '1\r\nx\r\n0\r\nX-Amz-Checksum-CRC32: abc=\r\n\r\n',
      'x',
      { 'x-amz-checksum-crc32': 'abc=' },
    ],
    [
      'signatures nobody asked for',
      `1;chunk-signature=${'0'.repeat(64)}\r\nx\r\n0;chunk-signature=0\r\n\r\n`,
      'x',
      {},
    ],
  ])('reads %s, wherever the pieces are cut', async (_, encoded, body, trailers) => {
    for (const pieceBytes of [1, 2, 3, 7, 1000])
      expect(await decode(encoded, pieceBytes)).toEqual({ body, trailers })
  })

  it.each([
    ['ends inside a chunk', '5\r\nhel', 'IncompleteBody'],
    ['ends before the last chunk', '5\r\nhello\r\n', 'IncompleteBody'],
    ['ends inside the trailers', '0\r\nx-amz-checksum-crc32:abc', 'IncompleteBody'],
    ['has no size', 'hello\r\n', 'InvalidRequest'],
    ['has a chunk longer than it says', '2\r\nhello\r\n0\r\n\r\n', 'InvalidRequest'],
    ['has a trailer without a colon', '0\r\nnonsense\r\n\r\n', 'InvalidRequest'],
    ['has a line without an end', '1'.repeat(20_000), 'InvalidRequest'],
  ])('refuses a body that %s', async (_, encoded, reason) => {
    await expect(decode(encoded, 1000)).rejects.toEqual(code(reason))
  })
})

describe('signed chunks', () => {
  // The worked example of the S3 API reference, "Signature calculations for the Authorization header: transferring
  // payload in multiple chunks": 66,560 bytes of the letter a, in chunks of 64 KiB, 1 KiB and nothing.
  const request = {
    method: 'PUT',
    rawPath: '/examplebucket/chunkObject.txt',
    query: new URLSearchParams(),
    headers: new Map([
      ['host', 's3.amazonaws.com'],
      ['x-amz-date', '20130524T000000Z'],
      ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
      [
        'authorization',
        'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
      ],
      ['x-amz-content-sha256', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'],
      ['content-encoding', 'aws-chunked'],
      ['x-amz-decoded-content-length', '66560'],
      ['content-length', '66824'],
    ]),
  }
  const verification = {
    secretFor: () => 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    nowMs: Date.parse('2013-05-24T00:00:00Z'),
  }
  const chunk = (body: string, signature: string) =>
    `${body.length.toString(16)};chunk-signature=${signature}\r\n${body}\r\n`
  const first = chunk('a'.repeat(65_536), 'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648')
  const second = chunk('a'.repeat(1024), '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497')
  const last = chunk('', 'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9')

  function verifier() {
    return { verifier: authenticate(request, verification).chunkVerifier() }
  }

  it('of the example in the API reference are accepted', async () => {
    const { body } = await decode(first + second + last, 10_000, verifier())
    expect(body).toBe('a'.repeat(66_560))
  })

  it.each([
    ['a changed byte', first.replace('aaa', 'aba') + second + last],
    ['chunks in another order', second + first + last],
    ['a chunk left out', first + last],
    ['a chunk without signature', `1\r\na\r\n${last}`],
    [
      'a trailer that is not signed',
      `${first}${second}${last.slice(0, -2)}x-amz-checksum-crc32:AAAAAA==\r\n\r\n`,
    ],
  ])('do not survive %s', async (_, encoded) => {
    await expect(decode(encoded, 10_000, verifier())).rejects.toEqual(code('SignatureDoesNotMatch'))
  })
})
