/** What a user wishes right now, whatever else may stand in a spec that anybody may edit. */
export function wishesOf(spec: unknown): { cancel: boolean; suspend: boolean } {
  if (typeof spec !== 'object' || spec === null) return { cancel: false, suspend: false }
  const { cancel, suspend } = spec as { cancel?: unknown; suspend?: unknown }
  return { cancel: cancel === true, suspend: suspend === true }
}
