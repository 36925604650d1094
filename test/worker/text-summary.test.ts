import { describe, expect, test } from 'vitest'
import { type Scenes, scenesSchema } from '../../schemas/scenes.ts'
import { summarySchema } from '../../schemas/summary.ts'
import { chunksOf } from '../../worker/text/chunks.ts'
import { extractiveSummarizer } from '../../worker/text/extractive.ts'
import { keyPhrases } from '../../worker/text/key-phrases.ts'
import { clockOf, escaped, markdownOf } from '../../worker/text/markdown.ts'
import { centralityOf, mostCentral, similarity, vectorsOf } from '../../worker/text/ranking.ts'
import type { Summarizer } from '../../worker/text/summarizer.ts'
import { relativeKey, type SummaryInput, summaryOf } from '../../worker/text/summary.ts'
import { tokenizer } from '../../worker/text/tokens.ts'
import { readTranscript, type Word } from '../../worker/text/transcript.ts'
import { cpuMs } from '../support/cpu-time.ts'
import { awsTranscript, longTalk, type Said } from '../support/transcripts.ts'

const scenesOfTest = (count = 3, eachS = 20): Scenes =>
  scenesSchema.parse({
    schemaVersion: 1,
    durationS: count * eachS,
    threshold: 10,
    scenes: Array.from({ length: count }, (_, index) => ({
      startS: index * eachS,
      endS: (index + 1) * eachS,
      score: index === 0 ? null : 30,
      picture: `scene-000${index + 1}.jpg`,
    })),
    warnings: [],
    ffmpeg: '5.1',
  })

const summarise = (
  said: readonly Said[] | undefined,
  given: Partial<SummaryInput> = {},
  language = 'en-US',
) =>
  summaryOf({
    jobId: 'job-1',
    title: 'talk.one',
    input: { bucket: 'uploads', key: 'a/b/talk.one.MP4' },
    scenes: scenesOfTest(),
    pictureAt: (picture) => `scenes/${picture}`,
    transcript: said && readTranscript(awsTranscript(said, { language }).text),
    summarizer: extractiveSummarizer,
    signal: new AbortController().signal,
    ...given,
  })

const harbour: Said[] = [
  { who: 'spk_0', text: 'Welcome to our talk about the old harbour wall.' },
  { who: 'spk_0', text: 'The harbour wall protects the town and its fishing boats from winter storms.' },
  { who: 'spk_1', text: 'My cousin sells excellent cheese on Saturdays.' },
  { who: 'spk_1', text: 'Winter storms have damaged the harbour wall, and the town must repair it.' },
  { who: 'spk_0', text: 'To repair the harbour wall, the town needs stone and money.' },
  { who: 'spk_1', text: 'Cheese needs salt, patience and a cellar.' },
  { who: 'spk_0', text: 'So fishing boats stay safe when the town repairs its harbour wall.' },
]

const stemsOf = (language: string, text: string) => tokenizer(language)(text).map(({ stem }) => stem)

