import { createHash, randomBytes } from 'node:crypto'
import createTorrent from 'create-torrent'
import parseTorrent from 'parse-torrent'
import { describe, expect, test } from 'vitest'
import { torrentParamsSchema } from '../../schemas/kinds/torrent.ts'
import { type Bencodable, bdecode, bencode } from '../../worker/torrent/bencode.ts'
import {
  encodeTorrent,
  type Metainfo,
  magnetOf,
  readTorrent,
  withTrackers,
} from '../../worker/torrent/metainfo.ts'
import { hashPieces, pieceLengthFor } from '../../worker/torrent/pieces.ts'
import { webSeedOf } from '../../worker/torrent/web-seeds.ts'

const MiB = 1024 * 1024

const hashed = (content: Buffer, pieceLength: number, chunkBytes = 10_007): Buffer => {
  const hasher = hashPieces(content.length, pieceLength)
  for (let at = 0; at < content.length; at += chunkBytes) hasher.update(content.subarray(at, at + chunkBytes))
  return hasher.digest()
}

const metainfo = (content: Buffer, more: Partial<Metainfo> = {}): Metainfo => ({
  name: 'film one.mp4',
  files: [{ path: [], bytes: content.length }],
  pieceLength: 16_384,
  pieces: hashed(content, more.pieceLength ?? 16_384),
  private: false,
  trackers: [],
  webSeeds: [],
  ...more,
})
const by = { createdBy: 'test' }
const content = randomBytes(100_000)

const madeByOthers = (name: string, options: { private?: boolean } = {}): Promise<Uint8Array> =>
  new Promise((resolve, reject) =>
    createTorrent(
      Object.assign(Buffer.from(content), { name }),
      { announceList: [], pieceLength: 16_384, ...options },
      (error, torrent) => (error ? reject(error) : resolve(torrent)),
    ),
  )

describe('a torrent', () => {
  test.each([
    ['public', {}],
    ['private', { private: true }],
  ])('has the infohash that another library comes to: %s', async (_says, options) => {
    const theirs = await parseTorrent(await madeByOthers('film one.mp4', options))
    expect(encodeTorrent(metainfo(content, options), by).infohash).toBe(theirs.infoHash)
  })

  test('is read by another library as it was meant', async () => {
    const torrent = metainfo(content, {
      private: true,
      trackers: [['https://a.example/announce', 'udp://b.example:1337'], ['wss://c.example']],
      webSeeds: ['https://cdn.example/film%20one.mp4'],
    })
    const { bytes, infohash } = encodeTorrent(torrent, { comment: 'ÄÖ 漢字', createdBy: 'us' })
    expect(await parseTorrent(bytes)).toMatchObject({
      infoHash: infohash,
      name: 'film one.mp4',
      length: content.length,
      pieceLength: 16_384,
      lastPieceLength: content.length % 16_384,
      private: true,
      announce: ['https://a.example/announce', 'udp://b.example:1337', 'wss://c.example'],
      urlList: ['https://cdn.example/film%20one.mp4'],
      comment: 'ÄÖ 漢字',
      createdBy: 'us',
    })
    expect((await parseTorrent(bytes)).created).toBeUndefined()
  })

  test('of several files has them in a folder, in their order', async () => {
    const files = [
      { path: ['live', 'a.ts'], bytes: 60_000 },
      { path: ['b.m3u8'], bytes: 40_000 },
    ]
    const { bytes } = encodeTorrent(metainfo(content, { name: 'rec-1', files }), by)
    expect(
      (await parseTorrent(bytes)).files.map(({ path, length, offset }) => [path, length, offset]),
    ).toEqual([
      ['rec-1/live/a.ts', 60_000, 0],
      ['rec-1/b.m3u8', 40_000, 60_000],
    ])
  })

  test('is the same bytes every time', () => {
    expect(encodeTorrent(metainfo(content), by).bytes).toEqual(encodeTorrent(metainfo(content), by).bytes)
  })

  test('says private only where it is true, since that is part of the infohash', () => {
    expect(encodeTorrent(metainfo(content), by).bytes.includes('private')).toBe(false)
  })

  test('without trackers names none, not even well-known ones', async () => {
    expect((await parseTorrent(encodeTorrent(metainfo(content), by).bytes)).announce).toEqual([])
  })

  test('is also a link, which another library reads', async () => {
    const torrent = metainfo(content, {
      trackers: [['https://a.example/announce?key=1&x=2']],
      webSeeds: ['https://cdn.example/a%20b'],
    })
    const { infohash } = encodeTorrent(torrent, by)
    expect(await parseTorrent(magnetOf(torrent, infohash))).toMatchObject({
      infoHash: infohash,
      name: 'film one.mp4',
      announce: ['https://a.example/announce?key=1&x=2'],
      urlList: ['https://cdn.example/a%20b'],
    })
  })

  test('can be read again by us', () => {
    const torrent = metainfo(content, { trackers: [['udp://a:1'], ['udp://b:1']], webSeeds: ['https://c/d'] })
    const { bytes, infohash } = encodeTorrent(torrent, by)
    expect(readTorrent(bytes)).toEqual({ ...torrent, infohash })
  })
})

