/** What a service with a JSON protocol answers, before it becomes bytes. */
export type Answer =
  | { status: number; body: unknown; headers?: Readonly<Record<string, string>> }
  /** The effect happened, or not, but the caller never hears of it: the connection breaks. */
  | { drop: true }

/** A refusal in the form that every AWS JSON protocol has. */
export const refusal = (type: string, message: string, status = 400): Answer => ({
  status,
  body: { __type: type, message },
})

/** SDK and CLI print the message, so it says what to do. */
export const unknownOperation = (target: string): Answer =>
  refusal('UnknownOperationException', `The local AWS does not have ${target}.`)
