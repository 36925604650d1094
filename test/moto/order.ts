import type { Block, Synthesized } from '../support/synthesized.ts'
import { references } from './expression.ts'

export type Placed = { address: string; type: string; block: Block; isData: boolean }

/** Everything that Terraform would read or make, each one after all that it refers to or names in `depends_on`. */
export function inOrder({ resource, data }: Pick<Synthesized, 'resource' | 'data'>): Placed[] {
  const all = new Map([...placed(data, true), ...placed(resource, false)].map((one) => [one.address, one]))
  const ordered = new Set<Placed>()
  const visit = (address: string, path: readonly string[]): void => {
    const one = all.get(address)
    if (one === undefined) throw new Error(`${path.at(-1)} refers to ${address}, which is not in the stack`)
    if (path.includes(address)) throw new Error(`A circle: ${[...path, address].join(' -> ')}`)
    if (ordered.has(one)) return
    for (const needed of needs(one.block)) visit(needed, [...path, address])
    ordered.add(one)
  }
  for (const address of all.keys()) visit(address, [])
  return [...ordered]
}

/** Addresses that have to be there before this block. */
export const needs = (block: Block): string[] => [
  ...references(block),
  ...((block.depends_on ?? []) as readonly string[]),
]

const placed = (types: Synthesized['resource'], isData: boolean): Placed[] =>
  Object.entries(types).flatMap(([type, blocks]) =>
    Object.entries(blocks).map(([id, block]) => ({
      address: `${isData ? 'data.' : ''}${type}.${id}`,
      type,
      block,
      isData,
    })),
  )
