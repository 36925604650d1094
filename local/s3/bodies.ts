import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

/** A stretch of a body file. An object is a list of them, so that completing a multipart upload copies no bytes. */
export const segmentSchema = z.object({
  body: z.string(),
  offsetBytes: z.number().int().nonnegative(),
  sizeBytes: z.number().int().positive(),
})

export type Segment = z.infer<typeof segmentSchema>

/**
 * The bytes of all objects and parts, each written once under a random name and never changed.
 * A body lives as long as somebody holds it: a record of an object or a part, or a reader. So an object that is
 * overwritten or deleted while it is read is read to its end.
 */
export type Bodies = {
  /** Opens a new body for writing; it is held once, by the caller. */
  create(): Promise<{ body: string; file: FileHandle }>
  hold(segments: readonly Segment[]): void
  release(segments: readonly Segment[]): void
  /** Gives up a body that became no object. */
  discard(body: string): void
  /** The bytes `first` to `last` (inclusive) of the segments. The caller holds them until the end. */
  read(segments: readonly Segment[], first: number, last: number): AsyncGenerator<Buffer>
  /** Removes the files nobody holds: what a crash left behind. */
  sweep(): Promise<void>
  /** Resolves when removals under way are done. */
  settle(): Promise<void>
}

const READ_CHUNK_BYTES = 256 * 1024

export async function openBodies(directory: string, onError: (error: unknown) => void): Promise<Bodies> {
  await mkdir(directory, { recursive: true })
  const holders = new Map<string, number>()
  const removals = new Set<Promise<void>>()

  function change(body: string, difference: 1 | -1): void {
    const count = (holders.get(body) ?? 0) + difference
    if (count > 0) {
      holders.set(body, count)
      return
    }
    holders.delete(body)
    const removal = rm(join(directory, body), { force: true })
      .catch(onError)
      .finally(() => removals.delete(removal))
    removals.add(removal)
  }

  return {
    async create() {
      const body = randomUUID()
      const file = await open(join(directory, body), 'wx')
      holders.set(body, 1)
      return { body, file }
    },
    hold(segments) {
      for (const { body } of segments) change(body, 1)
    },
    release(segments) {
      for (const { body } of segments) change(body, -1)
    },
    discard(body) {
      change(body, -1)
    },
    async *read(segments, first, last) {
      for (const { body, offsetBytes, sizeBytes } of slice(segments, first, last)) {
        const end = offsetBytes + sizeBytes - 1
        const options = { start: offsetBytes, end, highWaterMark: READ_CHUNK_BYTES }
        yield* createReadStream(join(directory, body), options) as AsyncIterable<Buffer>
      }
    },
    async sweep() {
      for (const name of await readdir(directory)) {
        if (!holders.has(name)) await rm(join(directory, name), { force: true })
      }
    },
    async settle() {
      await Promise.all(removals)
    },
  }
}

/** The segments that make up the bytes `first` to `last` (inclusive). */
export function slice(segments: readonly Segment[], first: number, last: number): Segment[] {
  const slices: Segment[] = []
  let position = 0
  for (const segment of segments) {
    const from = Math.max(first - position, 0)
    const to = Math.min(last - position, segment.sizeBytes - 1)
    if (from <= to) {
      slices.push({ body: segment.body, offsetBytes: segment.offsetBytes + from, sizeBytes: to - from + 1 })
    }
    position += segment.sizeBytes
  }
  return slices
}

export function totalBytes(segments: readonly Segment[]): number {
  return segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
}
