import { describe, expect, test } from 'vitest'
import { awsActions } from '../../schemas/permissions.ts'
import { type Block, blocks, type Synthesized, synthesized } from '../support/synthesized.ts'
import { loadBalanced } from './choices.ts'

const dev = synthesized('dev')

type Statement = { Sid: string; Effect: string; Action: string[]; Resource: string[]; Condition?: Block }

const statementsOf = (stack: Synthesized, role: string): Statement[] => {
  const policy = blocks(stack, 'aws_iam_role_policy').find(({ name }) => name === role)
  return (JSON.parse(String(policy?.policy)) as { Statement: Statement[] }).Statement
}

const allowing = (stack: Synthesized, role: string, action: string): Statement[] =>
  statementsOf(stack, role).filter(({ Effect, Action }) => Effect === 'Allow' && Action.includes(action))

const only = (statements: Statement[]): Statement => {
  expect(statements).toHaveLength(1)
  const [statement] = statements
  if (statement === undefined) throw new Error('no statement')
  return statement
}

describe('every role', () => {
  test('is for one service that acts for this account, and carries installation and region in its name', () => {
    const roles = blocks(dev, 'aws_iam_role')
    expect(roles).toHaveLength(6)
    for (const { name, assume_role_policy: trust } of roles) {
      expect(name).toMatch(/^dev-us-east-1-/)
      const [principal, service] = String(name).endsWith('-transcribe')
        ? ['transcribe', 'transcribe']
        : ['ecs-tasks', 'ecs']
      expect(JSON.parse(String(trust))).toEqual({
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Principal: { Service: `${principal}.amazonaws.com` },
            Action: 'sts:AssumeRole',
            Condition: {
              StringEquals: { 'aws:SourceAccount': expect.stringContaining('account_id') },
              ArnLike: {
                'aws:SourceArn': expect.stringMatching(new RegExp(`:${service}:us-east-1:.*:\\*$`)),
              },
            },
          },
        ],
      })
    }
  })

  test.each(['controller', 'media', 'internet'] as const)(
    '%s may do what its code does, and nothing else',
    (role) => {
      const granted = statementsOf(dev, role)
        .filter(({ Effect }) => Effect === 'Allow')
        .flatMap(({ Action }) => Action)
        // ECS Exec is how people reach it, not something that its code does.
        .filter((action) => !action.startsWith('ssmmessages:'))
      expect(new Set(granted)).toEqual(new Set(awsActions[role].flatMap(({ actions }) => [...actions])))
    },
  )

  test('names a resource, but for the permissions that have none', () => {
    const wide = ['controller', 'media', 'internet', 'controller-execution', 'worker-execution'].flatMap(
      (role) =>
        statementsOf(dev, role)
          .filter(({ Resource }) => Resource.includes('*'))
          .flatMap(({ Action }) => Action),
    )
    expect(new Set(wide)).toEqual(
      new Set([
        'ecs:ListTasks',
        'ecs:DescribeTaskDefinition',
        'transcribe:StartTranscriptionJob',
        'ecr:DescribePullThroughCacheRules',
        'ecr:GetAuthorizationToken',
        'ssmmessages:CreateControlChannel',
        'ssmmessages:CreateDataChannel',
        'ssmmessages:OpenControlChannel',
        'ssmmessages:OpenDataChannel',
      ]),
    )
  })
})

/** The one statement by which the controller hands on roles to a service. */
const passing = (stack: Synthesized, service: string) =>
  only(
    allowing(stack, 'controller', 'iam:PassRole').filter(({ Condition }) =>
      JSON.stringify(Condition).includes(`"${service}.amazonaws.com"`),
    ),
  )

describe('the controller', () => {
  test('runs tasks of our families in its cluster only, and never a controller', () => {
    const { Resource, Condition } = only(allowing(dev, 'controller', 'ecs:RunTask'))
    expect(Resource.map((arn) => arn.replace(/^.*:task-definition\//, ''))).toEqual([
      'dev-worker:*',
      'dev-worker-internet:*',
      'dev-*:*',
    ])
    expect(Condition).toEqual({ ArnEquals: { 'ecs:cluster': expect.stringContaining('aws_ecs_cluster.') } })
    expect(statementsOf(dev, 'controller').filter(({ Effect }) => Effect === 'Deny')).toEqual([
      expect.objectContaining({
        Action: ['ecs:RunTask'],
        Resource: [expect.stringMatching(/:task-definition\/dev-controller:\*$/)],
      }),
    ])
  })

  test('sees which images there are in this account and region, and pulls none', () => {
    const { Resource } = only(allowing(dev, 'controller', 'ecr:DescribeImages'))
    expect(Resource).toEqual([expect.stringMatching(/:ecr:us-east-1:.*:repository\/\*$/)])
    expect(allowing(dev, 'controller', 'ecr:BatchGetImage')).toEqual([])
  })

  test('stops and looks at tasks of its cluster only', () => {
    for (const action of ['ecs:StopTask', 'ecs:DescribeTasks']) {
      const { Resource, Condition } = only(allowing(dev, 'controller', action))
      expect(Resource).toEqual([expect.stringMatching(/:task\/dev-jobs\/\*$/)])
      expect(Condition).toEqual({ ArnEquals: { 'ecs:cluster': expect.stringContaining('aws_ecs_cluster.') } })
    }
    expect(only(allowing(dev, 'controller', 'ecs:ListTasks')).Condition).toEqual({
      ArnEquals: { 'ecs:cluster': expect.stringContaining('aws_ecs_cluster.') },
    })
  })

  test('hands on the roles of workers, to ECS only, and never its own', () => {
    const { Resource, Condition } = passing(dev, 'ecs-tasks')
    expect(Resource).toEqual([
      expect.stringMatching(/roles_worker-execution_\w+\.arn/),
      expect.stringMatching(/roles_media_\w+\.arn/),
      expect.stringMatching(/roles_internet_\w+\.arn/),
    ])
    expect(Condition).toEqual({ StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } })
  })

  test('hands on the role of Transcribe to Transcribe only', () => {
    expect(passing(dev, 'transcribe').Resource).toEqual([expect.stringMatching(/roles_transcribe_\w+\.arn/)])
  })

  test('deletes nothing but what pipelines keep for their own steps, and uploads after success', () => {
    expect(allowing(dev, 'controller', 's3:DeleteObject').flatMap(({ Resource }) => Resource)).toEqual([
      expect.stringMatching(/uploads\w*\.arn\}\/\*$/),
      expect.stringMatching(/outputs\w*\.arn\}\/work\/\*$/),
    ])
  })

  test('hands on roles of containers, and runs their families, where these are named', () => {
    const role = 'arn:aws:iam::123456789012:role/reports'
    const stack = synthesized('dev', { CONTAINER_ROLE_ARNS: role, CONTAINER_FAMILIES: 'reports' })
    expect(passing(stack, 'ecs-tasks').Resource).toContain(role)
    const { Resource } = only(allowing(stack, 'controller', 'ecs:RunTask'))
    expect(Resource.map((arn) => arn.replace(/^.*:task-definition\//, ''))).toEqual([
      'dev-worker:*',
      'dev-worker-internet:*',
      'reports:*',
    ])
  })
})

