import { describe, expect, test } from 'vitest'
import {
  capacityOf,
  intend,
  type LaunchContext,
  liveVcpu,
  type Network,
  sizeOf,
  storageOf,
  type Template,
  taskDefinitionOf,
} from '../../controller/reconcile/launch.ts'
import { endOfLaunch } from '../../controller/reconcile/settle.ts'
import type { Change } from '../../schemas/change.ts'
import { isFargateSize } from '../../schemas/fargate.ts'
import { makeUid, parseStartedBy } from '../../schemas/ids.ts'
import { type Attempt, acceptedJobSchema, type Job, type OutcomeClass } from '../../schemas/job.ts'
import { defaultPrices } from '../../schemas/prices.ts'
import { askForStorage } from '../../schemas/sizes.ts'
import {
  acceptedMs,
  at,
  attempt,
  backingOff,
  hourMs,
  job,
  launching,
  minuteMs,
  refused,
  report,
  running,
  settings,
  starting,
  uid,
} from '../support/job.ts'
import { networks } from '../support/launch.ts'

const template: Template = {
  taskDefinition: 'worker:7',
  container: 'worker',
  logPrefix: 'task',
  architecture: 'x86_64',
}
const network: Network = {
  subnets: ['subnet-1', 'subnet-2'],
  securityGroups: ['sg-1'],
  assignPublicIp: 'ENABLED',
}
const context: LaunchContext = {
  installation: 'prod',
  cluster: 'jobs',
  networks: networks(network),
  prices: defaultPrices,
  outputsBucket: 'outputs',
  transcribeRoleArn: undefined,
  vcpuCeiling: () => 32,
}
const nowMs = acceptedMs + hourMs
const intent = (of: Job): Change['set'] => intend(of, template, context, nowMs).set
const requestOf = (of: Job) => (intent(of).launching?.request ?? {}) as Record<string, unknown>
const overrideOf = (of: Job) =>
  (requestOf(of).overrides as { containerOverrides: Override[] }).containerOverrides[0]
type Override = { name: string; command?: string[]; environment: { name: string; value: string }[] }
const environmentOf = (of: Job) =>
  Object.fromEntries(overrideOf(of)?.environment.map(({ name, value }) => [name, value]) ?? [])

const ended = (n: number, kind: OutcomeClass, more: Partial<Attempt> = {}): Attempt =>
  attempt({ n, outcome: { class: kind, reason: kind }, ...more })

describe('numbers never restart', () => {
  test('the first launch of a job is attempt 1, launch 1', () => {
    expect(intent(job())).toMatchObject({
      fence: `${uid}/1/1`,
      lastAttempt: 1,
      lastLaunch: 1,
      launching: { attempt: 1, launch: 1, clientToken: `${uid}-1-1`, launchedAt: at(hourMs) },
    })
  })

  test('after an attempt that ended: the next attempt and the next launch', () => {
    expect(intent(backingOff(minuteMs))).toMatchObject({ fence: `${uid}/2/2`, lastAttempt: 2, lastLaunch: 2 })
  })

  test('after a launch that was refused: the same attempt, a new launch, a new token', () => {
    const set = intent(refused(minuteMs))
    expect(set).toMatchObject({
      fence: `${uid}/1/2`,
      lastAttempt: 1,
      lastLaunch: 2,
      launching: { clientToken: `${uid}-1-2` },
    })
    expect(set.attempts).toMatchObject([{ n: 1, launches: 2 }])
    expect(set).not.toHaveProperty('counts')
  })

  test('after a launch that came to nothing: likewise, and counted as infrastructure', () => {
    const set = intent(starting({ counts: { failed: 1, infra: 2 } }))
    expect(set).toMatchObject({ fence: `${uid}/1/2`, counts: { failed: 1, infra: 3 } })
    expect(set.history?.at(-1)).toMatchObject({ phase: 'Starting', reason: 'NothingFound' })
  })

  test('in a new generation they go on', () => {
    const again = job({ generation: 2, attempts: [ended(3, 'failed')], lastAttempt: 3, lastLaunch: 5 })
    expect(intent(again)).toMatchObject({ fence: `${uid}/4/6`, lastAttempt: 4, lastLaunch: 6 })
  })

  test('even when the ledger was emptied by somebody', () => {
    expect(intent(job({ attempts: [], lastAttempt: 9, lastLaunch: 12 }))).toMatchObject({
      fence: `${uid}/10/13`,
    })
  })
})

