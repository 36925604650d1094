import {
  CreateClusterCommand,
  DeregisterTaskDefinitionCommand,
  DescribeClustersCommand,
  DescribeTaskDefinitionCommand,
  ListClustersCommand,
  ListTagsForResourceCommand,
  ListTaskDefinitionsCommand,
  RegisterTaskDefinitionCommand,
  TagResourceCommand,
} from '@aws-sdk/client-ecs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { container, refusal, run, runInput, runOne, startStill, worker } from './ecs-setup.ts'

let local: Awaited<ReturnType<typeof startStill>>
beforeEach(async () => {
  local = await startStill()
})
afterEach(() => local.close())

const clusterArn = 'arn:aws:ecs:eu-central-1:000000000000:cluster/jobs'

describe('the wire', () => {
  test('an unknown action is refused by name', async () => {
    expect(await local.ecs.call('CreateService', {})).toEqual({
      status: 400,
      body: {
        __type: 'UnknownOperationException',
        message: 'The local ECS does not have the action "CreateService".',
      },
    })
  })

  test('a parameter of the wrong type is refused by name', async () => {
    expect(await local.ecs.call('RunTask', { taskDefinition: 7 })).toMatchObject({
      status: 400,
      body: {
        __type: 'InvalidParameterException',
        message: expect.stringMatching(/^taskDefinition: /),
      },
    })
  })

  test('timestamps are epoch seconds with a fraction', async () => {
    local.clock.advance(250)
    const reply = await local.ecs.call('RunTask', runInput())
    expect(reply).toMatchObject({
      status: 200,
      body: { tasks: [{ createdAt: local.clock.nowMs() / 1_000 }] },
    })
  })
})

describe('clusters', () => {
  test('are described by name and by ARN; unknown ones are MISSING', async () => {
    const { clusters, failures } = await local.client.send(
      new DescribeClustersCommand({ clusters: ['jobs', clusterArn, 'nowhere'] }),
    )
    expect(clusters).toHaveLength(2)
    expect(clusters?.[0]).toMatchObject({ clusterArn, status: 'ACTIVE', pendingTasksCount: 0 })
    expect(failures).toEqual([
      { arn: 'arn:aws:ecs:eu-central-1:000000000000:cluster/nowhere', reason: 'MISSING' },
    ])
  })

  test('creating one again answers with the one there is', async () => {
    const { cluster } = await local.client.send(new CreateClusterCommand({ clusterName: 'jobs' }))
    expect(cluster?.capacityProviders).toEqual(['FARGATE', 'FARGATE_SPOT'])
    const { clusterArns } = await local.client.send(new ListClustersCommand({}))
    expect(clusterArns).toEqual([clusterArn])
  })

  test('count their tasks', async () => {
    await run(local, { count: 2 })
    const { clusters } = await local.client.send(new DescribeClustersCommand({ clusters: ['jobs'] }))
    expect(clusters?.[0]).toMatchObject({ pendingTasksCount: 2, runningTasksCount: 0 })
  })
})

