import type { Block } from '../../support/synthesized.ts'
import { call, list, type Maker, needed, one, tagList } from '../calls.ts'

const keys = (block: Block) => [
  { AttributeName: block.hash_key, KeyType: 'HASH' },
  ...(block.range_key === undefined ? [] : [{ AttributeName: block.range_key, KeyType: 'RANGE' }]),
]

const tableShape = (table: Block) => ({
  TableName: table.name,
  KeySchema: keys(table),
  AttributeDefinitions: list(table.attribute).map(({ name, type }) => ({
    AttributeName: name,
    AttributeType: type,
  })),
  ...(table.global_secondary_index !== undefined && {
    GlobalSecondaryIndexes: list(table.global_secondary_index).map((index) => ({
      IndexName: index.name,
      KeySchema: keys(index),
      Projection: { ProjectionType: index.projection_type },
    })),
  }),
})

const tables: Record<string, Maker> = {
  aws_dynamodb_table: {
    *create(table) {
      const answer = yield call('dynamodb', 'CreateTable', {
        ...tableShape(table),
        BillingMode: table.billing_mode,
        DeletionProtectionEnabled: table.deletion_protection_enabled,
        Tags: tagList(table),
      })
      yield call('dynamodb', 'UpdateContinuousBackups', {
        TableName: table.name,
        PointInTimeRecoverySpecification: {
          PointInTimeRecoveryEnabled: one(table.point_in_time_recovery).enabled,
        },
      })
      if (table.ttl !== undefined)
        yield call('dynamodb', 'UpdateTimeToLive', {
          TableName: table.name,
          TimeToLiveSpecification: {
            AttributeName: one(table.ttl).attribute_name,
            Enabled: one(table.ttl).enabled,
          },
        })
      return { id: table.name, arn: needed(answer, 'TableDescription.TableArn') }
    },
    looks: (table) => [
      {
        call: call('dynamodb', 'DescribeTable', { TableName: table.name }),
        at: 'Table',
        wanted: {
          ...tableShape(table),
          TableStatus: 'ACTIVE',
          BillingModeSummary: { BillingMode: table.billing_mode },
          DeletionProtectionEnabled: table.deletion_protection_enabled,
        },
      },
      {
        call: call('dynamodb', 'DescribeContinuousBackups', { TableName: table.name }),
        at: 'ContinuousBackupsDescription.PointInTimeRecoveryDescription',
        wanted: { PointInTimeRecoveryStatus: 'ENABLED' },
      },
      {
        call: call('dynamodb', 'DescribeTimeToLive', { TableName: table.name }),
        at: 'TimeToLiveDescription',
        wanted:
          table.ttl === undefined
            ? { TimeToLiveStatus: 'DISABLED' }
            : { TimeToLiveStatus: 'ENABLED', AttributeName: one(table.ttl).attribute_name },
      },
    ],
  },
}

/** Queues know texts only. */
const queueAttributes = (queue: Block): Record<string, string> =>
  Object.fromEntries(
    [
      ['VisibilityTimeout', queue.visibility_timeout_seconds],
      ['MessageRetentionPeriod', queue.message_retention_seconds],
      ['SqsManagedSseEnabled', queue.sqs_managed_sse_enabled],
      ['RedrivePolicy', queue.redrive_policy],
    ].flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  )

const queueShows = (url: unknown, wanted: Record<string, unknown>) => ({
  call: call('sqs', 'GetQueueAttributes', { QueueUrl: url, AttributeNames: ['All'] }),
  at: 'Attributes',
  wanted,
})

const queues: Record<string, Maker> = {
  aws_sqs_queue: {
    *create(queue) {
      const made = yield call('sqs', 'CreateQueue', {
        QueueName: queue.name,
        Attributes: queueAttributes(queue),
        tags: queue.tags,
      })
      const url = needed(made, 'QueueUrl')
      const known = yield call('sqs', 'GetQueueAttributes', { QueueUrl: url, AttributeNames: ['QueueArn'] })
      return { id: url, url, arn: needed(known, 'Attributes.QueueArn') }
    },
    looks: (queue, { url }) => [queueShows(url, queueAttributes(queue))],
  },

  aws_sqs_queue_policy: {
    *create({ queue_url, policy }) {
      yield call('sqs', 'SetQueueAttributes', { QueueUrl: queue_url, Attributes: { Policy: policy } })
      return {}
    },
    looks: ({ queue_url, policy }) => [queueShows(queue_url, { Policy: policy })],
  },

  aws_sqs_queue_redrive_allow_policy: {
    *create({ queue_url, redrive_allow_policy }) {
      yield call('sqs', 'SetQueueAttributes', {
        QueueUrl: queue_url,
        Attributes: { RedriveAllowPolicy: redrive_allow_policy },
      })
      return {}
    },
    looks: ({ queue_url, redrive_allow_policy }) => [
      queueShows(queue_url, { RedriveAllowPolicy: redrive_allow_policy }),
    ],
  },
}

export const data: Record<string, Maker> = { ...tables, ...queues }
