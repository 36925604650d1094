import { setTimeout as sleep } from 'node:timers/promises'
import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DescribeTableCommand,
  type DynamoDBClient,
  ResourceInUseException,
  type TableDescription,
} from '@aws-sdk/client-dynamodb'
import type { Configuration } from '../../schemas/configuration.ts'
import { controlTableShape, jobsTableShape } from '../../schemas/resources.ts'
import { CannotStart } from '../cannot-start.ts'
import { covers } from './covers.ts'

/** @throws CannotStart for a table that exists with other keys or indexes */
export const provisionTables = async (
  dynamodb: DynamoDBClient,
  configuration: Configuration,
): Promise<void> => {
  for (const wanted of [jobsTable(configuration.JOBS_TABLE), controlTable(configuration.CONTROL_TABLE)]) {
    const table = await provisionTable(dynamodb, wanted)
    if (!fits(table, wanted))
      throw new CannotStart(
        `The local table ${wanted.TableName} was made by another version, with other keys or indexes. ` +
          `Remove ${configuration.LOCAL_DATA_DIR} to start afresh.`,
      )
  }
}

const jobsTable = (name: string): CreateTableCommandInput => {
  const indexes = Object.values(jobsTableShape.indexes)
  return {
    TableName: name,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [
      { AttributeName: jobsTableShape.key, AttributeType: 'S' },
      ...indexes.flatMap(({ hash, range, rangeType }) => [
        { AttributeName: hash, AttributeType: 'S' as const },
        { AttributeName: range, AttributeType: rangeType },
      ]),
    ],
    KeySchema: [{ AttributeName: jobsTableShape.key, KeyType: 'HASH' }],
    GlobalSecondaryIndexes: indexes.map((index) => ({
      IndexName: index.name,
      KeySchema: [
        { AttributeName: index.hash, KeyType: 'HASH' },
        { AttributeName: index.range, KeyType: 'RANGE' },
      ],
      Projection: { ProjectionType: 'KEYS_ONLY' },
    })),
  }
}

const controlTable = (name: string): CreateTableCommandInput => ({
  TableName: name,
  BillingMode: 'PAY_PER_REQUEST',
  AttributeDefinitions: [{ AttributeName: controlTableShape.key, AttributeType: 'S' }],
  KeySchema: [{ AttributeName: controlTableShape.key, KeyType: 'HASH' }],
})

/** Makes the table unless it is there, and waits until it can be used. */
const provisionTable = async (
  dynamodb: DynamoDBClient,
  wanted: CreateTableCommandInput,
): Promise<TableDescription> => {
  await dynamodb.send(new CreateTableCommand(wanted)).catch((error: unknown) => {
    if (!(error instanceof ResourceInUseException)) throw error
  })
  for (;;) {
    const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName: wanted.TableName }))
    if (Table?.TableStatus === 'ACTIVE') return Table
    await sleep(tablePollMs)
  }
}

const tablePollMs = 20

const fits = (table: TableDescription, wanted: CreateTableCommandInput): boolean =>
  covers(table.KeySchema, wanted.KeySchema) &&
  covers(byName(table.GlobalSecondaryIndexes), byName(wanted.GlobalSecondaryIndexes))

const byName = (indexes: readonly { IndexName?: string | undefined }[] = []) =>
  [...indexes].sort((a, b) => ((a.IndexName ?? '') < (b.IndexName ?? '') ? -1 : 1))
