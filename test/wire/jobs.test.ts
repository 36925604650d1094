import { RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { localRegistry, pushImage } from '../support/images.ts'
import { type Operator, startOperator } from '../support/operator.ts'
import { until } from '../support/wait.ts'

// One job each, through the real loop and real child processes: how jobs succeed, fail, wait, stop and come back.

let operator: Operator

beforeAll(async () => {
  operator = await startOperator({ MAX_VCPU: '100' }, { ecs: { vcpuQuota: { onDemand: 100, spot: 100 } } })
})
afterAll(() => operator.close())
afterEach(() => operator.aws.control('DELETE', '/ecs/faults'))

const quick = { limits: { backoff: { initial: 0, max: 0 } } }

test('exit code 0 of a container is success, and the ledger says what ran', async () => {
  await operator.run('succeeds', 'exit 0')
  const job = await operator.phase('succeeds', 'Succeeded')
  expect(job.attempts).toMatchObject([
    { n: 1, launches: 1, taskDefinition: 'shell:1', cpu: 256, outcome: { class: 'success', exitCode: 0 } },
  ])
  expect(job).not.toHaveProperty('fence')
  expect(job).not.toHaveProperty('launching')
  expect(job).not.toHaveProperty('taskArn')
})

test('a failing container is tried again until its attempts are used up', async () => {
  await operator.run('fails', 'exit 1', { limits: { attempts: 2, backoff: { initial: 0, max: 0 } } })
  const job = await operator.phase('fails', 'Failed')
  expect(job.reason).toBe('AttemptsExhausted')
  expect(job.attempts?.map(({ n, outcome }) => [n, outcome?.exitCode])).toEqual([
    [1, 1],
    [2, 1],
  ])
})

test('back-off: a failed job waits in Pending, with the time until which, and comes back by itself', async () => {
  await operator.run('backs-off', 'exit 1', { limits: { attempts: 2, backoff: { initial: 1, max: 1 } } })
  const waiting = await operator.phase('backs-off', 'Pending', (job) => job.reason === 'Backoff')
  const stoppedMs = Date.parse(waiting.attempts?.[0]?.stoppedAt ?? '')
  expect(Date.parse(waiting.notBefore ?? '') - stoppedMs).toBeGreaterThanOrEqual(900)
  expect(Date.parse(waiting.notBefore ?? '') - stoppedMs).toBeLessThanOrEqual(1100)
  const job = await operator.phase('backs-off', 'Failed')
  expect(Date.parse(job.attempts?.[1]?.launchedAt ?? '')).toBeGreaterThanOrEqual(
    Date.parse(waiting.notBefore ?? ''),
  )
})

test('bad input (65) fails at once', async () => {
  await operator.run('bad-input', 'exit 65', quick)
  expect(await operator.phase('bad-input', 'Failed')).toMatchObject({
    reason: 'PermanentFailure',
    attempts: [{ n: 1, outcome: { class: 'failed', exitCode: 65 } }],
  })
})

test('attemptTimeout stops the task and counts as a failed attempt', async () => {
  await operator.run('too-long', 'exec sleep 60', { limits: { attempts: 1, attemptTimeout: 1 } })
  expect(await operator.phase('too-long', 'Failed')).toMatchObject({
    reason: 'AttemptsExhausted',
    attempts: [{ outcome: { class: 'timeout', stopCode: 'UserInitiated' } }],
  })
})

test('the deadline ends a running job, whatever attempts are left', async () => {
  await operator.run('too-late', 'exec sleep 60', { limits: { deadline: 1 } })
  expect(await operator.phase('too-late', 'Failed')).toMatchObject({ reason: 'DeadlineExceeded' })
  expect((await operator.tasks('too-late')).map(({ lastStatus }) => lastStatus)).toEqual(['STOPPED'])
})

test('cancel stops the task first, and only then the job is Cancelled', async () => {
  await operator.run('cancelled', 'exec sleep 60')
  const running = await operator.phase('cancelled', 'Running')
  expect(Date.parse(running.attempts?.[0]?.startedAt ?? '')).not.toBeNaN()
  await operator.set('cancelled', 'spec.cancel', true)
  await operator.phase('cancelled', 'Stopping', (job) => job.stopping?.reason === 'Cancel')
  await operator.phase('cancelled', 'Cancelled')
  expect((await operator.tasks('cancelled')).map(({ lastStatus }) => lastStatus)).toEqual(['STOPPED'])
})

test('suspend stops without counting an attempt; taken back, the job runs again', async () => {
  await operator.run('suspended', 'test -e $WORK_DIR/../never && exit 1; exec sleep 60', quick)
  await operator.phase('suspended', 'Running')
  await operator.set('suspended', 'spec.suspend', true)
  const waiting = await operator.phase('suspended', 'Pending', (job) => job.reason === 'Suspended')
  expect(waiting).toMatchObject({
    counts: { failed: 0, infra: 0 },
    attempts: [{ outcome: { class: 'suspended' } }],
  })
  expect(waiting).not.toHaveProperty('backlogQueue')
  await operator.set('suspended', 'spec.suspend', false)
  const again = await operator.phase('suspended', 'Running')
  expect(again.attempts).toHaveLength(2)
  await operator.set('suspended', 'spec.cancel', true)
  await operator.phase('suspended', 'Cancelled')
})

test('a task stopped by somebody else is started again, from the budget for infrastructure', async () => {
  await operator.run('kicked', 'exec sleep 60', quick)
  await operator.phase('kicked', 'Running')
  const [task] = await operator.tasks('kicked')
  await operator.aws.control('POST', `/ecs/tasks/${task?.taskId}/stop`, {
    stopCode: 'UserInitiated',
    reason: 'Someone',
  })
  const again = await operator.phase('kicked', 'Running', (job) => job.lastAttempt === 2)
  expect(again.counts).toEqual({ failed: 0, infra: 1 })
  await operator.set('kicked', 'spec.cancel', true)
  await operator.phase('kicked', 'Cancelled')
})

test('out of memory: the next attempt has the next size that Fargate has', async () => {
  await operator.run('hungry', 'exec sleep 60', quick)
  await operator.phase('hungry', 'Running')
  const [task] = await operator.tasks('hungry')
  await operator.aws.control('POST', `/ecs/tasks/${task?.taskId}/oom`)
  const again = await operator.phase('hungry', 'Running', (job) => job.lastAttempt === 2)
  expect(again.attempts).toMatchObject([
    { memory: 512, outcome: { class: 'outOfMemory', exitCode: 137 } },
    { memory: 1024 },
  ])
  await operator.set('hungry', 'spec.cancel', true)
  await operator.phase('hungry', 'Cancelled')
})

test('RunTask throttled, then its reply lost after the effect: one task, one launch', async () => {
  await operator.aws.control('POST', '/ecs/faults', [
    { kind: 'throttle', action: 'RunTask' },
    { kind: 'drop', action: 'RunTask', when: 'after' },
  ])
  await operator.run('stormy', 'sleep 0.2')
  const job = await operator.phase('stormy', 'Succeeded')
  expect(job).toMatchObject({ lastAttempt: 1, lastLaunch: 1 })
  expect(await operator.tasks('stormy')).toHaveLength(1)
})

test('no capacity: nothing is launched twice, and the next launch comes after a full listing', async () => {
  await operator.aws.control('POST', '/ecs/faults', { kind: 'capacity' })
  await operator.run('crowded', 'exit 0')
  const job = await operator.phase('crowded', 'Succeeded')
  expect(job).toMatchObject({ lastAttempt: 1, lastLaunch: 2, counts: { failed: 0, infra: 0 } })
  expect(await operator.tasks('crowded')).toHaveLength(1)
})

test('a capacity failure that started a task all the same: the task is found and adopted', async () => {
  await operator.aws.control('POST', '/ecs/faults', { kind: 'capacity', runs: true })
  await operator.run('hidden-start', 'sleep 4')
  const job = await operator.phase('hidden-start', 'Succeeded')
  expect(job).toMatchObject({ lastAttempt: 1, lastLaunch: 1 })
  expect(await operator.tasks('hidden-start')).toHaveLength(1)
})

test('a task that DescribeTasks does not show yet is waited for, not replaced', async () => {
  await operator.aws.control('POST', '/ecs/faults', { kind: 'hidden', durationMs: 500 })
  await operator.run('shy', 'sleep 1.5')
  const job = await operator.phase('shy', 'Succeeded')
  expect(job).toMatchObject({ lastAttempt: 1, lastLaunch: 1 })
  expect(await operator.tasks('shy')).toHaveLength(1)
})

test('every event lost: the polls find out everything', async () => {
  await operator.aws.control('POST', '/ecs/faults', { kind: 'dropEvent', count: 100 })
  await operator.run('silent', 'exit 0')
  await operator.phase('silent', 'Succeeded')
})

test('spot: a reclaim is no failure of the job, and after two of them the job goes on-demand', async () => {
  await operator.run('spotty', 'exec sleep 60', { ...quick, resources: { capacity: 'spot-then-on-demand' } })
  for (const attempt of [1, 2]) {
    await operator.phase('spotty', 'Running', (job) => job.lastAttempt === attempt)
    const task = (await operator.tasks('spotty')).find(({ lastStatus }) => lastStatus === 'RUNNING')
    await operator.aws.control('POST', `/ecs/tasks/${task?.taskId}/interrupt`)
  }
  const job = await operator.phase('spotty', 'Running', ({ lastAttempt }) => lastAttempt === 3)
  expect(job.attempts).toMatchObject([
    { capacity: 'spot', outcome: { class: 'spot' } },
    { capacity: 'spot', outcome: { class: 'spot' } },
    { capacity: 'on-demand' },
  ])
  expect(job.counts).toEqual({ failed: 0, infra: 2 })
  await operator.set('spotty', 'spec.cancel', true)
  await operator.phase('spotty', 'Cancelled')
})

test('a task definition that does not exist fails the job with a sentence', async () => {
  await operator.put('no-definition', { spec: { params: { taskDefinition: 'nowhere' } } })
  const job = await operator.phase('no-definition', 'Failed')
  expect(job).toMatchObject({ reason: 'TaskDefinitionInvalid', message: expect.stringContaining('nowhere') })
  expect(await operator.tasks('no-definition')).toHaveLength(0)
})

test('an image that is not in ECR fails the job before anything is launched; once it is pushed, a retry runs', async () => {
  const image = `${localRegistry()}/encoder:v1`
  await operator.aws.clients().ecs.send(
    new RegisterTaskDefinitionCommand({
      family: 'encoder',
      ...{ cpu: '256', memory: '512', networkMode: 'awsvpc', requiresCompatibilities: ['FARGATE'] },
      containerDefinitions: [{ name: 'main', image }],
    }),
  )
  await operator.put('encode', { spec: { params: { taskDefinition: 'encoder', command: ['true'] } } })
  expect(await operator.phase('encode', 'Failed')).toMatchObject({
    reason: 'ImageMissing',
    message: `Image ${image} of container main in task definition encoder:1 is not there: there is no repository encoder; push it, or register a revision that names another one`,
    attempts: [],
  })
  expect(await operator.tasks('encode')).toHaveLength(0)
  const imageDigest = await pushImage(operator.aws, 'encoder', 'v1')
  await operator.set('encode', 'phase', 'Submitted')
  expect(await operator.phase('encode', 'Succeeded')).toMatchObject({
    attempts: [{ taskDefinition: 'encoder:1', imageDigest }],
  })
})

test('a task definition that is not for Fargate fails the job with a sentence', async () => {
  await operator.aws.clients().ecs.send(
    new RegisterTaskDefinitionCommand({
      family: 'on-instances',
      containerDefinitions: [{ name: 'main', image: 'busybox', memory: 64 }],
    }),
  )
  await operator.put('on-instances', { spec: { params: { taskDefinition: 'on-instances' } } })
  expect(await operator.phase('on-instances', 'Failed')).toMatchObject({
    reason: 'TaskDefinitionInvalid',
    message: expect.stringContaining('is for EC2, and tasks run on Fargate'),
  })
})

test('a stray task of a job that is not its current launch is stopped', async () => {
  await operator.run('replaced', 'exec sleep 60')
  const before = await operator.phase('replaced', 'Running')
  await operator.run('replaced', 'exit 0')
  await operator.phase('replaced', 'Succeeded', (job) => job.uid !== before.uid)
  const tasks = await operator.tasks('replaced')
  expect(tasks).toHaveLength(2)
  await until('the stray to stop', async () =>
    (await operator.tasks('replaced')).every(({ lastStatus }) => lastStatus === 'STOPPED'),
  )
})
