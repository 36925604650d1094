import { parseArgs } from 'node:util'
import { type Mutant, mutants } from './mutants/index.ts'
import { type Found, type SimResult, simulateIn, stopAll, type TestResult, testIn } from './mutants/run.ts'
import { copyTree, plant, removeAll, removeTree } from './mutants/tree.ts'

const usage = `npm run sim:mutants [-- --only name,name] [--seeds 400] [--processes 2]   plants each known bug and looks whether it is seen
`

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seeds: { type: 'string', default: '400' },
    processes: { type: 'string', default: '2' },
  },
})

/** So many have to be seen by the simulation itself: a checker that sees nothing proves nothing. */
const bySimulationAtLeast = 15
/** Of a bug that a test is there for, the simulation gets a smaller share of the time. */
const seedsBeforeTest = 30
const limitMs = 8 * 60_000

type Result = {
  mutant: Mutant
  is: 'simulation' | 'test' | 'survived' | 'broken'
  text: string
  tookMs: number
}

const print = (line: string): void => void process.stdout.write(`${line}\n`)

/** The tree as it is, to make sure that what a mutant fails holds without the bug. */
type Sound = {
  seed: (seed: number) => Promise<SimResult>
  test: (file: string) => Promise<TestResult>
  /** Seeds that were asked for and fail without any planted bug. */
  unsound: () => Promise<Found[]>
}

const soundIn = (folder: string): Sound => {
  const seeds = new Map<number, Promise<SimResult>>()
  const tests = new Map<string, Promise<TestResult>>()
  return {
    seed(seed) {
      const known = seeds.get(seed) ?? simulateIn(folder, { from: seed, seeds: 1, limitMs })
      seeds.set(seed, known)
      return known
    },
    async unsound() {
      const looked = await Promise.all(seeds.values())
      return looked.flatMap((result) => (result.is === 'found' ? [result.found] : []))
    },
    test(file) {
      const known = tests.get(file) ?? testIn(folder, file)
      tests.set(file, known)
      return known
    },
  }
}

async function judge(
  mutant: Mutant,
  base: string,
  seeds: number,
  sound: Sound,
): Promise<Omit<Result, 'tookMs'>> {
  const folder = copyTree(base)
  try {
    try {
      plant(folder, mutant.file)
    } catch (error) {
      return { mutant, is: 'broken', text: `the patch does not apply: ${(error as Error).message}` }
    }
    const { caughtBy } = mutant
    const share = caughtBy === 'sim' ? seeds : Math.min(seeds, seedsBeforeTest)
    const simulated = await firstSound(folder, share, sound)
    if (simulated.is === 'found') {
      const { seed, invariant, message } = simulated.found
      return { mutant, is: 'simulation', text: `seed ${seed}, ${invariant}: ${message}` }
    }
    if (caughtBy === 'sim')
      return { mutant, is: 'survived', text: `${simulated.seeds} seeds saw nothing; ${simulated.why}` }
    const without = await sound.test(caughtBy)
    if (without.is !== 'passed')
      return { mutant, is: 'broken', text: `${caughtBy} fails without the bug, too` }
    const tested = await testIn(folder, caughtBy)
    return tested.is === 'failed'
      ? { mutant, is: 'test', text: `${caughtBy}: ${tested.test}` }
      : { mutant, is: 'survived', text: tested.is === 'passed' ? `${caughtBy} passes` : tested.why }
  } finally {
    removeTree(folder)
  }
}

/** The first seed that fails with the bug, and holds without it. */
async function firstSound(folder: string, seeds: number, sound: Sound): Promise<SimResult> {
  let from = 1
  for (;;) {
    const result = await simulateIn(folder, { from, seeds: seeds - from + 1, limitMs })
    if (result.is === 'survived') return { ...result, seeds: from - 1 + result.seeds }
    const { seed } = result.found
    if ((await sound.seed(seed)).is === 'survived') return result
    if (seed >= seeds) return { is: 'survived', seeds, why: 'the last one fails without the bug, too' }
    from = seed + 1
  }
}

async function run(): Promise<number> {
  const seeds = Number(values.seeds)
  const processes = Number(values.processes)
  const chosen = mutants.filter(
    ({ name }) => values.only === undefined || values.only.split(',').includes(name),
  )
  if (!(seeds > 0) || !(processes > 0) || chosen.length === 0) {
    print(usage)
    return 64
  }
  const startedMs = performance.now()
  const base = copyTree()
  const sound = soundIn(base)
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      stopAll()
      removeAll()
      process.exit(130)
    })
  const results: Result[] = []
  const waiting = [...chosen]
  const worker = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
      const fromMs = performance.now()
      const result = { ...(await judge(mutant, base, seeds, sound)), tookMs: performance.now() - fromMs }
      results.push(result)
      print(line(result))
    }
  }
  try {
    await Promise.all(Array.from({ length: processes }, worker))
  } finally {
    removeTree(base)
  }
  const ok = summary(results, chosen.length === mutants.length, performance.now() - startedMs)
  const unsound = await sound.unsound()
  for (const { seed, message } of unsound) print(`seed ${seed} fails without any planted bug: ${message}`)
  return ok && unsound.length === 0 ? 0 : 1
}

const words = { simulation: 'seen', test: 'seen by a test', survived: 'SURVIVED', broken: 'BROKEN' } as const

const line = ({ mutant, is, text, tookMs }: Result): string =>
  `${mutant.name.padEnd(32)} ${words[is].padEnd(15)} ${`${(tookMs / 1000).toFixed(0)} s`.padStart(5)}  ${text.slice(0, 220)}`

function summary(results: readonly Result[], isWhole: boolean, tookMs: number): boolean {
  const count = (is: Result['is']): number => results.filter((result) => result.is === is).length
  print(
    `\n${results.length} planted bugs in ${(tookMs / 60_000).toFixed(1)} minutes: ${count('simulation')} seen by the simulation, ${count('test')} by a test, ${count('survived')} survived, ${count('broken')} broken`,
  )
  for (const { mutant, is, text } of results)
    if (is === 'survived' || is === 'broken') print(`${mutant.name} (${mutant.what}): ${text}`)
  const isEnough = !isWhole || count('simulation') >= bySimulationAtLeast
  if (!isEnough) print(`the simulation has to see at least ${bySimulationAtLeast}`)
  return count('survived') + count('broken') === 0 && isEnough
}

process.exitCode = await run()
