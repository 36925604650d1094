import { execFileSync } from 'node:child_process'
import { createCipheriv } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { parsePrivateSource } from '../../schemas/public-address.ts'
import { runChild } from '../../worker/children.ts'
import type { WorkerError } from '../../worker/errors.ts'
import type { MediaTools } from '../../worker/ffmpeg.ts'
import { type Address, openGuard } from '../../worker/net/guard.ts'
import { guardedFetch } from '../../worker/net/guarded-fetch.ts'
import { openHttpProxy } from '../../worker/net/http-proxy.ts'
import { innerPlaylist, innerUrl, outerUrl } from '../../worker/net/inner-url.ts'
import { probeArguments, recordArguments } from '../../worker/record/command.ts'
import { hlsOptions } from '../../worker/record/hls-options.ts'
import { openSource } from '../../worker/record/source.ts'
import { npmMediaTools } from '../support/clips.ts'
import { both, openSite, openTrap, type Site, startEncoder } from '../support/streams.ts'
import { allMediaTools } from './media.ts'

// What a stranger's URL can make a task connect to. Every trap counts whatever arrives at it, and has to stay at nothing.

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const folder = mkdtempSync(join(tmpdir(), 'net-'))
const allTools = await allMediaTools(folder)
const closing: (() => Promise<unknown>)[] = []
const later = <T extends { close: () => Promise<unknown> }>(thing: T): T => {
  closing.push(thing.close)
  return thing
}
let part: Buffer
beforeAll(async () => {
  const tools = await npmMediaTools(folder)
  const made = startEncoder(tools, [...both, '-t', '1', '-f', 'mpegts', join(folder, 'part.ts')])
  await new Promise((resolve) => made.once('close', resolve))
  part = readFileSync(join(folder, 'part.ts'))
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The rule of a task whose operator opened nothing but these sites. */
const guardFor = (sites: readonly Pick<Site, 'port'>[], resolve?: (name: string) => Promise<Address[]>) =>
  openGuard({
    privateSources: sites.flatMap(({ port }) => parsePrivateSource(`127.0.0.1:${port}`) ?? []),
    ...(resolve === undefined ? {} : { resolve }),
  })

const media = (...lines: string[]) =>
  ['#EXTM3U', '#EXT-X-VERSION:6', '#EXT-X-TARGETDURATION:2', ...lines, ''].join('\n')

/** A site that serves one playlist (and its parts) at /list.m3u8. */
const openListSite = async (playlist: () => string, more: Record<string, string> = {}): Promise<Site> =>
  later(
    await openSite((request, response) => {
      const path = request.url ?? ''
      const location = more[path]
      if (path === '/list.m3u8') response.end(playlist())
      else if (location !== undefined) response.writeHead(302, { location }).end()
      else if (path.startsWith('/part')) response.end(part)
      else response.writeHead(404).end()
    }),
  )

/** What the worker does with a URL: ffprobe, then ffmpeg, through the same doors and with the same arguments. */
const recordFrom = async (
  url: string,
  tools: MediaTools,
  guard: ReturnType<typeof openGuard>,
  ca?: string,
): Promise<{ refused: string[]; exitCode: number | null; stderr: string }> => {
  const refusals: WorkerError[] = []
  const source = await openSource(url, { guard, onRefused: (error) => refusals.push(error), ca })
  const env = { ...tools.env, ...source.env }
  const options = await hlsOptions(tools, AbortSignal.timeout(5000))
  const run = (program: string, args: string[]) =>
    runChild(program, args, { env, signal: AbortSignal.timeout(8000), killAfterMs: 500 })
  try {
    await run(tools.ffprobe.path, probeArguments(source.address))
    await run(tools.ffprobe.path, probeArguments(source.address, options))
    const plan = { video: 0, audio: undefined, isHls: source.address.kind === 'http', durationS: undefined }
    const command = {
      source: source.address,
      plan,
      lengthS: 1,
      fromS: 0,
      isAgain: false,
      hlsOptions: options,
    }
    const end = await run(
      tools.ffmpeg.path,
      recordArguments({ ...command, segmentSeconds: 2, segmentWaitUs: 3e6, folder }),
    )
    return { ...end, refused: refusals.map(({ message }) => message) }
  } finally {
    await source.close()
  }
}

describe.each(allTools)('%s', (_version, tools) => {
  test('records through the proxy: playlist, segment, key, init and redirect all go that way', async () => {
    const site = await openListSite(
      () => media('#EXTINF:1,', 'part1.ts', '#EXTINF:1,', '/away.ts', '#EXT-X-ENDLIST'),
      { '/away.ts': '/part2.ts' },
    )
    const seen = await recordFrom(`${site.url}/list.m3u8`, tools, guardFor([site]))
    expect(seen).toMatchObject({ exitCode: 0, refused: [] })
    expect(new Set(site.asked)).toEqual(new Set(['/list.m3u8', '/part1.ts', '/away.ts', '/part2.ts']))
  })

  describe.each([
    ['http', (at: string) => `http://${at}/x.ts`],
    ['https', (at: string) => `https://${at}/x.ts`],
    [
      'the proxy protocol of ffmpeg, which would go around ours',
      (at: string) => `httpproxy://${at}/h.example:22`,
    ],
    ['tcp', (at: string) => `tcp://${at}/`],
    ['tls', (at: string) => `tls://${at}/`],
    ['rtmp', (at: string) => `rtmp://${at}/a/b`],
    ['crypto over that proxy protocol', (at: string) => `crypto+httpproxy://${at}/h.example:22`],
  ])('an address of %s that is not public', (_scheme, address) => {
    test.each([
      ['segment', (uri: string) => ['#EXTINF:1,', uri, '#EXT-X-ENDLIST']],
      [
        'key',
        (uri: string) => [
          `#EXT-X-KEY:METHOD=AES-128,URI="${uri}"`,
          '#EXTINF:1,',
          'part1.ts',
          '#EXT-X-ENDLIST',
        ],
      ],
      ['init', (uri: string) => [`#EXT-X-MAP:URI="${uri}"`, '#EXTINF:1,', 'part1.ts', '#EXT-X-ENDLIST']],
      ['media playlist', (uri: string) => ['#EXT-X-STREAM-INF:BANDWIDTH=1', uri]],
      [
        'audio playlist',
        (uri: string) => [
          `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="${uri}"`,
          '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"',
          'second.m3u8',
        ],
      ],
    ] as const)('as %s is never connected to', async (_slot, lines) => {
      const trap = later(await openTrap())
      const site = await openListSite(() => media(...lines(address(`127.0.0.1:${trap.port}`))))
      const { refused } = await recordFrom(`${site.url}/list.m3u8`, tools, guardFor([site]))
      expect(trap.hits).toEqual([])
      expect(site.asked).toContain('/list.m3u8')
      // Everything that ffmpeg asks for comes to us, and we say why not.
      expect(refused[0]).toMatch(/^https?:/.test(address('')) ? /127\.0\.0\.1.*loopback/ : /leads to \S+:/)
    })
  })

  test.each([
    '169.254.169.254',
    '169.254.170.2',
    '10.0.0.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[fd00:ec2::254]',
    '0x7f.1',
    '2130706433',
    'localhost',
    '0.0.0.0',
  ])('a segment at %s is refused, and the reason says so', async (host) => {
    const site = await openListSite(() => media('#EXTINF:1,', `http://${host}/x.ts`, '#EXT-X-ENDLIST'))
    const { refused } = await recordFrom(`${site.url}/list.m3u8`, tools, guardFor([site]))
    expect(refused[0]).toMatch(/^The address is not one that tasks may reach: \S+/)
  })

  test('a redirect to a private address is refused: of the source, and of a segment', async () => {
    const trap = later(await openTrap())
    const away = { '/away.ts': `http://127.0.0.1:${trap.port}/x`, '/file.ts': 'file:///etc/passwd' }
    const site = await openListSite(() => media('#EXTINF:1,', 'away.ts', '#EXT-X-ENDLIST'), away)
    for (const path of ['/list.m3u8', '/away.ts', '/file.ts']) {
      const { refused } = await recordFrom(`${site.url}${path}`, tools, guardFor([site]))
      expect(refused[0]).toMatch(path === '/file.ts' ? /redirects to file:/ : /loopback/)
    }
    expect(trap.hits).toEqual([])
  })

  test.each([
    ['behind a tag of ID3', (list: Buffer) => ({ body: Buffer.concat([id3(20), list]) })],
    ['packed', (list: Buffer) => ({ body: gzipSync(list), 'content-encoding': 'gzip' })],
    ['between titles of a radio', (list: Buffer) => ({ body: withTitles(list, 3), 'icy-metaint': '3' })],
  ] as const)('a playlist %s does not come past the proxy', async (_how, hide) => {
    const trap = later(await openTrap())
    const list = Buffer.from(media('#EXT-X-STREAM-INF:BANDWIDTH=1', `tcp://127.0.0.1:${trap.port}/`))
    const site = later(
      await openSite((_request, response) => {
        const { body, ...headers } = hide(list)
        response.writeHead(200, { ...headers, 'content-type': 'application/vnd.apple.mpegurl' }).end(body)
      }),
    )
    const { exitCode } = await recordFrom(`${site.url}/list.m3u8`, tools, guardFor([site]))
    expect(exitCode).not.toBe(0)
    expect(trap.hits).toEqual([])
    expect(site.asked.length).toBeGreaterThan(0)
  })

  test('a packed playlist of an honest source is unpacked', async () => {
    const list = gzipSync(media('#EXTINF:1,', 'part1.ts', '#EXT-X-ENDLIST'))
    const site = later(
      await openSite((request, response) => {
        if (request.url === '/list.m3u8') response.setHeader('content-encoding', 'gzip').end(list)
        else response.end(part)
      }),
    )
    const seen = await recordFrom(`${site.url}/list.m3u8`, tools, guardFor([site]))
    expect(seen).toMatchObject({ exitCode: 0, refused: [] })
  })

  test('a playlist in a segment, also an encrypted one, opens nothing', async () => {
    const trap = later(await openTrap())
    const inside = Buffer.from(media('#EXT-X-STREAM-INF:BANDWIDTH=1', `tcp://127.0.0.1:${trap.port}/`))
    const key = Buffer.alloc(16, 7)
    const cipher = createCipheriv('aes-128-cbc', key, Buffer.alloc(16))
    const hidden = Buffer.concat([cipher.update(inside), cipher.final()])
    const site = later(
      await openSite((request, response) => {
        const bodies: Record<string, Buffer | string> = {
          '/list.m3u8': media(
            '#EXT-X-KEY:METHOD=AES-128,URI="key",IV=0x00',
            '#EXTINF:1,',
            'part.ts',
            '#EXT-X-ENDLIST',
          ),
          '/key': key,
          '/part.ts': hidden,
        }
        response.end(bodies[request.url ?? ''])
      }),
    )
    const { exitCode } = await recordFrom(`${site.url}/list.m3u8`, tools, guardFor([site]))
    expect(exitCode).not.toBe(0)
    expect(trap.hits).toEqual([])
    expect(site.asked).toEqual(expect.arrayContaining(['/key', '/part.ts']))
  })

  test('a file of ours in a playlist is not read', async () => {
    const site = await openListSite(() => media('#EXTINF:1,', `file://${folder}/part.ts`, '#EXT-X-ENDLIST'))
    const { refused } = await recordFrom(`${site.url}/list.m3u8`, tools, guardFor([site]))
    expect(refused[0]).toMatch(/leads to file:/)
  })

  test.each([1, 2, 3])(
    'a name that leads to us from its %i. look-up on (rebinding) gets no further',
    async (good) => {
      const trap = later(await openTrap())
      const site = later(
        await openSite(
          (_request, response) => response.end(media('#EXTINF:1,', 'part1.ts')),
          '127.0.0.2',
          trap.port,
        ),
      )
      let asked = 0
      const resolve = async (): Promise<Address[]> => {
        asked += 1
        return [{ address: asked <= good ? '127.0.0.2' : '127.0.0.1', family: 4 }]
      }
      const privateSources = [parsePrivateSource(`127.0.0.2:${site.port}`) ?? []].flat()
      const guard = openGuard({ privateSources, resolve })
      const { refused } = await recordFrom(`http://rebind.example:${site.port}/list.m3u8`, tools, guard)
      expect(refused[0]).toMatch(/rebind\.example:\d+ \(127\.0\.0\.1\).*loopback/)
      expect(trap.hits).toEqual([])
    },
  )

  test('https is spoken by us, with certificates checked', async () => {
    const { key, cert } = selfSigned()
    const server = createHttpsServer({ key, cert }, (request, response) => {
      if (request.url === '/list.m3u8')
        response.end(media('#EXTINF:1,', `https://127.0.0.1:${port}/part1.ts`, '#EXT-X-ENDLIST'))
      else response.end(part)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    later({ close: async () => void server.close() })
    const url = `https://127.0.0.1:${port}/list.m3u8`
    const trusted = await recordFrom(url, tools, guardFor([{ port }]), cert)
    expect(trusted).toMatchObject({ exitCode: 0, refused: [] })
    const untrusted = await recordFrom(url, tools, guardFor([{ port }]))
    expect(untrusted.exitCode).not.toBe(0)
    server.closeAllConnections()
  })

  test('RTSP that redirects is refused, however it is written', async () => {
    const trap = later(await openTrap())
    for (const header of ['Location: ', 'LOCATION:', 'Lo\rcation: ', '$\u0000\u0000\u0004abcdLocation: ']) {
      const server = later(
        await openTalker(`RTSP/1.0 302 Moved\r\nCSeq: 1\r\n${header}rtsp://127.0.0.1:${trap.port}/x\r\n\r\n`),
      )
      const url = `rtsp://127.0.0.1:${server.port}/cam`
      const { refused } = await recordFrom(url, tools, guardFor([server]))
      expect(refused[0], JSON.stringify(header)).toMatch(/redirects/)
    }
    expect(trap.hits).toEqual([])
  })

  test.each(['rtmp', 'rtsp'])(
    '%s to an address that is not public is refused before anything is started',
    async (scheme) => {
      const trap = later(await openTrap())
      await expect(
        recordFrom(`${scheme}://127.0.0.1:${trap.port}/a/b`, tools, guardFor([])),
      ).rejects.toMatchObject({ code: 'URL_REFUSED', exitCode: 77 })
      expect(trap.hits).toEqual([])
    },
  )
})

/** A tag of so many bytes. */
const id3 = (bytes: number): Buffer =>
  Buffer.concat([Buffer.from([0x49, 0x44, 0x33, 4, 0, 0, 0, 0, 0, bytes]), Buffer.alloc(bytes)])

/** As a radio sends it: after so many bytes the length of a title, here none. */
const withTitles = (content: Buffer, every: number): Buffer =>
  Buffer.concat(
    Array.from({ length: Math.ceil(content.length / every) }, (_, index) =>
      Buffer.concat([content.subarray(index * every, (index + 1) * every), Buffer.from([0])]),
    ),
  )

/** Answers whatever it is asked with the same, byte for byte. */
const openTalker = async (says: string) => {
  const { createServer } = await import('node:net')
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end(Buffer.from(says, 'latin1')))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close: () => new Promise((resolve) => server.close(resolve)),
  }
}

const selfSigned = () => {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  execFileSync(
    'openssl',
    [
      ...[
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
      ],
      ...['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
    ],
    { stdio: 'ignore' },
  )
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
}

describe('the guard', () => {
  const publicOnes: Address[] = [
    { address: '93.184.216.34', family: 4 },
    { address: '2606:4700::1111', family: 6 },
  ]
  const withNames = (names: Record<string, Address[]>) =>
    openGuard({ privateSources: [], resolve: async (name) => names[name] ?? [] })

  test('a name with several addresses: one that is not public is one too many', async () => {
    const guard = withNames({
      'good.example': publicOnes,
      'mixed.example': [...publicOnes, { address: '127.0.0.1', family: 4 }],
    })
    await expect(guard.check('good.example', 443)).resolves.toMatchObject({ addresses: publicOnes })
    await expect(guard.check('mixed.example', 443)).rejects.toMatchObject({ code: 'URL_REFUSED' })
  })

  test('what was checked is what is connected to, whatever the name means by then', async () => {
    const site = later(await openSite((_request, response) => response.end('right')))
    let asked = 0
    const guard = guardFor([site], async () => {
      asked += 1
      return [{ address: asked === 1 ? '127.0.0.1' : '127.0.0.9', family: 4 }]
    })
    const target = await guard.check('name.example', site.port)
    const socket = connect({ host: target.host, port: target.port, lookup: target.lookup })
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    expect([socket.remoteAddress, asked]).toEqual(['127.0.0.1', 1])
    socket.destroy()
  })

  test.each([
    [22, false],
    [25, false],
    [80, true],
    [443, true],
    [554, true],
    [1935, true],
    [3306, false],
    [6379, false],
    [7999, false],
    [8000, true],
    [8999, true],
    [9000, false],
  ])('port %i of a public address: %s', async (port, may) => {
    const checked = await withNames({ 'good.example': publicOnes })
      .check('good.example', port)
      .then(
        () => true,
        () => false,
      )
    expect(checked).toBe(may)
  })

  test('a name without an address is unreachable, and may have one later', async () => {
    await expect(withNames({}).check('gone.example', 80)).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      exitCode: 69,
    })
  })
})

describe('the proxy', () => {
  const raw = async (port: number, head: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1')
    socket.write(head)
    let text = ''
    for await (const chunk of socket) text += String(chunk)
    return text
  }

  test('opens no tunnels, and answers nothing but plain addresses', async () => {
    const trap = later(await openTrap())
    const at = `127.0.0.1:${trap.port}`
    const refused: string[] = []
    const proxy = later(
      await openHttpProxy({ guard: guardFor([]), onRefused: ({ message }) => refused.push(message) }),
    )
    const port = Number(new URL(proxy.url).port)
    for (const line of [
      `CONNECT ${at}`,
      `GET http://${at}/`,
      `GET http://user@${at}/`,
      `GET ftp://${at}/`,
      `GET /local`,
      `POST http://${at}/`,
      `GET http://${at}\\@h.example/`,
      `GET http://h.example#@${at}/`,
    ])
      expect(
        await raw(port, `${line} HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\n\r\n`),
        line,
      ).not.toMatch(/^HTTP\/1\.1 2/)
    expect(trap.hits).toEqual([])
  })

  test('passes on the name that was asked for, and nothing that is for proxies', async () => {
    const heads: Record<string, unknown>[] = []
    const site = later(
      await openSite((request, response) => {
        heads.push(request.headers)
        response.end('ok')
      }),
    )
    const proxy = later(
      await openHttpProxy({
        guard: guardFor([site], async () => [{ address: '127.0.0.1', family: 4 }]),
        onRefused: () => undefined,
      }),
    )
    const text = await raw(
      Number(new URL(proxy.url).port),
      `GET http://radio.example:${site.port}/a?b=%7C| HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic a\r\nIcy-MetaData: 1\r\nConnection: close\r\n\r\n`,
    )
    expect(text).toMatch(/^HTTP\/1\.1 200/)
    expect(site.asked).toEqual(['/a?b=%7C|'])
    expect(heads[0]).toMatchObject({ host: `radio.example:${site.port}` })
    for (const name of ['proxy-authorization', 'icy-metadata']) expect(heads[0]).not.toHaveProperty(name)
  })
})

describe('addresses inside', () => {
  test.each([
    ['http://h.example/a?b', 'http://h.example/a?b'],
    ['https://h.example/a?b=1&c', 'http://h.example.tls.invalid:443/a?b=1&c'],
    ['https://h.example:8443/', 'http://h.example.tls.invalid:8443/'],
    ['https://93.184.216.34/x', 'http://93.184.216.34.tls.invalid:443/x'],
  ])('%s is %s', (outside, inside) => expect(innerUrl(outside)).toBe(inside))

  test.each([
    ['http://h.example/a', { isTls: false, host: 'h.example', port: 80, path: '/a' }],
    ['http://h.example.tls.invalid:443/a?b', { isTls: true, host: 'h.example', port: 443, path: '/a?b' }],
    ['http://[::1]:8080/a', { isTls: false, host: '[::1]', port: 8080, path: '/a' }],
    ['http://h.example?x', { isTls: false, host: 'h.example', port: 80, path: '/?x' }],
    ['http://tcp.refused.invalid/refused.ts', expect.stringContaining('leads to tcp:')],
    ['https://h.example/', expect.any(String)],
    ['http://a@h.example/', expect.any(String)],
    ['http://h.example:99999999/', expect.any(String)],
    ['/path', expect.any(String)],
    ['http:///x', expect.any(String)],
  ])('%s is read as %o', (asked, outside) => expect(outerUrl(asked)).toEqual(outside))

  test.each([
    ['part.ts', 'http://h.example/a/part.ts'],
    ['  part.ts  ', 'http://h.example/a/part.ts'],
    ['/part.ts?x=https://y.example/', 'http://h.example/part.ts?x=https://y.example/'],
    ['https://c.example/a.ts', 'http://c.example.tls.invalid:443/a.ts'],
    ['tcp://127.0.0.1:80/', 'http://tcp.refused.invalid/refused.ts'],
    ['TCP:127.0.0.1', 'http://tcp.refused.invalid/refused.ts'],
    ['file:///etc/passwd', 'http://file.refused.invalid/refused.ts'],
    ['data:,x', 'http://data.refused.invalid/refused.ts'],
    ['httpproxy://127.0.0.1:80/x', 'http://httpproxy.refused.invalid/refused.ts'],
    ['crypto+tcp://x', 'http://crypto+tcp.refused.invalid/refused.ts'],
    ['http://a b/', 'http://unreadable.refused.invalid/refused.ts'],
    [
      '#EXT-X-KEY:METHOD=AES-128,URI="https://k.example/key"',
      '#EXT-X-KEY:METHOD=AES-128,URI="http://k.example.tls.invalid:443/key"',
    ],
    [
      '#EXT-X-KEY:METHOD=AES-128,URI=tcp://x',
      '#EXT-X-KEY:METHOD=AES-128,URI="http://tcp.refused.invalid/refused.ts"',
    ],
    ['#EXT-X-KEY:URI="t\\cp://x"', '#EXT-X-KEY:URI="http://h.example/a/t/cp://x"'],
    ['#EXT-X-KEY:URI="open', '#EXT-X-KEY:URI="http://h.example/a/open"'],
    ['#EXT-X-KEY:METHOD=NONE', '#EXT-X-KEY:METHOD=NONE'],
    ['# a\0tcp://x', '# a\nhttp://tcp.refused.invalid/refused.ts'],
    ['# a\rtcp://x', '# a\nhttp://tcp.refused.invalid/refused.ts'],
    [
      '#X:A="URI=tcp://x",URI="b"',
      '#X:A="URI="http://tcp.refused.invalid/refused.ts"",URI="http://h.example/a/b"',
    ],
  ])('of a playlist: %j is %j', (line, inside) =>
    expect(innerPlaylist(`#EXTM3U\n${line}`, 'http://h.example/a/list.m3u8')).toBe(`#EXTM3U\n${inside}`),
  )
})

describe('a guarded fetch', () => {
  const signal = new AbortController().signal
  const asking = { method: 'GET', signal, timeoutMs: 3000, maxBytes: 10 } as const

  test('brings the answer of whoever may be reached, whatever its status', async () => {
    const site = later(
      await openSite((request, response) => {
        if (request.url === '/there') response.writeHead(302, { location: '/here' }).end()
        else if (request.url === '/missing') response.writeHead(404).end()
        else response.end('0123456789abcdef')
      }),
    )
    const guard = guardFor([site])
    const answer = await guardedFetch(`${site.url}/there`, { ...asking, guard })
    expect(answer).toMatchObject({ status: 200, url: `${site.url}/here`, body: Buffer.from('0123456789') })
    expect(await guardedFetch(`${site.url}/missing`, { ...asking, guard })).toMatchObject({ status: 404 })
  })

  test('refuses private addresses, also behind a redirect, and nothing arrives there', async () => {
    const trap = later(await openTrap())
    const site = later(
      await openSite((_request, response) =>
        response.writeHead(307, { location: `http://127.0.0.1:${trap.port}/` }).end(),
      ),
    )
    for (const url of [
      `http://127.0.0.1:${trap.port}/`,
      `http://[::ffff:127.0.0.1]:${trap.port}/`,
      'http://169.254.169.254/',
      'ftp://h.example/',
      'https://a:b@h.example/',
      site.url,
    ])
      await expect(guardedFetch(url, { ...asking, guard: guardFor([site]) })).rejects.toMatchObject({
        code: 'URL_REFUSED',
      })
    expect(trap.hits).toEqual([])
  })

  test('gives up when nobody answers in time', async () => {
    const site = later(await openSite(() => undefined))
    await expect(
      guardedFetch(site.url, { ...asking, timeoutMs: 200, guard: guardFor([site]) }),
    ).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
  })
})
