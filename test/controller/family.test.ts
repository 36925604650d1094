import { beforeEach, describe, expect, test } from 'vitest'
import { createPacer } from '../../controller/admit/pacer.ts'
import { decide } from '../../controller/reconcile/decide.ts'
import { childSeen, lookAtParent, parentSeen, stepPipeline } from '../../controller/reconcile/family.ts'
import { createMemory, type Memory } from '../../controller/reconcile/memory.ts'
import type { PipelineAction } from '../../controller/reconcile/pipeline.ts'
import { type ReconcilePorts, reconcile } from '../../controller/reconcile/reconcile.ts'
import type { ParentSeen, SpecEdit } from '../../controller/reconcile/seen.ts'
import { lookAt, type TaskLook } from '../../controller/run/answers.ts'
import { createJobStore, type Dynamo } from '../../controller/store/jobs.ts'
import type { SourceEnd } from '../../controller/store/objects.ts'
import { type Item, readStored } from '../../controller/store/stored.ts'
import { scan } from '../../controller/sweep.ts'
import { makeUid } from '../../schemas/ids.ts'
import { isTerminal, type Job, type Phase } from '../../schemas/job.ts'
import type { Pipeline } from '../../schemas/pipeline.ts'
import { createDynamoModel } from '../sim/aws/dynamo.ts'
import type { DynamoModel } from '../sim/aws/ports.ts'
import {
  acceptedMs,
  arn,
  at,
  finished,
  hourMs,
  job,
  jobId,
  live,
  minuteMs,
  pending,
  running,
  seen,
  settings,
  starting,
  uid,
} from '../support/job.ts'
import { testLaunch } from '../support/launch.ts'
import { accepted, childId, failed, first, plan, step, succeeded, underWay } from '../support/pipeline.ts'
import { testPolicy } from '../support/policy.ts'
import { createRandom } from '../support/random.ts'
import { createVirtualClock, type VirtualClock } from '../support/virtual-clock.ts'

// Parents and children over a table: what each sees of the other, and what comes of it when processes end in between, or
// users do what they like.

const table = 'jobs'
const dayMs = 24 * hourMs
let clock: VirtualClock
let dynamo: DynamoModel
let memory: Memory
let ports: ReconcilePorts
let actions: PipelineAction[]
let woken: string[]
let deleted: string[]
let puts: string[]
let stopped: string[]
let settled: [string, Phase][]
/** What goes wrong right after the next put, or before the next deletion. */
let afterPut: (() => void) | undefined
let beforeDelete: (() => void) | undefined
let sourceEnd: SourceEnd

const unused = (): never => {
  throw new Error('not part of this test')
}
const nobody = (): void => undefined

beforeEach(() => {
  clock = createVirtualClock()
  dynamo = createDynamoModel(
    { time: clock, random: createRandom(1) },
    { indexLagMs: () => 0, readLagMs: () => 0 },
  )
  actions = []
  woken = []
  deleted = []
  puts = []
  stopped = []
  settled = []
  afterPut = undefined
  beforeDelete = undefined
  sourceEnd = 'deleted'
  newLeader()
})

/** Another process: it knows what stands in the table, and nothing else. */
function newLeader(): void {
  memory = createMemory(clock, testPolicy().visibilityGraceMs)
  const store = createJobStore(
    { send: async (command: { input: object }) => dynamo.execute(command) } as unknown as Dynamo,
    table,
  )
  ports = {
    jobs: {
      ...store,
      async create(submission) {
        const isNew = await store.create(submission)
        if (isNew) puts.push(submission.jobId)
        const trouble = afterPut
        afterPut = undefined
        trouble?.()
        return isNew
      },
    },
    runner: {
      runTask: unused,
      describe: unused,
      list: unused,
      template: unused,
      async stop(task) {
        stopped.push(task)
      },
    },
    memory,
    observer: { look: async () => undefined, poll: unused },
    policy: testPolicy(),
    clock,
    pacers: { runTask: createPacer(20, clock), stopTask: createPacer(20, clock) },
    launch: testLaunch,
    randomId: () => 'zyxwvutsrqpo',
    headInput: async () => ({ is: 'unknown' }),
    resyncMs: minuteMs,
    wake: (id) => woken.push(id),
    deleteSource: async ({ key, etag }) => {
      beforeDelete?.()
      deleted.push(`${key} ${etag}`)
      return sourceEnd
    },
    async deleteOutputs(keys) {
      beforeDelete?.()
      deleted.push(...keys)
    },
    outputsBucket: 'outputs',
    wantListPass: nobody,
    onStep: nobody,
    onAccepted: nobody,
    onMoved: nobody,
    onSettled: ({ jobId: id }, _arn, phase) => settled.push([id, phase]),
    onLaunch: nobody,
    onAnswer: nobody,
  }
}

