import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Answer } from '../answer.ts'
import { type Clock, systemClock } from '../ecs/index.ts'
import { createThrottle } from '../ecs/throttle.ts'
import { createFaults } from '../faults.ts'
import { call } from './actions.ts'
import { type ControlAnswer, control } from './control.ts'
import { createPublisher } from './events.ts'
import { openObjects } from './objects.ts'
import { isFinished, type JobStatus } from './records.ts'
import { createRuntime } from './runtime.ts'
import type { TranscribeSettings } from './settings.ts'
import { openStore } from './store.ts'
import { findTools, type Tools } from './tools.ts'
import { work } from './work.ts'
import type { Log, World } from './world.ts'

export { type TranscribeSettings, transcribeSettingsSchema } from './settings.ts'

export type TranscribeOptions = {
  /** Holds `jobs/`, which survives a restart, and `work/`, which does not. */
  dataDir: string
  region: string
  accountId: string
  /** Where S3 is: media come from there and transcripts go there, by the wire. */
  endpoint: string
  credentials: { accessKeyId: string; secretAccessKey: string }
  /** LOCAL_ASR_COMMAND: a program that recognises words, see `recogniser.ts`. Absent: stretches of voice, labelled as such. */
  asrCommand?: string | undefined
  /** The environment of that program. */
  environment: NodeJS.ProcessEnv
  ffmpegPath?: string | undefined
  ffprobePath?: string | undefined
  settings: TranscribeSettings
  clock?: Clock
  /** Takes an EventBridge event "Transcribe Job State Change"; called one after the other. */
  emitEvent: (event: object) => Promise<void>
  log: Log
}

export type Transcribe = {
  /** An action by the name behind `Transcribe.`, with its parsed JSON body. Never rejects. */
  call(action: string, input: unknown): Promise<Answer>
  /** Faults and the truth about jobs; `path` begins with `/faults` or `/jobs`. */
  control(method: string, path: string, body: unknown): ControlAnswer
  /** Breaks off what is under way; it begins again with the next start. The state is on disk when it resolves. */
  close(): Promise<void>
}

/** Amazon Transcribe for one machine: batch jobs over the wire protocol, with a recogniser that one brings along. */
export async function createTranscribe(options: TranscribeOptions): Promise<Transcribe> {
  const { region, accountId, settings, log, clock = systemClock } = options
  const dataDir = resolve(options.dataDir)
  const scratch = join(dataDir, 'work')
  await rm(scratch, { recursive: true, force: true })
  const store = await openStore(dataDir, { nowMs: clock.nowMs, retentionMs: settings.retentionMs })
  const objects = openObjects(options)
  const faults = createFaults(settings.faults)
  const starting = new Map<string, JobStatus>()
  const publisher = createPublisher({
    account: accountId,
    region,
    clock,
    faults,
    emit: options.emitEvent,
    onError: (error) => log.warn({ err: error }, 'job event not delivered'),
  })
  let found: Tools | undefined
  const tools = () => {
    const { ffmpegPath, ffprobePath } = options
    found ??= findTools({ ffmpegPath, ffprobePath, path: options.environment.PATH ?? '', scratch: dataDir })
    return found
  }
  const { asrCommand, environment } = options
  const runtime = createRuntime({
    settings,
    clock,
    store,
    publisher,
    startingCount: () => [...starting.values()].filter((status) => status === 'IN_PROGRESS').length,
    work: (job, signal) =>
      work(job, signal, { accountId, settings, objects, scratch, tools, asrCommand, environment }),
    log,
  })
  const world: World = {
    region,
    accountId,
    settings,
    clock,
    store,
    objects,
    runtime,
    faults,
    throttle: createThrottle(bucketsOf(settings), settings.throttle.enabled, clock.nowMs),
    starting,
  }
  // What a former process left: its requests wait in S3 until everything is there, so nobody waits for it here.
  for (const job of store.list()) if (!isFinished(job)) runtime.take(job)

  return {
    call: (action, input) => call(world, action, input, log),
    control: (method, path, body) => control(world, method, path, body),
    close: async () => {
      await runtime.close()
      await publisher.close()
      await store.close()
      objects.close()
    },
  }
}

/** One second of calls may come at once. */
function bucketsOf({ throttle: { start, get, list, delete: remove } }: TranscribeSettings) {
  const bucket = (perSecond: number) => ({ burst: perSecond, perSecond })
  return { start: bucket(start), get: bucket(get), list: bucket(list), delete: bucket(remove) }
}
