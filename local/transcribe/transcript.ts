import type { Word } from './recogniser.ts'

export type Item = {
  id?: number
  type: 'pronunciation' | 'punctuation'
  start_time?: string
  end_time?: string
  alternatives: { confidence: string; content: string }[]
  speaker_label?: string
}

export type TranscriptOptions = {
  jobName: string
  accountId: string
  words: readonly Word[]
  /** AWS language code: decides whether words are joined by spaces. */
  languageCode: string
  /** Present when the language was identified. */
  languageScore?: number | undefined
  /** Present when speakers are to be told apart. */
  maxSpeakers?: number | undefined
  form: 'current' | 'older'
}

/**
 * The JSON that Transcribe writes (developer guide, "Data input and output", "Example diarization output"). Times and
 * confidences are strings, punctuation has no times. A confidence that nobody gave is "0.0", as AWS rates punctuation. Pure.
 */
export function buildTranscript(options: TranscriptOptions) {
  const { jobName, accountId, words, languageCode, languageScore, maxSpeakers, form } = options
  const labels = maxSpeakers === undefined ? undefined : speakerLabels(words, maxSpeakers)
  const tokens = words.flatMap((word) => tokensOf(word, labels?.get(word.speaker)))
  const segments = segmentsOf(tokens)
  const items = tokens.map(
    (token, id): Item => (form === 'current' ? { id, ...itemOf(token) } : itemOf(token)),
  )
  const identified =
    languageScore === undefined
      ? {}
      : {
          language_code: languageCode,
          language_identification: [{ score: decimal(languageScore), code: languageCode }],
        }
  return {
    jobName,
    accountId,
    status: 'COMPLETED',
    results: {
      ...identified,
      transcripts: [{ transcript: textOf(tokens, languageCode) }],
      ...(labels === undefined ? {} : { speaker_labels: speakerSegments(segments) }),
      items,
      ...(form === 'current' ? { audio_segments: audioSegments(segments, languageCode) } : {}),
    },
  }
}

type Token = {
  content: string
  isPunctuation: boolean
  startS: number
  endS: number
  confidence: number
  speaker?: string | undefined
}

/** Recognisers leave punctuation on the word; Transcribe makes it an item of its own. */
function tokensOf(word: Word, speaker: string | undefined): Token[] {
  const { startS, endS } = word
  const [, spoken = '', marks = ''] = /^(.*?)([.,!?;:…。，、！？；：]*)$/su.exec(word.text) ?? []
  const common = { startS, endS, speaker }
  // Marks alone are what somebody said, as far as the recogniser can tell.
  if (spoken === '')
    return [{ ...common, content: word.text, isPunctuation: false, confidence: word.confidence ?? 0 }]
  return [
    { ...common, content: spoken, isPunctuation: false, confidence: word.confidence ?? 0 },
    ...(marks === '' ? [] : [{ ...common, content: marks, isPunctuation: true, confidence: 0 }]),
  ]
}

/**
 * `spk_0`, `spk_1`, ... in the order in which they speak. Those beyond the maximum are treated as one (service model,
 * MaxSpeakerLabels), and so are words of nobody in particular.
 */
function speakerLabels(words: readonly Word[], maxSpeakers: number): Map<string | undefined, string> {
  const named = [...new Set(words.flatMap(({ speaker }) => (speaker === undefined ? [] : [speaker])))]
  const labels = new Map<string | undefined, string>(
    named.map((speaker, index) => [speaker, `spk_${Math.min(index, maxSpeakers - 1)}`]),
  )
  return labels.set(undefined, 'spk_0')
}

const itemOf = ({ content, isPunctuation, startS, endS, confidence, speaker }: Token): Item => ({
  type: isPunctuation ? 'punctuation' : 'pronunciation',
  alternatives: [{ confidence: decimal(confidence), content }],
  ...(isPunctuation ? {} : { start_time: decimal(startS), end_time: decimal(endS) }),
  ...(speaker === undefined ? {} : { speaker_label: speaker }),
})

/** Milliseconds at most, and at least one digit behind the point: "0.0", "12.345". */
export function decimal(value: number): string {
  const text = String(Math.round(value * 1_000) / 1_000)
  return text.includes('.') ? text : `${text}.0`
}

type Segment = { firstToken: number; tokens: Token[] }

const pauseS = 1

/** Parts of speech: until the speaker changes, a sentence ends, or nobody speaks for a second. */
function segmentsOf(tokens: readonly Token[]): Segment[] {
  const segments: Segment[] = []
  tokens.forEach((token, index) => {
    const open = segments.at(-1)
    const last = open?.tokens.at(-1)
    const goesOn =
      last !== undefined &&
      (token.isPunctuation ||
        (last.speaker === token.speaker &&
          token.startS - last.endS < pauseS &&
          !(last.isPunctuation && /[.!?…。！？]/u.test(last.content))))
    if (open !== undefined && goesOn) open.tokens.push(token)
    else segments.push({ firstToken: index, tokens: [token] })
  })
  return segments
}

const startOf = ({ tokens }: Segment): number => tokens[0]?.startS ?? 0
const endOf = ({ tokens }: Segment): number => Math.max(0, ...tokens.map(({ endS }) => endS))

const speakerSegments = (segments: readonly Segment[]) => ({
  segments: segments.map((segment) => ({
    start_time: decimal(startOf(segment)),
    end_time: decimal(endOf(segment)),
    speaker_label: segment.tokens[0]?.speaker ?? 'spk_0',
    items: segment.tokens
      .filter(({ isPunctuation }) => !isPunctuation)
      .map(({ startS, endS, speaker }) => ({
        speaker_label: speaker ?? 'spk_0',
        start_time: decimal(startS),
        end_time: decimal(endS),
      })),
  })),
  channel_label: 'ch_0',
  speakers: new Set(segments.map(({ tokens }) => tokens[0]?.speaker)).size,
})

const audioSegments = (segments: readonly Segment[], languageCode: string) =>
  segments.map((segment, id) => {
    const [{ speaker } = {}] = segment.tokens
    return {
      id,
      transcript: textOf(segment.tokens, languageCode),
      start_time: decimal(startOf(segment)),
      end_time: decimal(endOf(segment)),
      ...(speaker === undefined ? {} : { speaker_label: speaker }),
      items: segment.tokens.map((_, index) => segment.firstToken + index),
    }
  })

const withoutSpaces = /^(zh|ja|th)-/

function textOf(tokens: readonly Token[], languageCode: string): string {
  const space = withoutSpaces.test(languageCode) ? '' : ' '
  return tokens
    .map(({ content, isPunctuation }) => (isPunctuation ? content : space + content))
    .join('')
    .trim()
}
