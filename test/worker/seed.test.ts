import { randomBytes } from 'node:crypto'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type SeedParams, seedParamsSchema } from '../../schemas/kinds/seed.ts'
import type { PrivateSource } from '../../schemas/public-address.ts'
import { storageAskedFor } from '../../schemas/sizes.ts'
import { asWorkerError, type WorkerError } from '../../worker/errors.ts'
import { seed } from '../../worker/kinds/seed.ts'
import { torrent } from '../../worker/kinds/torrent.ts'
import { type Address, openGuard } from '../../worker/net/guard.ts'
import { bencode } from '../../worker/torrent/bencode.ts'
import { checkWebSeeds } from '../../worker/torrent/check-web-seeds.ts'
import { encodeTorrent } from '../../worker/torrent/metainfo.ts'
import { placesOf } from '../../worker/torrent/places.ts'
import { requireRoomFor } from '../../worker/torrent/seed-data.ts'
import { endOf, goalOf, seedStatus } from '../../worker/torrent/seeding.ts'
import { checkTrackers, openTrackerProxy, type TrackerProxy } from '../../worker/torrent/trackers.ts'
import {
  blocklist,
  type DaemonPlan,
  daemonArguments,
  daemonEnvironment,
  daemonSettings,
} from '../../worker/torrent/transmission.ts'
import { type Handling, openHandling } from './handling.ts'

// What can be shown without a client; test/torrents has real ones.

const loopback: PrivateSource = { network: '127.0.0.1', prefix: 32, port: undefined }

describe('what transmission-daemon is told', () => {
  const plan: DaemonPlan = {
    configFolder: '/tmp/job-1/transmission',
    dataFolder: '/tmp/job-1/data',
    rpcPort: 40_001,
    peerPort: 51_413,
    user: 'worker',
    password: 'secret',
    isPrivate: false,
    maxRateKBps: undefined,
  }

  test('its arguments, which everybody on the machine can read, hold no secret', () => {
    expect(daemonArguments(plan)).toEqual(['--foreground', '--config-dir', '/tmp/job-1/transmission'])
  })

  test('its environment is this and nothing else', () => {
    expect(daemonEnvironment('/usr/bin', '/tmp/c', 'http://127.0.0.1:1')).toEqual({
      PATH: '/usr/bin',
      LANG: 'C.UTF-8',
      HOME: '/tmp/c',
      http_proxy: 'http://127.0.0.1:1',
      https_proxy: 'http://127.0.0.1:1',
    })
  })

  test.each<[string, Partial<DaemonPlan>, Record<string, unknown>]>([
    ['data and ports', {}, { 'download-dir': '/tmp/job-1/data', 'peer-port': 51_413, 'rpc-port': 40_001 }],
    [
      'control from this task only, with a password',
      {},
      {
        'rpc-bind-address': '127.0.0.1',
        'rpc-authentication-required': true,
        'rpc-username': 'worker',
        'rpc-password': 'secret',
        'rpc-whitelist-enabled': true,
        'rpc-host-whitelist-enabled': true,
      },
    ],
    [
      'nothing before it was verified',
      {},
      { 'start-added-torrents': false, 'scrape-paused-torrents-enabled': false },
    ],
    ['nothing comes in', {}, { 'speed-limit-down-enabled': true, 'speed-limit-down': 0 }],
    ['no router is asked', {}, { 'port-forwarding-enabled': false, 'lpd-enabled': false }],
    ['no address that is not public', {}, { 'blocklist-enabled': true }],
    ['others are asked for peers', {}, { 'dht-enabled': true, 'pex-enabled': true }],
    ['but not about a private one', { isPrivate: true }, { 'dht-enabled': false, 'pex-enabled': false }],
    ['no rate', {}, { 'speed-limit-up-enabled': false }],
    ['a rate', { maxRateKBps: 500 }, { 'speed-limit-up-enabled': true, 'speed-limit-up': 500 }],
    [
      'the ratio is the torrent’s own',
      {},
      { 'ratio-limit-enabled': false, 'idle-seeding-limit-enabled': false },
    ],
  ])('%s', (_says, more, expected) => {
    expect(daemonSettings({ ...plan, ...more })).toMatchObject(expected)
  })

  const lines = (opened: PrivateSource[]) => blocklist(opened).trim().split('\n')

  test('peers that are not public are blocked', () => {
    expect(lines([])).toEqual([
      'this network:0.0.0.0-0.255.255.255',
      'private:10.0.0.0-10.255.255.255',
      'carrier-grade NAT:100.64.0.0-100.127.255.255',
      'loopback:127.0.0.0-127.255.255.255',
      'link-local:169.254.0.0-169.254.255.255',
      'private:172.16.0.0-172.31.255.255',
      'special:192.0.0.0-192.0.0.255',
      'private:192.168.0.0-192.168.255.255',
      'benchmarks:198.18.0.0-198.19.255.255',
      'multicast and reserved:224.0.0.0-255.255.255.255',
    ])
  })

  test.each<[string, PrivateSource, string[]]>([
    ['one address', loopback, ['loopback:127.0.0.0-127.0.0.0', 'loopback:127.0.0.2-127.255.255.255']],
    [
      'a network at the edge',
      { network: '10.0.0.0', prefix: 16, port: undefined },
      ['private:10.1.0.0-10.255.255.255'],
    ],
    [
      'a network inside, named by any of its addresses',
      { network: '10.1.2.3', prefix: 16, port: undefined },
      ['private:10.0.0.0-10.0.255.255', 'private:10.2.0.0-10.255.255.255'],
    ],
  ])('but for what the operator opened: %s', (_says, opened, expected) => {
    expect(lines([opened])).toEqual(expect.arrayContaining(expected))
    expect(lines([opened]).length).toBe(10 + expected.length - 1)
  })

  test.each<[string, PrivateSource]>([
    ['a port is not for peers', { network: '127.0.0.1', prefix: 32, port: 80 }],
    ['IPv6', { network: 'fd00::', prefix: 8, port: undefined }],
  ])('and what opens nothing: %s', (_says, opened) => {
    expect(lines([opened])).toEqual(lines([]))
  })
})

