import { z } from 'zod'
import { isTerminal } from '../../../schemas/job.ts'
import { ControllerError } from '../../errors.ts'
import type { UserEdit } from '../../store/jobs.ts'
import type { Api } from '../api.ts'
import type { HttpPorts } from '../ports.ts'
import { readShown } from '../record.ts'
import { failures, jobParams } from '../schemas.ts'
import type { Shown } from '../why.ts'
import { wakeInTheBackground } from './jobs.ts'

const actions = ['cancel', 'suspend', 'resume', 'retry'] as const
type Action = (typeof actions)[number]

const summaries: Record<Action, string> = {
  cancel: 'End a job as Cancelled; its task is stopped',
  suspend: 'Stop a job and let it wait, without counting an attempt',
  resume: 'Let a suspended job go on',
  retry: 'Run a finished job again, as a new generation',
}

const wishAnswer = z.object({
  jobId: z.string(),
  phase: z.string().describe('Before the controller has acted on it.'),
})

type WishPorts = Pick<HttpPorts, 'jobs' | 'wake' | 'log'>

/** What a user may want of a job that exists. It is noted in the record; the controller makes it so. Wanting it twice is once. */
export function wishRoutes(app: Api, ports: WishPorts): void {
  for (const action of actions)
    app.post(
      `/jobs/:id/${action}`,
      {
        schema: { summary: summaries[action], params: jobParams, response: { 202: wishAnswer, ...failures } },
      },
      async ({ params: { id } }, reply) => {
        const stored = await readShown(id, ports.jobs)
        const edit = editFor(action, id, stored)
        if (!(await ports.jobs.edit(id, edit))) throw ControllerError.of('JOB_CHANGED', { jobId: id })
        wakeInTheBackground(id, ports)
        return reply.code(202).send({ jobId: id, phase: String(stored.item.phase ?? '') })
      },
    )
}

/** @throws ControllerError when the state of the job does not allow it */
function editFor(action: Action, jobId: string, { item }: Shown): UserEdit {
  const phase = String(item.phase ?? '')
  if (typeof item.spec !== 'object' || item.spec === null || Array.isArray(item.spec))
    throw ControllerError.of('JOB_DAMAGED', { jobId })
  if (action === 'retry') {
    if (!isTerminal(phase)) throw ControllerError.of('JOB_NOT_FINISHED', { jobId, phase })
    return { wish: 'retry', phase }
  }
  if (isTerminal(phase)) throw ControllerError.of('JOB_FINISHED', { jobId, phase, action })
  return { wish: action }
}
