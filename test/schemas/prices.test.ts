import { describe, expect, test } from 'vitest'
import {
  type Billed,
  costOfAttempt,
  defaultPrices,
  fargatePricesSchema,
  type Priced,
  pricesNote,
  totalUsd,
} from '../../schemas/prices.ts'
import { createRandom } from '../support/random.ts'

const startMs = Date.parse('2026-11-22T10:00:00.000Z')
const at = (s: number): string => new Date(startMs + s * 1000).toISOString()

/** One vCPU and 2 GB on demand. */
const attempt = (more: Partial<Priced> = {}): Priced => ({
  capacity: 'on-demand',
  cpu: 1024,
  memory: 2048,
  launchedAt: at(-20),
  ...more,
})
/** It pulled its image at the start of the count, ran 10 s later, and stopped after `s` seconds. */
const stopAfter = (s: number, more: Partial<Billed> = {}): Billed => ({
  createdAtMs: startMs - 15_000,
  pullStartedAtMs: startMs,
  startedAtMs: startMs + 10_000,
  stoppedAtMs: startMs + s * 1000,
  ...more,
})
const unpulled = { pullStartedAtMs: undefined, startedAtMs: undefined }

describe('what a task costs', () => {
  const hourUsd = 0.04048 + 2 * 0.004445
  const rows: [name: string, attempt: Priced, billed: Billed, usd: number][] = [
    ['an hour of one vCPU and 2 GB', attempt(), stopAfter(3600), hourUsd],
    ['a quarter of a vCPU', attempt({ cpu: 256, memory: 512 }), stopAfter(3600), 0.01012 + 0.0022225],
    [
      'the largest that Fargate has',
      attempt({ cpu: 32_768, memory: 249_856 }),
      stopAfter(3600),
      32 * 0.04048 + 244 * 0.004445,
    ],
    ['arm64', attempt({ architecture: 'arm64' }), stopAfter(3600), 0.03238 + 2 * 0.00356],
    ['x86_64, said', attempt({ architecture: 'x86_64' }), stopAfter(3600), hourUsd],
    ['Spot', attempt({ capacity: 'spot' }), stopAfter(3600), 0.3 * hourUsd],
    ['20 GB of disk are part of it', attempt({ ephemeralStorage: 20 }), stopAfter(3600), hourUsd],
    ['each GB above them costs', attempt({ ephemeralStorage: 21 }), stopAfter(3600), hourUsd + 0.000111],
    ['200 GB', attempt({ ephemeralStorage: 200 }), stopAfter(3600), hourUsd + 180 * 0.000111],
    [
      'disk is no cheaper on Spot',
      attempt({ ephemeralStorage: 120, capacity: 'spot' }),
      stopAfter(3600),
      0.3 * hourUsd + 100 * 0.000111,
    ],
    ['a public address', attempt({ publicIp: true }), stopAfter(3600), hourUsd + 0.005],
    ['by the second', attempt(), stopAfter(61), (hourUsd * 61) / 3600],
    ['a second that has begun', attempt(), stopAfter(61.001), (hourUsd * 62) / 3600],
    ['at least a minute', attempt(), stopAfter(5), hourUsd / 60],
    ['exactly a minute', attempt(), stopAfter(60), hourUsd / 60],
    ['a stop before the start is a minute', attempt(), stopAfter(-100), hourUsd / 60],
    ['it never came to the pull', attempt(), stopAfter(3600, unpulled), 0],
    [
      'its image could not be pulled: the pull is billed',
      attempt(),
      stopAfter(90, { startedAtMs: undefined }),
      (hourUsd * 90) / 3600,
    ],
    [
      'without the time of the pull: from its creation',
      attempt(),
      stopAfter(3600, { pullStartedAtMs: undefined }),
      (hourUsd * 3615) / 3600,
    ],
    [
      'without that, too: from its start',
      attempt(),
      stopAfter(3610, { pullStartedAtMs: undefined, createdAtMs: undefined }),
      hourUsd,
    ],
    [
      'the start stands in the ledger only',
      attempt({ startedAt: at(0) }),
      { stoppedAtMs: startMs + 3_600_000 },
      hourUsd,
    ],
    [
      'an exit code shows that it ran: from its launch',
      attempt(),
      { exitCode: 0, stoppedAtMs: startMs + 3_580_000 },
      hourUsd,
    ],
    ['lost: from its launch', attempt(), { lost: true, stoppedAtMs: startMs + 3_580_000 }, hourUsd],
    [
      'lost, and known to have started',
      attempt({ startedAt: at(0) }),
      { lost: true, stoppedAtMs: startMs + 3_600_000 },
      hourUsd,
    ],
  ]
  test.for(rows)('%s', ([, priced, billed, usd]) => {
    const cost = costOfAttempt(priced, billed, defaultPrices)
    expect(cost).toBe(Math.round(usd * 1e6) / 1e6)
  })

  test('with prices of another region', () => {
    const prices = fargatePricesSchema.parse({ x86_64: { vcpuHour: 1, gbHour: 0.5, spotFactor: 0.5 } })
    expect(costOfAttempt(attempt(), stopAfter(3600), prices)).toBe(2)
    expect(costOfAttempt(attempt({ capacity: 'spot' }), stopAfter(3600), prices)).toBe(1)
  })

  test('whatever stands in the record: a number from 0 on that the record can keep', () => {
    const random = createRandom(1)
    const strange = [
      undefined,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      0,
      -1,
      1e300,
      -1e300,
      1.5,
      startMs,
    ]
    const pick = (): number | undefined => random.pick(strange)
    for (let round = 0; round < 5000; round += 1) {
      const cost = costOfAttempt(
        attempt({
          cpu: pick() ?? 1,
          memory: pick() ?? 1,
          ephemeralStorage: pick() ?? 1,
          capacity: round % 2 ? 'spot' : 'on-demand',
          launchedAt: round % 3 ? at(0) : 'yesterday',
          ...(round % 5 ? {} : { startedAt: 'never' }),
        }),
        {
          pullStartedAtMs: pick(),
          createdAtMs: pick(),
          startedAtMs: pick(),
          stoppedAtMs: pick() ?? 0,
          lost: round % 7 === 0,
        },
        defaultPrices,
      )
      expect(cost).toBeGreaterThanOrEqual(0)
      expect(cost).toBeLessThanOrEqual(1e8)
      expect(Number(cost.toFixed(6))).toBe(cost)
    }
  })
})

