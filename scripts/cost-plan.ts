import { z } from 'zod'
import { type Architecture, fargateEphemeralStorage } from '../schemas/fargate.ts'
import { cloudWatch } from '../schemas/metrics.ts'
import type { FargatePrices } from '../schemas/prices.ts'
import type { Capacity } from '../schemas/spec.ts'

/**
 * What an installation costs, as values: idle in a month, and for jobs. It counts what cdktf makes and what the code asks
 * for (test/scripts/cost.test.ts holds it to both); what data weighs, nobody knows before.
 */

/** No free tier is taken off. Of us-east-1, from the public price lists: look before you rely on them. */
export const servicePricesAsOf = 'November 2026'
const usd = (preset: number, what: string) =>
  z
    .number({ error: 'must be a number from 0' })
    .min(0, { error: 'must be a number from 0' })
    .default(preset)
    .describe(what)

/** Everything that schemas/prices.ts does not know. Each may be given: `npm run cost -- --prices '{"natHour": 0.052}'`. */
export const servicePricesSchema = z.strictObject({
  interfaceEndpointHour: usd(0.01, 'an interface endpoint in one zone, an hour'),
  natHour: usd(0.045, 'a NAT gateway, an hour'),
  loadBalancerHour: usd(0.0225, 'a load balancer, an hour'),
  metricMonth: usd(0.3, 'a metric of our own, a month'),
  alarmMetricMonth: usd(0.1, 'a metric that an alarm watches, a month'),
  dashboardMonth: usd(3, 'a dashboard, a month'),
  logGb: usd(0.5, 'a GB written to a log'),
  writeMillion: usd(0.625, 'a million DynamoDB write units on demand'),
  readMillion: usd(0.125, 'a million DynamoDB read units on demand'),
  sqsMillion: usd(0.4, 'a million SQS requests'),
  putThousand: usd(0.005, 'a thousand S3 PUT requests'),
})
export type ServicePrices = z.infer<typeof servicePricesSchema>

export type Prices = { fargate: FargatePrices; services: ServicePrices }

export const profiles = ['public', 'endpoints', 'nat', 'nat-per-zone', 'existing'] as const
export type Profile = (typeof profiles)[number]

export type Installation = {
  profile: Profile
  architecture: Architecture
  zones: number
  loadBalancer: boolean
  controllers: { count: number; cpu: number; memoryMiB: number }
}

/** What dev and prod have in common. */
export const usualInstallation: Omit<Installation, 'profile'> = {
  architecture: 'arm64',
  zones: 2,
  loadBalancer: false,
  controllers: { count: 2, cpu: 256, memoryMiB: 512 },
}

export type Line = { what: string; usd: number }

const hoursInMonth = 730
const secondsInMonth = hoursInMonth * 3600

/** How many there are of what is paid by the hour or the month. */
export const counted = ({ profile, zones, loadBalancer, controllers }: Installation) => ({
  // Seven services are called; the one for secrets is for the token of the load balancer.
  interfaceEndpoints: profile === 'endpoints' ? zones * (loadBalancer ? 8 : 7) : 0,
  natGateways: profile === 'nat' ? 1 : profile === 'nat-per-zone' ? zones : 0,
  controllerAddresses: profile === 'public' ? controllers.count : 0,
  // Eleven alarms; the one for the share of failed jobs watches two metrics.
  alarmMetrics: 12,
  metrics: Object.keys(cloudWatch.metrics).length,
  dashboards: 1,
})

/** What is asked for while there is no job at all, in a second. Times: controller/loop.ts, election.ts, intake/queue.ts. */
const idle = {
  /** Looks for submitted, overdue and waiting jobs; half a unit each. */
  leaderReads: (1 / 0.2 + 1 / 0.5 + 1 / 1 + 1 / 5) / 2,
  standbyReads: 1 / 0.3 / 2,
  /** The lease every 2.5 s, and a status of two units every 5 s. */
  writes: 1 / 2.5 + 2 / 5,
  /** Two queues, polled for 20 s at a time. */
  messages: 2 / 20,
  /** One line of metrics a minute from each controller. */
  logBytes: 700 / 60,
} as const

