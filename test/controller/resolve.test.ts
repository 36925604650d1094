import { NumberValue } from '@aws-sdk/lib-dynamodb'
import { describe, expect, test } from 'vitest'
import { hashSpec, type Resolved, resolveSettings, withKnown } from '../../controller/intake/resolve.ts'
import { isFargateSize } from '../../schemas/fargate.ts'
import { specBounds } from '../../schemas/limits.ts'
import { summaryOf } from '../../schemas/problems.ts'
import { settingsSchema } from '../../schemas/spec.ts'
import { testPolicy } from '../support/policy.ts'
import { createRandom, type Random } from '../support/random.ts'

const input = { bucket: 'uploads', key: 'a.mp4', etag: 'e1' }
const params = { taskDefinition: 'mine' }
const policy = testPolicy({ maxVcpu: 64 })

const resolve = (spec: unknown, kind: unknown, by = policy): Resolved =>
  resolveSettings('wedding-42', kind, spec, by)
const ofContainer = (spec: unknown): Resolved => resolve(spec, 'container')
const sentence = (resolved: Resolved): string => {
  switch (resolved.is) {
    case 'valid':
      return 'valid'
    case 'invalid':
      return summaryOf(resolved.problems, 2000)
    case 'tooBig':
      return summaryOf([resolved.problem])
    default:
      throw resolved satisfies never
  }
}
const settingsOf = (spec: unknown, kind = 'container') => {
  const resolved = resolve(spec, kind)
  if (resolved.is !== 'valid') throw new Error(sentence(resolved))
  return resolved.settings
}

describe('what applies when little is said', () => {
  test('a transcode', () => {
    expect(settingsOf({ input }, 'transcode')).toMatchObject({
      input,
      output: 'results/wedding-42/',
      queue: 'default',
      priority: 0,
      resources: { cpu: 2048, memory: 4096, capacity: 'on-demand' },
      limits: {
        attempts: 3,
        infrastructureAttempts: 10,
        startTimeout: 600,
        attemptTimeout: 172_800,
        deadline: 604_800,
        heartbeatTimeout: 120,
        backoff: { initial: 10, max: 600 },
        maxMemory: 16_384,
      },
      failurePolicy: [],
      ttlAfterFinished: 2_592_000,
      labels: {},
      params: { preset: 'veryfast', segmentSeconds: 6 },
    })
  })

  test('a container', () => {
    expect(settingsOf({ params })).toMatchObject({
      params,
      resources: { cpu: 256, memory: 512 },
      limits: { maxMemory: 2048 },
    })
  })

  test.each([256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768])(
    '%i CPU units without memory: a size that Fargate has',
    (cpu) => {
      const { resources } = settingsOf({ params, resources: { cpu } })
      expect(isFargateSize(resources.cpu, resources.memory)).toBe(true)
    },
  )

  test('memory alone: the smallest CPU that has it, since a pipeline hands it on to steps of every size', () => {
    expect(settingsOf({ params, resources: { memory: 8192 } }).resources).toMatchObject({
      ...{ cpu: 1024, memory: 8192 },
    })
  })

  test('the longest wait is never below the first one', () => {
    expect(settingsOf({ params, limits: { backoff: { initial: 1800 } } }).limits.backoff).toEqual({
      initial: 1800,
      max: 1800,
    })
    expect(settingsOf({ params, limits: { backoff: { max: 5 } } }).limits.backoff).toEqual({
      initial: 5,
      max: 5,
    })
  })

  test('settings are of the published form', () => {
    for (const kind of ['transcode', 'container'])
      expect(
        settingsSchema.safeParse(settingsOf({ input, ...(kind === 'container' ? { params } : {}) }, kind))
          .success,
      ).toBe(true)
  })

  test('what is said, applies', () => {
    const spec = {
      input,
      params,
      output: 'mine/',
      queue: 'default',
      priority: 9,
      resources: { cpu: 1024, memory: 3072, ephemeralStorage: 50, capacity: 'spot' },
      limits: {
        attempts: 1,
        infrastructureAttempts: 0,
        startTimeout: 10,
        attemptTimeout: 1,
        deadline: 1,
        heartbeatTimeout: 15,
        backoff: { initial: 0, max: 0 },
        maxMemory: 3072,
      },
      failurePolicy: [{ exitCodes: [1], action: 'fail' }],
      ttlAfterFinished: 0,
      labels: { team: 'video' },
    }
    expect(settingsOf(spec)).toEqual({ kind: 'container', ...spec })
  })

  test('an attempt at a recording may last as long as the recording, and half an hour', () => {
    const timeoutOf = (params: object, limits = {}) =>
      settingsOf({ input: { url: 'https://h.example/a' }, params, limits }, 'record').limits.attemptTimeout
    expect(timeoutOf({})).toBe(21_600)
    expect(timeoutOf({ maxDuration: 43_200 })).toBe(45_000)
    expect(timeoutOf({ maxDuration: 43_200 }, { attemptTimeout: 60 })).toBe(60)
  })

  test.each(['transcode', 'torrent'])(
    'an attempt at a %s that one task has to do may last two days',
    (kind) => {
      expect(settingsOf({ input }, kind).limits.attemptTimeout).toBe(172_800)
      expect(settingsOf({ input, limits: { attemptTimeout: 60 } }, kind).limits.attemptTimeout).toBe(60)
    },
  )

  test('an attempt at anything else may last six hours', () => {
    expect(settingsOf({ input }, 'audio').limits.attemptTimeout).toBe(21_600)
  })

  test('a recording needs an address', () => {
    const rule = /^spec\.input: must have url: kind record/
    expect(sentence(resolve({}, 'record'))).toMatch(rule)
    expect(sentence(resolve({ input }, 'record'))).toMatch(rule)
    expect(sentence(resolve({ input: { url: 'rtmp://h.example/a/b' } }, 'record'))).toBe('valid')
  })

  test('cancel and suspend are no settings', () => {
    expect(settingsOf({ params, cancel: true, suspend: true })).not.toHaveProperty('cancel')
  })
})

