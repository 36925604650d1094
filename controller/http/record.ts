import { ControllerError } from '../errors.ts'
import type { JobStore } from '../store/jobs.ts'
import { readStored } from '../store/stored.ts'
import type { Shown } from './why.ts'

/** @throws ControllerError JOB_NOT_FOUND, also for what is left of a reaped job */
export async function readShown(jobId: string, jobs: Pick<JobStore, 'get'>): Promise<Shown> {
  const stored = readStored(await jobs.get(jobId))
  if (stored.is === 'none' || stored.is === 'tombstone') throw ControllerError.of('JOB_NOT_FOUND', { jobId })
  return stored
}
