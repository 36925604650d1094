import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DescribeTasksCommand, ListTasksCommand, StopTaskCommand } from '@aws-sdk/client-ecs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { killLeftovers } from '../../local/ecs/leftovers.ts'
import { processMark } from '../../local/ecs/proc.ts'
import {
  container,
  containerRecord,
  type EcsTest,
  isRunning,
  manualClock,
  prepare,
  quickTimeline,
  refusal,
  run,
  runInput,
  runOne,
  startEcs,
  taskRecord,
  until,
  worker,
} from './ecs-setup.ts'

let dataDir: string
let opened: EcsTest[]
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'ecs-restart-'))
  opened = []
})
afterEach(async () => {
  await Promise.all(opened.map((local) => local.close()))
  await rm(dataDir, { recursive: true, force: true })
})

const open = async (options: Parameters<typeof startEcs>[0] = {}) => {
  const local = await startEcs({
    settings: { timeline: quickTimeline, throttle: { enabled: false } },
    ...options,
    dataDir,
    keepsData: true,
  })
  opened.push(local)
  return local
}
const close = async (local: EcsTest) => {
  opened = opened.filter((other) => other !== local)
  await local.close()
}
const look = async ({ client }: EcsTest, task: string) =>
  (await client.send(new DescribeTasksCommand({ cluster: 'jobs', tasks: [task], include: ['TAGS'] })))
    .tasks?.[0]
const reaches = (local: EcsTest, taskArn: string, lastStatus: string) =>
  until(async () => {
    const task = await look(local, taskArn)
    return task?.lastStatus === lastStatus && task
  })

test('tasks, versions, tokens, definitions and clusters are there again, and lives go on', async () => {
  const clock = manualClock()
  const before = await open({ clock })
  await prepare(before)
  const tags = [{ key: 'a', value: 'b' }]
  const { taskArn } = await runOne(before, { clientToken: 'token', tags })
  clock.advance(12)
  const seen = await look(before, taskArn)
  expect(seen?.lastStatus).toBe('PENDING')
  await close(before)

  const after = await open({ clock })
  expect(await look(after, taskArn)).toEqual(seen)
  expect((await runOne(after, { clientToken: 'token', tags })).taskArn).toBe(taskArn)
  expect(await refusal(run(after, { clientToken: 'token', count: 2 }))).toMatchObject({
    name: 'ConflictException',
    resourceIds: [taskArn],
  })
  clock.advance(4)
  expect(await look(after, taskArn)).toMatchObject({ lastStatus: 'ACTIVATING', version: 3 })
  const { taskArn: second } = await runOne(after)
  const { taskArns } = await after.client.send(new ListTasksCommand({ cluster: 'jobs' }))
  expect(taskArns).toEqual([taskArn, second])
})

test('closing ends the tasks by SIGTERM; they are STOPPED after the restart, with exit code and cause', async () => {
  const before = await open()
  await prepare(before, {
    containerDefinitions: [
      {
        name: 'worker',
        image: 'i',
        command: ['/bin/sh', '-c', 'trap "exit 5" TERM; echo ready; while :; do sleep 0.01; done'],
      },
    ],
  })
  const { taskArn, taskId } = await runOne(before)
  await until(async () => (await before.log(`worker/worker/${taskId}`).catch(() => '')) === 'ready\n')
  await close(before)

  const after = await open()
  expect(await reaches(after, taskArn, 'STOPPED')).toMatchObject({
    stopCode: 'InfrastructureHealth',
    stoppedReason: expect.stringMatching(/shut down/),
    containers: [{ exitCode: 5 }],
  })
})

test('closing does not wait for who ignores SIGTERM', async () => {
  const before = await open({ settings: { timeline: quickTimeline, closeGraceMs: 100 } })
  await prepare(before, {
    containerDefinitions: [
      {
        name: 'worker',
        image: 'i',
        command: ['/bin/sh', '-c', 'trap "" TERM; echo ready; while :; do sleep 0.01; done'],
      },
    ],
  })
  const { taskArn, taskId } = await runOne(before)
  await until(async () => (await before.log(`worker/worker/${taskId}`).catch(() => '')) === 'ready\n')
  await close(before)
  const after = await open()
  expect((await reaches(after, taskArn, 'STOPPED')).containers?.[0]?.exitCode).toBe(137)
})

test('a cause that stood before the restart stands after it', async () => {
  const before = await open()
  await prepare(before)
  const { taskArn } = await runOne(before)
  await reaches(before, taskArn, 'RUNNING')
  await before.client.send(new StopTaskCommand({ cluster: 'jobs', task: taskArn, reason: 'cancelled' }))
  await close(before)
  const after = await open()
  expect(await reaches(after, taskArn, 'STOPPED')).toMatchObject({
    stopCode: 'UserInitiated',
    stoppedReason: 'cancelled',
  })
})

