import { describe, expect, test } from 'vitest'
import {
  decidePipeline,
  openChildren,
  type PipelineAction,
  type PipelineSeen,
  pipelineOf,
  resumed,
} from '../../controller/reconcile/pipeline.ts'
import type { Job } from '../../schemas/job.ts'
import {
  childrenMax,
  type Pipeline,
  type PipelineState,
  pipelineStateSchema,
} from '../../schemas/pipeline.ts'
import { acceptedMs, at, hourMs, jobId, minuteMs, settings, uid } from '../support/job.ts'
import {
  accepted,
  childId,
  end,
  ending,
  failed,
  familyOf,
  first,
  live,
  look,
  many,
  missing,
  plan,
  step,
  stranger,
  succeeded,
  underWay,
  wish,
} from '../support/pipeline.ts'

// The table of pipelines, rule by rule in its order, both sides of every edge. Times count from the acceptance of the parent.

type Row = [name: string, job: Job, seen: PipelineSeen, want: object, nowMs?: number, of?: Pipeline]

const table = (name: string, rows: readonly Row[]) =>
  describe(name, () => {
    test.for(rows)('%s', ([, job, seen, want, nowMs = hourMs, of = plan]) => {
      expect(decidePipeline(job, of, seen, acceptedMs + nowMs)).toMatchObject(want)
    })
  })

const cancel = { spec: { cancel: true } }
const suspend = { spec: { suspend: true } }
const deadlineMs = settings().limits.deadline * 1000
const finishedAt = at(hourMs)
const nothing = { do: 'nothing', reason: 'Finished' }
const waits = (reason: string, untilMs: number) => ({ do: 'wait', reason, untilMs })
const awaited = waits('WaitingForChildren', acceptedMs + deadlineMs)
const heal = (phase: string, reason = 'PhaseEdited') => ({ do: 'heal', reason, phase })
const notes = (...states: string[]) => ({ do: 'noteChildren', state: stateOf(states) })
const stateOf = (states: string[]) => ({ steps: expect.arrayContaining([step0(states)]) })
const step0 = (states: string[]) =>
  expect.objectContaining({ children: states.map((state) => expect.objectContaining({ state })) })
const fails = (reason: string, message = /./) => ({
  do: 'finish',
  phase: 'Failed',
  reason,
  message: expect.stringMatching(message),
})
const cancelled = { do: 'finish', reason: 'Cancelled', phase: 'Cancelled' }
const done = (result: object = {}) => ({ do: 'finish', reason: 'Done', phase: 'Succeeded', result })
const stops = (reason: string) => ({
  do: 'stopIntent',
  reason,
  state: { stopping: { reason, at: at(hourMs) } },
})
const puts = (step: string, index = 0) => ({
  do: 'putChild',
  reason: 'ChildIntended',
  child: { jobId: childId(step, index), phase: 'Submitted' },
})
const begins = (name: string, count: number) => ({
  do: 'beginStep',
  reason: 'StepBegins',
  state: {
    steps: expect.arrayContaining([
      {
        name,
        begunAt: at(hourMs),
        children: Array.from({ length: count }, (_, index) => ({
          jobId: childId(name, index),
          kind: 'container',
          state: 'intended',
        })),
      },
    ]),
  },
})

const oneIntended = underWay([step('first', [{}])])
const onePut = underWay([step('first', [{ state: 'put' }])])
const inMany = (states: Parameters<typeof step>[1], more: Partial<Job> = {}): Job =>
  underWay([first, step('many', states)], more)
const put = { state: 'put' } as const
const sees = (step: string, ...children: Parameters<typeof familyOf>[1]) => look(familyOf(step, children))

table('a pipeline that has ended', [
  ['succeeded', underWay([first], { phase: 'Succeeded', finishedAt }), look(), nothing],
  ['failed, with a wish to cancel it', accepted({ phase: 'Failed', finishedAt, ...cancel }), look(), nothing],
  ['cancelled before its first step', accepted({ phase: 'Cancelled', finishedAt }), look(), nothing],
])

