import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MediaTools } from '../../worker/ffmpeg.ts'
import { until } from './wait.ts'

/** Sources for recordings, on loopback and for real: each is closed at the end. */

export type Site = {
  port: number
  url: string
  /** What was asked for, in its order. */
  asked: string[]
  close: () => Promise<void>
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A web server that does what the test says. */
export const openSite = async (answer: Answer, host = '127.0.0.1', at = 0): Promise<Site> => {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(at, host, resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    asked,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A port that nobody may reach: what arrives there is counted, whatever it speaks. */
export const openTrap = async (host = '127.0.0.1') => {
  const hits: string[] = []
  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => {
    sockets.add(socket)
    hits.push('connected')
    socket.on('error', () => undefined)
    socket.on('data', (data) => {
      hits.push(data.toString('latin1').split('\r\n')[0] ?? '')
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  return {
    port: (server.address() as AddressInfo).port,
    hits,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=10']
const sound = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=44100']
export const encoded = {
  video: ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '10', '-pix_fmt', 'yuv420p', '-b:v', '100k'],
  audio: ['-c:a', 'aac', '-b:a', '48k'],
} as const
export const both = [...picture, ...sound, ...encoded.video, ...encoded.audio]

/** ffmpeg as somebody else's encoder. */
export const startEncoder = (tools: MediaTools, args: readonly string[], pipe = false): ChildProcess =>
  spawn(tools.ffmpeg.path, ['-nostdin', '-y', '-v', 'error', ...args], {
    stdio: ['ignore', pipe ? 'pipe' : 'ignore', 'ignore'],
    env: tools.env,
  })

export type LiveOptions = {
  /** What the encoder is given before the output. */
  input?: readonly string[]
  /** How long it lasts; then its playlist has an end. Absent: until it is closed. */
  seconds?: number
}

/** A live stream of HLS, made in real time: segments of a second, a window of four. */
export const openLive = async (tools: MediaTools, { input = both, seconds }: LiveOptions = {}) => {
  const folder = mkdtempSync(join(tmpdir(), 'live-'))
  mkdirSync(folder, { recursive: true })
  let encoder: ChildProcess | undefined
  const state: { down: boolean; frozen: string | undefined; statusCode: number } = {
    ...{ down: false, frozen: undefined, statusCode: 503 },
  }
  const start = () => {
    encoder = startEncoder(tools, [
      ...input.flatMap((arg) => (arg === '-f' ? ['-re', '-f'] : [arg])),
      ...(seconds === undefined ? [] : ['-t', String(seconds)]),
      ...['-f', 'hls', '-hls_time', '1', '-hls_list_size', '4', '-hls_flags', 'append_list+temp_file'],
      ...['-hls_segment_filename', join(folder, 'part%05d.ts'), join(folder, 'live.m3u8')],
    ])
  }
  start()
  const site = await openSite((request, response) => {
    const name = (request.url ?? '').split('?')[0]?.slice(1) ?? ''
    if (state.down) return void response.writeHead(state.statusCode).end()
    try {
      const isList = name.endsWith('.m3u8')
      const content =
        isList && state.frozen !== undefined ? Buffer.from(state.frozen) : readFileSync(join(folder, name))
      response.setHeader('content-type', isList ? 'application/vnd.apple.mpegurl' : 'video/mp2t')
      response.end(content)
    } catch {
      response.writeHead(404).end()
    }
  })
  const playlist = () => readFileSync(join(folder, 'live.m3u8'), 'utf8')
  await until('the stream to begin', () => {
    try {
      return playlist().split('#EXTINF').length > 2
    } catch {
      return false
    }
  })
  return {
    ...site,
    url: `${site.url}/live.m3u8`,
    /** Answers with an error from now on, or does so no more. */
    down: (is: boolean, statusCode = 503) => {
      state.down = is
      state.statusCode = statusCode
    },
    /** The playlist stays as it is from now on: it is there, and brings nothing. */
    freeze: () => {
      state.frozen = playlist()
    },
    thaw: () => {
      state.frozen = undefined
    },
    close: async () => {
      encoder?.kill('SIGKILL')
      await site.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Radio: an endless body of MP3 (or what is said), to everybody who listens. */
export const openRadio = async (
  tools: MediaTools,
  output: readonly string[] = ['-c:a', 'libmp3lame', '-f', 'mp3'],
) => {
  const listeners = new Set<ServerResponse>()
  const state: { silent: boolean; refusing: number } = { silent: false, refusing: 0 }
  const encoder = startEncoder(tools, ['-re', ...sound, ...output, '-flush_packets', '1', 'pipe:1'], true)
  let head: Buffer | undefined
  encoder.stdout?.on('data', (chunk: Buffer) => {
    head ??= chunk
    if (!state.silent) for (const listener of listeners) listener.write(chunk)
  })
  const site = await openSite((_request, response) => {
    if (state.refusing > 0) return void response.writeHead(state.refusing).end()
    response.writeHead(200, { 'content-type': 'audio/mpeg', 'icy-name': 'Test', connection: 'close' })
    // Containers begin with a head that late listeners need as well.
    if (output.includes('ogg') && head !== undefined) response.write(head)
    listeners.add(response)
    response.once('close', () => listeners.delete(response))
  })
  return {
    ...site,
    url: `${site.url}/radio`,
    silence: (is: boolean) => {
      state.silent = is
    },
    /** Every listener is cut off; new ones get this status, or are served again (0). */
    drop: (status = 0) => {
      state.refusing = status
      for (const listener of listeners) listener.destroy()
    },
    serve: () => {
      state.refusing = 0
    },
    close: async () => {
      encoder.kill('SIGKILL')
      await site.close()
    },
  }
}

/** RTMP: ffmpeg as a server, which serves one after the other. */
export const openStudioLine = async (tools: MediaTools) => {
  const port = await freePort()
  const url = `rtmp://127.0.0.1:${port}/app/show`
  let isOpen = true
  let server: ChildProcess
  const serve = () => {
    server = startEncoder(tools, [
      ...both.flatMap((arg) => (arg === '-f' ? ['-re', '-f'] : [arg])),
      ...['-f', 'flv', '-listen', '1', url],
    ])
    server.once('close', () => isOpen && setTimeout(serve, 50))
  }
  serve()
  return {
    url,
    port,
    close: async () => {
      isOpen = false
      server.kill('SIGKILL')
    },
  }
}

const freePort = async (): Promise<number> => {
  const server = createTcpServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
