import { z } from 'zod'
import { phases } from './job.ts'

const count = z.number().int().min(0)
const time = z.iso.datetime().optional()

/** Where the one item of the leader's status stands in the control table. */
export const statusItemId = 'status'

/** What the leader publishes about itself every few seconds; every controller serves it. */
export const statusSchema = z
  .object({
    at: z.iso.datetime().describe('When the leader wrote this.'),
    leader: z.object({
      id: z.string().describe('Which process leads.'),
      mode: z.enum(['single', 'leader']).describe('single: no election, this is the only controller.'),
      since: z.iso.datetime(),
    }),
    phases: z.partialRecord(z.enum(phases), count).describe('Jobs by phase.'),
    limits: z
      .object({ running: count, maxRunning: count, vcpu: z.number(), maxVcpu: z.number() })
      .describe('What live jobs take, and what they may take.'),
    queues: z.array(
      z.object({
        name: z.string(),
        running: count,
        vcpu: z.number(),
        maxRunning: count.optional(),
        maxVcpu: z.number().optional(),
        waitingFor: z.string().optional().describe('Why the first job of its line waits.'),
      }),
    ),
    workqueue: z.object({ waiting: count, ready: count, running: count, lagMs: z.number(), dropped: count }),
    pacers: z.record(z.string(), z.number()).describe('Tokens left, by call.'),
    lastPollAt: time.describe('Last look at all live tasks.'),
    lastSweepAt: time.describe('Last comparison of tasks and jobs.'),
    lastScanAt: time.describe('Last reading of every record.'),
    intake: z.record(z.string(), count).describe('Messages since this leader began, by what became of them.'),
    attention: z.array(z.object({ jobId: z.string(), why: z.string() })).describe('Jobs that need a person.'),
  })
  .describe('State of the controller.')

export type Status = z.infer<typeof statusSchema>
