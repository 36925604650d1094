import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { segmentSchema } from './bodies.ts'
import { CHECKSUM_ALGORITHMS } from './checksums.ts'
import { corsRuleSchema } from './cors.ts'
import { queueConfigurationSchema } from './notifications.ts'

/** What lies on disk beside the bodies: one JSON file per bucket, object, upload and part. */

export const bucketRecordSchema = z.object({
  name: z.string(),
  createdMs: z.number(),
  cors: z.array(corsRuleSchema).optional(),
  notifications: z.array(queueConfigurationSchema).default([]),
})

const checksumSchema = z.object({
  algorithm: z.enum(CHECKSUM_ALGORITHMS),
  type: z.enum(['FULL_OBJECT', 'COMPOSITE']),
  value: z.string(),
})

/** What a client says about an object and gets back with it. */
export const descriptionSchema = z.object({
  /** Headers kept as they are, such as `content-type`. */
  headers: z.record(z.string(), z.string()),
  /** User metadata, names without `x-amz-meta-`. */
  metadata: z.record(z.string(), z.string()),
  tags: z.record(z.string(), z.string()),
  storageClass: z.string(),
})

export const objectRecordSchema = descriptionSchema.extend({
  key: z.string(),
  /** Without quotes. */
  etag: z.string(),
  sizeBytes: z.number(),
  segments: z.array(segmentSchema),
  /** Sizes of the parts, for an object that was uploaded in parts. */
  partSizesBytes: z.array(z.number()).optional(),
  /** The multipart upload it came from: one that is still on disk then was completed right before a crash. */
  uploadId: z.string().optional(),
  checksum: checksumSchema.optional(),
  modifiedMs: z.number(),
  /** Hex, of fixed width, larger with each write: orders the events of a key. */
  sequencer: z.string(),
})

export const uploadRecordSchema = descriptionSchema.extend({
  uploadId: z.string(),
  bucket: z.string(),
  key: z.string(),
  initiatedMs: z.number(),
  checksum: checksumSchema.pick({ algorithm: true, type: true }).optional(),
})

export const partRecordSchema = z.object({
  partNumber: z.number(),
  etag: z.string(),
  sizeBytes: z.number(),
  segments: z.array(segmentSchema),
  checksum: checksumSchema.pick({ algorithm: true, value: true }).optional(),
  modifiedMs: z.number(),
})

export type BucketRecord = z.infer<typeof bucketRecordSchema>
export type Description = z.infer<typeof descriptionSchema>
export type ObjectRecord = z.infer<typeof objectRecordSchema>
export type UploadRecord = z.infer<typeof uploadRecordSchema>
export type PartRecord = z.infer<typeof partRecordSchema>

/**
 * Replaces a record as a whole. It is synchronous on purpose: between the check of a condition and its effect nothing
 * else can run, which makes conditional writes atomic without locks. Records are small, the bytes are already on disk.
 * The file survives a killed process; a power failure may lose the last writes.
 */
export function writeRecord(path: string, record: object): void {
  const temporaryPath = `${path}.tmp`
  writeFileSync(temporaryPath, JSON.stringify(record))
  renameSync(temporaryPath, path)
}

export function readRecord<T>(path: string, schema: z.ZodType<T>): T {
  return schema.parse(JSON.parse(readFileSync(path, 'utf8')))
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

/** All records of a folder; those that cannot be read go to `onUnreadable`. A missing folder has none. */
export async function readRecords<T>(
  directory: string,
  schema: z.ZodType<T>,
  onUnreadable: (path: string, error: unknown) => void,
): Promise<T[]> {
  const records: T[] = []
  for (const name of await readdir(directory, { recursive: true }).catch(() => [])) {
    if (!name.endsWith('.json')) continue
    const path = join(directory, name)
    try {
      records.push(readRecord(path, schema))
    } catch (error) {
      onUnreadable(path, error)
    }
  }
  return records
}
