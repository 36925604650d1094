import type {
  DeleteCommandInput,
  GetCommandInput,
  PutCommandInput,
  QueryCommandInput,
  ScanCommandInput,
  UpdateCommandInput,
} from '@aws-sdk/lib-dynamodb'
import { controlTableShape, jobsTableShape, resourceNames } from '../../../schemas/resources.ts'
import { handler, serviceOf } from './command.ts'
import { keyCondition } from './dynamo-keys.ts'
import { createTable, type DynamoTable, type TableShape } from './dynamo-table.ts'
import { copyOf, type Item, kept } from './dynamo-values.ts'
import { conditionFailed, invalid, ModelGap, noTable } from './errors.ts'
import { type Condition, type Parsed, parseCondition, parseUpdate, type Update } from './expression-parser.ts'
import {
  checkOperands,
  checkPaths,
  checkPlaceholders,
  holds,
  type Placeholders,
  updated,
} from './expressions.ts'
import type { DynamoModel, DynamoNastiness, ModelPorts } from './ports.ts'

/** The tables of one installation as they are provisioned. */
export const installationTables = (prefix = ''): TableShape[] => [
  {
    name: resourceNames(prefix).jobsTable,
    key: jobsTableShape.key,
    indexes: Object.values(jobsTableShape.indexes),
  },
  { name: resourceNames(prefix).controlTable, key: controlTableShape.key, indexes: [] },
]

type Listener = Parameters<DynamoModel['onWrite']>[0]

/**
 * DynamoDB as a state machine: single items, conditions, updates, and indexes that lag. What a request puts is copied on
 * its way in, and what is read on its way out, so nobody can change a record but by a write.
 * `counts` counts requests that were understood, refused by their condition or not; raw writes of users are not in it.
 */
export function createDynamoModel(
  { time }: ModelPorts,
  nastiness: DynamoNastiness,
  shapes: readonly TableShape[] = installationTables(),
): DynamoModel {
  const tables = new Map(shapes.map((shape) => [shape.name, createTable(shape, time, nastiness)]))
  const listeners: Listener[] = []
  const counts = { reads: 0, writes: 0 }

  const tableNamed = (name: string | undefined): DynamoTable => {
    const table = tables.get(name ?? '')
    if (table === undefined) throw noTable()
    return table
  }
  const write = (table: DynamoTable, key: string, after: Item | undefined): void => {
    const before = table.now(key)
    if (before === undefined && after === undefined) return
    table.write(key, after)
    for (const listener of listeners) listener({ table: table.shape.name, before, after })
  }
  const asOfMs = (consistent: boolean | undefined): number =>
    time.nowMs() - (consistent === true ? 0 : nastiness.readLagMs())

  const get = (input: GetCommandInput): object => {
    const table = tableNamed(input.TableName)
    const key = table.keyIn(input.Key)
    counts.reads += 1
    const item = input.ConsistentRead === true ? table.now(key) : table.asOf(key, asOfMs(false))
    return item === undefined ? {} : { Item: copyOf(item) }
  }

  const put = (input: PutCommandInput): object => {
    const table = tableNamed(input.TableName)
    const item = kept(input.Item) as Item
    const key = table.keyOf(item)
    const old = guarded(table, key, input)
    write(table, key, item)
    return oldValues(input.ReturnValues, old)
  }

  const remove = (input: DeleteCommandInput): object => {
    const table = tableNamed(input.TableName)
    const key = table.keyIn(input.Key)
    const old = guarded(table, key, input)
    write(table, key, undefined)
    return oldValues(input.ReturnValues, old)
  }

  /** The record as it is, once the condition of a Put or Delete holds for it. */
  const guarded = (table: DynamoTable, key: string, input: Guard): Item | undefined => {
    const placeholders = placeholdersOf(input)
    const condition = conditionOf(input.ConditionExpression, 'ConditionExpression')
    checkAll(condition, undefined, placeholders)
    counts.writes += 1
    const item = table.now(key)
    if (condition !== undefined && !holds(condition.tree, item ?? {}, placeholders)) throw conditionFailed()
    return item
  }

  const update = (input: UpdateCommandInput): object => {
    const table = tableNamed(input.TableName)
    const key = table.keyIn(input.Key)
    const placeholders = placeholdersOf(input)
    const change = input.UpdateExpression === undefined ? undefined : parseUpdate(input.UpdateExpression)
    const condition = conditionOf(input.ConditionExpression, 'ConditionExpression')
    checkAll(condition, change, placeholders)
    if (change !== undefined) checkPaths(change.tree, table.shape.key, placeholders)
    counts.writes += 1
    const before = table.now(key)
    if (condition !== undefined && !holds(condition.tree, before ?? {}, placeholders)) throw conditionFailed()
    const base = before ?? { [table.shape.key]: key }
    const after = change === undefined ? base : updated(change.tree, base, placeholders)
    write(table, key, after)
    return updateValues(input.ReturnValues, before, after)
  }

  const query = (input: QueryCommandInput): object => {
    const table = tableNamed(input.TableName)
    if (input.IndexName === undefined) throw new ModelGap('The model queries indexes only')
    const index = table.indexes.find(({ shape }) => shape.name === input.IndexName)
    if (index === undefined) throw invalid(`The table does not have the specified index: ${input.IndexName}`)
    if (input.ConsistentRead === true)
      throw invalid('Consistent reads are not supported on global secondary indexes')
    const placeholders = placeholdersOf(input)
    const condition = conditionOf(input.KeyConditionExpression, 'KeyConditionExpression')
    if (condition === undefined)
      throw invalid(
        'Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.',
      )
    const filter = conditionOf(input.FilterExpression, 'FilterExpression')
    checkPlaceholders(condition, filter, placeholders)
    checkOperands(condition.tree, placeholders)
    if (filter !== undefined) checkOperands(filter.tree, placeholders)
    const { hash, stretch } = keyCondition(condition.tree, index.shape, placeholders)
    const limit = limitOf(input.Limit)
    const start = startOf(input.ExclusiveStartKey, [table.shape.key, index.shape.hash, index.shape.range])
    counts.reads += 1
    const page = index.query(hash, stretch, { forward: input.ScanIndexForward !== false, limit, start })
    return pageOf(page.keys, page.next, filter, placeholders, input.Select)
  }

  const scan = (input: ScanCommandInput): object => {
    const table = tableNamed(input.TableName)
    const placeholders = placeholdersOf(input)
    const filter = conditionOf(input.FilterExpression, 'FilterExpression')
    checkAll(filter, undefined, placeholders)
    const start = startOf(input.ExclusiveStartKey, [table.shape.key])
    const behind = start === undefined ? undefined : table.keyIn(start)
    const limit = limitOf(input.Limit)
    counts.reads += 1
    const page = table.scan(behind, limit, asOfMs(input.ConsistentRead))
    const next = page.last === undefined ? undefined : { [table.shape.key]: page.last }
    return pageOf(page.items.map(copyOf), next, filter, placeholders, input.Select)
  }

  return {
    ...serviceOf('DynamoDB', {
      GetCommand: handler(['TableName', 'Key', 'ConsistentRead'], get),
      PutCommand: handler(['TableName', 'Item', ...guardMembers], put),
      UpdateCommand: handler(['TableName', 'Key', 'UpdateExpression', ...guardMembers], update),
      DeleteCommand: handler(['TableName', 'Key', ...guardMembers], remove),
      QueryCommand: handler(
        ['TableName', 'IndexName', 'KeyConditionExpression', 'ScanIndexForward', ...pageMembers],
        query,
      ),
      ScanCommand: handler(['TableName', ...pageMembers], scan),
    }),
    items: (table) => tableNamed(table).items(),
    item: (table, key) => tableNamed(table).now(key),
    put(name, item) {
      const table = tableNamed(name)
      const copy = kept(item) as Item
      write(table, table.keyOf(copy), copy)
    },
    delete: (table, key) => write(tableNamed(table), key, undefined),
    onWrite(listener) {
      listeners.push(listener)
    },
    counts,
  }
}

