import {
  CreateClusterCommand,
  DeregisterTaskDefinitionCommand,
  DescribeTasksCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
} from '@aws-sdk/client-ecs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  container,
  refusal,
  run,
  runInput,
  runOne,
  type Settings,
  spot,
  startStill,
  worker,
} from './ecs-setup.ts'

let local: Awaited<ReturnType<typeof startStill>>
const restartWith = async (settings: Settings) => {
  await local.close()
  local = await startStill(settings)
}
beforeEach(async () => {
  local = await startStill()
})
afterEach(() => local.close())

const clusterArn = 'arn:aws:ecs:eu-central-1:000000000000:cluster/jobs'
const describe1 = async (task: string, include: 'TAGS'[] = []) =>
  local.client.send(new DescribeTasksCommand({ cluster: 'jobs', tasks: [task], include }))

describe('RunTask', () => {
  test('answers at once with a task in PROVISIONING', async () => {
    const tags = [{ key: 'team', value: 'video' }]
    const { tasks, failures } = await run(local, { startedBy: 'one/wedding-42/uid/1/1', tags, ...spot })
    expect(failures).toEqual([])
    expect(tasks).toHaveLength(1)
    expect(tasks?.[0]).toMatchObject({
      taskArn: expect.stringMatching(/^arn:aws:ecs:eu-central-1:000000000000:task\/jobs\/[0-9a-f]{32}$/),
      clusterArn,
      taskDefinitionArn: 'arn:aws:ecs:eu-central-1:000000000000:task-definition/worker:1',
      lastStatus: 'PROVISIONING',
      desiredStatus: 'RUNNING',
      launchType: 'FARGATE',
      capacityProviderName: 'FARGATE_SPOT',
      cpu: '256',
      memory: '512',
      group: 'family:worker',
      startedBy: 'one/wedding-42/uid/1/1',
      version: 1,
      createdAt: new Date(local.clock.nowMs()),
      tags,
      attachments: [{ type: 'ElasticNetworkInterface', status: 'PRECREATED' }],
      containers: [
        {
          name: 'worker',
          image: 'worker:1',
          lastStatus: 'PENDING',
          containerArn: expect.stringMatching(/:container\/jobs\/[0-9a-f]{32}\/[0-9a-f-]{36}$/),
        },
      ],
    })
  })

  test('starts up to ten at once', async () => {
    await restartWith({ vcpuQuota: { onDemand: 10 } })
    const { tasks } = await run(local, { count: 10 })
    expect(new Set(tasks?.map(({ taskArn }) => taskArn)).size).toBe(10)
  })

  test('without a revision takes the latest ACTIVE one', async () => {
    await local.client.send(new RegisterTaskDefinitionCommand(worker()))
    const task = await runOne(local, { taskDefinition: 'worker' })
    expect(task.taskDefinitionArn).toMatch(/worker:2$/)
  })

  test('gives the size of the overrides', async () => {
    const task = await runOne(local, {
      overrides: {
        cpu: '1024',
        memory: '2048',
        ephemeralStorage: { sizeInGiB: 30 },
        containerOverrides: [{ name: 'worker', environment: [{ name: 'JOB_ID', value: 'wedding-42' }] }],
      },
    })
    expect(task).toMatchObject({
      cpu: '1024',
      memory: '2048',
      ephemeralStorage: { sizeInGiB: 30 },
      overrides: { containerOverrides: [{ name: 'worker', environment: [{ name: 'JOB_ID' }] }] },
    })
  })

  test('uses the strategy of the cluster when it is given neither strategy nor launch type', async () => {
    await local.client.send(
      new CreateClusterCommand({
        clusterName: 'thrifty',
        capacityProviders: ['FARGATE_SPOT'],
        defaultCapacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT', weight: 1 }],
      }),
    )
    const input = { ...runInput({ cluster: 'thrifty' }), launchType: undefined }
    const { tasks } = await local.client.send(new RunTaskCommand(input))
    expect(tasks?.[0]?.capacityProviderName).toBe('FARGATE_SPOT')
  })

  test('takes tags of the definition when told to', async () => {
    const tags = [{ key: 'from', value: 'definition' }]
    await local.client.send(new RegisterTaskDefinitionCommand(worker({ tags })))
    const plain = await runOne(local, { taskDefinition: 'worker:2' })
    expect(plain.tags).toEqual([])
    const propagated = await runOne(local, { taskDefinition: 'worker:2', propagateTags: 'TASK_DEFINITION' })
    expect(propagated.tags).toEqual(tags)
  })

  const environment = (characters: number) => ({
    containerOverrides: [{ name: 'worker', environment: [{ name: 'A', value: 'x'.repeat(characters) }] }],
  })
  const most = 8_192 - JSON.stringify(environment(0)).length
  const invalid = 'InvalidParameterException'

  test('takes overrides of 8192 characters and refuses one more', async () => {
    await runOne(local, { overrides: environment(most) })
    expect(await refusal(run(local, { overrides: environment(most + 1) }))).toMatchObject({
      name: invalid,
      message: 'Container Overrides length must be at most 8192',
    })
  })

  test('takes a startedBy of 128 characters, slashes included', async () => {
    const startedBy = `one/${'j'.repeat(120)}/1/1`
    expect((await runOne(local, { startedBy })).startedBy).toBe(startedBy)
  })

  test.for([
    ['an unknown cluster', { cluster: 'nowhere' }, 'ClusterNotFoundException', 'Cluster not found.'],
    ['an unknown definition', { taskDefinition: 'nothing' }, 'ClientException', 'TaskDefinition not found.'],
    ['count 0', { count: 0 }, invalid, /count/],
    ['count 11', { count: 11 }, invalid, /count/],
    ['a startedBy of 129', { startedBy: 's'.repeat(129) }, invalid, 'startedBy longer than 128.'],
    ['a startedBy with a dot', { startedBy: 'a.b' }, invalid, /startedBy/],
    ['a clientToken of 65', { clientToken: 't'.repeat(65) }, invalid, /clientToken/],
    ['a clientToken with a space', { clientToken: 'a b' }, invalid, /clientToken/],
    ['no network', { networkConfiguration: undefined }, invalid, /Network Configuration must be provided/],
    ['no subnet', { networkConfiguration: { awsvpcConfiguration: { subnets: [] } } }, invalid, /subnets/],
    [
      '17 subnets',
      { networkConfiguration: { awsvpcConfiguration: { subnets: Array(17).fill('subnet-1') } } },
      invalid,
      /subnets/,
    ],
    ['launch type EC2', { launchType: 'EC2' }, invalid, /No Container Instances/],
    ['launch type and strategy', { launchType: 'FARGATE', ...spot }, invalid, /both a launch type and/],
    [
      'a provider of another cluster',
      { capacityProviderStrategy: [{ capacityProvider: 'mine', weight: 1 }] },
      invalid,
      /'mine' was not found/,
    ],
    [
      'a strategy without weight',
      { capacityProviderStrategy: [{ capacityProvider: 'FARGATE' }] },
      invalid,
      /weight/,
    ],
    [
      'an override for nobody',
      { overrides: { containerOverrides: [{ name: 'nobody' }] } },
      invalid,
      'Override for container named nobody is not a container in the TaskDefinition.',
    ],
    [
      'an override to a size Fargate does not have',
      { overrides: { memory: '8192' } },
      'ClientException',
      /^No Fargate configuration exists/,
    ],
    ['an unknown platform', { platformVersion: '9.9.9' }, 'PlatformUnknownException', /9\.9\.9/],
    ['tags of a service', { propagateTags: 'SERVICE' }, invalid, /SERVICE/],
    ['a tag of AWS', { tags: [{ key: 'aws:x', value: '1' }] }, invalid, /aws:/],
    ['exec without a task role', { enableExecuteCommand: true }, invalid, /task role/],
  ] as const)('refuses %s', async ([, input, name, message]) => {
    const answer = await refusal(run(local, input as object))
    expect(answer).toMatchObject({ name, status: 400 })
    expect(answer.message).toMatch(message)
  })

  test('refuses an INACTIVE definition', async () => {
    await local.client.send(new DeregisterTaskDefinitionCommand({ taskDefinition: 'worker:1' }))
    expect(await refusal(run(local))).toMatchObject({
      name: 'ClientException',
      message: 'TaskDefinition is inactive',
    })
  })

  test('refuses a definition that is not for Fargate', async () => {
    await local.client.send(
      new RegisterTaskDefinitionCommand({ family: 'ec2', containerDefinitions: [container('true')] }),
    )
    expect(await refusal(run(local, { taskDefinition: 'ec2' }))).toMatchObject({ name: invalid })
  })
})

