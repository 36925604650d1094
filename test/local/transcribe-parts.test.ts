import { parse as parseSubtitles } from '@plussub/srt-vtt-parser'
import { describe, expect, test } from 'vitest'
import { languageOf } from '../../local/transcribe/languages.ts'
import { failureReasons, mediaRefusal, parseProbe } from '../../local/transcribe/media.ts'
import { accessCheckKey, mediaPlace, transcriptKey } from '../../local/transcribe/places.ts'
import { parseRecognised, RecogniserError, type Word } from '../../local/transcribe/recogniser.ts'
import { startRequest } from '../../local/transcribe/requests.ts'
import { brokenRule, missingFeature } from '../../local/transcribe/rules.ts'
import { roomForQueued } from '../../local/transcribe/runtime.ts'
import { transcribeSettingsSchema } from '../../local/transcribe/settings.ts'
import { writeSubtitles } from '../../local/transcribe/subtitles.ts'
import { buildTranscript, decimal } from '../../local/transcribe/transcript.ts'
import { parseSilences, voiceBetween } from '../../local/transcribe/voice.ts'
import { startInput } from './transcribe-setup.ts'

describe('where things are', () => {
  test.each([
    ['s3://media/a b/c+d%20e.wav', { bucket: 'media', key: 'a b/c+d%20e.wav' }],
    ['https://s3.eu-central-1.amazonaws.com/media/a/b%20c.wav', { bucket: 'media', key: 'a/b c.wav' }],
    ['https://s3-us-west-2.amazonaws.com/media/a.wav', { bucket: 'media', key: 'a.wav' }],
    ['https://my.media.s3.eu-central-1.amazonaws.com/a.wav', { bucket: 'my.media', key: 'a.wav' }],
    ['https://media.s3.amazonaws.com/a.wav', { bucket: 'media', key: 'a.wav' }],
    ['https://example.org/media/a.wav', undefined],
    ['https://s3.amazonaws.com.example.org/media/a.wav', undefined],
    ['https://s3.us-east-1.amazonaws.com/media', undefined],
    ['https://s3.us-east-1.amazonaws.com/media/%', undefined],
    ['s3://media/', undefined],
  ])('%s means %j', (uri, place) => expect(mediaPlace(uri)).toEqual(place))

  test.each([
    [undefined, 'job-1.json', '.write_access_check_file.temp'],
    ['text.json', 'text.json', '.write_access_check_file.temp'],
    ['a/b/text.json', 'a/b/text.json', 'a/b/.write_access_check_file.temp'],
    ['a/b', 'a/b/job-1.json', 'a/b/.write_access_check_file.temp'],
    ['a/b/', 'a/b/job-1.json', 'a/b/.write_access_check_file.temp'],
    ['a.jsonl', 'a.jsonl/job-1.json', 'a.jsonl/.write_access_check_file.temp'],
  ])('OutputKey %s: the transcript at %s, the access check at %s', (outputKey, key, check) => {
    expect(transcriptKey('job-1', outputKey)).toBe(key)
    expect(accessCheckKey(key)).toBe(check)
  })
})

