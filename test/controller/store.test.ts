import { NumberValue } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPacer } from '../../controller/admit/pacer.ts'
import { type ActPorts, act, LostRace } from '../../controller/reconcile/act.ts'
import type { Action } from '../../controller/reconcile/decide.ts'
import { createMemory } from '../../controller/reconcile/memory.ts'
import { createEcsRunner } from '../../controller/run/ecs.ts'
import type { Submission } from '../../controller/store/jobs.ts'
import { type Item, readStored } from '../../controller/store/stored.ts'
import type { Job } from '../../schemas/job.ts'
import {
  acceptedMs,
  arn,
  at,
  claim,
  fence,
  finished,
  job,
  jobId,
  minuteMs,
  report,
  running,
  started,
  starting,
  stop,
  uid,
} from '../support/job.ts'
import { testLaunch } from '../support/launch.ts'
import { startTestTable, type TestTable } from '../support/table.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

// The store over the wire: what its conditions hold against, and what its reads promise.

let table: TestTable

beforeAll(async () => {
  table = await startTestTable()
})
afterAll(() => table.close())

let next = 0
const someId = (): string => `job-${++next}`
const submission = (id: string, more: Partial<Submission> = {}): Submission => ({
  jobId: id,
  kind: 'transcode',
  createdAt: at(0),
  phase: 'Submitted',
  spec: { input: { bucket: 'uploads', key: 'a.mp4' } },
  ...more,
})

describe('create', () => {
  test('makes a record once', async () => {
    const id = someId()
    expect(await table.jobs.create(submission(id))).toBe(true)
    expect(await table.jobs.create(submission(id, { kind: 'container' }))).toBe(false)
    expect(await table.jobs.get(id)).toEqual(submission(id))
  })

  test('of many at once, one makes it', async () => {
    const id = someId()
    const made = await Promise.all(Array.from({ length: 8 }, () => table.jobs.create(submission(id))))
    expect(made.filter(Boolean)).toHaveLength(1)
  })

  test('does not overwrite what is left of a reaped job', async () => {
    await table.put({ jobId: 'reaped', phase: 'Succeeded', uid, expiresAt: 1 })
    expect(await table.jobs.create(submission('reaped'))).toBe(false)
  })

  test('get of what is not there is undefined', async () => {
    expect(await table.jobs.get('nobody')).toBeUndefined()
  })
})

