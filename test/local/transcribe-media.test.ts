import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateBucketCommand, DeleteBucketCommand, DeleteObjectCommand } from '@aws-sdk/client-s3'
import type { StartTranscriptionJobCommandInput } from '@aws-sdk/client-transcribe'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { probeMedia } from '../../local/transcribe/media.ts'
import { findTools } from '../../local/transcribe/tools.ts'
import { unrecognised } from '../../local/transcribe/voice.ts'
import { isRunning, until } from './ecs-setup.ts'
import {
  makeMedia,
  recogniserThatSays,
  type Settings,
  startTranscribe,
  type TranscribeTest,
  toneBetween,
} from './transcribe-setup.ts'

let talk: Buffer
beforeAll(async () => {
  talk = await makeMedia('talk.wav', ...toneBetween(1, 2))
})

let folder: string
let opened: TranscribeTest[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transcribe-test-'))
  opened = []
})
afterEach(async () => {
  await Promise.all(opened.map((local) => local.close()))
  await rm(folder, { recursive: true, force: true })
})

const open = async (options: { settings?: Settings; asrCommand?: string } = {}) => {
  const local = await startTranscribe(options)
  opened.push(local)
  return local
}

/** One job over one media file, to its end. */
const transcribe = async (
  local: TranscribeTest,
  media: Buffer | string,
  input: Partial<StartTranscriptionJobCommandInput> = {},
) => {
  await local.upload('talk.wav', media)
  await local.start(input)
  return local.ended(input.TranscriptionJobName ?? 'job-1')
}

const itemsOf = async (local: TranscribeTest, key = 'job-1.json') => {
  const { results } = JSON.parse(await local.output(key))
  return results.items as { start_time: string; end_time: string; alternatives: { content: string }[] }[]
}

const hello = {
  language: 'en',
  words: [
    { text: 'Hello', startS: 1, endS: 1.4, confidence: 0.9, speaker: 'A' },
    { text: 'there.', startS: 1.5, endS: 1.9, confidence: 0.8, speaker: 'B' },
  ],
}

describe('without a recogniser', () => {
  test('the transcript has the stretches of voice at their times, and says what they are', async () => {
    const local = await open()
    const media = await makeMedia(
      'two.wav',
      '-f',
      'lavfi',
      '-i',
      "aevalsrc='if(between(t,1,2)+between(t,3,3.6),0.5*sin(2*PI*440*t),0)':s=16000:d=4",
    )
    expect((await transcribe(local, media)).TranscriptionJobStatus).toBe('COMPLETED')
    const items = await itemsOf(local)
    expect(items.map(({ alternatives }) => alternatives[0]?.content)).toEqual([unrecognised, unrecognised])
    const times = items.flatMap(({ start_time, end_time }) => [Number(start_time), Number(end_time)])
    for (const [index, wanted] of [1, 2, 3, 3.6].entries())
      expect(Math.abs((times[index] ?? 0) - wanted)).toBeLessThan(0.05)
    expect(unrecognised).toMatch(/no-recogniser-configured/)
  })

  test('silence has no words', async () => {
    const local = await open()
    await transcribe(local, await makeMedia('s.wav', ...toneBetween(9, 9)))
    expect(await itemsOf(local)).toEqual([])
  })
})

