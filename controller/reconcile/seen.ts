import type { Settings } from '../../schemas/spec.ts'

/** How a task ended, read off DescribeTasks or off the evidence of its STOPPED event. */
export type Stop = {
  stopCode: string | undefined
  /** Why, in AWS's words: the task's stoppedReason and the container's reason. */
  reason: string
  exitCode: number | undefined
  /** What there is to say about the exit code, where nobody reports. */
  said?: string | undefined
  startedAtMs: number | undefined
  stoppedAtMs: number
  /** What is billed begins with the pull of the image; a task that never got so far has no such time. */
  pullStartedAtMs?: number | undefined
  createdAtMs?: number | undefined
}

/** What the last look at the task of the current launch showed. The record is always read after that look. */
export type TaskSeen =
  /** No ARN is known, or nobody has looked yet. */
  | { is: 'unknown' }
  | {
      is: 'live'
      arn: string
      lastStatus: string
      desiredStatus: string
      startedAtMs: number | undefined
    }
  | { is: 'stopped'; arn: string; stop: Stop }
  /** DescribeTasks does not know it: too young, or forgotten. From the first to the last such look of this leader. */
  | { is: 'missing'; arn: string; sinceMs: number; lookedAtMs: number }

/** A live task of this jobId that is not the task of the current launch. */
export type Stray = { arn: string; desiredStatus: string; stopAskedAtMs: number | undefined }

/**
 * What this leader has measured on its own clock about the current launch. A new leader starts measuring anew, so a
 * pause of the controllers never counts against a worker.
 */
export type Watch = {
  /** When this leader first saw the launch. */
  sinceMs: number
  /** When this leader first knew the ARN of the task. */
  arnSinceMs: number | undefined
  runningSinceMs: number | undefined
  beat: number
  beatMovedAtMs: number
  stopAskedAtMs: number | undefined
  /** RunTask of this launch: how often this leader sent it, and when the next replay is due. */
  sends: number
  sendAgainAtMs: number
}

/** What a full listing of the cluster found for the current launch; begun at `begunAtMs`. */
export type ListPass = { begunAtMs: number; arn: string | undefined }

/** A change of `spec` since settings were resolved. */
export type SpecEdit =
  | { is: 'none' }
  | { is: 'valid'; settings: Settings; specHash: string }
  | { is: 'invalid'; sentence: string }

/** What the pipeline that made this job wants of it. */
export type ParentSeen =
  | { is: 'none' }
  /** It has ended, is another life of its record, or does not know this child. */
  | { is: 'ended' }
  | { is: 'alive'; cancel: boolean; suspend: boolean }

/** Everything that `decide` knows besides the record. */
export type Seen = {
  task: TaskSeen
  strays: readonly Stray[]
  watch: Watch
  listPass: ListPass | undefined
  edit: SpecEdit
  /** Admission lets the job start now; the launch token is taken. */
  granted: boolean
  /** Absent: the job is nobody's child. */
  parent?: ParentSeen
}
