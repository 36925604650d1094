import { hash } from 'node:crypto'

/** Lower-case hex of SHA-256, cut to `length` characters. */
export const shortHash = (text: string, length: number): string => hash('sha256', text).slice(0, length)

const uidHashLength = 8

/**
 * The identity of one life of a record: 20 characters, 8 of them a hash of the jobId, so that a record which was
 * copied under another id in the console cannot keep its uid and act for the original.
 * @param random 12 or more characters `[a-z0-9]`
 */
export const makeUid = (jobId: string, random: string): string =>
  shortHash(jobId, uidHashLength) + random.slice(0, 12)

export const uidFitsJob = (uid: string, jobId: string): boolean =>
  /^[a-z0-9]{20}$/.test(uid) && uid.startsWith(shortHash(jobId, uidHashLength))

/** Who may act for a job right now: one launch of one attempt of one life. */
export type Fence = { uid: string; attempt: number; launch: number }

export const formatFence = ({ uid, attempt, launch }: Fence): string => `${uid}/${attempt}/${launch}`

export const parseFence = (text: string): Fence | undefined => {
  const match = /^([a-z0-9]{20})\/(\d{1,9})\/(\d{1,9})$/.exec(text)
  if (!match) return undefined
  const [, uid = '', attempt, launch] = match
  return { uid, attempt: Number(attempt), launch: Number(launch) }
}

/** One token per launch: the same launch asked for twice is one task (ECS API reference, idempotency; at most 64 characters). */
export const clientToken = ({ uid, attempt, launch }: Fence): string => `${uid}-${attempt}-${launch}`

/** At most 128 characters of letters, digits, `-`, `/`, `_` (ECS API reference, RunTask.startedBy). */
export const formatStartedBy = (installation: string, jobId: string, fence: Fence): string =>
  `${installation}/${jobId}/${formatFence(fence)}`

export type StartedBy = { installation: string; jobId: string; fence: string }

/** Undefined for everything that another installation, another tool or a person started: such tasks are never touched. */
export const parseStartedBy = (text: string | undefined): StartedBy | undefined => {
  const match = /^([^/]+)\/([^/]+)\/([^/]+\/\d+\/\d+)$/.exec(text ?? '')
  if (!match) return undefined
  const [, installation = '', jobId = '', fence = ''] = match
  return parseFence(fence) ? { installation, jobId, fence } : undefined
}

/**
 * The name of a job of Amazon Transcribe: one per launch and inputs, so that a name that is taken is the same job. At most
 * 200 characters `[0-9a-zA-Z._-]` (Transcribe API reference); none of the parts has a dot.
 */
export const transcriptionJobName = (
  installation: string,
  jobId: string,
  { uid, attempt, launch }: Fence,
  inputs: unknown,
): string => [installation, jobId, uid, attempt, launch, shortHash(JSON.stringify(inputs), 10)].join('.')

/** The job that a transcription of ours works for; undefined for everybody else's. */
export const parseTranscriptionJobName = (
  name: string,
): { installation: string; jobId: string } | undefined => {
  const match = /^([a-z0-9-]{1,16})\.([A-Za-z0-9_-]{1,64})\.[a-z0-9]{20}\.\d+\.\d+\.[0-9a-f]{10}$/.exec(name)
  return match ? { installation: match[1] ?? '', jobId: match[2] ?? '' } : undefined
}

const transcriptionPrefix = 'transcription:'

/** Where a record of ours names a task, a transcription is named like this; Transcribe knows no ARN of it. */
export const transcriptionArn = (name: string): string => `${transcriptionPrefix}${name}`
export const isTranscription = (arn: string): boolean => arn.startsWith(transcriptionPrefix)
export const transcriptionName = (arn: string): string => arn.slice(transcriptionPrefix.length)

/** What a person recognises of a key, safe inside an id: its file name, or of the outputs of a job their folder. */
const slug = (key: string): string =>
  (key.split('/').at(key.endsWith('/manifest.json') ? -2 : -1) ?? '')
    .replace(/\.[^.]*$/, '')
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 28)
    .replace(/-+$/, '')

/**
 * The id of the job for one version of one object: a doubled event, a confirmation and a redelivery all meet the same
 * record. `version` is the versionId where the bucket has versions, else the etag.
 */
export const uploadJobId = (kind: string, bucket: string, key: string, version: string): string => {
  const hash = shortHash(JSON.stringify([kind, bucket, key, version.replaceAll('"', '')]), 16)
  const name = slug(key)
  return name === '' ? `${kind}-${hash}` : `${kind}-${name}-${hash}`
}

/**
 * The id of a job that was asked for under an idempotency key. The kind is no part of it: the same key with another kind has to
 * meet the first job, to be told that it asks for something else.
 */
export const keyedJobId = (key: string): string => `job-${shortHash(JSON.stringify([key]), 20)}`

/** The id of a job that came without id and key: what carried it came once, with one kind. */
export const carriedJobId = (kind: string, carrierId: string): string =>
  `${kind}-${shortHash(JSON.stringify([kind, carrierId]), 20)}`
