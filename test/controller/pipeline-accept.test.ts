import { describe, expect, test } from 'vitest'
import { accept, type InputSeen } from '../../controller/intake/accept.ts'
import { resolveSettings } from '../../controller/intake/resolve.ts'
import { decidePipeline, pipelineOf } from '../../controller/reconcile/pipeline.ts'
import { type Item, readStored } from '../../controller/store/stored.ts'
import { acceptedJobSchema, type Job } from '../../schemas/job.ts'
import type { StepRecord } from '../../schemas/pipeline.ts'
import { acceptedMs, at, hourMs, jobId, minuteMs, uid } from '../support/job.ts'
import { childId, end, failed, look, missing, step, succeeded } from '../support/pipeline.ts'
import { testPolicy } from '../support/policy.ts'

// How pipelines and their children come into the world: what a record becomes when it is accepted, for the first time and
// again.

const policy = testPolicy()
const nowMs = acceptedMs + 2 * hourMs
const input = { bucket: 'uploads', key: 'talks/a.b.MP4', etag: 'e1' }
const submitted = (more: Item = {}): Item => ({
  jobId,
  kind: 'subtitles',
  createdAt: at(0),
  phase: 'Submitted',
  spec: { input },
  ...more,
})

/** The record after it was accepted, as the table has it. */
function acceptedAs(item: Item, seen: InputSeen = { is: 'unknown' }): Item {
  const stored = readStored(item)
  if (stored.is !== 'submitted') throw new Error(stored.is)
  const { change } = accept(item, stored.old, seen, policy, nowMs, 'abcdefghijkl')
  const kept = Object.entries(item).filter(([name]) => !change.remove.includes(name))
  return JSON.parse(JSON.stringify({ ...Object.fromEntries(kept), ...change.set })) as Item
}

describe('a new pipeline', () => {
  test('waits for its first step, in no line and without a size', () => {
    const record = acceptedAs(submitted())
    expect(record).toMatchObject({ phase: 'Pending', settings: { resources: { cpu: 0, memory: 0 } } })
    for (const name of ['backlogQueue', 'rank', 'pipeline']) expect(record).not.toHaveProperty(name)
  })

  test('keeps the size that its tasks are to have', () => {
    const spec = { input, resources: { cpu: 2048, memory: 4096, capacity: 'spot' } }
    expect(acceptedAs(submitted({ spec }))).toMatchObject({ settings: { stepResources: spec.resources } })
  })
})

const settled = (phase: string, steps: StepRecord[], more: Item = {}): Item => ({
  ...acceptedAs(submitted()),
  uid,
  phase,
  reason: phase,
  finishedAt: at(hourMs),
  pipeline: { steps },
  history: [{ at: at(hourMs), phase, reason: phase }],
  ...more,
})
/** As a user or the API asks for it again. */
const again = (record: Item, more: Item = {}): Item => acceptedAs({ ...record, phase: 'Submitted', ...more })
const childrenOf = (record: Item): string[] =>
  (record as Job).pipeline?.steps.flatMap(({ children }) => children.map(({ jobId: id }) => id)) ?? []

const asIs = {
  isTemporary: false,
  media: null,
  way: 'none',
  durationS: 0,
  channels: 0,
  sampleRateHz: 0,
  warnings: [],
}
const audio = step('audio', [succeeded(asIs)])
const transcript = step('transcript', [failed()])
const steps = [audio, transcript]