describe('what a start request must keep', () => {
  const role = 'arn:aws:iam::000000000000:role/transcribe'
  const rule = (fields: object) => {
    const parsed = startRequest.safeParse(startInput(fields))
    if (!parsed.success) return parsed.error.issues.map(({ path }) => path.join('.')).join()
    return brokenRule(parsed.data)
  }

  test.each([
    ['nothing special', {}],
    ['IdentifyLanguage', { LanguageCode: undefined, IdentifyLanguage: true }],
    ['options', { LanguageCode: undefined, IdentifyLanguage: true, LanguageOptions: ['en-US', 'de-DE'] }],
    ['many languages', { LanguageCode: undefined, IdentifyMultipleLanguages: true }],
    ['IdentifyLanguage false', { IdentifyLanguage: false }],
    ['speakers', { Settings: { ShowSpeakerLabels: true, MaxSpeakerLabels: 30 } }],
    ['alternatives', { Settings: { ShowAlternatives: true, MaxAlternatives: 10 } }],
    ['deferred', { JobExecutionSettings: { AllowDeferredExecution: true, DataAccessRoleArn: role } }],
    ['a name of 200', { TranscriptionJobName: 'x'.repeat(200) }],
    ['every character of a key', { OutputKey: "aZ0-_.!*'()/x" }],
  ])('%s: allowed', (_, fields) => expect(rule(fields)).toBeUndefined())

  test.each([
    ['no language', { LanguageCode: undefined }, /Exactly one of/],
    ['two languages', { IdentifyLanguage: true }, /Exactly one of/],
    ['three', { IdentifyLanguage: true, IdentifyMultipleLanguages: true }, /Exactly one of/],
    ['options with LanguageCode', { LanguageOptions: ['en-US'] }, /LanguageOptions/],
    ['speakers without a number', { Settings: { ShowSpeakerLabels: true } }, /together/],
    ['a number without speakers', { Settings: { MaxSpeakerLabels: 2 } }, /together/],
    [
      'one speaker',
      { Settings: { ShowSpeakerLabels: true, MaxSpeakerLabels: 1 } },
      /Settings.MaxSpeakerLabels/,
    ],
    ['31', { Settings: { ShowSpeakerLabels: true, MaxSpeakerLabels: 31 } }, /Settings.MaxSpeakerLabels/],
    ['alternatives without a number', { Settings: { ShowAlternatives: true } }, /together/],
    ['deferred without a role', { JobExecutionSettings: { AllowDeferredExecution: true } }, /both/],
    ['a role alone', { JobExecutionSettings: { DataAccessRoleArn: role } }, /both/],
    ['a key without a bucket', { OutputBucketName: undefined, OutputKey: 'a/' }, /OutputBucketName/],
    ['a bucket as a URI', { OutputBucketName: 's3://out' }, /OutputBucketName/],
    ['a space in the name', { TranscriptionJobName: 'job 1' }, /TranscriptionJobName/],
    ['a name of 201', { TranscriptionJobName: 'x'.repeat(201) }, /TranscriptionJobName/],
    ['an odd key', { OutputKey: 'a+b' }, /OutputKey/],
    ['a key of 1025', { OutputKey: 'x'.repeat(1_025) }, /OutputKey/],
    ['an odd language', { LanguageCode: 'xx-XX' }, /LanguageCode/],
    ['an odd format', { MediaFormat: 'avi' }, /MediaFormat/],
    ['7,999 Hz', { MediaSampleRateHertz: 7_999 }, /MediaSampleRateHertz/],
    ['ftp', { Media: { MediaFileUri: 'ftp://media/a.wav' } }, /MediaFileUri/],
    ['a long address', { Media: { MediaFileUri: `s3://media/${'x'.repeat(2_000)}` } }, /MediaFileUri/],
    ['a format twice', { Subtitles: { Formats: ['srt', 'srt'] } }, /once/],
  ])('%s: refused', (_, fields, want) => expect(rule(fields)).toMatch(want))

  test.each([
    ['Settings.ChannelIdentification', { Settings: { ChannelIdentification: true } }],
    ['Settings.VocabularyName', { Settings: { VocabularyName: 'mine' } }],
    ['ContentRedaction', { ContentRedaction: { RedactionType: 'PII' } }],
    ['Media.RedactedMediaFileUri', { Media: { MediaFileUri: 's3://a/b', RedactedMediaFileUri: 's3://a/c' } }],
  ])('%s is not there, and says so', (name, fields) =>
    expect(missingFeature(startInput(fields as object))).toBe(name),
  )
})

