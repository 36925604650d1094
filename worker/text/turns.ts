import type { Word } from './transcript.ts'

/** Words that one speaker says without a pause. */
export type Turn = { speaker: string | undefined; words: Word[]; startS: number; endS: number }

/** A pause from which on silence is no part of speaking. */
const pauseS = 1

/** Pure. @param longestPauseS within a turn */
export const turnsOf = (words: readonly Word[], longestPauseS = pauseS): Turn[] => {
  const turns: Turn[] = []
  for (const word of words) {
    const turn = turns.at(-1)
    if (turn !== undefined && turn.speaker === word.speaker && word.startS - turn.endS <= longestPauseS) {
      turn.words.push(word)
      turn.endS = Math.max(turn.endS, word.endS)
    } else turns.push({ speaker: word.speaker, words: [word], startS: word.startS, endS: word.endS })
  }
  return turns
}

/** When the last of them ends. Not by the arguments of Math.max: a talk has more words than a call can have. Pure. */
export const lastEndS = (spans: readonly { endS: number }[], atLeastS: number): number =>
  spans.reduce((latestS, { endS }) => Math.max(latestS, endS), atLeastS)

export type Speaker = { label: string | undefined; talkS: number; words: number }

/** How long everybody spoke: in the order of their first words, the unknown one last. Pure. */
export const speakersOf = (words: readonly Word[]): Speaker[] => {
  const speakers = new Map<string | undefined, Speaker>()
  for (const turn of turnsOf(words)) {
    const { talkS, words: before } = speakers.get(turn.speaker) ?? { talkS: 0, words: 0 }
    speakers.set(turn.speaker, {
      label: turn.speaker,
      talkS: talkS + turn.endS - turn.startS,
      words: before + turn.words.length,
    })
  }
  return [...speakers.values()].sort((a, b) => Number(a.label === undefined) - Number(b.label === undefined))
}
