import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import type { S3Client } from '@aws-sdk/client-s3'
import parseTorrent from 'parse-torrent'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { torrentInfoSchema } from '../../schemas/torrent.ts'
import { openS3Client } from '../../worker/clients.ts'
import { torrent } from '../../worker/kinds/torrent.ts'
import { openStorage, type Storage } from '../../worker/storage.ts'
import { openShakyLine, type ShakyLine } from '../support/shaky-line.ts'
import { type Handling, openHandling } from './handling.ts'

let handling: Handling
let line: ShakyLine
const clients: S3Client[] = []

beforeAll(async () => {
  handling = await openHandling()
  line = await openShakyLine(handling.workshop.aws.endpoint)
})
afterAll(async () => {
  for (const client of clients) client.destroy()
  await line.close()
  await handling.close()
})

/** Storage over a line that can be cut; with connections of its own, because what they have brought counts. */
const openShaky = async (): Promise<Storage> => {
  const client = await openS3Client(
    { AWS_REGION: 'us-east-1', AWS_ENDPOINT_URL: line.address },
    { credentials: { accessKeyId: 'local', secretAccessKey: 'local' }, maxAttempts: 1 },
  )
  clients.push(client)
  return openStorage({
    client,
    outputsBucket: handling.outputs,
    patience: { forMs: 5000, nowMs: Date.now, random: () => 0 },
  })
}

const content = randomBytes(3_000_000)
const made = async (key: string) => (await handling.workshop.output(key)).content
const parsed = async (key: string) => parseTorrent(await made(key))
const piecesOf = (bytes: Buffer, pieceLength: number): string[] =>
  Array.from({ length: Math.ceil(bytes.length / pieceLength) }, (_, index) =>
    createHash('sha1')
      .update(bytes.subarray(index * pieceLength, (index + 1) * pieceLength))
      .digest('hex'),
  )
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

