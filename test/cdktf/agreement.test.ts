import { DescribeTableCommand, ListTablesCommand } from '@aws-sdk/client-dynamodb'
import {
  DescribeClustersCommand,
  DescribeTaskDefinitionCommand,
  ListTaskDefinitionsCommand,
} from '@aws-sdk/client-ecs'
import { GetBucketCorsCommand, GetBucketNotificationConfigurationCommand } from '@aws-sdk/client-s3'
import { GetQueueAttributesCommand, ListQueuesCommand } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { localAccountId } from '../../local/credentials.ts'
import { configurationSchema } from '../../schemas/configuration.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'
import { type Block, blocks, container, environmentOf, synthesized } from '../support/synthesized.ts'
import { byText } from './choices.ts'

/**
 * Two ways to make the same thing: Terraform on AWS, `local/provision` on one machine. Here the second is done under the names
 * of the first, and what the local AWS then says of itself is compared with what Terraform would make.
 */
const stack = synthesized('dev')

/** What Terraform would put in: names for references, our account for the account. ARNs become the names in them. */
const resolve = (text: string): string =>
  text
    .replace(/\$\{data\.aws_caller_identity\.[\w-]+\.account_id\}/g, localAccountId)
    .replace(/\$\{(aws_\w+)\.([\w-]+)\.(name|arn|bucket|id)\}/g, (_all, type: string, id: string) => {
      const block = stack.resource[type]?.[id]
      return resolve(String(block?.name ?? block?.bucket))
    })

const settings = Object.fromEntries(
  Object.entries(environmentOf(container(stack, 'dev-controller'))).map(([name, value]) => [
    name,
    resolve(value),
  ]),
)

/** Names of what `local/provision` makes, as the controller gets them on AWS. */
const named = [
  'JOBS_TABLE',
  'CONTROL_TABLE',
  'JOBS_QUEUE',
  'JOBS_DLQ',
  'TASK_EVENTS_QUEUE',
  'UPLOADS_BUCKET',
  'OUTPUTS_BUCKET',
  'CLUSTER',
  'WORKER_TASK_DEFINITION',
  'INTERNET_TASK_DEFINITION',
  'WORKER_CONTAINER',
  'LOG_GROUP',
] as const

let aws: TestAws
beforeAll(async () => {
  aws = await startTestAws({
    environment: Object.fromEntries(named.map((name) => [name, settings[name] ?? ''])),
  })
})
afterAll(() => aws.close())

test('names differ by the installation in front of them, and by nothing else', () => {
  const local = configurationSchema.parse({})
  for (const name of named) {
    if (name.endsWith('_BUCKET'))
      expect(settings[name]).toBe(`dev-${localAccountId}-us-east-1-${local[name]}`)
    else if (name === 'WORKER_CONTAINER') expect(settings[name]).toBe(local[name])
    else expect(settings[name]).toBe(`dev-${local[name]}`)
  }
})

describe('tables', () => {
  const tables = blocks(stack, 'aws_dynamodb_table')

  test('are the same ones', async () => {
    const { TableNames = [] } = await aws.clients().dynamodb.send(new ListTablesCommand({}))
    expect([...TableNames].sort(byText)).toEqual(tables.map(({ name }) => String(name)).sort(byText))
  })

  test.each(tables.map((table) => [String(table.name), table] as const))(
    '%s has the same keys and indexes',
    async (TableName, table) => {
      const { Table } = await aws.clients().dynamodb.send(new DescribeTableCommand({ TableName }))
      expect(
        [...(Table?.AttributeDefinitions ?? [])]
          .map(({ AttributeName, AttributeType }) => `${AttributeName} ${AttributeType}`)
          .sort(byText),
      ).toEqual(
        (table.attribute as { name: string; type: string }[])
          .map(({ name, type }) => `${name} ${type}`)
          .sort(byText),
      )
      expect(Table?.KeySchema).toEqual([{ AttributeName: table.hash_key, KeyType: 'HASH' }])
      expect(Table?.BillingModeSummary?.BillingMode).toBe(table.billing_mode)
      const indexes = (table.global_secondary_index as Block[] | undefined) ?? []
      expect(new Map(Table?.GlobalSecondaryIndexes?.map((index) => [index.IndexName, index]) ?? [])).toEqual(
        new Map(
          indexes.map((index) => [
            index.name,
            expect.objectContaining({
              KeySchema: [
                { AttributeName: index.hash_key, KeyType: 'HASH' },
                { AttributeName: index.range_key, KeyType: 'RANGE' },
              ],
              Projection: { ProjectionType: index.projection_type },
            }),
          ]),
        ),
      )
    },
  )
})

