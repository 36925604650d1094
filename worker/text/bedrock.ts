import {
  ConverseCommand,
  type ConverseCommandInput,
  type ConverseCommandOutput,
} from '@aws-sdk/client-bedrock-runtime'
import { z } from 'zod'
import { problemsOf, summaryOf } from '../../schemas/problems.ts'
import type { Spoken } from '../../schemas/summary.ts'
import { awsErrorOf, isPassing, type Sender } from '../aws.ts'
import { WorkerError } from '../errors.ts'
import { type Patience, withPatience } from '../patience.ts'
import type { Chunk } from './chunks.ts'
import { keyPhrases } from './key-phrases.ts'
import { speakerNames } from './names.ts'
import { type Asked, modelMark, partsOf, promptOf, readAnswer } from './prompts.ts'
import type { Summarizer } from './summarizer.ts'
import { tokenizer } from './tokens.ts'

export type BedrockOptions = {
  client: Sender<ConverseCommand, ConverseCommandOutput>
  /** Id or ARN of a model or an inference profile. */
  modelId: string
  /** One request may take this long, from the first byte to the last. */
  requestTimeoutMs: number
  patience: Omit<Patience, 'worthwhile' | 'signal'>
}

/** Lines in a summary. */
const mostLines = { chapter: 3, whole: 7 }
/** Room for the lines, and for models that think before they write. */
const answerTokens = 2000

/**
 * A summary in the words of a model of Amazon Bedrock. Everything that was said is sent to it. Its answer is never anything
 * but text in the summary. Key phrases are still those that were said.
 */
export const bedrockSummarizer = (options: BedrockOptions): Summarizer => ({
  // Of an ARN its end: the rest would tell readers of the summary which account it was.
  name: `${modelMark}${options.modelId.split('/').at(-1)}`,
  summarize: async ({ language, chunks, signal }) => {
    const ask = (about: Asked['about'], lines: readonly string[], most: number) =>
      answerOf(options, { about, lines, mostLines: most, language }, signal)
    const nameOf = speakerNames(chunks.flatMap(({ sentences }) => sentences.map(({ speaker }) => speaker)))
    const spoken = chunks.filter(({ sentences }) => sentences.length > 0)
    const ofChapter = spoken.length === 1 ? mostLines.whole : mostLines.chapter
    const chapters: string[][] = []
    // One after the other: quotas of models are small, and nobody waits for a summary.
    for (const chunk of chunks)
      chapters.push(await condensed(ask, 'transcript', saidIn(chunk, nameOf), ofChapter))
    const whole =
      spoken.length === 1 ? chapters.flat() : await condensed(ask, 'notes', chapters.flat(), mostLines.whole)
    const phrases = phrasesOf(chunks, language)
    return {
      summary: whole.map(unquoted),
      chapters: chapters.map((lines, index) => ({
        summary: lines.map(unquoted),
        keyPhrases: phrases[index] ?? [],
      })),
    }
  },
})

type Ask = (about: Asked['about'], lines: readonly string[], most: number) => Promise<string[]>

/** What does not fit into one request is asked for in parts, and then over their answers. */
const condensed = async (
  ask: Ask,
  about: Asked['about'],
  lines: readonly string[],
  most: number,
): Promise<string[]> => {
  const parts = partsOf(lines)
  const answers: string[] = []
  for (const part of parts) answers.push(...(await ask(about, part, most)))
  return parts.length > 1 ? condensed(ask, 'notes', answers, most) : answers
}

const saidIn = ({ sentences }: Chunk, nameOf: (label: string | undefined) => string): string[] =>
  sentences.map(({ text, speaker }) => (speaker === undefined ? text : `${nameOf(speaker)}: ${text}`))

const phrasesOf = (chunks: readonly Chunk[], language: string | undefined): string[][] => {
  const tokensOf = tokenizer(language)
  return keyPhrases(chunks.map(({ sentences }) => sentences.map(({ text }) => tokensOf(text))))
}

