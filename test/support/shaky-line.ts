import type { AddressInfo } from 'node:net'
import { createServer, connect as open, type Socket } from 'node:net'

export type ShakyLine = {
  /** `http://127.0.0.1:<port>`, an address that leads to the target. */
  address: string
  /** The next connection that brings more than so many bytes back is cut there; once. */
  cutAfter: (bytes: number) => void
  close: () => Promise<void>
}

/** A TCP line to a server on this machine that can be cut in the middle of an answer. */
export const openShakyLine = async (target: string): Promise<ShakyLine> => {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  let cutAt: number | undefined

  const server = createServer((near) => {
    const far = open(Number(port), hostname)
    let bytes = 0
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    near.pipe(far)
    far.on('data', (chunk) => {
      bytes += chunk.length
      if (cutAt !== undefined && bytes > cutAt) {
        cutAt = undefined
        near.destroy()
        return
      }
      if (!near.write(chunk)) far.pause()
    })
    near.on('drain', () => far.resume())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutAfter: (bytes) => {
      cutAt = bytes
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
