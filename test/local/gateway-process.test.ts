import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeClients, type TestAws } from '../support/local-aws.ts'
import { runScript } from './gateway-setup.ts'

/** `npm run local` as a process of its own. */
let dataDir: string
let started: ChildProcess[] = []
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'process-'))
})
afterEach(async () => {
  for (const child of started)
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  started = []
  await rm(dataDir, { recursive: true, force: true })
})

const start = (environment: Record<string, string> = {}) => {
  const child = spawn(process.execPath, ['--import', 'tsx', 'local/main.ts'], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      LOCAL_AWS_PORT: '0',
      LOCAL_DATA_DIR: dataDir,
      LOG_LEVEL: 'warn',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.push(child)
  let said = ''
  const listen = (chunk: Buffer) => {
    said += chunk.toString()
  }
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  const endpoint = async (): Promise<string> => {
    for (;;) {
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said)
      if (found) return found[0]
      if (child.exitCode !== null) throw new Error(said)
      await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
    }
  }
  const exit = async (): Promise<number | string> => {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    return child.exitCode ?? child.signalCode ?? 'running'
  }
  return { child, endpoint, exit, said: () => said }
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const answers = (endpoint: string) =>
  fetch(`${endpoint}/_local/health`).then(
    ({ ok }) => ok,
    () => false,
  )

test('it says where it is and how to use it; SIGTERM ends it with its tasks and leaves nothing open', async () => {
  const local = start()
  const endpoint = await local.endpoint()
  expect(local.said()).toContain(`AWS_ENDPOINT_URL=${endpoint}`)
  expect(local.said()).toContain(dataDir)
  expect(local.said()).toMatch(/queued messages live in memory/)
  expect(local.said()).not.toMatch(/warning/i)

  const clients = makeClients(endpoint)
  await runScript(
    { clients: () => clients } as Pick<TestAws, 'clients'>,
    'long',
    'setInterval(() => {}, 1000)',
  )
  let pid: number | undefined
  while (pid === undefined) {
    const { tasks } = (await (await fetch(`${endpoint}/_local/tasks`)).json()) as {
      tasks: { processes: { pid?: number }[] }[]
    }
    pid = tasks[0]?.processes[0]?.pid
  }
  expect(isAlive(pid)).toBe(true)

  local.child.kill('SIGTERM')
  expect(await local.exit()).toBe(0)
  expect(isAlive(pid)).toBe(false)
  expect(await answers(endpoint)).toBe(false)
  await expect(access(join(dataDir, 'running.json'))).rejects.toThrow('ENOENT')
})

test('a port in use is one clear sentence and exit 78', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const port = String((other.address() as { port: number }).port)
  const local = start({ LOCAL_AWS_PORT: port })
  expect(await local.exit()).toBe(78)
  expect(local.said().trim().split('\n')).toEqual([expect.stringContaining(`Port ${port} is in use`)])
  other.close()
})

test('a data directory serves one at a time, and a killed owner does not count', async () => {
  const first = start()
  const endpoint = await first.endpoint()
  const second = start()
  expect(await second.exit()).toBe(78)
  expect(second.said()).toContain(`A local AWS at ${endpoint}`)

  first.child.kill('SIGKILL')
  await first.exit()
  const third = start()
  expect(await answers(await third.endpoint())).toBe(true)
})