describe('pieces', () => {
  test.each([
    ['less than one', 100, 1],
    ['one exactly', 16_384, 1],
    ['one and a byte', 16_385, 2],
    ['two exactly', 32_768, 2],
  ])('%s', (_says, bytes, count) => {
    const part = content.subarray(0, bytes)
    expect(hashed(part, 16_384, 7).length).toBe(20 * count)
    const last = part.subarray((count - 1) * 16_384)
    expect(hashed(part, 16_384).subarray(-20)).toEqual(createHash('sha1').update(last).digest())
  })

  test('of a content that ended early are refused', () => {
    const hasher = hashPieces(40_000, 16_384)
    hasher.update(content.subarray(0, 20_000))
    expect(() => hasher.digest()).toThrow('2 pieces, expected 3')
  })

  test.each([
    [1, 262_144],
    [196_000_000, 262_144],
    [2000 * 262_144, 262_144],
    [2000 * 262_144 + 1, 524_288],
    [2000 * 16 * MiB, 16 * MiB],
    [60_000 * MiB, 16 * MiB],
  ])('of %d bytes have %d', (bytes, length) => {
    expect(pieceLengthFor(bytes)).toBe(length)
  })
})

describe('a web seed', () => {
  test.each([
    ['a/b c+d.mp4', true, 'https://cdn/x/a/b%20c%2Bd.mp4'],
    ["it's (1)*!.mp4", true, 'https://cdn/x/it%27s%20%281%29%2A%21.mp4'],
    ['été/漢.mp4', true, 'https://cdn/x/%C3%A9t%C3%A9/%E6%BC%A2.mp4'],
    ['results/rec 1/manifest.json', false, 'https://cdn/x/results/'],
    ['a b/c/rec/manifest.json', false, 'https://cdn/x/a%20b/c/'],
    ['rec/manifest.json', false, 'https://cdn/x/'],
  ])('of %s', (key, isSingle, address) => {
    expect(webSeedOf('https://cdn/x/', key, isSingle)).toBe(address)
  })
})