describe('every bound: inside it is valid, outside the sentence names field, value and bound', () => {
  const limit = (name: string) => (value: number) => ({ params, limits: { [name]: value } })
  const backoff = (name: string) => (value: number) => ({ params, limits: { backoff: { [name]: value } } })
  const rows: [string, { min: number; max: number }, (value: number) => object][] = [
    ['spec.priority', specBounds.priority, (priority) => ({ params, priority })],
    ['spec.limits.attempts', specBounds.attempts, limit('attempts')],
    [
      'spec.limits.infrastructureAttempts',
      specBounds.infrastructureAttempts,
      limit('infrastructureAttempts'),
    ],
    ['spec.limits.startTimeout', specBounds.startTimeoutS, limit('startTimeout')],
    ['spec.limits.attemptTimeout', specBounds.attemptTimeoutS, limit('attemptTimeout')],
    ['spec.limits.deadline', specBounds.deadlineS, limit('deadline')],
    ['spec.limits.heartbeatTimeout', specBounds.heartbeatTimeoutS, limit('heartbeatTimeout')],
    ['spec.limits.backoff.initial', specBounds.backoffS, backoff('initial')],
    ['spec.limits.backoff.max', specBounds.backoffS, backoff('max')],
    ['spec.limits.maxMemory', specBounds.memoryMiB, limit('maxMemory')],
    [
      'spec.ttlAfterFinished',
      specBounds.ttlAfterFinishedS,
      (ttlAfterFinished) => ({ params, ttlAfterFinished }),
    ],
    [
      'spec.resources.ephemeralStorage',
      specBounds.ephemeralStorageGiB,
      (ephemeralStorage) => ({ params, resources: { ephemeralStorage } }),
    ],
    ['spec.resources.cpu', specBounds.cpu, (cpu) => ({ params, resources: { cpu } })],
  ]
  test.for(rows)('%s', ([field, { min, max }, spec]) => {
    expect([min, max].map((value) => sentence(ofContainer(spec(value))))).toEqual(['valid', 'valid'])
    expect(sentence(ofContainer(spec(min - 1)))).toBe(
      `${field}: ${min - 1} is not allowed: must be at least ${min}`,
    )
    expect(sentence(ofContainer(spec(max + 1)))).toBe(
      `${field}: ${max + 1} is not allowed: must be at most ${max}`,
    )
    expect(sentence(ofContainer(spec(min + 0.5)))).toContain(
      `${field}: ${min + 0.5} is not allowed: must be a whole number from ${min} to ${max}`,
    )
  })

  test('spec.resources.memory, too', () => {
    const memory = (value: number) => sentence(ofContainer({ params, resources: { memory: value } }))
    expect(memory(511)).toBe('spec.resources.memory: 511 is not allowed: must be at least 512')
    expect(memory(249_857)).toBe('spec.resources.memory: 249857 is not allowed: must be at most 249856')
  })

  const many = <T>(count: number, of: (index: number) => T): T[] =>
    Array.from({ length: count }, (_, index) => of(index))
  const rule = { exitCodes: [1], action: 'fail' }
  test.each<[string, object, object, RegExp]>([
    [
      'rules',
      { failurePolicy: many(20, () => rule) },
      { failurePolicy: many(21, () => rule) },
      /spec\.failurePolicy: .*20/,
    ],
    [
      'labels',
      { labels: Object.fromEntries(many(20, (n) => [`l${n}`, ''])) },
      { labels: Object.fromEntries(many(21, (n) => [`l${n}`, ''])) },
      /spec\.labels: .*must be at most 20/,
    ],
    [
      'bytes of a key',
      { input: { ...input, key: 'ü'.repeat(512) } },
      { input: { ...input, key: 'ü'.repeat(513) } },
      /spec\.input\.key: .*must be at most 1024 bytes/,
    ],
    [
      'characters of parameters',
      { params: { ...params, environment: { A: 'x'.repeat(2000) } } },
      { params: { ...params, x: 'x'.repeat(16_384) } },
      /spec\.params: .*must be at most 16384 characters/,
    ],
  ])('%s', (_name, inside, outside, said) => {
    expect(sentence(ofContainer({ params, ...inside }))).toBe('valid')
    expect(sentence(ofContainer({ params, ...outside }))).toMatch(said)
  })
})

