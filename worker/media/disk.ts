import { statfs } from 'node:fs/promises'
import { WorkerError } from '../errors.ts'
import type { Plan } from './command.ts'

const spareBytes = 200e6
const gibibyte = 1024 ** 3
/** What the image and the runtime take of the disk of a task. */
const imageGibibytes = 3

/** Bytes that a user may still write where `path` is. */
export const freeBytesAt = async (path: string): Promise<number> => {
  const { bavail, bsize } = await statfs(path)
  return bavail * bsize
}

/** Bytes that the renditions of a plan can take at most, with a fifth for the unforeseen. Pure. */
export const outputBytes = ({ rungs, params, audio, promised }: Plan): number => {
  const kbps =
    rungs.reduce((sum, rung) => sum + rung.maxBitrateKbps, 0) + (audio ? params.audioBitrateKbps : 0)
  return Math.ceil((kbps * 1000 * promised.wholeS * 1.2) / 8)
}

/**
 * A full disk shows as empty files and exit code 0, so there must be room before anything is written.
 * @param takenBytes what the task holds on the disk already
 * @throws WorkerError DISK_FULL, naming the GiB to ask for
 */
export const requireDisk = (neededBytes: number, freeBytes: number, takenBytes: number): void => {
  const withSpareBytes = neededBytes + spareBytes
  if (freeBytes >= withSpareBytes) return
  const size = Math.max(21, Math.ceil((takenBytes + withSpareBytes) / gibibyte) + imageGibibytes)
  throw new WorkerError(
    'DISK_FULL',
    `${inGibibytes(withSpareBytes)} GiB are needed and ${inGibibytes(freeBytes)} GiB are free. Set resources.ephemeralStorage to ${size} or more`,
  )
}

const inGibibytes = (bytes: number): string => (bytes / gibibyte).toFixed(1)
