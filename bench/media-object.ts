import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Input } from '../schemas/spec.ts'
import { openS3Client } from '../worker/clients.ts'
import { parseRange } from '../worker/media/serve-input.ts'
import { openStorage, type Storage } from '../worker/storage.ts'

/** An object that workers read, and the storage that it lies in. */
export type StoredFile = { storage: Storage; input: Input }

/**
 * A file as an object in S3, in as little as reading takes: its size, and ranges of it. The worker's own client and storage are
 * in front of it, so that what they cost is measured; S3 itself would cost its user nothing. `close` at the end.
 */
export const openObject = async (path: string): Promise<StoredFile & { close: () => Promise<void> }> => {
  const { size } = await stat(path)
  const server = createServer((request, response) => {
    const range = parseRange(request.headers.range, size)
    if (range === undefined) return void response.writeHead(416).end()
    const { start, end } = range
    response.writeHead(request.headers.range === undefined ? 200 : 206, {
      etag: '"source"',
      'content-length': end - start + 1,
      ...(request.headers.range === undefined ? {} : { 'content-range': `bytes ${start}-${end}/${size}` }),
    })
    if (request.method === 'HEAD') return void response.end()
    const body = createReadStream(path, { start, end })
    response.once('close', () => body.destroy())
    body.pipe(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const client = await openS3Client(
    { AWS_REGION: 'us-east-1', AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` },
    { credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' } },
  )
  return {
    storage: openStorage({
      client,
      outputsBucket: 'outputs',
      patience: { forMs: 5000, nowMs: Date.now, random: Math.random },
    }),
    input: { bucket: 'uploads', key: 'source.mp4' },
    close: async () => {
      client.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
