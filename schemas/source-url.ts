import { z } from 'zod'
import { isPlainAddress, whyNotPublic } from './public-address.ts'

const schemes = /^(https?|rtmps?|rtsps?):\/\//i

/** The host of an address, as the parser of http knows it: odd forms of IP addresses in their plain one. */
const hostOf = (url: string): string | undefined => {
  const asHttp = url.replace(schemes, 'http://')
  return URL.canParse(asHttp) ? new URL(asHttp).hostname.replace(/^\[(.*)\]$/, '$1') : undefined
}

const hasUser = (url: string): boolean => /^[a-z]+:\/\/[^/?#]*@/i.test(url)

/** Private addresses may be opened by the operator; those where credentials are handed out may not. */
const isNeverReached = (host: string): boolean =>
  isPlainAddress(host) && whyNotPublic(host, 80, everywhere) !== undefined

const everywhere = [
  { network: '127.0.0.0', prefix: 0, port: undefined },
  { network: '::1', prefix: 0, port: undefined },
]

/** An address that users give: what can be said about it without looking anything up. The worker says the rest. */
export const sourceUrlSchema = z
  .string()
  .max(2000, { error: 'must be at most 2000 characters' })
  .refine((url) => schemes.test(url), {
    error: 'must begin with http://, https://, rtmp://, rtmps://, rtsp:// or rtsps://',
    abort: true,
  })
  .refine((url) => !/\s/.test(url) && Boolean(hostOf(url)), {
    error: 'must be a URL with a host, without spaces',
    abort: true,
  })
  .refine((url) => !hasUser(url), {
    error: 'must not carry a user or password: everybody who may read the record could read them',
    abort: true,
  })
  .refine((url) => !isNeverReached(hostOf(url) ?? ''), {
    error: 'must not lead to link-local, reserved or unspecified addresses',
  })
