import type { Configuration } from '../schemas/configuration.ts'
import { ControllerError } from './errors.ts'
import { queueUrl, type Sqs } from './intake/queue.ts'
import type { ControlStore } from './store/control.ts'
import type { JobStore } from './store/jobs.ts'

export type QueueUrls = { jobs: string; jobsDlq: string; taskEvents: string }

/**
 * What has to be there before anything can begin. Gives the addresses of the queues.
 * @throws ControllerError with a sentence for each thing that is missing
 */
export async function checkInfrastructure(
  configuration: Configuration,
  sqs: Sqs,
  jobs: JobStore,
  control: ControlStore,
): Promise<QueueUrls> {
  const urlOf = (queue: string): Promise<string> =>
    queueUrl(sqs, queue).catch(explain(configuration, () => ControllerError.of('QUEUE_NOT_FOUND', { queue })))
  const tableMissing = (table: string) =>
    explain(configuration, () => ControllerError.of('TABLE_NOT_FOUND', { table }))
  const [jobsUrl, jobsDlq, taskEvents] = await Promise.all([
    urlOf(configuration.JOBS_QUEUE),
    urlOf(configuration.JOBS_DLQ),
    urlOf(configuration.TASK_EVENTS_QUEUE),
    jobs.inPhase('Submitted', { limit: 1 }).catch(tableMissing(configuration.JOBS_TABLE)),
    control.readStatus().catch(tableMissing(configuration.CONTROL_TABLE)),
  ])
  return { jobs: jobsUrl, jobsDlq, taskEvents }
}

const explain =
  (configuration: Configuration, missing: () => ControllerError) =>
  (error: unknown): never => {
    const { name, message } = error instanceof Error ? error : new Error(String(error))
    if (/NotFound|NonExistent|DoesNotExist/.test(name)) throw missing()
    const endpoint = configuration.AWS_ENDPOINT_URL ?? configuration.AWS_REGION
    throw ControllerError.of('AWS_NOT_REACHED', { endpoint, detail: message || name }, { cause: error })
  }