describe('parameters', () => {
  const problem = (params: object): string => {
    const parsed = torrentParamsSchema.safeParse(params)
    return parsed.success ? 'none' : (parsed.error.issues[0]?.message ?? '')
  }

  test.each([
    'https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=1',
    'https://b.s3.amazonaws.com/k?x-amz-security-token=1',
    'https://b.s3.amazonaws.com/k?AWSAccessKeyId=A&Expires=1&Signature=s',
    'https://d1.cloudfront.net/k?Expires=1&Signature=s&Key-Pair-Id=K',
    'https://d1.cloudfront.net/k?Policy=p&Signature=s&Key-Pair-Id=K',
    'https://storage.googleapis.com/b/k?X-Goog-Signature=1',
    'https://cdn.example/k?foo=1&amp;X-Amz-Signature=1',
    ...[
      'x-oss-signature',
      'x-obs-security-token',
      'x-cos-security-token',
      'q-signature',
      'OSSAccessKeyId',
      'hdnea',
    ].map((name) => `https://cdn.example/k?${name}=1`),
    ...['signature', 'SIG', 'Expires', 'Policy', 'Key-Pair-Id', 'AWSAccessKeyId', 'x-amz-date'].map(
      (name) => `https://cdn.example/k?${name}=1`,
    ),
  ])('a presigned web seed is refused: %s', (address) => {
    expect(problem({ webSeeds: [address] })).toContain('presigned')
  })

  test.each([
    ['a version of a public object', { webSeeds: ['https://b.s3.amazonaws.com/k?versionId=1'] }, 'none'],
    ['a website of S3', { webSeeds: ['http://b.s3-website.eu-central-1.amazonaws.com/k'] }, 'none'],
    ['credentials in it', { webSeeds: ['https://u:p@x/k'] }, 'user and password'],
    ['another scheme', { webSeeds: ['ftp://x/k'] }, 'http or https'],
    ['a base without its end', { webSeedBase: 'https://cdn' }, 'must end in /'],
    ['a presigned base', { webSeedBase: 'https://cdn/?Signature=1/' }, 'presigned'],
    ['a base with a space', { webSeedBase: 'https://cdn/my folder/' }, 'percent-encoded'],
    ['a base with a space and without its end', { webSeedBase: 'https://cdn/my folder' }, 'must end in /'],
    ['a base that is percent-encoded', { webSeedBase: 'https://cdn/my%20folder/' }, 'none'],
    ['a web seed with a letter beyond ASCII', { webSeeds: ['https://cdn/ü.wav'] }, 'percent-encoded'],
    ['a web seed after a space', { webSeeds: [' https://cdn/k'] }, 'percent-encoded'],
    ['a web seed with a line break', { webSeeds: ['https://cdn/k\n'] }, 'percent-encoded'],
    ['a web seed without its slashes', { webSeeds: ['https:cdn/k'] }, '://'],
    ['a web seed with a backslash', { webSeeds: ['https://cdn\\k'] }, 'percent-encoded'],
    ['a web seed in capitals', { webSeeds: ['HTTPS://CDN/K'] }, 'none'],
    ['a tracker with line breaks', { trackers: ['http://t/?a=\r\nX: y'] }, 'percent-encoded'],
    ['a tracker by its address of version 6', { trackers: ['udp://[2001:db8::1]:1337'] }, 'none'],
    ['trackers in a list', { trackers: ['udp://a:1', ['http://b/announce', 'wss://c']] }, 'none'],
    ['a tracker that is none', { trackers: ['a.example'] }, 'announce URL'],
    ['an empty tier', { trackers: [[]] }, 'expected array to have'],
    ['21 trackers', { trackers: Array(21).fill('udp://a:1') }, 'at most 20'],
    ['a private one that nobody tells of', { private: true }, 'trackers or a web seed'],
    ['a private one with a tracker', { private: true, trackers: ['udp://a:1'] }, 'none'],
    ['no power of two', { pieceLength: 100_000 }, 'power of two'],
    ['too small a piece', { pieceLength: 8192 }, 'expected number to be >=16384'],
  ])('%s', (_says, params, says) => {
    expect(problem(params)).toContain(says)
  })
})

