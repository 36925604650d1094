import { CreateClusterCommand, ListTasksCommand, StopTaskCommand } from '@aws-sdk/client-ecs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { refusal, run, runInput, runOne, type Settings, startStill } from './ecs-setup.ts'

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

describe('clientToken', () => {
  const hourMs = 3_600_000
  const token = { clientToken: 'uid-1-1' }
  const stop = (task: string) =>
    local.client.send(new StopTaskCommand({ cluster: 'jobs', task, reason: 'test' }))

  test('the same request answers with the task it started, and starts nothing', async () => {
    const first = await runOne(local, token)
    local.clock.advance(100)
    const again = await runOne(local, token)
    expect(again.taskArn).toBe(first.taskArn)
    expect((await local.client.send(new ListTasksCommand({ cluster: 'jobs' }))).taskArns).toHaveLength(1)
  })

  test('the order of fields does not make another request', async () => {
    const first = await local.ecs.call('RunTask', { ...runInput(), group: 'g', ...token })
    const again = await local.ecs.call('RunTask', { ...token, group: 'g', ...runInput() })
    expect(again).toEqual(first)
  })

  test('other parameters conflict, and the conflict names the tasks', async () => {
    const { tasks } = await run(local, { ...token, count: 2 })
    const answer = await refusal(run(local, { ...token, count: 2, startedBy: 'other' }))
    expect(answer).toMatchObject({
      name: 'ConflictException',
      status: 400,
      resourceIds: tasks?.map(({ taskArn }) => taskArn),
    })
  })

  test('it belongs to its cluster', async () => {
    await local.client.send(
      new CreateClusterCommand({ clusterName: 'other', capacityProviders: ['FARGATE'] }),
    )
    const here = await runOne(local, token)
    const there = await runOne(local, { ...token, cluster: 'other' })
    expect(there.taskArn).not.toBe(here.taskArn)
    expect((await runOne(local, { ...token, cluster: clusterArn })).taskArn).toBe(here.taskArn)
  })

  test('a stopped task comes back with its ARN and statuses only', async () => {
    const { taskArn } = await runOne(local, token)
    await stop(taskArn)
    local.clock.advance(5_000)
    const { tasks } = await run(local, token)
    expect(tasks).toEqual([{ taskArn, lastStatus: 'STOPPED', desiredStatus: 'STOPPED' }])
  })

  test('it ends one hour after the task stopped', async () => {
    const { taskArn } = await runOne(local, token)
    await stop(taskArn)
    local.clock.advance(200)
    local.clock.advance(hourMs - 1)
    expect((await runOne(local, token)).taskArn).toBe(taskArn)
    local.clock.advance(1)
    expect((await runOne(local, token)).taskArn).not.toBe(taskArn)
  })

  test('it ends after 24 hours although the task still runs', async () => {
    await restartWith({ timeline: { provisioningMs: 48 * hourMs } })
    const { taskArn } = await runOne(local, token)
    local.clock.advance(24 * hourMs - 1)
    expect((await runOne(local, token)).taskArn).toBe(taskArn)
    local.clock.advance(1)
    expect((await runOne(local, token)).taskArn).not.toBe(taskArn)
  })

  test('failures are replayed, although there is room by now', async () => {
    await restartWith({ vcpuQuota: { onDemand: 0.25 } })
    const { taskArn } = await runOne(local)
    const refused = await run(local, token)
    expect(refused.failures).toHaveLength(1)
    await stop(taskArn)
    local.clock.advance(5_000)
    expect(await run(local, token)).toMatchObject({ tasks: [], failures: refused.failures })
    expect((await run(local, { clientToken: 'new' })).tasks).toHaveLength(1)
    local.clock.advance(hourMs)
    expect((await run(local, token)).failures).toEqual([{}])
  })

  test('by a switch a token that started nothing is not used up', async () => {
    await restartWith({ vcpuQuota: { onDemand: 0.25 }, switches: { failuresOnlyToken: 'unused' } })
    const { taskArn } = await runOne(local)
    expect((await run(local, token)).failures).toHaveLength(1)
    await stop(taskArn)
    local.clock.advance(5_000)
    expect((await run(local, token)).tasks).toHaveLength(1)
  })

  test('without one every request starts a task', async () => {
    await local.ecs.call('RunTask', runInput())
    await local.ecs.call('RunTask', runInput())
    expect((await local.client.send(new ListTasksCommand({ cluster: 'jobs' }))).taskArns).toHaveLength(2)
  })

  test('a replay draws on no quota and no launch bucket', async () => {
    await restartWith({
      vcpuQuota: { onDemand: 0.25 },
      throttle: { buckets: { launchOnDemand: { burst: 1, perSecond: 0 } } },
    })
    const { taskArn } = await runOne(local, token)
    expect((await runOne(local, token)).taskArn).toBe(taskArn)
  })
})
