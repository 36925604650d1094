import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { maskSecrets } from '../schemas/problems.ts'

const stderrTailCharacters = 16 * 1024
const defaultKillAfterMs = 10_000

export type ChildOptions = {
  /** The whole environment of the child. Never ours: a media parser must not hold credentials. */
  env: Record<string, string>
  /** Ends the child: SIGTERM, and SIGKILL if that did not help. */
  signal: AbortSignal
  /** How long it may take to end by itself; 10 s, a tenth of what ECS gives us. */
  killAfterMs?: number
  /** When it is asked once more. The first SIGTERM does not get ffmpeg out of waiting for its input; the second does. */
  askAgainAfterMs?: number
  onStdoutLine?: (line: string) => void
  onStderrLine?: (line: string) => void
}

export type ChildEnd = { exitCode: number | null; signal: NodeJS.Signals | null; stderr: string }

/**
 * Runs a program without a shell and waits for its end. Both its pipes are always drained, because a full one would block
 * it; of stderr the last 16 KiB are kept, with presigned queries masked.
 * @throws only if the program cannot be started
 */
export const runChild = async (
  program: string,
  args: readonly string[],
  options: ChildOptions,
): Promise<ChildEnd> => {
  // It stays in our process group: whoever measures the memory of the container by that group, or ends it, means it too.
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: options.env })
  let stderr = ''
  eachLine(child.stdout, (line) => options.onStdoutLine?.(line))
  eachLine(child.stderr, (line) => {
    stderr = `${stderr}${line}\n`.slice(-stderrTailCharacters)
    options.onStderrLine?.(line)
  })
  const stop = () => void stopChild(child, options)
  options.signal.addEventListener('abort', stop, { once: true })
  if (options.signal.aborted) stop()
  try {
    const end = await new Promise<Pick<ChildEnd, 'exitCode' | 'signal'>>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (exitCode, signal) => resolve({ exitCode, signal }))
    })
    return { ...end, stderr: maskSecrets(stderr) }
  } finally {
    options.signal.removeEventListener('abort', stop)
  }
}

/** By events, not by iteration: an iterator over a pipe that is destroyed never ends. */
const eachLine = (stream: NodeJS.ReadableStream, onLine: (line: string) => void): void => {
  createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', onLine)
}

const stopChild = async (
  child: ChildProcess,
  {
    killAfterMs = defaultKillAfterMs,
    askAgainAfterMs,
  }: Pick<ChildOptions, 'killAfterMs' | 'askAgainAfterMs'>,
): Promise<void> => {
  const closed = new AbortController()
  child.once('close', () => closed.abort())
  child.kill('SIGTERM')
  if (askAgainAfterMs !== undefined)
    void sleep(askAgainAfterMs, undefined, { signal: closed.signal }).then(
      () => child.kill('SIGTERM'),
      () => undefined,
    )
  await sleep(killAfterMs, undefined, { signal: closed.signal }).then(
    () => {
      child.kill('SIGKILL')
      // What a wrapper script left behind may hold the pipes open; nobody waits for it.
      child.stdout?.destroy()
      child.stderr?.destroy()
    },
    () => undefined,
  )
}