describe('a torrent of an upload', () => {
  test('is named after it and has its pieces, and says where its data is', async () => {
    const input = await handling.workshop.upload('films/my film+1.mp4', content)
    const { output, files, result, leftovers } = await handling.handle(torrent, {
      input,
      params: { trackers: ['udp://t.example:1337/announce'], webSeedBase: 'https://cdn.example/' },
    })
    expect(files.map(({ key, role, contentType }) => [key, role, contentType])).toEqual([
      [`${output}my film+1.mp4.torrent`, 'torrent', 'application/x-bittorrent'],
      [`${output}magnet.txt`, 'magnet', 'text/plain; charset=utf-8'],
      [`${output}torrent.json`, 'metadata', 'application/json'],
    ])
    const torrentFile = await parsed(`${output}my film+1.mp4.torrent`)
    expect(torrentFile).toMatchObject({
      infoHash: result.infohash,
      name: 'my film+1.mp4',
      length: content.length,
      pieceLength: 262_144,
      pieces: piecesOf(content, 262_144),
      announce: ['udp://t.example:1337/announce'],
      urlList: ['https://cdn.example/films/my%20film%2B1.mp4'],
    })
    const info = torrentInfoSchema.parse(JSON.parse((await made(`${output}torrent.json`)).toString()))
    expect(info).toMatchObject({
      infohash: result.infohash,
      pieces: 12,
      source: { bucket: 'uploads', key: 'films/my film+1.mp4', etag: input.etag.replaceAll('"', '') },
    })
    expect((await made(`${output}magnet.txt`)).toString()).toBe(`${info.magnet}\n`)
    // What lies there are the three small files that were published, and nothing of the data.
    expect(leftovers).toEqual(['0', '1', '2'])
    expect(result.warnings).toBeUndefined()
  })

  test('is the same bytes when it is made again', async () => {
    const input = await handling.workshop.upload('again.bin', content)
    const [one, other] = [
      await handling.handle(torrent, { input }),
      await handling.handle(torrent, { input }),
    ]
    expect(await made(`${one.output}again.bin.torrent`)).toEqual(
      await made(`${other.output}again.bin.torrent`),
    )
    expect(one.files.map(({ sha256: sum }) => sum)).toEqual(other.files.map(({ sha256: sum }) => sum))
  })

  test('whose connection breaks goes on at the byte where it broke', async () => {
    const input = await handling.workshop.upload('cut.bin', content)
    const ranges: number[] = []
    const shaky = await openShaky()
    const storage: Storage = {
      ...shaky,
      openRange: (from, range, signal) => {
        ranges.push(range.start)
        return shaky.openRange(from, range, signal)
      },
    }
    line.cutAfter(1_000_000)
    const { output } = await handling.handle(torrent, { input, storage })
    expect((await parsed(`${output}cut.bin.torrent`)).pieces).toEqual(piecesOf(content, 262_144))
    expect(ranges).toHaveLength(2)
    expect(ranges[1]).toBeGreaterThan(500_000)
  })

  test('that nobody would tell of says so', async () => {
    const { result } = await handling.handle(torrent, {
      input: await handling.workshop.upload('quiet', content),
    })
    expect(result.warnings).toEqual([expect.objectContaining({ code: 'NobodyTellsOfIt' })])
  })

  test.each([
    ['nothing', 'empty.bin', Buffer.alloc(0), {}, 'INPUT_EMPTY'],
    ['a name that no file may have', 'films/..', content, {}, 'INPUT_FORMAT_REFUSED'],
    ['a name of dots alone', 'films/...', content, {}, 'INPUT_FORMAT_REFUSED'],
    ['a name with a line break', 'films/a\nb', content, {}, 'INPUT_FORMAT_REFUSED'],
    ['a name that is too long', 'ä'.repeat(200), content, {}, 'INPUT_FORMAT_REFUSED'],
    ['a presigned web seed', 'x.bin', content, { webSeeds: ['https://x/y?Signature=1'] }, 'RECORD_INVALID'],
  ])('of %s is refused: %s', async (_says, key, bytes, params, code) => {
    const input = await handling.workshop.upload(key, bytes)
    await expect(handling.handle(torrent, { input, params })).rejects.toMatchObject({ code })
  })

  test('of an object that was replaced meanwhile is refused', async () => {
    const input = await handling.workshop.upload('replaced.bin', content)
    await handling.workshop.upload('replaced.bin', randomBytes(3_000_000))
    await expect(handling.handle(torrent, { input })).rejects.toMatchObject({ code: 'INPUT_CHANGED' })
  })

  test('of an object that is replaced while it is read is refused, not mixed', async () => {
    const input = await handling.workshop.upload('mixed.bin', content)
    const shaky = await openShaky()
    const storage: Storage = {
      ...shaky,
      openRange: async (from, range, signal) => {
        if (range.start > 0) await handling.workshop.upload('mixed.bin', randomBytes(3_000_000))
        return shaky.openRange(from, range, signal)
      },
    }
    line.cutAfter(1_000_000)
    await expect(handling.handle(torrent, { input, storage })).rejects.toMatchObject({
      code: 'INPUT_CHANGED',
    })
  })

  test('ends when it is told to', async () => {
    const input = await handling.workshop.upload('stopped.bin', content)
    const ended = new AbortController()
    const storage: Storage = {
      ...handling.storage,
      openRange: async (...all) => {
        const body = await handling.storage.openRange(...all)
        ended.abort(new Error('told to stop'))
        return body
      },
    }
    await expect(handling.handle(torrent, { input, storage, signal: ended.signal })).rejects.toThrow(
      'told to stop',
    )
  })
})

