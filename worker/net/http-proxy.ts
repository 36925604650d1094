import { once } from 'node:events'
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
import { type Cookies, openCookies } from './cookies.ts'
import type { Guard } from './guard.ts'
import { shownUrl } from './guarded-fetch.ts'
import { addressOf, innerPlaylist, innerUrl, type OuterUrl, outerUrl } from './inner-url.ts'
import { ended, type Init, oneInit } from './one-init.ts'

/** What went through since the last `forget`. */
export type SeenHttp = {
  /** Of the last answer. */
  status: number | undefined
  /** Whether the last playlist with segments said that no more will come; undefined: there was none. */
  playlistEnded: boolean | undefined
  /** Whether the last body that was no playlist came to the end that it had announced. */
  isWhole: boolean
  /** Whether a live playlist went on with another init section; ffmpeg was given its end there. */
  initChanged: boolean
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
  initChanged: false,
  failure: undefined,
})

const connectMs = 10_000
/** That nobody follows; a source may name as many as it likes. */
const mostRedirects = 100

/**
 * The only way to the web for a program that reads what strangers wrote. Every request is judged by the guard, each after a
 * redirect and each out of a playlist as well, and goes to the address that was judged. TLS is done here, with certificates
 * checked, so that the program needs no other protocol than plain HTTP; there is no CONNECT, since ffmpeg lets a playlist
 * choose where it is sent to (`httpproxy:`). Cookies are kept here as well: ffmpeg would match them by our hosts, not by theirs.
 */
export const openHttpProxy = async ({ guard, onRefused, ca }: HttpProxyOptions): Promise<HttpProxy> => {
  const agents = {
    http: new HttpAgent({ keepAlive: true }),
    https: new HttpsAgent({ keepAlive: true, ...(ca === undefined ? {} : { ca }) }),
  }
  const cookies = openCookies()
  const known: Known = { inits: new Map(), live: new Set(), originals: new Map() }
  const proxy: HttpProxy = {
    url: '',
    seen: nothingSeen(),
    forget: () => {
      proxy.seen = nothingSeen()
      known.inits.clear()
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
      // What broke because nobody reads it any more says nothing about the source.
      else if (!response.destroyed) Object.assign(proxy.seen, { status: undefined, failure: error.message })
      if (response.headersSent) response.destroy()
      else refuse(response, error.code === 'URL_REFUSED' ? 403 : 502, error.message)
    })
  })
  const carry = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const asked = outerUrl(request.url ?? '')
    if (typeof asked === 'string') throw new WorkerError('URL_REFUSED', asked)
    if (request.method !== 'GET' && request.method !== 'HEAD')
      throw new WorkerError('URL_REFUSED', `${request.method} is nothing that a recording needs`)
    const answer = await ask(asked, request, response, { guard, agents, cookies })
    await cookies.keep(addressOf(asked), answer.headers['set-cookie'] ?? [])
    proxy.seen.status = answer.statusCode
    proxy.seen.failure = undefined
    await forward(asked, answer, response, { seen: proxy.seen, known })
  }
  await once(server.listen(0, '127.0.0.1'), 'listening')
  proxy.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return proxy
}

/** What is remembered of playlists, by the addresses that they were asked for at first. */
type Known = {
  /** Of this run. */
  inits: Map<string, Init>
  /** Those that had no end once. */
  live: Set<string>
  /** By where a redirect led to, until it is followed: some lead to another address each time. */
  originals: Map<string, string>
}

type Ways = { guard: Guard; agents: { http: HttpAgent; https: HttpsAgent }; cookies: Cookies }

const ask = async (
  outer: OuterUrl,
  request: IncomingMessage,
  response: ServerResponse,
  { guard, agents, cookies }: Ways,
): Promise<IncomingMessage> => {
  const { isTls, host, port, path } = outer
  const target = await guard.check(host, port)
  const cookie = await cookies.for(addressOf(outer))
  const options: RequestOptions = {
    method: request.method,
    host: target.host,
    port,
    path,
    headers: { ...headersFor(request, isTls, host, port), ...(cookie === '' ? {} : { cookie }) },
    lookup: target.lookup,
    agent: isTls ? agents.https : agents.http,
    timeout: connectMs,
  }
  return send(isTls ? httpsRequest : httpRequest, options, response).catch((error: Error) => {
    throw new WorkerError('SOURCE_UNREACHABLE', `${host}:${port}: ${error.message}`, error)
  })
}

