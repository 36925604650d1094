import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { noFaults } from '../../local/s3/index.ts'
import { openS3Client } from '../../worker/clients.ts'
import { WorkerError } from '../../worker/errors.ts'
import { type DownloadOptions, openStorage, type Storage } from '../../worker/storage.ts'
import { openShakyLine, type ShakyLine } from '../support/shaky-line.ts'
import { openWorkshop, type Workshop } from './workshop.ts'

const faults = noFaults()
let workshop: Workshop
let line: ShakyLine
const clients: S3Client[] = []

const storageAt = async (
  endpoint: string,
  { secret = 'local', outputsBucket = 'outputs', patienceMs = 5000 } = {},
): Promise<Storage> => {
  const client = await openS3Client(
    { AWS_REGION: 'us-east-1', AWS_ENDPOINT_URL: endpoint },
    { credentials: { accessKeyId: 'local', secretAccessKey: secret }, maxAttempts: 1 },
  )
  clients.push(client)
  return openStorage({
    client,
    outputsBucket,
    patience: { forMs: patienceMs, nowMs: Date.now, random: () => 0 },
  })
}
const here = (options?: Parameters<typeof storageAt>[1]) => storageAt(workshop.aws.endpoint, options)

const download = (
  storage: Storage,
  input: Parameters<Storage['download']>[0],
  options: Partial<DownloadOptions> = {},
) =>
  storage.download(input, join(workshop.folder, 'input'), {
    signal: new AbortController().signal,
    admit: async () => undefined,
    onBytes: () => undefined,
    ...options,
  })

beforeAll(async () => {
  workshop = await openWorkshop({ s3Faults: faults })
  line = await openShakyLine(workshop.aws.endpoint)
})
afterAll(async () => {
  for (const client of clients) client.destroy()
  await line.close()
  await workshop.close()
})

describe('a download', () => {
  const content = randomBytes(3_000_000)

  test('brings the very bytes, and says how far it is', async () => {
    const input = await workshop.upload('whole.bin', content)
    const shares: number[] = []
    const stored = await download(await here(), input, {
      onBytes: (share) => shares.push(share),
    })
    expect(stored.bytes).toBe(content.length)
    expect((await readFile(join(workshop.folder, 'input'))).equals(content)).toBe(true)
    expect(shares.at(-1)).toBe(1)
  })

  test('that is cut goes on where it broke off', async () => {
    const input = await workshop.upload('cut.bin', content)
    const shares: number[] = []
    line.cutAfter(1_000_000)
    await download(await storageAt(line.address), input, { onBytes: (share) => shares.push(share) })
    expect((await readFile(join(workshop.folder, 'input'))).equals(content)).toBe(true)
    // It broke at a third. Had it begun anew, small shares would come a second time.
    expect(shares.filter((share) => share < 0.1).length).toBe(shares.findIndex((share) => share >= 0.1))
  })

  test('finds an etag with quotes and without', async () => {
    const input = await workshop.upload('etag.bin', Buffer.from('x'))
    const bare = input.etag.replaceAll('"', '')
    await expect(download(await here(), { ...input, etag: bare })).resolves.toMatchObject({ bytes: 1 })
    await expect(download(await here(), { ...input, etag: `"${bare}"` })).resolves.toMatchObject({ bytes: 1 })
  })

  test('waits while S3 asks to slow down', async () => {
    const input = await workshop.upload('slow.bin', Buffer.from('x'))
    faults.slowDowns = 2
    await expect(download(await here(), input)).resolves.toMatchObject({ bytes: 1 })
    expect(faults.slowDowns).toBe(0)
  })

  test('is admitted by its size before anything is written', async () => {
    const input = await workshop.upload('large.bin', content)
    await writeFile(join(workshop.folder, 'input'), 'untouched')
    const admit = async (bytes: number) => {
      throw new WorkerError('DISK_FULL', `${bytes}`)
    }
    await expect(download(await here(), input, { admit })).rejects.toMatchObject({
      code: 'DISK_FULL',
      message: expect.stringContaining('3000000'),
    })
    expect(await readFile(join(workshop.folder, 'input'), 'utf8')).toBe('untouched')
  })

  test('ends when the work does', async () => {
    const input = await workshop.upload('ended.bin', content)
    const signal = AbortSignal.abort(new WorkerError('INTERRUPTED'))
    await expect(download(await here(), input, { signal })).rejects.toMatchObject({
      code: 'INTERRUPTED',
    })
  })

  test('of an object that was replaced: 66', async () => {
    const input = await workshop.upload('replaced.bin', Buffer.from('first'))
    await workshop.upload('replaced.bin', Buffer.from('second'))
    await expect(download(await here(), input)).rejects.toMatchObject({
      code: 'INPUT_CHANGED',
      exitCode: 66,
    })
  })

  test('of an object that is gone: 66', async () => {
    await expect(download(await here(), { bucket: 'uploads', key: 'never.mp4' })).rejects.toMatchObject({
      code: 'INPUT_MISSING',
      exitCode: 66,
    })
  })

  test('without permission: 77', async () => {
    const input = await workshop.upload('private.bin', Buffer.from('x'))
    await expect(download(await here({ secret: 'wrong' }), input)).rejects.toMatchObject({
      code: 'INPUT_FORBIDDEN',
      exitCode: 77,
    })
  })

  test('from a server that is not there: 69 after a while', async () => {
    const storage = await storageAt('http://127.0.0.1:1', { patienceMs: 200 })
    await expect(download(storage, { bucket: 'uploads', key: 'x' })).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      exitCode: 69,
    })
  })
})

