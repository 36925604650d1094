import { StopTaskCommand, type Task } from '@aws-sdk/client-ecs'
import { describe, expect, test } from 'vitest'
import { differences } from './ecs-differences.ts'
import { type EcsSubject, launch, onTerm, refusal, spot, stopTimeoutMs, until } from './ecs-subject.ts'
import { describe1, eventsOf, untilRunning, untilStatus } from './ecs-views.ts'

/** How tasks are stopped: by a call, by Spot, by maintenance. */
export function stopContract(use: () => EcsSubject): void {
  const start = async (input: object = {}): Promise<string> => {
    const { taskArn } = await launch(use(), input)
    await untilRunning(use(), taskArn)
    return taskArn
  }
  const stop = async (task: string, reason?: string): Promise<Task | undefined> =>
    (await use().send(new StopTaskCommand({ cluster: 'jobs', task, ...(reason ? { reason } : {}) }))).task
  const untilStopped = (taskArn: string) => untilStatus(use(), taskArn, 'STOPPED')

  describe('StopTask', () => {
    test('answers at once: desiredStatus is STOPPED, lastStatus follows in its time', async () => {
      const taskArn = await start()
      expect(await stop(taskArn, 'cancelled')).toMatchObject({
        taskArn,
        lastStatus: 'RUNNING',
        desiredStatus: 'STOPPED',
        stopCode: 'UserInitiated',
        stoppedReason: 'cancelled',
      })
      expect(await untilStopped(taskArn)).toMatchObject({
        stopCode: 'UserInitiated',
        stoppedReason: 'cancelled',
        containers: [{ exitCode: 143 }],
      })
    })

    test('tells of the stop and of the end, in this order', async () => {
      const taskArn = await start()
      await stop(taskArn)
      await untilStopped(taskArn)
      const seen = (await eventsOf(use(), taskArn)).map(({ lastStatus }) => lastStatus).slice(4)
      expect(seen).toEqual(['RUNNING', 'DEACTIVATING', 'STOPPING', 'STOPPING', 'DEPROVISIONING', 'STOPPED'])
    })

    test('keeps the exit code of a process that ends in its own way', async () => {
      const taskArn = await start(onTerm('0'))
      await stop(taskArn)
      expect(await untilStopped(taskArn)).toMatchObject({
        stopCode: 'UserInitiated',
        containers: [{ exitCode: 0 }],
      })
    })

    test('kills a process that ignores SIGTERM after the stop timeout, not before', async () => {
      const taskArn = await start(onTerm('ignore'))
      await stop(taskArn)
      const { stoppingAt } = await untilStatus(use(), taskArn, 'STOPPING')
      const killedAtMs = (stoppingAt?.getTime() ?? Number.NaN) + stopTimeoutMs
      await use().pass(killedAtMs - use().nowMs() - 1)
      expect(await describe1(use(), taskArn)).toMatchObject({
        lastStatus: 'STOPPING',
        containers: [{ lastStatus: 'RUNNING' }],
      })
      const { containers } = await untilStopped(taskArn)
      expect(containers).toMatchObject([{ exitCode: 137 }])
      expect(containers?.[0]?.reason).toBeUndefined()
    })

    test.for(['PROVISIONING', 'PENDING', 'ACTIVATING'])('of a task in %s: it never runs', async (status) => {
      const { taskArn } = await launch(use())
      await untilStatus(use(), taskArn, status)
      expect(await stop(taskArn)).toMatchObject({ lastStatus: status, desiredStatus: 'STOPPED' })
      const task = await untilStopped(taskArn)
      expect(task).toMatchObject({ stopCode: 'UserInitiated', stoppingAt: expect.any(Date) })
      expect(task.startedAt).toBeUndefined()
      expect(task.executionStoppedAt).toBeUndefined()
      expect(task.containers?.map(({ exitCode }) => exitCode)).toEqual(
        status === 'PROVISIONING' ? [] : [undefined],
      )
    })

    test('a second time keeps the first reason', async () => {
      const taskArn = await start(onTerm('ignore'))
      await stop(taskArn, 'first')
      expect(await stop(taskArn, 'second')).toMatchObject({ stoppedReason: 'first' })
    })

    test('of a task that has ended by itself changes nothing', async () => {
      const taskArn = await start()
      await use().end(taskArn, 5)
      const before = await untilStopped(taskArn)
      expect(await stop(taskArn, 'late')).toMatchObject({
        lastStatus: 'STOPPED',
        stopCode: 'EssentialContainerExited',
        version: before.version,
      })
      expect(await describe1(use(), taskArn)).toMatchObject({
        stoppedReason: 'Essential container in task exited',
        containers: [{ exitCode: 5 }],
      })
    })

    test('of an unknown task is refused', async () => {
      expect(await refusal(stop('f'.repeat(32)))).toMatchObject({
        name: 'InvalidParameterException',
        message: 'The referenced task was not found.',
        status: 400,
      })
    })

    test('of a task that cannot be seen yet is refused, and the task goes on', async () => {
      await use().next({ invisibleForMs: 60_000 })
      const { taskArn } = await launch(use())
      expect(await refusal(stop(taskArn))).toMatchObject({ message: 'The referenced task was not found.' })
      await use().pass(60_000)
      expect(await describe1(use(), taskArn)).toMatchObject({ desiredStatus: 'RUNNING' })
    })

    test('of a task that was forgotten is refused', async () => {
      const { taskArn } = await launch(use())
      await stop(taskArn)
      await untilStopped(taskArn)
      await use().pass(3_600_000)
      expect(await refusal(stop(taskArn))).toMatchObject({ message: 'The referenced task was not found.' })
    })

    test('in an unknown cluster is refused', async () => {
      const call = use().send(new StopTaskCommand({ cluster: 'nowhere', task: 'f'.repeat(32) }))
      expect((await refusal(call)).name).toBe('ClusterNotFoundException')
    })
  })

  describe('Spot', () => {
    const interrupted = 'Your Spot Task was interrupted.'

    test('gives notice while the task is RUNNING', async () => {
      const taskArn = await start({ ...spot, ...onTerm('ignore') })
      await use().reclaim(taskArn)
      const notice = await until(use(), () =>
        use().events.find((detail) => detail.taskArn === taskArn && detail.desiredStatus === 'STOPPED'),
      )
      expect(notice).toMatchObject({
        lastStatus: 'RUNNING',
        stopCode: 'TerminationNotice',
        stoppedReason: interrupted,
        capacityProviderName: 'FARGATE_SPOT',
      })
      expect(await describe1(use(), taskArn)).toMatchObject({
        lastStatus: 'RUNNING',
        desiredStatus: 'STOPPED',
        stopCode: 'TerminationNotice',
      })
    })

    test('is the cause even when the process ends well', async () => {
      const taskArn = await start({ ...spot, ...onTerm('0') })
      await use().reclaim(taskArn)
      expect(await untilStopped(taskArn)).toMatchObject({
        stopCode: 'SpotInterruption',
        stoppedReason: interrupted,
        containers: [{ exitCode: 0 }],
      })
    })

    test('kills after the stop timeout, and all is over within two minutes', async () => {
      const taskArn = await start({ ...spot, ...onTerm('ignore') })
      const noticeAtMs = use().nowMs()
      await use().reclaim(taskArn)
      await use().pass(stopTimeoutMs - 1)
      expect(await describe1(use(), taskArn)).toMatchObject({ lastStatus: 'RUNNING' })
      const task = await untilStopped(taskArn)
      expect(task).toMatchObject({ stopCode: 'SpotInterruption', containers: [{ exitCode: 137 }] })
      expect((task.stoppedAt?.getTime() ?? Number.NaN) - noticeAtMs).toBeLessThanOrEqual(120_000)
    })

    test('of a task that does not run yet needs no notice', async () => {
      const { taskArn } = await launch(use(), spot)
      await use().reclaim(taskArn)
      const task = await untilStopped(taskArn)
      expect(task).toMatchObject({ stopCode: 'SpotInterruption', stoppedReason: interrupted })
      expect(task.startedAt).toBeUndefined()
      expect((await eventsOf(use(), taskArn)).map(({ stopCode }) => stopCode)).not.toContain(
        'TerminationNotice',
      )
    })

    test('cannot take what is not on it', async () => {
      const { taskArn } = await launch(use())
      await expect(use().reclaim(taskArn)).rejects.toThrow()
    })

    test('stands as the cause when somebody stops the task during the notice', async () => {
      const taskArn = await start({ ...spot, ...onTerm('ignore') })
      await use().reclaim(taskArn)
      await stop(taskArn, 'me too')
      await use().pass(stopTimeoutMs)
      expect(await untilStopped(taskArn)).toMatchObject({
        stopCode: 'SpotInterruption',
        stoppedReason: interrupted,
      })
    })
  })

  test('maintenance stops a task in its own words', async () => {
    const taskArn = await start()
    await use().maintain(taskArn)
    const task = await untilStopped(taskArn)
    expect(task).toMatchObject({
      stoppedReason: 'ECS is performing maintenance on the underlying infrastructure hosting the task',
      containers: [{ exitCode: 143 }],
    })
    expect(differences.maintenanceCodes[use().is]).toContain(task.stopCode)
  })
}
