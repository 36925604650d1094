import { z } from 'zod'

/** Where the one lease of an installation stands in the control table. */
export const leaseItemId = 'lease'

/**
 * Who leads. No time of day stands in it: whoever waits measures on a clock of its own how long the version has not
 * changed (the shape is that of the DynamoDB lock client of awslabs).
 */
export const leaseSchema = z
  .object({
    holder: z.string().max(200).optional().describe('Which process leads; absent: it was handed over.'),
    term: z.number().int().min(0).describe('Grows whenever the lease changes hands.'),
    version: z.number().int().min(0).describe('Grows with every write.'),
    leaseMs: z
      .number()
      .int()
      .min(0)
      .max(300_000)
      .describe('How long the version has to stay the same before another process may take it.'),
  })
  .describe('The lease of the leader.')

export type Lease = z.infer<typeof leaseSchema>
