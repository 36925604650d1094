import { statfs } from 'node:fs/promises'
import { fargateEphemeralStorage } from '../../schemas/fargate.ts'
import { askForStorage } from '../../schemas/sizes.ts'
import { WorkerError } from '../errors.ts'
import type { Plan } from './command.ts'
import { mp4Rungs } from './mp4.ts'

const spareBytes = 200e6
const gibibyte = 1024 ** 3
/** What the image and the runtime take of the disk of a task. */
const imageGibibytes = 3

/** Bytes that a user may still write where `path` is. */
export const freeBytesAt = async (path: string): Promise<number> => {
  const { bavail, bsize } = await statfs(path)
  return bavail * bsize
}

/** Bytes that the renditions of a plan and its MP4 files can take at most, with a fifth for the unforeseen. Pure. */
export const outputBytes = (plan: Pick<Plan, 'rungs' | 'params' | 'audio' | 'promised'>): number => {
  const { rungs, params, audio, promised } = plan
  const soundKbps = audio === undefined ? 0 : params.audioBitrateKbps
  const renditionsKbps = rungs.reduce((sum, rung) => sum + rung.maxBitrateKbps, soundKbps)
  const kbps = mp4Rungs(plan).reduce((sum, rung) => sum + rung.maxBitrateKbps + soundKbps, renditionsKbps)
  return Math.ceil((kbps * 1000 * promised.wholeS * 1.2) / 8)
}

/**
 * A full disk shows as empty files and exit code 0, so there must be room before anything is written.
 * @param takenBytes what the task holds on the disk already
 * @throws WorkerError DISK_FULL, naming the GiB to ask for; INPUT_TOO_LARGE if no task can have so many
 */
export const requireDisk = (neededBytes: number, freeBytes: number, takenBytes: number): void => {
  const withSpareBytes = neededBytes + spareBytes
  if (freeBytes >= withSpareBytes) return
  const size = Math.max(21, Math.ceil((takenBytes + withSpareBytes) / gibibyte) + imageGibibytes)
  if (size > fargateEphemeralStorage.maxGiB)
    throw new WorkerError(
      'INPUT_TOO_LARGE',
      `it would take ${size} GiB of disk, and no task has more than ${fargateEphemeralStorage.maxGiB}. Ask for fewer renditions or for no MP4 files, or cut it into parts`,
    )
  throw new WorkerError(
    'DISK_FULL',
    `${inGibibytes(withSpareBytes)} GiB are needed and ${inGibibytes(freeBytes)} GiB are free. ${askForStorage(size)}`,
  )
}

const inGibibytes = (bytes: number): string => (bytes / gibibyte).toFixed(1)
