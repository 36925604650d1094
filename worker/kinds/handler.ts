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
    'JOB_ID' | 'PATH' | 'FFMPEG_PATH' | 'FFPROBE_PATH' | 'OUTPUTS_BUCKET' | 'AWS_REGION' | 'AWS_ENDPOINT_URL'
  >
  storage: Storage
  /** Absolute path of an own, empty folder. Whatever is put into it is removed afterwards. */
  scratch: string
  /** Given when the work must end at once; everything that takes time listens to it. */
  signal: AbortSignal
  tell: (status: Status) => void
  nowMs: () => number
  log: Logger
}

/** What a kind has done: every file it has uploaded, and a small summary for the record. */
export type Finished = { files: ManifestFile[]; result: Record<string, unknown> }

/** Does the work of one kind. Claim, heartbeat, manifest and report are not its business. */
export type KindHandler = (work: Work) => Promise<Finished>
