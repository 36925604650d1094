import {
  CreateClusterCommand,
  DescribeTasksCommand,
  ListTasksCommand,
  StopTaskCommand,
} from '@aws-sdk/client-ecs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { refusal, run, runOne, type Settings, startStill } from './ecs-setup.ts'

let local: Awaited<ReturnType<typeof startStill>>
const restartWith = async (settings: Settings) => {
  await local.close()
  local = await startStill(settings)
}
beforeEach(async () => {
  local = await startStill()
})
afterEach(() => local.close())

const describe1 = async (task: string, include: 'TAGS'[] = []) =>
  local.client.send(new DescribeTasksCommand({ cluster: 'jobs', tasks: [task], include }))

describe('DescribeTasks', () => {
  test('finds by id and by ARN, and calls the rest MISSING', async () => {
    const { taskArn, taskId } = await runOne(local)
    const unknown = 'f'.repeat(32)
    const elsewhere = taskArn.replace('/jobs/', '/other/')
    const { tasks, failures } = await local.client.send(
      new DescribeTasksCommand({ cluster: 'jobs', tasks: [taskId, taskArn, unknown, elsewhere] }),
    )
    expect(tasks?.map((task) => task.taskArn)).toEqual([taskArn, taskArn])
    expect(failures).toEqual([
      { arn: `arn:aws:ecs:eu-central-1:000000000000:task/jobs/${unknown}`, reason: 'MISSING' },
      { arn: elsewhere, reason: 'MISSING' },
    ])
  })

  test('shows tags only when asked', async () => {
    const { taskId } = await runOne(local, { tags: [{ key: 'a', value: 'b' }] })
    expect((await describe1(taskId)).tasks?.[0]?.tags).toEqual([])
    expect((await describe1(taskId, ['TAGS'])).tasks?.[0]?.tags).toEqual([{ key: 'a', value: 'b' }])
  })

  test('takes 1 to 100', async () => {
    const ids = Array.from({ length: 101 }, (_, index) => String(index).padStart(32, '0'))
    const ask = (tasks: string[]) => local.client.send(new DescribeTasksCommand({ cluster: 'jobs', tasks }))
    expect((await ask(ids.slice(1))).failures).toHaveLength(100)
    expect(await refusal(ask(ids))).toMatchObject({ name: 'InvalidParameterException' })
    expect(await refusal(ask([]))).toMatchObject({ message: 'Tasks cannot be empty.' })
    expect(await refusal(ask(['short']))).toMatchObject({ message: 'taskId length should be one of [32,36]' })
  })

  test('does not move a task', async () => {
    const { taskId } = await runOne(local)
    for (let index = 0; index < 10; index += 1) {
      expect((await describe1(taskId)).tasks?.[0]?.lastStatus).toBe('PROVISIONING')
    }
  })

  test('does not see a young task, and neither do ListTasks and StopTask', async () => {
    await restartWith({ visibilityDelayMs: 2_000, timeline: { provisioningMs: 60_000 } })
    const { taskArn } = await runOne(local)
    local.clock.advance(1_999)
    expect((await describe1(taskArn)).failures).toEqual([{ arn: taskArn, reason: 'MISSING' }])
    expect((await local.client.send(new ListTasksCommand({ cluster: 'jobs' }))).taskArns).toEqual([])
    expect(
      await refusal(local.client.send(new StopTaskCommand({ cluster: 'jobs', task: taskArn }))),
    ).toMatchObject({
      message: 'The referenced task was not found.',
    })
    local.clock.advance(1)
    expect((await describe1(taskArn)).tasks).toHaveLength(1)
    expect((await local.client.send(new ListTasksCommand({ cluster: 'jobs' }))).taskArns).toEqual([taskArn])
  })

  test('forgets a task one hour after it stopped', async () => {
    const { taskArn } = await runOne(local)
    await local.client.send(new StopTaskCommand({ cluster: 'jobs', task: taskArn }))
    local.clock.advance(200)
    local.clock.advance(3_600_000 - 1)
    expect((await describe1(taskArn)).tasks?.[0]?.lastStatus).toBe('STOPPED')
    local.clock.advance(1)
    expect((await describe1(taskArn)).failures).toEqual([{ arn: taskArn, reason: 'MISSING' }])
    expect(
      (await local.client.send(new ListTasksCommand({ cluster: 'jobs', desiredStatus: 'STOPPED' }))).taskArns,
    ).toEqual([])
  })

  test('by a switch shows no containers before there is a network', async () => {
    await restartWith({ switches: { containersWhileProvisioning: false } })
    expect((await runOne(local)).containers).toEqual([])
  })
})

