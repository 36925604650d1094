import { z } from 'zod'
import type { Status } from '../../../schemas/status.ts'
import { ControllerError } from '../../errors.ts'
import type { Api } from '../api.ts'
import type { HttpPorts } from '../ports.ts'
import { failures, statusAnswerSchema } from '../schemas.ts'

export function statusRoutes(app: Api, ports: Pick<HttpPorts, 'status' | 'metrics' | 'clock'>): void {
  app.get(
    '/status',
    { schema: { summary: 'State of the controller', response: { 200: statusAnswerSchema, ...failures } } },
    async () => {
      const status = await ports.status()
      if (!status) throw ControllerError.of('STATUS_UNKNOWN', {})
      return {
        ...status,
        ageMs: Math.max(0, ports.clock.nowMs() - Date.parse(status.at)),
        free: freeOf(status),
      }
    },
  )
  app.get(
    '/metrics',
    {
      config: { rateLimit: false },
      schema: {
        summary: 'Metrics in the text format of Prometheus',
        response: { 200: { content: { 'text/plain': { schema: z.string() } } }, ...failures },
      },
    },
    async (_request, reply) => {
      const { contentType, text } = await ports.metrics()
      return reply.serializer(asIs).type(contentType).send(text)
    },
  )
}

/** Lowered limits may leave more in use than there is. */
const freeOf = ({ limits }: Status): { running: number; vcpu: number } => ({
  running: Math.max(0, limits.maxRunning - limits.running),
  vcpu: Math.max(0, limits.maxVcpu - limits.vcpu),
})

const asIs = (text: unknown): string => String(text)
