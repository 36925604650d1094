import { describe, expect, test } from 'vitest'
import {
  paramsOfUpload,
  type Upload,
  type UploadRules,
  uploadCommands,
  withHead,
} from '../../controller/intake/uploads.ts'
import { problemsOf, sentenceOf } from '../../schemas/problems.ts'
import { triggersSchema } from '../../schemas/triggers.ts'

const talk: Upload = {
  bucket: 'uploads',
  key: 'talks/keynote.MP4',
  etag: 'e1',
  versionId: undefined,
  sequencer: '0055',
  bytes: 1000,
}
const triggers = triggersSchema.parse([
  { prefix: 'talks/', suffix: '.mp4', maxBytes: 999, jobs: [{ kind: 'transcode' }] },
  {
    prefix: 'talks/',
    suffix: '.mp4',
    jobs: [
      { kind: 'transcode', params: { preset: 'fast' }, queue: 'batch', priority: 3 },
      { kind: 'subtitles', params: { language: 'en-US' } },
    ],
  },
  { prefix: 'drafts/', jobs: [] },
  { prefix: 'large/', minBytes: 5000, jobs: [{ kind: 'analyze' }] },
])
const rules: UploadRules = { triggers, defaultKind: 'transcode' }

const kindsOf = (upload: Partial<Upload>, by: UploadRules = rules): string[] =>
  uploadCommands({ ...talk, ...upload }, by).map((command) =>
    command.do === 'submit' ? command.kind : command.why,
  )

describe('which jobs an upload becomes', () => {
  test.each([
    ['the first trigger that fits decides', {}, ['transcode', 'subtitles']],
    ['a size at the edge fits', { bytes: 999 }, ['transcode']],
    ['no size fits no rule about sizes', { bytes: undefined }, ['transcode', 'subtitles']],
    ['below a minimum', { key: 'large/a.mp4', bytes: 4999 }, ['transcode']],
    ['at a minimum', { key: 'large/a.mp4', bytes: 5000 }, ['analyze']],
    ['a minimum, and no size', { key: 'large/a.mp4', bytes: undefined }, ['transcode']],
    ['a trigger without jobs', { key: 'drafts/a.mp4' }, ['Trigger']],
    ['no trigger, and a folder that names a kind', { key: 'subtitles/a.wav' }, ['subtitles']],
    ['no trigger, and a folder that names a step', { key: 'extract-audio/a.wav' }, ['OtherSuffix']],
    ['no trigger and no folder', { key: 'a.mp4' }, ['transcode']],
    ['no trigger, and a suffix of nobody', { key: 'a.txt' }, ['OtherSuffix']],
    ['a folder is no upload, whatever fits it', { key: 'talks/' }, ['Folder']],
    [
      'nor is what Transcribe tries its access with',
      { key: 'talks/.write_access_check_file.temp' },
      ['AccessCheck'],
    ],
  ])('%s', (_name, upload, expected) => {
    expect(kindsOf(upload)).toEqual(expected)
  })

  test('without triggers and default kind, none', () => {
    expect(kindsOf({ key: 'a.mp4' }, { defaultKind: undefined })).toEqual(['NoDefaultKind'])
  })

  test('each has an id of its own, the same for the same upload, and what its trigger says', () => {
    const [first, second] = uploadCommands(talk, rules)
    expect(first).toMatchObject({
      kind: 'transcode',
      spec: {
        input: { bucket: 'uploads', key: talk.key, etag: 'e1' },
        params: { preset: 'fast' },
        queue: 'batch',
        priority: 3,
      },
    })
    expect(second).toMatchObject({ kind: 'subtitles', spec: { params: { language: 'en-US' } } })
    expect(
      uploadCommands({ ...talk, sequencer: '0056' }, rules).map(
        (command) => 'jobId' in command && command.jobId,
      ),
    ).toEqual([first, second].map((command) => command && 'jobId' in command && command.jobId))
  })
})