describe('where the client looks for the data', () => {
  const named = (...paths: string[]) =>
    paths.map((path) => ({ path: path.split('/').filter((part) => part !== ''), bytes: 5 }))
  const padding = { path: ['.pad', '5'], bytes: 5, isPadding: true as const }

  test.each([
    ['one file under another name', named(''), ['a_b.wav'], [['a_b.wav']]],
    [
      'several in a folder under another name, in their order',
      named('b?', 'a:/c'),
      ['set_ 1/b_', 'set_ 1/a_/c'],
      [
        ['set_ 1', 'b_'],
        ['set_ 1', 'a_', 'c'],
      ],
    ],
    [
      'names that change places',
      named('a', 'b'),
      ['set/b', 'set/a'],
      [
        ['set', 'b'],
        ['set', 'a'],
      ],
    ],
    [
      'one padding for several places',
      [padding, ...named('a'), padding],
      ['set/.pad/5', 'set/a', 'set/.pad/5'],
      [
        ['set', '.pad', '5'],
        ['set', 'a'],
        ['set', '.pad', '5'],
      ],
    ],
  ])('is %s', (_says, files, names, places) => {
    expect(placesOf(files, names)).toEqual(places)
  })

  test.each([
    ['two names became one', named('a:b', 'a_b'), ['set/a_b', 'set/a_b'], 'two files have the path set/a_b'],
    ['a file became a folder', named('a:', 'a_/b'), ['set/a_', 'set/a_/b'], 'set/a_ is a file and a folder'],
    ['a name leads out', named('a'), ['set/../../a'], 'not a name'],
    ['a name leads to the top', named('a'), ['/a'], 'not a name'],
    ['a name became too long', named('a'), [`${'a'.repeat(250)}_.wav_x`], 'more than 255 bytes'],
    ['there are fewer', named('a', 'b'), ['set/a'], 'the client sees 1 of its 2 files'],
    ['there are more', named('a'), ['set/a', 'set/b'], 'the client sees 2 of its 1 files'],
  ])('is nowhere if %s', (_says, files, names, says) => {
    expect(() => placesOf(files, names)).toThrow(
      expect.objectContaining({ code: 'TORRENT_INVALID', message: expect.stringContaining(says) }),
    )
  })
})

