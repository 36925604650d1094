import { existsSync } from 'node:fs'
import {
  DescribeTasksCommand,
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
  StopTaskCommand,
  TagResourceCommand,
  type Task,
} from '@aws-sdk/client-ecs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../local/ecs/index.ts'
import {
  container,
  type EcsTest,
  fastClock,
  isRunning,
  prepare,
  quickTimeline,
  runOne,
  type Settings,
  spot,
  startEcs,
  until,
  worker,
} from './ecs-setup.ts'

// Real processes, real time; the timeline is quick.
let local: EcsTest

const start = async (settings: Settings = {}, clock: Clock = systemClock) => {
  const throttle = { enabled: false }
  local = await startEcs({ settings: { timeline: quickTimeline, throttle, ...settings }, clock })
  await prepare(local)
}
const restart = async (...options: Parameters<typeof start>) => {
  await local.close()
  await start(...options)
}
beforeEach(() => start())
afterEach(() => local.close())

const look = async (taskArn: string): Promise<Task> => {
  const { tasks } = await local.client.send(new DescribeTasksCommand({ cluster: 'jobs', tasks: [taskArn] }))
  if (tasks?.[0] === undefined) throw new Error(`MISSING: ${taskArn}`)
  return tasks[0]
}
const reaches = (taskArn: string, lastStatus: string) =>
  until(async () => {
    const task = await look(taskArn)
    return task.lastStatus === lastStatus && task
  })
const stop = (task: string) =>
  local.client.send(new StopTaskCommand({ cluster: 'jobs', task, reason: 'test' }))

/** Registers and runs; the log of its first container can be read. */
const runScript = async (
  containers: RegisterTaskDefinitionCommandInput['containerDefinitions'],
  fields: Partial<RegisterTaskDefinitionCommandInput> = {},
  input: Parameters<typeof runOne>[1] = {},
) => {
  const definition = worker({ containerDefinitions: containers, ...fields })
  const { taskDefinition } = await local.client.send(new RegisterTaskDefinitionCommand(definition))
  const task = await runOne(local, { ...input, taskDefinition: taskDefinition?.taskDefinitionArn })
  return { ...task, log: () => local.log(`worker/worker/${task.taskId}`) }
}
const logged = (log: () => Promise<string>, line: RegExp) =>
  until(async () => line.exec(await log().catch(() => '')) ?? undefined)
