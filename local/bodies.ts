import type { IncomingMessage } from 'node:http'

/**
 * The whole body, or undefined when it is longer than `maxBytes`: then it is read to its end all the same and nothing of it
 * kept, because a client hears no answer while it is still sending. Rejects when the client breaks off.
 */
export const readBody = async (request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> => {
  let chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) chunks = []
    else chunks.push(chunk)
  }
  return bytes > maxBytes ? undefined : Buffer.concat(chunks)
}

/** The JSON of a body; an empty one is `{}`. Undefined when it is no JSON. */
export const parseJson = (body: Buffer): unknown => {
  if (body.length === 0) return {}
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}
