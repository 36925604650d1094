import { createHash, randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { WorkerError } from '../../worker/errors.ts'
import type { Work } from '../../worker/kinds/handler.ts'
import { seed } from '../../worker/kinds/seed.ts'
import { torrent } from '../../worker/kinds/torrent.ts'
import { type Bencodable, bdecode, bencode } from '../../worker/torrent/bencode.ts'
import { readTorrent } from '../../worker/torrent/metainfo.ts'
import { until } from '../support/wait.ts'
import { type Handling, openHandling } from '../worker/handling.ts'
import { downloadWithAria2 } from './aria2.ts'
import { openTracker, type Tracker } from './tracker.ts'

// The seed worker with a real transmission-daemon, a tracker on this machine, and aria2 as the other side.

let handling: Handling
let tracker: Tracker
let scratch: string

beforeAll(async () => {
  handling = await openHandling()
  scratch = await mkdtemp(join(tmpdir(), 'seed-'))
})
afterAll(async () => {
  await handling.close()
  await rm(scratch, { recursive: true, force: true })
})
beforeEach(async () => {
  tracker = await openTracker()
  return () => tracker.close()
})

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** What an operator opens who has trackers and peers on this machine. */
const environment = {
  PATH: process.env.PATH ?? '',
  PRIVATE_SOURCES: [{ network: '127.0.0.1', prefix: 32, port: undefined }],
}

type Made = { key: string; file: string; infohash: string; content: Buffer }

const make = async (key: string, params: Record<string, unknown> = {}, bytes = 3_000_000): Promise<Made> => {
  const content = randomBytes(bytes)
  const input = await handling.workshop.upload(key, content)
  const { files, result } = await handling.handle(torrent, {
    input,
    params: { trackers: [tracker.url], ...params },
  })
  const made = files.find(({ role }) => role === 'torrent')?.key ?? ''
  const file = join(scratch, `${sha256(Buffer.from(made)).slice(0, 8)}.torrent`)
  await writeFile(file, (await handling.workshop.output(made)).content)
  return { key: made, file, infohash: String(result.infohash), content }
}

/** The torrent of what a job has made: files of these names in a folder. */
const makeFolder = async (folder: string, names: readonly string[]) => {
  const parts = names.map((name) => ({ name, content: randomBytes(300_000) }))
  for (const { name, content } of parts) await handling.putOutput(folder + name, content)
  const manifest = {
    ...{ schemaVersion: 1, jobId: 'rec', kind: 'record', fence: 'f/1/1', finishedAt: '2026-11-22T10:00:00Z' },
    files: parts.map(({ name, content }) => ({
      ...{ key: folder + name, bytes: content.length, sha256: sha256(content) },
      ...{ contentType: 'video/mp2t', role: 'segment' },
    })),
  }
  const input = await handling.putOutput(`${folder}manifest.json`, JSON.stringify(manifest))
  const { files } = await handling.handle(torrent, { input, params: { trackers: [tracker.url] } })
  return { key: files.find(({ role }) => role === 'torrent')?.key ?? '', parts }
}

/** Whatever becomes of a test, what it has started ends with it. */
const start = (
  key: string,
  params: Record<string, unknown>,
  more: {
    signal?: AbortSignal
    told?: { stage: string; percent?: number; etaS?: number }[]
    environment?: Partial<Work['environment']>
  } = {},
) => {
  const testOver = new AbortController()
  const seeding = handling.handle(seed, {
    input: { bucket: handling.outputs, key },
    params,
    environment: { ...environment, ...more.environment },
    signal: AbortSignal.any([testOver.signal, ...(more.signal === undefined ? [] : [more.signal])]),
    tell: (status) => more.told?.push(status),
  })
  onTestFinished(async () => {
    testOver.abort(new Error('the test is over'))
    await seeding.catch(() => undefined)
  })
  return seeding
}

/** A daemon that found no tracker asks again after 20 s. */
const announced = (event: string) =>
  until(
    `the tracker to hear ${event}`,
    () => tracker.announcements.find((one) => one.event === event && one.userAgent.includes('Transmission')),
    60_000,
  )

type Daemon = { pid: number; configFolder: string; variables: string[] }

/** Processes of the daemon that this one has started. */
const daemons = async (): Promise<Daemon[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid): Promise<Daemon[]> => {
      const parts = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
      const configFolder = parts.find((part) => part.includes('/handling-'))
      const parent = (await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''))
        .split(') ')[1]
        ?.split(' ')[1]
      if (
        configFolder === undefined ||
        Number(parent) !== process.pid ||
        !parts.some((part) => part.endsWith('transmission-daemon'))
      )
        return []
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
      const variables = environment
        .split('\0')
        .flatMap((pair) => (pair === '' ? [] : [pair.split('=')[0] ?? '']))
      return [{ pid: Number(pid), configFolder, variables }]
    }),
  )
  return found.flat()
}

