import { type Cue, changeMark } from './cues.ts'

/** SubRip. Without cues a line break: a file that players take for empty. Pure. */
export const srtOf = (cues: readonly Cue[]): string =>
  cues.length === 0
    ? '\n'
    : cues
        .map(
          (cue, index) =>
            `${index + 1}\n${srtTime(cue.startMs)} --> ${srtTime(cue.endMs)}\n${srtLines(cue).join('\n')}\n`,
        )
        .join('\n')

/** An arrow would be read as the times of the next cue, and what looks like a tag would not be shown. */
const srtLines = ({ lines, speakerChanges }: Cue): string[] =>
  lines.map((line, index) => {
    const text = line.replaceAll('-->', '→').replaceAll('<', '‹').replaceAll('>', '›')
    return index === 0 && speakerChanges ? `${changeMark}${text}` : text
  })

const srtTime = (ms: number): string => clock(ms, ',')

/** Hours have as many digits as they need, and at least two. */
export const clock = (ms: number, separator: ',' | '.'): string => {
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  const fraction = String(ms % 1000).padStart(3, '0')
  return `${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}${separator}${fraction}`
}
