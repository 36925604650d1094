import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createPacer } from '../../controller/admit/pacer.ts'
import { accept } from '../../controller/intake/accept.ts'
import { type HandlerPorts, handleJobMessage, handleTaskEvent } from '../../controller/intake/handlers.ts'
import { headUpload, type S3 } from '../../controller/intake/heads.ts'
import { type Submitted, submit } from '../../controller/intake/records.ts'
import { hashSpec } from '../../controller/intake/resolve.ts'
import { type Upload, type UploadRules, uploadCommands } from '../../controller/intake/uploads.ts'
import { createMemory } from '../../controller/reconcile/memory.ts'
import type { JobStore } from '../../controller/store/jobs.ts'
import { readStored } from '../../controller/store/stored.ts'
import { type SweepPorts, scan } from '../../controller/sweep.ts'
import { formatFence, makeUid } from '../../schemas/ids.ts'
import type { TerminalPhase } from '../../schemas/job.ts'
import {
  acceptedMs,
  arn,
  fence,
  finished,
  jobId,
  minuteMs,
  running,
  started,
  starting,
  uid,
} from '../support/job.ts'
import { testPolicy } from '../support/policy.ts'
import { startTestTable, type TestTable } from '../support/table.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

// What messages make of the table: every request exactly one job, however often and in whatever order it comes.

let table: TestTable
beforeAll(async () => {
  table = await startTestTable()
})
afterAll(() => table.close())

const rules: UploadRules = { defaultKind: 'transcode' }
let film = 0
beforeEach(() => {
  film += 1
})

/** The upload of this test: its event carries a sequencer, its confirmation does not. */
const upload = (sequencer?: string): Upload => ({
  bucket: 'uploads',
  key: `film-${film}.mp4`,
  etag: 'e1',
  versionId: undefined,
  sequencer,
})
const commandOf = (of: Upload) => {
  const [command] = uploadCommands(of, rules)
  if (command.do !== 'submit') throw new Error(`${of.key} is no job`)
  return command
}
const comes = (of: Upload): Promise<Submitted> => submit(commandOf(of), table.jobs, acceptedMs)
const event = (sequencer = '0055'): Promise<Submitted> => comes(upload(sequencer))
const confirm = (): Promise<Submitted> => comes(upload())
const id = (): string => commandOf(upload()).jobId
const record = async () => (await table.read(id())) ?? {}

/** The job ran and ended: what the controller makes of the record, in one go. */
async function ends(phase: TerminalPhase): Promise<void> {
  const item = await record()
  const { change } = accept(item, undefined, { is: 'unknown' }, testPolicy(), acceptedMs, 'abcdefghijkl')
  const { backlogQueue: _queue, rank: _rank, ...set } = change.set
  const written = await table.jobs.update(
    id(),
    { set: { ...set, phase, finishedAt: new Date(acceptedMs).toISOString() }, remove: change.remove },
    { uid: item.uid, revision: item.revision },
  )
  expect(written).toBe(true)
}

