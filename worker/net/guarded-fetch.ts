import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { WorkerError } from '../errors.ts'
import type { Guard } from './guard.ts'

export type GuardedRequest = {
  method: 'GET' | 'HEAD'
  headers?: Readonly<Record<string, string>>
  guard: Guard
  signal: AbortSignal
  /** For the whole of it, redirects included. */
  timeoutMs: number
  /** What is read of the body; the rest is not waited for. */
  maxBytes: number
  maxRedirects?: number
  /** For tests: certificates that are trusted besides. */
  ca?: string | Buffer
}

export type GuardedAnswer = {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
  /** Where it came from in the end. */
  url: string
}

/**
 * Asks an address that a user gave us for something small. Every address on the way, also after a redirect, is checked by the
 * guard, and connected to as it was checked.
 * @throws WorkerError URL_REFUSED; SOURCE_UNREACHABLE when nobody answers. A status of any kind is an answer.
 */
export const guardedFetch = async (url: string, options: GuardedRequest): Promise<GuardedAnswer> => {
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)])
  let at = url
  for (let left = options.maxRedirects ?? 5; ; left -= 1) {
    const answer = await ask(parseHttpUrl(at), { ...options, signal }).catch((thrown: unknown) => {
      options.signal.throwIfAborted()
      if (thrown instanceof WorkerError) throw thrown
      const said = thrown instanceof Error ? thrown.message : String(thrown)
      throw new WorkerError('SOURCE_UNREACHABLE', `${shownUrl(at)}: ${said}`, thrown)
    })
    const { location } = answer.headers
    if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined)
      return { ...answer, url: at }
    if (left === 0) throw new WorkerError('SOURCE_UNREACHABLE', `${shownUrl(url)}: too many redirects`)
    if (!URL.canParse(location, at)) throw new WorkerError('URL_REFUSED', 'a redirect leads to no address')
    at = new URL(location, at).href
  }
}

/** @throws WorkerError URL_REFUSED */
export const parseHttpUrl = (text: string): URL => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new WorkerError('URL_REFUSED', `${shownUrl(text)} is neither http:// nor https://`)
  if (url.username !== '' || url.password !== '')
    throw new WorkerError('URL_REFUSED', 'it carries a user name or a password')
  return url
}

export const portOf = (url: URL): number => Number(url.port) || (url.protocol === 'https:' ? 443 : 80)

/** An address fit for logs and messages: what stands in a query may be a secret. */
export const shownUrl = (text: string): string =>
  text.replace(/^([a-z]+:\/\/)[^/?#]*@/i, '$1***@').replace(/[?#].*$/s, '?***')

const ask = async (
  url: URL,
  { method, headers, guard, signal, maxBytes, ca }: GuardedRequest,
): Promise<Omit<GuardedAnswer, 'url'>> => {
  const target = await guard.check(url.hostname, portOf(url))
  signal.throwIfAborted()
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const asked = request(
      url,
      {
        method,
        headers: { 'user-agent': 'ecs-job-operator', ...headers },
        lookup: target.lookup,
        agent: false,
        signal,
        ...(ca === undefined ? {} : { ca }),
      },
      (response) => {
        readUpTo(response, maxBytes).then(
          (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
          reject,
        )
      },
    )
    asked.once('error', reject)
    asked.end()
  })
}

const readUpTo = async (response: IncomingMessage, maxBytes: number): Promise<Buffer> => {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes >= maxBytes) break
  }
  return Buffer.concat(chunks).subarray(0, maxBytes)
}