describe('parameters that an upload brings along', () => {
  test.each([
    ['text', { 'job-language': 'en-US' }, { language: 'en-US' }],
    ['a number', { 'job-max-speakers': '3' }, { maxSpeakers: 3 }],
    ['a list', { 'job-formats': '["vtt"]' }, { formats: ['vtt'] }],
    ['a truth', { 'job-x': 'true' }, { x: true }],
    ['text that is no JSON', { 'job-title': '"half' }, { title: '"half' }],
    ['for this kind', { 'job-subtitles-language': 'de-DE' }, { language: 'de-DE' }],
    ['for another kind', { 'job-transcode-preset': 'fast' }, {}],
    [
      'for this kind wins over for all',
      { 'job-subtitles-language': 'de-DE', 'job-language': 'en-US' },
      { language: 'de-DE' },
    ],
    ['of somebody else', { author: 'me', 'x-job-language': 'en' }, {}],
  ])('%s', (_name, metadata, expected) => {
    expect(paramsOfUpload('subtitles', metadata)).toEqual(expected)
  })

  test('a parameter that begins like the name of another kind is a parameter', () => {
    const metadata = { 'job-audio-bitrate-kbps': '96' }
    expect(paramsOfUpload('transcode', metadata)).toEqual({ audioBitrateKbps: 96 })
    expect(paramsOfUpload('subtitles', metadata)).toEqual({})
  })

  test('win over those of the trigger, and leave the others', () => {
    const [, second] = uploadCommands(talk, rules)
    if (second?.do !== 'submit') throw new Error('no job')
    const paramsWith = (metadata: Record<string, string>) => withHead(second, { metadata }).spec.params
    expect(paramsWith({ 'job-max-speakers': '2' })).toEqual({ language: 'en-US', maxSpeakers: 2 })
    expect(paramsWith({ 'job-language': 'fr-FR' })).toEqual({ language: 'fr-FR' })
    expect(withHead(second, { metadata: { color: 'red' } })).toEqual(second)
  })

  test('its size comes from its event, and where that does not say it, from what S3 says of the object', () => {
    const bytesOf = (upload: Upload) => {
      const [command] = uploadCommands(upload, rules)
      if (command?.do !== 'submit') throw new Error('no job')
      return withHead(command, { metadata: {}, bytes: 77 }).spec.input.bytes
    }
    expect(bytesOf(talk)).toBe(1000)
    expect(bytesOf({ ...talk, bytes: undefined })).toBe(77)
  })

  test('a name that JavaScript treats in a special way is a parameter like any other', () => {
    const params = paramsOfUpload('subtitles', { 'job-__proto__': '{"polluted": true}' })
    expect(Object.hasOwn(params, '__proto__')).toBe(true)
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })
})

test('what a rule says of the time after success stands in the spec of its job', () => {
  const rule = { prefix: 'once/', jobs: [{ kind: 'transcode', afterSuccess: 'delete' }] }
  const [command] = uploadCommands(
    { ...talk, key: 'once/a.mp4' },
    { triggers: triggersSchema.parse([rule]), defaultKind: undefined },
  )
  expect(command).toMatchObject({ do: 'submit', spec: { afterSuccess: 'delete' } })
})

describe('rules that cannot be', () => {
  test.each([
    [
      'an unknown kind',
      [{ jobs: [{ kind: 'transmogrify' }] }],
      /must be one of: transcode, subtitles, audio, analyze, torrent/,
    ],
    ['a step of a pipeline', [{ jobs: [{ kind: 'extract-audio' }] }], /must be one of/],
    [
      'parameters that the kind refuses',
      [{ jobs: [{ kind: 'subtitles', params: { maxSpeakers: 1 } }] }],
      /maxSpeakers/,
    ],
    [
      'the upload deleted after one of two jobs',
      [{ jobs: [{ kind: 'transcode', afterSuccess: 'delete' }, { kind: 'subtitles' }] }],
      /others may still need it/,
    ],
    ['a kind twice', [{ jobs: [{ kind: 'transcode' }, { kind: 'transcode' }] }], /a kind twice/],
    [
      'sizes that nothing has',
      [{ minBytes: 10, maxBytes: 5, jobs: [] }],
      /must not be below minBytes \(10\): no upload would fit/,
    ],
    ['an unknown field', [{ jobs: [], sufix: '.mp4' }], /sufix/],
  ])('%s', (_name, given, expected) => {
    const parsed = triggersSchema.safeParse(given)
    expect(parsed.success).toBe(false)
    expect(JSON.stringify(parsed.error?.issues)).toMatch(expected)
  })

  test('parameters that the kind refuses, in the words of a record', () => {
    const given = [{ jobs: [{ kind: 'subtitles', params: { maxSpeakers: 1, speed: 2 } }] }]
    const { error } = triggersSchema.safeParse(given)
    expect(error && problemsOf(error, given).map(sentenceOf)).toEqual([
      '[0].jobs[0].params.maxSpeakers: 1 is not allowed: must be at least 2',
      '[0].jobs[0].params.speed: 2 is not allowed: there is no such field',
    ])
  })

  test('one size only is fine', () => {
    const given = [{ minBytes: 5, maxBytes: 5, jobs: [] }]
    expect(triggersSchema.safeParse(given).success).toBe(true)
  })
})