describe('an upload and everything that may come of it', () => {
  test('a doubled event: one job', async () => {
    expect([await event(), await event()]).toEqual(['created', 'duplicate'])
    expect(await record()).toEqual({
      jobId: id(),
      kind: 'transcode',
      createdAt: new Date(acceptedMs).toISOString(),
      phase: 'Submitted',
      spec: { input: { bucket: 'uploads', key: `film-${film}.mp4`, etag: 'e1' } },
      sequencer: '0055',
    })
  })

  test('doubled at the very same time: one job', async () => {
    const results = await Promise.all([event(), event(), event(), event()])
    expect(results.sort()).toEqual(['created', 'duplicate', 'duplicate', 'duplicate'])
  })

  test('confirmed, then its event: one job, and the sequencer is known', async () => {
    expect([await confirm(), await event()]).toEqual(['created', 'duplicate'])
    expect(await record()).toMatchObject({ phase: 'Submitted', sequencer: '0055' })
  })

  test('its event, then confirmed: one job', async () => {
    expect([await event(), await confirm(), await confirm()]).toEqual(['created', 'duplicate', 'duplicate'])
    expect(await record()).toMatchObject({ sequencer: '0055' })
  })

  test.each(['Failed', 'Cancelled'] as const)(
    'the same bytes again after %s: a retry, once for each event',
    async (phase) => {
      await event('0055')
      await ends(phase)
      expect(await event('0056')).toBe('retried')
      const again = await record()
      expect(again).toMatchObject({ phase: 'Submitted', sequencer: '0056', generation: 1 })
      expect(readStored(again)).toMatchObject({ is: 'submitted', old: { uid: again.uid } })
      expect(await event('0056')).toBe('duplicate')
      await ends('Failed')
      expect(await event('0056')).toBe('duplicate')
      expect(await event('00561')).toBe('retried')
    },
  )

  test('several events of the same bytes after a failure, at the same time: one retry', async () => {
    await event('0055')
    await ends('Failed')
    const results = await Promise.all([event('0056'), event('0056'), event('0056')])
    expect(results.sort()).toEqual(['duplicate', 'duplicate', 'retried'])
  })

  test('the same bytes again after success: a counted duplicate', async () => {
    await event('0055')
    await ends('Succeeded')
    expect(await event('0056')).toBe('duplicate')
    expect(await record()).toMatchObject({ phase: 'Succeeded', sequencer: '0055' })
  })

  test('a late redelivery of the old event after a failure: no retry', async () => {
    await event('0055')
    await ends('Failed')
    expect(await event('0055')).toBe('duplicate')
    expect(await event('0054')).toBe('duplicate')
    expect(await record()).toMatchObject({ phase: 'Failed' })
  })

  test('confirmed, failed, and then its own event: no retry', async () => {
    await confirm()
    await ends('Failed')
    expect(await event('0055')).toBe('duplicate')
    expect(await event('0055')).toBe('duplicate')
    expect(await record()).toMatchObject({ phase: 'Failed', sequencer: '0055' })
    expect(await event('0056')).toBe('retried')
  })

  test('confirmed again after a failure: a confirmation is no new upload', async () => {
    await event('0055')
    await ends('Failed')
    expect(await confirm()).toBe('duplicate')
  })

  test('the same bytes again while it waits or runs: a duplicate', async () => {
    await event('0055')
    await table.set(id(), 'phase', 'Running')
    expect(await event('0056')).toBe('duplicate')
    expect(await record()).toMatchObject({ phase: 'Running' })
  })

  test('a retry takes an old cancel away', async () => {
    await event('0055')
    await table.set(id(), 'spec.cancel', true)
    await ends('Cancelled')
    await event('0056')
    expect((await record()).spec).not.toHaveProperty('cancel')
  })

  test('a redelivery after the job was reaped finds what is left of it', async () => {
    const tombstone = {
      jobId: id(),
      phase: 'Succeeded',
      uid: makeUid(id(), 'abcdefghijkl'),
      expiresAt: 1,
      sequencer: '0055',
    }
    await table.put(tombstone)
    expect([await event('0055'), await event('0056'), await confirm()]).toEqual([
      'duplicate',
      'duplicate',
      'duplicate',
    ])
    expect(await record()).toEqual(tombstone)
  })

  test('the same bytes again after a job failed and was reaped: the job is made anew', async () => {
    const tombstoneUid = makeUid(id(), 'abcdefghijkl')
    await table.put({ jobId: id(), phase: 'Failed', uid: tombstoneUid, expiresAt: 1, sequencer: '0055' })
    expect([await event('0055'), await event('0056'), await event('0056')]).toEqual([
      'duplicate',
      'retried',
      'duplicate',
    ])
    expect(await record()).toMatchObject({
      phase: 'Submitted',
      sequencer: '0056',
      spec: { input: { etag: 'e1' } },
    })
    expect(await record()).not.toHaveProperty('expiresAt')
  })

  test('other bytes under the same key: another job', async () => {
    await event()
    expect(await comes({ ...upload('0056'), etag: 'e2' })).toBe('created')
  })
})

