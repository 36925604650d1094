import { DescribeTasksCommand, ListTasksCommand, StopTaskCommand } from '@aws-sdk/client-ecs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EcsTest, Settings } from './ecs-setup.ts'
import {
  isRunning,
  prepare,
  quickTimeline,
  refusal,
  run,
  runOne,
  spot,
  startEcs,
  startStill,
  until,
} from './ecs-setup.ts'

let local: EcsTest
afterEach(() => local.close())

const fault = (...faults: object[]) => local.control('POST', '/faults', faults)
const list = async (input: object = {}) =>
  (await local.client.send(new ListTasksCommand({ cluster: 'jobs', ...input }))).taskArns
const describe1 = (taskArn: string) =>
  local.client.send(new DescribeTasksCommand({ cluster: 'jobs', tasks: [taskArn] }))
const truth = async () => (await local.control('GET', '/tasks')).body.tasks as Record<string, unknown>[]

describe('on a clock that stands still', () => {
  let clock: Awaited<ReturnType<typeof startStill>>['clock']
  const start = async (settings: Settings = {}) => {
    const still = await startStill(settings)
    clock = still.clock
    local = still
  }
  beforeEach(() => start())

  test('a fault that is not one is refused, and those that wait can be seen and removed', async () => {
    const wrong = await fault({ kind: 'earthquake' })
    expect(wrong).toMatchObject({ status: 400, body: { error: expect.stringMatching(/kind/) } })
    await fault({ kind: 'throttle', action: 'RunTask', count: 3 })
    const { body } = await local.control('GET', '/faults')
    expect(body).toEqual({ faults: [{ kind: 'throttle', action: 'RunTask', count: 3, form: 'plain' }] })
    expect((await local.control('DELETE', '/faults')).body).toEqual({ faults: [] })
  })

  test('faults can stand in the settings', async () => {
    await local.close()
    await start({ faults: [{ kind: 'throttle', action: 'RunTask' }] })
    expect(await refusal(run(local))).toMatchObject({ name: 'ThrottlingException' })
    await runOne(local)
  })

  test('throttle: the next N calls of an action, in either form', async () => {
    await fault({ kind: 'throttle', action: 'RunTask', count: 2 })
    for (const _ of [1, 2]) expect(await refusal(run(local))).toMatchObject({ name: 'ThrottlingException' })
    await runOne(local)
    await fault({ kind: 'throttle', action: 'RunTask', form: 'wrapped' })
    expect(await refusal(run(local))).toMatchObject({
      name: 'InvalidParameterException',
      message: expect.stringMatching(/Rate exceeded/),
    })
  })

  test.for([
    ['before', 0],
    ['after', 1],
  ] as const)('error %s the effect: ServerException 500, %i task', async ([when, count]) => {
    await fault({ kind: 'error', action: 'RunTask', when })
    expect(await refusal(run(local, { clientToken: 't' }))).toMatchObject({
      name: 'ServerException',
      status: 500,
    })
    expect(await list()).toHaveLength(count)
    await runOne(local, { clientToken: 't' })
    expect(await list()).toHaveLength(1)
  })

  test.for([
    ['before', 0],
    ['after', 1],
  ] as const)('a reply lost %s the effect: the same token finds it again', async ([when, count]) => {
    await fault({ kind: 'drop', action: 'RunTask', when })
    const { status } = await refusal(run(local, { clientToken: 't' }))
    expect(status).toBeUndefined()
    expect(await list()).toHaveLength(count)
    const { taskArn } = await runOne(local, { clientToken: 't' })
    expect(await list()).toEqual([taskArn])
  })

  test('delay and hang: the caller waits', async () => {
    await fault({ kind: 'delay', action: 'ListTasks', delayMs: 500 })
    const slow = local.ecs.call('ListTasks', { cluster: 'jobs' })
    clock.advance(500)
    expect(await slow).toMatchObject({ status: 200 })
    await fault({ kind: 'drop', action: 'ListTasks', when: 'before', hangMs: 500 })
    const hanging = local.ecs.call('ListTasks', { cluster: 'jobs' })
    clock.advance(500)
    expect(await hanging).toEqual({ drop: true })
  })

  test('capacity: failures[] with HTTP 200, counted by tasks', async () => {
    await fault({ kind: 'capacity' })
    const { tasks, failures } = await run(local, { count: 3 })
    expect([tasks?.length, failures?.length]).toEqual([2, 1])
    expect(failures?.[0]?.reason).toMatch(/^Capacity is unavailable at this time/)
    expect(failures?.[0]?.arn ?? null).toBeNull()
  })

  test('capacity of Spot: RESOURCE:FARGATE, and On-Demand is not touched', async () => {
    await fault({ kind: 'capacity', market: 'spot' })
    await runOne(local)
    expect((await run(local, spot)).failures).toMatchObject([{ reason: 'RESOURCE:FARGATE' }])
    await runOne(local, spot)
  })

  test('capacity although the task runs: only a list finds it', async () => {
    await fault({ kind: 'capacity', runs: true })
    const { tasks, failures } = await run(local, { startedBy: 'one' })
    expect([tasks?.length, failures?.length]).toEqual([0, 1])
    expect(await list({ startedBy: 'one' })).toHaveLength(1)
  })

  test('launch latency: a longer PROVISIONING', async () => {
    await fault({ kind: 'launchLatency', delayMs: 60_000 })
    const { taskArn } = await runOne(local)
    clock.advance(60_000)
    expect((await describe1(taskArn)).tasks?.[0]?.lastStatus).toBe('PROVISIONING')
    clock.advance(300)
    expect((await describe1(taskArn)).tasks?.[0]?.lastStatus).toBe('PENDING')
  })

  test('hidden: not seen for a while, although it is there', async () => {
    await fault({ kind: 'hidden', durationMs: 200 })
    const { taskArn } = await runOne(local)
    expect((await describe1(taskArn)).failures).toMatchObject([{ reason: 'MISSING' }])
    expect(await list()).toEqual([])
    expect(await truth()).toMatchObject([{ taskArn }])
    clock.advance(200)
    expect(await list()).toEqual([taskArn])
  })

  test('stuck in PROVISIONING, then TaskFailedToStart without containers', async () => {
    await fault({ kind: 'startFailure', state: 'PROVISIONING', afterMs: 1_800_000 })
    const { taskArn } = await runOne(local)
    clock.advance(1_799_999)
    expect((await describe1(taskArn)).tasks?.[0]).toMatchObject({
      lastStatus: 'PROVISIONING',
      desiredStatus: 'RUNNING',
    })
    clock.advance(1_000)
    expect((await describe1(taskArn)).tasks?.[0]).toMatchObject({
      lastStatus: 'STOPPED',
      stopCode: 'TaskFailedToStart',
      stoppedReason: expect.stringMatching(/Create Network Interface/),
      containers: [],
    })
  })

  test('a start that fails: the image, or no Spot capacity', async () => {
    await fault(
      { kind: 'startFailure' },
      { kind: 'startFailure', state: 'PROVISIONING', stopCode: 'SpotInterruption', reason: 'no capacity' },
    )
    const image = await runOne(local)
    const capacity = await runOne(local, spot)
    clock.advance(5_000)
    const pulled = (await describe1(image.taskArn)).tasks?.[0]
    expect(pulled).toMatchObject({
      stopCode: 'TaskFailedToStart',
      stoppedReason: expect.stringMatching(/^CannotPullContainerError/),
      containers: [{ lastStatus: 'STOPPED' }],
    })
    expect(pulled?.containers?.[0]?.exitCode).toBeUndefined()
    expect((await describe1(capacity.taskArn)).tasks?.[0]).toMatchObject({
      stopCode: 'SpotInterruption',
      stoppedReason: 'no capacity',
    })
  })

  test('a stale list is the world of a while ago', async () => {
    const old = await runOne(local)
    clock.advance(100)
    await local.client.send(new StopTaskCommand({ cluster: 'jobs', task: old.taskArn }))
    const young = await runOne(local)
    await fault({ kind: 'staleList', ageMs: 50, count: 2 })
    expect(await list()).toEqual([old.taskArn])
    expect(await list({ desiredStatus: 'STOPPED' })).toEqual([])
    expect(await list()).toEqual([young.taskArn])
  })

  test('events are dropped, doubled and late; doubles carry the same version', async () => {
    await fault({ kind: 'dropEvent' })
    await runOne(local)
    await fault({ kind: 'duplicateEvent' })
    clock.advance(300)
    await fault({ kind: 'delayEvent', delayMs: 150 })
    clock.advance(100)
    clock.advance(180)
    await until(async () => local.events.length === 3)
    expect(local.events.map(({ detail }) => [detail.lastStatus, detail.version])).toEqual([
      ['PENDING', 2],
      ['PENDING', 2],
      ['ACTIVATING', 3],
    ])
    const [first, second] = local.events
    expect(second).toEqual(first)
  })

  test('a late event is overtaken', async () => {
    await fault({ kind: 'delayEvent', delayMs: 350 })
    await runOne(local)
    clock.advance(400)
    await until(async () => local.events.length === 3)
    expect(local.events.map(({ detail }) => detail.version)).toEqual([2, 1, 3])
  })

  test('a task can end by its host', async () => {
    const { taskId, taskArn } = await runOne(local)
    await local.control('POST', `/tasks/${taskId}/stop`)
    clock.advance(5_000)
    expect((await describe1(taskArn)).tasks?.[0]).toMatchObject({
      stopCode: 'InfrastructureHealth',
      stoppedReason: expect.stringMatching(/^ECS is performing maintenance/),
    })
  })

  test.for([
    ['GET', '/nothing', 404],
    ['GET', `/tasks/${'f'.repeat(32)}`, 404],
    ['POST', '/tasks', 404],
  ] as const)('%s %s is %i', async ([method, path, status]) => {
    expect((await local.control(method, path)).status).toBe(status)
  })
})

