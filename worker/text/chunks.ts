import type { Sentence } from './sentences.ts'
import { lastEndS } from './turns.ts'

/** A part of a recording that is looked at on its own. */
export type Chunk = { startS: number; endS: number; sentences: Sentence[] }

/** A pause that looks like the end of something. */
const pauseS = 1.5
/** How far from a change of the picture a sentence may end to end with it. */
const nearCutS = 1

/**
 * Parts of about three to eight minutes, shorter in a short recording: every sentence stands in exactly one, whole; the parts
 * follow each other without gaps from the beginning to the end. A part ends with a scene or at a pause, if there is one in
 * time. Without words, it ends with a scene. Pure.
 */
export const chunksOf = (
  sentences: readonly Sentence[],
  cutsS: readonly number[],
  durationS: number,
): Chunk[] => {
  const fromS = Math.min(180, Math.max(20, durationS / 6))
  const latestS = (fromS * 8) / 3
  const groups = sentences.length > 0 ? bySentences(sentences, cutsS, fromS, latestS) : []
  if (groups.length === 0) return withoutWords(cutsS, durationS, latestS)
  const starts = groups.map((group) => group[0]?.startS ?? 0)
  const wholeS = lastEndS(sentences, durationS)
  return groups.map((group, index) => ({
    startS: index === 0 ? 0 : boundary(groups[index - 1], starts[index], cutsS),
    endS: index + 1 < groups.length ? boundary(group, starts[index + 1], cutsS) : wholeS,
    sentences: group,
  }))
}

const bySentences = (
  sentences: readonly Sentence[],
  cutsS: readonly number[],
  fromS: number,
  latestS: number,
): Sentence[][] => {
  const groups: Sentence[][] = []
  let group: Sentence[] = []
  let startS = 0
  for (const [index, sentence] of sentences.entries()) {
    group.push(sentence)
    const next = sentences[index + 1]
    if (next === undefined) break
    const lengthS = sentence.endS - startS
    const isLate = next.endS - startS > latestS
    const isEnd =
      next.startS - sentence.endS > pauseS || cutBetween(cutsS, sentence.endS, next.startS) !== undefined
    if (isLate || (lengthS >= fromS && isEnd)) {
      groups.push(group)
      group = []
      startS = next.startS
    }
  }
  const before = groups.at(-1)
  const restS = (group.at(-1)?.endS ?? 0) - (group[0]?.startS ?? 0)
  // What is left at the end is no part of its own when it is much shorter than the others.
  return before !== undefined && restS < fromS / 2
    ? [...groups.slice(0, -1), [...before, ...group]]
    : [...groups, group]
}

const cutBetween = (cutsS: readonly number[], endS: number, nextS: number): number | undefined =>
  cutsS.find((cutS) => cutS >= endS - nearCutS && cutS <= nextS + nearCutS)

/** Where one part ends and the next begins: at the change of the picture, if one lies in the silence between them. */
const boundary = (
  before: readonly Sentence[] | undefined,
  nextS: number | undefined,
  cutsS: readonly number[],
): number => {
  const endS = lastEndS(before ?? [], 0)
  const startS = nextS ?? endS
  return cutsS.find((cutS) => cutS >= endS && cutS <= startS) ?? startS
}

/** At the first scene after each latest time; in a video without scenes, at that time. */
const withoutWords = (cutsS: readonly number[], durationS: number, latestS: number): Chunk[] => {
  const starts = [0]
  for (;;) {
    const lastS = starts.at(-1) ?? 0
    const nextS =
      cutsS.find((cutS) => cutS >= lastS + latestS && cutS < lastS + latestS * 2) ?? lastS + latestS
    // No part that is much shorter than the others.
    if (nextS > durationS - latestS / 3) break
    starts.push(nextS)
  }
  return starts.map((startS, index) => ({ startS, endS: starts[index + 1] ?? durationS, sentences: [] }))
}