describe('a job by request', () => {
  const request = (more: object = {}) => ({
    jobId: `asked-${film}`,
    kind: 'container',
    spec: { params: { taskDefinition: 'mine', environment: { A: '1', B: '2' } } } as unknown,
    sequencer: undefined,
    upload: false,
    ...more,
  })
  const asked = (more: object = {}) => submit(request(more), table.jobs, acceptedMs)

  test('asked for twice with the same body: one job', async () => {
    expect([await asked(), await asked()]).toEqual(['created', 'duplicate'])
  })

  test('the order of attributes makes no other body', async () => {
    await asked()
    const spec = { params: { environment: { B: '2', A: '1' }, taskDefinition: 'mine' } }
    expect(await asked({ spec })).toBe('duplicate')
  })

  test('the same id with another body, or another kind: a conflict, and the job is not touched', async () => {
    await asked()
    const before = await table.read(`asked-${film}`)
    expect(await asked({ spec: { params: { taskDefinition: 'other' } } })).toBe('conflict')
    expect(await asked({ kind: 'transcode' })).toBe('conflict')
    expect(await table.read(`asked-${film}`)).toEqual(before)
  })

  test('a redelivery after its user cancelled it is no conflict', async () => {
    await asked()
    await table.jobs.edit(`asked-${film}`, { wish: 'cancel' })
    expect(await asked()).toBe('duplicate')
  })

  test('a request never retries: that is asked for in another way', async () => {
    await asked()
    await table.set(`asked-${film}`, 'phase', 'Failed')
    expect(await asked()).toBe('duplicate')
    expect(await table.read(`asked-${film}`)).toMatchObject({ phase: 'Failed' })
  })

  /** Asked for, finished and reaped: what the daily scan leaves of it. */
  async function reaped(taken = `asked-${film}`): Promise<void> {
    await asked()
    await table.put({ ...finished(), ...(await table.read(taken)), ...lifeOf(taken), ...oldEnd })
    await scan(scanPorts(), new AbortController().signal)
  }
  const unused = (): never => {
    throw new Error('No scan asks for this')
  }
  const scanPorts = (): SweepPorts => ({
    jobs: table.jobs,
    runner: { runTask: unused, describe: unused, list: unused, stop: unused, template: unused },
    memory: createMemory(createVirtualClock(), minuteMs),
    pacers: {
      listTasks: createPacer(20, createVirtualClock()),
      describeTasks: createPacer(20, createVirtualClock()),
    },
    clock: { ...createVirtualClock(), sleep: async () => undefined },
    installation: 'test',
    costs: { begin: () => ({ show: () => undefined, end: () => undefined }) },
    wake: () => undefined,
    onError: unused,
  })
  const lifeOf = (taken: string) => ({ phase: 'Failed', uid: makeUid(taken, 'abcdefghijkl') })
  const oldEnd = { finishedAt: new Date(0).toISOString() }

  test('the id of a reaped job stays taken: the same body is a duplicate', async () => {
    await reaped()
    expect(await table.read(`asked-${film}`)).toEqual({
      jobId: `asked-${film}`,
      kind: 'container',
      ...lifeOf(`asked-${film}`),
      specHash: hashSpec(request().spec),
      expiresAt: expect.any(Number),
    })
    expect(await asked()).toBe('duplicateOfReaped')
  })

  test.each([
    ['another body', { spec: { params: { taskDefinition: 'other' } } }],
    ['another kind', { kind: 'transcode' }],
  ])(
    '%s under the id of a reaped job is a conflict, and what is left of it is not touched',
    async (_name, other) => {
      await reaped()
      const before = await table.read(`asked-${film}`)
      expect(await asked(other)).toBe('conflictWithReaped')
      expect(await table.read(`asked-${film}`)).toEqual(before)
    },
  )

  test('of a job that an older version has reaped nothing is left to compare', async () => {
    const taken = `asked-${film}`
    await table.put({ jobId: taken, ...lifeOf(taken), expiresAt: 1 })
    expect(await asked({ kind: 'transcode' })).toBe('duplicateOfReaped')
  })
})

type Counts = Record<string, number>
type UploadName = { bucket: string; key: string }

/** Handlers over the real table, and what they did besides. */
function handlers(jobs: JobStore = table.jobs) {
  const clock = createVirtualClock()
  const memory = createMemory(clock, 6 * minuteMs)
  const woken: string[] = []
  const counts: Counts = {}
  const ports: HandlerPorts = {
    jobs,
    memory,
    rules,
    installation: 'test',
    clock,
    headUpload: () => Promise.resolve({ metadata: {} }),
    wake: (woke) => woken.push(woke),
    count: (result) => {
      counts[result] = (counts[result] ?? 0) + 1
    },
  }
  return { ports, memory, woken, counts, clock }
}