const item = (id = jobId): Item => dynamo.item(table, id) ?? {}
const parent = (): Job => {
  const stored = readStored(item())
  if (stored.is !== 'accepted') throw new Error(JSON.stringify(stored))
  return stored.job
}
const put = (record: object): void => dynamo.put(table, record as Item)
const edit = (id: string, more: object): void => put({ ...item(id), ...more })
/** One look of the leader at the parent, and its step. */
async function look(of: Pipeline = plan, specEdit: SpecEdit = { is: 'none' }): Promise<PipelineAction> {
  const onStep = (_id: string, _fence: undefined, action: PipelineAction) => actions.push(action)
  await stepPipeline(parent(), item(), of, specEdit, { ...ports, onStep })
  const action = actions.at(-1)
  if (!action) throw new Error('no step')
  return action
}

/** Looks until there is nothing more to do by itself. Returns what was done. */
async function run(of: Pipeline = plan): Promise<string[]> {
  const done: string[] = []
  for (let looks = 0; looks < 50; looks += 1) {
    const action = await look(of)
    if (action.do === 'wait' || action.do === 'nothing') return [...done, action.reason]
    done.push(action.do === 'putChild' ? `put ${action.child.jobId}` : action.do)
  }
  throw new Error(`It never waits: ${done.join(', ')}`)
}

const parentRef = `${jobId}/${uid}`
/** The record of a child as the controller has made it. */
const childRecord = (id: string, base: Job, more: Partial<Job> = {}): Item => ({
  ...base,
  jobId: id,
  kind: 'container',
  uid: makeUid(id, 'abcdefghijkl'),
  spec: { parent: parentRef },
  settings: settings({ kind: 'container', params: { taskDefinition: 'shell' }, parent: parentRef }),
  ...more,
})
const becomes = (id: string, phase: Phase, more: Partial<Job> = {}): void =>
  put(
    childRecord(id, isTerminal(phase) ? finished(phase) : phase === 'Pending' ? pending() : running(), more),
  )
const succeeds = (id: string, result: Record<string, unknown> = {}): void =>
  becomes(id, 'Succeeded', { result })

/** The parent has put its one child. */
async function firstIsPut(): Promise<string> {
  put(accepted())
  await run()
  const id = childId('first')
  becomes(id, 'Running')
  return id
}

describe('a pipeline from its first step to its end', () => {
  test('children in their order, results from step to step, what was temporary is gone', async () => {
    put(accepted())
    expect(await run()).toEqual([
      'beginStep',
      `put ${childId('first')}`,
      'noteChildren',
      'WaitingForChildren',
    ])
    expect(parent()).toMatchObject({ phase: 'Running', reason: 'WaitingForChildren' })
    succeeds(childId('first'), { n: 1 })
    expect(await run()).toEqual([
      'noteChildren',
      'beginStep',
      `put ${childId('many', 0)}`,
      'noteChildren',
      `put ${childId('many', 1)}`,
      'noteChildren',
      'WaitingForChildren',
    ])
    const { params } = item(childId('many', 1)).spec as { params: { environment: { PARAMS: string } } }
    expect(JSON.parse(params.environment.PARAMS)).toEqual({ index: 1, of: { n: 1 } })
    becomes(childId('many', 0), 'Failed', { reason: 'OutOfLuck' })
    expect(await run()).toEqual([
      'noteChildren',
      `put ${childId('many', 2)}`,
      'noteChildren',
      'WaitingForChildren',
    ])
    succeeds(childId('many', 1))
    succeeds(childId('many', 2))
    expect(await run()).toEqual([
      'noteChildren',
      'beginStep',
      `put ${childId('last')}`,
      'noteChildren',
      'WaitingForChildren',
    ])
    expect(deleted).toEqual([])
    succeeds(childId('last'), { answer: 42 })
    expect(await run()).toEqual(['noteChildren', 'finish', 'Finished'])
    expect(parent()).toMatchObject({
      phase: 'Succeeded',
      reason: 'Done',
      result: { answer: 42 },
      finishedAt: at(0),
    })
    expect(deleted).toEqual([`work/${jobId}/${uid}/audio.flac`])
    expect(settled).toEqual([[jobId, 'Succeeded']])
    expect(puts).toHaveLength(5)
  })

  test('its history tells the steps', async () => {
    put(accepted())
    await run()
    succeeds(childId('first'))
    await run()
    expect(parent().history.map(({ reason }) => reason)).toEqual(['Queued', 'Step-first', 'Step-many'])
  })

  test('it stands in no line and takes no slot', async () => {
    put(accepted({ backlogQueue: 'default', rank: 7, spec: { suspend: true } }))
    memory.grant(jobId, { queue: 'default', vcpu: 1 })
    await run()
    expect(memory.usage().running).toBe(0)
    edit(jobId, { spec: {} })
    await run()
    expect(parent()).not.toHaveProperty('backlogQueue')
  })

  test('nobody tells it: it is looked at again after a while, and no later than its deadline', async () => {
    const id = await firstIsPut()
    const next = () => stepPipeline(parent(), item(), plan, { is: 'none' }, ports)
    expect(await next()).toEqual({ lookAgainMs: minuteMs })
    edit(jobId, { settings: settings({ kind: 'subtitles', limits: { deadline: 30 } }) })
    expect(await next()).toEqual({ lookAgainMs: 30_000 })
    await clock.pass(30_000)
    expect((await look()).reason).toBe('DeadlineExceeded')
    expect(parent()).toMatchObject({ phase: 'Stopping', reason: 'DeadlineExceeded' })
    becomes(id, 'Cancelled')
    await run()
    expect(parent()).toMatchObject({ phase: 'Failed', reason: 'DeadlineExceeded' })
  })

  test('an edit before its first step counts', async () => {
    put(accepted({ spec: { suspend: true } }))
    const edited = settings({ kind: 'subtitles', priority: 7 })
    await look(plan, { is: 'valid', settings: edited, specHash: 'edited' })
    expect(parent()).toMatchObject({ settings: { priority: 7 }, specHash: 'edited', phase: 'Pending' })
  })
})