table('a phase that somebody edited is put right before anything else', [
  ['a step has begun: Running', underWay([first], { phase: 'Starting' }), look(), heal('Running')],
  ['Submitted over a live one', underWay([first], { phase: 'Submitted' }), look(), heal('Running')],
  ['Running, and nothing has begun: Pending', accepted({ phase: 'Running' }), look(), heal('Pending')],
  [
    'the stop intent stands whatever the phase',
    ending('Cancel', [step('first', [put])], { phase: 'Running' }),
    sees('first', live),
    heal('Stopping'),
  ],
  ['Stopping without an intent', underWay([first], { phase: 'Stopping' }), look(), heal('Running')],
  [
    'Succeeded while a child lives',
    underWay([step('first', [put])], { phase: 'Succeeded' }),
    sees('first', live),
    heal('Running'),
  ],
  [
    'Cancelled while children are stopped',
    ending('ChildFailed', [step('first', [put])], { phase: 'Cancelled' }),
    sees('first', live),
    heal('Stopping'),
  ],
  ['Failed though nothing has begun is final', accepted({ phase: 'Failed' }), look(), nothing],
])

table('what is new about children is written down before anything is decided on it', [
  ['its record is there', oneIntended, sees('first', live), notes('put')],
  ['it has succeeded', onePut, sees('first', end('Succeeded')), notes('succeeded')],
  ['it has failed', onePut, sees('first', end('Failed')), notes('failed')],
  ['it was cancelled', onePut, sees('first', end('Cancelled')), notes('failed')],
  ['its record is gone', onePut, sees('first', missing), notes('failed')],
  ['somebody else has its id', oneIntended, sees('first', stranger), notes('failed')],
  ['somebody else has its id now', onePut, sees('first', stranger), notes('failed')],
  [
    'before a wish is followed',
    { ...onePut, ...cancel },
    sees('first', end('Succeeded')),
    notes('succeeded'),
  ],
  ['before it ends', ending('Cancel', [step('first', [put])]), sees('first', missing), notes('failed')],
  ['after the deadline', onePut, sees('first', end('Failed')), notes('failed'), deadlineMs],
  [
    'two at once',
    inMany([put, put, {}]),
    sees('many', live, end('Failed'), live),
    notes('put', 'failed', 'put'),
  ],
])

table('a pipeline that is stopping waits for its children, and puts none', [
  [
    'one lives',
    ending('Cancel', [step('first', [put])]),
    sees('first', live),
    waits('ChildrenStopping', Number.POSITIVE_INFINITY),
  ],
  ['one was never put', ending('Cancel', [step('first', [{}])]), sees('first', missing), cancelled],
  [
    'one is left of three',
    ending('Cancel', [first, step('many', [failed(), put, {}])]),
    sees('many', undefined, live, missing),
    waits('ChildrenStopping', Number.POSITIVE_INFINITY),
  ],
  ['none lives', ending('Cancel', [step('first', [failed('ChildCancelled')])]), look(), cancelled],
  [
    'for the deadline',
    ending('DeadlineExceeded', [step('first', [failed()])]),
    look(),
    fails('DeadlineExceeded', /604800 s/),
  ],
  [
    'for a child, and a cancel that comes later changes nothing',
    ending('ChildFailed', [step('first', [failed('OutOfDisk', 'No room')])], cancel),
    look(),
    fails('OutOfDisk', /^Step first, wedding-42-.*: No room$/),
  ],
])

table('cancel', [
  ['before the first step', accepted(cancel), look(), cancelled],
  ['while a child lives: its end is awaited', { ...onePut, ...cancel }, sees('first', live), stops('Cancel')],
  [
    'while one was decided on, and none put',
    { ...oneIntended, ...cancel },
    sees('first', missing),
    cancelled,
  ],
  ['between two steps', underWay([first], cancel), look(), cancelled],
  [
    'one lives, another was not put',
    inMany([put, {}, {}], cancel),
    sees('many', live, missing, missing),
    stops('Cancel'),
  ],
  ['resumed, and then cancelled', underWay([first], { phase: 'Pending', ...cancel }), look(), cancelled],
  ['suspended as well', accepted({ spec: { cancel: true, suspend: true } }), look(), cancelled],
  ['a spec that is rubbish wants nothing', accepted({ spec: 'cancel' }), look(), begins('first', 1)],
])

