import bearerAuth from '@fastify/bearer-auth'
import type { FastifyRequest } from 'fastify'
import { ControllerError } from '../errors.ts'
import type { Api } from './api.ts'
import type { Tokens } from './ports.ts'

export const hasTokens = ({ all, read }: Tokens): boolean => all !== undefined || read !== undefined

/**
 * Whether the host part of a `Host` header, an address or `HOST` names nothing but this machine. Browsers resolve
 * `localhost` and what ends in it to loopback themselves (WHATWG Secure Contexts), so no foreign name server can claim it.
 */
export function isLoopback(host: string): boolean {
  const hostname = urlOf(`http://${isBareIpv6(host) ? `[${host}]` : host}`)?.hostname ?? ''
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(\.\d{1,3}){3}$/.test(hostname)
  )
}

const isBareIpv6 = (host: string): boolean => host.includes('::') && !host.startsWith('[')

const urlOf = (text: string): URL | undefined => (URL.canParse(text) ? new URL(text) : undefined)

/**
 * Refuses what a page of somebody else could make a browser send. Without a token, being on this machine is all that
 * authorises a caller, and a browser on this machine works for every page that it shows: so the page must be ours (`Origin`),
 * and the name it used must be ours too, or a name that was rebound to 127.0.0.1 would make any page ours. A token is
 * something that no browser adds by itself, so with one none of this is needed.
 */
export function refuseForeignPages(app: Api, tokens: Tokens): void {
  if (hasTokens(tokens)) return
  app.addHook('onRequest', async ({ headers: { host, origin } }) => {
    if (!isLoopback(host ?? '')) throw ControllerError.of('HOST_NOT_LOCAL', { host: host ?? 'no host' })
    if (origin !== undefined && urlOf(origin)?.host !== host?.toLowerCase())
      throw ControllerError.of('ORIGIN_FOREIGN', { origin })
  })
}

/**
 * Asks for a token where there are any; the one for reading opens GET only. Runs after the rate limit (a hook of the route),
 * so that guessing is slow. The plugin compares in constant time.
 */
export async function requireToken(app: Api, tokens: Tokens): Promise<void> {
  if (!hasTokens(tokens)) return
  await app.register(bearerAuth, { keys: [], addHook: false })
  const verifierOf = (...accepted: (string | undefined)[]) => {
    const keys = accepted.filter((token) => token !== undefined)
    const verify = app.verifyBearerAuthFactory?.({ keys, addHook: false, verifyErrorLogLevel: 'debug' })
    if (!verify) throw new Error('@fastify/bearer-auth is not registered')
    return verify
  }
  const mayRead = verifierOf(tokens.all, tokens.read)
  const mayWrite = verifierOf(tokens.all)

  app.addHook('preParsing', (request, reply, _payload, done) => {
    mayRead(request, reply, (error) => {
      if (error) return done(refusal(request))
      if (isReading(request)) return done()
      mayWrite(request, reply, (refused) =>
        done(refused ? ControllerError.of('TOKEN_READ_ONLY', {}) : undefined),
      )
    })
  })
}

const isReading = ({ method }: FastifyRequest): boolean => method === 'GET' || method === 'HEAD'

const refusal = ({ headers }: FastifyRequest): ControllerError =>
  ControllerError.of(headers.authorization === undefined ? 'TOKEN_MISSING' : 'TOKEN_INVALID', {})
