import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { summarizeResultSchema } from '../../schemas/kinds/summarize.ts'
import type { Scenes } from '../../schemas/scenes.ts'
import { summarySchema } from '../../schemas/summary.ts'
import { summarize } from '../../worker/kinds/summarize.ts'
import { awsTranscript, longTalk, type Said, type Shape } from '../support/transcripts.ts'
import { type Handling, openHandling } from './handling.ts'

let handling: Handling
beforeAll(async () => {
  handling = await openHandling()
})
afterAll(() => handling.close())

const scenes: Scenes = {
  schemaVersion: 1,
  durationS: 900,
  threshold: 10,
  scenes: [
    { startS: 0, endS: 400, score: null, picture: 'scene-0001.jpg' },
    { startS: 400, endS: 900, score: 31.5, picture: null },
  ],
  warnings: [],
  ffmpeg: '5.1',
}

let jobs = 0
const summariseJob = async (
  said: readonly Said[] | undefined,
  { shape = 'new' as Shape, list = JSON.stringify(scenes), params = {} as Record<string, unknown> } = {},
) => {
  jobs += 1
  const output = `results/analyze-${jobs}/`
  const done = await handling.handle(summarize, {
    output,
    input: { bucket: handling.uploads, key: 'a/b/talk.one.MP4' },
    params: {
      title: 'talk.one',
      scenes: await handling.putOutput(`${output}scenes/scenes.json`, list),
      ...(said === undefined
        ? {}
        : {
            transcript: await handling.putOutput(
              `${output}steps/transcript.json`,
              awsTranscript(said, { shape }).text,
            ),
          }),
      ...params,
    },
  })
  const read = async (name: string) => (await handling.workshop.output(`${output}${name}`)).content.toString()
  return {
    ...done,
    output,
    result: summarizeResultSchema.parse(done.result),
    summary: summarySchema.parse(JSON.parse(await read('summary.json'))),
    page: await read('summary.md'),
  }
}

describe.each<Shape>(['old', 'new'])('a talk of two, transcript of the %s form', (shape) => {
  test('becomes summary.json and summary.md', async () => {
    const { files, output, result, summary, page } = await summariseJob(longTalk(300), { shape })
    expect(result).toMatchObject({
      manifest: `${output}manifest.json`,
      summary: `${output}summary.json`,
      page: `${output}summary.md`,
      language: 'en-US',
      speakers: 2,
      scenes: 2,
      words: summary.speech?.words,
      chapters: summary.chapters.length,
    })
    expect(files.map(({ key, role, contentType }) => [key.slice(output.length), role, contentType])).toEqual([
      ['summary.md', 'page', 'text/markdown; charset=utf-8'],
      ['summary.json', 'summary', 'application/json'],
    ])
    expect(summary).toMatchObject({
      title: 'talk.one',
      input: { key: 'a/b/talk.one.MP4' },
      summarizer: 'extractive',
    })
    expect(summary.scenes.map(({ picture }) => picture)).toEqual(['scenes/scene-0001.jpg', null])
    expect(page).toContain('![Scene at 0:00](scenes/scene-0001.jpg)')
    expect(page).toMatch(/\| Speaker 2 \| \d+:\d\d \|/)
  })
})

test('no sound: scenes and chapters alone, and it says so', async () => {
  const { result, summary, page } = await summariseJob(undefined)
  expect(result).toMatchObject({ speakers: 0, words: 0, language: null, chapters: 2 })
  expect(summary).toMatchObject({ speech: null, speakers: [], summary: [] })
  expect(page).toContain('no sound')
})

test('the language that was given counts', async () => {
  expect((await summariseJob(longTalk(10), { params: { language: 'en-GB' } })).summary.language).toBe('en-GB')
})

test.each<[string, string, string, RegExp]>([
  ['no JSON', 'hello', 'SCENES_INVALID', /scenes\.json is not JSON/],
  ['something else', '{"schemaVersion":2}', 'SCENES_INVALID', /scenes\.json: schemaVersion/],
])('a list of scenes that is %s: 65 and what is wrong', async (_, list, code, message) => {
  await expect(summariseJob(longTalk(3), { list })).rejects.toMatchObject({
    code,
    exitCode: 65,
    message: expect.stringMatching(message),
  })
})

test('a step before that left nothing: 66 and not an empty summary', async () => {
  const params = { transcript: { bucket: handling.outputs, key: 'never/transcript.json' } }
  await expect(summariseJob(undefined, { params })).rejects.toMatchObject({
    code: 'INPUT_MISSING',
    exitCode: 66,
  })
})