describe('update', () => {
  const change = { set: { phase: 'Running' as const, revision: 2 }, remove: ['message'] }

  test('sets and removes its attributes, and touches no others', async () => {
    const mine = { deep: [{ note: 'keep', empty: '', zero: 0, no: false, nothing: null }] }
    await table.put({ ...job({ message: 'old' }), mine, 'odd.name': 1 })
    expect(await table.jobs.update(jobId, change, { uid, revision: 1 })).toBe(true)
    const { message: _message, ...rest } = job({ message: 'old' })
    expect(await table.read(jobId)).toEqual({ ...rest, phase: 'Running', revision: 2, mine, 'odd.name': 1 })
  })

  test.each<[string, Item, Item]>([
    ['another uid', { uid: 'u' }, { uid }],
    ['no uid any more', { uid: undefined }, { uid }],
    ['a uid where none was', {}, { uid: undefined }],
    ['another revision', { revision: 2 }, { revision: 1 }],
    ['a revision where none was', {}, { revision: undefined }],
    ['another phase', { phase: 'Stopping' }, { phase: 'Pending' }],
    ['a claim where none was', { claim: claim() }, { 'claim.taskArn': undefined }],
    ['another claim', { claim: claim('arn:other') }, { 'claim.taskArn': arn }],
    ['no claim any more', {}, { 'claim.taskArn': arn }],
    ['a report where none was', { report: report() }, { 'report.fence': undefined }],
    [
      'another report',
      { report: report({ at: at(7) }) },
      { 'report.fence': fence, 'report.at': at(minuteMs) },
    ],
    ['a beat more', { progress: { beat: 8, at: at(0) } }, { 'progress.beat': 7 }],
    ['a fence where none was', { fence }, { fence: undefined }],
  ])('loses against %s, and changes nothing', async (_name, there, asRead) => {
    const item = { ...job(), ...there }
    await table.put(item)
    expect(await table.jobs.update(jobId, change, asRead)).toBe(false)
    expect(await table.read(jobId)).toEqual(
      Object.fromEntries(Object.entries(item).filter(([, value]) => value !== undefined)),
    )
  })

  test.each<[string, Item, Item]>([
    [
      'everything as it was',
      { claim: claim(), report: report() },
      { uid, revision: 1, phase: 'Pending', 'claim.taskArn': arn, 'report.fence': fence },
    ],
    [
      'absence as it was',
      {},
      { fence: undefined, 'claim.taskArn': undefined, 'report.fence': undefined, 'progress.beat': undefined },
    ],
    ['a heartbeat that nobody asked about', { progress: { beat: 9, at: at(0) } }, { uid, revision: 1 }],
  ])('wins with %s', async (_name, there, asRead) => {
    await table.put({ ...job(), ...there })
    expect(await table.jobs.update(jobId, change, asRead)).toBe(true)
  })

  test('of a record that was deleted loses, and does not make a new one', async () => {
    expect(await table.jobs.update('gone', change, { uid, revision: 1 })).toBe(false)
    expect(await table.read('gone')).toBeUndefined()
  })

  test('of several with the same revision, one wins', async () => {
    await table.put(job())
    const won = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        table.jobs.update(
          jobId,
          { set: { reason: `R${index}`, revision: 2 }, remove: [] },
          { uid, revision: 1 },
        ),
      ),
    )
    expect(won.filter(Boolean)).toHaveLength(1)
  })

  test('numbers that JavaScript cannot hold are given back as they were', async () => {
    const id = someId()
    await table.put({ ...job(), jobId: id })
    await table.set(id, 'spec.huge', NumberValue.from('12345678901234567890123'))
    const item = await table.jobs.get(id)
    expect(await table.jobs.update(id, change, { uid, revision: 1 })).toBe(true)
    expect(item).toMatchObject({ spec: { huge: { value: '12345678901234567890123' } } })
  })
})

