import { edit, put, set } from '../mutate.ts'
import {
  blocksOf,
  containersOf,
  type Resource,
  refersTo,
  type Stack,
  type StackJson,
  type Values,
} from '../stack.ts'
import type { Finding, Rule } from './rule.ts'

const definitions = (stack: Stack) => stack.of('aws_ecs_task_definition')
const isRunByService = (stack: Stack, definition: Resource) =>
  stack.of('aws_ecs_service').some(({ values }) => refersTo(values.task_definition, definition))

const eachContainer = (
  stack: Stack,
  problemOf: (container: Values, definition: Resource) => string | undefined,
): Finding[] =>
  definitions(stack).flatMap((definition) =>
    containersOf(definition).flatMap((container) => {
      const problem = problemOf(container, definition)
      return problem === undefined
        ? []
        : [{ address: definition.address, problem: `container ${container.name} ${problem}` }]
    }),
  )

/** Changes the first container of the first task definition whose family ends so. */
const editContainer = (json: StackJson, family: string, change: (container: Values) => void): void =>
  edit<Values[]>(
    json,
    'aws_ecs_task_definition',
    'container_definitions',
    ([container]) => change(container ?? {}),
    (_id, values) => String(values.family).endsWith(family),
  )

const roles: Rule = {
  name: 'ecs/roles',
  says: 'every task has a role for its code and another one for its start, and no two kinds of task share the first',
  check: (stack) =>
    definitions(stack).flatMap(({ address, values }): Finding[] => {
      const { task_role_arn: task, execution_role_arn: execution } = values
      const shared = definitions(stack).filter(
        (other) => other.address !== address && other.values.task_role_arn === task,
      )
      return [
        ...(task === undefined || execution === undefined
          ? [{ address, problem: 'lacks a role: task_role_arn and execution_role_arn' }]
          : []),
        ...(task !== undefined && task === execution
          ? [{ address, problem: 'gives its code the role that starts it: a task role of its own' }]
          : []),
        ...(task !== undefined && shared.length > 0
          ? [
              {
                address,
                problem: `shares its role with ${shared.map((one) => one.address)}: a role for each`,
              },
            ]
          : []),
      ]
    }),
  mutants: [
    {
      says: 'the code has the role that starts it',
      change: (json) => {
        for (const values of Object.values(json.resource?.aws_ecs_task_definition ?? {}))
          if (String(values.family).endsWith('-worker')) values.task_role_arn = values.execution_role_arn
      },
    },
    {
      says: 'workers of the internet have the role of those for uploads',
      change: (json) => {
        const all = Object.values(json.resource?.aws_ecs_task_definition ?? {})
        const [media, internet] = ['-worker', '-worker-internet'].map((end) =>
          all.find(({ family }) => String(family).endsWith(end)),
        )
        if (media === undefined || internet === undefined) throw new Error('there are no two workers')
        internet.task_role_arn = media.task_role_arn
      },
    },
    {
      says: 'no role at all',
      change: (json) =>
        set(json, 'aws_ecs_task_definition', 'task_role_arn', undefined, (_id, { family }) =>
          String(family).endsWith('-worker'),
        ),
    },
  ],
}

const readOnly: Rule = {
  name: 'ecs/readOnly',
  says: 'what a container is made of cannot be changed from inside',
  check: (stack) =>
    eachContainer(stack, ({ readonlyRootFilesystem, privileged }) =>
      readonlyRootFilesystem === true && privileged !== true
        ? undefined
        : 'can write to its image: readonlyRootFilesystem = true, not privileged, a volume for scratch',
    ),
  mutants: [
    {
      says: 'a writable root',
      change: (json) =>
        editContainer(json, '-controller', (container) => {
          container.readonlyRootFilesystem = false
        }),
    },
  ],
}

const capabilities: Rule = {
  name: 'ecs/capabilities',
  says: 'a worker, which reads files of strangers, has no powers of the kernel',
  check: (stack) =>
    eachContainer(stack, (container, definition) => {
      if (isRunByService(stack, definition)) return undefined
      const [given] = blocksOf(container.linuxParameters).flatMap(({ capabilities }) =>
        blocksOf(capabilities),
      )
      const added = [given?.add ?? []].flat()
      return JSON.stringify(given?.drop) === '["ALL"]' && added.length === 0
        ? undefined
        : 'keeps capabilities: linuxParameters.capabilities drop ALL'
    }),
  mutants: [
    {
      says: 'it keeps those of Docker',
      change: (json) =>
        editContainer(json, '-worker', (container) => {
          delete container.linuxParameters
        }),
    },
  ],
}

/** All that Fargate gives, and all that a Spot warning leaves. */
const stopTimeoutS = 120

const patience: Rule = {
  name: 'ecs/patience',
  says: 'a worker has the whole time of a Spot warning to save what it has',
  check: (stack) =>
    eachContainer(stack, (container, definition) =>
      isRunByService(stack, definition) || container.stopTimeout === stopTimeoutS
        ? undefined
        : `is killed too early: stopTimeout = ${stopTimeoutS}`,
    ),
  mutants: [
    {
      says: 'the default of 30 s',
      change: (json) =>
        editContainer(json, '-worker', (container) => {
          delete container.stopTimeout
        }),
    },
  ],
}

