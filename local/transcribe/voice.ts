import { runProgram } from './programs.ts'
import type { Recognised } from './recogniser.ts'
import type { Tools } from './tools.ts'

/** What stands in a transcript in place of words when nothing can recognise any. It must never look like something said. */
export const unrecognised = '[speech:no-recogniser-configured]'

/** -35 dB and 0.3 s: quieter is silence, shorter is a pause inside a word. */
const silence = 'silencedetect=n=-35dB:d=0.3'

/** A click is not a voice. */
const shortestS = 0.1

/** Where there is sound in a WAV, one item for each stretch; nobody knows what was said there, or by whom. */
export async function findVoice(
  wavPath: string,
  durationS: number,
  { tools, signal, timeoutMs }: { tools: Tools; signal: AbortSignal; timeoutMs: number },
): Promise<Recognised> {
  const args = ['-v', 'info', '-hide_banner', '-nostats', '-nostdin', '-i', `file:${wavPath}`]
  // Of a long file there are many lines, so they go to stdout, of which everything is kept.
  const print = ['-af', `${silence},ametadata=mode=print:file=-`, '-f', 'null', '-']
  const end = await runProgram(tools.ffmpeg, [...args, ...print], { env: tools.env, signal, timeoutMs })
  signal.throwIfAborted()
  if (end.exitCode !== 0)
    throw new Error(`ffmpeg did not find the silences: ${end.stderr.trim().slice(-300)}`)
  const words = voiceBetween(parseSilences(end.stdout), durationS).map(({ startS, endS }) => ({
    text: unrecognised,
    startS,
    endS,
  }))
  return { words }
}

type Stretch = { startS: number; endS: number }

/** Silences as ffmpeg prints them; one without an end lasts for ever. */
export function parseSilences(printed: string): Stretch[] {
  const silences: Stretch[] = []
  for (const [, edge, seconds] of printed.matchAll(/lavfi\.silence_(start|end)=(-?[\d.]+)/g)) {
    const last = silences.at(-1)
    if (edge === 'start') silences.push({ startS: Number(seconds), endS: Number.POSITIVE_INFINITY })
    else if (last !== undefined) last.endS = Number(seconds)
  }
  return silences
}

/** What is between the silences. */
export function voiceBetween(silences: readonly Stretch[], durationS: number): Stretch[] {
  const starts = [0, ...silences.map(({ endS }) => endS)]
  const ends = [...silences.map(({ startS }) => startS), durationS]
  return starts
    .map((startS, index) => ({ startS: Math.max(0, startS), endS: Math.min(ends[index] ?? 0, durationS) }))
    .filter(({ startS, endS }) => endS - startS >= shortestS)
}
