import { parse } from '@plussub/srt-vtt-parser'
import { describe, expect, test } from 'vitest'
import { WebVTTParser } from 'webvtt-parser'
import { type Cue, cueLimits, cuesOf } from '../../worker/text/cues.ts'
import { columnsOf } from '../../worker/text/language.ts'
import { srtOf } from '../../worker/text/srt.ts'
import { readTranscript, type Word } from '../../worker/text/transcript.ts'
import { vttOf } from '../../worker/text/vtt.ts'
import { cpuMs } from '../support/cpu-time.ts'
import { awsTranscript, longTalk, type Said } from '../support/transcripts.ts'

const wordAt = (text: string, startS: number, endS: number, speaker?: string): Word => ({
  text,
  startS,
  endS,
  speaker,
  confidence: undefined,
})
const cuesFor = (said: readonly Said[], language = 'en-US') =>
  cuesOf(readTranscript(awsTranscript(said, { language }).text))
/** What an independent parser reads; its own types cannot be found by the compiler. */
const entriesOf = (srt: string): { id: string; from: number; to: number; text: string }[] =>
  parse(srt).entries
const textOf = ({ lines }: Cue) => lines.join(' ')

const talks: [string, readonly Said[], string][] = [
  ['a long talk', longTalk(400), 'en-US'],
  ['another long talk', longTalk(400, 7), 'en-GB'],
  ['a breathless talk', longTalk(100, 3).map((each) => ({ ...each, wordS: 0.08, pauseS: 0.05 })), 'en-US'],
  ['a slow talk', longTalk(60, 4).map((each) => ({ ...each, wordS: 1.5 })), 'en-US'],
  [
    'no punctuation',
    longTalk(200, 5).map(({ text, ...rest }) => ({ ...rest, text: text.replace(/[.,?]/g, '') })),
    '',
  ],
  [
    'long words',
    [
      {
        text: 'See https://example.com/a/very/long/address/that/does/not/end/on/any/line?really=truly#at-all now.',
      },
    ],
    'en-US',
  ],
  [
    'Japanese',
    [
      {
        who: 'spk_0',
        text: '今日はとても良い天気ですね。散歩に行きましょうか、それとも家で本を読みながら音楽を聴きましょうか。',
      },
      { who: 'spk_1', text: '東京のAmazon本社から来ました。よろしくお願いします。' },
    ],
    'ja-JP',
  ],
  [
    'Chinese',
    [{ text: '我们今天来讨论一下这个项目的进展情况，大家都有什么问题可以提出来。谢谢各位的参与和支持！' }],
    'zh-CN',
  ],
  ['Thai', [{ text: 'วันนี้อากาศดีมากเราไปเดินเล่นที่สวนสาธารณะกันเถอะแล้วค่อยกลับบ้านไปทำอาหารเย็นด้วยกัน' }], 'th-TH'],
  [
    'Arabic',
    [{ text: 'صباح الخير جميعا، نبدأ اليوم بالحديث عن المشروع الجديد وما أنجزناه خلال الأسبوع الماضي.' }],
    'ar-SA',
  ],
]

