import {
  DescribeTasksCommand,
  type DescribeTasksCommandOutput,
  ListClustersCommand,
  ListTasksCommand,
  type ListTasksCommandOutput,
  RunTaskCommand,
  type RunTaskCommandInput,
  type RunTaskCommandOutput,
  StopTaskCommand,
} from '@aws-sdk/client-ecs'
import { describe, expect, test } from 'vitest'
import { createRandom } from '../../support/random.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'
import { createEcsModel, type EcsModelInTests, type EcsModelSettings } from './ecs.ts'
import { createBuckets } from './ecs-buckets.ts'
import type { Command, EcsHooks, LaunchFate } from './ports.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const well: LaunchFate = {
  answer: 'task',
  hiddenTask: false,
  describedAfterMs: 0,
  listedAfterMs: 0,
  startMs: 24_000,
  startFailure: undefined,
}

type Options = {
  fates?: Partial<LaunchFate>[]
  hooks?: Partial<EcsHooks>
  settings?: Partial<EcsModelSettings>
}

/** A model with one definition, what its hooks were told, and short words for its calls. */
function setUp({ fates = [], hooks = {}, settings = {} }: Options = {}, seed = 1) {
  const clock = createVirtualClock()
  const told: string[] = []
  const events: Record<string, unknown>[] = []
  const coming = [...fates]
  const model: EcsModelInTests = createEcsModel(
    { time: clock, random: createRandom(seed) },
    {
      fateOf: () => ({ ...well, ...coming.shift() }),
      onRunning: ({ arn }) => told.push(`running ${arn}`),
      onTerminate: ({ arn }) => told.push(`terminate ${arn}`),
      onKilled: ({ arn }) => told.push(`killed ${arn}`),
      onEvent: (detail) => events.push(detail),
      ...hooks,
    },
    {
      cluster: 'jobs',
      definitions: [{ family: 'worker', revision: 1, containers: [{ name: 'main', stopTimeoutS: 120 }] }],
      vcpuQuota: { onDemand: Number.POSITIVE_INFINITY, spot: Number.POSITIVE_INFINITY },
      buckets: 'off',
      ...settings,
    },
  )
  const execute = <Output>(command: Command) => model.execute(command) as Output
  const run = (input: Partial<RunTaskCommandInput> = {}) =>
    execute<RunTaskCommandOutput>(
      new RunTaskCommand({
        cluster: 'jobs',
        taskDefinition: 'worker',
        capacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT', weight: 1 }],
        networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-1'] } },
        ...input,
      }),
    )
  return {
    model,
    clock,
    told,
    events,
    run,
    start: (input: Partial<RunTaskCommandInput> = {}) => run(input).tasks?.[0]?.taskArn ?? 'no task',
    look: (arn: string) =>
      execute<DescribeTasksCommandOutput>(new DescribeTasksCommand({ cluster: 'jobs', tasks: [arn] })),
    list: (desiredStatus: 'RUNNING' | 'STOPPED' = 'RUNNING') =>
      execute<ListTasksCommandOutput>(new ListTasksCommand({ cluster: 'jobs', desiredStatus })).taskArns,
    stop: (task: string) => execute(new StopTaskCommand({ cluster: 'jobs', task, reason: 'test' })),
  }
}

const nameOf = (call: () => unknown): string => {
  try {
    call()
  } catch (error) {
    return error instanceof Error ? error.name : 'thrown'
  }
  return 'answered'
}

describe('a clientToken', () => {
  const token = { clientToken: 'uid-1-1' }

  test('of a short task starts another one an hour after the end: a replay is no look-up any more', async () => {
    const { model, clock, start } = setUp()
    const arn = start(token)
    await clock.pass(24_000)
    model.exit(arn, 0)
    await clock.pass(10_000)
    const stoppedAtMs = model.task(arn)?.stoppedAtMs ?? Number.NaN
    await clock.pass(stoppedAtMs + hourMs - clock.nowMs() - 1)
    expect(start(token)).toBe(arn)
    await clock.pass(1)
    expect(start(token)).not.toBe(arn)
    expect([...model.live()]).toHaveLength(1)
  })

  test('outlives what DescribeTasks remembers, when ECS forgets sooner', async () => {
    const { clock, start, stop, look } = setUp({ settings: { forgetAfterMs: 10 * minuteMs } })
    const arn = start(token)
    stop(arn)
    await clock.pass(30 * minuteMs)
    expect(look(arn).failures).toMatchObject([{ reason: 'MISSING' }])
    expect(start(token)).toBe(arn)
  })

  test('meets a permanent error again, with the same name, until the parameters change', () => {
    const { run } = setUp({
      fates: [{ answer: 'permanent' }],
      settings: { failuresOnlyToken: 'unused' },
    })
    const first = nameOf(() => run(token))
    expect(first).toMatch(/Exception$/)
    for (let index = 0; index < 3; index += 1) expect(nameOf(() => run(token))).toBe(first)
    expect(nameOf(() => run({ ...token, startedBy: 'other' }))).toBe('answered')
  })

  test('that started nothing is free again where the setting says so', () => {
    const fates: Partial<LaunchFate>[] = [{ answer: 'capacity', hiddenTask: true }]
    const { run, model } = setUp({ fates, settings: { failuresOnlyToken: 'unused' } })
    expect(run(token).failures).toHaveLength(1)
    expect(run(token).tasks).toHaveLength(1)
    expect(model.tasks()).toHaveLength(2)
  })

  test('is judged by what was sent, not by what the caller makes of its request later', () => {
    const { run, look } = setUp()
    const environment = [{ name: 'A', value: '1' }]
    const input = { ...token, overrides: { containerOverrides: [{ name: 'main', environment }] } }
    const arn = run(input).tasks?.[0]?.taskArn ?? ''
    environment.push({ name: 'B', value: '2' })
    expect(look(arn).tasks?.[0]?.overrides?.containerOverrides?.[0]?.environment).toHaveLength(1)
    expect(nameOf(() => run(input))).toBe('ConflictException')
  })
})

