import { readdir, readFile } from 'node:fs/promises'
import type { UpdateCommand, UpdateCommandInput } from '@aws-sdk/lib-dynamodb'
import { describe, expect, test } from 'vitest'
import {
  awsActions,
  modelActions,
  type Permission,
  permissionFor,
  workerAttributes,
} from '../../schemas/permissions.ts'
import { openRecord } from '../../worker/job-record.ts'

const services: Readonly<Record<string, string>> = {
  'client-dynamodb': 'dynamodb',
  'lib-dynamodb': 'dynamodb',
  'client-ecr': 'ecr',
  'client-ecs': 'ecs',
  'client-s3': 's3',
  'client-sqs': 'sqs',
  'client-transcribe': 'transcribe',
  'client-cloudwatch-logs': 'logs',
  'client-bedrock-runtime': 'bedrock',
}

/** The document client and the upload helper have names of their own for what they send. */
const sent: Readonly<Record<string, readonly string[]>> = {
  'dynamodb:Get': ['dynamodb:GetItem'],
  'dynamodb:Put': ['dynamodb:PutItem'],
  'dynamodb:Update': ['dynamodb:UpdateItem'],
}
const sentByUpload = [
  's3:PutObject',
  's3:CreateMultipartUpload',
  's3:UploadPart',
  's3:CompleteMultipartUpload',
  's3:AbortMultipartUpload',
]

/** `service:Operation` of every command that a source file makes. */
function operationsIn(source: string): string[] {
  const commands = [...source.matchAll(/new (\w+)Command\(/g)].map(([, name]) => name ?? '')
  const imports = [...source.matchAll(/import (?:type )?\{([^}]*)\} from '@aws-sdk\/([\w-]+)'/g)]
  const operations = commands.flatMap((name) => {
    const from = imports.find(([, names = '']) => new RegExp(`\\b${name}Command\\b`).test(names))
    const operation = `${services[from?.[2] ?? '']}:${name}`
    return sent[operation] ?? [operation]
  })
  return [...operations, ...(/new Upload\(/.test(source) ? sentByUpload : [])]
}

const permissionsOf = (operations: readonly string[]): Set<string> =>
  new Set(
    operations.map((operation) => {
      const [service = '', name = ''] = operation.split(':')
      return permissionFor(service, name)
    }),
  )

async function neededBy(room: string): Promise<Set<string>> {
  const files = await readdir(room, { recursive: true })
  const sources = await Promise.all(
    files.filter((file) => file.endsWith('.ts')).map((file) => readFile(`${room}/${file}`, 'utf8')),
  )
  return permissionsOf(sources.flatMap(operationsIn))
}

const granted = (permissions: readonly Permission[]): Set<string> =>
  new Set(permissions.flatMap(({ actions }) => actions))

describe('permissions', () => {
  test('of the controller are those of the commands it makes, the roles it hands on, and an honest 404', async () => {
    const needed = await neededBy('controller')
    expect(needed.size).toBeGreaterThan(15)
    expect(granted(awsActions.controller)).toEqual(new Set([...needed, 'iam:PassRole', 's3:ListBucket']))
  })

  test('of the worker are those of the commands it makes, versions of its input, and an honest 404', async () => {
    const needed = await neededBy('worker')
    expect(needed).toContain('s3:AbortMultipartUpload')
    const possible = new Set([...granted(awsActions.media), ...granted(modelActions)])
    expect(possible).toEqual(new Set([...needed, 's3:GetObjectVersion', 's3:ListBucket']))
  })

  test('to ask a model are no part of any role: they are granted by the configuration alone', () => {
    expect([...granted(modelActions)]).toEqual(['bedrock:InvokeModel'])
    for (const all of Object.values(awsActions))
      expect([...granted(all)].filter((action) => action.startsWith('bedrock:'))).toEqual([])
  })

  test('of a worker that reaches the internet reach no upload', () => {
    expect(awsActions.internet.filter(({ on }) => /uploads/.test(on))).toEqual([])
  })

  test.each(Object.entries(awsActions))(
    'of %s name no action twice for one thing, and no wildcard',
    (_role, all) => {
      const pairs = all.flatMap(({ on, actions }) => actions.map((action) => `${action} on ${on}`))
      expect(new Set(pairs).size).toBe(pairs.length)
      expect(pairs.filter((pair) => pair.includes('*'))).toEqual([])
    },
  )

  test('for everything say why', () => {
    const wide = Object.values(awsActions).flat() as Permission[]
    expect(wide.filter(({ on, why }) => on === 'everything' && why === undefined)).toEqual([])
  })

  test.each([
    ['s3', 'HeadObject', false, 's3:GetObject'],
    ['s3', 'GetObject', true, 's3:GetObjectVersion'],
    ['s3', 'PutObject', true, 's3:PutObject'],
    ['s3', 'UploadPart', false, 's3:PutObject'],
    ['s3', 'AbortMultipartUpload', false, 's3:AbortMultipartUpload'],
    ['sqs', 'DeleteMessageBatch', false, 'sqs:DeleteMessage'],
    ['dynamodb', 'UpdateItem', false, 'dynamodb:UpdateItem'],
    ['bedrock', 'Converse', false, 'bedrock:InvokeModel'],
  ])('%s %s (version: %s) needs %s', (service, operation, hasVersion, permission) => {
    expect(permissionFor(service, operation, hasVersion)).toBe(permission)
  })
})

const words = new Set(['SET', 'AND', 'OR', 'attribute_not_exists'])

/** Top-level attributes that an UpdateItem names: those of its key, its expressions and their aliases. */
function attributesOf(input: UpdateCommandInput): string[] {
  const named = `${input.UpdateExpression} ${input.ConditionExpression}`
    .split(/[^\w#:.]+/)
    .filter((token) => token !== '' && !token.startsWith(':') && !words.has(token))
    .map((path) => path.split('.')[0] ?? '')
    .map((name) => input.ExpressionAttributeNames?.[name] ?? name)
  return [...Object.keys(input.Key ?? {}), ...named]
}

test('The worker’s writes name exactly the attributes, and want back exactly what its permission allows', async () => {
  const inputs: UpdateCommandInput[] = []
  const client = {
    send: ({ input }: UpdateCommand) => {
      inputs.push(input)
      return Promise.resolve({ $metadata: {} })
    },
  }
  const patience = {
    forMs: 0,
    signal: new AbortController().signal,
    nowMs: () => 0,
    random: () => 0,
    onRetry: () => undefined,
  }
  const at = '2026-11-22T10:00:00Z'
  const record = openRecord({ table: 'jobs', jobId: 'a', fence: 'f', taskArn: 't', client })
  await record.claim(patience)
  await record.progress({ beat: 1, at })
  await record.patientProgress({ beat: 2, at }, patience)
  await record.report({ fence: 'f', outcome: 'done', exitCode: 0, at }, patience)

  expect(inputs).toHaveLength(4)
  expect(new Set(inputs.flatMap(attributesOf))).toEqual(new Set(workerAttributes))
  const writes = awsActions.media.find(({ on }) => on === 'jobsTable') as Permission
  expect(new Set(inputs.map(({ ReturnValues }) => ReturnValues ?? 'NONE'))).toEqual(
    new Set(writes.returnValues),
  )
})
