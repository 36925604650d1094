import { UpdateCommand, type UpdateCommandInput, type UpdateCommandOutput } from '@aws-sdk/lib-dynamodb'
import { z } from 'zod'
import type { claimSchema, progressSchema, Report } from '../schemas/job.ts'
import { problemsOf, summaryOf } from '../schemas/problems.ts'
import { settingsSchema } from '../schemas/spec.ts'
import { awsErrorOf, isPassing, type Sender } from './aws.ts'
import { type ErrorCode, WorkerError } from './errors.ts'
import { type Patience, withPatience } from './patience.ts'

export type Progress = z.infer<typeof progressSchema>

/** What a worker needs to know of its job. */
export type Assignment = z.infer<typeof assignmentSchema>

/** Only what a worker reads, so that a worker of yesterday can carry out a job of today. */
const assignmentSchema = z.object({
  kind: z.string(),
  settings: settingsSchema
    .pick({ kind: true, input: true, output: true, params: true, parent: true })
    .strip(),
})

/** What the record says of us beside our own writes: why the controller stops us, if it does. */
export type Standing = { stopping: string | undefined }

const standingSchema = z.object({ stopping: z.object({ reason: z.string() }).optional().catch(undefined) })

/** Our three writes to the record. Each is refused as soon as the record has another fence, or another task's claim. */
export type JobRecord = {
  /**
   * The claim of this launch, once. The record as it stands is the answer, unparsed: what is wrong with it can be reported
   * only by a task that holds the claim.
   * @throws WorkerError FENCED_OUT and those of the table, once patience is at its end
   */
  claim: (patience: RetryOptions) => Promise<unknown>
  /** One try, so that nobody waits for a heartbeat. @throws WorkerError FENCED_OUT and those of the table */
  progress: (progress: Progress) => Promise<void>
  /** @throws WorkerError FENCED_OUT and those of the table, once patience is at its end */
  patientProgress: (progress: Progress, patience: RetryOptions) => Promise<Standing>
  /** @throws WorkerError FENCED_OUT and those of the table, once patience is at its end */
  report: (report: Report, patience: RetryOptions) => Promise<void>
}

export type RetryOptions = Omit<Patience, 'worthwhile'>

export type RecordOptions = {
  table: string
  jobId: string
  fence: string
  taskArn: string
  client: Sender<UpdateCommand, UpdateCommandOutput>
}

export const openRecord = (options: RecordOptions): JobRecord => {
  const progress = (value: Progress) => update(options, stillMine('progress', value))
  return {
    claim: async (patience) => {
      const at = new Date(patience.nowMs()).toISOString()
      const answer = await patiently(() => update(options, claimUpdate(options.taskArn, at)), patience)
      return answer.Attributes
    },
    progress: async (value) => {
      await progress(value)
    },
    patientProgress: async (value, patience) => {
      // As with the claim: as consistent as the write itself, and one request less.
      const confirming: Update = { ...stillMine('progress', value), ReturnValues: 'ALL_NEW' }
      const answer = await patiently(() => update(options, confirming), patience)
      return { stopping: standingSchema.safeParse(answer.Attributes).data?.stopping?.reason }
    },
    report: async (value, patience) => {
      await patiently(() => update(options, stillMine('report', value)), patience)
    },
  }
}

type Update = Pick<
  UpdateCommandInput,
  'UpdateExpression' | 'ConditionExpression' | 'ExpressionAttributeValues' | 'ReturnValues'
>

/** A repeated claim of the same task is granted, because the reply to the first may have been lost. */
const claimUpdate = (taskArn: string, at: string): Update => ({
  UpdateExpression: 'SET claim = :claim',
  ConditionExpression: '#fence = :fence AND (attribute_not_exists(claim) OR claim.taskArn = :taskArn)',
  ExpressionAttributeValues: { ':claim': { taskArn, at } satisfies z.infer<typeof claimSchema> },
  ReturnValues: 'ALL_NEW', // As consistent as the write itself, and one request less.
})

const stillMine = (attribute: 'progress' | 'report', value: Progress | Report): Update => ({
  UpdateExpression: `SET ${attribute} = :value`,
  ConditionExpression: '#fence = :fence AND claim.taskArn = :taskArn',
  ExpressionAttributeValues: { ':value': value },
})

const update = async (
  { client, table, jobId, fence, taskArn }: RecordOptions,
  { ExpressionAttributeValues, ...rest }: Update,
): Promise<UpdateCommandOutput> => {
  try {
    return await client.send(
      new UpdateCommand({
        TableName: table,
        Key: { jobId },
        ...rest,
        ExpressionAttributeNames: { '#fence': 'fence' },
        ExpressionAttributeValues: { ...ExpressionAttributeValues, ':fence': fence, ':taskArn': taskArn },
      }),
    )
  } catch (thrown) {
    throw tableError(thrown)
  }
}

const tableCodes: Record<string, ErrorCode> = {
  ConditionalCheckFailedException: 'FENCED_OUT',
  ResourceNotFoundException: 'TABLE_MISSING',
  AccessDeniedException: 'TABLE_FORBIDDEN',
  UnrecognizedClientException: 'TABLE_FORBIDDEN',
}

const tableError = (thrown: unknown): WorkerError => {
  const { name, message } = awsErrorOf(thrown)
  const code = tableCodes[name]
  if (code !== undefined) return new WorkerError(code, undefined, thrown)
  return isPassing(thrown)
    ? new WorkerError('TABLE_UNAVAILABLE', message, thrown)
    : new WorkerError('INTERNAL_ERROR', `${name}: ${message}`, thrown)
}

const patiently = <T>(attempt: () => Promise<T>, patience: RetryOptions): Promise<T> =>
  withPatience(attempt, {
    ...patience,
    worthwhile: (error) => error instanceof WorkerError && error.code === 'TABLE_UNAVAILABLE',
  })

/** @throws WorkerError RECORD_INVALID */
export const parseAssignment = (record: unknown): Assignment => {
  const parsed = assignmentSchema.safeParse(record)
  if (parsed.success) return parsed.data
  throw new WorkerError('RECORD_INVALID', summaryOf(problemsOf(parsed.error, record)))
}
