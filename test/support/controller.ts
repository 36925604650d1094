import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestAws } from './local-aws.ts'

export type ControllerProcess = {
  /** Undefined when it could not be started. */
  pid: number | undefined
  /** Ends it by a signal and resolves with how it ended. */
  end(signal: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  /** Sends a signal that does not end it. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
  /** What it said on stderr. */
  errors(): string
  /** Every log line so far. */
  lines(): Record<string, unknown>[]
  /** Where status and API are, once it listens. */
  url(): string | undefined
  exited: Promise<unknown>
}

/** The real controller as a process of its own, working against `endpoint` (the local AWS, or a proxy before it). */
export function spawnController(
  aws: TestAws,
  options: { endpoint?: string; environment?: Record<string, string>; entry?: string } = {},
): ControllerProcess {
  const child: ChildProcess = spawn(
    process.execPath,
    ['--import', 'tsx', options.entry ?? 'controller/main.ts'],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        ...controllerEnvironment(aws),
        ...(options.endpoint ? { AWS_ENDPOINT_URL: options.endpoint } : {}),
        ...options.environment,
      },
    },
  )
  const exited = once(child, 'exit')
  children.add(child)
  child.once('exit', () => children.delete(child))
  let output = ''
  let errors = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const lines = (): Record<string, unknown>[] =>
    output
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  return {
    pid: child.pid,
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal)
        await exited
      }
      return { code: child.exitCode, signal: child.signalCode }
    },
    signal: (signal) => void child.kill(signal),
    lines,
    errors: () => errors,
    url: () => lines().find((line) => typeof line.url === 'string')?.url as string | undefined,
    exited,
  }
}

// A test that fails halfway leaves no controller behind.
const children = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

/** Settings of a controller for tests: any free port, quick polls, and a grace as short as the local clock allows. */
export const controllerEnvironment = (aws: TestAws): Record<string, string> => ({
  ...aws.environment,
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  PORT: '0',
  SUBNETS: 'subnet-local',
  LOG_FORMAT: 'json',
  POLL_S: '1',
  RESYNC_S: '1',
  VISIBILITY_GRACE_S: '1',
  LEASE_S: '2',
})