describe('processes end in between', () => {
  test.each([0, 1, 2, 3, 4, 5, 6])(
    'after %i looks another leader goes on: every child is put once',
    async (looks) => {
      put(accepted())
      for (let count = 0; count < looks; count += 1) {
        await look()
        newLeader()
        const id = puts.at(-1)
        if (id) succeeds(id)
      }
      await run()
      expect(puts).toEqual([...new Set(puts)])
      expect(puts[0]).toBe(childId('first'))
    },
  )

  test('between the put and its answer: the child is found, and not put again', async () => {
    put(accepted())
    await look()
    afterPut = () => {
      throw new Error('The connection is gone')
    }
    await expect(look()).rejects.toThrow('The connection is gone')
    newLeader()
    expect(await run()).toEqual(['noteChildren', 'WaitingForChildren'])
    expect(puts).toEqual([childId('first')])
  })

  test('the child ends before its parent has noted that it was put', async () => {
    put(accepted())
    await look()
    await look()
    succeeds(childId('first'), { n: 1 })
    expect((await run()).slice(0, 2)).toEqual(['noteChildren', 'beginStep'])
    expect(parent().pipeline?.steps[0]?.children[0]).toMatchObject({ state: 'succeeded', result: { n: 1 } })
  })

  test('two leaders look at once: one of them loses', async () => {
    put(accepted())
    const [job, read] = [parent(), item()]
    await stepPipeline(job, read, plan, { is: 'none' }, ports)
    await expect(stepPipeline(job, read, plan, { is: 'none' }, ports)).rejects.toThrow(
      expect.objectContaining({ name: 'LostRace' }),
    )
  })

  test('a leader of yesterday puts a child that its parent no longer wants: the child ends itself', async () => {
    put(accepted())
    await look()
    const [job, read] = [parent(), item()]
    edit(jobId, { spec: { cancel: true } })
    await run()
    expect(parent()).toMatchObject({ phase: 'Cancelled' })
    await stepPipeline(job, read, plan, { is: 'none' }, ports)
    const id = childId('first')
    await reconcile(id, ports)
    await reconcile(id, ports)
    expect(item(id)).toMatchObject({ phase: 'Cancelled', reason: 'ParentEnded' })
  })

  test('before what was temporary is gone: it is deleted again, and only then the end is written', async () => {
    put(underWay([first, step('many', [succeeded(), succeeded(), succeeded()]), step('last', [succeeded()])]))
    beforeDelete = () => {
      throw new Error('S3 is slow')
    }
    await expect(look()).rejects.toThrow('S3 is slow')
    expect(parent().phase).toBe('Running')
    beforeDelete = undefined
    expect(await run()).toEqual(['finish', 'Finished'])
    expect(deleted).toHaveLength(1)
  })
})

