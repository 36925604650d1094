import { z } from 'zod'
import { runProgram } from './programs.ts'

/** A word that somebody said, or a stretch of voice that nobody recognised. */
export type Word = {
  text: string
  startS: number
  endS: number
  /** 0 to 1; absent when the recogniser does not say. */
  confidence?: number | undefined
  speaker?: string | undefined
}

export type Recognised = {
  words: Word[]
  /** As the recogniser names it: `en`, `en-US`. */
  language?: string | undefined
}

export type RecogniserOptions = {
  /** A line of shell; the audio file becomes its last argument. */
  command: string
  /** 16 kHz, one channel, 16 bit. */
  wavPath: string
  durationS: number
  /** The language that was asked for; absent when it is to be identified. */
  language?: string | undefined
  env: NodeJS.ProcessEnv
  signal: AbortSignal
  timeoutMs: number
}

/** A recogniser that failed or said something else than agreed; the message is a sentence for whoever set it up. */
export class RecogniserError extends Error {}

const wordSchema = z
  .object({
    text: z.string().trim().min(1, { error: 'must not be empty' }),
    startS: z.number().min(0),
    endS: z.number().min(0),
    confidence: z.number().min(0).max(1).optional(),
    speaker: z.union([z.string().min(1), z.number().int().transform(String)]).optional(),
  })
  .refine(({ startS, endS }) => endS >= startS, { error: 'must not end before it starts', path: ['endS'] })

const outputSchema = z.object({ language: z.string().min(1).optional(), words: z.array(wordSchema) })

/**
 * Has the configured program listen to a file. It prints `{language?, words: [{text, startS, endS, confidence?, speaker?}]}`
 * and ends with 0; in its environment it finds ASR_LANGUAGE, such as en-US, unless the language is to be identified.
 * @throws RecogniserError when it does anything else
 */
export async function runRecogniser(options: RecogniserOptions): Promise<Recognised> {
  const { command, wavPath, durationS, language, env, signal, timeoutMs } = options
  const end = await runProgram('/bin/sh', ['-c', `${command} "$1"`, 'recogniser', wavPath], {
    env: { ...env, ...(language === undefined ? {} : { ASR_LANGUAGE: language }) },
    signal,
    timeoutMs,
  })
  signal.throwIfAborted()
  switch (end.killed) {
    case 'timeout':
      throw failed(`did not end within ${timeoutMs / 1_000} s.`)
    case 'output':
      throw failed('printed more than 64 MiB.')
    case 'aborted':
    case undefined:
      break
    default:
      end.killed satisfies never
  }
  if (end.exitCode !== 0) {
    const how = end.signal === null ? `ended with exit code ${end.exitCode}` : `was ended by ${end.signal}`
    const says = end.stderr.trim().slice(-500)
    throw failed(says === '' ? `${how} and said nothing.` : `${how}: ${says}`)
  }
  return parseRecognised(end.stdout, durationS)
}

/**
 * What a recogniser printed, as words in the order of time.
 * @throws RecogniserError
 */
export function parseRecognised(stdout: string, durationS: number): Recognised {
  let json: unknown
  try {
    json = JSON.parse(stdout)
  } catch {
    throw failed(`must print JSON and nothing else; it printed ${quoted(stdout)}.`)
  }
  const parsed = outputSchema.safeParse(json)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw failed(
      `printed JSON that is not right: ${issue?.path.join('.') || 'the whole'}: ${issue?.message}.`,
    )
  }
  const late = parsed.data.words.find(({ endS }) => endS > durationS + 1)
  if (late !== undefined) {
    throw failed(
      `printed "${late.text}" at ${late.endS} s, and the audio ends at ${durationS.toFixed(1)} s. Times are seconds from the start of the file.`,
    )
  }
  const words = parsed.data.words.toSorted((left, right) => left.startS - right.startS)
  return { words, language: parsed.data.language }
}

const failed = (what: string) => new RecogniserError(`The recogniser (LOCAL_ASR_COMMAND) ${what}`)

const quoted = (text: string): string => {
  const start = text.trim().slice(0, 80)
  return start === '' ? 'nothing' : JSON.stringify(start)
}
