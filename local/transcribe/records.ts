import type { Place } from './places.ts'
import type { StartRequest } from './requests.ts'

export type JobStatus = 'QUEUED' | 'IN_PROGRESS' | 'COMPLETED' | 'FAILED'

/** What was found out about the media while the job was worked on. */
export type Findings = {
  mediaFormat?: string
  sampleRateHz?: number
  durationS?: number
  languageCode?: string
  languageScore?: number
  subtitleKeys?: string[]
}

export type JobRecord = {
  name: string
  /** Grows with every job: the order of queue and list. */
  ordinal: number
  request: StartRequest
  /** Where the transcript goes. */
  output: Place & { isServiceBucket: boolean }
  status: JobStatus
  createdMs: number
  startedMs?: number
  completedMs?: number
  failureReason?: string
  findings: Findings
  /** Faults that struck this job when it started. */
  doom?: string
  slowMs?: number
}

export const isFinished = ({ status }: JobRecord): boolean => status === 'COMPLETED' || status === 'FAILED'
