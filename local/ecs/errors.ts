/** What the service answers when it refuses: `__type` and `message`, HTTP 400 when it is the caller's, 500 when it is ours. */
export class EcsError extends Error {
  readonly type: string
  readonly status: number
  readonly fields: Record<string, unknown>

  constructor(type: string, message: string, status = 400, fields: Record<string, unknown> = {}) {
    super(message)
    this.type = type
    this.status = status
    this.fields = fields
  }

  body(): Record<string, unknown> {
    return { __type: this.type, message: this.message, ...this.fields }
  }
}

export const invalidParameter = (message: string) => new EcsError('InvalidParameterException', message)
export const clientException = (message: string) => new EcsError('ClientException', message)
export const clusterNotFound = () => new EcsError('ClusterNotFoundException', 'Cluster not found.')
export const taskNotFound = () => invalidParameter('The referenced task was not found.')
export const serverException = (message: string) => new EcsError('ServerException', message, 500)

export const unknownOperation = (action: string) =>
  new EcsError('UnknownOperationException', `The local ECS does not have the action "${action}".`)

/** The tasks that the token already started are the answer the caller came for, so they travel with the refusal. */
export const conflict = (resourceIds: readonly string[]) =>
  new EcsError(
    'ConflictException',
    'The clientToken was already used by a request with other parameters.',
    400,
    { resourceIds },
  )

/** ECS has two faces for "too fast": its own, and a throttle of EC2 wrapped into a parameter error. */
export const throttled = (form: 'plain' | 'wrapped' = 'plain') =>
  form === 'plain'
    ? new EcsError('ThrottlingException', 'Rate exceeded')
    : invalidParameter(
        'Error retrieving subnet information for [subnet-local]: Rate exceeded (ErrorCode: Throttling)',
      )