describe('when it is enough', () => {
  const params = (more: Partial<SeedParams>) =>
    seedParamsSchema.parse({ duration: 100, ...more }) as SeedParams
  const MB = 1_000_000

  test.each([
    ['before both', { ratio: 2 }, 199 * MB, 99_999, undefined],
    ['at the ratio', { ratio: 2 }, 200 * MB, 5000, 'ratio'],
    ['at the time', { ratio: 2 }, 0, 100_000, 'duration'],
    ['at the bytes', { maxUploadBytes: 50 * MB }, 50 * MB, 5000, 'maxUploadBytes'],
    ['at the bytes before the ratio', { ratio: 2, maxUploadBytes: 50 * MB }, 60 * MB, 5000, 'maxUploadBytes'],
    ['at the ratio before the bytes', { ratio: 0.5, maxUploadBytes: 60 * MB }, 50 * MB, 5000, 'ratio'],
    ['without a ratio it goes on', {}, 10_000 * MB, 5000, undefined],
  ])('%s', (_says, more, uploaded, elapsedMs, by) => {
    expect(endOf(goalOf(params(more), 100 * MB), uploaded, elapsedMs)).toBe(by)
  })

  test.each([
    ['the beginning', {}, 0, 0, { percent: 15, etaS: 100 }],
    ['half of the time', {}, 0, 50_000, { percent: 57, etaS: 50 }],
    ['half of the ratio in a tenth of the time', { ratio: 2 }, 100 * MB, 10_000, { percent: 57, etaS: 10 }],
    ['the end', { ratio: 2 }, 200 * MB, 10_000, { percent: 99, etaS: 0 }],
    ['more than the end', { ratio: 2 }, 900 * MB, 900_000, { percent: 99, etaS: 0 }],
  ])(
    'progress is what is further, and what is left is what is shorter: %s',
    (_says, more, uploaded, elapsedMs, status) => {
      expect(seedStatus(goalOf(params(more), 100 * MB), uploaded, elapsedMs)).toEqual({
        stage: 'seed',
        ...status,
      })
    },
  )

  test.each([
    ['no time', { duration: 0 }],
    ['more than 6 days', { duration: 6 * 86_400 + 1 }],
    ['no ratio', { ratio: 0 }],
    ['no bytes', { maxUploadBytes: 0 }],
    ['no rate', { maxRateKBps: 0 }],
    ['half an address', { data: { bucket: 'uploads' } }],
  ])('%s is refused', (_says, wrong) => {
    expect(seedParamsSchema.safeParse(wrong).success).toBe(false)
  })
})