describe('workers', () => {
  test.each(['media', 'internet'])('%s change only their own attributes of a record', (role) => {
    expect(only(allowing(dev, role, 'dynamodb:UpdateItem')).Condition).toEqual({
      'ForAllValues:StringEquals': {
        'dynamodb:Attributes': ['jobId', 'fence', 'claim', 'progress', 'report'],
      },
      StringEqualsIfExists: { 'dynamodb:ReturnValues': ['NONE', 'ALL_NEW'] },
    })
  })

  test('of the group internet reach no upload', () => {
    expect(JSON.stringify(statementsOf(dev, 'internet'))).not.toContain('uploads')
    expect(JSON.stringify(statementsOf(dev, 'media'))).toContain('buckets_uploads_')
  })

  test('of the group media delete outputs, and no upload; those of the group internet delete nothing', () => {
    const { Resource } = only(allowing(dev, 'media', 's3:DeleteObject'))
    expect(Resource).toEqual([expect.stringMatching(/outputs\w*\.arn\}\/\*$/)])
    expect(allowing(dev, 'internet', 's3:DeleteObject')).toEqual([])
  })

  const asking = (stack: Synthesized) =>
    blocks(stack, 'aws_iam_role_policy').flatMap(({ name }) =>
      statementsOf(stack, String(name))
        .filter(({ Action }) => Action.some((action) => action.startsWith('bedrock:')))
        .map(({ Effect, Action, Resource }) => ({ role: name, Effect, Action, Resource })),
    )

  test('may ask no model', () => expect(asking(dev)).toEqual([]))

  test('may ask exactly the models that are named, and only those of the group media', () => {
    const arns = [
      'arn:aws:bedrock:us-east-1::foundation-model/some.model-v1:0',
      'arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.some.model-v1:0',
    ]
    expect(asking(synthesized('dev', { BEDROCK_MODEL_ARNS: arns.join(',') }))).toEqual([
      { role: 'media', Effect: 'Allow', Action: ['bedrock:InvokeModel'], Resource: arns },
    ])
  })

  test.each(['media', 'internet'])('%s cannot be entered with ECS Exec', (role) => {
    expect(JSON.stringify(statementsOf(dev, role))).not.toContain('ssmmessages')
  })
})

test('Transcribe reads audio and writes transcripts, and nothing else', () => {
  expect(statementsOf(dev, 'transcribe').map(({ Action, Resource }) => [Action, Resource])).toEqual([
    [
      ['s3:GetObject'],
      [expect.stringContaining('buckets_uploads_'), expect.stringContaining('buckets_outputs_')],
    ],
    [['s3:PutObject'], [expect.stringContaining('buckets_outputs_')]],
  ])
})

describe('execution roles', () => {
  test.each([
    ['controller-execution', 'images_controller_', 'logs_controller_'],
    ['worker-execution', 'images_worker_', 'logs_tasks_'],
  ])('%s pulls its own image and writes its own log', (role, image, log) => {
    expect(only(allowing(dev, role, 'ecr:BatchGetImage')).Resource).toEqual([expect.stringContaining(image)])
    expect(only(allowing(dev, role, 'logs:PutLogEvents')).Resource).toEqual([
      expect.stringMatching(new RegExp(`${log}\\w+\\.arn\\}:\\*$`)),
    ])
  })

  test('the secret is for the start of the controller, and for nobody else', () => {
    const stack = synthesized('dev', loadBalanced)
    expect(only(allowing(stack, 'controller-execution', 'secretsmanager:GetSecretValue')).Resource).toEqual([
      loadBalanced.API_TOKEN_SECRET_ARN,
    ])
    for (const role of ['controller', 'media', 'internet', 'worker-execution'])
      expect(allowing(stack, role, 'secretsmanager:GetSecretValue')).toEqual([])
    expect(allowing(dev, 'controller-execution', 'secretsmanager:GetSecretValue')).toEqual([])
  })
})