describe('users do what they like', () => {
  test('delete a child: the pipeline fails', async () => {
    const id = await firstIsPut()
    dynamo.delete(table, id)
    expect(await run()).toEqual(['noteChildren', 'finish', 'Finished'])
    expect(parent()).toMatchObject({ phase: 'Failed', reason: 'ChildMissing' })
    expect(parent().message).toContain(id)
  })

  test('have a job under the id of a child: it is left alone, and the pipeline fails', async () => {
    const id = childId('first')
    put({ ...job(), jobId: id, uid: makeUid(id, 'abcdefghijkl') })
    put(accepted())
    const before = item(id)
    expect(await run()).toEqual(['beginStep', 'noteChildren', 'finish', 'Finished'])
    expect(parent()).toMatchObject({ phase: 'Failed', reason: 'ChildTaken' })
    expect(item(id)).toEqual(before)
  })

  test('put their own record over the parent: its children end, and it begins anew', async () => {
    const id = await firstIsPut()
    put({
      jobId,
      kind: 'subtitles',
      phase: 'Submitted',
      createdAt: at(0),
      spec: { input: { bucket: 'uploads', key: 'a.mp4', etag: 'e' } },
    })
    await reconcile(jobId, ports)
    expect(item().uid).not.toBe(uid)
    await reconcile(jobId, ports)
    const { children } = parent().pipeline?.steps[0] ?? { children: [] }
    expect(children).toHaveLength(1)
    expect(children[0]?.jobId).not.toBe(id)
    expect(await wishesOfParent(id)).toEqual({ is: 'ended' })
  })

  test.each<Phase>(['Succeeded', 'Failed', 'Cancelled', 'Pending', 'Submitted', 'Starting', 'Stopping'])(
    'write %s over the phase while a child lives: it is put back, and the child goes on',
    async (phase) => {
      const id = await firstIsPut()
      edit(jobId, { phase })
      expect(await wishesOfParent(id)).toEqual({ is: 'alive', cancel: false, suspend: false })
      expect((await run())[0]).toBe('heal')
      expect(parent()).toMatchObject({ phase: 'Running' })
      succeeds(id)
      expect(await run()).toContain(`put ${childId('many')}`)
    },
  )

  test('write over the phase of one that stops: the intent stands', async () => {
    const id = await firstIsPut()
    edit(jobId, { spec: { cancel: true } })
    await run()
    edit(jobId, { phase: 'Running', spec: {} })
    expect(await run()).toEqual(['heal', 'ChildrenStopping'])
    becomes(id, 'Cancelled')
    await run()
    expect(parent()).toMatchObject({ phase: 'Cancelled' })
  })

  test('cancel a child: the pipeline fails, and says so', async () => {
    const id = await firstIsPut()
    becomes(id, 'Cancelled')
    await run()
    expect(parent()).toMatchObject({ phase: 'Failed', reason: 'ChildCancelled' })
  })

  test('retry a child that had failed, before its parent has seen that: it is awaited', async () => {
    const id = await firstIsPut()
    put({ ...childRecord(id, finished('Failed')), phase: 'Submitted' })
    expect(await run()).toEqual(['WaitingForChildren'])
  })

  test('damage the record of a child: that fails by itself, and the pipeline with it', async () => {
    const id = await firstIsPut()
    edit(id, { attempts: 'gone', fence: undefined, taskArn: undefined })
    expect(await run()).toEqual(['WaitingForChildren'])
    await reconcile(id, ports)
    expect(item(id)).toMatchObject({ phase: 'Failed', reason: 'BrokenRecord' })
    expect(woken).toContain(jobId)
    await run()
    expect(parent()).toMatchObject({ phase: 'Failed', reason: 'BrokenRecord' })
  })
})

const wishesOfParent = (id: string): Promise<ParentSeen> =>
  lookAtParent(childRecord(id, running()) as Job, ports.jobs)

describe('the wishes for a pipeline are wishes for its children', () => {
  async function twoLive(): Promise<[string, string]> {
    put(underWay([first, step('many', [{}, {}, {}])]))
    await run()
    const ids: [string, string] = [childId('many', 0), childId('many', 1)]
    for (const id of ids) becomes(id, 'Running')
    await run()
    woken = []
    return ids
  }

  test('cancel: the children are told once, awaited, and no other is put', async () => {
    const ids = await twoLive()
    edit(jobId, { spec: { cancel: true } })
    expect(await run()).toEqual(['stopIntent', 'ChildrenStopping'])
    expect(parent()).toMatchObject({
      phase: 'Stopping',
      reason: 'Cancel',
      pipeline: { stopping: { reason: 'Cancel' } },
    })
    expect(woken).toEqual([...ids, childId('many', 2)])
    expect(await wishesOfParent(ids[0])).toEqual({ is: 'alive', cancel: true, suspend: false })
    becomes(ids[0], 'Cancelled')
    expect(await run()).toEqual(['noteChildren', 'ChildrenStopping'])
    expect(woken).toHaveLength(3)
    becomes(ids[1], 'Succeeded')
    expect(await run()).toEqual(['noteChildren', 'finish', 'Finished'])
    expect(parent()).toMatchObject({ phase: 'Cancelled', reason: 'Cancelled' })
    expect(parent()).not.toHaveProperty('message')
    expect(deleted).toHaveLength(1)
    expect(puts).not.toContain(childId('many', 2))
  })

  test('suspend and resume: the children are told both', async () => {
    const ids = await twoLive()
    edit(jobId, { spec: { suspend: true } })
    expect(await run()).toEqual(['Suspended'])
    expect(woken).toEqual(expect.arrayContaining(ids))
    expect(await wishesOfParent(ids[0])).toEqual({ is: 'alive', cancel: false, suspend: true })
    becomes(ids[0], 'Pending', { reason: 'Suspended', backlogQueue: undefined, rank: undefined })
    succeeds(ids[1])
    expect(await run()).toEqual(['noteChildren', 'Suspended'])
    expect(puts).not.toContain(childId('many', 2))
    woken = []
    edit(jobId, { spec: {} })
    await run()
    expect(woken).toContain(ids[0])
    expect(puts).toContain(childId('many', 2))
  })

  test('a new leader tells them, because nobody knows what the one before has told', async () => {
    const ids = await twoLive()
    await run()
    expect(woken).toEqual([])
    newLeader()
    await run()
    expect(woken).toEqual(expect.arrayContaining(ids))
  })

  test('a child that failed ends its siblings, and the pipeline with its own reason', async () => {
    const ids = await twoLive()
    becomes(ids[0], 'Failed', { reason: 'PermanentFailure', message: 'No such language' })
    expect(await run()).toContain('WaitingForChildren')
    becomes(childId('many', 2), 'Running')
    becomes(ids[1], 'Failed', { reason: 'AttemptsExhausted' })
    woken = []
    expect(await run()).toEqual(['noteChildren', 'stopIntent', 'ChildrenStopping'])
    expect(woken).toEqual([childId('many', 2)])
    expect(await wishesOfParent(childId('many', 2))).toMatchObject({ cancel: true })
    becomes(childId('many', 2), 'Cancelled')
    await run()
    expect(parent()).toMatchObject({
      phase: 'Failed',
      reason: 'PermanentFailure',
      message: `Step many, ${ids[0]}: No such language`,
    })
  })
})

