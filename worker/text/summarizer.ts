import type { Spoken } from '../../schemas/summary.ts'
import type { Chunk } from './chunks.ts'

export type SummaryRequest = {
  language: string | undefined
  chunks: readonly Chunk[]
  signal: AbortSignal
}

export type SummaryAnswer = {
  /** For the whole, in order. */
  summary: Spoken[]
  /** One entry for each chunk, in their order; `startS` is null for text that is no quotation. */
  chapters: { summary: Spoken[]; keyPhrases: string[] }[]
}

/**
 * What turns a transcript into a summary. The extractive one is the default: it quotes, costs nothing and needs nobody. A
 * language model (`bedrock.ts`) stands behind the same interface where somebody asks for it: one request for each chunk, one
 * more over their answers; its text is no quotation and therefore has no time.
 */
export type Summarizer = {
  /** Stands in summary.json, so that readers know whether they read quotations. */
  name: string
  summarize: (request: SummaryRequest) => Promise<SummaryAnswer>
}
