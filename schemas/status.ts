import { z } from 'zod'
import { phases } from './job.ts'

const count = z.number().int().min(0)
const time = z.iso.datetime().optional()

/** Where the one item of the leader's status stands in the control table. */
export const statusItemId = 'status'

/** How much of the costs the status carries: it is written every few seconds, and an item has at most 400 KB. */
export const costLimits = { days: 31, queues: 20 } as const

const costSchema = z.object({
  day: z.iso.date().describe('UTC day on which the attempts ended.'),
  queue: z.string().describe('The queue; ~others: those that cost least, together.'),
  attempts: count.describe('Attempts that cost something.'),
  costUsd: z.number().describe('What they cost, estimated.'),
  reaped: z
    .object({
      attempts: count.describe('How many of them.'),
      costUsd: z.number().describe('What those cost.'),
    })
    .optional()
    .describe('The part of it whose records are reaped, so that no scan finds it again.'),
})
export type DayCost = z.infer<typeof costSchema>

/** What the leader publishes about itself every few seconds; every controller serves it. */
export const statusSchema = z
  .object({
    at: z.iso.datetime().describe('When the leader wrote this.'),
    leader: z
      .object({
        id: z.string().describe('Which process leads.'),
        mode: z.literal('leader').describe('It was elected.'),
        since: z.iso.datetime().describe('Since when.'),
      })
      .describe('Who leads.'),
    phases: z.partialRecord(z.enum(phases), count).describe('Jobs by phase.'),
    limits: z
      .object({
        running: count.describe('Live jobs.'),
        maxRunning: count.describe('As many may live.'),
        vcpu: z.number().describe('vCPUs of live jobs.'),
        maxVcpu: z.number().describe('As many they may have.'),
      })
      .describe('What live jobs take, and what they may take.'),
    queues: z
      .array(
        z.object({
          name: z.string().describe('The queue.'),
          running: count.describe('Its live jobs.'),
          vcpu: z.number().describe('vCPUs of its live jobs.'),
          maxRunning: count.optional().describe('As many may live; absent: no limit of its own.'),
          maxVcpu: z.number().optional().describe('vCPUs they may have; absent: no limit of its own.'),
          waitingFor: z.string().optional().describe('Why the first job of its line waits.'),
        }),
      )
      .describe('Every queue that is configured.'),
    workqueue: z
      .object({
        waiting: count.describe('Jobs to be looked at later.'),
        ready: count.describe('Jobs to be looked at now.'),
        running: count.describe('Jobs being looked at.'),
        lagMs: z.number().describe('How late the oldest of them is.'),
        dropped: count.describe('Wake-ups that found the queue full; the polls make up for them.'),
      })
      .describe('Jobs that the leader has to look at.'),
    pacers: z.record(z.string(), z.number()).describe('Tokens left, by call.'),
    lastPollAt: time.describe('Last look at all live tasks.'),
    lastSweepAt: time.describe('Last comparison of tasks and jobs.'),
    lastScanAt: time.describe('Last reading of every record.'),
    intake: z.record(z.string(), count).describe('Messages since this leader began, by what became of them.'),
    costs: z
      .array(costSchema)
      .default([])
      .describe('What attempts cost, by the day on which they ended and by queue; newest first, 31 days.'),
    attention: z
      .array(z.object({ jobId: z.string().describe('The job.'), why: z.string().describe('One sentence.') }))
      .describe('Jobs that need a person.'),
  })
  .describe('State of the controller.')

export type Status = z.infer<typeof statusSchema>
