import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Transform, type TransformCallback } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { connect as tlsConnect } from 'node:tls'
import { asWorkerError, WorkerError } from '../errors.ts'
import type { Guard, Target } from './guard.ts'

export type Relay = {
  port: number
  failure: () => string | undefined
  cut: () => void
  close: () => Promise<void>
}

export type RelayOptions = {
  guard: Guard
  host: string
  port: number
  isTls: boolean
  /** RTSP may send its client elsewhere; RTMP as ffmpeg speaks it may not. */
  protocol: 'rtmp' | 'rtsp'
  onRefused: (error: WorkerError) => void
  /** For tests: certificates that are trusted besides. */
  ca?: string | Buffer
}

const connectMs = 10_000

/**
 * A port of ours that stands for one server: each connection to it is judged by the guard, and goes on to the address that was
 * judged. So ffmpeg needs neither names nor TLS for RTMP and RTSP.
 */
export const openRelay = async (options: RelayOptions): Promise<Relay> => {
  const { guard, host, port, protocol, onRefused } = options
  const open = new Set<Socket>()
  let failure: string | undefined
  const server = createServer((near) => {
    carry(near)
      .catch((thrown: unknown) => {
        const error = asWorkerError(thrown)
        if (error.code === 'URL_REFUSED') onRefused(error)
        else failure = error.message
      })
      .finally(() => near.destroy())
  })
  const carry = async (near: Socket): Promise<void> => {
    keep(near, open)
    const target = await guard.check(host, port)
    const far = keep(await connectTo(target, options), open)
    failure = undefined
    if (protocol === 'rtmp') return both(near, far)
    const here = `rtsp://127.0.0.1:${(server.address() as AddressInfo).port}`
    const watch = watchRtsp(`${host}:${port}`)
    return both(near, far, renaming(here, `rtsp://${bracketed(host)}:${port}`, watch), watch.answers)
  }
  const cut = () => {
    for (const socket of open) socket.destroy()
  }
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    failure: () => failure,
    cut,
    close: async () => {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host)

const keep = (socket: Socket, open: Set<Socket>): Socket => {
  open.add(socket)
  socket.once('close', () => open.delete(socket))
  // What breaks is told by the pipeline that it is part of.
  socket.on('error', () => undefined)
  return socket
}

const connectTo = async (target: Target, { isTls, ca }: RelayOptions): Promise<Socket> => {
  const { host, port, lookup } = target
  const socket = isTls
    ? tlsConnect({ host, port, lookup, servername: host, ...(ca === undefined ? {} : { ca }) })
    : connect({ host, port, lookup })
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      socket.destroy()
      reject(new WorkerError('SOURCE_UNREACHABLE', `${host}:${port}: ${error.message}`, error))
    }
    socket.setTimeout(connectMs, () => fail(new Error(`no answer for ${connectMs / 1000} s`)))
    socket.once('error', fail)
    socket.once(isTls ? 'secureConnect' : 'connect', () => {
      socket.setTimeout(0)
      socket.off('error', fail)
      resolve(socket)
    })
  })
}

/** Both directions until one ends; a line that breaks is the end of it, but a refusal is more than that. */
const both = async (near: Socket, far: Socket, up?: Transform, down?: Transform): Promise<void> => {
  const ways = [
    up === undefined ? pipeline(near, far) : pipeline(near, up, far),
    down === undefined ? pipeline(far, near) : pipeline(far, down, near),
  ]
  const ends = await Promise.allSettled(ways)
  for (const end of ends) if (end.status === 'rejected' && end.reason instanceof WorkerError) throw end.reason
}

/** The server is asked for by its own name, not by that of our port. */
const renaming = (from: string, to: string, { asks }: RtspWatch): Transform =>
  new Transform({
    transform: (chunk: Buffer, _encoding, done: TransformCallback) => {
      asks(chunk)
      const text = chunk.toString('latin1')
      done(null, text.includes(from) ? Buffer.from(text.replaceAll(from, to), 'latin1') : chunk)
    },
  })

type RtspWatch = { asks: (chunk: Buffer) => void; answers: Transform }

/**
 * An answer of a server of RTSP may redirect to any address, and ffmpeg would go there by itself. It takes that from a header
 * `Location`, before it has asked to play; so no such header may come until then.
 */
const watchRtsp = (server: string): RtspWatch => {
  let plays = false
  let tail = ''
  return {
    asks: (chunk) => {
      plays ||= /^PLAY /m.test(chunk.toString('latin1'))
    },
    answers: new Transform({
      transform: (chunk: Buffer, _encoding, done: TransformCallback) => {
        if (plays) return done(null, chunk)
        // ffmpeg leaves out every carriage return, and a packet of media may stand before a line: so it is looked for anywhere.
        const text = tail + chunk.toString('latin1').replaceAll('\r', '')
        if (/location:/i.test(text))
          return done(new WorkerError('URL_REFUSED', `${server} redirects, which RTSP sources may not`))
        tail = text.slice(-16)
        done(null, chunk)
      },
    }),
  }
}