describe('a torrent of what a job has made', () => {
  const parts = [randomBytes(300_000), randomBytes(1), randomBytes(200_000)]
  const [first, second, third] = parts as [Buffer, Buffer, Buffer]

  /** @param change what its manifest says of the first file instead */
  const putFolder = async (folder: string, change: Record<string, unknown> = {}) => {
    // In another order than that of the keys.
    const files = [
      { key: `${folder}live/00001.ts`, content: third },
      { key: `${folder}a.m3u8`, content: first },
      { key: `${folder}live/00000.ts`, content: second },
    ]
    for (const file of files) await handling.putOutput(file.key, file.content)
    const manifest = {
      schemaVersion: 1,
      jobId: 'rec-1',
      kind: 'record',
      fence: 'f/1/1',
      finishedAt: '2026-11-22T10:00:00Z',
      files: files.map(({ key, content: bytes }, index) => ({
        key,
        bytes: bytes.length,
        sha256: sha256(bytes),
        contentType: 'video/mp2t',
        role: 'segment',
        ...(index === 0 ? change : {}),
      })),
    }
    return handling.putOutput(`${folder}manifest.json`, JSON.stringify(manifest))
  }

  test('is a folder of all its files in the order of their keys', async () => {
    const input = await putFolder('results/rec 1/')
    const { output, result } = await handling.handle(torrent, {
      input,
      params: { webSeedBase: 'https://cdn.example/', trackers: ['udp://t.example:1'] },
    })
    expect(result).toMatchObject({ name: 'rec 1', files: 3, bytes: 500_001 })
    const torrentFile = await parsed(`${output}rec 1.torrent`)
    expect(torrentFile.files.map(({ path, length }) => [path, length])).toEqual([
      ['rec 1/a.m3u8', 300_000],
      ['rec 1/live/00000.ts', 1],
      ['rec 1/live/00001.ts', 200_000],
    ])
    expect(torrentFile.pieces).toEqual(piecesOf(Buffer.concat([first, second, third]), 262_144))
    expect(torrentFile.urlList).toEqual(['https://cdn.example/results/'])
    const info = torrentInfoSchema.parse(JSON.parse((await made(`${output}torrent.json`)).toString()))
    expect(info.source).toMatchObject({ bucket: 'outputs', key: 'results/rec 1/manifest.json' })
  })

  test.each([
    ['a file of another content', { sha256: 'a'.repeat(64) }, 'INPUT_CHANGED'],
    ['a file of another size', { bytes: 5 }, 'INPUT_CHANGED'],
    ['a file that lies elsewhere', { key: 'elsewhere/a.ts' }, 'INPUT_FORMAT_REFUSED'],
    ['a file that is gone', { key: 'results/wrong/gone.ts' }, 'INPUT_MISSING'],
    ['a path that leads out', { key: 'results/wrong/../a.ts' }, 'INPUT_FORMAT_REFUSED'],
    ['one file more than once', { key: 'results/wrong/a.m3u8' }, 'INPUT_FORMAT_REFUSED'],
    ['a role that nobody knows', { role: 'virus' }, 'INPUT_FORMAT_REFUSED'],
  ])('with %s is refused', async (_says, change, code) => {
    const input = await putFolder('results/wrong/', change)
    await expect(handling.handle(torrent, { input })).rejects.toMatchObject({ code })
  })

  test('wants web seeds that a folder can follow', async () => {
    const input = await putFolder('results/seeds/')
    await expect(
      handling.handle(torrent, { input, params: { webSeeds: ['https://cdn.example/rec.zip'] } }),
    ).rejects.toThrow('must end in /')
  })

  test('that is a manifest in the bucket of uploads is a file like any other', async () => {
    const input = await handling.workshop.upload('a/manifest.json', content)
    const { output } = await handling.handle(torrent, { input })
    expect((await parsed(`${output}manifest.json.torrent`)).files).toHaveLength(1)
  })
})

test('of an object that is far larger nothing is kept: memory stays as it was', async () => {
  const chunk = 1024 * 1024
  const bytes = 1024 * chunk
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  const storage: Storage = {
    ...handling.storage,
    inspect: async () => ({ bytes, etag: 'e' }),
    openRange: async () =>
      Readable.from(
        (function* () {
          for (let at = 0; at < bytes; at += chunk) {
            most = Math.max(most, process.memoryUsage().arrayBuffers - before)
            yield Buffer.alloc(chunk, at / chunk)
          }
        })(),
        { highWaterMark: 1 },
      ),
  }
  const input = { bucket: 'uploads', key: 'large.bin' }
  const { result } = await handling.handle(torrent, { input, storage })
  expect(result).toMatchObject({ bytes, pieceLength: 1024 * 1024, pieces: 1024 })
  expect(most).toBeLessThan(200 * chunk)
})
