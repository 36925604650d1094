import type { Cost } from './media-cost.ts'
import type { Way } from './media-ways.ts'

/** What every way cost in one round. */
export type Round = ReadonlyMap<Way, Cost>

const words: Record<Way, string> = {
  together: 'one decode for all renditions, bare ffmpeg',
  apart: 'one run for each rendition, bare ffmpeg',
  whole: 'our transcode: gate, run, checks, pictures, loudness',
  shards: 'in shards read by ranges, and joined, one by one',
}

/** Median, least and most of what was measured. Pure. */
export const spread = (values: readonly number[]): { median: number; least: number; most: number } => {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (index: number) => sorted[index] ?? Number.NaN
  const middle = (sorted.length - 1) / 2
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    least: at(0),
    most: at(sorted.length - 1),
  }
}

/** Costs and ratios over all rounds; a ratio is that of one round, since rounds differ in what else the machine does. Pure. */
export const tableOf = (rounds: readonly Round[], mediaS: number): string => {
  const each = (of: (cost: Cost) => number, way: Way) =>
    rounds.flatMap((round) => {
      const cost = round.get(way)
      return cost === undefined ? [] : [of(cost)]
    })
  const ratios = (of: (cost: Cost) => number, way: Way, to: Way) =>
    rounds.flatMap((round) => {
      const [one, other] = [round.get(way), round.get(to)]
      return one === undefined || other === undefined ? [] : [of(one) / of(other)]
    })
  const row = (name: string, values: readonly number[]) => {
    const { median, least, most } = spread(values)
    return `  ${name.padEnd(58)}${median.toFixed(2).padStart(8)}   ${least.toFixed(2)} - ${most.toFixed(2)}`
  }
  const cpu = ({ cpuS }: Cost) => cpuS
  const wall = ({ wallS }: Cost) => wallS
  const sideBySide = ({ sideBySideS }: Cost) => sideBySideS
  const names = Object.keys(words) as Way[]
  return [
    `${rounds.length} rounds over ${mediaS.toFixed(0)} s of video; median, least - most`,
    'CPU seconds for a second of video',
    ...names.map((way) =>
      row(
        words[way],
        each((cost) => cpu(cost) / mediaS, way),
      ),
    ),
    'wall seconds for a second of video',
    ...names.map((way) =>
      row(
        words[way],
        each((cost) => wall(cost) / mediaS, way),
      ),
    ),
    row(
      'in shards, with a machine for each',
      each((cost) => sideBySide(cost) / mediaS, 'shards'),
    ),
    'ratios',
    row('CPU: one decode for all / one run for each', ratios(cpu, 'together', 'apart')),
    row('CPU: our transcode / bare ffmpeg', ratios(cpu, 'whole', 'together')),
    row('wall: our transcode / bare ffmpeg', ratios(wall, 'whole', 'together')),
    row('CPU: shards and joining / one run', ratios(cpu, 'shards', 'together')),
    row('wall: shards, with a machine for each / one run', ratios(sideBySide, 'shards', 'together')),
  ].join('\n')
}
