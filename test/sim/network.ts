import type { Random } from '../support/random.ts'
import type { Command, Service, SqsModel, TrueTime } from './aws/ports.ts'
import type { SimProcess } from './scheduler.ts'

/** One call of one process, as everybody who watches sees it. */
export type Call = { process: SimProcess; service: string; action: string; input: object }

/** What happens to one call on its way. */
export type CallFate =
  | { is: 'normal' }
  /** Refused at the door, without effect. */
  | { is: 'throttled' }
  /** A server error, or a connection that broke before the request arrived: no effect. */
  | { is: 'failed' }
  /** The effect happens, and the reply never arrives: the client gives up. */
  | { is: 'replyLost' }
  /** The request arrives long after the client has given up. */
  | { is: 'late'; lateMs: number }

export type Wire = {
  time: TrueTime
  /** One way, drawn for every call. */
  latencyMs(): number
  fateOf(call: Call): CallFate
  /** The effect itself; whoever watches wraps it. */
  effect(call: Call, run: () => object): object
  /** A call that never reached its service. */
  onRefused(call: Call, why: string): void
}

export type Send = (command: Command, options?: { abortSignal?: AbortSignal }) => Promise<object>

/** How long a client waits for an answer, like the ones of the controller. */
const requestTimeoutMs = 10_000

type Trip = {
  call: Call
  command: Command
  resolve: (output: object) => void
  reject: (error: unknown) => void
}

/**
 * The way between one process and one service: latency, refusals, replies that are lost after the effect, requests that
 * arrive late. A process that died gets no answers, but what it sent still has its effect.
 */
export function connect(process: SimProcess, name: string, service: Service, wire: Wire): Send {
  function arrive({ call, command, resolve, reject }: Trip, isAnswered: boolean): void {
    let reply: () => void
    try {
      const output = wire.effect(call, () => service.execute(command))
      reply = () => resolve(output)
    } catch (error) {
      reply = () => reject(error)
    }
    if (!isAnswered) return
    const backMs = wire.latencyMs()
    // Most replies take no time of their own: it is cheaper, and the way there has been long enough.
    if (backMs < 2) process.deliver(reply)
    else wire.time.after(backMs, () => process.deliver(reply))
  }

  function refuse({ call, reject }: Trip, error: Error): void {
    wire.onRefused(call, error.name)
    wire.time.after(wire.latencyMs(), () => process.deliver(() => reject(error)))
  }

  function giveUp({ reject }: Trip): void {
    wire.time.after(requestTimeoutMs, () => process.deliver(() => reject(timeoutError())))
  }

  function travel(trip: Trip): void {
    const fate = wire.fateOf(trip.call)
    switch (fate.is) {
      case 'normal':
        wire.time.after(wire.latencyMs(), () => arrive(trip, true))
        return
      case 'throttled':
        refuse(trip, throttle(name))
        return
      case 'failed':
        refuse(trip, serverError())
        return
      case 'replyLost':
        wire.time.after(wire.latencyMs(), () => arrive(trip, false))
        giveUp(trip)
        return
      case 'late':
        wire.time.after(requestTimeoutMs + fate.lateMs, () => arrive(trip, false))
        giveUp(trip)
        return
      default:
        throw fate satisfies never
    }
  }

  return (command) =>
    new Promise((resolve, reject) => {
      const action = command.constructor.name.replace(/Command$/, '')
      travel({ call: { process, service: name, action, input: command.input }, command, resolve, reject })
    })
}

/** The same for SQS, where ReceiveMessage waits for messages up to the time that it asks for. */
export function connectSqs(process: SimProcess, sqs: SqsModel, wire: Wire): Send {
  const send = connect(process, 'sqs', sqs, wire)
  return async (command, options) => {
    if (command.constructor.name !== 'ReceiveMessageCommand') return send(command)
    const { QueueUrl: url = '', WaitTimeSeconds: waitS = 0 } = command.input as {
      QueueUrl?: string
      WaitTimeSeconds?: number
    }
    await available(url, waitS * 1000, options?.abortSignal)
    return send(command)
  }

  function available(url: string, waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(aborted())
      let stopWatching: () => void = () => undefined
      const done = (call: () => void): void => {
        stopWatching()
        cancel()
        signal?.removeEventListener('abort', onAbort)
        process.deliver(call)
      }
      const onAbort = (): void => done(() => reject(aborted()))
      const cancel = wire.time.after(waitMs, () => done(resolve))
      signal?.addEventListener('abort', onAbort)
      stopWatching = sqs.whenAvailable(url, () => done(resolve))
    })
  }
}

const named = (name: string, message: string, status?: number): Error =>
  Object.assign(new Error(message), {
    name,
    ...(status === undefined ? {} : { $metadata: { httpStatusCode: status } }),
  })
const timeoutError = (): Error => named('TimeoutError', 'No answer within the request timeout')
const serverError = (): Error => named('InternalServerError', 'Internal server error', 500)
const aborted = (): Error => named('AbortError', 'Request aborted')
const throttle = (service: string): Error =>
  service === 'dynamo'
    ? named('ProvisionedThroughputExceededException', 'The level of configured throughput was exceeded', 400)
    : named('ThrottlingException', 'Rate exceeded', 400)

/** A time between two bounds, most often near the lower one, sometimes far above it. */
export const tail = (random: Random, lowMs: number, highMs: number): number =>
  lowMs + (highMs - lowMs) * random.next() ** 4