table('the deadline', [
  ['a moment before', accepted(), look(), { do: 'beginStep' }, deadlineMs - 1],
  ['nothing has begun', accepted(), look(), fails('DeadlineExceeded'), deadlineMs],
  ['suspended', accepted(suspend), look(), fails('DeadlineExceeded'), deadlineMs],
  ['a child lives, a moment before', onePut, sees('first', live), awaited, deadlineMs - 1],
  [
    'a child lives',
    onePut,
    sees('first', live),
    { do: 'stopIntent', reason: 'DeadlineExceeded' },
    deadlineMs,
  ],
  ['a child was not put', oneIntended, sees('first', missing), fails('DeadlineExceeded'), deadlineMs],
  ['cancel comes first', accepted(cancel), look(), cancelled, deadlineMs],
])

table('a child that failed ends the step, its siblings, and the pipeline', [
  ['the only one', underWay([step('first', [failed('BadInput', 'no')])]), look(), fails('BadInput', /: no$/)],
  [
    'one of three may',
    inMany([failed(), succeeded(), put]),
    sees('many', undefined, undefined, live),
    awaited,
  ],
  [
    'two of three may not: the third is cancelled',
    inMany([failed(), failed(), put]),
    sees('many', undefined, undefined, live),
    stops('ChildFailed'),
  ],
  [
    'two of three, the third was not put',
    inMany([failed('One'), failed('Two'), {}]),
    sees('many', undefined, undefined, missing),
    fails('One'),
  ],
  [
    'a sibling that was cancelled because of it is not the reason',
    ending('ChildFailed', [first, step('many', [failed('ChildCancelled'), failed('Real'), failed('Later')])]),
    look(),
    fails('Real'),
  ],
  [
    'one that somebody cancelled is, where there is no other',
    underWay([step('first', [failed('ChildCancelled', 'it was cancelled')])]),
    look(),
    fails('ChildCancelled', /it was cancelled/),
  ],
  [
    'one too many, and cancel',
    inMany([failed(), failed(), put], cancel),
    sees('many', undefined, undefined, live),
    stops('Cancel'),
  ],
])

table('an edit counts until the first step has begun', [
  ['before', accepted(), look(undefined, { isEdited: true }), { do: 'adoptEdit', reason: 'SpecEdited' }],
  ['suspended', accepted(suspend), look(undefined, { isEdited: true }), { do: 'adoptEdit' }],
  ['after', underWay([first]), look(undefined, { isEdited: true }), begins('many', 3)],
  ['cancel comes first', accepted(cancel), look(undefined, { isEdited: true }), cancelled],
])

const suspended = waits('Suspended', acceptedMs + deadlineMs)
table('suspend', [
  ['before the first step', accepted(suspend), look(), suspended],
  ['no child is put', { ...oneIntended, ...suspend }, sees('first', missing), suspended],
  ['no step begins', underWay([first], suspend), look(), suspended],
  [
    'the end is not reached',
    underWay([first, many, step('last', [succeeded()])], suspend),
    look(),
    suspended,
  ],
  ['children that live suspend themselves', { ...onePut, ...suspend }, sees('first', live), suspended],
  ['one that goes on stays as it is', underWay([first], { phase: 'Pending', ...suspend }), look(), suspended],
])

/** Its own task found the work too much for one. */
const split = (more: Partial<Job> = {}): Job =>
  accepted({ phase: 'Running', reason: 'Split', pipeline: { steps: [], split: { shards: 3 } }, ...more })

table('a job that its task has split goes on as a pipeline', [
  ['with the first step', split(), look(), begins('first', 1)],
  ['not back to Pending', split({ phase: 'Pending' }), look(), heal('Running', 'Resumed')],
  ['suspended: it waits', split(suspend), look(), suspended],
  ['cancelled: it ends', split(cancel), look(), cancelled],
  [
    'an edit comes too late: it was split by the settings of before',
    split(),
    look(undefined, { isEdited: true }),
    begins('first', 1),
  ],
])

test('what the task found out reaches every step', () => {
  const plan: Pipeline = {
    steps: [{ name: 'first', children: ({ split: found }) => [wish('first/', { found })] }],
    result: () => ({}),
    temporaryKeys: () => [],
  }
  const begun = underWay([step('first', [{}])])
  const job = { ...begun, pipeline: { steps: [], ...begun.pipeline, split: { shards: 3 } } }
  expect(decidePipeline(job, plan, sees('first', missing), acceptedMs + hourMs)).toMatchObject({
    do: 'putChild',
    child: { spec: { params: { environment: { PARAMS: '{"found":{"shards":3}}' } } } },
  })
})

