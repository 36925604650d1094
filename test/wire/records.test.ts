import { DeleteCommand, NumberValue, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Operator, startOperator } from '../support/operator.ts'
import { until } from '../support/wait.ts'

// What users can do to records with nothing but the table: nothing of it may crash the loop, touch another job, or be
// ignored in silence.

let operator: Operator

beforeAll(async () => {
  operator = await startOperator({ MAX_VCPU: '100' }, { ecs: { vcpuQuota: { onDemand: 100, spot: 100 } } })
})
afterAll(() => operator.close())

const putRaw = (item: Record<string, unknown>) =>
  operator.aws.clients().documents.send(new PutCommand({ TableName: 'jobs', Item: item }))

describe('a wrong record fails with the field, the value and the rule', () => {
  const rows: [string, Record<string, unknown>, RegExp][] = [
    ['no spec at all', {}, /spec\.params\.taskDefinition: must be given/],
    [
      'an unknown kind',
      { kind: 'transcoding', spec: {} },
      /kind: "transcoding" is not allowed: must be one of: transcode/,
    ],
    ['a kind of another type', { kind: 7, spec: {} }, /kind: 7/],
    ['a spec of another type', { spec: 'fast please' }, /spec: "fast please"/],
    [
      'a number out of bounds',
      { spec: { priority: 12 } },
      /spec\.priority: 12 is not allowed: must be at most 9/,
    ],
    ['an unknown field', { spec: { priorty: 1 } }, /priorty/],
    [
      'a size that Fargate lacks',
      { spec: { params: { taskDefinition: 'shell' }, resources: { cpu: 256, memory: 3000 } } },
      /Fargate has 512 to 2048 MiB for 256 CPU units/,
    ],
    [
      'an unknown queue',
      { spec: { params: { taskDefinition: 'shell' }, queue: 'vip' } },
      /spec\.queue: vip is not allowed: must be one of: default/,
    ],
    [
      'an input that is missing',
      { kind: 'transcode', spec: { input: { bucket: 'uploads', key: 'gone.mp4' } } },
      /no object gone\.mp4 in bucket uploads/,
    ],
    [
      'no input where one is needed',
      { kind: 'transcode', spec: {} },
      /spec\.input: must name bucket and key/,
    ],
  ]
  test.each(rows)('%s', async (name, more, sentence) => {
    const jobId = `wrong-${name.replaceAll(/[^a-z]+/gi, '-')}`
    await operator.put(jobId, more)
    const job = await operator.phase(jobId, 'Failed')
    expect(job.reason).toMatch(/InvalidSpec|InputMissing/)
    expect(job.message).toMatch(sentence)
    expect(await operator.tasks(jobId)).toHaveLength(0)
  })

  test('a job that can never fit fails as TooBig, naming the limit', async () => {
    const small = await startOperator({ MAX_VCPU: '1' })
    await small.put('too-big', {
      spec: { params: { taskDefinition: 'shell' }, resources: { cpu: 2048, memory: 4096 } },
    })
    expect(await small.phase('too-big', 'Failed')).toMatchObject({
      reason: 'TooBig',
      message: expect.stringContaining('MAX_VCPU'),
    })
    await small.close()
  })
})

test('a record without phase and createdAt is found by the scan at the first start, healed and run', async () => {
  const { documents } = operator.aws.clients()
  await documents.send(
    new PutCommand({
      TableName: 'jobs',
      Item: { jobId: 'bare', kind: 'container', spec: { params: { taskDefinition: 'shell' } } },
    }),
  )
  await operator.controller.leader()?.scan()
  const job = await operator.phase('bare', 'Succeeded')
  expect(Date.parse(job.createdAt ?? '')).not.toBeNaN()
})

test('overwritten by PutItem while it runs: the old task is stopped and awaited, then the new record runs', async () => {
  await operator.run('overwritten', 'exec sleep 60')
  const before = await operator.phase('overwritten', 'Running')
  await operator.run('overwritten', 'sleep 0.1')
  const after = await operator.phase('overwritten', 'Succeeded')
  expect(after.uid).not.toBe(before.uid)
  const [first, second] = await operator.tasks('overwritten')
  expect([first?.lastStatus, second?.lastStatus]).toEqual(['STOPPED', 'STOPPED'])
  const stoppedMs = Date.parse(String((first as { stoppedAt?: string }).stoppedAt))
  const launchedMs = Date.parse(after.attempts?.[0]?.launchedAt ?? '')
  if (!Number.isNaN(stoppedMs)) expect(launchedMs).toBeGreaterThanOrEqual(stoppedMs)
})

test('duplicated in the console while it runs: the copy is a new job, the original is not touched', async () => {
  await operator.run('original', 'sleep 1.5')
  const original = await operator.phase('original', 'Running')
  await putRaw({ ...original, jobId: 'copy' })
  await operator.controller.leader()?.scan()
  const copy = await operator.phase('copy', 'Succeeded')
  expect(copy.uid).not.toBe(original.uid)
  expect(copy.attempts).toHaveLength(1)
  expect(await operator.phase('original', 'Succeeded')).toMatchObject({ uid: original.uid, lastAttempt: 1 })
  expect(await operator.tasks('original')).toHaveLength(1)
  expect(await operator.tasks('copy')).toHaveLength(1)
})