describe.each(talks)('subtitles of %s', (_, said, language) => {
  const made = awsTranscript(said, { language })
  const { words } = readTranscript(made.text)
  const cues = cuesOf({ words, language })

  test('hold every word once, in order', () => {
    const bare = (text: string) => text.replace(/\s+/gu, '')
    expect(bare(cues.map(textOf).join(''))).toBe(bare(made.transcript))
  })

  test('have at most two lines of at most 42 columns, the mark of a speaker included', () => {
    for (const cue of cues) {
      expect(cue.lines.length, textOf(cue)).toBeLessThanOrEqual(2)
      for (const [index, line] of cue.lines.entries()) {
        const mark = index === 0 && cue.speakerChanges ? 2 : 0
        expect(columnsOf(line) + mark, line).toBeLessThanOrEqual(42)
        expect(line).toBe(line.trim())
        expect(line).not.toBe('')
      }
    }
  })

  test('do not overlap, never end before they start, and stay at most seven seconds', () => {
    for (const [index, { startMs, endMs }] of cues.entries()) {
      expect(endMs).toBeGreaterThan(startMs)
      expect(endMs - startMs).toBeLessThanOrEqual(cueLimits.longestMs)
      expect(Number.isInteger(startMs) && Number.isInteger(endMs)).toBe(true)
      expect(startMs).toBeGreaterThanOrEqual(cues[index - 1]?.endMs ?? 0)
    }
  })

  test('can be read in time, wherever nothing comes after them too soon', () => {
    for (const [index, { startMs, endMs, lines }] of cues.entries()) {
      const columns = lines.reduce((sum, line) => sum + columnsOf(line), 0)
      const neededMs = Math.min(7000, Math.max(800, (columns / cueLimits.columnsPerS) * 1000))
      const nextMs = cues[index + 1]?.startMs ?? Number.POSITIVE_INFINITY
      expect(endMs - startMs).toBeGreaterThanOrEqual(Math.floor(Math.min(neededMs, nextMs - startMs)))
    }
  })

  test('never hold words of two speakers', () => {
    let at = 0
    for (const cue of cues) {
      const speakers = new Set<string | undefined>()
      let left = cue.lines.join('').replace(/\s+/gu, '').length
      for (let word = words[at]; word !== undefined && left > 0; word = words[at]) {
        speakers.add(word.speaker)
        left -= word.text.replace(/\s+/gu, '').length
        // A word that is longer than a subtitle goes on in the next one.
        if (left >= 0) at += 1
        else break
      }
      expect(speakers.size).toBe(1)
    }
  })

  test('as SRT they are read back by an independent parser', () => {
    const entries = entriesOf(srtOf(cues))
    expect(entries.map(({ id }) => id)).toEqual(cues.map((_cue, index) => String(index + 1)))
    expect(entries.map(({ from, to }) => [from, to])).toEqual(
      cues.map(({ startMs, endMs }) => [startMs, endMs]),
    )
    expect(entries.map(({ text }) => text)).toEqual(
      cues.map(({ lines, speakerChanges }) => `${speakerChanges ? '- ' : ''}${lines.join('\n')}`),
    )
  })

  test('as WebVTT they are valid, and read back by the parser of the W3C', () => {
    const { cues: read, errors } = new WebVTTParser().parse(vttOf(cues), 'subtitles')
    expect(errors).toEqual([])
    expect(
      read.map(({ startTime, endTime }) => [Math.round(startTime * 1000), Math.round(endTime * 1000)]),
    ).toEqual(cues.map(({ startMs, endMs }) => [startMs, endMs]))
  })
})

describe('where a subtitle begins', () => {
  test('a change of the speaker, and it is marked', () => {
    const cues = cuesFor([
      { who: 'spk_0', text: 'Are you sure?' },
      { who: 'spk_1', text: 'Yes, I am.' },
    ])
    expect(cues.map(textOf)).toEqual(['Are you sure?', 'Yes, I am.'])
    expect(cues.map(({ speakerChanges }) => speakerChanges)).toEqual([false, true])
    expect(srtOf(cues)).toContain('\n- Yes, I am.\n')
    expect(vttOf(cues)).toContain('\n<v Speaker 2>- Yes, I am.\n')
  })

  test('a pause of more than a second, without a mark', () => {
    const cues = cuesFor([
      { who: 'spk_0', text: 'Wait' },
      { who: 'spk_0', text: 'for it', pauseS: 1.2 },
    ])
    expect(cues.map(textOf)).toEqual(['Wait', 'for it'])
    expect(cues[1]?.speakerChanges).toBe(false)
  })

  test('a sentence, once enough stands before it', () => {
    const cues = cuesFor([{ text: 'We have waited for this all summer long. Now it begins at last.' }])
    expect(cues.map(textOf)).toEqual(['We have waited for this all summer long.', 'Now it begins at last.'])
  })

  test('not a short sentence, nor a title with a full stop', () => {
    expect(cuesFor([{ text: 'Oh. Well. Dr. Smith is here.' }]).map(textOf)).toEqual([
      'Oh. Well. Dr. Smith is here.',
    ])
  })

  test('no single word is left over at the end of a long sentence', () => {
    // Two lines take 84 columns; this has 91, and a greedy cut leaves "afternoon".
    const cues = cuesFor([
      {
        text: 'The engineers replaced every single one of the northern turbines before that stormy afternoon',
        wordS: 0.25,
      },
    ])
    expect(cues.length).toBe(2)
    for (const { lines } of cues) expect(lines.join(' ').split(' ').length).toBeGreaterThanOrEqual(3)
  })

  test('the rest of a sentence does not stand before the next one', () => {
    const cues = cuesFor([
      {
        text: 'The engineers say that the repair of the wall will take three weeks if the weather stays calm. If there is another storm, it takes longer.',
        wordS: 0.2,
      },
    ])
    expect(cues.map(textOf)).toEqual([
      'The engineers say that the repair of the wall will take three weeks',
      'if the weather stays calm.',
      'If there is another storm, it takes longer.',
    ])
  })

  test('lines are about equally long, and rather end with a comma', () => {
    const [cue] = cuesFor([
      { text: 'When the storm had passed, the ferry left the old harbour.', wordS: 0.2 },
    ])
    expect(cue?.lines).toEqual(['When the storm had passed,', 'the ferry left the old harbour.'])
  })
})