describe('ListTasks', () => {
  const list = async (input: object = {}) =>
    (await local.client.send(new ListTasksCommand({ cluster: 'jobs', ...input }))).taskArns

  test('lists what is to run unless asked for what is to stop', async () => {
    const running = await runOne(local, { startedBy: 'a' })
    const stopped = await runOne(local, { startedBy: 'b' })
    await local.client.send(new StopTaskCommand({ cluster: 'jobs', task: stopped.taskArn }))
    expect(await list()).toEqual([running.taskArn])
    expect(await list({ desiredStatus: 'STOPPED' })).toEqual([stopped.taskArn])
    expect(await list({ desiredStatus: 'PENDING' })).toEqual([])
    expect(await list({ startedBy: 'a' })).toEqual([running.taskArn])
    expect(await list({ startedBy: 'b' })).toEqual([])
    expect(await list({ startedBy: 'b', desiredStatus: 'STOPPED' })).toEqual([stopped.taskArn])
  })

  test('filters by family, launch type and cluster', async () => {
    const { taskArn } = await runOne(local)
    expect(await list({ family: 'worker' })).toEqual([taskArn])
    expect(await list({ family: 'other' })).toEqual([])
    expect(await list({ launchType: 'FARGATE' })).toEqual([taskArn])
    expect(await list({ launchType: 'EC2' })).toEqual([])
    expect(await list({ serviceName: 'web' })).toEqual([])
    await local.client.send(new CreateClusterCommand({ clusterName: 'other' }))
    expect(await list({ cluster: 'other' })).toEqual([])
    expect(await refusal(list({ cluster: 'nowhere' }))).toMatchObject({ name: 'ClusterNotFoundException' })
  })

  test('by a switch takes startedBy alone only', async () => {
    await restartWith({ switches: { startedByFilter: 'alone' } })
    const { taskArn } = await runOne(local, { startedBy: 'a' })
    expect(await list({ startedBy: 'a' })).toEqual([taskArn])
    expect(await refusal(list({ startedBy: 'a', desiredStatus: 'STOPPED' }))).toMatchObject({
      name: 'InvalidParameterException',
    })
  })

  test('has pages whose token survives tasks that stop meanwhile', async () => {
    await restartWith({ vcpuQuota: { onDemand: 100 } })
    for (let index = 0; index < 5; index += 1) await run(local, { count: 5 })
    const all = await list()
    const first = await local.client.send(new ListTasksCommand({ cluster: 'jobs', maxResults: 10 }))
    expect(first.taskArns).toEqual(all?.slice(0, 10))
    await local.client.send(new StopTaskCommand({ cluster: 'jobs', task: all?.[9] }))
    await local.client.send(new StopTaskCommand({ cluster: 'jobs', task: all?.[12] }))
    const rest = await local.client.send(
      new ListTasksCommand({ cluster: 'jobs', nextToken: first.nextToken }),
    )
    expect(rest.taskArns).toEqual(all?.slice(10).filter((arn) => arn !== all[12]))
    expect(rest.nextToken).toBeUndefined()
  })

  test.for([{ maxResults: 0 }, { maxResults: 101 }, { nextToken: 'rubbish' }])(
    'refuses %o',
    async (input) => {
      expect(await refusal(list(input))).toMatchObject({ name: 'InvalidParameterException' })
    },
  )
})

describe('StopTask', () => {
  const stop = (task: string, reason?: string) =>
    local.client.send(new StopTaskCommand({ cluster: 'jobs', task, reason }))

  test('answers at once; the task follows, its tags are gone', async () => {
    const { taskArn } = await runOne(local, { tags: [{ key: 'a', value: 'b' }] })
    const { task } = await stop(taskArn, 'cancelled by user')
    expect(task).toMatchObject({
      lastStatus: 'PROVISIONING',
      desiredStatus: 'STOPPED',
      stopCode: 'UserInitiated',
      stoppedReason: 'cancelled by user',
    })
    expect((await describe1(taskArn, ['TAGS'])).tasks?.[0]?.tags).toEqual([])
    local.clock.advance(5_000)
    expect((await describe1(taskArn)).tasks?.[0]).toMatchObject({
      lastStatus: 'STOPPED',
      stopCode: 'UserInitiated',
      stoppedReason: 'cancelled by user',
      stoppedAt: expect.any(Date),
    })
  })

  test('the first reason stands', async () => {
    const { taskArn } = await runOne(local)
    await stop(taskArn, 'first')
    const { task } = await stop(taskArn, 'second')
    expect(task?.stoppedReason).toBe('first')
  })

  test('does not know a task that does not exist', async () => {
    expect(await refusal(stop('f'.repeat(32)))).toMatchObject({
      name: 'InvalidParameterException',
      message: 'The referenced task was not found.',
      status: 400,
    })
  })

  test('of a STOPPED task answers, or by a switch refuses', async () => {
    const stopTwice = async () => {
      const { taskArn } = await runOne(local)
      await stop(taskArn)
      local.clock.advance(5_000)
      return stop(taskArn, 'late')
    }
    expect((await stopTwice()).task).toMatchObject({ lastStatus: 'STOPPED' })
    await restartWith({ switches: { stopOfStopped: 'refuses' } })
    expect(await refusal(stopTwice())).toMatchObject({ message: 'The referenced task was not found.' })
  })
})
