import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { WorkerError } from '../errors.ts'

/** The control connection of transmission-daemon (rpc-spec.md of Transmission): JSON over HTTP on loopback. */
export type Rpc = {
  /** @throws WorkerError TORRENT_CLIENT_FAILED */
  ask: <T>(method: string, request: Record<string, unknown>, answer: z.ZodType<T>) => Promise<T>
}

const sessionHeader = 'x-transmission-session-id'
const askTimeoutMs = 15_000

const envelope = z.object({ result: z.string(), arguments: z.unknown() })

export const openRpc = (
  { rpcPort, user, password }: { rpcPort: number; user: string; password: string },
  signal: AbortSignal,
): Rpc => {
  let session = ''
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  const post = (body: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${rpcPort}/transmission/rpc`, {
      method: 'POST',
      headers: { authorization, [sessionHeader]: session, 'content-type': 'application/json' },
      body,
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(askTimeoutMs)]),
    })
  const send = async (body: string): Promise<unknown> => {
    let answer = await post(body)
    // It gives out a session first, against pages of the web that would speak to it.
    if (answer.status === 409) {
      session = answer.headers.get(sessionHeader) ?? ''
      await answer.arrayBuffer()
      answer = await post(body)
    }
    if (!answer.ok) throw new Error(`it answered ${answer.status}`)
    return answer.json()
  }
  return {
    ask: async (method, request, schema) => {
      try {
        const { result, arguments: content } = envelope.parse(
          await send(JSON.stringify({ method, arguments: request })),
        )
        if (result !== 'success') throw new Error(result)
        return schema.parse(content)
      } catch (thrown) {
        signal.throwIfAborted()
        const said = thrown instanceof Error ? thrown.message : String(thrown)
        throw new WorkerError('TORRENT_CLIENT_FAILED', `${method}: ${said.slice(0, 200)}`, thrown)
      }
    },
  }
}

const startMs = 15_000

/** Waits until the daemon answers. @throws WorkerError TORRENT_CLIENT_FAILED */
export const untilAnswering = async (rpc: Rpc, nowMs: () => number, signal: AbortSignal): Promise<void> => {
  const endMs = nowMs() + startMs
  for (;;) {
    try {
      await rpc.ask('session-get', { fields: ['version'] }, z.object({}))
      return
    } catch (thrown) {
      signal.throwIfAborted()
      if (!(thrown instanceof WorkerError) || nowMs() > endMs) throw thrown
      await sleep(100)
    }
  }
}
