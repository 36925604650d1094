import type { ModelPorts, SqsNastiness } from './ports.ts'
import { insertSorted, removeSorted } from './sorted.ts'

export type QueueSettings = { visibilityTimeoutS: number; retentionS: number; maxReceiveCount?: number }

export type SentAttributes = Readonly<
  Record<string, { DataType: string | undefined; StringValue: string | undefined }>
>

type Message = {
  readonly id: string
  /** The order of sending. */
  readonly number: number
  readonly body: string
  readonly attributes: SentAttributes | undefined
  readonly sentMs: number
  receives: number
  /** Where it is, and since or until when. */
  at: 'ready' | 'hidden' | 'gone'
  hiddenUntilMs: number
}

export type Received = { message: Readonly<Message>; receipt: string; receives: number }

export type Queue = ReturnType<typeof createQueue>

/** How many deleted messages a careless receive may still find. */
const remembered = 20

/**
 * One standard queue. A message is ready, hidden (delayed or in flight) or gone; what has become ready, has expired or was
 * received too often is found out when somebody looks.
 */
export function createQueue(
  name: string,
  settings: QueueSettings,
  deadLetters: { take: (message: Message) => void } | undefined,
  { time, random }: ModelPorts,
  nastiness: SqsNastiness,
) {
  const known = new Map<number, Message>()
  const ready: Message[] = []
  const hidden: Message[] = []
  const deleted: Message[] = []
  const waiting = new Set<() => void>()
  let sent = 0
  let cancelWake: (() => void) | undefined

  const isExpired = (message: Message, nowMs: number): boolean =>
    message.sentMs + settings.retentionS * 1000 <= nowMs
  const isSpent = (message: Message): boolean =>
    deadLetters !== undefined &&
    settings.maxReceiveCount !== undefined &&
    message.receives >= settings.maxReceiveCount

  const leave = (message: Message): void => {
    if (message.at === 'ready') removeSorted(ready, message, byNumber)
    if (message.at === 'hidden') removeSorted(hidden, message, byTime)
    message.at = 'gone'
  }
  const drop = (message: Message): void => {
    leave(message)
    known.delete(message.number)
  }
  const hide = (message: Message, untilMs: number): void => {
    leave(message)
    message.at = 'hidden'
    message.hiddenUntilMs = untilMs
    insertSorted(hidden, message, byTime)
  }

  /** What is hidden no longer is ready, or goes where it was received too often. */
  const settle = (): void => {
    const nowMs = time.nowMs()
    for (let first = hidden[0]; first !== undefined && first.hiddenUntilMs <= nowMs; first = hidden[0]) {
      leave(first)
      if (isSpent(first)) {
        drop(first)
        deadLetters?.take(first)
      } else {
        first.at = 'ready'
        insertSorted(ready, first, byNumber)
      }
    }
    while (ready[0] !== undefined && isExpired(ready[0], nowMs)) drop(ready[0])
  }

  /** Wakes those who wait as soon as there is something; never within the call that brought it. */
  const arm = (): void => {
    cancelWake?.()
    cancelWake = undefined
    if (waiting.size === 0) return
    const dueMs = ready.length > 0 ? time.nowMs() : hidden[0]?.hiddenUntilMs
    if (dueMs === undefined) return
    cancelWake = time.after(Math.max(dueMs - time.nowMs(), 0), () => {
      cancelWake = undefined
      settle()
      if (ready.length === 0) return arm()
      const calls = [...waiting]
      waiting.clear()
      for (const call of calls) call()
    })
  }

  const add = (message: Omit<Message, 'number' | 'at' | 'hiddenUntilMs'>, delayMs: number): Message => {
    sent += 1
    const added: Message = { ...message, number: sent, at: 'gone', hiddenUntilMs: 0 }
    known.set(sent, added)
    if (delayMs > 0) hide(added, time.nowMs() + delayMs)
    else {
      added.at = 'ready'
      insertSorted(ready, added, byNumber)
    }
    arm()
    return added
  }

  const give = (message: Message, hiddenMs: number): Received => {
    message.receives += 1
    known.set(message.number, message)
    hide(message, time.nowMs() + hiddenMs)
    return { message, receipt: receiptOf(name, message), receives: message.receives }
  }

  /** A message that a standard queue may give once more: in flight, or deleted a moment ago. */
  const again = (): Message | undefined => {
    const candidates = [...hidden.filter(({ receives }) => receives > 0), ...deleted].filter(
      (message) => !isSpent(message),
    )
    const message = candidates.length === 0 ? undefined : random.pick(candidates)
    if (message?.at === 'gone') deleted.splice(deleted.indexOf(message), 1)
    return message
  }

  /** The message that a receipt belongs to; a receipt counts until its message is received again. */
  const find = (receipt: string): { message: Message | undefined } | undefined => {
    const match = receiptPattern.exec(receipt)
    if (match === null || match[1] !== name) return undefined
    const message = known.get(Number(match[2]))
    return { message: message?.receives === Number(match[3]) ? message : undefined }
  }

  return {
    settings,

    /** @returns the id of the message */
    send: (body: string, attributes: SentAttributes | undefined, delayMs: number): string =>
      add({ id: messageId(name, sent + 1), body, attributes, sentMs: time.nowMs(), receives: 0 }, delayMs).id,

    /** A message of another queue, with its id and the time when it was sent first. */
    take({ id, body, attributes, sentMs, receives }: Message): void {
      add({ id, body, attributes, sentMs, receives }, 0)
    },

    receive(max: number, hiddenMs: number): Received[] {
      settle()
      const received: Message[] = []
      while (received.length < max && ready.length > 0) {
        const message = ready[nastiness.shuffle ? random.below(ready.length) : 0] as Message
        if (isExpired(message, time.nowMs())) drop(message)
        else {
          leave(message)
          received.push(message)
        }
      }
      const more = received.length < max && nastiness.redeliver() ? again() : undefined
      if (more !== undefined) received.push(more)
      const given = received.map((message) => give(message, hiddenMs))
      arm()
      return given
    },

    /** @returns false when this is no receipt; true also when its message was received again meanwhile, and stays */
    delete(receipt: string): boolean {
      const found = find(receipt)
      if (found === undefined) return false
      if (found.message !== undefined) {
        drop(found.message)
        deleted.push(found.message)
        if (deleted.length > remembered) deleted.shift()
      }
      return true
    },

    changeVisibility(receipt: string, hiddenMs: number): 'changed' | 'notInFlight' | 'notAReceipt' {
      settle()
      const found = find(receipt)
      if (found === undefined) return 'notAReceipt'
      if (found.message?.at !== 'hidden') return 'notInFlight'
      hide(found.message, time.nowMs() + hiddenMs)
      arm()
      return 'changed'
    },

    whenAvailable(call: () => void): () => void {
      // A place of its own for each caller, even if two of them wait with the same function.
      const wait = (): void => call()
      waiting.add(wait)
      settle()
      arm()
      return () => {
        waiting.delete(wait)
        arm()
      }
    },

    messages() {
      settle()
      return [...known.values()].map(({ id, body, receives, attributes }) => ({
        id,
        body,
        receives,
        attributes: Object.fromEntries(
          Object.entries(attributes ?? {}).map(([attribute, { StringValue = '' }]) => [
            attribute,
            StringValue,
          ]),
        ),
      }))
    },
  }
}

const byNumber = (a: Message, b: Message): number => a.number - b.number
const byTime = (a: Message, b: Message): number => a.hiddenUntilMs - b.hiddenUntilMs || a.number - b.number

const receiptOf = (queue: string, { number, receives }: Message): string =>
  `receipt/${queue}/${number}/${receives}`
const receiptPattern = /^receipt\/([^/]+)\/(\d+)\/(\d+)$/

const messageId = (queue: string, number: number): string =>
  `${[...queue]
    .reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) >>> 0, 7)
    .toString(16)
    .padStart(8, '0')}-0000-4000-8000-${number.toString(16).padStart(12, '0')}`