describe('a task', () => {
  test('runs its command, and ends with its exit code, every time stamped in order', async () => {
    const { taskArn, log } = await runScript([container('echo out; echo err >&2; exit 3')])
    const task = await reaches(taskArn, 'STOPPED')
    expect(task).toMatchObject({
      desiredStatus: 'STOPPED',
      stopCode: 'EssentialContainerExited',
      stoppedReason: 'Essential container in task exited',
      containers: [{ name: 'worker', lastStatus: 'STOPPED', exitCode: 3 }],
      attachments: [{ status: 'DELETED' }],
    })
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
    expect(times).toEqual([...times].sort((left, right) => left - right))
    expect(await log()).toBe('out\nerr\n')
  })

  test('sends one event per change, with the version that the API shows', async () => {
    const { taskArn } = await runScript([container('exit 0')])
    const { version } = await reaches(taskArn, 'STOPPED')
    await until(async () => local.events.at(-1)?.detail.lastStatus === 'STOPPED')
    const seen = local.events.map(({ detail }) => `${detail.lastStatus}/${detail.desiredStatus}`)
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
    expect(local.events.map(({ detail }) => detail.version)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(local.events.at(-1)).toMatchObject({
      version: '0',
      source: 'aws.ecs',
      'detail-type': 'ECS Task State Change',
      account: '000000000000',
      region: 'eu-central-1',
      resources: [taskArn],
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      detail: {
        taskArn,
        version,
        stopCode: 'EssentialContainerExited',
        createdAt: expect.stringMatching(/Z$/),
        updatedAt: expect.stringMatching(/Z$/),
        attachments: [{ type: 'eni' }],
        containers: [{ exitCode: 0 }],
      },
    })
  })

  test('gets definition, overrides and Fargate variables, a scratch folder, and nothing of ours', async () => {
    const environment = [
      { name: 'KEPT', value: 'definition' },
      { name: 'CHANGED', value: 'definition' },
    ]
    const { taskArn, taskId, log } = await runScript(
      [container('exit 9', { environment })],
      {},
      {
        overrides: {
          containerOverrides: [
            {
              name: 'worker',
              command: ['/bin/sh', '-c', 'env; echo "cwd=$(pwd)"; touch "$WORK_DIR/file"; ls "$TMPDIR"'],
              environment: [{ name: 'CHANGED', value: 'override' }],
            },
          ],
        },
      },
    )
    await reaches(taskArn, 'STOPPED')
    const lines = (await log()).split('\n')
    const names = lines.flatMap((line) => /^(\w+)=/.exec(line)?.[1] ?? [])
    expect(lines).toContain('KEPT=definition')
    expect(lines).toContain('CHANGED=override')
    expect(lines).toContain('AWS_EXECUTION_ENV=AWS_ECS_FARGATE')
    expect(lines).toContain('AWS_REGION=eu-central-1')
    expect(lines).toContain('AWS_ACCESS_KEY_ID=local')
    expect(lines).toContain(`cwd=${process.cwd()}`)
    expect(lines).toContain('file')
    expect(lines.find((line) => line.startsWith('ECS_CONTAINER_METADATA_URI_V4='))).toMatch(
      new RegExp(`=${local.url}/v4/${taskId}-\\d{10}$`),
    )
    expect(names).not.toContain('VITEST')
    const scratch = lines.find((line) => line.startsWith('WORK_DIR='))?.slice('WORK_DIR='.length) ?? ''
    expect(scratch).toContain(taskId)
    await until(async () => !existsSync(scratch))
  })

  test('keeps the WORK_DIR of its definition', async () => {
    const environment = [{ name: 'WORK_DIR', value: '/tmp' }]
    const { taskArn, log } = await runScript([container('echo $WORK_DIR', { environment })])
    await reaches(taskArn, 'STOPPED')
    expect(await log()).toBe('/tmp\n')
  })

  test('takes what its definition leaves out from its image', async () => {
    await local.close()
    const image = { entryPoint: ['/bin/sh', '-c'], command: ['echo image'], environment: { FROM: 'image' } }
    await start({ images: { 'ours:1': image } })
    const ours = { name: 'worker', image: 'ours:1' }
    const logOf = async (fields: object) => {
      const { taskArn, log } = await runScript([{ ...ours, ...fields }])
      await reaches(taskArn, 'STOPPED')
      return log()
    }
    expect(await logOf({})).toBe('image\n')
    expect(await logOf({ command: ['echo $FROM'] })).toBe('image\n')
    expect(await logOf({ entryPoint: ['/bin/echo'], command: ['mine'] })).toBe('mine\n')
    expect(await logOf({ entryPoint: ['/bin/echo'] })).toBe('\n')
  })

  test('logs to the stream that awslogs would name', async () => {
    const logConfiguration = {
      logDriver: 'awslogs' as const,
      options: { 'awslogs-group': 'tasks', 'awslogs-stream-prefix': 'task' },
    }
    const { taskArn, taskId } = await runScript([container('echo hello', { logConfiguration })])
    await reaches(taskArn, 'STOPPED')
    expect(await local.log(`task/worker/${taskId}`)).toBe('hello\n')
  })

  test('does not leave the log folder by its prefix', async () => {
    const logConfiguration = {
      logDriver: 'awslogs' as const,
      options: { 'awslogs-stream-prefix': '../../outside' },
    }
    const { taskArn, log } = await runScript([container('echo hello', { logConfiguration })])
    await reaches(taskArn, 'STOPPED')
    expect(await log()).toBe('hello\n')
  })

  test.for([
    ['a command that is not there', ['/no/such/program'], /CannotStartContainerError.*"\/no\/such\/program"/],
    ['no command at all', [], /CannotStartContainerError.*no command/],
  ] as const)('with %s fails to start and has no exit code', async ([, command, reason]) => {
    const { taskArn } = await runScript([{ name: 'worker', image: 'none:1', command: [...command] }])
    const task = await reaches(taskArn, 'STOPPED')
    expect(task.stopCode).toBe('TaskFailedToStart')
    expect(task.stoppedReason).toMatch(reason)
    expect(task.containers?.[0]?.reason).toMatch(reason)
    expect(task.containers?.[0]?.exitCode).toBeUndefined()
    expect(task.startedAt).toBeUndefined()
  })
})

describe('stopping', () => {
  const onTerm = (script: string) => `trap '${script}' TERM; echo ready; while :; do sleep 0.01; done`

  test('is SIGTERM first: a task may end in its own way', async () => {
    const { taskArn, log } = await runScript([container(onTerm('echo bye; exit 7'))])
    await logged(log, /ready/)
    const { task } = await stop(taskArn)
    expect(task).toMatchObject({ lastStatus: 'RUNNING', desiredStatus: 'STOPPED' })
    const stopped = await reaches(taskArn, 'STOPPED')
    expect(stopped).toMatchObject({ stopCode: 'UserInitiated', stoppedReason: 'test' })
    expect(stopped.containers?.[0]?.exitCode).toBe(7)
    expect(await log()).toBe('ready\nbye\n')
  })

  test('by SIGTERM alone ends with 143', async () => {
    const { taskArn } = await runScript([container('exec sleep 60')])
    await reaches(taskArn, 'RUNNING')
    await stop(taskArn)
    expect((await reaches(taskArn, 'STOPPED')).containers?.[0]?.exitCode).toBe(143)
  })

  test('is SIGKILL to all of the group after stopTimeout, and ends with 137', async () => {
    await restart({}, fastClock(10))
    // The child ignores nothing: had it got the SIGTERM meant for the main process, it would have said so and ended.
    const child = `sh -c 'trap "echo child term" TERM; while :; do sleep 0.01; done' & echo child=$!`
    const { taskArn, log } = await runScript([container(`${child}; ${onTerm(':')}`, { stopTimeout: 2 })])
    const pid = Number((await logged(log, /child=(\d+)\n(.*\n)*?ready/))[1])
    await stop(taskArn)
    const task = await reaches(taskArn, 'STOPPED')
    const tookMs = Number(task.executionStoppedAt) - Number(task.stoppingAt)
    expect(tookMs).toBeGreaterThanOrEqual(2_000)
    expect(tookMs).toBeLessThan(10_000)
    expect(task.containers?.[0]?.exitCode).toBe(137)
    expect(await log()).not.toContain('child term')
    await until(async () => !isRunning(pid))
  })

  test('uses the stop signal of the image', async () => {
    await restart({ images: { 'worker:1': { stopSignal: 'SIGINT' } } })
    const { taskArn, log } = await runScript([
      container(`trap 'exit 9' INT; echo ready; while :; do sleep 0.01; done`),
    ])
    await logged(log, /ready/)
    await stop(taskArn)
    expect((await reaches(taskArn, 'STOPPED')).containers?.[0]?.exitCode).toBe(9)
  })

  test('what the main process leaves behind ends with it', async () => {
    const { taskArn, log } = await runScript([container('sleep 60 & echo child=$!')])
    await reaches(taskArn, 'STOPPED')
    const pid = Number((await logged(log, /child=(\d+)/))[1])
    await until(async () => !isRunning(pid))
  })
})

describe('several containers', () => {
  test('the first essential exit stops the others, each with its own exit code', async () => {
    const { taskArn } = await runScript([
      container('sleep 0.2; exit 5'),
      container('exec sleep 60', { name: 'side' }),
      container('exit 0', { name: 'init', essential: false }),
    ])
    const task = await reaches(taskArn, 'STOPPED')
    expect(task.stopCode).toBe('EssentialContainerExited')
    expect(task.containers?.map(({ name, exitCode }) => [name, exitCode])).toEqual([
      ['worker', 5],
      ['side', 143],
      ['init', 0],
    ])
  })

  test('one that cannot start keeps the task from running and stops the others', async () => {
    const { taskArn } = await runScript([
      container('exec sleep 60'),
      { name: 'side', image: 'none:1', command: ['/no/such/program'] },
    ])
    const task = await reaches(taskArn, 'STOPPED')
    expect(task.stopCode).toBe('TaskFailedToStart')
    expect(task.containers?.map(({ exitCode }) => exitCode)).toEqual([143, undefined])
  })
})

describe.runIf(existsSync('/proc/self/status'))('memory', () => {
  const hog = (mebibytes: number) => ({
    name: 'worker',
    image: 'worker:1',
    command: [
      process.execPath,
      '-e',
      `const held = Buffer.alloc(${mebibytes} * 1048576, 1); console.log('ready'); setInterval(() => held, 1000)`,
    ],
  })

  test('over the size of the task ends in 137 and the reason of AWS, and the others are stopped', async () => {
    await restart({ memoryWatchMs: 20 })
    const { taskArn } = await runScript([hog(600), container('exec sleep 60', { name: 'side' })])
    const bystander = await runOne(local)
    const task = await reaches(taskArn, 'STOPPED')
    expect(task.stopCode).toBe('EssentialContainerExited')
    expect(task.containers).toMatchObject([
      { exitCode: 137, reason: 'OutOfMemoryError: container killed due to memory usage' },
      { exitCode: 143 },
    ])
    expect((await reaches(bystander.taskArn, 'RUNNING')).desiredStatus).toBe('RUNNING')
  })

  test('over its own limit ends a container although the task has room', async () => {
    await restart({ memoryWatchMs: 20 })
    const { taskArn } = await runScript([{ ...hog(200), memory: 128 }])
    expect((await reaches(taskArn, 'STOPPED')).containers?.[0]?.exitCode).toBe(137)
  })

  test('below the limit nothing happens, and the stats tell how much', async () => {
    await restart({ memoryWatchMs: 20 })
    const { taskArn, taskId, log } = await runScript([hog(100)])
    await logged(log, /ready/)
    const { body } = await local.control('GET', `/tasks/${taskId}`)
    const [{ memoryBytes }] = await until(async () => {
      const now = (await local.control('GET', `/tasks/${taskId}`)).body.processes as [{ memoryBytes: number }]
      return now[0].memoryBytes > 100 * 1_048_576 && now
    })
    expect(memoryBytes).toBeLessThan(512 * 1_048_576)
    expect(body).toMatchObject({ taskArn })
    expect((await look(taskArn)).lastStatus).toBe('RUNNING')
  })
})

describe('Spot', () => {
  const interrupted = 'Your Spot Task was interrupted.'

  test('a notice while RUNNING with SIGTERM, then SpotInterruption, whatever the exit code', async () => {
    const { taskArn, taskId, log } = await runScript(
      [container(`trap 'sleep 0.3; exit 0' TERM; echo ready; while :; do sleep 0.01; done`)],
      {},
      spot,
    )
    await logged(log, /ready/)
    expect((await local.control('POST', `/tasks/${taskId}/interrupt`)).status).toBe(200)
    expect(await look(taskArn)).toMatchObject({
      lastStatus: 'RUNNING',
      desiredStatus: 'STOPPED',
      stopCode: 'TerminationNotice',
      stoppedReason: interrupted,
    })
    expect(await reaches(taskArn, 'STOPPED')).toMatchObject({
      stopCode: 'SpotInterruption',
      stoppedReason: interrupted,
      containers: [{ exitCode: 0 }],
    })
    const notice = local.events.find(({ detail }) => detail.stopCode === 'TerminationNotice')
    expect(notice?.detail).toMatchObject({ lastStatus: 'RUNNING', desiredStatus: 'STOPPED' })
  })

  test('SIGKILL after stopTimeout', async () => {
    await restart({}, fastClock(10))
    const stubborn = container(`trap : TERM; echo ready; while :; do sleep 0.01; done`, { stopTimeout: 2 })
    const { taskArn, taskId, log } = await runScript([stubborn], {}, spot)
    await logged(log, /ready/)
    await local.control('POST', `/tasks/${taskId}/interrupt`)
    const task = await reaches(taskArn, 'STOPPED')
    expect(task).toMatchObject({ stopCode: 'SpotInterruption', containers: [{ exitCode: 137 }] })
  })

  test('only tasks on FARGATE_SPOT can be interrupted', async () => {
    const { taskId } = await runOne(local)
    expect((await local.control('POST', `/tasks/${taskId}/interrupt`)).status).toBe(409)
  })
})

describe('metadata endpoint', () => {
  test('tells a task from inside who it is', async () => {
    const script = `const base = process.env.ECS_CONTAINER_METADATA_URI_V4
      const get = async (path) => (await fetch(base + path)).json()
      Promise.all(['', '/task', '/taskWithTags', '/stats', '/task/stats'].map(get)).then((all) => console.log(JSON.stringify(all)))`
    const one = {
      name: 'worker',
      image: 'worker:1',
      command: [process.execPath, '-e', script],
      cpu: 128,
      memory: 256,
    }
    const tags = [{ key: 'team', value: 'video' }]
    const { taskArn, taskId, log } = await runScript([one], {}, { tags })
    await reaches(taskArn, 'STOPPED')
    const [own, task, withTags, stats, allStats] = JSON.parse(await log())
    expect(own).toMatchObject({
      DockerId: expect.stringMatching(new RegExp(`^${taskId}-\\d{10}$`)),
      Name: 'worker',
      Image: 'worker:1',
      KnownStatus: 'RUNNING',
      Limits: { CPU: 128, Memory: 256 },
      Labels: { 'com.amazonaws.ecs.task-arn': taskArn },
      Networks: [{ NetworkMode: 'awsvpc' }],
    })
    expect(own.ExitCode).toBeUndefined()
    expect(task).toMatchObject({
      Cluster: 'arn:aws:ecs:eu-central-1:000000000000:cluster/jobs',
      TaskARN: taskArn,
      Family: 'worker',
      Revision: '2',
      DesiredStatus: 'RUNNING',
      KnownStatus: 'RUNNING',
      LaunchType: 'FARGATE',
      Limits: { CPU: 0.25, Memory: 512 },
      PullStartedAt: expect.stringMatching(/\.\d{9}Z$/),
      EphemeralStorageMetrics: { Reserved: 20_496 },
      Containers: [{ Name: 'worker' }],
    })
    expect(withTags).toMatchObject({ TaskARN: taskArn, TaskTags: { team: 'video' } })
    expect(stats.memory_stats.limit).toBe(256 * 1_048_576)
    expect(Object.keys(allStats)).toEqual([own.DockerId])
  })

  test.for(['/v4/', `/v4/${'f'.repeat(32)}-1234567890`, `/v4/${'f'.repeat(32)}-1234567890/task`])(
    '%s is not found',
    (path) => {
      expect(local.ecs.metadata(path).status).toBe(404)
    },
  )
})

test('tags put on later are there until the stop', async () => {
  const { taskArn } = await runOne(local)
  await local.client.send(new TagResourceCommand({ resourceArn: taskArn, tags: [{ key: 'a', value: 'b' }] }))
  await reaches(taskArn, 'RUNNING')
  const tagsOf = async () => {
    const command = new DescribeTasksCommand({ cluster: 'jobs', tasks: [taskArn], include: ['TAGS'] })
    return (await local.client.send(command)).tasks?.[0]?.tags
  }
  expect(await tagsOf()).toEqual([{ key: 'a', value: 'b' }])
  await stop(taskArn)
  await reaches(taskArn, 'STOPPED')
  expect(await tagsOf()).toEqual([])
})
