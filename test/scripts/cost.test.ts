import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cloudWatch } from '../../schemas/metrics.ts'
import { costOfAttempt, defaultPrices, type Priced } from '../../schemas/prices.ts'
import {
  costOf,
  counted,
  idleLines,
  type JobShape,
  type Prices,
  type Profile,
  profiles,
  servicePricesAsOf,
  servicePricesSchema,
  type TaskShape,
  usualInstallation,
} from '../../scripts/cost-plan.ts'
import { exampleJobs, idleTable, jobsTable, pricesTable } from '../../scripts/cost-tables.ts'
import { existingNetwork, loadBalanced } from '../cdktf/choices.ts'
import { createRandom } from '../support/random.ts'
import { type Block, blocks, type Synthesized, synthesized } from '../support/synthesized.ts'
import { type FakePrograms, fakePrograms, type Ran } from './fake-programs.ts'

const prices: Prices = { fargate: defaultPrices, services: servicePricesSchema.parse({}) }
const page = readFileSync(resolve(import.meta.dirname, '../../docs/cost.md'), 'utf8')

describe('docs/cost.md says what the formula gives (else: npm run cost, and copy it there)', () => {
  test('of a month without jobs, in every network profile', () =>
    expect(page).toContain(idleTable(usualInstallation, prices)))

  test('of a thousand jobs', () => expect(page).toContain(jobsTable(1000, exampleJobs, prices)))

  test('of every price that is not of Fargate, with its name and its date', () => {
    expect(page).toContain(pricesTable(prices.services))
    expect(page).toContain(servicePricesAsOf)
  })

  test.each(['public', 'endpoints'] as const)('of a load balancer in the profile %s', (profile) => {
    const total = (loadBalancer: boolean): number =>
      sum(idleLines({ ...usualInstallation, profile, loadBalancer }, prices).map((line) => line.usd))
    expect(page).toContain(`$${(total(true) - total(false)).toFixed(2)}`)
  })
})

const startMs = Date.parse('2026-11-22T10:00:00.000Z')

/** What the ledger of a task says, and when it was billed. */
const billed = (shape: TaskShape): number => {
  const attempt: Priced = {
    capacity: shape.capacity,
    cpu: shape.cpu,
    memory: shape.memoryMiB,
    architecture: shape.architecture,
    launchedAt: new Date(startMs - 20_000).toISOString(),
    ...(shape.publicIp ? { publicIp: true } : {}),
    ...(shape.ephemeralStorageGiB === undefined ? {} : { ephemeralStorage: shape.ephemeralStorageGiB }),
  }
  const times = { pullStartedAtMs: startMs, stoppedAtMs: startMs + shape.seconds * 1000, exitCode: 0 }
  return costOfAttempt(attempt, times, defaultPrices)
}

const transcribed = (audioS: number): number =>
  costOfAttempt(
    { capacity: 'on-demand', cpu: 0, memory: 0, launchedAt: new Date(startMs).toISOString(), audioS },
    { stoppedAtMs: startMs + 60_000, exitCode: 0 },
    defaultPrices,
  )

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

/** An attempt is rounded to a millionth of a dollar. */
const roundingUsd = 5e-7 + 1e-9

test('README.md says what the cheapest costs idle', () => {
  const lines = idleLines({ ...usualInstallation, profile: 'public' }, prices)
  const readme = readFileSync(resolve(import.meta.dirname, '../../README.md'), 'utf8')
  expect(readme).toContain(`about ${Math.round(sum(lines.map((line) => line.usd)))} dollars a month idle`)
})

describe('jobs by the formula cost what their ledgers add up to', () => {
  test.each(exampleJobs)('a thousand of: $what', (job) => {
    const ledgers = Array.from({ length: 1000 }, () => [
      ...job.tasks.map(billed),
      ...(job.audioS === undefined ? [] : [transcribed(job.audioS)]),
    ]).flat()
    const { tasks, transcribe } = costOf(1000, job, prices)
    expect(Math.abs(tasks + transcribe - sum(ledgers))).toBeLessThan(ledgers.length * roundingUsd)
    expect(tasks + transcribe).toBeGreaterThan(0)
  })

  test('whatever their size, time, capacity and disk are (500 seeds)', () => {
    for (let seed = 0; seed < 500; seed += 1) {
      const random = createRandom(seed)
      const shape: TaskShape = {
        cpu: random.pick([256, 1024, 8192]),
        memoryMiB: random.pick([512, 4096, 16_384]),
        seconds: random.below(20_000),
        capacity: random.pick(['spot', 'on-demand'] as const),
        architecture: random.pick(['arm64', 'x86_64'] as const),
        publicIp: random.once(2),
        ...(random.once(2) ? { ephemeralStorageGiB: 1 + random.below(200) } : {}),
      }
      const job: JobShape = { what: '', tasks: [shape], records: 1, files: 0 }
      expect(Math.abs(costOf(1, job, prices).tasks - billed(shape)), String(seed)).toBeLessThan(roundingUsd)
    }
  })

  test('and what is no task is added: files, requests, logs', () => {
    const job: JobShape = { what: '', tasks: [], records: 2, files: 1000 }
    const { tasks, files, requests, total } = costOf(1000, job, prices)
    expect(files).toBeCloseTo(1000 * prices.services.putThousand)
    expect(requests).toBeGreaterThan(0)
    expect([tasks, total]).toEqual([0, files + requests])
  })
})