describe('ranking', () => {
  const vectors = vectorsOf(harbour.map(({ text }) => stemsOf('en-US', text)))

  test('a sentence that shares its words with many stands before one about something else', () => {
    const ranks = centralityOf(vectors)
    const [welcome = 0, protects = 0, cousin = 0, damaged = 0] = ranks
    expect(Math.max(protects, damaged)).toBeGreaterThan(welcome)
    expect(welcome).toBeGreaterThan(cousin)
    // Two about cheese keep to themselves; being like each other alone makes nobody central.
    expect(Math.max(cousin, ranks[5] ?? 0)).toBe(Math.min(...ranks.slice(0, 2), ranks[5] ?? 0))
  })

  test('vectors have length 1, so a text is like itself, and nothing like one without common words', () => {
    const [first = new Map(), second = new Map()] = vectorsOf([
      ['ferry', 'harbour'],
      ['cheese', 'cellar'],
    ])
    expect(similarity(first, first)).toBeCloseTo(1, 9)
    expect(similarity(first, second)).toBe(0)
  })

  test('what says the same again is chosen only when nothing else is left', () => {
    const same = vectorsOf([
      ['storm', 'ferry', 'harbour'],
      ['storm', 'ferry', 'harbour'],
      ['storm', 'cheese'],
    ])
    expect(mostCentral({ vectors: same, count: 2 })).toEqual([0, 2])
    expect(mostCentral({ vectors: same, count: 3 })).toEqual([0, 1, 2])
  })

  test('no texts, texts without words, and texts that have nothing in common have ranks too', () => {
    expect(centralityOf([])).toEqual([])
    expect(mostCentral({ vectors: vectorsOf([[], []]), count: 1 })).toEqual([0])
    expect(centralityOf(vectorsOf([['a'], ['b']]))).toEqual([0, 0])
    expect(centralityOf(vectorsOf([['a'], ['a']]))).toEqual([expect.closeTo(0.5, 9), expect.closeTo(0.5, 9)])
  })

  test('common words of a language say nothing', () => {
    expect(stemsOf('en-GB', 'It’s the Harbour, isn’t it? 42')).toEqual(['harbour'])
    expect(stemsOf('de-DE', 'Das ist der Hafen')).toEqual(['hafen'])
    expect(stemsOf('ja-JP', '東京に行きました').length).toBeGreaterThan(1)
  })

  test('singular and plural are the same word in English, and only where that is easy to tell', () => {
    expect(stemsOf('en-US', 'crane cranes bus glass crisis harbours')).toEqual([
      'crane',
      'crane',
      'bus',
      'glass',
      'crisis',
      'harbour',
    ])
    expect(stemsOf('es-ES', 'barcos')).toEqual(['barcos'])
  })

  test('of every part one is chosen before any gets a second', () => {
    const all = vectorsOf([
      ['storm', 'wall', 'town'],
      ['storm', 'wall', 'stone'],
      ['storm', 'wall', 'money'],
      ['cheese', 'cellar', 'salt'],
    ])
    const choice = { vectors: all, count: 2 }
    expect(mostCentral(choice)).not.toContain(3)
    expect(mostCentral({ ...choice, partOf: (index) => (index === 3 ? 1 : 0) })).toContain(3)
  })

  test('the phrases of a part are said often in it and seldom elsewhere, pairs before their words', () => {
    const parts = [
      ['The town council meets.', 'We ask the town council about the storm.', 'The harbour is closed.'],
      ['The storm broke the harbour wall.', 'The harbour wall needs stone.', 'The storm goes on.'],
    ]
    const tokens = tokenizer('en-US')
    expect(keyPhrases(parts.map((texts) => texts.map(tokens)))).toEqual([
      ['town council'],
      ['harbour wall', 'storm'],
    ])
  })
})

describe('the extractive summary', () => {
  test('says what the talk is about, in the order in which it was said', async () => {
    const { summary } = await summarise(harbour)
    expect(summary).toHaveLength(3)
    expect(summary.map(({ text }) => text).join(' ')).not.toMatch(/cheese/i)
    expect(summary.map(({ startS }) => startS)).toEqual(
      summary.map(({ startS }) => startS).toSorted((a, b) => (a ?? 0) - (b ?? 0)),
    )
  })

  test.each<[string, readonly Said[], string]>([
    ['two speakers', longTalk(700), 'en-US'],
    ['another talk', longTalk(90, 11), 'en-US'],
    [
      'no punctuation',
      longTalk(200).map((each) => ({ ...each, text: each.text.replace(/[.,?]/g, '') })),
      'en-US',
    ],
    [
      'Japanese',
      [
        {
          text: '今日は良い天気です。散歩に行きましょう。それとも家で本を読みますか。本はとても面白いです。',
        },
      ],
      'ja-JP',
    ],
    ['one word', [{ text: 'Hello.' }], 'en-US'],
  ])('every sentence stands literally in the transcript: %s', async (_, said, language) => {
    const { transcript } = awsTranscript(said, { language })
    const { summary, chapters } = await summarise(said, {}, language)
    expect(summary.length).toBeGreaterThan(0)
    expect(summary.length).toBeLessThanOrEqual(10)
    for (const { text } of [...summary, ...chapters.flatMap((chapter) => chapter.summary)])
      expect(transcript).toContain(text)
  })

  test('is the same every time', async () => {
    expect(await summarise(longTalk(300))).toEqual(await summarise(longTalk(300)))
  })

  test('of eight times as much takes about eight times as long, not sixty-four', async () => {
    const tookMs = async (sentences: number) => {
      const startMs = cpuMs()
      await summarise(longTalk(sentences))
      return cpuMs() - startMs
    }
    await tookMs(500)
    const shortMs = await tookMs(500)
    expect(await tookMs(4000)).toBeLessThan(Math.max(shortMs, 50) * 25)
  })
})

