import { describe, expect, test } from 'vitest'
import { joinWords } from '../../worker/text/language.ts'
import { readTranscript } from '../../worker/text/transcript.ts'
import { speakersOf, turnsOf } from '../../worker/text/turns.ts'
import { awsTranscript, longTalk, type Shape } from '../support/transcripts.ts'

const dialogue = [
  { who: 'spk_0', text: 'Good morning, how are you?' },
  { who: 'spk_1', text: 'Fine, thanks.', pauseS: 0.5 },
  { who: 'spk_0', text: 'Shall we begin?', pauseS: 0.2 },
]

describe.each<Shape>(['old', 'new'])('AWS-shaped JSON of two speakers, %s form', (shape) => {
  const made = awsTranscript(dialogue, { shape })
  const { words, language } = readTranscript(made.text)

  test('every word with its punctuation, its time as a number, and its speaker', () => {
    expect(language).toBe('en-US')
    expect(words.map(({ text }) => text)).toEqual(made.spoken.map(({ text }) => text))
    expect(words.map(({ speaker }) => speaker)).toEqual(made.spoken.map(({ who }) => who))
    for (const [index, { startS, endS }] of words.entries()) {
      expect(startS).toBeCloseTo(made.spoken[index]?.startS ?? -1, 3)
      expect(endS).toBeCloseTo(made.spoken[index]?.endS ?? -1, 3)
    }
    expect(joinWords(words, language)).toBe(made.transcript)
  })

  test('talk time is the time from first to last word of each turn', () => {
    // Words of 0.3 s with 0.05 s between them: 5 words are 1.7 s, 3 are 1.0 s, 2 are 0.65 s.
    expect(speakersOf(words)).toEqual([
      { label: 'spk_0', talkS: expect.closeTo(1.7 + 1.0, 3), words: 8 },
      { label: 'spk_1', talkS: expect.closeTo(0.65, 3), words: 2 },
    ])
  })
})

test('old form: the speaker of a segment counts where its items do not say', () => {
  const { json } = awsTranscript(dialogue, { shape: 'old' })
  for (const { items } of json.results.speaker_labels?.segments ?? [])
    for (const item of items) Reflect.deleteProperty(item, 'speaker_label')
  const { words } = readTranscript(JSON.stringify(json))
  expect(words.map(({ speaker }) => speaker)).toContain('spk_1')
  expect(words.every(({ speaker }) => speaker !== undefined)).toBe(true)
})

test('new form: segments tell the speaker where items do not', () => {
  const { json, spoken } = awsTranscript(dialogue)
  for (const item of json.results.items) Reflect.deleteProperty(item, 'speaker_label')
  Reflect.deleteProperty(json.results, 'speaker_labels')
  const { words } = readTranscript(JSON.stringify(json))
  expect(words.map(({ speaker }) => speaker)).toEqual(spoken.map(({ who }) => who))
})

test('an unknown speaker is unknown, and comes last', () => {
  const { text } = awsTranscript([{ text: 'Who is this?' }, ...dialogue])
  expect(speakersOf(readTranscript(text).words).map(({ label }) => label)).toEqual([
    'spk_0',
    'spk_1',
    undefined,
  ])
})

test('a pause of more than a second is nobody’s talk time', () => {
  const { text } = awsTranscript([
    { who: 'spk_0', text: 'One' },
    { who: 'spk_0', text: 'two', pauseS: 5 },
  ])
  expect(speakersOf(readTranscript(text).words)[0]?.talkS).toBeCloseTo(0.6, 3)
})

describe('odd transcripts', () => {
  const read = (results: unknown) => readTranscript(JSON.stringify({ results }))
  const word = (content: string, more: object = {}) => ({
    type: 'pronunciation',
    start_time: '1.0',
    end_time: '1.5',
    alternatives: [{ content, confidence: '0.9' }],
    ...more,
  })

  test.each([
    ['not JSON', 'it is a text', /not JSON/],
    ['a list', '[]', /a map/],
    ['without results', '{"status":"FAILED"}', /results/],
  ])('%s: 65 and what is wrong', (_, text, message) => {
    expect(() => readTranscript(text)).toThrow(message)
    expect(() => readTranscript(text)).toThrow(
      expect.objectContaining({ code: 'TRANSCRIPT_INVALID', exitCode: 65 }),
    )
  })

  test('nothing said', () => {
    expect(read({ transcripts: [{ transcript: '' }], items: [] })).toEqual({ language: undefined, words: [] })
    expect(read({})).toEqual({ language: undefined, words: [] })
  })

  test('an item that cannot be read does not take the others with it', () => {
    const { words } = read({
      items: [null, 7, { alternatives: 'x' }, word('kept'), { type: 'pronunciation' }],
    })
    expect(words.map(({ text }) => text)).toEqual(['kept'])
  })

  test('times that are missing or no numbers: the word stays, after the one before it', () => {
    const { words } = read({
      items: [word('first'), word('second', { start_time: 'x', end_time: undefined })],
    })
    expect(words[1]).toMatchObject({ text: 'second', startS: 1.5, endS: 1.5 })
  })

  test('a word that ends before it starts has no length', () => {
    expect(read({ items: [word('back', { end_time: '0.2' })] }).words[0]).toMatchObject({
      startS: 1,
      endS: 1,
    })
  })

  test('an opening mark belongs to the word after it, a closing one to the word before', () => {
    const mark = (content: string) => ({
      type: 'punctuation',
      alternatives: [{ content, confidence: '0.0' }],
    })
    const { words } = read({ items: [mark('¿'), word('Cómo'), mark('?'), mark('…')] })
    expect(words.map(({ text }) => text)).toEqual(['¿Cómo?…'])
  })

  test('channels instead of speakers, one after the other: in order of time', () => {
    const { words } = read({
      items: [
        word('late', { start_time: '3.0', end_time: '3.5', channel_label: 'ch_0' }),
        word('early', { channel_label: 'ch_1' }),
      ],
    })
    expect(words.map(({ text, speaker }) => [text, speaker])).toEqual([
      ['early', 'ch_1'],
      ['late', 'ch_0'],
    ])
  })

  test('a recogniser that knows only when somebody spoke', () => {
    const { words } = read({
      items: [],
      audio_segments: [{ id: 0, transcript: '[speech]', start_time: '1.5', end_time: '2.5', items: [] }],
    })
    expect(words).toEqual([
      { text: '[speech]', startS: 1.5, endS: 2.5, speaker: undefined, confidence: undefined },
    ])
  })

  test('white space within a word cannot break the lines of a file', () => {
    expect(read({ items: [word(' two\n\nlines ')] }).words[0]?.text).toBe('two lines')
  })
})

test('turns hold every word once, in order', () => {
  const { words } = readTranscript(awsTranscript(longTalk(200)).text)
  expect(turnsOf(words).flatMap((turn) => turn.words)).toEqual(words)
})