describe('the field is named', () => {
  test.each<[string, unknown, unknown, RegExp]>([
    [
      'an unknown kind',
      'transcoding',
      {},
      /^kind: "transcoding" is not allowed: must be one of: transcode, subtitles, audio, analyze, record, torrent, seed, container$/,
    ],
    ['no kind', undefined, {}, /^kind: must be one of: transcode/],
    ['a step of a pipeline', 'extract-audio', {}, /^kind: .*extract-audio.* step of a pipeline/],
    [
      'the task definition of our own workers',
      'container',
      { params: { taskDefinition: 'worker:3' } },
      /^spec\.params\.taskDefinition: .*worker.* our own workers/,
    ],
    [
      'an output that Transcribe cannot write to',
      'subtitles',
      { input: { bucket: 'uploads', key: 'a.mp4' }, output: 'my talks/' },
      /^spec\.output: .*Amazon Transcribe/,
    ],
    ...(
      [
        ['deletes an input of another bucket', { bucket: 'archive', key: 'a.mp4' }],
        ['deletes what nobody names', undefined],
        [
          'deletes an object of which only the version is named',
          { bucket: 'uploads', key: 'a.mp4', versionId: 'v1' },
        ],
      ] as const
    ).map(([name, input]): [string, unknown, unknown, RegExp] => [
      name,
      'container',
      { params, ...(input ? { input } : {}), afterSuccess: 'delete' },
      /^spec\.afterSuccess: "?delete"? is not allowed: needs an input of bucket uploads/,
    ]),
    ['a kind of another type', 7, {}, /^kind: 7/],
    ['a kind that every object has', '__proto__', {}, /^kind: "__proto__"/],
    ['a spec of another type', 'container', 'fast please', /^spec: "fast please"/],
    ['a spec that is a list', 'container', [1], /^spec: \[1\]/],
    [
      'an unknown field',
      'container',
      { params, priorty: 1 },
      /^spec\.priorty: 1 is not allowed: there is no such field/,
    ],
    [
      'an unknown field of resources',
      'container',
      { params, resources: { gpu: 1 } },
      /^spec\.resources\.gpu: 1 is not/,
    ],
    [
      'an unknown field of limits',
      'container',
      { params, limits: { retries: 1 } },
      /^spec\.limits\.retries: 1 is not/,
    ],
    [
      'an unknown parameter',
      'container',
      { params: { ...params, image: 'x' } },
      /^spec\.params\.image: "x" is not/,
    ],
    [
      'a variable with a name that none has',
      'container',
      { params: { ...params, environment: { '1A': 'x' } } },
      /^spec\.params\.environment\.1A: "x" is not allowed: its name must be 1 to 128 letters, digits and _, not starting with a digit$/,
    ],
    [
      'a container with a name that none has',
      'container',
      { params: { ...params, container: 'a b' } },
      /^spec\.params\.container: "a b" is not allowed: must be the name of a container: 1 to 255 letters, digits, _ and -$/,
    ],
    [
      'a parameter of another type',
      'container',
      { params: { taskDefinition: 7 } },
      /^spec\.params\.taskDefinition: 7/,
    ],
    ['a missing parameter', 'container', {}, /^spec\.params\.taskDefinition: must be given: a text/],
    [
      'a parameter out of bounds',
      'transcode',
      { input, params: { crf: 99 } },
      /^spec\.params\.crf: 99 is not allowed: .*40/,
    ],
    [
      'a parameter inside of a list',
      'transcode',
      { input, params: { renditions: [{ height: 721, maxBitrateKbps: 100 }] } },
      /^spec\.params\.renditions\[0\]\.height: 721 is not allowed: must be even/,
    ],
    [
      'a value that is no choice',
      'container',
      { params, resources: { capacity: 'cheap' } },
      /^spec\.resources\.capacity: "cheap" is not allowed: must be spot, on-demand or spot-then-on-demand/,
    ],
    [
      'a queue that is not there',
      'container',
      { params, queue: 'vip' },
      /^spec\.queue: vip is not allowed: must be one of: default, batch/,
    ],
    [
      'a queue that every object has',
      'container',
      { params, queue: 'constructor' },
      /^spec\.queue: constructor/,
    ],
    ['a queue with the name of our own line', 'container', { params, queue: '~due' }, /^spec\.queue: "~due"/],
    ['no input where one is needed', 'transcode', {}, /^spec\.input: must name bucket and key/],
    [
      'a URL where an object is needed',
      'transcode',
      { input: { url: 'https://h/a.mp4' } },
      /^spec\.input: .*must name bucket and key/,
    ],
    [
      'half an input',
      'container',
      { params, input: { bucket: 'uploads' } },
      /^spec\.input: .*must have either bucket and key, or url/,
    ],
    [
      'both inputs',
      'container',
      { params, input: { ...input, url: 'https://h/a' } },
      /^spec\.input: .*either/,
    ],
    [
      'a bucket that cannot be',
      'container',
      { params, input: { bucket: 'A', key: 'k' } },
      /^spec\.input\.bucket: "A" is not allowed: must be an S3 bucket name/,
    ],
    ['a URL of a file', 'container', { params, input: { url: 'file:///etc/passwd' } }, /^spec\.input\.url/],
    ['an output that leaves its place', 'container', { params, output: '../x/' }, /^spec\.output/],
    [
      'an output without its slash',
      'container',
      { params, output: 'x' },
      /^spec\.output: "x" is not allowed: must be a key prefix/,
    ],
    [
      'a size that Fargate lacks',
      'container',
      { params, resources: { cpu: 256, memory: 3000 } },
      /^spec\.resources: cpu 256, memory 3000 is not allowed: Fargate has 512 to 2048 MiB for 256 CPU units/,
    ],
    [
      'a CPU size that Fargate lacks',
      'container',
      { params, resources: { cpu: 300, memory: 512 } },
      /^spec\.resources: .*cpu must be one of: 256, 512/,
    ],
    [
      'less than what is asked for',
      'container',
      { params, resources: { memory: 2048 }, limits: { maxMemory: 1024 } },
      /^spec\.limits\.maxMemory: 1024 is not allowed: must not be below resources\.memory \(2048\)/,
    ],
    [
      'a first wait above the longest',
      'container',
      { params, limits: { backoff: { initial: 20, max: 10 } } },
      /^spec\.limits\.backoff\.initial: 20 is not allowed: must not be above backoff\.max \(10\)/,
    ],
    [
      'a rule that matches nothing',
      'container',
      { params, failurePolicy: [{ action: 'fail' }] },
      /^spec\.failurePolicy\[0\]: .*must have exitCodes, stopCodes or reason/,
    ],
    [
      'an action that is none',
      'container',
      { params, failurePolicy: [{ exitCodes: [1], action: 'stop' }] },
      /^spec\.failurePolicy\[0\]\.action: "stop"/,
    ],
    ['a label that is no text', 'container', { params, labels: { team: 7 } }, /^spec\.labels\.team: 7/],
    ['cancel that is no yes or no', 'container', { params, cancel: 'yes' }, /^spec\.cancel: "yes"/],
  ])('%s', (_name, kind, spec, said) => {
    expect(sentence(resolve(spec, kind))).toMatch(said)
  })

  test('an id that cannot be', () => {
    expect(sentence(resolveSettings('a/b', 'container', { params }, policy))).toMatch(
      /^jobId: "a\/b" is not allowed: must be 1 to 64 letters/,
    )
  })

  test('secrets in parameters are not shown', () => {
    const spec = { params: { ...params, environment: { DB_PASSWORD: 7 } } }
    expect(sentence(ofContainer(spec))).toMatch(/^spec\.params\.environment\.DB_PASSWORD: \*\*\*/)
  })
})

