import { beforeAll, describe, expect, test, vi } from 'vitest'
import { localAccountId } from '../../local/credentials.ts'
import { kindNames } from '../../schemas/kinds/index.ts'
import { controlTableShape, jobsTableShape } from '../../schemas/resources.ts'
import { distinct, grantedElsewhere, refused, unused } from './iam/compare.ts'
import type { Statement } from './iam/document.ts'
import type { Request } from './iam/evaluate.ts'
import { recordRuns } from './iam/recording.ts'
import { type Account, type Call, requestsOf } from './iam/requests.ts'
import { type Task, tasksOf } from './iam/roles.ts'
import { unreached, unrunKinds } from './iam/unreached.ts'
import { readStack } from './stack.ts'
import { variant } from './variants.ts'

// Least privilege, shown and not claimed: the system runs from end to end under the names and settings of the synthesised
// stack, every call of every role is written down on the wire, and each is held against the policies of that role as IAM
// would. All must be allowed, and nothing may be allowed that nobody asked for.

vi.setConfig({ hookTimeout: 300_000 })

const place = { region: 'us-east-1', accountId: localAccountId }
// The families of `container` jobs are named, so that the permission for ours is not hidden behind a pattern for all.
const tasks = tasksOf(readStack(variant('dev, named containers')), place)
const task = (name: string): Task => {
  const found = tasks[name]
  if (found === undefined)
    throw new Error(`there is no task ${name}; there are ${Object.keys(tasks).join(', ')}`)
  return found
}

const asked: Record<'controller' | 'worker' | 'worker-internet', Request[]> = {
  controller: [],
  worker: [],
  'worker-internet': [],
}
let kindsRun: Set<string>

beforeAll(async () => {
  const { environment } = task('controller')
  const account: Account = {
    ...place,
    keyOf: (table) => (table === environment.CONTROL_TABLE ? controlTableShape.key : jobsTableShape.key),
    rolesOf: (family) =>
      Object.values(tasks)
        .filter((one) => one.family === family)
        .flatMap(({ roleArn, executionRoleArn }) => [roleArn, executionRoleArn]),
  }
  const { controller, media, internet, kinds } = await recordRuns(environment)
  const requests = (calls: readonly Call[]) => distinct(calls.flatMap((call) => requestsOf(call, account)))
  asked.controller = requests(controller)
  asked.worker = requests(media)
  asked['worker-internet'] = requests(internet)
  kindsRun = kinds
})

const excusesFor = (name: string) => unreached.filter((one) => one.task === name)
const unexcused = (name: string, permissions: readonly string[]) =>
  permissions.filter((permission) => !excusesFor(name).some((one) => one.permission.test(permission)))

test('every kind of job was run, or stands in a table with its reason', () => {
  expect(kindNames.filter((kind) => !kindsRun.has(kind) && !Object.hasOwn(unrunKinds, kind))).toEqual([])
  expect(Object.keys(unrunKinds).filter((kind) => kindsRun.has(kind))).toEqual([])
  expect(asked.controller.length).toBeGreaterThan(50)
  expect(asked.worker.length).toBeGreaterThan(15)
})

describe.each(['controller', 'worker', 'worker-internet'] as const)('the role of %s', (name) => {
  test('allows every call that was recorded', () => {
    expect(refused(task(name).statements, asked[name])).toEqual([])
  })

  test('allows nothing that no run asked for, but for what stands in a table with its reason', () => {
    expect(unexcused(name, unused(task(name).statements, asked[name]))).toEqual([])
  })

  test('is of no use for another installation in the same account', () => {
    expect(grantedElsewhere(task(name).statements, asked[name], 'dev-')).toEqual([])
  })

  test('every excuse is needed', () => {
    const left = unused(task(name).statements, asked[name])
    expect(
      excusesFor(name).filter((one) => !left.some((permission) => one.permission.test(permission))),
    ).toEqual([])
  })

  test('without any one of its permissions, some call is refused', () => {
    const { statements } = task(name)
    const idle = unused(statements, asked[name])
    const needless = removals(statements).filter(
      ({ permission, without }) => !idle.includes(permission) && refused(without, asked[name]).length === 0,
    )
    expect(needless.map(({ permission }) => permission)).toEqual([])
  })
})

describe.each(['controller', 'worker'] as const)('the role of %s', (name) => {
  test.each([
    [
      'another action',
      { actions: ['dynamodb:DeleteItem'], resources: ['arn:aws:dynamodb:us-east-1:1:table/dev-jobs'] },
    ],
    [
      'another table',
      { actions: ['dynamodb:UpdateItem'], resources: ['arn:aws:dynamodb:us-east-1:1:table/other'] },
    ],
    ['every bucket beside ours', { actions: ['s3:GetObject'], resources: ['arn:aws:s3:::other/*'] }],
  ])('with a permission too many it fails: %s', (_says, more) => {
    const statements = [...task(name).statements, statement(more)]
    expect(unexcused(name, unused(statements, asked[name]))).toHaveLength(1)
  })
})

test('a resource that reaches further than this installation fails', () => {
  const everyQueue = statement({ actions: ['sqs:SendMessage'], resources: ['arn:aws:sqs:us-east-1:*:*'] })
  const statements = [...task('controller').statements, everyQueue]
  expect(grantedElsewhere(statements, asked.controller, 'dev-').length).toBeGreaterThan(0)
})

