import assert from 'node:assert/strict'
import { describe, expect, test } from 'vitest'
import { type Admission, admit, type Heads, type Usage, type Waiting } from '../../controller/admit/admit.ts'
import { type Policy, vcpuCeiling } from '../../controller/policy.ts'
import { overtakenAtMostMs, priorityBonusMs } from '../../schemas/limits.ts'
import { acceptedMs, minuteMs } from '../support/job.ts'
import { createRandom, type Random } from '../support/random.ts'

const policyWith = (more: Partial<Policy> = {}): Policy => ({
  installation: 'test',
  maxRunning: 100,
  maxVcpu: 6,
  queues: { default: {} },
  visibilityGraceMs: 360_000,
  reservedFamilies: [],
  uploadsBucket: 'uploads',
  ...more,
})
const noUse: Usage = { running: 0, vcpu: 0, queues: new Map() }
const use = (queues: Record<string, { running: number; vcpu: number }>): Usage => {
  const all = Object.values(queues)
  return {
    running: all.reduce((sum, { running }) => sum + running, 0),
    vcpu: all.reduce((sum, { vcpu }) => sum + vcpu, 0),
    queues: new Map(Object.entries(queues)),
  }
}
const waits = (jobId: string, rank: number, more: Partial<Waiting> = {}): Waiting => ({
  jobId,
  queue: 'default',
  rank,
  vcpu: 1,
  capacity: 'on-demand 1024/2048',
  ...more,
})
const ids = ({ admitted }: Admission): string[] => admitted.map(({ jobId }) => jobId)
const pass = (
  waiting: readonly Waiting[],
  {
    usage = noUse,
    policy = policyWith(),
    tokens = 20,
    heads = new Map() as Heads,
    nowMs = acceptedMs,
  }: { usage?: Usage; policy?: Policy; tokens?: number; heads?: Heads; nowMs?: number } = {},
): Admission => admit(waiting, usage, policy, tokens, heads, nowMs)

describe('in order of rank', () => {
  test('whoever waits longest starts first, over all queues', () => {
    const policy = policyWith({ queues: { default: {}, batch: {} }, maxVcpu: 3 })
    const waiting = [
      waits('d2', 4),
      waits('b1', 1, { queue: 'batch' }),
      waits('b2', 3, { queue: 'batch' }),
      waits('d1', 2),
    ]
    expect(ids(pass(waiting, { policy }))).toEqual(['b1', 'd1', 'b2'])
  })

  test('a step of priority is worth ten minutes of waiting, not more', () => {
    const policy = policyWith({ maxVcpu: 1 })
    const rankOf = (acceptedAtMs: number, priority: number) => acceptedAtMs - priority * priorityBonusMs
    const patient = waits('patient', rankOf(acceptedMs, 0))
    const soon = waits('urgent', rankOf(acceptedMs + 10 * minuteMs - 1, 1))
    const late = waits('urgent', rankOf(acceptedMs + 10 * minuteMs + 1, 1))
    expect(ids(pass([patient, soon], { policy }))).toEqual(['urgent'])
    expect(ids(pass([patient, late], { policy }))).toEqual(['patient'])
  })

  test('the order of what is given does not matter, and it is not changed', () => {
    const waiting = [waits('b', 2), waits('a', 1)]
    expect(ids(pass(waiting, { policy: policyWith({ maxVcpu: 1 }) }))).toEqual(['a'])
    expect(waiting.map(({ jobId }) => jobId)).toEqual(['b', 'a'])
  })
})

