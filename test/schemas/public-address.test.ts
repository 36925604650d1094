import { describe, expect, test } from 'vitest'
import { privateSourcesSchema } from '../../schemas/private-sources.ts'
import { parsePrivateSource, whyNoName, whyNotPublic } from '../../schemas/public-address.ts'
import { sourceUrlSchema } from '../../schemas/source-url.ts'

const opened = (...texts: string[]) => texts.flatMap((text) => parsePrivateSource(text) ?? [])

describe('an address', () => {
  test.each(['8.8.8.8', '1.1.1.1', '100.63.255.255', '172.32.0.1', '2606:4700::1111', '2a00::1'])(
    '%s is public',
    (address) => expect(whyNotPublic(address, 443)).toBeUndefined(),
  )

  test.each([
    ['127.0.0.1', 'loopback'],
    ['127.255.0.7', 'loopback'],
    ['::1', 'loopback'],
    ['0.0.0.0', 'unspecified'],
    ['0.1.2.3', 'unspecified'],
    ['::', 'unspecified'],
    ['10.0.0.1', 'private'],
    ['172.16.0.1', 'private'],
    ['192.168.1.1', 'private'],
    ['100.64.0.1', 'carrier-grade'],
    ['100.100.100.200', 'carrier-grade'],
    ['169.254.169.254', 'link-local'],
    ['169.254.170.2', 'link-local'],
    ['fe80::1', 'link-local'],
    ['fd00:ec2::254', 'private'],
    ['fc00::1', 'private'],
    ['fec0::1', 'not public'],
    ['::ffff:127.0.0.1', 'in disguise'],
    ['::ffff:a9fe:a9fe', 'in disguise'],
    ['::127.0.0.1', 'in disguise'],
    ['64:ff9b::a9fe:a9fe', 'in disguise'],
    ['64:ff9b:1::1', 'in disguise'],
    ['2002:7f00:1::', 'in disguise'],
    ['2001:0:4136:e378::1', 'in disguise'],
    ['::ffff:0:127.0.0.1', 'in disguise'],
    ['224.0.0.1', 'multicast'],
    ['ff02::1', 'multicast'],
    ['255.255.255.255', 'broadcast'],
    ['240.0.0.1', 'not public'],
    ['192.0.0.8', 'not public'],
    ['192.0.2.1', 'not public'],
    ['198.18.0.1', 'not public'],
    ['203.0.113.9', 'not public'],
    ['2001:db8::1', 'not public'],
    ['4000::1', 'not public'],
    ['5f00::1', 'not public'],
    ['fe80::1%eth0', 'no plain IP'],
    ['0x7f.0.0.1', 'no plain IP'],
    ['0177.0.0.1', 'no plain IP'],
    ['127.1', 'no plain IP'],
    ['2130706433', 'no plain IP'],
  ])('%s is not: %s', (address, why) => expect(whyNotPublic(address, 80)).toContain(why))
})

describe('a name', () => {
  test.each(['example.com', 'a.b.example', 'xn--bcher-kva.example', 'cdn_1.example.net'])(
    '%s may be one',
    (name) => expect(whyNoName(name)).toBeUndefined(),
  )
  test.each([
    'localhost',
    'a.localhost',
    'example.com.',
    'metadata.google.internal',
    'ip-10-0-0-1.ec2.internal',
    'printer.local',
    'router.lan',
    'db',
    '0x7f000001',
    '2130706433',
    '127.1',
    '0177.0.0.1',
    'a..b.example',
    'a b.example',
    '',
  ])('"%s" is none', (name) => expect(whyNoName(name)).toBeDefined())
})

