import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { forMoto } from './adapt.ts'
import type { Send } from './apply.ts'
import { type Answer, Refused } from './calls.ts'
import { motoServer, python } from './install.ts'

export type Moto = {
  endpoint: string
  /** What a process needs in its environment to work against it. */
  environment: Record<string, string>
  send: Send
  close(): Promise<void>
}

const startMs = 90_000

/** moto on a free port of this machine, and a process that sends requests to it. */
export async function startMoto(): Promise<Moto> {
  const server = start(motoServer, ['-H', '127.0.0.1', '-p', '0'], {})
  const endpoint = await addressOf(server)
  const environment = {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'moto',
    AWS_SECRET_ACCESS_KEY: 'moto',
  }
  const sender = start(python, [resolve(import.meta.dirname, 'send.py')], environment)
  const send = sending(sender)
  return {
    endpoint,
    environment,
    send: (call) => send(forMoto(call)),
    close: async () => {
      await Promise.all([end(sender), end(server)])
    },
  }
}

const children = new Set<ChildProcess>()
// A test that fails halfway leaves nothing behind.
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

function start(program: string, args: string[], environment: Record<string, string>): ChildProcess {
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, PYTHONUNBUFFERED: '1', ...environment },
  })
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

/** It says where it listens, among other things. Its log goes on after that and has to be read, else it stands still. */
function addressOf(server: ChildProcess): Promise<string> {
  return new Promise((found, failed) => {
    let said = ''
    const fail = () => failed(new Error(`moto does not start: ${said}`))
    const tooLong = setTimeout(fail, startMs)
    server.once('exit', fail)
    server.once('error', failed)
    server.stderr?.on('data', (chunk: Buffer) => {
      if (said.length < 4000) said += chunk.toString()
      const address = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(said)?.[1]
      if (address === undefined) return
      clearTimeout(tooLong)
      found(address)
    })
    server.stdout?.resume()
  })
}

/** One line for one line, in order. */
function sending(sender: ChildProcess): Send {
  const waiting: { answer(line: string): void; fail(error: Error): void }[] = []
  let errors = ''
  sender.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  if (sender.stdout === null || sender.stdin === null) throw new Error('The sender has no pipes')
  const { stdin } = sender
  createInterface({ input: sender.stdout }).on('line', (line) => waiting.shift()?.answer(line))
  sender.once('exit', () => {
    for (const { fail } of waiting.splice(0)) fail(new Error(`The sender ended: ${errors}`))
  })
  return async (call) => {
    if (sender.exitCode !== null) throw new Error(`The sender has ended: ${errors}`)
    const line = await new Promise<string>((answer, fail) => {
      waiting.push({ answer, fail })
      stdin.write(`${JSON.stringify(call)}\n`)
    })
    const said = JSON.parse(line) as
      | { answer: Answer }
      | { refused: string; message: string }
      | { wrong: string }
    if ('answer' in said) return said.answer
    if ('refused' in said) throw new Refused(call, said.refused, said.message)
    throw new Error(`${call.service} ${call.operation} ${JSON.stringify(call.input)}: ${said.wrong}`)
  }
}
