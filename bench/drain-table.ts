import type { Item } from '../test/sim/aws/dynamo-values.ts'
import type { LeaderMemory } from './drain-memory.ts'
import type { Stage } from './drain-stages.ts'
import type { Tally } from './drain-tally.ts'

/** Everything that one drain measured. Times are milliseconds since the jobs came. */
export type Measured = {
  jobs: number
  queues: number
  way: 'message' | 'put'
  tally: Tally
  records: readonly Item[]
  throttles: Readonly<Record<string, number>>
  lostMessages: number
  peaks: {
    live: number
    ready: number
    lagMs: number
    lagAtMs: number
    heapBytes: number
    heapLive: number
  }
  timers: number
  wallMs: number
  leaderMemory: LeaderMemory
}

export type Goal = { name: string; isMet: boolean }

/** Fargate launches of one account: a burst, then so many a second (ECS developer guide, "Fargate throttling"). */
const launchBurst = 100
const launchesPerSecond = 20
const ratioAtMost = 1.03
const writesPerJobAtMost = 8

export function goalsOf(measured: Measured): Goal[] {
  const { jobs, throttles, tally, lostMessages, records } = measured
  return [
    { name: 'last launch within 3 % of the optimum', isMet: ratioOf(measured) <= ratioAtMost },
    { name: 'no throttle', isMet: sum(Object.values(throttles)) === 0 },
    {
      name: `at most ${writesPerJobAtMost} writes a job, progress not counted`,
      isMet: writesOf(measured).counted <= writesPerJobAtMost,
    },
    {
      name: 'every job launched once and Succeeded',
      isMet:
        records.length === jobs &&
        lostMessages === 0 &&
        tally.launchesAtMs.length === jobs &&
        records.every(({ phase, lastLaunch }) => phase === 'Succeeded' && lastLaunch === 1),
    },
  ]
}

export function tableOf(measured: Measured): string {
  const { jobs, queues, way, tally } = measured
  return [
    `drain of ${jobs} jobs, ${way === 'put' ? 'put as records' : 'sent as messages'}, ${queues === 1 ? 'one queue' : `${queues} queues`}`,
    ...section('time', timeRows(measured)),
    ...section('a job, from stage to stage: median, p95, longest', stageRows(tally)),
    ...section('calls a job', callRows(measured)),
    ...section('writes of job records a job', writeRows(measured)),
    ...section('load', loadRows(measured)),
    ...section('leader', memoryRows(measured)),
    ...section(
      'what should not happen: warnings, errors, stops',
      [...tally.complaints].sort((a, b) => b[1] - a[1]).slice(0, 5),
    ),
    ...section(
      'goals',
      goalsOf(measured).map(({ name, isMet }) => [name, isMet ? 'met' : 'MISSED']),
    ),
  ].join('\n')
}

type Row = readonly [string, string | number]

const section = (title: string, rows: readonly Row[]): string[] =>
  rows.length === 0
    ? []
    : ['', title, ...rows.map(([name, value]) => `  ${name.padEnd(54)} ${String(value).padStart(24)}`)]

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0)

const lastLaunchMs = ({ tally }: Measured): number => tally.launchesAtMs.at(-1) ?? Number.POSITIVE_INFINITY
const optimumMs = ({ jobs }: Measured): number => ((jobs - launchBurst) / launchesPerSecond) * 1000
const ratioOf = (measured: Measured): number => lastLaunchMs(measured) / optimumMs(measured)

function timeRows(measured: Measured): Row[] {
  const { launchesAtMs, stages } = measured.tally
  const lastMs = lastLaunchMs(measured)
  const perSecond = new Array<number>(Math.floor(lastMs / 1000)).fill(0)
  for (const ms of launchesAtMs) {
    const second = Math.floor(ms / 1000)
    if (second < perSecond.length) perSecond[second] = (perSecond[second] ?? 0) + 1
  }
  const slow = perSecond.filter((launches) => launches < launchesPerSecond - 2)
  return [
    ['first launch', seconds(launchesAtMs[0] ?? Number.POSITIVE_INFINITY)],
    ['last launch', seconds(lastMs)],
    ['optimum (burst of 100, then 20 a second)', seconds(optimumMs(measured))],
    ['ratio', `${(ratioOf(measured) * 100).toFixed(2)} %`],
    ['without a burst (20 a second)', `${((lastMs / measured.jobs) * 2).toFixed(2)} %`],
    ['seconds with fewer than 18 launches', slow.length],
    ['last record there', seconds(stages.last('recorded'))],
    ['last job accepted', seconds(stages.last('accepted'))],
    ['last job Succeeded', seconds(stages.last('succeeded'))],
  ]
}

