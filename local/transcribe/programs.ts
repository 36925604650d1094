import { spawn } from 'node:child_process'

export type ProgramEnd = {
  exitCode: number | null
  signal: NodeJS.Signals | null
  stdout: string
  /** The end of it. */
  stderr: string
  /** Why it was killed by us, if it was. */
  killed?: 'aborted' | 'timeout' | 'output'
}

export type ProgramOptions = {
  env: NodeJS.ProcessEnv
  signal: AbortSignal
  timeoutMs: number
  stdoutBytesMax?: number
}

const mebibyte = 1024 ** 2
const stderrCharacters = 64 * 1024

/**
 * Runs a program without a shell, in a process group of its own, and waits until it has ended. When it is to be broken off,
 * the whole group gets SIGKILL: it holds nothing but temporary files.
 * @throws only if the program cannot be started
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  { env, signal, timeoutMs, stdoutBytesMax = 64 * mebibyte }: ProgramOptions,
): Promise<ProgramEnd> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env, detached: true })
  const chunks: Buffer[] = []
  let stdoutBytes = 0
  let stderr = ''
  let killed: ProgramEnd['killed']

  const kill = (why: NonNullable<ProgramEnd['killed']>) => {
    killed ??= why
    killGroup(child.pid)
    // Who left the group may hold the pipes open; nobody waits for it.
    child.stdout.destroy()
    child.stderr.destroy()
  }
  child.stdout.on('data', (chunk: Buffer) => {
    stdoutBytes += chunk.length
    if (stdoutBytes > stdoutBytesMax) kill('output')
    else chunks.push(chunk)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = `${stderr}${text}`.slice(-stderrCharacters)
  })
  const abort = () => kill('aborted')
  const timer = setTimeout(() => kill('timeout'), Math.min(timeoutMs, 2 ** 31 - 1))
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  try {
    const end = await new Promise<Pick<ProgramEnd, 'exitCode' | 'signal'>>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (exitCode, endSignal) => resolve({ exitCode, signal: endSignal }))
    })
    const stdout = Buffer.concat(chunks).toString('utf8')
    return { ...end, stdout, stderr, ...(killed === undefined ? {} : { killed }) }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}