describe('asked for again', () => {
  test('the failed child gets a successor, the others are not repeated, and the end is reached', async () => {
    const input = { bucket: 'uploads', key: 'a.mp4', etag: 'e1' }
    put({ jobId, kind: 'subtitles', phase: 'Submitted', createdAt: at(0), spec: { input } })
    await reconcile(jobId, ports)
    const life = String(item().uid)
    const children = () =>
      parent().pipeline?.steps.map((one) => one.children.map(({ jobId: id }) => id)) ?? []
    const toWait = async () => {
      for (let looks = 0; looks < 20; looks += 1) await reconcile(jobId, ports)
    }
    const ofKind = (
      id: string,
      kind: string,
      phase: 'Succeeded' | 'Failed',
      result: Record<string, unknown> = {},
    ) =>
      put({
        ...childRecord(id, finished(phase)),
        kind,
        spec: { parent: `${jobId}/${life}` },
        settings: settings({ kind, parent: `${jobId}/${life}` }),
        ...(phase === 'Succeeded' ? { result } : { reason: 'AttemptsExhausted', message: 'Exit code 3' }),
      })
    await toWait()
    const [[audio = ''] = []] = children()
    const media = { bucket: 'uploads', key: 'a.mp4', format: 'mp4' }
    ofKind(audio, 'extract-audio', 'Succeeded', {
      media,
      way: 'as-is',
      isTemporary: false,
      durationS: 3,
      channels: 1,
      sampleRateHz: 16000,
      warnings: [],
    })
    await toWait()
    const [, [transcript = ''] = []] = children()
    ofKind(transcript, 'transcription', 'Failed')
    await toWait()
    expect(parent()).toMatchObject({ phase: 'Failed', reason: 'AttemptsExhausted' })
    await ports.jobs.edit(jobId, { wish: 'retry', phase: 'Failed' })
    await toWait()
    expect(parent()).toMatchObject({ phase: 'Running', generation: 2 })
    const [[sameAudio] = [], [successor = ''] = []] = children()
    expect(sameAudio).toBe(audio)
    expect(successor).not.toBe(transcript)
    expect(puts).toEqual([audio, transcript, successor])
    ofKind(successor, 'transcription', 'Succeeded')
    await toWait()
    const [, , [publish = ''] = []] = children()
    ofKind(publish, 'publish-subtitles', 'Succeeded', {
      manifest: 'm',
      language: null,
      cues: 1,
      words: 1,
      speakers: 0,
    })
    await toWait()
    expect(parent()).toMatchObject({ phase: 'Succeeded', result: { manifest: 'm' } })
  })
})

describe('what a child sees of its parent', () => {
  const id = childId('first')
  const record = (more: Partial<Job> = {}) => underWay([step('first', [{ state: 'put' }])], more)
  const stopping = { reason: 'ChildFailed', at: at(0) } as const
  const damaged = { ...record(), attempts: 7 }
  const free = { cancel: false, suspend: false }
  const finishedAt = at(hourMs)

  test.each<[string, object | undefined, ParentSeen]>([
    ['it lives', record(), { is: 'alive', ...free }],
    ['it is to be cancelled', record({ spec: { cancel: true } }), { is: 'alive', ...free, cancel: true }],
    ['it is suspended', record({ spec: { suspend: true } }), { is: 'alive', ...free, suspend: true }],
    [
      'it is stopping',
      record({ phase: 'Stopping', pipeline: { steps: [step('first', [{}])], stopping } }),
      { is: 'alive', ...free, cancel: true },
    ],
    ['it goes on after a retry', record({ phase: 'Pending' }), { is: 'alive', ...free }],
    ['it has ended', record({ phase: 'Succeeded', finishedAt }), { is: 'ended' }],
    ['somebody wrote that it has ended', record({ phase: 'Succeeded' }), { is: 'alive', ...free }],
    ['it is gone', undefined, { is: 'ended' }],
    ['it is another life', { ...record(), uid: makeUid(jobId, 'bbbbbbbbbbbb') }, { is: 'ended' }],
    ['it has no steps', accepted(), { is: 'ended' }],
    ['it knows other children only', underWay([step('last', [{}])]), { is: 'ended' }],
    ['it is damaged', damaged, { is: 'ended' }],
    ['it was put anew', { jobId, kind: 'subtitles', phase: 'Submitted', spec: {} }, { is: 'ended' }],
    ['it is reaped', { jobId, uid, phase: 'Failed', expiresAt: 1 }, { is: 'ended' }],
  ])('%s', (_name, item, want) => {
    expect(parentSeen(id, uid, readStored(item as Item))).toEqual(want)
  })

  test('one that has ended still knows its children, for whoever asks that', () => {
    const stored = readStored(record({ phase: 'Succeeded', finishedAt }) as unknown as Item)
    expect(parentSeen(id, uid, stored, 'also after its end')).toMatchObject({ is: 'alive' })
    expect(parentSeen('other', uid, stored, 'also after its end')).toEqual({ is: 'ended' })
  })

  test('children of earlier steps are known as well', () => {
    const stored = readStored(underWay([first, step('last', [{}])]) as unknown as Item)
    expect(parentSeen(id, uid, stored)).toMatchObject({ is: 'alive' })
  })

  test('a job that is nobody’s child has none', async () => {
    expect(await lookAtParent(job(), { get: unused })).toEqual({ is: 'none' })
  })
})

