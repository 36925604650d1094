import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bodies } from './bodies.ts'
import { S3Error } from './errors.ts'
import { compareKeys } from './list.ts'
import {
  isMissing,
  type PartRecord,
  partRecordSchema,
  readRecord,
  readRecords,
  type UploadRecord,
  uploadRecordSchema,
  writeRecord,
} from './records.ts'

export type Upload = { readonly record: UploadRecord; readonly parts: ReadonlyMap<number, PartRecord> }

/** Multipart uploads under way. As with objects, every change is one synchronous step, and it survives a restart. */
export type UploadStore = {
  create(upload: Omit<UploadRecord, 'uploadId' | 'initiatedMs'>): UploadRecord
  /** @throws NoSuchUpload, also when the id belongs to another bucket or key. */
  get(bucket: string, key: string, uploadId: string): Upload
  /** Sorted by key, then by the time they began. */
  list(bucket: string): UploadRecord[]
  /**
   * Adds a part or replaces the one of that number. The store takes over the caller's hold on the segments;
   * when it throws, the caller keeps it.
   * @throws NoSuchUpload
   */
  putPart(upload: Upload, part: Omit<PartRecord, 'modifiedMs'>): PartRecord
  /** Forgets the upload and gives up its hold on all parts. */
  remove(upload: Upload): void
  /** Forgets the uploads of a bucket that is deleted. */
  removeBucket(bucket: string): void
}

type StoredUpload = { record: UploadRecord; parts: Map<number, PartRecord> }

/** Reads the uploads below `directory`. One that an object came from was completed right before a crash: it is removed. */
export async function openUploads(options: {
  directory: string
  bodies: Bodies
  nowMs: () => number
  isCompleted: (uploadId: string) => boolean
  onUnreadable: (path: string, error: unknown) => void
}): Promise<UploadStore> {
  const { directory, bodies, nowMs } = options
  const uploads = await loadUploads(options)

  function isCurrent(upload: Upload): upload is StoredUpload {
    return uploads.get(upload.record.uploadId) === upload
  }

  function remove(upload: Upload): void {
    if (!isCurrent(upload)) return
    uploads.delete(upload.record.uploadId)
    rmSync(join(directory, upload.record.uploadId), { recursive: true, force: true })
    for (const { segments } of upload.parts.values()) bodies.release(segments)
  }

  return {
    create(upload) {
      const record = { ...upload, uploadId: randomBytes(32).toString('hex'), initiatedMs: nowMs() }
      mkdirSync(join(directory, record.uploadId, 'parts'), { recursive: true })
      writeRecord(join(directory, record.uploadId, 'upload.json'), record)
      uploads.set(record.uploadId, { record, parts: new Map() })
      return record
    },
    get(bucket, key, uploadId) {
      const upload = uploads.get(uploadId)
      if (upload?.record.bucket !== bucket || upload.record.key !== key) throw noSuchUpload(uploadId)
      return upload
    },
    list: (bucket) =>
      [...uploads.values()]
        .map(({ record }) => record)
        .filter((record) => record.bucket === bucket)
        .sort((a, b) => compareKeys(a.key, b.key) || a.initiatedMs - b.initiatedMs),
    putPart(upload, draft) {
      if (!isCurrent(upload)) throw noSuchUpload(upload.record.uploadId)
      const part = { ...draft, modifiedMs: nowMs() }
      writeRecord(join(directory, upload.record.uploadId, 'parts', `${part.partNumber}.json`), part)
      const before = upload.parts.get(part.partNumber)
      upload.parts.set(part.partNumber, part)
      if (before) bodies.release(before.segments)
      return part
    },
    remove,
    removeBucket(bucket) {
      for (const upload of [...uploads.values()]) if (upload.record.bucket === bucket) remove(upload)
    },
  }
}

async function loadUploads(options: {
  directory: string
  bodies: Bodies
  isCompleted: (uploadId: string) => boolean
  onUnreadable: (path: string, error: unknown) => void
}): Promise<Map<string, StoredUpload>> {
  const { directory, bodies, isCompleted, onUnreadable } = options
  await mkdir(directory, { recursive: true })
  const uploads = new Map<string, StoredUpload>()
  for (const uploadId of await readdir(directory)) {
    try {
      const record = readRecord(join(directory, uploadId, 'upload.json'), uploadRecordSchema)
      if (isCompleted(uploadId)) {
        rmSync(join(directory, uploadId), { recursive: true })
        continue
      }
      const parts = await readRecords(join(directory, uploadId, 'parts'), partRecordSchema, onUnreadable)
      for (const { segments } of parts) bodies.hold(segments)
      uploads.set(uploadId, { record, parts: new Map(parts.map((part) => [part.partNumber, part])) })
    } catch (error) {
      // A folder without a record is an upload whose creation or removal a crash cut short.
      if (isMissing(error)) rmSync(join(directory, uploadId), { recursive: true })
      else onUnreadable(join(directory, uploadId), error)
    }
  }
  return uploads
}

function noSuchUpload(uploadId: string): S3Error {
  return new S3Error('NoSuchUpload', undefined, { UploadId: uploadId })
}
