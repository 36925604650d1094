import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import { GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { type Lease, leaseItemId, leaseSchema } from '../../schemas/lease.ts'
import { controlTableShape } from '../../schemas/resources.ts'
import type { Dynamo } from './jobs.ts'
import type { Item } from './stored.ts'
import { updateExpression } from './update.ts'

/** The lease as it stood, and what a write has to find unchanged. */
export type LeaseRead = { lease: Lease | undefined; version: unknown }

export type LeaseStore = ReturnType<typeof createLeaseStore>

/** The lease item in the control table. Every write is conditional, so that of several processes one wins. */
export function createLeaseStore(dynamo: Dynamo, table: string) {
  const key = { [controlTableShape.key]: leaseItemId }

  async function update(set: Item, remove: readonly string[], asRead: Item): Promise<boolean> {
    try {
      const expression = updateExpression({ set, remove: [...remove] }, asRead)
      await dynamo.send(new UpdateCommand({ TableName: table, Key: key, ...expression }))
      return true
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false
      throw error
    }
  }

  return {
    /** What somebody else wrote into the item is no lease, and may be taken like one that nobody renews. */
    async read(): Promise<LeaseRead> {
      const { Item: item } = await dynamo.send(new GetCommand({ TableName: table, Key: key }))
      return { lease: leaseSchema.safeParse(item).data, version: item?.version }
    },

    /** Takes the lease if nobody wrote it since it was read. @returns the lease, undefined when somebody did */
    async take({ lease, version }: LeaseRead, holder: string, leaseMs: number): Promise<Lease | undefined> {
      const taken = { holder, term: (lease?.term ?? 0) + 1, version: (lease?.version ?? 0) + 1, leaseMs }
      return (await update(taken, [], { version })) ? taken : undefined
    },

    /**
     * Says that its holder is alive. Conditional on holder and term, not on the version: the holder alone moves it, so a
     * reply that was lost costs nothing. @returns false when somebody else has taken it
     */
    renew: (lease: Lease): Promise<boolean> =>
      update({ version: lease.version + 1 }, [], { holder: lease.holder, term: lease.term }),

    /** Hands it over: the next one need not wait. */
    release: (lease: Lease): Promise<boolean> =>
      update({ version: lease.version + 1 }, ['holder'], { holder: lease.holder, term: lease.term }),
  }
}