describe('what a parent sees of a child', () => {
  const id = childId('first')
  const other = `other/${makeUid('other', 'abcdefghijkl')}`
  const record = (base: Job, more: Partial<Job> = {}) => childRecord(id, base, more)
  const submitted = { jobId: id, kind: 'container', phase: 'Submitted', createdAt: at(0) }
  const ended = (phase: Phase, reason: string) => ({ is: 'ended', phase, reason })

  test.each<[string, object | undefined, object]>([
    ['nothing', undefined, { is: 'missing' }],
    ['put just now', { ...submitted, spec: { parent: parentRef } }, { is: 'live' }],
    ['put by somebody else', { ...submitted, spec: {} }, { is: 'stranger' }],
    ['of another parent', { ...submitted, spec: { parent: other } }, { is: 'stranger' }],
    [
      'of an earlier life',
      { ...submitted, spec: { parent: `${jobId}/${'b'.repeat(20)}` } },
      { is: 'stranger' },
    ],
    ['waiting', record(pending()), { is: 'live' }],
    ['running', record(running()), { is: 'live' }],
    ['somebody else’s', { ...running(), jobId: id, uid: makeUid(id, 'abcdefghijkl') }, { is: 'stranger' }],
    [
      'succeeded',
      record(finished('Succeeded'), { result: { n: 1 } }),
      { ...ended('Succeeded', 'Done'), result: { n: 1 } },
    ],
    [
      'failed',
      record(finished('Failed'), { message: 'no', costUsd: 2 }),
      { ...ended('Failed', 'Failed'), message: 'no', costUsd: 2 },
    ],
    ['cancelled', record(finished('Cancelled')), ended('Cancelled', 'Cancelled')],
    [
      'failed at acceptance, without settings of its own',
      record(finished('Failed'), { settings: settings(), reason: 'InvalidSpec' }),
      ended('Failed', 'InvalidSpec'),
    ],
    ['finished by an edit, with a task', record(running({ phase: 'Succeeded' })), { is: 'live' }],
    ['damaged', { ...record(running()), attempts: 7 }, { is: 'live' }],
    ['damaged after its end', { ...record(finished()), attempts: 7 }, ended('Failed', 'BrokenRecord')],
    [
      'reaped after it failed',
      { jobId: id, uid: makeUid(id, 'abcdefghijkl'), phase: 'Cancelled', expiresAt: 1 },
      ended('Failed', 'ChildReaped'),
    ],
    [
      'reaped after it succeeded',
      { jobId: id, uid: makeUid(id, 'abcdefghijkl'), phase: 'Succeeded', expiresAt: 1 },
      ended('Succeeded', 'ChildReaped'),
    ],
  ])('%s', (_name, item, want) => {
    expect(childSeen(readStored(item as Item), { jobId, uid })).toMatchObject(want)
  })
})