describe('on running processes', () => {
  beforeEach(async () => {
    local = await startEcs({ settings: { timeline: quickTimeline } })
    await prepare(local)
  })

  /** A running task and the pid of its container. */
  const running = async () => {
    const { taskId } = await runOne(local)
    const pid = await until(async () => {
      const { body } = await local.control('GET', `/tasks/${taskId}`)
      return (body.processes as { pid?: number }[])[0]?.pid
    })
    const stopped = () =>
      until(async () => {
        const { body } = await local.control('GET', `/tasks/${taskId}`)
        return body.lastStatus === 'STOPPED' && body
      })
    return { taskId, pid, stopped }
  }

  test('kill: 137 without a reason', async () => {
    const { taskId, pid, stopped } = await running()
    await local.control('POST', `/tasks/${taskId}/kill`)
    const task = await stopped()
    expect(task).toMatchObject({ stopCode: 'EssentialContainerExited', containers: [{ exitCode: 137 }] })
    expect(task.containers).not.toMatchObject([{ reason: expect.anything() }])
    expect(isRunning(pid)).toBe(false)
    expect((await local.control('POST', `/tasks/${taskId}/kill`)).status).toBe(409)
  })

  test('oom: 137 with the reason of AWS', async () => {
    const { taskId, stopped } = await running()
    await local.control('POST', `/tasks/${taskId}/oom`)
    expect(await stopped()).toMatchObject({
      containers: [{ exitCode: 137, reason: 'OutOfMemoryError: container killed due to memory usage' }],
    })
  })

  test('a segmentation fault: 139', async () => {
    const { taskId, stopped } = await running()
    await local.control('POST', `/tasks/${taskId}/kill`, { signal: 'SIGSEGV' })
    expect(await stopped()).toMatchObject({ containers: [{ exitCode: 139 }] })
  })

  test('pause: a paused task lives, and ends when it goes on', async () => {
    const { taskId, stopped } = await running()
    await local.control('POST', `/tasks/${taskId}/kill`, { signal: 'SIGSTOP' })
    const { body } = await local.control('POST', `/tasks/${taskId}/kill`, { signal: 'SIGTERM' })
    expect(body.lastStatus).toBe('RUNNING')
    await local.control('POST', `/tasks/${taskId}/kill`, { signal: 'SIGCONT' })
    expect(await stopped()).toMatchObject({ containers: [{ exitCode: 143 }] })
  })
})
