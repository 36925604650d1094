import { createHash } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Bodies } from './bodies.ts'
import { checkDelete, checkWrite, type HeaderReader } from './conditions.ts'
import { S3Error } from './errors.ts'
import { compareKeys, lowerBound } from './list.ts'
import {
  type BucketRecord,
  bucketRecordSchema,
  isMissing,
  type ObjectRecord,
  objectRecordSchema,
  readRecord,
  readRecords,
  writeRecord,
} from './records.ts'

/** An object as a write brings it; the store adds when and in which order it was written. */
export type ObjectDraft = Omit<ObjectRecord, 'modifiedMs' | 'sequencer'>

/**
 * Buckets and objects: an index in memory over records on disk. Every change is one synchronous step.
 * Operations on an unknown bucket throw NoSuchBucket.
 */
export type ObjectStore = {
  listBuckets(): BucketRecord[]
  /** @throws BucketAlreadyOwnedByYou */
  createBucket(name: string): void
  getBucket(name: string): BucketRecord
  changeBucket(name: string, change: Partial<BucketRecord>): void
  /** @throws BucketNotEmpty */
  deleteBucket(name: string): void
  find(bucket: string, key: string): ObjectRecord | undefined
  /** @throws NoSuchKey */
  get(bucket: string, key: string): ObjectRecord
  /** Whether an object came from this multipart upload. */
  isCompleted(uploadId: string): boolean
  /** In the order of UTF-8 bytes. */
  sortedKeys(bucket: string): readonly string[]
  /**
   * Makes a written body the object of its key, if the conditions of the request hold at this moment. The store takes
   * over the caller's hold on the segments; when it throws, the caller keeps it.
   * @throws PreconditionFailed, NoSuchKey
   */
  put(bucket: string, draft: ObjectDraft, conditions: HeaderReader): ObjectRecord
  /** Replaces the tags; body, entity tag and time of the object stay. */
  setTags(bucket: string, key: string, tags: Record<string, string>): ObjectRecord
  /** @returns what was deleted, with the sequencer of the deletion. @throws PreconditionFailed */
  delete(bucket: string, key: string, ifMatch?: string): ObjectRecord | undefined
}

type Bucket = { record: BucketRecord; objects: Map<string, ObjectRecord>; keys: string[] }

