import { describe, expect, test } from 'vitest'
import { chunksOf } from '../../worker/text/chunks.ts'
import { type Sentence, sentencesOf } from '../../worker/text/sentences.ts'
import { readTranscript } from '../../worker/text/transcript.ts'
import { awsTranscript, longTalk, type Said } from '../support/transcripts.ts'

const madeFrom = (said: readonly Said[], language = 'en-US') => {
  const made = awsTranscript(said, { language })
  return { ...made, sentences: sentencesOf(readTranscript(made.text)) }
}
const textsOf = (said: readonly Said[], language?: string) =>
  madeFrom(said, language).sentences.map(({ text }) => text)

describe('sentences', () => {
  test.each<[string, readonly Said[], string]>([
    ['a talk of two', longTalk(300), 'en-US'],
    [
      'no punctuation',
      longTalk(300).map((each) => ({ ...each, text: each.text.replace(/[.,?]/g, '') })),
      'en-US',
    ],
    ['Japanese', [{ text: '今日は良い天気です。散歩に行きましょう。それとも家で本を読みますか。' }], 'ja-JP'],
    ['no language', longTalk(20), ''],
    ['a language that nobody knows', longTalk(20), 'xx-invalid-tag-1'],
  ])('of %s: every word in exactly one, literally, in order', (_, said, language) => {
    const { sentences, spoken, transcript } = madeFrom(said, language)
    const bare = (text: string) => text.replaceAll(' ', '')
    expect(bare(sentences.map(({ text }) => text).join(''))).toBe(bare(transcript))
    expect(sentences.reduce((sum, { words }) => sum + words, 0)).toBe(spoken.length)
    for (const { text } of sentences) expect(transcript).toContain(text)
    expect(sentences.map(({ startS }) => startS)).toEqual(
      sentences.map(({ startS }) => startS).toSorted((a, b) => a - b),
    )
  })

  test.each<[string, string, string[]]>([
    [
      'end with a mark',
      'The storm is over. Is the ferry back? It is!',
      ['The storm is over.', 'Is the ferry back?', 'It is! '.trim()],
    ],
    [
      'do not end after a title',
      'I met Dr. Smith at noon. He was late.',
      ['I met Dr. Smith at noon.', 'He was late.'],
    ],
    ['are not a nod', 'Yes. The ferry is back again. Right.', ['Yes. The ferry is back again. Right.']],
    [
      'go on behind a number',
      'It costs 3.5 million a year. Nobody pays that.',
      ['It costs 3.5 million a year.', 'Nobody pays that.'],
    ],
  ])('%s', (_, text, sentences) => {
    const found = textsOf([{ text }])
    // The last piece of the first row has two words and belongs to the one before.
    expect(found.join(' ')).toBe(sentences.join(' '))
    if (sentences.length === 2 || sentences.length === 1) expect(found).toEqual(sentences)
  })

  test('end where the speaker changes', () => {
    expect(
      textsOf([
        { who: 'spk_0', text: 'I think that we' },
        { who: 'spk_1', text: 'should leave at once.' },
      ]),
    ).toEqual(['I think that we', 'should leave at once.'])
  })

  test('in Japanese end with its full stop', () => {
    expect(textsOf([{ text: '今日は良い天気です。散歩に行きましょう。' }], 'ja-JP')).toEqual([
      '今日は良い天気です。',
      '散歩に行きましょう。',
    ])
  })

  test('of a recogniser without punctuation are cut at pauses, at most 45 words long', () => {
    const said = Array.from({ length: 12 }, (_, index) => ({
      text: `${'word '.repeat(14)}last${index}`,
      pauseS: 1.5,
    }))
    const { sentences } = madeFrom(said)
    expect(Math.max(...sentences.map(({ words }) => words))).toBeLessThanOrEqual(45)
    // Pauses are after `last`: nothing is cut anywhere else.
    for (const { text } of sentences) expect(text).toMatch(/last\d+$/)
  })
})

describe('chunks', () => {
  const cover = (sentences: readonly Sentence[], cutsS: readonly number[], durationS: number) => {
    const chunks = chunksOf(sentences, cutsS, durationS)
    // Exactly once, in order, and none is cut: the very sentences come out.
    expect(chunks.flatMap((chunk) => chunk.sentences)).toEqual(sentences)
    expect(chunks[0]?.startS).toBe(0)
    expect(chunks.at(-1)?.endS).toBe(Math.max(durationS, ...sentences.map(({ endS }) => endS)))
    for (const [index, chunk] of chunks.entries()) {
      expect(chunk.startS).toBe(chunks[index - 1]?.endS ?? 0)
      expect(chunk.endS).toBeGreaterThan(chunk.startS)
    }
    return chunks
  }

  test.each([1, 2, 3, 4, 5])('cover a long talk exactly once and cut no sentence (seed %i)', (seed) => {
    const { sentences, durationS } = madeFrom(longTalk(900, seed))
    const cutsS = Array.from({ length: 60 }, (_, index) => (index + 1) * 37.3)
    for (const cuts of [[], cutsS]) {
      const chunks = cover(sentences, cuts, durationS + 5)
      expect(chunks.length).toBeGreaterThan(3)
      for (const { startS, endS } of chunks.slice(0, -1)) {
        expect(endS - startS).toBeGreaterThan(170)
        expect(endS - startS).toBeLessThan(490)
      }
    }
  })

  const talk = (count: number, pauseAfter: number[] = []) =>
    Array.from(
      { length: count },
      (_, index): Said => ({
        text: `This is sentence number ${index} of them.`,
        wordS: 1,
        pauseS: pauseAfter.includes(index - 1) ? 4 : 0.5,
      }),
    )

  test('end at a pause once three minutes have passed, and not before', () => {
    // A sentence takes 7.8 s: the pause after the 10th is too early, that after the 26th counts.
    const { sentences, durationS } = madeFrom(talk(100, [10, 26]))
    expect(cover(sentences, [], 1200 + durationS)[0]?.sentences).toHaveLength(27)
  })

  test('end with a scene, where the picture changes between two sentences', () => {
    const { sentences } = madeFrom(talk(60))
    const cutS = ((sentences[29]?.endS ?? 0) + (sentences[30]?.startS ?? 0)) / 2
    const [first, second] = cover(sentences, [cutS], 1200)
    expect(first?.sentences).toHaveLength(30)
    expect(second?.startS).toBe(cutS)
  })

  test('end after eight minutes at the latest', () => {
    const { sentences } = madeFrom(talk(200))
    for (const { startS, endS } of cover(sentences, [], 1700).slice(0, -1))
      expect(endS - startS).toBeLessThan(490)
  })

  test('of a short recording are shorter', () => {
    const { sentences } = madeFrom(talk(20, [4, 9, 14]))
    expect(cover(sentences, [], 160).length).toBe(4)
  })

  test('without words end with scenes', () => {
    const startsOf = (cutsS: number[], durationS: number) =>
      chunksOf([], cutsS, durationS).map(({ startS }) => startS)
    // The scene at 1900 s would leave less than three minutes.
    expect(startsOf([100, 490, 495, 1000, 1900], 2000)).toEqual([0, 490, 1000])
    expect(startsOf([], 2000)).toEqual([0, 480, 960, 1440])
    expect(startsOf([], 60)).toEqual([0])
  })

  test('of nothing are one', () => {
    expect(chunksOf([], [], 0)).toEqual([{ startS: 0, endS: 0, sentences: [] }])
  })
})
