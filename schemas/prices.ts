import { z } from 'zod'
import { type Architecture, fargateEphemeralStorage } from './fargate.ts'
import type { Attempt } from './job.ts'

/**
 * What Fargate asks for Linux tasks in us-east-1, in US dollars, as of November 2026. Only this region is known; prices
 * drift, so every number can be configured. Spot is "up to 70 % off" and changes all the time: a factor, and an estimate.
 */
const knownRegion = 'us-east-1'
const storageGbHour = 0.000111
const spotFactor = 0.3
const presets = {
  x86_64: { vcpuHour: 0.04048, gbHour: 0.004445, storageGbHour, spotFactor },
  arm64: { vcpuHour: 0.03238, gbHour: 0.00356, storageGbHour, spotFactor },
} as const satisfies Record<Architecture, object>
const presetIpv4Hour = 0.005
// Standard batch transcription, the first 250,000 minutes a month.
const presetTranscribeMinute = 0.024

const priceMax = 1000
const price = (preset: number, what: string) =>
  z
    .number({ error: `must be a number from 0 to ${priceMax}` })
    .min(0, { error: 'must not be below 0' })
    .max(priceMax, { error: `must be at most ${priceMax}` })
    .default(preset)
    .describe(what)

const architecturePrices = (preset: (typeof presets)[Architecture]) =>
  z
    .strictObject({
      vcpuHour: price(preset.vcpuHour, 'One vCPU for an hour.'),
      gbHour: price(preset.gbHour, 'One GB of memory for an hour.'),
      storageGbHour: price(preset.storageGbHour, 'One GB of disk above 20 GB for an hour.'),
      spotFactor: z
        .number({ error: 'must be a number from 0 to 1' })
        .min(0, { error: 'must not be below 0' })
        .max(1, { error: 'must be at most 1' })
        .default(preset.spotFactor)
        .describe('Share of the On-Demand price of vCPU and memory that Spot costs.'),
    })
    .prefault({})

export const fargatePricesSchema = z.strictObject({
  x86_64: architecturePrices(presets.x86_64),
  arm64: architecturePrices(presets.arm64),
  publicIpv4Hour: price(presetIpv4Hour, 'A public IPv4 address for an hour.'),
  transcribeMinute: price(presetTranscribeMinute, 'A minute of audio that Amazon Transcribe listens to.'),
})
export type FargatePrices = z.infer<typeof fargatePricesSchema>

export const defaultPrices: FargatePrices = fargatePricesSchema.parse({})

/** What has to be said at the start: undefined where the prices are those of the region, as far as we can know. */
export function pricesNote(region: string, prices: FargatePrices): string | undefined {
  if (region === knownRegion || JSON.stringify(prices) !== JSON.stringify(defaultPrices)) return undefined
  return `FARGATE_PRICES is not set, and only the prices of ${knownRegion} are known: the costs of ${region} are estimated with them`
}

/** What costs depend on, out of an entry of the ledger. */
export type Priced = Pick<
  Attempt,
  | 'capacity'
  | 'cpu'
  | 'memory'
  | 'ephemeralStorage'
  | 'architecture'
  | 'publicIp'
  | 'launchedAt'
  | 'startedAt'
  | 'audioS'
>

/** When the task of an attempt was billed, as far as somebody saw it. */
export type Billed = {
  pullStartedAtMs?: number | undefined
  createdAtMs?: number | undefined
  startedAtMs?: number | undefined
  exitCode?: number | undefined
  stoppedAtMs: number
  /** The task disappeared: that it began is taken for granted. */
  lost?: boolean
}

const hourS = 3600
const billedSecondsMin = 60
// Nobody owes more for one task; a number that a record cannot keep would keep its job from ever ending.
const usdMax = 1e8

/**
 * What one task cost, in US dollars, rounded to 6 decimals. Fargate bills every second from the start of the image pull to
 * the stop, at least a minute; a task that never got so far costs nothing. Total: whatever stands in the record, the answer
 * is a number from 0 on.
 */
export function costOfAttempt(attempt: Priced, billed: Billed, prices: FargatePrices): number {
  if (attempt.audioS !== undefined) return costOfTranscription(attempt.audioS, billed, prices)
  const fromMs = billedFromMs(attempt, billed)
  if (fromMs === undefined) return 0
  const seconds = Math.max(billedSecondsMin, Math.ceil((billed.stoppedAtMs - fromMs) / 1000) || 0)
  return roundUsd((usdPerHour(attempt, prices) * seconds) / hourS)
}

/** Transcribe is paid by the second of audio, at least 15; not for a job that failed, but for one that we let go of. */
const costOfTranscription = (
  audioS: number,
  { exitCode = 0 }: Billed,
  { transcribeMinute }: FargatePrices,
): number => (exitCode === 0 ? roundUsd((Math.max(15, audioS) / 60) * transcribeMinute) : 0)

/** Undefined: it was never billed. Without the time of the pull, the nearest known one before it stands in. */
function billedFromMs(attempt: Priced, billed: Billed): number | undefined {
  const pulled = time(billed.pullStartedAtMs)
  if (pulled !== undefined) return pulled
  const started = time(billed.startedAtMs) ?? time(Date.parse(attempt.startedAt ?? ''))
  if (started === undefined && billed.exitCode === undefined && billed.lost !== true) return undefined
  return time(billed.createdAtMs) ?? started ?? time(Date.parse(attempt.launchedAt)) ?? billed.stoppedAtMs
}

const time = (ms: number | undefined): number | undefined =>
  ms !== undefined && Number.isFinite(ms) ? ms : undefined

function usdPerHour(attempt: Priced, prices: FargatePrices): number {
  const { capacity, cpu, memory, ephemeralStorage = 0, architecture = 'x86_64', publicIp } = attempt
  const { vcpuHour, gbHour, storageGbHour, spotFactor } = prices[architecture]
  const factor = capacity === 'spot' ? spotFactor : 1
  return (
    ((cpu / 1024) * vcpuHour + (memory / 1024) * gbHour) * factor +
    Math.max(0, ephemeralStorage - fargateEphemeralStorage.defaultGiB) * storageGbHour +
    (publicIp === true ? prices.publicIpv4Hour : 0)
  )
}

/** Six decimals, and never anything that a record cannot keep. */
export const roundUsd = (usd: number): number =>
  Number.isNaN(usd) ? 0 : Math.round(Math.min(Math.max(usd, 0), usdMax) * 1e6) / 1e6

/** What a job cost: ledger and rollup, added up anew each time, so that no error of rounding grows. */
export const totalUsd = (
  attempts: readonly Pick<Attempt, 'costUsd'>[],
  rollup: { costUsd: number } | undefined,
): number => roundUsd(attempts.reduce((sum, { costUsd = 0 }) => sum + costUsd, rollup?.costUsd ?? 0))
