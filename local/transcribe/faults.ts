import { z } from 'zod'

const count = z
  .number()
  .int()
  .min(1)
  .max(1_000_000)
  .default(1)
  .describe('How many times it strikes, then it is gone.')
const action = z.string().default('*').describe('An action such as StartTranscriptionJob; * for every one.')
const durationMs = z.number().int().min(0).max(86_400_000)
const when = z.enum(['before', 'after']).describe('Before or after the effect of the call.')

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
