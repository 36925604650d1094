import type { Logger } from 'pino'
import type { ManifestFile } from '../../schemas/manifest.ts'
import type { Settings } from '../../schemas/spec.ts'
import type { WorkerEnvironment } from '../environment.ts'
import type { Status } from '../heartbeat.ts'
import type { Storage } from '../storage.ts'

/** What a kind gets to work with. */
export type Work = {
  settings: Pick<Settings, 'input' | 'output' | 'params'>
  environment: Pick<
    WorkerEnvironment,
    | 'JOB_ID'
    | 'FENCE'
    | 'PATH'
    | 'FFMPEG_PATH'
    | 'FFPROBE_PATH'
    | 'OUTPUTS_BUCKET'
    | 'AWS_REGION'
    | 'AWS_ENDPOINT_URL'
    | 'PRIVATE_SOURCES'
    | 'SEEDING_PORT'
  >
  storage: Storage
  /** Absolute path of an own, empty folder. Whatever is put into it is removed afterwards. */
  scratch: string
  /** Given when the work must end at once; everything that takes time listens to it. */
  signal: AbortSignal
  tell: (status: Status) => void
  /**
   * For a kind that can keep what it has: from now on SIGTERM gives the signal that this returns, and `signal` only once the
   * time for an orderly end is over.
   */
  endInOrder: () => AbortSignal
  /**
   * Proof that the job is still ours, and why the controller stops it, if it does.
   * @throws WorkerError FENCED_OUT; TABLE_UNAVAILABLE when nobody can say
   */
  confirm: () => Promise<{ stopping: string | undefined }>
  nowMs: () => number
  log: Logger
}

/** What a kind has done: every file it has uploaded, and a small summary for the record. */
export type Finished = {
  files: ManifestFile[]
  result: Record<string, unknown>
  /**
   * Nothing was done but to find out that it is too much for one task: the job goes on as the pipeline `splits` of its kind,
   * whose steps get this. There is no manifest then.
   */
  split?: Record<string, unknown>
}

/** Does the work of one kind. Claim, heartbeat, manifest and report are not its business. */
export type KindHandler = (work: Work) => Promise<Finished>
