/** Transfers at the same time: enough to fill the line of a task. */
const lanes = 4

/** After the first failure nothing new is begun, and what is under way is awaited. @throws that failure */
export const inParallel = async <T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> => {
  const results: R[] = []
  const failures: unknown[] = []
  const left = items.entries()
  const lane = async (): Promise<void> => {
    for (const [index, item] of left) {
      if (failures.length > 0) return
      try {
        results[index] = await act(item)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  if (failures.length > 0) throw failures[0]
  return results
}
