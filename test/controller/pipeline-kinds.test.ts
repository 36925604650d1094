import { describe, expect, test } from 'vitest'
import type { Job } from '../../schemas/job.ts'
import { baseName } from '../../schemas/kinds/hearing.ts'
import { kindNames, kinds, uploadKinds, userKinds } from '../../schemas/kinds/index.ts'
import { publishSubtitlesParamsSchema } from '../../schemas/kinds/publish-subtitles.ts'
import { childJobId, type Pipeline, parentOf, type StepInput } from '../../schemas/pipeline.ts'
import { jobId, settings, uid } from '../support/job.ts'

// What the kinds with steps say of them: which children, for which results.

const input = { bucket: 'uploads', key: 'talks/a.b.MP4', etag: 'e1' }
const media = { bucket: 'outputs', key: 'work/x/audio.flac', format: 'flac' }
const audio = {
  media,
  way: 'converted',
  isTemporary: true,
  durationS: 61.5,
  channels: 1,
  sampleRateHz: 16000,
  warnings: [],
}
const silent = { ...audio, media: null, way: 'none', isTemporary: false, channels: 0, sampleRateHz: 0 }
const scenes = { bucket: 'outputs', key: `results/${jobId}/scenes/scenes.json` }
const found = { manifest: 'm', scenes, count: 2, durationS: 61.5 }
const prefix = `results/${jobId}/`
const transcript = { bucket: 'outputs', key: `${prefix}steps/transcript/transcript.json` }

const of = (
  kind: 'subtitles' | 'analyze',
  params: Record<string, unknown> = {},
  results: StepInput['results'] = {},
): StepInput => ({
  jobId,
  uid,
  generation: 1,
  settings: settings({ kind, input, params: kinds[kind].params.parse(params) }) as Job['settings'],
  outputsBucket: 'outputs',
  results,
})
const planOf = (kind: 'subtitles' | 'analyze'): Pipeline => {
  const { pipeline } = kinds[kind]
  if (!pipeline) throw new Error(kind)
  return pipeline
}
const childrenOf = (step: string, input: StepInput) =>
  planOf(input.settings.kind as 'subtitles')
    .steps.find(({ name }) => name === step)
    ?.children(input)

describe('subtitles', () => {
  const heard = { audio: [audio] }

  test('first the audio, for which there has to be one', () => {
    expect(childrenOf('audio', of('subtitles'))).toEqual([
      {
        kind: 'extract-audio',
        input,
        output: `${prefix}steps/audio/`,
        params: { temporaryPrefix: `work/${jobId}/${uid}/1/`, withoutAudio: 'fail' },
      },
    ])
  })

  test('then Amazon Transcribe', () => {
    expect(childrenOf('transcript', of('subtitles', {}, heard))).toEqual([
      {
        kind: 'transcription',
        output: `${prefix}steps/transcript/`,
        params: { media, durationS: 61.5, language: 'auto' },
      },
    ])
  })

  test('in the language, and with the speakers, that were asked for', () => {
    const [child] =
      childrenOf('transcript', of('subtitles', { language: 'de-DE', maxSpeakers: 2 }, heard)) ?? []
    expect(child?.params).toEqual({ media, durationS: 61.5, language: 'de-DE', maxSpeakers: 2 })
  })

  test('or a container, which finds all that it needs in its environment', () => {
    const transcriber = {
      taskDefinition: 'whisper:3',
      command: ['go'],
      environment: { MODEL: 'small', MEDIA_KEY: 'mine' },
    }
    const params = { engine: 'container', transcriber, language: 'en-US' }
    expect(childrenOf('transcript', of('subtitles', params, heard))).toEqual([
      {
        kind: 'container',
        output: `${prefix}steps/transcript/`,
        params: {
          taskDefinition: 'whisper:3',
          command: ['go'],
          environment: {
            MODEL: 'small',
            MEDIA_BUCKET: 'outputs',
            MEDIA_KEY: 'work/x/audio.flac',
            MEDIA_FORMAT: 'flac',
            LANGUAGE: 'en-US',
            TRANSCRIPT_BUCKET: 'outputs',
            TRANSCRIPT_KEY: transcript.key,
          },
        },
      },
    ])
  })

  test('at last the files, named after the input', () => {
    const [child] = childrenOf('publish', of('subtitles', {}, { ...heard, transcript: [{}] })) ?? []
    expect(child).toEqual({
      kind: 'publish-subtitles',
      output: prefix,
      params: { transcript, name: 'a.b', formats: ['srt', 'vtt'] },
    })
  })

  test('with language and playlist, where they were named', () => {
    const params = { language: 'en-US', formats: ['vtt'], hlsPrefix: 'results/film/' }
    const [child] = childrenOf('publish', of('subtitles', params, heard)) ?? []
    expect(child?.params).toEqual({
      transcript,
      name: 'a.b',
      formats: ['vtt'],
      language: 'en-US',
      hlsPrefix: 'results/film/',
    })
  })

  test('its result is that of the files', () => {
    expect(
      planOf('subtitles').result(of('subtitles', {}, { ...heard, publish: [{ srt: 'a.srt' }] })),
    ).toEqual({
      srt: 'a.srt',
    })
  })
})

