import { NumberValue } from '@aws-sdk/lib-dynamodb'
import { describe, expect, test } from 'vitest'
import { accept, type InputSeen, inputToCheck } from '../../controller/intake/accept.ts'
import { type Item, readStored } from '../../controller/store/stored.ts'
import { makeUid, uidFitsJob } from '../../schemas/ids.ts'
import { controllerAttributeNames, type Job } from '../../schemas/job.ts'
import { priorityBonusMs } from '../../schemas/limits.ts'
import {
  acceptedMs,
  arn,
  at,
  attempt,
  claim,
  finished,
  hourMs,
  jobId,
  report,
  running,
  uid,
} from '../support/job.ts'
import { testPolicy } from '../support/policy.ts'
import { createRandom, type Random } from '../support/random.ts'

const policy = testPolicy()
const nowMs = acceptedMs + hourMs
const random = 'zyxwvutsrqponmlk'
const input = { bucket: 'uploads', key: 'wedding.mp4', etag: 'e1' }
const submitted = (more: Item = {}): Item => ({
  jobId,
  kind: 'transcode',
  createdAt: at(0),
  phase: 'Submitted',
  spec: { input },
  ...more,
})

/** The record after it was accepted, as the table has it. */
const accepted = (item: Item, seen: InputSeen = { is: 'unknown' }, by = policy): Job & Item => {
  const stored = readStored(item)
  const old = stored.is === 'submitted' ? stored.old : undefined
  const { change } = accept(item, old, seen, by, nowMs, random)
  const after = Object.fromEntries(
    Object.entries({ ...item, ...change.set }).filter(
      ([name]) => Object.hasOwn(change.set, name) || !change.remove.includes(name),
    ),
  )
  return after as Job & Item
}

describe('a valid record', () => {
  test('waits in its queue from now on, whatever its createdAt says', () => {
    expect(accepted(submitted({ createdAt: '1999-01-01T00:00:00Z' }))).toMatchObject({
      phase: 'Pending',
      reason: 'Queued',
      createdAt: '1999-01-01T00:00:00Z',
      acceptedAt: at(hourMs),
      backlogQueue: 'default',
      rank: nowMs,
      queueRank: nowMs,
      uid: makeUid(jobId, random),
      generation: 1,
      revision: 1,
      attempts: [],
      counts: { failed: 0, infra: 0 },
      lastAttempt: 0,
      lastLaunch: 0,
      history: [{ at: at(hourMs), phase: 'Pending', reason: 'Queued' }],
      settings: { queue: 'default', input },
    })
  })

  test('reads back as accepted', () => {
    expect(readStored(accepted(submitted()))).toMatchObject({ is: 'accepted', job: { phase: 'Pending' } })
  })

  test('moves forward by ten minutes for each step of priority', () => {
    const { rank, queueRank } = accepted(submitted({ spec: { input, priority: 3 } }))
    expect([rank, queueRank]).toEqual([nowMs - 3 * priorityBonusMs, nowMs - 3 * priorityBonusMs])
    expect(priorityBonusMs).toBe(600_000)
  })

  test.each([undefined, 7, 'yesterday'])('with %j for createdAt gets one', (createdAt) => {
    expect(accepted(submitted({ createdAt })).createdAt).toBe(at(hourMs))
  })

  test('without a spec, where one is not needed, is judged like an empty one', () => {
    const { message } = accepted({ jobId, kind: 'container' })
    expect(message).toMatch(/^spec\.params\.taskDefinition/)
  })

  test('suspended from the beginning stands in no line, and says why', () => {
    const job = accepted(submitted({ spec: { input, suspend: true } }))
    expect(job).toMatchObject({ phase: 'Pending', reason: 'Suspended' })
    expect(job).not.toHaveProperty('backlogQueue')
    expect(job).not.toHaveProperty('rank')
  })

  test('cancelled from the beginning stands in no line: the next step cancels it', () => {
    const job = accepted(submitted({ spec: { input, cancel: true } }))
    expect(job.phase).toBe('Pending')
    expect(job).not.toHaveProperty('backlogQueue')
  })

  test('keeps what its user added', () => {
    expect(accepted(submitted({ mine: { note: 'keep' } }))).toMatchObject({
      mine: { note: 'keep' },
      spec: { input },
    })
  })

  test('keeps the sequencer of its event; what is none goes', () => {
    expect(accepted(submitted({ sequencer: '0055' })).sequencer).toBe('0055')
    expect(accepted(submitted({ sequencer: 7 }))).not.toHaveProperty('sequencer')
  })

  test('does not take away a sequencer that an event leaves while it is being accepted', () => {
    const { change } = accept(submitted(), undefined, { is: 'unknown' }, policy, nowMs, random)
    expect(change.remove).not.toContain('sequencer')
  })
})