describe('limits', () => {
  const three = [waits('a', 1), waits('b', 2), waits('c', 3)]
  type Row = [
    name: string,
    options: Parameters<typeof pass>[1],
    admitted: string[],
    waitingFor: string | undefined,
  ]
  const rows: Row[] = [
    ['everything fits', {}, ['a', 'b', 'c'], undefined],
    ['running, exactly reached', { policy: policyWith({ maxRunning: 3 }) }, ['a', 'b', 'c'], undefined],
    ['running, one less', { policy: policyWith({ maxRunning: 2 }) }, ['a', 'b'], 'QueueLimit'],
    [
      'running, with what lives',
      { policy: policyWith({ maxRunning: 3 }), usage: use({ other: { running: 2, vcpu: 0.5 } }) },
      ['a'],
      'QueueLimit',
    ],
    ['vCPU, exactly reached', { policy: policyWith({ maxVcpu: 3 }) }, ['a', 'b', 'c'], undefined],
    ['vCPU, a little less', { policy: policyWith({ maxVcpu: 2.75 }) }, ['a', 'b'], 'VcpuLimit'],
    ['vCPU, with what lives', { usage: use({ other: { running: 1, vcpu: 4.5 } }) }, ['a'], 'VcpuLimit'],
    [
      'running of the queue',
      { policy: policyWith({ queues: { default: { maxRunning: 1 } } }) },
      ['a'],
      'QueueLimit',
    ],
    [
      'vCPU of the queue',
      { policy: policyWith({ queues: { default: { maxVcpu: 2 } } }) },
      ['a', 'b'],
      'VcpuLimit',
    ],
    [
      'of the queue, with what lives in it',
      {
        policy: policyWith({ queues: { default: { maxRunning: 3 } } }),
        usage: use({ default: { running: 2, vcpu: 2 } }),
      },
      ['a'],
      'QueueLimit',
    ],
    [
      'of the queue: what lives in others does not count',
      {
        policy: policyWith({ queues: { default: { maxRunning: 3 } } }),
        usage: use({ batch: { running: 2, vcpu: 2 } }),
      },
      ['a', 'b', 'c'],
      undefined,
    ],
    ['launch rate', { tokens: 2 }, ['a', 'b'], 'LaunchRate'],
    ['no launch token', { tokens: 0 }, [], 'LaunchRate'],
    ['a limit of 0 stops everything', { policy: policyWith({ maxRunning: 0 }) }, [], 'QueueLimit'],
    [
      'a limit of the queue of 0 stops it',
      { policy: policyWith({ queues: { default: { maxRunning: 0 } } }) },
      [],
      'QueueLimit',
    ],
    [
      'limits lowered below what lives: nothing starts',
      { policy: policyWith({ maxVcpu: 2 }), usage: use({ default: { running: 5, vcpu: 5 } }) },
      [],
      'VcpuLimit',
    ],
  ]
  test.for(rows)('%s', ([, options, admitted, waitingFor]) => {
    const result = pass(three, options)
    expect(ids(result)).toEqual(admitted)
    expect(result.waitingFor.get('default')).toBe(waitingFor)
  })

  test('what is given is not changed', () => {
    const usage = use({ default: { running: 1, vcpu: 1 } })
    pass(three, { usage })
    expect(usage).toEqual(use({ default: { running: 1, vcpu: 1 } }))
  })
})

describe('a job that does not fit now is passed over', () => {
  const big = waits('big', 1, { vcpu: 4 })
  const small = waits('small', 2)
  const usage = use({ default: { running: 3, vcpu: 3 } })
  const first = pass([big, small], { usage })

  test('a smaller one behind it uses what is free', () => {
    expect(ids(first)).toEqual(['small'])
    expect(first.heads).toEqual(new Map([['default', { jobId: 'big', sinceMs: acceptedMs }]]))
  })

  test('until it has been first in line for ten minutes: one millisecond before', () => {
    const nowMs = acceptedMs + overtakenAtMostMs - 1
    expect(ids(pass([big, small], { usage, heads: first.heads, nowMs }))).toEqual(['small'])
  })

  test('at ten minutes nothing overtakes it', () => {
    const nowMs = acceptedMs + overtakenAtMostMs
    expect(ids(pass([big, small], { usage, heads: first.heads, nowMs }))).toEqual([])
  })

  test('and no job of another queue either, if the limits of all are in its way', () => {
    const nowMs = acceptedMs + overtakenAtMostMs
    const policy = policyWith({ queues: { default: {}, batch: {} } })
    const other = waits('other', 2, { queue: 'batch' })
    expect(ids(pass([big, other], { usage, policy, heads: first.heads, nowMs }))).toEqual([])
  })

  test('a job of another queue passes, if only the limit of its own queue is in its way', () => {
    const policy = policyWith({ queues: { default: { maxVcpu: 4 }, batch: {} } })
    const other = waits('other', 2, { queue: 'batch' })
    const oneRuns = use({ default: { running: 1, vcpu: 1 } })
    const nowMs = acceptedMs + overtakenAtMostMs
    expect(ids(pass([big, small, other], { usage: oneRuns, policy, heads: first.heads, nowMs }))).toEqual([
      'other',
    ])
  })

  test('what stands before it in rank still starts', () => {
    const nowMs = acceptedMs + overtakenAtMostMs
    const earlier = waits('earlier', 0, { queue: 'batch' })
    const policy = policyWith({ queues: { default: {}, batch: {} } })
    expect(ids(pass([big, small, earlier], { usage, policy, heads: first.heads, nowMs }))).toEqual([
      'earlier',
    ])
  })

  test('it starts as soon as it fits', () => {
    const nowMs = acceptedMs + overtakenAtMostMs
    const free = use({ default: { running: 1, vcpu: 1 } })
    expect(ids(pass([big, small], { usage: free, heads: first.heads, nowMs }))).toEqual(['big', 'small'])
  })

  test('the ten minutes are those of the job, not of the place', () => {
    const heads = new Map([['default', { jobId: 'gone', sinceMs: acceptedMs }]])
    const nowMs = acceptedMs + overtakenAtMostMs
    const result = pass([big, small], { usage, heads, nowMs })
    expect(ids(result)).toEqual(['small'])
    expect(result.heads.get('default')).toEqual({ jobId: 'big', sinceMs: nowMs })
  })

  test('waiting for launch tokens makes nobody overtaken: they come to whoever is first', () => {
    const nowMs = acceptedMs + overtakenAtMostMs
    expect(ids(pass([small, waits('next', 3)], { tokens: 1, nowMs }))).toEqual(['small'])
  })
})