describe('what a media file is', () => {
  const { limits } = transcribeSettingsSchema.parse({})
  const wav = { format: 'wav', sampleRateHz: 16_000, channels: 1 }

  test.each([
    ['a WAV', wav, {}, undefined],
    ['named as it is', wav, { MediaFormat: 'wav', MediaSampleRateHertz: 16_000 }, undefined],
    ['M4A called mp4', { ...wav, format: 'm4a' }, { MediaFormat: 'mp4' }, undefined],
    ['no audio', undefined, {}, failureReasons.unsupported],
    ['another format', { ...wav, format: undefined }, {}, failureReasons.unsupported],
    ['called mp3', wav, { MediaFormat: 'mp3' }, failureReasons.mismatch],
    ['7,999 Hz', { ...wav, sampleRateHz: 7_999 }, {}, failureReasons.rate],
    ['48,000 Hz', { ...wav, sampleRateHz: 48_000 }, {}, undefined],
    ['48,001 Hz', { ...wav, sampleRateHz: 48_001 }, {}, failureReasons.rate],
    ['another rate', wav, { MediaSampleRateHertz: 8_000 }, failureReasons.rateMismatch],
    ['stereo', { ...wav, channels: 2 }, {}, undefined],
    ['three channels', { ...wav, channels: 3 }, {}, failureReasons.channels],
  ] as const)('%s: %s', (_, media, request, reason) => {
    expect(mediaRefusal(media, request, limits)).toBe(reason)
  })

  test.each([
    ['mov,mp4,m4a,3gp,3g2,mj2', 'isom', 'aac', 'mp4'],
    ['mov,mp4,m4a,3gp,3g2,mj2', 'M4A ', 'aac', 'm4a'],
    ['mov,mp4,m4a,3gp,3g2,mj2', 'qt  ', 'aac', undefined],
    ['matroska,webm', '', 'opus', 'webm'],
    ['matroska,webm', '', 'aac', undefined],
    ['ogg', '', 'opus', 'ogg'],
    ['ogg', '', 'vorbis', undefined],
    ['mp3', '', 'mp3', 'mp3'],
    ['amr', '', 'amr_nb', 'amr'],
  ])('ffprobe says %s (%s) with %s: %s', (format_name, major_brand, codec_name, format) => {
    const video = { codec_type: 'video', codec_name: 'h264' }
    const audio = { codec_type: 'audio', codec_name, sample_rate: '44100', channels: 2 }
    const json = JSON.stringify({ format: { format_name, tags: { major_brand } }, streams: [video, audio] })
    expect(parseProbe(json)).toEqual({ format, sampleRateHz: 44_100, channels: 2 })
  })

  test('a film without sound is no audio, and neither is rubbish', () => {
    const streams = [{ codec_type: 'video' }]
    expect(parseProbe(JSON.stringify({ format: { format_name: 'mov,mp4' }, streams }))).toBeUndefined()
    expect(parseProbe('')).toBeUndefined()
  })
})

describe('what a recogniser may print', () => {
  test('words come back in the order of time, a numbered speaker as its name', () => {
    const words = [
      { text: ' world ', startS: 1, endS: 1.5, speaker: 1 },
      { text: 'hello', startS: 0, endS: 0.5, confidence: 0.5 },
    ]
    expect(parseRecognised(JSON.stringify({ language: 'en', words }), 2)).toEqual({
      language: 'en',
      words: [
        { text: 'hello', startS: 0, endS: 0.5, confidence: 0.5 },
        { text: 'world', startS: 1, endS: 1.5, speaker: '1' },
      ],
    })
  })

  test('no words are a transcript too', () => {
    expect(parseRecognised('{"words": []}\n', 2).words).toEqual([])
  })

  test.each([
    ['nothing', '', /must print JSON .* printed nothing/],
    ['text', 'hello world', /must print JSON .* printed "hello world"/],
    ['no words', '{}', /words: /],
    [
      'a word without text',
      '{"words":[{"text":" ","startS":0,"endS":1}]}',
      /words.0.text: must not be empty/,
    ],
    ['a time as text', '{"words":[{"text":"a","startS":"0","endS":1}]}', /words.0.startS/],
    ['a time before the start', '{"words":[{"text":"a","startS":-1,"endS":1}]}', /words.0.startS/],
    [
      'an end before its start',
      '{"words":[{"text":"a","startS":1,"endS":0.5}]}',
      /endS: must not end before/,
    ],
    ['confidence in percent', '{"words":[{"text":"a","startS":0,"endS":1,"confidence":99}]}', /confidence/],
    [
      'milliseconds',
      '{"words":[{"text":"a","startS":0,"endS":500}]}',
      /at 500 s, and the audio ends at 2.0 s/,
    ],
  ])('%s is refused with a sentence', (_, stdout, want) => {
    expect(() => parseRecognised(stdout, 2)).toThrow(RecogniserError)
    expect(() => parseRecognised(stdout, 2)).toThrow(want)
  })
})

const word = (text: string, startS: number, endS: number, more: Partial<Word> = {}): Word => ({
  text,
  startS,
  endS,
  ...more,
})
const transcriptOf = (words: Word[], more: Partial<Parameters<typeof buildTranscript>[0]> = {}) =>
  buildTranscript({
    jobName: 'job-1',
    accountId: '000000000000',
    words,
    languageCode: 'en-US',
    form: 'current',
    ...more,
  })

