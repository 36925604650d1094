import type { Configuration } from '../schemas/configuration.ts'
import { specDefaults } from '../schemas/limits.ts'

/** Limits of one queue; absent means that only the limits of the whole installation count. */
export type QueueLimits = { maxRunning?: number | undefined; maxVcpu?: number | undefined }

/** The part of the configuration that decisions are made from. */
export type Policy = {
  installation: string
  maxRunning: number
  maxVcpu: number
  /** Every queue that jobs may name. */
  queues: Readonly<Record<string, QueueLimits>>
  visibilityGraceMs: number
  /** Task definitions of our own: their roles are for our workers, and not for what users want to run. */
  reservedFamilies: readonly string[]
  /** By which peers reach tasks that seed; absent: there are no such tasks. */
  seedingPort?: number | undefined
  /** The only one that inputs are deleted from. */
  uploadsBucket: string
}

export const policyOf = (configuration: Configuration): Policy => ({
  installation: configuration.INSTALLATION,
  maxRunning: configuration.MAX_RUNNING,
  maxVcpu: configuration.MAX_VCPU,
  queues: { [specDefaults.queue]: {}, ...configuration.QUEUES },
  visibilityGraceMs: configuration.VISIBILITY_GRACE_S * 1000,
  reservedFamilies: [
    configuration.WORKER_TASK_DEFINITION,
    configuration.INTERNET_TASK_DEFINITION,
    configuration.SEEDING_TASK_DEFINITION,
  ],
  seedingPort: configuration.SEEDING_PORT,
  uploadsBucket: configuration.UPLOADS_BUCKET,
})

/** The most vCPUs that a job of this queue can ever have. */
export const vcpuCeiling = (policy: Policy, queue: string): number =>
  Math.min(policy.maxVcpu, policy.queues[queue]?.maxVcpu ?? Number.POSITIVE_INFINITY)
