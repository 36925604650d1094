import type { Block } from '../support/synthesized.ts'
import { type Call, list } from './calls.ts'

/**
 * The one thing in which moto has to be met: its RunTask breaks (status 500) on a container that has no memory of its own. ECS
 * asks for none on Fargate, where a container may use all that its task has; here that is written down.
 */
export function forMoto(call: Call): Call {
  if (call.operation !== 'RegisterTaskDefinition') return call
  const containerDefinitions = list(call.input.containerDefinitions).map((container: Block) => ({
    memory: Number(call.input.memory),
    ...container,
  }))
  return { ...call, input: { ...call.input, containerDefinitions } }
}
