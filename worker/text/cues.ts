import { charactersOf, columnsOf, endsClause, endsSentence, gapBetween, joinWords } from './language.ts'
import type { Transcript, Word } from './transcript.ts'
import { turnsOf } from './turns.ts'

/** One subtitle: at most two lines, with the words that are spoken while it is shown. */
export type Cue = {
  startMs: number
  endMs: number
  lines: string[]
  speaker: string | undefined
  /** Somebody else speaks than before. */
  speakerChanges: boolean
}

export const cueLimits = {
  lines: 2,
  columns: 42,
  longestMs: 7000,
  shortestMs: 800,
  /** Columns that people read in a second, where there is time to let them. */
  columnsPerS: 17,
  /** A pause in which a subtitle does not stay. */
  pauseS: 1,
} as const

/** Two columns: `- `, before the first words of another speaker. */
export const changeMark = '- '

type Piece = Word & { glued: boolean; columns: number; ends: 'sentence' | 'clause' | 'word' | 'shortWord' }

/** A short word mostly belongs to the one after it. */
const shortCharacters = 3

const endOf = (text: string): Piece['ends'] => {
  if (endsSentence(text)) return 'sentence'
  if (endsClause(text)) return 'clause'
  return text.length <= shortCharacters ? 'shortWord' : 'word'
}

/**
 * Subtitles for a transcript, in order and without overlap: every word stands in exactly one, and none goes past a change of
 * the speaker or a pause. Pure.
 */
export const cuesOf = ({ words, language }: Transcript): Cue[] => {
  const runs = turnsOf(words, cueLimits.pauseS)
  let last: string | undefined
  const drafts = runs.flatMap(({ speaker, words: spoken }, index) => {
    const speakerChanges = index > 0 && speaker !== last
    last = speaker
    return splitRun(spoken.flatMap(piecesOf), language, speakerChanges ? columnsOf(changeMark) : 0).map(
      (pieces, part) => draft(pieces, language, speaker, speakerChanges && part === 0),
    )
  })
  return timed(drafts)
}

/** A word that is wider than a line is broken into pieces that share its time. */
const piecesOf = (word: Word): Piece[] => {
  const columns = columnsOf(word.text)
  // Room for the mark of a change.
  const widest = cueLimits.columns - columnsOf(changeMark)
  if (columns <= widest) return [{ ...word, glued: false, columns, ends: endOf(word.text) }]
  const texts: { text: string; columns: number }[] = [{ text: '', columns: 0 }]
  for (const character of charactersOf(word.text)) {
    const piece = texts.at(-1)
    if (piece !== undefined && piece.columns + character.columns <= widest) {
      piece.text += character.text
      piece.columns += character.columns
    } else texts.push({ ...character })
  }
  const eachS = (word.endS - word.startS) / texts.length
  return texts.map((piece, index) => ({
    ...word,
    ...piece,
    glued: index > 0,
    ends: endOf(piece.text),
    startS: word.startS + index * eachS,
    endS: word.startS + (index + 1) * eachS,
  }))
}

/**
 * Where the words of one speaker are best cut into subtitles: the cheapest way through all places at which they may be cut,
 * so that no single word is left over where a greedy cut would leave one.
 * @param indent columns that the first line lacks
 */
const splitRun = (pieces: readonly Piece[], language: string | undefined, indent: number): Piece[][] => {
  const best: { cost: number; from: number }[] = [{ cost: 0, from: 0 }]
  const gaps = pieces.map((piece, index) =>
    index === 0 ? 0 : gapBetween(pieces[index - 1]?.text ?? '', piece, language).length,
  )
  for (let to = 1; to <= pieces.length; to += 1) {
    let found = { cost: Number.POSITIVE_INFINITY, from: to - 1 }
    for (let from = to - 1; from >= 0; from -= 1) {
      const some = pieces.slice(from, to)
      const indented = from === 0 ? indent : 0
      // A word alone is always allowed, whatever its times are.
      if (some.length > 1 && !isAllowed(some, gaps.slice(from, to), indented)) break
      const cost = (best[from]?.cost ?? 0) + costOf(some, pieces.length, pieces[from - 1])
      if (cost < found.cost) found = { cost, from }
    }
    best[to] = found
  }
  const groups: Piece[][] = []
  for (let to = pieces.length; to > 0; to = best[to]?.from ?? 0)
    groups.unshift(pieces.slice(best[to]?.from ?? 0, to))
  return groups
}

const isAllowed = (pieces: readonly Piece[], gaps: readonly number[], indent: number): boolean => {
  const [first, last] = [pieces[0], pieces.at(-1)]
  if (first === undefined || last === undefined) return false
  return (
    (last.endS - first.startS) * 1000 <= cueLimits.longestMs &&
    linesNeeded(pieces, gaps, indent) <= cueLimits.lines
  )
}

/** Lines that are needed when each takes as much as it can. */
const linesNeeded = (pieces: readonly Piece[], gaps: readonly number[], indent: number): number => {
  let lines = 1
  let used = indent
  for (const [index, { columns }] of pieces.entries()) {
    const gap = index === 0 ? 0 : (gaps[index] ?? 0)
    if (used + gap + columns <= cueLimits.columns) used += gap + columns
    else {
      lines += 1
      used = columns
    }
  }
  return lines
}

