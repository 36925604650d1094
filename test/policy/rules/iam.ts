import { doesAction, editStatement, put } from '../mutate.ts'
import { type Policy, referencesIn, refersTo, type Stack } from '../stack.ts'
import type { Finding, Rule } from './rule.ts'

const granting = (policy: Policy) => policy.statements.filter(({ effect }) => effect === 'Allow')
const permissions = (stack: Stack) =>
  stack.policies.filter(({ kind }) => kind === 'identity' || kind === 'resource')

/** `*`, and what names nothing but a kind of thing: `arn:aws:s3:::*`, `arn:...:table/*`. */
export const namesNothing = (resource: string): boolean => {
  if (resource === '*') return true
  const [, , service, , , ...rest] = resource.replace(/\$\{.*?\}/g, 'x').split(':')
  const name = rest.join(':')
  return service === 's3' ? /^\*/.test(name) : /^([a-z-]+[/:])?\*+([/:]\*+)?$/.test(name)
}

const actions: Rule = {
  name: 'iam/actions',
  says: 'every action is named in full',
  check: (stack) =>
    permissions(stack).flatMap((policy) =>
      granting(policy).flatMap((statement): Finding[] =>
        statement.actions
          .filter((action) => action.includes('*') || action.includes('?'))
          .map((action) => ({ address: policy.address, problem: `allows ${action}: name the actions` })),
      ),
    ),
  mutants: [
    {
      says: 'the controller may do everything with tables',
      change: (json) =>
        editStatement(json, 'aws_iam_role_policy', doesAction('dynamodb:UpdateItem'), (statement) => {
          statement.Action = [statement.Action ?? []]
            .flat()
            .map((one) =>
              one === 'dynamodb:GetItem' || one === 'dynamodb:UpdateItem' ? 'dynamodb:*Item' : one,
            )
          // An attribute condition of the worker stays as it is.
        }),
    },
  ],
}

const resources: Rule = {
  name: 'iam/resources',
  says: 'every permission names what it is for',
  check: (stack) =>
    permissions(stack).flatMap((policy) =>
      granting(policy).flatMap((statement): Finding[] =>
        statement.resources.some(namesNothing)
          ? statement.actions.map((action) => ({
              address: policy.address,
              problem: `allows ${action} on ${statement.resources.filter(namesNothing).join(', ')}: name the resource, or give the reason in exceptions.ts`,
            }))
          : [],
      ),
    ),
  mutants: [
    {
      says: 'logs of everything may be written',
      change: (json) =>
        editStatement(json, 'aws_iam_role_policy', doesAction('logs:PutLogEvents'), (statement) => {
          statement.Resource = '*'
        }),
    },
    {
      says: 'every task definition may be run',
      change: (json) =>
        editStatement(json, 'aws_iam_role_policy', doesAction('ecs:RunTask'), (statement) => {
          statement.Resource = 'arn:aws:ecs:us-east-1:123456789012:task-definition/*:*'
        }),
    },
    {
      says: 'objects of every bucket may be read',
      change: (json) =>
        editStatement(json, 'aws_iam_role_policy', doesAction('s3:GetObject'), (statement) => {
          statement.Resource = ['arn:aws:s3:::*/*']
        }),
    },
  ],
}

const negations: Rule = {
  name: 'iam/negations',
  says: 'nothing is allowed by leaving something out',
  check: (stack) =>
    stack.policies.flatMap((policy) =>
      granting(policy).flatMap((statement): Finding[] =>
        statement.notActions.length > 0 || statement.notResources.length > 0 || statement.hasNotPrincipal
          ? [
              {
                address: policy.address,
                problem: 'allows by NotAction, NotResource or NotPrincipal: say what is allowed instead',
              },
            ]
          : [],
      ),
    ),
  mutants: [
    {
      says: 'everything but one bucket',
      change: (json) =>
        editStatement(json, 'aws_iam_role_policy', doesAction('s3:PutObject'), (statement) => {
          Object.assign(statement, { NotResource: statement.Resource })
          delete statement.Resource
        }),
    },
  ],
}

const passedServices = (conditions: Policy['statements'][number]['conditions']) =>
  Object.entries(conditions).flatMap(([operator, keys]) =>
    operator === 'StringEquals' ? (keys['iam:passedtoservice'] ?? []) : [],
  )

