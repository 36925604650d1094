import { expect, test } from 'vitest'
import { add, edit, first, put, remove, set } from './mutate.ts'
import { containerProblems } from './schema/containers.ts'
import { providerType } from './schema/provider.ts'
import { schemaProblems } from './schema/validate.ts'
import { blocksOf, type StackJson, type Values } from './stack.ts'
import { variant, variantNames } from './variants.ts'

// The JSON against the provider's own schema, since nothing here can run `terraform validate`: what the types of the
// bindings hold at the time of writing, overrides and plain text can break.

const problemsOf = (json: StackJson) => [...schemaProblems(json), ...containerProblems(json)]

test.each(variantNames)('%s is what the provider understands', (name) => {
  expect(problemsOf(variant(name))).toEqual([])
})

test('the schema is read whole: names, what is required, nested blocks', () => {
  const queue = providerType('aws_sqs_queue')
  expect(queue?.interfaces.get('SqsQueueConfig')?.map(({ name }) => name)).toContain(
    'message_retention_seconds',
  )
  const table = providerType('aws_dynamodb_table')
  expect(table?.interfaces.get('DynamodbTableConfig')?.find(({ name }) => name === 'name')?.required).toBe(
    true,
  )
  expect(table?.interfaces.get('DynamodbTableAttribute')?.map(({ name }) => name)).toEqual(['name', 'type'])
  expect(providerType('aws_sqs_line')).toBeUndefined()
})

const container = (change: (container: Values) => void) => (json: StackJson) =>
  edit<Values[]>(json, 'aws_ecs_task_definition', 'container_definitions', ([one]) => change(one ?? {}))

const mutants: [says: string, change: (json: StackJson) => void, problem: RegExp][] = [
  [
    'a misspelt argument',
    (json) => put(json, 'aws_sqs_queue', 'message_retention_second', 60),
    /message_retention_second: there is no such argument; did you mean message_retention_seconds\?/,
  ],
  [
    'an argument in the case of TypeScript',
    (json) => put(json, 'aws_sqs_queue', 'delaySeconds', 5),
    /delaySeconds: there is no such argument/,
  ],
  [
    'a misspelt argument in a nested block',
    (json) => {
      const [rule] = blocksOf(first(json, 'aws_s3_bucket_lifecycle_configuration')[1].rule)
      Object.assign(rule ?? {}, { expirations: [{ days: 3 }] })
    },
    /rule\[0\]\.expirations: there is no such argument; did you mean expiration\?/,
  ],
  [
    'a required argument is missing',
    (json) => set(json, 'aws_dynamodb_table', 'name', undefined),
    /aws_dynamodb_table\..*\.name: is required/,
  ],
  [
    'a required argument of a nested block is missing',
    (json) => set(json, 'aws_dynamodb_table', 'attribute.0.type', undefined),
    /attribute\[0\]\.type: is required/,
  ],
  [
    'text where a number belongs',
    (json) => set(json, 'aws_sqs_queue', 'visibility_timeout_seconds', 'a minute'),
    /visibility_timeout_seconds: "a minute" is no number/,
  ],
  [
    'text where a list belongs',
    (json) => set(json, 'aws_ecs_cluster_capacity_providers', 'capacity_providers', 'FARGATE'),
    /capacity_providers: "FARGATE" is no string\[\]/,
  ],
  [
    'text where a block belongs',
    (json) => set(json, 'aws_ecs_service', 'network_configuration', 'private'),
    /network_configuration: must be a block/,
  ],
  [
    'a type that the provider does not have',
    (json) => add(json, 'aws_sqs_line', 'jobs', {}),
    /the provider has no aws_sqs_line/,
  ],
  [
    'a misspelt argument of the provider',
    (json) => Object.assign(json.provider?.aws?.[0] ?? {}, { regoin: 'us-east-1' }),
    /regoin: there is no such argument; did you mean region\?/,
  ],
  [
    'a reference to something that is not there',
    (json) => set(json, 'aws_ecs_service', 'cluster', '\u0024{aws_ecs_cluster.gone.arn}'),
    /refers to aws_ecs_cluster\.gone, which is not there/,
  ],
  [
    'a reference to an attribute that does not exist',
    (json) => {
      const [id] = first(json, 'aws_ecs_cluster')
      set(json, 'aws_ecs_service', 'cluster', `\${aws_ecs_cluster.${id}.arm}`)
    },
    /\.arm, which it does not have/,
  ],
  [
    'something that is waited for and not there',
    (json) => remove(json, 'aws_ecs_service') ?? put(json, 'aws_ecs_cluster', 'depends_on', ['aws_vpc.gone']),
    /depends on aws_vpc\.gone, which is not there/,
  ],
  [
    'ignored changes of an argument that does not exist',
    (json) => set(json, 'aws_ssm_parameter', 'lifecycle.ignore_changes', ['insecureValue']),
    /ignore_changes: insecureValue is no argument/,
  ],
  [
    'a misspelt name in a container definition',
    container((one) => {
      one.readOnlyRootFilesystem = true
    }),
    /readOnlyRootFilesystem: there is no such argument; did you mean readonlyRootFilesystem\?/,
  ],
  [
    'a misspelt name deep in a container definition',
    container((one) => {
      one.healthCheck = { command: ['CMD', 'true'], startperiod: 5 }
    }),
    /healthCheck\.startperiod: there is no such argument; did you mean startPeriod\?/,
  ],
]

test.each(mutants)('noticed: %s', (_says, change, problem) => {
  const json = variant('prod, endpoints')
  change(json)
  const problems = problemsOf(json)
  expect(problems).toHaveLength(1)
  expect(problems[0]).toMatch(problem)
})
