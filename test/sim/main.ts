import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { addCounts, type Counts, coverage, emptyCounts } from './coverage.ts'
import type { Violation } from './invariants.ts'
import { simulate } from './simulate.ts'

// Traces of errors cost more than all else; the trace of a run is in the words of the run.
Error.stackTraceLimit = 0

const usage = `npm run sim -- --seeds 10000 [--from 1] [--processes 2]   many runs, and a table of what happened in them
npm run sim -- --seed 42                                  one run, told step by step
`

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    processes: { type: 'string', default: String(availableParallelism()) },
    /** One of several processes: takes every so-manieth seed, and answers in JSON lines. */
    every: { type: 'string' },
    'stop-at-first': { type: 'boolean', default: false },
  },
})

const print = (line: string): void => void process.stdout.write(`${line}\n`)

/** What one run says of itself, from process to process. */
type Line = {
  seed: number
  steps: number
  jobs: number
  virtualMs: number
  counts: Counts
  violation?: Violation
}

const lineOf = async (seed: number): Promise<Line> => {
  const run = await simulate(seed)
  const counts = { faults: Object.fromEntries(run.faults), rows: Object.fromEntries(run.rows) }
  const { steps, jobs, virtualMs, violation } = run
  return { seed, steps, jobs, virtualMs, counts, ...(violation ? { violation } : {}) }
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

async function one(seed: number): Promise<number> {
  const run = await simulate(seed, print)
  const { violation } = run
  print(
    `\nseed ${seed}: ${run.jobs} jobs, ${run.steps} steps, ${seconds(run.virtualMs)} of virtual time: ${
      violation ? `${violation.invariant} is violated: ${violation.message}` : 'all invariants hold'
    }`,
  )
  return violation ? 1 : 0
}

async function part(from: number, to: number, every: number): Promise<number> {
  for (let seed = from; seed <= to; seed += every) print(JSON.stringify(await lineOf(seed)))
  return 0
}

/**
 * The simulation as one file of plain JavaScript: tsx gives every closure its name at run time, which costs a run an eighth
 * of its time. It stands where the packages are found.
 */
async function bundle(): Promise<string> {
  const outfile = join(process.cwd(), 'node_modules', '.cache', `simulation-${process.pid}.mjs`)
  const entry = fileURLToPath(import.meta.url)
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
  })
  process.once('exit', () => rmSync(outfile, { force: true }))
  return outfile
}

/** Each process takes every n-th seed, so that all of them are warm once and end at about the same time. */
async function many(from: number, count: number, processes: number): Promise<number> {
  const startedMs = performance.now()
  const script = await bundle()
  const total = emptyCounts()
  const failures: Line[] = []
  const tally = { seeds: 0, steps: 0, jobs: 0, virtualMs: 0, thin: 0 }
  let toldMs = startedMs
  const children = new Set<ChildProcess>()

  const take = (line: Line): void => {
    tally.seeds += 1
    tally.steps += line.steps
    tally.jobs += line.jobs
    tally.virtualMs += line.virtualMs
    if (line.jobs < 5 || line.steps < 200) tally.thin += 1
    addCounts(total, line.counts)
    if (line.violation) {
      failures.push(line)
      print(`seed ${line.seed}: ${line.violation.invariant}: ${line.violation.message}`)
      if (values['stop-at-first']) for (const child of children) child.kill()
    }
    if (performance.now() - toldMs < 20_000) return
    toldMs = performance.now()
    print(`${tally.seeds} of ${count} seeds, ${seconds(toldMs - startedMs)}`)
  }
  const runner = async (first: number): Promise<void> => {
    const seeds = ['--from', first, '--seeds', from + count - first, '--every', processes].map(String)
    // Most of what a run makes is gone a moment later.
    const child = spawn(process.execPath, ['--max-semi-space-size=64', script, ...seeds], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.add(child)
    for await (const text of createInterface({ input: child.stdout })) take(JSON.parse(text) as Line)
    const code: unknown = child.exitCode ?? child.signalCode ?? (await once(child, 'exit'))[0]
    children.delete(child)
    if (code !== 0 && failures.length === 0)
      throw new Error(`The seeds from ${first} on ended with ${String(code)}`)
  }
  await Promise.all(Array.from({ length: Math.min(processes, count) }, (_, index) => runner(from + index)))

  const table = coverage(total)
  print('')
  for (const kind of ['fault', 'row'] as const) {
    print(
      kind === 'fault' ? 'how often each fault fired' : '\nhow often each row of the decision was reached',
    )
    const rows = table.filter((row) => row.kind === kind)
    for (let at = 0; at < rows.length; at += 3)
      print(
        rows
          .slice(at, at + 3)
          .map(({ name, count: times }) => `${name.padEnd(28)}${String(times).padStart(9)}`)
          .join('    '),
      )
  }
  const zeros = table.filter((row) => row.count === 0)
  const tookMs = performance.now() - startedMs
  print(
    `\n${tally.seeds} seeds in ${seconds(tookMs)} (${(tookMs / tally.seeds).toFixed(0)} ms a seed): ${tally.jobs} jobs, ${tally.steps} steps, ${Math.round(tally.virtualMs / 86_400_000)} days of virtual time`,
  )
  for (const { seed, violation } of failures) await tellFailure(seed, violation)
  if (zeros.length > 0) print(`never happened: ${zeros.map(({ name }) => name).join(', ')}`)
  if (tally.thin > 0) print(`${tally.thin} seeds had fewer than 5 jobs or 200 steps`)
  const ok = failures.length === 0 && zeros.length === 0
  print(ok ? 'all invariants hold' : `${failures.length} seeds failed`)
  return ok ? 0 : 1
}

/** The tail of what led to it; the whole run is one command away. */
async function tellFailure(seed: number, violation: Violation | undefined): Promise<void> {
  const lines: string[] = []
  await simulate(seed, (line) => {
    lines.push(line)
    if (lines.length > 25) lines.shift()
  })
  print(`\nseed ${seed} violates ${violation?.invariant}: ${violation?.message}\n${lines.join('\n')}`)
  print(`the whole run: npm run sim -- --seed ${seed}`)
}

const run = async (): Promise<number> => {
  const [seeds, from, processes] = [values.seeds, values.from, values.processes].map(Number)
  if (values.seed !== undefined) return one(Number(values.seed))
  if (![seeds, from, processes].every((value) => Number.isInteger(value) && Number(value) > 0)) {
    print(usage)
    return 64
  }
  const [first = 1, count = 1] = [from, seeds]
  if (values.every !== undefined) return part(first, first + count - 1, Number(values.every))
  return many(first, count, processes ?? 1)
}

process.exit(await run())
