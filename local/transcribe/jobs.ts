import { badRequest, notFound } from './errors.ts'
import { isFinished, type JobRecord } from './records.ts'
import type { ListRequest } from './requests.ts'
import { jobSummary, jobView } from './view.ts'
import type { World } from './world.ts'

type Named = { TranscriptionJobName: string }

export async function getTranscriptionJob(world: World, { TranscriptionJobName: name }: Named) {
  const job = world.store.get(name)
  if (job === undefined) throw notFound(world.settings.switches.notFound)
  const hasLink = job.output.isServiceBucket && job.status === 'COMPLETED'
  const link = hasLink ? await world.objects.link(job.output) : undefined
  return { TranscriptionJob: jobView(job, world.region, link) }
}

/** Newest first, in pages. A page goes on where the last one ended, also when jobs have come or gone meanwhile. */
export function listTranscriptionJobs(world: World, request: ListRequest) {
  const { Status, JobNameContains = '', NextToken, MaxResults } = request
  const before = NextToken === undefined ? Number.POSITIVE_INFINITY : ordinalIn(NextToken)
  const fits = (job: JobRecord) =>
    (Status === undefined || job.status === Status) &&
    job.name.toLowerCase().includes(JobNameContains.toLowerCase()) &&
    job.ordinal < before
  const rest = world.store.list().filter(fits).reverse()
  const page = rest.slice(0, MaxResults)
  const last = page.at(-1)
  return {
    Status,
    TranscriptionJobSummaries: page.map(jobSummary),
    NextToken: last !== undefined && rest.length > page.length ? tokenAfter(last) : undefined,
  }
}

/** A job that is not finished cannot be deleted, and nothing else can stop it (service model, BadRequestException). */
export async function deleteTranscriptionJob(world: World, { TranscriptionJobName: name }: Named) {
  const job = world.store.get(name)
  if (job === undefined) throw notFound('BadRequestException')
  if (!isFinished(job)) {
    throw badRequest(
      `The job ${name} is ${job.status} and can't be deleted. Wait until it has finished, and try your request again.`,
    )
  }
  await world.store.remove(name)
  return {}
}

const tokenAfter = ({ ordinal }: JobRecord): string => Buffer.from(`before:${ordinal}`).toString('base64url')

function ordinalIn(token: string): number {
  const [, ordinal] = /^before:(\d+)$/.exec(Buffer.from(token, 'base64url').toString()) ?? []
  if (ordinal === undefined) throw badRequest('The NextToken is invalid. Use one from the last answer.')
  return Number(ordinal)
}
