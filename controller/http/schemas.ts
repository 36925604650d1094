import { z } from 'zod'
import { jobRecordSchema } from '../../schemas/job.ts'
import { jobIdPattern } from '../../schemas/limits.ts'
import { jobRequestSchema } from '../../schemas/message.ts'
import { statusSchema } from '../../schemas/status.ts'
import type { Item } from '../store/stored.ts'
import { failureSchema } from './failures.ts'

/** What OpenAPI names, so that a client that is made from it has these types once. */
export const namedSchemas = z.registry<{ id: string }>()

namedSchemas.add(failureSchema, { id: 'Failure' })
namedSchemas.add(jobRequestSchema, { id: 'JobRequest' })
namedSchemas.add(jobRecordSchema, { id: 'Job' })

/** Shown as it stands in the table, where anybody may have written: the form is documented here, and enforced nowhere. */
export const jobSchema = jobRecordSchema as unknown as z.ZodType<Item>

export const statusAnswerSchema = statusSchema
  .extend({
    ageMs: z
      .number()
      .describe('How old this is. It is published every few seconds; more means that no leader runs.'),
    free: z
      .object({ running: z.number(), vcpu: z.number() })
      .describe('What the limits still leave, all queues together.'),
  })
  .describe('State of the controller, as its leader published it last.')
namedSchemas.add(statusAnswerSchema, { id: 'Status' })

export const whySchema = z.object({
  why: z.string().describe('Why the job is where it is, in one sentence.'),
  until: z.iso
    .datetime()
    .optional()
    .describe(
      'When it is looked at again at the latest; absent where nothing has a time, and when it has ended.',
    ),
})

export const progressAnswerSchema = z
  .object({
    percent: z
      .number()
      .optional()
      .describe('0 to 100. Of a pipeline: the share of its children that have ended.'),
    stage: z.string().optional().describe('What it is doing. Of a pipeline: its step.'),
    etaS: z
      .number()
      .optional()
      .describe(
        'Seconds that it will probably still take. Of a pipeline: at the pace of its step, once a child of that has ended.',
      ),
  })
  .describe(
    'How far a live job has come; absent where there is nothing to say, and when it waits or has ended.',
  )

export const jobParams = z.strictObject({
  id: z
    .string()
    .regex(jobIdPattern, { error: 'must be a jobId: 1 to 64 letters, digits, _ and -' })
    .describe('The jobId.'),
})

/** A number from a query string. */
export const wholeParameter = (min: number, max: number) => {
  const error = `must be a whole number from ${min} to ${max}`
  return z.coerce.number({ error }).int({ error }).min(min, { error }).max(max, { error })
}

/** The answers that every route may give. */
export const failures = { default: failureSchema } as const
