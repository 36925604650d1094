import { S3Error } from './errors.ts'

/** What a condition can ask about an object: entity tag without quotes, and time of the last write. */
export type Validators = { etag: string; modifiedMs: number }

export type HeaderReader = (name: string) => string | undefined

/**
 * Conditions of GET and HEAD (RFC 9110, section 13.2.2; S3 API reference, GetObject).
 * @throws PreconditionFailed (412)
 */
export function checkRead(header: HeaderReader, object: Validators): 'send' | 'notModified' {
  refuseUnless(header, object, { match: 'if-match', unmodifiedSince: 'if-unmodified-since' })
  return isUnchanged(header, object, { noneMatch: 'if-none-match', modifiedSince: 'if-modified-since' })
    ? 'notModified'
    : 'send'
}

/**
 * Conditions on the source of a copy. Where a read would answer 304, a copy answers 412.
 * @throws PreconditionFailed (412)
 */
export function checkCopySource(header: HeaderReader, source: Validators): void {
  refuseUnless(header, source, {
    match: 'x-amz-copy-source-if-match',
    unmodifiedSince: 'x-amz-copy-source-if-unmodified-since',
  })
  const unchanged = isUnchanged(header, source, {
    noneMatch: 'x-amz-copy-source-if-none-match',
    modifiedSince: 'x-amz-copy-source-if-modified-since',
  })
  if (unchanged) throw preconditionFailed('x-amz-copy-source-If-None-Match')
}

/**
 * Conditions of a write (S3 user guide, Conditional writes): `If-None-Match: *` wants that there is no object,
 * `If-Match` that it is still the one with that entity tag.
 * @throws PreconditionFailed (412), NoSuchKey (404) for `If-Match` without an object, NotImplemented
 */
export function checkWrite(header: HeaderReader, key: string, current: Validators | undefined): void {
  const noneMatch = header('if-none-match')
  const match = header('if-match')
  if (noneMatch !== undefined && noneMatch.trim() !== '*') {
    throw new S3Error('NotImplemented', undefined, { Header: 'If-None-Match' })
  }
  if (noneMatch !== undefined && current !== undefined) throw preconditionFailed('If-None-Match')
  if (match === undefined) return
  if (current === undefined) throw new S3Error('NoSuchKey', undefined, { Key: key })
  if (!matches(match, current.etag)) throw preconditionFailed('If-Match')
}

/**
 * A delete with `If-Match` (S3 user guide, Conditional deletes) wants an object with that entity tag, `*` any.
 * @throws PreconditionFailed (412)
 */
export function checkDelete(match: string | undefined, current: Validators | undefined): void {
  if (match === undefined) return
  if (current === undefined || !matches(match, current.etag)) throw preconditionFailed('If-Match')
}

export type ByteRange =
  | { kind: 'whole' }
  /** Both ends are inclusive offsets in bytes. */
  | { kind: 'part'; first: number; last: number }
  | { kind: 'unsatisfiable' }

/**
 * Reads a `Range` header. S3 serves one range; several, other units and malformed ones mean the whole object
 * (RFC 9110, section 14.2 lets a server ignore them).
 */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange {
  const found = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header ?? '')
  if (!found) return { kind: 'whole' }
  const [, from = '', to = ''] = found
  if (from === '' && to === '') return { kind: 'whole' }

  if (from === '') {
    const suffixBytes = Number(to)
    if (suffixBytes === 0 || sizeBytes === 0) return { kind: 'unsatisfiable' }
    return { kind: 'part', first: Math.max(0, sizeBytes - suffixBytes), last: sizeBytes - 1 }
  }
  const first = Number(from)
  const last = to === '' ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1)
  if (to !== '' && Number(to) < first) return { kind: 'whole' }
  return first >= sizeBytes ? { kind: 'unsatisfiable' } : { kind: 'part', first, last }
}

/** `If-Range` keeps a resumed download from gluing two versions together: on a mismatch it gets the whole object. */
export function rangeStillApplies(header: HeaderReader, object: Validators): boolean {
  const wanted = header('if-range')
  if (wanted === undefined) return true
  const sinceMs = Date.parse(wanted)
  return Number.isNaN(sinceMs)
    ? matches(wanted, object.etag)
    : inSeconds(object.modifiedMs) <= inSeconds(sinceMs)
}

function refuseUnless(
  header: HeaderReader,
  object: Validators,
  names: { match: string; unmodifiedSince: string },
): void {
  const match = header(names.match)
  if (match !== undefined) {
    if (!matches(match, object.etag)) throw preconditionFailed('If-Match')
    return // A matching tag decides alone, whatever the date says.
  }
  const sinceMs = Date.parse(header(names.unmodifiedSince) ?? '')
  if (inSeconds(object.modifiedMs) > inSeconds(sinceMs)) throw preconditionFailed('If-Unmodified-Since')
}

function isUnchanged(
  header: HeaderReader,
  object: Validators,
  names: { noneMatch: string; modifiedSince: string },
): boolean {
  const noneMatch = header(names.noneMatch)
  if (noneMatch !== undefined) return matches(noneMatch, object.etag)
  const sinceMs = Date.parse(header(names.modifiedSince) ?? '')
  return inSeconds(object.modifiedMs) <= inSeconds(sinceMs)
}

/** A list of tags, quoted or not, weak or not; `*` is any. */
function matches(tags: string, etag: string): boolean {
  return tags.split(',').some((tag) => {
    const bare = tag.trim().replace(/^W\//, '').replace(/^"|"$/g, '')
    return bare === '*' || bare === etag
  })
}

/** HTTP dates carry no fractions. A missing or unreadable date is NaN, and no comparison with that holds. */
function inSeconds(timeMs: number): number {
  return Math.floor(timeMs / 1000)
}

function preconditionFailed(condition: string): S3Error {
  return new S3Error('PreconditionFailed', undefined, { Condition: condition })
}
