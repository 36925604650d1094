import { z } from 'zod'

const count = z
  .number()
  .int()
  .min(1)
  .max(1_000_000)
  .default(1)
  .describe('How many times it strikes, then it is gone.')
const action = z.string().default('*').describe('An action such as RunTask; * for every one.')
const durationMs = z.number().int().min(0).max(86_400_000)
const when = z.enum(['before', 'after']).describe('Before or after the effect of the call.')

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

/** One fault or several. */
export const faultsSchema = z.preprocess(
  (input) => (Array.isArray(input) ? input : [input]),
  z.array(faultSchema),
)

export type Fault = z.infer<typeof faultSchema>
type FaultOf<Kind extends Fault['kind']> = Extract<Fault, { kind: Kind }>

export type Faults = {
  add(faults: readonly Fault[]): void
  clear(): void
  list(): readonly Fault[]
  /** The oldest fault of this kind that fits, once; undefined when nothing is to go wrong. */
  strike<Kind extends Fault['kind']>(
    kind: Kind,
    fits?: (fault: FaultOf<Kind>) => boolean,
  ): FaultOf<Kind> | undefined
}

export function createFaults(initial: readonly Fault[]): Faults {
  let faults = [...initial]
  return {
    add: (more) => {
      faults = [...faults, ...more]
    },
    clear: () => {
      faults = []
    },
    list: () => faults,
    strike: (kind, fits = () => true) => {
      const isOf = (fault: Fault): fault is FaultOf<typeof kind> => fault.kind === kind
      const struck = faults.filter(isOf).find(fits)
      if (struck === undefined) return undefined
      faults = faults
        .map((fault) => (fault === struck ? { ...fault, count: fault.count - 1 } : fault))
        .filter((fault) => fault.count > 0)
      return struck
    },
  }
}