test('what is answered is on disk before the answer, however busy the disk is', async () => {
  const { ecs } = await open({ clock: manualClock() })
  const busy: Promise<unknown>[] = []
  /** The journal at the moment of the answer, with a write of some megabytes before what the call writes. */
  const journalAfter = async (action: string, body: object) => {
    const environment = [{ name: 'A', value: 'x'.repeat(4_000_000) }]
    const big = worker({ family: 'big', containerDefinitions: [container('true', { environment })] })
    busy.push(ecs.call('RegisterTaskDefinition', big))
    const answer = await ecs.call(action, body)
    return { answer, journal: readFileSync(join(dataDir, 'state.jsonl'), 'utf8') }
  }
  const cluster = await journalAfter('CreateCluster', { clusterName: 'jobs' })
  expect(cluster.journal).toContain('"name":"jobs"')
  const definition = await journalAfter('RegisterTaskDefinition', worker())
  expect(definition.journal).toContain('"family":"worker"')
  const run = await journalAfter('RunTask', { ...runInput(), clientToken: 'uid-1-1' })
  expect(run.journal).toContain('"key":"jobs uid-1-1"')
  expect(run.journal).toContain('"state":"PROVISIONING"')
  const { tasks } = (run.answer as { body: { tasks: { taskArn: string }[] } }).body
  const stop = await journalAfter('StopTask', {
    cluster: 'jobs',
    task: tasks[0]?.taskArn,
    reason: 'cancelled',
  })
  expect(stop.journal).toContain('"reason":"cancelled"')
  await Promise.all(busy)
})

test('a process that was given the pid of a former container is let live', async () => {
  const stranger = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' })
  const { pid = 0 } = stranger
  const leftBehind = (mark: string) =>
    killLeftovers([taskRecord({ containers: [containerRecord('main', { pid, processMark: mark })] })])
  expect(leftBehind('another beginning')).toEqual(new Set())
  expect(isRunning(pid)).toBe(true)
  expect(leftBehind(processMark(pid) ?? '')).toEqual(new Set(['t']))
  await until(async () => !isRunning(pid))
})

/** Runs a task in a local ECS of its own process, kills that with SIGKILL once the task has printed `ready <pids>`. */
const killedHost = async (script: string) => {
  const host = spawn(
    process.execPath,
    ['--import', 'tsx', join(import.meta.dirname, 'ecs-host.ts'), dataDir, script],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const [line] = (await once(createInterface(host.stdout), 'line')) as [string]
  const taskArn: string = JSON.parse(line).body.tasks[0].taskArn
  const log = join(dataDir, 'logs', 'worker', 'worker', `${taskArn.slice(-32)}.log`)
  const ready = await until(
    async () => /ready (.*)\n/.exec(await readFile(log, 'utf8').catch(() => '')) ?? undefined,
  )
  host.kill('SIGKILL')
  await once(host, 'exit')
  return { taskArn, pids: (ready[1] ?? '').split(' ').map(Number) }
}

test.runIf(existsSync('/proc/self/status'))(
  'processes that outlived a killed local AWS are ended with all they started, and their task is STOPPED',
  async () => {
    // One child stays in the group and hides where it came from, one leaves the group.
    const { taskArn, pids } = await killedHost(
      'env -i sleep 60 & A=$!; setsid sleep 61 & B=$!; echo ready $$ $A $B; wait',
    )
    expect(pids.map(isRunning)).toEqual([true, true, true])

    const after = await open()
    await until(async () => pids.every((pid) => !isRunning(pid)))
    const task = await reaches(after, taskArn, 'STOPPED')
    expect(task).toMatchObject({
      stopCode: 'InfrastructureHealth',
      stoppedReason: expect.stringMatching(/restarted/),
      containers: [{ lastStatus: 'STOPPED' }],
    })
    expect(task.containers?.[0]?.exitCode).toBeUndefined()
    expect((await run(after, { clientToken: 'token' })).tasks).toMatchObject([
      { taskArn, lastStatus: 'STOPPED' },
    ])
    await until(async () => (await readdir(join(dataDir, 'scratch'))).length === 0)
  },
)

test('a task whose process died meanwhile becomes STOPPED with a reason', async () => {
  const { taskArn, pids } = await killedHost('echo ready $$; exec sleep 62')
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  await until(async () => pids.every((pid) => !isRunning(pid)))
  const after = await open()
  expect(await reaches(after, taskArn, 'STOPPED')).toMatchObject({
    stopCode: 'InfrastructureHealth',
    containers: [{ reason: expect.stringMatching(/restarted/) }],
  })
})

test('a thousand tasks are described in pages of a hundred without delay', async () => {
  const local = await open({
    clock: manualClock(),
    settings: { throttle: { enabled: false }, vcpuQuota: { onDemand: 1_000 } },
  })
  await prepare(local)
  for (let index = 0; index < 100; index += 1) await run(local, { count: 10 })
  const beganMs = performance.now()
  let nextToken: string | undefined
  let described = 0
  do {
    const page = await local.client.send(new ListTasksCommand({ cluster: 'jobs', nextToken }))
    const tasks = page.taskArns ?? []
    described +=
      (await local.client.send(new DescribeTasksCommand({ cluster: 'jobs', tasks }))).tasks?.length ?? 0
    nextToken = page.nextToken
  } while (nextToken)
  expect(described).toBe(1_000)
  // Measured at about 300 ms; anything quadratic would take many times as long.
  expect(performance.now() - beganMs).toBeLessThan(3_000)
})
