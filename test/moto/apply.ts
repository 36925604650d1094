import type { Block, Synthesized } from '../support/synthesized.ts'
import {
  type Answer,
  type Attributes,
  at,
  type Call,
  type Creation,
  type Look,
  list,
  type Maker,
  Refused,
} from './calls.ts'
import { makers, readers } from './create/index.ts'
import { differences } from './differences.ts'
import { type Lookup, resolve } from './expression.ts'
import { inOrder, needs, type Placed } from './order.ts'
import type { Outcome } from './outcomes.ts'
import { watched } from './watched.ts'

export type Send = (call: Call) => Promise<Answer>

export type Applied = {
  outcomes: ReadonlyMap<string, Outcome>
  /** A value of the stack with everything put in. */
  resolve(value: unknown): unknown
  /** What Terraform would find at the next deployment where it leaves a setting to others. */
  found(address: string, attributes: Attributes): void
}

/**
 * Makes the whole stack, each resource after what it needs, then looks whether everything is there as wanted. What AWS (or
 * who stands in for it) refuses is noted, and so is what needs it; the rest goes on. A stack that is not understood ends it all.
 */
export async function apply(stack: Synthesized, send: Send): Promise<Applied> {
  const known = new Map<string, Attributes>()
  const outcomes = new Map<string, Outcome>()
  const lookup: Lookup = (address, attribute) => {
    const value = known.get(address)?.[attribute]
    if (value === undefined) throw new Error(`Nobody knows ${address}.${attribute}`)
    return value
  }
  const looks: { address: string; look: Look }[] = []
  const tags = defaultTags(stack)

  for (const placed of inOrder(stack)) {
    const { address, block } = placed
    const missing = needs(block).find((needed) => outcomes.get(needed)?.made === false)
    if (missing !== undefined) {
      outcomes.set(address, { made: false, error: `needs ${missing}` })
      continue
    }
    const resolved = resolve(block, lookup) as Block
    const maker = makerOf(placed)
    const attributes = await refusable(() => make(maker, resolved, tags, send))
    if (attributes instanceof Refused) {
      outcomes.set(address, { made: false, error: attributes.short })
      continue
    }
    known.set(address, { ...resolved, ...attributes })
    if (placed.isData) continue
    outcomes.set(address, { made: true, notKept: [] })
    for (const look of maker.looks(resolved, attributes)) looks.push({ address, look })
  }
  for (const { address, look } of looks) {
    const outcome = outcomes.get(address)
    if (outcome?.made) outcome.notKept.push(...(await notKept(look, send)))
  }
  return {
    outcomes,
    resolve: (value) => resolve(value, lookup),
    found: (address, attributes) => known.set(address, { ...known.get(address), ...attributes }),
  }
}

/** Sends what a block becomes, request by request. A setting of the block that nobody looked at is an error. */
async function make(maker: Maker, block: Block, tags: Block, send: Send): Promise<Attributes> {
  const watch = watched({ ...block, tags: { ...tags, ...(block.tags as Block | undefined) } })
  const attributes = await sendAll(maker.create(watch.block), send)
  // Not everything can have tags, but what says that it has can.
  const unread = watch.unread().filter((path) => block.tags !== undefined || !path.startsWith('tags.'))
  if (unread.length > 0) throw new Error(`Nothing was made of ${unread.join(', ')}: ${JSON.stringify(block)}`)
  return attributes
}

async function sendAll(creation: Creation, send: Send): Promise<Attributes> {
  let step = creation.next()
  while (!step.done) step = creation.next(await send(step.value))
  return step.value
}

async function notKept({ call, at: path, wanted }: Look, send: Send): Promise<string[]> {
  const answer = await refusable(() => send(call))
  if (answer instanceof Refused) return [answer.short]
  return differences(at(answer, path), wanted).map((where) => `${call.operation} ${where}`.trim())
}

const refusable = <T>(act: () => Promise<T>): Promise<T | Refused> =>
  act().catch((error: unknown) => {
    if (error instanceof Refused) return error
    throw error
  })

function makerOf({ type, isData }: Placed): Maker {
  const reader = readers[type]
  const maker = isData ? reader && { create: reader, looks: () => [] } : makers[type]
  if (maker === undefined) throw new Error(`Nobody knows how to make ${type}: say so in test/moto/create`)
  return maker
}

const defaultTags = ({ provider }: Synthesized): Block =>
  Object.fromEntries(
    list(provider.aws)
      .flatMap(({ default_tags }) => default_tags as { tags: Block }[])
      .flatMap(({ tags }) => Object.entries(tags)),
  )
