import { StopTaskCommand } from '@aws-sdk/client-ecs'
import { describe, expect, test } from 'vitest'
import { type EcsSubject, hourMs, launch, refusal, run, until } from './ecs-subject.ts'
import { describe1, list } from './ecs-views.ts'

/** What a clientToken means when it comes again. */
export function tokensContract(use: () => EcsSubject): void {
  const token = { clientToken: 'uid-1-1' }

  /** Stops a task; when it was STOPPED. */
  const stop = async (taskArn: string): Promise<number> => {
    await use().send(new StopTaskCommand({ cluster: 'jobs', task: taskArn, reason: 'test' }))
    const { stoppedAt } = await until(use(), async () => {
      const task = await describe1(use(), taskArn)
      return task.lastStatus === 'STOPPED' && task
    })
    return stoppedAt?.getTime() ?? Number.NaN
  }
  const passUntil = (atMs: number) => use().pass(atMs - use().nowMs())

  describe('clientToken', () => {
    test('the same request answers with the task it started, as it is now, and starts nothing', async () => {
      const { taskArn } = await launch(use(), token)
      await until(use(), async () => (await describe1(use(), taskArn)).lastStatus === 'RUNNING')
      const again = await launch(use(), token)
      expect(again).toMatchObject({ taskArn, lastStatus: 'RUNNING', startedAt: expect.any(Date) })
      expect(await list(use())).toEqual([taskArn])
    })

    test('the order of fields does not make another request', async () => {
      const { taskArn } = await launch(use(), { startedBy: 'one', ...token, launchType: 'FARGATE' })
      const again = await launch(use(), { launchType: 'FARGATE', ...token, startedBy: 'one' })
      expect(again.taskArn).toBe(taskArn)
    })

    test.for([
      ['startedBy', { startedBy: 'other' }],
      ['another revision', { taskDefinition: 'worker:2' }],
      ['another subnet', { networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-2'] } } }],
      ['another environment', { overrides: { containerOverrides: [{ name: 'worker' }] } }],
    ] as const)('%s is another request: a conflict that names the task', async ([, input]) => {
      const { taskArn } = await launch(use(), token)
      expect(await refusal(run(use(), { ...token, ...(input as object) }))).toMatchObject({
        name: 'ConflictException',
        status: 400,
        resourceIds: [taskArn],
      })
      expect(await list(use())).toEqual([taskArn])
    })

    test('another token is another task, and so is none', async () => {
      const arns = [await launch(use(), token), await launch(use(), { clientToken: 'uid-1-2' })]
      arns.push(await launch(use()), await launch(use()))
      expect(new Set(arns.map(({ taskArn }) => taskArn)).size).toBe(4)
    })

    test('upper and lower case differ', async () => {
      const { taskArn } = await launch(use(), { clientToken: 'abc' })
      expect((await launch(use(), { clientToken: 'ABC' })).taskArn).not.toBe(taskArn)
    })

    test('a refused request does not use it up', async () => {
      expect((await refusal(run(use(), { ...token, taskDefinition: 'nothing' }))).name).toBe(
        'ClientException',
      )
      await launch(use(), token)
    })

    test('it answers though the revision is INACTIVE by now', async () => {
      const { taskArn } = await launch(use(), token)
      await use().deploy(true)
      expect((await launch(use(), token)).taskArn).toBe(taskArn)
    })

    test('a stopped task comes back with its ARN and statuses only', async () => {
      const { taskArn } = await launch(use(), token)
      await stop(taskArn)
      const { tasks, failures } = await run(use(), token)
      expect(tasks).toEqual([{ taskArn, lastStatus: 'STOPPED', desiredStatus: 'STOPPED' }])
      expect(failures).toEqual([])
    })

    test('a stopped task still conflicts with other parameters', async () => {
      const { taskArn } = await launch(use(), token)
      await stop(taskArn)
      expect((await refusal(run(use(), { ...token, startedBy: 'other' }))).resourceIds).toEqual([taskArn])
    })

    test('one hour after the task stopped it starts a new one', async () => {
      const { taskArn } = await launch(use(), token)
      await passUntil((await stop(taskArn)) + hourMs - 1)
      expect((await launch(use(), token)).taskArn).toBe(taskArn)
      await use().pass(1)
      const { taskArn: anew } = await launch(use(), token)
      expect(anew).not.toBe(taskArn)
      expect(await list(use())).toEqual([anew])
    })

    test('24 h after its first use it starts a new one beside the old one', async () => {
      const { taskArn } = await launch(use(), token)
      await use().pass(24 * hourMs - 1)
      expect((await launch(use(), token)).taskArn).toBe(taskArn)
      await use().pass(1)
      const { taskArn: anew } = await launch(use(), token)
      expect(await list(use())).toEqual([taskArn, anew])
    })

    test('failures come again although there is capacity by now', async () => {
      await use().next({ answer: 'capacity' })
      const { failures } = await run(use(), token)
      expect(await run(use(), token)).toMatchObject({ tasks: [], failures })
      expect(await list(use())).toEqual([])
      await launch(use(), { clientToken: 'new' })
    })

    test('failures of more than an hour ago come as a number only', async () => {
      await use().next({ answer: 'capacity' })
      await run(use(), token)
      await use().pass(hourMs)
      expect(await run(use(), token)).toMatchObject({ tasks: [], failures: [{}] })
      expect((await run(use(), token)).failures?.[0]?.reason).toBeUndefined()
    })

    test('a conflict over a token that started nothing names nothing, hidden task or not', async () => {
      await use().next({ answer: 'capacity', hiddenTask: true })
      await run(use(), token)
      expect(await refusal(run(use(), { ...token, startedBy: 'other' }))).toMatchObject({
        name: 'ConflictException',
        resourceIds: [],
      })
    })

    test('a replay draws on the rate of RunTask', async () => {
      for (let index = 0; index < 20; index += 1) await launch(use(), token)
      expect((await refusal(run(use(), token))).name).toBe('ThrottlingException')
    })
  })
}