describe('the steps of the controller hold only on what they were decided on', () => {
  const clock = createVirtualClock()
  const nothing = () => {}
  const portsOf = (): ActPorts => ({
    jobs: table.jobs,
    runner: createEcsRunner(
      { send: () => Promise.reject(new Error('Nobody is asked here')) },
      'jobs',
      clock.nowMs,
    ),
    memory: createMemory(clock, 360_000),
    pacers: { runTask: createPacer(20, clock), stopTask: createPacer(20, clock) },
    clock,
    launch: testLaunch,
    wantListPass: nothing,
    onAnswer: nothing,
    onLaunch: nothing,
    deleteSource: () => Promise.resolve('deleted'),
    onMoved: nothing,
    onSettled: nothing,
  })

  /** Reads the record, lets somebody else write, and then takes the step. */
  async function race(before: Job, action: Action, meanwhile: () => Promise<void>): Promise<'won' | 'lost'> {
    await table.put(before)
    const item = (await table.jobs.get(before.jobId)) ?? {}
    const stored = readStored(item)
    if (stored.is !== 'accepted') throw new Error(`The record is ${stored.is}`)
    await meanwhile()
    try {
      await act(stored.job, item, action, { is: 'none' }, portsOf())
      return 'won'
    } catch (error) {
      if (error instanceof LostRace) return 'lost'
      throw error
    }
  }

  const settleLost: Action = { do: 'settle', reason: 'Lost', stop: undefined }
  const settleStopped: Action = { do: 'settle', reason: 'Stopped', stop: stop() }
  const release: Action = { do: 'release', reason: 'Capacity', notBeforeMs: acceptedMs }
  const stopIntent: Action = { do: 'stopIntent', reason: 'Cancel' }
  const toRunning: Action = { do: 'running', reason: 'TaskRunning' }
  const recordArn: Action = { do: 'recordArn', reason: 'Adopted', arn }
  const cancelled: Action = { do: 'finish', reason: 'Cancelled', phase: 'Cancelled' }
  const quiet = async () => {}
  const claims = () => table.set(jobId, 'claim', claim())
  const reports = () => table.set(jobId, 'report', report())
  const beats = () => table.set(jobId, 'progress', { beat: 8, at: at(minuteMs) })
  const beating = running({ progress: { beat: 7, at: at(0) } })

  test.each<[string, Job, Action, () => Promise<void>, 'won' | 'lost']>([
    ['settle of a stopped task, nobody else', running(), settleStopped, quiet, 'won'],
    ['settle of a stopped task against a claim', started(), settleStopped, claims, 'lost'],
    ['settle of a stopped task against a report', running(), settleStopped, reports, 'lost'],
    ['settle of a stopped task against a heartbeat', beating, settleStopped, beats, 'won'],
    ['settle of a lost task against a heartbeat', beating, settleLost, beats, 'lost'],
    ['settle of a lost task against a report', running(), settleLost, reports, 'lost'],
    ['settle of a lost launch against a claim', starting(), settleLost, claims, 'lost'],
    ['giving a slot back, nobody else', starting(), release, quiet, 'won'],
    ['giving a slot back against a claim', starting(), release, claims, 'lost'],
    [
      'the stop intent against a claim: the task is to be stopped, whoever claimed',
      started(),
      stopIntent,
      claims,
      'won',
    ],
    ['Running against a claim', started(), toRunning, claims, 'won'],
    ['the ARN against a claim', starting(), recordArn, claims, 'won'],
    ['the ARN against a new phase', starting(), recordArn, () => table.set(jobId, 'phase', 'Failed'), 'lost'],
    ['cancelled against another controller', job(), cancelled, () => table.set(jobId, 'revision', 2), 'lost'],
    [
      'cancelled against an edit of its user: noticed at the next look',
      job(),
      cancelled,
      () => table.set(jobId, 'spec.priority', 3),
      'won',
    ],
  ])('%s', async (_name, before, action, meanwhile, want) => {
    expect(await race(before, action, meanwhile)).toBe(want)
  })

  const all: [string, Job, Action][] = [
    ['settle', running(), settleStopped],
    ['release', starting(), release],
    ['stopIntent', started(), stopIntent],
    ['running', started(), toRunning],
    ['recordArn', starting(), recordArn],
    ['finish', job(), cancelled],
    ['heal', running(), { do: 'heal', reason: 'PhaseEdited', phase: 'Starting' }],
    ['leaveLine', job(), { do: 'leaveLine', reason: 'Suspended' }],
    ['enterLine', job(), { do: 'enterLine', reason: 'Queued', line: 'default', rank: 1 }],
  ]
  test.each(all)(
    '%s loses against a record that was put in its place, and leaves that as it is',
    async (_name, before, action) => {
      const other = submission(jobId)
      expect(await race(before, action, () => table.put(other))).toBe('lost')
      expect(await table.read(jobId)).toEqual(other)
    },
  )

  test.each(all)('%s loses against an older copy of the record', async (_name, before, action) => {
    const older = { ...before, revision: 0 }
    expect(await race(before, action, () => table.put(older))).toBe('lost')
    expect(await table.read(jobId)).toMatchObject({ revision: 0 })
  })

  test.each(all)('%s of a record that was deleted makes no new one', async (_name, before, action) => {
    expect(await race(before, action, () => table.remove(jobId))).toBe('lost')
    expect(await table.read(jobId)).toBeUndefined()
  })

  test.each(all)(
    '%s makes the revision grow, and leaves what is the user’s',
    async (_name, before, action) => {
      await race({ ...before, spec: { mine: 1 } }, action, quiet)
      expect(await table.read(jobId)).toMatchObject({ revision: 2, spec: { mine: 1 }, uid })
    },
  )
})

