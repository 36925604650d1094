import { beforeEach, expect, test } from 'vitest'
import { createPacer } from '../../controller/admit/pacer.ts'
import { createMemory, type Memory } from '../../controller/reconcile/memory.ts'
import { type ReconcilePorts, reconcile } from '../../controller/reconcile/reconcile.ts'
import { lookAt, type TaskLook } from '../../controller/run/answers.ts'
import type { Runner } from '../../controller/run/ecs.ts'
import { createJobStore, type Dynamo } from '../../controller/store/jobs.ts'
import type { Job } from '../../schemas/job.ts'
import {
  acceptedMs,
  arn,
  at,
  claim,
  finished,
  job,
  jobId,
  minuteMs,
  report,
  running,
  settings,
  started,
} from '../support/job.ts'
import { testLaunch } from '../support/launch.ts'
import { step as stepOf, succeeded, underWay } from '../support/pipeline.ts'
import { testPolicy } from '../support/policy.ts'
import { createRandom } from '../support/random.ts'
import { createVirtualClock, type VirtualClock } from '../support/virtual-clock.ts'
import { createDynamoModel } from './aws/dynamo.ts'
import type { DynamoModel } from './aws/ports.ts'

// What a worker writes between two steps of a controller. A run of the simulation meets such a moment once in thousands.

const table = 'jobs'
let clock: VirtualClock
let dynamo: DynamoModel
let look: TaskLook | undefined
let afterLook: Partial<Job>
let afterRead: Partial<Job>
let memory: Memory
let stopped: string[]

beforeEach(() => {
  clock = createVirtualClock()
  dynamo = createDynamoModel(
    { time: clock, random: createRandom(1) },
    { indexLagMs: () => 0, readLagMs: () => 0 },
  )
  look = undefined
  afterLook = {}
  afterRead = {}
  stopped = []
})

const stored = (): Partial<Job> => dynamo.item(table, jobId) ?? {}
/** Attributes of its own, as a worker writes them: without a revision. */
const workerWrites = (words: Partial<Job>): void => {
  if (Object.keys(words).length > 0) dynamo.put(table, { ...stored(), ...words })
}

/** A leader that knows the job and its task, one step before what the test is about. */
async function leaderOf(job: Job): Promise<() => Promise<unknown>> {
  dynamo.put(table, { ...job })
  memory = createMemory(clock, testPolicy().visibilityGraceMs)
  const store = createJobStore(
    { send: async (command: { input: object }) => dynamo.execute(command) } as unknown as Dynamo,
    table,
  )
  const nobody = (): void => undefined
  const unused = (): never => {
    throw new Error('not part of this test')
  }
  const runner: Runner = {
    runTask: unused,
    describe: unused,
    async stop(task) {
      stopped.push(task)
    },
    list: unused,
    template: () =>
      Promise.resolve({
        taskDefinition: 'worker:3',
        container: 'worker',
        logPrefix: undefined,
        architecture: 'x86_64',
      }),
  }
  const ports: ReconcilePorts = {
    jobs: {
      ...store,
      async get(id) {
        const item = await store.get(id)
        workerWrites(afterRead)
        return item
      },
    },
    runner,
    memory,
    observer: {
      async look(id) {
        for (const known of memory.arnsOf(id)) memory.learn(id, known, look)
        workerWrites(afterLook)
      },
      poll: unused,
    },
    policy: testPolicy(),
    clock,
    pacers: { runTask: createPacer(20, clock), stopTask: createPacer(20, clock) },
    launch: testLaunch,
    randomId: () => 'abcdefghijkl',
    headInput: unused,
    resyncMs: minuteMs,
    wake: nobody,
    deleteOutputs: unused,
    deleteSource: unused,
    outputsBucket: 'outputs',
    wantListPass: nobody,
    onStep: nobody,
    onAccepted: nobody,
    onMoved: nobody,
    onSettled: nobody,
    onLaunch: nobody,
    onAnswer: nobody,
  }
  const step = () => reconcile(jobId, ports)
  await step()
  return step
}

