import { z } from 'zod'

/** The part of an SDK client that we use: the seam for whoever wants to stand in for AWS. */
export type Sender<Command, Answer> = {
  send: (command: Command, options?: { abortSignal?: AbortSignal }) => Promise<Answer>
}

const awsErrorSchema = z.object({
  name: z.string().catch(''),
  message: z.string().catch(''),
  code: z.string().optional().catch(undefined),
  $metadata: z.object({ httpStatusCode: z.number().optional() }).optional().catch(undefined),
})

export type AwsError = { name: string; message: string; status: number | undefined }

/** What an SDK client threw, read. */
export const awsErrorOf = (thrown: unknown): AwsError => {
  const read = awsErrorSchema.safeParse(thrown)
  if (!read.success) return { name: 'Unknown', message: String(thrown), status: undefined }
  const { name, message, code, $metadata } = read.data
  return {
    name: name || code || 'Unknown',
    message: message || code || name,
    status: $metadata?.httpStatusCode,
  }
}

/** Refusals that look like a client's mistake and are not: the pace, a clock, credentials that were just being renewed. */
const passingNames =
  /Throttl|TooManyRequests|ProvisionedThroughputExceeded|RequestLimitExceeded|SlowDown|RequestTimeout|LimitExceeded|ExpiredToken|TransactionInProgress|InternalError/

/** Whether the service may well answer if asked again: it was out of reach, overloaded, or at fault itself. */
export const isPassing = (thrown: unknown): boolean => {
  const { name, status } = awsErrorOf(thrown)
  if (passingNames.test(name)) return true
  // Without a status nothing was answered: connection refused, reset, timed out, no credentials yet.
  return status === undefined || status >= 500 || status === 429 || status === 408
}
