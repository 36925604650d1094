import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CreateClusterCommand,
  ECSClient,
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
  RunTaskCommand,
  type RunTaskCommandInput,
  type Task,
} from '@aws-sdk/client-ecs'
import type { z } from 'zod'
import { type Clock, createEcs, ecsSettingsSchema, systemClock } from '../../local/ecs/index.ts'
import type { ContainerRecord, TaskRecord } from '../../local/ecs/records.ts'

export type Settings = z.input<typeof ecsSettingsSchema>
export type EcsTest = Awaited<ReturnType<typeof startEcs>>
export type TaskEvent = { 'detail-type': string; time: string; resources: string[]; detail: Detail }
export type Detail = { taskArn: string; lastStatus: string; desiredStatus: string; version: number } & Record<
  string,
  unknown
>

const quiet = () => {}
export const silentLog = { debug: quiet, info: quiet, warn: quiet, error: quiet }

/** A local ECS behind a real port, spoken to by the real SDK. `close` leaves nothing behind unless `keepsData`. */
export async function startEcs(
  options: { settings?: Settings; clock?: Clock; dataDir?: string; keepsData?: boolean } = {},
) {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'ecs-')))
  const events: TaskEvent[] = []
  let url = ''
  const ecs = await createEcs({
    dataDir,
    region: 'eu-central-1',
    accountId: '000000000000',
    baseUrl: () => url,
    taskEnvironment: () => ({ PATH: process.env.PATH ?? '', AWS_ACCESS_KEY_ID: 'local' }),
    settings: ecsSettingsSchema.parse(options.settings ?? {}),
    clock: options.clock ?? systemClock,
    emitEvent: async (event) => {
      events.push(event as TaskEvent)
    },
    log: silentLog,
  })

  const answer = async (request: IncomingMessage, text: string) => {
    const path = request.url ?? '/'
    const input: unknown = text === '' ? undefined : JSON.parse(text)
    if (path.startsWith('/v4/')) return ecs.metadata(path)
    if (path.startsWith('/_local/')) return ecs.control(request.method ?? 'GET', path, input)
    const target = String(request.headers['x-amz-target'])
    return ecs.call(target.replace('AmazonEC2ContainerServiceV20141113.', ''), input)
  }
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request.setEncoding('utf8')) text += chunk
    const reply = await answer(request, text)
    if ('drop' in reply) return response.destroy()
    response.writeHead(reply.status, { 'content-type': 'application/x-amz-json-1.1' })
    return response.end(JSON.stringify(reply.body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = new ECSClient({
    endpoint: url,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    maxAttempts: 1,
  })

  return {
    ecs,
    client,
    url,
    dataDir,
    events,
    control: async (method: string, path: string, body?: unknown) => {
      const response = await fetch(`${url}/_local/ecs${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      return { status: response.status, body: (await response.json()) as Record<string, unknown> }
    },
    log: (logStream: string) => readFile(join(dataDir, 'logs', `${logStream}.log`), 'utf8'),
    close: async () => {
      client.destroy()
      await ecs.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      if (!options.keepsData) await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/**
 * A prepared local ECS whose clock stands still unless a test moves it, so tasks stay in PROVISIONING and no process starts.
 * Memory is not looked at: an hour of such a clock passes in no time, with four looks a second of it.
 */
export async function startStill(settings: Settings = {}) {
  const clock = manualClock()
  const local = await startEcs({ settings: { memoryWatchMs: 864_000_000, ...settings }, clock })
  await prepare(local)
  return { ...local, clock }
}

/** A cluster `jobs` with both Fargate providers and a definition `worker` that runs `command`. */
export async function prepare(
  { client }: Pick<EcsTest, 'client'>,
  definition: Partial<RegisterTaskDefinitionCommandInput> = {},
) {
  await client.send(
    new CreateClusterCommand({ clusterName: 'jobs', capacityProviders: ['FARGATE', 'FARGATE_SPOT'] }),
  )
  const { taskDefinition } = await client.send(new RegisterTaskDefinitionCommand(worker(definition)))
  return taskDefinition
}

export const worker = (
  definition: Partial<RegisterTaskDefinitionCommandInput> = {},
): RegisterTaskDefinitionCommandInput => ({
  family: 'worker',
  networkMode: 'awsvpc',
  requiresCompatibilities: ['FARGATE'],
  cpu: '256',
  memory: '512',
  containerDefinitions: [container('sleep 60')],
  ...definition,
})

/** A container that runs a line of shell. */
export const container = (script: string, fields: object = {}) => ({
  name: 'worker',
  image: 'worker:1',
  command: ['/bin/sh', '-c', script],
  ...fields,
})

export const spot = { capacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT', weight: 1 }] }

export const runInput = (input: Partial<RunTaskCommandInput> = {}): RunTaskCommandInput => ({
  cluster: 'jobs',
  taskDefinition: 'worker:1',
  networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-1'], assignPublicIp: 'DISABLED' } },
  ...(input.capacityProviderStrategy ? {} : { launchType: 'FARGATE' }),
  ...input,
})

export const run = ({ client }: Pick<EcsTest, 'client'>, input: Partial<RunTaskCommandInput> = {}) =>
  client.send(new RunTaskCommand(runInput(input)))

/** Runs one task and expects it to start. */
export async function runOne(
  test: Pick<EcsTest, 'client'>,
  input: Partial<RunTaskCommandInput> = {},
): Promise<Task & { taskArn: string; taskId: string }> {
  const { tasks, failures } = await run(test, input)
  const [task] = tasks ?? []
  if (task?.taskArn === undefined) throw new Error(`no task: ${JSON.stringify(failures)}`)
  return { ...task, taskArn: task.taskArn, taskId: task.taskArn.slice(-32) }
}

/** The error that a call ends with. */
export async function refusal(
  call: Promise<unknown>,
): Promise<{ name: string; message: string; status: number | undefined; resourceIds?: string[] }> {
  try {
    await call
  } catch (error) {
    const { name, message, $metadata, ...rest } = error as Error & {
      $metadata?: { httpStatusCode?: number }
      resourceIds?: string[]
    }
    return { ...rest, name, message, status: $metadata?.httpStatusCode }
  }
  throw new Error('the call was not refused')
}

/** Waits until `look` returns something; fails with what it saw last. */
export async function until<Value>(look: () => Promise<Value | undefined | false>): Promise<Value> {
  const deadlineMs = Date.now() + 10_000
  for (;;) {
    const value = await look()
    if (value !== undefined && value !== false) return value
    if (Date.now() > deadlineMs) throw new Error(`waited in vain for ${look}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** A clock that runs `factor` times as fast as the real one. */
export function fastClock(factor: number): Clock {
  const startMs = Date.now()
  return {
    nowMs: () => startMs + (Date.now() - startMs) * factor,
    setTimer: (ms, fn) => systemClock.setTimer(ms / factor, fn),
  }
}

/** Whether a process still runs; one that only waits to be collected by its parent does not. */
export function isRunning(pid: number): boolean {
  try {
    return !execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).startsWith('Z')
  } catch {
    return false
  }
}

/** A clock that moves only when told to; timers fire in their order. */
export function manualClock(startMs = Date.parse('2026-11-22T10:00:00Z')) {
  let nowMs = startMs
  let timers: { atMs: number; fn: () => void }[] = []
  const clock: Clock = {
    nowMs: () => nowMs,
    setTimer: (ms, fn) => {
      const timer = { atMs: nowMs + ms, fn }
      timers.push(timer)
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
  }
  return {
    ...clock,
    advance: (ms: number) => {
      const endMs = nowMs + ms
      for (;;) {
        const due = timers
          .filter(({ atMs }) => atMs <= endMs)
          .sort((left, right) => left.atMs - right.atMs)[0]
        if (due === undefined) break
        timers = timers.filter((other) => other !== due)
        nowMs = Math.max(nowMs, due.atMs)
        due.fn()
      }
      nowMs = endMs
    },
  }
}

/** A container that has not started. */
export const containerRecord = (name: string, fields: Partial<ContainerRecord> = {}): ContainerRecord => ({
  name,
  image: 'image',
  arn: `arn/${name}`,
  runtimeId: name,
  logStream: name,
  essential: true,
  stopTimeoutMs: 30_000,
  cpu: 0,
  status: 'PENDING',
  ...fields,
})

/** A task in PROVISIONING, due after 10 ms. */
export const taskRecord = (fields: Partial<TaskRecord> = {}): TaskRecord => ({
  id: 't',
  arn: 'arn/t',
  ordinal: 1,
  cluster: 'jobs',
  definition: 'worker:1',
  family: 'worker',
  revision: 1,
  group: 'g',
  cpu: 256,
  memoryMiB: 512,
  ephemeralGiB: 20,
  overrides: {},
  tags: [],
  enableExecuteCommand: false,
  network: {
    attachmentId: '',
    interfaceId: '',
    subnet: '',
    macAddress: '',
    privateIp: '',
    availabilityZone: '',
  },
  containers: [containerRecord('main')],
  visibleFromMs: 0,
  state: 'PROVISIONING',
  desiredStatus: 'RUNNING',
  version: 1,
  dueMs: 10,
  createdMs: 0,
  updatedMs: 0,
  ...fields,
})

/** Every step of a life takes a few milliseconds. */
export const quickTimeline = {
  provisioningMs: 10,
  pendingMs: 5,
  pullMs: 5,
  activatingMs: 5,
  noticeMs: 5,
  deactivatingMs: 5,
  stoppingMs: 5,
  deprovisioningMs: 5,
}