test('asked for again by phase = Submitted: a new generation, and the past stays in the ledger', async () => {
  await operator.run('again', 'exit 65')
  await operator.phase('again', 'Failed')
  await operator.set('again', 'spec.params.command', ['true'])
  await operator.set('again', 'phase', 'Submitted')
  const job = await operator.phase('again', 'Succeeded')
  expect(job).toMatchObject({ generation: 2, lastAttempt: 2, counts: { failed: 0, infra: 0 } })
  expect(job.attempts?.map(({ n, outcome }) => [n, outcome?.class])).toEqual([
    [1, 'failed'],
    [2, 'success'],
  ])
})

test('phase = Submitted on a running job is an edit like any other: it is put right, and nothing runs twice', async () => {
  await operator.run('meddled', 'sleep 1.5')
  await operator.phase('meddled', 'Running')
  await operator.set('meddled', 'phase', 'Submitted')
  expect(await operator.phase('meddled', 'Succeeded')).toMatchObject({ generation: 1, lastAttempt: 1 })
  expect(await operator.tasks('meddled')).toHaveLength(1)
})

test('phase = Succeeded on a running job does not make it so', async () => {
  await operator.run('wishful', 'sleep 1; exit 65')
  await operator.phase('wishful', 'Running')
  await operator.set('wishful', 'phase', 'Succeeded')
  expect(await operator.phase('wishful', 'Failed')).toMatchObject({ reason: 'PermanentFailure' })
})

test('an edit of a running job applies from the next attempt', async () => {
  await operator.run('edited', 'sleep 1; exit 1', { limits: { backoff: { initial: 0, max: 0 } } })
  await operator.phase('edited', 'Running')
  await operator.set('edited', 'spec.params.command', ['true'])
  const job = await operator.phase('edited', 'Succeeded')
  expect(job.attempts?.map(({ outcome }) => outcome?.exitCode)).toEqual([1, 0])
})

test('an invalid edit is ignored, and stands in attention until it is put right', async () => {
  await operator.run('bad-edit', 'sleep 3')
  await operator.phase('bad-edit', 'Running')
  await operator.set('bad-edit', 'spec.priority', 99)
  const found = await until('the edit to be noticed', () =>
    operator.controller.status().attention.find(({ jobId }) => jobId === 'bad-edit'),
  )
  expect(found.why).toMatch(/spec\.priority: 99/)
  await operator.set('bad-edit', 'spec.priority', 3)
  await until('attention to end', () =>
    operator.controller.status().attention.every(({ jobId }) => jobId !== 'bad-edit'),
  )
  await operator.phase('bad-edit', 'Succeeded')
})

test('an attribute of the controller that was damaged: the task is stopped, the job fails and says so', async () => {
  await operator.run('damaged', 'exec sleep 60')
  await operator.phase('damaged', 'Running')
  await operator.set('damaged', 'attempts', 'none of your business')
  const job = await operator.phase('damaged', 'Failed')
  expect(job).toMatchObject({ reason: 'BrokenRecord', message: expect.stringContaining('attempts') })
  await until('its task to stop', async () =>
    (await operator.tasks('damaged')).every(({ lastStatus }) => lastStatus === 'STOPPED'),
  )
})

test('a foreign expiresAt is taken away when the record is accepted', async () => {
  await operator.put('mortal', {
    expiresAt: 1,
    spec: { params: { taskDefinition: 'shell', command: ['true'] } },
  })
  expect(await operator.phase('mortal', 'Succeeded')).not.toHaveProperty('expiresAt')
})

test('labels and attributes of users survive every write of the controller', async () => {
  await operator.put('annotated', {
    mine: { note: 'keep' },
    spec: { params: { taskDefinition: 'shell', command: ['true'] } },
  })
  expect(await operator.phase('annotated', 'Succeeded')).toMatchObject({ mine: { note: 'keep' } })
})

test('a deleted record: its task is stopped', async () => {
  await operator.run('deleted', 'exec sleep 60')
  await operator.phase('deleted', 'Running')
  await operator.aws
    .clients()
    .documents.send(new DeleteCommand({ TableName: 'jobs', Key: { jobId: 'deleted' } }))
  await until('its task to stop', async () =>
    (await operator.tasks('deleted')).every(({ lastStatus }) => lastStatus === 'STOPPED'),
  )
})

test('a finished job is reaped after its time, and its tombstone keeps the id', async () => {
  await operator.run('reaped', 'exit 0', { ttlAfterFinished: 0 })
  const job = await operator.phase('reaped', 'Succeeded')
  await operator.controller.leader()?.scan()
  const tombstone = await until('the tombstone', async () => {
    const record = await operator.record('reaped')
    return record?.expiresAt !== undefined && record
  })
  expect(new Set(Object.keys(tombstone))).toEqual(
    new Set(['expiresAt', 'jobId', 'kind', 'phase', 'specHash', 'uid']),
  )
  expect(tombstone.uid).toBe(job.uid)
  expect(tombstone.expiresAt).toBeGreaterThan(Date.now() / 1000 + 14 * 86_400)
})

