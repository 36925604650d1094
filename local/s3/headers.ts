/**
 * The headers of a request as they came: names in lower case, values as latin1 characters, repeated ones joined by a
 * comma, as the signature wants them.
 */
export function wireHeaders(rawHeaders: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>()
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase()
    const value = (rawHeaders[i + 1] ?? '').trim()
    const before = headers.get(name)
    headers.set(name, before === undefined ? value : `${before},${value}`)
  }
  return headers
}

/**
 * A presigned URL may carry `x-amz-…` headers in its query, such as metadata. Checksums are left out: an SDK that
 * presigns an upload computes them over an empty body, and S3 ignores them there (S3 user guide, presigned URLs do not
 * support checksum algorithms).
 */
export function hoistedHeaders(
  headers: ReadonlyMap<string, string>,
  query: URLSearchParams,
): Map<string, string> {
  const hoisted = new Map<string, string>()
  for (const [name, value] of query) {
    const header = name.toLowerCase()
    if (header.startsWith('x-amz-') && !NOT_HOISTED.test(header)) {
      hoisted.set(header, Buffer.from(value).toString('latin1'))
    }
  }
  return new Map([...hoisted, ...headers])
}

const NOT_HOISTED =
  /^x-amz-(algorithm|credential|date|expires|signedheaders|signature|security-token|content-sha256|sdk-checksum-algorithm|trailer|checksum-(crc|sha|md5|xxhash).*)$/