describe('the intent', () => {
  test('takes away what belonged to the launch before, and the line', () => {
    const { remove } = intend(running({ report: report() }), template, context, nowMs)
    for (const name of ['claim', 'report', 'progress', 'taskArn', 'notBefore', 'backlogQueue', 'rank'])
      expect(remove).toContain(name)
  })

  test('leaves a record that can be read', () => {
    const { backlogQueue: _queue, rank: _rank, ...before } = job()
    expect(acceptedJobSchema.safeParse({ ...before, ...intent(job()) }).success).toBe(true)
  })

  test('opens the attempt in the ledger, with what it will run on', () => {
    expect(intent(job()).attempts).toEqual([
      {
        n: 1,
        launches: 1,
        runner: 'ecs',
        capacity: 'on-demand',
        taskDefinition: 'worker:7',
        cpu: 1024,
        memory: 2048,
        architecture: 'x86_64',
        publicIp: true,
        launchedAt: at(hourMs),
        logStream: 'task/worker/',
      },
    ])
  })

  test('what it will cost depends on stands in the ledger', () => {
    const arm: Template = { ...template, architecture: 'arm64', ephemeralStorageGiB: 50 }
    const hidden: LaunchContext = {
      ...context,
      networks: networks({ ...network, assignPublicIp: 'DISABLED' }),
    }
    const [entry] = intend(job(), arm, hidden, nowMs).set.attempts ?? []
    expect(entry).toMatchObject({ architecture: 'arm64', ephemeralStorage: 50 })
    expect(entry).not.toHaveProperty('publicIp')
    const asked = job({ settings: settings({ resources: { ephemeralStorage: 100 } }) })
    expect(intend(asked, arm, hidden, nowMs).set.attempts?.[0]?.ephemeralStorage).toBe(100)
  })

  test('a container without a log stream has none in the ledger', () => {
    const set = intend(job(), { ...template, logPrefix: undefined }, context, nowMs).set
    expect(set.attempts?.[0]).not.toHaveProperty('logStream')
  })

  test('the ledger keeps fifty, the rest is added up', () => {
    const attempts = Array.from({ length: 50 }, (_, index) => ended(index + 1, 'spot'))
    const set = intent(job({ attempts, lastAttempt: 50, lastLaunch: 50 }))
    expect(set.attempts?.map(({ n }) => n)).toEqual(Array.from({ length: 50 }, (_, index) => index + 2))
    expect(set.rollup).toEqual({ count: 1, costUsd: 0, byClass: { spot: 1 } })
  })
})

