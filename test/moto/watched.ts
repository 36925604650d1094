import type { Block } from '../support/synthesized.ts'

/** What a block says to Terraform and not to AWS. */
const forTerraform = new Set([
  'depends_on',
  'force_delete',
  'force_destroy',
  'lifecycle',
  'skip_destroy',
  'timeouts',
  'wait_for_steady_state',
])

/**
 * A block that remembers what was read from it. What nobody has read went into no request: a setting that the stack has
 * and the test would silently leave out.
 */
export function watched(block: Block): { block: Block; unread(): string[] } {
  const read = new Set<string>()
  return {
    block: spy(block, '', read) as Block,
    unread: () =>
      Object.entries(block)
        .filter(([name]) => !forTerraform.has(name))
        .flatMap(([name, value]) => leaves(value, name))
        .filter((path) => !read.has(path)),
  }
}

const spy = (value: unknown, path: string, read: Set<string>): unknown =>
  typeof value !== 'object' || value === null
    ? value
    : new Proxy(value, {
        get(target, name, receiver) {
          const inner: unknown = Reflect.get(target, name, receiver)
          if (typeof name === 'symbol' || !Object.hasOwn(target, name)) return inner
          const innerPath = path === '' ? name : `${path}.${name}`
          read.add(innerPath)
          return spy(inner, innerPath, read)
        },
      })

const leaves = (value: unknown, path: string): string[] =>
  typeof value !== 'object' || value === null
    ? [path]
    : Object.entries(value).flatMap(([name, inner]) => leaves(inner, `${path}.${name}`))