table('children are put one by one, as many at once as the step says', [
  ['the only one', oneIntended, sees('first', missing), puts('first')],
  ['the first of three', inMany([{}, {}, {}]), sees('many', missing, missing, missing), puts('many', 0)],
  [
    'the second, while the first lives',
    inMany([put, {}, {}]),
    sees('many', live, missing, missing),
    puts('many', 1),
  ],
  ['not the third while two live', inMany([put, put, {}]), sees('many', live, live, missing), awaited],
  [
    'the third when one has ended',
    inMany([put, succeeded(), {}]),
    sees('many', live, undefined, missing),
    puts('many', 2),
  ],
  [
    'the third when one has failed',
    inMany([put, failed(), {}]),
    sees('many', live, undefined, missing),
    puts('many', 2),
  ],
  ['not one that nobody looked for', oneIntended, look(), awaited],
])

table('steps follow each other', [
  ['the first', accepted(), look(), begins('first', 1)],
  ['the second, once the first has ended', underWay([first]), look(), begins('many', 3)],
  [
    'not while a child lives',
    inMany([succeeded(), succeeded(), put]),
    sees('many', undefined, undefined, live),
    awaited,
  ],
  ['with one that may fail', inMany([succeeded(), failed(), succeeded()]), look(), begins('last', 1)],
  [
    'the last has ended',
    underWay([first, many, step('last', [succeeded({ answer: 42 })])]),
    look(),
    done({ answer: 42 }),
  ],
  [
    'one that goes on after a retry',
    underWay([first], { phase: 'Pending' }),
    look(),
    heal('Running', 'Resumed'),
  ],
])

const planOf = (...steps: Pipeline['steps'][number][]): Pipeline => ({
  ...plan,
  steps: steps as unknown as Pipeline['steps'],
})
const impossible = (): never => {
  throw new Error('what?')
}
const nobody = { name: 'nobody', children: () => [] }
const tooMany = { name: 'crowd', children: () => Array.from({ length: childrenMax + 1 }, () => wish('x/')) }
const asMany = { name: 'crowd', children: () => Array.from({ length: childrenMax }, () => wish('x/')) }
const unusable = { name: 'first', children: impossible }
table('what a kind says of its steps', [
  [
    'no children: the step is over as it begins',
    accepted(),
    look(),
    {
      do: 'beginStep',
      state: { steps: [{ name: 'nobody', begunAt: at(hourMs), endedAt: at(hourMs), children: [] }] },
    },
    hourMs,
    planOf(nobody, { name: 'first', children: () => [wish('first/')] }),
  ],
  [
    'after a step without children',
    underWay([{ name: 'nobody', begunAt: at(0), endedAt: at(0), children: [] }]),
    look(),
    begins('first', 1),
    hourMs,
    planOf(nobody, { name: 'first', children: () => [wish('first/')] }),
  ],
  ['as many as a record can keep', accepted(), look(), { do: 'beginStep' }, hourMs, planOf(asMany)],
  [
    'more than that',
    accepted(),
    look(),
    fails('StepImpossible', /^Step crowd of subtitles/),
    hourMs,
    planOf(tooMany),
  ],
  ['it cannot say', accepted(), look(), fails('StepImpossible', /^Step first/), hourMs, planOf(unusable)],
  [
    'it cannot say any more what the child is: that child fails',
    oneIntended,
    sees('first', missing),
    notes('failed'),
    hourMs,
    planOf(unusable),
  ],
  [
    'it wants fewer than before',
    underWay([step('first', [put, {}])]),
    sees('first', live, missing),
    notes('put', 'failed'),
    hourMs,
    planOf({ name: 'first', children: () => [wish('first/')] }),
  ],
  [
    'what it returns cannot be said',
    underWay([first]),
    look(),
    fails('StepImpossible', /^Step result/),
    hourMs,
    { ...planOf(...plan.steps.slice(0, 1)), result: impossible },
  ],
  [
    'a step that it does not know any more: nothing is begun again',
    underWay([step('gone', [succeeded()])]),
    look(),
    fails('StepImpossible', /^Step gone/),
  ],
  [
    'a child of a step that it does not know any more is awaited',
    underWay([step('gone', [put])]),
    sees('gone', live),
    awaited,
  ],
])

