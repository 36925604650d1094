import { z } from 'zod'
import { type Faults as CommonFaults, count, durationMs, oneOrSeveral, when } from '../faults.ts'

const action = z.string().default('*').describe('An action such as StartTranscriptionJob; * for every one.')

/** What can be made to go wrong. Calls first, then jobs, then events. Same words as the faults of the local ECS. */
export const faultSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('throttle'),
    action,
    count,
    code: z.enum(['ThrottlingException', 'LimitExceededException']).default('ThrottlingException'),
  }),
  z.object({ kind: z.literal('error'), action, count, when: when.default('after') }),
  z.object({
    kind: z.literal('drop'),
    action,
    count,
    when: when.default('after'),
    hangMs: durationMs.default(0).describe('How long the caller waits before the connection breaks.'),
  }),
  z.object({ kind: z.literal('delay'), action, count, delayMs: durationMs }),
  z
    .object({ kind: z.literal('limitExceeded'), count })
    .describe('A start is refused as if all concurrent jobs were in use.'),
  z
    .object({ kind: z.literal('accessDenied'), count })
    .describe('A start is refused as if the caller could not write to the output bucket.'),
  z.object({
    kind: z.literal('failJob'),
    count,
    reason: z.string().min(1).default('Internal failure. Try your request again.'),
  }),
  z.object({ kind: z.literal('slowJob'), count, delayMs: durationMs }),
  z.object({ kind: z.literal('dropEvent'), count }),
  z.object({ kind: z.literal('duplicateEvent'), count }),
  z.object({ kind: z.literal('delayEvent'), count, delayMs: durationMs }),
])

export const faultsSchema = oneOrSeveral(faultSchema)

export type Fault = z.infer<typeof faultSchema>
export type Faults = CommonFaults<Fault>
