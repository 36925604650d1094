import type { Item } from './invariants.ts'
import type { World } from './world.ts'

type Source = {
  jobId: string
  uid?: string
  phase?: string
  source?: string
  settings?: { afterSuccess?: string; input?: { bucket?: string; key?: string } }
}

/**
 * Inputs that are deleted after success: only of a job that has succeeded, in this generation or one before, whose settings
 * asked for it.
 */
export function createSourceWatch(fail: (invariant: string, message: string) => void) {
  /** Inputs, as `bucket/key`, whose job has succeeded and asked for their end. */
  const spent = new Set<string>()

  return {
    /** A write of a controller. */
    controllerWrote(after: Item): void {
      const { phase, settings } = after as Source
      const { bucket, key } = settings?.input ?? {}
      if (phase === 'Succeeded' && settings?.afterSuccess === 'delete') spent.add(`${bucket}/${key}`)
    },
    /** A job that reads the same input has to live with that: jobs do not know of one another (decision 13). */
    isSpent: (bucket: string, key: string): boolean => spent.has(`${bucket}/${key}`),
    /** An object goes. */
    deleted(bucket: string, key: string): void {
      if (!spent.has(`${bucket}/${key}`)) fail('Source', `${key} was deleted, and no job is done with it`)
    },
  }
}

/** Its success is written, and its input still to be deleted. */
export const isSourceDue = (record: Item): boolean => {
  const { phase, source, settings } = record as Source
  return phase === 'Succeeded' && source === 'deleting' && settings?.afterSuccess === 'delete'
}

/** At the end: what is said to be deleted is. */
export function checkSources(world: World): void {
  const uploads = new Set(world.s3.keys(world.names.uploadsBucket))
  for (const record of world.records()) {
    const { jobId, phase, source, settings } = record as Source
    if (settings?.afterSuccess !== 'delete' || phase !== 'Succeeded' || world.isHandled(jobId)) continue
    if (source === 'deleted' && uploads.has(settings.input?.key ?? ''))
      world.fail('Source', `the input of ${jobId} is there, though its record says that it was deleted`)
  }
}
