import { spawn } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/**
 * A recogniser for the local Transcribe, made of Debian's pocketsphinx and its English model:
 *
 *     apt-get install pocketsphinx pocketsphinx-en-us
 *     LOCAL_ASR_COMMAND="npx tsx scripts/asr-pocketsphinx.ts" npm run local
 *
 * It hears poorly and tells no speakers apart, but it needs no network and no account, and it shows what an adapter has to
 * do: take a WAV file (16 kHz, one channel, 16 bit) as its last argument, and print
 * `{"language", "words": [{"text", "startS", "endS", "confidence"}]}`.
 */

const program = 'pocketsphinx_continuous'

export type AsrWord = { text: string; startS: number; endS: number; confidence: number }

/**
 * The words in what pocketsphinx prints with `-time yes`: a line per word with start, end and confidence, between lines with
 * whole utterances. `<s>`, `<sil>`, `[SPEECH]` and `++BREATH++` are no words, `(2)` is the second way to pronounce one, and
 * confidences go a little beyond 1.
 */
export const parseWords = (printed: string): AsrWord[] =>
  printed.split('\n').flatMap((line) => {
    const [, token = '', startS, endS, confidence] =
      /^(\S+) (\d+\.\d+) (\d+\.\d+) (\d+\.\d+)$/.exec(line.trim()) ?? []
    const text = token.replace(/\(\d+\)$/, '')
    if (!/^[a-z0-9][a-z0-9'._-]*$/i.test(text)) return []
    return [
      {
        text,
        startS: Number(startS),
        endS: Number(endS),
        confidence: Math.min(1, Number(confidence)),
      },
    ]
  })

const recognise = async (wavPath: string): Promise<AsrWord[]> => {
  const child = spawn(program, ['-infile', wavPath, '-time', 'yes'], { stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  let log = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = `${log}${text}`.slice(-2_000)
  })
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    throw new Error(`there is no ${program}: apt-get install pocketsphinx pocketsphinx-en-us`)
  })
  if (exitCode !== 0) throw new Error(`${program} ended with ${exitCode}: ${log.trim().slice(-300)}`)
  return parseWords(printed)
}

const main = async (): Promise<void> => {
  const wavPath = process.argv.at(2)
  if (wavPath === undefined) throw new Error('the audio file is missing: asr-pocketsphinx.ts FILE.wav')
  const asked = process.env.ASR_LANGUAGE ?? 'en-US'
  if (!asked.startsWith('en-')) throw new Error(`pocketsphinx has a model of English only, not of ${asked}`)
  process.stdout.write(`${JSON.stringify({ language: 'en-US', words: await recognise(wavPath) })}\n`)
}

const isProgram =
  process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)

if (isProgram)
  await main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  })
