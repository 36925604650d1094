import { endsClause, endsInAbbreviation, joinWords, segmentingLanguage } from './language.ts'
import type { Transcript, Word } from './transcript.ts'
import { lastEndS, turnsOf } from './turns.ts'

/** What one speaker says in one go, literally as it stands in the transcript. */
export type Sentence = {
  text: string
  startS: number
  endS: number
  speaker: string | undefined
  words: number
}

/** Longer ones come from recognisers without punctuation; they are cut at their pauses. */
const longestWords = 45
/** A piece with fewer words is no sentence of its own. */
const fewestWords = 3
/** A longer silence ends a sentence in any case. */
const pauseS = 4

/** The sentences of a transcript: every word stands in exactly one, in order. Pure. */
export const sentencesOf = ({ words, language }: Transcript): Sentence[] => {
  const segmenter = new Intl.Segmenter(segmentingLanguage(language), { granularity: 'sentence' })
  return turnsOf(words, pauseS).flatMap(({ words: spoken, speaker }) =>
    joinShort(segmented(spoken, language, segmenter))
      .flatMap(cutLong)
      .map((some) => ({
        text: joinWords(some, language),
        startS: some[0]?.startS ?? 0,
        endS: lastEndS(some, 0),
        speaker,
        words: some.length,
      })),
  )
}

/** Words by sentence. The segmenter knows characters; a word goes to the sentence in which it ends. */
const segmented = (
  words: readonly Word[],
  language: string | undefined,
  segmenter: Intl.Segmenter,
): Word[][] => {
  const ends = [...segmenter.segment(joinWords(words, language))].map(
    ({ index, segment }) => index + segment.length,
  )
  const groups: Word[][] = [[]]
  let text = ''
  for (const word of words) {
    // Joined the same way as the whole, so that the positions are the same.
    text = text === '' ? word.text : joinWords([{ text }, word], language)
    groups.at(-1)?.push(word)
    const end = ends[0]
    if (end !== undefined && text.length >= end - trailingSpace) {
      while (ends[0] !== undefined && text.length >= ends[0] - trailingSpace) ends.shift()
      groups.push([])
    }
  }
  return groups.filter((group) => group.length > 0)
}

/** The segmenter counts the space after a sentence to it. */
const trailingSpace = 1

/** The segmenter takes "Dr." for a sentence, and a nod is none. */
const joinShort = (groups: readonly Word[][]): Word[][] => {
  const joined: Word[][] = []
  for (const group of groups) {
    const last = joined.at(-1)
    const wasUnfinished =
      last !== undefined && (last.length < fewestWords || endsInAbbreviation(last.at(-1)?.text ?? ''))
    // Word by word: what nobody has punctuated is one group, of more words than a call can have.
    if (last !== undefined && wasUnfinished) for (const word of group) last.push(word)
    else joined.push([...group])
  }
  const tail = joined.at(-1)
  if (joined.length > 1 && tail !== undefined && tail.length < fewestWords) {
    joined.pop()
    joined.at(-1)?.push(...tail)
  }
  return joined
}

/** Halves until each is short enough: at the longest pause near the middle, rather after a comma. */
const cutLong = (words: Word[]): Word[][] => {
  if (words.length <= longestWords) return [words]
  const [from, to] = [Math.ceil(words.length * 0.25), Math.floor(words.length * 0.75)]
  let best = { at: Math.floor(words.length / 2), gain: Number.NEGATIVE_INFINITY }
  for (let at = from; at <= to; at += 1) {
    const [before, after] = [words[at - 1], words[at]]
    if (before === undefined || after === undefined) continue
    const gain = after.startS - before.endS + (endsClause(before.text) ? 1 : 0)
    if (gain > best.gain) best = { at, gain }
  }
  return [...cutLong(words.slice(0, best.at)), ...cutLong(words.slice(best.at))]
}
