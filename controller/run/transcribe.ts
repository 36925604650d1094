import {
  DeleteTranscriptionJobCommand,
  GetTranscriptionJobCommand,
  StartTranscriptionJobCommand,
  type StartTranscriptionJobCommandInput,
  type TranscribeClient,
  type TranscriptionJob,
} from '@aws-sdk/client-transcribe'
import { exitCodes } from '../../schemas/exit-codes.ts'
import { transcriptionArn, transcriptionName } from '../../schemas/ids.ts'
import type { Pacer } from '../admit/pacer.ts'
import type { Clock } from '../clock.ts'
import { inParallel } from '../in-parallel.ts'
import { describeError, type RunAnswer, type TaskLook } from './answers.ts'

export type Transcribe = Pick<TranscribeClient, 'send'>

export type TranscribeRunner = ReturnType<typeof createTranscribeRunner>

const looksAtOnce = 5
const letGoKept = 1000

/**
 * Attempts as jobs of Amazon Transcribe. The name of such a job comes from the launch and its inputs, so a name that is
 * taken is the very job that was asked for before: it is adopted. Transcribe cannot stop a job, only forget one that has
 * ended: one that is under way is let go, and what it still writes is read by nobody (decision 11).
 */
export function createTranscribeRunner(
  transcribe: Transcribe,
  pacer: Pick<Pacer, 'take'>,
  clock: Pick<Clock, 'nowMs'>,
) {
  // What we have let go of counts as stopped, whatever Transcribe still says of it. A later leader lets go of it again.
  const letGo = new Set<string>()

  return {
    /** Sends a frozen request. Every outcome is an answer; nothing is thrown. */
    async start(request: Record<string, unknown>): Promise<RunAnswer> {
      const input = request as unknown as StartTranscriptionJobCommandInput
      try {
        await transcribe.send(new StartTranscriptionJobCommand(input))
        return { is: 'task', arn: transcriptionArn(input.TranscriptionJobName ?? '') }
      } catch (error) {
        return readStartError(error, input.TranscriptionJobName ?? '')
      }
    },

    /** One call each. What Transcribe does not know is absent, unless we let go of it. */
    async describe(arns: readonly string[]): Promise<Map<string, TaskLook>> {
      const looks = new Map<string, TaskLook>()
      await inParallel(arns, looksAtOnce, async (arn) => {
        await pacer.take()
        const look = await lookAt(arn)
        if (look) looks.set(arn, look)
      })
      return looks
    },

    /** Deletes the job, and lets go of one that cannot be deleted because it is under way, or is gone already. */
    async stop(arn: string): Promise<void> {
      try {
        await transcribe.send(
          new DeleteTranscriptionJobCommand({ TranscriptionJobName: transcriptionName(arn) }),
        )
      } catch (error) {
        // In both cases Transcribe says BadRequest (its API reference, DeleteTranscriptionJob).
        if (!['BadRequestException', 'NotFoundException'].includes(describeError(error).name)) throw error
      }
      if (letGo.size >= letGoKept) letGo.clear()
      letGo.add(arn)
    },
  }

  async function lookAt(arn: string): Promise<TaskLook | undefined> {
    if (letGo.has(arn)) return stoppedByUs(arn, clock.nowMs())
    try {
      const { TranscriptionJob: job } = await transcribe.send(
        new GetTranscriptionJobCommand({ TranscriptionJobName: transcriptionName(arn) }),
      )
      return job && lookOf(arn, job, clock.nowMs())
    } catch (error) {
      if (!isUnknownJob(error)) throw error
      return undefined
    }
  }
}

/** An unknown job is a NotFoundException or a BadRequestException, sources disagree; the text is the same. */
function isUnknownJob(error: unknown): boolean {
  const { name, message } = describeError(error)
  return (
    name === 'NotFoundException' || (name === 'BadRequestException' && /couldn.t be found/i.test(message))
  )
}

/** What Transcribe answers to a start (its API reference). A limit that is reached means: later, with the same name. */
export function readStartError(error: unknown, name: string): RunAnswer {
  const { name: kind, message } = describeError(error)
  if (kind === 'ConflictException') return { is: 'task', arn: transcriptionArn(name) }
  return kind === 'BadRequestException' || kind === 'AccessDeniedException' || kind === 'NotFoundException'
    ? { is: 'refused', kind: 'permanent', reason: `${kind}: ${message}` }
    : { is: 'unknown', reason: `${kind}: ${message}` }
}

/** Reasons that the same audio will meet again (Transcribe API reference, FailureReason). */
const permanentReason =
  /format|sample rate|file size|too large|too many channels|number of channels|length|duration|language/i

/**
 * A job of Transcribe as a task. One that is queued counts as running: how long it waits there is Transcribe's affair, and
 * no start time-out of ours.
 * @param nowMs stands in for a completion time that is missing
 */
export function lookOf(arn: string, job: TranscriptionJob, nowMs: number): TaskLook {
  const isOver = job.TranscriptionJobStatus === 'COMPLETED' || job.TranscriptionJobStatus === 'FAILED'
  const startedAtMs = job.StartTime?.getTime()
  const look = {
    arn,
    lastStatus: isOver ? 'STOPPED' : 'RUNNING',
    desiredStatus: isOver ? 'STOPPED' : 'RUNNING',
    startedBy: undefined,
    version: 0,
    createdAtMs: job.CreationTime?.getTime(),
    startedAtMs,
    stop: undefined,
  }
  if (!isOver) return look
  const reason = job.FailureReason ?? 'Transcribe gave no reason'
  const failed = permanentReason.test(reason) ? exitCodes.badInput : exitCodes.temporary
  return {
    ...look,
    stop: {
      stopCode: 'EssentialContainerExited',
      reason: job.TranscriptionJobStatus === 'FAILED' ? reason : 'Transcribed',
      exitCode: job.TranscriptionJobStatus === 'FAILED' ? failed : exitCodes.done,
      ...(job.TranscriptionJobStatus === 'FAILED' ? { said: `Amazon Transcribe: ${reason}` } : {}),
      startedAtMs,
      stoppedAtMs: job.CompletionTime?.getTime() ?? nowMs,
      createdAtMs: job.CreationTime?.getTime(),
    },
  }
}

const stoppedByUs = (arn: string, nowMs: number): TaskLook => ({
  arn,
  lastStatus: 'STOPPED',
  desiredStatus: 'STOPPED',
  startedBy: undefined,
  version: 0,
  createdAtMs: undefined,
  startedAtMs: undefined,
  stop: {
    stopCode: 'UserInitiated',
    reason: 'Given up at Amazon Transcribe',
    exitCode: undefined,
    startedAtMs: undefined,
    stoppedAtMs: nowMs,
  },
})
