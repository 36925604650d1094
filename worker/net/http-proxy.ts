import {
  createServer,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
} from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { asWorkerError, WorkerError } from '../errors.ts'
import { kindOfBody, plainBody, readPlaylist } from './body.ts'
import type { Guard } from './guard.ts'
import { shownUrl } from './guarded-fetch.ts'
import { addressOf, innerPlaylist, innerUrl, type OuterUrl, outerUrl } from './inner-url.ts'

/** What went through since the last `forget`. */
export type SeenHttp = {
  /** Of the last answer. */
  status: number | undefined
  /** Whether the last playlist with segments said that no more will come; undefined: there was none. */
  playlistEnded: boolean | undefined
  /** Whether the last body that was no playlist came to the end that it had announced. */
  isWhole: boolean
  /** Why an address could not be asked, in words. */
  failure: string | undefined
}

export type HttpProxy = {
  /** For the variable `http_proxy` of a program that speaks plain HTTP. */
  url: string
  seen: SeenHttp
  forget: () => void
  /** Ends every connection that is open; a new one may be made. */
  cut: () => void
  close: () => Promise<void>
}

export type HttpProxyOptions = {
  guard: Guard
  /** An address was refused: URL_REFUSED. */
  onRefused: (error: WorkerError) => void
  /** For tests: certificates that are trusted besides. */
  ca?: string | Buffer
}

const nothingSeen = (): SeenHttp => ({
  status: undefined,
  playlistEnded: undefined,
  isWhole: false,
  failure: undefined,
})

const connectMs = 10_000

/**
 * The only way to the web for a program that reads what strangers wrote. Every request is judged by the guard, each after a
 * redirect and each out of a playlist as well, and goes to the address that was judged. TLS is done here, with certificates
 * checked, so that the program needs no other protocol than plain HTTP; there is no CONNECT, since ffmpeg lets a playlist
 * choose where it is sent to (`httpproxy:`).
 */
export const openHttpProxy = async ({ guard, onRefused, ca }: HttpProxyOptions): Promise<HttpProxy> => {
  const agents = {
    http: new HttpAgent({ keepAlive: true }),
    https: new HttpsAgent({ keepAlive: true, ...(ca === undefined ? {} : { ca }) }),
  }
  const proxy: HttpProxy = {
    url: '',
    seen: nothingSeen(),
    forget: () => {
      proxy.seen = nothingSeen()
    },
    cut: () => server.closeAllConnections(),
    close: async () => {
      agents.http.destroy()
      agents.https.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  const server = createServer((request, response) => {
    carry(request, response).catch((thrown: unknown) => {
      const error = asWorkerError(thrown)
      if (error.code === 'URL_REFUSED') onRefused(error)
      else proxy.seen.failure = error.message
      if (response.headersSent) response.destroy()
      else refuse(response, error.code === 'URL_REFUSED' ? 403 : 502, error.message)
    })
  })
  const carry = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const asked = outerUrl(request.url ?? '')
    if (typeof asked === 'string') throw new WorkerError('URL_REFUSED', asked)
    if (request.method !== 'GET' && request.method !== 'HEAD')
      throw new WorkerError('URL_REFUSED', `${request.method} is nothing that a recording needs`)
    const answer = await ask(asked, request, { guard, agents })
    response.once('close', () => answer.destroy())
    proxy.seen.status = answer.statusCode
    proxy.seen.failure = undefined
    await forward(asked, answer, response, proxy.seen)
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  proxy.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return proxy
}

type Ways = { guard: Guard; agents: { http: HttpAgent; https: HttpsAgent } }

const ask = async (
  { isTls, host, port, path }: OuterUrl,
  request: IncomingMessage,
  { guard, agents }: Ways,
): Promise<IncomingMessage> => {
  const target = await guard.check(host, port)
  const options: RequestOptions = {
    method: request.method,
    host: target.host,
    port,
    path,
    headers: headersFor(request, isTls, host, port),
    lookup: target.lookup,
    agent: isTls ? agents.https : agents.http,
    timeout: connectMs,
  }
  return new Promise((resolve, reject) => {
    const asked = (isTls ? httpsRequest : httpRequest)(options, resolve)
    // The time-out is for the way there; how long a stream may be silent is judged by who reads it.
    asked.once('timeout', () => asked.destroy(new Error(`no answer for ${connectMs / 1000} s`)))
    asked.once('response', () => asked.setTimeout(0))
    asked.once('error', (error) =>
      reject(new WorkerError('SOURCE_UNREACHABLE', `${host}:${port}: ${error.message}`, error)),
    )
    request.once('close', () => {
      if (request.destroyed && !request.complete) asked.destroy()
    })
    asked.end()
  })
}

/**
 * Names that are between two neighbours only (RFC 9110, 7.6.1), and what would make a body another one for ffmpeg than it is for
 * us: it takes titles out of it where `icy-metaint` says so, and unpacks it.
 */
const oursHeaders = new Set([
  'icy-metadata',
  'icy-metaint',
  'content-encoding',
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'proxy-authenticate',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const headersFor = ({ headers }: IncomingMessage, isTls: boolean, host: string, port: number) => ({
  ...Object.fromEntries(Object.entries(headers).filter(([name]) => !oursHeaders.has(name))),
  host: port === (isTls ? 443 : 80) ? host : `${host}:${port}`,
  'accept-encoding': 'identity',
})

const forward = async (
  asked: OuterUrl,
  answer: IncomingMessage,
  response: ServerResponse,
  seen: SeenHttp,
): Promise<void> => {
  const headers = new Map(
    Object.entries(answer.headers).filter(([name, value]) => !oursHeaders.has(name) && value !== undefined),
  )
  const { location } = answer.headers
  if (location !== undefined) headers.set('location', innerLocation(location, asked))
  const body = plainBody(answer)
  if (body !== answer) headers.delete('content-length')
  const kind = await kindOfBody(body)
  const send = (status: number) => {
    for (const [name, value] of headers) if (value !== undefined) response.setHeader(name, value)
    response.statusCode = status
  }
  const status = answer.statusCode ?? 502
  switch (kind) {
    case 'hidden':
      throw new WorkerError('URL_REFUSED', `${asked.host}:${asked.port} hides a playlist behind a tag`)
    case 'playlist': {
      const text = await readPlaylist(body)
      if (/^#EXT(INF|-X-TARGETDURATION)/m.test(text)) seen.playlistEnded = /^#EXT-X-ENDLIST/m.test(text)
      const inner = Buffer.from(innerPlaylist(text, addressOf(asked)))
      for (const name of ['content-range', 'accept-ranges', 'etag']) headers.delete(name)
      headers.set('content-length', String(inner.length))
      send(status === 206 ? 200 : status)
      response.end(inner)
      return
    }
    case 'other':
      send(status)
      seen.isWhole = false
      await pipeline(body, response).catch(() => undefined)
      seen.isWhole = answer.complete && answer.headers['content-length'] !== undefined
      return
    default:
      throw kind satisfies never
  }
}

/** @throws WorkerError URL_REFUSED */
const innerLocation = (location: string, asked: OuterUrl): string => {
  const base = addressOf(asked)
  const url = URL.canParse(location, base) ? new URL(location, base) : undefined
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new WorkerError('URL_REFUSED', `${asked.host}:${asked.port} redirects to ${shownUrl(location)}`)
  return innerUrl(url.href)
}

const refuse = (response: ServerResponse, status: number, why: string): void => {
  response.statusCode = status
  response.setHeader('content-type', 'text/plain; charset=utf-8')
  response.end(`${why}\n`)
}
