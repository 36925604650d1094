import type { WorkerError } from '../errors.ts'
import type { Guard } from '../net/guard.ts'
import { parseHttpUrl, portOf } from '../net/guarded-fetch.ts'
import { openHttpProxy, type SeenHttp } from '../net/http-proxy.ts'
import { innerUrl } from '../net/inner-url.ts'
import { openRelay } from '../net/relay.ts'

/** A source as ffmpeg is told of it: always somewhere in our own process. */
export type SourceAddress =
  | { kind: 'http'; url: string }
  | { kind: 'rtmp'; url: string; tcUrl: string }
  | { kind: 'rtsp'; url: string }

export type OpenedSource = {
  address: SourceAddress
  /** What programs that read it need in their environment. */
  env: Record<string, string>
  /** Of HTTP: what went through since the last `forget`. */
  seen: () => SeenHttp | undefined
  forget: () => void
  /** Why nothing can be reached, in words. */
  failure: () => string | undefined
  /** Ends every connection that is open; a new one may be made. */
  cut: () => void
  close: () => Promise<void>
}

export type SourceOptions = {
  guard: Guard
  onRefused: (error: WorkerError) => void
  /** For tests: certificates that are trusted besides. */
  ca?: string | Buffer | undefined
}

const defaultPorts = { rtmp: 1935, rtmps: 443, rtsp: 554, rtsps: 322 } as const

/**
 * Opens the way to a source. Its address is judged at once, so that a refusal needs no ffmpeg, and again with every connection.
 * @throws WorkerError URL_REFUSED, SOURCE_UNREACHABLE
 */
export const openSource = async (text: string, { ca, ...options }: SourceOptions): Promise<OpenedSource> => {
  const trust = ca === undefined ? {} : { ca }
  const match = /^(rtmps?|rtsps?):\/\//i.exec(text)
  const scheme = match?.[1]?.toLowerCase() as keyof typeof defaultPorts | undefined
  if (scheme === undefined) return openHttp(parseHttpUrl(text), { ...options, ...trust })
  // The parser knows hosts of http only: in other schemes they stay as odd as they were written.
  const { host, port, path } = partsOf(text, scheme)
  await options.guard.check(host, port)
  const protocol = scheme.startsWith('rtmp') ? 'rtmp' : 'rtsp'
  const isTls = scheme.endsWith('s')
  const relay = await openRelay({ ...options, ...trust, host, port, isTls, protocol })
  const here = `127.0.0.1:${relay.port}${path}`
  return {
    address:
      protocol === 'rtmp'
        ? {
            kind: 'rtmp',
            url: `rtmp://${here}`,
            tcUrl: `${scheme}://${bracketed(host)}:${port}/${appOf(path)}`,
          }
        : { kind: 'rtsp', url: `rtsp://${here}` },
    env: {},
    seen: () => undefined,
    forget: () => undefined,
    failure: relay.failure,
    cut: relay.cut,
    close: relay.close,
  }
}

const openHttp = async (
  url: URL,
  options: SourceOptions & { ca?: string | Buffer },
): Promise<OpenedSource> => {
  await options.guard.check(url.hostname, portOf(url))
  const proxy = await openHttpProxy(options)
  return {
    address: { kind: 'http', url: innerUrl(url.href) },
    // A name in `no_proxy` would be gone to directly, so there is none: the environment is made here, and not inherited.
    env: { http_proxy: proxy.url },
    seen: () => proxy.seen,
    forget: proxy.forget,
    failure: () => proxy.seen.failure,
    cut: proxy.cut,
    close: proxy.close,
  }
}

const partsOf = (text: string, scheme: keyof typeof defaultPorts) => {
  const url = parseHttpUrl(text.replace(/^[a-z]+/i, 'http'))
  const port = /^[a-z]+:\/\/[^/?#]*:(\d+)(?:[/?#]|$)/i.exec(text)?.[1]
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === undefined ? defaultPorts[scheme] : Number(port),
    path: `${url.pathname}${url.search}`,
  }
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host)

/** The application in a path of RTMP, as ffmpeg cuts it: one part of three is the stream, and of two as well. */
export const appOf = (path: string): string => {
  const parts = path
    .replace(/[?#].*$/s, '')
    .split('/')
    .slice(1)
  return parts.slice(0, parts.length > 2 ? 2 : 1).join('/')
}
