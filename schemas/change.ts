import type { ControllerAttributes, Job } from './job.ts'

/** What may stand in a write of the controller. The worker's attributes and a foreign `expiresAt` may only be removed. */
export type Change = {
  set: Partial<ControllerAttributes & Pick<Job, 'phase' | 'createdAt' | 'expiresAt'>>
  remove: readonly string[]
}