const steps: readonly [Stage, Stage, string][] = [
  ['submitted', 'recorded', 'sent -> record there'],
  ['recorded', 'accepted', 'record there -> accepted'],
  ['accepted', 'intended', 'accepted -> intent (waits in line)'],
  ['intended', 'launched', 'intent -> RunTask'],
  ['launched', 'arn', 'RunTask -> ARN recorded'],
  ['running', 'noticed', 'task runs -> Running'],
  ['reported', 'succeeded', 'report -> Succeeded'],
]

const stageRows = ({ stages }: Tally): Row[] =>
  steps.map(([from, to, name]) => {
    const waits = stages.waits(from, to)
    const at = (share: number): string =>
      seconds(waits[Math.min(waits.length - 1, Math.floor(share * waits.length))] ?? 0)
    return [name, `${at(0.5)}, ${at(0.95)}, ${at(1)}`]
  })

const perJob = (count: number, { jobs }: Measured): string => (count / jobs).toFixed(2)

const callRows = (measured: Measured): Row[] =>
  [...measured.tally.calls]
    .sort((a, b) => b[1] - a[1])
    .map(([name, count]) => [name, perJob(count, measured)])

/** The put of a raw user counts like the one of intake. */
function writesOf(measured: Measured): { controller: number; worker: number; counted: number } {
  const entries = [...measured.tally.writes]
  const of = (who: string): number =>
    sum(
      entries
        .filter(([name]) => name.startsWith(who) && !name.endsWith(' progress'))
        .map(([, count]) => count),
    ) / measured.jobs
  const controller = of('controller') + of('user') + measured.tally.refusedWrites() / measured.jobs
  return { controller, worker: of('worker'), counted: controller + of('worker') }
}

function writeRows(measured: Measured): Row[] {
  const { controller, worker, counted } = writesOf(measured)
  return [
    ...[...measured.tally.writes].map(([name, count]): Row => [name, perJob(count, measured)]),
    ['refused by their condition', perJob(measured.tally.refusedWrites(), measured)],
    ['controller, put and refused ones included', controller.toFixed(2)],
    ['worker, without progress', worker.toFixed(2)],
    ['all without progress', counted.toFixed(2)],
  ]
}

function loadRows(measured: Measured): Row[] {
  const { tally, throttles, peaks, queues } = measured
  const busiest = tally.peaks()
  const looks = sum(
    [...tally.calls].filter(([name]) => name.endsWith('Query backlog-index')).map(([, count]) => count),
  )
  return [
    ['throttles of ECS', Object.keys(throttles).length === 0 ? 'none' : JSON.stringify(throttles)],
    ['queries of the backlog index (passes x queues, and due)', `${looks} (${queues} + 1 lines)`],
    ['read units a job', perJob(tally.units.read, measured)],
    ['write units a job, indexes included', perJob(tally.units.write, measured)],
    ['record writes in the busiest second', busiest.writes],
    [
      `index writes, busiest partition (${busiest.index[0].split(' ')[1] ?? ''})`,
      `${busiest.index[1]} a second`,
    ],
    ['most live jobs', peaks.live],
    ['most jobs ready in the workqueue', peaks.ready],
    ['largest lag of the workqueue', `${seconds(peaks.lagMs)} at ${seconds(peaks.lagAtMs)}`],
  ]
}

function memoryRows({ peaks, leaderMemory, wallMs, timers }: Measured): Row[] {
  const { memoryBytes, workqueueBytes } = leaderMemory
  return [
    ['memory of a live job (budget 300 B in all)', `${memoryBytes.toFixed(0)} B`],
    ['its place in the workqueue', `${workqueueBytes.toFixed(0)} B`],
    [
      `heap of the whole bench, models included, at ${peaks.heapLive} live`,
      `${(peaks.heapBytes / 2 ** 20).toFixed(0)} MiB`,
    ],
    ['wall time', seconds(wallMs)],
    ['timers', timers],
  ]
}
