import { z } from 'zod'
import { faultsSchema } from './faults.ts'
import type { TaskRecord } from './records.ts'
import { outOfMemory } from './runtime.ts'
import { apiView } from './tasks.ts'
import type { World } from './world.ts'

export type ControlAnswer = { status: number; body: unknown }

const killSchema = z.object({
  container: z.string().optional().describe('Absent: every container of the task.'),
  signal: z
    .enum(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGSEGV', 'SIGABRT', 'SIGSTOP', 'SIGCONT'])
    .default('SIGKILL')
    .describe('SIGSTOP and SIGCONT pause a task.'),
})

const stopSchema = z.object({
  stopCode: z
    .enum(['InfrastructureHealth', 'UserInitiated', 'TaskFailedToStart', 'SpotInterruption'])
    .default('InfrastructureHealth'),
  reason: z
    .string()
    .default('ECS is performing maintenance on the underlying infrastructure hosting the task'),
})

const spotInterruption = {
  code: 'SpotInterruption',
  reason: 'Your Spot Task was interrupted.',
} as const

/**
 * What AWS itself can do to a task, on request: `GET|POST|DELETE /faults`, `GET /tasks`, `GET /tasks/<id>`,
 * `POST /tasks/<id>/interrupt|kill|oom|stop`, with or without `/_local/ecs` before it. Tasks are shown as they are, whatever the API hides at the moment.
 */
export function control(world: World, method: string, path: string, body: unknown): ControlAnswer {
  const [room, taskId, verb] = path
    .replace(/^(\/_local)?\/ecs(?=\/)/, '')
    .split('/')
    .filter((part) => part !== '')
  if (room === 'faults' && taskId === undefined) return controlFaults(world, method, body)
  if (room !== 'tasks') return notFound(`no such place: ${path}`)
  if (taskId === undefined) {
    return method === 'GET'
      ? { status: 200, body: { tasks: [...world.store.tasks.values()].map((task) => truth(world, task)) } }
      : notFound(`${method} ${path}`)
  }
  const task = world.store.tasks.get(taskId)
  if (task === undefined) return notFound(`no task ${taskId}`)
  if (method === 'GET' && verb === undefined) return { status: 200, body: truth(world, task) }
  return method === 'POST' ? controlTask(world, task, verb, body ?? {}) : notFound(`${method} ${path}`)
}

function controlFaults({ faults }: World, method: string, body: unknown): ControlAnswer {
  if (method === 'DELETE') faults.clear()
  if (method === 'POST') {
    const parsed = faultsSchema.safeParse(body)
    if (!parsed.success) return badRequest(parsed.error)
    faults.add(parsed.data)
  }
  return { status: 200, body: { faults: faults.list() } }
}

function controlTask(world: World, task: TaskRecord, verb: string | undefined, body: unknown): ControlAnswer {
  switch (verb) {
    case 'interrupt': {
      if (task.capacityProvider !== 'FARGATE_SPOT') {
        return { status: 409, body: { error: `task ${task.id} does not run on FARGATE_SPOT` } }
      }
      world.runtime.happen(task.id, { kind: 'stop', stop: spotInterruption })
      return done(world, task)
    }
    case 'kill': {
      const parsed = killSchema.safeParse(body)
      if (!parsed.success) return badRequest(parsed.error)
      const { container, signal } = parsed.data
      const count = world.runtime.signal(task.id, signal, container === undefined ? {} : { container })
      return count > 0 ? done(world, task) : { status: 409, body: { error: 'no process to signal' } }
    }
    case 'oom': {
      const count = world.runtime.signal(task.id, 'SIGKILL', { reason: outOfMemory })
      return count > 0 ? done(world, task) : { status: 409, body: { error: 'no process to kill' } }
    }
    case 'stop': {
      const parsed = stopSchema.safeParse(body)
      if (!parsed.success) return badRequest(parsed.error)
      const { stopCode, reason } = parsed.data
      world.runtime.happen(task.id, { kind: 'stop', stop: { code: stopCode, reason } })
      return done(world, task)
    }
    default:
      return notFound(`no such verb: ${verb}`)
  }
}

const done = (world: World, task: TaskRecord): ControlAnswer => ({
  status: 200,
  body: truth(world, world.store.tasks.get(task.id) ?? task),
})

const truth = (world: World, task: TaskRecord) => ({
  ...apiView(world, task, { hasTags: true }),
  taskId: task.id,
  processes: task.containers.map(({ name, pid, status, logStream, runtimeId }) => ({
    container: name,
    pid: status === 'RUNNING' ? pid : undefined,
    logStream,
    memoryBytes: world.runtime.memoryOf(runtimeId),
  })),
})

const notFound = (error: string): ControlAnswer => ({ status: 404, body: { error } })
const badRequest = (error: z.ZodError): ControlAnswer => ({
  status: 400,
  body: { error: z.prettifyError(error) },
})