describe('a child decides on what its parent wants, too', () => {
  const graceMs = testPolicy().visibilityGraceMs
  const alive = (wishes: object) => ({ is: 'alive', cancel: false, suspend: false, ...wishes }) as ParentSeen
  const runs = live()
  const inNoLine = { backlogQueue: undefined, rank: undefined }
  const afterReplay = 60 * minuteMs

  test.each<[string, Job, ParentSeen, object, number?]>([
    ['waits, none', pending(), { is: 'none' }, { do: 'wait', reason: 'Queued' }],
    ['waits, alive', pending(), alive({}), { do: 'wait', reason: 'Queued' }],
    ['waits, ended', pending(), { is: 'ended' }, { do: 'finish', reason: 'ParentEnded', phase: 'Cancelled' }],
    [
      'suspended, ended',
      pending({ spec: { suspend: true } }),
      { is: 'ended' },
      { do: 'finish', reason: 'ParentEnded' },
    ],
    [
      'waits, cancel',
      pending(),
      alive({ cancel: true }),
      { do: 'finish', reason: 'Cancelled', phase: 'Cancelled' },
    ],
    ['waits, suspend', pending(), alive({ suspend: true }), { do: 'leaveLine', reason: 'Suspended' }],
    ['suspended with it', pending(inNoLine), alive({ suspend: true }), { do: 'wait', reason: 'Suspended' }],
    ['resumed with it', pending(inNoLine), alive({}), { do: 'enterLine', reason: 'Queued' }],
    [
      'suspended itself, the parent not',
      pending({ ...inNoLine, spec: { suspend: true } }),
      alive({}),
      { do: 'wait', reason: 'Suspended' },
    ],
    ['runs, alive', running(), alive({}), { do: 'wait', reason: 'TaskRunning' }],
    ['runs, ended', running(), { is: 'ended' }, { do: 'stopIntent', reason: 'Cancel' }],
    ['runs, cancel', running(), alive({ cancel: true }), { do: 'stopIntent', reason: 'Cancel' }],
    ['runs, suspend', running(), alive({ suspend: true }), { do: 'stopIntent', reason: 'Suspend' }],
    [
      'runs, cancelled itself',
      running({ spec: { cancel: true } }),
      alive({}),
      { do: 'stopIntent', reason: 'Cancel' },
    ],
    [
      'its launch came to nothing, ended',
      starting(),
      { is: 'ended' },
      { do: 'release', reason: 'NothingFound' },
      afterReplay,
    ],
    [
      'its launch came to nothing, alive',
      starting(),
      alive({}),
      { do: 'intend', reason: 'NothingFound' },
      afterReplay,
    ],
    ['has ended, ended', finished(), { is: 'ended' }, { do: 'nothing' }],
  ])('%s', (_name, record, parent, want, nowMs = 30_000) => {
    const task = record.taskArn === undefined ? { is: 'unknown' as const } : runs
    const listPass = { begunAtMs: acceptedMs + 55 * minuteMs, arn: undefined }
    const look = seen({ task, parent, listPass, watch: { beatMovedAtMs: acceptedMs + nowMs } })
    expect(decide(record, look, graceMs, acceptedMs + nowMs)).toMatchObject(want)
  })

  test('the whole way: its parent ends, and so does the child that waits', async () => {
    const id = await firstIsPut()
    becomes(id, 'Pending')
    edit(jobId, { phase: 'Failed', finishedAt: at(0) })
    await reconcile(id, ports)
    expect(item(id)).toMatchObject({ phase: 'Cancelled', reason: 'ParentEnded' })
    expect(item(id)).not.toHaveProperty('backlogQueue')
  })

  test('a child that cannot be accepted tells its parent', async () => {
    put(accepted())
    await run()
    edit(childId('first'), { spec: { ...(item(childId('first')).spec as object), queue: 'gone' } })
    woken = []
    await reconcile(childId('first'), ports)
    expect(woken).toEqual([jobId])
    await run()
    expect(parent()).toMatchObject({ phase: 'Failed', reason: 'InvalidSpec' })
    expect(parent().message).toContain('spec.queue')
  })
})

describe('a task that is left of what the record was before', () => {
  const stoppedNow: TaskLook = lookAt(
    { taskArn: arn, lastStatus: 'STOPPED', desiredStatus: 'STOPPED', stoppedAt: at(0), containers: [] },
    acceptedMs,
  )

  test.each<[string, Job]>([
    ['is under way', underWay([first], { spec: { suspend: true } })],
    ['has ended', accepted({ phase: 'Cancelled', finishedAt: at(0) })],
  ])('is stopped by a pipeline that %s, and forgotten once it has', async (_name, record) => {
    put(record)
    memory.addStray(jobId, arn, 'RUNNING')
    await clock.pass(1000)
    await reconcile(jobId, ports)
    expect(stopped).toEqual([arn])
    memory.learn(jobId, arn, stoppedNow)
    await reconcile(jobId, ports)
    expect(stopped).toEqual([arn])
    expect([...memory.tasks()]).toEqual([])
  })
})

/** The scan of a day. */
const reap = async () => {
  const counts = await scan(
    {
      jobs: ports.jobs,
      runner: ports.runner,
      memory,
      pacers: { listTasks: createPacer(20, clock), describeTasks: createPacer(20, clock) },
      clock,
      installation: 'test',
      costs: { begin: () => ({ show: nobody, end: nobody }) },
      wake: (id) => woken.push(id),
      onError: (error) => {
        throw error
      },
    },
    new AbortController().signal,
  )
  return counts
}
const isReaped = (id = jobId): boolean => readStored(item(id)).is === 'tombstone'