describe('a job that can never fit any more', () => {
  const huge = waits('huge', 1, { vcpu: 8 })

  test('is skipped and named, and holds up nobody, however long it is first', () => {
    const heads = new Map([['default', { jobId: 'huge', sinceMs: 0 }]])
    const result = pass([huge, waits('small', 2)], { heads })
    expect(ids(result)).toEqual(['small'])
    expect(result.neverFit).toEqual([huge])
    expect(result.heads.size).toBe(0)
  })

  test('by the limit of its queue, likewise', () => {
    const policy = policyWith({ maxVcpu: 100, queues: { default: { maxVcpu: 4 } } })
    expect(pass([huge], { policy }).neverFit).toEqual([huge])
  })

  test('exactly at the limit it fits', () => {
    expect(ids(pass([waits('full', 1, { vcpu: 6 })]))).toEqual(['full'])
  })
})

describe('capacity that AWS refused a moment ago', () => {
  const spot = 'spot 1024/2048'
  const waiting = [waits('s1', 1, { capacity: spot }), waits('s2', 2, { capacity: spot }), waits('d1', 3)]
  const withHold = (probe: boolean, heads: Heads = new Map(), nowMs = acceptedMs) =>
    admit(waiting, noUse, policyWith(), 20, heads, nowMs, new Map([[spot, { probe }]]))

  test('is held: others pass', () => {
    const result = withHold(false)
    expect(ids(result)).toEqual(['d1'])
    expect(result.waitingFor.get('default')).toBe('Capacity')
  })

  test('may be tried by one job at a time', () => {
    expect(ids(withHold(true))).toEqual(['s1', 'd1'])
  })

  test('closes nothing after ten minutes: other jobs could not leave it to this one', () => {
    const heads = new Map([['default', { jobId: 's1', sinceMs: 0 }]])
    expect(ids(withHold(false, heads))).toEqual(['d1'])
  })
})

test('limits are never exceeded, what fits is not left, and nobody is overtaken too long (2,000 seeds)', () => {
  for (let seed = 1; seed <= 2000; seed += 1) {
    const random = createRandom(seed)
    const given = draw(random)
    const result = pass(given.waiting, given)
    try {
      checkLimits(given, result)
      checkOrder(given, result)
      checkNothingLeft(given, result)
    } catch (error) {
      throw new Error(`seed ${seed}: ${JSON.stringify({ given, admitted: ids(result) })}`, { cause: error })
    }
  }
})

type Given = { waiting: Waiting[]; usage: Usage; policy: Policy; tokens: number; heads: Heads; nowMs: number }
const queueNames = ['default', 'batch', 'vip']