describe('the input', () => {
  test.each<[string, Item, ReturnType<typeof inputToCheck>]>([
    [
      'an object without etag and version is asked for',
      { spec: { input: { bucket: 'b-1', key: 'k' } } },
      { bucket: 'b-1', key: 'k' },
    ],
    ['with etag and size it is not', { spec: { input: { ...input, bytes: 7 } } }, undefined],
    [
      'with version and size it is not',
      { spec: { input: { bucket: 'b-1', key: 'k', versionId: 'v', bytes: 7 } } },
      undefined,
    ],
    ['with an etag it is, for its size', { spec: { input } }, input],
    [
      'with a version it is, for its size',
      { spec: { input: { bucket: 'b-1', key: 'k', versionId: 'v' } } },
      { bucket: 'b-1', key: 'k', versionId: 'v' },
    ],
    [
      'with an etag it is not, where its size decides about nothing',
      { kind: 'container', spec: { params: { taskDefinition: 't' }, input } },
      undefined,
    ],
    [
      'a URL is not',
      { kind: 'container', spec: { params: { taskDefinition: 't' }, input: { url: 'https://h/' } } },
      undefined,
    ],
    [
      'that of an invalid record is not',
      { spec: { input: { bucket: 'b-1', key: 'k' }, priority: 12 } },
      undefined,
    ],
  ])('%s', (_name, more, want) => {
    expect(inputToCheck(submitted(more), policy)).toEqual(want)
  })

  const bare = submitted({ spec: { input: { bucket: 'uploads', key: 'gone.mp4' } } })

  test('its etag goes into the settings, not into the spec', () => {
    const job = accepted(bare, { is: 'present', etag: 'found' })
    expect(job.settings.input).toEqual({ bucket: 'uploads', key: 'gone.mp4', etag: 'found' })
    expect(job.spec).toEqual(bare.spec)
  })

  test('its size goes into the settings, and the task gets a disk for it', () => {
    const job = accepted(bare, { is: 'present', etag: 'found', bytes: 60e9 })
    expect(job.settings).toMatchObject({
      input: { etag: 'found', bytes: 60e9 },
      resources: { ephemeralStorage: 116 },
    })
    expect(accepted(bare, { is: 'present', etag: 'found', bytes: 60e6 }).settings.resources).toEqual({
      ...{ cpu: 2048, memory: 4096, capacity: 'on-demand' },
    })
  })

  test('what its user said of it stays', () => {
    const named = { bucket: 'uploads', key: 'gone.mp4', versionId: 'v1', bytes: 5 }
    const job = accepted(submitted({ spec: { input: named } }), { is: 'present', etag: 'found', bytes: 6 })
    expect(job.settings.input).toEqual(named)
  })

  test('that no task can take fails the job, with size, limit and what to do', () => {
    expect(accepted(bare, { is: 'present', etag: 'found', bytes: 200e9 })).toMatchObject({
      phase: 'Failed',
      reason: 'TooBig',
      message:
        'spec.input: 186.3 GiB is not allowed: kind transcode takes at most 150 GiB, because a Fargate task has at most 200 GiB of disk, outputs included; cut it into parts, or compress it first',
    })
  })

  test('that is not there fails the job, with bucket and key', () => {
    expect(accepted(bare, { is: 'missing' })).toMatchObject({
      phase: 'Failed',
      reason: 'InputMissing',
      message: 'spec.input: there is no object gone.mp4 in bucket uploads',
    })
  })

  test('of which S3 says nothing is left to the worker', () => {
    expect(accepted(bare, { is: 'unknown' })).toMatchObject({ phase: 'Pending' })
  })
})

