import { z } from 'zod'
import { isUploadKind, kinds, uploadKinds } from './kinds/index.ts'
import { queueNamePattern, specBounds } from './limits.ts'

const jobSchema = z
  .strictObject({
    kind: z
      .string()
      .refine(isUploadKind, { error: `must be one of: ${uploadKinds.join(', ')}` })
      .describe('Kind of the job.'),
    params: z.record(z.string(), z.unknown()).optional().describe('Its parameters.'),
    queue: z.string().regex(queueNamePattern).optional().describe('The line it waits in.'),
    priority: z
      .number()
      .int()
      .min(specBounds.priority.min)
      .max(specBounds.priority.max)
      .optional()
      .describe('0 to 9.'),
  })
  .superRefine(({ kind, params }, context) => {
    if (!isUploadKind(kind)) return
    const parsed = kinds[kind].params.safeParse(params ?? {})
    for (const { path, message } of parsed.error?.issues ?? [])
      context.addIssue({ code: 'custom', path: ['params', ...path], message })
  })

const bytes = z.number().int().min(0).optional()

/** Which uploads become which jobs. */
export const triggerSchema = z
  .strictObject({
    prefix: z.string().max(1024).default('').describe('What their keys begin with.'),
    suffix: z.string().max(64).default('').describe('What their keys end in, in any case.'),
    minBytes: bytes.describe('They are at least so large.'),
    maxBytes: bytes.describe('They are at most so large.'),
    jobs: z
      .array(jobSchema)
      .max(10)
      .refine((jobs) => new Set(jobs.map(({ kind }) => kind)).size === jobs.length, {
        error: 'must not name a kind twice: an upload has one job of each',
      })
      .describe('The jobs that each of them becomes. Empty: none.'),
  })
  .describe('A rule for uploads.')
export type Trigger = z.infer<typeof triggerSchema>

export const triggersSchema = z.array(triggerSchema).max(50)
