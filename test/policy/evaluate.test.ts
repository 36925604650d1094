import { describe, expect, test } from 'vitest'
import { parseDocument } from './iam/document.ts'
import { evaluate } from './iam/evaluate.ts'
import { attributesIn } from './iam/expressions.ts'
import { requestsOf } from './iam/requests.ts'

// The judge of the permission test is judged first: what IAM says of a request, row by row (IAM user guide, policy evaluation
// logic and condition operators).

const table = 'arn:aws:dynamodb:us-east-1:123456789012:table/jobs'
const statement = (more: Record<string, unknown>) => ({
  Effect: 'Allow',
  Action: 'dynamodb:UpdateItem',
  Resource: table,
  ...more,
})
type Context = Record<string, string[]>

const rows: [says: string, statements: unknown[], context: Context, is: string][] = [
  ['what is named is allowed', [statement({})], {}, 'allowed'],
  ['what is not named is not', [statement({ Action: 'dynamodb:GetItem' })], {}, 'notGranted'],
  ['actions know no case', [statement({ Action: 'DynamoDB:updateitem' })], {}, 'allowed'],
  ['resources do', [statement({ Resource: table.replace('jobs', 'Jobs') })], {}, 'notGranted'],
  [
    '* is any text',
    [statement({ Action: 'dynamodb:*Item', Resource: `${table.slice(0, -2)}*` })],
    {},
    'allowed',
  ],
  ['? is one character', [statement({ Resource: table.replace('jobs', 'job?') })], {}, 'allowed'],
  ['a dot is a dot', [statement({ Resource: table.replace('jobs', 'j.bs') })], {}, 'notGranted'],
  ['a denial wins', [statement({}), statement({ Effect: 'Deny', Action: '*', Resource: '*' })], {}, 'denied'],
  [
    'NotAction allows all others',
    [statement({ Action: undefined, NotAction: 's3:GetObject' })],
    {},
    'allowed',
  ],
  ['NotResource leaves one out', [statement({ Resource: undefined, NotResource: table })], {}, 'notGranted'],
  [
    'StringEquals needs the key',
    [statement({ Condition: { StringEquals: { 'dynamodb:ReturnValues': 'NONE' } } })],
    {},
    'notGranted',
  ],
  [
    'IfExists does not',
    [statement({ Condition: { StringEqualsIfExists: { 'dynamodb:ReturnValues': 'NONE' } } })],
    {},
    'allowed',
  ],
  [
    'but compares it when it is there',
    [statement({ Condition: { StringEqualsIfExists: { 'dynamodb:ReturnValues': 'NONE' } } })],
    { 'dynamodb:returnvalues': ['ALL_OLD'] },
    'notGranted',
  ],
  [
    'ForAllValues: each value must be among them',
    [statement({ Condition: { 'ForAllValues:StringEquals': { 'dynamodb:Attributes': ['a', 'b'] } } })],
    { 'dynamodb:attributes': ['a', 'c'] },
    'notGranted',
  ],
  [
    'ForAllValues: fewer are well',
    [statement({ Condition: { 'ForAllValues:StringEquals': { 'dynamodb:Attributes': ['a', 'b'] } } })],
    { 'dynamodb:attributes': ['a'] },
    'allowed',
  ],
  [
    'ForAllValues: none at all, too, which is the trap of it',
    [statement({ Condition: { 'ForAllValues:StringEquals': { 'dynamodb:Attributes': ['a'] } } })],
    {},
    'allowed',
  ],
  [
    'ForAnyValue: one is enough, and none is not',
    [statement({ Condition: { 'ForAnyValue:StringEquals': { 'dynamodb:Attributes': ['a'] } } })],
    {},
    'notGranted',
  ],
  [
    'ArnEquals compares part by part',
    [statement({ Condition: { ArnEquals: { 'ecs:cluster': 'arn:aws:ecs:*:123456789012:cluster/jobs' } } })],
    { 'ecs:cluster': ['arn:aws:ecs:us-east-1:1:x:123456789012:cluster/jobs'] },
    'notGranted',
  ],
  [
    'all conditions must hold',
    [statement({ Condition: { StringEquals: { a: '1', b: '2' } } })],
    { a: ['1'], b: ['3'] },
    'notGranted',
  ],
  [
    'StringNotEquals holds for an absent key',
    [statement({ Effect: 'Deny', Condition: { StringNotEquals: { a: '1' } } })],
    {},
    'denied',
  ],
  ['Null asks whether it is absent', [statement({ Condition: { Null: { a: 'true' } } })], {}, 'allowed'],
]