describe('what the parent keeps of a child', () => {
  const noted = (job: Job, seen: PipelineSeen) => {
    const action = decidePipeline(job, plan, seen, acceptedMs + hourMs)
    if (action.do !== 'noteChildren') throw new Error(JSON.stringify(action))
    const last = action.state.steps.at(-1)
    return { ...last, child: last?.children[0] }
  }
  const ofKind = (kind: string): Job => underWay([step('first', [put], kind)])
  const endedAs = (kind: string, seen: ReturnType<typeof end>) =>
    noted(ofKind(kind), look(familyOf('first', [seen], kind))).child
  const audio = {
    media: { bucket: 'uploads', key: 'a.mp4', format: 'mp4' },
    way: 'as-is',
    isTemporary: false,
    durationS: 3,
    channels: 2,
    sampleRateHz: 44100,
    warnings: [],
  }

  test('its result, its cost, and when the step had ended', () => {
    const { child, endedAt } = noted(
      onePut,
      sees('first', end('Succeeded', { result: { n: 1 }, costUsd: 0.25 })),
    )
    expect(child).toEqual({
      jobId: childId('first'),
      kind: 'container',
      state: 'succeeded',
      result: { n: 1 },
      costUsd: 0.25,
    })
    expect(endedAt).toBe(at(hourMs))
  })

  test('a step with a child that lives has not ended', () => {
    const { endedAt } = noted(inMany([put, put, put]), sees('many', live, live, end('Failed')))
    expect(endedAt).toBeUndefined()
  })

  test('the steps before stay as they were', () => {
    const action = decidePipeline(
      inMany([put, put, put]),
      plan,
      sees('many', live, live, end('Failed')),
      acceptedMs,
    )
    expect(action).toMatchObject({ state: { steps: [first, { name: 'many' }] } })
  })

  test.each([
    ['reason and sentence', end('Failed', { reason: 'TooBig', message: 'too big' }), 'TooBig', 'too big'],
    ['the reason, where there is no sentence', end('Failed', { reason: 'TooBig' }), 'TooBig', 'TooBig'],
    ['that it was cancelled, whoever did that', end('Cancelled'), 'ChildCancelled', 'it was cancelled'],
    ['300 characters', end('Failed', { reason: 'Long', message: 'x'.repeat(900) }), 'Long', 'x'.repeat(300)],
  ])('of a failure %s', (_name, seen, reason, message) => {
    expect(endedAs('container', { ...seen, costUsd: 0.5 } as typeof seen)).toMatchObject({
      state: 'failed',
      reason,
      message,
      costUsd: 0.5,
    })
  })

  test.each([
    [stranger, 'ChildTaken'],
    [missing, 'ChildMissing'],
  ])('%j is %s', (seen, reason) => {
    expect(noted(onePut, sees('first', seen)).child).toMatchObject({ state: 'failed', reason })
  })

  test('a result that is what its kind promises', () => {
    expect(endedAs('extract-audio', end('Succeeded', { result: audio }))).toMatchObject({
      state: 'succeeded',
      result: audio,
    })
  })

  test.each([
    ['of another shape', 'extract-audio', { ...audio, channels: 'two' }],
    ['that is missing', 'extract-audio', undefined],
    ['of more than 8192 bytes', 'container', { text: 'x'.repeat(8192 - 10) }],
    ['of fewer characters, which take more bytes', 'container', { text: 'é'.repeat(5000) }],
  ])('a result %s cannot be used', (_name, kind, result) => {
    expect(endedAs(kind, end('Succeeded', { result, costUsd: 1 }))).toMatchObject({
      state: 'failed',
      reason: 'ResultUnusable',
      costUsd: 1,
    })
  })

  test('a result of 8192 bytes fits, and so does none where nothing was promised', () => {
    const result = { text: 'x'.repeat(8192 - '{"text":""}'.length) }
    expect(endedAs('container', end('Succeeded', { result }))).toMatchObject({ state: 'succeeded', result })
    expect(endedAs('container', end('Succeeded'))).toMatchObject({ state: 'succeeded', result: {} })
  })

  test('results that together would burst the record: the one that no longer fits fails', () => {
    const big = { text: 'x'.repeat(8000) }
    const crowd = step('first', [...Array.from({ length: 29 }, () => succeeded(big)), put, put])
    const seen = Array.from({ length: 31 }, (_, index) =>
      index < 29 ? undefined : end('Succeeded', { result: big }),
    )
    const action = decidePipeline(underWay([crowd]), plan, look(familyOf('first', seen)), acceptedMs)
    expect(action).toMatchObject({ do: 'noteChildren' })
    const kept = action.do === 'noteChildren' ? action.state.steps[0]?.children : []
    const states = kept?.map(({ state }) => state)
    expect(states?.filter((state) => state === 'succeeded').length).toBeLessThan(31)
    expect(states?.at(-1)).toBe('failed')
    expect(JSON.stringify(kept).length).toBeLessThan(300_000)
  })

  test('what it keeps is what its schema says', () => {
    const { child: _child, ...record } = noted(
      onePut,
      sees('first', end('Failed', { message: 'x'.repeat(900) })),
    )
    expect(pipelineStateSchema.safeParse({ steps: [record] }).success).toBe(true)
  })
})

