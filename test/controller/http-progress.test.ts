import { describe, expect, test } from 'vitest'
import { type Progress, progressOf, progressOfPipeline } from '../../controller/http/progress.ts'
import type { Job } from '../../schemas/job.ts'
import { acceptedMs, at, job, minuteMs, running } from '../support/job.ts'
import { accepted, ending, failed, first, plan, step, succeeded, underWay } from '../support/pipeline.ts'

const put = { state: 'put' } as const
const suspend = { spec: { suspend: true } }
const children = (ended: number, of: number) =>
  Array.from({ length: of }, (_, index) => (index < ended ? succeeded() : put))

describe('how far a pipeline is', () => {
  test.for<[string, Job, number, Progress | undefined]>([
    ['split by its task, nothing yet', split(), 1, { percent: 0, stage: 'first' }],
    ['its first step under way', underWay([step('first', [put])]), 1, { percent: 0, stage: 'first' }],
    ['a child that is not put yet', underWay([step('first', [{}])]), 1, { percent: 0, stage: 'first' }],
    ['one of three steps over', underWay([first]), 1, { percent: 33, stage: 'first', etaS: 120 }],
    [
      'the steps before count by their children, those to come as one each',
      underWay([first, step('many', children(0, 3))]),
      1,
      { percent: 20, stage: 'many' },
    ],
    [
      'a child that has ended gives the pace: two are left',
      underWay([first, step('many', children(2, 3))]),
      1,
      { percent: 60, stage: 'many', etaS: 60 },
    ],
    [
      'the pace slows down while nothing ends',
      underWay([first, step('many', children(2, 3))]),
      10,
      { percent: 60, stage: 'many', etaS: 600 },
    ],
    [
      'a child that was let fail has ended too',
      underWay([first, step('many', [failed(), succeeded(), put])]),
      1,
      { percent: 60, stage: 'many', etaS: 60 },
    ],
    ['99 of 101', underWay([step('first', children(98, 99))]), 1, { percent: 97, stage: 'first', etaS: 2 }],
    [
      'all children of all steps',
      underWay([first, step('many', children(3, 3)), step('last', children(1, 1))]),
      1,
      { percent: 100, stage: 'last', etaS: 0 },
    ],
    ['a step without children', underWay([first, step('many', [])]), 1, { percent: 50, stage: 'many' }],
    [
      'more steps than its kind has',
      underWay([first, first, first, step('more', [put])]),
      1,
      { percent: 75, stage: 'more' },
    ],
    [
      'suspended: nobody can tell for how long',
      underWay([first, step('many', children(2, 3))], suspend),
      1,
      { percent: 60, stage: 'many' },
    ],
    [
      'taken up again by a retry: its step began before that',
      underWay([first, step('many', children(2, 3))], { acceptedAt: at(1) }),
      1,
      { percent: 60, stage: 'many' },
    ],
    [
      'a clock that goes backwards',
      underWay([step('first', children(1, 2))]),
      -1,
      { percent: 25, stage: 'first', etaS: 0 },
    ],
    ['its children are cancelled', ending('Cancel', [step('many', [failed(), put])]), 1, undefined],
  ])('%s', ([_name, record, minutes, expected]) => {
    expect(progressOfPipeline(record, plan, acceptedMs + minutes * minuteMs)).toEqual(expected)
  })
})

describe('how far a job is', () => {
  const said = { beat: 7, percent: 43.4, stage: 'encode', etaS: 97, at: at(minuteMs) }
  const of = (record: Job) => progressOf({ is: 'accepted', job: record, item: record }, acceptedMs + minuteMs)

  test.for<[string, Job, Progress | undefined]>([
    ['what its worker says', running({ progress: said }), { percent: 43.4, stage: 'encode', etaS: 97 }],
    ['a stage alone', running({ progress: { beat: 1, stage: 'look', at: at(0) } }), { stage: 'look' }],
    ['nothing was said yet', running(), undefined],
    ['what an attempt said that is over', job({ progress: said }), undefined],
    ['what was said before it ended', job({ phase: 'Succeeded', progress: said }), undefined],
    ['a pipeline that is under way', underWay([step('audio', [put])]), { percent: 0, stage: 'audio' }],
    ['a pipeline that has not begun', accepted(), undefined],
    [
      'not what its task said before it was split',
      { ...split(), kind: 'transcode', progress: said },
      { percent: 0, stage: 'encode' },
    ],
  ])('%s', ([_name, record, expected]) => {
    expect(of(record)).toEqual(expected)
  })

  test('a record that nobody has accepted says nothing', () => {
    expect(
      progressOf({ is: 'submitted', item: { jobId: 'a', progress: said }, old: undefined }, acceptedMs),
    ).toBeUndefined()
  })
})

function split(): Job {
  return accepted({ phase: 'Running', reason: 'Split', pipeline: { steps: [], split: { shards: 3 } } })
}