describe('the frozen request', () => {
  test('asks for one task of a pinned revision, on one capacity provider', () => {
    expect(requestOf(job())).toEqual({
      cluster: 'jobs',
      taskDefinition: 'worker:7',
      count: 1,
      clientToken: `${uid}-1-1`,
      startedBy: `prod/wedding-42/${uid}/1/1`,
      capacityProviderStrategy: [{ capacityProvider: 'FARGATE', weight: 1 }],
      networkConfiguration: {
        awsvpcConfiguration: {
          subnets: expect.arrayContaining(['subnet-1', 'subnet-2']),
          securityGroups: ['sg-1'],
          assignPublicIp: 'ENABLED',
        },
      },
      overrides: {
        cpu: '1024',
        memory: '2048',
        containerOverrides: [
          {
            name: 'worker',
            environment: [
              { name: 'JOB_ID', value: 'wedding-42' },
              { name: 'FENCE', value: `${uid}/1/1` },
              { name: 'S3_BUCKET', value: 'uploads' },
              { name: 'S3_KEY', value: 'wedding.mp4' },
            ],
          },
        ],
      },
    })
  })

  test('is the same to the byte when it is made again from the same record', () => {
    expect(JSON.stringify(requestOf(structuredClone(job())))).toBe(JSON.stringify(requestOf(job())))
  })

  test('holds no time: one made later asks for the same', () => {
    const later = intend(job(), template, context, nowMs + hourMs).set.launching?.request
    expect(later).toEqual(requestOf(job()))
  })

  test('ephemeral storage is asked for only if the job does', () => {
    const resources = { ephemeralStorage: 100 }
    expect(requestOf(job({ settings: settings({ resources }) })).overrides).toMatchObject({
      ephemeralStorage: { sizeInGiB: 100 },
    })
  })

  test('a container gets its command and environment; what is ours it cannot replace', () => {
    const params = {
      taskDefinition: 'mine',
      command: ['sh', '-c', 'true'],
      environment: { MODE: 'fast', FENCE: 'forged', JOB_ID: 'other', S3_KEY: 'other' },
    }
    const mine = job({ kind: 'container', settings: settings({ params }) })
    expect(overrideOf(mine)?.command).toEqual(['sh', '-c', 'true'])
    expect(environmentOf(mine)).toEqual({
      MODE: 'fast',
      JOB_ID: 'wedding-42',
      FENCE: `${uid}/1/1`,
      S3_BUCKET: 'uploads',
      S3_KEY: 'wedding.mp4',
    })
  })

  test('parameters of other kinds never become environment or command', () => {
    const params = { environment: { A: 'b' }, command: ['x'] }
    const transcode = job({ settings: settings({ params }) })
    expect(environmentOf(transcode)).not.toHaveProperty('A')
    expect(overrideOf(transcode)).not.toHaveProperty('command')
  })

  test('at the longest names, token and startedBy stay within what ECS takes, and can be read back', () => {
    const jobId = 'j'.repeat(64)
    const longUid = makeUid(jobId, 'abcdefghijkl')
    const longest = job({
      jobId,
      uid: longUid,
      attempts: [],
      lastAttempt: 99_999_999,
      lastLaunch: 999_999_998,
    })
    const { set } = intend(longest, template, { ...context, installation: 'i'.repeat(16) }, nowMs)
    const { clientToken, startedBy } = (set.launching?.request ?? {}) as Record<string, string>
    expect(clientToken).toMatch(/^[!-~]{1,64}$/)
    expect(startedBy).toMatch(/^[A-Za-z0-9/_-]{1,128}$/)
    expect(parseStartedBy(startedBy)).toEqual({ installation: 'i'.repeat(16), jobId, fence: set.fence })
  })
})

describe('subnets', () => {
  const three = ['subnet-a', 'subnet-b', 'subnet-c']
  const subnetsOf = (of: Job, subnets: readonly string[], atMs = nowMs): string[] => {
    const spread: LaunchContext = { ...context, networks: networks({ ...network, subnets }) }
    const { request = {} } = intend(of, template, spread, atMs).set.launching ?? {}
    const asked = request.networkConfiguration as { awsvpcConfiguration: { subnets: string[] } }
    return asked.awsvpcConfiguration.subnets
  }
  const jobOf = (index: number): Job => {
    const jobId = `job-${index}`
    return job({ jobId, uid: makeUid(jobId, 'abcdefghijkl') })
  }

  test.each([
    ['none', [], 0],
    ['one', ['subnet-a'], 1],
    ['three', three, 3],
    ['sixteen, as many as ECS takes', Array.from({ length: 16 }, (_, index) => `subnet-${index}`), 16],
    ['seventeen: sixteen of them', Array.from({ length: 17 }, (_, index) => `subnet-${index}`), 16],
  ])('%s', (_name, subnets, count) => {
    const named = subnetsOf(job(), subnets)
    expect(named).toHaveLength(count)
    expect(new Set(named).size).toBe(count)
    for (const name of named) expect(subnets).toContain(name)
  })

  test('the same launch names them in the same order, whenever it is made', () => {
    expect(subnetsOf(structuredClone(job()), three, nowMs + hourMs)).toEqual(subnetsOf(job(), three))
  })

  test('they keep their order: only the beginning moves', () => {
    const order = subnetsOf(job(), three).join()
    expect([
      'subnet-a,subnet-b,subnet-c',
      'subnet-b,subnet-c,subnet-a',
      'subnet-c,subnet-a,subnet-b',
    ]).toContain(order)
  })

  test('three launches of a job in a row begin in three subnets', () => {
    const firsts = [0, 1, 2].map((lastLaunch) => subnetsOf(job({ lastLaunch }), three)[0])
    expect(new Set(firsts).size).toBe(3)
  })

  test('seventeen subnets: every one is named by some launch', () => {
    const many = Array.from({ length: 17 }, (_, index) => `subnet-${index}`)
    const named = Array.from({ length: 17 }, (_, lastLaunch) => subnetsOf(job({ lastLaunch }), many)).flat()
    expect(new Set(named).size).toBe(17)
  })

  test('three hundred jobs begin about evenly in three subnets', () => {
    const counts = new Map<string, number>()
    for (let index = 0; index < 300; index += 1) {
      const [first = ''] = subnetsOf(jobOf(index), three)
      counts.set(first, (counts.get(first) ?? 0) + 1)
    }
    expect(new Set(counts.keys())).toEqual(new Set(three))
    // A fair die leaves these bounds once in far more than a million times.
    for (const count of counts.values()) {
      expect(count).toBeGreaterThan(60)
      expect(count).toBeLessThan(140)
    }
  })
})

