import { z } from 'zod'
import { type Faults as CommonFaults, count, durationMs, oneOrSeveral, when } from '../faults.ts'

const action = z.string().default('*').describe('An action such as RunTask; * for every one.')

/** What can be made to go wrong. Calls first, then launches, then views and events. */
export const faultSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('throttle'),
    action,
    count,
    form: z.enum(['plain', 'wrapped']).default('plain'),
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
  z.object({
    kind: z.literal('capacity'),
    count: count.describe('Tasks, not calls: a RunTask of three can succeed in part.'),
    market: z.enum(['on-demand', 'spot']).optional().describe('Absent: both.'),
    reason: z.string().optional(),
    runs: z.boolean().default(false).describe('The failure is answered although the task runs.'),
  }),
  z.object({ kind: z.literal('launchLatency'), count, delayMs: durationMs }),
  z.object({ kind: z.literal('hidden'), count, durationMs }),
  z.object({
    kind: z.literal('startFailure'),
    count,
    state: z.enum(['PROVISIONING', 'ACTIVATING']).default('ACTIVATING'),
    stopCode: z.enum(['TaskFailedToStart', 'SpotInterruption']).default('TaskFailedToStart'),
    reason: z.string().optional(),
    afterMs: durationMs.optional().describe('How long it hangs in that state first.'),
  }),
  z.object({
    kind: z.literal('staleList'),
    count,
    ageMs: durationMs.describe('ListTasks answers as the world was this long ago.'),
  }),
  z.object({ kind: z.literal('dropEvent'), count }),
  z.object({ kind: z.literal('duplicateEvent'), count }),
  z.object({ kind: z.literal('delayEvent'), count, delayMs: durationMs }),
])

export const faultsSchema = oneOrSeveral(faultSchema)

export type Fault = z.infer<typeof faultSchema>
export type Faults = CommonFaults<Fault>
