import { createServer, request as forward } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One call on its way: the operation (`DynamoDB_20120810.UpdateItem`, or method and path) and the body as text. */
export type Call = { operation: string; body: string }

/** What to do with a call: let it pass, break its connection, never answer, or let it act and then never answer, or break. */
export type Verdict = 'pass' | 'refuse' | 'swallowCall' | 'swallowAnswer' | 'breakAnswer'

export type Proxy = { endpoint: string; close(): Promise<void> }

/**
 * A loopback proxy in front of the local AWS: what the network between a controller and AWS can do to a call.
 * @param onAnswer sees the status of every answer, also of those that the caller never gets
 */
export async function startProxy(
  target: string,
  judge: (call: Call) => Verdict,
  onAnswer: (call: Call, status: number) => void = () => undefined,
): Promise<Proxy> {
  const { hostname, port } = new URL(target)
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const body = Buffer.concat(chunks)
      const operation = String(incoming.headers['x-amz-target'] ?? `${incoming.method} ${incoming.url}`)
      const call = { operation, body: body.toString() }
      const verdict = judge(call)
      if (verdict === 'swallowCall') return
      if (verdict === 'refuse') {
        outgoing.destroy()
        return
      }
      const upstream = forward(
        // The host header stays as the client signed it.
        { hostname, port, method: incoming.method, path: incoming.url, headers: incoming.headers },
        (answer) => {
          onAnswer(call, answer.statusCode ?? 502)
          if (verdict === 'swallowAnswer' || verdict === 'breakAnswer') {
            answer.resume()
            if (verdict === 'breakAnswer') outgoing.destroy()
            return
          }
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
          answer.pipe(outgoing)
        },
      )
      upstream.on('error', () => outgoing.destroy())
      outgoing.on('close', () => {
        if (verdict === 'pass') upstream.destroy()
      })
      upstream.end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
