import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { transcodeParamsSchema } from '../schemas/kinds/transcode.ts'
import { findMediaTools } from '../worker/ffmpeg.ts'
import { planTranscode } from '../worker/media/command.ts'
import { admitInput } from '../worker/media/gate.ts'
import { inputLimits } from '../worker/media/limits.ts'
import { type Cost, costOf } from './media-cost.ts'
import { openObject } from './media-object.ts'
import { type Round, tableOf } from './media-table.ts'
import { type Bench, makeSource, type Way, ways } from './media-ways.ts'

/**
 * What a transcode costs, as ratios: everything compared is run in every round, so that a busy machine is busy for all of
 * it. The ways take turns at going first.
 */
const usage = `npm run bench:media -- [--rounds 5] [--seconds 20] [--height 720] [--shards 3]
  --seconds N  of a moving test picture with a tone, made by ffmpeg
  --shards N   how many pieces it is cut into
`

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '20' },
    height: { type: 'string', default: '720' },
    shards: { type: 'string', default: '3' },
    help: { type: 'boolean', default: false },
  },
})

const numberOf = (name: 'rounds' | 'seconds' | 'height' | 'shards', least: number): number => {
  const value = Number(values[name])
  if (Number.isInteger(value) && value >= least) return value
  throw new Error(`--${name} must be a whole number of at least ${least}\n${usage}`)
}

const print = (text: string): void => void process.stdout.write(`${text}\n`)

const openBench = async (scratch: string): Promise<Bench & { close: () => Promise<void> }> => {
  const { signal } = new AbortController()
  const tools = await findMediaTools({ path: process.env.PATH ?? '', scratch, signal })
  const seconds = numberOf('seconds', 4)
  const input = join(scratch, 'source.mp4')
  await makeSource(tools, input, { seconds, height: numberOf('height', 144) })
  const source = await admitInput(input, { tools, limits: inputLimits, signal })
  const shardSeconds = Math.max(2, Math.floor(seconds / numberOf('shards', 2)))
  const object = await openObject(input)
  const params = transcodeParamsSchema.parse({ shardSeconds, shardThreshold: 86_400 })
  return {
    tools,
    signal,
    scratch,
    input,
    object,
    close: object.close,
    source,
    params,
    plan: planTranscode(source, params, tools.toneMaps),
  }
}

const runRound = async (bench: Bench, first: number): Promise<Round> => {
  const names = Object.keys(ways) as Way[]
  const turns = names
    .map((_, index) => names[(index + first) % names.length])
    .filter((name) => name !== undefined)
  const costs = new Map<Way, Cost>()
  for (const name of turns) {
    const folder = await mkdtemp(join(bench.scratch, `${name}-`))
    costs.set(name, await costOf((pieces) => ways[name](bench, folder, pieces)))
    await rm(folder, { recursive: true })
  }
  return costs
}

if (values.help) print(usage)
else {
  const scratch = await mkdtemp(join(tmpdir(), 'bench-media-'))
  try {
    const bench = await openBench(scratch)
    const rungs = bench.plan.rungs.map(({ name }) => name).join(', ')
    print(`ffmpeg ${bench.tools.ffmpeg.version}; ${bench.source.durationS.toFixed(0)} s into ${rungs}`)
    const rounds: Round[] = []
    for (let index = 0; index < numberOf('rounds', 1); index += 1) {
      rounds.push(await runRound(bench, index))
      print(`round ${index + 1} done`)
    }
    print(tableOf(rounds, bench.source.durationS))
    await bench.close()
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}