const passRole: Rule = {
  name: 'iam/passRole',
  says: 'roles are passed by name, to the service that they are for, and never the controller’s own',
  check: (stack) => {
    const controllers = stack
      .of('aws_ecs_service')
      .flatMap((service) =>
        stack.of('aws_ecs_task_definition').filter((one) => refersTo(service.values, one)),
      )
      .flatMap(({ values }) => referencesIn(values.task_role_arn))
    return stack.policies.flatMap((policy) =>
      granting(policy)
        .filter((statement) => statement.actions.includes('iam:PassRole'))
        .flatMap((statement): Finding[] => {
          const problems = [
            ...(passedServices(statement.conditions).length === 1
              ? []
              : ['passes roles to any service: StringEquals iam:PassedToService, one service']),
            ...stack
              .of('aws_iam_role')
              .filter(({ address }) => referencesIn(statement.resources).includes(address))
              .filter(
                ({ values }) =>
                  !passedServices(statement.conditions).some((service) =>
                    String(values.assume_role_policy).includes(`"${service}"`),
                  ),
              )
              .map(({ address }) => `passes ${address} to a service that may not assume it`),
            ...(statement.actions.length === 1
              ? []
              : ['mixes PassRole with other actions: its own statement']),
            ...statement.resources
              .filter((role) => role.includes('*'))
              .map((role) => `passes ${role}: name the roles`),
            ...(referencesIn(statement.resources).some((role) => controllers.includes(role))
              ? ['passes the role of a service: only roles of tasks that it launches']
              : []),
          ]
          return problems.map((problem) => ({ address: policy.address, problem }))
        }),
    )
  },
  mutants: [
    {
      says: 'roles may be passed to any service',
      change: (json) =>
        editStatement(json, 'aws_iam_role_policy', doesAction('iam:PassRole'), (statement) => {
          delete statement.Condition
        }),
    },
    {
      says: 'the role of one service may be passed to another',
      change: (json) =>
        editStatement(json, 'aws_iam_role_policy', doesAction('iam:PassRole'), (statement) => {
          statement.Condition = { StringEquals: { 'iam:PassedToService': 'lambda.amazonaws.com' } }
        }),
    },
    {
      says: 'every role whose name begins alike may be passed',
      change: (json) =>
        editStatement(json, 'aws_iam_role_policy', doesAction('iam:PassRole'), (statement) => {
          statement.Resource = ['arn:aws:iam::123456789012:role/prod-*']
        }),
    },
    {
      says: 'the controller may pass its own role',
      change: (json) => {
        const [service] = Object.values(json.resource?.aws_ecs_service ?? {})
        const definition = referencesIn(service?.task_definition)[0]?.split('.')[1] ?? ''
        const own = json.resource?.aws_ecs_task_definition?.[definition]?.task_role_arn
        if (typeof own !== 'string') throw new Error('the controller has no task role')
        editStatement(json, 'aws_iam_role_policy', doesAction('iam:PassRole'), (statement) => {
          statement.Resource = [...[statement.Resource ?? []].flat(), own]
        })
      },
    },
  ],
}

const ecsActionsInCluster = ['ecs:RunTask', 'ecs:StopTask', 'ecs:DescribeTasks', 'ecs:ListTasks']

const cluster: Rule = {
  name: 'iam/cluster',
  says: 'tasks are run, stopped and looked at in this cluster only',
  check: (stack) =>
    permissions(stack).flatMap((policy) =>
      granting(policy).flatMap((statement): Finding[] => {
        const named = statement.actions.filter((action) => ecsActionsInCluster.includes(action))
        const clusters = Object.entries(statement.conditions).flatMap(([operator, keys]) =>
          /^(ArnEquals|StringEquals)$/.test(operator) ? (keys['ecs:cluster'] ?? []) : [],
        )
        const inOurs =
          clusters.length > 0 &&
          clusters.every((one) => stack.of('aws_ecs_cluster').some((own) => refersTo(one, own)))
        return named.length === 0 || inOurs
          ? []
          : [
              {
                address: policy.address,
                problem: `allows ${named.join(', ')} in every cluster: ArnEquals ecs:cluster with the cluster of this stack`,
              },
            ]
      }),
    ),
  mutants: [
    {
      says: 'tasks of other clusters may be stopped',
      change: (json) =>
        editStatement(json, 'aws_iam_role_policy', doesAction('ecs:StopTask'), (statement) => {
          delete statement.Condition
        }),
    },
  ],
}

const inline: Rule = {
  name: 'iam/inline',
  says: 'what a role may do stands in this stack, not in a policy that AWS or somebody else keeps',
  check: (stack) => [
    ...stack
      .of(
        'aws_iam_role_policy_attachment',
        'aws_iam_policy_attachment',
        'aws_iam_role_policy_attachments_exclusive',
      )
      .filter(({ values }) => !stack.of('aws_iam_policy').some((own) => refersTo(values.policy_arn, own)))
      .map(({ address }) => ({
        address,
        problem: 'attaches a policy from outside: write its actions into a policy of the role',
      })),
    ...stack
      .of('aws_iam_role')
      .filter(({ values }) => values.managed_policy_arns !== undefined)
      .map(({ address }) => ({
        address,
        problem: 'has managed_policy_arns: write the actions into a policy of the role',
      })),
    ...stack
      .of('aws_iam_user', 'aws_iam_access_key', 'aws_iam_group')
      .map(({ address }) => ({ address, problem: 'is an identity with lasting keys: use a role' })),
  ],
  mutants: [
    {
      says: 'the managed policy of the execution role is attached',
      change: (json) =>
        put(json, 'aws_iam_role', 'managed_policy_arns', [
          'arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy',
        ]),
    },
    {
      says: 'a user with keys',
      change: (json) => {
        json.resource = { ...json.resource, aws_iam_user: { robot: { name: 'robot' } } }
      },
    },
  ],
}

export const iamRules: Rule[] = [actions, resources, negations, passRole, cluster, inline]
