import { S3Error } from './errors.ts'
import type { S3Event } from './notifications.ts'

/** Switches for tests, read at each use: what S3 is allowed to do but rarely does. Change them at any time. */
export type S3Faults = {
  /** How often each event is delivered; S3 promises at least once. 0 loses events. */
  eventCopies: number
  /** How long an event is held back; different answers turn the order of events around. */
  eventDelayMs: (event: S3Event) => number
  /** The next so many conditional writes get 409 ConditionalRequestConflict. */
  conditionalConflicts: number
  /** The next so many requests get 503 SlowDown. */
  slowDowns: number
}

export function noFaults(): S3Faults {
  return { eventCopies: 1, eventDelayMs: () => 0, conditionalConflicts: 0, slowDowns: 0 }
}

/** @throws SlowDown */
export function mayRefuse(faults: S3Faults): void {
  if (faults.slowDowns <= 0) return
  faults.slowDowns -= 1
  throw new S3Error('SlowDown')
}

/** @throws ConditionalRequestConflict */
export function mayConflict(faults: S3Faults, isConditional: boolean): void {
  if (!isConditional || faults.conditionalConflicts <= 0) return
  faults.conditionalConflicts -= 1
  throw new S3Error('ConditionalRequestConflict')
}