describe('a message of the jobs queue', () => {
  const s3 = (keys: readonly string[], sequencer = '0055') =>
    JSON.stringify({
      Records: keys.map((key) => ({
        eventSource: 'aws:s3',
        eventName: 'ObjectCreated:Put',
        s3: { bucket: { name: 'uploads' }, object: { key, eTag: 'e1', sequencer } },
      })),
    })
  const idOf = (key: string) => commandOf({ ...upload(), key }).jobId
  const keys = () => [`a-${film}.mp4`, `notes-${film}.txt`, `b-${film}.mov`]

  test('with several records makes every job, wakes each and counts what was none', async () => {
    const { ports, woken, counts } = handlers()
    expect(await handleJobMessage({ Body: s3(keys()), MessageId: 'm' }, ports)).toEqual({ is: 'done' })
    const [a = '', , b = ''] = keys()
    expect(woken).toEqual([idOf(a), idOf(b)])
    expect(counts).toEqual({ created: 2, ignoredOtherSuffix: 1 })
  })

  test('redelivered makes nothing twice', async () => {
    const { ports, counts } = handlers()
    for (let delivery = 0; delivery < 3; delivery += 1)
      await handleJobMessage({ Body: s3(keys()), MessageId: 'm' }, ports)
    expect(counts).toEqual({ created: 2, duplicate: 4, ignoredOtherSuffix: 3 })
  })

  test('half done when the table fails: not done, and the next delivery does the rest', async () => {
    let calls = 0
    const shaky: JobStore = {
      ...table.jobs,
      create: (submission) => {
        calls += 1
        return calls === 2 ? Promise.reject(new Error('no answer')) : table.jobs.create(submission)
      },
    }
    const { ports, woken, counts } = handlers(shaky)
    const message = { Body: s3(keys()), MessageId: 'm' }
    await expect(handleJobMessage(message, ports)).rejects.toThrow('no answer')
    const [a = '', , b = ''] = keys()
    expect(await table.read(idOf(a))).toBeDefined()
    expect(await table.read(idOf(b))).toBeUndefined()
    expect(await handleJobMessage(message, ports)).toEqual({ is: 'done' })
    expect(await table.read(idOf(b))).toBeDefined()
    expect(counts).toMatchObject({ created: 2, duplicate: 1 })
    expect(woken).toEqual([idOf(a), idOf(a), idOf(b)])
  })

  test('whose write was applied although its answer was lost: the next delivery finds a duplicate', async () => {
    let isLost = true
    const shaky: JobStore = {
      ...table.jobs,
      async create(submission) {
        const created = await table.jobs.create(submission)
        if (!isLost) return created
        isLost = false
        throw new Error('timeout')
      },
    }
    const { ports, counts } = handlers(shaky)
    const message = { Body: s3([`lost-${film}.mp4`]), MessageId: 'm' }
    await expect(handleJobMessage(message, ports)).rejects.toThrow('timeout')
    expect(await handleJobMessage(message, ports)).toEqual({ is: 'done' })
    expect(counts).toEqual({ duplicate: 1 })
  })

  const refusedWith = (httpStatusCode: number): S3 => ({
    send: () => Promise.reject(Object.assign(new Error('refused'), { $metadata: { httpStatusCode } })),
  })

  test.each([400, 403, 429, 503])(
    'whose upload S3 does not show, for %i, is not done: the next delivery makes the job with its parameters',
    async (status) => {
      const { ports } = handlers()
      const key = `shy-${film}.mp4`
      const message = { Body: s3([key]), MessageId: 'm' }
      const refused = { ...ports, headUpload: (input: UploadName) => headUpload(refusedWith(status), input) }
      await expect(handleJobMessage(message, refused)).rejects.toThrow('refused')
      expect(await table.read(idOf(key))).toBeUndefined()
      const shown = { ...ports, headUpload: async () => ({ metadata: { 'job-preset': 'fast' } }) }
      expect(await handleJobMessage(message, shown)).toEqual({ is: 'done' })
      expect(await table.read(idOf(key))).toMatchObject({ spec: { params: { preset: 'fast' } } })
    },
  )

  test.each([
    [403, '4', 'rejected'],
    [403, '5', 'made'],
    [400, '5', 'made'],
    [503, '99', 'rejected'],
    [429, '99', 'rejected'],
  ])('whose upload S3 does not show, for %i, at its %s. delivery: %s', async (status, receives, outcome) => {
    const { ports } = handlers()
    const key = `hidden-${film}-${status}-${receives}.mp4`
    const message = { Body: s3([key]), MessageId: 'm', Attributes: { ApproximateReceiveCount: receives } }
    const refused = { ...ports, headUpload: (input: UploadName) => headUpload(refusedWith(status), input) }
    const handled = await handleJobMessage(message, refused).then(
      () => 'made',
      () => 'rejected',
    )
    expect([handled, (await table.read(idOf(key))) !== undefined]).toEqual([outcome, outcome === 'made'])
  })

  test('whose upload is gone by now makes the job, which says so', async () => {
    const { ports, counts } = handlers()
    const gone = { ...ports, headUpload: (input: UploadName) => headUpload(refusedWith(404), input) }
    await handleJobMessage({ Body: s3([`gone-${film}.mp4`]), MessageId: 'm' }, gone)
    expect(counts).toEqual({ created: 1 })
  })

  test('that is rubbish is put aside with its reason, and counted', async () => {
    const { ports, counts } = handlers()
    expect(await handleJobMessage({ Body: 'hello', MessageId: 'm' }, ports)).toEqual({
      is: 'rubbish',
      reason: expect.stringMatching(/^NotJson/),
    })
    expect(await handleJobMessage({}, ports)).toMatchObject({ is: 'rubbish' })
    expect(counts).toEqual({ rubbish: 2 })
  })

  test('for an id that is taken by another body is put aside, naming the job', async () => {
    const { ports } = handlers()
    const body = (priority: number) =>
      JSON.stringify({ jobId: `own-${film}`, kind: 'container', spec: { priority } })
    expect(await handleJobMessage({ Body: body(1), MessageId: 'm1' }, ports)).toEqual({ is: 'done' })
    expect(await handleJobMessage({ Body: body(2), MessageId: 'm2' }, ports)).toEqual({
      is: 'rubbish',
      reason: expect.stringContaining(`own-${film}`),
    })
  })

  test('for the id of a reaped job: the same is a duplicate, and anything else is put aside, naming the job', async () => {
    const { ports, counts } = handlers()
    const own = `reaped-${film}`
    const specHash = hashSpec({ priority: 1 })
    const uidOfIt = makeUid(own, 'abcdefghijkl')
    await table.put({ jobId: own, kind: 'container', phase: 'Failed', uid: uidOfIt, specHash, expiresAt: 1 })
    const body = (priority: number) => JSON.stringify({ jobId: own, kind: 'container', spec: { priority } })
    expect(await handleJobMessage({ Body: body(1), MessageId: 'm1' }, ports)).toEqual({ is: 'done' })
    expect(await handleJobMessage({ Body: body(2), MessageId: 'm2' }, ports)).toEqual({
      is: 'rubbish',
      reason: `IdConflict: there has been a job ${own}, removed since, and it asked for something else`,
    })
    expect(counts).toEqual({ duplicate: 1, rubbish: 1 })
  })

  test('the test event of S3 is done with', async () => {
    const { ports, counts } = handlers()
    expect(await handleJobMessage({ Body: '{"Event":"s3:TestEvent"}', MessageId: 'm' }, ports)).toEqual({
      is: 'done',
    })
    expect(counts).toEqual({ ignoredTestEvent: 1 })
  })
})