describe('what users may change', () => {
  test('cancel and suspend are noted in the spec, and the revision grows', async () => {
    await table.put(running())
    expect(await table.jobs.edit(jobId, { wish: 'cancel' })).toBe(true)
    expect(await table.jobs.edit(jobId, { wish: 'suspend' })).toBe(true)
    expect(await table.read(jobId)).toMatchObject({ spec: { cancel: true, suspend: true }, revision: 3 })
  })

  test('resume takes suspend away, and only that', async () => {
    await table.put(running({ spec: { suspend: true, cancel: true, priority: 3 } }))
    expect(await table.jobs.edit(jobId, { wish: 'resume' })).toBe(true)
    expect((await table.read(jobId))?.spec).toEqual({ cancel: true, priority: 3 })
  })

  test('a retry writes Submitted over the phase that was seen, and takes cancel away', async () => {
    await table.put(finished('Cancelled', { spec: { cancel: true, priority: 1 } }))
    expect(await table.jobs.edit(jobId, { wish: 'retry', phase: 'Cancelled', sequencer: '0056' })).toBe(true)
    expect(await table.read(jobId)).toMatchObject({
      phase: 'Submitted',
      spec: { priority: 1 },
      sequencer: '0056',
      revision: 2,
      uid,
    })
  })

  test('a retry loses when the job is not in that phase any more', async () => {
    await table.put(finished('Failed'))
    expect(await table.jobs.edit(jobId, { wish: 'retry', phase: 'Cancelled' })).toBe(false)
    expect(await table.jobs.edit(jobId, { wish: 'retry', phase: 'Failed' })).toBe(true)
    expect(await table.jobs.edit(jobId, { wish: 'retry', phase: 'Failed' })).toBe(false)
  })

  test('a record that nobody accepted yet can be cancelled, too', async () => {
    const id = someId()
    await table.jobs.create(submission(id))
    expect(await table.jobs.edit(id, { wish: 'cancel' })).toBe(true)
    expect(await table.read(id)).toMatchObject({ spec: { cancel: true }, revision: 1 })
  })

  test.each([
    { wish: 'cancel' },
    { wish: 'suspend' },
    { wish: 'resume' },
    { wish: 'retry', phase: 'Failed' },
  ] as const)(
    '$wish of what is not there, or of what is left of a reaped job, is refused and makes nothing',
    async (edit) => {
      expect(await table.jobs.edit('nobody', edit)).toBe(false)
      expect(await table.read('nobody')).toBeUndefined()
      const tombstone = { jobId: 'tombstone', phase: 'Failed', uid, expiresAt: 1 }
      await table.put(tombstone)
      expect(await table.jobs.edit('tombstone', edit)).toBe(false)
      expect(await table.read('tombstone')).toEqual(tombstone)
    },
  )

  test('the first sequencer is noted, a second one is not', async () => {
    await table.put(running())
    expect(await table.jobs.noteSequencer(jobId, '0055')).toBe(true)
    expect(await table.jobs.noteSequencer(jobId, '0056')).toBe(false)
    expect(await table.read(jobId)).toMatchObject({ sequencer: '0055' })
    expect(await table.jobs.noteSequencer('nobody', '0055')).toBe(false)
  })
})