describe('a tracker', () => {
  const resolve = (addresses: string[]) => async (): Promise<Address[]> =>
    addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  const publicly = { privateSources: [], resolve: resolve(['93.184.215.14']) }

  test.each([
    'http://t.example/announce?key=secret',
    'https://t.example:2710/a',
    'udp://t.example:6969',
    'udp://93.184.215.14:1',
  ])('that is public may be asked: %s', async (tracker) => {
    expect(await checkTrackers([[tracker]], publicly)).toEqual({
      tiers: [[new URL(tracker).href]],
      warnings: [],
    })
  })

  test.each([
    'http://127.0.0.1/announce',
    'http://169.254.169.254/latest/meta-data/',
    'http://169.254.170.2/v2/credentials/x',
    'udp://10.0.0.5:6969',
    'http://[::1]/announce',
    'http://[::ffff:169.254.169.254]/announce',
    'http://2130706433/announce',
    'http://0x7f.1/announce',
    'http://localhost/announce',
    'http://metadata.internal/announce',
    'udp://0x7f000001:80',
  ])('inside of a network ends the job: %s', async (tracker) => {
    await expect(checkTrackers([['https://t.example'], [tracker]], publicly)).rejects.toMatchObject({
      code: 'URL_REFUSED',
    })
  })

  test('whose name means an address inside ends the job, also if it is one of several', async () => {
    const check = { privateSources: [], resolve: resolve(['93.184.215.14', '10.0.0.1']) }
    await expect(checkTrackers([['http://t.example']], check)).rejects.toMatchObject({ code: 'URL_REFUSED' })
  })

  test.each([
    ['http://localhost:99/a', 'the tracker localhost'],
    ['udp://10.0.0.5:6969', 'the tracker 10.0.0.5:6969'],
    ['http://t.example/a', 'the tracker t.example:80 (10.0.0.1)'],
  ])('that is refused is called one: %s', async (tracker, called) => {
    const check = { privateSources: [], resolve: resolve(['10.0.0.1']) }
    await expect(checkTrackers([[tracker]], check)).rejects.toThrow(`${called}: `)
  })

  test('of very many is not looked up: a hundred are, a few at a time', async () => {
    const names: string[] = []
    let [atOnce, most] = [0, 0]
    const slowly = async (name: string): Promise<Address[]> => {
      names.push(name)
      most = Math.max(most, ++atOnce)
      await new Promise((done) => setImmediate(done))
      atOnce -= 1
      return [{ address: '93.184.215.14', family: 4 }]
    }
    const tiers = Array.from({ length: 50 }, (_, tier) =>
      Array.from({ length: 3 }, (_, index) => `udp://t${3 * tier + index}.example:1`),
    )
    const checked = await checkTrackers(tiers, { privateSources: [], resolve: slowly })
    expect(names).toHaveLength(100)
    expect(most).toBeLessThanOrEqual(4)
    expect(checked.tiers).toEqual([...tiers.slice(0, 33), ['udp://t99.example:1']])
    expect(checked.warnings).toEqual([
      { code: 'TrackersLeftOut', message: 'It names 150 trackers, and the first 100 are asked.' },
    ])
  })

  test('is one of a hundred, and none is left out', async () => {
    const trackers = Array.from({ length: 100 }, (_, index) => `udp://t${index}.example:1`)
    expect(await checkTrackers([trackers], publicly)).toEqual({ tiers: [trackers], warnings: [] })
  })

  test('with an endless name gives a sentence that a record can hold', async () => {
    const { warnings } = await checkTrackers([[`wss://${'a'.repeat(10_000)}`]], publicly)
    expect(warnings[0]?.message.length).toBeLessThan(400)
  })

  test('inside of a network that the operator opened may be asked', async () => {
    expect(await checkTrackers([['http://127.0.0.1:99/a']], { privateSources: [loopback] })).toEqual({
      tiers: [['http://127.0.0.1:99/a']],
      warnings: [],
    })
  })

  test.each([
    ['of no protocol that the client speaks', 'wss://t.example', publicly],
    ['that is no address', 'nonsense', publicly],
    ['whose name nobody knows', 'http://t.example', { privateSources: [], resolve: resolve([]) }],
  ])('%s is a warning', async (_says, tracker, check) => {
    const { warnings } = await checkTrackers([[tracker]], check)
    expect(warnings).toEqual([expect.objectContaining({ code: 'TrackerUnusable' })])
  })

  test('is not named with the password that stands in its address', async () => {
    const { warnings } = await checkTrackers([['wss://t.example/secret-passkey/announce']], publicly)
    expect(warnings[0]?.message).not.toContain('secret')
  })

  test.each<[string, string[][], string[][]]>([
    [
      'in its tier',
      [['http://a.example/1', 'udp://b.example:1/x?y=z'], ['https://c.example/']],
      [['http://a.example/1', 'udp://b.example:1/x?y=z'], ['https://c.example/']],
    ],
    [
      'but not of one that it does not speak with',
      [['wss://a.example', 'http://b.example/'], ['wss://c.example']],
      [['http://b.example/']],
    ],
    ['but not of one that a zero byte would make another', [['udp://10.0.0.5\0.t.example']], []],
    [
      'without what it would take for the host',
      [['udp://10.0.0.5:1@t.example:2/a']],
      [['udp://t.example:2/a']],
    ],
    ['without what is not seen', [[' udp://t.exa\tmple:2/a\n']], [['udp://t.example:2/a']]],
  ])('is told to the client as it was judged, %s', async (_says, trackers, tiers) => {
    expect((await checkTrackers(trackers, publicly)).tiers).toEqual(tiers)
  })

  test('that nobody knows yet is told to the client all the same', async () => {
    const check = { privateSources: [], resolve: resolve([]) }
    expect((await checkTrackers([['http://t.example/a']], check)).tiers).toEqual([['http://t.example/a']])
  })
})

