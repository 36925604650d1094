/**
 * Where what is seen is not what was wanted, as paths. Lists are compared item by item, objects by the fields that were
 * wanted: what AWS adds of its own does not count. A text that is JSON counts as what it says, not as how it is written.
 */
export function differences(seen: unknown, wanted: unknown, path = ''): string[] {
  const [found, asked] = [document(seen), document(wanted)]
  if (Array.isArray(asked)) {
    if (!Array.isArray(found) || found.length !== asked.length) return [path]
    return asked.flatMap((item, index) => differences(found[index], item, below(path, index)))
  }
  if (isObject(asked)) {
    if (!isObject(found)) return [path]
    return Object.entries(asked).flatMap(([name, value]) =>
      value === undefined ? [] : differences(found[name], value, below(path, name)),
    )
  }
  return Object.is(found, asked) ? [] : [path]
}

const below = (path: string, name: string | number): string =>
  path === '' ? String(name) : `${path}.${name}`

const document = (value: unknown): unknown =>
  typeof value === 'string' && value.startsWith('{') ? (JSON.parse(value) as unknown) : value

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null
