import { WorkerError } from '../errors.ts'
import { withAddresses } from './attributes.ts'

/**
 * ffmpeg speaks plain HTTP only, and only with the proxy in our process; TLS is the business of the proxy. So an https address
 * gets a form that ffmpeg takes for http: its host has this at its end, which no host in the world has (RFC 2606).
 */
const tlsMark = '.tls.invalid'
/** Before it, where the host is an address of IPv6: ffmpeg drops what stands behind a bracket, so it gets none. */
const ip6Mark = '.ip6'
/** What stands for addresses of other schemes: who asks for it learns that it is refused. */
const refusedMark = '.refused.invalid'

/** The form of an address that ffmpeg gets: always one of http. Path and query stay as they are. */
export const innerUrl = (url: string): string => {
  const { protocol, hostname, port, pathname, search } = new URL(url)
  const rest = `${pathname}${search}`
  switch (protocol) {
    case 'http:':
      return `http://${hostname}${port === '' ? '' : `:${port}`}${rest}`
    case 'https:':
      return `http://${tlsHost(hostname)}:${port === '' ? 443 : port}${rest}`
    default:
      // Named like a part of a stream, or some versions of ffmpeg would not even ask.
      return `http://${protocol.slice(0, -1)}${refusedMark}/refused.ts`
  }
}

const tlsHost = (host: string): string =>
  (host.startsWith('[') ? host.slice(1, -1).replaceAll(':', '-') + ip6Mark : host) + tlsMark

/** The host that `tlsHost` got. */
const outerHost = (host: string): string =>
  host.endsWith(ip6Mark) ? `[${host.slice(0, -ip6Mark.length).replaceAll('-', ':')}]` : host

export type OuterUrl = { isTls: boolean; host: string; port: number; path: string }

/**
 * What ffmpeg asks the proxy for, as it was before.
 * @param asked the address in the request line
 * @returns the reason, where it is nothing that may be asked for
 */
export const outerUrl = (asked: string): OuterUrl | string => {
  const match = /^http:\/\/(\[[0-9a-f:.]+\]|[^/?#@:[\]\\]+)(?::(\d{1,5}))?([/?][^#\s]*)?$/i.exec(asked)
  const [, named = '', port, path = '/'] = match ?? []
  if (match === null) return 'it is no plain address of http'
  if (named.toLowerCase().endsWith(refusedMark))
    return `a playlist leads to ${named.slice(0, -refusedMark.length)}:, and only http and https may be`
  const isTls = named.toLowerCase().endsWith(tlsMark)
  return {
    isTls,
    host: isTls ? outerHost(named.slice(0, -tlsMark.length)) : named,
    port: port === undefined ? 80 : Number(port),
    path: path.startsWith('/') ? path : `/${path}`,
  }
}

/** The address that the outside knows. */
export const addressOf = ({ isTls, host, port, path }: OuterUrl): string =>
  `${isTls ? 'https' : 'http'}://${host}:${port}${path}`

/** What ffmpeg says, with addresses as the outside knows them. */
export const outerText = (text: string): string =>
  text.replace(
    /(http:\/\/)?([^\s/?#@:'"]+)\.tls\.invalid:(\d+)/gi,
    (_whole, scheme: string | undefined, host: string, port: string) =>
      `${scheme === undefined ? '' : 'https://'}${outerHost(host)}${port === '443' ? '' : `:${port}`}`,
  )

/** Where a line of a playlist ends for ffmpeg. */
export const lineEnd = /\r\n|[\r\n\0]/

/** Of a playlist for ffmpeg: short lines become long ones when their addresses are whole. */
const mostCharacters = 16 * 1024 * 1024

/**
 * A playlist in which every address is whole and in the form that ffmpeg gets. ffmpeg would open a media playlist by any protocol
 * that it may speak, and it must be able to speak TCP: so nothing of what a stranger wrote may be left where it looks for
 * addresses. Lines end where they end for ffmpeg, and attributes are taken apart as it does that.
 * @param base where the playlist is from
 * @throws WorkerError SOURCE_UNSUPPORTED
 */
export const innerPlaylist = (text: string, base: string): string => {
  let left = mostCharacters - text.length
  const inner = (uri: string): string => {
    const address = innerLine(uri.trim(), base)
    left -= Math.max(0, address.length - uri.length)
    if (left < 0)
      throw new WorkerError(
        'SOURCE_UNSUPPORTED',
        `a playlist has more than ${mostCharacters} characters when its addresses are whole`,
      )
    return address
  }
  return text
    .split(lineEnd)
    .map((line) => (line.startsWith('#') ? withAddresses(line, inner) : inner(line)))
    .join('\n')
}

/** A quotation mark or a backslash would end or change a quoted address. */
const innerLine = (uri: string, base: string): string => {
  if (uri === '') return ''
  const absolute = URL.canParse(uri, base) ? new URL(uri, base).href : 'unreadable:'
  return innerUrl(absolute).replaceAll('"', '%22').replaceAll('\\', '%5C')
}
