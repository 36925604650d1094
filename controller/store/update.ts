import type { Change } from '../../schemas/change.ts'

/**
 * What must still be as it was read, by attribute or by path (`claim.taskArn`); `undefined`: must still be absent. Only
 * single values are compared: whole maps would cost their size in every request, and emulators compare them wrongly.
 */
export type AsRead = Record<string, unknown>

export type UpdateExpression = {
  UpdateExpression: string
  ConditionExpression?: string
  ExpressionAttributeNames: Record<string, string>
  ExpressionAttributeValues?: Record<string, unknown>
}

/**
 * One UpdateItem that sets and removes single attributes, on condition that others are as they were read. Nobody puts a
 * whole record over another, so attributes of users and workers survive every write of the controller.
 */
export function updateExpression(change: Change, asRead: AsRead): UpdateExpression {
  const names = new Map<string, string>()
  const values = new Map<string, unknown>()
  const name = (attribute: string): string => {
    names.set(attribute, names.get(attribute) ?? `#${names.size}`)
    return names.get(attribute) ?? ''
  }
  const value = (given: unknown): string => {
    const placeholder = `:${values.size}`
    values.set(placeholder, given)
    return placeholder
  }
  const set = Object.entries(change.set)
    .filter(([, given]) => given !== undefined)
    .map(([attribute, given]) => `${name(attribute)} = ${value(given)}`)
  const removed = change.remove.filter((attribute) => !Object.hasOwn(change.set, attribute)).map(name)
  const conditions = Object.entries(asRead).map(([path, read]) => {
    const aliases = path.split('.').map(name).join('.')
    return read === undefined ? `attribute_not_exists(${aliases})` : `${aliases} = ${value(read)}`
  })
  return {
    UpdateExpression: [
      set.length > 0 ? `SET ${set.join(', ')}` : '',
      removed.length > 0 ? `REMOVE ${removed.join(', ')}` : '',
    ]
      .filter((part) => part !== '')
      .join(' '),
    ...(conditions.length > 0 ? { ConditionExpression: conditions.join(' AND ') } : {}),
    ExpressionAttributeNames: Object.fromEntries([...names].map(([attribute, alias]) => [alias, attribute])),
    ...(values.size > 0 ? { ExpressionAttributeValues: Object.fromEntries(values) } : {}),
  }
}