describe('a record that cannot be accepted', () => {
  test.each<[string, Item, string, RegExp]>([
    ['wrong', { spec: { input, priority: 12 } }, 'InvalidSpec', /^spec\.priority: 12 is not allowed/],
    ['of an unknown kind', { kind: 'x' }, 'InvalidSpec', /^kind: "x"/],
    ['without a kind', { kind: undefined }, 'InvalidSpec', /^kind: must be one of/],
    ['with an impossible id', { jobId: 'a/b' }, 'InvalidSpec', /^jobId: "a\/b"/],
    [
      'too big for ever',
      { spec: { input, resources: { cpu: 8192 } } },
      'TooBig',
      /^spec\.resources\.cpu: 8192/,
    ],
  ])('%s: Failed, with the field', (_name, more, reason, message) => {
    const job = accepted(submitted(more))
    expect(job).toMatchObject({ phase: 'Failed', reason, finishedAt: at(hourMs) })
    expect(job.message).toMatch(message)
    expect(job.history.at(-1)).toMatchObject({ phase: 'Failed', reason, message: job.message })
    for (const name of ['backlogQueue', 'rank']) expect(job).not.toHaveProperty(name)
    expect(readStored(job)).toMatchObject({ is: 'accepted', job: { phase: 'Failed' } })
  })

  test('is reaped in its time, too', () => {
    expect(accepted(submitted({ spec: 7 })).settings.ttlAfterFinished).toBe(2_592_000)
  })

  test('has a sentence of limited length, however much is wrong', () => {
    const labels = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`l${index}`, index]))
    expect(accepted(submitted({ spec: { input, labels } })).message?.length).toBeLessThanOrEqual(500)
  })
})

describe('asked for again: a new generation', () => {
  const before = finished('Failed', {
    phase: 'Submitted',
    revision: 9,
    generation: 2,
    kind: 'transcode',
    spec: { input },
    message: 'No video stream',
    result: { old: true },
    counts: { failed: 3, infra: 4 },
    attempts: [attempt({ n: 6, outcome: { class: 'failed', reason: 'x' } })],
    rollup: { count: 5, costUsd: 0.5, byClass: { spot: 5 } },
    costUsd: 0.75,
    lastAttempt: 6,
    lastLaunch: 8,
    notBefore: at(0),
    report: report(),
    progress: { beat: 3, at: at(0) },
    sequencer: '0056',
  })
  const job = accepted(before)

  test('keeps its uid, its past and its numbers', () => {
    expect(job).toMatchObject({
      uid,
      attempts: before.attempts,
      rollup: before.rollup,
      costUsd: 0.75,
      lastAttempt: 6,
      lastLaunch: 8,
      sequencer: '0056',
    })
    expect(job.history).toEqual([...before.history, { at: at(hourMs), phase: 'Pending', reason: 'Queued' }])
  })

  test('never goes on with an attempt whose launch was taken out of the record: a task may have claimed it', () => {
    const open = { ...running(), phase: 'Submitted', fence: undefined, attempts: [attempt({ n: 1 })] }
    const [first, ...others] = accepted(open).attempts
    expect(others).toEqual([])
    expect(first).toEqual({
      ...attempt({ n: 1 }),
      outcome: { class: 'lost', reason: expect.stringContaining('submitted again') },
    })
  })

  test('begins anew: counts, deadline, place in line', () => {
    expect(job).toMatchObject({
      phase: 'Pending',
      generation: 3,
      revision: 10,
      counts: { failed: 0, infra: 0 },
      acceptedAt: at(hourMs),
      queueRank: nowMs,
    })
  })

  test.each(['message', 'result', 'finishedAt', 'notBefore', 'report', 'progress', 'claim'])(
    'leaves no %s',
    (name) => {
      expect(job).not.toHaveProperty(name)
    },
  )

  test('keeps the last twenty entries of its history', () => {
    const history = Array.from({ length: 20 }, (_, index) => ({
      at: at(index),
      phase: 'Failed' as const,
      reason: `R${index}`,
    }))
    const again = accepted({ ...before, history })
    expect(again.history).toHaveLength(20)
    expect(again.history[0]?.reason).toBe('R1')
  })
})

