import { z } from 'zod'

/** What a condition asks: operator -> key (lower case, as IAM compares them) -> values, of which one has to fit. */
export type Conditions = Record<string, Record<string, string[]>>

export type Statement = {
  sid: string | undefined
  effect: 'Allow' | 'Deny'
  actions: string[]
  notActions: string[]
  resources: string[]
  notResources: string[]
  /** By kind of principal (`Service`, `AWS`, `*`). Empty in policies of roles. */
  principals: Record<string, string[]>
  hasNotPrincipal: boolean
  conditions: Conditions
}

const oneOrMore = z
  .union([z.string(), z.number(), z.boolean(), z.array(z.union([z.string(), z.number(), z.boolean()]))])
  .transform((value) => [value].flat().map(String))

const principalsSchema = z.union([
  z.literal('*').transform(() => ({ '*': ['*'] })),
  z.record(z.string(), oneOrMore),
])

/** Strict, so that a misspelt element of a policy is an error here and not a statement that says less than it seems. */
const statementSchema = z
  .strictObject({
    Sid: z.string().optional(),
    Effect: z.enum(['Allow', 'Deny']),
    Action: oneOrMore.optional(),
    NotAction: oneOrMore.optional(),
    Resource: oneOrMore.optional(),
    NotResource: oneOrMore.optional(),
    Principal: principalsSchema.optional(),
    NotPrincipal: principalsSchema.optional(),
    Condition: z.record(z.string(), z.record(z.string(), oneOrMore)).optional(),
  })
  .transform(
    (raw): Statement => ({
      sid: raw.Sid,
      effect: raw.Effect,
      actions: raw.Action ?? [],
      notActions: raw.NotAction ?? [],
      resources: raw.Resource ?? [],
      notResources: raw.NotResource ?? [],
      principals: raw.Principal ?? {},
      hasNotPrincipal: raw.NotPrincipal !== undefined,
      conditions: mapValues(raw.Condition ?? {}, (keys) =>
        Object.fromEntries(Object.entries(keys).map(([key, values]) => [key.toLowerCase(), values])),
      ),
    }),
  )

const documentSchema = z.strictObject({
  Version: z.literal('2012-10-17'),
  Id: z.string().optional(),
  Statement: z.union([statementSchema.transform((one) => [one]), z.array(statementSchema)]),
})

const mapValues = <From, To>(record: Record<string, From>, change: (value: From) => To): Record<string, To> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))

/**
 * The statements of an IAM policy document, in one shape: what may be a string or a list is a list.
 * @throws ZodError for anything that is no policy of version 2012-10-17
 */
export const parseDocument = (document: unknown): Statement[] =>
  documentSchema.parse(typeof document === 'string' ? JSON.parse(document) : document).Statement