describe('what can never fit', () => {
  test('exactly at the limit it fits', () => {
    expect(resolve({ params, resources: { cpu: 4096 } }, 'container', testPolicy({ maxVcpu: 4 })).is).toBe(
      'valid',
    )
  })

  test('above the limit of all, it is too big, and the sentence says what to change', () => {
    const resolved = resolve({ params, resources: { cpu: 4096 } }, 'container', testPolicy({ maxVcpu: 3.99 }))
    expect(resolved.is).toBe('tooBig')
    expect(sentence(resolved)).toMatch(
      /^spec\.resources\.cpu: 4096 is not allowed: it needs 4 vCPU, and queue default never has more than 3\.99; raise MAX_VCPU/,
    )
  })

  test('above the limit of its queue, likewise', () => {
    const spec = { params, queue: 'batch', resources: { cpu: 2048 } }
    expect(sentence(ofContainer(spec))).toMatch(/queue batch never has more than 1/)
  })

  test('what is wrong is said before what is too big', () => {
    expect(resolve({ params, priority: 12, resources: { cpu: 32_768 } }, 'container', testPolicy()).is).toBe(
      'invalid',
    )
  })
})

describe('the size of the input', () => {
  const GiB = 1024 ** 3
  const film = { ...input, bytes: 60 * GiB }
  const resourcesOf = (spec: object, by = policy) => {
    const resolved = resolve({ input: film, ...spec }, 'transcode', by)
    return resolved.is === 'valid' ? resolved.settings.resources : sentence(resolved)
  }
  const ours = { cpu: 4096, memory: 8192, ephemeralStorage: 124, capacity: 'on-demand' }

  test.each<[string, object, object]>([
    ['nothing was asked for', {}, ours],
    ['capacity was', { capacity: 'spot' }, { ...ours, capacity: 'spot' }],
    ['a disk was: only the disk is theirs', { ephemeralStorage: 64 }, { ...ours, ephemeralStorage: 64 }],
    ['memory was: the disk is still ours', { memory: 5120 }, { ...ours, cpu: 2048, memory: 5120 }],
    ['CPU was: the disk is still ours', { cpu: 1024 }, { ...ours, cpu: 1024, memory: 4096 }],
  ])('decides about the task; %s', (_name, resources, want) => {
    expect(resourcesOf({ resources })).toEqual(want)
  })

  test('never chooses a task that its queue would never admit', () => {
    expect(resourcesOf({}, testPolicy({ maxVcpu: 2 }))).toEqual({ ...ours, cpu: 2048, memory: 4096 })
  })

  test('refuses a disk that the input alone fills, and what no disk can take', () => {
    expect(resourcesOf({ resources: { ephemeralStorage: 63 } })).toMatch(
      /^spec\.resources\.ephemeralStorage: 63 is not allowed: the input has 60 GiB.*ask for 64 or more/,
    )
    const larger = { ...film, bytes: 151 * GiB }
    expect(resourcesOf({ input: larger, resources: { ephemeralStorage: 63 } })).toMatch(
      /^spec\.input: 151 GiB is not allowed: kind transcode takes at most 150 GiB/,
    )
  })

  test.each([0.5, -1, '7', null])('%j is none', (bytes) => {
    expect(resourcesOf({ input: { ...film, bytes } })).toMatch(/^spec\.input\.bytes: /)
  })

  const found = { bucket: 'uploads', key: 'a.mp4', etag: 'e1', bytes: 7 }
  const { etag: _etag, bytes: _bytes, ...bare } = found
  test.each<[string, object, object]>([
    ['the same object by its key', bare, found],
    ['the same object by its etag', input, found],
    ['another size that was named', { ...bare, bytes: 8 }, { ...found, bytes: 8 }],
    ['another etag', { ...bare, etag: 'e2' }, { ...bare, etag: 'e2' }],
    ['a version', { ...bare, versionId: 'v' }, { ...bare, versionId: 'v' }],
    ['another key', { ...bare, key: 'b.mp4' }, { ...bare, key: 'b.mp4' }],
  ])('stays known after an edit that names %s', (_name, named, want) => {
    expect(withKnown(named, found)).toEqual(want)
  })
})