const unquoted = (text: string): Spoken => ({ text, startS: null, speaker: null })

/** @throws WorkerError MODEL_*, naming the model; the reason of the signal when that is given */
const answerOf = (options: BedrockOptions, asked: Asked, signal: AbortSignal): Promise<string[]> => {
  const { modelId, patience } = options
  const { system, user } = promptOf(asked)
  const input: ConverseCommandInput = {
    modelId,
    system: [{ text: system }],
    messages: [{ role: 'user', content: [{ text: user }] }],
    inferenceConfig: { maxTokens: answerTokens },
  }
  return withPatience(async () => linesOf(await send(options, input, signal), modelId, asked.mostLines), {
    ...patience,
    signal,
    worthwhile: (error) => error instanceof WorkerError && error.code === 'MODEL_UNAVAILABLE',
  })
}

const send = async (
  { client, modelId, requestTimeoutMs }: BedrockOptions,
  input: ConverseCommandInput,
  signal: AbortSignal,
): Promise<ConverseCommandOutput> => {
  const late = AbortSignal.timeout(requestTimeoutMs)
  try {
    return await client.send(new ConverseCommand(input), { abortSignal: AbortSignal.any([signal, late]) })
  } catch (thrown) {
    if (!late.aborted) throw modelError(thrown, modelId)
    throw new WorkerError('MODEL_UNAVAILABLE', `${modelId} took longer than ${requestTimeoutMs} ms`, thrown)
  }
}

/** The client believes whatever comes. A block without text is a thought or a picture. */
const answerSchema = z.object({
  stopReason: z.string().optional(),
  output: z.object({
    message: z.object({ content: z.array(z.object({ text: z.string().optional() })) }),
  }),
})

/** @throws WorkerError MODEL_REFUSED, MODEL_ANSWER_INVALID */
const linesOf = (answer: unknown, modelId: string, most: number): string[] => {
  const read = answerSchema.safeParse(answer)
  if (!read.success)
    throw new WorkerError('MODEL_ANSWER_INVALID', `${modelId}: ${summaryOf(problemsOf(read.error, answer))}`)
  const { stopReason, output } = read.data
  if (stopReason === 'content_filtered' || stopReason === 'guardrail_intervened')
    throw new WorkerError('MODEL_REFUSED', `${modelId} stopped with ${stopReason}`)
  const text = output.message.content.map((block) => block.text ?? '').join('\n')
  const lines = readAnswer(text, most, stopReason === 'max_tokens')
  if (lines.length === 0)
    throw new WorkerError('MODEL_ANSWER_INVALID', `${modelId} wrote no text (${stopReason ?? 'no reason'})`)
  return lines
}

/** Names of Bedrock for what is over in a while, though the status is that of a client's mistake. */
const passingNames = /^(ModelErrorException|ModelNotReadyException|ServiceQuotaExceededException)$/

const modelError = (thrown: unknown, modelId: string): WorkerError => {
  const { name, message, status } = awsErrorOf(thrown)
  // The client adds lines of advice for those who debug it.
  const detail = `${modelId}: ${message
    .split('\n', 1)
    .join('')
    .replace(/[.\s]+$/u, '')}`
  // No JSON, or none that the client could read. It is paid for, so asking again is left to the next attempt.
  if (thrown instanceof SyntaxError || thrown instanceof TypeError)
    return new WorkerError('MODEL_ANSWER_INVALID', detail, thrown)
  // An error with a good status: the connection broke while the answer came.
  if (status === 200 || passingNames.test(name) || isPassing(thrown))
    return new WorkerError('MODEL_UNAVAILABLE', detail, thrown)
  if (status === 403) return new WorkerError('MODEL_FORBIDDEN', detail, thrown)
  if (status === 400 || status === 404) return new WorkerError('MODEL_INVALID', detail, thrown)
  return new WorkerError('INTERNAL_ERROR', detail, thrown)
}