describe('a worker', () => {
  const writes = (attributes: string[]): Request => ({
    action: 'dynamodb:UpdateItem',
    resource: `arn:aws:dynamodb:us-east-1:${localAccountId}:table/dev-jobs`,
    context: { 'dynamodb:attributes': attributes },
  })

  test('may write its claim, and not what the controller or the user writes', () => {
    expect(refused(task('worker').statements, [writes(['jobId', 'fence', 'claim'])])).toEqual([])
    for (const attribute of ['phase', 'spec', 'uid', 'attempts', 'settings', 'costUsd'])
      expect(refused(task('worker').statements, [writes(['jobId', 'fence', attribute])])).toHaveLength(1)
  })

  test('with an attribute too many it fails', () => {
    const text = JSON.stringify(task('worker').statements)
    const statements = JSON.parse(text.replace('"claim"', '"claim","spec"')) as Statement[]
    expect(unused(statements, asked.worker)).toEqual(['dynamodb:attributes spec'])
  })

  test('may not write another table, read records, or publish into the bucket of uploads', () => {
    const { environment } = task('controller')
    const arn = (resource: string) => `arn:aws:dynamodb:us-east-1:${localAccountId}:table/${resource}`
    expect(
      refused(task('worker').statements, [
        { ...writes(['claim']), resource: arn('dev-control') },
        { action: 'dynamodb:GetItem', resource: arn('dev-jobs'), context: {} },
        { action: 's3:PutObject', resource: `arn:aws:s3:::${environment.UPLOADS_BUCKET}/x.mp4`, context: {} },
      ]),
    ).toHaveLength(3)
  })

  test('of the internet cannot read uploads', () => {
    const { environment } = task('controller')
    expect(
      refused(task('worker-internet').statements, [
        { action: 's3:GetObject', resource: `arn:aws:s3:::${environment.UPLOADS_BUCKET}/x.mp4`, context: {} },
      ]),
    ).toHaveLength(1)
  })
})

describe('the controller', () => {
  const runs = (family: string, cluster: string): Request => ({
    action: 'ecs:RunTask',
    resource: `arn:aws:ecs:us-east-1:${localAccountId}:task-definition/${family}:1`,
    context: { 'ecs:cluster': [`arn:aws:ecs:us-east-1:${localAccountId}:cluster/${cluster}`] },
  })

  test('runs tasks of its own cluster, and never itself', () => {
    const { statements } = task('controller')
    expect(refused(statements, [runs('dev-worker', 'dev-jobs')])).toEqual([])
    expect(refused(statements, [runs('dev-worker', 'other-jobs')])).toHaveLength(1)
    expect(refused(statements, [runs('other-worker', 'dev-jobs')])).toHaveLength(1)
    expect(refused(statements, [runs('dev-controller', 'dev-jobs')])).toHaveLength(1)
  })

  test('passes the roles of its tasks to tasks, and no others to nobody else', () => {
    const passes = (resource: string, service: string): Request => ({
      action: 'iam:PassRole',
      resource,
      context: { 'iam:passedtoservice': [service] },
    })
    const { statements, roleArn, executionRoleArn } = task('controller')
    expect(refused(statements, [passes(task('worker').roleArn, 'ecs-tasks.amazonaws.com')])).toEqual([])
    expect(
      refused(statements, [
        passes(task('worker').roleArn, 'lambda.amazonaws.com'),
        passes(roleArn, 'ecs-tasks.amazonaws.com'),
        passes(executionRoleArn, 'ecs-tasks.amazonaws.com'),
        passes(`arn:aws:iam::${localAccountId}:role/Admin`, 'ecs-tasks.amazonaws.com'),
      ]),
    ).toHaveLength(4)
  })
})

test('what ECS does to start a task is what it needs, and no code has it', () => {
  const starting = [
    'ecr:BatchCheckLayerAvailability',
    'ecr:BatchGetImage',
    'ecr:GetAuthorizationToken',
    'ecr:GetDownloadUrlForLayer',
    'logs:CreateLogStream',
    'logs:PutLogEvents',
  ]
  for (const one of Object.values(tasks)) {
    expect(actionsOf(one.executionStatements)).toEqual(starting)
    expect(actionsOf(one.statements).filter((action) => starting.includes(action))).toEqual([])
  }
})

test('whoever starts a controller that has a token may read it', () => {
  const balanced = tasksOf(readStack(variant('prod, load balancer')), place)
  const reads = Object.entries(balanced).filter(([, one]) =>
    actionsOf(one.executionStatements).includes('secretsmanager:GetSecretValue'),
  )
  expect(reads.map(([name]) => name)).toEqual(['controller'])
})

test('in other stacks the roles may do the same', () => {
  for (const name of [
    'dev, public',
    'prod, endpoints',
    'prod, load balancer',
    'prod, existing buckets',
  ] as const)
    for (const [kind, one] of Object.entries(tasksOf(readStack(variant(name)), place)))
      expect([name, kind, actionsOf(one.statements)]).toEqual([name, kind, actionsOf(task(kind).statements)])
})

const actionsOf = (statements: readonly Statement[]) =>
  [...new Set(statements.filter(({ effect }) => effect === 'Allow').flatMap(({ actions }) => actions))].sort(
    (a, b) => (a < b ? -1 : 1),
  )

/** The same statements without one action on one resource, for each of them. */
const removals = (statements: readonly Statement[]) =>
  statements.flatMap((one, index) =>
    one.effect === 'Deny'
      ? []
      : one.actions.flatMap((action) =>
          one.resources.map((resource) => ({
            permission: `${action} on ${resource}`,
            without: statements.toSpliced(
              index,
              1,
              { ...one, actions: one.actions.filter((other) => other !== action) },
              { ...one, actions: [action], resources: one.resources.filter((other) => other !== resource) },
            ),
          })),
        ),
  )

const statement = (more: Pick<Statement, 'actions' | 'resources'>): Statement => ({
  sid: 'TooMany',
  effect: 'Allow',
  notActions: [],
  notResources: [],
  principals: {},
  hasNotPrincipal: false,
  conditions: {},
  ...more,
})
