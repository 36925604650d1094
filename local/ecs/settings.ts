import { z } from 'zod'
import { faultSchema } from './faults.ts'

const milliseconds = z.number().min(0)
const bucket = (burst: number, perSecond: number) =>
  z.object({ burst: z.number().min(0), perSecond: z.number().min(0) }).prefault({ burst, perSecond })

/** How long a task stays in each step of its life. The defaults have the shape of Fargate and fit a laptop. */
const timelineSchema = z.object({
  provisioningMs: milliseconds.default(300),
  pendingMs: milliseconds.default(100),
  pullMs: milliseconds.default(200).describe('First part of ACTIVATING.'),
  activatingMs: milliseconds.default(100).describe('Second part of ACTIVATING: containers are created.'),
  noticeMs: milliseconds.default(50).describe('From desiredStatus STOPPED until lastStatus follows.'),
  deactivatingMs: milliseconds.default(50),
  stoppingMs: milliseconds
    .default(50)
    .describe('At least; STOPPING lasts until every container has stopped.'),
  deprovisioningMs: milliseconds.default(150),
})

export type Timeline = z.infer<typeof timelineSchema>

/** As on AWS: about 24 s until RUNNING (ECS developer guide, sample task state change events). */
export const fargateTimeline: Timeline = {
  provisioningMs: 4_000,
  pendingMs: 14_000,
  pullMs: 3_000,
  activatingMs: 3_000,
  noticeMs: 1_000,
  deactivatingMs: 1_000,
  stoppingMs: 1_000,
  deprovisioningMs: 10_000,
}

/** The timeline with every duration divided by the speed. */
export const timelineAt = ({ timeline, speed }: Pick<EcsSettings, 'timeline' | 'speed'>): Timeline => ({
  provisioningMs: timeline.provisioningMs / speed,
  pendingMs: timeline.pendingMs / speed,
  pullMs: timeline.pullMs / speed,
  activatingMs: timeline.activatingMs / speed,
  noticeMs: timeline.noticeMs / speed,
  deactivatingMs: timeline.deactivatingMs / speed,
  stoppingMs: timeline.stoppingMs / speed,
  deprovisioningMs: timeline.deprovisioningMs / speed,
})

const taskStates = [
  'PROVISIONING',
  'PENDING',
  'ACTIVATING',
  'RUNNING',
  'DEACTIVATING',
  'STOPPING',
  'DEPROVISIONING',
  'STOPPED',
] as const

/** Where AWS's own pages are silent or disagree, both behaviours can be had. */
const switchesSchema = z.object({
  failuresOnlyToken: z
    .enum(['consumed', 'unused'])
    .default('consumed')
    .describe('Whether a RunTask that started nothing uses up its clientToken.'),
  failuresOnlyTokenMs: milliseconds.default(86_400_000).describe('For how long it does.'),
  startedByFilter: z
    .enum(['combinable', 'alone'])
    .default('combinable')
    .describe('Whether ListTasks takes startedBy together with other filters.'),
  stopOfStopped: z.enum(['answers', 'refuses']).default('answers').describe('StopTask on a STOPPED task.'),
  launchBucketRefusal: z
    .enum(['exception', 'failures'])
    .default('exception')
    .describe('How RunTask says that the launch bucket is empty.'),
  firstVersion: z.number().int().min(0).default(1),
  versionStep: z.number().int().min(1).default(1),
  silentStates: z
    .array(z.enum(taskStates))
    .default([])
    .describe('Entering these states sends no event and leaves the version as it is.'),
  containersWhileProvisioning: z
    .boolean()
    .default(true)
    .describe('Whether containers are listed before the task has its network.'),
})

/** What an image would bring along. On one machine there is no registry, so this table is it. */
const imageSchema = z.object({
  entryPoint: z.array(z.string()).default([]),
  command: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  stopSignal: z.enum(['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2']).default('SIGTERM'),
})

export type Image = z.infer<typeof imageSchema>

/** Everything that can be set about the local ECS. `ecsSettingsSchema.parse({})` is a fresh account with a fast Fargate. */
export const ecsSettingsSchema = z.object({
  timeline: timelineSchema.prefault({}),
  speed: z.number().positive().default(1).describe('Divides every duration of the timeline.'),
  throttle: z
    .object({
      enabled: z.boolean().default(true),
      /** Burst and refill per second (ECS API reference, "Request throttling"; developer guide, "Fargate throttling"). */
      buckets: z
        .object({
          runAndStop: bucket(100, 40),
          describeAndList: bucket(100, 20),
          changeDefinitions: bucket(20, 1),
          readDefinitions: bucket(50, 20),
          changeTags: bucket(20, 10),
          readTags: bucket(50, 20),
          fargateRunTask: bucket(20, 20),
          launchOnDemand: bucket(100, 20),
          launchSpot: bucket(100, 20),
        })
        .prefault({}),
    })
    .prefault({}),
  vcpuQuota: z
    .object({ onDemand: z.number().min(0).default(6), spot: z.number().min(0).default(6) })
    .prefault({}),
  visibilityDelayMs: milliseconds.default(0).describe('For how long a new task is MISSING.'),
  stoppedRetentionMs: milliseconds.default(3_600_000).describe('For how long a STOPPED task is described.'),
  tokenLifetimeMs: milliseconds.default(86_400_000),
  tokenAfterStopMs: milliseconds.default(3_600_000),
  memoryWatchMs: milliseconds.default(250),
  closeGraceMs: milliseconds.default(3_000).describe('From SIGTERM to SIGKILL when the local AWS ends.'),
  images: z.record(z.string(), imageSchema).default({}),
  faults: z.array(faultSchema).default([]),
  switches: switchesSchema.prefault({}),
})

export type EcsSettings = z.infer<typeof ecsSettingsSchema>
export type BucketName = keyof EcsSettings['throttle']['buckets']
export type TaskState = (typeof taskStates)[number]
