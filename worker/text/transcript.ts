import { problemsOf, summaryOf } from '../../schemas/problems.ts'
import { type TranscriptItem, type TranscriptJson, transcriptSchema } from '../../schemas/transcript.ts'
import { WorkerError } from '../errors.ts'

/** A word with its punctuation. Words are in order, and never end before they start. */
export type Word = {
  text: string
  startS: number
  endS: number
  /** Label that the recogniser gave; undefined where it does not know who speaks. */
  speaker: string | undefined
  confidence: number | undefined
}

export type Transcript = { language: string | undefined; words: Word[] }

/**
 * What Amazon Transcribe wrote, read. Old output has speakers in a list of their own, new output at each word.
 * @throws WorkerError TRANSCRIPT_INVALID
 */
export const readTranscript = (text: string): Transcript => {
  const json = parseJson(text)
  const parsed = transcriptSchema.safeParse(json)
  if (!parsed.success) throw new WorkerError('TRANSCRIPT_INVALID', summaryOf(problemsOf(parsed.error, json)))
  const { results } = parsed.data
  const spoken = results.items.length > 0 ? wordsOf(results) : wordsOfSegments(results)
  return { language: results.language_code, words: inOrder(spoken) }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    throw new WorkerError('TRANSCRIPT_INVALID', 'it is not JSON')
  }
}

type Results = TranscriptJson['results']
/** Times may be missing; who comes next knows better. */
type RawWord = Omit<Word, 'startS' | 'endS'> & { startS: number | undefined; endS: number | undefined }

/** Marks that belong to the word after them. */
const opening = /^[¿¡«„“‘([{「『《〈]+$/u

const wordsOf = (results: Results): RawWord[] => {
  const speakerOf = speakerFinder(results)
  const words: RawWord[] = []
  let pending = ''
  for (const [index, item] of results.items.entries()) {
    const { content, confidence } = item.alternatives[0] ?? { content: '', confidence: undefined }
    // A line break or a run of spaces within a word would break the formats it is written to.
    const text = content.replace(/\s+/gu, ' ').trim()
    if (text === '') continue
    const last = words.at(-1)
    if (item.type === 'punctuation' && opening.test(text)) pending += text
    else if (item.type === 'punctuation' && last !== undefined) last.text += text
    else {
      words.push({
        text: pending + text,
        startS: item.start_time,
        endS: item.end_time,
        speaker: speakerOf(item, index),
        confidence,
      })
      pending = ''
    }
  }
  return words
}

/** Who spoke an item: it says so itself, or the list of speakers or segments does. */
const speakerFinder = ({ speaker_labels, audio_segments }: Results) => {
  const byTime = new Map<number, string>()
  for (const segment of speaker_labels?.segments ?? [])
    for (const { start_time, speaker_label = segment.speaker_label } of segment.items)
      if (start_time !== undefined && speaker_label !== undefined) byTime.set(start_time, speaker_label)
  const byId = new Map<number, string>()
  for (const { items, speaker_label } of audio_segments)
    if (speaker_label !== undefined) for (const id of items) byId.set(id, speaker_label)
  return (item: TranscriptItem, index: number): string | undefined =>
    item.speaker_label ??
    item.channel_label ??
    (item.start_time === undefined ? undefined : byTime.get(item.start_time)) ??
    byId.get(item.id ?? index)
}

/** A recogniser without words says only when somebody spoke: the words of a segment share its time. */
const wordsOfSegments = ({ audio_segments }: Results): RawWord[] =>
  audio_segments.flatMap(({ transcript, start_time, end_time, speaker_label }) => {
    const texts = transcript.split(/\s+/u).filter((text) => text !== '')
    if (start_time === undefined || end_time === undefined) return []
    const eachS = Math.max(0, end_time - start_time) / texts.length
    return texts.map((text, index) => ({
      text,
      startS: start_time + index * eachS,
      endS: start_time + (index + 1) * eachS,
      speaker: speaker_label,
      confidence: undefined,
    }))
  })

/** In order of time. Channels that were recognised apart come one after the other, and times may be missing. */
const inOrder = (words: readonly RawWord[]): Word[] => {
  let lastEndS = 0
  const timed = words.map((word) => {
    const startS = word.startS ?? lastEndS
    const endS = Math.max(startS, word.endS ?? startS)
    lastEndS = endS
    return { ...word, startS, endS }
  })
  return timed.sort((a, b) => a.startS - b.startS)
}