describe('summary.json', () => {
  test('is what its schema says', async () => {
    for (const said of [harbour, longTalk(300), [], undefined])
      expect(summarySchema.parse(await summarise(said))).toBeTruthy()
  })

  test('speakers with talk time, the unknown one last and unnamed', async () => {
    const { speakers } = await summarise([{ text: 'Who is there?' }, ...harbour])
    expect(speakers.map(({ label }) => label)).toEqual(['spk_0', 'spk_1', null])
    // Three words of 0.3 s, 0.05 s apart.
    expect(speakers[2]).toEqual({ label: null, talkS: 1, words: 3 })
  })

  test('chapters follow each other and hold all words', async () => {
    const said = longTalk(700)
    const { chapters, speech, durationS } = await summarise(said, { scenes: scenesOfTest(3, 600) })
    expect(chapters.length).toBeGreaterThan(3)
    expect(chapters.reduce((sum, { words }) => sum + words, 0)).toBe(speech?.words)
    expect([chapters[0]?.startS, chapters.at(-1)?.endS]).toEqual([0, durationS])
  })

  test.each<[string, readonly Said[] | undefined, string[]]>([
    ['no sound', undefined, ['NO_AUDIO_STREAM']],
    ['no speech', [], ['NO_SPEECH']],
    ['nobody is told apart', [{ text: 'Who is there?' }], ['SPEAKERS_UNKNOWN']],
  ])('%s is said so', async (_, said, codes) => {
    expect((await summarise(said)).warnings.map(({ code }) => code)).toEqual(codes)
  })

  test('a recogniser that was not sure', async () => {
    const { text } = awsTranscript(harbour, { confidence: () => 0.4 })
    const { speech, warnings } = await summarise(undefined, { transcript: readTranscript(text) })
    expect(speech?.confidence).toBeCloseTo(0.4, 3)
    expect(warnings.map(({ code }) => code)).toEqual(['LOW_CONFIDENCE'])
  })

  test('another summarizer stands behind the same interface', async () => {
    const told: number[] = []
    const model: Summarizer = {
      name: 'model',
      summarize: async ({ chunks }) => {
        told.push(chunks.length)
        return {
          summary: [{ text: 'They talk about a wall.', startS: null, speaker: null }],
          chapters: chunks.map(() => ({ summary: [], keyPhrases: ['wall'] })),
        }
      },
    }
    const summary = await summarise(harbour, { summarizer: model })
    expect(told).toEqual([summary.chapters.length])
    expect(summarySchema.parse(summary).summarizer).toBe('model')
    expect(markdownOf(summary)).toContain('- They talk about a wall\\.'.replace('\\.', '.'))
    expect(markdownOf(summary)).not.toContain('quotations')
  })
})