describe('analyze', () => {
  const byModel = { engine: 'bedrock', modelId: 'some.model-v1:0' }

  test('first audio, without which it goes on, and scenes, at the same time', () => {
    expect(childrenOf('audio', of('analyze'))).toEqual([
      {
        kind: 'extract-audio',
        input,
        output: `${prefix}steps/audio/`,
        params: { temporaryPrefix: `work/${jobId}/${uid}/1/`, withoutAudio: 'succeed' },
      },
      { kind: 'find-scenes', input, output: `${prefix}scenes/`, params: {} },
    ])
  })

  test('nobody listens where there is nothing to hear', () => {
    expect(childrenOf('transcript', of('analyze', {}, { audio: [silent, found] }))).toEqual([])
  })

  test.each<[string, Record<string, unknown>, Record<string, unknown>, Record<string, unknown>]>([
    ['what was said', audio, {}, { transcript, scenes, title: 'a.b' }],
    ['no word', silent, {}, { scenes, title: 'a.b' }],
    ['a title', audio, { title: 'Our talk' }, { transcript, scenes, title: 'Our talk' }],
    ['a language', audio, { language: 'en-US' }, { transcript, scenes, title: 'a.b', language: 'en-US' }],
    ['a model', audio, { summary: byModel }, { transcript, scenes, title: 'a.b', summary: byModel }],
  ])('the summary is made from scenes and %s', (_name, heard, params, want) => {
    const results = { audio: [heard, found], transcript: [] }
    expect(childrenOf('summary', of('analyze', params, results))).toEqual([
      { kind: 'summarize', output: prefix, params: want },
    ])
  })
})

describe.each(['analyze', 'summarize'] as const)('who writes the summary of %s', (kind) => {
  const others = kind === 'summarize' ? { scenes, title: 'a' } : {}

  test.each([
    [undefined, true],
    [{ engine: 'extractive' }, true],
    [{ engine: 'bedrock', modelId: 'some.model-v1:0' }, true],
    [{ engine: 'bedrock', modelId: 'arn:aws:bedrock:eu-west-1::foundation-model/some.model-v1:0' }, true],
    [{ engine: 'bedrock', modelId: 'm'.repeat(128) }, true],
    [{ engine: 'bedrock', modelId: 'm'.repeat(129) }, false],
    [{ engine: 'bedrock' }, false],
    [{ engine: 'bedrock', modelId: '' }, false],
    [{ engine: 'bedrock', modelId: '../model' }, false],
    [{ engine: 'bedrock', modelId: 'arn:aws:bedrock:eu-west-1:123456789012:prompt/ABCDEFGHIJ' }, false],
    [{ engine: 'extractive', modelId: 'some.model-v1:0' }, false],
    [{ modelId: 'some.model-v1:0' }, false],
    [{ engine: 'other' }, false],
    [{}, false],
  ])('%j: %s', (summary, isValid) => {
    expect(kinds[kind].params.safeParse({ ...others, summary }).success).toBe(isValid)
  })
})

describe.each(['subtitles', 'analyze'] as const)('%s', (kind) => {
  test.each([
    ['nothing', {}],
    ['something else', { audio: [{ media: 'here' }] }],
    ['nothing, because it was let fail', { audio: [undefined] }],
  ])('cannot go on from an audio step that returned %s', (_name, results) => {
    expect(() => childrenOf('transcript', of(kind, {}, results))).toThrow()
  })

  test('deletes the audio that it may have made, and nothing else', () => {
    const keys = planOf(kind).temporaryKeys(of(kind))
    expect(keys).toContain(`work/${jobId}/${uid}/1/audio.flac`)
    expect(keys).toContain(`work/${jobId}/${uid}/1/audio.m4a`)
    for (const key of keys) expect(key).toMatch(new RegExp(`^work/${jobId}/${uid}/1/audio\\.[a-z0-9]+$`))
    expect(new Set(keys).size).toBe(keys.length)
  })

  test('knows which audio is gone when it has ended', () => {
    const [step] = planOf(kind).steps
    expect(step.isTemporary?.(audio)).toBe(true)
    for (const result of [{ ...audio, isTemporary: false }, silent, found, {}])
      expect(step.isTemporary?.(result)).toBe(false)
    for (const { isTemporary } of planOf(kind).steps.slice(1)) expect(isTemporary).toBeUndefined()
  })

  test.each([
    [{ engine: 'container' }, false],
    [{ engine: 'container', transcriber: { taskDefinition: 'a' } }, true],
    [{ transcriber: { taskDefinition: 'a' } }, false],
    [{ engine: 'transcribe' }, true],
    [{ engine: 'whisper' }, false],
    [{ language: 'English!' }, false],
    [{ language: 'ja-JP' }, true],
    [{ maxSpeakers: 1 }, false],
    [{ maxSpeakers: 31 }, false],
    [{ maxSpeakers: 30 }, true],
  ])('%j: %s', (params, isValid) => {
    expect(kinds[kind].params.safeParse(params).success).toBe(isValid)
  })

  test('the temporary keys of two lives, two jobs and two generations are apart', () => {
    const keys = (more: { jobId?: string; uid?: string; generation?: number }) =>
      planOf(kind).temporaryKeys({ ...of(kind), ...more })
    expect(keys({}).filter((key) => keys({ uid: 'b'.repeat(20) }).includes(key))).toEqual([])
    expect(keys({}).filter((key) => keys({ jobId: 'other' }).includes(key))).toEqual([])
    expect(keys({}).filter((key) => keys({ generation: 2 }).includes(key))).toEqual([])
  })
})

