import {
  costOf,
  type Installation,
  idleLines,
  type JobShape,
  type Line,
  type Prices,
  profiles,
  type ServicePrices,
  servicePricesSchema,
  type TaskShape,
  usualInstallation,
} from './cost-plan.ts'

const task = (cpu: number, memoryMiB: number, seconds: number): TaskShape => ({
  cpu,
  memoryMiB,
  seconds,
  capacity: 'on-demand',
  architecture: usualInstallation.architecture,
  publicIp: true,
})

/**
 * Jobs as they are by default, in the profile `public`. How long a transcode takes is an estimate: three seconds of one vCPU for
 * each second of 1080p, half a minute to start.
 */
const fiveMinuteVideo = task(2048, 4096, (300 * 3) / 2 + 30)
export const exampleJobs: readonly JobShape[] = [
  {
    what: 'transcode: 5 minutes of 1080p, 2 vCPU, 4 GB, 8 minutes',
    tasks: [fiveMinuteVideo],
    records: 1,
    // 50 segments of four pictures and one sound, their beginnings and lists, and what tells of them.
    files: 50 * 5 + 5 + 6 + 3,
  },
  {
    what: 'the same on Spot',
    tasks: [{ ...fiveMinuteVideo, capacity: 'spot' }],
    records: 1,
    files: 50 * 5 + 5 + 6 + 3,
  },
  { what: 'container: 0.25 vCPU, 0.5 GB, 30 seconds', tasks: [task(256, 512, 30)], records: 1, files: 0 },
  {
    what: 'subtitles: 10 minutes of speech',
    tasks: [task(512, 1024, 60), task(256, 512, 45)],
    audioS: 600,
    records: 4,
    files: 8,
  },
]

const cents = (amount: number): string => amount.toFixed(2)

/** Markdown; the first column is text, the others are dollars. */
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map((_, column) => (column === 0 ? '---' : '--:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n')

/** A line for what is paid for, a column for each profile. */
export function idleTable(usual: Omit<Installation, 'profile'>, prices: Prices): string {
  const columns = profiles.map((profile) => idleLines({ ...usual, profile }, prices))
  const names = [...new Set(columns.flatMap((lines) => lines.map(({ what }) => what)))].sort(
    (a, b) => placeOf(a, columns) - placeOf(b, columns),
  )
  const sum = (lines: readonly Line[]): number => lines.reduce((total, line) => total + line.usd, 0)
  return table(
    ['USD a month', ...profiles.map((profile) => `\`${profile}\``)],
    [
      ...names.map((name) => [
        name,
        ...columns.map((lines) => cents(sum(lines.filter(({ what }) => what === name)))),
      ]),
      ['**together**', ...columns.map((lines) => `**${cents(sum(lines))}**`)],
    ],
  )
}

/** The dearest line first, of all profiles. */
const placeOf = (name: string, columns: readonly (readonly Line[])[]): number =>
  -Math.max(...columns.flatMap((lines) => lines.filter(({ what }) => what === name).map((line) => line.usd)))

export const jobsTable = (count: number, jobs: readonly JobShape[], prices: Prices): string =>
  table(
    [
      `USD for ${count.toLocaleString('en-US')} jobs`,
      'tasks',
      'Transcribe',
      'S3 PUT',
      'other requests',
      '**together**',
    ],
    jobs.map((job) => {
      const { tasks, transcribe, files, requests, total } = costOf(count, job, prices)
      return [job.what, ...[tasks, transcribe, files, requests].map(cents), `**${cents(total)}**`]
    }),
  )

/** The prices of services, with the names that `--prices` knows. */
export const pricesTable = (services: ServicePrices): string =>
  table(
    ['name', 'what', 'USD'],
    Object.entries(servicePricesSchema.shape).map(([name, { description = '' }]) => [
      `\`${name}\``,
      description,
      String(services[name as keyof ServicePrices]),
    ]),
  )