function draw(random: Random): Given {
  const limit = (most: number): number | undefined => (random.once(2) ? undefined : random.below(most))
  const policy = policyWith({
    maxRunning: random.below(8),
    maxVcpu: random.below(24) / 2,
    queues: Object.fromEntries(queueNames.map((name) => [name, { maxRunning: limit(5), maxVcpu: limit(8) }])),
  })
  const waiting = Array.from({ length: random.below(9) }, (_, index) =>
    waits(`job-${index}`, random.below(6), {
      queue: random.pick(queueNames),
      vcpu: random.pick([0.25, 0.5, 1, 2, 4, 8]),
    }),
  )
  const usage = use(
    Object.fromEntries(
      queueNames.map((name) => {
        const count = random.below(3)
        return [name, { running: count, vcpu: count * random.pick([0.25, 1, 2]) }]
      }),
    ),
  )
  const heads = new Map(
    queueNames.map((name) => [
      name,
      {
        jobId: `job-${random.below(9)}`,
        sinceMs: acceptedMs - random.pick([0, overtakenAtMostMs - 1, overtakenAtMostMs]),
      },
    ]),
  )
  return { waiting, usage, policy, tokens: random.below(6), heads, nowMs: acceptedMs }
}

const sum = (jobs: readonly Waiting[], queue?: string): { running: number; vcpu: number } => {
  const own = jobs.filter((job) => queue === undefined || job.queue === queue)
  return { running: own.length, vcpu: own.reduce((total, { vcpu }) => total + vcpu, 0) }
}

function checkLimits({ usage, policy, tokens }: Given, { admitted }: Admission): void {
  assert.ok(admitted.length <= tokens)
  assert.equal(new Set(admitted).size, admitted.length)
  for (const queue of [undefined, ...queueNames]) {
    const started = sum(admitted, queue)
    if (started.running === 0) continue
    const before = queue === undefined ? usage : (usage.queues.get(queue) ?? { running: 0, vcpu: 0 })
    const most = queue === undefined ? policy : (policy.queues[queue] ?? {})
    assert.ok(before.running + started.running <= (most.maxRunning ?? Number.POSITIVE_INFINITY))
    assert.ok(before.vcpu + started.vcpu <= (most.maxVcpu ?? Number.POSITIVE_INFINITY))
  }
}

function checkOrder({ waiting, heads, nowMs }: Given, result: Admission): void {
  const ranks = result.admitted.map(({ rank }) => rank)
  assert.deepEqual(
    ranks,
    [...ranks].sort((a, b) => a - b),
  )
  // Whoever was first for ten minutes is overtaken by nobody of its own queue.
  for (const [queue, head] of result.heads) {
    const before = heads.get(queue)
    if (before?.jobId !== head.jobId || nowMs - before.sinceMs < overtakenAtMostMs) continue
    const rank = waiting.find(({ jobId }) => jobId === head.jobId)?.rank ?? 0
    assert.deepEqual(
      result.admitted.filter((job) => job.queue === queue && job.rank > rank),
      [],
    )
  }
}

function checkNothingLeft(given: Given, { admitted, heads, neverFit }: Admission): void {
  const { waiting, usage, policy, tokens, nowMs } = given
  const anyClosed = [...heads.values()].some(({ sinceMs }) => nowMs - sinceMs >= overtakenAtMostMs)
  if (anyClosed) return
  const all = sum(admitted)
  for (const job of waiting) {
    assert.equal(neverFit.includes(job), job.vcpu > vcpuCeiling(policy, job.queue))
    if (admitted.includes(job) || neverFit.includes(job)) continue
    const own = sum(admitted, job.queue)
    const before = usage.queues.get(job.queue) ?? { running: 0, vcpu: 0 }
    const most = policy.queues[job.queue] ?? {}
    const fits =
      admitted.length < tokens &&
      usage.running + all.running < policy.maxRunning &&
      usage.vcpu + all.vcpu + job.vcpu <= policy.maxVcpu &&
      before.running + own.running < (most.maxRunning ?? Number.POSITIVE_INFINITY) &&
      before.vcpu + own.vcpu + job.vcpu <= (most.maxVcpu ?? Number.POSITIVE_INFINITY)
    assert.ok(!fits, `${job.jobId} would have fitted`)
  }
}