describe('the way to trackers', () => {
  const servers: Server[] = []
  let proxy: TrackerProxy | undefined
  afterEach(async () => {
    await proxy?.close()
    for (const server of servers.splice(0)) server.close()
  })
  const serve = async (): Promise<number> => {
    const server = createServer((_request, response) => response.end('peers'))
    servers.push(server)
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    return (server.address() as AddressInfo).port
  }
  /** As libcurl asks a proxy for a plain address. */
  const ask = async (through: TrackerProxy, url: string): Promise<number> => {
    const { hostname, port } = new URL(through.url)
    return new Promise((done, fail) => {
      request({ hostname, port, path: url, headers: { host: new URL(url).host } }, (response) => {
        response.resume()
        done(response.statusCode ?? 0)
      })
        .once('error', fail)
        .end()
    })
  }

  test('goes to the address that was judged, whatever the name means by then', async () => {
    const port = await serve()
    let times = 0
    proxy = await openTrackerProxy({
      privateSources: [loopback],
      // Asked a second time, it would be somebody else.
      resolve: async () => [{ address: times++ === 0 ? '127.0.0.1' : '127.0.0.9', family: 4 }],
    })
    expect(await ask(proxy, `http://t.example:${port}/announce`)).toBe(200)
    expect(times).toBe(1)
  })

  test.each(['http://127.0.0.1:PORT/', 'http://169.254.170.2/v2/credentials/x', 'http://localhost:PORT/'])(
    'does not lead inside: %s',
    async (url) => {
      const port = await serve()
      proxy = await openTrackerProxy({ privateSources: [] })
      expect(await ask(proxy, url.replace('PORT', String(port)))).toBe(403)
    },
  )

  test('ends here for one that nobody knows', async () => {
    proxy = await openTrackerProxy({ privateSources: [], resolve: async () => [] })
    expect(await ask(proxy, 'http://t.example/announce')).toBe(502)
  })
})

describe('a seed job', () => {
  let handling: Handling
  beforeAll(async () => {
    handling = await openHandling()
  })
  afterAll(() => handling.close())

  const seeded = (key: string, params: Record<string, unknown> = {}, bucket = handling.outputs) =>
    handling.handle(seed, { input: { bucket, key }, params })
  const made = async (name: string, params: Record<string, unknown> = {}) => {
    const input = await handling.workshop.upload(name, randomBytes(1000))
    const { files } = await handling.handle(torrent, { input, params })
    return { input, key: files.find(({ role }) => role === 'torrent')?.key ?? '' }
  }

  test('without the program says which package brings it', async () => {
    const { key } = await made('a.bin')
    await expect(seeded(key)).rejects.toMatchObject({
      code: 'TORRENT_CLIENT_MISSING',
      exitCode: 78,
      message: expect.stringContaining('apt-get install transmission-daemon'),
    })
  })

  test('of something that is no torrent fails', async () => {
    await handling.workshop.upload('x.torrent', Buffer.from('<html>'))
    await expect(seeded('x.torrent', {}, handling.uploads)).rejects.toMatchObject({ code: 'TORRENT_INVALID' })
  })

  test('of something far too large for a torrent fails before it is brought', async () => {
    await handling.workshop.upload('large.torrent', Buffer.alloc(21 * 1024 * 1024))
    await expect(seeded('large.torrent', {}, handling.uploads)).rejects.toMatchObject({
      code: 'INPUT_TOO_LARGE',
    })
  })

  test('that does not know its data says how to name it', async () => {
    const { key } = await made('b.bin')
    const { content } = await handling.workshop.output(key)
    await handling.workshop.upload('lonely/b.torrent', content)
    await expect(seeded('lonely/b.torrent', {}, handling.uploads)).rejects.toThrow(
      'settings.params.data is missing',
    )
  })

  test('beside the description of another torrent fails', async () => {
    const { key } = await made('c.bin')
    const other = await made('d.bin')
    const { content } = await handling.workshop.output(other.key)
    const beside = `${key.slice(0, key.lastIndexOf('/') + 1)}other.torrent`
    await handling.putOutput(beside, content)
    await expect(seeded(beside)).rejects.toThrow('is about another torrent')
  })

  test('whose data is of another size fails before it is brought', async () => {
    const { key } = await made('e.bin')
    const { bucket, key: data } = await handling.workshop.upload('f.bin', randomBytes(999))
    await expect(seeded(key, { data: { bucket, key: data } })).rejects.toMatchObject({
      code: 'TORRENT_DATA_MISMATCH',
    })
  })

  test('with a tracker inside of the network is refused, and nothing was brought', async () => {
    const { key } = await made('g.bin', { trackers: ['http://169.254.170.2/announce'] })
    await expect(seeded(key)).rejects.toMatchObject({ code: 'URL_REFUSED', exitCode: 77 })
  })

  test('needs no room for padding, which is never written', async () => {
    const [content, padding, pieceLength] = [randomBytes(1000), 1024 ** 4, 16 * 1024 ** 2]
    await handling.workshop.upload('padded/a', content)
    await handling.workshop.upload(
      'padded/x.torrent',
      bencode({
        info: {
          ...{ name: 'padded', 'piece length': pieceLength, pieces: Buffer.alloc(20 * (2 ** 16 + 1)) },
          files: [
            { length: content.length, path: ['a'] },
            { length: padding, path: ['.pad', String(padding)], attr: 'p' },
          ],
        },
      }),
    )
    const data = { bucket: handling.uploads, key: 'padded/manifest.json' }
    // It comes as far as the program, which is not there.
    await expect(seeded('padded/x.torrent', { data }, handling.uploads)).rejects.toMatchObject({
      code: 'TORRENT_CLIENT_MISSING',
    })
  })

  test('of more than any task has room for is refused at once, not tried again', async () => {
    const bytes = 8 * 1024 ** 4
    const pieceLength = 16 * 1024 * 1024
    const encoded = encodeTorrent(
      {
        name: 'huge.bin',
        files: [{ path: [], bytes }],
        pieceLength,
        pieces: Buffer.alloc(20 * Math.ceil(bytes / pieceLength)),
        private: false,
        trackers: [],
        webSeeds: [],
      },
      { createdBy: 'test' },
    )
    await handling.workshop.upload('huge.torrent', encoded.bytes)
    await expect(seeded('huge.torrent', {}, handling.uploads)).rejects.toMatchObject({
      code: 'INPUT_TOO_LARGE',
      exitCode: 65,
      message: expect.stringContaining('no task has more than 200'),
    })
  })
})

