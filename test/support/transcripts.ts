/** Transcripts in the form that Amazon Transcribe writes, made from what somebody says. Nothing here is canned output. */

export type Said = {
  /** Label of the speaker; undefined: the recogniser does not know. */
  who?: string | undefined
  /** Words and punctuation: `Good morning, everyone.` */
  text: string
  /** Silence before it. */
  pauseS?: number
  /** Time that a word takes. */
  wordS?: number
}

export type Shape =
  /** Output of before 2024: no ids; speakers in a list of their own. */
  | 'old'
  /** Items with ids and speakers, and audio segments. */
  | 'new'

export type TranscriptOptions = {
  shape?: Shape
  language?: string
  /** Between words. */
  gapS?: number
  confidence?: (index: number) => number
}

type Item = {
  id?: number
  type: 'pronunciation' | 'punctuation'
  start_time?: string
  end_time?: string
  alternatives: { confidence: string; content: string }[]
  speaker_label?: string
}

const punctuation = /([.,!?;:。、！？，]+)$/u

/** Words with where they stand in time, and the JSON around them. */
export const awsTranscript = (
  said: readonly Said[],
  { shape = 'new', language = 'en-US', gapS = 0.05, confidence = () => 0.95 }: TranscriptOptions = {},
) => {
  const items: Item[] = []
  const segments: { who: string | undefined; items: Item[]; startS: number; endS: number; text: string }[] =
    []
  const spoken: { text: string; startS: number; endS: number; who: string | undefined }[] = []
  let atS = 0
  for (const { who, text, pauseS = 0.3, wordS = 0.3 } of said) {
    atS += pauseS
    const own: Item[] = []
    const startS = atS
    for (const [index, written] of wordsOf(text, language).entries()) {
      if (index > 0) atS += gapS
      const mark = punctuation.exec(written)?.[1]
      const word = mark === undefined ? written : written.slice(0, -mark.length)
      const endS = atS + wordS
      own.push({
        type: 'pronunciation',
        start_time: atS.toFixed(3),
        end_time: endS.toFixed(3),
        alternatives: [{ confidence: String(confidence(spoken.length)), content: word }],
      })
      if (mark !== undefined)
        own.push({ type: 'punctuation', alternatives: [{ confidence: '0.0', content: mark }] })
      spoken.push({ text: written, startS: atS, endS, who })
      atS = endS
    }
    items.push(...own)
    segments.push({ who, items: own, startS, endS: atS, text })
  }
  const speakerOf = new Map(segments.flatMap(({ who, items: own }) => own.map((item) => [item, who])))
  if (shape === 'new')
    for (const [id, item] of items.entries()) {
      item.id = id
      const who = speakerOf.get(item)
      if (who !== undefined) item.speaker_label = who
    }
  const labels = [...new Set(said.flatMap(({ who }) => who ?? []))]
  const json = {
    jobName: 'made-for-a-test',
    accountId: '000000000000',
    status: 'COMPLETED',
    results: {
      ...(language === '' ? {} : { language_code: language }),
      transcripts: [{ transcript: joined(spoken, language) }],
      ...(labels.length === 0
        ? {}
        : {
            speaker_labels: {
              channel_label: 'ch_0',
              speakers: labels.length,
              segments: segments
                .filter(({ who }) => who !== undefined)
                .map(({ who, startS, endS, items: own }) => ({
                  start_time: startS.toFixed(3),
                  end_time: endS.toFixed(3),
                  speaker_label: who,
                  items: own
                    .filter(({ type }) => type === 'pronunciation')
                    .map(({ start_time, end_time }) => ({ start_time, end_time, speaker_label: who })),
                })),
            },
          }),
      items,
      ...(shape === 'old'
        ? {}
        : {
            audio_segments: segments.map(({ who, startS, endS, items: own, text }, id) => ({
              id,
              transcript: text,
              start_time: startS.toFixed(3),
              end_time: endS.toFixed(3),
              ...(who === undefined ? {} : { speaker_label: who }),
              items: own.map((item) => item.id),
            })),
          }),
    },
  }
  return { json, text: JSON.stringify(json), spoken, durationS: atS, transcript: joined(spoken, language) }
}

/** Japanese and the like come as pieces without spaces between them. */
const isUnspaced = (language: string) => /^(ja|zh|th)/.test(language)

const wordsOf = (text: string, language: string): string[] => {
  if (!isUnspaced(language)) return text.split(/\s+/)
  const pieces: string[] = []
  for (const { segment, isWordLike } of new Intl.Segmenter(language, { granularity: 'word' }).segment(text)) {
    const last = pieces.pop()
    if (last === undefined) pieces.push(segment)
    else if (isWordLike === true) pieces.push(last, segment)
    else pieces.push(last + segment.trim())
  }
  return pieces
}

const joined = (spoken: readonly { text: string }[], language: string): string =>
  spoken.map(({ text }) => text).join(isUnspaced(language) ? '' : ' ')

/** A talk of two about one subject, long enough to be summarised: the same for the same seed. */
export const longTalk = (sentences: number, seed = 1): Said[] => {
  let state = seed
  const pick = <T>(from: readonly T[]): T => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return from[Math.floor((state / 2_147_483_648) * from.length)] as T
  }
  let who = 'spk_0'
  return Array.from({ length: sentences }, () => {
    if (pick([true, false, false, false])) who = who === 'spk_0' ? 'spk_1' : 'spk_0'
    const text = `${pick(starts)} ${pick(subjects)} ${pick(verbs)} ${pick(objects)}${pick(ends)}`
    return { who, text, pauseS: pick([0.2, 0.3, 0.4, 0.4, 2.5]), wordS: pick([0.2, 0.3, 0.35]) }
  })
}

const starts = [
  'So',
  'As you know,',
  'In our experience',
  'Last year',
  'To be honest,',
  'Remember that',
  'Of course',
]
const subjects = [
  'the harbour',
  'our turbine',
  'a ferry',
  'the engineers',
  'the lighthouse',
  'every crew',
  'the storm',
]
const verbs = ['moves', 'protects', 'measures', 'replaces', 'powers', 'repairs', 'watches']
const objects = [
  'the northern pier',
  'the coast',
  'three ships',
  'the fishing fleet',
  'its own battery',
  'the island',
]
const ends = ['.', '.', ' before winter.', ' and nobody notices.', ' at night.', ', does it not?', ' again.']
