import type { Departure, Fleet, Term } from './fleet.ts'
import { termsOf } from './fleet.ts'
import type { Asked, Stored } from './users.ts'

/** A table of text columns; the first row is the head. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const texts = rows.map((row) => row.map(String))
  const widths = (texts[0] ?? []).map((_, column) =>
    Math.max(...texts.map((row) => row[column]?.length ?? 0)),
  )
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  const [head = [], ...body] = texts
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...body.map(line)].join('\n')
}

/** How jobs of each sort ended. */
export function jobsTable(asked: readonly Asked[], records: ReadonlyMap<string, Stored>): string {
  const sortOf = ({ wanted }: Asked): string => wanted.name.replace(/^\d+-/, '')
  const sorts = [...new Set(asked.map(sortOf))].map(
    (sort) => [sort, asked.filter((one) => sortOf(one) === sort)] as const,
  )
  return table([
    ['jobs', 'count', 'wanted', 'as wanted', 'attempts', 'most', 'retries by class'],
    ...sorts.map(([sort, some]) => {
      const found = some.map(({ jobId, wanted }) => ({ wanted, record: records.get(jobId) }))
      const attempts = found.map(({ record }) => record?.attempts?.length ?? 0)
      return [
        ...[sort, some.length, some[0]?.wanted.ends ?? ''],
        found.filter(({ wanted, record }) => record?.phase === wanted.ends).length,
        attempts.reduce((sum, count) => sum + count, 0),
        Math.max(...attempts),
        listed(retriesByClass(found.flatMap(({ record }) => record ?? []))),
      ]
    }),
  ])
}

/** Attempts that were followed by another one, by how they ended. */
export function retriesByClass(records: Iterable<Stored>): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { attempts = [] } of records)
    for (const { outcome } of attempts.slice(0, -1))
      counts[outcome?.class ?? 'none'] = (counts[outcome?.class ?? 'none'] ?? 0) + 1
  return counts
}

export const listed = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ') || 'none'

/** From the moment a leader went to the next term: until the lease was taken, and until work began. */
export function leadershipTable(fleet: Pick<Fleet, 'departures' | 'processes'>): string {
  const terms = fleet.processes().flatMap(({ process }) => termsOf(process))
  const went = fleet.departures.map((departure) => ({ departure, gap: gapAfter(departure, terms) }))
  const sorts: [string, (departure: Departure) => boolean][] = [
    ['killed, a standby was there', ({ how, standby }) => how === 'killed' && standby],
    ['killed, nobody else was there', ({ how, standby }) => how === 'killed' && !standby],
    ['slept through its lease', ({ how }) => how === 'paused'],
    ['handed over, a standby was there', ({ how, standby }) => how === 'handed over' && standby],
    ['handed over, nobody else was there', ({ how, standby }) => how === 'handed over' && !standby],
  ]
  const planned = new Set(went.map(({ gap }) => gap?.next.term))
  const unplanned = terms.filter(({ term }) => term > 1 && !planned.has(term)).length
  const rows = table([
    ['the leader', 'times', 'next term: median', 'slowest', 'at work: median', 'slowest'],
    ...sorts.map(([name, belongs]) => {
      const gaps = went.flatMap(({ departure, gap }) => (belongs(departure) && gap ? [gap] : []))
      const taken = gaps.map(({ takenMs }) => takenMs)
      const working = gaps.flatMap(({ workingMs }) => workingMs ?? [])
      return [name, gaps.length, median(taken), slowest(taken), median(working), slowest(working)]
    }),
  ])
  const first = fleet.processes().length
  return `${rows}\nTerms: ${terms.length}, of them begun without a kill, a pause or a hand-over: ${unplanned}. Controller processes: ${first}.`
}

function gapAfter({ process, atMs }: Departure, terms: readonly Term[]) {
  const mine = termsOf(process).findLast(({ leadsMs }) => leadsMs <= atMs)?.term
  if (mine === undefined) return undefined
  const later = terms.filter(({ term }) => term > mine).sort((one, other) => one.term - other.term)
  const next = later[0]
  const works = later.find(({ worksMs }) => worksMs !== undefined)?.worksMs
  return (
    next && { next, takenMs: next.leadsMs - atMs, workingMs: works === undefined ? undefined : works - atMs }
  )
}

const seconds = (ms: number | undefined): string => (ms === undefined ? '-' : `${(ms / 1000).toFixed(2)} s`)
const slowest = (list: readonly number[]): string => (list.length === 0 ? '-' : seconds(Math.max(...list)))
const median = (list: readonly number[]): string =>
  seconds([...list].sort((a, b) => a - b)[Math.floor(list.length / 2)])