const endCosts = { sentence: 0, clause: 6, word: 14, shortWord: 18 } as const

/** What speaks against a subtitle with just these words. Only the order of the results matters, not their size. */
const costOf = (pieces: readonly Piece[], inRun: number, before: Piece | undefined): number => {
  const columns = pieces.reduce((sum, piece) => sum + piece.columns + 1, 0)
  const endCost = endCosts[pieces.at(-1)?.ends ?? 'word']
  const shortCost = columns < 12 && pieces.length < inRun ? 12 : 0
  const fewCost = pieces.length < 3 && pieces.length < inRun ? 6 : 0
  const [first, last] = [pieces[0], pieces.at(-1)]
  const spokenMs = first === undefined || last === undefined ? 0 : (last.endS - first.startS) * 1000
  const briefCost = spokenMs < cueLimits.shortestMs && pieces.length < inRun ? 12 : 0
  // The rest of a sentence is read with what it belongs to, not with the next one.
  const restCost = before !== undefined && before.ends !== 'sentence' && endsEarly(pieces) ? 20 : 0
  return 10 + endCost + shortCost + fewCost + briefCost + restCost + sentencesInside(pieces) * 30
}

/** Sentences that end before the last word, after enough text to stand alone. */
const sentencesInside = (pieces: readonly Piece[]): number => {
  let columns = 0
  let ends = 0
  for (const piece of pieces.slice(0, -1)) {
    columns += piece.columns + 1
    if (piece.ends === 'sentence' && columns >= cueLimits.columns / 2) {
      ends += 1
      columns = 0
    }
  }
  return ends
}

/** Whether a sentence ends before the last word, after so little text that it is no subtitle of its own. */
const endsEarly = (pieces: readonly Piece[]): boolean => {
  const at = pieces.findIndex(({ ends }) => ends === 'sentence')
  const columns = pieces.slice(0, at + 1).reduce((sum, piece) => sum + piece.columns + 1, 0)
  return at >= 0 && at < pieces.length - 1 && columns < cueLimits.columns / 2
}

const draft = (
  pieces: readonly Piece[],
  language: string | undefined,
  speaker: string | undefined,
  speakerChanges: boolean,
): Cue => ({
  startMs: Math.round((pieces[0]?.startS ?? 0) * 1000),
  endMs: Math.round((pieces.at(-1)?.endS ?? 0) * 1000),
  lines: balanced(pieces, language, speakerChanges ? columnsOf(changeMark) : 0),
  speaker,
  speakerChanges,
})

const breakCosts = { sentence: -14, clause: -10, word: 0, shortWord: 6 } as const

/** One line where one is enough; else two that are about equally long, rather broken after a comma than anywhere. */
const balanced = (pieces: readonly Piece[], language: string | undefined, indent: number): string[] => {
  const whole = joinWords(pieces, language)
  if (columnsOf(whole) + indent <= cueLimits.columns) return [whole]
  const ways = pieces.slice(1).flatMap((_, index) => {
    const lines = [
      joinWords(pieces.slice(0, index + 1), language),
      joinWords(pieces.slice(index + 1), language),
    ]
    const [upper = '', lower = ''] = lines
    const [above, below] = [columnsOf(upper) + indent, columnsOf(lower)]
    if (above > cueLimits.columns || below > cueLimits.columns) return []
    const breakCost = breakCosts[pieces[index]?.ends ?? 'word']
    return [{ lines, cost: Math.abs(above - below) + (above > below ? 1 : 0) + breakCost }]
  })
  return ways.sort((a, b) => a.cost - b.cost)[0]?.lines ?? [whole]
}

/**
 * Times that can be read: a subtitle stays as long as reading takes, if nothing comes after it; where the next one comes too
 * soon, that one waits a little, as long as enough is left of it.
 */
const timed = (drafts: readonly Cue[]): Cue[] => {
  // Where two speak at once, the words of one end after those of the other have begun.
  const apart = drafts.map((cue, index) => {
    const nextMs = drafts[index + 1]?.startMs ?? cue.endMs
    return { ...cue, endMs: Math.max(cue.startMs, Math.min(cue.endMs, nextMs)) }
  })
  const cues: Cue[] = []
  let earliestMs = 0
  for (const [index, cue] of apart.entries()) {
    const startMs = Math.max(cue.startMs, earliestMs)
    const next = apart[index + 1]
    const columns = cue.lines.reduce((sum, line) => sum + columnsOf(line), 0)
    const readMs = Math.max(cueLimits.shortestMs, (columns / cueLimits.columnsPerS) * 1000)
    const wantedMs = Math.min(Math.max(cue.endMs, startMs + readMs), startMs + cueLimits.longestMs)
    const endMs = Math.max(startMs + 1, Math.round(Math.min(wantedMs, latestEndMs(startMs, next))))
    cues.push({ ...cue, startMs, endMs })
    earliestMs = endMs
  }
  return cues
}

const latestEndMs = (startMs: number, next: Cue | undefined): number => {
  if (next === undefined) return Number.POSITIVE_INFINITY
  const waitMs = startMs + cueLimits.shortestMs - next.startMs
  if (waitMs <= 0) return next.startMs
  const spareMs = Math.max(0, next.endMs - next.startMs - cueLimits.shortestMs)
  return next.startMs + Math.min(waitMs, spareMs)
}