test.each(rows)('%s', (_says, statements, context, is) => {
  const document = parseDocument(JSON.stringify({ Version: '2012-10-17', Statement: statements }))
  expect(evaluate(document, { action: 'dynamodb:UpdateItem', resource: table, context }).is).toBe(is)
})

test('an operator that is not known is an error, not a guess', () => {
  const document = parseDocument({
    Version: '2012-10-17',
    Statement: statement({ Condition: { NumericLessThan: { 's3:max-keys': '10' } } }),
  })
  expect(() => evaluate(document, { action: 'dynamodb:UpdateItem', resource: table, context: {} })).toThrow(
    /NumericLessThan.*conditions\.ts/,
  )
})

test.each([
  ['a misspelt element', statement({ Conditions: {} })],
  ['a misspelt effect', statement({ Effect: 'allow' })],
])('%s is no policy', (_says, wrong) => {
  expect(() => parseDocument({ Version: '2012-10-17', Statement: wrong })).toThrow()
})

test.each([
  ['SET #0 = :0, #1 = :1 REMOVE #2', ['phase', 'fence', 'claim']],
  ['#1 = :f AND (attribute_not_exists(#2) OR #2.taskArn = :t)', ['fence', 'claim']],
  ['SET revision = if_not_exists(revision, :zero) + :one', ['revision']],
  ['attempts[0].n = :n AND begins_with(kind, :k)', ['attempts', 'kind']],
])('the attributes of %s', (expression, attributes) => {
  expect(attributesIn(expression, { '#0': 'phase', '#1': 'fence', '#2': 'claim' })).toEqual(attributes)
})

describe('what a call asks of IAM', () => {
  const account = {
    region: 'us-east-1',
    accountId: '123456789012',
    keyOf: () => 'jobId',
    rolesOf: (family: string) => (family === 'worker' ? ['arn:aws:iam::123456789012:role/media'] : []),
  }
  const asks = (operation: string, body: unknown = '', status = 200) =>
    requestsOf({ operation, body: JSON.stringify(body), status }, account).map(
      ({ action, resource }) => `${action} ${resource.replaceAll(/^arn:aws:|us-east-1:123456789012:/g, '')}`,
    )

  test.each<[string, unknown, number, string[]]>([
    [
      'DynamoDB_20120810.Query',
      { TableName: 'jobs', IndexName: 'phase-index' },
      200,
      ['dynamodb:Query dynamodb:table/jobs/index/phase-index'],
    ],
    [
      'AmazonSQS.DeleteMessageBatch',
      { QueueUrl: 'http://127.0.0.1:1/123456789012/jobs' },
      200,
      ['sqs:DeleteMessage sqs:jobs'],
    ],
    ['GET /uploads/a%20b.mp4?versionId=v', '', 200, ['s3:GetObjectVersion s3:::uploads/a b.mp4']],
    ['HEAD /uploads/gone.mp4', '', 404, ['s3:GetObject s3:::uploads/gone.mp4', 's3:ListBucket s3:::uploads']],
    ['POST /outputs/x.mp4?uploads', '', 200, ['s3:PutObject s3:::outputs/x.mp4']],
    ['PUT /outputs/x.mp4?partNumber=1&uploadId=u', '', 200, ['s3:PutObject s3:::outputs/x.mp4']],
    ['DELETE /outputs/x.mp4?uploadId=u', '', 204, ['s3:AbortMultipartUpload s3:::outputs/x.mp4']],
    ['DELETE /outputs/x.mp4', '', 204, ['s3:DeleteObject s3:::outputs/x.mp4']],
    [
      'AmazonEC2ContainerServiceV20141113.RunTask',
      { cluster: 'jobs', taskDefinition: 'worker:3', tags: [{ key: 'a', value: 'b' }] },
      200,
      [
        'ecs:RunTask ecs:task-definition/worker:3',
        'iam:PassRole iam::123456789012:role/media',
        'ecs:TagResource ecs:task/jobs/new',
      ],
    ],
    ['AmazonEC2ContainerServiceV20141113.ListTasks', { cluster: 'jobs' }, 200, ['ecs:ListTasks *']],
  ])('%s', (operation, body, status, wanted) => {
    expect(asks(operation, body, status)).toEqual(wanted)
  })

  test.each([
    'Logs_20140328.DescribeLogGroups',
    'AmazonEC2ContainerServiceV20141113.DeleteCluster',
    'GET /uploads',
    'Transcribe.X',
  ])('%s is not known, and that is an error', (operation) => {
    expect(() => asks(operation)).toThrow()
  })
})
