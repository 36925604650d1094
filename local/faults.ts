import { z } from 'zod'

type AnyFault = { kind: string; count: number }
type FaultOf<Fault extends AnyFault, Kind extends Fault['kind']> = Extract<Fault, { kind: Kind }>

/** What is to go wrong in one service, from the oldest on; each fault strikes so many times, then it is gone. */
export type Faults<Fault extends AnyFault> = {
  add(faults: readonly Fault[]): void
  clear(): void
  list(): readonly Fault[]
  /** The oldest fault of this kind that fits, once; undefined when nothing is to go wrong. */
  strike<Kind extends Fault['kind']>(
    kind: Kind,
    fits?: (fault: FaultOf<Fault, Kind>) => boolean,
  ): FaultOf<Fault, Kind> | undefined
}

export function createFaults<Fault extends AnyFault>(initial: readonly Fault[]): Faults<Fault> {
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
      const isOf = (fault: Fault): fault is FaultOf<Fault, typeof kind> => fault.kind === kind
      const struck = faults.filter(isOf).find(fits)
      if (struck === undefined) return undefined
      faults = faults
        .map((fault) => (fault === struck ? { ...fault, count: fault.count - 1 } : fault))
        .filter((fault) => fault.count > 0)
      return struck
    },
  }
}

/** One fault or several. */
export const oneOrSeveral = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess((input) => (Array.isArray(input) ? input : [input]), z.array(schema))

export const count = z
  .number()
  .int()
  .min(1)
  .max(1_000_000)
  .default(1)
  .describe('How many times it strikes, then it is gone.')
export const durationMs = z.number().int().min(0).max(86_400_000)
export const when = z.enum(['before', 'after']).describe('Before or after the effect of the call.')