describe('task definitions', () => {
  test('get revisions per family, and a number is never used twice', async () => {
    await local.client.send(new RegisterTaskDefinitionCommand(worker()))
    await local.client.send(new DeregisterTaskDefinitionCommand({ taskDefinition: 'worker:2' }))
    const { taskDefinition } = await local.client.send(new RegisterTaskDefinitionCommand(worker()))
    expect(taskDefinition).toMatchObject({
      taskDefinitionArn: 'arn:aws:ecs:eu-central-1:000000000000:task-definition/worker:3',
      revision: 3,
      status: 'ACTIVE',
      compatibilities: ['EC2', 'FARGATE'],
      cpu: '256',
      memory: '512',
    })
  })

  test('are described by family (the latest ACTIVE), family:revision and ARN', async () => {
    const second = await local.client.send(new RegisterTaskDefinitionCommand(worker()))
    const arn = second.taskDefinition?.taskDefinitionArn
    const revisionOf = async (taskDefinition: string | undefined) =>
      (await local.client.send(new DescribeTaskDefinitionCommand({ taskDefinition }))).taskDefinition
        ?.revision
    expect(await revisionOf('worker')).toBe(2)
    expect(await revisionOf('worker:1')).toBe(1)
    expect(await revisionOf(arn)).toBe(2)
    await local.client.send(new DeregisterTaskDefinitionCommand({ taskDefinition: 'worker:2' }))
    expect(await revisionOf('worker')).toBe(1)
    expect(await revisionOf('worker:2')).toBe(2)
  })

  test.for(['nothing', 'worker:9', 'arn:aws:ecs:eu-central-1:000000000000:task-definition/nothing:1'])(
    'an unknown one (%s) cannot be described',
    async (taskDefinition) => {
      expect(
        await refusal(local.client.send(new DescribeTaskDefinitionCommand({ taskDefinition }))),
      ).toMatchObject({
        name: 'ClientException',
        message: 'Unable to describe task definition.',
        status: 400,
      })
    },
  )

  test('keep what the local ECS has no use for', async () => {
    const containerDefinitions = [
      container('true', { ulimits: [{ name: 'nofile', softLimit: 1, hardLimit: 2 }] }),
    ]
    await local.client.send(
      new RegisterTaskDefinitionCommand(worker({ containerDefinitions, volumes: [{ name: 'tmp' }] })),
    )
    const { taskDefinition } = await local.client.send(
      new DescribeTaskDefinitionCommand({ taskDefinition: 'worker:2' }),
    )
    expect(taskDefinition).toMatchObject({ containerDefinitions, volumes: [{ name: 'tmp' }] })
  })

  test('are listed by family, status and order, in pages', async () => {
    for (let index = 0; index < 11; index += 1)
      await local.client.send(new RegisterTaskDefinitionCommand(worker()))
    await local.client.send(new RegisterTaskDefinitionCommand(worker({ family: 'other' })))
    await local.client.send(new DeregisterTaskDefinitionCommand({ taskDefinition: 'worker:4' }))
    const list = async (input: object) => {
      const page = await local.client.send(new ListTaskDefinitionsCommand(input))
      return { ...page, names: page.taskDefinitionArns?.map((arn) => arn.split('/')[1]) }
    }
    expect((await list({})).names).toHaveLength(12)
    expect((await list({ status: 'INACTIVE' })).names).toEqual(['worker:4'])
    expect((await list({ familyPrefix: 'other' })).names).toEqual(['other:1'])
    const first = await list({ familyPrefix: 'worker', sort: 'DESC', maxResults: 2 })
    expect(first.names).toEqual(['worker:12', 'worker:11'])
    const { nextToken } = first
    const second = await list({ familyPrefix: 'worker', sort: 'DESC', maxResults: 100, nextToken })
    expect(second.names?.[0]).toBe('worker:10')
    expect(second.nextToken).toBeUndefined()
  })

  const named = (name: string) => [container('true', { name })]
  test.for([
    ['a family with a space', { family: 'a b' }, /Family/],
    ['no containers', { containerDefinitions: [] }, /Container list/],
    ['a container name with a dot', { containerDefinitions: named('a.b') }, /Container.name/],
    ['no image', { containerDefinitions: [container('true', { image: '' })] }, /image/],
    ['two containers of one name', { containerDefinitions: [...named('a'), ...named('a')] }, /unique/],
    [
      'no essential container',
      { containerDefinitions: [container('true', { essential: false })] },
      /essential/,
    ],
    [
      'a stopTimeout of 1 s',
      { containerDefinitions: [container('true', { stopTimeout: 1 })] },
      /stopTimeout/,
    ],
    [
      'a stopTimeout of 121 s',
      { containerDefinitions: [container('true', { stopTimeout: 121 })] },
      /stopTimeout/,
    ],
    ['bridge networking', { networkMode: 'bridge' as const }, /awsvpc/],
    ['no cpu', { cpu: undefined }, /cpu and memory/],
    ['a pair Fargate does not have', { cpu: '256', memory: '4096' }, /^No Fargate configuration exists/],
    ['20 GiB of ephemeral storage', { ephemeralStorage: { sizeInGiB: 20 } }, /Ephemeral/],
    ['201 GiB of ephemeral storage', { ephemeralStorage: { sizeInGiB: 201 } }, /Ephemeral/],
  ] as const)('with %s are refused', async ([, fields, message]) => {
    const answer = await refusal(
      local.client.send(new RegisterTaskDefinitionCommand(worker(fields as object))),
    )
    expect(answer).toMatchObject({ name: 'ClientException', message: expect.stringMatching(message) })
  })

  test.for([
    [{ containerDefinitions: [container('true', { stopTimeout: 2 })] }],
    [{ containerDefinitions: [container('true', { stopTimeout: 120 })] }],
    [{ cpu: '1 vCPU', memory: '2 GB' }],
    [{ cpu: '.25 vcpu', memory: '0.5GB' }],
    [{ ephemeralStorage: { sizeInGiB: 21 } }],
    [{ ephemeralStorage: { sizeInGiB: 200 } }],
  ])('%o is accepted', async ([fields]) => {
    await expect(local.client.send(new RegisterTaskDefinitionCommand(worker(fields)))).resolves.toBeDefined()
  })
})

describe('tags', () => {
  test('are put on tasks, definitions and clusters', async () => {
    const { taskArn } = await runOne(local, { tags: [{ key: 'a', value: '1' }] })
    const definitionArn = 'arn:aws:ecs:eu-central-1:000000000000:task-definition/worker:1'
    for (const resourceArn of [taskArn, definitionArn, clusterArn]) {
      await local.client.send(new TagResourceCommand({ resourceArn, tags: [{ key: 'a', value: '2' }] }))
      const { tags } = await local.client.send(new ListTagsForResourceCommand({ resourceArn }))
      expect(tags).toEqual([{ key: 'a', value: '2' }])
    }
    const resourceArn = taskArn.replace(/.$/, 'x')
    expect(await refusal(local.client.send(new ListTagsForResourceCommand({ resourceArn })))).toMatchObject({
      name: 'InvalidParameterException',
    })
  })
})
