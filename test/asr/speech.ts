import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { distance } from 'fastest-levenshtein'
import { findTools } from '../../local/transcribe/tools.ts'

const run = promisify(execFile)

/** Said by a machine, the same every time. When its sound begins and ends is measured, not assumed. */
export type Spoken = { samples: Int16Array; startS: number; endS: number }

const rate = 16_000

/** Of espeak's voices the one that pocketsphinx understands best. */
const voice = ['-v', 'en-us+klatt4', '-s', '150', '-p', '30', '-g', '2']

/** Speech of one sentence, 16 kHz. */
export const say = async (sentence: string): Promise<Spoken> => {
  const folder = await mkdtemp(join(tmpdir(), 'asr-say-'))
  try {
    const [wav, raw] = [join(folder, 'said.wav'), join(folder, 'said.raw')]
    await run('espeak-ng', [...voice, '-w', wav, sentence])
    await ffmpeg('-i', wav, '-ac', '1', '-ar', String(rate), '-f', 's16le', raw)
    const bytes = await readFile(raw)
    const samples = new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
    const loud = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0) * 0.05
    return {
      samples,
      startS: samples.findIndex((sample) => Math.abs(sample) > loud) / rate,
      endS: samples.findLastIndex((sample) => Math.abs(sample) > loud) / rate,
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Pieces one after the other, each with silence before it; when each begins and ends in the whole; and the whole as FLAC. */
export const record = async (pieces: readonly { silenceS: number; spoken: Spoken }[]) => {
  const folder = await mkdtemp(join(tmpdir(), 'asr-record-'))
  try {
    const times: { startS: number; endS: number }[] = []
    const chunks: Int16Array[] = []
    let atS = 0
    for (const { silenceS, spoken } of pieces) {
      chunks.push(new Int16Array(Math.round(silenceS * rate)), spoken.samples)
      times.push({ startS: atS + silenceS + spoken.startS, endS: atS + silenceS + spoken.endS })
      atS += silenceS + spoken.samples.length / rate
    }
    chunks.push(new Int16Array(rate))
    const [raw, flac] = [join(folder, 'all.raw'), join(folder, 'all.flac')]
    await writeFile(raw, Buffer.concat(chunks.map((chunk) => Buffer.from(chunk.buffer))))
    await ffmpeg('-f', 's16le', '-ar', String(rate), '-ac', '1', '-i', raw, flac)
    return { flac: await readFile(flac), times }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const ffmpeg = async (...args: string[]): Promise<void> => {
  const tools = findTools({ path: process.env.PATH ?? '', scratch: tmpdir() })
  await run(tools.ffmpeg, ['-v', 'error', '-nostdin', ...args], { env: tools.env })
}

/** Words wrong, missing or too many. Each word becomes one character, so that a distance of texts is one of words. */
export const wordErrors = (said: readonly string[], heard: readonly string[]): number => {
  const words = [...new Set([...said, ...heard])]
  const encode = (text: readonly string[]) =>
    text.map((word) => String.fromCharCode(0x4e00 + words.indexOf(word))).join('')
  return distance(encode(said), encode(heard))
}
