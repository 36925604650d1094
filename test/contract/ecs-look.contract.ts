import {
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  ListTasksCommand,
  StopTaskCommand,
} from '@aws-sdk/client-ecs'
import { describe, expect, test } from 'vitest'
import { createEcsRunner } from '../../controller/run/ecs.ts'
import { differences } from './ecs-differences.ts'
import { type EcsSubject, hourMs, launch, refusal, run } from './ecs-subject.ts'
import { describe1, describeAll, list, untilStatus } from './ecs-views.ts'

/** DescribeTasks, ListTasks, DescribeTaskDefinition: what can be seen of the truth. */
export function lookContract(use: () => EcsSubject): void {
  const unknown = 'f'.repeat(32)
  const stop = (task: string) => use().send(new StopTaskCommand({ cluster: 'jobs', task }))

  describe('DescribeTasks', () => {
    test('finds by id and by ARN, and calls the rest MISSING', async () => {
      const { taskArn } = await launch(use())
      const { tasks, failures } = await describeAll(use(), [taskArn.slice(-32), taskArn, unknown])
      expect(tasks?.map((task) => task.taskArn)).toEqual([taskArn, taskArn])
      expect(failures).toEqual([{ arn: taskArn.replace(/[0-9a-f]{32}$/, unknown), reason: 'MISSING' }])
    })

    test('answers once for a task that is asked for twice', async () => {
      const { taskArn } = await launch(use())
      expect((await describeAll(use(), [taskArn, taskArn])).tasks).toHaveLength(1)
    })

    test('takes 1 to 100', async () => {
      const ids = Array.from({ length: 101 }, (_, index) => String(index).padStart(32, '0'))
      expect((await describeAll(use(), ids.slice(1))).failures).toHaveLength(100)
      for (const wrong of [ids, []])
        expect((await refusal(describeAll(use(), wrong))).name).toBe('InvalidParameterException')
    })

    test.for(['short', 'f'.repeat(33), 'a/b/c', ''])(
      'is spoiled as a whole by %o, which cannot be a task',
      async (wrong) => {
        const { taskArn } = await launch(use())
        expect(await refusal(describeAll(use(), [taskArn, wrong]))).toMatchObject({
          name: 'InvalidParameterException',
          status: 400,
        })
        const inCluster = taskArn.replace(/[0-9a-f]{32}$/, 'short')
        expect((await refusal(describeAll(use(), [taskArn, inCluster]))).name).toBe(
          'InvalidParameterException',
        )
      },
    )

    test.for([
      ['cluster', (arn: string) => arn.replace('/jobs/', '/other/')],
      ['account', (arn: string) => arn.replace(':000000000000:', ':111111111111:')],
      ['region', (arn: string) => arn.replace(/ecs:[^:]+:/, 'ecs:ap-south-1:')],
    ] as const)('of an ARN of another %s never shows a task', async ([, elsewhere]) => {
      const { taskArn } = await launch(use())
      const seen = await describeAll(use(), [elsewhere(taskArn)]).then(
        ({ tasks, failures }) => {
          expect(tasks).toEqual([])
          return { missing: failures?.length }
        },
        ({ name }) => ({ refused: name }),
      )
      expect(seen).toEqual(differences.foreignArn[use().is])
    })

    test('does not see a young task, and neither does ListTasks', async () => {
      await use().next({ invisibleForMs: 60_000 })
      const { taskArn } = await launch(use())
      await use().pass(59_999)
      expect((await describeAll(use(), [taskArn])).failures).toEqual([{ arn: taskArn, reason: 'MISSING' }])
      expect(await list(use())).toEqual([])
      await use().pass(1)
      expect(await list(use())).toEqual([taskArn])
      await describe1(use(), taskArn)
    })

    test('forgets a task one hour after it stopped, and so does ListTasks', async () => {
      const { taskArn } = await launch(use())
      await stop(taskArn)
      const { stoppedAt } = await untilStatus(use(), taskArn, 'STOPPED')
      await use().pass((stoppedAt?.getTime() ?? Number.NaN) + hourMs - use().nowMs() - 1)
      expect((await describe1(use(), taskArn)).lastStatus).toBe('STOPPED')
      expect(await list(use(), { desiredStatus: 'STOPPED' })).toEqual([taskArn])
      await use().pass(1)
      expect((await describeAll(use(), [taskArn])).failures).toEqual([{ arn: taskArn, reason: 'MISSING' }])
      expect(await list(use(), { desiredStatus: 'STOPPED' })).toEqual([])
    })

    test('in an unknown cluster is refused', async () => {
      const call = use().send(new DescribeTasksCommand({ cluster: 'nowhere', tasks: [unknown] }))
      expect((await refusal(call)).name).toBe('ClusterNotFoundException')
    })
  })

  describe('ListTasks', () => {
    test('lists by desiredStatus what is to run, unless asked for what is to stop', async () => {
      const { taskArn: runs } = await launch(use(), { startedBy: 'a' })
      const { taskArn: stops } = await launch(use(), { startedBy: 'b' })
      await stop(stops)
      expect(await list(use())).toEqual([runs])
      expect(await list(use(), { desiredStatus: 'RUNNING' })).toEqual([runs])
      expect(await list(use(), { desiredStatus: 'STOPPED' })).toEqual([stops])
      expect(await list(use(), { desiredStatus: 'PENDING' })).toEqual([])
    })

    test('filters by startedBy, whole and in either status', async () => {
      const { taskArn: runs } = await launch(use(), { startedBy: 'a/1' })
      const { taskArn: stops } = await launch(use(), { startedBy: 'b/1' })
      await stop(stops)
      expect(await list(use(), { startedBy: 'a/1' })).toEqual([runs])
      expect(await list(use(), { startedBy: 'a' })).toEqual([])
      expect(await list(use(), { startedBy: 'b/1' })).toEqual([])
      expect(await list(use(), { startedBy: 'b/1', desiredStatus: 'STOPPED' })).toEqual([stops])
    })

    test('filters by family', async () => {
      const { taskArn } = await launch(use())
      expect(await list(use(), { family: 'worker' })).toEqual([taskArn])
      expect(await list(use(), { family: 'pair' })).toEqual([])
    })

    test('has pages, in the order of launch, whose token survives what stops meanwhile', async () => {
      const all: string[] = []
      for (let index = 0; index < 12; index += 1) all.push((await launch(use())).taskArn)
      const page = (nextToken?: string) =>
        use().send(
          new ListTasksCommand({ cluster: 'jobs', maxResults: 5, ...(nextToken ? { nextToken } : {}) }),
        )
      const first = await page()
      expect(first.taskArns).toEqual(all.slice(0, 5))
      await stop(all[4] ?? '')
      await stop(all[7] ?? '')
      const second = await page(first.nextToken)
      expect(second.taskArns).toEqual([5, 6, 8, 9, 10].map((index) => all[index]))
      const last = await page(second.nextToken)
      expect(last.taskArns).toEqual(all.slice(11))
      expect(last.nextToken).toBeUndefined()
    })

    test('gives no token with a page that is exactly full', async () => {
      for (let index = 0; index < 3; index += 1) await launch(use())
      const { taskArns, nextToken } = await use().send(
        new ListTasksCommand({ cluster: 'jobs', maxResults: 3 }),
      )
      expect([taskArns?.length, nextToken]).toEqual([3, undefined])
    })

    test.for([{ maxResults: 0 }, { maxResults: 101 }, { nextToken: 'rubbish' }])(
      'refuses %o',
      async (input) => {
        expect((await refusal(list(use(), input))).name).toBe('InvalidParameterException')
      },
    )

    test('in an unknown cluster is refused', async () => {
      expect((await refusal(list(use(), { cluster: 'nowhere' }))).name).toBe('ClusterNotFoundException')
    })
  })

  describe('DescribeTaskDefinition', () => {
    const look = async (taskDefinition: string) =>
      (await use().send(new DescribeTaskDefinitionCommand({ taskDefinition }))).taskDefinition

    test('finds the newest revision of a family, or the named one, also by ARN', async () => {
      const newest = await look('worker')
      expect(newest).toMatchObject({ family: 'worker', revision: 2, status: 'ACTIVE' })
      expect(await look('worker:1')).toMatchObject({ family: 'worker', revision: 1 })
      expect(await look(newest?.taskDefinitionArn ?? '')).toMatchObject({ revision: 2 })
      await use().deploy(false)
      expect(await look('worker')).toMatchObject({ revision: 3 })
    })

    test('shows the containers with their log prefix and stop timeout', async () => {
      expect(await look('pair')).toMatchObject({
        networkMode: 'awsvpc',
        requiresCompatibilities: ['FARGATE'],
        containerDefinitions: ['side', 'worker'].map((name) => ({
          name,
          essential: true,
          stopTimeout: 100,
          logConfiguration: { logDriver: 'awslogs', options: { 'awslogs-stream-prefix': 'logs' } },
        })),
      })
    })

    test('shows a revision that is INACTIVE by its number', async () => {
      await use().deploy(true)
      expect(await look('worker:1')).toMatchObject({ status: 'INACTIVE' })
      expect(await look('worker')).toMatchObject({ status: 'ACTIVE', revision: 3 })
    })

    test.for(['nothing', 'worker:9', 'worker:x'])('refuses %s', async (name) => {
      expect(await refusal(look(name))).toMatchObject({ name: 'ClientException', status: 400 })
    })
  })

  describe('the controller', () => {
    const runner = () => createEcsRunner(use(), 'jobs', use().nowMs)

    test('describes the good ones among some that ECS cannot read', async () => {
      const { taskArn: one } = await launch(use())
      const { taskArn: two } = await launch(use())
      const looks = await runner().describe([one, 'rubbish', unknown, two])
      expect(new Set(looks.keys())).toEqual(new Set([one, two]))
      expect(looks.get(one)).toMatchObject({ lastStatus: 'PROVISIONING', version: 1, stop: undefined })
    })

    test('adopts the task that a conflict names', async () => {
      const { taskArn } = await launch(use(), { clientToken: 't' })
      const input = { cluster: 'jobs', taskDefinition: 'worker:2', clientToken: 't', launchType: 'FARGATE' }
      const network = { networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-1'] } } }
      expect(await runner().runTask({ ...input, ...network })).toEqual({ is: 'task', arn: taskArn })
    })

    test('tells capacity from what is permanent', async () => {
      const input = { cluster: 'jobs', taskDefinition: 'worker:1', launchType: 'FARGATE' }
      const network = { networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-1'] } } }
      await use().next({ answer: 'capacity' })
      expect(await runner().runTask({ ...input, ...network })).toMatchObject({
        is: 'refused',
        kind: 'capacity',
      })
      expect(await runner().runTask(input)).toMatchObject({ is: 'refused', kind: 'permanent' })
    })

    test('stops what is not there without complaint', async () => {
      await expect(runner().stop(unknown, 'gone')).resolves.toBeUndefined()
    })

    test('lists in pages', async () => {
      for (let index = 0; index < 3; index += 1) await run(use())
      expect(await runner().list('RUNNING', undefined)).toMatchObject({
        arns: { length: 3 },
        next: undefined,
      })
    })

    test('finds the template to launch from', async () => {
      expect(await runner().template('worker', undefined)).toMatchObject({
        taskDefinition: 'worker:2',
        container: 'worker',
        logPrefix: 'logs',
      })
      await expect(runner().template('nothing', undefined)).rejects.toThrow(/no task definition/)
      await expect(runner().template('pair', 'third')).rejects.toThrow(/side, worker/)
    })
  })
}
