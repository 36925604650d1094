import { execFileSync } from 'node:child_process'
import { createCipheriv } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
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
import { innerPlaylist, innerUrl, outerText, outerUrl } from '../../worker/net/inner-url.ts'
import { probeArguments, recordArguments } from '../../worker/record/command.ts'
import { findHlsOptions } from '../../worker/record/hls-options.ts'
import { openSource } from '../../worker/record/source.ts'
import { npmMediaTools } from '../support/clips.ts'
import { both, openSite, openTrap, type Site, startEncoder } from '../support/streams.ts'
import { until } from '../support/wait.ts'
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
  const options = await findHlsOptions(tools, AbortSignal.timeout(5000))
  const run = (program: string, args: string[]) =>
    runChild(program, args, { env, signal: AbortSignal.timeout(8000), killAfterMs: 500 })
  try {
    await run(tools.ffprobe.path, probeArguments(source.address))
    await run(tools.ffprobe.path, probeArguments(source.address, options))
    const plan = {
      video: 0,
      audio: undefined,
      isHls: source.address.kind === 'http',
      durationS: undefined,
      seeksAnywhere: false,
    }
    const command = {
      source: source.address,
      plan,
      lengthS: 1,
      fromS: 0,
      liveStartIndex: undefined,
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
      [
        'audio playlist behind a name with a mark in it',
        (uri: string) => [
          `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a URI=" x=1,URI="${uri}"`,
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

  test.each([
    ['its address', 'NAME="a URI=b"'],
    ['a backslash', String.raw`NAME="a\"",x="\\",URI="tcp:\//TRAP/"`],
  ])('what looks like an attribute in %s is none', async (_where, name) => {
    const trap = later(await openTrap())
    const at = `127.0.0.1:${trap.port}`
    const list = media(
      `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",${name.replace('TRAP', at)}`,
      '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"',
      'second.m3u8',
    )
    const site = later(
      await openSite((request, response) =>
        request.url?.endsWith('/list.m3u8') ? response.end(list) : response.writeHead(404).end(),
      ),
    )
    await recordFrom(`${site.url}/x=1,URI=tcp://${at}/list.m3u8`, tools, guardFor([site]))
    expect(site.asked.length).toBeGreaterThan(0)
    expect(trap.hits).toEqual([])
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

  test('segments that want the cookie of their playlist get it, once', async () => {
    const cookies: (string | undefined)[] = []
    const site = later(
      await openSite((request, response) => {
        if (request.url === '/a/list.m3u8')
          response
            .setHeader('set-cookie', ['token=abc; path=/', 'other=1; path=/elsewhere'])
            .end(media('#EXTINF:1,', '/part1.ts', '#EXTINF:1,', '/part2.ts', '#EXT-X-ENDLIST'))
        else {
          cookies.push(request.headers.cookie)
          if (request.headers.cookie === 'token=abc') response.end(part)
          else response.writeHead(403).end()
        }
      }),
    )
    const seen = await recordFrom(`${site.url}/a/list.m3u8`, tools, guardFor([site]))
    expect(seen).toMatchObject({ exitCode: 0, refused: [] })
    expect(new Set(cookies)).toEqual(new Set(['token=abc']))
    // The next source knows nothing of it.
    await recordFrom(`${site.url}/part1.ts`, tools, guardFor([site]))
    expect(cookies.at(-1)).toBeUndefined()
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
  const local: Address[] = [{ address: '127.0.0.1', family: 4 }]
  /** A proxy to these sites, which any name leads to, and what it answers to a plain request. */
  const openTo = async (sites: readonly Pick<Site, 'port'>[], ca?: string) => {
    const proxy = later(
      await openHttpProxy({
        guard: guardFor(sites, async () => local),
        onRefused: () => undefined,
        ...(ca === undefined ? {} : { ca }),
      }),
    )
    const ask = async (url: string, ...headers: string[]) => {
      const lines = [`GET ${innerUrl(url)} HTTP/1.0`, 'Host: x', ...headers, '', '']
      const said = await raw(Number(new URL(proxy.url).port), lines.join('\r\n'))
      const [head = '', ...rest] = said.split('\r\n\r\n')
      const location = /^location: (.*)$/im.exec(head)?.[1]
      return { status: Number(head.split(' ')[1]), headers: { location }, body: rest.join('\r\n\r\n') }
    }
    const get = async (...asked: Parameters<typeof ask>): Promise<{ status: number; body: string }> => {
      const { status, body } = await ask(...asked)
      return { status, body }
    }
    return { proxy, ask, get }
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

  test.each([
    ['more lines than anybody plays', () => media('a\n'.repeat(4_000_000)), /more than 100000 lines/],
    [
      'short lines that become long addresses',
      () => media('a\n'.repeat(5000)),
      /characters when its addresses are whole/,
    ],
    [
      'a line of nothing but short addresses that become long',
      () => media(`#X:${'URI=a '.repeat(5000)}`),
      /characters when its addresses are whole/,
    ],
    [
      'a line of more addresses than anybody plays',
      () => media(`#X:${'URI="" '.repeat(100_001)}`),
      /more than 100000 lines or addresses/,
    ],
  ])('a playlist with %s is refused', async (_what, list, why) => {
    const body = gzipSync(list())
    const site = later(
      await openSite((_request, response) => response.setHeader('content-encoding', 'gzip').end(body)),
    )
    const { proxy, get } = await openTo([site])
    const answer = await get(`${site.url}/${'x'.repeat(4000)}/list.m3u8`)
    expect(answer).toEqual({ status: 502, body: expect.stringMatching(why) })
    expect(proxy.seen.failure).toMatch(why)
  })

  test('a playlist of twelve hours is passed on whole', async () => {
    const lines = Array.from({ length: 21_600 }, (_, index) => `#EXTINF:2,\r\npart${index}.ts`)
    const site = later(
      await openSite((_request, response) => response.end(media(lines.join('\r\n'), '#EXT-X-ENDLIST'))),
    )
    const { get } = await openTo([site])
    const { status, body } = await get(`${site.url}/${'x'.repeat(200)}/list.m3u8`)
    expect(status).toBe(200)
    expect(body.match(/^http:\S+\/part\d+\.ts$/gm)).toHaveLength(21_600)
  })

  test('a body behind more tags than a stream has is refused', async () => {
    const body = Buffer.concat([...Array.from({ length: 100_000 }, () => id3(0)), part])
    const site = later(await openSite((_request, response) => response.end(body)))
    const { get } = await openTo([site])
    expect(await get(`${site.url}/a.mp3`)).toEqual({
      status: 502,
      body: expect.stringContaining('more tags than a stream has'),
    })
  })

  test('a body behind one large tag arrives whole', async () => {
    const tag = Buffer.concat([Buffer.from([0x49, 0x44, 0x33, 4, 0, 0, 0, 64, 0, 0]), Buffer.alloc(2 ** 20)])
    const site = later(
      await openSite((_request, response) => response.end(Buffer.concat([tag, Buffer.from('sound')]))),
    )
    const { get } = await openTo([site])
    const { status, body } = await get(`${site.url}/a.mp3`)
    expect([status, body.length, body.slice(-5)]).toEqual([200, 2 ** 20 + 15, 'sound'])
  })

  test.each(['', '1', '12', '12345', '123456', 'ID3', 'ID3456789'])(
    'a body as short as %j arrives, with its length and without',
    async (text) => {
      const site = later(
        await openSite((request, response) => {
          if (request.url === '/chunked') response.write(text)
          response.end(request.url === '/chunked' ? '' : text)
        }),
      )
      const { get } = await openTo([site])
      for (const path of ['/plain', '/chunked'])
        expect(await get(`${site.url}${path}`)).toEqual({ status: 200, body: text })
    },
  )

  test('a source is left when its reader has gone, also before it answered, and that is no failure of it', async () => {
    const gone: string[] = []
    const site = later(
      await openSite((request) => request.socket.once('close', () => gone.push(request.url ?? ''))),
    )
    const { proxy } = await openTo([site])
    const socket = connect(Number(new URL(proxy.url).port), '127.0.0.1')
    socket.write(`GET ${site.url}/silent HTTP/1.1\r\nHost: x\r\n\r\n`)
    await until('the source to be asked', () => site.asked.length === 1)
    socket.destroy()
    await until('the source to be left', () => gone.length === 1, 5000)
    expect(proxy.seen.failure).toBeUndefined()
  })

  test('a connection that was kept and is closed by the source at that moment costs nothing', async () => {
    const sockets = new Map<Socket, number>()
    const site = later(
      await openSite((request, response) => {
        const asked = (sockets.get(request.socket) ?? 0) + 1
        sockets.set(request.socket, asked)
        if (asked > 1) request.socket.destroy()
        else response.end('part')
      }),
    )
    const { proxy, get } = await openTo([site])
    for (const path of ['/1.ts', '/2.ts', '/3.ts'])
      expect(await get(`${site.url}${path}`)).toEqual({ status: 200, body: 'part' })
    expect(proxy.seen.failure).toBeUndefined()
    expect(site.asked.length).toBeGreaterThan(3)
  })

  describe('a live playlist that goes on with another init section', () => {
    const head = '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n'
    const before = `${head}#EXT-X-MAP:URI="a.mp4"\n#EXTINF:1,\na0.m4s\n`
    const after = `${before}#EXT-X-MAP:URI="b.mp4"\n#EXTINF:1,\nb1.m4s\n`
    /** What of it is passed on: names of segments, and whether it ends. */
    const seenIn = (body: string) => body.match(/\w+\.m4s|ENDLIST/g)

    test('ends there, also when each look is redirected to an address of its own', async () => {
      let list = before
      let token = 0
      const site = later(
        await openSite((request, response) => {
          token += 1
          if (request.url === '/live.m3u8') response.writeHead(302, { location: `/at?t=${token}` }).end()
          else response.end(list)
        }),
      )
      const { proxy, ask } = await openTo([site])
      const follow = async () => {
        const { location = '' } = (await ask(`${site.url}/live.m3u8`)).headers
        return seenIn((await ask(location)).body)
      }
      expect(await follow()).toEqual(['a0.m4s'])
      list = after
      expect(await follow()).toEqual(['a0.m4s', 'ENDLIST'])
      expect(proxy.seen.initChanged).toBe(true)
    })

    test('is gone on with there, also when it has its end by then', async () => {
      let list = before
      const site = later(await openSite((_request, response) => response.end(list)))
      const { proxy, get } = await openTo([site])
      const look = async () => seenIn((await get(`${site.url}/live.m3u8`)).body)
      expect(await look()).toEqual(['a0.m4s'])
      list = `${after}#EXT-X-ENDLIST\n`
      expect(await look()).toEqual(['a0.m4s', 'ENDLIST'])
      proxy.forget()
      expect(await look()).toEqual(['b1.m4s', 'ENDLIST'])
      expect(proxy.seen).toMatchObject({ initChanged: false, playlistEnded: true })
    })
  })

  test('titles that a radio puts into its sound unasked are taken out', async () => {
    const title = Buffer.from(`${String.fromCharCode(2)}${"StreamTitle='a';".padEnd(32, '\0')}`)
    const pieces = [Buffer.from('abcde'), title, Buffer.from('fghij'), Buffer.from([0]), Buffer.from('kl')]
    const sent = Buffer.concat(pieces)
    const site = later(
      await openSite((request, response) => {
        response.setHeader('icy-metaint', '5')
        if (request.url === '/whole') response.end(sent)
        else {
          response.setHeader('content-length', sent.length)
          for (const byte of sent) response.write(Buffer.from([byte]))
          response.end()
        }
      }),
    )
    const { get } = await openTo([site])
    for (const path of ['/whole', '/bytes'])
      expect(await get(`${site.url}${path}`)).toEqual({ status: 200, body: 'abcdefghijkl' })
  })

  describe('cookies', () => {
    /** A site that answers with the cookie it got, and sets one that the query names. */
    const openEcho = async () =>
      later(
        await openSite((request, response) => {
          const set = new URL(request.url ?? '', 'http://x').searchParams.getAll('set')
          if (set.length > 0) response.setHeader('set-cookie', set)
          response.end(request.headers.cookie ?? 'none')
        }),
      )
    const setting = (...lines: string[]) =>
      `?${lines.map((line) => `set=${encodeURIComponent(line)}`).join('&')}`

    test('go back to the host that set them, and to no other site', async () => {
      const site = await openEcho()
      const { get } = await openTo([site])
      const at = (host: string, rest = '') => `http://${host}:${site.port}/${rest}`
      await get(at('a.one.co.uk', setting('own=1', 'site=1; domain=one.co.uk', 'all=1; domain=co.uk')))
      await get(at('a.one.co.uk', setting('stranger=1; domain=b.two.co.uk')))
      const seen = async (host: string) => (await get(at(host))).body
      expect(await seen('a.one.co.uk')).toBe('own=1; site=1')
      expect(await seen('b.one.co.uk')).toBe('site=1')
      expect(await seen('b.two.co.uk')).toBe('none')
      expect(await seen('127.0.0.1')).toBe('none')
    })

    test('are ours alone: those of ffmpeg do not go out, and nothing that is set comes to it', async () => {
      const site = await openEcho()
      const { proxy, get } = await openTo([site])
      expect((await get(`${site.url}/`, 'Cookie: its=1')).body).toBe('none')
      const port = Number(new URL(proxy.url).port)
      const said = await raw(port, `GET ${site.url}/${setting('a=1')} HTTP/1.0\r\nHost: x\r\n\r\n`)
      expect(said).not.toMatch(/set-cookie/i)
      expect((await get(`${site.url}/`, 'Cookie: its=1')).body).toBe('a=1')
    })

    test('that are for TLS only do not go over plain HTTP', async () => {
      const { key, cert } = selfSigned()
      const server = createHttpsServer({ key, cert }, (request, response) => {
        response.setHeader('set-cookie', ['safe=1; path=/; Secure', 'plain=1; path=/'])
        response.end(request.headers.cookie ?? 'none')
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as AddressInfo
      later({ close: async () => void server.close() })
      const site = await openEcho()
      const { get } = await openTo([site, { port }], cert)
      expect((await get(`https://127.0.0.1:${port}/`)).body).toBe('none')
      expect((await get(`${site.url}/${setting('forged=1; Secure')}`)).body).toBe('plain=1')
      expect((await get(`${site.url}/`)).body).toBe('plain=1')
      expect((await get(`https://127.0.0.1:${port}/`)).body).toBe('safe=1; plain=1')
      server.closeAllConnections()
    })

    test('of a source that sets new ones all the time are kept to the newest', async () => {
      const site = await openEcho()
      const { get } = await openTo([site])
      for (let batch = 0; batch < 3; batch += 1)
        await get(
          `${site.url}/${setting(...Array.from({ length: 60 }, (_, index) => `c${batch * 60 + index}=1`))}`,
        )
      const { body } = await get(`${site.url}/`)
      expect(body.split('; ')).toEqual(Array.from({ length: 100 }, (_, index) => `c${80 + index}=1`))
    })

    test('that nobody understands change nothing', async () => {
      const site = await openEcho()
      const { get } = await openTo([site])
      const answer = await get(`${site.url}/${setting('=', ';', 'a=1; domain=...', 'b=1; expires=never')}`)
      expect(answer.status).toBe(200)
      expect((await get(`${site.url}/%E0%`)).status).toBe(200)
    })
  })
})

describe('addresses inside', () => {
  test.each([
    ['http://h.example/a?b', 'http://h.example/a?b'],
    ['https://h.example/a?b=1&c', 'http://h.example.tls.invalid:443/a?b=1&c'],
    ['https://h.example:8443/', 'http://h.example.tls.invalid:8443/'],
    ['https://93.184.216.34/x', 'http://93.184.216.34.tls.invalid:443/x'],
    ['https://[2606:4700::1111]/x', 'http://2606-4700--1111.ip6.tls.invalid:443/x'],
    ['http://[2606:4700::1111]:8000/x', 'http://[2606:4700::1111]:8000/x'],
  ])('%s is %s', (outside, inside) => expect(innerUrl(outside)).toBe(inside))

  test.each([
    ['http://h.example/a', { isTls: false, host: 'h.example', port: 80, path: '/a' }],
    [
      'http://2606-4700--1111.ip6.tls.invalid:443/x',
      { isTls: true, host: '[2606:4700::1111]', port: 443, path: '/x' },
    ],
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
    [
      "[hls] Unable to open 'http://h.example.tls.invalid:443/a.ts'",
      "[hls] Unable to open 'https://h.example/a.ts'",
    ],
    [
      'http://h.example.tls.invalid:8443/a: Server returned 5XX',
      'https://h.example:8443/a: Server returned 5XX',
    ],
    ['h.example.tls.invalid:443 is gone', 'h.example is gone'],
    ['http://2606-4700--1111.ip6.tls.invalid:443/a: gone', 'https://[2606:4700::1111]/a: gone'],
    ['http://h.example:80/a: gone', 'http://h.example:80/a: gone'],
  ])('in words of ffmpeg: %j is %j', (said, outside) => expect(outerText(said)).toBe(outside))

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
    // For ffmpeg a backslash only says that what follows is meant as it stands.
    ['#EXT-X-KEY:URI="t\\cp://x"', '#EXT-X-KEY:URI="http://tcp.refused.invalid/refused.ts"'],
    ['#EXT-X-KEY:A="\\",URI="tcp://x"', '#EXT-X-KEY:A="\\",URI="'],
    ['#EXT-X-KEY:A=",URI="tcp://x"', '#EXT-X-KEY:A=",URI="'],
    ['#EXT-X-KEY:A="b"URI=tcp://x', '#EXT-X-KEY:A="b",URI="http://tcp.refused.invalid/refused.ts"'],
    ['#EXT-X-KEY:, URI = "b",X-URI="c"', '#EXT-X-KEY:URI =,"b",X-URI="http://h.example/a/c"'],
    ['#EXTINF:4,not URI=b', '#EXTINF:4,not URI="http://h.example/a/b"'],
    ['#EXT-X-KEY:URI="open', '#EXT-X-KEY:URI="http://h.example/a/open"'],
    ['#EXT-X-KEY:METHOD=NONE', '#EXT-X-KEY:METHOD=NONE'],
    ['# a\0tcp://x', '# a\nhttp://tcp.refused.invalid/refused.ts'],
    ['# a\rtcp://x', '# a\nhttp://tcp.refused.invalid/refused.ts'],
    ['#X:A="URI=tcp://x",URI="b"', '#X:A="URI=tcp://x",URI="http://h.example/a/b"'],
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