describe('records that could stop others', () => {
  const huge = NumberValue.from('99999999999999999999')

  test('numbers that JavaScript cannot hold: the job with them fails or goes on, and all others run', async () => {
    await operator.run('huge-edit', 'sleep 1')
    await operator.phase('huge-edit', 'Running')
    await operator.set('huge-edit', 'spec.priority', huge)
    await operator.put('huge-params', { spec: { params: { taskDefinition: 'shell', x: huge } } })
    await operator.put('huge-revision', {
      revision: huge,
      spec: { params: { taskDefinition: 'shell', command: ['true'] } },
    })
    await operator.put('huge-mine', {
      mine: NumberValue.from('9007199254740993.5'),
      spec: { params: { taskDefinition: 'shell', command: ['true'] } },
    })
    await operator.put('huge-rank', {
      backlogQueue: 'default',
      rank: huge,
      spec: { params: { taskDefinition: 'shell', command: ['true'] } },
    })
    await operator.run('bystander', 'exit 0')
    await operator.phase('bystander', 'Succeeded')
    await operator.phase('huge-edit', 'Succeeded')
    expect(await operator.phase('huge-params', 'Failed')).toMatchObject({
      message: expect.stringContaining('spec.params'),
    })
    for (const jobId of ['huge-revision', 'huge-mine', 'huge-rank']) await operator.phase(jobId, 'Succeeded')
  })

  test('the fence of a running job is taken away: its task is stopped, and the job fails as broken', async () => {
    await operator.run('unfenced', 'exec sleep 60')
    await operator.phase('unfenced', 'Running')
    await operator.remove('unfenced', 'fence')
    expect(await operator.phase('unfenced', 'Failed')).toMatchObject({ reason: 'BrokenRecord' })
    await until('its task to stop', async () =>
      (await operator.tasks('unfenced')).every(({ lastStatus }) => lastStatus === 'STOPPED'),
    )
  })

  test('a task ARN that is none: the task is stopped and replaced, and the looks at other jobs go on', async () => {
    await operator.run('misled', 'sleep 2', { limits: { backoff: { initial: 0, max: 0 } } })
    await operator.phase('misled', 'Running')
    await operator.aws.control('POST', '/ecs/faults', { kind: 'dropEvent', count: 10 })
    await operator.set('misled', 'taskArn', 'garbage')
    await operator.run('polled', 'sleep 0.2')
    await operator.phase('polled', 'Succeeded')
    await operator.aws.control('DELETE', '/ecs/faults')
    const job = await operator.phase('misled', 'Succeeded', undefined, 30_000)
    expect(job.attempts?.at(-1)?.outcome?.class).toBe('success')
  })

  test('put right after a meddled phase, a job that fails comes back like any other', async () => {
    await operator.run('comes-back', 'sleep 0.8; exit 1', {
      limits: { attempts: 2, backoff: { initial: 0, max: 0 } },
    })
    await operator.phase('comes-back', 'Running')
    await operator.set('comes-back', 'phase', 'Submitted')
    expect(await operator.phase('comes-back', 'Failed', undefined, 30_000)).toMatchObject({ lastAttempt: 2 })
  })

  test('a job that was called Cancelled while it waited leaves its line', async () => {
    await operator.run('ghost', 'exit 0', { suspend: true })
    await operator.phase('ghost', 'Pending')
    const { documents } = operator.aws.clients()
    await documents.send(
      new UpdateCommand({
        TableName: 'jobs',
        Key: { jobId: 'ghost' },
        UpdateExpression: 'SET phase = :phase, backlogQueue = :queue, #rank = :rank',
        ExpressionAttributeNames: { '#rank': 'rank' },
        ExpressionAttributeValues: { ':phase': 'Cancelled', ':queue': 'default', ':rank': 1 },
      }),
    )
    await until(
      'the ghost to leave',
      async () => (await operator.record('ghost'))?.backlogQueue === undefined,
    )
  })

  test('an id that is none fails with the rule, once', async () => {
    await operator.put('two words', { spec: { params: { taskDefinition: 'shell' } } })
    const job = await operator.phase('two words', 'Failed')
    expect(job).toMatchObject({ reason: 'InvalidSpec', message: expect.stringMatching(/jobId: "two words"/) })
    await operator.controller.leader()?.scan()
    expect(await operator.record('two words')).toMatchObject({ uid: job.uid, revision: job.revision })
  })
})

test('a finished job whose record is damaged afterwards stays finished, and stands in attention', async () => {
  await operator.run('stained', 'exit 0')
  await operator.phase('stained', 'Succeeded')
  await operator.set('stained', 'history', 'what history')
  await operator.controller.leader()?.scan()
  const found = await until('the damage to be noticed', () =>
    operator.controller.status().attention.find(({ jobId }) => jobId === 'stained'),
  )
  expect(found.why).toMatch(/history: "what history"/)
  expect(await operator.record('stained')).toMatchObject({ phase: 'Succeeded', history: 'what history' })
})