/** Sends a request for as long as somebody waits for what comes of it. */
const send = (
  request: typeof httpRequest,
  options: RequestOptions,
  response: ServerResponse,
): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const asked = request(options, resolve)
    let isAnswered = false
    // The time-out is for the way there; how long a stream may be silent is judged by who reads it.
    asked.once('timeout', () => asked.destroy(new Error(`no answer for ${connectMs / 1000} s`)))
    asked.once('response', () => {
      isAnswered = true
      asked.setTimeout(0)
    })
    asked.on('error', (error: NodeJS.ErrnoException) => {
      // A connection that was kept may be closed at the very moment it is used again; ffmpeg would leave out the segment.
      const isStale = asked.reusedSocket && error.code === 'ECONNRESET'
      if (isStale && !isAnswered && !response.destroyed) resolve(send(request, options, response))
      else reject(error)
    })
    if (response.destroyed) asked.destroy()
    else response.once('close', () => asked.destroy())
    asked.end()
  })

/**
 * Names that are between two neighbours only (RFC 9110, 7.6.1), what would make a body another one for ffmpeg than it is for us
 * (it takes titles out of it where `icy-metaint` says so, and unpacks it), and cookies, which only the proxy knows the hosts of.
 */
const oursHeaders = new Set([
  'cookie',
  'set-cookie',
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
  { seen, known }: { seen: SeenHttp; known: Known },
): Promise<void> => {
  const address = addressOf(asked)
  const original = known.originals.get(address) ?? address
  known.originals.delete(address)
  const headers = new Map(
    Object.entries(answer.headers).filter(([name, value]) => !oursHeaders.has(name) && value !== undefined),
  )
  const { location } = answer.headers
  if (location !== undefined) {
    const inner = innerLocation(location, asked)
    headers.set('location', inner)
    const next = outerUrl(inner)
    if (known.originals.size >= mostRedirects) known.originals.clear()
    if (typeof next !== 'string') known.originals.set(addressOf(next), original)
  }
  const plain = plainBody(answer)
  if (plain !== answer) headers.delete('content-length')
  const { kind, body } = await kindOfBody(plain)
  const begin = (status: number) => {
    for (const [name, value] of headers) if (value !== undefined) response.setHeader(name, value)
    response.statusCode = status
  }
  const status = answer.statusCode ?? 502
  switch (kind) {
    case 'hidden':
      throw new WorkerError('URL_REFUSED', `${asked.host}:${asked.port} hides a playlist behind a tag`)
    case 'playlist': {
      const whole = await readPlaylist(body)
      const isMedia = /^#EXT(INF|-X-TARGETDURATION)/m.test(whole)
      if (isMedia) seen.playlistEnded = /^#EXT-X-ENDLIST/m.test(whole)
      const text = isMedia ? upToChange(whole, original, seen, known) : whole
      const inner = Buffer.from(innerPlaylist(text, address))
      for (const name of ['content-range', 'accept-ranges', 'etag']) headers.delete(name)
      headers.set('content-length', String(inner.length))
      begin(status === 206 ? 200 : status)
      response.end(inner)
      return
    }
    case 'other':
      begin(status)
      seen.isWhole = false
      await pipeline(body, response).catch(() => undefined)
      seen.isWhole = answer.complete && answer.headers['content-length'] !== undefined
      return
    default:
      throw kind satisfies never
  }
}

/** Once one playlist of a run has ended for ffmpeg, all do: its pictures would stop, and its sound go on. */
const upToChange = (whole: string, original: string, seen: SeenHttp, { inits, live }: Known): string => {
  if (seen.playlistEnded === false) live.add(original)
  const { text, init, isOther } = oneInit(whole, inits.get(original), live.has(original))
  if (init !== undefined) inits.set(original, init)
  seen.initChanged ||= isOther
  return seen.initChanged ? ended(text) : text
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