describe('with a recogniser', () => {
  test('it gets 16 kHz mono WAV as its last argument, and its words become the transcript', async () => {
    const local = await open({ asrCommand: await recogniserThatSays(folder, hello) })
    const media = await makeMedia('a.mp3', ...toneBetween(1, 2), '-ac', '2', '-ar', '44100')
    const job = await transcribe(local, media, { Settings: { ShowSpeakerLabels: true, MaxSpeakerLabels: 2 } })
    expect(job).toMatchObject({
      TranscriptionJobStatus: 'COMPLETED',
      MediaFormat: 'mp3',
      MediaSampleRateHertz: 44_100,
    })
    const wav = await readFile(join(folder, 'heard.wav'))
    expect(wav.subarray(0, 4).toString()).toBe('RIFF')
    // Format of the samples: PCM, channels, rate, bits.
    expect([wav.readUInt16LE(20), wav.readUInt16LE(22), wav.readUInt32LE(24), wav.readUInt16LE(34)]).toEqual([
      1, 1, 16_000, 16,
    ])
    expect(await readFile(join(folder, 'called'), 'utf8')).toBe('--first en-US\n')

    expect(JSON.parse(await local.output('job-1.json'))).toMatchObject({
      jobName: 'job-1',
      status: 'COMPLETED',
      results: {
        transcripts: [{ transcript: 'Hello there.' }],
        items: [
          { start_time: '1.0', end_time: '1.4', alternatives: [{ confidence: '0.9', content: 'Hello' }] },
          { start_time: '1.5', end_time: '1.9', speaker_label: 'spk_1' },
          { type: 'punctuation', alternatives: [{ content: '.' }] },
        ],
        speaker_labels: { speakers: 2, segments: [{ speaker_label: 'spk_0' }, { speaker_label: 'spk_1' }] },
      },
    })
  })

  test('the language that it hears is the identified one; it is told none', async () => {
    const local = await open({ asrCommand: await recogniserThatSays(folder, { ...hello, language: 'de' }) })
    const identify = { LanguageCode: undefined, IdentifyLanguage: true }
    expect(await transcribe(local, talk, identify)).toMatchObject({
      LanguageCode: 'de-DE',
      IdentifyLanguage: true,
      IdentifiedLanguageScore: 1,
    })
    expect(JSON.parse(await local.output('job-1.json')).results.language_code).toBe('de-DE')
    expect(await readFile(join(folder, 'called'), 'utf8')).toBe('--first \n')
    const many = { LanguageCode: undefined, IdentifyMultipleLanguages: true, TranscriptionJobName: 'job-2' }
    expect(await transcribe(local, talk, many)).toMatchObject({
      IdentifyMultipleLanguages: true,
      LanguageCodes: [{ LanguageCode: 'de-DE', DurationInSeconds: 4 }],
    })
  })

  test.each([
    ['no JSON', 'hello', 0, /LOCAL_ASR_COMMAND.* must print JSON .* "hello"/],
    ['wrong JSON', { words: [{ text: 'a', startS: 0 }] }, 0, /words.0.endS/],
    ['an exit code', hello, 3, /ended with exit code 3: oops/],
  ])('%s fails the job with a sentence', async (_, output, exitCode, reason) => {
    const local = await open({ asrCommand: await recogniserThatSays(folder, output, exitCode) })
    expect(await transcribe(local, talk)).toMatchObject({
      TranscriptionJobStatus: 'FAILED',
      FailureReason: expect.stringMatching(reason),
    })
    expect(await local.keys()).toEqual(['.write_access_check_file.temp'])
  })

  test('one that is not there fails the job', async () => {
    const local = await open({ asrCommand: '/no/such/recogniser' })
    expect((await transcribe(local, talk)).FailureReason).toMatch(/exit code 127: .*\/no\/such\/recogniser/)
  })

  test('one that never ends is ended, with all that it started', async () => {
    const asrCommand = `echo $$ > ${folder}/pid; sleep 60 & echo $! >> ${folder}/pid; wait; :`
    const local = await open({ asrCommand, settings: { recogniserTimeoutMs: 1_000 } })
    expect((await transcribe(local, talk)).FailureReason).toMatch(/did not end within 1 s/)
    const pids = (await readFile(join(folder, 'pid'), 'utf8')).trim().split('\n').map(Number)
    expect(pids).toHaveLength(2)
    await until(async () => !pids.some(isRunning))
  })

  test('nothing of the media stays on the disk', async () => {
    const local = await open({ asrCommand: await recogniserThatSays(folder, 'bad') })
    await transcribe(local, talk)
    expect(await readdir(join(local.dataDir, 'work'))).toEqual([])
  })
})

