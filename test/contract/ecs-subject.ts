import { type ECSClient, RunTaskCommand, type RunTaskCommandInput, type Task } from '@aws-sdk/client-ecs'

/** How the next launch is to go; what is not said goes well. */
export type NextLaunch = {
  answer?: 'capacity' | 'noSpotCapacity'
  /** The answer is a failure, and a task runs all the same. */
  hiddenTask?: boolean
  invisibleForMs?: number
  /** It stops instead of running. */
  startFailure?: string
  /** It gets no network until it is given up. */
  stuck?: boolean
}

/**
 * An ECS to be checked. Its cluster is `jobs`; there are the definitions `worker:1`, `worker:2` (container `worker`) and
 * `pair:1` (`side`, then `worker`), all with a stop timeout of 100 s and the log prefix `logs`. What its main process does on
 * SIGTERM stands in the environment: `ON_TERM` absent: it dies of it; `ignore`; an exit code. Without an end it runs on.
 */
export type EcsSubject = {
  is: 'model' | 'local'
  send: ECSClient['send']
  nowMs(): number
  pass(ms: number): Promise<void>
  next(launch: NextLaunch): Promise<void>
  /** Until the main process of a RUNNING task can take signals. */
  ready(taskArn: string): Promise<void>
  /** The main process ends by itself. */
  end(taskArn: string, exitCode: number): Promise<void>
  outOfMemory(taskArn: string): Promise<void>
  reclaim(taskArn: string): Promise<void>
  maintain(taskArn: string): Promise<void>
  /** A new revision of `worker`; the older ones become INACTIVE when told so. */
  deploy(retire: boolean): Promise<void>
  /** Details of the events so far. */
  events: readonly Record<string, unknown>[]
  close(): Promise<void>
}

export type StartSubject = (quota?: { onDemand?: number; spot?: number }) => Promise<EcsSubject>

export const stopTimeoutMs = 100_000
export const hourMs = 3_600_000
export const spot = { capacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT', weight: 1 }] }
export const onTerm = (what: string) => ({
  overrides: { containerOverrides: [{ name: 'worker', environment: [{ name: 'ON_TERM', value: what }] }] },
})

export const run = (subject: EcsSubject, input: Partial<RunTaskCommandInput> = {}) =>
  subject.send(
    new RunTaskCommand({
      cluster: 'jobs',
      taskDefinition: 'worker:1',
      networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-1'], assignPublicIp: 'DISABLED' } },
      ...(input.launchType ? {} : { capacityProviderStrategy: [{ capacityProvider: 'FARGATE', weight: 1 }] }),
      ...input,
    }),
  )

/** Runs one task, and expects it to be launched. */
export async function launch(
  subject: EcsSubject,
  input: Partial<RunTaskCommandInput> = {},
): Promise<Task & { taskArn: string }> {
  const { tasks, failures } = await run(subject, input)
  const [task] = tasks ?? []
  if (task?.taskArn === undefined) throw new Error(`no task: ${JSON.stringify(failures)}`)
  return { ...task, taskArn: task.taskArn }
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

/** Lets time pass in small steps until `look` sees something. */
export async function until<Value>(
  subject: EcsSubject,
  look: () => Promise<Value | undefined | false> | Value | undefined | false,
  withinMs = 300_000,
): Promise<Value> {
  for (let passedMs = 0; passedMs <= withinMs; passedMs += 100) {
    const value = await look()
    if (value !== undefined && value !== false) return value
    await subject.pass(100)
  }
  throw new Error(`waited in vain for ${look}`)
}
