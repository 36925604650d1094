import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findScenesResultSchema } from '../../schemas/kinds/find-scenes.ts'
import { scenesSchema } from '../../schemas/scenes.ts'
import { findScenes } from '../../worker/kinds/find-scenes.ts'
import { type ClipName, clipMaker, npmMediaTools } from '../support/clips.ts'
import { type HandleOptions, type Handling, openHandling } from './handling.ts'
import { allMediaTools } from './media.ts'

const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'find-scenes-'))
const everyTools = await allMediaTools(folder)
const npm = await npmMediaTools(folder)
const clip = clipMaker(folder, npm)
let handling: Handling
beforeAll(async () => {
  handling = await openHandling()
})
afterAll(async () => {
  await handling.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Hard cuts at known times, between pictures of one colour: what a picture shows can be measured. */
const colours = ['red', 'green', 'blue', 'yellow']
const cutVideo = async (name: string, seconds: number[], more: string[] = []): Promise<Buffer> => {
  const path = join(folder, name)
  const inputs = seconds.flatMap((length, index) => [
    ...[
      '-f',
      'lavfi',
      '-i',
      `color=${colours[index % colours.length]}:size=320x180:rate=25:duration=${length}`,
    ],
  ])
  const graph = `${seconds.map((_, index) => `[${index}]`).join('')}concat=n=${seconds.length}:v=1:a=0`
  const encode = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', ...more]
  await run(
    npm.ffmpeg.path,
    ['-y', '-nostdin', '-v', 'error', ...inputs, '-filter_complex', graph, ...encode, path],
    { env: npm.env },
  )
  return readFile(path)
}

const find = async (key: string, content: Buffer, options: HandleOptions = {}) => {
  const input = await handling.workshop.upload(key, content)
  const done = await handling.handle(findScenes, { input, ...options })
  const result = findScenesResultSchema.parse(done.result)
  const list: unknown = JSON.parse((await handling.workshop.output(result.scenes.key)).content.toString())
  return { ...done, result, list: scenesSchema.parse(list) }
}

/** The colour in the middle of a picture. */
const colourOf = async (jpeg: Buffer): Promise<string> => {
  const child = run(
    npm.ffmpeg.path,
    [
      '-v',
      'error',
      '-f',
      'jpeg_pipe',
      '-i',
      'pipe:0',
      '-vf',
      'scale=1:1,format=rgb24',
      '-f',
      'rawvideo',
      'pipe:1',
    ],
    { env: npm.env, encoding: 'buffer' },
  )
  child.child.stdin?.end(jpeg)
  const [red = 0, green = 0, blue = 0] = (await child).stdout
  if (red > 150 && green > 150) return 'yellow'
  return red > 150 ? 'red' : blue > 150 ? 'blue' : green > 80 ? 'green' : `${red},${green},${blue}`
}

describe.each(everyTools)('with %s', (_, tools) => {
  test('every hard cut begins a scene, with a picture of it', async () => {
    const { list, files, output, result } = await find(
      'cuts.mp4',
      await cutVideo('cuts.mp4', [3, 4, 2.5, 5]),
      { tools },
    )
    expect(list.scenes.map(({ startS }) => startS)).toEqual(
      [0, 3, 7, 9.5].map((startS) => expect.closeTo(startS, 1)),
    )
    expect(list.scenes.at(-1)?.endS).toBeCloseTo(14.5, 1)
    expect(list.scenes.map(({ picture }) => picture)).toEqual([
      'scene-0001.jpg',
      'scene-0002.jpg',
      'scene-0003.jpg',
      'scene-0004.jpg',
    ])
    for (const [index, { picture }] of list.scenes.entries())
      expect(await colourOf((await handling.workshop.output(`${output}${picture}`)).content)).toBe(
        colours[index],
      )
    expect(list.warnings).toEqual([])
    expect(files.map(({ role }) => role)).toEqual(['picture', 'picture', 'picture', 'picture', 'scenes'])
    expect(files.every(({ key }) => key.startsWith(output))).toBe(true)
    expect(result).toEqual({
      manifest: `${output}manifest.json`,
      scenes: { bucket: handling.outputs, key: `${output}scenes.json` },
      count: 4,
      durationS: expect.closeTo(14.5, 1),
    })
  })

  test('a video that never changes is one scene, however long nothing is found', async () => {
    const { list } = await find('still.mp4', await cutVideo('still.mp4', [4]), { tools })
    expect(list.scenes).toEqual([
      { startS: 0, endS: expect.closeTo(4, 1), score: null, picture: 'scene-0001.jpg' },
    ])
  })

  test.each<ClipName>([
    'portrait.mp4',
    'odd.mkv',
    'anamorphic.mp4',
    'interlaced.mp4',
    'hdr.mp4',
    'varying.mp4',
    'stream.ts',
    'one-picture.avi',
    'recorded.webm',
  ])('%s has at least one scene with a picture', async (name) => {
    const { list } = await find(name, await readFile(await clip(name)), { tools })
    expect(list.scenes.length).toBeGreaterThan(0)
    expect(list.scenes[0]?.picture).toBe('scene-0001.jpg')
  })
})

test('parameters: shorter scenes, fewer scenes', async () => {
  const video = await cutVideo('short-cuts.mp4', [3, 1, 3, 3])
  const count = async (params: Record<string, unknown>) =>
    (await find('short-cuts.mp4', video, { params })).result.count
  expect(await count({})).toBe(3)
  expect(await count({ shortestS: 0.5 })).toBe(4)
  expect(await count({ maxScenes: 2 })).toBe(2)
})

test('sound alone has no scenes, and that is no failure', async () => {
  const { list, result } = await find('sound.m4a', await readFile(await clip('sound-with-cover.m4a')))
  expect(result.count).toBe(0)
  expect(list.warnings.map(({ code }) => code)).toEqual(['NO_VIDEO_STREAM'])
  expect(list.durationS).toBeGreaterThan(0.5)
})

test('an input that ends early: what there is, with a warning', async () => {
  const { list } = await find('cut-off.mp4', await readFile(await clip('cut-moov-first.mp4')))
  expect(list.warnings.map(({ code }) => code)).toContain('INPUT_TRUNCATED')
})

test.each<[ClipName, string]>([
  ['empty.mp4', 'INPUT_EMPTY'],
  ['picture.mp4', 'INPUT_FORMAT_REFUSED'],
  ['random.mp4', 'INPUT_UNREADABLE'],
  ['cut-moov-last.mp4', 'INPUT_UNREADABLE'],
])('%s: 65', async (name, code) => {
  await expect(find(name, await readFile(await clip(name)))).rejects.toMatchObject({ code, exitCode: 65 })
})