describe('a pipeline that is asked for again', () => {
  test('goes on with the step that had failed', () => {
    const record = again(settled('Failed', steps))
    expect(record).toMatchObject({ phase: 'Pending', generation: 2, uid })
    expect(childrenOf(record)).toEqual([childId('audio'), childId('transcript', 0, 2)])
    expect(record).not.toHaveProperty('finishedAt')
  })

  test.each<[string, Item]>([
    [
      'cancelled before',
      { phase: 'Cancelled', history: [{ at: at(0), phase: 'Cancelled', reason: 'Cancelled' }] },
    ],
    ['with other limits', { spec: { input, limits: { attempts: 5 } } }],
    ['with another size', { spec: { input, resources: { memory: 8192 } } }],
    ['with what applies anyway written out', { spec: { input, params: { language: 'auto' } } }],
  ])('%s: the same', (_name, more) => {
    expect(childrenOf(again(settled('Failed', steps), { ...more, phase: 'Submitted' }))).toHaveLength(2)
  })

  test.each<[string, Item]>([
    ['another input', { spec: { input: { ...input, key: 'other.mp4' } } }],
    ['another version of its input', { spec: { input: { ...input, etag: 'e2' } } }],
    ['another language', { spec: { input, params: { language: 'de-DE' } } }],
    ['another place for its outputs', { spec: { input, output: 'elsewhere/' } }],
    ['another kind with steps', { kind: 'analyze' }],
    ['a kind without steps', { kind: 'transcode' }],
  ])('for %s begins anew', (_name, more) => {
    expect(again(settled('Failed', steps), more)).not.toHaveProperty('pipeline')
  })

  test('begins anew when the input was replaced, though the spec says nothing of its version', () => {
    const spec = { input: { bucket: input.bucket, key: input.key } }
    const first = acceptedAs(submitted({ spec }), { is: 'present', etag: 'e1' })
    const record = settled('Failed', steps, { spec, settings: first.settings })
    const ask = (etag: string) => acceptedAs({ ...record, phase: 'Submitted' }, { is: 'present', etag })
    expect(childrenOf(ask('e1'))).toHaveLength(2)
    expect(ask('e2')).not.toHaveProperty('pipeline')
  })

  test('goes on where the size of the same input has become known, or is not known any more', () => {
    const spec = { input: { bucket: input.bucket, key: input.key } }
    const seen = { is: 'present', etag: 'e1' } as const
    for (const [before, now] of [
      [seen, { ...seen, bytes: 7 }],
      [{ ...seen, bytes: 7 }, seen],
    ] as const) {
      const { settings } = acceptedAs(submitted({ spec }), before)
      const record = settled('Failed', steps, { spec, settings })
      expect(childrenOf(acceptedAs({ ...record, phase: 'Submitted' }, now))).toHaveLength(2)
    }
  })

  test('does all of it again when it had succeeded', () => {
    const done = [audio, step('transcript', [succeeded()]), step('publish', [succeeded()])]
    expect(again(settled('Succeeded', done))).not.toHaveProperty('pipeline')
  })

  test('makes temporary audio again, because that was deleted when it ended', () => {
    const media = { bucket: 'outputs', key: 'work/a/audio.flac', format: 'flac' }
    const made = step('audio', [succeeded({ ...asIs, isTemporary: true, media, way: 'converted' })])
    expect(childrenOf(again(settled('Failed', [made, transcript])))).toEqual([childId('audio', 0, 2)])
  })

  describe('because its task had split it', () => {
    const spec = { input, params: { preset: 'fast' } }
    const split = { shards: 2 }
    const encoded = step('encode', [succeeded(), failed()], 'encode-shard')
    const asTranscode = acceptedAs(submitted({ kind: 'transcode', spec, uid }))
    const failedSplit = settled('Failed', [], {
      kind: 'transcode',
      spec,
      settings: asTranscode.settings,
      pipeline: { steps: [encoded], split },
    })

    test('goes on as a pipeline, without a task and in no line; shards are made again, being temporary', () => {
      const record = again(failedSplit)
      expect(record).toMatchObject({ phase: 'Pending', pipeline: { split } })
      expect(record).not.toHaveProperty('backlogQueue')
      expect(childrenOf(record)).toEqual([0, 1].map((index) => childId('encode', index, 2, 'encode-shard')))
    })

    test('with other parameters begins with a task again, in its line', () => {
      const record = again(failedSplit, { spec: { input, params: { preset: 'medium' } } })
      expect(record).toMatchObject({ phase: 'Pending', backlogQueue: 'default' })
      expect(record).not.toHaveProperty('pipeline')
    })
  })

  test('that cannot be accepted any more has failed, for good', () => {
    const record = again(settled('Failed', steps), { spec: { input, queue: 'gone' } })
    expect(record).toMatchObject({ phase: 'Failed', reason: 'InvalidSpec', finishedAt: at(2 * hourMs) })
  })
})

