import type { AddressInfo } from 'node:net'
import { ControllerError } from '../errors.ts'
import { hasTokens, isLoopback } from './access.ts'
import type { Api } from './api.ts'
import type { Tokens } from './ports.ts'

export type ListenOptions = { host: string; port: number; tokens: Tokens }

/**
 * Starts to listen.
 * @returns the address of the page, `http://127.0.0.1:8080`
 * @throws ControllerError TOKEN_NEEDED, PORT_IN_USE, ADDRESS_UNAVAILABLE
 */
export async function listen(server: Api, { host, port, tokens }: ListenOptions): Promise<string> {
  if (!isLoopback(host) && !hasTokens(tokens)) throw ControllerError.of('TOKEN_NEEDED', { host })
  try {
    await server.listen({ host, port })
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') throw ControllerError.of('PORT_IN_USE', { host, port }, { cause: error })
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      throw ControllerError.of('ADDRESS_UNAVAILABLE', { host, port, detail: message }, { cause: error })
    throw error
  }
  const { address, family, port: listened } = server.server.address() as AddressInfo
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${listened}`
}

const lastAnswersMs = 1000

/** Answers what has been asked; whoever holds a connection open after that, and asks nothing, does not hold up the end. */
export async function close(server: Api): Promise<void> {
  const cut = setTimeout(() => server.server.closeAllConnections(), lastAnswersMs)
  await server.close()
  clearTimeout(cut)
}