type Named = Pick<UpdateCommandInput, 'ExpressionAttributeNames' | 'ExpressionAttributeValues'>
type Guard = Named & Pick<PutCommandInput, 'ConditionExpression'>

const names = ['ExpressionAttributeNames', 'ExpressionAttributeValues'] as const
const guardMembers = ['ConditionExpression', 'ReturnValues', ...names] as const
const pageMembers = [
  'FilterExpression',
  'Limit',
  'ExclusiveStartKey',
  'Select',
  'ConsistentRead',
  ...names,
] as const

const placeholdersOf = (input: Named): Placeholders => ({
  names: input.ExpressionAttributeNames,
  values:
    input.ExpressionAttributeValues === undefined
      ? undefined
      : (kept(input.ExpressionAttributeValues) as Record<string, unknown>),
})

const conditionOf = (text: string | undefined, label: string): Parsed<Condition> | undefined =>
  text === undefined ? undefined : parseCondition(text, label)

function checkAll(
  condition: Parsed<Condition> | undefined,
  change: Parsed<Update> | undefined,
  placeholders: Placeholders,
): void {
  checkPlaceholders(condition, change, placeholders)
  if (condition !== undefined) checkOperands(condition.tree, placeholders)
}

function oldValues(wanted: string | undefined, old: Item | undefined): object {
  if (wanted === undefined || wanted === 'NONE') return {}
  if (wanted !== 'ALL_OLD') throw invalid('Return values set to invalid value')
  return old === undefined ? {} : { Attributes: copyOf(old) }
}

function updateValues(wanted: string | undefined, before: Item | undefined, after: Item): object {
  switch (wanted) {
    case undefined:
    case 'NONE':
      return {}
    case 'ALL_NEW':
      return { Attributes: copyOf(after) }
    case 'ALL_OLD':
      return before === undefined ? {} : { Attributes: copyOf(before) }
    default:
      throw new ModelGap(`The model does not return ${wanted}`)
  }
}

function limitOf(limit: number | undefined): number {
  if (limit === undefined) return Number.POSITIVE_INFINITY
  if (limit < 1)
    throw invalid(
      `1 validation error detected: Value '${limit}' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1`,
    )
  return limit
}

function startOf(start: Record<string, unknown> | undefined, members: readonly string[]): Item | undefined {
  if (start === undefined) return undefined
  const given = Object.keys(start)
  if (given.length !== members.length || !members.every((member) => given.includes(member)))
    throw invalid('The provided starting key is invalid')
  return kept(start) as Item
}

/** A filter takes away from a page that was read whole, and counts nothing for its limit. */
function pageOf(
  read: Item[],
  next: Item | undefined,
  filter: Parsed<Condition> | undefined,
  placeholders: Placeholders,
  select: string | undefined,
): object {
  const items = filter === undefined ? read : read.filter((item) => holds(filter.tree, item, placeholders))
  if (select !== undefined && select !== 'COUNT') throw new ModelGap(`The model does not select ${select}`)
  return {
    ...(select === 'COUNT' ? {} : { Items: items }),
    Count: items.length,
    ScannedCount: read.length,
    ...(next === undefined ? {} : { LastEvaluatedKey: next }),
  }
}
