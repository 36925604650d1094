import { z } from 'zod'
import { faultsSchema } from './faults.ts'
import type { World } from './world.ts'

export type ControlAnswer = { status: number; body: unknown }

/** `GET|POST|DELETE /faults` and `GET /jobs`, behind `/_local/transcribe`: what goes wrong on request, and the truth. */
export function control(world: World, method: string, path: string, body: unknown): ControlAnswer {
  switch (path) {
    case '/faults':
      return controlFaults(world, method, body)
    case '/jobs':
      if (method === 'GET') return { status: 200, body: { jobs: world.store.list() } }
      break
    default:
  }
  return { status: 404, body: { error: `no such place: ${method} /transcribe${path}` } }
}

function controlFaults({ faults }: World, method: string, body: unknown): ControlAnswer {
  if (method === 'DELETE') faults.clear()
  if (method === 'POST') {
    const parsed = faultsSchema.safeParse(body)
    if (!parsed.success) return { status: 400, body: { error: z.prettifyError(parsed.error) } }
    faults.add(parsed.data)
  }
  return { status: 200, body: { faults: faults.list() } }
}
