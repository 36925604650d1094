import type { buildTranscript, Item } from './transcript.ts'

type Cue = { startS: number; endS: number; text: string }

const charactersMax = 80
const durationSMax = 7
const pauseS = 1

/**
 * The subtitle files that Transcribe itself writes on request: plain cues with nothing but text. Undefined when nothing
 * was said, because then it writes none.
 */
export function writeSubtitles(
  { results }: Pick<ReturnType<typeof buildTranscript>, 'results'>,
  format: 'srt' | 'vtt',
  startIndex: number,
): string | undefined {
  const cues = cuesOf(results.items)
  if (cues.length === 0) return undefined
  const point = format === 'srt' ? ',' : '.'
  const blocks = cues.map(
    ({ startS, endS, text }, index) =>
      `${startIndex + index}\n${clock(startS, point)} --> ${clock(endS, point)}\n${text}\n`,
  )
  return [...(format === 'vtt' ? ['WEBVTT\n'] : []), ...blocks].join('\n')
}

function cuesOf(items: readonly Item[]): Cue[] {
  const cues: Cue[] = []
  for (const { type, alternatives, start_time, end_time } of items) {
    const content = alternatives[0]?.content ?? ''
    const cue = cues.at(-1)
    if (type === 'punctuation') {
      if (cue) cue.text += content
      continue
    }
    const [startS, endS] = [Number(start_time), Number(end_time)]
    const fits =
      cue !== undefined &&
      !/[.!?]$/.test(cue.text) &&
      startS - cue.endS < pauseS &&
      endS - cue.startS <= durationSMax &&
      cue.text.length + content.length < charactersMax
    if (fits) {
      cue.text += ` ${content}`
      cue.endS = Math.max(cue.endS, endS)
    } else cues.push({ startS, endS, text: content })
  }
  return cues
}

function clock(seconds: number, point: ',' | '.'): string {
  const ms = Math.round(seconds * 1_000)
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  const whole = [ms / 3_600_000, (ms / 60_000) % 60, (ms / 1_000) % 60].map(two).join(':')
  return `${whole}${point}${String(ms % 1_000).padStart(3, '0')}`
}
