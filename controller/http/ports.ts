import type { Logger } from 'pino'
import type { Status } from '../../schemas/status.ts'
import type { Clock } from '../clock.ts'
import type { UploadRules } from '../intake/uploads.ts'
import type { Policy } from '../policy.ts'
import type { LogReader } from '../run/logs.ts'
import type { JobStore } from '../store/jobs.ts'
import type { ObjectStore } from '../store/objects.ts'

/** Everything that status and API need, and all that they can reach. */
export type HttpPorts = {
  jobs: JobStore
  /** Tells the leader that a record changed. It only saves time, so its failure fails nothing. */
  wake: (jobId: string) => Promise<void>
  /** What the leader published last. */
  status: () => Promise<Status | undefined>
  objects: ObjectStore
  logs: LogReader
  policy: Policy
  uploadRules: UploadRules
  buckets: { uploads: string; outputs: string }
  /** Seconds that links to objects work. */
  presignS: number
  /** Without any, only this machine may call. */
  tokens: Tokens
  metrics: () => Promise<{ contentType: string; text: string }>
  ready: () => { ready: boolean; why?: string | undefined }
  clock: Pick<Clock, 'nowMs'>
  /** 12 or more characters `[a-z0-9]` that nobody can guess. */
  randomId: () => string
  log: Logger
  /** Who calls is told by whoever hands on their calls, if that is one in our own network. Default: false. */
  behindLoadBalancer?: boolean
  /** Requests that one client may make in a minute; probes and metrics do not count. Default 600. */
  requestsPerMinute?: number
}

/** `all` may do everything, `read` may only look. */
export type Tokens = { all?: string | undefined; read?: string | undefined }
