import { StopTaskCommand, type Task } from '@aws-sdk/client-ecs'
import { describe, expect, test } from 'vitest'
import { lookAt, type RawTask } from '../../controller/run/answers.ts'
import { differences } from './ecs-differences.ts'
import { type EcsSubject, launch, spot, until } from './ecs-subject.ts'
import { describe1, eventsOf, untilRunning, untilStatus } from './ecs-views.ts'

/** A life from launch to end: its states, times, events, and exit code. */
export function lifeContract(use: () => EcsSubject): void {
  const start = async (input: object = {}): Promise<string> => {
    const { taskArn } = await launch(use(), input)
    await untilRunning(use(), taskArn)
    return taskArn
  }
  const live = async (exitCode: number, input: object = {}): Promise<Task> => {
    const taskArn = await start(input)
    await use().end(taskArn, exitCode)
    return untilStatus(use(), taskArn, 'STOPPED')
  }

  describe('a life', () => {
    test('tells of every status in its order, first by desiredStatus, then by lastStatus', async () => {
      const { taskArn = '' } = await live(0)
      const seen = (await eventsOf(use(), taskArn)).map(
        (detail) => `${detail.lastStatus}/${detail.desiredStatus}`,
      )
      expect(seen).toEqual([
        'PROVISIONING/RUNNING',
        'PENDING/RUNNING',
        'ACTIVATING/RUNNING',
        'RUNNING/RUNNING',
        'RUNNING/STOPPED',
        'DEACTIVATING/STOPPED',
        'STOPPING/STOPPED',
        'DEPROVISIONING/STOPPED',
        'STOPPED/STOPPED',
      ])
    })

    test('has a version that grows with every event, and is that of the task at its end', async () => {
      const task = await live(0)
      const versions = (await eventsOf(use(), task.taskArn ?? '')).map(({ version }) => Number(version))
      expect(versions[0]).toBe(1)
      const steps = versions.slice(1).map((version, index) => version - (versions[index] ?? 0))
      expect(new Set(steps)).toEqual(new Set(differences.versionSteps[use().is]))
      expect(versions.at(-1)).toBe(task.version)
    })

    test('has a time for every transition, one after the other', async () => {
      const task = await live(0)
      const times = [
        task.createdAt,
        task.connectivityAt,
        task.pullStartedAt,
        task.pullStoppedAt,
        task.startedAt,
        task.executionStoppedAt,
        task.stoppingAt,
        task.stoppedAt,
      ].map((time) => time?.getTime() ?? Number.NaN)
      expect(times).toEqual([...times].sort((a, b) => a - b))
      expect(times).not.toContain(Number.NaN)
      expect(task.connectivity).toBe('CONNECTED')
    })

    test('does not go on because somebody looks', async () => {
      const { taskArn } = await launch(use())
      for (let index = 0; index < 10; index += 1)
        expect((await describe1(use(), taskArn)).lastStatus).toBe('PROVISIONING')
    })

    test('shows its containers once there is a network, PENDING and then RUNNING', async () => {
      const { taskArn } = await launch(use(), { taskDefinition: 'pair:1' })
      const statuses = ({ containers = [] }: Task) =>
        containers.map(({ name, lastStatus }) => [name, lastStatus])
      expect(statuses(await describe1(use(), taskArn))).toEqual([])
      expect(statuses(await untilStatus(use(), taskArn, 'PENDING'))).toEqual([
        ['side', 'PENDING'],
        ['worker', 'PENDING'],
      ])
      expect(statuses(await untilStatus(use(), taskArn, 'RUNNING'))).toEqual([
        ['side', 'RUNNING'],
        ['worker', 'RUNNING'],
      ])
    })

    test('turns desiredStatus while lastStatus is still RUNNING', async () => {
      const taskArn = await start()
      await use().end(taskArn, 0)
      const details = () => use().events.filter((detail) => detail.taskArn === taskArn)
      const turned = await until(use(), () =>
        details().find(({ desiredStatus }) => desiredStatus === 'STOPPED'),
      )
      expect(turned).toMatchObject({ lastStatus: 'RUNNING', stopCode: 'EssentialContainerExited' })
      expect(turned).not.toHaveProperty('stoppedAt')
    })

    test.for([0, 1, 65, 76, 137])('ends with exit code %i', async (exitCode) => {
      expect(await live(exitCode)).toMatchObject({
        lastStatus: 'STOPPED',
        desiredStatus: 'STOPPED',
        stopCode: 'EssentialContainerExited',
        stoppedReason: 'Essential container in task exited',
        containers: [{ name: 'worker', lastStatus: 'STOPPED', exitCode }],
      })
    })

    test('the first essential container that ends takes the others with it', async () => {
      const { containers = [] } = await live(3, {
        taskDefinition: 'pair:1',
        overrides: { containerOverrides: [{ name: 'worker' }] },
      })
      expect(containers.map(({ name, exitCode }) => [name, exitCode])).toEqual([
        ['side', 143],
        ['worker', 3],
      ])
    })

    test('that runs out of memory says so at the container', async () => {
      const taskArn = await start()
      await use().outOfMemory(taskArn)
      expect(await untilStatus(use(), taskArn, 'STOPPED')).toMatchObject({
        stopCode: 'EssentialContainerExited',
        containers: [{ exitCode: 137, reason: 'OutOfMemoryError: container killed due to memory usage' }],
      })
    })

    test('shows at its end the fields that were agreed on', async () => {
      const task = await live(0, { ...spot, startedBy: 'one' })
      const shared = [
        'capacityProviderName',
        'clusterArn',
        'connectivity',
        'connectivityAt',
        'containers',
        'cpu',
        'createdAt',
        'desiredStatus',
        'executionStoppedAt',
        'group',
        'lastStatus',
        'launchType',
        'memory',
        'overrides',
        'platformVersion',
        'pullStartedAt',
        'pullStoppedAt',
        'startedAt',
        'startedBy',
        'stopCode',
        'stoppedAt',
        'stoppedReason',
        'stoppingAt',
        'taskArn',
        'taskDefinitionArn',
        'version',
      ]
      expect(new Set(Object.keys(task))).toEqual(new Set([...shared, ...differences.taskFields[use().is]]))
    })

    test('is told by events as it is described, with times as text', async () => {
      const task = await live(7, { ...spot, startedBy: 'one' })
      const last = (await eventsOf(use(), task.taskArn ?? '')).at(-1) ?? {}
      expect(lookAt(last as RawTask, 0)).toEqual(lookAt(task, 0))
      expect(lookAt(last as RawTask, 0).stop).toMatchObject({ exitCode: 7 })
      const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
      expect(last).toMatchObject({
        clusterArn: task.clusterArn,
        capacityProviderName: 'FARGATE_SPOT',
        cpu: '256',
        memory: '512',
        startedBy: 'one',
        overrides: { containerOverrides: [{ name: 'worker' }] },
        containers: [{ name: 'worker', exitCode: 7 }],
        createdAt: expect.stringMatching(iso),
        startedAt: expect.stringMatching(iso),
        stoppingAt: expect.stringMatching(iso),
        stoppedAt: expect.stringMatching(iso),
        updatedAt: expect.stringMatching(iso),
      })
    })
  })

  describe('a start that fails', () => {
    test('has a reason, and neither containers nor a start', async () => {
      await use().next({ startFailure: 'ResourceInitializationError: no route' })
      const { taskArn } = await launch(use())
      const task = await untilStatus(use(), taskArn, 'STOPPED')
      expect(task).toMatchObject({
        stopCode: 'TaskFailedToStart',
        stoppedReason: 'ResourceInitializationError: no route',
        containers: [],
      })
      expect(task.startedAt).toBeUndefined()
    })

    test('hangs in PROVISIONING for half an hour when there is no network', async () => {
      await use().next({ stuck: true })
      const { taskArn } = await launch(use())
      await use().pass(30 * 60_000 - 1)
      expect(await describe1(use(), taskArn)).toMatchObject({
        lastStatus: 'PROVISIONING',
        desiredStatus: 'RUNNING',
      })
      expect(await untilStatus(use(), taskArn, 'STOPPED')).toMatchObject({
        stopCode: 'TaskFailedToStart',
        stoppedReason: expect.stringMatching(/Create Network Interface/),
        containers: [],
      })
    })

    test('is not waited for when the task is stopped before', async () => {
      await use().next({ stuck: true })
      const { taskArn } = await launch(use())
      await use().send(new StopTaskCommand({ cluster: 'jobs', task: taskArn, reason: 'enough' }))
      expect(await untilStatus(use(), taskArn, 'STOPPED')).toMatchObject({
        stopCode: 'UserInitiated',
        stoppedReason: 'enough',
        containers: [],
      })
    })
  })
}