describe('a message of the task-events queue', () => {
  const taskEvent = (lastStatus: string, more: Record<string, unknown> = {}) => ({
    ReceiptHandle: `receipt-${lastStatus}`,
    MessageId: 'm',
    Body: JSON.stringify({
      'detail-type': 'ECS Task State Change',
      detail: {
        taskArn: arn,
        lastStatus,
        desiredStatus: lastStatus === 'STOPPED' ? 'STOPPED' : 'RUNNING',
        startedBy: `test/${jobId}/${fence}`,
        version: 3,
        stoppedAt: new Date(acceptedMs).toISOString(),
        stopCode: 'EssentialContainerExited',
        containers: [{ exitCode: 0 }],
        ...more,
      },
    }),
  })
  const otherFence = formatFence({ uid, attempt: 1, launch: 9 })

  test('a wake wakes', async () => {
    const { ports, woken } = handlers()
    expect(await handleTaskEvent({ Body: JSON.stringify({ jobId }) }, ports)).toEqual({ is: 'done' })
    expect(woken).toEqual([jobId])
  })

  test('of a task of somebody else is done with, and nothing is woken', async () => {
    const { ports, woken, counts } = handlers()
    expect(await handleTaskEvent(taskEvent('RUNNING', { startedBy: 'anna' }), ports)).toEqual({ is: 'done' })
    expect(woken).toEqual([])
    expect(counts).toEqual({ foreignTask: 1 })
  })

  test('RUNNING of the current launch wakes, and says nothing more', async () => {
    const { ports, memory, woken } = handlers()
    memory.track(started())
    expect(await handleTaskEvent(taskEvent('RUNNING'), ports)).toEqual({ is: 'done' })
    expect(woken).toEqual([jobId])
    expect(memory.seenOf(started(), { is: 'none' })).toMatchObject({ task: { is: 'unknown' }, strays: [] })
  })

  test("Spot's two-minute warning wakes the job, whose task still runs: it is no evidence of an end", async () => {
    const { ports, memory, woken } = handlers()
    memory.track(running())
    const warning = taskEvent('RUNNING', { stopCode: 'TerminationNotice', desiredStatus: 'STOPPED' })
    expect(await handleTaskEvent(warning, ports)).toEqual({ is: 'done' })
    expect(woken).toEqual([jobId])
    expect(memory.dropEvidence(arn)).toEqual([])
  })

  test('STOPPED of a launch that is not settled is kept as evidence, in memory and in the queue', async () => {
    const { ports, memory, woken } = handlers()
    memory.track(running())
    expect(await handleTaskEvent(taskEvent('STOPPED'), ports)).toEqual({ is: 'kept' })
    expect(woken).toEqual([jobId])
    // DescribeTasks has forgotten the task: the evidence stands in for it.
    memory.learn(jobId, arn, undefined)
    expect(memory.seenOf(running(), { is: 'none' }).task).toMatchObject({
      is: 'stopped',
      stop: { exitCode: 0 },
    })
    expect(memory.dropEvidence(arn)).toEqual(['receipt-STOPPED'])
  })

  test('STOPPED of an earlier launch is done with', async () => {
    const { ports, memory } = handlers()
    memory.track(running())
    expect(
      await handleTaskEvent(taskEvent('STOPPED', { startedBy: `test/${jobId}/${otherFence}` }), ports),
    ).toEqual({ is: 'done' })
  })

  test('RUNNING of an earlier launch is a stray', async () => {
    await table.put(running())
    const { ports, memory } = handlers()
    memory.track(running())
    await handleTaskEvent(
      taskEvent('RUNNING', { startedBy: `test/${jobId}/${otherFence}`, taskArn: 'arn:stray' }),
      ports,
    )
    expect(memory.straysOf(jobId).map((stray) => stray.arn)).toEqual(['arn:stray'])
  })

  test('RUNNING of a launch that only the record knows is none: another controller may have intended it', async () => {
    await table.put(starting())
    const { ports, memory } = handlers()
    await handleTaskEvent(taskEvent('PENDING'), ports)
    expect(memory.hasStray(jobId)).toBe(false)
  })

  test('RUNNING of a job whose record is gone is a stray', async () => {
    await table.remove(jobId)
    const { ports, memory } = handlers()
    await handleTaskEvent(taskEvent('RUNNING'), ports)
    expect(memory.hasStray(jobId)).toBe(true)
  })

  test('RUNNING of a finished job is a stray', async () => {
    await table.put(finished())
    const { ports, memory } = handlers()
    await handleTaskEvent(taskEvent('RUNNING'), ports)
    expect(memory.hasStray(jobId)).toBe(true)
  })
})
