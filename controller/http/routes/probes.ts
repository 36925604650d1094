import { z } from 'zod'
import { ControllerError } from '../../errors.ts'
import type { Api } from '../api.ts'
import type { HttpPorts } from '../ports.ts'
import { failures } from '../schemas.ts'

/** What a load balancer or a container check asks: open to everybody, never limited, and telling nothing. */
export function probeRoutes(app: Api, ports: Pick<HttpPorts, 'ready'>): void {
  app.get(
    '/healthz',
    {
      config: { rateLimit: false },
      schema: {
        summary: 'The process answers',
        security: [],
        response: { 200: z.object({ ok: z.literal(true) }), ...failures },
      },
    },
    async () => ({ ok: true }) as const,
  )
  app.get(
    '/readyz',
    {
      config: { rateLimit: false },
      schema: {
        summary: 'The controller can do its work; 503 and why while it cannot',
        security: [],
        response: { 200: z.object({ ready: z.literal(true) }), ...failures },
      },
    },
    async () => {
      const { ready, why } = ports.ready()
      if (!ready) throw ControllerError.of('NOT_READY', { detail: why ?? 'it is starting' })
      return { ready: true } as const
    },
  )
}
