/**
 * Whether everything that is wanted is there as wanted: lists item by item, objects by the fields that are wanted. What AWS
 * adds of its own does not count.
 */
export const covers = (actual: unknown, wanted: unknown): boolean => {
  if (Array.isArray(wanted))
    return (
      Array.isArray(actual) &&
      actual.length === wanted.length &&
      wanted.every((item, index) => covers(actual[index], item))
    )
  if (isObject(wanted))
    return isObject(actual) && Object.entries(wanted).every(([name, value]) => covers(actual[name], value))
  return Object.is(actual, wanted)
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null
