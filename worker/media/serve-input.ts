import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { Input } from '../../schemas/spec.ts'
import { asWorkerError, WorkerError } from '../errors.ts'
import type { Storage } from '../storage.ts'
import { inputGuard } from './limits.ts'
import type { MediaInput } from './probe.ts'
import { recognisedBytes } from './recognise.ts'

/** An object that ffmpeg can read from, seeking in it, without a copy on the disk. */
export type ServedInput = MediaInput & {
  bytes: number
  /** The first bytes, for `recognise`. */
  head: Buffer
  /** Why the object could not be read on, if that happened: the true reason of whatever ffmpeg says. */
  failure: () => WorkerError | undefined
  close: () => Promise<void>
}

export type ServeOptions = { storage: Storage; pixels: number; signal: AbortSignal }

/** Options of ffmpeg's HTTP reader: a line that broke is taken up where it broke off. */
const reconnecting = [
  ...['-rw_timeout', '45000000', '-reconnect', '1', '-reconnect_on_network_error', '1'],
  ...['-reconnect_on_http_error', '5xx', '-reconnect_delay_max', '5'],
]

/**
 * Gives ffmpeg an object by way of a web server that only this machine can reach. The other way, a presigned address, would be
 * a credential in a list of processes, would expire in the middle of a long input, and could tell a missing object, a changed
 * one and an S3 that is out of order only by the text of an error. `close` at the end.
 * @throws WorkerError INPUT_EMPTY, INPUT_MISSING and the others of `Storage.inspect`
 */
export const serveInput = async (
  input: Input,
  { storage, pixels, signal }: ServeOptions,
): Promise<ServedInput> => {
  const { bytes, etag } = await storage.inspect(input, signal)
  if (bytes === 0) throw new WorkerError('INPUT_EMPTY')
  const same: Input = { ...input, ...(etag === undefined ? {} : { etag }) }
  const head = await storage.readRange(same, { start: 0, end: Math.min(bytes, recognisedBytes) - 1 }, signal)
  let failure: WorkerError | undefined
  // Whoever else runs on this machine cannot guess it.
  const path = `/${randomBytes(16).toString('hex')}`
  const server = createServer((request, response) => {
    const open = async (range: Range) => {
      const part = await storage.openRange(same, range, AbortSignal.any([signal, closed(response)]))
      // Whatever was wrong before is over: ffmpeg has asked again, and goes on.
      failure = undefined
      return part
    }
    void answer(request, response, path, bytes, open).catch((thrown: unknown) => {
      // ffmpeg hangs up whenever it seeks; that is no failure of the object.
      const error = asWorkerError(thrown)
      if (!response.destroyed && error.code !== 'INTERNAL_ERROR') failure = error
      if (response.headersSent) response.destroy()
      else response.writeHead(error.code === 'STORAGE_UNAVAILABLE' ? 503 : 404).end()
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}${path}`,
    // Nothing but this one address: with `file`, or with TLS and a name, an input could point elsewhere.
    guard: [...reconnecting, ...inputGuard(pixels, 'http,tcp')],
    bytes,
    head,
    failure: () => failure,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

type Range = { start: number; end: number }

const answer = async (
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  bytes: number,
  open: (range: Range) => Promise<NodeJS.ReadableStream>,
): Promise<void> => {
  if (request.url !== path || request.method !== 'GET') {
    response.writeHead(404).end()
    return
  }
  const range = parseRange(request.headers.range, bytes)
  if (range === undefined) {
    response.writeHead(416, { 'content-range': `bytes */${bytes}` }).end()
    return
  }
  const body = await open(range)
  response.writeHead(request.headers.range === undefined ? 200 : 206, {
    'accept-ranges': 'bytes',
    'content-length': range.end - range.start + 1,
    ...(request.headers.range === undefined
      ? {}
      : { 'content-range': `bytes ${range.start}-${range.end}/${bytes}` }),
  })
  await pipeline(body, response)
}

/** `bytes=5-` and `bytes=5-9`, which is what ffmpeg asks for; undefined for what the object does not have. Pure. */
export const parseRange = (header: string | undefined, bytes: number): Range | undefined => {
  if (header === undefined) return { start: 0, end: bytes - 1 }
  const match = /^bytes=(\d+)-(\d*)$/.exec(header)
  if (match === null) return undefined
  const start = Number(match[1])
  const end = match[2] === '' ? bytes - 1 : Math.min(Number(match[2]), bytes - 1)
  return start <= end ? { start, end } : undefined
}

/** Given when the other side has hung up. */
const closed = (response: ServerResponse): AbortSignal => {
  const hungUp = new AbortController()
  response.once('close', () => hungUp.abort(new WorkerError('INTERNAL_ERROR', 'nobody reads any more')))
  return hungUp.signal
}