describe('queues', () => {
  const queues = blocks(stack, 'aws_sqs_queue')

  test('are the same ones', async () => {
    const { QueueUrls = [] } = await aws.clients().sqs.send(new ListQueuesCommand({}))
    expect(QueueUrls.map((url) => url.split('/').at(-1) ?? '').sort(byText)).toEqual(
      queues.map(({ name }) => String(name)).sort(byText),
    )
  })

  test.each(queues.map((queue) => [String(queue.name), queue] as const))(
    '%s hides, keeps and gives up messages after the same time',
    async (name, queue) => {
      const { Attributes } = await aws
        .clients()
        .sqs.send(new GetQueueAttributesCommand({ QueueUrl: aws.queueUrl(name), AttributeNames: ['All'] }))
      expect(Attributes).toMatchObject({
        VisibilityTimeout: String(queue.visibility_timeout_seconds),
        MessageRetentionPeriod: String(queue.message_retention_seconds),
      })
      const redrive = (text: unknown) => {
        if (text === undefined) return undefined
        const { deadLetterTargetArn, maxReceiveCount } = JSON.parse(resolve(String(text))) as {
          deadLetterTargetArn: string
          maxReceiveCount: number
        }
        return { to: deadLetterTargetArn.split(':').at(-1), after: Number(maxReceiveCount) }
      }
      expect(redrive(Attributes?.RedrivePolicy)).toEqual(redrive(queue.redrive_policy))
    },
  )
})

describe('buckets', () => {
  const within = (type: string, name: string): Block[] =>
    blocks(stack, type).flatMap((block) => block[name] as Block[])

  test('take uploads from the same pages', async () => {
    const { CORSRules } = await aws
      .clients()
      .s3.send(new GetBucketCorsCommand({ Bucket: settings.UPLOADS_BUCKET }))
    expect(CORSRules).toEqual(
      within('aws_s3_bucket_cors_configuration', 'cors_rule').map((rule) => ({
        AllowedMethods: rule.allowed_methods,
        AllowedOrigins: rule.allowed_origins,
        AllowedHeaders: rule.allowed_headers,
        ExposeHeaders: rule.expose_headers,
        MaxAgeSeconds: rule.max_age_seconds,
      })),
    )
  })

  test('tell the same queue of the same events', async () => {
    const { QueueConfigurations } = await aws
      .clients()
      .s3.send(new GetBucketNotificationConfigurationCommand({ Bucket: settings.UPLOADS_BUCKET }))
    const [notification] = blocks(stack, 'aws_s3_bucket_notification')
    expect(resolve(String(notification?.bucket))).toBe(settings.UPLOADS_BUCKET)
    expect(
      QueueConfigurations?.map(({ Id, Events, QueueArn, Filter }) => ({
        id: Id,
        events: Events,
        queue: QueueArn?.split(':').at(-1),
        filter: Filter,
      })),
    ).toEqual(
      within('aws_s3_bucket_notification', 'queue').map(({ id, events, queue_arn: arn, ...filter }) => ({
        id,
        events,
        queue: resolve(String(arn)),
        filter: Object.keys(filter).length === 0 ? undefined : filter,
      })),
    )
  })
})

describe('the cluster', () => {
  test('has the same name and capacity', async () => {
    const { clusters } = await aws
      .clients()
      .ecs.send(new DescribeClustersCommand({ clusters: [settings.CLUSTER ?? ''] }))
    expect(clusters).toEqual([
      expect.objectContaining({
        clusterName: blocks(stack, 'aws_ecs_cluster')[0]?.name,
        capacityProviders: blocks(stack, 'aws_ecs_cluster_capacity_providers')[0]?.capacity_providers,
      }),
    ])
  })
})

describe('task definitions', () => {
  /** The controller is a process on one machine and a task on AWS. */
  const workers = blocks(stack, 'aws_ecs_task_definition').filter(({ family }) => family !== 'dev-controller')

  test('are of the same families', async () => {
    const { taskDefinitionArns = [] } = await aws.clients().ecs.send(new ListTaskDefinitionsCommand({}))
    expect(taskDefinitionArns.map((arn) => arn.replace(/^.*\/(.*):\d+$/, '$1')).sort(byText)).toEqual(
      workers.map(({ family }) => String(family)).sort(byText),
    )
  })

  test.each(workers.map((task) => [String(task.family), task] as const))(
    '%s has the same size, container, environment, log and patience',
    async (family, task) => {
      const { taskDefinition } = await aws
        .clients()
        .ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: family }))
      expect(taskDefinition).toMatchObject({
        networkMode: task.network_mode,
        requiresCompatibilities: task.requires_compatibilities,
        cpu: task.cpu,
        memory: task.memory,
      })
      expect(taskDefinition?.containerDefinitions).toHaveLength(1)
      const [local] = taskDefinition?.containerDefinitions ?? []
      const { name, essential, environment, stopTimeout, logConfiguration } = JSON.parse(
        resolve(JSON.stringify(container(stack, family))),
      ) as Block
      expect(local).toMatchObject({ name, essential, environment, stopTimeout, logConfiguration })
      expect(local?.environment).toHaveLength((environment as unknown[]).length)
      expect(Object.keys(local?.logConfiguration?.options ?? {})).toEqual(
        Object.keys((logConfiguration as { options: Block }).options),
      )
    },
  )
})
