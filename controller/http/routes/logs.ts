import { z } from 'zod'
import { ControllerError } from '../../errors.ts'
import type { Api } from '../api.ts'
import type { HttpPorts } from '../ports.ts'
import { readShown } from '../record.ts'
import { failures, jobParams, wholeParameter } from '../schemas.ts'
import type { Shown } from '../why.ts'

const logLimits = { preset: 1000, max: 10_000 }

const logQuery = z.strictObject({
  attempt: wholeParameter(1, 1_000_000_000).optional().describe('Which attempt. Default: the last one.'),
  next: z
    .string()
    .min(1)
    .max(1000)
    .optional()
    .describe('Of the page before. It leads on also later, when more has been written.'),
  from: z
    .enum(['start', 'end'], { error: 'must be start or end' })
    .default('start')
    .describe('Without next: begin with the first lines, or with the last ones. Default start.'),
  limit: wholeParameter(1, logLimits.max)
    .default(logLimits.preset)
    .describe(`Lines at the most, 1 to ${logLimits.max}. Default ${logLimits.preset}.`),
})

const logAnswer = z.object({
  jobId: z.string(),
  attempt: z.number(),
  stream: z.string().describe('The log stream of the task.'),
  lines: z.array(z.object({ at: z.iso.datetime(), message: z.string() })),
  next: z.string().describe('Leads on from here. As text it is in the header X-Next.'),
  isEnd: z.boolean().describe('There is no more right now.'),
})

/** Logs of tasks: JSON, or the bare lines for who asks for text/plain. */
export function logRoutes(app: Api, ports: Pick<HttpPorts, 'jobs' | 'logs'>): void {
  app.get(
    '/jobs/:id/logs',
    {
      schema: {
        summary: 'Log of one attempt',
        params: jobParams,
        querystring: logQuery,
        response: {
          200: {
            content: { 'application/json': { schema: logAnswer }, 'text/plain': { schema: z.string() } },
          },
          ...failures,
        },
      },
    },
    async ({ params: { id }, query, headers: { accept } }, reply) => {
      const { attempt, stream } = streamOf(id, await readShown(id, ports.jobs), query.attempt)
      const page = await ports.logs.read(stream, query)
      switch (page.is) {
        case 'missing':
          throw ControllerError.of('LOG_NOT_FOUND', { attempt, detail: 'nothing has been written' })
        case 'badToken':
          throw ControllerError.of('PAGE_TOKEN_INVALID', { parameter: 'next' })
        case 'lines':
          break
        default:
          throw page satisfies never
      }
      const { lines, next, isEnd } = page
      if (!wantsText(accept)) return reply.send({ jobId: id, attempt, stream, lines, next, isEnd })
      return reply
        .serializer(asIs)
        .type('text/plain; charset=utf-8')
        .header('x-next', next)
        .send(lines.map(({ message }) => `${message}\n`).join(''))
    },
  )
}

/** The stream that the ledger names for the attempt. */
function streamOf(jobId: string, stored: Shown, wanted: number | undefined) {
  const attempts = stored.is === 'accepted' ? stored.job.attempts : []
  const attempt = wanted === undefined ? attempts.at(-1) : attempts.find(({ n }) => n === wanted)
  if (!attempt) throw ControllerError.of('ATTEMPT_NOT_FOUND', { jobId, attempt: wanted ?? 1 })
  const { n, logStream } = attempt
  if (logStream === undefined)
    throw ControllerError.of('LOG_NOT_FOUND', {
      attempt: n,
      detail: 'its container does not write to CloudWatch under a stream prefix',
    })
  // The intent knows the stream but for the id of its task.
  if (logStream.endsWith('/'))
    throw ControllerError.of('LOG_NOT_FOUND', { attempt: n, detail: 'it has no task yet' })
  return { attempt: n, stream: logStream }
}

/** JSON, unless text is asked for in so many words. */
const wantsText = (accept: string | undefined): boolean =>
  accept !== undefined && /\btext\/plain\b/.test(accept) && !/\bapplication\/json\b/.test(accept)

const asIs = (text: unknown): string => String(text)