describe('what can be seen', () => {
  test('by DescribeTasks and by ListTasks comes at different times', async () => {
    const { clock, start, look, list } = setUp({
      fates: [{ describedAfterMs: 2 * minuteMs, listedAfterMs: 5 * minuteMs }],
    })
    const arn = start()
    await clock.pass(2 * minuteMs - 1)
    expect(look(arn).tasks).toEqual([])
    await clock.pass(1)
    expect([look(arn).tasks?.length, list()]).toEqual([1, []])
    await clock.pass(3 * minuteMs)
    expect(list()).toEqual([arn])
  })

  test('an event tells of a task that nobody can describe yet', () => {
    const { start, events, look } = setUp({ fates: [{ describedAfterMs: 60_000 }] })
    const arn = start()
    expect(events).toMatchObject([{ taskArn: arn, lastStatus: 'PROVISIONING', version: 1 }])
    expect(look(arn).failures).toHaveLength(1)
  })

  test('a task is forgotten after the time that is set', async () => {
    const { clock, model, start, stop, look, list } = setUp({ settings: { forgetAfterMs: 2 * hourMs } })
    const arn = start()
    stop(arn)
    await clock.pass(minuteMs)
    await clock.pass((model.task(arn)?.stoppedAtMs ?? Number.NaN) + 2 * hourMs - clock.nowMs() - 1)
    expect([look(arn).tasks?.length, list('STOPPED')]).toEqual([1, [arn]])
    await clock.pass(1)
    expect([look(arn).tasks?.length, list('STOPPED')]).toEqual([0, []])
    expect(model.task(arn)).toMatchObject({ lastStatus: 'STOPPED' })
    expect(nameOf(() => stop(arn))).toBe('InvalidParameterException')
  })

  test('a frozen list shows what has stopped, and what was forgotten, but nothing new', async () => {
    const { clock, model, start, stop, list } = setUp()
    const [old, young] = [start(), start()]
    stop(old)
    await clock.pass(minuteMs)
    model.freezeListing(true)
    const fresh = start()
    stop(young)
    await clock.pass(2 * hourMs)
    model.freezeListing(true)
    expect([list(), list('STOPPED')]).toEqual([[young], [old]])
    model.freezeListing(false)
    expect([list(), list('STOPPED')]).toEqual([[fresh], []])
  })

  test('tasks of somebody else are there, and run until they are stopped', async () => {
    const { model, clock, list, told, look } = setUp()
    const arn = model.startForeign('a person')
    expect(list()).toEqual([arn])
    await clock.pass(2 * minuteMs)
    expect(look(arn).tasks).toMatchObject([{ startedBy: 'a person', lastStatus: 'RUNNING' }])
    expect(told).toEqual([`running ${arn}`])
  })
})