describe('lines and phases', () => {
  let other: TestTable

  beforeAll(async () => {
    other = await startTestTable()
    const waits = (id: string, backlogQueue: string, rank: number, createdMs = 0) =>
      other.put({ ...job({ backlogQueue, rank, createdAt: at(createdMs) }), jobId: id })
    await waits('third', 'default', 30, 3)
    await waits('first', 'default', -10, 2)
    await waits('second', 'default', 20, 1)
    await waits('batch', 'batch', 1, 4)
    await waits('due', '~due', acceptedMs, 5)
    await waits('overdue', '~due', acceptedMs - 1000, 6)
    await waits('later', '~due', acceptedMs + 1, 7)
    const { backlogQueue: _queue, rank: _rank, ...suspended } = job({ createdAt: at(8) })
    await other.put({ ...suspended, jobId: 'suspended' })
    await other.put({ ...running(), jobId: 'running' })
    await other.put({ jobId: 'bare', kind: 'transcode' })
    await other.put({ jobId: 'buried', phase: 'Succeeded', uid, expiresAt: 1 })
  })
  afterAll(() => other.close())

  const idsOf = (list: readonly { jobId: string }[]) => list.map((entry) => entry.jobId)

  test('a line: lowest rank first, its own queue only, as many as asked for', async () => {
    expect(await other.jobs.line('default', 10)).toEqual([
      { jobId: 'first', queue: 'default', rank: -10 },
      { jobId: 'second', queue: 'default', rank: 20 },
      { jobId: 'third', queue: 'default', rank: 30 },
    ])
    expect(idsOf(await other.jobs.line('default', 2))).toEqual(['first', 'second'])
    expect(idsOf(await other.jobs.line('batch', 10))).toEqual(['batch'])
    expect(await other.jobs.line('nobody', 10)).toEqual([])
  })

  test('what is due: up to now, inclusive, the longest overdue first', async () => {
    expect(idsOf(await other.jobs.due(acceptedMs, 10))).toEqual(['overdue', 'due'])
    expect(idsOf(await other.jobs.due(acceptedMs - 1, 10))).toEqual(['overdue'])
    expect(idsOf(await other.jobs.due(acceptedMs + 1, 10))).toEqual(['overdue', 'due', 'later'])
    expect(idsOf(await other.jobs.due(acceptedMs + 1, 1))).toEqual(['overdue'])
  })

  test('a phase, oldest first or newest first, page by page', async () => {
    const first = await other.jobs.inPhase('Pending', { limit: 3 })
    expect(first.ids).toEqual(['second', 'first', 'third'])
    const second = await other.jobs.inPhase('Pending', { limit: 100, from: first.next })
    expect(second.ids).toEqual(['batch', 'due', 'overdue', 'later', 'suspended'])
    expect(second.next).toBeUndefined()
    const newest = await other.jobs.inPhase('Pending', { limit: 2, newestFirst: true })
    expect(newest.ids).toEqual(['suspended', 'later'])
  })

  test('what has no createdAt stands in no phase: only the scan finds it', async () => {
    expect((await other.jobs.inPhase('Succeeded', { limit: 10 })).ids).toEqual([])
    const found: string[] = []
    let from: Item | undefined
    do {
      const page = await other.jobs.scan(from, 3)
      found.push(...page.items.map((item) => String(item.jobId)))
      from = page.next
    } while (from)
    expect(found).toHaveLength(11)
    expect(new Set(found)).toEqual(
      new Set([
        'bare',
        'batch',
        'buried',
        'due',
        'first',
        'later',
        'overdue',
        'running',
        'second',
        'suspended',
        'third',
      ]),
    )
  })

  test('how many are in a phase', async () => {
    expect(
      await Promise.all(
        (['Pending', 'Running', 'Failed'] as const).map((phase) => other.jobs.countPhase(phase)),
      ),
    ).toEqual([8, 1, 0])
  })

  test('a job that leaves its line is in it no longer; one that enters another is there', async () => {
    await other.jobs.update(
      'third',
      { set: { revision: 2 }, remove: ['backlogQueue', 'rank'] },
      { uid, revision: 1 },
    )
    expect(idsOf(await other.jobs.line('default', 10))).toEqual(['first', 'second'])
    await other.jobs.update(
      'third',
      { set: { revision: 3, backlogQueue: 'batch', rank: 0 }, remove: [] },
      { uid, revision: 2 },
    )
    expect(idsOf(await other.jobs.line('batch', 10))).toEqual(['third', 'batch'])
  })
})