describe('reading what a stranger has made', () => {
  const info = { name: 'a', 'piece length': 16_384, pieces: Buffer.alloc(20), length: 5 }
  const file = (more: object) => bencode({ info: { ...info, ...more } })
  const filesOf = (...paths: string[][]) => file({ files: paths.map((path) => ({ length: 5, path })) })
  const paddings = (...files: [name: string, bytes: number, attr: string][]) =>
    file({ files: files.map(([name, length, attr]) => ({ length, attr, path: ['.pad', name] })) })
  /** A file that is right but for this. */
  const edited = (from: string, to: string) =>
    Buffer.from(file({}).toString('latin1').replace(from, to), 'latin1')

  test('what is right is read', () => {
    expect(readTorrent(file({}))).toMatchObject({ name: 'a', files: [{ path: [], bytes: 5 }] })
  })

  test.each([
    ['nothing', Buffer.from('')],
    ['text', Buffer.from('<html>')],
    ['a list', bencode([1])],
    ['no info', bencode({ announce: 'x' })],
    ['a file that is cut', file({}).subarray(0, -5)],
    ['something after the end', Buffer.concat([file({}), Buffer.from('x')])],
    ['a name that leads out', file({ name: '..' })],
    ['a name with a folder in it', file({ name: '../a' })],
    ['a name of Windows', file({ name: 'c:\\a' })],
    ['a name with a line break', file({ name: 'a\nb' })],
    ['a name that is no UTF-8', file({ name: Buffer.from([0xff, 0xfe]) })],
    ['no name', file({ name: '' })],
    ['a path that leads out', file({ length: 0, files: [{ length: 5, path: ['b', '..', 'c'] }] })],
    ['an empty path', file({ files: [{ length: 5, path: [] }] })],
    ['one path twice', file({ files: [1, 2].map(() => ({ length: 5, path: ['b'] })) })],
    ['a name of dots alone', file({ name: '...' })],
    ['a name of spaces and dots alone', file({ name: ' . ' })],
    ['a file that is also a folder', filesOf(['b'], ['b', 'c'])],
    [
      'a file that is also a folder further down',
      filesOf(['b', 'c', 'd', 'e'], ['x'], ['b', 'c'], ['b', 'c !']),
    ],
    ['a path that no key can have', filesOf(Array(600).fill('b'))],
    ['a padding in the place of a file', paddings(['b', 5, ''], ['b', 5, 'p'])],
    ['one padding in two sizes', paddings(['0', 5, 'p'], ['0', 4, 'p'])],
    ['no files', file({ files: [] })],
    ['a negative length', file({ length: -5 })],
    ['pieces that are cut', file({ pieces: Buffer.alloc(19) })],
    ['too few pieces', file({ length: 20_000 })],
    ['version 2 alone', file({ pieces: [], 'meta version': 2 })],
    ['a number in two forms', edited('i5e', 'i05e')],
    ['a key twice', edited('d4:info', 'd1:ai1e1:ai1e4:info')],
    ['a length beyond the file', Buffer.from('d999999999999:a')],
    ['lists without end', Buffer.from('l'.repeat(100_000))],
    ['a number that is too large', edited('i16384e', 'i99999999999999999e')],
  ])('%s is refused', (_says, bytes) => {
    expect(() => readTorrent(bytes)).toThrow(SyntaxError)
  })

  test('names that only begin alike are no folders of each other', () => {
    expect(readTorrent(filesOf(['b'], ['bc', 'b'], ['c', 'b'])).files).toHaveLength(3)
  })

  test('what is padding (BEP 47) is known as such, and may stand there more than once', () => {
    expect(readTorrent(paddings(['a', 3, 'x'], ['5', 5, 'p'], ['b', 4, 'hx'], ['5', 5, 'p'])).files).toEqual([
      { path: ['.pad', 'a'], bytes: 3 },
      { path: ['.pad', '5'], bytes: 5, isPadding: true },
      { path: ['.pad', 'b'], bytes: 4 },
      { path: ['.pad', '5'], bytes: 5, isPadding: true },
    ])
  })

  test('folders lie as deep as they may in a torrent that is of version 2 as well, where each is a dictionary', () => {
    const path = Array.from({ length: 25 }, (_, index) => `folder ${index}`)
    const tree = path.reduceRight<Bencodable>((inner, name) => ({ [name]: inner }), { '': { length: 5 } })
    const both = file({ 'meta version': 2, 'file tree': tree, files: [{ length: 5, path }] })
    expect(readTorrent(both).files).toEqual([{ path, bytes: 5 }])
  })

  test.each([
    ['these trackers', [['udp://a:1', 'http://b/'], ['https://c/']]],
    ['none', []],
  ])('a client is told of %s and of nothing else that stands beside the info', (_says, tiers) => {
    const made = bencode({
      ...{ announce: 'http://x/', 'announce-list': [['http://y/']], nodes: [['10.0.0.5', 1]] },
      ...{ 'url-list': 'http://z/', info: { ...info, source: 'club' } },
    })
    const told = withTrackers(made, tiers)
    expect(readTorrent(told)).toEqual({ ...readTorrent(made), trackers: tiers, webSeeds: [] })
    expect(Object.keys(bdecode(told).value)).toEqual([...(tiers.length > 0 ? ['announce-list'] : []), 'info'])
  })

  test('the infohash is of the bytes as they stand there, also of what we do not know', () => {
    const bytes = file({ source: 'club', 'x-unknown': [1, 'a'] })
    const raw = bdecode(bytes).info ?? Buffer.alloc(0)
    expect(readTorrent(bytes).infohash).toBe(createHash('sha1').update(raw).digest('hex'))
    expect(raw.includes('x-unknown')).toBe(true)
  })
})
