import { DescribeTaskDefinitionCommand } from '@aws-sdk/client-ecs'
import { GetBucketNotificationConfigurationCommand } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { provision } from '../../local/provision.ts'
import { readConfiguration } from '../../schemas/read-configuration.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'

const rules = JSON.stringify([{ bucket: 'outputs', kinds: ['record'], jobs: [{ kind: 'torrent' }] }])

const notifications = async (aws: TestAws) =>
  (await aws.clients().s3.send(new GetBucketNotificationConfigurationCommand({ Bucket: 'outputs' })))
    .QueueConfigurations ?? []

const again = async (aws: TestAws, environment: Record<string, string>): Promise<void> => {
  const read = readConfiguration(environment, {})
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  await provision(aws.endpoint, read.configuration)
}

test('the bucket for outputs tells of manifests as long as a rule is about them, and not longer', async () => {
  const aws = await startTestAws({ environment: { UPLOAD_TRIGGERS: rules } })
  try {
    expect(await notifications(aws)).toEqual([
      expect.objectContaining({
        Id: 'outputs-to-jobs',
        Filter: { Key: { FilterRules: [{ Name: 'Suffix', Value: '/manifest.json' }] } },
      }),
    ])
    await again(aws, { UPLOAD_TRIGGERS: rules })
    expect(await notifications(aws)).toHaveLength(1)
    await again(aws, {})
    expect(await notifications(aws)).toEqual([])
  } finally {
    await aws.close()
  }
})

test('the worker that seeds is there where a port was chosen, and knows it', async () => {
  const aws = await startTestAws()
  const definition = () =>
    aws.clients().ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: 'worker-seeding' }))
  try {
    await expect(definition()).rejects.toThrow()
    await again(aws, { SEEDING_PORT: '6881' })
    const { taskDefinition } = await definition()
    expect(taskDefinition?.containerDefinitions?.[0]?.environment).toContainEqual({
      name: 'SEEDING_PORT',
      value: '6881',
    })
  } finally {
    await aws.close()
  }
})
