import { z } from 'zod'
import { phases } from '../../../schemas/job.ts'
import { jobRequestSchema } from '../../../schemas/message.ts'
import { ControllerError } from '../../errors.ts'
import { type SubmitRequest, submit } from '../../intake/records.ts'
import type { Api } from '../api.ts'
import { listJobs } from '../list.ts'
import type { HttpPorts } from '../ports.ts'
import { progressOf } from '../progress.ts'
import { readShown } from '../record.ts'
import { readJobRequest } from '../request.ts'
import {
  failures,
  jobParams,
  jobSchema,
  progressAnswerSchema,
  wholeParameter,
  whySchema,
} from '../schemas.ts'
import { whyOf } from '../why.ts'

const listLimits = { preset: 100, max: 1000 }

const listQuery = z.strictObject({
  phase: z
    .enum(phases, { error: `must be one of: ${phases.join(', ')}` })
    .optional()
    .describe('Only jobs in this phase.'),
  kind: z.string().max(32).optional().describe('Only jobs of this kind.'),
  queue: z.string().max(64).optional().describe('Only jobs of this queue.'),
  limit: wholeParameter(1, listLimits.max)
    .default(listLimits.preset)
    .describe(`Jobs at the most, 1 to ${listLimits.max}. Default ${listLimits.preset}.`),
  nextToken: z
    .string()
    .max(2000)
    .optional()
    .describe('Of the page before. A page may be short; the last one has no nextToken.'),
})

const listAnswer = z.object({
  jobs: z.array(jobSchema).describe('Whole records: what moves first, then what waits, then what has ended.'),
  nextToken: z.string().optional(),
  why: z.record(z.string(), whySchema).describe('By jobId: what each of them waits for.'),
  progress: z
    .record(z.string(), progressAnswerSchema)
    .describe('By jobId: how far those that are live have come.'),
})

const jobAnswer = whySchema.extend({
  job: jobSchema,
  progress: progressAnswerSchema.optional(),
  attention: z.string().optional().describe('Why this job needs a person.'),
})

const submittedAnswer = z.object({
  jobId: z.string(),
  created: z.boolean().describe('false: it was there already, asked for with the same body.'),
  reaped: z
    .literal(true)
    .optional()
    .describe(
      'It has ended, and its record was removed since: GET does not find it, and it is not run again.',
    ),
})

type JobPorts = Pick<HttpPorts, 'jobs' | 'status' | 'clock' | 'policy' | 'randomId' | 'wake' | 'log'>

export function jobRoutes(app: Api, ports: JobPorts): void {
  app.get(
    '/jobs',
    {
      schema: {
        summary: 'Jobs, page by page',
        querystring: listQuery,
        response: { 200: listAnswer, ...failures },
      },
    },
    async ({ query }) => {
      const { jobs, nextToken } = await listJobs(query, ports.jobs)
      const status = await ports.status()
      const nowMs = ports.clock.nowMs()
      const { visibilityGraceMs: graceMs } = ports.policy
      return {
        jobs: jobs.map(({ item }) => item),
        ...(nextToken === undefined ? {} : { nextToken }),
        why: Object.fromEntries(
          jobs.map((job) => [String(job.item.jobId), whyOf(job, status, nowMs, graceMs)]),
        ),
        progress: Object.fromEntries(
          jobs.flatMap((job) => {
            const progress = progressOf(job, nowMs)
            return progress === undefined ? [] : [[String(job.item.jobId), progress]]
          }),
        ),
      }
    },
  )

  app.get(
    '/jobs/:id',
    { schema: { summary: 'One job', params: jobParams, response: { 200: jobAnswer, ...failures } } },
    async ({ params: { id } }) => {
      const stored = await readShown(id, ports.jobs)
      const status = await ports.status()
      const attention = status?.attention.find(({ jobId }) => jobId === id)?.why
      const nowMs = ports.clock.nowMs()
      const progress = progressOf(stored, nowMs)
      return {
        job: stored.item,
        ...whyOf(stored, status, nowMs, ports.policy.visibilityGraceMs),
        ...(progress === undefined ? {} : { progress }),
        ...(attention === undefined ? {} : { attention }),
      }
    },
  )

  app.post(
    '/jobs',
    {
      // The body is read in the handler, which finds what is wrong with kind and parameters as well.
      attachValidation: true,
      schema: {
        summary: 'Submit a job',
        headers: z.looseObject({
          'idempotency-key': z
            .string()
            .min(1, { error: 'must not be empty' })
            .max(256, { error: 'must be at most 256 characters' })
            .optional()
            .describe('Instead of a jobId: the same key and body again is the same job.'),
        }),
        body: jobRequestSchema,
        response: { 200: submittedAnswer, 201: submittedAnswer, ...failures },
      },
    },
    async (request, reply) => {
      if (request.validationError?.validationContext === 'headers') throw request.validationError
      const read = readJobRequest(
        request.body,
        request.headers['idempotency-key'],
        ports.randomId(),
        ports.policy,
      )
      if (read.is === 'invalid') throw ControllerError.of('REQUEST_INVALID', {}, { problems: read.problems })
      const { kind, spec } = read.request
      const made = await submitAndWake(
        { jobId: read.jobId, kind, spec, sequencer: undefined, upload: false },
        ports,
      )
      return reply
        .code(made.created ? 201 : 200)
        .header('location', `/jobs/${read.jobId}`)
        .send({ jobId: read.jobId, ...made })
    },
  )
}

/** `created` is false when the same was there already; `reaped`, when it has been and its record is gone. */
type Made = { created: boolean; reaped?: true }

/** @throws ControllerError JOB_ID_TAKEN, JOB_ID_SPENT */
export async function submitAndWake(
  request: SubmitRequest,
  ports: Pick<HttpPorts, 'jobs' | 'clock' | 'wake' | 'log'>,
): Promise<Made> {
  const submitted = await submit(request, ports.jobs, ports.clock.nowMs())
  switch (submitted) {
    case 'conflict':
      throw ControllerError.of('JOB_ID_TAKEN', { jobId: request.jobId })
    case 'conflictWithReaped':
      throw ControllerError.of('JOB_ID_SPENT', { jobId: request.jobId })
    case 'duplicate':
      return { created: false }
    case 'duplicateOfReaped':
      return { created: false, reaped: true }
    case 'created':
    case 'retried':
      wakeInTheBackground(request.jobId, ports)
      return { created: true }
    default:
      throw submitted satisfies never
  }
}

/** The record is durable and would be found without it: a wake-up that fails costs a moment, not the request. */
export function wakeInTheBackground(jobId: string, { wake, log }: Pick<HttpPorts, 'wake' | 'log'>): void {
  wake(jobId).catch((error: unknown) => log.warn({ err: error, jobId }, 'the wake-up was not sent'))
}