describe('the room for the data', () => {
  const gibibyte = 1024 ** 3
  const refusalOf = (dataBytes: number, freeBytes: number): WorkerError | undefined => {
    try {
      requireRoomFor(dataBytes, freeBytes)
    } catch (error) {
      return asWorkerError(error)
    }
    return undefined
  }

  test.each<[string, number, number, string | undefined, number | undefined]>([
    ['with a few megabytes to spare is enough', 10 * gibibyte, 10 * gibibyte + 2 ** 26, undefined, undefined],
    ['with less to spare is not', 10 * gibibyte, 10 * gibibyte + 2 ** 26 - 1, 'DISK_FULL', 21],
    [
      'of a larger disk is asked for so that the controller reads it',
      60 * gibibyte,
      gibibyte,
      'DISK_FULL',
      67,
    ],
    ['of the largest disk is asked for as well', 181 * gibibyte, gibibyte, 'DISK_FULL', 200],
    ['that no task has ends the job', 182 * gibibyte, gibibyte, 'INPUT_TOO_LARGE', undefined],
  ])('%s', (_says, dataBytes, freeBytes, code, asked) => {
    const refusal = refusalOf(dataBytes, freeBytes)
    expect(refusal?.code).toBe(code)
    expect(storageAskedFor(refusal?.message ?? '')).toBe(asked)
  })
})

describe('a look at a web seed', () => {
  let server: Server
  let base: string
  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url === '/gone') response.statusCode = 403
      else if (request.url === '/whole') response.setHeader('content-length', 4)
      else
        response.writeHead(206, { 'content-range': request.url === '/other' ? 'bytes 0-0/5' : 'bytes 0-0/4' })
      response.end(request.url === '/whole' ? 'abcd' : 'a')
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => void server.close())

  const look = (path: string, privateSources = [loopback]) =>
    checkWebSeeds([{ url: base + path, bytes: 4 }], {
      guard: openGuard({ privateSources }),
      signal: new AbortController().signal,
    })

  test('that answers as clients need it finds nothing', async () => {
    expect(await look('/right')).toEqual([])
  })

  test.each([
    ['/gone', 'answers 403'],
    ['/whole', 'does not know ranges'],
    ['/other', 'has 5 bytes, and the torrent 4'],
  ])('%s is a warning: %s', async (path, says) => {
    expect(await look(path)).toEqual([{ code: 'WebSeedUnusable', message: expect.stringContaining(says) }])
  })

  test('goes to no address that is not public', async () => {
    const [warning] = await look('/right', [])
    expect(warning?.message).toContain('loopback')
  })
})
