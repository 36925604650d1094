import { DescribeTaskDefinitionCommand, ListTasksCommand, StopTaskCommand } from '@aws-sdk/client-ecs'
import { describe, expect, test } from 'vitest'
import { differences } from './ecs-differences.ts'
import { type EcsSubject, launch, refusal, run, spot, until } from './ecs-subject.ts'
import { describe1, list } from './ecs-views.ts'

/** RunTask: what it takes, what it refuses, and how it says so. */
export function launchContract(use: () => EcsSubject, restart: (quota: object) => Promise<EcsSubject>): void {
  const sized = (fields: object) => ({ overrides: { cpu: '1024', memory: '2048', ...fields } })

  describe('RunTask', () => {
    test('answers at once with a task in PROVISIONING that has no containers yet', async () => {
      const { tasks, failures } = await run(use(), { startedBy: 'one/wedding-42/uid/1/1', ...spot })
      expect(failures).toEqual([])
      expect(tasks).toHaveLength(1)
      expect(tasks?.[0]).toMatchObject({
        taskArn: expect.stringMatching(/^arn:aws:ecs:[a-z0-9-]+:0{12}:task\/jobs\/[0-9a-f]{32}$/),
        clusterArn: expect.stringMatching(/:cluster\/jobs$/),
        taskDefinitionArn: expect.stringMatching(/:task-definition\/worker:1$/),
        group: 'family:worker',
        lastStatus: 'PROVISIONING',
        desiredStatus: 'RUNNING',
        launchType: 'FARGATE',
        capacityProviderName: 'FARGATE_SPOT',
        startedBy: 'one/wedding-42/uid/1/1',
        cpu: '256',
        memory: '512',
        version: 1,
        createdAt: new Date(use().nowMs()),
        containers: [],
      })
      for (const absent of ['startedAt', 'stoppedAt', 'stopCode', 'stoppedReason'])
        expect(tasks?.[0]?.[absent as 'stopCode']).toBeUndefined()
    })

    test('by launch type names no capacity provider', async () => {
      const task = await launch(use(), { launchType: 'FARGATE' })
      expect(task.capacityProviderName).toBeUndefined()
    })

    test('without a revision takes the newest ACTIVE one', async () => {
      const arnOf = async (taskDefinition: string) =>
        (await launch(use(), { taskDefinition })).taskDefinitionArn?.split('/').at(-1)
      expect(await arnOf('worker')).toBe('worker:2')
      await use().deploy(false)
      expect(await arnOf('worker')).toBe('worker:3')
      expect(await arnOf('worker:1')).toBe('worker:1')
    })

    test('gives the size of the overrides, and echoes them', async () => {
      const override = { name: 'worker', environment: [{ name: 'JOB_ID', value: 'wedding-42' }] }
      const task = await launch(use(), sized({ containerOverrides: [override] }))
      expect(task).toMatchObject({
        cpu: '1024',
        memory: '2048',
        overrides: { cpu: '1024', containerOverrides: [override] },
      })
    })

    test('echoes an override for every container, in the order of the definition', async () => {
      const override = { name: 'worker', environment: [{ name: 'A', value: 'b' }] }
      const task = await launch(use(), {
        taskDefinition: 'pair:1',
        overrides: { containerOverrides: [override] },
      })
      expect(task.overrides?.containerOverrides).toMatchObject([{ name: 'side' }, override])
    })

    const environment = (characters: number) => ({
      containerOverrides: [{ name: 'worker', environment: [{ name: 'A', value: 'x'.repeat(characters) }] }],
    })
    const most = 8_192 - JSON.stringify(environment(0)).length

    test('takes overrides of 8192 characters and refuses one more', async () => {
      await launch(use(), { overrides: environment(most) })
      expect(await refusal(run(use(), { overrides: environment(most + 1) }))).toMatchObject({
        name: 'InvalidParameterException',
        message: 'Container Overrides length must be at most 8192',
        status: 400,
      })
    })

    test('takes a startedBy and a clientToken of full length', async () => {
      const startedBy = `one/${'j'.repeat(120)}/1/1`
      expect((await launch(use(), { startedBy, clientToken: '~'.repeat(64) })).startedBy).toBe(startedBy)
    })

    const network = (fields: object) => ({
      networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-1'], ...fields } },
    })
    const provider = (fields: object) => ({ capacityProviderStrategy: [fields] })
    const invalid = 'InvalidParameterException'
    test.for([
      ['an unknown cluster', { cluster: 'nowhere' }, 'ClusterNotFoundException', /^Cluster not found\.$/],
      ['an unknown family', { taskDefinition: 'nothing' }, 'ClientException', /TaskDefinition not found/],
      ['an unknown revision', { taskDefinition: 'worker:9' }, 'ClientException', /not found/],
      ['count 0', { count: 0 }, invalid, /count/],
      ['count 11', { count: 11 }, invalid, /count/],
      ['a startedBy of 129', { startedBy: 's'.repeat(129) }, invalid, /^startedBy longer than 128\.$/],
      ['a startedBy with a dot', { startedBy: 'a.b' }, invalid, /startedBy/],
      ['a clientToken of 65', { clientToken: 't'.repeat(65) }, invalid, /clientToken/],
      ['a clientToken with a space', { clientToken: 'a b' }, invalid, /clientToken/],
      ['an empty clientToken', { clientToken: '' }, invalid, /clientToken/],
      ['no network', { networkConfiguration: undefined }, invalid, /Network Configuration must be provided/],
      ['no subnet', network({ subnets: [] }), invalid, /subnets/],
      ['17 subnets', network({ subnets: Array(17).fill('subnet-1') }), invalid, /subnets/],
      ['6 security groups', network({ securityGroups: Array(6).fill('sg-1') }), invalid, /securityGroups/],
      ['launch type EC2', { launchType: 'EC2' }, invalid, /No Container Instances/],
      ['launch type and strategy', { launchType: 'FARGATE', ...spot }, invalid, /both a launch type and/],
      [
        'a provider of nobody',
        provider({ capacityProvider: 'mine', weight: 1 }),
        invalid,
        /'mine' was not found/,
      ],
      ['a strategy without weight', provider({ capacityProvider: 'FARGATE' }), invalid, /weight/],
      [
        'an override for nobody',
        { overrides: { containerOverrides: [{ name: 'nobody' }] } },
        invalid,
        /named nobody is not/,
      ],
      [
        'a size Fargate does not have',
        sized({ memory: '512' }),
        'ClientException',
        /^No Fargate configuration exists/,
      ],
      ['too little storage', sized({ ephemeralStorage: { sizeInGiB: 20 } }), 'ClientException', /storage/],
      ['too much storage', sized({ ephemeralStorage: { sizeInGiB: 201 } }), 'ClientException', /storage/],
    ] as const)('refuses %s', async ([, input, name, message]) => {
      const answer = await refusal(run(use(), input as object))
      expect(answer).toMatchObject({ name, status: 400 })
      expect(answer.message).toMatch(message)
    })

    test('refuses a revision that is INACTIVE', async () => {
      await use().deploy(true)
      expect(await refusal(run(use()))).toMatchObject({
        name: 'ClientException',
        message: 'TaskDefinition is inactive',
      })
    })

    test('has further parameters, of which the model knows none', async () => {
      const further = [
        { count: 2 },
        { tags: [{ key: 'a', value: 'b' }] },
        { group: 'mine' },
        { propagateTags: 'TASK_DEFINITION' as const },
        { platformVersion: '1.4.0' },
      ]
      for (const input of further) {
        const taken = await run(use(), input).then(
          () => 'taken',
          () => 'refused',
        )
        expect(taken).toBe(differences.parameters[use().is])
      }
    })
  })

  describe('what RunTask cannot start', () => {
    test('for want of capacity is a failure with HTTP 200 and without an ARN', async () => {
      await use().next({ answer: 'capacity' })
      const { tasks, failures } = await run(use())
      expect(tasks).toEqual([])
      expect(failures).toHaveLength(1)
      expect(failures?.[0]?.reason).toMatch(/^Capacity is unavailable at this time/)
      expect(failures?.[0]?.arn ?? null).toBeNull()
      expect(await list(use())).toEqual([])
    })

    test('for want of Spot capacity is RESOURCE:FARGATE', async () => {
      await use().next({ answer: 'noSpotCapacity' })
      expect((await run(use(), spot)).failures).toMatchObject([{ reason: 'RESOURCE:FARGATE' }])
    })

    test('may run all the same: only a list finds it', async () => {
      await use().next({ answer: 'capacity', hiddenTask: true })
      const { tasks, failures } = await run(use(), { startedBy: 'one' })
      expect([tasks?.length, failures?.length]).toEqual([0, 1])
      expect(await list(use(), { startedBy: 'one' })).toHaveLength(1)
    })

    test('for the vCPU quota is counted by market, and free again once STOPPED', async () => {
      const subject = await restart({ onDemand: 0.5, spot: 0.25 })
      const first = await launch(subject)
      await launch(subject)
      const { tasks, failures } = await run(subject)
      expect(tasks).toEqual([])
      expect(failures?.[0]?.reason).toMatch(differences.quotaWords[subject.is])
      await launch(subject, spot)
      expect((await run(subject, spot)).failures).toHaveLength(1)

      await subject.send(new StopTaskCommand({ cluster: 'jobs', task: first.taskArn }))
      expect((await run(subject)).failures).toHaveLength(1)
      await until(subject, async () => (await describe1(subject, first.taskArn)).lastStatus === 'STOPPED')
      await launch(subject)
    })
  })

  describe('the rate', () => {
    const throttledAfter = async (count: number, send: () => Promise<unknown>) => {
      for (let index = 0; index < count; index += 1) await send()
      expect(await refusal(send())).toMatchObject({
        name: 'ThrottlingException',
        message: 'Rate exceeded',
        status: 400,
      })
    }
    const ignored = () => undefined

    test('of RunTask is 20 at once, then 20 a second', async () => {
      await throttledAfter(20, () => run(use()))
      await use().pass(100)
      await throttledAfter(2, () => run(use()))
    })

    test('of RunTask and StopTask together is 100 at once, then 40 a second', async () => {
      const stop = () => use().send(new StopTaskCommand({ cluster: 'jobs', task: 'f'.repeat(32) }))
      for (let index = 0; index < 10; index += 1) await run(use())
      for (let index = 0; index < 90; index += 1) await stop().catch(ignored)
      expect((await refusal(stop())).name).toBe('ThrottlingException')
      expect((await refusal(run(use()))).name).toBe('ThrottlingException')
      await use().pass(100)
      for (let index = 0; index < 4; index += 1)
        expect((await refusal(stop())).name).toBe('InvalidParameterException')
      expect((await refusal(stop())).name).toBe('ThrottlingException')
    })

    test('of DescribeTasks and ListTasks together is 100 at once, then 20 a second', async () => {
      const { taskArn } = await launch(use())
      for (let index = 0; index < 50; index += 1) await list(use())
      await throttledAfter(50, () => describe1(use(), taskArn))
      expect((await refusal(use().send(new ListTasksCommand({ cluster: 'jobs' })))).name).toBe(
        'ThrottlingException',
      )
      await use().pass(100)
      await throttledAfter(2, () => list(use()))
    })

    test('of DescribeTaskDefinition is 50 at once, then 20 a second', async () => {
      const look = () => use().send(new DescribeTaskDefinitionCommand({ taskDefinition: 'worker' }))
      await throttledAfter(50, look)
      await use().pass(100)
      await throttledAfter(2, look)
    })
  })
}