/** Reads all buckets below `directory`. Unreadable records are reported and left alone. */
export async function openObjects(options: {
  directory: string
  bodies: Bodies
  nowMs: () => number
  onUnreadable: (path: string, error: unknown) => void
}): Promise<ObjectStore> {
  const { directory, bodies, nowMs, onUnreadable } = options
  const buckets = await loadBuckets(directory, bodies, onUnreadable)
  const nextSequencer = sequencers(buckets, nowMs)

  function bucketNamed(name: string): Bucket {
    const bucket = buckets.get(name)
    if (!bucket) throw new S3Error('NoSuchBucket', undefined, { BucketName: name })
    return bucket
  }

  function get(name: string, key: string): ObjectRecord {
    const record = bucketNamed(name).objects.get(key)
    if (!record) throw new S3Error('NoSuchKey', undefined, { Key: key })
    return record
  }

  function store(bucket: Bucket, record: ObjectRecord): void {
    const path = objectPath(join(directory, bucket.record.name), record.key)
    mkdirSync(dirname(path), { recursive: true })
    writeRecord(path, record)
    if (!bucket.objects.has(record.key))
      bucket.keys.splice(lowerBound(bucket.keys, record.key), 0, record.key)
    bucket.objects.set(record.key, record)
  }

  return {
    listBuckets: () => [...buckets.values()].map(({ record }) => record).sort(byName),
    createBucket(name) {
      if (buckets.has(name)) throw new S3Error('BucketAlreadyOwnedByYou', undefined, { BucketName: name })
      const record = { name, createdMs: nowMs(), notifications: [] }
      mkdirSync(join(directory, name), { recursive: true })
      writeRecord(bucketPath(directory, name), record)
      buckets.set(name, { record, objects: new Map(), keys: [] })
    },
    getBucket: (name) => bucketNamed(name).record,
    changeBucket(name, change) {
      const bucket = bucketNamed(name)
      const record = { ...bucket.record, ...change }
      writeRecord(bucketPath(directory, name), record)
      bucket.record = record
    },
    deleteBucket(name) {
      if (bucketNamed(name).objects.size > 0)
        throw new S3Error('BucketNotEmpty', undefined, { BucketName: name })
      rmSync(join(directory, name), { recursive: true })
      buckets.delete(name)
    },
    find: (name, key) => bucketNamed(name).objects.get(key),
    get,
    isCompleted: (uploadId) =>
      [...buckets.values()].some(({ objects }) =>
        [...objects.values()].some((object) => object.uploadId === uploadId),
      ),
    sortedKeys: (name) => bucketNamed(name).keys,
    put(name, draft, conditions) {
      const bucket = bucketNamed(name)
      const before = bucket.objects.get(draft.key)
      checkWrite(conditions, draft.key, before)
      const record = { ...draft, modifiedMs: nowMs(), sequencer: nextSequencer() }
      store(bucket, record)
      if (before) bodies.release(before.segments)
      return record
    },
    setTags(name, key, tags) {
      const record = { ...get(name, key), tags }
      store(bucketNamed(name), record)
      return record
    },
    delete(name, key, ifMatch) {
      const bucket = bucketNamed(name)
      const record = bucket.objects.get(key)
      checkDelete(ifMatch, record)
      if (!record) return undefined
      rmSync(objectPath(join(directory, name), key))
      bucket.objects.delete(key)
      bucket.keys.splice(lowerBound(bucket.keys, key), 1)
      bodies.release(record.segments)
      return { ...record, sequencer: nextSequencer() }
    },
  }
}

/**
 * A key is any text up to 1,024 bytes, `..` and slashes included, so it never becomes a path: the file is named after
 * its hash, in 256 folders.
 */
function objectPath(bucketDirectory: string, key: string): string {
  const hash = createHash('sha256').update(key).digest('hex')
  return join(bucketDirectory, 'objects', hash.slice(0, 2), `${hash}.json`)
}

function bucketPath(directory: string, name: string): string {
  return join(directory, name, 'bucket.json')
}

async function loadBuckets(
  directory: string,
  bodies: Bodies,
  onUnreadable: (path: string, error: unknown) => void,
): Promise<Map<string, Bucket>> {
  await mkdir(directory, { recursive: true })
  const buckets = new Map<string, Bucket>()
  for (const name of await readdir(directory)) {
    try {
      const record = readRecord(bucketPath(directory, name), bucketRecordSchema)
      const records = await readRecords(join(directory, name, 'objects'), objectRecordSchema, onUnreadable)
      const objects = new Map(records.map((object) => [object.key, object]))
      for (const { segments } of records) bodies.hold(segments)
      buckets.set(record.name, { record, objects, keys: [...objects.keys()].sort(compareKeys) })
    } catch (error) {
      // A folder without a record is a bucket whose creation or deletion a crash cut short.
      if (!isMissing(error)) onUnreadable(bucketPath(directory, name), error)
    }
  }
  return buckets
}

/**
 * Sequencers grow with the clock, and by at least one: 18 hex digits, milliseconds in front. They go on above the
 * highest one that is stored, so that a restart with a slower clock does not turn the order of events around.
 */
function sequencers(buckets: ReadonlyMap<string, Bucket>, nowMs: () => number): () => string {
  let last = 0n
  for (const { objects } of buckets.values()) {
    for (const { sequencer } of objects.values()) last = max(last, BigInt(`0x${sequencer}`))
  }
  return () => {
    last = max(last + 1n, BigInt(Math.floor(nowMs())) << 24n)
    return last.toString(16).toUpperCase().padStart(18, '0')
  }
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

function byName(a: BucketRecord, b: BucketRecord): number {
  return compareKeys(a.name, b.name)
}