describe('a child is asked for', () => {
  const childOf = (job: Job, of: Pipeline = plan) => {
    const action = decidePipeline(job, of, sees('first', missing), acceptedMs + hourMs)
    if (action.do !== 'putChild') throw new Error(JSON.stringify(action))
    return action.child
  }
  const withSettings = (more: Parameters<typeof settings>[0]): Job => ({
    ...oneIntended,
    settings: settings({ kind: 'subtitles', ...more }),
  })

  test('with its wish, and what its parent was asked for that is not about one kind', () => {
    const job = withSettings({
      queue: 'batch',
      priority: 7,
      labels: { team: 'a' },
      ttlAfterFinished: 3600,
      failurePolicy: [{ onExitCodes: [3], action: 'fail' }] as unknown as Job['settings']['failurePolicy'],
      limits: { attempts: 5, maxMemory: 999_999 },
    })
    const { maxMemory: _maxMemory, ...limits } = job.settings.limits
    expect(childOf(job)).toEqual({
      jobId: childId('first'),
      kind: 'container',
      phase: 'Submitted',
      createdAt: at(hourMs),
      spec: {
        output: 'first/',
        params: wish('first/').params,
        queue: 'batch',
        priority: 7,
        labels: { team: 'a' },
        ttlAfterFinished: 3600,
        failurePolicy: job.settings.failurePolicy,
        limits,
        parent: `${jobId}/${uid}`,
      },
    })
  })

  test('with the size that was asked for, where it is a task', () => {
    const stepResources = { cpu: 2048, capacity: 'spot' } as const
    expect(childOf(withSettings({ stepResources })).spec.resources).toEqual(stepResources)
    const transcribes = planOf({
      name: 'first',
      children: () => [{ ...wish('first/'), kind: 'transcription' }],
    })
    expect(childOf(withSettings({ stepResources }), transcribes).spec).not.toHaveProperty('resources')
  })

  test('with its own input', () => {
    const input = { bucket: 'uploads', key: 'a.mp4', etag: 'e1' }
    const reads = planOf({ name: 'first', children: () => [{ ...wish('first/'), input }] })
    expect(childOf(oneIntended, reads).spec.input).toEqual(input)
  })

  test('with what the steps before returned', () => {
    const action = decidePipeline(
      inMany([succeeded(), {}, {}]),
      plan,
      sees('many', undefined, missing),
      acceptedMs,
    )
    expect(action).toMatchObject({
      child: { spec: { params: { environment: { PARAMS: JSON.stringify({ index: 1, of: { n: 1 } }) } } } },
    })
  })
})

test('what failed, and was let, is undefined among the results', () => {
  let results: unknown
  const asks = planOf(
    plan.steps[0],
    { ...plan.steps[1], name: 'many', children: () => [] },
    {
      name: 'last',
      children: (of) => {
        results = of.results
        return []
      },
    },
  )
  decidePipeline(inMany([succeeded({ n: 2 }), failed(), succeeded({ n: 4 })]), asks, look(), acceptedMs)
  expect(results).toEqual({ first: [{ n: 1 }], many: [{ n: 2 }, undefined, { n: 4 }] })
})

