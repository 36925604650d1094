import type { Policy } from '../../controller/policy.ts'

/** Limits for tests: two queues, six vCPUs. */
export const testPolicy = (more: Partial<Policy> = {}): Policy => ({
  installation: 'test',
  maxRunning: 100,
  maxVcpu: 6,
  queues: { default: {}, batch: { maxVcpu: 1 } },
  visibilityGraceMs: 360_000,
  reservedFamilies: ['worker', 'worker-internet', 'worker-seeding'],
  seedingPort: 51_413,
  uploadsBucket: 'uploads',
  ...more,
})