describe('where the transcript goes', () => {
  test.each([
    [undefined, 'job-1.json', '.write_access_check_file.temp'],
    ['a/b', 'a/b/job-1.json', 'a/b/.write_access_check_file.temp'],
    ['a/b/text.json', 'a/b/text.json', 'a/b/.write_access_check_file.temp'],
  ])('OutputKey %s: %s, after %s', async (OutputKey, key, check) => {
    const local = await open()
    await local.upload('talk.wav', talk)
    await local.start({ OutputKey })
    expect(await local.keys()).toContain(check)
    const job = await local.ended('job-1')
    expect(job.Transcript?.TranscriptFileUri).toBe(`https://s3.us-east-1.amazonaws.com/out/${key}`)
    expect(new Set(await local.keys())).toEqual(new Set([check, key]))
  })

  test('subtitles lie beside it', async () => {
    const local = await open({ asrCommand: await recogniserThatSays(folder, hello) })
    const job = await transcribe(local, talk, {
      OutputKey: 'a/text.json',
      Subtitles: { Formats: ['srt', 'vtt'], OutputStartIndex: 1 },
    })
    expect(job.Subtitles).toEqual({
      Formats: ['srt', 'vtt'],
      OutputStartIndex: 1,
      SubtitleFileUris: [
        'https://s3.us-east-1.amazonaws.com/out/a/text.srt',
        'https://s3.us-east-1.amazonaws.com/out/a/text.vtt',
      ],
    })
    expect(await local.output('a/text.srt')).toBe('1\n00:00:01,000 --> 00:00:01,900\nHello there.\n')
    expect(await local.output('a/text.vtt')).toBe(
      'WEBVTT\n\n1\n00:00:01.000 --> 00:00:01.900\nHello there.\n',
    )
  })

  test('without a bucket it is a link of the service that anybody can read', async () => {
    const local = await open()
    const job = await transcribe(local, talk, { OutputBucketName: undefined })
    expect(job.FailureReason).toBeUndefined()
    const uri = job.Transcript?.TranscriptFileUri ?? ''
    expect(uri).toMatch(
      /aws-transcribe-us-east-1-prod\/000000000000\/job-1\/.*asrOutput\.json\?.*X-Amz-Expires=900/,
    )
    expect(await (await fetch(uri)).json()).toMatchObject({ jobName: 'job-1', status: 'COMPLETED' })
    expect(await local.keys()).toEqual([])
  })

  test('a bucket that is gone meanwhile fails the job', async () => {
    const local = await open({
      asrCommand: `while [ ! -e ${folder}/go ]; do sleep 0.02; done; echo '{"words":[]}'; :`,
    })
    await local.s3.client.send(new CreateBucketCommand({ Bucket: 'gone' }))
    await local.upload('talk.wav', talk)
    await local.start({ OutputBucketName: 'gone' })
    await local.s3.client.send(
      new DeleteObjectCommand({ Bucket: 'gone', Key: '.write_access_check_file.temp' }),
    )
    await local.s3.client.send(new DeleteBucketCommand({ Bucket: 'gone' }))
    await writeFile(join(folder, 'go'), '')
    expect((await local.ended('job-1')).FailureReason).toMatch(/could not be written to gone: NoSuchBucket/)
  })
})

