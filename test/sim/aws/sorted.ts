/** The first place at which `holds` is true; `holds` must be false before it and true after it. */
export function firstWhere<T>(list: readonly T[], holds: (element: T) => boolean): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(list[middle] as T)) high = middle
    else low = middle + 1
  }
  return low
}

/** Puts an element into a sorted list, behind those that are equal to it. */
export function insertSorted<T>(list: T[], element: T, compare: (a: T, b: T) => number): void {
  list.splice(
    firstWhere(list, (other) => compare(other, element) > 0),
    0,
    element,
  )
}

/** Takes an element out of a list sorted by a total order. @returns whether it was there */
export function removeSorted<T>(list: T[], element: T, compare: (a: T, b: T) => number): boolean {
  const index = firstWhere(list, (other) => compare(other, element) >= 0)
  if (list[index] !== element) return false
  list.splice(index, 1)
  return true
}
