import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { record } from '../../worker/kinds/record.ts'
import { parsePlaylist } from '../../worker/record/playlist.ts'
import { type Handling, openHandling } from '../worker/handling.ts'
import { allMediaTools, look } from '../worker/media.ts'
import { openCamera } from './rtsp.ts'

// RTSP as a server that others wrote speaks it.

const folder = mkdtempSync(join(tmpdir(), 'rtsp-'))
const allTools = await allMediaTools(folder)
let handling: Handling
let camera: Awaited<ReturnType<typeof openCamera>>
beforeAll(async () => {
  handling = await openHandling()
  camera = await openCamera()
})
afterAll(async () => {
  await camera.close()
  await handling.close()
  rmSync(folder, { recursive: true, force: true })
})

test.each(allTools)('%s records a camera: pictures as they are, sound as AAC', async (_version, tools) => {
  const { files, result, output } = await handling.handle(record, {
    input: { url: camera.url },
    params: { maxDuration: 6, segmentSeconds: 2 },
    privateSources: `127.0.0.1:${camera.port}`,
    tools,
  })
  expect(result).toMatchObject({ end: 'maxDuration' })
  expect(result.durationS).toBeGreaterThan(5)
  const playlist = (await handling.workshop.output(`${output}index.m3u8`)).content.toString()
  expect(parsePlaylist(playlist)?.segments.length).toBe(files.filter(({ role }) => role === 'segment').length)
  const [first] = files
  const { content } = await handling.workshop.output(first?.key ?? '')
  const path = join(folder, 'first.ts')
  writeFileSync(path, content)
  const seen = look(tools, path, 'stream=codec_name')
  expect(seen).toMatch(/h264/)
  expect(seen).toMatch(/aac/)
})

test('what is not there is said so', async () => {
  await expect(
    handling.handle(record, {
      input: { url: camera.url.replace('/cam', '/other') },
      params: { giveUpAfter: 5 },
      privateSources: `127.0.0.1:${camera.port}`,
    }),
  ).rejects.toMatchObject({ code: 'SOURCE_MISSING' })
})
