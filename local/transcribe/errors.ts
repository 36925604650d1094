import type { Answer } from '../answer.ts'

/** What the service answers when it refuses: HTTP 400 when it is the caller's, 500 when it is ours. */
export class TranscribeError extends Error {
  readonly type: string
  readonly status: number

  constructor(type: string, message: string, status = 400) {
    super(message)
    this.type = type
    this.status = status
  }

  answer(): Answer {
    // `Message` is what the service model names it, `message` what the other JSON services send; clients read either.
    return {
      status: this.status,
      body: { __type: this.type, Message: this.message, message: this.message },
    }
  }
}

export const badRequest = (message: string) => new TranscribeError('BadRequestException', message)
export const limitExceeded = (message: string) => new TranscribeError('LimitExceededException', message)
export const internalFailure = (message: string) =>
  new TranscribeError('InternalFailureException', message, 500)

export const conflict = (name: string) =>
  new TranscribeError(
    'ConflictException',
    `The requested job name already exists: ${name}. Use another name, or look at the job that has it.`,
  )

export const queueIsFull = () =>
  new TranscribeError(
    'LimitExceededConcurrentJobException',
    'The queue of deferred jobs is full. Wait until some have finished, and try your request again.',
  )

/** AWS's own pages disagree about the code; the message is the same in both. */
export const notFound = (code: 'BadRequestException' | 'NotFoundException') =>
  new TranscribeError(
    code,
    "The requested job couldn't be found. Check the job name and try your request again.",
  )

export const throttled = (code: 'ThrottlingException' | 'LimitExceededException') =>
  new TranscribeError(code, 'Rate exceeded')