describe('the transcript', () => {
  test('times and confidences are text, punctuation is an item without times', () => {
    const words = [word('Hello,', 0, 0.4567, { confidence: 0.98765 }), word('world.', 1, 1.5)]
    expect(transcriptOf(words)).toEqual({
      jobName: 'job-1',
      accountId: '000000000000',
      status: 'COMPLETED',
      results: {
        transcripts: [{ transcript: 'Hello, world.' }],
        items: [
          {
            id: 0,
            type: 'pronunciation',
            alternatives: [{ confidence: '0.988', content: 'Hello' }],
            start_time: '0.0',
            end_time: '0.457',
          },
          { id: 1, type: 'punctuation', alternatives: [{ confidence: '0.0', content: ',' }] },
          {
            id: 2,
            type: 'pronunciation',
            alternatives: [{ confidence: '0.0', content: 'world' }],
            start_time: '1.0',
            end_time: '1.5',
          },
          { id: 3, type: 'punctuation', alternatives: [{ confidence: '0.0', content: '.' }] },
        ],
        audio_segments: [
          { id: 0, transcript: 'Hello, world.', start_time: '0.0', end_time: '1.5', items: [0, 1, 2, 3] },
        ],
      },
    })
  })

  test('the older form has no ids and no audio_segments', () => {
    const { results } = transcriptOf([word('hello', 0, 1)], { form: 'older' })
    expect(Object.keys(results)).toEqual(['transcripts', 'items'])
    expect(Object.keys(results.items[0] ?? {})).not.toContain('id')
  })

  test('speakers are numbered as they speak, and each turn is a segment', () => {
    const words = [
      word('Yes?', 0, 0.5, { speaker: 'Zoe' }),
      word('No', 1, 1.5, { speaker: 'Adam' }),
      word('way', 1.6, 2, { speaker: 'Adam' }),
      word('Oh', 2.1, 2.4, { speaker: 'Zoe' }),
    ]
    const { results } = transcriptOf(words, { maxSpeakers: 2 })
    expect(results.items.map(({ speaker_label }) => speaker_label)).toEqual([
      'spk_0',
      'spk_0',
      'spk_1',
      'spk_1',
      'spk_0',
    ])
    expect(results.speaker_labels).toEqual({
      channel_label: 'ch_0',
      speakers: 2,
      segments: [
        {
          start_time: '0.0',
          end_time: '0.5',
          speaker_label: 'spk_0',
          items: [{ start_time: '0.0', end_time: '0.5', speaker_label: 'spk_0' }],
        },
        {
          start_time: '1.0',
          end_time: '2.0',
          speaker_label: 'spk_1',
          items: [
            { start_time: '1.0', end_time: '1.5', speaker_label: 'spk_1' },
            { start_time: '1.6', end_time: '2.0', speaker_label: 'spk_1' },
          ],
        },
        {
          start_time: '2.1',
          end_time: '2.4',
          speaker_label: 'spk_0',
          items: [{ start_time: '2.1', end_time: '2.4', speaker_label: 'spk_0' }],
        },
      ],
    })
    expect(results.audio_segments?.map(({ items }) => items)).toEqual([[0, 1], [2, 3], [4]])
  })

  test('more speakers than were asked for become one; words of nobody are of the first', () => {
    const words = ['a', 'b', 'c', undefined].map((speaker, index) =>
      word('x', index, index + 0.5, { speaker }),
    )
    const { results } = transcriptOf(words, { maxSpeakers: 2 })
    expect(results.items.map(({ speaker_label }) => speaker_label)).toEqual([
      'spk_0',
      'spk_1',
      'spk_1',
      'spk_0',
    ])
  })

  test('without the wish no speaker is named', () => {
    const json = JSON.stringify(transcriptOf([word('a', 0, 1, { speaker: 'Zoe' })]))
    expect(json).not.toContain('speaker')
  })

  test('Chinese is written without spaces', () => {
    const words = [word('你', 0, 0.2), word('好。', 0.2, 0.4)]
    const { results } = transcriptOf(words, { languageCode: 'zh-CN' })
    expect(results.transcripts).toEqual([{ transcript: '你好。' }])
  })

  test('an identified language stands in it, with its score', () => {
    expect(transcriptOf([], { languageScore: 1 }).results).toMatchObject({
      language_code: 'en-US',
      language_identification: [{ score: '1.0', code: 'en-US' }],
      transcripts: [{ transcript: '' }],
      items: [],
      audio_segments: [],
    })
  })

  test.each([
    [0, '0.0'],
    [12, '12.0'],
    [0.1 + 0.2, '0.3'],
    [3599.9996, '3600.0'],
    [1.2344, '1.234'],
  ])('%d is written %s', (value, text) => expect(decimal(value)).toBe(text))
})

