import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import dynalite from 'dynalite'

export type LocalDynamoDb = {
  /** Answers one request whose body has been read already. */
  handle(request: IncomingMessage, body: Buffer, response: ServerResponse): void
  /** Waits for what is being written, then closes the store. */
  close(): Promise<void>
}

const lastReadsMs = 100

/**
 * DynamoDB by dynalite, kept in LevelDB under `directory`. What it lacks is never relied on: transactions, TTL, streams,
 * `ReturnValuesOnConditionCheckFailure`, and indexes that lag behind. A store can be open in one process only.
 */
export const createDynamoDb = (directory: string): LocalDynamoDb => {
  const server = dynalite({ path: directory, createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 })
  const open = new Set<ServerResponse>()
  return {
    // dynalite throws out of the event loop when a client breaks off inside a body, which would end the whole local AWS. So
    // it never sees the connection, only what came through it whole.
    handle: (request, body, response) => {
      const { method, url, headers } = request
      open.add(response)
      response.once('close', () => open.delete(response))
      server.emit('request', Object.assign(Readable.from([body]), { method, url, headers }), response)
    },
    // It closes its store together with its server and, like every server, refuses to close one that never listened.
    close: async () => {
      await Promise.all([...open].map((response) => once(response, 'close')))
      // A read whose client broke off goes on for a moment, and throws if it finds its store closed.
      await setTimeout(lastReadsMs)
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      await promisify(server.close.bind(server))()
    },
  }
}