describe('what is kept of a family', () => {
  const ttl = settings().ttlAfterFinished * 1000
  const ids = [childId('first'), childId('many', 0), childId('many', 1)]
  const steps = [first, step('many', [succeeded(), failed()])]
  const family = (more: Partial<Job> = {}): void => {
    put(underWay(steps, { phase: 'Failed', finishedAt: at(hourMs), ...more }))
    for (const id of ids) becomes(id, 'Succeeded', { finishedAt: at(0) })
  }

  test('as long as the parent is there, its children are', async () => {
    family({ finishedAt: at(2 * dayMs) })
    await clock.pass(ttl + dayMs)
    await reap()
    expect([isReaped(), ...ids.map(isReaped)]).toEqual([false, false, false, false])
  })

  test('they are reaped together', async () => {
    family()
    await clock.pass(ttl + hourMs - 1)
    await reap()
    expect([isReaped(), ...ids.map(isReaped)]).toEqual([false, false, false, false])
    await clock.pass(1)
    await reap()
    expect([isReaped(), ...ids.map(isReaped)]).toEqual([true, true, true, true])
  })

  test('a job that only has the id of a child is not', async () => {
    family()
    put({ ...running(), jobId: ids[0], uid: makeUid(String(ids[0]), 'abcdefghijkl') })
    await clock.pass(ttl + 2 * hourMs)
    await reap()
    expect([isReaped(), ...ids.map(isReaped)]).toEqual([true, false, true, true])
  })

  test('a child that somebody let run again is not, and ends by itself', async () => {
    family()
    becomes(String(ids[0]), 'Pending')
    await clock.pass(ttl + 2 * hourMs)
    await reap()
    expect([isReaped(), isReaped(ids[0])]).toEqual([true, false])
    await reconcile(String(ids[0]), ports)
    expect(item(ids[0])).toMatchObject({ phase: 'Cancelled', reason: 'ParentEnded' })
  })

  test('a process that ended in between: the parent is reaped next time', async () => {
    family()
    for (const id of ids) put({ jobId: id, uid: makeUid(id, 'abcdefghijkl'), phase: 'Failed', expiresAt: 1 })
    await clock.pass(ttl + 2 * hourMs)
    await reap()
    expect(isReaped()).toBe(true)
  })

  test('children of a generation before, which nobody knows any more, when their own time is over', async () => {
    family({ finishedAt: at(10 * dayMs), pipeline: { steps: [first] } })
    await clock.pass(ttl + hourMs)
    await reap()
    expect([isReaped(), ...ids.map(isReaped)]).toEqual([false, false, true, true])
  })

  test('a pipeline over whose phase somebody wrote is none that has ended', async () => {
    put(underWay(steps, { phase: 'Failed' }))
    await clock.pass(2 * ttl)
    await reap()
    expect(isReaped()).toBe(false)
    expect(woken).toEqual([jobId])
  })
})

describe('an input that is deleted after success', () => {
  const asked = {
    settings: settings({ kind: 'transcode', afterSuccess: 'delete' }),
    kind: 'transcode',
  } as const
  const deleting = (more: Partial<Job> = {}): Job =>
    finished('Succeeded', { ...asked, source: 'deleting', ...more })
  const source = () => item().source

  test('is deleted once, as the object that it was', async () => {
    put(deleting())
    await reconcile(jobId, ports)
    expect([deleted, source()]).toEqual([['wedding.mp4 e1'], 'deleted'])
    await reconcile(jobId, ports)
    expect(deleted).toEqual(['wedding.mp4 e1'])
  })

  test.each(['replaced', 'notAllowed'] as const)(
    '%s: said in the record, and not tried again',
    async (end) => {
      put(deleting())
      sourceEnd = end
      await reconcile(jobId, ports)
      await reconcile(jobId, ports)
      expect([deleted.length, source()]).toEqual([1, end])
    },
  )

  test('S3 does not answer: the job stays as it is, and is tried again', async () => {
    put(deleting())
    beforeDelete = () => {
      throw new Error('S3 is away')
    }
    await expect(reconcile(jobId, ports)).rejects.toThrow('S3 is away')
    expect(source()).toBe('deleting')
    beforeDelete = undefined
    await reconcile(jobId, ports)
    expect(source()).toBe('deleted')
  })

  test('retried meanwhile: the deletion is not written over the new generation', async () => {
    put(deleting())
    beforeDelete = () => edit(jobId, { phase: 'Submitted' })
    await expect(reconcile(jobId, ports)).rejects.toThrow()
    expect(item()).toMatchObject({ phase: 'Submitted', source: 'deleting' })
  })

  test('a process that ended in between: the scan finds it, and does not reap it before', async () => {
    put(deleting({ settings: { ...asked.settings, ttlAfterFinished: 0 } }))
    await clock.pass(2 * hourMs)
    await reap()
    expect([woken, isReaped()]).toEqual([[jobId], false])
    await reconcile(jobId, ports)
    await reap()
    expect(isReaped()).toBe(true)
  })

  test('of a pipeline: after its end, and not after a failure', async () => {
    const steps = [first, step('many', [succeeded(), succeeded(), succeeded()]), step('last', [succeeded()])]
    const wanted = { settings: settings({ kind: 'subtitles', afterSuccess: 'delete' }) }
    put(underWay(steps, wanted))
    expect(await run()).toEqual(['finish', 'deleteSource', 'Finished'])
    expect([deleted.at(-1), source()]).toEqual(['wedding.mp4 e1', 'deleted'])
    put(underWay([step('first', [failed()])], wanted))
    deleted = []
    expect(await run()).toEqual(['finish', 'Finished'])
    expect([deleted.includes('wedding.mp4 e1'), source()]).toEqual([false, undefined])
  })
})
