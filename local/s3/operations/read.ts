import { totalBytes } from '../bodies.ts'
import type { Answer, Call, S3 } from '../call.ts'
import { type ByteRange, checkRead, parseRange, rangeStillApplies } from '../conditions.ts'
import { describeObject } from '../describe.ts'
import { S3Error } from '../errors.ts'
import type { ObjectRecord } from '../records.ts'

/** GetObject and HeadObject: the same answer, once with and once without the bytes. */
export function readObject(s3: S3, call: Call, withBody: boolean): Answer {
  refuseVersion(call.query)
  const record = s3.objects.get(call.bucket, call.key)
  const described = { ...describeObject(record, call.header), ...overrides(call.query) }
  if (checkRead(call.header, record) === 'notModified') {
    return { status: 304, headers: withoutContentHeaders(described) }
  }
  const { range, headers } = wantedRange(record, call)
  if (range.kind === 'unsatisfiable') {
    throw new S3Error('InvalidRange', undefined, {
      RangeRequested: call.header('range') ?? '',
      ActualObjectSize: String(record.sizeBytes),
    })
  }
  const isWhole = range.kind === 'whole'
  const first = isWhole ? 0 : range.first
  const last = isWhole ? record.sizeBytes - 1 : range.last
  const answer: Answer = {
    status: isWhole ? 200 : 206,
    headers: {
      // A checksum covers the whole object, so it does not go with a part of it.
      ...(isWhole ? described : withoutChecksum(described)),
      ...headers,
      'content-length': String(last - first + 1),
      ...(isWhole ? {} : { 'content-range': `bytes ${first}-${last}/${record.sizeBytes}` }),
    },
  }
  if (!withBody) return answer
  s3.bodies.hold(record.segments)
  return {
    ...answer,
    body: s3.bodies.read(record.segments, first, last),
    release: () => s3.bodies.release(record.segments),
  }
}

/** Buckets here have no versions: the only one an object has is called `null`. */
export function refuseVersion(query: URLSearchParams): void {
  const versionId = query.get('versionId')
  if (versionId === null || versionId === 'null') return
  throw new S3Error('InvalidArgument', 'Invalid version id specified', {
    ArgumentName: 'versionId',
    ArgumentValue: versionId,
  })
}

/** `partNumber` asks for the bytes of one part, `Range` for any others. */
function wantedRange(
  record: ObjectRecord,
  call: Call,
): { range: ByteRange; headers: Record<string, string> } {
  const partNumber = call.query.get('partNumber')
  const rangeHeader = rangeStillApplies(call.header, record) ? call.header('range') : undefined
  if (partNumber === null) return { range: parseRange(rangeHeader, record.sizeBytes), headers: {} }
  if (rangeHeader !== undefined) {
    throw new S3Error('InvalidRequest', 'Cannot specify both Range header and partNumber query parameter')
  }
  const parts = record.partSizesBytes ?? [totalBytes(record.segments)]
  const index = Number(partNumber) - 1
  const sizeBytes = parts[index]
  if (sizeBytes === undefined)
    throw new S3Error('InvalidRange', 'The requested partnumber is not satisfiable')
  const first = parts.slice(0, index).reduce((sum, size) => sum + size, 0)
  return {
    range: sizeBytes === 0 ? { kind: 'whole' } : { kind: 'part', first, last: first + sizeBytes - 1 },
    headers: record.partSizesBytes ? { 'x-amz-mp-parts-count': String(parts.length) } : {},
  }
}

/** A signed request may say how the object is to be presented, such as the name of a download. */
function overrides(query: URLSearchParams): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of query) {
    const header = /^response-(cache-control|content-(?:disposition|encoding|language|type)|expires)$/.exec(
      name,
    )?.[1]
    if (header === undefined) continue
    if (!/^[\x20-\x7e\xa0-\xff]*$/.test(value)) {
      throw new S3Error('InvalidArgument', 'Header value cannot be represented using ISO-8859-1.', {
        ArgumentName: name,
        ArgumentValue: value,
      })
    }
    headers[header] = value
  }
  return headers
}

function withoutContentHeaders(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('content-')))
}

function withoutChecksum(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('x-amz-checksum-')))
}
