import { expect, test } from 'vitest'
import { whyPipeline } from '../../controller/http/why-pipeline.ts'
import type { Job } from '../../schemas/job.ts'
import { acceptedMs, settings } from '../support/job.ts'
import { accepted, childId, ending, failed, plan, step, succeeded, underWay } from '../support/pipeline.ts'

const put = { state: 'put' } as const
const cancel = { spec: { cancel: true } }
const suspend = { spec: { suspend: true } }
const late = { settings: settings({ limits: { deadline: 1 } }) }
const split = accepted({ phase: 'Running', pipeline: { steps: [], split: { shards: 3 } } })

test.each<[string, Job, RegExp]>([
  ['before its first step', accepted(), /^Its first step, first, begins in a moment$/],
  [
    'split by its task',
    split,
    /^Too much for one task, so it was split: its first step, first, begins in a moment$/,
  ],
  [
    'waits for one child',
    underWay([step('first', [put])]),
    new RegExp(`^Step 1 of 3, first: waits for ${childId('first')}; it has until `),
  ],
  [
    'waits for several',
    underWay([step('first', [succeeded()]), step('many', [succeeded(), put, {}])]),
    new RegExp(
      `^Step 2 of 3, many: waits for 2 of 3 children, the first of them ${childId('many', 1)}; it has until `,
    ),
  ],
  ['between two steps', underWay([step('first', [succeeded()])]), /first: goes on in a moment; it has until/],
  ['suspended', accepted(suspend), /^Suspended with its children: .* until its deadline at /],
  ['cancelled', accepted(cancel), /^It is to be cancelled/],
  ['too late', accepted(late), /^Its deadline was .*, so it fails in a moment$/],
  [
    'a child failed',
    ending('ChildFailed', [step('many', [failed(), put])]),
    new RegExp(`^It ends, because one of its children failed; waits for ${childId('many', 1)} to end$`),
  ],
])('%s', (_name, job, expected) => {
  expect(whyPipeline(job, plan, acceptedMs + 2000).why).toMatch(expected)
})