describe('a record whose uid does not fit is new, whatever stands in it', () => {
  const original: Item = {
    ...running({ kind: 'transcode', spec: { input } }),
    expiresAt: 1,
    phase: 'Running',
  }

  test.each<[string, Item]>([
    ['copied in the console while the original runs', { ...original, jobId: 'copy' }],
    ['overwritten, with a uid of its own making', { ...original, uid: 'x'.repeat(20) }],
    ['overwritten, without a uid', { ...original, uid: undefined }],
    ['overwritten, with a uid of another type', { ...original, uid: 7 }],
  ])('%s', (_name, item) => {
    const job = accepted(item)
    expect(uidFitsJob(job.uid, job.jobId)).toBe(true)
    expect(job.uid).not.toBe(uid)
    expect(job).toMatchObject({
      phase: 'Pending',
      generation: 1,
      attempts: [],
      lastAttempt: 0,
      lastLaunch: 0,
    })
    for (const name of [
      'fence',
      'launching',
      'taskArn',
      'claim',
      'stopping',
      'report',
      'progress',
      'expiresAt',
      'finishedAt',
    ])
      expect(job).not.toHaveProperty(name)
    expect(readStored(job).is).toBe('accepted')
  })

  test.each([-1, 0.5, Number.MAX_SAFE_INTEGER, 1e300, '7', null, NumberValue.from('1e99')])(
    'a revision of %j is none: it has to grow with every write',
    (revision) => {
      const job = accepted(submitted({ revision }))
      expect(job.revision).toBe(1)
    },
  )

  test('every attribute of the controller is either set or taken away', () => {
    const { change } = accept(original, undefined, { is: 'unknown' }, policy, nowMs, random)
    const touched = new Set([...Object.keys(change.set), ...change.remove])
    expect(controllerAttributeNames.filter((name) => !touched.has(name) && name !== 'sequencer')).toEqual([])
  })
})

test('whatever stands in the table: accepted once, it reads back as accepted, and what is the user’s stays (3,000 seeds)', () => {
  for (let seed = 1; seed <= 3000; seed += 1) {
    const dice = createRandom(seed)
    const item = anyItem(dice)
    try {
      const stored = readStored(item)
      if (stored.is !== 'submitted') continue
      const job = accepted(
        item,
        dice.pick([{ is: 'unknown' }, { is: 'missing' }, { is: 'present', etag: 'e' }]),
      )
      const again = readStored(job)
      if (again.is !== 'accepted') throw new Error(`reads back as ${JSON.stringify(again)}`)
      if (!['Pending', 'Failed'].includes(again.job.phase)) throw new Error(`is ${again.job.phase}`)
      if (again.job.phase === 'Failed' && !job.message) throw new Error('does not say why')
      if (job.mine !== item.mine || job.spec !== item.spec) throw new Error('changes what is the user’s')
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error })
    }
  }
})

const odd = (random: Random): unknown =>
  random.pick<unknown>([
    undefined,
    null,
    true,
    0,
    -3,
    1.5,
    '',
    'x',
    'x'.repeat(600),
    [],
    [{}],
    {},
    { toString: 1 },
    { length: { toString: 1 } },
    new Set(['a']),
    new Uint8Array(4),
    NumberValue.from('1e99'),
    at(0),
  ])

/** A record of ours, a copy of it or a new one, with some attributes replaced by anything. */
function anyItem(random: Random): Item {
  const from: Item = random.pick<Item>([submitted(), running(), finished('Failed'), { jobId }])
  const item: Item = { ...from, mine: odd(random) }
  if (random.once(2)) item.jobId = random.pick(['copy', 'a/b', ' ', jobId, '💥'])
  if (random.once(2)) item.phase = 'Submitted'
  if (random.once(2)) delete item.uid
  if (random.once(3)) delete item.fence
  const names = [
    ...controllerAttributeNames,
    'kind',
    'createdAt',
    'spec',
    'claim',
    'report',
    'progress',
    'expiresAt',
  ]
  for (const name of names) if (random.once(6)) item[name] = odd(random)
  return item
}

test('the worker’s attributes of a copy are not its own', () => {
  const copy = accepted({ ...running(), jobId: 'copy', claim: claim(arn) })
  expect(copy).not.toHaveProperty('claim')
})