describe('what an operator opens', () => {
  test.each([
    ['127.0.0.1:8080', '127.0.0.1', 8080, true],
    ['127.0.0.1:8080', '127.0.0.1', 8081, false],
    ['127.0.0.1:8080', '127.0.0.2', 8080, false],
    ['10.1.0.0/16', '10.1.200.3', 9999, true],
    ['10.1.0.0/16', '10.2.0.1', 80, false],
    ['[::1]:80', '::1', 80, true],
    ['[fd12::]/32', 'fd12::9', 443, true],
    ['100.64.0.0/10', '100.64.3.4', 80, true],
  ])('%s: %s port %i may be reached: %s', (text, address, port, may) =>
    expect(whyNotPublic(address, port, opened(text)) === undefined).toBe(may),
  )

  test.each([
    '169.254.169.254',
    '169.254.170.2:80',
    '169.254.0.0/16',
    '[fe80::1]:80',
    '[fd00:ec2::254]',
    '0.0.0.0/8',
    '[::ffff:127.0.0.1]:80',
    '224.0.0.0/8',
    '8.8.8.8',
    '0.0.0.0/0',
    '10.0.0.0/4',
    '127.0.0.1:0',
    '127.0.0.1:99999',
    '10.0.0.0/33',
    'example.com',
    'localhost:80',
    '127.1',
    '',
  ])('never %s', (text) => expect(parsePrivateSource(text)).toBeUndefined())

  test('a wider network does not open what is never opened inside it', () => {
    const wide = opened('[fd00::]/8', '127.0.0.0/8')
    expect(wide).toHaveLength(2)
    expect(whyNotPublic('fd00:ec2::254', 80, wide)).toBeDefined()
    expect(whyNotPublic('169.254.169.254', 80, wide)).toBeDefined()
    expect(whyNotPublic('fd00:ec3::1', 80, wide)).toBeUndefined()
  })

  test('is a list with commas; one mistake in it is a mistake', () => {
    expect(privateSourcesSchema.parse(' 10.1.0.0/16, 127.0.0.1:8080 ')).toHaveLength(2)
    expect(privateSourcesSchema.parse(undefined)).toEqual([])
    expect(privateSourcesSchema.safeParse('10.1.0.0/16,169.254.169.254').success).toBe(false)
  })
})

describe('the address of a source', () => {
  test.each([
    'https://cdn.example.com/live.m3u8?token=a',
    'http://radio.example:8000/stream',
    'rtmp://h.example/app/key',
    'rtmps://h.example:443/app/key',
    'RTSP://h.example/cam',
    'rtsps://h.example/cam',
    'http://127.0.0.1:8080/x',
    'http://10.0.0.1/x',
  ])('%s may be given: private ones are the business of the operator', (url) =>
    expect(sourceUrlSchema.safeParse(url).success).toBe(true),
  )

  test.each([
    ['file:///etc/passwd', 'must begin with'],
    ['ftp://h.example/a', 'must begin with'],
    ['concat:a|b', 'must begin with'],
    ['data:text/plain,a', 'must begin with'],
    ['gopher://h.example/', 'must begin with'],
    ['udp://239.0.0.1:1234', 'must begin with'],
    ['srt://h.example:9000', 'must begin with'],
    ['rtp://h.example', 'must begin with'],
    ['tls://h.example:443', 'must begin with'],
    ['httpproxy://127.0.0.1:80/x', 'must begin with'],
    ['hls+http://h.example/a', 'must begin with'],
    ['-i', 'must begin with'],
    ['http://', 'a URL with a host'],
    ['http://a b/', 'a URL with a host'],
    ['https://anna:secret@h.example/', 'user or password'],
    ['https://anna@h.example/', 'user or password'],
    ['rtsp://admin:1234@cam.example/', 'user or password'],
    ['http://169.254.169.254/latest/meta-data/', 'link-local'],
    ['http://169.254.170.2/v2/credentials', 'link-local'],
    ['rtsp://169.254.169.254/', 'link-local'],
    ['http://[fd00:ec2::254]/', 'link-local'],
    ['http://0xa9fea9fe/', 'link-local'],
    ['http://2852039166/', 'link-local'],
    ['http://0251.0376.0251.0376/', 'link-local'],
    ['http://[::ffff:169.254.169.254]/', 'link-local'],
    ['rtmp://0xa9fea9fe/app', 'link-local'],
    ['http://0.0.0.0/', 'link-local'],
    [`http://h.example/${'a'.repeat(2000)}`, 'at most 2000'],
  ])('%s may not: %s', (url, why) => {
    const parsed = sourceUrlSchema.safeParse(url)
    expect(parsed.success).toBe(false)
    expect(parsed.error?.issues[0]?.message).toContain(why)
    expect(parsed.error?.issues).toHaveLength(1)
  })
})
