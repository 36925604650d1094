import type { Clock } from '../clock.ts'
import type { Memory } from '../reconcile/memory.ts'
import { lookAt, type RawTask } from '../run/answers.ts'
import type { JobStore } from '../store/jobs.ts'
import { isRefusal, type UploadHead } from './heads.ts'
import { parseEvent, parseMessage } from './messages.ts'
import type { Handled } from './queue.ts'
import { submit } from './records.ts'
import { isMeant, type UploadRules, type UploadSubmission, withHead } from './uploads.ts'

export type ReceivedMessage = {
  Body?: string | undefined
  MessageId?: string | undefined
  ReceiptHandle?: string | undefined
  Attributes?: { ApproximateReceiveCount?: string } | undefined
}

export type HandlerPorts = {
  jobs: JobStore
  memory: Memory
  rules: UploadRules
  installation: string
  clock: Clock
  /** What an upload says of itself; nothing, where it is gone. @throws where S3 does not tell */
  headUpload: (input: { bucket: string; key: string }) => Promise<UploadHead>
  wake: (jobId: string) => void
  /** Counts what became of a message. */
  count: (result: string) => void
}

/** One message of the jobs queue: done once every job it asks for is in the table. */
export async function handleJobMessage(message: ReceivedMessage, ports: HandlerPorts): Promise<Handled> {
  const parsed = parseMessage(message.Body ?? '', message.MessageId ?? '', ports.rules)
  if (parsed.is === 'rubbish') return rubbish(parsed.reason, ports)
  for (const command of parsed.commands) {
    if (command.do === 'ignore') {
      ports.count(`ignored${command.why}`)
      continue
    }
    const head = command.upload ? await headOf(command, message, ports) : undefined
    if (command.upload && head !== undefined && !isMeant(command, head)) {
      ports.count('ignoredOtherKind')
      continue
    }
    const whole = command.upload && head !== undefined ? withHead(command, head) : command
    const result = await submit(whole, ports.jobs, ports.clock.nowMs())
    switch (result) {
      case 'conflict':
        return rubbish(
          `IdConflict: there is a job ${command.jobId} already, and it asks for something else`,
          ports,
        )
      case 'conflictWithReaped':
        return rubbish(
          `IdConflict: there has been a job ${command.jobId}, removed since, and it asked for something else`,
          ports,
        )
      case 'duplicateOfReaped':
        ports.count('duplicate')
        break
      case 'created':
      case 'retried':
      case 'duplicate':
        ports.count(result)
        ports.wake(command.jobId)
        break
      default:
        throw result satisfies never
    }
  }
  return parsed.rubbish === undefined ? { is: 'done' } : rubbish(parsed.rubbish, ports)
}

/**
 * How often a message is received before S3 is believed that it will not show the upload. Every failure slows down the intake of
 * all, and nobody may hold it up with a file that cannot be shown; its worker finds out why.
 */
const refusedAtMost = 5

async function headOf(
  { spec }: UploadSubmission,
  { Attributes: attributes }: ReceivedMessage,
  { headUpload }: HandlerPorts,
): Promise<UploadHead> {
  try {
    return await headUpload(spec.input)
  } catch (error) {
    const receives = Number(attributes?.ApproximateReceiveCount ?? 1)
    if (!isRefusal(error) || receives < refusedAtMost) throw error
    return { metadata: {} }
  }
}

function rubbish(reason: string, ports: HandlerPorts): Handled {
  ports.count('rubbish')
  return { is: 'rubbish', reason }
}

/**
 * One message of the task-events queue. It wakes the job and says nothing more, with one exception: a STOPPED event of a
 * task whose attempt is not settled is kept as evidence, in memory and in the queue, until it is.
 */
export async function handleTaskEvent(message: ReceivedMessage, ports: HandlerPorts): Promise<Handled> {
  const parsed = parseEvent(message.Body ?? '', ports.installation)
  switch (parsed.is) {
    case 'rubbish':
      return rubbish(parsed.reason, ports)
    case 'foreign':
      ports.count('foreignTask')
      return { is: 'done' }
    case 'wake':
      ports.count('wake')
      ports.wake(parsed.jobId)
      return { is: 'done' }
    case 'task':
      ports.count('taskEvent')
      return noteTask(parsed.jobId, parsed.fence, parsed.detail, message, ports)
    default:
      throw parsed satisfies never
  }
}

async function noteTask(
  jobId: string,
  fence: string,
  detail: RawTask,
  message: ReceivedMessage,
  { jobs, memory, wake, clock }: HandlerPorts,
): Promise<Handled> {
  const look = lookAt(detail, clock.nowMs())
  const current = memory.watched(jobId)?.fence === fence
  if (look.stop !== undefined) {
    // Without room for it in memory, it stays in the queue and comes again.
    if (current) memory.keepEvidence(look, message.ReceiptHandle ?? '')
    wake(jobId)
    return { is: current ? 'kept' : 'done' }
  }
  // The intent of a launch is written before its task can exist, so a task with another fence is outlived.
  if (!current && (await jobs.get(jobId))?.fence !== fence)
    memory.addStray(jobId, look.arn, look.desiredStatus)
  wake(jobId)
  return { is: 'done' }
}
