import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { torrent } from '../../worker/kinds/torrent.ts'
import { type Handling, openHandling } from '../worker/handling.ts'
import { downloadWithAria2 } from './aria2.ts'

// What a torrent job makes, in the hands of a client that others wrote: it gets the data by the web seed alone.

let handling: Handling
let scratch: string
let server: Server
let base: string
const served = new Map<string, Buffer>()
const asked: { path: string; range: string | undefined }[] = []
const knowsRanges = true

beforeAll(async () => {
  handling = await openHandling()
  scratch = await mkdtemp(join(tmpdir(), 'web-seed-'))
  server = createServer((request, response) => {
    const path = request.url ?? ''
    const content = served.get(decodeURIComponent(path))
    const { range } = request.headers
    asked.push({ path, range })
    if (content === undefined) {
      response.statusCode = 404
      response.end()
      return
    }
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? []
    if (first === undefined || !knowsRanges) {
      response.setHeader('content-length', content.length)
      response.end(content)
      return
    }
    const end = last === '' || last === undefined ? content.length - 1 : Number(last)
    response.writeHead(206, {
      'content-range': `bytes ${first}-${end}/${content.length}`,
      'content-length': end - Number(first) + 1,
    })
    response.end(content.subarray(Number(first), end + 1))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await handling.close()
  await rm(scratch, { recursive: true, force: true })
})

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

const torrentOf = async (files: readonly { key: string; role: string }[]): Promise<string> => {
  const key = files.find(({ role }) => role === 'torrent')?.key ?? ''
  const path = join(scratch, `${sha256(Buffer.from(key)).slice(0, 8)}.torrent`)
  await writeFile(path, (await handling.workshop.output(key)).content)
  return path
}

describe('a client that has nothing but the torrent', () => {
  test('gets an upload by its web seed, byte for byte', async () => {
    const content = randomBytes(5_000_000)
    const input = await handling.workshop.upload("films/my film+1 (it's ä).mp4", content)
    served.set("/films/my film+1 (it's ä).mp4", content)
    const { files } = await handling.handle(torrent, { input, params: { webSeedBase: base } })
    const { exitCode, output, folder } = await downloadWithAria2(await torrentOf(files), { below: scratch })
    expect(exitCode, output).toBe(0)
    expect(sha256(await readFile(join(folder, "my film+1 (it's ä).mp4")))).toBe(sha256(content))
    expect(asked.map(({ path }) => path)).toContain('/films/my%20film%2B1%20%28it%27s%20%C3%A4%29.mp4')
  })

  test('gets all files of a recording by the folder that it lies in', async () => {
    const parts = ['a.m3u8', 'live/00000 1.ts', 'live/00001.ts'].map((name) => ({
      name,
      content: randomBytes(400_000 + name.length),
    }))
    for (const { name, content } of parts) {
      await handling.putOutput(`results/rec 1/${name}`, content)
      served.set(`/results/rec 1/${name}`, content)
    }
    const manifest = {
      schemaVersion: 1,
      jobId: 'rec-1',
      kind: 'record',
      fence: 'f/1/1',
      finishedAt: '2026-11-22T10:00:00Z',
      files: parts.map(({ name, content }) => ({
        key: `results/rec 1/${name}`,
        bytes: content.length,
        sha256: sha256(content),
        contentType: 'video/mp2t',
        role: 'segment',
      })),
    }
    const input = await handling.putOutput('results/rec 1/manifest.json', JSON.stringify(manifest))
    const { files } = await handling.handle(torrent, { input, params: { webSeedBase: base } })
    const { exitCode, output, folder } = await downloadWithAria2(await torrentOf(files), { below: scratch })
    expect(exitCode, output).toBe(0)
    for (const { name, content } of parts)
      expect(sha256(await readFile(join(folder, 'rec 1', name)))).toBe(sha256(content))
  })

  test('does not take data that is not what the torrent says', async () => {
    const content = randomBytes(1_000_000)
    const input = await handling.workshop.upload('other.bin', content)
    served.set('/other.bin', randomBytes(1_000_000))
    const { files } = await handling.handle(torrent, { input, params: { webSeedBase: base } })
    const { exitCode } = await downloadWithAria2(await torrentOf(files), { below: scratch, timeoutS: 8 })
    expect(exitCode).not.toBe(0)
  })
})