describe('the media', () => {
  test.each([
    ['wav', 'a.wav', []],
    ['mp3', 'a.mp3', []],
    ['flac', 'a.flac', []],
    ['m4a', 'a.m4a', ['-brand', 'M4A ']],
    ['mp4', 'a.mp4', []],
    ['ogg', 'a.ogg', ['-c:a', 'libopus']],
    ['webm', 'a.webm', ['-c:a', 'libopus']],
  ])('%s is known for what it is, whatever its name', async (format, name, args) => {
    const local = await open()
    const job = await transcribe(local, await makeMedia(name, ...toneBetween(1, 2), ...args))
    expect(job).toMatchObject({ TranscriptionJobStatus: 'COMPLETED', MediaFormat: format })
    expect(await itemsOf(local)).toHaveLength(1)
  })

  test.each([
    ['an odd key', 'a b/ü+%20&.wav', 's3://media/a b/ü+%20&.wav'],
    ['an https address', 'a b/c.wav', 'https://s3.us-east-1.amazonaws.com/media/a%20b/c.wav'],
  ])('%s is found', async (_, key, MediaFileUri) => {
    const local = await open()
    await local.upload(key, talk)
    await local.start({ Media: { MediaFileUri } })
    expect((await local.ended('job-1')).TranscriptionJobStatus).toBe('COMPLETED')
  })

  type Row = [
    what: string,
    media: () => Promise<Buffer | string>,
    input: Partial<StartTranscriptionJobCommandInput>,
    settings: Settings,
    reason: string | RegExp,
  ]
  const wav = async () => talk
  const rows: Row[] = [
    ['rubbish', async () => 'this is no sound', {}, {}, 'Unsupported media format'],
    ['an empty file', async () => '', {}, {}, 'Unsupported media format'],
    ['a playlist', async () => '#EXTM3U\n#EXTINF:1,\n/etc/hostname\n', {}, {}, 'Unsupported media format'],
    ['AVI', () => makeMedia('a.avi', ...toneBetween(1, 2)), {}, {}, 'Unsupported media format'],
    [
      'another format than it says',
      wav,
      { MediaFormat: 'mp3' },
      {},
      'The media format provided does not match the detected media format',
    ],
    [
      'another rate than it says',
      wav,
      { MediaSampleRateHertz: 8_000 },
      {},
      'The sample rate provided does not match the detected sample rate',
    ],
    [
      'too high a rate',
      () => makeMedia('a.wav', ...toneBetween(1, 2), '-ar', '96000'),
      {},
      {},
      'Invalid sample rate for audio file',
    ],
    [
      'too many channels',
      () => makeMedia('a.wav', ...toneBetween(1, 2), '-ac', '6'),
      {},
      {},
      'Invalid number of channels: number of channels too large',
    ],
    ['too many bytes', wav, {}, { limits: { bytesMax: 1_000 } }, 'Invalid file size: file size too large'],
    [
      'too long',
      wav,
      {},
      { limits: { durationSMax: 3.9 } },
      /^Invalid file size: file size too large. Maximum audio duration is 3.9/,
    ],
    ['too short', wav, {}, { limits: { durationSMin: 4.1 } }, /^Invalid file size: file size too small/],
    ['cut off', async () => talk.subarray(0, 100), {}, {}, /^Invalid file size: file size too small/],
    [
      'of a codec that nobody knows',
      async () => Buffer.concat([talk.subarray(0, 20), Buffer.from([0x99, 0x99]), talk.subarray(22)]),
      {},
      {},
      'Failed to parse audio file.',
    ],
  ]
  test.each(rows)('%s fails the job with the reason of AWS', async (_, media, input, settings, reason) => {
    const local = await open({ settings })
    const job = await transcribe(local, await media(), input)
    expect(job.TranscriptionJobStatus).toBe('FAILED')
    expect(job.FailureReason).toMatch(reason)
    if (typeof reason === 'string') expect(job.FailureReason).toBe(reason)
  })

  test('a playlist in disguise opens no other file', async () => {
    await writeFile(join(folder, 'other.wav'), talk)
    const playlist = 'ffconcat version 1.0\nfile other.wav\n'
    await writeFile(join(folder, 'media'), playlist)
    const tools = findTools({ path: process.env.PATH ?? '', scratch: folder })
    const { signal } = new AbortController()
    expect(await probeMedia(join(folder, 'other.wav'), { tools, signal })).toMatchObject({ format: 'wav' })
    expect(await probeMedia(join(folder, 'media'), { tools, signal })).toBeUndefined()
  })

  test('at the limit is within it', async () => {
    const local = await open({
      settings: { limits: { durationSMax: 4, durationSMin: 4, bytesMax: talk.length } },
    })
    expect((await transcribe(local, talk)).TranscriptionJobStatus).toBe('COMPLETED')
  })
})