describe('what a job costs', () => {
  test('ledger and rollup together, however often it is added up', () => {
    const attempts = Array.from({ length: 50 }, () => ({ costUsd: 0.000001 }))
    expect(totalUsd(attempts, { costUsd: 0.1 })).toBe(0.10005)
    expect(totalUsd([{ costUsd: 0.1 }, { costUsd: 0.2 }, {}], undefined)).toBe(0.3)
    expect(totalUsd([], undefined)).toBe(0)
  })
})

describe('prices', () => {
  test('what is left out stays', () => {
    expect(fargatePricesSchema.parse({})).toEqual(defaultPrices)
    expect(fargatePricesSchema.parse({ arm64: { vcpuHour: 0.05 } })).toEqual({
      ...defaultPrices,
      arm64: { ...defaultPrices.arm64, vcpuHour: 0.05 },
    })
  })

  test.each([
    { x86_64: { vcpuHour: -1 } },
    { x86_64: { vcpuHour: 'cheap' } },
    { x86_64: { spotFactor: 1.1 } },
    { x86: {} },
    { x86_64: { cpuHour: 1 } },
    { publicIpv4Hour: Number.NaN },
    [],
  ])('%j is refused', (prices) => {
    expect(fargatePricesSchema.safeParse(prices).success).toBe(false)
  })

  test('prices that are not of the region are said to be', () => {
    const own = fargatePricesSchema.parse({ publicIpv4Hour: 0.006 })
    expect(pricesNote('us-east-1', defaultPrices)).toBeUndefined()
    expect(pricesNote('eu-central-1', own)).toBeUndefined()
    expect(pricesNote('eu-central-1', defaultPrices)).toBe(
      'FARGATE_PRICES is not set, and only the prices of us-east-1 are known: the costs of eu-central-1 are estimated with them',
    )
  })
})