describe('a launch', () => {
  test('that was refused for capacity runs all the same when it is hidden', async () => {
    const { clock, run, list, told } = setUp({ fates: [{ answer: 'capacity', hiddenTask: true }] })
    const token = { clientToken: 't' }
    expect(run(token).tasks).toEqual([])
    expect(run(token)).toMatchObject({
      tasks: [],
      failures: [{ reason: expect.stringMatching(/^Capacity/) }],
    })
    await clock.pass(24_000)
    expect(list()).toHaveLength(1)
    expect(told).toEqual([`running ${list()?.[0]}`])
  })

  test('is refused by a quota in words that the truth counts', () => {
    const { run, model } = setUp({ settings: { vcpuQuota: { onDemand: 1, spot: 0.5 } } })
    const answers = [run(), run(), run()].map(({ tasks, failures }) => [tasks?.length, failures?.length])
    expect(answers).toEqual([
      [1, 0],
      [1, 0],
      [0, 1],
    ])
    expect(model.usedVcpus).toEqual({ onDemand: 0, spot: 0.5 })
  })

  test('stays in PROVISIONING for half an hour when it is stuck, and ends without containers', async () => {
    const { clock, start, look, told } = setUp({ fates: [{ startMs: Number.POSITIVE_INFINITY }] })
    const arn = start()
    await clock.pass(30 * minuteMs - 1)
    expect(look(arn).tasks).toMatchObject([{ lastStatus: 'PROVISIONING', desiredStatus: 'RUNNING' }])
    await clock.pass(minuteMs)
    expect(look(arn).tasks).toMatchObject([{ stopCode: 'TaskFailedToStart', containers: [] }])
    expect(told).toEqual([])
  })

  test('fails when its time to start has come', async () => {
    const { clock, start, look } = setUp({ fates: [{ startFailure: 'CannotPullContainerError: no' }] })
    const arn = start()
    await clock.pass(23_999)
    expect(look(arn).tasks).toMatchObject([{ desiredStatus: 'RUNNING' }])
    await clock.pass(minuteMs)
    expect(look(arn).tasks).toMatchObject([
      { lastStatus: 'STOPPED', stoppedReason: 'CannotPullContainerError: no', containers: [] },
    ])
  })

  test('pulls its image for a while in ACTIVATING', async () => {
    const { clock, start, look } = setUp()
    const arn = start()
    const pulled = () => look(arn).tasks?.map(({ lastStatus, pullStoppedAt }) => [lastStatus, pullStoppedAt])
    await clock.pass(20_999)
    expect(pulled()).toEqual([['ACTIVATING', undefined]])
    await clock.pass(1)
    expect(pulled()).toEqual([['ACTIVATING', new Date(clock.nowMs())]])
  })

  test('that is stopped during the pull never ends it', async () => {
    const { clock, start, stop, look } = setUp()
    const arn = start()
    await clock.pass(18_000)
    stop(arn)
    await clock.pass(minuteMs)
    expect(look(arn).tasks).toMatchObject([{ lastStatus: 'STOPPED', pullStartedAt: expect.any(Date) }])
    expect(look(arn).tasks?.[0]?.pullStoppedAt).toBeUndefined()
  })

  test('runs at its time exactly, and nobody needs to look', async () => {
    const { clock, start, told, model } = setUp()
    const arn = start()
    await clock.pass(23_999)
    expect(told).toEqual([])
    await clock.pass(1)
    expect(told).toEqual([`running ${arn}`])
    expect(model.task(arn)?.startedAtMs).toBe(clock.nowMs())
  })
})

describe('token buckets', () => {
  test.for([
    ['runAndStop', 100, 40],
    ['describeAndList', 100, 20],
    ['readDefinitions', 50, 20],
    ['fargateRunTask', 20, 20],
    ['onDemand', 100, 20],
    ['spot', 100, 20],
  ] as const)(
    '%s: %i at once, then %i a second, and never more than at first',
    ([name, burst, perSecond]) => {
      let nowMs = 0
      const takes = createBuckets(() => nowMs)
      const taken = () => Array.from({ length: 200 }, () => takes(name)).filter(Boolean).length
      expect(taken()).toBe(burst)
      nowMs += 1_000
      expect(taken()).toBe(perSecond)
      nowMs += hourMs
      expect(taken()).toBe(burst)
    },
  )

  test('of the two markets are apart', () => {
    const takes = createBuckets(() => 0)
    while (takes('onDemand'));
    expect(takes('spot')).toBe(true)
  })
})

