import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { windows } from './windows.ts'

export type Options = {
  /** Every random choice follows from it; what the machine does in between does not. */
  seed: number
  /** SIGKILLs; each window of the launch protocol takes one, the others come at random times. */
  kills: number
  jobs: number
}

export const usage = `npm run test:chaos -- [--seed N] [--kills N] [--jobs N]
  --seed   what random choices follow from; default: another one each time
  --kills  SIGKILLs, at least ${windows.length}: one for each window; default 32
  --jobs   jobs, at least 20; default 50
`

/** @throws Error with a sentence for the command line */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: { seed: { type: 'string' }, kills: { type: 'string' }, jobs: { type: 'string' } },
  })
  return {
    seed: whole('seed', values.seed, 0, randomInt(1, 1_000_000_000)),
    kills: whole('kills', values.kills, windows.length, 32),
    jobs: whole('jobs', values.jobs, 20, 50),
  }
}

function whole(name: string, text: string | undefined, min: number, preset: number): number {
  const value = text === undefined ? preset : Number(text)
  if (!Number.isSafeInteger(value) || value < min)
    throw new Error(`--${name} must be a whole number of at least ${min}, not ${text}`)
  return value
}