const chosen: Record<Profile, Record<string, string>> = {
  public: { NETWORK: 'public' },
  endpoints: { NETWORK: 'endpoints' },
  nat: { NETWORK: 'nat' },
  'nat-per-zone': { NETWORK: 'nat', NAT_GATEWAYS: 'per-zone' },
  existing: existingNetwork,
}

/** What is paid by the hour or the month, counted in what Terraform would make. */
const made = (stack: Synthesized) => {
  const doors = blocks(stack, 'aws_vpc_endpoint').filter(
    ({ vpc_endpoint_type: type }) => type === 'Interface',
  )
  const hasAddress = blocks(stack, 'aws_ecs_service').some(
    ({ network_configuration: network }) => (network as Block).assign_public_ip === true,
  )
  const metricsOf = ({ metric_query: queries }: Block): number =>
    queries === undefined ? 1 : (queries as Block[]).filter(({ metric }) => metric !== undefined).length
  return {
    interfaceEndpoints: sum(doors.map(({ subnet_ids: ids }) => (ids as string[]).length)),
    natGateways: blocks(stack, 'aws_nat_gateway').length,
    controllerAddresses: hasAddress ? usualInstallation.controllers.count : 0,
    alarmMetrics: sum(blocks(stack, 'aws_cloudwatch_metric_alarm').map(metricsOf)),
    metrics: Object.keys(cloudWatch.metrics).length,
    dashboards: blocks(stack, 'aws_cloudwatch_dashboard').length,
  }
}

describe('what is counted is what is made', () => {
  test.each(profiles)('in the profile %s', (profile) =>
    expect(counted({ ...usualInstallation, profile })).toEqual(made(synthesized('dev', chosen[profile]))),
  )

  test('with a load balancer, whose token needs one endpoint more', () => {
    const stack = synthesized('prod', {
      ...chosen.endpoints,
      ...loadBalanced,
      LOAD_BALANCER_INTERNAL: 'true',
    })
    expect(counted({ ...usualInstallation, profile: 'endpoints', loadBalancer: true })).toEqual(made(stack))
    expect(blocks(stack, 'aws_lb')).toHaveLength(1)
  })
})

describe('npm run cost', () => {
  let programs: FakePrograms
  beforeAll(async () => {
    programs = await fakePrograms({})
  })
  afterAll(() => programs.close())
  const run = (args: string[], environment: Record<string, string> = {}): Promise<Ran> =>
    programs.run('scripts/cost.ts', args, environment)

  test('says what docs/cost.md says', async () => {
    const { code, said } = await run([])
    expect(code).toBe(0)
    expect(said).toBe(`${idleTable(usualInstallation, prices)}\n\n${jobsTable(1000, exampleJobs, prices)}\n`)
  })

  test('takes your prices and your job', async () => {
    const mine = ['--cpu', '1024', '--memory', '2048', '--seconds', '3600', '--jobs', '10', '--private']
    const { said } = await run([...mine, '--prices', '{"natHour": 1}'], {
      FARGATE_PRICES: '{"arm64": {"vcpuHour": 1, "gbHour": 0.5}}',
    })
    expect(said).toMatch(/^\| NAT gateways .* \| 733\.65 \| 1467\.30 \| 0\.00 \|$/m)
    expect(said).toMatch(/^\| 1 vCPU, 2 GB, 3600 seconds, on-demand \| 20\.00 \|/m)
  })

  test.each([
    [['--prices', '{"natHuor": 1}'], '--prices.natHuor'],
    [['--prices', '{"natHour": -1}'], 'must be a number from 0'],
    [['--prices', 'cheap'], '--prices: must be JSON'],
    [['--cpu', '1024'], '--memory: "" is not allowed'],
    [['--cpu', '1024', '--memory', '512', '--seconds', '5'], 'there is no such size'],
  ])('%j: one sentence, exit 78', async (args, sentence) => {
    const { code, complained } = await run(args)
    expect(code).toBe(78)
    expect(complained).toContain(sentence)
    expect(complained).not.toContain('at ')
  })
})