describe('the hash of a spec', () => {
  test('does not depend on the order of attributes', () => {
    expect(hashSpec({ a: 1, b: { c: 2, d: 3 } })).toBe(hashSpec({ b: { d: 3, c: 2 }, a: 1 }))
  })
  test('does not change by cancel and suspend, which are wishes about the job', () => {
    expect(hashSpec({ a: 1, cancel: true, suspend: false })).toBe(hashSpec({ a: 1 }))
  })
  test('changes with everything else', () => {
    const all = [
      {},
      { a: 1 },
      { a: '1' },
      { a: 2 },
      { a: [1] },
      { b: 1 },
      { params: { cancel: true } },
      null,
      'x',
      [],
    ]
    expect(new Set(all.map(hashSpec)).size).toBe(all.length)
  })
  test('is there for anything that a table can hold', () => {
    for (const odd of [
      undefined,
      null,
      7,
      'x',
      [],
      new Set(['a']),
      new Uint8Array(3),
      NumberValue.from('1e99'),
    ])
      expect(hashSpec(odd)).toMatch(/^[0-9a-f]{16}$/)
  })
})

test('whatever stands in a record: settings or a sentence, and no error (3,000 seeds)', () => {
  for (let seed = 1; seed <= 3000; seed += 1) {
    const random = createRandom(seed)
    const kind = random.once(6) ? odd(random, 0) : random.pick(['container', 'transcode'])
    const spec = random.once(10) ? odd(random, 0) : someSpec(random)
    try {
      const resolved = resolveSettings('wedding-42', kind, spec, policy)
      if (resolved.is === 'valid') settingsSchema.parse(resolved.settings)
      else if (
        !/^(kind|spec)\b.*: (.* is not allowed: |must |there is |its name )./s.test(sentence(resolved))
      )
        throw new Error(sentence(resolved))
      hashSpec(spec)
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error })
    }
  }
})

