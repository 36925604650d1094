import { mkdtempSync, rmSync } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runChild } from '../../worker/children.ts'
import { planTranscode, transcodeArguments } from '../../worker/media/command.ts'
import { admitInput } from '../../worker/media/gate.ts'
import { type InputLimits, inputLimits } from '../../worker/media/limits.ts'
import { probe } from '../../worker/media/probe.ts'
import { type ClipName, playlistOf } from '../support/clips.ts'
import { allMediaTools, fastParams, openStudio } from './media.ts'

let studio: Awaited<ReturnType<typeof openStudio>>
beforeAll(async () => {
  studio = await openStudio()
})
afterAll(() => studio.remove())

const scratch = mkdtempSync(join(tmpdir(), 'tools-'))
const everyTools = await allMediaTools(scratch)
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

describe('input that is no video ends with 65 and a sentence that says why', () => {
  test.each<[ClipName, string, RegExp]>([
    ['empty.mp4', 'INPUT_EMPTY', /empty file/],
    ['zeros.mp4', 'INPUT_UNREADABLE', /only zeros/],
    ['random.mp4', 'INPUT_UNREADABLE', /not a video that can be read/],
    ['text.mp4', 'INPUT_UNREADABLE', /it is a text/],
    ['ftyp-only.mp4', 'INPUT_UNREADABLE', /index is missing/],
    ['cut-moov-last.mp4', 'INPUT_UNREADABLE', /upload was cut off/],
    ['cut-moov-first.mp4', 'INPUT_TRUNCATED', /promises 4\.0 s/],
    ['headless.mkv', 'INPUT_UNREADABLE', /not a video that can be read/],
    ['picture.mp4', 'INPUT_FORMAT_REFUSED', /it is a picture/],
    ['ffconcat.mp4', 'INPUT_FORMAT_REFUSED', /list of files/],
    ['sound.m4a', 'NO_VIDEO_STREAM', /has only audio/],
    ['sound-with-cover.m4a', 'NO_VIDEO_STREAM', /only (audio, cover|cover, audio)/],
  ])('%s', async (name, code, message) => {
    await expect(studio.transcodeClip(name)).rejects.toMatchObject({
      code,
      exitCode: 65,
      message: expect.stringMatching(message),
    })
  })

  test.each<[string, Partial<InputLimits>, RegExp]>([
    ['pixels', { pixels: 1000 }, /pixels/],
    ['duration', { durationS: 1 }, /2 seconds, at most 1/],
    ['streams', { streams: 1 }, /2 streams, at most 1/],
  ])('beyond the limit of %s', async (_, limit, message) => {
    await expect(
      studio.transcodeClip('short.mp4', {}, { limits: { ...inputLimits, ...limit } }),
    ).rejects.toMatchObject({
      code: 'INPUT_TOO_LARGE',
      exitCode: 65,
      message: expect.stringMatching(message),
    })
  })
})

/** A web server that counts who comes, as an internal address would be. */
const openTrap = async () => {
  const hits: string[] = []
  const server = createServer((request, response) => {
    hits.push(request.url ?? '')
    response.end('secret')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    hits,
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/secret.ts`,
    close: () => new Promise((resolve) => server.close(resolve)),
  }
}

describe.each(everyTools)('a playlist named .mp4, with %s', (_, tools) => {
  const options = { tools, limits: inputLimits, signal: new AbortController().signal }

  test('opens no address and no file, neither at the gate nor behind it', async () => {
    const trap = await openTrap()
    const victim = await studio.clip('stream.ts')
    try {
      for (const address of [trap.address, `file://${victim}`, victim, `concat:${victim}`]) {
        const path = join(studio.folder, 'playlist.mp4')
        await writeFile(path, playlistOf(address))
        await expect(admitInput(path, options)).rejects.toMatchObject({
          code: 'INPUT_FORMAT_REFUSED',
          exitCode: 65,
        })
        // The second wall, for what the first bytes do not give away: the same flags at the probe and at the work.
        await expect(probe(path, options)).rejects.toMatchObject({ exitCode: 65 })
        const source = await admitInput(await studio.clip('short.mp4'), options)
        const output = mkdtempSync(join(studio.folder, 'trapped-'))
        const args = transcodeArguments(planTranscode(source, fastParams(), false), {
          input: path,
          folder: output,
          pixels: inputLimits.pixels,
        })
        const end = await runChild(tools.ffmpeg.path, args, { env: tools.env, signal: options.signal })
        expect(end.exitCode).not.toBe(0)
        expect(await readdir(output)).toEqual([])
      }
      expect(trap.hits).toEqual([])
    } finally {
      await trap.close()
    }
  })
})

describe('what media programs are given', () => {
  test('no AWS variables and none of ours', () => {
    expect(new Set(Object.keys(studio.npm.env))).toEqual(new Set(['PATH', 'LANG', 'GCONV_PATH']))
  })
})
