import type { Spoken } from '../../schemas/summary.ts'
import type { Chunk } from './chunks.ts'
import { keyPhrases } from './key-phrases.ts'
import { mostCentral, type Vector, vectorsOf } from './ranking.ts'
import type { Sentence } from './sentences.ts'
import type { Summarizer, SummaryAnswer } from './summarizer.ts'
import { type Token, tokenizer } from './tokens.ts'

/** Shorter sentences are greetings and nods, longer ones are no summary. */
const tellingWords = { min: 5, max: 40 }
/** Sentences that are compared with each other at a time; beyond it a chunk is ranked in parts. */
const comparedAtOnce = 300

/**
 * Chooses sentences that say most of what the others say, and quotes them. The same transcript always gets the same summary.
 * Chunks are ranked one by one and then the winners among themselves, so the cost grows with the length and not with its
 * square.
 */
export const extractiveSummarizer: Summarizer = {
  name: 'extractive',
  summarize: async ({ language, chunks }) => summarize(chunks, language),
}

type Candidate = { sentence: Sentence; tokens: Token[]; vector: Vector; chunk: number }

const summarize = (chunks: readonly Chunk[], language: string | undefined): SummaryAnswer => {
  const tokensOf = tokenizer(language)
  const sentences = chunks.flatMap((chunk, index) =>
    chunk.sentences.map((sentence) => ({ sentence, chunk: index, tokens: tokensOf(sentence.text) })),
  )
  const vectors = vectorsOf(sentences.map(({ tokens }) => tokens.map(({ stem }) => stem)))
  const candidates = sentences.map(
    (each, index): Candidate => ({ ...each, vector: vectors[index] ?? new Map() }),
  )
  const byChunk = chunks.map((_, index) => candidates.filter(({ chunk }) => chunk === index))
  const count = wholeCount(candidates.length)
  // Of few chunks more sentences go on, so that there is something to choose from.
  const enough = Math.ceil((2 * count) / Math.max(1, chunks.length))
  const winners = byChunk.map((some) =>
    inParts(some).flatMap((part) => choose(part, Math.max(enough, perChunk(part.length)))),
  )
  const phrases = keyPhrases(byChunk.map((some) => some.map(({ tokens }) => tokens)))
  return {
    summary: choose(winners.flat(), count).map(spoken),
    chapters: winners.map((some, index) => ({
      summary: choose(some, perChunk(byChunk[index]?.length ?? 0)).map(spoken),
      keyPhrases: phrases[index] ?? [],
    })),
  }
}

/** One sentence in seven, at least three and at most ten. */
const wholeCount = (sentences: number): number => Math.min(10, Math.max(3, Math.round(sentences / 7)))
const perChunk = (sentences: number): number => (sentences > 20 ? 3 : sentences > 5 ? 2 : 1)

const inParts = (candidates: readonly Candidate[]): Candidate[][] =>
  Array.from({ length: Math.ceil(candidates.length / comparedAtOnce) }, (_, index) =>
    candidates.slice(index * comparedAtOnce, (index + 1) * comparedAtOnce),
  )

const choose = (candidates: readonly Candidate[], count: number): Candidate[] =>
  mostCentral({
    vectors: candidates.map(({ vector }) => vector),
    count,
    isCandidate: (index) => isTelling(candidates[index]),
    partOf: (index) => candidates[index]?.chunk ?? 0,
  }).flatMap((index) => candidates[index] ?? [])

/** A question tells nothing, whatever it is about. */
const isTelling = (candidate: Candidate | undefined): boolean => {
  if (candidate === undefined || candidate.vector.size < 3) return false
  const { words, text } = candidate.sentence
  return words >= tellingWords.min && words <= tellingWords.max && !/[?？]["'”’»」』)]*$/u.test(text)
}

const spoken = ({ sentence: { text, startS, speaker } }: Candidate): Spoken => ({
  text,
  startS,
  speaker: speaker ?? null,
})