/** A month in which nothing is asked for, line by line. */
export function idleLines(installation: Installation, { fargate, services }: Prices): Line[] {
  const { architecture, controllers, zones, loadBalancer } = installation
  const { interfaceEndpoints, natGateways, controllerAddresses, ...watched } = counted(installation)
  const { count, cpu, memoryMiB } = controllers
  const { vcpuHour, gbHour } = fargate[architecture]
  const reads = idle.leaderReads + idle.standbyReads * Math.max(0, count - 1)
  const controllerHour = (cpu / 1024) * vcpuHour + (memoryMiB / 1024) * gbHour
  const balancerHour = services.loadBalancerHour + zones * fargate.publicIpv4Hour
  const lines: Line[] = [
    { what: 'controllers', usd: hoursInMonth * count * controllerHour },
    { what: 'their public addresses', usd: hoursInMonth * controllerAddresses * fargate.publicIpv4Hour },
    { what: 'interface endpoints', usd: hoursInMonth * interfaceEndpoints * services.interfaceEndpointHour },
    {
      what: 'NAT gateways and their addresses',
      usd: hoursInMonth * natGateways * (services.natHour + fargate.publicIpv4Hour),
    },
    { what: 'load balancer and its addresses', usd: loadBalancer ? hoursInMonth * balancerHour : 0 },
    {
      what: 'metrics, alarms, dashboard',
      usd:
        watched.metrics * services.metricMonth +
        watched.alarmMetrics * services.alarmMetricMonth +
        watched.dashboards * services.dashboardMonth,
    },
    {
      what: 'looking and leading: DynamoDB, SQS, logs',
      usd:
        (secondsInMonth *
          (reads * services.readMillion +
            idle.writes * services.writeMillion +
            idle.messages * services.sqsMillion)) /
          1e6 +
        (secondsInMonth * count * idle.logBytes * services.logGb) / 1e9,
    },
  ]
  return lines.filter((line) => line.usd > 0)
}

/** One task of a job. Seconds from the pull of the image to the stop. */
export type TaskShape = {
  cpu: number
  memoryMiB: number
  seconds: number
  capacity: Exclude<Capacity, 'spot-then-on-demand'>
  architecture: Architecture
  publicIp?: boolean
  ephemeralStorageGiB?: number
}

/** What one job is made of; a pipeline has several tasks and records. */
export type JobShape = {
  what: string
  tasks: readonly TaskShape[]
  /** Audio that Amazon Transcribe listens to. */
  audioS?: number
  /** Itself, and its children. */
  records: number
  /** Objects that are written. */
  files: number
}

export type JobsCost = { tasks: number; transcribe: number; files: number; requests: number; total: number }

/** What one record takes: 8 writes (bench/drain.ts) of 4 KB, an index entry each, and as many reads. Estimates. */
const perRecord = { writes: 8 * (4 + 1), reads: 30, messages: 20 } as const
/** A heartbeat every 5 s writes the record, and is not in the indexes; each look at a task that lives reads it. */
const perTaskSecond = { writes: 4 / 5, reads: 1 / 15 } as const
const logBytesPerTask = 20_000

/** What so many jobs cost if each is tried once. */
export function costOf(count: number, job: JobShape, { fargate, services }: Prices): JobsCost {
  const seconds = job.tasks.reduce((sum, task) => sum + task.seconds, 0)
  const units = (record: number, second: number): number => job.records * record + seconds * second
  const tasks = job.tasks.reduce((sum, task) => sum + usdOfTask(task, fargate), 0)
  const transcribe = job.audioS === undefined ? 0 : (Math.max(15, job.audioS) / 60) * fargate.transcribeMinute
  const files = (job.files * services.putThousand) / 1000
  const requests =
    (units(perRecord.writes, perTaskSecond.writes) * services.writeMillion +
      units(perRecord.reads, perTaskSecond.reads) * services.readMillion +
      job.records * perRecord.messages * services.sqsMillion) /
      1e6 +
    (job.tasks.length * logBytesPerTask * services.logGb) / 1e9
  return {
    tasks: count * tasks,
    transcribe: count * transcribe,
    files: count * files,
    requests: count * requests,
    total: count * (tasks + transcribe + files + requests),
  }
}

/** The formula of docs/cost.md. By itself and not `costOfAttempt`, which a test compares it with. */
function usdOfTask(task: TaskShape, fargate: FargatePrices): number {
  const { vcpuHour, gbHour, storageGbHour, spotFactor } = fargate[task.architecture]
  const size = (task.cpu / 1024) * vcpuHour + (task.memoryMiB / 1024) * gbHour
  const disk =
    Math.max(0, (task.ephemeralStorageGiB ?? 0) - fargateEphemeralStorage.defaultGiB) * storageGbHour
  const hour =
    size * (task.capacity === 'spot' ? spotFactor : 1) + disk + (task.publicIp ? fargate.publicIpv4Hour : 0)
  return (hour * Math.max(60, task.seconds)) / 3600
}