test('only children that may still change are looked at', () => {
  const job = inMany([succeeded(), {}, put])
  expect(openChildren(job).map(({ jobId: id }) => id)).toEqual([childId('many', 1), childId('many', 2)])
  expect(openChildren(accepted())).toEqual([])
})

test('only kinds with steps are pipelines', () => {
  const pipelineOfKind = (kind: string) => pipelineOf({ kind, fence: undefined, pipeline: undefined })
  expect(pipelineOfKind('subtitles')?.steps.map(({ name }) => name)).toEqual([
    'audio',
    'transcript',
    'publish',
  ])
  expect(pipelineOfKind('analyze')?.steps.map(({ name }) => name)).toEqual(['audio', 'transcript', 'summary'])
  for (const kind of ['transcode', 'container', 'extract-audio', 'unknown', 'constructor'])
    expect(pipelineOfKind(kind)).toBeUndefined()
})

describe('asked for again, a pipeline goes on where it had failed', () => {
  const again = (steps: PipelineState['steps'], of = plan) =>
    resumed({ steps, stopping: { reason: 'ChildFailed', at: at(0) } }, of, { jobId, uid }, 2)
  const renewed = (name: string, index = 0) => ({
    jobId: childId(name, index, 2),
    kind: 'container',
    state: 'intended',
  })
  const lasting = { ...first, endedAt: at(minuteMs) }

  test('what succeeded stays, the others get successors, and nothing is stopping', () => {
    const tried = step('many', [succeeded({ n: 2 }), failed(), put])
    expect(again([first, tried])).toEqual({
      steps: [
        first,
        {
          name: 'many',
          begunAt: at(0),
          children: [tried.children[0], renewed('many', 1), renewed('many', 2)],
        },
      ],
    })
  })

  test('a step that is over is open again, and one without failures is not', () => {
    expect(again([step('first', [failed()])]).steps[0]).not.toHaveProperty('endedAt')
    expect(again([lasting]).steps).toEqual([lasting])
  })

  test('one that was decided on, and never put, is another one now', () => {
    expect(again([step('first', [{}])]).steps[0]?.children).toEqual([renewed('first')])
  })

  test('nothing had begun', () => {
    expect(again([])).toEqual({ steps: [] })
  })

  test('what a later version wrote beside it stays', () => {
    const state = { steps: [first], later: 1 } as PipelineState
    expect(resumed(state, plan, { jobId, uid }, 2)).toEqual(state)
  })

  describe('what was temporary is gone, and is made again while it is needed', () => {
    const isTemporary = (result: Record<string, unknown>) => result.isTemporary === true
    const [one, two, three] = plan.steps as readonly Pipeline['steps'][0][]
    const passing = planOf(...([{ ...one, isTemporary }, two, three] as Pipeline['steps']))
    const gone = succeeded({ isTemporary: true })
    const audio = step('first', [gone, succeeded({ n: 2 })])
    const remade = { name: 'first', begunAt: at(0), children: [renewed('first', 0), audio.children[1]] }

    test.each<[string, PipelineState['steps']]>([
      ['the next step has not begun', [audio]],
      [
        'the next step had failed: it begins anew',
        [audio, step('many', [failed(), succeeded(), succeeded()])],
      ],
      ['the next step was under way', [audio, step('many', [put, {}, {}])]],
    ])('%s', (_name, steps) => {
      expect(again(steps, passing)).toEqual({ steps: [remade] })
    })

    test('a sibling had failed', () => {
      const { steps } = again([step('first', [gone, failed()])], passing)
      expect(steps[0]?.children).toEqual([renewed('first', 0), renewed('first', 1)])
    })

    test.each<[string, PipelineState['steps']]>([
      ['the next step is done', [audio, many]],
      ['a later step had failed', [audio, many, step('last', [failed()])]],
    ])('not any more: %s', (_name, steps) => {
      expect(again(steps, passing).steps.slice(0, 2)).toEqual([audio, many])
    })
  })
})

test('an action says what it is in words for log and metrics', () => {
  const reasons: PipelineAction['reason'][] = [
    decidePipeline(accepted(), plan, look(), acceptedMs).reason,
    decidePipeline(onePut, plan, sees('first', live), acceptedMs).reason,
  ]
  expect(reasons).toEqual(['StepBegins', 'WaitingForChildren'])
})