describe('an upload', () => {
  const signal = new AbortController().signal
  const file = async (name: string, content: Buffer) => {
    const path = join(workshop.folder, name)
    await writeFile(path, content)
    return path
  }

  test.each([
    ['master.m3u8', 'application/vnd.apple.mpegurl'],
    ['segment.m4s', 'video/iso.segment'],
    ['init_0.mp4', 'video/mp4'],
    ['poster.jpg', 'image/jpeg'],
    ['metadata.json', 'application/json'],
    ['unknown', 'application/octet-stream'],
  ])('of %s is served as %s', async (name, contentType) => {
    const path = await file(name, Buffer.from(name))
    const key = `types/${name}`
    const uploaded = await (await here()).upload(path, key, 'segment', signal)
    expect(uploaded).toEqual({
      key,
      bytes: name.length,
      sha256: createHash('sha256').update(name).digest('hex'),
      contentType,
      role: 'segment',
    })
    const output = await workshop.output(key)
    expect([output.content.toString(), output.contentType]).toEqual([name, contentType])
  })

  test('of a large file goes up in parts and has the checksum of the whole', async () => {
    const content = randomBytes(9_000_000)
    const path = await file('large.m4s', content)
    const { sha256 } = await (await here()).upload(path, 'large/a.m4s', 'segment', signal)
    expect(sha256).toBe(createHash('sha256').update(content).digest('hex'))
    expect((await workshop.output('large/a.m4s')).content.equals(content)).toBe(true)
  })

  test('of an empty file is refused: outputs that were checked are not empty', async () => {
    const path = await file('empty.m4s', Buffer.alloc(0))
    expect((await stat(path)).size).toBe(0)
    await expect((await here()).upload(path, 'empty/a.m4s', 'segment', signal)).rejects.toMatchObject({
      code: 'OUTPUT_INVALID',
    })
  })

  test('into a bucket that does not exist: 78', async () => {
    const path = await file('lost.m4s', Buffer.from('x'))
    await expect(
      (await here({ outputsBucket: 'absent' })).upload(path, 'a', 'segment', signal),
    ).rejects.toMatchObject({ code: 'OUTPUT_BUCKET_MISSING', exitCode: 78 })
  })

  test('without permission: 77', async () => {
    await expect((await here({ secret: 'wrong' })).uploadText('x', 'a', signal)).rejects.toMatchObject({
      code: 'OUTPUT_FORBIDDEN',
      exitCode: 77,
    })
  })
})

describe('a small body', () => {
  const signal = new AbortController().signal
  const input = { bucket: 'uploads', key: 'a' }
  const reads: [string, (storage: Storage) => Promise<unknown>, unknown][] = [
    [
      'a part of an input',
      (storage) => storage.readRange(input, { start: 0, end: 7 }, signal),
      Buffer.from('01234567'),
    ],
    ['a text', (storage) => storage.readText('a', signal), { text: '01234567', etag: '"e"' }],
    ['a text that is changed', (storage) => storage.editText('a', () => undefined, signal), '01234567'],
  ]
  const ways = ['stands still', 'breaks'] as const

  test.each(reads.flatMap(([what, read, content]) => ways.map((way) => ({ what, way, read, content }))))(
    'that $way in the middle is asked for anew: $what',
    async ({ way, read, content }) => {
      let requests = 0
      const halfway = createServer((_, response) => {
        requests += 1
        response.writeHead(200, { 'content-length': 8, etag: '"e"' }).write('0123')
        if (requests > 1) response.end('4567')
        else if (way === 'breaks') setImmediate(() => response.destroy())
      })
      await once(halfway.listen(0, '127.0.0.1'), 'listening')
      const soon = AbortSignal.timeout(300)
      const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValueOnce(soon)
      try {
        const storage = await storageAt(`http://127.0.0.1:${(halfway.address() as AddressInfo).port}`)
        expect(await read(storage)).toEqual(content)
        expect(requests).toBe(2)
      } finally {
        timeout.mockRestore()
        halfway.closeAllConnections()
        halfway.close()
      }
    },
  )

  test('a part of an object that was replaced, or is gone: 66', async () => {
    const part = { start: 0, end: 1 }
    const replaced = await workshop.upload('part.bin', Buffer.from('first'))
    await workshop.upload('part.bin', Buffer.from('second'))
    const storage = await here()
    await expect(storage.readRange(replaced, part, signal)).rejects.toMatchObject({ code: 'INPUT_CHANGED' })
    const gone = { bucket: 'uploads', key: 'never.bin' }
    await expect(storage.readRange(gone, part, signal)).rejects.toMatchObject({ code: 'INPUT_MISSING' })
  })
})

describe('a small output that several tasks write', () => {
  const { signal } = new AbortController()

  test('is written over nothing, then over what was read, and never over what another one wrote', async () => {
    const storage = await here()
    const key = 'results/shared/index.m3u8'
    expect(await storage.readText(key, signal)).toBeUndefined()
    const first = await storage.replaceText('one', key, undefined, signal)
    expect(first).toBeDefined()
    expect(await storage.replaceText('other', key, undefined, signal)).toBeUndefined()
    const second = await storage.replaceText('two', key, first, signal)
    expect(await storage.replaceText('other', key, first, signal)).toBeUndefined()
    expect(await storage.readText(key, signal)).toEqual({ text: 'two', etag: second })
    expect((await workshop.output(key)).contentType).toBe('application/vnd.apple.mpegurl')
  })

  test('where it may not be read, that is an error and not nothing', async () => {
    const storage = await here({ outputsBucket: 'no-such-bucket' })
    await expect(storage.replaceText('x', 'k.json', undefined, signal)).rejects.toMatchObject({
      code: 'OUTPUT_BUCKET_MISSING',
    })
  })
})
