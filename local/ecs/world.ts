import type { Arns } from './arns.ts'
import type { Clock } from './clock.ts'
import type { Faults } from './faults.ts'
import type { Runtime } from './runtime.ts'
import type { BucketName, EcsSettings, Timeline } from './settings.ts'
import type { Store } from './store.ts'

export type Log = {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What the actions stand on. */
export type World = {
  region: string
  accountId: string
  settings: EcsSettings
  /** The timeline of the settings at their speed. */
  timeline: Timeline
  arns: Arns
  clock: Clock
  store: Store
  runtime: Runtime
  faults: Faults
  throttle: { allows(name: BucketName, count?: number): boolean }
}
