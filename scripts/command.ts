import { spawn } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'

/** A program with its arguments, as data: it can be printed, compared in a test, or run. */
export type Command = {
  program: string
  args: readonly string[]
  /** What its standard input gets: the output of another command, which is never printed and never in a list of processes. */
  input?: Command
  environment?: Readonly<Record<string, string>>
}

/** Every command runs in the repository, from wherever it was asked for. */
const cwd = resolve(import.meta.dirname, '..')

/** Thrown where a person has to do something first; the message says what. */
export class MustDo extends Error {
  override name = 'MustDo'
}

/** The command as a person would type it. */
export function printed({ program, args, input, environment = {} }: Command): string {
  const words = [
    ...Object.entries(environment).map(([name, value]) => `${name}=${quoted(value)}`),
    ...[program, ...args].map(quoted),
  ].join(' ')
  return input === undefined ? words : `${printed(input)} | ${words}`
}

const quoted = (word: string): string =>
  /^[A-Za-z0-9@%+=:,./_-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`

/** Where a program is, or undefined. */
export function findProgram(name: string, path = process.env.PATH ?? ''): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return statSync(file).isFile()
      } catch {
        return false
      }
    })
}

export type CommandEnd = { code: number; said: string; complained: string }

/** Runs it and keeps what it says. Never throws: a program that cannot be started ends with 127, as in a shell. */
export async function ask(command: Command): Promise<CommandEnd> {
  const input = command.input === undefined ? undefined : await ask(command.input)
  if (input !== undefined && input.code !== 0) return input
  return new Promise((resolve) => {
    const child = spawn(command.program, [...command.args], {
      cwd,
      env: { ...process.env, ...command.environment },
      stdio: 'pipe',
    })
    let said = ''
    let complained = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complained += text
    })
    child.on('error', ({ message }) => resolve({ code: 127, said, complained: message }))
    child.on('close', (code) => resolve({ code: code ?? 1, said, complained }))
    // A program that ends without reading is judged by its exit code.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input?.said ?? '')
  })
}

/** Runs it in front of the person, who may be asked by it. @returns its exit code */
export function show(command: Command): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(command.program, [...command.args], {
      cwd,
      env: { ...process.env, ...command.environment },
      stdio: 'inherit',
    })
    child.on('error', ({ message }) => {
      process.stderr.write(`${command.program}: ${message}\n`)
      resolve(127)
    })
    child.on('close', (code) => resolve(code ?? 1))
  })
}

/** Runs it in front of the person and ends everything if it fails. */
export async function must(command: Command): Promise<void> {
  const code = command.input === undefined ? await show(command) : await tell(command)
  if (code !== 0) throw new MustDo(`This failed (exit code ${code}):\n  ${printed(command)}`)
}

const tell = async (command: Command): Promise<number> => {
  const { code, complained } = await ask(command)
  if (code !== 0) process.stderr.write(complained)
  return code
}

/** The end of a script: what a person must do stands alone, without a stack trace. */
export async function endWith(work: Promise<number>): Promise<void> {
  process.exitCode = await work.catch((error: unknown) => {
    if (!(error instanceof MustDo)) throw error
    process.stderr.write(`\n  ${error.message.replaceAll('\n', '\n  ')}\n\n`)
    return 78
  })
}
