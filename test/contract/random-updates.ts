import { GetCommand, PutCommand, UpdateCommand, type UpdateCommandInput } from '@aws-sdk/lib-dynamodb'
import { expect } from 'vitest'
import { createRandom, type Random } from '../support/random.ts'
import type { DynamoSubject } from './dynamo.contract.ts'

type Item = Record<string, unknown>

const TableName = 'jobs'
const ids = ['random-1', 'random-2', 'random-3']
const attributes = ['uid', 'revision', 'phase', 'fence', 'claim', 'report', 'message']
const paths = [...attributes, 'claim.taskArn', 'report.fence', 'report.at', 'spec.cancel', 'claim.at.deep']
const maps = ['claim', 'report', 'spec']

/**
 * Sends the same random updates to both, most of them like those of controller, worker and users, and compares every
 * answer and at the end every record. A failure names seed, step and request.
 */
export async function compareRandomUpdates(
  one: DynamoSubject,
  two: DynamoSubject,
  { seed, steps }: { seed: number; steps: number },
): Promise<void> {
  const random = createRandom(seed)
  const counts = new Map<string, number>()
  for (let step = 0; step < steps; step += 1) {
    const send = request(random)
    const [left, right] = await Promise.all([answerOf(send(one)), answerOf(send(two))])
    expect(left, `seed ${seed}, step ${step}: ${JSON.stringify(send(undefined))}`).toEqual(right)
    const kind = typeof right === 'string' ? right : 'granted'
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  for (const id of ids) expect(await read(one, id)).toEqual(await read(two, id))
  // Otherwise the numbers are drawn so badly that next to nothing was compared.
  for (const kind of ['granted', 'ConditionalCheckFailedException', 'ValidationException'])
    expect(counts.get(kind) ?? 0, kind).toBeGreaterThan(steps / 20)
}

const answerOf = (sent: Promise<{ Attributes?: Item | undefined }> | Item): Promise<unknown> =>
  Promise.resolve(sent).then(
    (answer) => ({ attributes: answer.Attributes }),
    (error: unknown) => (error instanceof Error ? error.name : error),
  )

const read = async (subject: DynamoSubject, jobId: string): Promise<Item | undefined> =>
  (await subject.send(new GetCommand({ TableName, Key: { jobId }, ConsistentRead: true }))).Item

/** One request, to be sent to both; to nobody: shown. */
function request(random: Random) {
  const jobId = random.pick(ids)
  const Item = random.once(25) ? record(random, jobId) : undefined
  const input = Item ? undefined : update(random, jobId)
  return (subject: DynamoSubject | undefined): Promise<{ Attributes?: Item | undefined }> | Item => {
    if (subject === undefined) return { Item, input }
    return input === undefined
      ? subject.send(new PutCommand({ TableName, Item }))
      : subject.send(new UpdateCommand(input))
  }
}

const record = (random: Random, jobId: string): Item => ({
  jobId,
  phase: 'Submitted',
  spec: random.once(4) ? 'text' : { params: { a: random.below(3) } },
  ...(random.once(2) ? { revision: random.once(4) ? 'text' : random.below(3) } : {}),
})

function update(random: Random, jobId: string): UpdateCommandInput {
  const names: Record<string, string> = {}
  const values: Record<string, unknown> = {}
  const aliased = (path: string): string =>
    path
      .split('.')
      .map((name) => {
        names[`#${name}`] = name
        return `#${name}`
      })
      .join('.')
  const value = (given: unknown): string => {
    const placeholder = `:${Object.keys(values).length}`
    values[placeholder] = given
    return placeholder
  }
  const set = some(random, random.once(6) ? paths : attributes, 3).map((path) =>
    path === 'revision' && random.once(2)
      ? `#revision = if_not_exists(#revision, ${value(0)}) + ${value(1)}`.replace(/#revision/g, aliased(path))
      : `${aliased(path)} = ${value(valueFor(random, path))}`,
  )
  const remove = some(random, random.once(6) ? paths : attributes, 2).map(aliased)
  const conditions = some(random, paths, 3).map((path) => condition(random, aliased(path), path, value))
  const UpdateExpression = [
    set.length > 0 ? `SET ${set.join(', ')}` : '',
    remove.length > 0 ? `REMOVE ${remove.join(', ')}` : '',
  ].join(' ')
  return {
    TableName,
    Key: { jobId },
    ...(UpdateExpression === ' ' ? {} : { UpdateExpression }),
    ...(conditions.length > 0
      ? { ConditionExpression: conditions.join(random.once(4) ? ' OR ' : ' AND ') }
      : {}),
    ...(Object.keys(names).length > 0 ? { ExpressionAttributeNames: names } : {}),
    ...(Object.keys(values).length > 0 ? { ExpressionAttributeValues: values } : {}),
    ReturnValues: random.once(2) ? 'ALL_NEW' : 'ALL_OLD',
  }
}

function condition(random: Random, alias: string, path: string, value: (given: unknown) => string): string {
  switch (random.below(6)) {
    case 0:
      return `attribute_exists(${alias})`
    case 1:
    case 2:
      return `attribute_not_exists(${alias})`
    case 3:
      return `NOT ${alias} = ${value(scalarFor(random, path))}`
    case 4:
      return `(${alias} ${random.pick(['<>', '<', '>='])} ${value(random.below(3))})`
    default:
      return `${alias} = ${value(scalarFor(random, path))}`
  }
}

/** Few different values, so that a condition holds now and then. */
const scalarFor = (random: Random, path: string): unknown =>
  path === 'revision' ? random.below(3) : random.pick(['a', 'b'])

const valueFor = (random: Random, path: string): unknown =>
  maps.includes(path) && !random.once(5)
    ? { taskArn: random.pick(['a', 'b']), fence: 'a', at: random.pick(['a', 'b']) }
    : scalarFor(random, path)

/** Up to so many different ones. */
const some = (random: Random, from: readonly string[], most: number): string[] => [
  ...new Set(Array.from({ length: random.below(most + 1) }, () => random.pick(from))),
]