const fields: Record<string, (random: Random) => unknown> = {
  input: (random) => ({ bucket: 'uploads', key: odd(random, 2) }),
  output: (random) => random.pick(['out/', '../', 7]),
  params: (random) => (random.once(2) ? params : odd(random, 1)),
  queue: (random) => random.pick(['default', 'batch', 'toString', 7]),
  priority: (random) => random.pick([0, 9, 10, '5', Number.NaN]),
  resources: (random) => ({
    cpu: random.pick([256, 4096, 300, '256']),
    memory: random.pick([512, 8192, null]),
  }),
  limits: (random) => (random.once(2) ? { attempts: random.below(60) } : odd(random, 1)),
  failurePolicy: (random) => [odd(random, 2)],
  ttlAfterFinished: (random) => odd(random, 3),
  suspend: (random) => random.pick([true, false, 'no']),
  cancel: (random) => random.pick([true, false, 1]),
  labels: (random) => ({ [random.pick(['a', '', '__proto__', 'x'.repeat(100)])]: odd(random, 3) }),
}

const someSpec = (random: Random): unknown =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => (random.once(3) ? [[name, value(random)]] : [])),
  )

/** Anything that can stand in a table. */
function odd(random: Random, depth: number): unknown {
  switch (random.below(depth > 3 ? 8 : 10)) {
    case 0:
      return null
    case 1:
      return random.once(2)
    case 2:
      return random.pick([-1, 0, 0.1, 1e15, 7])
    case 3:
      return NumberValue.from(random.pick(['12345678901234567890', '1e99']))
    case 4:
      return random.pick(['', 'a', '\u0000', 'x'.repeat(2000), '__proto__', '💥'])
    case 5:
      return new Set(random.pick([['a', 'b'], [1]] as unknown[][]))
    case 6:
      return new Uint8Array(random.below(300))
    case 7:
      return undefined
    case 8:
      return Array.from({ length: random.below(4) }, () => odd(random, depth + 1))
    default:
      return Object.fromEntries(
        Array.from({ length: random.below(4) }, () => [
          random.pick(['toString', 'toJSON', 'constructor', 'key', 'length', 'taskDefinition']),
          odd(random, depth + 1),
        ]),
      )
  }
}
