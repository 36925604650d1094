import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import {
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  ScanCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import type { Change } from '../../schemas/change.ts'
import type { Phase } from '../../schemas/job.ts'
import { dueLine, jobsTableShape } from '../../schemas/resources.ts'
import type { Item } from './stored.ts'
import { type AsRead, updateExpression } from './update.ts'

export type Dynamo = Pick<DynamoDBDocumentClient, 'send'>

export type Page = { ids: string[]; next: Item | undefined }
export type Candidate = { jobId: string; queue: string; rank: number }

/** A job that somebody submits: what intake and HTTP put into the table. */
export type Submission = {
  jobId: string
  kind: string
  createdAt: string
  phase: 'Submitted'
  spec: unknown
  sequencer?: string
}

export type JobStore = ReturnType<typeof createJobStore>

const { phase: phaseIndex, backlog } = jobsTableShape.indexes

/** The job records in DynamoDB. Errors of the table are thrown as they are; a condition that fails is an answer. */
export function createJobStore(dynamo: Dynamo, table: string) {
  /** `false` when a condition did not hold: somebody else was there first, and the record has to be read again. */
  const conditional = async (write: () => Promise<unknown>): Promise<boolean> => {
    try {
      await write()
      return true
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false
      throw error
    }
  }

  return {
    /** The record as it is now (consistent read). */
    async get(jobId: string): Promise<Item | undefined> {
      const { Item: item } = await dynamo.send(
        new GetCommand({ TableName: table, Key: { jobId }, ConsistentRead: true }),
      )
      return item
    },

    /** Puts a new record; false when one with this id is there already. */
    create: (submission: Submission): Promise<boolean> =>
      conditional(() =>
        dynamo.send(
          new PutCommand({
            TableName: table,
            Item: submission,
            ConditionExpression: 'attribute_not_exists(jobId)',
          }),
        ),
      ),

    /** Puts a record in the place of a tombstone; false when that is gone. */
    revive: (submission: Submission, uid: string): Promise<boolean> =>
      conditional(() =>
        dynamo.send(
          new PutCommand({
            TableName: table,
            Item: submission,
            ConditionExpression: 'attribute_exists(expiresAt) AND uid = :uid',
            ExpressionAttributeValues: { ':uid': uid },
          }),
        ),
      ),

    /** Sets and removes attributes if all of `asRead` still holds; false when not. */
    update: (jobId: string, change: Change, asRead: AsRead): Promise<boolean> =>
      conditional(() =>
        dynamo.send(
          new UpdateCommand({ TableName: table, Key: { jobId }, ...updateExpression(change, asRead) }),
        ),
      ),

    /** What users may change: single attributes of `spec`, or the phase of a finished job. Bumps the revision. */
    edit: (jobId: string, edit: UserEdit): Promise<boolean> =>
      conditional(() =>
        dynamo.send(new UpdateCommand({ TableName: table, Key: { jobId }, ...editExpression(edit) })),
      ),

    /** Remembers the first S3 event of a job that was confirmed before its event came. */
    noteSequencer: (jobId: string, sequencer: string): Promise<boolean> =>
      conditional(() =>
        dynamo.send(
          new UpdateCommand({
            TableName: table,
            Key: { jobId },
            UpdateExpression: 'SET sequencer = :sequencer',
            ConditionExpression: 'attribute_exists(jobId) AND attribute_not_exists(sequencer)',
            ExpressionAttributeValues: { ':sequencer': sequencer },
          }),
        ),
      ),

    /** Ids in a phase, oldest createdAt first unless `newestFirst`. Eventually consistent: candidates only. */
    async inPhase(
      phase: Phase,
      options: { limit: number; from?: Item | undefined; newestFirst?: boolean },
    ): Promise<Page> {
      const page = await dynamo.send(
        new QueryCommand({
          TableName: table,
          IndexName: phaseIndex.name,
          KeyConditionExpression: '#phase = :phase',
          ExpressionAttributeNames: { '#phase': phaseIndex.hash },
          ExpressionAttributeValues: { ':phase': phase },
          Limit: options.limit,
          ScanIndexForward: !(options.newestFirst ?? false),
          ...(options.from ? { ExclusiveStartKey: options.from } : {}),
        }),
      )
      return { ids: (page.Items ?? []).map((item) => String(item.jobId)), next: page.LastEvaluatedKey }
    },

    /** How many records are in a phase. Reads the whole index of it: once per leadership. */
    async countPhase(phase: Phase): Promise<number> {
      let from: Item | undefined
      let sum = 0
      do {
        const page = await dynamo.send(
          new QueryCommand({
            TableName: table,
            IndexName: phaseIndex.name,
            Select: 'COUNT',
            KeyConditionExpression: '#phase = :phase',
            ExpressionAttributeNames: { '#phase': phaseIndex.hash },
            ExpressionAttributeValues: { ':phase': phase },
            ...(from ? { ExclusiveStartKey: from } : {}),
          }),
        )
        sum += page.Count ?? 0
        from = page.LastEvaluatedKey
      } while (from)
      return sum
    },

    /** The head of a queue's line, lowest rank first. */
    line: (queue: string, limit: number): Promise<Candidate[]> => readLine(queue, limit, undefined),

    /** Jobs in back-off whose time has come. */
    due: (nowMs: number, limit: number): Promise<Candidate[]> => readLine(dueLine, limit, nowMs),

    /** One page of the whole table, for the daily scan. */
    async scan(from: Item | undefined, limit: number): Promise<{ items: Item[]; next: Item | undefined }> {
      const page = await dynamo.send(
        new ScanCommand({ TableName: table, Limit: limit, ...(from ? { ExclusiveStartKey: from } : {}) }),
      )
      return { items: page.Items ?? [], next: page.LastEvaluatedKey }
    },
  }

  async function readLine(queue: string, limit: number, upTo: number | undefined): Promise<Candidate[]> {
    const page = await dynamo.send(
      new QueryCommand({
        TableName: table,
        IndexName: backlog.name,
        KeyConditionExpression: upTo === undefined ? '#queue = :queue' : '#queue = :queue AND #rank <= :upTo',
        ExpressionAttributeNames: {
          '#queue': backlog.hash,
          ...(upTo === undefined ? {} : { '#rank': backlog.range }),
        },
        ExpressionAttributeValues: { ':queue': queue, ...(upTo === undefined ? {} : { ':upTo': upTo }) },
        Limit: limit,
      }),
    )
    return (page.Items ?? []).map((item) => ({ jobId: String(item.jobId), queue, rank: Number(item.rank) }))
  }
}

/** What a user may ask of an existing record. */
export type UserEdit =
  | { wish: 'cancel' }
  | { wish: 'suspend' }
  | { wish: 'resume' }
  /** A new generation of a finished job; `sequencer` when an S3 event asked for it. */
  | { wish: 'retry'; phase: string; sequencer?: string | undefined }

function editExpression(edit: UserEdit) {
  const names = { '#spec': 'spec', '#revision': 'revision' }
  const values = { ':one': 1, ':zero': 0 }
  const bump = '#revision = if_not_exists(#revision, :zero) + :one'
  switch (edit.wish) {
    case 'cancel':
    case 'suspend':
      return {
        UpdateExpression: `SET #spec.#wish = :true, ${bump}`,
        ConditionExpression: 'attribute_exists(#spec)',
        ExpressionAttributeNames: { ...names, '#wish': edit.wish },
        ExpressionAttributeValues: { ...values, ':true': true },
      }
    case 'resume':
      return {
        UpdateExpression: `SET ${bump} REMOVE #spec.#wish`,
        ConditionExpression: 'attribute_exists(#spec)',
        ExpressionAttributeNames: { ...names, '#wish': 'suspend' },
        ExpressionAttributeValues: values,
      }
    case 'retry':
      return {
        UpdateExpression: `SET #phase = :submitted, ${bump}${edit.sequencer === undefined ? '' : ', #sequencer = :sequencer'} REMOVE #spec.#cancel`,
        ConditionExpression: '#phase = :phase AND attribute_exists(#spec)',
        ExpressionAttributeNames: {
          ...names,
          '#phase': 'phase',
          '#cancel': 'cancel',
          ...(edit.sequencer === undefined ? {} : { '#sequencer': 'sequencer' }),
        },
        ExpressionAttributeValues: {
          ...values,
          ':submitted': 'Submitted',
          ':phase': edit.phase,
          ...(edit.sequencer === undefined ? {} : { ':sequencer': edit.sequencer }),
        },
      }
    default:
      throw edit satisfies never
  }
}