describe('the next size after running out of memory', () => {
  const oom = (n: number, cpu: number, memory: number) => ended(n, 'outOfMemory', { cpu, memory })
  const limits = { maxMemory: 16_384 }
  const rows: [string, Attempt[], Parameters<typeof settings>[0], { cpu: number; memory: number }][] = [
    ['what was asked for, at first', [], {}, { cpu: 1024, memory: 2048 }],
    ['what was asked for, after another failure', [ended(1, 'failed')], {}, { cpu: 1024, memory: 2048 }],
    ['the next of the same CPU', [oom(1, 1024, 2048)], { limits }, { cpu: 1024, memory: 3072 }],
    [
      'twice: the one after',
      [oom(1, 1024, 2048), oom(2, 1024, 3072)],
      { limits },
      { cpu: 1024, memory: 4096 },
    ],
    [
      'at the end of a tier: the next tier that has more',
      [oom(1, 1024, 8192)],
      { limits },
      { cpu: 2048, memory: 9216 },
    ],
    [
      'stays grown after another failure',
      [oom(1, 1024, 2048), ended(2, 'failed', { memory: 3072 })],
      { limits },
      { cpu: 1024, memory: 3072 },
    ],
    [
      'stays grown in the next launch of the same attempt',
      [oom(1, 1024, 2048), attempt({ n: 2, memory: 3072 })],
      { limits },
      { cpu: 1024, memory: 3072 },
    ],
    [
      'up to maxMemory, inclusive',
      [oom(1, 1024, 3072)],
      { limits: { maxMemory: 4096 } },
      { cpu: 1024, memory: 4096 },
    ],
    [
      'not above maxMemory: the same again',
      [oom(1, 1024, 4096)],
      { limits: { maxMemory: 4096 } },
      { cpu: 1024, memory: 4096 },
    ],
    [
      'an edit to more than ran out: what was asked for',
      [oom(1, 1024, 2048)],
      { resources: { memory: 8192 }, limits },
      { cpu: 1024, memory: 8192 },
    ],
    [
      'an edit to less, after another failure: what was asked for',
      [ended(1, 'failed', { memory: 8192 })],
      { limits },
      { cpu: 1024, memory: 2048 },
    ],
    [
      'an edit to more CPU: kept',
      [oom(1, 256, 2048)],
      { resources: { cpu: 1024, memory: 2048 }, limits },
      { cpu: 1024, memory: 3072 },
    ],
    [
      'an edit to more CPU, and nothing larger allowed: as much as ran out',
      [oom(1, 512, 4096)],
      { limits: { maxMemory: 4096 } },
      { cpu: 1024, memory: 4096 },
    ],
    [
      'an edit to a tier that has no such size: what was asked for',
      [oom(1, 4096, 17_408)],
      { resources: { cpu: 8192, memory: 16_384 }, limits: { maxMemory: 17_408 } },
      { cpu: 8192, memory: 16_384 },
    ],
    [
      'an edit of maxMemory to less than ran out: what was asked for',
      [oom(1, 1024, 4096)],
      { limits: { maxMemory: 3072 } },
      { cpu: 1024, memory: 2048 },
    ],
    [
      'of an earlier generation: what was asked for',
      [oom(1, 1024, 2048)].map((one) => ({ ...one, launchedAt: at(-1) })),
      { limits },
      { cpu: 1024, memory: 2048 },
    ],
  ]
  test.for(rows)('%s', ([, attempts, more, want]) => {
    const size = sizeOf(job({ attempts, settings: settings(more) }))
    expect(size).toEqual(want)
    expect(isFargateSize(size.cpu, size.memory)).toBe(true)
  })

  test('never above what the queue can ever have: such a task would not be admitted', () => {
    const full = job({ attempts: [oom(1, 1024, 8192)], settings: settings({ limits }) })
    expect(sizeOf(full, 2)).toEqual({ cpu: 2048, memory: 9216 })
    expect(sizeOf(full, 1.99)).toEqual({ cpu: 1024, memory: 8192 })
  })

  test('is what the intent asks for, and what admission counts', () => {
    const grown = job({
      attempts: [oom(1, 1024, 8192)],
      lastAttempt: 1,
      lastLaunch: 1,
      settings: settings({ limits }),
    })
    const set = intent(grown)
    expect(set.launching?.request?.overrides).toMatchObject({ cpu: '2048', memory: '9216' })
    expect(liveVcpu({ ...grown, attempts: set.attempts ?? [] })).toBe(2)
  })
})