type Entry = { id: string; from: number; to: number; text: string }

describe('the subtitles that it writes itself', () => {
  const transcript = transcriptOf([
    word('Hello', 0, 0.5),
    word('world.', 0.6, 1),
    word('After', 1.1, 1.4),
    word('it', 62.5, 63),
  ])

  test('WebVTT and SubRip say the same, with a new cue after a sentence and after a pause', () => {
    const cues = [
      { from: 0, to: 1_000, text: 'Hello world.' },
      { from: 1_100, to: 1_400, text: 'After' },
      { from: 62_500, to: 63_000, text: 'it' },
    ]
    for (const format of ['srt', 'vtt'] as const) {
      const entries: Entry[] = parseSubtitles(writeSubtitles(transcript, format, 1) ?? '').entries
      expect(entries.map(({ from, to, text }) => ({ from, to, text }))).toEqual(cues)
      expect(entries.map(({ id }) => id)).toEqual(['1', '2', '3'])
    }
  })

  test('numbers begin where they shall', () => {
    expect(writeSubtitles(transcript, 'srt', 0)).toMatch(
      /^0\n00:00:00,000 --> 00:00:01,000\nHello world\.\n\n1\n/,
    )
  })

  test('nothing said, no file', () => expect(writeSubtitles(transcriptOf([]), 'srt', 0)).toBeUndefined())
})

describe('voice', () => {
  test('is what is between silences; the last one may have no end', () => {
    const silences = parseSilences(
      'frame:1\nlavfi.silence_start=-0.01\nlavfi.silence_end=1.5\nlavfi.silence_duration=1.5\nlavfi.silence_start=2.5\nlavfi.silence_end=2.9\nlavfi.silence_start=3.4\n',
    )
    expect(voiceBetween(silences, 4)).toEqual([
      { startS: 1.5, endS: 2.5 },
      { startS: 2.9, endS: 3.4 },
    ])
  })

  test('is everything where there is no silence, and nothing where there is nothing else', () => {
    expect(voiceBetween([], 4)).toEqual([{ startS: 0, endS: 4 }])
    expect(voiceBetween([{ startS: 0, endS: Number.POSITIVE_INFINITY }], 4)).toEqual([])
  })

  test('does not click', () => {
    const silences = [
      { startS: 0, endS: 1 },
      { startS: 1.05, endS: 4 },
    ]
    expect(voiceBetween(silences, 4)).toEqual([])
  })
})

describe('the language', () => {
  const request = (fields: object) => startRequest.parse(startInput({ LanguageCode: undefined, ...fields }))

  test.each([
    ['as asked', { LanguageCode: 'de-DE' }, 'fr', { code: 'de-DE' }],
    ['as heard', { IdentifyLanguage: true }, 'fr-CA', { code: 'fr-CA', score: 1 }],
    ['of the usual region', { IdentifyLanguage: true }, 'en', { code: 'en-US', score: 1 }],
    ['of any region', { IdentifyLanguage: true }, 'sv', { code: 'sv-SE', score: 1 }],
    [
      'of the region allowed',
      { IdentifyLanguage: true, LanguageOptions: ['de-DE', 'en-GB'] },
      'en',
      { code: 'en-GB', score: 1 },
    ],
    [
      'not among the options',
      { IdentifyLanguage: true, LanguageOptions: ['de-DE', 'en-GB'] },
      'fr',
      { code: 'de-DE', score: 0 },
    ],
    ['not heard', { IdentifyLanguage: true }, undefined, { code: 'en-US', score: 0 }],
  ])('%s', (_, fields, heard, language) => expect(languageOf(request(fields), heard)).toEqual(language))
})

test.each([
  [250, 225],
  [10, 9],
  [1, 1],
])('of a quota of %d queued jobs may use %d', (concurrentJobs, room) => {
  expect(roomForQueued(transcribeSettingsSchema.parse({ concurrentJobs }))).toBe(room)
})