const stoppedWith = (exitCode: number): TaskLook =>
  lookAt(
    {
      taskArn: arn,
      lastStatus: 'STOPPED',
      desiredStatus: 'STOPPED',
      stopCode: 'EssentialContainerExited',
      stoppedAt: at(minuteMs),
      containers: [{ name: 'worker', exitCode }],
    },
    acceptedMs,
  )

test('the record is read after the look: what the worker reported before it stopped counts at once', async () => {
  const step = await leaderOf(running())
  look = stoppedWith(137)
  afterLook = { report: report() }
  await step()
  expect(stored()).toMatchObject({ phase: 'Succeeded' })
})

test('a report that arrives after the record was read holds up the end of the launch', async () => {
  const step = await leaderOf(running())
  look = stoppedWith(137)
  afterRead = { report: report() }
  await expect(step()).rejects.toThrow(expect.objectContaining({ name: 'LostRace' }))
  expect(stored()).toMatchObject({ phase: 'Running' })
  await step()
  expect(stored()).toMatchObject({ phase: 'Succeeded' })
})

test('a claim that arrives after the record was read holds up the end of the launch', async () => {
  const step = await leaderOf(started())
  look = stoppedWith(1)
  afterRead = { claim: claim(`${arn}-other`) }
  await expect(step()).rejects.toThrow(expect.objectContaining({ name: 'LostRace' }))
  expect(stored()).toMatchObject({ phase: 'Starting', claim: claim(`${arn}-other`) })
})

test('a heartbeat that arrives after the record was read holds up giving a missing task up', async () => {
  const step = await leaderOf(running())
  await step()
  await clock.pass(testPolicy().visibilityGraceMs + minuteMs)
  workerWrites({ stopping: { reason: 'HeartbeatLost', at: at(minuteMs) }, phase: 'Stopping' })
  afterRead = { progress: { beat: 2, at: at(2 * minuteMs) } }
  await expect(step()).rejects.toThrow(expect.objectContaining({ name: 'LostRace' }))
  expect(stored()).toMatchObject({ phase: 'Stopping' })
})

test('a job that was edited after admission is not launched as a larger one than was let in', async () => {
  const larger = job({ settings: settings({ resources: { cpu: 2048, memory: 4096 } }) })
  const step = await leaderOf(larger)
  await clock.pass(1000)
  memory.grant(jobId, { queue: 'default', vcpu: 1 })
  await step()
  expect(stored().phase).toBe('Pending')
  expect(memory.usage().running).toBe(0)
  memory.grant(jobId, { queue: 'default', vcpu: 2 })
  await step()
  expect(stored()).toMatchObject({ phase: 'Starting', attempts: [{ cpu: 2048 }] })
})

test('a live task of a finished job is stopped, though its record was damaged since', async () => {
  const step = await leaderOf(finished())
  dynamo.put(table, { ...stored(), attempts: 'gone' })
  look = lookAt({ taskArn: arn, lastStatus: 'RUNNING', desiredStatus: 'RUNNING' }, acceptedMs)
  memory.addStray(jobId, arn, 'RUNNING')
  await clock.pass(1000)
  await step()
  expect(stopped).toEqual([arn])
  expect(stored().phase).toBe('Succeeded')
})

test('a report that arrives after a damaged record was read holds up its end, too', async () => {
  const step = await leaderOf(running())
  workerWrites({ revision: 'three' as unknown as number })
  look = stoppedWith(137)
  afterRead = { report: report() }
  await expect(step()).rejects.toThrow(expect.objectContaining({ name: 'LostRace' }))
  expect(stored()).toMatchObject({ phase: 'Running' })
  await step()
  expect(stored()).toMatchObject({ phase: 'Failed', reason: 'BrokenRecord' })
})

test('a pipeline stops the task that its record left when it was another job, once in a while', async () => {
  const over = stepOf('first', [succeeded()])
  const step = await leaderOf(underWay([over], { phase: 'Succeeded', finishedAt: at(minuteMs) }))
  look = lookAt({ taskArn: arn, lastStatus: 'RUNNING', desiredStatus: 'RUNNING' }, acceptedMs)
  memory.addStray(jobId, arn, 'RUNNING')
  await clock.pass(1000)
  await step()
  await step()
  expect(stopped).toEqual([arn])
  await clock.pass(minuteMs)
  await step()
  expect(stopped).toEqual([arn, arn])
})