describe('the next disk after one that was too small', () => {
  const full = (n: number, ephemeralStorage?: number, more: Partial<Attempt> = {}): Attempt =>
    attempt({
      n,
      ...(ephemeralStorage === undefined ? {} : { ephemeralStorage }),
      outcome: { class: 'failed', exitCode: 75, code: 'DISK_FULL', reason: 'The disk is too small' },
      ...more,
    })
  const asking = (gib: number): Attempt['outcome'] => ({
    ...{ class: 'failed', code: 'DISK_FULL' },
    reason: `The disk of the task is too small: 9.9 GiB are free. ${askForStorage(gib)}.`,
  })
  const other = attempt({
    n: 1,
    outcome: { class: 'failed', exitCode: 75, code: 'STALLED', reason: 'It hangs' },
  })
  test.each<[string, Attempt[], number | undefined, number | undefined]>([
    ['none was: what was asked for', [], 30, 30],
    ['nothing was asked for: what the task definition says', [], undefined, undefined],
    ['it failed for another reason', [other], 30, 30],
    ['the 20 GiB that every task has', [full(1)], undefined, 40],
    ['twice what there was', [full(1, 50)], 50, 100],
    ['twice the largest', [full(1, 50), full(2, 100)], 50, 200],
    ['what the worker has asked for', [full(1, 50, { outcome: asking(130) })], 50, 130],
    [
      'twice what there was, if the worker has asked for less',
      [full(1, 50, { outcome: asking(60) })],
      50,
      100,
    ],
    ['never more than there is', [full(1, 150)], 150, 200],
    ['never more than there is, whatever is asked for', [full(1, 50, { outcome: asking(999) })], 50, 200],
    ['nothing larger is left: the same again', [full(1, 200)], 50, 200],
    ['an edit to more wins', [full(1, 30)], 120, 120],
    ['in an earlier generation', [full(1, 50, { launchedAt: at(-1) })], 50, 50],
  ])('%s', (_name, attempts, ephemeralStorage, want) => {
    const resources = ephemeralStorage === undefined ? {} : { ephemeralStorage }
    expect(storageOf(job({ attempts, settings: settings({ resources }) }))).toBe(want)
  })

  test('is what the intent asks for, and what is priced', () => {
    const set = intent(job({ attempts: [full(1)], lastAttempt: 1, lastLaunch: 1 }))
    expect(set.launching?.request?.overrides).toMatchObject({ ephemeralStorage: { sizeInGiB: 40 } })
    expect(set.attempts?.at(-1)?.ephemeralStorage).toBe(40)
  })
})

