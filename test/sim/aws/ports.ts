import type { Random } from '../../support/random.ts'

/** Time as the models of AWS know it: the true one, which no process can pause or skew. */
export type TrueTime = {
  nowMs(): number
  /** Calls back once; the returned function takes it back. */
  after(ms: number, call: () => void): () => void
}

/** A command of an SDK client: `command.constructor.name` says which, `command.input` what is asked. */
export type Command = { input: object }

/**
 * One service as a state machine: a call has its effect at once, and its answer is what the client would get. Latency,
 * lost replies and timeouts are the network's, which stands between a process and the services.
 * @throws an Error whose `name` is that of the AWS exception, like the SDK's
 */
export type Service = { execute(command: Command): object }

export type ModelPorts = { time: TrueTime; random: Random }

/** What becomes of one new launch (a client token not seen before). Drawn by the harness, once per token. */
export type LaunchFate = {
  answer:
    | 'task'
    /** HTTP 200 with `failures[]`: no capacity. */
    | 'capacity'
    /** The same, by RESOURCE:FARGATE. */
    | 'noSpotCapacity'
    /** The vCPU quota of the account, in ECS's words. */
    | 'quota'
    /** An exception that the same request will meet again. */
    | 'permanent'
  /** `failures[]` was the answer, and a task runs all the same. */
  hiddenTask: boolean
  /** How long DescribeTasks answers MISSING for it, and ListTasks leaves it out. */
  describedAfterMs: number
  listedAfterMs: number
  /** From RunTask to RUNNING; infinite: stuck in PROVISIONING until it is stopped or given up. */
  startMs: number
  /** It stops instead of running, with TaskFailedToStart and this reason. */
  startFailure: string | undefined
}

/** One task as it truly is. */
export type ModelTask = {
  readonly arn: string
  readonly startedBy: string
  readonly clientToken: string | undefined
  /** Of its task definition. */
  readonly family: string
  readonly cpu: number
  readonly memory: number
  readonly capacityProvider: string
  /** The environment of the overridden container. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly createdAtMs: number
  lastStatus: string
  desiredStatus: 'RUNNING' | 'STOPPED'
  startedAtMs: number | undefined
  stoppedAtMs: number | undefined
  stopCode: string | undefined
  stoppedReason: string | undefined
  exitCode: number | undefined
  version: number
}

/** What the harness is told, at the moment of truth. */
export type EcsHooks = {
  fateOf(request: Readonly<Record<string, unknown>>): LaunchFate
  /** The container runs from now on. */
  onRunning(task: ModelTask): void
  /** SIGTERM for its main process. */
  onTerminate(task: ModelTask): void
  /** SIGKILL: the process is gone. */
  onKilled(task: ModelTask): void
  /** A change that ECS publishes an event for; `detail` is the event's detail. */
  onEvent(detail: Record<string, unknown>): void
}

export type EcsModel = Service & {
  tasks(): readonly ModelTask[]
  /** The main process of the task ended by itself. */
  exit(arn: string, exitCode: number, reason?: string): void
  /** Spot takes its capacity back: a notice and SIGTERM now, SIGKILL after the stop timeout. */
  reclaim(arn: string): void
  /** AWS stops the task for maintenance of its host. */
  maintain(arn: string): void
  /** A task of somebody else in the same cluster, or with this startedBy. */
  startForeign(startedBy: string): string
  /** While true, ListTasks answers with what it knew at that time. */
  freezeListing(frozen: boolean): void
  /** A new revision of every task definition: what is unpinned changes. */
  deployRevision(): void
}

export type DynamoModel = Service & {
  /** Every record of a table as it is now; not to be changed. */
  items(table: string): Iterable<Readonly<Record<string, unknown>>>
  item(table: string, key: string): Readonly<Record<string, unknown>> | undefined
  /** A raw write of a user, past all conditions. `undefined` deletes. */
  put(table: string, item: Record<string, unknown>): void
  delete(table: string, key: string): void
  /** Called after every write that had an effect. */
  onWrite(
    listener: (write: {
      table: string
      before: Readonly<Record<string, unknown>> | undefined
      after: Readonly<Record<string, unknown>> | undefined
    }) => void,
  ): void
  counts: { reads: number; writes: number }
}

export type DynamoNastiness = {
  /** How long after a write an index shows it; drawn anew for every write. */
  indexLagMs(): number
  /** How old an eventually consistent read of a base record may be; drawn anew for every read. */
  readLagMs(): number
}

export type SqsModel = Service & {
  /** Puts a message like AWS does (an event, a notification). @returns its id */
  deliver(queueUrl: string, body: string, delayMs?: number): string
  /** Calls back once, as soon as a receive would give a message. */
  whenAvailable(queueUrl: string, call: () => void): () => void
  /** Messages in a queue, in flight or not. */
  messages(
    queueUrl: string,
  ): readonly { id: string; body: string; receives: number; attributes: Record<string, string> }[]
}

export type SqsNastiness = {
  /** A receive gives a message that is (or was a moment ago) in flight or deleted, too. */
  redeliver(): boolean
  /** Messages come in any order. */
  shuffle: boolean
}

export type S3Model = Service & {
  put(bucket: string, key: string): { etag: string; sequencer: string }
  delete(bucket: string, key: string): void
}