describe('when a subtitle is shown', () => {
  test('a short one stays for 0.8 s, into the silence after it', () => {
    const [cue] = cuesOf({ language: 'en', words: [wordAt('No.', 1, 1.2)] })
    expect(cue).toMatchObject({ startMs: 1000, endMs: 1800 })
  })

  test('a long one stays as long as reading takes', () => {
    const [cue] = cuesOf({ language: 'en', words: [wordAt('x'.repeat(34), 0, 0.5)] })
    expect(cue?.endMs).toBe(2000)
  })

  test('after a short one the next waits, as long as enough is left of it', () => {
    const cues = cuesOf({
      language: 'en',
      words: [wordAt('No.', 1, 1.2, 'a'), wordAt('Nevermore,', 1.2, 2, 'b'), wordAt('raven.', 2, 3, 'b')],
    })
    expect(cues.map(({ startMs, endMs }) => [startMs, endMs])).toEqual([
      [1000, 1800],
      [1800, 3000],
    ])
  })

  test('when two speak at once, one after the other', () => {
    const cues = cuesOf({ language: 'en', words: [wordAt('One', 1, 4, 'a'), wordAt('two', 1, 4, 'b')] })
    expect(cues.map(({ startMs, endMs }) => endMs - startMs)).toEqual([800, 2200])
  })

  test('one word that is said to last a minute stays seven seconds', () => {
    expect(cuesOf({ language: 'en', words: [wordAt('Ommm', 0, 60)] })[0]?.endMs).toBe(7000)
  })
})

describe('what is written', () => {
  test('nothing said: an SRT without subtitles, a WebVTT with its header', () => {
    expect(entriesOf(`${srtOf([])}1\n00:00:00,000 --> 00:00:01,000\nx\n`)).toHaveLength(1)
    expect(srtOf([]).trim()).toBe('')
    expect(vttOf([])).toBe('WEBVTT\n')
    expect(new WebVTTParser().parse(vttOf([]), 'subtitles')).toMatchObject({ cues: [], errors: [] })
  })

  test('a hundred hours and more', () => {
    const cues = cuesOf({ language: 'en', words: [wordAt('late', 360_000.5, 360_002)] })
    expect(srtOf(cues)).toContain('100:00:00,500 --> 100:00:02,000')
  })

  test('words that look like markup or times stay words', () => {
    const words = [
      wordAt('a-->b', 0, 1, '<i>&'),
      wordAt('<b>x</b>', 1, 2, '<i>&'),
      wordAt('AT&T', 2, 3, '<i>&'),
    ]
    const cues = cuesOf({ language: 'en', words })
    const vtt = new WebVTTParser().parse(vttOf(cues), 'subtitles')
    expect(vtt.errors).toEqual([])
    expect(vtt.cues).toHaveLength(1)
    expect(vttOf(cues)).toContain('a--&gt;b &lt;b&gt;x&lt;/b&gt; AT&amp;T')
    expect(entriesOf(srtOf(cues))).toHaveLength(1)
    expect(srtOf(cues)).not.toMatch(/a-->|<b>/)
  })

  test('Latin words in Japanese keep the space between them', () => {
    const words = ['Amazon', 'Transcribe', 'を', '使う'].map((text, index) => wordAt(text, index, index + 1))
    expect(cuesOf({ language: 'ja-JP', words })[0]?.lines).toEqual(['Amazon Transcribeを使う'])
  })

  test('East Asian characters are two columns wide, Thai vowels none', () => {
    expect(columnsOf('日本')).toBe(4)
    expect(columnsOf('กี่')).toBe(1)
  })

  test('for HLS, WebVTT says that its times are those of the pictures', () => {
    expect(vttOf([], { mapsTimestamps: true })).toBe('WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n')
  })
})

test('four hours of speech take a moment', () => {
  const words = Array.from({ length: 40_000 }, (_, index) =>
    wordAt(`word${index % 97}${index % 13 === 0 ? '.' : ''}`, index * 0.36, index * 0.36 + 0.3),
  )
  const startMs = cpuMs()
  const cues = cuesOf({ language: 'en', words })
  expect(cpuMs() - startMs).toBeLessThan(10_000)
  expect(cues.length).toBeGreaterThan(4000)
})
