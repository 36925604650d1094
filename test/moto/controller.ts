import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

export type ControllerProcess = {
  /** Where status and API are, once it listens. */
  url(): string | undefined
  /** All that it said, for the message of a test that waits in vain. */
  said(): string
  /** Ends it as ECS does, and resolves with its exit code. */
  stop(): Promise<number | null>
}

const children = new Set<ChildProcess>()
// A test that fails halfway leaves no controller behind.
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

/** The real controller, with the environment of its container and nothing else. */
export function startController(environment: Record<string, string>): ControllerProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', 'controller/main.ts'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, ...environment },
  })
  children.add(child)
  child.once('exit', () => children.delete(child))
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
  const lines = () =>
    said
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  return {
    url: () => lines().find(({ url }) => typeof url === 'string')?.url as string | undefined,
    said: () => said,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit')
        child.kill('SIGTERM')
        await exited
      }
      return child.exitCode
    },
  }
}
