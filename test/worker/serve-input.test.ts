import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runChild } from '../../worker/children.ts'
import { inputLimits } from '../../worker/media/limits.ts'
import { probeInput } from '../../worker/media/probe.ts'
import { parseRange, serveInput } from '../../worker/media/serve-input.ts'
import { speechArguments } from '../../worker/media/speech-plan.ts'
import { playlistOf } from '../support/clips.ts'
import { type Handling, openHandling } from './handling.ts'
import { allMediaTools } from './media.ts'

const folder = mkdtempSync(join(tmpdir(), 'serve-input-'))
const everyTools = await allMediaTools(folder)
const signal = new AbortController().signal
let handling: Handling
beforeAll(async () => {
  handling = await openHandling()
})
afterAll(async () => {
  await handling.close()
  rmSync(folder, { recursive: true, force: true })
})

const serve = async (key: string, content: Buffer) => {
  const input = await handling.workshop.upload(key, content)
  return serveInput(input, { storage: handling.storage, pixels: inputLimits.pixels, signal })
}

describe('an object that is served to ffmpeg', () => {
  const content = randomBytes(300_000)

  test.each([
    ['bytes=0-', 0, 300_000],
    ['bytes=1000-1999', 1000, 2000],
    ['bytes=299000-', 299_000, 300_000],
    ['bytes=299000-999999', 299_000, 300_000],
  ])('%s brings these very bytes', async (range, start, end) => {
    const served = await serve('ranges.bin', content)
    const answer = await fetch(served.url, { headers: { range } })
    expect(answer.status).toBe(206)
    expect(answer.headers.get('content-range')).toBe(`bytes ${start}-${end - 1}/300000`)
    expect(Buffer.from(await answer.arrayBuffer()).equals(content.subarray(start, end))).toBe(true)
    await served.close()
  })

  test('can be reached by whoever knows its address, and by nobody afterwards', async () => {
    const served = await serve('secret.bin', content)
    expect((await fetch(served.url)).status).toBe(200)
    expect((await fetch(`${new URL(served.url).origin}/`)).status).toBe(404)
    expect((await fetch(served.url, { method: 'POST' })).status).toBe(404)
    expect(new URL(served.url).hostname).toBe('127.0.0.1')
    await served.close()
    await expect(fetch(served.url)).rejects.toThrow()
  })

  test('is the object it was: one that is replaced meanwhile is not read on', async () => {
    const { bucket, key } = await handling.workshop.upload('replaced.bin', content)
    // Nobody recorded an etag; the one it had at the beginning counts.
    const served = await serveInput({ bucket, key }, { storage: handling.storage, pixels: 1000, signal })
    await handling.workshop.upload('replaced.bin', randomBytes(300_000))
    expect((await fetch(served.url)).status).toBe(404)
    expect(served.failure()).toMatchObject({ code: 'INPUT_CHANGED', exitCode: 66 })
    await served.close()
  })

  test('tells why it could not be read, and forgets it once it could', async () => {
    const input = await handling.workshop.upload('moody.bin', content)
    const served = await serveInput(input, { storage: handling.storage, pixels: 1000, signal })
    // More often than the storage is patient.
    handling.faults.slowDowns = 100
    expect((await fetch(served.url)).status).toBe(503)
    expect(served.failure()).toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    handling.faults.slowDowns = 0
    expect((await fetch(served.url)).status).toBe(200)
    expect(served.failure()).toBeUndefined()
    await served.close()
  })

  test('one who hangs up in the middle is no failure', async () => {
    const served = await serve('hung-up.bin', randomBytes(20_000_000))
    const hangUp = new AbortController()
    const answer = await fetch(served.url, { signal: hangUp.signal })
    await answer.body?.getReader().read()
    hangUp.abort()
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(served.failure()).toBeUndefined()
    await served.close()
  })
})

test.each<[string | undefined, number, unknown]>([
  [undefined, 10, { start: 0, end: 9 }],
  ['bytes=3-', 10, { start: 3, end: 9 }],
  ['bytes=3-5', 10, { start: 3, end: 5 }],
  ['bytes=9-9', 10, { start: 9, end: 9 }],
  ['bytes=10-', 10, undefined],
  ['bytes=5-3', 10, undefined],
  ['bytes=-3', 10, undefined],
  ['bytes=0-1,3-4', 10, undefined],
  ['items=0-1', 10, undefined],
])('the range %j of %i bytes', (header, bytes, range) => {
  expect(parseRange(header, bytes)).toEqual(range)
})

describe.each(everyTools)('a playlist named .mp4 that got past the first gate, with %s', (_, tools) => {
  test('opens no other address and no file, at the probe and at the work', async () => {
    const hits: string[] = []
    const trap = createServer((request, response) => {
      hits.push(request.url ?? '')
      response.end('secret')
    })
    await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve))
    const address = `http://127.0.0.1:${(trap.address() as AddressInfo).port}/secret.ts`
    try {
      for (const target of [address, 'file:///etc/hostname', '/etc/hostname']) {
        const served = await serve('playlist.mp4', Buffer.from(playlistOf(target)))
        await expect(probeInput(served, { tools, limits: inputLimits, signal })).rejects.toMatchObject({
          exitCode: 65,
        })
        const output = join(folder, 'trapped')
        const args = speechArguments(
          { way: 'converted', format: 'flac' },
          { input: served, output, durationS: 2 },
        )
        expect((await runChild(tools.ffmpeg.path, args, { env: tools.env, signal })).exitCode).not.toBe(0)
        await served.close()
      }
      expect(hits).toEqual([])
    } finally {
      await new Promise((resolve) => trap.close(resolve))
    }
  })
})

describe('a small output that several change', () => {
  test('loses no change', async () => {
    await handling.putOutput('shared/list.txt', 'start')
    const names = ['a', 'b', 'c', 'd']
    await Promise.all(
      names.map((name) => handling.storage.editText('shared/list.txt', (text) => `${text},${name}`, signal)),
    )
    const text = (await handling.workshop.output('shared/list.txt')).content.toString()
    expect(text.split(',').toSorted()).toEqual([...names, 'start'])
  })

  test('is left alone by who wants nothing changed', async () => {
    await handling.putOutput('shared/same.txt', 'same')
    expect(await handling.storage.editText('shared/same.txt', () => undefined, signal)).toBe('same')
    expect((await handling.workshop.output('shared/same.txt')).content.toString()).toBe('same')
  })

  test('keeps what it says of itself: rules for outputs know a manifest by it', async () => {
    const [Bucket, Key] = [handling.outputs, 'shared/told.json']
    await handling.client.send(
      new PutObjectCommand({ Bucket, Key, Body: '{}', Metadata: { kind: 'transcode' } }),
    )
    await handling.storage.editText(Key, () => '{"a":1}', signal)
    const { Metadata } = await handling.client.send(new HeadObjectCommand({ Bucket, Key }))
    expect(Metadata).toEqual({ kind: 'transcode' })
  })

  test('that is not there: 66', async () => {
    await expect(handling.storage.editText('shared/none.txt', (text) => text, signal)).rejects.toMatchObject({
      code: 'INPUT_MISSING',
    })
  })
})