describe('a seed job', () => {
  test('gives an object to a client of others, byte for byte, and ends at its ratio', async () => {
    const { key, file, content, infohash } = await make('films/a film.mp4')
    const told: { stage: string; percent?: number; etaS?: number }[] = []
    const seeding = start(key, { duration: 180, ratio: 1 }, { told })
    await announced('started')
    const { exitCode, output, folder } = await downloadWithAria2(file, { below: scratch })
    expect(exitCode, output).toBe(0)
    expect(sha256(await readFile(join(folder, 'a film.mp4')))).toBe(sha256(content))
    const { result, files, leftovers } = await seeding
    expect(result).toMatchObject({ infohash, endedBy: 'ratio', peersSeen: 1 })
    expect(result.uploadedBytes).toBeGreaterThanOrEqual(content.length)
    expect(result.ratio).toBeGreaterThanOrEqual(1)
    expect(result.seconds).toBeLessThan(180)
    expect(result.warnings).toBeUndefined()
    expect(files).toEqual([])
    expect(leftovers).toContain('data')
    // It said goodbye, and nothing of it runs any more.
    expect(tracker.announcements.filter(({ event }) => event === 'stopped')).not.toEqual([])
    expect(tracker.announcements.every((one) => one.infohash === infohash)).toBe(true)
    expect(await daemons()).toEqual([])
    expect([...new Set(told.map(({ stage }) => stage))]).toEqual(['look', 'download', 'verify', 'seed'])
    expect(told.at(-1)?.etaS).toBeLessThanOrEqual(180)
  })

  test('ends when its time is over, although nobody came', async () => {
    const { key } = await make('lonely.bin')
    const told: { stage: string; percent?: number }[] = []
    const { result } = await start(key, { duration: 4 }, { told })
    expect(result).toMatchObject({ endedBy: 'duration', uploadedBytes: 0, ratio: 0, peersSeen: 0 })
    expect(result.seconds).toBeGreaterThanOrEqual(4)
    const percents = told.filter(({ stage }) => stage === 'seed').map(({ percent = 0 }) => percent)
    expect(percents[0]).toBeLessThan(40)
    expect(percents.at(-1)).toBeGreaterThan(60)
  })

  test('gives no more than it may, since that is paid for', async () => {
    const { key, file, content } = await make('expensive.bin', {}, 8_000_000)
    const over = new AbortController()
    const seeding = start(key, { duration: 180, maxUploadBytes: 2_000_000, maxRateKBps: 500 }).finally(() =>
      over.abort(),
    )
    await announced('started')
    const download = downloadWithAria2(file, { below: scratch, signal: over.signal })
    const { result } = await seeding
    expect(result).toMatchObject({ endedBy: 'maxUploadBytes' })
    expect(result.uploadedBytes).toBeGreaterThanOrEqual(2_000_000)
    // A look a second at 500 kB/s, and what was on its way.
    expect(result.uploadedBytes).toBeLessThan(content.length / 2)
    expect((await download).exitCode).not.toBe(0)
  })

  test('gives all files of a folder', async () => {
    const { key, parts } = await makeFolder('results/rec/', ['a.m3u8', 'live/0.ts'])
    const file = join(scratch, 'rec.torrent')
    await writeFile(file, (await handling.workshop.output(key)).content)
    const seeding = start(key, { duration: 180, ratio: 1 })
    await announced('started')
    const { exitCode, output, folder } = await downloadWithAria2(file, { below: scratch })
    expect(exitCode, output).toBe(0)
    for (const { name, content } of parts)
      expect(sha256(await readFile(join(folder, 'rec', name)))).toBe(sha256(content))
    expect((await seeding).result).toMatchObject({ endedBy: 'ratio' })
  })

  const namesOfOthers = ['why?.wav', 'a"b".wav', 'CON', 'trailing.', ' leading.wav', 'disc: 1/<x>|*.wav']

  test.each([
    ['an object', async () => (await make('public/Interview: part 1.wav')).key],
    ['a folder', async () => (await makeFolder('results/set: 1/', namesOfOthers)).key],
  ])('seeds %s whose names other systems could not store', async (_says, made) => {
    const { result } = await start(await made(), { duration: 2 })
    expect(result).toMatchObject({ endedBy: 'duration' })
    expect(tracker.announcements.find(({ event }) => event === 'started')).toMatchObject({ left: 0 })
  })

  test('seeds a torrent of others with padding between its files, which lies nowhere', async () => {
    const files = ['a', 'b', 'c'].map((name) => ({ name, content: randomBytes(1000) }))
    for (const { name, content } of files) await handling.putOutput(`padded/${name}`, content)
    const gap = Buffer.alloc(16_384 - 1000)
    const bytes = bencode({
      announce: tracker.url,
      info: {
        ...{ name: 'padded', 'piece length': 16_384 },
        files: files.flatMap(({ name, content }) => [
          { length: content.length, path: [name] },
          { length: gap.length, path: ['.pad', String(gap.length)], attr: 'p' },
        ]),
        pieces: Buffer.concat(
          files.map(({ content }) => createHash('sha1').update(content).update(gap).digest()),
        ),
      },
    })
    await handling.putOutput('padded/x.torrent', bytes)
    const data = { bucket: handling.outputs, key: 'padded/manifest.json' }
    const { result } = await start('padded/x.torrent', { duration: 2, data })
    expect(result).toMatchObject({ endedBy: 'duration' })
  })

  test('that is cancelled says goodbye to the tracker and leaves no process', async () => {
    const { key } = await make('cancelled.bin')
    const cancelled = new AbortController()
    const seeding = start(key, { duration: 300 }, { signal: cancelled.signal })
    const failed = expect(seeding).rejects.toThrow('told to stop')
    await announced('started')
    // It answers, and is not only about to.
    await sleep(1500)
    const startMs = Date.now()
    cancelled.abort(new Error('told to stop'))
    await failed
    expect(Date.now() - startMs).toBeLessThan(25_000)
    expect(tracker.announcements.at(-1)?.event).toBe('stopped')
    expect(await daemons()).toEqual([])
  })

  test('whose daemon dies fails, so that another attempt begins', async () => {
    const { key } = await make('killed.bin')
    const seeding = start(key, { duration: 300 })
    const failed = expect(seeding).rejects.toMatchObject({ code: 'TORRENT_CLIENT_FAILED', exitCode: 75 })
    await announced('started')
    const [daemon] = await daemons()
    if (daemon === undefined) throw new Error('there is no daemon')
    process.kill(daemon.pid, 'SIGKILL')
    await failed
  })

  test('whose tracker does not take it goes on, and says so in the end', async () => {
    tracker.status(503)
    const { key } = await make('silent.bin')
    const { result } = await start(key, { duration: 4 })
    expect(result).toMatchObject({ endedBy: 'duration' })
    expect(result.warnings).toEqual([expect.objectContaining({ code: 'TrackerSilent' })])
  })
})