describe('capacity', () => {
  const capacityAfter = (capacity: 'spot' | 'on-demand' | 'spot-then-on-demand', attempts: Attempt[]) =>
    capacityOf(job({ attempts, settings: settings({ resources: { capacity } }) }))

  test('spot stays spot, on-demand stays on-demand', () => {
    const losses = [1, 2, 3].map((n) => ended(n, 'spot'))
    expect(capacityAfter('spot', losses)).toBe('spot')
    expect(capacityAfter('on-demand', losses)).toBe('on-demand')
  })

  test('spot-then-on-demand: spot until the second loss', () => {
    expect(capacityAfter('spot-then-on-demand', [])).toBe('spot')
    expect(capacityAfter('spot-then-on-demand', [ended(1, 'spot')])).toBe('spot')
    expect(capacityAfter('spot-then-on-demand', [ended(1, 'spot'), ended(2, 'failed')])).toBe('spot')
    expect(capacityAfter('spot-then-on-demand', [ended(1, 'spot'), ended(2, 'spot')])).toBe('on-demand')
    expect(
      capacityAfter(
        'spot-then-on-demand',
        [1, 2, 3].map((n) => ended(n, n === 3 ? 'failed' : 'spot')),
      ),
    ).toBe('on-demand')
  })

  test('losses of an earlier generation do not count', () => {
    const old = [1, 2].map((n) => ended(n, 'spot', { launchedAt: at(-1) }))
    expect(capacityAfter('spot-then-on-demand', old)).toBe('spot')
  })

  const open = (more: Partial<Attempt>) => attempt({ n: 3, capacity: 'spot', ...more })
  test.each<[string, Attempt[], 'spot' | 'on-demand']>([
    ['one refusal', [open({ spotRefusals: 1 })], 'spot'],
    ['two refusals of one attempt', [open({ spotRefusals: 2 })], 'on-demand'],
    ['a reclaim, then a refusal', [ended(1, 'spot'), open({ spotRefusals: 1 })], 'on-demand'],
    ['a refusal, then a reclaim of the same attempt', [ended(1, 'spot', { spotRefusals: 1 })], 'on-demand'],
    ['a refusal, then another failure', [ended(1, 'failed', { spotRefusals: 1 })], 'spot'],
    ['launches of which nothing came are no losses', [open({ launches: 9 })], 'spot'],
    [
      'refusals of an earlier generation',
      [ended(1, 'cancelled', { spotRefusals: 2, launchedAt: at(-1) })],
      'spot',
    ],
  ])('spot-then-on-demand: %s', (_name, attempts, want) => {
    expect(capacityAfter('spot-then-on-demand', attempts)).toBe(want)
    expect(capacityAfter('spot', attempts)).toBe('spot')
  })

  test('refused twice on Spot, the same attempt is launched on demand, and stays there', () => {
    const spotThenOnDemand = settings({ resources: { capacity: 'spot-then-on-demand' } })
    let current: Job = job({ settings: spotThenOnDemand })
    const providers: unknown[] = []
    for (let launch = 0; launch < 4; launch += 1) {
      const { set } = intend(current, template, context, nowMs)
      providers.push(set.launching?.request?.capacityProviderStrategy)
      const refusal = { kind: 'capacity' as const, reason: 'RESOURCE:FARGATE', at: at(0) }
      const { request: _request, ...rest } = set.launching ?? launching()
      const live: Job = { ...current, ...set, launching: { ...rest, refused: refusal } }
      const released = endOfLaunch(live, { phase: 'Pending', reason: 'Capacity', notBeforeMs: nowMs }, nowMs)
      current = { ...live, ...released.set, fence: undefined, launching: undefined }
    }
    const [spot, onDemand] = ['FARGATE_SPOT', 'FARGATE'].map((capacityProvider) => [
      { capacityProvider, weight: 1 },
    ])
    expect(providers).toEqual([spot, spot, onDemand, onDemand])
    expect(current.attempts).toMatchObject([{ n: 1, launches: 4, capacity: 'on-demand', spotRefusals: 2 }])
  })

  test('the request names the provider', () => {
    const spot = job({ settings: settings({ resources: { capacity: 'spot' } }) })
    expect(requestOf(spot).capacityProviderStrategy).toEqual([
      { capacityProvider: 'FARGATE_SPOT', weight: 1 },
    ])
  })
})

test('which task definition: the worker’s, or the one that a container job names', () => {
  const families = { media: 'worker', internet: 'worker-internet', seeding: 'worker-seeding' }
  expect(taskDefinitionOf(job(), families)).toBe('worker')
  const params = { taskDefinition: 'mine:3' }
  expect(taskDefinitionOf(job({ kind: 'container', settings: settings({ params }) }), families)).toBe(
    'mine:3',
  )
})

test('a live job takes the vCPUs of its open attempt, whatever was edited since', () => {
  expect(liveVcpu(running({ attempts: [attempt({ cpu: 4096 })] }))).toBe(4)
  expect(liveVcpu(running({ attempts: [], launching: launching() }))).toBe(1)
})
