import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** What the simulation found: the first seed that shows the bug. */
export type Found = { seed: number; invariant: string; message: string }
export type SimResult = { is: 'found'; found: Found } | { is: 'survived'; seeds: number; why: string }

type Line = { seed: number; violation?: { invariant: string; message: string } }

/** Simulates seeds one after the other in a copy of the tree, up to the first violation. */
export async function simulateIn(
  folder: string,
  options: { from: number; seeds: number; limitMs: number },
): Promise<SimResult> {
  const { from, seeds, limitMs } = options
  const args = ['test/sim/main.ts', '--every', '1', '--from', String(from), '--seeds', String(seeds)]
  const child = start(folder, ['--import', 'tsx', ...args])
  let count = 0
  let found: Found | undefined
  let isLate = false
  const limit = setTimeout(() => {
    isLate = true
    child.kill('SIGKILL')
  }, limitMs)
  const ended = end(child)
  for await (const text of createInterface({ input: child.stdout })) {
    if (found || !text.startsWith('{')) continue
    const { seed, violation } = JSON.parse(text) as Line
    count += 1
    if (!violation) continue
    found = { seed, ...violation }
    child.kill('SIGKILL')
  }
  clearTimeout(limit)
  const code = await ended
  if (found) return { is: 'found', found }
  if (isLate) return { is: 'survived', seeds: count, why: `still running after ${limitMs / 1000} s` }
  return { is: 'survived', seeds: count, why: code === 0 ? '' : `the simulation ended with ${code}` }
}

export type TestResult = { is: 'failed'; test: string } | { is: 'passed' } | { is: 'broken'; why: string }

/** Runs one test file in a copy of the tree. */
export async function testIn(folder: string, file: string): Promise<TestResult> {
  const args = ['node_modules/vitest/vitest.mjs', 'run', file, '--reporter=json']
  const child = start(folder, args)
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const code = await end(child)
  if (code === 0) return { is: 'passed' }
  try {
    const { testResults } = JSON.parse(output.slice(output.indexOf('{'))) as TestReport
    const failed = testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .find(({ status }) => status === 'failed')
    return failed
      ? { is: 'failed', test: failed.fullName }
      : { is: 'broken', why: `${file} failed as a whole` }
  } catch {
    return { is: 'broken', why: `${file} ended with ${code} and no report` }
  }
}

type TestReport = { testResults: { assertionResults: { status: string; fullName: string }[] }[] }

const children = new Set<ChildProcess>()

function start(folder: string, args: readonly string[]) {
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] })
  children.add(child)
  child.once('close', () => children.delete(child))
  return child
}

/** Of a run that is cut short. */
export function stopAll(): void {
  for (const child of children) child.kill('SIGKILL')
}

const end = (child: ChildProcess): Promise<number | string> =>
  new Promise((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'nothing'))
  })
