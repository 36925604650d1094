import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { findMediaTools, isTooOld, missingFrom } from '../../worker/ffmpeg.ts'
import { npmMediaTools } from '../support/clips.ts'

const folder = mkdtempSync(join(tmpdir(), 'ffmpeg-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const npm = await npmMediaTools(folder)

const find = (options: { ffmpegPath?: string; ffprobePath?: string; path?: string } = {}) =>
  findMediaTools({ path: '/nonexistent', scratch: folder, signal: new AbortController().signal, ...options })

/** A program that says something of its own to `-version` and the like, and is the real one otherwise. */
const disguise = (name: string, script: string, inFolder = folder): string => {
  mkdirSync(inFolder, { recursive: true })
  const path = join(inFolder, name)
  writeFileSync(path, `#!/bin/sh\ncase "$*" in\n${script}\nesac\nexec "${npm.ffmpeg.path}" "$@"\n`)
  chmodSync(path, 0o755)
  return path
}

describe('ffmpeg is found', () => {
  test('in the npm packages, with all we need', async () => {
    const tools = await find()
    expect(tools.ffmpeg).toMatchObject({ source: 'npm', version: expect.stringMatching(/^n?\d/) })
    expect(tools.ffprobe.source).toBe('npm')
    expect(tools.toneMaps).toBe(true)
  })

  test('on PATH before that', async () => {
    const path = join(folder, 'bin')
    disguise('ffmpeg', '', path)
    disguise('ffprobe', '', path)
    const tools = await find({ path: `/nonexistent:${path}` })
    expect(tools.ffmpeg).toMatchObject({ source: 'PATH', path: join(path, 'ffmpeg') })
    expect(tools.ffprobe).toMatchObject({ source: 'PATH', path: join(path, 'ffprobe') })
  })

  test('by its variable before all', async () => {
    const ffmpegPath = disguise('mine', '')
    const tools = await find({ ffmpegPath, path: join(folder, 'bin') })
    expect(tools.ffmpeg).toMatchObject({ source: 'variable', path: ffmpegPath })
  })
})

test('killed while it is asked: says nothing about the program, so it is tried again', async () => {
  const ffmpegPath = disguise('killed', '-version) kill -KILL $$;;')
  await expect(find({ ffmpegPath })).rejects.toMatchObject({ code: 'FFMPEG_FAILED', exitCode: 70 })
})

describe('ffmpeg is refused with 78', () => {
  test.each(['ffmpegPath', 'ffprobePath'] as const)(
    'where %s is no program: nothing else is tried',
    async (name) => {
      const path = join(folder, 'not-executable')
      writeFileSync(path, 'x', { mode: 0o644 })
      const variable = name === 'ffmpegPath' ? 'FFMPEG_PATH' : 'FFPROBE_PATH'
      for (const wrong of [path, join(folder, 'absent'), folder])
        await expect(find({ [name]: wrong })).rejects.toMatchObject({
          code: 'FFMPEG_MISSING',
          exitCode: 78,
          message: expect.stringContaining(`${variable} is ${wrong}`),
        })
    },
  )

  test('where it is too old, with its version and how to get another', async () => {
    const ffmpegPath = disguise(
      'old',
      '-version) echo "ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright"; exit;;',
    )
    await expect(find({ ffmpegPath })).rejects.toMatchObject({
      code: 'FFMPEG_TOO_OLD',
      exitCode: 78,
      message: expect.stringMatching(/4\.4\.2.*5\.1 or newer.*FFMPEG_PATH/),
    })
  })

  test('where it lacks an encoder or a filter, naming it', async () => {
    const ffmpegPath = disguise(
      'poor',
      '*-encoders) echo " V....D mpeg4 x"; exit;;\n*-filters) echo " ... scale V->V x"; exit;;',
    )
    await expect(find({ ffmpegPath })).rejects.toMatchObject({
      code: 'FFMPEG_INCOMPLETE',
      exitCode: 78,
      message: expect.stringMatching(/filter split.*encoder libx264/),
    })
  })

  test('where it does not run', async () => {
    const ffmpegPath = disguise('broken', '*) echo "wrong C library" >&2; exit 127;;')
    await expect(find({ ffmpegPath })).rejects.toMatchObject({
      code: 'FFMPEG_MISSING',
      message: expect.stringContaining('wrong C library'),
    })
  })
})

describe('the version', () => {
  test.each([
    ['5.1.9-0+deb12u1', false],
    ['5.1', false],
    ['5.0.3', true],
    ['4.4.2-0ubuntu0.22.04.1', true],
    ['n7.0-7-gd38bf5e08e-20240407', false],
    ['10.0', false],
    ['N-66595-gc2b38619c0-static', false],
  ])('%s is too old: %s', (version, tooOld) => {
    expect(isTooOld(version)).toBe(tooOld)
  })

  test('names are looked up whole, among several on a line too', () => {
    const table = ' .. = Timeline\n TS. bwdif    V->V  x\n  E  mov,mp4,m4a  QuickTime\n V....D libx264rgb x'
    expect(missingFrom(table, ['bwdif', 'mp4', 'libx264'], 'part')).toEqual(['part libx264'])
  })
})