describe('summary.md', () => {
  const page = async (said: readonly Said[] | undefined, given?: Partial<SummaryInput>) =>
    markdownOf(await summarise(said, given))

  test('title, facts, summary, speakers, scenes with pictures, chapters', async () => {
    const text = await page(longTalk(400), { scenes: scenesOfTest(3, 400) })
    expect(text).toMatch(
      /^# talk.one\n\n\d+:\d\d · American English · 2 speakers · [\d,]+ words · 3 scenes\n\n## Summary\n\n- \*\*\d/,
    )
    expect(text.match(/^##+ .*/gm)?.slice(0, 5)).toEqual([
      '## Summary',
      '## Speakers',
      '## Scenes',
      '## Chapters',
      expect.stringMatching(/^### 0:00 – \d+:\d\d · [A-Z]\w+/),
    ])
    expect(text).toMatch(/\| Speaker 1 \| \d+:\d\d \| \d+ % \| [\d,]+ \|/)
    expect(text).toContain('![Scene at 6:40](scenes/scene-0002.jpg)')
  })

  test('an unknown speaker is called unknown', async () => {
    expect(await page([{ text: 'Who is there?' }, ...harbour])).toContain('| Unknown speaker | 0:01 |')
  })

  test('of nothing heard and nothing seen', async () => {
    const scenes: Scenes = { ...scenesOfTest(), scenes: [], durationS: 0 }
    const text = await page(undefined, { scenes })
    expect(text).toContain('There is no sound to summarise.')
    expect(text).not.toMatch(/## (Speakers|Scenes|Chapters)/)
    expect(await page([])).toContain('Nobody was heard to speak.')
  })

  test('many scenes: the longest of them, and how many there are', async () => {
    const scenes: Scenes = {
      ...scenesOfTest(),
      scenes: Array.from({ length: 100 }, (_, index) => ({
        startS: index,
        endS: index + 1,
        score: 20,
        picture: `scene-${index}.jpg`,
      })),
    }
    const text = await page(harbour, { scenes })
    expect(text.match(/!\[/g)).toHaveLength(24)
    expect(text).toContain('The 24 longest of 100 scenes')
  })

  test.each([
    ['# no heading', '\\# no heading'],
    ['- no list', '\\- no list'],
    ['1. no list', '1\\. no list'],
    ['[no](link) ![or](picture)', '\\[no\\](link) \\!\\[or\\](picture)'],
    ['<script>*x*_y_`z`|', '\\<script\\>\\*x\\*\\_y\\_\\`z\\`\\|'],
    ['two\nlines', 'two lines'],
    ['see https://example.com', 'see https:\u200b//example.com'],
    ['AT&amp;T', 'AT\\&amp;T'],
  ])('what somebody says is no markup: %s', (said, written) => {
    expect(escaped(said)).toBe(written)
  })

  test('a picture in a folder with odd characters', async () => {
    const text = await page(harbour, { pictureAt: (picture) => `../a b(1)/ü/${picture}` })
    expect(text).toContain('(../a%20b%281%29/%C3%BC/scene-0001.jpg)')
  })

  test.each([
    [0, '0:00'],
    [59.999, '0:59'],
    [61, '1:01'],
    [3723.4, '1:02:03'],
  ])('%d s is %s', (seconds, text) => {
    expect(clockOf(seconds)).toBe(text)
  })
})

test.each([
  ['results/a/', 'results/a/scenes/scene-0001.jpg', 'scenes/scene-0001.jpg'],
  ['results/a/', 'results/b/scene-0001.jpg', '../b/scene-0001.jpg'],
  ['results/a/', 'results/a/scene-0001.jpg', 'scene-0001.jpg'],
])('from %s to %s it is %s', (from, to, way) => {
  expect(relativeKey(from, to)).toBe(way)
})

describe('a talk of more words than a call can have arguments', () => {
  const many = 150_000
  const words = (text: (index: number) => string): Word[] =>
    Array.from({ length: many }, (_, index) => ({
      ...{ text: text(index), startS: index / 10, endS: index / 10 + 0.1 },
      ...{ speaker: undefined, confidence: undefined },
    }))
  const silent: Summarizer = { name: 'none', summarize: async () => ({ summary: [], chapters: [] }) }

  test.each([
    ['in sentences', (index: number) => (index % 10 === 9 ? 'end.' : 'word')],
    ['without a full stop, after a title', (index: number) => (index === 0 ? 'Dr.' : 'Word')],
  ])('has its summary: %s', async (_, text) => {
    const transcript = { language: 'en-US', words: words(text) }
    const { durationS, speech, chapters } = await summarise(undefined, { transcript, summarizer: silent })
    expect([durationS, speech?.words]).toEqual([many / 10, many])
    expect(chapters.at(-1)?.endS).toBe(many / 10)
  })

  test('and is cut into parts, however many sentences one has', () => {
    const sentence = { text: 'Yes.', startS: 0, endS: 1, speaker: undefined, words: 1 }
    const late = { ...sentence, startS: 500, endS: 501 }
    const sentences = [sentence, ...Array.from({ length: many }, () => late)]
    const chunks = chunksOf(sentences, [], 501)
    expect(chunks.reduce((sum, chunk) => sum + chunk.sentences.length, 0)).toBe(many + 1)
    expect(chunks.at(-1)?.endS).toBe(501)
  })
})
