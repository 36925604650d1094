const names = /Throttl|TooManyRequests|ProvisionedThroughputExceeded|RequestLimitExceeded|SlowDown/

// ECS wraps the throttling of other services in an InvalidParameterException.
const words = /rate exceeded|throttling/i

/** Whether an AWS service said: slower. The same request may well be granted a moment later. */
export function isThrottled(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
  return status === 429 || names.test(error.name) || words.test(`${error.name} ${error.message}`)
}
