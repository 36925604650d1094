import type { Clock } from '../ecs/index.ts'
import type { Faults } from './faults.ts'
import type { Objects } from './objects.ts'
import type { JobStatus } from './records.ts'
import type { Runtime } from './runtime.ts'
import type { TranscribeSettings } from './settings.ts'
import type { Store } from './store.ts'

export type Log = {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What the actions stand on. */
export type World = {
  region: string
  accountId: string
  settings: TranscribeSettings
  clock: Clock
  store: Store
  objects: Objects
  runtime: Runtime
  faults: Faults
  throttle: { allows(name: 'start' | 'get' | 'list' | 'delete'): boolean }
  /** Names of jobs that are about to start, each with the place it takes. */
  starting: Map<string, JobStatus>
}