const publicAddress: Rule = {
  name: 'ecs/publicAddress',
  says: 'no service has a public address',
  check: (stack) =>
    stack
      .of('aws_ecs_service')
      .filter(({ values }) =>
        blocksOf(values.network_configuration).some((one) => one.assign_public_ip === true),
      )
      .map(({ address }) => ({ address, problem: 'has a public address: assign_public_ip = false' })),
  mutants: [
    {
      says: 'a public one in a private network',
      change: (json) => set(json, 'aws_ecs_service', 'network_configuration.assign_public_ip', true),
    },
  ],
}

const rollback: Rule = {
  name: 'ecs/rollback',
  says: 'a version that does not come up is taken back, and one that comes up slowly is not',
  check: (stack) =>
    stack.of('aws_ecs_service').flatMap((service): Finding[] => {
      const { deployment_circuit_breaker: breaker, load_balancer: balancer } = service.values
      const takesBack = blocksOf(breaker).some(
        ({ enable, rollback: back }) => enable === true && back === true,
      )
      const graceS = Number(service.values.health_check_grace_period_seconds ?? 0)
      const checks = definitions(stack)
        .filter((definition) => refersTo(service.values.task_definition, definition))
        .flatMap(containersOf)
        .flatMap(({ healthCheck }) => blocksOf(healthCheck))
      return [
        ...(takesBack
          ? []
          : ['stays with a version that does not start: deployment_circuit_breaker with rollback']),
        ...(checks.some(({ startPeriod }) => Number(startPeriod) >= slowStartS)
          ? []
          : [
              `has no health check that waits for a slow start: healthCheck with startPeriod >= ${slowStartS}`,
            ]),
        ...(blocksOf(balancer).length === 0 || graceS >= slowStartS
          ? []
          : [
              `is killed by its load balancer while it starts: health_check_grace_period_seconds >= ${slowStartS}`,
            ]),
      ].map((problem) => ({ address: service.address, problem }))
    }),
  mutants: [
    {
      says: 'it stays broken',
      change: (json) => set(json, 'aws_ecs_service', 'deployment_circuit_breaker.rollback', false),
    },
    {
      says: 'nobody asks whether it is well',
      change: (json) =>
        editContainer(json, '-controller', (container) => {
          delete container.healthCheck
        }),
    },
    {
      says: 'the load balancer does not wait',
      of: 'prod, load balancer',
      change: (json) => set(json, 'aws_ecs_service', 'health_check_grace_period_seconds', 0),
    },
  ],
}

const slowStartS = 60

const inZones: Rule = {
  name: 'ecs/inZones',
  says: 'a service of this stack’s network stands in two zones at least',
  check: (stack) =>
    stack.of('aws_ecs_service').flatMap((service): Finding[] => {
      const subnets = blocksOf(service.values.network_configuration).flatMap(({ subnets: ids }) =>
        [ids ?? []].flat(),
      )
      const own = stack.of('aws_subnet').filter((subnet) => refersTo(subnets, subnet))
      const zones = new Set(own.map(({ values }) => JSON.stringify(values.availability_zone)))
      return own.length === 0 || zones.size >= 2
        ? []
        : [{ address: service.address, problem: 'goes down with one zone: subnets in two zones' }]
    }),
  mutants: [
    {
      says: 'one subnet',
      change: (json) => {
        const [service] = Object.values(json.resource?.aws_ecs_service ?? {})
        const [network] = blocksOf(service?.network_configuration)
        if (network === undefined) throw new Error('there is no network to change')
        network.subnets = [network.subnets].flat().slice(0, 1)
      },
    },
  ],
}

const remembered: Rule = {
  name: 'ecs/remembered',
  says: 'revisions stay, because launches that are under way name theirs',
  check: (stack) =>
    definitions(stack)
      .filter(({ values }) => values.skip_destroy !== true)
      .map(({ address }) => ({
        address,
        problem: 'is deregistered by the next deployment: skip_destroy = true',
      })),
  mutants: [
    { says: 'gone', change: (json) => set(json, 'aws_ecs_task_definition', 'skip_destroy', undefined) },
  ],
}

const tagged: Rule = {
  name: 'ecs/tagged',
  says: 'tasks of a service carry its tags, so that bills can be told apart',
  check: (stack) =>
    stack
      .of('aws_ecs_service')
      .filter(({ values }) => !['SERVICE', 'TASK_DEFINITION'].includes(String(values.propagate_tags)))
      .map(({ address }) => ({ address, problem: 'starts tasks without tags: propagate_tags = SERVICE' })),
  mutants: [{ says: 'without', change: (json) => set(json, 'aws_ecs_service', 'propagate_tags', undefined) }],
}

const ready: Rule = {
  name: 'ecs/ready',
  says: 'a service starts only once its roles may do their work',
  check: (stack) =>
    stack.of('aws_ecs_service').flatMap((service): Finding[] => {
      const waitsFor = [service.values.depends_on ?? []].flat()
      const missing = stack.of('aws_iam_role_policy').filter(({ address }) => !waitsFor.includes(address))
      return missing.length === 0
        ? []
        : [
            {
              address: service.address,
              problem: `may start before ${missing.map(({ address }) => address).join(', ')}: depends_on`,
            },
          ]
    }),
  mutants: [{ says: 'at once', change: (json) => put(json, 'aws_ecs_service', 'depends_on', []) }],
}

export const ecsRules: Rule[] = [
  roles,
  readOnly,
  capabilities,
  patience,
  publicAddress,
  rollback,
  inZones,
  remembered,
  tagged,
  ready,
]