describe('Submitted, written over a pipeline', () => {
  const under = acceptedAs(submitted({ uid }))
  test.each<[string, Item, string]>([
    ['under way: an edit like any other', { pipeline: { steps } }, 'accepted'],
    ['that has ended: a retry', { pipeline: { steps }, finishedAt: at(hourMs) }, 'submitted'],
    ['that has not begun', {}, 'submitted'],
  ])('%s', (_name, more, is) => {
    expect(readStored({ ...under, ...more, uid, phase: 'Submitted' }).is).toBe(is)
  })
})

describe('steps are no jobs of their own', () => {
  const resolve = (kind: string, spec: unknown) => resolveSettings(jobId, kind, spec, policy)
  const params = { taskDefinition: 'mine' }

  test.each(['extract-audio', 'transcription', 'publish-subtitles', 'find-scenes', 'summarize'])(
    '%s',
    (kind) => {
      const resolved = resolve(kind, { input, params: paramsOf(kind) })
      expect(resolved).toMatchObject({ is: 'invalid', problems: [{ field: 'kind', value: kind }] })
      expect(resolve(kind, { input, params: paramsOf(kind), parent: `${jobId}/${uid}` }).is).toBe('valid')
    },
  )

  test.each(['me', '', `${jobId}/`, `${jobId}/${uid}/1`, `/${uid}`, 7, null])(
    'parent %j is refused',
    (parent) => {
      expect(resolve('container', { params, parent }).is).toBe('invalid')
    },
  )

  const address = { bucket: 'outputs', key: 'a.json' }
  function paramsOf(kind: string): unknown {
    switch (kind) {
      case 'extract-audio':
        return { temporaryPrefix: 'work/' }
      case 'transcription':
        return { media: { ...address, format: 'mp4' }, durationS: 1 }
      case 'publish-subtitles':
        return { transcript: address, name: 'a' }
      case 'summarize':
        return { scenes: address, title: 'a' }
      default:
        return {}
    }
  }
})

test.each(['subtitles', 'analyze'])('%s: every child that it asks for is accepted, step by step', (kind) => {
  const plan = pipelineOf({ kind, fence: undefined, pipeline: undefined })
  if (!plan) throw new Error('no plan')
  let parent = acceptedJobSchema.parse(acceptedAs(submitted({ kind, uid })))
  const asked: string[] = []
  for (let turn = 0; turn < 40; turn += 1) {
    const open = parent.pipeline?.steps.at(-1)?.children.filter(({ state }) => state === 'intended') ?? []
    const family = new Map(
      open.map((child) => [child.jobId, asked.includes(child.jobId) ? seenOf(child.kind) : missing]),
    )
    const action = decidePipeline(parent, plan, look(family), nowMs + minuteMs)
    if (action.do === 'finish') {
      expect(action).toMatchObject({ phase: 'Succeeded' })
      expect(asked).toHaveLength(kind === 'subtitles' ? 3 : 4)
      return
    }
    if (action.do === 'putChild') {
      const child = acceptedAs({ ...action.child })
      expect(child).toMatchObject({ phase: 'Pending', settings: { parent: `${jobId}/${parent.uid}` } })
      asked.push(action.child.jobId)
    }
    if (action.do === 'beginStep' || action.do === 'noteChildren')
      parent = { ...parent, phase: 'Running', pipeline: action.state }
  }
  throw new Error('it never ends')
})

function seenOf(kind: string) {
  const results: Record<string, Record<string, unknown>> = {
    'extract-audio': { ...asIs, media: { bucket: 'uploads', key: 'a.mp4', format: 'mp4' }, way: 'as-is' },
    'find-scenes': {
      manifest: 'm',
      scenes: { bucket: 'outputs', key: 'scenes.json' },
      count: 1,
      durationS: 1,
    },
    'publish-subtitles': { manifest: 'm', language: null, cues: 0, words: 0, speakers: 0 },
    summarize: {
      manifest: 'm',
      summary: 's',
      page: 'p',
      durationS: 1,
      language: null,
      speakers: 0,
      words: 0,
      scenes: 1,
      chapters: 1,
    },
  }
  return end('Succeeded', { result: results[kind] })
}