test.each([
  ['a.b.MP4', 'a.b'],
  ['folder.x/a.b.MP4', 'a.b'],
  ['talk', 'talk'],
  ['talk.', 'talk.'],
  ['.mp4', '.mp4'],
  ['a/.mp4', '.mp4'],
  ['talk.verylongsuffix', 'talk.verylongsuffix'],
  ['An hour with Dr. Meier', 'An hour with Dr. Meier'],
  ['Grüße an 東京.mp4', 'Grüße an 東京'],
  ['a.動画', 'a'],
  ['folder/', 'input'],
  ['', 'input'],
  ['a/.', 'input'],
  ['a/..', 'input'],
  ['..mp4', 'input'],
  ['...mp4', 'input'],
  ['a\u0000b\n.mp4', 'a_b_'],
  [`${'x'.repeat(300)}.mp4`, 'x'.repeat(200)],
  [`x${'🎬'.repeat(150)}.mp4`, `x${'🎬'.repeat(99)}`],
])('%j is called %j', (key, name) => {
  expect(baseName(key)).toBe(name)
  expect(() => encodeURIComponent(name)).not.toThrow()
  expect(publishSubtitlesParamsSchema.shape.name.safeParse(name).success).toBe(true)
})

test('steps are not asked for by users or uploads', () => {
  const steps = kindNames.filter((name) => !userKinds.includes(name))
  expect(new Set(steps)).toEqual(
    new Set([
      ...['extract-audio', 'transcription', 'publish-subtitles', 'find-scenes', 'summarize'],
      ...['encode-shard', 'encode-sound', 'stitch'],
    ]),
  )
  expect(userKinds).toEqual(expect.arrayContaining(['subtitles', 'analyze']))
  for (const name of uploadKinds) expect(userKinds).toContain(name)
})

describe('the id of a child', () => {
  const parent = { jobId, uid }
  const id = (of = parent, generation = 1, step = 'audio', index = 0, kind = 'extract-audio') =>
    childJobId(of, generation, step, index, kind)

  test.each(['a', jobId, 'x'.repeat(64), 'A_b-9'])('of %s is an id, and says whose it is', (parentId) => {
    for (const kind of [...kindNames, 'k'.repeat(32)]) {
      const child = childJobId({ jobId: parentId, uid }, 1, 'audio', 0, kind)
      expect(child).toMatch(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/)
      expect(child).toContain(`-${kind}-`)
      expect(parentId.startsWith(child.slice(0, 10).slice(0, parentId.length))).toBe(true)
    }
  })

  test('is the same whenever it is made, in whatever version', () => {
    expect(id()).toBe('wedding-42-extract-audio-d9b37c22f9')
  })

  test('is another one for another life, generation, step, place or kind', () => {
    const ids = [
      id(),
      id({ jobId, uid: 'b'.repeat(20) }),
      id(parent, 2),
      id(parent, 1, 'other'),
      id(parent, 1, 'audio', 1),
      id(parent, 1, 'audio', 0, 'find-scenes'),
      id(parent, 11, 'audio', 0),
      id(parent, 1, 'audio', 10),
    ]
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('two long ids with one beginning have children of their own', () => {
    const long = (end: string, life: string) => ({ jobId: 'x'.repeat(63) + end, uid: life.repeat(20) })
    expect(id(long('a', 'a'))).not.toBe(id(long('b', 'b')))
  })
})

describe('whose child a job is', () => {
  test('stands in its spec', () => {
    expect(parentOf({ parent: `${jobId}/${uid}` })).toEqual({ jobId, uid })
  })

  test.each([
    undefined,
    null,
    'parent',
    7,
    [],
    {},
    { parent: undefined },
    { parent: 7 },
    { parent: {} },
    { parent: '' },
    { parent: jobId },
    { parent: `${jobId}/` },
    { parent: `/${uid}` },
    { parent: `${jobId}/${uid}x` },
    { parent: `${jobId}/${uid.toUpperCase()}` },
    { parent: `${jobId}/${uid}/1` },
    { parent: `-a/${uid}` },
    { parent: ` ${jobId}/${uid}` },
    { parent: `${jobId}/${uid}\n` },
    { parent: `${'x'.repeat(65)}/${uid}` },
  ])('%j: nobody', (spec) => {
    expect(parentOf(spec)).toBeUndefined()
  })
})