describe('quotas', () => {
  test('vCPUs are counted per market, partly refused, and free again once STOPPED', async () => {
    await restartWith({ vcpuQuota: { onDemand: 0.5, spot: 0.25 } })
    const { tasks, failures } = await run(local, { count: 3 })
    expect(tasks).toHaveLength(2)
    expect(failures).toHaveLength(1)
    expect(failures?.[0]?.arn ?? null).toBeNull()
    expect(failures?.[0]?.reason).toMatch(/limit on the number of vCPUs/)
    expect((await run(local, spot)).tasks).toHaveLength(1)
    expect((await run(local, spot)).failures).toHaveLength(1)

    await local.client.send(new StopTaskCommand({ cluster: 'jobs', task: tasks?.[0]?.taskArn }))
    expect((await run(local)).failures).toHaveLength(1)
    local.clock.advance(5_000)
    expect((await run(local)).tasks).toHaveLength(1)
  })

  const throttledAfter = async (count: number, send: () => Promise<unknown>) => {
    for (let index = 0; index < count; index += 1) await send()
    expect(await refusal(send())).toMatchObject({
      name: 'ThrottlingException',
      message: 'Rate exceeded',
      status: 400,
    })
  }

  test('RunTask of Fargate: 20 at once, then 20 a second', async () => {
    await restartWith({ vcpuQuota: { onDemand: 100 } })
    await throttledAfter(20, () => run(local))
    local.clock.advance(100)
    await throttledAfter(2, () => run(local))
  })

  test('DescribeTasks and ListTasks share 100 and 20 a second', async () => {
    for (let index = 0; index < 50; index += 1)
      await local.client.send(new ListTasksCommand({ cluster: 'jobs' }))
    const { taskId } = await runOne(local)
    await throttledAfter(50, () => describe1(taskId))
    expect(await refusal(local.client.send(new ListTasksCommand({ cluster: 'jobs' })))).toMatchObject({
      name: 'ThrottlingException',
    })
    local.clock.advance(50)
    await throttledAfter(1, () => describe1(taskId))
  })

  test('task definitions: 20 at once, then one a second', async () => {
    await throttledAfter(19, () => local.client.send(new RegisterTaskDefinitionCommand(worker())))
    local.clock.advance(1_000)
    await throttledAfter(1, () => local.client.send(new RegisterTaskDefinitionCommand(worker())))
  })

  test('launches are counted by tasks, On-Demand and Spot apart', async () => {
    const buckets = { launchOnDemand: { burst: 3, perSecond: 1 }, launchSpot: { burst: 3, perSecond: 1 } }
    await restartWith({ throttle: { buckets } })
    expect((await run(local, { count: 3 })).tasks).toHaveLength(3)
    expect(await refusal(run(local))).toMatchObject({ name: 'ThrottlingException' })
    expect((await run(local, { count: 3, ...spot })).tasks).toHaveLength(3)
  })

  test('by a switch an empty launch bucket answers with failures', async () => {
    const buckets = { launchOnDemand: { burst: 1, perSecond: 1 } }
    await restartWith({ throttle: { buckets }, switches: { launchBucketRefusal: 'failures' } })
    const { tasks, failures } = await run(local, { count: 2 })
    expect([tasks?.length, failures?.length]).toEqual([1, 1])
  })

  test('can be switched off', async () => {
    await restartWith({ throttle: { enabled: false }, vcpuQuota: { onDemand: 1_000 } })
    for (let index = 0; index < 30; index += 1) await run(local)
  })
})