describe('the main process', () => {
  test.for(['at once', 'later'])('may end %s after it began to run', async (when) => {
    const all = setUp({
      hooks: {
        onRunning: ({ arn }) => {
          if (when === 'at once') all.model.exit(arn, 0)
          else all.clock.after(5, () => all.model.exit(arn, 0))
        },
      },
    })
    const arn = all.start()
    await all.clock.pass(minuteMs)
    expect(all.model.task(arn)).toMatchObject({ lastStatus: 'STOPPED', exitCode: 0 })
    expect(all.events.map(({ lastStatus }) => lastStatus).slice(2, 6)).toEqual([
      'ACTIVATING',
      'RUNNING',
      'RUNNING',
      'DEACTIVATING',
    ])
  })

  test('may end within SIGTERM, and its word counts, not that of a later one', async () => {
    const all = setUp({ hooks: { onTerminate: ({ arn }) => all.model.exit(arn, 143) } })
    const arn = all.start()
    await all.clock.pass(24_000)
    all.stop(arn)
    await all.clock.pass(10 * minuteMs)
    all.model.exit(arn, 0)
    expect(all.model.task(arn)).toMatchObject({ exitCode: 143, stopCode: 'UserInitiated' })
    expect(all.told.filter((line) => line.startsWith('killed'))).toEqual([])
  })

  test('that is killed has nothing more to say', async () => {
    const all = setUp({ hooks: { onKilled: ({ arn }) => all.model.exit(arn, 0) } })
    const arn = all.start()
    await all.clock.pass(24_000)
    all.stop(arn)
    await all.clock.pass(10 * minuteMs)
    expect(all.model.task(arn)).toMatchObject({ lastStatus: 'STOPPED', exitCode: 137 })
  })

  test('cannot end before it runs, nor in a task that never was', async () => {
    const { model, start, clock, told } = setUp()
    const arn = start()
    model.exit(arn, 0)
    await clock.pass(24_000)
    expect(told).toEqual([`running ${arn}`])
    expect(() => model.exit('arn:nothing', 0)).toThrow(/never was/)
  })

  test('gets SIGTERM once, and SIGKILL once, however often the task is stopped', async () => {
    const { clock, start, stop, told } = setUp()
    const arn = start()
    await clock.pass(24_000)
    for (let index = 0; index < 3; index += 1) {
      stop(arn)
      await clock.pass(1_000)
    }
    await clock.pass(5 * minuteMs)
    expect(told).toEqual([`running ${arn}`, `terminate ${arn}`, `killed ${arn}`])
  })

  test('that ends between the call of StopTask and SIGTERM is never signalled', async () => {
    const { clock, model, start, stop, told } = setUp()
    const arn = start()
    await clock.pass(24_000)
    stop(arn)
    model.exit(arn, 0)
    await clock.pass(5 * minuteMs)
    expect(told).toEqual([`running ${arn}`])
    expect(model.task(arn)).toMatchObject({ exitCode: 0, stopCode: 'UserInitiated' })
  })
})

describe('Spot', () => {
  test('is over within two minutes even when the stop timeout is as long', async () => {
    const { clock, model, start } = setUp()
    const arns = Array.from({ length: 20 }, () => start())
    await clock.pass(24_000)
    const noticeAtMs = clock.nowMs()
    for (const arn of arns) model.reclaim(arn)
    await clock.pass(10 * minuteMs)
    for (const arn of arns) {
      const task = model.task(arn)
      expect(task).toMatchObject({ lastStatus: 'STOPPED', stopCode: 'SpotInterruption', exitCode: 137 })
      expect((task?.stoppedAtMs ?? Number.NaN) - noticeAtMs).toBeLessThanOrEqual(2 * minuteMs)
    }
  })

  test('says TerminationNotice for the rest of RUNNING, also after the process ended', async () => {
    const { clock, model, start, look, events } = setUp()
    const arn = start()
    await clock.pass(24_000)
    model.reclaim(arn)
    model.exit(arn, 0)
    expect(look(arn).tasks).toMatchObject([{ lastStatus: 'RUNNING', stopCode: 'TerminationNotice' }])
    await clock.pass(minuteMs)
    expect(events.at(-1)).toMatchObject({ stopCode: 'SpotInterruption', containers: [{ exitCode: 0 }] })
  })
})

describe('the model', () => {
  test('counts calls and throttles by action', () => {
    const { model, run } = setUp({ settings: { buckets: 'real' } })
    const names = Array.from({ length: 25 }, () => nameOf(() => run()))
    expect(names.filter((name) => name === 'ThrottlingException')).toHaveLength(5)
    expect([model.calls, model.throttles]).toEqual([{ RunTask: 25 }, { RunTask: 5 }])
  })

  test('gives everything back at the end', async () => {
    const { clock, model, start, stop } = setUp()
    for (const arn of Array.from({ length: 10 }, () => start())) stop(arn)
    await clock.pass(minuteMs)
    expect([[...model.live()], model.usedVcpus]).toEqual([[], { onDemand: 0, spot: 0 }])
    expect(clock.waiting()).toBe(0)
  })

  test('does the same for the same seed, and something else for another', async () => {
    const story = async (seed: number) => {
      const { clock, model, start, stop, events } = setUp({}, seed)
      for (const arn of [start(), start()]) clock.after(30_000, () => stop(arn))
      model.startForeign('other')
      await clock.pass(10 * minuteMs)
      return JSON.stringify(events)
    }
    expect(await story(7)).toBe(await story(7))
    expect(await story(7)).not.toBe(await story(8))
  })

  test('refuses loudly what it does not have', () => {
    const { model, run } = setUp()
    expect(() => model.execute(new ListClustersCommand({}))).toThrow(/does not have the action ListClusters/)
    expect(() => run({ group: 'mine' })).toThrow(/does not have the parameter group/)
    expect(() => run({ count: 2 })).toThrow(/one task per call/)
  })
})