describe('nothing is heard of', () => {
  test('data that is not what the torrent was made of', async () => {
    const { key } = await make('other.bin')
    const other = await handling.workshop.upload('same-size.bin', randomBytes(3_000_000))
    const data = { bucket: other.bucket, key: other.key }
    await expect(start(key, { duration: 10, data })).rejects.toMatchObject({ code: 'TORRENT_DATA_MISMATCH' })
    expect(tracker.announcements).toEqual([])
  })

  test('data of another size', async () => {
    const { key } = await make('smaller.bin')
    const other = await handling.workshop.upload('small.bin', randomBytes(3000))
    const data = { bucket: other.bucket, key: other.key }
    await expect(start(key, { duration: 10, data })).rejects.toMatchObject({ code: 'TORRENT_DATA_MISMATCH' })
    expect(tracker.announcements).toEqual([])
  })

  test('data that was replaced after the torrent was made', async () => {
    const { key } = await make('replaced.bin')
    await handling.workshop.upload('replaced.bin', randomBytes(3_000_000))
    await expect(start(key, { duration: 10 })).rejects.toMatchObject({ code: 'INPUT_CHANGED' })
  })
})

describe('the daemon', () => {
  const settled = async (key: string, look: (folder: string, peerPort: number) => Promise<void>) => {
    const ended = new AbortController()
    const seeding = start(key, { duration: 300 }, { signal: ended.signal })
    const failed = expect(seeding).rejects.toThrow('seen enough')
    const { port } = await announced('started')
    const [daemon] = await daemons()
    try {
      await look(daemon?.configFolder ?? '', port)
    } finally {
      ended.abort(new Error('seen enough'))
      await failed
    }
  }
  const settingsIn = async (folder: string): Promise<Record<string, unknown>> =>
    JSON.parse(await readFile(join(folder, 'settings.json'), 'utf8')) as Record<string, unknown>

  test.each([
    [true, false],
    [false, true],
  ])('asks trackers only for a private torrent: private %s, others %s', async (isPrivate, others) => {
    const { key, file } = await make(`private-${isPrivate}.bin`, { private: isPrivate })
    expect(readTorrent(await readFile(file)).private).toBe(isPrivate)
    await settled(key, async (folder) => {
      const settings = await settingsIn(folder)
      expect(settings).toMatchObject({ 'dht-enabled': others, 'pex-enabled': others, 'lpd-enabled': false })
    })
  })

  test('is controlled from this task only, by who knows the password', async () => {
    const { key } = await make('control.bin')
    await settled(key, async (folder) => {
      const { 'rpc-port': port, 'rpc-password': password } = await settingsIn(folder)
      expect(String(password)).toMatch(/^\{/) // Its hash by now.
      const answer = await fetch(`http://127.0.0.1:${Number(port)}/transmission/rpc`)
      expect(answer.status).toBe(401)
      const isOpen = await new Promise<boolean>((resolve) => {
        const socket = connect(Number(port), '127.0.0.2')
        socket.once('connect', () => resolve(true))
        socket.once('error', () => resolve(false))
      })
      expect(isOpen).toBe(false)
    })
  })

  test('has no credentials, and not the address where they are handed out', async () => {
    process.env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI = '/v2/credentials/x'
    const { key } = await make('environment.bin')
    await settled(key, async () => {
      const [daemon] = await daemons()
      expect(new Set(daemon?.variables)).toEqual(
        new Set(['HOME', 'LANG', 'PATH', 'http_proxy', 'https_proxy']),
      )
    }).finally(() => {
      delete process.env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI
    })
  })
})

test('a tracker that leads inside by a redirect is not followed', async () => {
  const knocks: number[] = []
  const inside = createServer((socket) => {
    knocks.push(1)
    socket.destroy()
  })
  // Another address of this machine, which nobody has opened.
  await new Promise<void>((resolve) => inside.listen(0, '127.0.0.2', resolve))
  const address = inside.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  tracker.redirect(`http://127.0.0.2:${port}/announce`)
  const { key } = await make('redirected.bin')
  const { result } = await start(key, { duration: 5 })
  expect(tracker.announcements.length).toBeGreaterThan(0)
  expect(knocks).toEqual([])
  expect(result.warnings).toEqual([expect.objectContaining({ code: 'TrackerSilent' })])
  await new Promise((resolve) => inside.close(resolve))
})

test.each<[string, (inside: string) => Record<string, Bencodable>]>([
  [
    'an address behind a list of which it takes none',
    (announce) => ({ announce, 'announce-list': [['wss://t.example']] }),
  ],
  ['an address that a zero byte ends', (inside) => ({ announce: `${inside}\0.example/announce` })],
])('the client hears of no tracker but those that were judged: not of %s', async (_says, trackers) => {
  const inside = createSocket('udp4')
  const knocks: number[] = []
  inside.on('message', ({ length }) => knocks.push(length))
  // Another address of this machine, which nobody has opened.
  await new Promise<void>((resolve) => inside.bind(0, '127.0.0.2', resolve))
  onTestFinished(() => void inside.close())
  const { key, content } = await make('hidden.bin')
  const { info } = bdecode((await handling.workshop.output(key)).content)
  if (info === undefined) throw new Error('a torrent without info')
  const head = bencode(trackers(`udp://127.0.0.2:${inside.address().port}`)).subarray(0, -1)
  await handling.putOutput('hidden/x.torrent', Buffer.concat([head, bencode('info'), info, Buffer.from('e')]))
  const data = await handling.putOutput('hidden/data', content)
  const outcome = await start('hidden/x.torrent', { duration: 5, data }).then(
    ({ result }) => result.endedBy,
    (error: unknown) => error instanceof WorkerError && error.code,
  )
  expect(['duration', 'URL_REFUSED']).toContain(outcome)
  expect(knocks).toEqual([])
})

test('peers inside of a network are not let in, but where the operator opened it', async () => {
  const { key, file } = await make('named.bin')
  // The tracker is opened by its port, and peers are not: the other tests open all of that address.
  const trackerOnly = [{ network: '127.0.0.1', prefix: 32, port: Number(new URL(tracker.url).port) }]
  const seeding = start(key, { duration: 25 }, { environment: { PRIVATE_SOURCES: trackerOnly } })
  await announced('started')
  const { exitCode } = await downloadWithAria2(file, { below: scratch, timeoutS: 20 })
  expect(exitCode).not.toBe(0)
  expect((await seeding).result).toMatchObject({ uploadedBytes: 0, peersSeen: 0 })
})
